//! An account as the API shows it (`docs/contracts/curity.md` §6.4). There is no password in it.

use castellan_proto::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::filter::by_effective_value;
use crate::{
    Issuer,
    managers::DEVICE_CATEGORIES,
    records::{
        Account, Device, Entry, PostalAddress, RecoveryBatch, RecoveryCode, TOTP_DEVICE, VERIFIED,
        login_name,
    },
    resources::{
        Facts, Problem, ReadDocument, Resource,
        search::{FilterAttribute, ListError, Listed, Listing, Sort},
    },
    sign_in::second_factor::{ROSTER, SecondFactor, factor},
};

/// Accounts in lists of this API: `User` records, with what documents do not have.
#[derive(Deserialize)]
pub(super) struct AccountView {}

impl Resource for AccountView {
    type Record = Account;

    const NAME: &'static str = "Account";
    const IS_NUMEROUS: bool = true;
    const HAS_META: bool = false;
    const READ_ONLY: Option<&'static str> = Some("accounts are written as User");
    const FILTERS: &'static [FilterAttribute] =
        &[FilterAttribute::UserName, FilterAttribute::Email];

    fn show(id: &str, account: &Account) -> Value {
        account_view(id, account)
    }

    fn facts(_: &str, account: &Account) -> Facts {
        Facts {
            name: login_name(&account.user_name),
            created: account.created,
            modified: account.modified,
        }
    }

    async fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        match &listing.filter {
            Some(filter) => {
                let meant = by_effective_value(issuer);
                issuer.people::<Self>(listing, filter, sort, meant).await
            }
            None => issuer.all_people::<Self>(listing, sort).await,
        }
    }

    async fn count(issuer: &Issuer, listing: &Listing) -> Result<Option<u64>, ListError> {
        match &listing.filter {
            Some(filter) => {
                issuer.count_people::<Self>(listing, filter, by_effective_value(issuer)).await
            }
            None => issuer.count_all_people::<Self>(listing).await,
        }
    }

    async fn read(self, _: &Issuer, _: Option<&Account>) -> Result<ReadDocument<Account>, Problem> {
        Err(Problem::Text("accounts are written as User".to_owned()))
    }
}

/// The account `id`.
#[must_use]
pub fn account_view(id: &str, account: &Account) -> Value {
    let (details, attributes) = (&account.details, &account.attributes);
    let attached = &account.attached;
    let mut shown = json!({
        "id": id,
        "meta": meta("User", account.created, account.modified),
        "userName": account.user_name,
        "active": account.active,
    });
    let texts = [
        ("externalId", &attributes.external_id),
        ("displayName", &attributes.display_name),
        ("nickName", &details.nickname),
        ("title", &attributes.title),
        ("preferredLanguage", &attributes.preferred_language),
        ("userType", &attributes.user_type),
        ("profileUrl", &details.profile),
        ("locale", &details.locale),
        ("timeZone", &details.zoneinfo),
        ("website", &details.website),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            shown[name] = json!(text);
        }
    }
    let reached = [("emails", account.email_entries()), ("phoneNumbers", account.phone_entries())];
    for (name, entries) in reached {
        if !entries.is_empty() {
            shown[name] = entries.iter().map(reached_by).collect();
        }
    }
    let lists = [
        ("ims", attributes.ims.clone()),
        ("photos", account.photo_entries()),
        ("groups", account.group_entries()),
        ("entitlements", attributes.entitlements.clone()),
        ("roles", attributes.roles.clone()),
        ("x509Certificates", attributes.x509_certificates.clone()),
    ];
    for (name, entries) in lists {
        if !entries.is_empty() {
            shown[name] = entries.iter().map(entry).collect();
        }
    }
    let addresses = account.address_entries();
    if !addresses.is_empty() {
        shown["addresses"] = addresses.iter().map(address).collect();
    }
    let name = name(account);
    if !name.is_empty() {
        shown["name"] = Value::Object(name);
    }
    if !attached.devices.is_empty() {
        shown["devices"] = attached.devices.iter().map(device_view).collect();
    }
    if !attached.links.is_empty() {
        shown["linkedAccounts"] = json!(attached.links);
    }
    shown["mfaOptIn"] = mfa_view(account);
    shown
}

fn name(account: &Account) -> Map<String, Value> {
    let parts = [
        ("givenName", &account.name.given_name),
        ("middleName", &account.details.middle_name),
        ("familyName", &account.name.family_name),
        ("honorificPrefix", &account.attributes.honorific_prefix),
        ("honorificSuffix", &account.attributes.honorific_suffix),
        ("formatted", &account.name.formatted),
    ];
    let known = parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)));
    known.map(|(name, part)| (name.to_owned(), json!(part))).collect()
}

/// Whether it is the primary one is said of each.
pub(in crate::management) fn entry(entry: &Entry) -> Value {
    let mut shown = json!(Entry { verified: None, ..entry.clone() });
    shown["primary"] = json!(entry.primary);
    shown
}

/// The type of a value that was verified says so (`docs/contracts/curity.md` §6.2).
fn reached_by(entry: &Entry) -> Value {
    let mut shown = self::entry(entry);
    if entry.is_verified() {
        shown["type"] = json!(VERIFIED);
    }
    shown
}

fn address(address: &PostalAddress) -> Value {
    let mut shown = json!(address);
    shown["primary"] = json!(address.primary);
    shown
}

fn meta(kind: &str, created: Timestamp, modified: Timestamp) -> Value {
    json!({
        "created": created.0,
        "lastModified": modified.max(created).0,
        "resourceType": kind,
        "timeZoneId": "UTC",
    })
}

/// A device.
#[must_use]
pub fn device_view(device: &Device) -> Value {
    let category = device_category(device);
    json!({
        "deviceId": device.device_id,
        "externalId": device.external_id,
        "alias": device.alias,
        "formFactor": device.form_factor,
        "deviceType": device.device_type,
        "category": category.map(|name| json!({"name": name})),
        "details": details(device),
        "owner": device.owner,
        "expiresAt": device.expires_at,
        "meta": meta("Device", device.created, device.modified),
    })
}

/// The category of `device`, if it is known what it is.
pub(super) fn device_category(device: &Device) -> Option<&str> {
    device.device_type.as_deref().filter(|kind| DEVICE_CATEGORIES.contains(kind))
}

/// What is known of a device beyond what all of them have. Models of authenticators have no names here.
fn details(device: &Device) -> Option<Value> {
    if device_category(device) == Some(TOTP_DEVICE) {
        let can_use = device.totp.is_some();
        let details =
            json!({"__typename": "TotpDeviceDetails", "canUseWithTotpAuthenticator": can_use});
        return Some(details);
    }
    let authenticator = json!({"name": null, "iconLightUri": null, "iconDarkUri": null});
    let details =
        || json!({"__typename": "WebAuthnDeviceDetails", "webAuthnAuthenticator": authenticator});
    device.passkey.as_ref().map(|_| details())
}

/// What the person of `account` chose about further factors, and can choose. No code is in it.
fn mfa_view(account: &Account) -> Value {
    let chosen = account.attached.mfa.clone().unwrap_or_default();
    let registered = chosen.factors.iter().map(|chosen| {
        let kind = factor(&chosen.acr);
        json!({
            "acr": chosen.acr,
            "expectedUserName": account.user_name,
            "changedAt": chosen.changed.0,
            "description": kind.map(SecondFactor::description),
            "type": kind.map(SecondFactor::name),
        })
    });
    // An account does not tell whether its site has passkeys, but whether there is one.
    let can_have =
        |kind: &dyn SecondFactor| kind.field().is_some() || kind.is_ready(account, Timestamp(0));
    let others = ROSTER.iter().filter(|kind| !chosen.has(kind.acr()) && can_have(**kind));
    let registrable = others.map(|kind| registrable_factor(*kind, account));
    let opted_out = chosen.opted_out.map(|at| json!({"optOutAt": at.0}));
    json!({
        "registeredFactors": {"factors": registered.collect::<Vec<_>>()},
        "preferences": opted_out,
        "recoveryCodeBatch": chosen.recovery.as_ref().map(batch),
        "registrableFactors": {"factors": registrable.collect::<Vec<_>>()},
    })
}

/// Recovery codes by what became of each.
fn batch(batch: &RecoveryBatch) -> Value {
    let code = |code: &RecoveryCode| json!({"consumed": code.consumed.is_some(), "consumedAt": code.consumed.map(|at| at.0)});
    json!({
        "batchId": batch.id,
        "createdAt": batch.created.0,
        "codes": batch.codes.iter().map(code).collect::<Vec<_>>(),
    })
}

/// A factor that the person of `account` can opt in to.
pub(super) fn registrable_factor(kind: &dyn SecondFactor, account: &Account) -> Value {
    // Whether or not it has expired since: that is a member of the device.
    let has_devices = kind.is_ready(account, Timestamp(0));
    json!({
        "acr": kind.acr(),
        "description": kind.description(),
        "type": kind.name(),
        "hasDevices": has_devices,
    })
}
