//! Tokens for API keys (`docs/contracts/trompa.md` §3).

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{Caller, Credential, Identity, PersonTerm};
use castellan_issuer::{Issuer, caller_policies::PolicySubject, machine::api_key::KeyTokens};

use super::{CredentialKind, Shown, refused};
use crate::{
    background::usage::API_KEY_JWT,
    config::GuardConfig,
    guards::{GuardParts, policies::GuardPolicies},
};

struct ApiKeyToken {
    issuer: Issuer,
    keys: Arc<KeyTokens>,
    policies: GuardPolicies,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let keys = parts.keys.clone().filter(|_| config.takes_api_keys())?;
    let policies = GuardPolicies::of(config, parts);
    Some(Box::new(ApiKeyToken { issuer: parts.issuer.clone(), keys, policies }))
}

#[async_trait]
impl CredentialKind for ApiKeyToken {
    async fn by_token(&self, credential: &Credential<'_>) -> Shown {
        // They are bound to no key.
        if credential.possession.is_some() {
            return Ok(None);
        }
        match self.keys.verify(&self.issuer, credential.bearer).await {
            Ok(key) => {
                let subject = || PolicySubject {
                    credential: Some((API_KEY_JWT, key.id.clone())),
                    scope: Some(key.scopes.clone()),
                    ..PolicySubject::default()
                };
                Ok(Some(Caller::known(Identity {
                    kind: API_KEY_JWT,
                    credential_id: Some(key.id.clone()),
                    token_scopes: key.scopes.clone(),
                    client_scopes: Some(key.key_scopes.clone()),
                    person_term: PersonTerm::NoPerson,
                    policy_term: self.policies.about(subject).await?,
                    ..Identity::default()
                })))
            }
            Err(error) => refused(error),
        }
    }
}
