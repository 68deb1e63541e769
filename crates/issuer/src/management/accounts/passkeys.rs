//! Registering passkeys for an account (`docs/contracts/curity.md` §6.2).

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::webauthn::RegistrationResponse;
use serde_json::{Value, json};

use super::{actor::Actor, attach::check_text, error::AccountError};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    records::{
        Account, Device, MOST_DEVICES, MOST_PASSKEYS,
        repository::{TRIES, Versioned, Written},
    },
    session::browser::SignedIn,
    sign_in::passkey::PasskeyError,
    store::{Kind, Notice},
};

impl Issuer {
    /// Begins the registration of a passkey called `alias` for the account `id`: the state that
    /// completes it, and the options for the browser.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_passkey(
        &self,
        actor: &Actor,
        id: &str,
        alias: &str,
    ) -> Result<Value, AccountError> {
        let (state, options) = self.begin_passkey_of(actor, id, alias).await?;
        let options = in_plain_letters(&json!({"publicKey": options}));
        Ok(json!({"state": state, "credentialOptionsJson": URL_SAFE_NO_PAD.encode(options)}))
    }

    /// The same, for a page of this server: the state, and what
    /// `PublicKeyCredential.parseCreationOptionsFromJSON` reads.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn begin_passkey_of(
        &self,
        actor: &Actor,
        id: &str,
        alias: &str,
    ) -> Result<(String, Value), AccountError> {
        self.check_passkeys_are_on()?;
        check_text("alias", alias)?;
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        actor.may_open(id, &stored.body)?;
        has_room(&stored.body)?;
        Ok(self.begin_passkey(&stored, alias).await?)
    }

    /// Adds the passkey that `response` registers to the account `id`, if it answers what began with
    /// `state`, which is used up.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_passkey(
        &self,
        actor: &Actor,
        id: &str,
        state: &str,
        response: &str,
    ) -> Result<(), AccountError> {
        self.check_passkeys_are_on()?;
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        actor.may_open(id, &stored.body)?;
        self.register_passkey(actor, &stored, state, &sent(response)?).await
    }

    /// The same for the page of a person about themselves, with what the browser said as JSON
    /// (`RegistrationResponseJSON`).
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_own_passkey(
        &self,
        person: &SignedIn,
        state: &str,
        response: &str,
    ) -> Result<(), AccountError> {
        self.check_passkeys_are_on()?;
        let stored = self.stored_account(&person.account_id).await?;
        let stored = stored.ok_or(AccountError::NotFound("account"))?;
        let response =
            RegistrationResponse::read(response.as_bytes()).map_err(PasskeyError::from)?;
        self.register_passkey(&Actor::default(), &stored, state, &response).await
    }

    async fn register_passkey(
        &self,
        actor: &Actor,
        stored: &Versioned<Account>,
        state: &str,
        response: &RegistrationResponse,
    ) -> Result<(), AccountError> {
        // First the state is used up: nothing is added twice, whatever happens next.
        let device = self.verify_passkey(stored, state, response).await?;
        self.add_passkey(actor, &stored.id, &device).await
    }

    /// Whether passkeys can be registered at all, which is asked before anything that was sent is read
    /// (`docs/contracts/curity.md` §6.5).
    fn check_passkeys_are_on(&self) -> Result<(), AccountError> {
        match self.settings().passkeys {
            Some(_) => Ok(()),
            None => Err(PasskeyError::NotConfigured.into()),
        }
    }

    async fn add_passkey(
        &self,
        actor: &Actor,
        id: &str,
        device: &Device,
    ) -> Result<(), AccountError> {
        let text = "A passkey with this credential exists";
        let exists = || AccountError::Conflict("deviceId", text);
        for _ in 0..TRIES {
            let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
            let Versioned { id, version, mut body } = stored;
            actor.may_open(&id, &body)?;
            has_room(&body)?;
            if body.attached.devices.iter().any(|other| other.device_id == device.device_id) {
                return Err(exists());
            }
            body.attached.devices.push(device.clone());
            body.modified = self.now();
            let changed = Versioned { id, version, body };
            match self.repository().replace(&changed, Notice::Tell, self.now()).await? {
                Written::Done => {
                    self.bump(Kind::Account, &changed.id);
                    let event = Event::of(AuditKind::ResourceChanged);
                    self.audit(event.target("User", &changed.id).detail("passkey"));
                    return Ok(());
                }
                Written::Conflict => {}
                Written::Clash(_) => return Err(exists()),
            }
        }
        Err(AccountError::Contention)
    }
}

/// Refuses an account that has as many devices as it can have.
fn has_room(account: &Account) -> Result<(), AccountError> {
    let devices = &account.attached.devices;
    let passkeys = devices.iter().filter(|device| device.passkey.is_some()).count();
    if devices.len() < MOST_DEVICES && passkeys < MOST_PASSKEYS {
        return Ok(());
    }
    let text = format!(
        "devices: an account has at most {MOST_DEVICES}, of which {MOST_PASSKEYS} are passkeys; \
         delete one first"
    );
    Err(AccountError::Invalid(text))
}

/// The response that was sent, in base64url; clients of the original send base64 with padding.
fn sent(text: &str) -> Result<RegistrationResponse, AccountError> {
    let invalid = |why: &str| AccountError::Invalid(format!("credentialResponseJson: {why}"));
    let told: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .collect();
    let json = URL_SAFE_NO_PAD.decode(told).map_err(|_| {
        invalid("must be the JSON of the credential (PublicKeyCredential.toJSON()) in base64url")
    })?;
    RegistrationResponse::read(&json).map_err(|error| invalid(&error.to_string()))
}

/// `value` in letters of which base64url and base64 are the same, and which one byte holds: clients of
/// the original decode it with `atob`, which knows neither UTF-8 nor base64url.
fn in_plain_letters(value: &Value) -> String {
    let mut plain = String::new();
    for c in value.to_string().chars() {
        if c < '\x7f' && !matches!(c, '>' | '?' | '~') {
            plain.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(plain, "\\u{unit:04x}");
        }
    }
    plain
}

impl From<PasskeyError> for AccountError {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::NotConfigured => Self::NotConfigured("authentication by passkeys"),
            PasskeyError::Refused(why) => Self::Passkey(why),
            PasskeyError::Verification(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_the_same_in_base64_and_base64url() {
        let name = "~?>\u{7f}Zoë 😀\"\\";
        for before in ["", "a", "ab"] {
            let value = json!({"name": format!("{before}{name}{name}")});
            let plain = in_plain_letters(&value);
            assert!(plain.is_ascii(), "{plain}");
            assert_eq!(serde_json::from_str::<Value>(&plain).unwrap(), value);
            let encoded = URL_SAFE_NO_PAD.encode(&plain);
            assert!(!encoded.contains(['-', '_']), "{encoded}");
        }
    }
}
