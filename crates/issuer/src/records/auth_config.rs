//! How the sign-in of a site looks (`docs/contracts/aidbox.md` §2.6).

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

impl Stored for AuthConfig {
    const KIND: Kind = Kind::AuthConfig;

    fn unique(&self) -> Vec<String> {
        vec!["AuthConfig".to_owned()]
    }
}
