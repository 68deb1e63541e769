//! The caller of a request.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use castellan_proto::{
    BasicCredentials, Secret,
    jose::Algorithm,
    scope::{RoleScopes, Scopes},
};
use http::{Extensions, HeaderValue};

use crate::{Ended, PolicyTerm, Shown};

/// The sender of a request, whatever the authentication method.
///
/// The host of the gate may identify callers by something other than a token, and put a `Caller`
/// among the request's extensions: it is used if no token was sent.
#[derive(Clone, Debug)]
pub enum Caller {
    /// An unknown caller; tainted if an invalid credential was sent.
    Anonymous(Option<CredentialProblem>),
    /// A caller with a valid credential.
    Known(Arc<Identity>),
}

/// Among the extensions of a request: its [`Caller`] was found, or can be found, by something alone that
/// no `WWW-Authenticate` can ask for, such as a client certificate. Without a token, nobody is
/// challenged then.
#[derive(Clone, Copy, Debug)]
pub struct Unchallenged;

/// Why a credential is not valid. A tainted caller reaches only what is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialProblem {
    /// It was valid and has expired.
    Expired,
    /// Anything else: malformed, unknown, revoked, forged, or meant for somebody else.
    Invalid,
    /// It is bound to a key, but was sent as a bearer token (RFC 9449 §7.2).
    Unproven,
    /// What should prove possession of its key is missing or proves nothing.
    ProofInvalid,
    /// The proof lacks the current nonce (RFC 9449 §9). The host of the gate hands it out in the
    /// header `DPoP-Nonce`; the gate knows no nonces.
    NonceMissing,
}

/// What a valid credential says about its bearer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// What kind of credential it was, e.g. `access_token` or `api_key_jwt`.
    pub kind: &'static str,
    /// The person, if there is one.
    pub person: Option<Person>,
    /// The app, if there is one.
    pub client_id: Option<String>,
    /// The API key or machine user, if there is one.
    pub credential_id: Option<String>,
    /// What the token was granted.
    pub token_scopes: Scopes,
    /// The scopes that the app or key behind the token is limited to; `None` if it has no such
    /// list.
    pub client_scopes: Option<Scopes>,
    /// What the person behind the credential may do.
    pub person_term: PersonTerm,
    /// What policies say about the caller.
    pub policy_term: PolicyTerm,
}

/// The person's term of a decision, where a guard requires one ([`crate::Terms::person`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PersonTerm {
    /// It was not looked up. Where the term is required, it denies.
    #[default]
    Unknown,
    /// Nobody but the app, key or machine user itself acts, so the term does not apply.
    NoPerson,
    /// The roles of the person, who may do what any of them allows. Without a role, nothing.
    Roles(Arc<[RoleScopes]>),
}

/// A person as an API may see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The account's id.
    pub id: String,
    /// What to call them.
    pub name: Option<String>,
    /// Their short name, without an `@`.
    pub nickname: Option<String>,
    /// The groups they are in.
    pub groups: Arc<[String]>,
}

/// What a request carries to say who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The token of `Authorization: Bearer` (RFC 6750 §2.1) or `DPoP` (RFC 9449 §7.1).
    pub bearer: &'a str,
    /// The proof of possession sent with a token of `Authorization: DPoP`. A token that is bound to
    /// a key is not valid without one, and any other token is not valid with one.
    pub possession: Option<Possession<'a>>,
    /// The audience that the caller names in `X-Jwt-Aud` (`docs/contracts/decidim.md` §4.1).
    pub audience: Option<&'a str>,
    /// From where the request came, if that is known.
    pub source: Option<IpAddr>,
    /// It was verified when the request came, and is looked at again while that is under way: the proof
    /// of possession that came with it has done its service.
    pub again: bool,
}

/// A proof of possession (RFC 9449 §4), and the request that it came with.
#[derive(Clone, Copy, Debug)]
pub struct Possession<'a> {
    /// The value of the header `DPoP`.
    pub proof: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request.
    pub path: &'a str,
}

/// From where a request came; the listener puts it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub IpAddr);

/// It cannot be determined now whether a credential is valid; the request is refused.
#[derive(Debug, thiserror::Error)]
#[error("credentials cannot be checked at the moment")]
pub struct Unavailable;

/// Why a name and a password show nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BasicError {
    /// They cannot be checked now.
    #[error("credentials cannot be checked at the moment")]
    Unavailable,
    /// There were too many wrong ones; after so many seconds they are checked again.
    #[error("too many attempts; try again later")]
    TooMany(u64),
    /// They are right and not enough.
    #[error(
        "this account signs in with a second factor, which is asked for at the sign-in page alone"
    )]
    SecondFactor,
}

/// Verifies credentials.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// The sender of `credential`; a tainted [`Caller::Anonymous`] if it is not valid.
    ///
    /// # Errors
    /// [`Unavailable`] if that cannot be determined.
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable>;

    /// The sender of `basic` (RFC 7617), whose request has `extensions`; a tainted
    /// [`Caller::Anonymous`] if they are not valid. `None`, the default, if no such credentials are
    /// taken.
    ///
    /// # Errors
    /// [`BasicError`] if they were not checked.
    async fn verify_basic(
        &self,
        _basic: &BasicCredentials,
        _extensions: &Extensions,
    ) -> Result<Option<Caller>, BasicError> {
        Ok(None)
    }

    /// `caller`, who sent a token, with the client that `basic` names (the header `X-Client-Auth`,
    /// `docs/contracts/aidbox.md` §2.7); a tainted [`Caller::Anonymous`] if that is not valid, or is
    /// not the token's. The client never lets the caller do more. `None`, the default, if clients are
    /// not taken besides a token.
    ///
    /// # Errors
    /// [`BasicError`] if it was not checked.
    async fn verify_client(
        &self,
        _basic: &BasicCredentials,
        _extensions: &Extensions,
        _caller: &Identity,
    ) -> Result<Option<Caller>, BasicError> {
        Ok(None)
    }

    /// A token for the person whom `name` and `password` authenticate, which a request with
    /// `extensions` asks for (`docs/contracts/ibexa.md` §4.4). `None`, the default, if there is no such
    /// person, or no such token.
    ///
    /// # Errors
    /// [`BasicError`] if they were not checked.
    async fn create_token(
        &self,
        _name: &str,
        _password: &Secret,
        _extensions: &Extensions,
    ) -> Result<Option<Secret>, BasicError> {
        Ok(None)
    }

    /// Whether `Authorization: Basic` means nothing there, so that its sender is a caller without a
    /// credential. Default: its sender showed one that is not valid (`docs/rules.md` rule 3).
    fn passes_over_basic(&self) -> bool {
        false
    }

    /// Is ready once the caller `identity`, who has shown what is in `shown`, may not be told more:
    /// because the credential has ended, or what they may do has changed. `None`, the default, if
    /// requests go on until they end by themselves.
    fn watch(self: Arc<Self>, _shown: Shown, _identity: Arc<Identity>) -> Option<Ended> {
        None
    }

    /// A number that grows whenever something changes that credentials depend on.
    fn moment(&self) -> u64 {
        0
    }

    /// How callers are asked for a name and a password (RFC 7617 §2). With none, the default, they are
    /// asked in the gate's own words where [`Verifier::verify_basic`] takes some.
    fn basic_challenge(&self) -> Option<HeaderValue> {
        None
    }

    /// The algorithms accepted for proofs of possession, for challenges (RFC 9449 §7.1). With none,
    /// the default, proofs are never requested.
    fn proof_algorithms(&self) -> &[Algorithm] {
        &[]
    }
}

impl Caller {
    /// An anonymous caller who sent no credential.
    pub const NOBODY: Self = Self::Anonymous(None);

    /// A known caller.
    #[must_use]
    pub fn known(identity: Identity) -> Self {
        Self::Known(Arc::new(identity))
    }

    /// A caller whose credential is not valid.
    #[must_use]
    pub const fn invalid() -> Self {
        Self::tainted(CredentialProblem::Invalid)
    }

    /// A caller whose credential is not valid, with the reason.
    #[must_use]
    pub const fn tainted(taint: CredentialProblem) -> Self {
        Self::Anonymous(Some(taint))
    }

    /// The identity, if there is one.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Anonymous(_) => None,
            Self::Known(identity) => Some(identity),
        }
    }
}

impl Identity {
    /// A token with `scopes` and nothing else known.
    #[must_use]
    pub fn with_scopes(scopes: Scopes) -> Self {
        Self { kind: "token", token_scopes: scopes, ..Self::default() }
    }
}
