//! What sets the tokens of an app apart that is written by another contract than our own.
//!
//! Everything that differs between contracts is asked here, by the name of the difference, so that no
//! other module needs to know which contracts there are.

use castellan_proto::scope::{Scope, Scopes};
use serde::{Deserialize, Serialize};

use super::{GrantName, TokenFormat};

/// The contract that an app's tokens follow. It is set where the app's document is read, and stored
/// in the members that `StoredProfile` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "StoredProfile", into = "StoredProfile")]
pub enum TokenProfile {
    /// Castellan's own (`docs/rules.md`).
    #[default]
    Standard,
    /// An app whose document is written as in `docs/contracts/aidbox.md` §2.1.
    Aidbox,
    /// An app of `/oauth` (`docs/contracts/decidim.md` §6).
    Decidim,
}

/// A compatibility dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AppDialect {
    /// An app of `/oauth` (`docs/contracts/decidim.md` §6): the form of its tokens follows from
    /// their scopes, and a refresh token can be used once.
    Decidim,
}

/// The profile as records have it: earlier versions read and write these two members.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct StoredProfile {
    #[serde(default)]
    aidbox: bool,
    #[serde(default)]
    dialect: Option<AppDialect>,
}

/// What a contract asks of the `Client` documents of its apps, beyond what every document is asked. An
/// app of such a contract says whether it is public or confidential; a public one always asks for
/// consent, and has redirect URIs of other schemes than `http`; a confidential one always shows its
/// secret, and has redirect URIs of `https`.
#[derive(Debug)]
pub struct DocumentRules {
    /// Where its apps get their tokens. Refusals call the apps by it.
    pub address: &'static str,
    /// The only grant that they have, with or without refresh tokens.
    pub grant: GrantName,
    /// The only scopes that they can have.
    pub scopes: &'static [&'static str],
}

/// `docs/contracts/decidim.md` §8.1.
static DECIDIM: DocumentRules = DocumentRules {
    address: "/oauth",
    grant: GrantName::AUTHORIZATION_CODE,
    scopes: &["profile", "user", "api:read", "api:write"],
};

impl DocumentRules {
    /// Whether an app can have `scope`.
    #[must_use]
    pub fn has_scope(&self, scope: &Scope) -> bool {
        matches!(scope, Scope::Named(name) if self.scopes.contains(&&**name))
    }
}

impl From<StoredProfile> for TokenProfile {
    fn from(stored: StoredProfile) -> Self {
        Self::of(stored.dialect, stored.aidbox)
    }
}

impl From<TokenProfile> for StoredProfile {
    fn from(profile: TokenProfile) -> Self {
        Self { aidbox: profile == TokenProfile::Aidbox, dialect: profile.dialect() }
    }
}

impl TokenProfile {
    /// The profile of an app whose document names `dialect`, and whose grants are spelled as in
    /// `docs/contracts/aidbox.md` or not.
    #[must_use]
    pub const fn of(dialect: Option<AppDialect>, aidbox: bool) -> Self {
        match (dialect, aidbox) {
            (Some(AppDialect::Decidim), _) => Self::Decidim,
            (None, true) => Self::Aidbox,
            (None, false) => Self::Standard,
        }
    }

    /// What its document names as `dialect`.
    #[must_use]
    pub const fn dialect(self) -> Option<AppDialect> {
        match self {
            Self::Decidim => Some(AppDialect::Decidim),
            Self::Standard | Self::Aidbox => None,
        }
    }

    /// What its contract asks of its document.
    #[must_use]
    pub fn document_rules(self) -> Option<&'static DocumentRules> {
        match self {
            Self::Decidim => Some(&DECIDIM),
            Self::Standard | Self::Aidbox => None,
        }
    }

    /// How its document spells the authorization code grant.
    #[must_use]
    pub const fn code_grant_name(self) -> &'static str {
        match self {
            Self::Aidbox => "code",
            Self::Standard | Self::Decidim => "authorization_code",
        }
    }

    /// The default format of access tokens of the authorization code grant.
    #[must_use]
    pub const fn default_format(self) -> TokenFormat {
        match self {
            Self::Aidbox => TokenFormat::Opaque,
            Self::Standard | Self::Decidim => TokenFormat::Jwt,
        }
    }

    /// What an access token with `scope` looks like, where that follows from its scopes: a JWT if an
    /// API reads it (`docs/contracts/decidim.md` §4).
    #[must_use]
    pub fn format_by_scope(self, scope: &Scopes) -> Option<TokenFormat> {
        let read = || scope.has_name("user") || scope.has_name("api:read");
        let format = || if read() { TokenFormat::Jwt } else { TokenFormat::Opaque };
        self.has_format_by_scope().then(format)
    }

    /// Whether the format of its access tokens follows from their scopes, and from no setting.
    #[must_use]
    pub fn has_format_by_scope(self) -> bool {
        self == Self::Decidim
    }

    /// A refresh token without a lifetime in the document does not expire, unless the server has a
    /// longest time for all (`docs/contracts/aidbox.md` §2.1).
    #[must_use]
    pub fn refresh_has_no_default_end(self) -> bool {
        self == Self::Aidbox
    }

    /// A refresh ends the access token before (`docs/contracts/aidbox.md`).
    #[must_use]
    pub fn refresh_ends_previous(self) -> bool {
        self == Self::Aidbox
    }

    /// The token answer carries the person as `userinfo` (`docs/contracts/aidbox.md` §6.1).
    #[must_use]
    pub fn answers_with_user(self) -> bool {
        self == Self::Aidbox
    }

    /// Whether a retry with a refresh token that was just used is refused.
    #[must_use]
    pub fn spends_refresh_at_once(self) -> bool {
        self == Self::Decidim
    }

    /// The app itself is always in the audience of its tokens (`docs/contracts/decidim.md` §4).
    #[must_use]
    pub fn names_client_in_audience(self) -> bool {
        self == Self::Decidim
    }

    /// Whether requests with its JWTs must name the app as well (`docs/contracts/decidim.md` §4.1).
    #[must_use]
    pub fn jwt_needs_named_audience(self) -> bool {
        self == Self::Decidim
    }

    /// An authorization request must name its redirect URI, even if only one is registered
    /// (`docs/contracts/decidim.md` §6.1).
    #[must_use]
    pub fn needs_redirect_uri(self) -> bool {
        self == Self::Decidim
    }

    /// The scope of an authorization request, and of a document, that names none; otherwise it is
    /// all that the app may have (`docs/contracts/decidim.md` §6.1).
    #[must_use]
    pub fn default_scope(self) -> Option<&'static str> {
        (self == Self::Decidim).then_some("profile")
    }

    /// The claim `scp` of an access token: the login realm, and not what it may do
    /// (`docs/contracts/decidim.md` §4).
    #[must_use]
    pub fn login_realm(self, scope: &Scopes) -> Option<&'static str> {
        let realm = || if scope.has_name("user") { "user" } else { "anonymous" };
        (self == Self::Decidim).then(realm)
    }

    /// At guards a token speaks for its person only with the scope `user`.
    #[must_use]
    pub fn person_needs_user_scope(self) -> bool {
        self == Self::Decidim
    }

    /// The scope `profile` opens the e-mail address, too (`docs/contracts/decidim.md` §6.5).
    #[must_use]
    pub fn profile_opens_email(self) -> bool {
        self == Self::Decidim
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TokenProfile;

    /// What earlier versions wrote is read, and they read what is written.
    #[test]
    fn profiles_are_stored_as_before() {
        for (profile, stored) in [
            (TokenProfile::Standard, json!({"aidbox": false, "dialect": null})),
            (TokenProfile::Aidbox, json!({"aidbox": true, "dialect": null})),
            (TokenProfile::Decidim, json!({"aidbox": false, "dialect": "decidim"})),
        ] {
            assert_eq!(serde_json::to_value(profile).ok(), Some(stored.clone()));
            assert_eq!(serde_json::from_value::<TokenProfile>(stored).ok(), Some(profile));
        }
        let before_both = serde_json::from_value::<TokenProfile>(json!({}));
        assert_eq!(before_both.ok(), Some(TokenProfile::Standard));
    }
}
