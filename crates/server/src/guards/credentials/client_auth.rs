//! A client that shows its secret beside a token, at guards that list `client_auth`
//! (`X-Client-Auth`, `docs/contracts/aidbox.md` §2.7).

use async_trait::async_trait;
use axum::http::Extensions;
use castellan_gate::{BasicError, Caller, Identity, PolicyTerm};
use castellan_issuer::{Issuer, error::OAuthError};
use castellan_proto::BasicCredentials;

use super::{CredentialKind, unavailable};
use crate::{
    config::{GuardConfig, Method},
    guards::GuardParts,
    wire::request,
};

struct ClientBeside {
    issuer: Issuer,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::ClientAuth);
    takes.then(|| Box::new(ClientBeside { issuer: parts.issuer.clone() }) as _)
}

#[async_trait]
impl CredentialKind for ClientBeside {
    /// The client's scopes bound what the token may do, in addition to what bounds it already. A
    /// token that was issued to a client is used by that one and by no other.
    async fn with_client(
        &self,
        basic: &BasicCredentials,
        extensions: &Extensions,
        caller: &Identity,
    ) -> Result<Option<Caller>, BasicError> {
        let (shown, source) = (request::client_of(basic), request::source(extensions));
        let proven = match self.issuer.client_at_api(shown, source).await {
            Ok(proven) => proven,
            Err(OAuthError::InvalidClient { .. }) => return Ok(Some(Caller::invalid())),
            Err(OAuthError::Throttled(seconds)) => return Err(BasicError::TooMany(seconds)),
            Err(error) => {
                let _: castellan_gate::Unavailable = unavailable(&error);
                return Err(BasicError::Unavailable);
            }
        };
        if caller.client_id.as_ref().is_some_and(|id| *id != proven.id) {
            return Ok(Some(Caller::invalid()));
        }
        let of_client = &proven.client.scope;
        let client_scopes = match &caller.client_scopes {
            Some(most) => most.intersection(of_client),
            None => of_client.clone(),
        };
        // Policies were looked up for a caller without a client: what is linked to this one, which may
        // forbid, was not among them.
        let policy_term = match &caller.client_id {
            Some(_) => caller.policy_term.clone(),
            None => PolicyTerm::Unknown,
        };
        Ok(Some(Caller::known(Identity {
            policy_term,
            client_id: Some(proven.id),
            client_scopes: Some(client_scopes),
            ..caller.clone()
        })))
    }
}
