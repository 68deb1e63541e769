//! What verifying a token gives, and why it does not.

use std::sync::Arc;

use castellan_proto::{Timestamp, scope::Scopes};

use crate::{
    cache::verdicts::Memory,
    records::{Account, Client, TokenProfile},
    store::StoreError,
};

/// An access token that holds, and what it rests on.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its family.
    pub family_id: String,
    /// Its own name.
    pub jti: String,
    /// For which client.
    pub client_id: String,
    /// That client: what it may have at all, and how it wants things signed.
    pub client: Arc<Client>,
    /// The audience that a caller must name besides, byte for byte: a JWT's of an app of `/oauth`
    /// (`docs/contracts/decidim.md` §4.1).
    pub named_audience: Option<String>,
    /// The contract that the app was written by when it got the token.
    pub profile: TokenProfile,
    /// For which person.
    pub account: Option<(String, Arc<Account>)>,
    /// What it may do.
    pub scope: Scopes,
    /// Claims that userinfo tells besides what the scopes open (OIDC Core §5.5).
    pub claims: Vec<String>,
    /// Who it is for.
    pub audience: Vec<String>,
    /// The thumbprint of the key that must be shown with it, if it is bound to one.
    pub jkt: Option<String>,
    /// When it was issued.
    pub issued: Timestamp,
    /// First second at which it is worthless.
    pub expires: Timestamp,
}

/// Why a token does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It has not the shape of this kind of token, so that it may be one of another kind.
    #[error("not a token of this kind")]
    OtherKind,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Forged, malformed, or something it rests on is gone: one answer for all.
    #[error("the token is not valid")]
    Invalid,
    /// The store failed, so that it cannot be told.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What whoever sends a token shows besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'a> {
    /// Nothing: `Authorization: Bearer`. A token that is bound to a key is none for them.
    Bearer,
    /// The key of this thumbprint: `Authorization: DPoP`. A token that is bound to none is none.
    Key(&'a str),
    /// It is not they who use it: they ask about it.
    Asks,
}

impl Memory for Live {
    fn memory(&self) -> usize {
        let texts = self.audience.iter().chain(&self.claims);
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

    /// Whether userinfo tells `claim`, which the scope `name` opens: it has that, or the claim itself
    /// was agreed to, and its client may still have it.
    #[must_use]
    pub fn opens(&self, claim: &str, name: &str) -> bool {
        let agreed = || self.claims.iter().any(|other| other == claim);
        self.may(name) || (agreed() && self.client.scope.has_name(name))
    }
}
