//! Who calls at a guard: the issuer's verdict on a token, as the gate sees it.

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{
    Caller, Credential, CredentialProblem, Identity, Person, Unavailable, Verifier,
};
use castellan_issuer::{
    Issuer,
    error::ProofError,
    machine::{
        api_key::{KeyTokens, KeyVerifyError},
        machine_user::{MachineCaller, MachineTokens, MachineVerifyError},
    },
    records::admits,
    tokens::{
        dpop::{Proof, ShownError},
        verified::{Holder, Live, VerifyError},
    },
};
use castellan_proto::{jose::Algorithm, scope::Scope};

use super::GuardParts;
use crate::{
    background::usage::API_KEY_JWT,
    config::{GuardConfig, Method},
};

/// Asks the issuer in this process.
pub(crate) struct GuardVerifier {
    issuer: Issuer,
    keys: Option<Arc<KeyTokens>>,
    machines: Option<Arc<MachineTokens>>,
    oauth: bool,
    /// The names by which a token's `aud` may mean this guard.
    audiences: [String; 2],
    /// A person is shown only to tokens that may know them (`docs/contracts/decidim.md` §5.2).
    person_by_scope: bool,
}

impl GuardVerifier {
    pub(crate) fn new(config: &GuardConfig, parts: &GuardParts) -> Self {
        let methods = config.authenticate.list();
        let (keys, machines) = (config.takes_api_keys(), config.takes_machine_users());
        let issuer = parts.issuer.address().issuer.clone();
        let own = config.audience_at(&issuer);
        Self {
            issuer: parts.issuer.clone(),
            // One shape, one kind: a guard knows HS256 tokens of a single kind.
            keys: parts.keys.clone().filter(|_| keys),
            machines: parts.machines.clone().filter(|_| machines),
            oauth: methods.contains(&Method::Oauth),
            audiences: [issuer, own],
            person_by_scope: machines,
        }
    }

    fn known(&self, live: &Live, credential: &Credential<'_>) -> Caller {
        let named = |name: &str| live.audience.iter().any(|audience| audience == name);
        let meant = self.audiences.iter().any(|name| named(name));
        let agreed = credential.audience.is_none_or(|name| name == live.client_id || named(name));
        let owed = live.named_audience.as_deref();
        if !meant || !agreed || owed.is_some_and(|name| credential.audience != Some(name)) {
            return Caller::invalid();
        }
        let person = live.account.as_ref().map(|(id, account)| Person {
            id: id.clone(),
            name: Some(account.display_name()),
            nickname: Some(account.user_name.clone()),
        });
        let by_scope = self.person_by_scope || live.profile.person_needs_user_scope();
        Caller::known(Identity {
            kind: "access_token",
            person: person.filter(|_| !by_scope || live.may("user")),
            client_id: Some(live.client_id.clone()),
            credential_id: None,
            token_scopes: live.scope.clone(),
            client_scopes: Some(live.client.scope.clone()),
        })
    }
}

/// A machine user acts as a user of its own (`docs/contracts/decidim.md` §5.2).
fn machine(caller: &MachineCaller) -> Identity {
    let user = Scope::Named("user".to_owned());
    let person = Person {
        id: caller.id.clone(),
        name: Some(caller.name.clone()),
        nickname: Some(caller.nickname.clone()),
    };
    Identity {
        kind: "machine_token",
        person: Some(person),
        client_id: None,
        credential_id: Some(caller.key.clone()),
        token_scopes: caller.scopes.iter().cloned().chain([user]).collect(),
        client_scopes: None,
    }
}

/// A verdict of one kind; `None` if the token is not of that kind.
type OneKind = Result<Option<Caller>, Unavailable>;

fn unavailable(error: &dyn std::error::Error) -> Unavailable {
    tracing::error!(%error, "a credential could not be checked");
    Unavailable
}

impl GuardVerifier {
    async fn by_key(&self, credential: &Credential<'_>) -> OneKind {
        let Some(keys) = &self.keys else { return Ok(None) };
        Ok(Some(match keys.verify(&self.issuer, credential.bearer).await {
            Ok(key) => Caller::known(Identity {
                kind: API_KEY_JWT,
                credential_id: Some(key.id.clone()),
                token_scopes: key.scopes.clone(),
                client_scopes: Some(key.key_scopes.clone()),
                ..Identity::default()
            }),
            Err(KeyVerifyError::NotOne) => return Ok(None),
            Err(KeyVerifyError::Expired) => Caller::tainted(CredentialProblem::Expired),
            Err(KeyVerifyError::Invalid) => Caller::invalid(),
            Err(KeyVerifyError::Store(error)) => return Err(unavailable(&error)),
        }))
    }

    async fn by_machine(&self, credential: &Credential<'_>) -> OneKind {
        let Some(machines) = &self.machines else { return Ok(None) };
        Ok(Some(match machines.verify(&self.issuer, credential.bearer).await {
            // The audience is equal byte for byte, or absent on both sides.
            Ok(caller)
                if caller.audience.as_deref() == credential.audience
                    && admits(&caller.addresses, credential.source) =>
            {
                Caller::known(machine(&caller))
            }
            Ok(_) | Err(MachineVerifyError::Invalid) => Caller::invalid(),
            Err(MachineVerifyError::NotOne) => return Ok(None),
            Err(MachineVerifyError::Expired) => Caller::tainted(CredentialProblem::Expired),
            Err(MachineVerifyError::Store(error)) => return Err(unavailable(&error)),
        }))
    }

    /// Why `token`, which came with no proof, is no good: with one it may be.
    async fn unproven(&self, token: &str) -> Result<Caller, Unavailable> {
        match self.issuer.verify_access(token, Holder::Asks).await {
            Ok(live) if live.jkt.is_some() => Ok(Caller::tainted(CredentialProblem::Unproven)),
            Err(VerifyError::Store(error)) => Err(unavailable(&error)),
            _ => Ok(Caller::invalid()),
        }
    }
}

#[async_trait]
impl Verifier for GuardVerifier {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        // Tokens of these kinds are bound to no key.
        if credential.possession.is_none() {
            if let Some(caller) = self.by_key(credential).await? {
                return Ok(caller);
            }
            if let Some(caller) = self.by_machine(credential).await? {
                return Ok(caller);
            }
        }
        if !self.oauth {
            return Ok(Caller::invalid());
        }
        let url = credential
            .possession
            .map(|shown| format!("{}{}", self.issuer.address().issuer, shown.path));
        let proof = credential.possession.zip(url.as_deref()).map(|(shown, url)| Proof {
            jws: shown.proof,
            method: shown.method,
            url,
        });
        match self.issuer.verify_shown(credential.bearer, proof.as_ref()).await {
            Ok(live) => Ok(self.known(&live, credential)),
            Err(ShownError::Token(VerifyError::Expired)) => {
                Ok(Caller::tainted(CredentialProblem::Expired))
            }
            Err(
                ShownError::Token(VerifyError::Store(error))
                | ShownError::Proof(ProofError::Store(error)),
            ) => Err(unavailable(&error)),
            Err(ShownError::Proof(ProofError::Nonce)) => {
                Ok(Caller::tainted(CredentialProblem::NonceMissing))
            }
            Err(ShownError::Proof(ProofError::Invalid(_))) => {
                Ok(Caller::tainted(CredentialProblem::ProofInvalid))
            }
            Err(ShownError::Token(VerifyError::Invalid)) if proof.is_none() => {
                self.unproven(credential.bearer).await
            }
            Err(ShownError::Token(VerifyError::Invalid)) => Ok(Caller::invalid()),
        }
    }

    fn proof_algorithms(&self) -> &[Algorithm] {
        // Tokens of the other kinds are bound to no key.
        if self.oauth { &Algorithm::ASYMMETRIC } else { &[] }
    }
}
