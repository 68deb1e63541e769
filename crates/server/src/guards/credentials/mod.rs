//! Who calls at a guard: the kinds of credentials that there are, and which of them a guard takes.
//!
//! The shape of a credential picks exactly one kind (`docs/rules.md` rule 3). A new kind is a file
//! and a line of the roster.

mod access_token;
mod api_key;
mod basic;
mod client_auth;
mod client_certificate;
mod foreign_token;
mod machine_user;
mod people;
mod person_basic;
mod person_jwt;
mod session;
mod under_way;

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{Extensions, HeaderMap, HeaderValue, request::Parts};
use castellan_gate::{
    BasicError, Caller, Credential, CredentialProblem, Ended, FoundAt, Identity, Person,
    PersonTerm, Shown as ShownBefore, Unavailable, Unchallenged, Verifier,
};
use castellan_issuer::{
    Issuer,
    records::Account,
    tokens::verified::{Live, VerifyError},
};
use castellan_proto::{BasicCredentials, Secret, jose::Algorithm};

use super::GuardParts;
use crate::config::GuardConfig;
pub(in crate::guards) use session::SiteAccessSessions;
pub(in crate::guards) use under_way::{RemovedHeaders, SessionOf};

/// The caller whom a credential shows; `None` if it is not of this kind, or if there is none.
type Shown = Result<Option<Caller>, Unavailable>;

/// One kind of credential, as one guard takes it.
#[async_trait]
trait CredentialKind: Send + Sync {
    /// The caller that the token of an `Authorization` header shows.
    async fn by_token(&self, _: &Credential<'_>) -> Shown {
        Ok(None)
    }

    /// The caller that the name and the password of an `Authorization` header show.
    async fn by_basic(
        &self,
        _: &BasicCredentials,
        _: &Extensions,
    ) -> Result<Option<Caller>, BasicError> {
        Ok(None)
    }

    /// `caller`, who sent a token, with the client that the header `X-Client-Auth` names.
    async fn with_client(
        &self,
        _: &BasicCredentials,
        _: &Extensions,
        _: &Identity,
    ) -> Result<Option<Caller>, BasicError> {
        Ok(None)
    }

    /// The caller that `headers` show without an `Authorization` among them.
    async fn by_headers(&self, _: &HeaderMap) -> Shown {
        Ok(None)
    }

    /// A token of this kind for the person whom `name` and `password` authenticate.
    async fn create_token(
        &self,
        _: &str,
        _: &Secret,
        _: &Extensions,
    ) -> Result<Option<Secret>, BasicError> {
        Ok(None)
    }

    /// The caller whom the connection shows, by what the listener and the corridor know of it.
    async fn by_connection(&self, _: &HeaderMap, _: &Extensions) -> Shown {
        Ok(None)
    }

    /// The algorithms that a proof of possession may have (RFC 9449 §5); none if tokens of this kind
    /// are bound to no key.
    fn proof_algorithms(&self) -> &'static [Algorithm] {
        &[]
    }
}

/// A kind of credential at a guard; `None` if the guard does not take it.
type Take = fn(&GuardConfig, &GuardParts) -> Option<Box<dyn CredentialKind>>;

/// Every kind. A token of two kinds is read as the first one; no two have the same shape. Those of
/// other issuers are first: they name their issuer, while the others are told apart by their headers.
const ROSTER: &[Take] = &[
    foreign_token::take,
    api_key::take,
    machine_user::take,
    person_jwt::take,
    access_token::take,
    basic::take,
    person_basic::take,
    client_auth::take,
    session::take,
    client_certificate::take,
];

/// The credentials that one guard takes.
pub(crate) struct Credentials {
    kinds: Vec<Box<dyn CredentialKind>>,
    /// How callers are asked for a name and a password.
    basic: Option<HeaderValue>,
    /// What the dialect does not understand is as if it were not there (`docs/contracts/ibexa.md` §4.3).
    passes_over_basic: bool,
    issuer: Issuer,
    sessions: Option<SiteAccessSessions>,
}

/// A caller whom a request shows without an `Authorization`.
struct ShownCaller {
    caller: Caller,
    /// The connection shows them, whatever is asked.
    by_connection: bool,
}

impl Credentials {
    pub(crate) fn of(config: &GuardConfig, parts: &GuardParts) -> Self {
        let kinds = ROSTER.iter().filter_map(|take| take(config, parts)).collect();
        let basic = config.basic_challenge();
        let passes_over_basic = basic.is_none() && config.speaks_of_site_accesses();
        let sessions = SiteAccessSessions::of(config, parts);
        Self { kinds, basic, passes_over_basic, issuer: parts.issuer.clone(), sessions }
    }

    /// The caller that the access token `live`, shown with `credential`, is at a guard.
    ///
    /// # Errors
    /// [`Unavailable`] if that cannot be told.
    pub(crate) async fn holder(
        config: &GuardConfig,
        parts: &GuardParts,
        live: &Live,
        credential: &Credential<'_>,
    ) -> Result<Caller, Unavailable> {
        access_token::caller(config, parts, live, credential).await
    }

    /// Puts the caller whom a request shows without an `Authorization` at the guard of `config` among its
    /// extensions: by its headers, or else by its connection, which shows the same whatever is asked.
    ///
    /// # Errors
    /// [`Unavailable`] if that cannot be told.
    pub(super) async fn note_shown(
        &self,
        config: &GuardConfig,
        Parts { headers, extensions, .. }: &mut Parts,
    ) -> Result<(), Unavailable> {
        if config.is_of_certificates() {
            extensions.insert(Unchallenged);
        }
        let since = self.moment();
        let Some(shown) = self.shown(headers, extensions).await? else { return Ok(()) };
        let ShownCaller { caller, by_connection } = shown;
        if by_connection {
            extensions.insert(Unchallenged);
        }
        extensions.insert(FoundAt(since));
        extensions.insert(caller);
        Ok(())
    }

    /// The caller whom a request shows without an `Authorization`.
    async fn shown(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<ShownCaller>, Unavailable> {
        for kind in &self.kinds {
            if let Some(caller) = kind.by_headers(headers).await? {
                return Ok(Some(ShownCaller { caller, by_connection: false }));
            }
        }
        for kind in &self.kinds {
            if let Some(caller) = kind.by_connection(headers, extensions).await? {
                return Ok(Some(ShownCaller { caller, by_connection: true }));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Verifier for Credentials {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        for kind in &self.kinds {
            if let Some(caller) = kind.by_token(credential).await? {
                return Ok(caller);
            }
        }
        Ok(Caller::invalid())
    }

    async fn verify_basic(
        &self,
        basic: &BasicCredentials,
        extensions: &Extensions,
    ) -> Result<Option<Caller>, BasicError> {
        for kind in &self.kinds {
            if let Some(caller) = kind.by_basic(basic, extensions).await? {
                return Ok(Some(caller));
            }
        }
        Ok(None)
    }

    async fn verify_client(
        &self,
        basic: &BasicCredentials,
        extensions: &Extensions,
        caller: &Identity,
    ) -> Result<Option<Caller>, BasicError> {
        for kind in &self.kinds {
            if let Some(caller) = kind.with_client(basic, extensions, caller).await? {
                return Ok(Some(caller));
            }
        }
        Ok(None)
    }

    async fn create_token(
        &self,
        name: &str,
        password: &Secret,
        extensions: &Extensions,
    ) -> Result<Option<Secret>, BasicError> {
        for kind in &self.kinds {
            if let Some(token) = kind.create_token(name, password, extensions).await? {
                return Ok(Some(token));
            }
        }
        Ok(None)
    }

    fn passes_over_basic(&self) -> bool {
        self.passes_over_basic
    }

    fn watch(self: Arc<Self>, shown: ShownBefore, identity: Arc<Identity>) -> Option<Ended> {
        Some(Box::pin(under_way::until_ended(self, shown, identity)))
    }

    fn moment(&self) -> u64 {
        self.issuer.liveness().changes()
    }

    fn basic_challenge(&self) -> Option<HeaderValue> {
        self.basic.clone()
    }

    fn proof_algorithms(&self) -> &[Algorithm] {
        let algorithms = self.kinds.iter().map(|kind| kind.proof_algorithms());
        algorithms.max_by_key(|algorithms| algorithms.len()).unwrap_or_default()
    }
}

/// A person as an API may see them, and what they may do.
async fn person(
    issuer: &Issuer,
    id: &str,
    account: &Arc<Account>,
) -> Result<(Person, PersonTerm), Unavailable> {
    let standing = issuer.standing(id, account).await.map_err(|error| unavailable(&error))?;
    let person = Person {
        id: id.to_owned(),
        name: Some(account.display_name()),
        nickname: Some(account.user_name.clone()),
        groups: standing.groups,
    };
    Ok((person, PersonTerm::Roles(standing.roles)))
}

/// What a token that does not hold makes of its sender.
fn refused(error: VerifyError) -> Shown {
    match error {
        VerifyError::OtherKind => Ok(None),
        VerifyError::Expired => Ok(Some(Caller::tainted(CredentialProblem::Expired))),
        VerifyError::Invalid => Ok(Some(Caller::invalid())),
        VerifyError::Store(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &dyn std::error::Error) -> Unavailable {
    tracing::error!(%error, "a credential could not be checked");
    Unavailable
}
