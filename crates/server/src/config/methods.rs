//! How callers authenticate at a guard.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::dialects::{Dialect, SessionsOf};

/// How callers authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Access tokens of this server.
    Oauth,
    /// JWTs from `/jwt` (`docs/contracts/trompa.md` §3); in the `ibexa` dialect those that people get
    /// for their password (`docs/contracts/ibexa.md` §4).
    Jwt,
    /// The browser session: in the `decidim` dialect (`docs/contracts/decidim.md` §5.2) together with
    /// the header `X-Requested-With`; in the `ibexa` dialect by the cookie of the SiteAccess or those of
    /// the pages, at guards of `protocol = "http"` with endpoints to open and close one
    /// (`docs/contracts/ibexa.md` §§2, 4.4).
    Session,
    /// `Authorization: Basic` with the id and the secret of a client that has `basic` in
    /// `grant_types` (`docs/contracts/aidbox.md` §2.1); in the `ibexa` dialect with the login and the
    /// password of a person (`docs/contracts/ibexa.md` §5).
    Basic,
    /// Bearer tokens of other issuers, which a `TokenIntrospector` verifies
    /// (`docs/contracts/aidbox.md` §2.7).
    Foreign,
    /// `X-Client-Auth: Basic` with the id and the secret of a client that has `basic` in
    /// `grant_types`, beside a token that another method takes: the client's scopes bound the token's
    /// (`docs/contracts/aidbox.md` §2.7).
    ClientAuth,
    /// The client certificate of the connection, or the one that a listed proxy names
    /// (`docs/contracts/ibexa.md` §6).
    ClientCertificate,
}

impl Method {
    /// Whether it takes bearer tokens.
    #[must_use]
    pub const fn is_token(&self) -> bool {
        matches!(self, Self::Oauth | Self::Jwt | Self::Foreign)
    }

    /// Whether it takes what is issued to an app, whose scopes bound what can be done with it.
    #[must_use]
    pub const fn is_of_apps(&self) -> bool {
        matches!(self, Self::Oauth | Self::Foreign)
    }
}

/// One method, or a list of them in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "must be \"oauth\", \"jwt\", \"foreign\", \"client_auth\", \"basic\", \"session\" or \"client_certificate\", or a list of these"
)]
pub enum Methods {
    /// One.
    One(Method),
    /// Several, in order.
    Several(Vec<Method>),
    /// The setting is absent.
    #[default]
    #[serde(skip)]
    Unset,
}

impl Methods {
    /// Those of a guard that speaks `dialect`, where nobody sets them.
    pub(super) fn of(dialect: Option<&Dialect>) -> Self {
        let guards = dialect.and_then(|dialect| dialect.guards.as_ref());
        let by_session = guards.is_some_and(|speech| {
            matches!(speech.sessions, SessionsOf::SiteAccess { by_default: true, .. })
        });
        if by_session { Self::One(Method::Session) } else { Self::Unset }
    }

    /// Puts the method of `dialect` in the place of an absent setting.
    pub(super) fn settle(&mut self, dialect: Option<&Dialect>) {
        if *self == Self::Unset {
            *self = Self::of(dialect);
        }
    }

    /// As a list.
    #[must_use]
    pub fn list(&self) -> &[Method] {
        match self {
            Self::Unset => &[Method::Oauth],
            Self::One(method) => std::slice::from_ref(method),
            Self::Several(methods) => methods,
        }
    }
}
