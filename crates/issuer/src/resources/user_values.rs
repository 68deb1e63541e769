//! The attributes of `User` documents that have several values, and those that SCIM has and OIDC does
//! not (`docs/contracts/curity.md` §§6.3, 6.4): checked, kept and shown.
//!
//! Of telephone numbers, pictures and postal addresses, a document may give the effective one alone,
//! under the name of the claim, or all of them. It is shown with both where there is more than that one.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    personal_details::{LINES, is_text, without_breaks},
    user_entries::{distinct, kept, only_reached},
};
use crate::records::{
    Account, Address, Enterprise, Entry, Name, PostalAddress, Several, effective_first, login_name,
    phone_name,
};

/// A name as documents have it.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub(super) struct NameDocument {
    /// The person's first names.
    given_name: Option<String>,
    /// Middle names; shown as `middle_name`.
    middle_name: Option<String>,
    /// The person's family name.
    family_name: Option<String>,
    /// What stands before the name.
    honorific_prefix: Option<String>,
    /// What stands after the name.
    honorific_suffix: Option<String>,
    /// Full name.
    formatted: Option<String>,
}

/// What a document says that has no place of its own in a claim.
#[derive(Default)]
pub(super) struct Values {
    pub external_id: Option<String>,
    pub display_name: Option<String>,
    pub title: Option<String>,
    pub preferred_language: Option<String>,
    pub user_type: Option<String>,
    pub name: NameDocument,
    pub email: Option<String>,
    pub emails: Vec<Entry>,
    pub groups: Vec<Entry>,
    pub phone_numbers: Option<Vec<Entry>>,
    pub photos: Option<Vec<Entry>>,
    pub addresses: Option<Vec<PostalAddress>>,
    pub ims: Vec<Entry>,
    pub entitlements: Vec<Entry>,
    pub roles: Vec<Entry>,
    pub x509_certificates: Vec<Entry>,
    pub enterprise: Enterprise,
    pub unstated: Vec<String>,
}

/// Values of an attribute at most, besides entitlements and roles.
const MOST: usize = 32;
/// Entitlements and roles at most.
const MOST_GROUPS: usize = 128;
/// Characters of a certificate at most. The schema of the management API has fewer, which few
/// certificates fit.
const LONGEST_CERTIFICATE: usize = 8_192;

/// What can be left open.
const UNSTATED: [&str; 5] = ["emails", "phoneNumbers", "photos", "addresses", "active"];

/// Writes `values` into `account`, which has the details of the document already.
pub(super) fn write(
    values: Values,
    account: &mut Account,
    before: Option<&Account>,
) -> Result<(), String> {
    write_name(values.name, account)?;
    let texts = [
        ("externalId", &values.external_id, 128),
        ("displayName", &values.display_name, 64),
        ("title", &values.title, 64),
        ("preferredLanguage", &values.preferred_language, 64),
        ("userType", &values.user_type, 64),
        ("name.honorificPrefix", &account.attributes.honorific_prefix, 512),
        ("name.honorificSuffix", &account.attributes.honorific_suffix, 512),
    ];
    for (name, text, longest) in texts {
        check_text(name, text.as_deref(), longest)?;
    }
    let lists = [
        ("emails", &values.emails, usize::MAX),
        ("groups", &values.groups, usize::MAX),
        ("phoneNumbers", values.phone_numbers.as_ref().unwrap_or(const { &Vec::new() }), MOST),
        ("photos", values.photos.as_ref().unwrap_or(const { &Vec::new() }), MOST),
        ("ims", &values.ims, MOST),
        ("entitlements", &values.entitlements, MOST_GROUPS),
        ("roles", &values.roles, MOST_GROUPS),
        ("x509Certificates", &values.x509_certificates, MOST),
    ];
    for (name, entries, most) in lists {
        check_entries(name, entries, most)?;
    }
    check_addresses(values.addresses.as_deref().unwrap_or_default())?;
    for (name, text) in values.enterprise.texts() {
        check_text(name, text, 512)?;
    }
    if let Some(name) = values.unstated.iter().find(|name| !UNSTATED.contains(&&***name)) {
        return Err(format!("unstated: {name:?} is not one of {}", UNSTATED.join(", ")));
    }
    let known = before.map(Account::email_entries).unwrap_or_default();
    let told = emails(values.email, values.emails)?;
    account.set_emails(kept("emails", told, &known, login_name)?);
    account.set_groups(distinct(values.groups, |entry| entry.value.clone()));
    let lists =
        Lists { phones: values.phone_numbers, photos: values.photos, addresses: values.addresses };
    write_effective(account, before, lists)?;
    let attributes = &mut account.attributes;
    attributes.external_id = values.external_id;
    attributes.display_name = values.display_name;
    attributes.title = values.title;
    attributes.preferred_language = values.preferred_language;
    attributes.user_type = values.user_type;
    let key = |entry: &Entry| (entry.value.clone(), entry.kind.clone());
    attributes.ims = distinct(values.ims, key);
    attributes.entitlements = distinct(values.entitlements, key);
    attributes.roles = distinct(values.roles, key);
    attributes.x509_certificates = distinct(values.x509_certificates, key);
    attributes.enterprise = values.enterprise;
    attributes.unstated = values.unstated;
    attributes.unstated.sort_unstable();
    attributes.unstated.dedup();
    Ok(())
}

fn write_name(name: NameDocument, account: &mut Account) -> Result<(), String> {
    let details = &mut account.details;
    if name.middle_name.is_some() && details.middle_name.is_some() {
        if name.middle_name != details.middle_name {
            return Err(
                "middle_name: name.middleName says something else; set one of them".to_owned()
            );
        }
    } else if name.middle_name.is_some() {
        details.middle_name = name.middle_name;
    }
    account.name = Name {
        given_name: name.given_name,
        family_name: name.family_name,
        formatted: name.formatted,
    };
    account.attributes.honorific_prefix = name.honorific_prefix;
    account.attributes.honorific_suffix = name.honorific_suffix;
    Ok(())
}

/// The address under `email` goes before all others.
fn emails(email: Option<String>, mut emails: Vec<Entry>) -> Result<Vec<Entry>, String> {
    if let Some(email) = email {
        let known = emails.iter().position(|entry| entry.value == email);
        let mut first = known.map_or_else(|| Entry::plain(&email), |at| emails.remove(at));
        for entry in &mut emails {
            entry.primary = false;
        }
        first.primary = true;
        emails.insert(0, first);
    }
    let is_bad = |entry: &&Entry| !entry.value.contains('@') || entry.value.len() > 254;
    match emails.iter().find(is_bad) {
        Some(bad) => Err(format!("emails: {:?} is not an e-mail address", bad.value)),
        None => Ok(emails),
    }
}

/// What a document says as a list that may be said as the effective value, too.
struct Lists {
    phones: Option<Vec<Entry>>,
    photos: Option<Vec<Entry>>,
    addresses: Option<Vec<PostalAddress>>,
}

/// What may be given twice, as the effective value and as a list.
fn write_effective(
    account: &mut Account,
    before: Option<&Account>,
    Lists { phones, photos, addresses }: Lists,
) -> Result<(), String> {
    let value = |entry: &Entry| entry.value.clone();
    // Another value was not verified.
    let with = |entry: Entry, value: String| Entry { value, verified: None, ..entry };
    let known = |list: fn(&Account) -> Vec<Entry>| before.map(list).unwrap_or_default();
    let numbers = known(Account::phone_entries);
    let kept = |told| kept("phoneNumbers", told, &numbers, phone_name);
    let is_alone = phones.is_none();
    let one = account.details.phone_number.take();
    let phones = merge(one, phones.map(kept).transpose()?, &numbers, value, with);
    let phones = if is_alone { phones.map(kept).transpose()? } else { phones };
    account.set_phones(phones.ok_or_else(|| contradiction("phone_number", "phoneNumbers"))?);
    let one = account.details.picture.take();
    let photos = merge(one, photos, &known(Account::photo_entries), value, with);
    account.set_photos(photos.ok_or_else(|| contradiction("picture", "photos"))?);
    let one = account.details.address.take();
    let known = before.map(Account::address_entries).unwrap_or_default();
    let addresses = merge(one, addresses, &known, PostalAddress::claim, PostalAddress::with);
    account.set_addresses(addresses.ok_or_else(|| contradiction("address", "addresses"))?);
    Ok(())
}

fn contradiction(one: &str, all: &str) -> String {
    format!("{one}: is not the primary one of {all}; leave one of the two out")
}

/// All values of an attribute of which a document told the effective one, all, or both. Where they
/// contradict each other, what is not as it was `before` counts; `None` if that is both.
fn merge<T: Several + Default, V: PartialEq>(
    one: Option<V>,
    all: Option<Vec<T>>,
    before: &[T],
    value: impl Fn(&T) -> V,
    with: impl Fn(T, V) -> T,
) -> Option<Vec<T>> {
    let Some(all) = all else {
        return Some(one.map(|one| with(T::default(), one)).into_iter().collect());
    };
    let mut all = effective_first(all);
    let Some(one) = one else { return Some(all) };
    let effective = all.first().map(&value);
    if effective.as_ref() == Some(&one) || before.first().map(&value).as_ref() == Some(&one) {
        return Some(all);
    }
    if all != before {
        return None;
    }
    match all.first_mut() {
        Some(first) => *first = with(first.clone(), one),
        None => all.push(with(T::default(), one)),
    }
    Some(all)
}

fn check_text(name: &str, text: Option<&str>, longest: usize) -> Result<(), String> {
    match text {
        Some(text) if !is_text(text, longest) => {
            Err(format!("{name}: must have 1 to {longest} characters and no control characters"))
        }
        _ => Ok(()),
    }
}

fn check_entries(name: &str, entries: &[Entry], most: usize) -> Result<(), String> {
    check_list(name, entries, most)?;
    only_reached(name, entries)?;
    for entry in entries {
        let longest = if name == "x509Certificates" { LONGEST_CERTIFICATE } else { 512 };
        check_text(&format!("{name}.value"), Some(&entry.value), longest)?;
        check_text(&format!("{name}.type"), entry.kind.as_deref(), 512)?;
        check_text(&format!("{name}.display"), entry.display.as_deref(), 512)?;
    }
    Ok(())
}

fn check_list<T: Several>(name: &str, entries: &[T], most: usize) -> Result<(), String> {
    if entries.len() > most {
        return Err(format!("{name}: must not have more than {most} values"));
    }
    if entries.iter().filter(|entry| entry.is_primary()).count() > 1 {
        return Err(format!("{name}: at most one value can be primary"));
    }
    Ok(())
}

fn check_addresses(addresses: &[PostalAddress]) -> Result<(), String> {
    check_list("addresses", addresses, MOST)?;
    for address in addresses {
        check_text("addresses.type", address.kind.as_deref(), 128)?;
        check_text("addresses.display", address.display.as_deref(), 2048)?;
        let Address { formatted, street_address, locality, region, postal_code, country } =
            address.claim();
        for (name, text, longest) in [
            ("addresses.formatted", formatted, 2048),
            ("addresses.streetAddress", street_address, 1025),
        ] {
            if text.is_some_and(|text| !is_text(&without_breaks(&text), longest)) {
                return Err(format!("{name}: must have 1 to {longest} characters and no {LINES}"));
            }
        }
        for (name, text, longest) in [
            ("addresses.locality", locality, 1024),
            ("addresses.region", region, 1024),
            ("addresses.postalCode", postal_code, 128),
            ("addresses.country", country, 512),
        ] {
            check_text(name, text.as_deref(), longest)?;
        }
    }
    Ok(())
}

/// Writes what is known into a document.
pub(super) fn show(account: &Account, shown: &mut Value) {
    let attributes = &account.attributes;
    let name = [
        ("honorificPrefix", &attributes.honorific_prefix),
        ("honorificSuffix", &attributes.honorific_suffix),
    ];
    for (member, text) in name {
        if let Some(text) = text {
            shown["name"][member] = json!(text);
        }
    }
    let texts = [
        ("externalId", &attributes.external_id),
        ("displayName", &attributes.display_name),
        ("title", &attributes.title),
        ("preferredLanguage", &attributes.preferred_language),
        ("userType", &attributes.user_type),
    ];
    for (member, text) in texts {
        if let Some(text) = text {
            shown[member] = json!(text);
        }
    }
    let lists = [
        ("emails", account.email_entries()),
        ("groups", account.group_entries()),
        ("phoneNumbers", attributes.phone_numbers.clone()),
        ("photos", attributes.photos.clone()),
        ("ims", attributes.ims.clone()),
        ("entitlements", attributes.entitlements.clone()),
        ("roles", attributes.roles.clone()),
        ("x509Certificates", attributes.x509_certificates.clone()),
    ];
    for (member, entries) in lists {
        if !entries.is_empty() {
            shown[member] = json!(entries);
        }
    }
    if !attributes.enterprise.is_empty() {
        shown["enterprise"] = json!(attributes.enterprise);
    }
    if !attributes.unstated.is_empty() {
        shown["unstated"] = json!(attributes.unstated);
    }
    if !attributes.addresses.is_empty() {
        shown["addresses"] = json!(attributes.addresses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_value_and_the_list_are_one_attribute() {
        let all = |values: &[&str]| {
            effective_first(values.iter().map(|value| Entry::plain(value)).collect::<Vec<_>>())
        };
        let value = |entry: &Entry| entry.value.clone();
        let with = |entry: Entry, value: String| Entry { value, ..entry };
        let one = |text: &str| Some(text.to_owned());
        let before = all(&["1", "2"]);
        for (told, wanted) in [
            ((None, None), Some(vec![])),
            ((one("3"), None), Some(vec![Entry::plain("3")])),
            ((None, Some(all(&["3", "4"]))), Some(all(&["3", "4"]))),
            ((one("1"), Some(before.clone())), Some(before.clone())),
            ((one("3"), Some(before.clone())), Some(all(&["3", "2"]))),
            ((one("1"), Some(all(&["2"]))), Some(all(&["2"]))),
            ((one("3"), Some(all(&["4"]))), None),
        ] {
            let (one, all) = told.clone();
            assert_eq!(merge(one, all, &before, value, with), wanted, "{told:?}");
        }
    }
}
