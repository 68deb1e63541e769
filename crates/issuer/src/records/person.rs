//! What a `User` document contains about a person besides names and e-mail addresses, under the
//! names of the claims (OIDC Core §5.1).

use serde::{Deserialize, Serialize};

/// The details of a person. Each is the claim of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PersonalDetails {
    /// The person's middle names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// What friends call them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// The address of a page about them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The address of a picture of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// The address of their own page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Their gender, in any words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// Their birthday: `YYYY-MM-DD`, `0000-MM-DD` without the year, or only the year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Their time zone, such as `Europe/Paris`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    /// Their language, such as `fr-CA` (RFC 5646).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Their telephone number, such as `+1 (425) 555-1212`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Where the person lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// A postal address (OIDC Core §5.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Address {
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
}

impl PersonalDetails {
    /// The claim `name`, if it is a text and known.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts().into_iter().find(|(other, _)| *other == name).and_then(|(_, text)| text)
    }

    /// The claims that are texts.
    #[must_use]
    pub fn texts(&self) -> [(&'static str, Option<&str>); 10] {
        [
            ("middle_name", self.middle_name.as_deref()),
            ("nickname", self.nickname.as_deref()),
            ("profile", self.profile.as_deref()),
            ("picture", self.picture.as_deref()),
            ("website", self.website.as_deref()),
            ("gender", self.gender.as_deref()),
            ("birthdate", self.birthdate.as_deref()),
            ("zoneinfo", self.zoneinfo.as_deref()),
            ("locale", self.locale.as_deref()),
            ("phone_number", self.phone_number.as_deref()),
        ]
    }
}

impl Address {
    /// Its parts, by name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("formatted", self.formatted.as_deref()),
            ("street_address", self.street_address.as_deref()),
            ("locality", self.locality.as_deref()),
            ("region", self.region.as_deref()),
            ("postal_code", self.postal_code.as_deref()),
            ("country", self.country.as_deref()),
        ]
    }
}

/// Claims that were agreed to one by one, besides what the scopes open (OIDC Core §5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BeyondScopes {
    /// For the ID token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub id_token: Vec<String>,
    /// The claims for userinfo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub userinfo: Vec<String>,
}
