//! `private_key_jwt`: a client authenticates with an assertion that it signed (RFC 7523 §§2.2, 3,
//! OIDC Core §9). It is valid at this issuer only, for minutes, and once.

use castellan_proto::{
    Digest, Timestamp,
    jose::{Compact, Jwk, VerifyingKey},
};
use serde::Deserialize;

use crate::{
    Issuer,
    records::{Client, repository::Written, used_jti::UsedAssertion},
    request::resource::Audience,
    store::StoreError,
};

/// The `client_assertion_type` (RFC 7523 §2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Maximum lifetime of an assertion in seconds: with a longer one it would amount to a password.
/// Libraries use an hour by default.
const LONGEST: u64 = 3_600;
/// Seconds by which a client's clock may be ahead of this node's.
const SKEW: u64 = 60;
/// Characters of a `jti` at most.
const LONGEST_JTI: usize = 256;

/// What an assertion says.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Timestamp,
    #[serde(default)]
    nbf: Option<Timestamp>,
    #[serde(default)]
    iat: Option<Timestamp>,
    jti: String,
}

/// The client that an assertion claims to be of; nothing of it is proven.
pub(crate) fn claimed_client(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        sub: String,
    }
    Compact::read(assertion)?.claimed::<Claimed>().map(|claimed| claimed.sub)
}

impl Issuer {
    /// Whether `assertion` proves that `client` speaks. It is used up by that, on every node.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then it proves nothing.
    pub(crate) async fn assertion_proves(
        &self,
        id: &str,
        client: &Client,
        assertion: &str,
    ) -> Result<bool, StoreError> {
        let Some(claims) = proven(client, assertion) else { return Ok(false) };
        let now = self.now();
        let issuer = &*self.address().issuer;
        let here =
            [issuer.to_owned(), format!("{issuer}/auth/token"), format!("{issuer}/auth/par")];
        let is_for_us = if client.follows_fapi() {
            // The issuer as one text, and nothing else (FAPI 2.0 Security Profile §5.3.2.1).
            claims.aud == Audience::One(issuer.to_owned())
        } else {
            // Any other audience could present it here (RFC 7523 §3 leaves that open).
            claims.aud.are_all_of(&here)
        };
        let ahead = Timestamp(now.0 + SKEW);
        let good = claims.iss == id
            && claims.sub == id
            && is_for_us
            && now < claims.exp
            && claims.exp.0 <= now.0 + LONGEST + SKEW
            && [claims.nbf, claims.iat].into_iter().flatten().all(|from| from <= ahead)
            && (1..=LONGEST_JTI).contains(&claims.jti.len());
        if !good {
            return Ok(false);
        }
        // Longer than it is valid, because clocks of nodes differ.
        let used = UsedAssertion { ends: Timestamp(claims.exp.0 + SKEW) };
        let key = Digest::of(&[id.as_bytes(), &[0], claims.jti.as_bytes()].concat()).text();
        // Of any number that show it, on any node, one inserts.
        Ok(self.repository().insert(&key, &used, now).await? == Written::Done)
    }
}

/// The claims of `assertion`, if one of the client's keys signed them.
fn proven(client: &Client, assertion: &str) -> Option<Claims> {
    let compact = Compact::read(assertion)?;
    let header = compact.header();
    let typ = header.typ.as_deref();
    let is_one = typ.is_none_or(|typ| {
        ["jwt", "client-authentication+jwt"].iter().any(|known| typ.eq_ignore_ascii_case(known))
    });
    if !is_one {
        return None;
    }
    let named = |key: &&Jwk| header.names(key);
    let payload = client.jwks.iter().filter(named).find_map(|key| {
        // The key says by which algorithm it is used, never the header.
        let verifying = VerifyingKey::from_jwk(key.algorithm()?, key).ok()?;
        compact.verified_by(&verifying)
    })?;
    serde_json::from_slice(payload).ok()
}
