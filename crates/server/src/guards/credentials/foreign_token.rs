//! Tokens of other issuers, at guards that list `foreign` (`docs/contracts/aidbox.md` §2.7).

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{Caller, Credential, CredentialProblem, Identity, PersonTerm};
use castellan_issuer::{
    Issuer,
    caller_policies::PolicySubject,
    foreign::{ForeignError, ForeignTokens, Presented},
};

use super::{CredentialKind, Shown, unavailable};
use crate::{
    background::usage::FOREIGN_TOKEN,
    config::{GuardConfig, Method},
    guards::{GuardParts, policies::GuardPolicies},
};

struct ForeignBearer {
    issuer: Issuer,
    tokens: Arc<ForeignTokens>,
    policies: GuardPolicies,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::Foreign);
    takes.then(|| {
        let (issuer, tokens) = (parts.issuer.clone(), Arc::clone(&parts.foreign));
        let policies = GuardPolicies::of(config, parts);
        Box::new(ForeignBearer { issuer, tokens, policies }) as _
    })
}

#[async_trait]
impl CredentialKind for ForeignBearer {
    async fn by_token(&self, credential: &Credential<'_>) -> Shown {
        let presented = Presented {
            token: credential.bearer,
            with_proof: credential.possession.is_some(),
            source: credential.source,
        };
        let token = match self.tokens.verify(&self.issuer, presented).await {
            Ok(token) => token,
            Err(ForeignError::OtherKind) => return Ok(None),
            Err(ForeignError::Expired) => {
                return Ok(Some(Caller::tainted(CredentialProblem::Expired)));
            }
            Err(ForeignError::Invalid(..)) => return Ok(Some(Caller::invalid())),
            // It was logged where it was found, as often as that happens.
            Err(ForeignError::Unavailable(..)) => return Err(castellan_gate::Unavailable),
            Err(ForeignError::Store(error)) => return Err(unavailable(&error)),
        };
        // A guard is one of the audiences that the document pins; nobody can name another one.
        if credential.audience.is_some() {
            return Ok(Some(Caller::invalid()));
        }
        let (person, person_term) = match &token.person {
            Some((id, account)) => {
                let (person, term) = super::person(&self.issuer, id, account).await?;
                (Some(person), term)
            }
            None => (None, PersonTerm::NoPerson),
        };
        let subject = || PolicySubject {
            user: token.person.clone(),
            credential: Some((FOREIGN_TOKEN, token.introspector.clone())),
            scope: Some(token.scopes.clone()),
            ..PolicySubject::default()
        };
        let policy_term = self.policies.about(subject).await?;
        Ok(Some(Caller::known(Identity {
            kind: FOREIGN_TOKEN,
            person,
            // The other issuer's clients are not ours, even if they are called the same.
            client_id: None,
            credential_id: Some(token.introspector),
            token_scopes: token.scopes,
            client_scopes: None,
            person_term,
            policy_term,
        })))
    }
}
