//! Callers who are a person without an app between: their password or what they got for it says so
//! (`docs/contracts/ibexa.md` §§4, 5).

use std::sync::Arc;

use castellan_gate::{Caller, Identity, Unavailable};
use castellan_issuer::{
    Issuer, caller_policies::PolicySubject, sign_in::per_request::ProvenPerson,
};

use super::session::every_operation;
use crate::{
    config::GuardConfig,
    guards::{GuardParts, policies::GuardPolicies},
};

/// Who people are at one guard.
pub(super) struct People {
    pub(super) issuer: Issuer,
    policies: GuardPolicies,
}

impl People {
    pub(super) fn of(config: &GuardConfig, parts: &GuardParts) -> Self {
        Self { issuer: parts.issuer.clone(), policies: GuardPolicies::of(config, parts) }
    }

    /// The caller that `person`, known by a credential of `kind`, is. What they may do is bounded by
    /// their roles, where the guard requires that, and by no app.
    pub(super) async fn caller(
        &self,
        kind: &'static str,
        proven: &ProvenPerson,
    ) -> Result<Caller, Unavailable> {
        let ProvenPerson { id, account } = proven;
        let (person, person_term) = super::person(&self.issuer, id, account).await?;
        let subject = || PolicySubject {
            user: Some((id.clone(), Arc::clone(account))),
            scope: Some(every_operation()),
            ..PolicySubject::default()
        };
        Ok(Caller::known(Identity {
            kind,
            person: Some(person),
            person_term,
            policy_term: self.policies.about(subject).await?,
            token_scopes: every_operation(),
            ..Identity::default()
        }))
    }
}
