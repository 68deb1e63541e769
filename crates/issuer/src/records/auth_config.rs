//! How the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6).

use std::collections::BTreeMap;

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// How the sign-in of a site looks. A site has one at most.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// Seconds that browsers keep the session cookie; as long as the session may last if not set.
    pub cookie_max_age: Option<u64>,
    /// What pages call the site.
    pub brand: Option<String>,
    /// The heading of the sign-in page.
    pub title: Option<String>,
    /// What stands below that heading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Both in other languages, by their tags in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, SignInWords>,
    /// The colour of buttons and links: `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent_color: Option<String>,
    /// An image in place of Castellan's, as a `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// What stands at the foot of every page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<PageLink>,
    /// Where people go who forgot their password.
    pub forgot_password_url: Option<String>,
    /// Which of all that had this id it is.
    #[serde(skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the record was made.
    pub created: Timestamp,
    /// When a document last changed it.
    pub modified: Timestamp,
}

/// What the sign-in page says, in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SignInWords {
    /// The heading of the sign-in page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What stands below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A link at the foot of every page, such as to a privacy policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PageLink {
    /// What people read.
    pub title: String,
    /// Where it leads: an `https` URL, or a path of the site.
    pub url: String,
    /// The title in other languages, by their tags (RFC 5646), such as `de`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, String>,
}

impl Stored for AuthConfig {
    const KIND: Kind = Kind::AuthConfig;

    fn unique(&self) -> Vec<String> {
        vec!["AuthConfig".to_owned()]
    }
}
