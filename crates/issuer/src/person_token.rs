//! JWTs of people (`docs/contracts/ibexa.md` §4): a kind of credential of its own, ES256 with a key of
//! its own in the keyring, valid at guards that list it.
//!
//! Such a token is valid as long as its record exists and its person is the one who got it: a new
//! password, deactivation and the end of all their sessions end it, on every node.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Timestamp,
    jose::{Algorithm, Compact},
    random,
};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::{AuditKind, Event, counting::PERSON_JWT, origin::Party},
    error::OAuthError,
    keys::{KeyKind, KeyUse},
    records::{Account, PersonToken, login_name, repository::Written},
    sign_in::per_request::ProvenPerson,
    store::{Kind, StoreError},
    tokens::verified::VerifyError,
};

/// The media type of the token, which no other kind has.
const TYP: &str = "castellan-person+jwt";
const KEY: KeyKind = KeyUse::Person.with(Algorithm::Es256);
/// What the contract has everybody be (§4.2). What a person may do is decided by their roles, which a
/// token does not carry.
const ROLES: [&str; 1] = ["ROLE_USER"];

/// The claims: those of the contract (§4.2), and those that say whose, for whom and which it is.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    username: String,
    #[serde(skip_deserializing)]
    roles: [&'static str; 1],
    iat: Timestamp,
    exp: Timestamp,
    jti: String,
}

impl Issuer {
    /// A JWT for `person`, who has just shown the name `login` and their password.
    ///
    /// # Errors
    /// [`OAuthError`] if it cannot be kept or signed; then there is none.
    pub async fn issue_person_token(
        &self,
        person: &ProvenPerson,
        login: &str,
    ) -> Result<String, OAuthError> {
        let issued = self.make_person_token(person, login).await;
        let event = Event::of(AuditKind::TokenIssued).by_grant(PERSON_JWT);
        let event = event.by(Party::user(&person.id));
        match &issued {
            Ok(_) => self.audit(event.detail("JWT of a person")),
            Err(error) => self.audit(event.failed(error.code().as_str())),
        }
        issued
    }

    async fn make_person_token(
        &self,
        person: &ProvenPerson,
        login: &str,
    ) -> Result<String, OAuthError> {
        self.may_issue()?;
        let now = self.now();
        let (id, account) = (&person.id, &person.account);
        let claims = Claims {
            iss: self.address().issuer.clone(),
            aud: self.address().issuer.clone(),
            sub: id.clone(),
            username: as_kept(id, account, login).to_owned(),
            roles: ROLES,
            iat: now,
            exp: now + self.settings().person_jwt.get(),
            jti: URL_SAFE_NO_PAD.encode(random::<16>()),
        };
        let record = PersonToken {
            account: id.clone(),
            generation: account.generation,
            issued: now,
            ends: claims.exp,
        };
        if self.repository().insert(&claims.jti, &record, now).await? != Written::Done {
            return Err(StoreError::new("a newly generated token id was already in use").into());
        }
        Ok(self.sign(KEY, TYP, &claims).await?)
    }

    /// Verifies that `token` is of this kind and valid. One that this node has seen costs no round
    /// trip; a new one costs one.
    ///
    /// # Errors
    /// [`VerifyError`]; a failing store is never a yes.
    pub async fn verify_person_token(&self, token: &str) -> Result<Arc<ProvenPerson>, VerifyError> {
        if let Some(person) = self.person_tokens().get(self, token) {
            return Ok(person);
        }
        let now = self.now();
        let claims = self.person_claims(token).await?;
        if claims.exp <= now {
            return Err(VerifyError::Expired);
        }
        let key = |kind, id| self.repository().key(kind, id);
        let keys = [key(Kind::PersonToken, &claims.jti), key(Kind::Account, &claims.sub)];
        let lookup = self.fresh(&keys).await?;
        let mut records = lookup.records.into_iter();
        let (Some(Some(record)), Some(Some(account))) = (records.next(), records.next()) else {
            return Err(VerifyError::Invalid);
        };
        let record = record.read::<PersonToken>()?.body;
        let account = account.read::<Account>()?.body;
        if record.account != claims.sub || !account.still_trusts(record.issued, record.generation) {
            return Err(VerifyError::Invalid);
        }
        let person = Arc::new(ProvenPerson { id: claims.sub, account });
        let ends = claims.exp.min(record.ends);
        self.person_tokens().keep(self, token, (&person, lookup.snapshot), ends);
        Ok(person)
    }

    /// Ends `token`, everywhere, and says whether it is of this kind. For one that has ended already,
    /// the notice is written again.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then it may still be valid.
    pub(crate) async fn end_person_token(&self, token: &str) -> Result<bool, StoreError> {
        let claims = match self.person_claims(token).await {
            Ok(claims) => claims,
            Err(VerifyError::Store(error)) => return Err(error),
            Err(_) => return Ok(false),
        };
        let (key, now) = (self.repository().key(Kind::PersonToken, &claims.jti), self.now());
        if self.repository().delete(Kind::PersonToken, &claims.jti, now).await? {
            let event = Event::of(AuditKind::TokenRevoked).by(Party::user(&claims.sub));
            self.audit(event.detail("JWT of a person"));
        } else if now < claims.exp {
            self.repository().store().notify(&key).await?;
        }
        self.liveness().bump(&key.text());
        Ok(true)
    }

    /// The claims of a token that this issuer signed, expired or not.
    async fn person_claims(&self, token: &str) -> Result<Claims, VerifyError> {
        let compact = Compact::read(token).ok_or(VerifyError::OtherKind)?;
        if !compact.header().typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
            return Err(VerifyError::OtherKind);
        }
        let claims = match self.signed_for_person(&compact) {
            Some(claims) => claims,
            // By a key that another node has made a moment ago, perhaps.
            None if self.hears_of_a_key(token).await? => {
                self.signed_for_person(&compact).ok_or(VerifyError::Invalid)?
            }
            None => return Err(VerifyError::Invalid),
        };
        let issuer = &self.address().issuer;
        if claims.iss == *issuer && claims.aud == *issuer {
            Ok(claims)
        } else {
            Err(VerifyError::Invalid)
        }
    }

    fn signed_for_person(&self, compact: &Compact<'_>) -> Option<Claims> {
        let kid = compact.header().kid.as_deref()?;
        let keys = self.keyring().keys();
        let key = keys.iter().find(|key| {
            key.usage == KeyUse::Person && key.signing.kid() == kid && key.is_published(self.now())
        })?;
        serde_json::from_slice(compact.verified_by(&key.verifying)?).ok()
    }
}

/// The name by which `login` leads to the account, as the account spells it.
fn as_kept<'a>(id: &'a str, account: &'a Account, login: &str) -> &'a str {
    let login = login_name(login);
    let mut names = std::iter::once(&account.user_name).chain(&account.emails);
    names.find(|name| login_name(name) == login).map_or(id, String::as_str)
}
