//! What verifying a token gives, and why it does not.

use std::sync::Arc;

use castellan_proto::{Timestamp, scope::Scopes};

use crate::{
    cache::verdicts::Memory,
    records::{Account, Client, TokenProfile},
    store::StoreError,
};

/// A valid access token, and what it depends on.
#[derive(Clone, Debug)]
pub struct Live {
    /// The token's family.
    pub family_id: String,
    /// The token's id.
    pub jti: String,
    /// The client's `client_id`.
    pub client_id: String,
    /// The client: the scopes it is limited to, and the signature algorithms that it uses.
    pub client: Arc<Client>,
    /// The audience that a caller must name besides, byte for byte: a JWT's of an app of `/oauth`
    /// (`docs/contracts/decidim.md` §4.1).
    pub named_audience: Option<String>,
    /// The contract that the app was written by when it got the token.
    pub profile: TokenProfile,
    /// The person, with the account's id.
    pub account: Option<(String, Arc<Account>)>,
    /// What it may do.
    pub scope: Scopes,
    /// Claims that userinfo contains besides those that the scopes cover (OIDC Core §5.5).
    pub claims: Vec<String>,
    /// The groups that the token names, of those that the person is in now; none if it has no such
    /// claim (`docs/contracts/curity.md` §3.8).
    pub groups: Option<Vec<String>>,
    /// Who it is for.
    pub audience: Vec<String>,
    /// The thumbprint of the key that must be shown with it, if it is bound to one.
    pub jkt: Option<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// First second at which it is worthless.
    pub expires: Timestamp,
}

/// Why a token is not valid.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It has not the shape of this kind of token, so that it may be one of another kind.
    #[error("not a token of this kind")]
    OtherKind,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Forged, malformed, expired, or a record it depends on is missing: one answer for all.
    #[error("the token is not valid")]
    Invalid,
    /// The store failed, so that the answer is unknown.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What the sender of a token presents besides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Nothing: `Authorization: Bearer`. Tokens bound to a key are not valid then.
    Bearer,
    /// The key with this thumbprint: `Authorization: DPoP`. Only tokens bound to it are valid then.
    Key(&'a str),
    /// It is not they who use it: they ask about it.
    Asks,
}

impl Memory for Live {
    fn memory(&self) -> usize {
        let texts = self.audience.iter().chain(&self.claims);
        let texts = texts.chain(self.groups.iter().flatten());
        let texts = texts.map(|name| size_of::<String>() + name.len());
        size_of::<Self>() + self.scope.memory() + texts.sum::<usize>()
    }
}

impl Live {
    /// Whether it has the named scope, and its client may still have it.
    #[must_use]
    pub fn may(&self, name: &str) -> bool {
        self.scope.has_name(name) && self.client.scope.has_name(name)
    }

    /// Whether userinfo contains `claim`, which the scope `name` covers: the token has that scope,
    /// or the claim itself was consented to and its client may still have it.
    #[must_use]
    pub fn opens(&self, claim: &str, name: &str) -> bool {
        let agreed = || self.claims.iter().any(|other| other == claim);
        self.may(name) || (agreed() && self.client.scope.has_name(name))
    }
}
