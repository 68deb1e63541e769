//! The claims of access tokens (RFC 9068).

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::resource::Audience;

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// Whom it speaks for: the person, or the client itself.
    pub sub: String,
    /// Who it is for.
    pub aud: Audience,
    /// The client that it was issued to.
    pub client_id: String,
    /// What it may do.
    pub scope: String,
    /// When it was issued.
    pub iat: Timestamp,
    /// First second at which it is worthless.
    pub exp: Timestamp,
    /// Its own name, which begins with that of its family ([`Self::family`]).
    pub jti: String,
    /// The browser session that it belongs to (Back-Channel Logout 1.0 §2.1), by its name in ID
    /// tokens and logout tokens. Absent without a session: for devices and machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Which access token of the family.
    #[serde(rename = "gen")]
    pub generation: u32,
    /// The key that it is bound to (RFC 7800 §3.1, RFC 9449 §6.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The login realm, for apps of `/oauth` (`docs/contracts/decidim.md` §4); not what it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scp: Option<String>,
    /// Groups of the person, for tokens with the scope that opens the claim
    /// (`docs/contracts/curity.md` §3.8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// The same under the name that clients of Curity know.
    #[serde(
        rename = "urn:se:curity:claims:admin:groups",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub admin_groups: Option<Vec<String>>,
    /// The roles of the person, for tokens with the scope `roles` (RFC 9068 §2.2.3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

impl AccessClaims {
    /// The family that it belongs to, read from `jti`. None if that is not the name that
    /// `access_jti` gives; earlier versions gave the same, so tokens of theirs are read as well.
    #[must_use]
    pub fn family(&self) -> Option<&str> {
        let (family, _) = self.jti.rsplit_once('.')?;
        (self.jti == access_jti(family, self.generation)).then_some(family)
    }
}

/// What proves that a token is its bearer's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of a key (RFC 9449 §6.1).
    pub jkt: String,
}

/// How a token is to be used, bound to the key `jkt` or to none.
pub(crate) const fn token_type(jkt: Option<&str>) -> &'static str {
    if jkt.is_some() { "DPoP" } else { "Bearer" }
}

/// The media type of access tokens (RFC 9068 §2.1).
pub(crate) const ACCESS_TYP: &str = "at+jwt";

/// The `jti` of one access token of a family.
pub(crate) fn access_jti(family: &str, generation: u32) -> String {
    format!("{family}.{generation}")
}
