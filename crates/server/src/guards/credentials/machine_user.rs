//! Tokens of machine users (`docs/contracts/decidim.md` §2).

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{Caller, Credential, Identity, Person, PersonTerm, PolicyTerm};
use castellan_issuer::{
    Issuer,
    caller_policies::PolicySubject,
    machine::machine_user::{MachineCaller, MachineTokens},
    records::admits,
};
use castellan_proto::scope::Scope;

use super::{CredentialKind, Shown, refused};
use crate::{
    config::GuardConfig,
    guards::{GuardParts, policies::GuardPolicies},
};

/// The kind of callers with the token of a machine user.
const KIND: &str = "machine_token";

struct MachineUserToken {
    issuer: Issuer,
    machines: Arc<MachineTokens>,
    policies: GuardPolicies,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let machines = parts.machines.clone().filter(|_| config.takes_machine_users())?;
    let policies = GuardPolicies::of(config, parts);
    Some(Box::new(MachineUserToken { issuer: parts.issuer.clone(), machines, policies }))
}

#[async_trait]
impl CredentialKind for MachineUserToken {
    async fn by_token(&self, credential: &Credential<'_>) -> Shown {
        // They are bound to no key.
        if credential.possession.is_some() {
            return Ok(None);
        }
        match self.machines.verify(&self.issuer, credential.bearer).await {
            // The audience is equal byte for byte, or absent on both sides.
            Ok(caller)
                if caller.audience.as_deref() == credential.audience
                    && admits(&caller.addresses, credential.source) =>
            {
                let subject = || PolicySubject {
                    credential: Some((KIND, caller.key.clone())),
                    scope: Some(caller.scopes.clone()),
                    ..PolicySubject::default()
                };
                let policy_term = self.policies.about(subject).await?;
                Ok(Some(Caller::known(Identity { policy_term, ..identity(&caller) })))
            }
            Ok(_) => Ok(Some(Caller::invalid())),
            Err(error) => refused(error),
        }
    }
}

/// A machine user acts as a user of its own (`docs/contracts/decidim.md` §5.2).
fn identity(caller: &MachineCaller) -> Identity {
    let user = Scope::Named("user".to_owned());
    let person = Person {
        id: caller.id.clone(),
        name: Some(caller.name.clone()),
        nickname: Some(caller.nickname.clone()),
        ..Person::default()
    };
    Identity {
        kind: KIND,
        person: Some(person),
        client_id: None,
        credential_id: Some(caller.key.clone()),
        token_scopes: caller.scopes.iter().cloned().chain([user]).collect(),
        client_scopes: None,
        person_term: PersonTerm::NoPerson,
        policy_term: PolicyTerm::Unknown,
    }
}
