//! Software statements (RFC 7591 §2.3): metadata that somebody vouches for whom the configuration
//! names, with the keys.

use castellan_proto::{
    Timestamp,
    jose::{Compact, VerifyingKey},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::RegistrationError;
use crate::{
    Issuer, records::registration::looks, request::resource::Audience, settings::StatementIssuer,
};

/// Seconds by which the other issuer's clock may be ahead of this node's.
const SKEW: u64 = 60;
/// Bytes of a statement at most: it is kept.
const LONGEST: usize = 8 * 1024;

/// Claims that are about the statement, and no metadata (RFC 7519 §4.1).
const OF_STATEMENT: [&str; 2] = ["sub", "jti"];

/// Members that a statement cannot set: what belongs to one registration.
const OF_REQUEST: [&str; 3] = ["client_id", "client_secret", "software_statement"];

#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: Option<Timestamp>,
    nbf: Option<Timestamp>,
    iat: Option<Timestamp>,
    aud: Option<Audience>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Issuer {
    /// `members` with what their software statement says, which takes precedence (RFC 7591 §2.3).
    pub(super) fn with_statement(
        &self,
        mut members: Map<String, Value>,
    ) -> Result<Map<String, Value>, RegistrationError> {
        let Some(statement) = members.get("software_statement") else { return Ok(members) };
        let invalid = RegistrationError::Statement;
        let text = statement.as_str().ok_or(invalid("must be a text"))?;
        if text.len() > LONGEST {
            return Err(invalid("must have at most 8192 bytes"));
        }
        let compact = Compact::read(text).ok_or(invalid("must be a signed JWT"))?;
        let claimed: Claims = compact.claimed().ok_or(invalid("its claims cannot be read"))?;
        let known = &self.settings().registration.software_statements;
        let issuer = known.iter().find(|known| known.issuer == claimed.iss);
        let issuer = issuer.ok_or(RegistrationError::UnapprovedStatement)?;
        let payload = proven(&compact, issuer);
        let payload = payload.ok_or(invalid("no key of its issuer made its signature"))?;
        let claims: Claims =
            serde_json::from_slice(payload).map_err(|_| invalid("its claims cannot be read"))?;
        let typ = compact.header().typ.as_deref();
        if !typ.is_none_or(|typ| typ.eq_ignore_ascii_case("jwt")) {
            return Err(invalid("the typ of its header is that of another kind of token"));
        }
        let audience = claims.aud.map(Audience::into_vec);
        if audience.is_some_and(|audience| !audience.contains(&self.address().issuer)) {
            return Err(invalid("is for another server (aud)"));
        }
        let now = self.now();
        if claims.exp.is_some_and(|expires| expires <= now) {
            return Err(invalid("has expired"));
        }
        let ahead = Timestamp(now.0.saturating_add(SKEW));
        if [claims.nbf, claims.iat].into_iter().flatten().any(|from| from > ahead) {
            return Err(invalid("is not valid yet"));
        }
        for (name, value) in claims.others {
            if !OF_STATEMENT.contains(&&*name) && !OF_REQUEST.contains(&&*name) {
                members.insert(name, value);
            }
        }
        Ok(members)
    }
}

/// The software that a statement is about.
pub(super) struct Software<'a> {
    statement: &'a str,
    issuer: String,
    id: Option<Value>,
    /// How the names look that the statement gives it.
    looks: Vec<String>,
}

impl<'a> Software<'a> {
    /// That of the statement in `metadata`, which are registered, or are about to be: the statement was
    /// proven.
    pub(super) fn of(metadata: &'a Map<String, Value>) -> Option<Self> {
        let statement = metadata.get("software_statement")?.as_str()?;
        let claims: Claims = Compact::read(statement)?.claimed()?;
        let name = claims.others.get("client_name").and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            statement,
            looks: looks(name, &claims.others),
            id: claims.others.get("software_id").filter(|id| id.is_string()).cloned(),
            issuer: claims.iss,
        })
    }

    /// Whether both are instances of one software, which their statements call by a name that looks so
    /// (RFC 7591 §2.3).
    pub(super) fn shares(&self, other: &Self, look: &String) -> bool {
        let is_same = self.issuer == other.issuer
            && (self.statement == other.statement || (self.id.is_some() && self.id == other.id));
        is_same && self.looks.contains(look) && other.looks.contains(look)
    }
}

/// The payload of `compact` if a key of `issuer` signed it.
fn proven<'a>(compact: &'a Compact<'_>, issuer: &StatementIssuer) -> Option<&'a [u8]> {
    let mut usable = issuer.jwks.iter().filter(|key| compact.header().names(key));
    usable.find_map(|key| {
        let key = VerifyingKey::from_jwk(key.algorithm()?, key).ok()?;
        compact.verified_by(&key)
    })
}
