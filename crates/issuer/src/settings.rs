//! The `[tokens]` table, who may register clients, and where the site is.

pub mod registration;

use std::collections::BTreeMap;

use castellan_proto::{Lifetime, scope::Aliases};

use crate::{
    language::Language,
    records::{GroupsClaim, TokenProfile},
    secrets::policy::SecretPolicy,
};

pub use registration::{Registrant, RegistrationSettings, StatementIssuer};

/// Settings of tokens. Lifetimes are written with a unit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Lifetime of access tokens, unless the client has its own. Default `"10m"`.
    pub access_token: Lifetime,
    /// Lifetime of ID tokens. Default `"10m"`.
    pub id_token: Lifetime,
    /// Lifetime of JWTs that people get for their password (`docs/contracts/ibexa.md` §4), at most
    /// `"1d"`. Default `"1h"`.
    pub person_jwt: Lifetime,
    /// Lifetime of authorization codes. Default `"60s"`.
    ///
    /// RFC 6749 §4.1.2 recommends at most ten minutes.
    pub code: Lifetime,
    /// How long a refresh token may remain unused, unless the client has its own value. Default
    /// `"30d"`.
    pub refresh_idle: Lifetime,
    /// Upper limit of the same, whatever the client says, also if its tokens do not expire. Applies
    /// to tokens that are issued from then on. Default: none.
    pub refresh_longest: Option<Lifetime>,
    /// How long after a rotation the previous refresh token still receives the same successor.
    /// Default `"10s"`. `"0s"` is not accepted; use `refresh_grace_off`.
    pub refresh_grace: Lifetime,
    /// Whether a previous refresh token ends its family at once, without such a period. Default
    /// `false`.
    pub refresh_grace_off: bool,
    /// How long a browser session may remain unused. Default `"8h"`.
    pub session_idle: Lifetime,
    /// How long a browser session lasts at most. Default `"30d"`.
    pub session_absolute: Lifetime,
    /// How long a sign-in may remain in progress. Default `"30m"`.
    pub flow: Lifetime,
    /// How long a signing key is used before a new one replaces it. Default `"90d"`.
    pub rotate_keys: Lifetime,
    /// Whether every DPoP proof must contain a nonce of the server (RFC 9449 §8). Default `false`.
    pub dpop_nonce: bool,
    /// Where guards and userinfo remember used DPoP proofs: `"node"` in the memory of each node,
    /// `"store"` in the data source, with one round trip per request. The token endpoint always
    /// uses the data source. Default `"node"`.
    pub dpop_replay: DpopReplay,
    /// The claims of access tokens that name groups, each with the scope that opens it; a client may
    /// have its own (`docs/contracts/curity.md` §3.8). Default: `groups`, for the scope `groups`.
    pub groups_claims: Vec<GroupsClaim>,
    /// Lifetime of access tokens in seconds where an app's contract has a default of its own, which
    /// is set in the table of that contract. Default: 7200 for apps of `/oauth`
    /// (`docs/contracts/decidim.md` §4.2).
    #[serde(skip)]
    pub profile_access_seconds: BTreeMap<TokenProfile, u64>,
    /// Whether lists of people and consents that no filter narrows are given on a data source that
    /// charges for what it reads. It is set as `data.allow_table_scans`. Default `false`.
    #[serde(skip)]
    pub allow_table_scans: bool,
    /// The least that passwords and secrets have. It is set as `security.password_min_length`, and
    /// for a site as its own.
    #[serde(skip)]
    pub secrets: SecretPolicy,
    /// Origins that documents of administrators may name although they are not reached by https, or
    /// are in a private network. It is set as `security.private_origins`. Default: none.
    #[serde(skip)]
    pub private_origins: Vec<String>,
    /// The languages of the pages, the first of which is for everybody who wants none of them. It is
    /// set for a site. Default: all.
    #[serde(skip)]
    pub languages: Vec<Language>,
    /// Who may register clients. It is the table `[registration]`, or that of the site. Default:
    /// nobody.
    #[serde(skip)]
    pub registration: RegistrationSettings,
    /// What passkeys of the site are bound to. It is set as `[passkeys]`. Default: there are none.
    #[serde(skip)]
    pub passkeys: Option<RelyingParty>,
}

/// What passkeys are bound to (WebAuthn Level 3 §4, "relying party").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The domain (RP ID).
    pub id: String,
    /// The origins of the pages on which people register and use them.
    pub origins: Vec<String>,
}

/// Where used DPoP proofs are remembered (`docs/rules.md` rule 38).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DpopReplay {
    /// In the memory of each node.
    Node,
    /// In the data source.
    Store,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_token: Lifetime::seconds(600),
            id_token: Lifetime::seconds(600),
            person_jwt: Lifetime::seconds(3_600),
            code: Lifetime::seconds(60),
            refresh_idle: Lifetime::seconds(30 * 86_400),
            refresh_longest: None,
            refresh_grace: Lifetime::seconds(10),
            refresh_grace_off: false,
            session_idle: Lifetime::seconds(8 * 3_600),
            session_absolute: Lifetime::seconds(30 * 86_400),
            flow: Lifetime::seconds(1_800),
            rotate_keys: Lifetime::seconds(90 * 86_400),
            dpop_nonce: false,
            dpop_replay: DpopReplay::Node,
            groups_claims: GroupsClaim::standard(),
            profile_access_seconds: [(TokenProfile::Decidim, 7_200)].into(),
            allow_table_scans: false,
            secrets: SecretPolicy::default(),
            private_origins: Vec::new(),
            registration: RegistrationSettings::default(),
            passkeys: None,
            languages: Language::ALL.to_vec(),
        }
    }
}

impl Settings {
    /// Seconds that an access token of an app with this profile lives unless the app says otherwise.
    #[must_use]
    pub fn access_seconds(&self, profile: TokenProfile) -> u64 {
        let own = self.profile_access_seconds.get(&profile).copied();
        own.unwrap_or_else(|| self.access_token.get().as_secs())
    }

    /// Seconds that an access token lives at most where no app says otherwise.
    #[must_use]
    pub fn longest_default_access(&self) -> u64 {
        let own = self.profile_access_seconds.values().copied().max();
        self.access_token.get().as_secs().max(own.unwrap_or_default())
    }

    /// The grace after a rotation, in seconds.
    #[must_use]
    pub const fn grace_seconds(&self) -> u64 {
        if self.refresh_grace_off { 0 } else { self.refresh_grace.get().as_secs() }
    }
}

/// Where the site is reached, and what its scopes mean there.
#[derive(Clone, Debug)]
pub struct SiteAddress {
    /// The issuer identifier (RFC 8414 §2); no slash at its end.
    pub issuer: String,
    /// The display name on pages.
    pub name: String,
    /// Digests of what named scopes expand to at the guards. Consents store them, so that a widened
    /// alias needs consent again.
    pub alias_digests: BTreeMap<String, String>,
    /// The audiences of the guards: what a token may be for besides the issuer (RFC 8707).
    pub resources: Vec<String>,
    /// The guards that have an API behind them, so that scopes give something there.
    pub guards: Vec<GuardScopes>,
    /// The names of the SiteAccesses, at which people may sign in whom a role lets; none where
    /// everybody may (`docs/contracts/ibexa.md` §7.3).
    pub site_accesses: Vec<String>,
}

/// What scopes mean at one guard.
#[derive(Clone, Debug)]
pub struct GuardScopes {
    /// Its audience, one of [`SiteAddress::resources`].
    pub audience: String,
    /// The patterns that named scopes represent there.
    pub aliases: Aliases,
    /// People may do no more there than their roles allow (`docs/rules.md` rule 4).
    pub requires_roles: bool,
}
