//! `ApiCredential` and `AuthKey` documents (`docs/contracts/decidim.md` §8.2,
//! `docs/contracts/trompa.md` §7.1).

use std::collections::BTreeMap;

use castellan_proto::{
    Secret, Timestamp, random,
    scope::{Scope, Scopes},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Facts, How, Parameter, Problem, ReadDocument, Resource,
    previous_secret::AskedPrevious,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{ApiCredential, AuthKey, login_name, network},
    secrets::policy::has_invisible,
};

/// A machine user.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiCredentialDocument {
    name: String,
    secret: Option<Secret>,
    #[serde(default)]
    scope: Scopes,
    /// Seconds since the Unix epoch.
    expires: Option<Timestamp>,
    /// Addresses and networks from which it may sign in and call.
    #[serde(default)]
    addresses: Vec<String>,
    /// Read-only; assigned when the record is created.
    number: Option<u64>,
    /// Seconds since the Unix epoch until which the secret before this one is valid too.
    previous_secret_until: Option<Timestamp>,
    /// Read-only.
    #[serde(rename = "used")]
    _used: Option<Timestamp>,
}

impl Resource for ApiCredentialDocument {
    type Record = ApiCredential;

    const NAME: &'static str = "ApiCredential";
    const PREFIX: &'static str = "apicredential/";
    const SECRET_MEMBERS: &'static [&'static str] = &["secret"];
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "name", paths: &["name"], how: How::Text }];
    const SCOPE_MEMBER: Option<&'static str> = Some("scope");
    const SECRETS: Option<fn(&ApiCredential) -> Vec<String>> = Some(|user| {
        let previous = user.previous.iter().map(|previous| previous.secret.clone());
        previous.chain([user.secret.clone()]).collect()
    });

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &ApiCredential) -> Value {
        let mut shown = json!({
            "resourceType": "ApiCredential",
            "id": id,
            "name": record.name,
            "number": record.number,
            "scope": record.scope,
        });
        if let Some(expires) = record.expires {
            shown["expires"] = json!(expires);
        }
        if !record.addresses.is_empty() {
            shown["addresses"] = json!(record.addresses);
        }
        if let Some(previous) = &record.previous {
            shown["previous_secret_until"] = json!(previous.until);
        }
        if let Some(used) = record.used {
            shown["used"] = json!(used);
        }
        shown
    }

    fn incarnation(_: &str, record: &ApiCredential) -> String {
        format!("{:x}", record.number)
    }

    fn facts(_: &str, record: &ApiCredential) -> Facts {
        Facts { name: login_name(&record.name), created: record.created, modified: record.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&ApiCredential>,
    ) -> Result<ReadDocument<ApiCredential>, Problem> {
        if self.name.trim().is_empty() || self.name.len() > 256 {
            return Err(Problem::Text("name must have 1 to 256 characters".to_owned()));
        }
        if has_invisible(&self.name) {
            let text = "name must not contain control characters or ones that cannot be seen";
            return Err(Problem::Text(text.to_owned()));
        }
        let (secret, changed) = match (&self.secret, before) {
            (None, Some(before)) => (before.secret.clone(), false),
            (None, None) => return Err(Problem::Text("secret is missing".to_owned())),
            (Some(secret), before) => {
                let kept = before.map(|before| before.secret.as_str());
                keep(issuer, secret, kept).await?
            }
        };
        let number = before.map_or_else(fresh_number, |before| before.number);
        if self.number.is_some_and(|written| written != number) {
            return Err(Problem::Text("number is assigned when the record is created".to_owned()));
        }
        let addresses: Result<Vec<_>, _> =
            self.addresses.iter().map(|text| network(text)).collect();
        let addresses = addresses.map_err(|problem| format!("addresses: {problem}"))?;
        let previous = AskedPrevious {
            until: self.previous_secret_until,
            kept: before.and_then(|before| before.previous.as_ref()),
            replaced: before.filter(|_| changed).map(|before| &*before.secret),
        };
        let mut record = ApiCredential {
            name: self.name,
            number,
            secret,
            previous: previous.read(issuer.now())?,
            scope: self.scope,
            expires: self.expires,
            addresses,
            used: before.and_then(|before| before.used),
            generation: before.map_or(0, |before| before.generation),
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
        };
        if changed && record.previous.is_none() {
            // A secret that is written anew stops the one before at once, and its tokens with it,
            // unless the document says until when that stays valid.
            record.generation = record.generation.saturating_add(1);
        }
        Ok(ReadDocument { record, secret_changed: changed })
    }
}

/// A number that hardly anybody else has; a unique name makes sure.
fn fresh_number() -> u64 {
    u64::from(u32::from_be_bytes(random()) >> 1)
}

/// An API key for `/jwt`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthKeyDocument {
    /// The secret.
    #[serde(rename = "apiKey")]
    api_key: Option<Secret>,
    /// Several secrets, while the key is being rotated.
    #[serde(rename = "apiKeys", default)]
    api_keys: Vec<Secret>,
    scopes: Scopes,
    /// Read-only: the number of secrets.
    #[serde(rename = "keys")]
    _keys: Option<usize>,
    /// Read-only.
    #[serde(rename = "used")]
    _used: Option<Timestamp>,
    /// Read-only: when each secret was last used, the oldest first.
    #[serde(rename = "keysUsed")]
    _keys_used: Option<Vec<Option<Timestamp>>>,
}

/// Secrets of one key at most: more is no rotation.
const MOST_SECRETS: usize = 8;

impl Resource for AuthKeyDocument {
    type Record = AuthKey;

    const NAME: &'static str = "AuthKey";
    const PREFIX: &'static str = "authkey/";
    const SECRET_MEMBERS: &'static [&'static str] = &["apiKey", "apiKeys"];
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "name", paths: &["id"], how: How::Text }];
    const SCOPE_MEMBER: Option<&'static str> = Some("scopes");
    const SECRETS: Option<fn(&AuthKey) -> Vec<String>> = Some(|key| key.secrets.clone());

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &AuthKey) -> Value {
        let mut shown = json!({"resourceType": "AuthKey", "id": id, "scopes": record.scopes});
        if record.secrets.len() > 1 {
            let used = record.secrets.iter().map(|secret| record.secrets_used.get(secret));
            shown["keysUsed"] = json!(used.collect::<Vec<_>>());
            shown["keys"] = json!(record.secrets.len());
        }
        if let Some(used) = record.used {
            shown["used"] = json!(used);
        }
        shown
    }

    fn incarnation(_: &str, record: &AuthKey) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn facts(id: &str, record: &AuthKey) -> Facts {
        Facts { name: login_name(id), created: record.created, modified: record.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&AuthKey>,
    ) -> Result<ReadDocument<AuthKey>, Problem> {
        if self.scopes.is_empty() {
            return Err(Problem::Text("scopes must contain at least one scope".to_owned()));
        }
        if let Some(named) = self.scopes.iter().find(|scope| matches!(scope, Scope::Named(_))) {
            return Err(Problem::Text(format!(
                "scopes: {named} is not of the form Operation:Type:Action"
            )));
        }
        let kept = before.map_or(&[][..], |before| &before.secrets);
        let written: Vec<Secret> = self.api_key.into_iter().chain(self.api_keys).collect();
        let secrets = match (&*written, before) {
            ([], Some(_)) => kept.to_vec(),
            ([], None) => return Err(Problem::Text("apiKey is missing".to_owned())),
            (written, _) => keep_all(issuer, written, kept).await?,
        };
        let changed = secrets != kept;
        let mut record = AuthKey {
            secrets: Vec::new(),
            secrets_used: before.map_or_else(BTreeMap::new, |before| before.secrets_used.clone()),
            scopes: self.scopes,
            used: before.and_then(|before| before.used),
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
        };
        record.set_secrets(secrets);
        Ok(ReadDocument { record, secret_changed: changed })
    }
}

/// The stored forms of `secrets`, each as it was `kept` if it was.
async fn keep_all(
    issuer: &Issuer,
    secrets: &[Secret],
    kept: &[String],
) -> Result<Vec<String>, Problem> {
    if secrets.len() > MOST_SECRETS {
        return Err(Problem::Text(format!("apiKeys: at most {MOST_SECRETS} are allowed")));
    }
    let mut stored: Vec<String> = Vec::new();
    for secret in secrets {
        let written = issuer.settings().secrets.secret(secret);
        let written = written.map_err(|why| format!("apiKey {why}"))?;
        let mut found = None;
        for one in kept {
            if issuer.secret_matches(secret, Some(one)).await? {
                found = Some(one.clone());
                break;
            }
        }
        let one = match found {
            Some(one) => one,
            None => issuer.keep_secret(&written).await?,
        };
        if !stored.contains(&one) {
            stored.push(one);
        }
    }
    Ok(stored)
}

/// The stored form of `secret`, and whether it is another than `kept`.
pub(crate) async fn keep(
    issuer: &Issuer,
    secret: &Secret,
    kept: Option<&str>,
) -> Result<(String, bool), Problem> {
    let written = issuer.settings().secrets.secret(secret);
    let written = written.map_err(|why| format!("secret {why}"))?;
    match kept {
        Some(kept) if issuer.secret_matches(secret, Some(kept)).await? => {
            Ok((kept.to_owned(), false))
        }
        _ => Ok((issuer.keep_secret(&written).await?, true)),
    }
}
