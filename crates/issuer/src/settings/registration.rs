//! Who may register clients, and what these may be (`docs/registration.md`).

use castellan_proto::{
    Lifetime,
    jose::Jwk,
    scope::{Scope, Scopes},
};

use crate::secrets::policy::is_blank;

/// The scope of tokens that register a client, each one.
pub const REGISTER: &str = "dcr";
/// The scope of tokens that manage every registered client.
pub const MANAGE: &str = "dcrm";

/// The `[registration]` table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// Who may register clients: `"token"`, `"client"` and `"open"`, any of them. Default `[]`:
    /// nobody, and `/register` does not exist.
    pub by: Vec<Registrant>,
    /// Whether a client can be made of a template, which `software_id` names. Default `true`.
    pub templates: bool,
    /// Whether a client can say by its own metadata what it is. Default `true`.
    pub metadata: bool,
    /// The scopes that clients may register. Default `["openid", "profile", "email", "address",
    /// "phone", "offline_access"]`.
    pub scopes: Scopes,
    /// Lifetime of registration access tokens. Default `"365d"`.
    pub token: Lifetime,
    /// How long a refresh token of a client without a template may remain unused. Default `"1h"`.
    pub refresh_token: Lifetime,
    /// Number of clients of the site, registered or not, above which none is registered. Default
    /// 10000.
    pub max_clients: u32,
    /// Number of clients that one client may have registered. Default 100.
    pub max_per_client: u32,
    /// The issuers whose software statements are accepted (RFC 7591 §2.3). Default: none.
    pub software_statements: Vec<StatementIssuer>,
    /// Whether a registration without a template needs a software statement. Default `false`.
    pub require_software_statement: bool,
}

/// Who may register clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Registrant {
    /// Whoever has an access token with the scope `dcr`, which is good for one registration.
    Token,
    /// A client that shows its secret by `Authorization: Basic` and has the scope `dcr`.
    Client,
    /// Anybody.
    Open,
}

/// An issuer of software statements.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatementIssuer {
    /// The `iss` of its statements.
    pub issuer: String,
    /// Its public keys: a JWK Set, in JSON.
    #[serde(deserialize_with = "keys")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub jwks: Vec<Jwk>,
}

/// The scopes about a person, which every client may register by default.
const ABOUT_THE_PERSON: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];
/// The largest of the numbers.
const LARGEST: u32 = 1_000_000;

impl Default for RegistrationSettings {
    fn default() -> Self {
        let scopes = ABOUT_THE_PERSON.into_iter();
        Self {
            by: Vec::new(),
            templates: true,
            metadata: true,
            scopes: scopes.filter_map(|name| Scope::try_from(name.to_owned()).ok()).collect(),
            token: Lifetime::seconds(365 * 86_400),
            refresh_token: Lifetime::seconds(3_600),
            max_clients: 10_000,
            max_per_client: 100,
            software_statements: Vec::new(),
            require_software_statement: false,
        }
    }
}

impl RegistrationSettings {
    /// Whether anybody may register clients.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.by.is_empty()
    }

    /// Whether `registrant` may.
    #[must_use]
    pub fn admits(&self, registrant: Registrant) -> bool {
        self.by.contains(&registrant)
    }

    /// # Errors
    /// The name of a setting, and what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |name, text: &str| Err((name, text.to_owned()));
        if !self.templates && !self.metadata {
            return wrong(
                "templates",
                "is false, and so is metadata: nothing could be registered; set one of them, or \
                 remove by",
            );
        }
        if let Some(scope) = self.scopes.iter().find(|scope| is_power(scope)) {
            let text = format!(
                "{scope} gives a right of Castellan itself, or lets clients register others; a \
                 client that registered itself cannot have it"
            );
            return Err(("scopes", text));
        }
        for (name, number) in
            [("max_clients", self.max_clients), ("max_per_client", self.max_per_client)]
        {
            if !(1..=LARGEST).contains(&number) {
                return Err((name, format!("must be from 1 to {LARGEST}")));
            }
        }
        let issuers = &self.software_statements;
        for (at, issuer) in issuers.iter().enumerate() {
            if is_blank(&castellan_proto::Secret::new(issuer.issuer.clone())) {
                return wrong("software_statements", "an issuer is empty");
            }
            if issuers[..at].iter().any(|other| other.issuer == issuer.issuer) {
                return wrong(
                    "software_statements",
                    "an issuer stands there twice; give it all keys",
                );
            }
        }
        if self.require_software_statement && issuers.is_empty() {
            return wrong(
                "require_software_statement",
                "needs software_statements, as no statement could be accepted",
            );
        }
        Ok(())
    }
}

/// Whether a client that registered itself must not have `scope`, whatever is configured.
#[must_use]
pub(crate) fn is_power(scope: &Scope) -> bool {
    match scope {
        Scope::Pattern(pattern) => pattern.reaches_own_rights(),
        Scope::Named(_) => {
            let name = scope.as_str();
            [REGISTER, MANAGE].contains(&name) || name.starts_with("Castellan:")
        }
    }
}

/// Keys of a JWK Set in JSON, each of which can be used.
fn keys<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Jwk>, D::Error> {
    use castellan_proto::jose::VerifyingKey;
    use serde::{Deserialize as _, de::Error as _};

    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let text = String::deserialize(from)?;
    let wrong = || {
        D::Error::custom(
            "jwks must be a JWK Set of one to eight public keys, in JSON: EC on P-256, OKP on \
             Ed25519, or RSA of 2048 to 8192 bits, each for a signature algorithm",
        )
    };
    let set: Set = serde_json::from_str(&text).map_err(|_| wrong())?;
    if !(1..=8).contains(&set.keys.len()) {
        return Err(wrong());
    }
    let read = |key: serde_json::Value| {
        let is_private = Jwk::PRIVATE.iter().any(|member| key.get(member).is_some());
        let key: Jwk = serde_json::from_value(key).ok()?;
        let algorithm = key.algorithm()?;
        let usable = VerifyingKey::from_jwk(algorithm, &key).is_ok();
        (usable && !is_private).then_some(key)
    };
    set.keys.into_iter().map(read).collect::<Option<_>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_could_mean_is_refused() {
        let scopes = |name: &str| {
            [Scope::try_from(name.to_owned()).unwrap()].into_iter().collect::<Scopes>()
        };
        let plain = RegistrationSettings::default;
        assert_eq!(plain().check(), Ok(()));
        for (settings, name) in [
            (RegistrationSettings { templates: false, metadata: false, ..plain() }, "templates"),
            (RegistrationSettings { scopes: scopes("dcr"), ..plain() }, "scopes"),
            (RegistrationSettings { scopes: scopes("dcrm"), ..plain() }, "scopes"),
            (RegistrationSettings { scopes: scopes("Castellan:*"), ..plain() }, "scopes"),
            (RegistrationSettings { scopes: scopes("Castellan:User:Read"), ..plain() }, "scopes"),
            (RegistrationSettings { max_clients: 0, ..plain() }, "max_clients"),
            (RegistrationSettings { max_per_client: 0, ..plain() }, "max_per_client"),
            (
                RegistrationSettings { require_software_statement: true, ..plain() },
                "require_software_statement",
            ),
        ] {
            assert_eq!(settings.check().unwrap_err().0, name);
        }
    }
}
