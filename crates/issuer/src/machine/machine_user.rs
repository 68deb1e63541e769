//! Machine users: they sign in with a key and a secret and get a JWT, which they can sign out of
//! (`docs/contracts/decidim.md` §§2 to 4). A kind of credential of its own: HS256 with a secret of
//! its own, valid as long as its record exists.

use std::{sync::Arc, time::Duration};

use castellan_proto::{
    Secret, Timestamp,
    jose::{Compact, HmacKey},
    random,
    scope::Scopes,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    cache::verdicts::{Memory, Verdicts},
    error::OAuthError,
    keys::KeyringError,
    records::{
        ApiCredential, MachineToken, Previous, admits, is_news,
        repository::{Update, Written, read},
    },
    request::source::Source,
    secrets::policy::Storable,
    store::{Kind, Notice, StoreError},
    tokens::verified::VerifyError,
};

/// What signs machine users in and checks their tokens.
pub struct MachineTokens {
    secret: HmacKey,
    lifetime: Duration,
    verdicts: Verdicts<MachineCaller>,
}

/// The claims, exactly these (`docs/contracts/decidim.md` §4).
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    scp: String,
    aud: Option<String>,
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
}

/// What a machine user presents to sign in.
pub struct MachineProof<'a> {
    /// The machine user's key.
    pub key: &'a str,
    /// The machine user's secret.
    pub secret: &'a Secret,
    /// The audience that tokens are to be for.
    pub audience: Option<&'a str>,
    /// From where they come; none if that is here.
    pub source: Option<Source>,
}

/// A machine user that has signed in.
#[derive(Debug)]
pub struct MachineSignIn {
    /// The machine user's number.
    pub number: u64,
    /// The display name.
    pub name: String,
    /// Its short name, without an `@`.
    pub nickname: String,
    /// The signed token.
    pub token: String,
}

/// A valid token of a machine user.
#[derive(Clone, Debug)]
pub struct MachineCaller {
    /// Its number, as a text.
    pub id: String,
    /// The machine user's key.
    pub key: String,
    /// The display name.
    pub name: String,
    /// Its short name, without an `@`.
    pub nickname: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The audience that it named when it signed in.
    pub audience: Option<String>,
    /// From where it may call; from anywhere if empty.
    pub addresses: Vec<IpNet>,
}

impl Memory for MachineCaller {
    fn memory(&self) -> usize {
        let texts = [&self.id, &self.key, &self.name, &self.nickname];
        let texts = texts.into_iter().chain(&self.audience).map(String::len).sum::<usize>();
        size_of::<Self>() + texts + self.scopes.memory() + size_of_val(&*self.addresses)
    }
}

/// The login realm of machine users.
const REALM: &str = "api_user";

impl MachineTokens {
    /// Tokens signed with `secret` that live for `lifetime`.
    #[must_use]
    pub fn new(secret: HmacKey, lifetime: Duration) -> Self {
        Self { secret, lifetime, verdicts: Verdicts::default() }
    }

    /// Signs a machine user in. `None` for an unknown key, for a wrong secret and from an address
    /// that is not the user's: the same answer at the same time.
    ///
    /// # Errors
    /// [`OAuthError`] if the store or the hashing pool fails, [`OAuthError::Throttled`] after too
    /// many wrong guesses from there; no token is issued then.
    pub async fn sign_in(
        &self,
        issuer: &Issuer,
        proof: MachineProof<'_>,
    ) -> Result<Option<MachineSignIn>, OAuthError> {
        let key = proof.key;
        let signed_in = self.check_in(issuer, proof).await;
        let event = Event::of(AuditKind::SignIn);
        match &signed_in {
            Ok(Some(_)) => issuer.audit(event.by(Party::credential("ApiCredential", key))),
            Ok(None) => issuer.audit(event.failed("key and secret")),
            Err(error) => issuer.audit(event.failed(error.code().as_str())),
        }
        signed_in
    }

    async fn check_in(
        &self,
        issuer: &Issuer,
        proof: MachineProof<'_>,
    ) -> Result<Option<MachineSignIn>, OAuthError> {
        issuer.may_issue()?;
        let (now, MachineProof { key, secret, audience, source }) = (issuer.now(), proof);
        let id = credential_id(key);
        let guess = issuer.count_secret_guess(&id, secret, source).await?;
        let stored = issuer.repository().get::<ApiCredential>(&id, now).await?;
        let address = source.and_then(Source::address);
        // A user who may not sign in at all is treated as unknown, whatever the secret.
        let may = |user: &ApiCredential| user.is_alive(now) && admits(&user.addresses, address);
        let stored = stored.filter(|stored| may(&stored.body));
        let stored_secret = stored.as_ref().map(|stored| stored.body.secret.as_str());
        let previous = stored.as_ref().and_then(|stored| stored.body.previous.as_ref());
        let previous = previous.filter(|previous| now < previous.until);
        let previous = previous.map(|previous| previous.secret.as_str());
        let right = issuer.one_secret_matches(secret, [stored_secret, previous]).await?;
        let Some(mut stored) = stored.filter(|_| right) else { return Ok(None) };
        issuer.secret_was_right(guess).await?;
        let claims = Claims {
            sub: stored.body.number.to_string(),
            scp: REALM.to_owned(),
            aud: audience.map(ToOwned::to_owned),
            iat: now,
            exp: now + self.lifetime,
            jti: uuid(),
        };
        let record = MachineToken {
            key: key.to_owned(),
            generation: stored.body.generation,
            ends: claims.exp,
        };
        if issuer.repository().insert(&claims.jti, &record, now).await? != Written::Done {
            return Err(StoreError::new("a newly generated token id was already in use").into());
        }
        let token = self.secret.sign(&claims).map_err(KeyringError::from)?;
        if is_news(stored.body.used, now) {
            stored.body.used = Some(now);
            // If another request writes it at the same time, that is enough.
            issuer.repository().replace(&stored, Notice::Silent, now).await?;
        }
        Ok(Some(MachineSignIn {
            number: stored.body.number,
            nickname: stored.body.nickname(),
            name: stored.body.name,
            token,
        }))
    }

    /// Verifies that `token` is of this kind and valid. One that this node has seen costs no round
    /// trip.
    ///
    /// # Errors
    /// [`VerifyError`]; a failing store is never a yes.
    pub async fn verify(
        &self,
        issuer: &Issuer,
        token: &str,
    ) -> Result<Arc<MachineCaller>, VerifyError> {
        if let Some(caller) = self.verdicts.get(issuer, token) {
            return Ok(caller);
        }
        let now = issuer.now();
        let claims = self.read(token)?;
        if claims.exp <= now {
            return Err(VerifyError::Expired);
        }
        let record = issuer.repository().key(Kind::MachineToken, &claims.jti);
        // Captured before anything is read: what changes in between is seen as a change.
        let before = issuer.liveness().snapshot([&*record.text()]);
        let found = issuer.repository().store().get_many(&[record], now).await?;
        let found = found.into_iter().next().flatten().ok_or(VerifyError::Invalid)?;
        let record = read::<MachineToken>(found)?.body;
        let user = issuer.repository().key(Kind::Credential, &credential_id(&record.key));
        let snapshot = issuer.liveness().snapshot([&*user.text()]).and(before);
        let found = issuer.repository().store().get_many(&[user], now).await?;
        let found = found.into_iter().next().flatten().ok_or(VerifyError::Invalid)?;
        let user = read::<ApiCredential>(found)?.body;
        let same = user.number.to_string() == claims.sub && user.generation == record.generation;
        if !same || !user.is_alive(now) {
            return Err(VerifyError::Invalid);
        }
        let ends = claims.exp.min(user.expires.unwrap_or(claims.exp));
        let caller = Arc::new(MachineCaller {
            id: claims.sub,
            key: record.key,
            nickname: user.nickname(),
            name: user.name,
            scopes: user.scope,
            audience: claims.aud,
            addresses: user.addresses,
        });
        self.verdicts.keep(issuer, token, (&caller, snapshot), ends);
        Ok(caller)
    }

    /// Signs out of `token`, everywhere. For one that has ended already, the notice is written
    /// again.
    ///
    /// # Errors
    /// [`VerifyError`]: `NotOne` and `Invalid` if it was never a token issued here, `Store` if the
    /// store fails; then the token may still be valid.
    pub async fn sign_out(&self, issuer: &Issuer, token: &str) -> Result<(), VerifyError> {
        let (claims, now) = (self.read(token)?, issuer.now());
        let key = issuer.repository().key(Kind::MachineToken, &claims.jti);
        // The notice is repeated as long as a node could consider the token valid.
        if issuer.repository().delete(Kind::MachineToken, &claims.jti, now).await? {
            let who = format!("machine user number {}", claims.sub);
            issuer.audit(Event::of(AuditKind::SessionEnded).detail(&who));
        } else if now < claims.exp {
            issuer.repository().store().notify(&key).await?;
        }
        issuer.liveness().bump(&key.text());
        Ok(())
    }

    /// Whether `token` was signed here, valid or not.
    #[must_use]
    pub fn has_signed(&self, token: &str) -> bool {
        self.read(token).is_ok()
    }

    /// The claims of a token that we signed.
    fn read(&self, token: &str) -> Result<Claims, VerifyError> {
        let compact = Compact::read(token).ok_or(VerifyError::OtherKind)?;
        if compact.header().kid.is_some() || compact.header().alg != "HS256" {
            return Err(VerifyError::OtherKind);
        }
        let payload = compact.verified_by_hmac(&self.secret).ok_or(VerifyError::Invalid)?;
        let claims: Claims = serde_json::from_slice(payload).map_err(|_| VerifyError::Invalid)?;
        if claims.scp == REALM { Ok(claims) } else { Err(VerifyError::Invalid) }
    }
}

impl Issuer {
    /// Gives a machine user a new secret. The previous one is valid for another `overlap` seconds;
    /// without an overlap it stops working at once, and its tokens with it. `false` if there is no
    /// such user.
    ///
    /// # Errors
    /// [`OAuthError`] if the store or the hashing pool fails; the old secret then remains valid.
    pub async fn rotate_api_secret(
        &self,
        key: &str,
        secret: &Storable,
        overlap: u64,
    ) -> Result<bool, OAuthError> {
        let (now, id) = (self.now(), credential_id(key));
        let fresh = self.keep_secret(secret).await?;
        let rotate = |stored: Option<ApiCredential>| {
            let Some(mut machine) = stored else { return Ok(Update::Leave(false)) };
            let old = std::mem::replace(&mut machine.secret, fresh.clone());
            machine.previous = None;
            if overlap > 0 {
                let until = Timestamp(now.0.saturating_add(overlap));
                machine.previous = Some(Previous { secret: old, until });
            } else {
                machine.generation = machine.generation.saturating_add(1);
            }
            Ok::<_, OAuthError>(Update::Write(machine, Notice::Tell, true))
        };
        let is_there = self.repository().update(&id, now, rotate).await?;
        if is_there {
            let event = Event::of(AuditKind::ResourceChanged).target("ApiCredential", key);
            self.audit(event.detail("a new secret"));
            self.bump(Kind::Credential, &id);
        }
        Ok(is_there)
    }
}

/// The id of a machine user's record.
fn credential_id(key: &str) -> String {
    format!("apicredential/{key}")
}

/// A random UUID (RFC 9562 §5.4).
fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
