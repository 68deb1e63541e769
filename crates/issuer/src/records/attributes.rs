//! The attributes of a person besides those of which claims are made
//! (`docs/contracts/curity.md` §§6.3, 6.4). Their shape is that of SCIM (RFC 7643 §§2.4, 4.1).

use serde::{Deserialize, Serialize};

use super::person::Address;

/// The `type` of an e-mail address or telephone number that was verified
/// (`docs/contracts/curity.md` §6.2).
pub const VERIFIED: &str = "verified";

/// Attributes that documents write. Values of which claims are made stand in the account itself; here
/// stands what else is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// What another system calls them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What to show as their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Their function, such as `Vice President`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The languages that they prefer, as in `Accept-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    /// What they are to their organisation, such as `Employee`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_type: Option<String>,
    /// What stands before their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_prefix: Option<String>,
    /// What stands after their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub honorific_suffix: Option<String>,
    /// The e-mail addresses of which more is known than the address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Entry>,
    /// The groups of which more is known than the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Entry>,
    /// All telephone numbers, the effective one first; empty where there is only that, and nothing
    /// more is known of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phone_numbers: Vec<Entry>,
    /// All pictures, kept as telephone numbers are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub photos: Vec<Entry>,
    /// All postal addresses, kept as telephone numbers are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<PostalAddress>,
    /// Addresses for instant messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ims: Vec<Entry>,
    /// What they are entitled to. It has no meaning for Castellan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entitlements: Vec<Entry>,
    /// What they are called elsewhere; the roles of Castellan are resources of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Entry>,
    /// Their certificates. Nobody signs in by these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub x509_certificates: Vec<Entry>,
    /// What was left open: the attributes of which no value is the primary one by what was said of them,
    /// though the first is used, and `active`, of somebody who is not. SCIM shows what it was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unstated: Vec<String>,
    /// What is known of them in their organisation (RFC 7643 §4.3).
    #[serde(skip_serializing_if = "Enterprise::is_empty")]
    pub enterprise: Enterprise,
    /// Whether the effective telephone number is one of the unique names of the record. It is not if
    /// an older version wrote the account, until a document writes it again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub phone_is_unique: bool,
}

/// What is known of a person in their organisation (RFC 7643 §4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Enterprise {
    /// The number of the person in the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<String>,
    /// The cost centre.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<String>,
    /// The organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The division.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// The department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// The id of the person's manager. Nothing follows from it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

impl Enterprise {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Its texts, by their names.
    #[must_use]
    pub fn texts(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("enterprise.employeeNumber", self.employee_number.as_deref()),
            ("enterprise.costCenter", self.cost_center.as_deref()),
            ("enterprise.organization", self.organization.as_deref()),
            ("enterprise.division", self.division.as_deref()),
            ("enterprise.department", self.department.as_deref()),
            ("enterprise.manager", self.manager.as_deref()),
        ]
    }
}

/// A value of an attribute that has several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// Whether it is the one to use.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
    /// What kind of value it is, such as `work`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What to show in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// Whether it was verified that the value is the person's, of `emails` and `phoneNumbers`. Left out,
    /// a value that the account has already stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// A postal address with what SCIM knows of it (RFC 7643 §4.1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct PostalAddress {
    /// Full address as on a letter; may have several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street and number; may have several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// The city or town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State, province or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Whether it is the one to use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
    /// What kind of address it is, such as `home`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What to show in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// One of several, of which at most one is the one to use.
pub trait Several: Clone + PartialEq {
    /// Whether it is marked as the one to use.
    fn is_primary(&self) -> bool;
    /// Marks it, or takes the mark away.
    fn mark(&mut self, primary: bool);
}

impl Several for Entry {
    fn is_primary(&self) -> bool {
        self.primary
    }

    fn mark(&mut self, primary: bool) {
        self.primary = primary;
    }
}

impl Several for PostalAddress {
    fn is_primary(&self) -> bool {
        self.primary
    }

    fn mark(&mut self, primary: bool) {
        self.primary = primary;
    }
}

impl Entry {
    /// A value of which nothing else is known.
    #[must_use]
    pub fn plain(value: &str) -> Self {
        Self { value: value.to_owned(), ..Self::default() }
    }

    /// Whether more is known than the value and whether it is the one to use.
    #[must_use]
    pub const fn is_labelled(&self) -> bool {
        self.kind.is_some() || self.display.is_some() || self.verified.is_some()
    }

    /// Whether the value was verified.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified == Some(true) || self.says_verified()
    }

    /// Whether its kind says that it was verified, as documents may.
    #[must_use]
    pub fn says_verified(&self) -> bool {
        self.kind.as_deref() == Some(VERIFIED)
    }

    /// The same with a mark of its own where the kind said that it was verified: other systems find a
    /// value by its kind.
    pub(super) fn marked(mut self) -> Self {
        if self.says_verified() {
            (self.kind, self.verified) = (None, Some(true));
        }
        self
    }
}

impl PostalAddress {
    /// The same without what claims do not tell (OIDC Core §5.1.1).
    #[must_use]
    pub fn claim(&self) -> Address {
        Address {
            formatted: self.formatted.clone(),
            street_address: self.street_address.clone(),
            locality: self.locality.clone(),
            region: self.region.clone(),
            postal_code: self.postal_code.clone(),
            country: self.country.clone(),
        }
    }

    /// Its parts become those of `address`.
    #[must_use]
    pub fn with(self, address: Address) -> Self {
        let Address { formatted, street_address, locality, region, postal_code, country } = address;
        Self { formatted, street_address, locality, region, postal_code, country, ..self }
    }

    /// Whether more is known than the parts and whether it is the one to use.
    #[must_use]
    pub const fn is_labelled(&self) -> bool {
        self.kind.is_some() || self.display.is_some()
    }
}

/// `all` with the effective one first, which is the one that is marked, otherwise the first
/// (`docs/contracts/curity.md` §6.1). It is marked then, and no other is.
#[must_use]
pub fn effective_first<T: Several>(mut all: Vec<T>) -> Vec<T> {
    all.sort_by_key(|one| !one.is_primary());
    for (at, one) in all.iter_mut().enumerate() {
        one.mark(at == 0);
    }
    all
}

/// The entries of `values`, with what `labels` know of them.
pub(super) fn labelled(values: &[String], labels: &[Entry]) -> Vec<Entry> {
    let label = |value: &String| labels.iter().find(|label| label.value == *value).cloned();
    values.iter().map(|value| label(value).unwrap_or_else(|| Entry::plain(value))).collect()
}
