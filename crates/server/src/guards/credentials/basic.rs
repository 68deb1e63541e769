//! Clients that call with their secret itself, at guards that list `basic`
//! (`docs/contracts/aidbox.md` §2.1).

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::Extensions;
use castellan_gate::{BasicError, Caller, Identity, PersonTerm};
use castellan_issuer::{Issuer, caller_policies::PolicySubject, error::OAuthError};
use castellan_proto::BasicCredentials;

use super::{CredentialKind, unavailable};
use crate::{
    config::GuardConfig,
    guards::{GuardParts, policies::GuardPolicies},
    wire::request,
};

/// The kind of callers that are a client with its secret.
const KIND: &str = "client_secret";

struct ClientSecret {
    issuer: Issuer,
    policies: GuardPolicies,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.takes_secrets_of_clients();
    takes.then(|| {
        let policies = GuardPolicies::of(config, parts);
        Box::new(ClientSecret { issuer: parts.issuer.clone(), policies }) as _
    })
}

#[async_trait]
impl CredentialKind for ClientSecret {
    /// The client acts for itself: there is no person, and it may do what it may be granted.
    async fn by_basic(
        &self,
        basic: &BasicCredentials,
        extensions: &Extensions,
    ) -> Result<Option<Caller>, BasicError> {
        let (shown, source) = (request::client_of(basic), request::source(extensions));
        match self.issuer.client_at_api(shown, source).await {
            Ok(proven) => {
                let subject = || PolicySubject {
                    client: Some((proven.id.clone(), Arc::clone(&proven.client))),
                    scope: Some(proven.client.scope.clone()),
                    ..PolicySubject::default()
                };
                let policy_term = self.policies.about(subject).await;
                Ok(Some(Caller::known(Identity {
                    kind: KIND,
                    policy_term: policy_term.map_err(|_| BasicError::Unavailable)?,
                    client_id: Some(proven.id),
                    token_scopes: proven.client.scope.clone(),
                    client_scopes: Some(proven.client.scope.clone()),
                    person_term: PersonTerm::NoPerson,
                    ..Identity::default()
                })))
            }
            Err(OAuthError::InvalidClient { .. }) => Ok(Some(Caller::invalid())),
            Err(OAuthError::Throttled(seconds)) => Err(BasicError::TooMany(seconds)),
            Err(error) => {
                let _: castellan_gate::Unavailable = unavailable(&error);
                Err(BasicError::Unavailable)
            }
        }
    }
}
