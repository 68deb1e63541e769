//! Scoped JWTs for API keys (`docs/contracts/trompa.md` §§2, 3): a kind of credential of its own,
//! HS256 with a secret of its own, valid only at guards that list it.

use std::{collections::BTreeMap, sync::Arc};

use castellan_proto::{
    Secret, Timestamp, constant_time_eq,
    jose::{Compact, HmacKey, KeyError},
    numeric_date,
    scope::{Scope, Scopes},
};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::{AuditKind, Event, counting::API_KEY, origin::Party},
    cache::verdicts::{Memory, Verdicts},
    error::OAuthError,
    records::{
        AuthKey,
        repository::{Update, Versioned},
    },
    request::source::Source,
    secrets::policy::Storable,
    store::{Kind, Notice, StoreError},
    tokens::verified::VerifyError,
};

/// What trades keys for tokens and checks those tokens.
pub struct KeyTokens {
    terms: KeyTerms,
    verdicts: Verdicts<KeyCaller>,
}

/// How keys are traded.
pub struct KeyTerms {
    /// The shared secret.
    pub secret: HmacKey,
    /// The `iss` claim.
    pub issuer: String,
    /// Whether tokens must have that claim.
    pub check_issuer: bool,
    /// Seconds a token lives; zero or less only in tests.
    pub lifetime: i64,
    /// Keys from the configuration, by id.
    pub keys: BTreeMap<String, Vec<ConfiguredKey>>,
}

/// What a caller presents to get a token.
pub struct KeyProof<'a> {
    /// The key's id.
    pub id: &'a str,
    /// The key's secret.
    pub api_key: &'a Secret,
    /// From where they come; none if that is here.
    pub source: Option<Source>,
}

/// A key from the configuration.
pub struct ConfiguredKey {
    /// The key's secret.
    pub api_key: Secret,
    /// Its scopes.
    pub scopes: Scopes,
}

/// The claims, exactly these (`docs/contracts/trompa.md` §3).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    id: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(deserialize_with = "numeric_date::seconds")]
    iat: i64,
    #[serde(deserialize_with = "numeric_date::seconds")]
    exp: i64,
    /// Only in tokens that others made with the same secret; tokens issued here have none.
    #[serde(default, skip_serializing, deserialize_with = "numeric_date::optional")]
    nbf: Option<i64>,
    #[serde(default)]
    iss: String,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum TradeError {
    /// No key has this id and secret.
    #[error("no such key")]
    Unknown,
    /// A scope that the key does not cover; the first in the order asked.
    #[error("the key does not allow the scope {0}")]
    Scope(String),
    /// An internal error.
    #[error("the token could not be signed")]
    Sign(#[from] KeyError),
    /// An internal error.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

/// A valid token of an API key.
#[derive(Clone, Debug)]
pub struct KeyCaller {
    /// The key's id.
    pub id: String,
    /// What the token may do.
    pub scopes: Scopes,
    /// What the key may do at all.
    pub key_scopes: Scopes,
}

impl Memory for KeyCaller {
    fn memory(&self) -> usize {
        size_of::<Self>() + self.id.len() + self.scopes.memory() + self.key_scopes.memory()
    }
}

/// Secrets that a wrong one is compared with at least, so that a key that is being rotated costs
/// no more than one that does not exist.
const COMPARED: usize = 2;
/// Characters of an id at most.
const LONGEST_ID: usize = 256;

impl KeyTokens {
    /// Trades keys on `terms`.
    #[must_use]
    pub fn new(terms: KeyTerms) -> Self {
        Self { terms, verdicts: Verdicts::default() }
    }

    /// Exchanges a key for a token with exactly the requested scopes.
    ///
    /// # Errors
    /// [`TradeError`]; nothing is issued then.
    pub async fn issue(
        &self,
        issuer: &Issuer,
        proof: KeyProof<'_>,
        asked: &[String],
    ) -> Result<String, TradeError> {
        let id = proof.id;
        let traded = self.trade(issuer, proof, asked).await;
        let event = Event::of(AuditKind::TokenIssued).by_grant(API_KEY);
        match &traded {
            Ok(_) => issuer.audit(event.by(Party::credential("AuthKey", id)).detail("api key")),
            Err(TradeError::Unknown) => issuer.audit(event.failed("key and secret")),
            // The key was right.
            Err(TradeError::Scope(_)) => {
                let event = event.by(Party::credential("AuthKey", id));
                issuer.audit(event.denied("a scope that the key does not have"));
            }
            Err(TradeError::Token(error)) => issuer.audit(event.failed(error.code().as_str())),
            Err(TradeError::Sign(_)) => issuer.audit(event.failed("server_error")),
        }
        traded
    }

    async fn trade(
        &self,
        issuer: &Issuer,
        proof: KeyProof<'_>,
        asked: &[String],
    ) -> Result<String, TradeError> {
        issuer.may_issue().map_err(OAuthError::from)?;
        let KeyProof { id, api_key, source } = proof;
        let guess = issuer.count_secret_guess(&auth_key_id(id), api_key, source).await?;
        let scopes = self.prove(issuer, id, api_key).await?.ok_or(TradeError::Unknown)?;
        issuer.secret_was_right(guess).await.map_err(OAuthError::from)?;
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
            exp: iat.saturating_add(self.terms.lifetime),
            nbf: None,
            iss: self.terms.issuer.clone(),
        };
        Ok(self.terms.secret.sign(&claims)?)
    }

    /// The scopes of the key with this id and secret.
    async fn prove(
        &self,
        issuer: &Issuer,
        id: &str,
        api_key: &Secret,
    ) -> Result<Option<Scopes>, OAuthError> {
        let same = |key: &&ConfiguredKey| {
            constant_time_eq(key.api_key.expose().as_bytes(), api_key.expose().as_bytes())
        };
        if let Some(key) = self.terms.keys.get(id).into_iter().flatten().find(same) {
            return Ok(Some(key.scopes.clone()));
        }
        // No key has a longer one, and not every engine could look for it.
        let record = if id.len() > LONGEST_ID { None } else { self.record(issuer, id).await? };
        let kept = record.as_ref().map_or(&[][..], |record| &record.body.secrets);
        let mut right = None;
        for at in 0..kept.len().max(COMPARED) {
            let one = kept.get(at);
            if issuer.secret_matches(api_key, one.map(String::as_str)).await? {
                right = one.cloned();
                break;
            }
        }
        let (Some(mut record), Some(secret)) = (record, right) else { return Ok(None) };
        let now = issuer.now();
        if record.body.note_use(&secret, now) {
            // If another request writes it at the same time, that is enough.
            issuer.repository().replace(&record, Notice::Silent, now).await?;
        }
        Ok(Some(record.body.scopes))
    }

    async fn record(
        &self,
        issuer: &Issuer,
        id: &str,
    ) -> Result<Option<Versioned<AuthKey>>, StoreError> {
        issuer.repository().get::<AuthKey>(&auth_key_id(id), issuer.now()).await
    }

    /// Verifies that `token` is of this kind and valid. The signature is checked before the time.
    ///
    /// # Errors
    /// [`VerifyError`]; a failing store is never a yes.
    pub async fn verify(
        &self,
        issuer: &Issuer,
        token: &str,
    ) -> Result<Arc<KeyCaller>, VerifyError> {
        let compact = Compact::read(token).ok_or(VerifyError::OtherKind)?;
        if compact.header().kid.is_some() || compact.header().alg != "HS256" {
            return Err(VerifyError::OtherKind);
        }
        if let Some(caller) = self.verdicts.get(issuer, token) {
            return Ok(caller);
        }
        let now = issuer.now();
        let payload = compact.verified_by_hmac(&self.terms.secret).ok_or(VerifyError::Invalid)?;
        let claims: Claims = serde_json::from_slice(payload).map_err(|_| VerifyError::Invalid)?;
        let second = |at: i64| Timestamp(u64::try_from(at).unwrap_or(0));
        let ends = second(claims.exp);
        if ends <= now {
            return Err(VerifyError::Expired);
        }
        let begins = claims.nbf.map_or(now, second);
        let ours = !self.terms.check_issuer || claims.iss == self.terms.issuer;
        if !ours || begins > now || claims.id.len() > LONGEST_ID {
            return Err(VerifyError::Invalid);
        }
        let scopes: Result<Scopes, _> = claims.scopes.into_iter().map(Scope::try_from).collect();
        let scopes = scopes.map_err(|_| VerifyError::Invalid)?;
        let key = issuer.repository().key(Kind::Credential, &auth_key_id(&claims.id));
        // Captured before anything is read: what changes in between is seen as a change.
        let snapshot = issuer.liveness().snapshot([&*key.text()]);
        let key_scopes =
            self.scopes_of(issuer, &claims.id, claims.iat).await?.ok_or(VerifyError::Invalid)?;
        let caller = Arc::new(KeyCaller { id: claims.id, scopes, key_scopes });
        self.verdicts.keep(issuer, token, (&caller, snapshot), ends);
        Ok(caller)
    }

    /// Whether `token` was signed here, valid or not.
    #[must_use]
    pub fn has_signed(&self, token: &str) -> bool {
        let jwt = Compact::read(token);
        jwt.is_some_and(|jwt| jwt.verified_by_hmac(&self.terms.secret).is_some())
    }

    /// What the keys of a token's `id` may do, those of the configuration and the kept one together:
    /// a token does not say which of them it was traded for. One that was made after the token is
    /// another key.
    async fn scopes_of(
        &self,
        issuer: &Issuer,
        id: &str,
        traded: i64,
    ) -> Result<Option<Scopes>, StoreError> {
        let configured = self.terms.keys.get(id);
        let record = self.record(issuer, id).await?;
        let made = |record: &Versioned<AuthKey>| i64::try_from(record.body.created.0);
        let record = record.filter(|record| made(record).is_ok_and(|made| made <= traded));
        if configured.is_none() && record.is_none() {
            return Ok(None);
        }
        let configured = configured.into_iter().flatten().flat_map(|key| key.scopes.iter());
        let kept = record.iter().flat_map(|record| record.body.scopes.iter());
        Ok(Some(configured.chain(kept).cloned().collect()))
    }
}

impl Issuer {
    /// Gives the key `id` a new secret. Previous ones stop working at once, except the newest of
    /// them if it is to be kept. `false` if there is no such key.
    ///
    /// # Errors
    /// [`OAuthError`] if the store or the hashing pool fails; the old secrets then remain valid.
    pub async fn rotate_auth_key(
        &self,
        id: &str,
        secret: &Storable,
        keep: bool,
    ) -> Result<bool, OAuthError> {
        let (now, key, id) = (self.now(), id, auth_key_id(id));
        let fresh = self.keep_secret(secret).await?;
        let rotate = |stored: Option<AuthKey>| {
            let Some(mut key) = stored else { return Ok(Update::Leave(false)) };
            let last = key.secrets.last().filter(|_| keep).cloned();
            key.set_secrets(last.into_iter().chain([fresh.clone()]).collect());
            key.modified = now;
            Ok::<_, OAuthError>(Update::Write(key, Notice::Tell, true))
        };
        let is_there = self.repository().update(&id, now, rotate).await?;
        if is_there {
            let event = Event::of(AuditKind::ResourceChanged).target("AuthKey", key);
            self.audit(event.detail("a new secret"));
            self.bump(Kind::Credential, &id);
        }
        Ok(is_there)
    }
}

/// The id of a key's record.
#[must_use]
pub fn auth_key_id(id: &str) -> String {
    format!("authkey/{id}")
}
