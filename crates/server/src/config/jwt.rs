//! The `[jwt]` table and the variables of `docs/contracts/trompa.md` §7.

use std::{collections::BTreeMap, path::Path};

use castellan_issuer::{
    machine::api_key::{ConfiguredKey, KeyTerms, KeyTokens},
    secrets::policy::SecretPolicy,
};
use castellan_proto::{
    Secret,
    scope::{Scope, Scopes},
    strict_json,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ConfigError, SecretRef, Site, check::Problem, environment::Environment};

/// API keys that are exchanged for JWTs at `/jwt`. Off without a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JwtConfig {
    /// The HMAC secret, at least 32 bytes (`JWT_SECRET`).
    pub secret: Option<SecretRef>,
    /// Lifetime of the tokens, such as `"2 hours"` (`docs/contracts/trompa.md` §7.2,
    /// `JWT_EXPIRES`).
    pub expires: Lifetime,
    /// The `iss` claim (`JWT_ISSUER`).
    pub issuer: String,
    /// Whether a token must have that `iss` (`docs/contracts/trompa.md` §3.1). Default `true`. If
    /// `false`, changing the issuer ends no token, and tokens that others sign with the same secret
    /// are accepted.
    pub check_issuer: bool,
    /// Keys in the configuration, in addition to `AuthKey` resources (`JWT_AUTH_KEYS`, as JSON).
    pub keys: Vec<KeyEntry>,
}

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its id, which may occur twice while the key is being replaced.
    pub id: String,
    /// Its secret.
    #[serde(rename = "apiKey")]
    pub api_key: Secret,
    /// Its scopes.
    pub scopes: Vec<String>,
}

/// One key of `JWT_AUTH_KEYS`, whose further members mean nothing (`docs/contracts/trompa.md`
/// §7.1).
#[derive(Deserialize)]
struct DocumentKey {
    id: String,
    #[serde(rename = "apiKey")]
    api_key: Secret,
    scopes: Vec<String>,
}

impl From<DocumentKey> for KeyEntry {
    fn from(DocumentKey { id, api_key, scopes }: DocumentKey) -> Self {
        Self { id, api_key, scopes }
    }
}

/// The longest `JWT_EXPIRES`, in seconds: the document's `1y`. A token that is out cannot be taken
/// back but with its key (`docs/security-cases.md` trap 2).
const LONGEST: i64 = 31_557_600;
/// The sample key in TROMPA's documentation (`docs/security-cases.md` trap 2).
const SAMPLE: &str = "jfBeQsMWo5y3AX1MaN8Vvzkkmkx2TUpVYohpwDXf6ck=";

/// A lifetime such as `"1d"`, `"2 hours"` or `"1.5h"`, or a number of seconds as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Lifetime(pub i64);

/// The text is no lifetime of that grammar.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a lifetime such as \"1d\", \"2 hours\", \"1.5h\", or a number of seconds")]
pub struct JwtError;

impl TryFrom<String> for Lifetime {
    type Error = JwtError;

    fn try_from(text: String) -> Result<Self, JwtError> {
        parse_lifetime(&text).map(Self)
    }
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            secret: None,
            expires: Lifetime(86_400),
            issuer: "https://trompamusic.eu".to_owned(),
            check_issuer: true,
            keys: Vec::new(),
        }
    }
}

/// Reads the grammar of `docs/contracts/trompa.md` §7.2. A bare number is seconds; an empty text is
/// a day. Fractions of a second are dropped.
///
/// # Errors
/// [`JwtError`] for anything else.
pub fn parse_lifetime(text: &str) -> Result<i64, JwtError> {
    if text.is_empty() {
        return Ok(86_400);
    }
    if text.len() > 100 || !text.is_ascii() {
        return Err(JwtError);
    }
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let good = match fraction {
        None => !whole.is_empty(),
        Some(fraction) => !fraction.is_empty() && digits(fraction),
    };
    if !good || !digits(whole) {
        return Err(JwtError);
    }
    let unit = rest.trim_start_matches(' ').to_ascii_lowercase();
    let per: f64 = match &*unit {
        "" if rest.is_empty() => 1_000.0,
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        "w" | "week" | "weeks" => 604_800_000.0,
        "y" | "yr" | "yrs" | "year" | "years" => 31_557_600_000.0,
        _ => return Err(JwtError),
    };
    let number: f64 = number.parse().map_err(|_| JwtError)?;
    let sign = if negative { -1.0 } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and a year is far from it")]
    Ok((sign * number * per / 1_000.0).floor() as i64)
}

impl JwtConfig {
    /// Reads the documents' own variables over the table.
    pub(super) fn read_environment(&mut self, from: &Environment) -> Result<(), ConfigError> {
        let wrong =
            |name: &str, problem: String| ConfigError::Environment(format!("{name}: {problem}"));
        if let Some(secret) = from.get("JWT_SECRET") {
            self.secret = Some(SecretRef::Text(Secret::new(secret.to_owned())));
        }
        if let Some(text) = from.get("JWT_EXPIRES") {
            let seconds = parse_lifetime(text).map_err(|e| wrong("JWT_EXPIRES", e.to_string()))?;
            self.expires = Lifetime(seconds);
        }
        if let Some(issuer) = from.get("JWT_ISSUER") {
            issuer.clone_into(&mut self.issuer);
        }
        if let Some(text) = from.get("JWT_AUTH_KEYS") {
            let array = |why: String| {
                wrong("JWT_AUTH_KEYS", format!("not a JSON array of {{id, apiKey, scopes}}: {why}"))
            };
            let keys =
                strict_json::read(text.as_bytes()).map_err(|error| array(error.to_string()))?;
            let keys: Vec<DocumentKey> = strict_json::parse(keys).map_err(array)?;
            self.keys = keys.into_iter().map(KeyEntry::from).collect();
        }
        Ok(())
    }

    pub(super) fn check(&self, insecure: bool, secrets: SecretPolicy) -> Result<(), Problem> {
        let wrong = |key: &'static str, text: &str| Err(Problem::at(&["jwt", key], text));
        if self.secret.is_none() && !self.keys.is_empty() {
            return wrong(
                "keys",
                "JWT_AUTH_KEYS is set, but JWT_SECRET, which signs the tokens, is not",
            );
        }
        let plain = Self::default();
        let said = [
            ("expires", "jwt.expires (JWT_EXPIRES)", self.expires != plain.expires),
            ("issuer", "jwt.issuer (JWT_ISSUER)", self.issuer != plain.issuer),
            ("check_issuer", "jwt.check_issuer", self.check_issuer != plain.check_issuer),
        ];
        if self.secret.is_none()
            && let Some((key, name, _)) = said.into_iter().find(|(.., is_set)| *is_set)
        {
            let text = format!(
                "{name} has no effect without a secret: set jwt.secret (JWT_SECRET), or remove it"
            );
            return wrong(key, &text);
        }
        if self.expires.0 <= 0 && !insecure {
            return wrong("expires", "JWT_EXPIRES must be greater than zero");
        }
        if self.expires.0 > LONGEST && !insecure {
            return wrong("expires", "JWT_EXPIRES must be at most a year (\"1y\")");
        }
        for (at, key) in self.keys.iter().enumerate() {
            if key.api_key.expose() == SAMPLE && !insecure {
                let id = &key.id;
                let text = format!(
                    "JWT_AUTH_KEYS: the key {id:?} has the published sample secret; generate one \
                     with `openssl rand -base64 32`"
                );
                return wrong("keys", &text);
            }
            if key.id.is_empty() {
                return wrong("keys", "JWT_AUTH_KEYS: every key needs an id");
            }
            let id = &key.id;
            if let Err(why) = secrets.secret(&key.api_key) {
                return wrong(
                    "keys",
                    &format!("JWT_AUTH_KEYS: the apiKey of the key {id:?} {why}"),
                );
            }
            if key.scopes.is_empty() {
                return wrong(
                    "keys",
                    &format!("JWT_AUTH_KEYS: the key {id:?} needs at least one scope"),
                );
            }
            if self.keys[..at].iter().any(|other| other.id == *id && other.api_key == key.api_key) {
                return wrong("keys", &format!("JWT_AUTH_KEYS: the id {id:?} is used twice"));
            }
            scopes(key)?;
        }
        Ok(())
    }

    /// What trades keys and checks their tokens at `site`; `None` without a secret.
    ///
    /// The secret and the keys of the table are the first site's. Another site has the keys that
    /// are kept for it, and a secret derived from this one and its name, so that no token of one
    /// holds at another.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be read, or is too weak to be safe.
    pub fn tokens(
        &self,
        folder: &Path,
        insecure: bool,
        site: &Site,
    ) -> Result<Option<KeyTokens>, ConfigError> {
        let Some(secret) = &self.secret else { return Ok(None) };
        let secret = secret.resolve(folder)?;
        if secret.expose().len() < 32 && !insecure {
            return Err(ConfigError::Conflict(
                "jwt.secret (JWT_SECRET) must have at least 32 bytes (256 bits); generate one with \
                 `openssl rand -base64 48`, or set security.insecure = true for a demo on loopback"
                    .to_owned(),
            ));
        }
        let mut keys: BTreeMap<String, Vec<ConfiguredKey>> = BTreeMap::new();
        for key in self.keys.iter().filter(|_| site.is_first) {
            let configured = ConfiguredKey { api_key: key.api_key.clone(), scopes: scopes(key)? };
            keys.entry(key.id.clone()).or_default().push(configured);
        }
        Ok(Some(KeyTokens::new(KeyTerms {
            secret: site.signing_key(&secret),
            issuer: self.issuer.clone(),
            check_issuer: self.check_issuer,
            lifetime: self.expires.0,
            keys,
        })))
    }
}

fn scopes(key: &KeyEntry) -> Result<Scopes, ConfigError> {
    let wrong = |problem: String| {
        ConfigError::Conflict(format!("JWT_AUTH_KEYS: the key {:?}: {problem}", key.id))
    };
    key.scopes
        .iter()
        .map(|text| match Scope::try_from(text.clone()) {
            Ok(Scope::Named(name)) => {
                Err(wrong(format!("{name:?} is not of the form Operation:Type:Action")))
            }
            Ok(pattern) => Ok(pattern),
            Err(error) => Err(wrong(error.to_string())),
        })
        .collect()
}
