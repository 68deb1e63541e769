//! Access tokens of this server, as bearer tokens (RFC 6750) or bound to a key (RFC 9449 §7).

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{Caller, Credential, CredentialProblem, Identity, PersonTerm, Unavailable};
use castellan_issuer::{
    Issuer,
    caller_policies::PolicySubject,
    error::ProofError,
    tokens::{
        dpop::{Proof, ShownError},
        verified::{Holder, Live, VerifyError},
    },
};
use castellan_proto::jose::Algorithm;

use super::{CredentialKind, Shown, refused, unavailable};
use crate::{
    config::{GuardConfig, Method},
    guards::{GuardParts, policies::GuardPolicies},
};

struct AccessToken {
    issuer: Issuer,
    /// The names by which a token's `aud` may mean this guard.
    audiences: [String; 2],
    policies: GuardPolicies,
    /// A person is shown only to tokens that may know them (`docs/contracts/decidim.md` §5.2).
    person_by_scope: bool,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::Oauth);
    takes.then(|| Box::new(AccessToken::of(config, parts)) as _)
}

/// The caller that a token is which holds, shown with `credential`; an invalid one if it is not for
/// this guard, or if the guard takes none.
pub(super) async fn caller(
    config: &GuardConfig,
    parts: &GuardParts,
    live: &Live,
    credential: &Credential<'_>,
) -> Result<Caller, Unavailable> {
    if !config.authenticate.list().contains(&Method::Oauth) {
        return Ok(Caller::invalid());
    }
    AccessToken::of(config, parts).caller(live, credential).await
}

impl AccessToken {
    fn of(config: &GuardConfig, parts: &GuardParts) -> Self {
        let issuer = parts.issuer.address().issuer.clone();
        let own = config.audience_at(&issuer);
        Self {
            issuer: parts.issuer.clone(),
            audiences: [issuer, own],
            policies: GuardPolicies::of(config, parts),
            person_by_scope: config.takes_machine_users(),
        }
    }

    async fn caller(
        &self,
        live: &Live,
        credential: &Credential<'_>,
    ) -> Result<Caller, Unavailable> {
        let named = |name: &str| live.audience.iter().any(|audience| audience == name);
        let meant = self.audiences.iter().any(|name| named(name));
        let agreed = credential.audience.is_none_or(|name| name == live.client_id || named(name));
        let owed = live.named_audience.as_deref();
        if !meant || !agreed || owed.is_some_and(|name| credential.audience != Some(name)) {
            return Ok(Caller::invalid());
        }
        let (person, person_term) = match &live.account {
            Some((id, account)) => {
                let (person, term) = super::person(&self.issuer, id, account).await?;
                (Some(person), term)
            }
            None => (None, PersonTerm::NoPerson),
        };
        // Whether or not the API may know who they are.
        let policy_term = self
            .policies
            .about(|| PolicySubject {
                user: live.account.clone(),
                client: Some((live.client_id.clone(), Arc::clone(&live.client))),
                credential: None,
                session: Some(live.family_id.clone()),
                scope: Some(live.scope.clone()),
            })
            .await?;
        let by_scope = self.person_by_scope || live.profile.person_needs_user_scope();
        Ok(Caller::known(Identity {
            kind: "access_token",
            person: person.filter(|_| !by_scope || live.may("user")),
            client_id: Some(live.client_id.clone()),
            credential_id: None,
            token_scopes: live.scope.clone(),
            client_scopes: Some(live.client.scope.clone()),
            // Whether or not the API may know who they are.
            person_term,
            policy_term,
        }))
    }

    /// Whom a token shows that was verified with all that came with it when the request came.
    async fn again(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        match self.issuer.verify_access(credential.bearer, Holder::Asks).await {
            Ok(live) => self.caller(&live, credential).await,
            Err(VerifyError::Store(error)) => Err(unavailable(&error)),
            Err(_) => Ok(Caller::invalid()),
        }
    }

    /// What `token`, which does not hold without a proof, lacks: with one it may hold.
    async fn unproven(&self, token: &str) -> Result<Caller, Unavailable> {
        match self.issuer.verify_access(token, Holder::Asks).await {
            Ok(live) if live.jkt.is_some() => Ok(Caller::tainted(CredentialProblem::Unproven)),
            Err(VerifyError::Store(error)) => Err(unavailable(&error)),
            _ => Ok(Caller::invalid()),
        }
    }
}

#[async_trait]
impl CredentialKind for AccessToken {
    async fn by_token(&self, credential: &Credential<'_>) -> Shown {
        if credential.again {
            return self.again(credential).await.map(Some);
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
            Ok(live) => self.caller(&live, credential).await.map(Some),
            Err(ShownError::Token(VerifyError::Invalid)) if proof.is_none() => {
                self.unproven(credential.bearer).await.map(Some)
            }
            Err(ShownError::Token(error)) => refused(error),
            Err(ShownError::Proof(ProofError::Store(error))) => Err(unavailable(&error)),
            Err(ShownError::Proof(ProofError::Nonce)) => {
                Ok(Some(Caller::tainted(CredentialProblem::NonceMissing)))
            }
            Err(ShownError::Proof(ProofError::Invalid(_))) => {
                Ok(Some(Caller::tainted(CredentialProblem::ProofInvalid)))
            }
        }
    }

    fn proof_algorithms(&self) -> &'static [Algorithm] {
        &Algorithm::ASYMMETRIC
    }
}
