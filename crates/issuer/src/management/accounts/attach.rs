//! What is attached to an account: devices and links (`docs/contracts/curity.md` §§6.2, 6.5).

use castellan_proto::Timestamp;
use serde_json::{Map, Value};

use super::{
    actor::Actor,
    error::AccountError,
    view::{device_category, device_view},
};
use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    managers::Allowed,
    records::{
        Account, Attached, Device, MOST_DEVICES, PASSKEY_DEVICE,
        repository::{Update, Versioned},
    },
    sign_in::second_factor::factor,
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
        self.attach(actor, id, "devices", add).await?;
        Ok(device_view(&device))
    }

    /// Changes `fields` of the device `device_id` of the account `id`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn update_device(
        &self,
        actor: &Actor,
        id: &str,
        device_id: &str,
        fields: &Map<String, Value>,
    ) -> Result<Value, AccountError> {
        let now = self.now();
        let change = |account: &mut Account| {
            let before = account.clone();
            let mut devices = account.attached.devices.iter_mut();
            let device = devices.find(|device| device.device_id == device_id);
            let device = device.ok_or(AccountError::NotFound("device"))?;
            if signs_in(device) {
                actor.may_open(id, &before)?;
            }
            let changed = with_fields(device.clone(), fields, now)?;
            if changed.totp.is_some() && changed.device_type != device.device_type {
                let text = "deviceType: that of a verified device cannot be changed";
                return Err(AccountError::Invalid(text.to_owned()));
            }
            *device = changed.clone();
            keeps_factors(&before, account, now)?;
            Ok(Some(changed))
        };
        let changed = self.attach_to(actor, id, "devices", change).await?;
        changed.map(|device| device_view(&device)).ok_or(AccountError::NotFound("device"))
    }

    /// Deletes the device `device_id` of the account `id`, if `allowed` says so of its category;
    /// `false` if there is none. The last one of a factor that sign-ins ask for stays.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_device(
        &self,
        actor: &Actor,
        id: &str,
        device_id: &str,
        allowed: Allowed<'_>,
    ) -> Result<bool, AccountError> {
        let now = self.now();
        let remove = |account: &mut Account| {
            let before = account.clone();
            let mut devices = before.attached.devices.iter();
            let Some(device) = devices.find(|device| device.device_id == device_id) else {
                return Ok(None);
            };
            if !allowed.covers_device(device_category(device), true) {
                return Err(AccountError::Denied(None));
            }
            if signs_in(device) {
                actor.may_open(id, &before)?;
            }
            account.attached.devices.retain(|device| device.device_id != device_id);
            keeps_factors(&before, account, now)?;
            Ok(Some(()))
        };
        was_there(self.attach_to(actor, id, "devices", remove).await)
    }

    /// Deletes the link of `value` at `domain`, if it is one of the account `id`; `false` if not.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_link(
        &self,
        actor: &Actor,
        id: &str,
        value: &str,
        domain: &str,
    ) -> Result<bool, AccountError> {
        let remove = |attached: &mut Attached| {
            let before = attached.links.len();
            attached.links.retain(|link| link.value != value || link.domain != domain);
            Ok((attached.links.len() < before).then_some(()))
        };
        was_there(self.attach(actor, id, "linkedAccounts", remove).await)
    }

    /// Writes what `change` makes of what is attached to the account `id`, unless it says that there is
    /// nothing to write. `member` is what audit records call it.
    pub(super) async fn attach<T: Send>(
        &self,
        actor: &Actor,
        id: &str,
        member: &'static str,
        change: impl Fn(&mut Attached) -> Result<Option<T>, AccountError> + Send + Sync,
    ) -> Result<Option<T>, AccountError> {
        let change = |account: &mut Account| change(&mut account.attached);
        self.attach_to(actor, id, member, change).await
    }

    /// The same for what the person signs in with: who sets it must be in all of their groups.
    pub(super) async fn change_sign_in<T: Send>(
        &self,
        actor: &Actor,
        id: &str,
        member: &'static str,
        change: impl Fn(&mut Account) -> Result<Option<T>, AccountError> + Send + Sync,
    ) -> Result<Option<T>, AccountError> {
        let change = |account: &mut Account| {
            actor.may_open(id, account)?;
            change(account)
        };
        self.attach_to(actor, id, member, change).await
    }

    /// The account `id`, if `actor` may change what its person signs in with.
    pub(super) async fn account_to_open(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<Versioned<Account>, AccountError> {
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        actor.may_open(id, &stored.body)?;
        Ok(stored)
    }

    async fn attach_to<T: Send>(
        &self,
        actor: &Actor,
        id: &str,
        member: &'static str,
        change: impl Fn(&mut Account) -> Result<Option<T>, AccountError> + Send + Sync,
    ) -> Result<Option<T>, AccountError> {
        if self.stored_account(id).await?.is_none() {
            return Err(AccountError::NotFound("account"));
        }
        let now = self.now();
        let edit = |stored: Option<Account>| {
            let mut account = stored.ok_or(AccountError::NotFound("account"))?;
            actor.may_touch(id, &account)?;
            let generation = account.generation;
            let Some(outcome) = change(&mut account)? else {
                return Ok(Update::Leave(None));
            };
            account.modified = now;
            let ended = (account.generation != generation).then(|| account.clone());
            Ok::<_, AccountError>(Update::Write(account, Notice::Tell, Some((outcome, ended))))
        };
        let written = self.repository().update::<Account, _, _>(id, now, edit).await?;
        let Some((outcome, ended)) = written else { return Ok(None) };
        self.bump(Kind::Account, id);
        self.audit(Event::of(AuditKind::ResourceChanged).target("User", id).detail(member));
        if let Some(account) = ended {
            // Over already; what is left is telling the apps, and what people see of it.
            self.settle_sessions(id, Some(&account)).await?;
            let event = Event::of(AuditKind::SessionEnded).by(Party::user(id));
            self.audit(event.target("User", id).detail("all sessions and tokens"));
        }
        Ok(Some(outcome))
    }
}

/// Whether the person signs in by `device`.
const fn signs_in(device: &Device) -> bool {
    device.totp.is_some() || device.passkey.is_some()
}

/// Refuses to make `after` of the account `before` if sign-ins ask for a factor for which it has no
/// device then.
fn keeps_factors(before: &Account, after: &Account, now: Timestamp) -> Result<(), AccountError> {
    let asked = after.attached.mfa.iter().flat_map(|mfa| &mfa.factors);
    let mut kinds = asked.filter_map(|asked| factor(&asked.acr));
    let is_lost = kinds.any(|kind| kind.is_ready(before, now) && !kind.is_ready(after, now));
    if !is_lost {
        return Ok(());
    }
    let text = "Sign-ins ask for a factor of which this is the last device; add another device, or \
                take the factor away first";
    Err(AccountError::Localized(text.to_owned()))
}

/// Whether something was deleted; nothing is of an account that does not exist.
pub(super) fn was_there(outcome: Result<Option<()>, AccountError>) -> Result<bool, AccountError> {
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
    now: Timestamp,
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
