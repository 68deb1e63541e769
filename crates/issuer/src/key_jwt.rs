//! Scoped JWTs for API keys (`contracts/trompa.md` §§2, 3): a kind of credential of its own, HS256
//! with a secret of its own, good only at guards that list it.

use std::{collections::BTreeMap, sync::Arc};

use castellan_proto::{
    Secret, Timestamp, constant_time_eq,
    jose::{Compact, HmacKey, KeyError},
    scope::{Scope, Scopes},
};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    desk::Held,
    records::{AuthKey, is_news},
    store::{Notice, StoreError},
};

/// What trades keys for tokens and checks those tokens.
pub struct KeyTokens {
    /// The shared secret.
    pub secret: HmacKey,
    /// The `iss` claim.
    pub issuer: String,
    /// Seconds a token lives; zero or less only in tests.
    pub lifetime: i64,
    /// Keys from the configuration, by id.
    pub keys: BTreeMap<String, Vec<ConfiguredKey>>,
}

/// A key from the configuration.
pub struct ConfiguredKey {
    /// The secret.
    pub api_key: Secret,
    /// What it may ask for.
    pub scopes: Scopes,
}

/// The claims, exactly these (`contracts/trompa.md` §3).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    id: String,
    #[serde(default)]
    scopes: Vec<String>,
    iat: i64,
    exp: i64,
    iss: String,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum TradeError {
    /// No key has this id and secret.
    #[error("no such key")]
    Unknown,
    /// A scope that the key does not cover; the first in the order asked.
    #[error("the key does not cover {0}")]
    Scope(String),
    /// Ours.
    #[error("the token could not be signed")]
    Sign(#[from] KeyError),
    /// Ours.
    #[error("the store failed")]
    Token(#[from] crate::error::TokenError),
}

/// A key's token that holds.
#[derive(Clone, Debug)]
pub struct KeyCaller {
    /// The key's id.
    pub id: String,
    /// What the token may do.
    pub scopes: Scopes,
    /// What the key may do at all.
    pub key_scopes: Scopes,
}

/// Why a key's token does not hold.
#[derive(Debug, thiserror::Error)]
pub enum KeyVerifyError {
    /// It is no token of this kind at all.
    #[error("not a token of this kind")]
    NotOne,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// Forged, malformed, or its key is gone.
    #[error("the token is not valid")]
    Invalid,
    /// Ours.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl KeyTokens {
    /// Trades a key for a token with exactly the scopes asked for.
    ///
    /// # Errors
    /// [`TradeError`]; nothing is issued then.
    pub async fn issue(
        &self,
        issuer: &Issuer,
        (id, api_key): (&str, &Secret),
        asked: &[String],
    ) -> Result<String, TradeError> {
        let scopes = self.prove(issuer, id, api_key).await?.ok_or(TradeError::Unknown)?;
        for text in asked {
            let covered = Scope::try_from(text.clone()).is_ok_and(|scope| scopes.cover(&scope));
            if !covered {
                return Err(TradeError::Scope(text.clone()));
            }
        }
        let iat = i64::try_from(issuer.now().0).unwrap_or(i64::MAX);
        let claims = Claims {
            id: id.to_owned(),
            scopes: asked.to_vec(),
            iat,
            exp: iat.saturating_add(self.lifetime),
            iss: self.issuer.clone(),
        };
        Ok(self.secret.sign(&claims)?)
    }

    /// The scopes of the key with this id and secret.
    async fn prove(
        &self,
        issuer: &Issuer,
        id: &str,
        api_key: &Secret,
    ) -> Result<Option<Scopes>, TradeError> {
        let same = |key: &&ConfiguredKey| {
            constant_time_eq(key.api_key.expose().as_bytes(), api_key.expose().as_bytes())
        };
        if let Some(key) = self.keys.get(id).into_iter().flatten().find(same) {
            return Ok(Some(key.scopes.clone()));
        }
        let record = self.record(issuer, id).await.map_err(crate::error::TokenError::from)?;
        let Some(record) = record else {
            // As long as for a key that exists.
            issuer.secret_matches(api_key, None).await.map_err(crate::error::TokenError::from)?;
            return Ok(None);
        };
        for stored in &record.body.secrets {
            let right = issuer.secret_matches(api_key, Some(stored)).await;
            if right.map_err(crate::error::TokenError::from)? {
                let scopes = record.body.scopes.clone();
                note_use(issuer, record).await.map_err(crate::error::TokenError::from)?;
                return Ok(Some(scopes));
            }
        }
        Ok(None)
    }

    async fn record(&self, issuer: &Issuer, id: &str) -> Result<Option<Held<AuthKey>>, StoreError> {
        issuer.desk().get::<AuthKey>(&auth_key_id(id), issuer.now()).await
    }

    /// Whether `token` is of this kind and holds. The signature is looked at before the time.
    ///
    /// # Errors
    /// [`KeyVerifyError`]; a failing store is never a yes.
    pub async fn verify(
        &self,
        issuer: &Issuer,
        token: &str,
    ) -> Result<Arc<KeyCaller>, KeyVerifyError> {
        let compact = Compact::read(token).ok_or(KeyVerifyError::NotOne)?;
        if compact.header().kid.is_some() || compact.header().alg != "HS256" {
            return Err(KeyVerifyError::NotOne);
        }
        let payload = compact.verified_by_hmac(&self.secret).ok_or(KeyVerifyError::Invalid)?;
        let claims: Claims =
            serde_json::from_slice(payload).map_err(|_| KeyVerifyError::Invalid)?;
        if Timestamp(u64::try_from(claims.exp).unwrap_or(0)) <= issuer.now() {
            return Err(KeyVerifyError::Expired);
        }
        if claims.iss != self.issuer {
            return Err(KeyVerifyError::Invalid);
        }
        let key_scopes = if let Some(keys) = self.keys.get(&claims.id) {
            keys.iter().flat_map(|key| key.scopes.iter().cloned()).collect()
        } else {
            let record = self.record(issuer, &claims.id).await?;
            record.ok_or(KeyVerifyError::Invalid)?.body.scopes
        };
        let scopes: Result<Scopes, _> = claims.scopes.into_iter().map(Scope::try_from).collect();
        let scopes = scopes.map_err(|_| KeyVerifyError::Invalid)?;
        Ok(Arc::new(KeyCaller { id: claims.id, scopes, key_scopes }))
    }
}

/// Writes that a key was used. Somebody else noting it at the same time is as good.
async fn note_use(issuer: &Issuer, mut key: Held<AuthKey>) -> Result<(), StoreError> {
    let now = issuer.now();
    if is_news(key.body.used, now) {
        key.body.used = Some(now);
        issuer.desk().replace(&key, Notice::Silent, now).await?;
    }
    Ok(())
}

/// The id of a key's record.
#[must_use]
pub fn auth_key_id(id: &str) -> String {
    format!("authkey/{id}")
}
