//! An OAuth client.

use castellan_proto::{
    LogoutUri, RedirectUri, Timestamp,
    jose::{Algorithm, Jwk},
    scope::Scopes,
};
use serde::{Deserialize, Serialize};

use crate::{
    records::{
        ClientDetails, Grants, GroupsClaim, Previous, Registration, TokenProfile,
        repository::Stored,
    },
    store::Kind,
};

/// An app that may ask for tokens. Its id is the `client_id`.
#[derive(Clone, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of the document of its own")]
pub struct Client {
    /// What people know it by; its id if empty.
    #[serde(default)]
    pub name: String,
    /// Where people can read about it.
    #[serde(default)]
    pub uri: Option<String>,
    /// The stored form of its secret; with neither one nor a key it is public (RFC 6749 §2.1).
    pub secret: Option<String>,
    /// The secret before, while it still counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<Previous>,
    /// The keys by which it proves who it is (`private_key_jwt`).
    #[serde(default)]
    pub jwks: Vec<Jwk>,
    /// A first-party app: people are not asked for consent.
    #[serde(default)]
    pub first_party: bool,
    /// Whether people have to sign in to it by several factors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_second_factor: bool,
    /// Whether it may do anything at all.
    pub active: bool,
    /// What it may be granted.
    #[serde(default)]
    pub scope: Scopes,
    /// Where answers may be sent.
    #[serde(default)]
    pub redirect_uris: Vec<RedirectUri>,
    /// Where people may be sent after signing out.
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where the server notifies it that somebody signed out (Back-Channel Logout 1.0 §2.2).
    #[serde(default)]
    pub backchannel_logout: Option<LogoutTarget>,
    /// What a browser loads in a frame to notify it (Front-Channel Logout 1.0 §2).
    #[serde(default)]
    pub frontchannel_logout: Option<LogoutTarget>,
    /// From which origins a browser may call the token endpoint.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// The grants that it may use, and how each is set.
    #[serde(flatten)]
    pub grants: Grants,
    /// How its access tokens are signed.
    pub access_alg: Algorithm,
    /// How its ID tokens are signed.
    pub id_alg: Algorithm,
    /// How userinfo is signed for it, if it is (OIDC Core §5.3.2).
    #[serde(default)]
    pub userinfo_alg: Option<Algorithm>,
    /// How introspection answers are signed for it that it asks for so (RFC 9701 §6).
    #[serde(default)]
    pub introspection_alg: Option<Algorithm>,
    /// It may not have a browser carry its authorization requests (RFC 9126 §6).
    #[serde(default)]
    pub require_pushed: bool,
    /// Its tokens are bound to keys, always (RFC 9449 §5.2).
    #[serde(default)]
    pub dpop_bound: bool,
    /// The tokens that it may introspect (`docs/rules.md` rule 38a).
    #[serde(default)]
    pub introspection_reach: IntrospectionReach,
    /// The resources that belong to it: it may introspect tokens that are for one of them (RFC 8707
    /// §2).
    #[serde(default)]
    pub own_resources: Vec<String>,
    /// The claims of its access tokens that name groups; those of the site if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups_claims: Option<Vec<GroupsClaim>>,
    /// It may call APIs with its secret itself (`basic` in `grant_types`,
    /// `docs/contracts/aidbox.md` §2.1).
    #[serde(default)]
    pub basic: bool,
    /// The contract that its tokens follow.
    #[serde(flatten)]
    pub profile: TokenProfile,
    /// Seconds that its ID tokens live; the server's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_seconds: Option<u64>,
    /// Seconds since the person proved who they are, at most, where its request does not say (OpenID
    /// Connect Registration 1.0 §2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    /// Registered clients are made of it; it is not active itself (`docs/contracts/curity.md` §8.1).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub template: bool,
    /// What is known of its registration, if it registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// What describes it.
    #[serde(default, skip_serializing_if = "ClientDetails::is_empty")]
    pub details: ClientDetails,
    /// Which generation of authorizations counts: what was issued in another one is over for good.
    #[serde(default)]
    pub generation: u32,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; unknown if an older version wrote it.
    #[serde(default)]
    pub modified: Timestamp,
    /// Which of all that had this id it is; 0 if an older version made it.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
}

/// Tokens about which a client may ask (RFC 7662 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum IntrospectionReach {
    /// Tokens issued to it, and tokens whose `aud` names it or one of its `resources`.
    #[default]
    Own,
    /// All tokens of its site.
    Any,
}

/// Where an app is notified that somebody signed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutTarget {
    /// The URI that is called.
    pub uri: LogoutUri,
    /// The app cannot do without `sid`. It gets it in any case.
    pub session_required: bool,
}

/// Whether a client gets refresh tokens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// Seconds it may lie unused; never expires if absent (`docs/contracts/aidbox.md` §2.1).
    pub idle_seconds: Option<u64>,
    /// What happens to it when it is used.
    pub rotation: Rotation,
    /// Seconds after which no refresh token of an authorization is taken any more, however often it
    /// was used; without end if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_seconds: Option<u64>,
}

/// What happens to a refresh token when it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// It is replaced by a new one (RFC 9700 §4.14.2).
    #[default]
    Rotate,
    /// It remains valid.
    Keep,
}

/// What an access token looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// A JWT (RFC 9068).
    Jwt,
    /// A random-looking text that only this server can read.
    #[default]
    Opaque,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name)
            .field("active", &self.active)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// What to call it.
    #[must_use]
    pub fn display_name<'a>(&'a self, id: &'a str) -> &'a str {
        if self.name.is_empty() { id } else { &self.name }
    }

    /// Whether an administrator wrote its addresses, here or in the template that it was made of. Of
    /// one that registered itself nobody has looked at them.
    #[must_use]
    pub fn is_vouched_for(&self) -> bool {
        self.registration.as_ref().is_none_or(|registration| registration.template.is_some())
    }

    /// Seconds that its longest access or ID token lives; none if that is for the server to say.
    #[must_use]
    pub fn longest_access(&self) -> u64 {
        let access = self.grants.settings().filter_map(|grant| grant.access_seconds);
        access.chain(self.id_seconds).max().unwrap_or_default()
    }

    /// Whether it is to be notified when somebody signs out.
    #[must_use]
    pub fn hears_of_sign_outs(&self) -> bool {
        self.backchannel_logout.is_some() || self.frontchannel_logout.is_some()
    }

    /// Whether an access token that was issued to `owner` and is for `audience` concerns it, whose id
    /// is `id` (`docs/rules.md` rule 38a).
    #[must_use]
    pub fn is_concerned(&self, id: &str, owner: &str, audience: &[String]) -> bool {
        let is_own = |name: &String| name == id || self.own_resources.contains(name);
        owner == id
            || self.introspection_reach == IntrospectionReach::Any
            || audience.iter().any(is_own)
    }

    /// Whether it must push its authorization requests and bind its tokens, as clients of the FAPI
    /// 2.0 Security Profile do (§5.3.2), so that the rest of that profile applies to it.
    #[must_use]
    pub const fn follows_fapi(&self) -> bool {
        self.require_pushed && self.dpop_bound
    }

    /// The stored forms of all its secrets, valid or not.
    #[must_use]
    pub fn stored_secrets(&self) -> Vec<String> {
        let previous = self.previous_secret.as_ref().map(|previous| &previous.secret);
        self.secret.iter().chain(previous).cloned().collect()
    }

    /// The stored forms of its secret and of the one before, as far as they are valid at `now`.
    #[must_use]
    pub fn secrets(&self, now: Timestamp) -> [Option<&str>; 2] {
        let previous = self.previous_secret.as_ref().filter(|previous| now < previous.until);
        [self.secret.as_deref(), previous.map(|previous| &*previous.secret)]
    }

    /// Whether it has nothing to prove who it is with (RFC 6749 §2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secret.is_none() && self.jwks.is_empty() && !self.details.has_unserved_proof()
    }
}

impl Stored for Client {
    const KIND: Kind = Kind::Client;

    fn unique(&self) -> Vec<String> {
        let registration = self.registration.as_ref();
        registration.map_or_else(Vec::new, |registration| registration.unique(&self.name))
    }
}
