//! API keys and machine users.

use std::{collections::BTreeMap, net::IpAddr};

use castellan_proto::{Timestamp, scope::Scopes};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// A key that is traded for a scoped JWT (`docs/contracts/trompa.md` §2). Its record's id is
/// `authkey/` and the key's id.
#[derive(Clone, Serialize, Deserialize)]
pub struct AuthKey {
    /// Stored forms of the secrets that it answers to: more than one while it is being rotated.
    pub secrets: Vec<String>,
    /// When each of them was last traded, to the minute, by its stored form.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets_used: BTreeMap<String, Timestamp>,
    /// Its scopes.
    pub scopes: Scopes,
    /// When the latest of them was last traded, to the minute.
    #[serde(default)]
    pub used: Option<Timestamp>,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; unknown if an older version wrote it.
    #[serde(default)]
    pub modified: Timestamp,
    /// Which of all that had this id it is; 0 if an older version made it.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
}

impl AuthKey {
    /// Answers to `secrets` from now on. When those that stay were traded is still known.
    pub fn set_secrets(&mut self, secrets: Vec<String>) {
        self.secrets_used.retain(|secret, _| secrets.contains(secret));
        self.secrets = secrets;
    }

    /// Notes that its secret of the stored form `secret` was traded at `now`; `false` if that is too
    /// little news to be written.
    pub(crate) fn note_use(&mut self, secret: &str, now: Timestamp) -> bool {
        if !is_news(self.secrets_used.get(secret).copied(), now) {
            return false;
        }
        self.secrets_used.insert(secret.to_owned(), now);
        self.used = Some(now);
        true
    }
}

/// A machine user (`docs/contracts/decidim.md` §8.2). Its record's id is `apicredential/` and its
/// key.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiCredential {
    /// The display name.
    pub name: String,
    /// The number that it is known by in tokens and answers.
    pub number: u64,
    /// The stored form of its secret.
    pub secret: String,
    /// The secret before, while it still counts.
    #[serde(default)]
    pub previous: Option<Previous>,
    /// What it may do.
    pub scope: Scopes,
    /// First second at which it is no longer valid.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// From where it may sign in and call; from anywhere if empty.
    #[serde(default)]
    pub addresses: Vec<IpNet>,
    /// When it last signed in, to the minute.
    #[serde(default)]
    pub used: Option<Timestamp>,
    /// Incremented by whatever ends its earlier tokens: a secret that stops at once.
    #[serde(default)]
    pub generation: u32,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; unknown if an older version wrote it.
    #[serde(default)]
    pub modified: Timestamp,
}

/// A secret that is on its way out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The secret in its stored form.
    pub secret: String,
    /// First second at which it is no longer valid.
    pub until: Timestamp,
}

/// A token that a machine user signed in for. Its id is the token's `jti`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MachineToken {
    /// Which machine user: its key.
    pub key: String,
    /// The generation of the machine user then.
    pub generation: u32,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

/// A network such as `192.0.2.0/24`, or one address. The bits behind the prefix must be zero, so
/// that a network is never wider than it was meant.
///
/// # Errors
/// What is wrong with it, in words.
pub fn network(text: &str) -> Result<IpNet, String> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| {
            format!("{text:?} is not an IP address or a network such as \"192.0.2.0/24\"")
        })?,
    };
    if let IpNet::V6(six) = net
        && six.addr().to_ipv4_mapped().is_some()
    {
        return Err(format!("{text:?} is an IPv4-mapped address; write it as an IPv4 address"));
    }
    if net.trunc() == net {
        Ok(net)
    } else {
        Err(format!("{text:?} has bits set after the prefix; write {}", net.trunc()))
    }
}

/// Whether something that is limited to `networks` may be used from `source`; one that is not known
/// is in none of them.
#[must_use]
pub fn admits(networks: &[IpNet], source: Option<IpAddr>) -> bool {
    let within = |source: IpAddr| networks.iter().any(|net| net.contains(&source));
    networks.is_empty() || source.is_some_and(within)
}

/// Seconds between writes of a credential's last use.
const USED_EVERY: u64 = 60;

/// Whether a use at `now` is worth a write after one at `used`.
pub(crate) fn is_news(used: Option<Timestamp>, now: Timestamp) -> bool {
    used.is_none_or(|used| now.since(used).as_secs() >= USED_EVERY)
}

impl ApiCredential {
    /// A short name for APIs, made from the name (`docs/contracts/decidim.md` §2).
    #[must_use]
    pub fn nickname(&self) -> String {
        let mut out = String::new();
        for c in self.name.chars().flat_map(char::to_lowercase) {
            match c {
                c if c.is_ascii_alphanumeric() => out.push(c),
                _ if out.ends_with('_') || out.is_empty() => {}
                _ => out.push('_'),
            }
        }
        out.trim_end_matches('_').to_owned()
    }

    /// Whether it may still do anything.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|at| now < at)
    }
}

impl std::fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthKey").field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ApiCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiCredential").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Stored for AuthKey {
    const KIND: Kind = Kind::Credential;
}

impl Stored for ApiCredential {
    const KIND: Kind = Kind::Credential;

    fn unique(&self) -> Vec<String> {
        vec![format!("apicredential/{}", self.name), format!("apicredential#{}", self.number)]
    }
}

impl Stored for MachineToken {
    const KIND: Kind = Kind::MachineToken;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl std::fmt::Debug for Previous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Previous(until {})", self.until.0)
    }
}
