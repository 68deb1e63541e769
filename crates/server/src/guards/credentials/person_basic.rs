//! People who send their login and their password with every request, at guards whose dialect means
//! them by `basic` (RFC 7617, `docs/contracts/ibexa.md` §5).

use async_trait::async_trait;
use axum::http::Extensions;
use castellan_gate::{BasicError, Caller};
use castellan_issuer::{error::OAuthError, sign_in::name_and_password::NameAndPassword};
use castellan_proto::BasicCredentials;

use super::{CredentialKind, people::People, unavailable};
use crate::{config::GuardConfig, guards::GuardParts, wire::request};

/// The kind of callers that are a person with their password.
const KIND: &str = "password";

struct PersonPassword {
    people: People,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.takes_passwords_of_people();
    takes.then(|| Box::new(PersonPassword { people: People::of(config, parts) }) as _)
}

#[async_trait]
impl CredentialKind for PersonPassword {
    /// Name and password are as they were sent: nobody encodes them (§10a).
    async fn by_basic(
        &self,
        basic: &BasicCredentials,
        extensions: &Extensions,
    ) -> Result<Option<Caller>, BasicError> {
        let shown = NameAndPassword { name: &basic.user_id, password: &basic.password };
        match self.people.issuer.person_of_request(shown, request::source(extensions)).await {
            Ok(Some(person)) => {
                let caller = self.people.caller(KIND, &person).await;
                caller.map(Some).map_err(|_| BasicError::Unavailable)
            }
            Ok(None) => Ok(Some(Caller::invalid())),
            Err(OAuthError::Throttled(seconds)) => Err(BasicError::TooMany(seconds)),
            Err(OAuthError::SecondFactorNeeded) => Err(BasicError::SecondFactor),
            Err(error) => {
                let _: castellan_gate::Unavailable = unavailable(&error);
                Err(BasicError::Unavailable)
            }
        }
    }
}
