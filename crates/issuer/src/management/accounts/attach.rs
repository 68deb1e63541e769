//! What is attached to an account: devices, links, and what was chosen about further factors
//! (`docs/contracts/curity.md` §§6.2, 6.5).

use serde_json::{Map, Value};

use super::{actor::Actor, error::AccountError, view::device_view};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    records::{
        Account, Attached, Device, MOST_DEVICES, MfaOptIn, PASSKEY_DEVICE, repository::Update,
    },
    store::{Kind, Notice},
};

/// Characters of a text of a device at most.
const LONGEST: usize = 128;

impl Issuer {
    /// Adds a device with `fields` to the account `id`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn add_device(
        &self,
        actor: &Actor,
        id: &str,
        fields: &Map<String, Value>,
    ) -> Result<Value, AccountError> {
        let now = self.now();
        let device_id = fields.get("deviceId").and_then(Value::as_str).unwrap_or_default();
        check_text("deviceId", device_id)?;
        let fresh = Device { device_id: device_id.to_owned(), created: now, ..Device::default() };
        let device = with_fields(fresh, fields, now)?;
        let add = |attached: &mut Attached| {
            if attached.devices.iter().any(|other| other.device_id == device.device_id) {
                let text = "A device with this id exists";
                return Err(AccountError::Conflict("deviceId", text));
            }
            if attached.devices.len() >= MOST_DEVICES {
                let text = "devices: the account has as many as it can have";
                return Err(AccountError::Invalid(text.to_owned()));
            }
            attached.devices.push(device.clone());
            Ok(Some(()))
        };
        self.attach(actor, (id, "devices"), add).await?;
        Ok(device_view(&device))
    }

    /// Changes `fields` of the device `device_id` of the account `id`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn update_device(
        &self,
        actor: &Actor,
        (id, device_id): (&str, &str),
        fields: &Map<String, Value>,
    ) -> Result<Value, AccountError> {
        let now = self.now();
        let change = |attached: &mut Attached| {
            let mut devices = attached.devices.iter_mut();
            let device = devices.find(|device| device.device_id == device_id);
            let device = device.ok_or(AccountError::NotFound("device"))?;
            *device = with_fields(device.clone(), fields, now)?;
            Ok(Some(device.clone()))
        };
        let changed = self.attach(actor, (id, "devices"), change).await?;
        changed.map(|device| device_view(&device)).ok_or(AccountError::NotFound("device"))
    }

    /// Deletes the device `device_id` of the account `id`; `false` if there is none.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_device(
        &self,
        actor: &Actor,
        (id, device_id): (&str, &str),
    ) -> Result<bool, AccountError> {
        let remove = |attached: &mut Attached| {
            let before = attached.devices.len();
            attached.devices.retain(|device| device.device_id != device_id);
            Ok((attached.devices.len() < before).then_some(()))
        };
        was_there(self.attach(actor, (id, "devices"), remove).await)
    }

    /// Deletes the link of `value` at `domain`, if it is one of the account `id`; `false` if not.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_link(
        &self,
        actor: &Actor,
        id: &str,
        (value, domain): (&str, &str),
    ) -> Result<bool, AccountError> {
        let remove = |attached: &mut Attached| {
            let before = attached.links.len();
            attached.links.retain(|link| link.value != value || link.domain != domain);
            Ok((attached.links.len() < before).then_some(()))
        };
        was_there(self.attach(actor, (id, "linkedAccounts"), remove).await)
    }

    /// Records that the person of the account `id` does not want further factors.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn opt_out_of_mfa(&self, actor: &Actor, id: &str) -> Result<bool, AccountError> {
        let now = self.now();
        let opt_out = |attached: &mut Attached| {
            attached.mfa = Some(MfaOptIn { factors: Vec::new(), opted_out: Some(now) });
            Ok(Some(()))
        };
        self.attach(actor, (id, "mfaOptIn"), opt_out).await?;
        Ok(true)
    }

    /// Forgets what the person of the account `id` chose about further factors; `false` if that was
    /// nothing.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn reset_mfa(&self, actor: &Actor, id: &str) -> Result<bool, AccountError> {
        let reset = |attached: &mut Attached| Ok(attached.mfa.take().map(drop));
        was_there(self.attach(actor, (id, "mfaOptIn"), reset).await)
    }

    /// Deletes the factor `acr` of the account `id`; `false` if there is none.
    ///
    /// # Errors
    /// [`AccountError`] saying why not; the last factor stays.
    pub async fn delete_mfa_factor(
        &self,
        actor: &Actor,
        (id, acr): (&str, &str),
    ) -> Result<bool, AccountError> {
        let remove = |attached: &mut Attached| {
            let Some(mfa) = &mut attached.mfa else { return Ok(None) };
            let before = mfa.factors.len();
            mfa.factors.retain(|factor| factor.acr != acr);
            match (mfa.factors.len(), before) {
                (0, 1..) => Err(AccountError::LastFactor),
                (after, before) => Ok((after < before).then_some(())),
            }
        };
        was_there(self.attach(actor, (id, "mfaOptIn"), remove).await)
    }

    /// Writes what `change` makes of what is attached to the account `id`, unless it says that there is
    /// nothing to write. `member` is what audit records call it.
    pub(super) async fn attach<T: Send>(
        &self,
        actor: &Actor,
        (id, member): (&str, &'static str),
        change: impl Fn(&mut Attached) -> Result<Option<T>, AccountError> + Send + Sync,
    ) -> Result<Option<T>, AccountError> {
        if self.stored_account(id).await?.is_none() {
            return Err(AccountError::NotFound("account"));
        }
        let now = self.now();
        let edit = |stored: Option<Account>| {
            let mut account = stored.ok_or(AccountError::NotFound("account"))?;
            actor.may_touch(id, &account)?;
            let Some(outcome) = change(&mut account.attached)? else {
                return Ok(Update::Leave(None));
            };
            account.modified = now;
            Ok::<_, AccountError>(Update::Write(account, Notice::Tell, Some(outcome)))
        };
        let outcome = self.repository().update::<Account, _, _>(id, now, edit).await?;
        if outcome.is_some() {
            self.bump(Kind::Account, id);
            self.audit(Event::of(AuditKind::ResourceChanged).target("User", id).detail(member));
        }
        Ok(outcome)
    }
}

/// Whether something was deleted; nothing is of an account that does not exist.
fn was_there(outcome: Result<Option<()>, AccountError>) -> Result<bool, AccountError> {
    match outcome {
        Ok(outcome) => Ok(outcome.is_some()),
        Err(AccountError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `device` with `fields`: a value sets one, null removes it, an absent one stays.
fn with_fields(
    mut device: Device,
    fields: &Map<String, Value>,
    now: castellan_proto::Timestamp,
) -> Result<Device, AccountError> {
    let texts = [
        ("externalId", &mut device.external_id),
        ("alias", &mut device.alias),
        ("formFactor", &mut device.form_factor),
        ("deviceType", &mut device.device_type),
        ("owner", &mut device.owner),
    ];
    for (name, text) in texts {
        match fields.get(name) {
            None => {}
            Some(Value::String(told)) => {
                check_text(name, told)?;
                *text = Some(told.clone());
            }
            Some(_) => *text = None,
        }
    }
    match fields.get("expiresAt") {
        None => {}
        Some(Value::Null) => device.expires_at = None,
        Some(time) => {
            let text = "expiresAt: must be a time in Unix seconds";
            let time = time.as_u64().ok_or_else(|| AccountError::Invalid(text.to_owned()))?;
            device.expires_at = Some(time);
        }
    }
    let is_passkey = device.passkey.is_some();
    if is_passkey && device.device_type.as_deref() != Some(PASSKEY_DEVICE) {
        let text = "deviceType: that of a passkey cannot be changed";
        return Err(AccountError::Invalid(text.to_owned()));
    }
    device.modified = now;
    Ok(device)
}

pub(super) fn check_text(name: &str, text: &str) -> Result<(), AccountError> {
    let good = !text.trim().is_empty()
        && text.chars().count() <= LONGEST
        && !text.contains(char::is_control);
    if good {
        return Ok(());
    }
    let what = format!("must have 1 to {LONGEST} characters and no control characters");
    Err(AccountError::Invalid(format!("{name}: {what}")))
}
