//! Who calls.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use castellan_proto::{jose::Algorithm, scope::Scopes};

/// Whoever sent a request, whatever method told us.
///
/// Whoever stands around the gate may know callers by something else than a token, and put a `Caller`
/// among the request's extensions: it counts where no token was sent.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody that we know; with a taint if a credential was sent that is no good.
    Anonymous(Option<CredentialProblem>),
    /// Somebody with a good credential.
    Known(Arc<Identity>),
}

/// Why a credential that was sent is no good. A tainted caller reaches only what is public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialProblem {
    /// It was good once; its time has passed.
    Expired,
    /// Anything else: malformed, unknown, revoked, forged, or meant for somebody else.
    Invalid,
    /// It is bound to a key, and came as one that is not (RFC 9449 §7.2).
    Unproven,
    /// What should prove possession of its key is missing or proves nothing.
    ProofInvalid,
    /// The proof lacks the nonce of the moment (RFC 9449 §9). Whoever stands around the gate hands
    /// that out in the header `DPoP-Nonce`; the gate knows no nonces.
    NonceMissing,
}

/// What a good credential says of its bearer.
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
    /// What the app or key behind the token may have at all; `None` if there is no such list.
    pub client_scopes: Option<Scopes>,
}

/// A person as an API may see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The account's identifier.
    pub id: String,
    /// What to call them.
    pub name: Option<String>,
    /// Their short name, without an `@`.
    pub nickname: Option<String>,
}

/// What a request carries to say who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Credential<'a> {
    /// The token of `Authorization: Bearer` (RFC 6750 §2.1) or `DPoP` (RFC 9449 §7.1).
    pub bearer: &'a str,
    /// What was shown of a key with a token of `Authorization: DPoP`. A token that is bound to a key
    /// is no good without, and one that is not is no good with it.
    pub possession: Option<Possession<'a>>,
    /// The audience that the caller names in `X-Jwt-Aud` (`docs/contracts/decidim.md` §4.1).
    pub audience: Option<&'a str>,
    /// From where the request came, if that is known.
    pub source: Option<IpAddr>,
}

/// A proof of possession (RFC 9449 §4), and the request that it came with.
#[derive(Clone, Copy, Debug)]
pub struct Possession<'a> {
    /// What stood in the header `DPoP`.
    pub proof: &'a str,
    /// The method of the request.
    pub method: &'a str,
    /// The path of the request.
    pub path: &'a str,
}

/// From where a request came; the listener puts it among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub IpAddr);

/// Whether a credential is good cannot be told now; the request is refused.
#[derive(Debug, thiserror::Error)]
#[error("credentials cannot be checked at the moment")]
pub struct Unavailable;

/// Knows good credentials from bad.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// Who sent `credential`; [`Caller::Anonymous`] with a taint if it is no good.
    ///
    /// # Errors
    /// [`Unavailable`] if that cannot be told.
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable>;

    /// The algorithms of proofs of possession that it takes, for challenges (RFC 9449 §7.1). With
    /// none of them, the default, nobody is asked for a proof.
    fn proof_algorithms(&self) -> &[Algorithm] {
        &[]
    }
}

impl Caller {
    /// Nobody, and no credential was sent.
    pub const NOBODY: Self = Self::Anonymous(None);

    /// Somebody.
    #[must_use]
    pub fn known(identity: Identity) -> Self {
        Self::Known(Arc::new(identity))
    }

    /// Somebody whose credential is no good.
    #[must_use]
    pub const fn invalid() -> Self {
        Self::tainted(CredentialProblem::Invalid)
    }

    /// Somebody whose credential is no good, and why.
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
