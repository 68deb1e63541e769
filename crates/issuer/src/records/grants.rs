//! The grants that a client may use, and how each is set for it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Client, Refresh, TokenFormat};

/// What a grant is called in records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantName(Cow<'static, str>);

impl GrantName {
    /// RFC 6749 §4.1.
    pub const AUTHORIZATION_CODE: Self = Self::new("authorization_code");
    /// RFC 6749 §4.4.
    pub const CLIENT_CREDENTIALS: Self = Self::new("client_credentials");
    /// RFC 8628.
    pub const DEVICE: Self = Self::new("device");
    /// RFC 6749 §4.3.
    pub const PASSWORD: Self = Self::new("password");

    /// A name that is written in code.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How one grant is set for one client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GrantSettings {
    /// What access tokens look like.
    pub format: TokenFormat,
    /// Seconds an access token lives; the server's default if absent.
    #[serde(default)]
    pub access_seconds: Option<u64>,
    /// Who tokens are for, besides every guard of this server.
    #[serde(default)]
    pub audience: Vec<String>,
    /// Whether and how long refresh tokens live; none are issued if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// Whether the token endpoint asks for the secret; where the grant does not let its clients
    /// choose, it does so of every client that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_required: Option<bool>,
    /// Whether a code challenge is required, if the grant has codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce: Option<bool>,
}

impl GrantSettings {
    /// Whether `client`, whose settings these are, must show its secret.
    #[must_use]
    pub fn owes_secret(&self, client: &Client) -> bool {
        self.secret_required.unwrap_or_else(|| !client.is_public())
    }
}

/// The grants that a client may use.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "StoredGrants", into = "StoredGrants")]
pub struct Grants(BTreeMap<GrantName, GrantSettings>);

impl Grants {
    /// How the grant `name` is set; none if the client may not use it.
    #[must_use]
    pub fn get(&self, name: &GrantName) -> Option<&GrantSettings> {
        self.0.get(name)
    }

    /// Whether the client may use the grant `name`.
    #[must_use]
    pub fn has(&self, name: &GrantName) -> bool {
        self.0.contains_key(name)
    }

    /// The names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &GrantName> {
        self.0.keys()
    }

    /// The settings of all of them.
    pub fn settings(&self) -> impl Iterator<Item = &GrantSettings> {
        self.0.values()
    }
}

impl FromIterator<(GrantName, GrantSettings)> for Grants {
    fn from_iter<T: IntoIterator<Item = (GrantName, GrantSettings)>>(grants: T) -> Self {
        Self(grants.into_iter().collect())
    }
}

/// The settings of grants as they are stored: earlier versions read and write a member for each of
/// the first three. Later grants share one member.
#[derive(Serialize, Deserialize)]
struct StoredGrants {
    #[serde(default)]
    code: Option<GrantSettings>,
    #[serde(default)]
    machine: Option<GrantSettings>,
    #[serde(default)]
    device: Option<GrantSettings>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    other_grants: BTreeMap<GrantName, GrantSettings>,
}

impl From<StoredGrants> for Grants {
    fn from(stored: StoredGrants) -> Self {
        let StoredGrants { code, machine, device, other_grants } = stored;
        let first = [
            (GrantName::AUTHORIZATION_CODE, code),
            (GrantName::CLIENT_CREDENTIALS, machine),
            (GrantName::DEVICE, device),
        ];
        let first = first.into_iter().filter_map(|(name, settings)| Some((name, settings?)));
        first.chain(other_grants).collect()
    }
}

impl From<Grants> for StoredGrants {
    fn from(Grants(mut grants): Grants) -> Self {
        Self {
            code: grants.remove(&GrantName::AUTHORIZATION_CODE),
            machine: grants.remove(&GrantName::CLIENT_CREDENTIALS),
            device: grants.remove(&GrantName::DEVICE),
            other_grants: grants,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{GrantName, Grants};

    /// What earlier versions wrote is read, and what is written has their members.
    #[test]
    fn grants_are_stored_as_before() {
        let stored = json!({
            "code": {
                "secret_required": true, "pkce": false, "format": "jwt", "access_seconds": null,
                "audience": [], "refresh": {"idle_seconds": null, "rotation": "keep"},
            },
            "machine": {"format": "opaque", "access_seconds": 60, "audience": ["x"]},
            "device": null,
        });
        let grants: Grants = serde_json::from_value(stored.clone()).unwrap_or_default();
        assert!(grants.has(&GrantName::AUTHORIZATION_CODE) && !grants.has(&GrantName::DEVICE));
        assert_eq!(serde_json::to_value(&grants).ok(), Some(stored));
    }

    #[test]
    fn a_grant_that_came_later_is_stored_by_its_name() {
        let stored = json!({
            "code": null, "machine": null, "device": null,
            "other_grants": {"voucher": {"format": "jwt", "access_seconds": null, "audience": []}},
        });
        let grants: Grants = serde_json::from_value(stored.clone()).unwrap_or_default();
        assert!(grants.has(&GrantName::new("voucher")));
        assert_eq!(serde_json::to_value(&grants).ok(), Some(stored));
    }
}
