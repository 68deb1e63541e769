//! Passkeys: registering one, and proving by one who somebody is (WebAuthn Level 3 §§7.1, 7.2).
//!
//! A passkey is bound to the domain of the site and found by the authenticator itself ("discoverable"),
//! and its user is verified each time, so that it is two factors in one. What is checked of a response
//! is in `castellan_proto::webauthn`; here is what it is checked against.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{
    Digest, random,
    webauthn::{
        Algorithm, Asserted, AssertionResponse, Ceremony, CredentialKey, KnownCredential,
        RegistrationResponse, WebAuthnError,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::verification::{Beginning, Purpose, VerificationError};
use crate::{
    Issuer,
    audit::origin,
    error::OAuthError,
    records::{
        Account, Device, PASSKEY_DEVICE, Passkey,
        repository::{Update, Versioned},
    },
    session::browser::Browser,
    settings::RelyingParty,
    store::Notice,
};

/// Seconds for which a passkey can be registered or used after it was asked for.
pub const PASSKEY_SECONDS: u64 = 300;

const REGISTRATION: Purpose = Purpose("passkey");

/// Why no passkey was registered.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The site has none.
    #[error("passkeys are not configured")]
    NotConfigured,
    /// The response proves nothing.
    #[error("the passkey was refused: {0}")]
    Refused(#[from] WebAuthnError),
    /// Nothing was begun with this state, or nothing more can be begun.
    #[error(transparent)]
    Verification(#[from] VerificationError),
}

/// A registration under way.
#[derive(Serialize, Deserialize)]
struct Registration {
    challenge: String,
    alias: String,
}

impl Issuer {
    /// Begins the registration of a passkey called `alias` for `account`. Returns the state that
    /// completes it, and what `PublicKeyCredential.parseCreationOptionsFromJSON` reads.
    ///
    /// # Errors
    /// [`PasskeyError`] saying why not.
    pub async fn begin_passkey(
        &self,
        account: &Versioned<Account>,
        alias: &str,
    ) -> Result<(String, Value), PasskeyError> {
        let party = self.settings().passkeys.as_ref().ok_or(PasskeyError::NotConfigured)?;
        let challenge = challenge();
        let options = self.creation_options(party, &challenge, account);
        let body = Registration { challenge, alias: alias.to_owned() };
        let (purpose, seconds) = (REGISTRATION, PASSKEY_SECONDS);
        let beginning = Beginning { purpose, body: &body, code: None, seconds };
        Ok((self.begin_verification(account, beginning).await?, options))
    }

    /// The device that `response` registers for `account`, if it answers the registration of `state`,
    /// which is used up. Nothing else is written.
    ///
    /// # Errors
    /// [`PasskeyError`] saying why not.
    pub async fn verify_passkey(
        &self,
        account: &Versioned<Account>,
        state: &str,
        response: &RegistrationResponse,
    ) -> Result<Device, PasskeyError> {
        let party = self.settings().passkeys.as_ref().ok_or(PasskeyError::NotConfigured)?;
        let begun = self.take_verification::<Registration>(account, REGISTRATION, state).await?;
        let challenge = URL_SAFE_NO_PAD.decode(begun.challenge).unwrap_or_default();
        let new = ceremony(party, &challenge).register(response).inspect_err(|error| {
            tracing::warn!(account = account.id, %error, "a passkey was not registered");
        })?;
        let now = self.now();
        let passkey = Passkey {
            credential: URL_SAFE_NO_PAD.encode(&new.id),
            key: URL_SAFE_NO_PAD.encode(new.key.cose()),
            sign_count: new.sign_count,
            is_backup_eligible: new.is_backup_eligible,
            is_backed_up: new.is_backed_up,
            transports: response.transports.clone(),
            model: (new.model != [0; 16]).then(|| URL_SAFE_NO_PAD.encode(new.model)),
        };
        Ok(Device {
            device_id: Passkey::device_id(&new.id),
            alias: Some(begun.alias),
            device_type: Some(PASSKEY_DEVICE.to_owned()),
            passkey: Some(passkey),
            created: now,
            modified: now,
            ..Device::default()
        })
    }

    /// What a browser is asked that shall prove who its user is: `account` if it is known who it has
    /// to be, otherwise whoever has a passkey of this site
    /// (`PublicKeyCredentialRequestOptionsJSON`). `challenge` is what it signs, in base64url: whoever
    /// asks binds it to the browser, and takes it once. `None` if the site has no passkeys.
    #[must_use]
    pub fn passkey_request(&self, account: Option<&Account>, challenge: &str) -> Option<Value> {
        let party = self.settings().passkeys.as_ref()?;
        let mut options = json!({
            "challenge": challenge,
            "rpId": party.id,
            "timeout": PASSKEY_SECONDS * 1_000,
            "userVerification": "required",
        });
        if let Some(account) = account {
            options["allowCredentials"] = self.descriptors(account);
        }
        Some(options)
    }

    /// The account whose passkey answers `challenge` in `response`, which `browser` sent; `None` if it
    /// is nobody's, or not right. `expected` is who it has to be, if that is known. The attempt is
    /// counted before it is checked (`docs/rules.md` rule 48).
    ///
    /// # Errors
    /// [`OAuthError`] if that cannot be determined, or not now.
    pub async fn check_passkey(
        &self,
        challenge: &str,
        response: &str,
        expected: Option<&str>,
        browser: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        let Some(party) = self.settings().passkeys.as_ref() else { return Ok(None) };
        let response = AssertionResponse::read(response.as_bytes()).ok();
        // Who it is by a passkey that anybody's authenticator chose, the authenticator says as well.
        let named = response.filter(|one| expected.is_some() || one.user_handle.is_some());
        let (found, response) = match named {
            Some(response) => {
                let name = Passkey::unique_name(&response.id);
                (self.repository().find::<Account>(&name, self.now()).await?, Some(response))
            }
            None => (None, None),
        };
        let found = found.filter(|one| expected.is_none_or(|id| id == one.id));
        let (Some(stored), Some(response)) = (found, response) else {
            // Nobody's: counted where it comes from.
            drop(self.guess_from(browser.source)?);
            return Ok(None);
        };
        origin::aims_at_user(&stored.id);
        // No name that people type has capital letters when it is counted.
        let guess = self.count_guess(&format!("PASSKEY:{}", stored.id), None, browser).await?;
        let challenge = URL_SAFE_NO_PAD.decode(challenge).unwrap_or_default();
        if guess.is_refused || challenge.is_empty() {
            return Ok(None);
        }
        let ceremony = ceremony(party, &challenge);
        let used = self.use_passkey(&stored.id, |account| {
            let stored = Versioned { id: stored.id.clone(), version: 0, body: account.clone() };
            self.asserted(&ceremony, &response, &stored)
        });
        let used = used.await?;
        if used.is_some() {
            self.guess_was_good(guess).await?;
        }
        Ok(used.filter(|stored| stored.body.active))
    }

    /// What the passkey of `stored` tells in `response`, and which of its devices that is.
    fn asserted(
        &self,
        ceremony: &Ceremony<'_>,
        response: &AssertionResponse,
        stored: &Versioned<Account>,
    ) -> Option<(usize, Asserted)> {
        let device_id = Passkey::device_id(&response.id);
        let devices = &stored.body.attached.devices;
        let at = devices.iter().position(|device| device.device_id == device_id)?;
        let passkey = devices[at].passkey_at(self.now())?;
        let key = CredentialKey::read(&passkey.cose()).ok()?;
        let known = KnownCredential {
            id: &passkey.credential_id(),
            key: &key,
            user_handle: &self.user_handle(stored),
            sign_count: passkey.sign_count,
            is_backup_eligible: passkey.is_backup_eligible,
        };
        let asserted = ceremony.assert(response, &known).inspect_err(|error| {
            tracing::info!(account = stored.id, %error, "a passkey proved nothing");
        });
        Some((at, asserted.ok()?))
    }

    /// Writes what `check` learns of a passkey of the account `id`, on the record as it is then: of two
    /// uses with one counter, one counts. `None` if it learns nothing.
    async fn use_passkey(
        &self,
        id: &str,
        check: impl Fn(&Account) -> Option<(usize, Asserted)> + Send + Sync,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        let now = self.now();
        let edit = |stored: Option<Account>| {
            let Some(mut account) = stored else { return Ok(Update::Leave(None)) };
            let Some((at, asserted)) = check(&account) else { return Ok(Update::Leave(None)) };
            let before = account.clone();
            let Some(passkey) = account.attached.devices[at].passkey.as_mut() else {
                return Ok(Update::Leave(None));
            };
            passkey.sign_count = asserted.sign_count;
            passkey.is_backed_up = asserted.is_backed_up;
            // Passkeys that are copied have no counter: then there is nothing to write.
            if account.attached == before.attached {
                return Ok(Update::Leave(Some(account)));
            }
            Ok::<_, OAuthError>(Update::Write(account.clone(), Notice::Silent, Some(account)))
        };
        let used = self.repository().update::<Account, _, OAuthError>(id, now, edit).await?;
        Ok(used.map(|body| Versioned { id: id.to_owned(), version: 0, body }))
    }

    fn creation_options(
        &self,
        party: &RelyingParty,
        challenge: &str,
        account: &Versioned<Account>,
    ) -> Value {
        let shown = account.body.attributes.display_name.clone();
        let shown = shown.unwrap_or_else(|| account.body.display_name());
        let offered = Algorithm::ALL.map(|one| json!({"type": "public-key", "alg": one.number()}));
        json!({
            "rp": {"id": party.id, "name": self.address().name},
            "user": {
                "id": URL_SAFE_NO_PAD.encode(self.user_handle(account)),
                "name": account.body.user_name,
                "displayName": shown,
            },
            "challenge": challenge,
            "pubKeyCredParams": offered,
            "timeout": PASSKEY_SECONDS * 1_000,
            "excludeCredentials": self.descriptors(&account.body),
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": true,
                "userVerification": "required",
            },
            "attestation": "none",
        })
    }

    /// The passkeys of `account` that can be used, as browsers are told of them.
    fn descriptors(&self, account: &Account) -> Value {
        let now = self.now();
        let passkeys = account.attached.devices.iter().filter_map(|device| device.passkey_at(now));
        let descriptor = |passkey: &Passkey| {
            json!({
                "type": "public-key",
                "id": passkey.credential,
                "transports": passkey.transports,
            })
        };
        passkeys.map(descriptor).collect()
    }

    /// What stands for the person of `account` at authenticators: nothing personal (WebAuthn §14.6.1).
    fn user_handle(&self, account: &Versioned<Account>) -> [u8; 32] {
        let body = &account.body;
        Digest::of_all(&[
            b"castellan passkey\0",
            self.repository().site().as_bytes(),
            b"\0",
            account.id.as_bytes(),
            b"\0",
            &body.created.0.to_be_bytes(),
            &body.incarnation.to_be_bytes(),
        ])
        .0
    }
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

fn ceremony<'a>(party: &'a RelyingParty, challenge: &'a [u8]) -> Ceremony<'a> {
    Ceremony { challenge, rp_id: &party.id, origins: &party.origins }
}
