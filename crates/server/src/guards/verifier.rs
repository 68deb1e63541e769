//! Who calls at a guard: the issuer's verdict on a token, as the gate sees it.

use std::sync::Arc;

use async_trait::async_trait;
use castellan_gate::{Caller, Credential, Identity, Person, Taint, Unavailable, Verifier};
use castellan_issuer::{
    Issuer,
    key_jwt::{KeyTokens, KeyVerifyError},
    verify::{Live, VerifyError},
};

use super::GuardParts;
use crate::config::{Dialect, GuardConfig, Method};

/// Asks the issuer in this process.
pub(crate) struct GuardVerifier {
    issuer: Issuer,
    keys: Option<Arc<KeyTokens>>,
    oauth: bool,
    /// The names by which a token's `aud` may mean this guard.
    audiences: [String; 2],
    /// A person is shown only to tokens that may know them (`contracts/decidim.md` §5.2).
    person_by_scope: bool,
}

impl GuardVerifier {
    pub(crate) fn new(config: &GuardConfig, parts: &GuardParts) -> Self {
        let methods = config.authenticate.list();
        let trompa = config.dialect == Some(Dialect::Trompa);
        let issuer = parts.issuer.place().issuer.clone();
        let own = config.audience.clone().unwrap_or_else(|| format!("{issuer}{}", config.path));
        Self {
            issuer: parts.issuer.clone(),
            keys: parts.keys.clone().filter(|_| trompa || methods.contains(&Method::Jwt)),
            oauth: methods.contains(&Method::Oauth),
            audiences: [issuer, own],
            person_by_scope: config.dialect == Some(Dialect::Decidim),
        }
    }

    fn known(&self, live: &Live, credential: &Credential<'_>) -> Caller {
        let named = |name: &str| live.audience.iter().any(|audience| audience == name);
        let meant = self.audiences.iter().any(|name| named(name));
        let agreed = credential.audience.is_none_or(|name| name == live.client_id || named(name));
        if !meant || !agreed {
            return Caller::invalid();
        }
        let person = live.account.as_ref().map(|(id, account)| Person {
            id: id.clone(),
            name: Some(account.display_name()),
            nickname: Some(account.user_name.clone()),
        });
        Caller::known(Identity {
            kind: "access_token",
            person: person.filter(|_| !self.person_by_scope || live.scope.has_name("user")),
            client_id: Some(live.client_id.clone()),
            credential_id: None,
            token_scopes: live.scope.clone(),
            client_scopes: Some(live.client_scopes.clone()),
        })
    }
}

#[async_trait]
impl Verifier for GuardVerifier {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        let unavailable = |error: &dyn std::error::Error| {
            tracing::error!(%error, "a credential could not be checked");
            Unavailable
        };
        if let Some(keys) = &self.keys {
            match keys.verify(&self.issuer, credential.bearer).await {
                Ok(key) => {
                    return Ok(Caller::known(Identity {
                        kind: "api_key_jwt",
                        credential_id: Some(key.id.clone()),
                        token_scopes: key.scopes.clone(),
                        client_scopes: Some(key.key_scopes.clone()),
                        ..Identity::default()
                    }));
                }
                Err(KeyVerifyError::NotOne) => {}
                Err(KeyVerifyError::Expired) => {
                    return Ok(Caller::Anonymous(Some(Taint::Expired)));
                }
                Err(KeyVerifyError::Invalid) => return Ok(Caller::invalid()),
                Err(KeyVerifyError::Store(error)) => return Err(unavailable(&error)),
            }
        }
        if !self.oauth {
            return Ok(Caller::invalid());
        }
        match self.issuer.verify_access(credential.bearer).await {
            Ok(live) => Ok(self.known(&live, credential)),
            Err(VerifyError::Expired) => Ok(Caller::Anonymous(Some(Taint::Expired))),
            Err(VerifyError::Invalid) => Ok(Caller::invalid()),
            Err(VerifyError::Store(error)) => Err(unavailable(&error)),
        }
    }
}
