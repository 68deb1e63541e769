//! `TokenIntrospector` documents: how tokens of another issuer are verified
//! (`docs/contracts/aidbox.md` §2.7).

mod keys;

use castellan_proto::{
    FetchedUrl, Secret,
    jose::Algorithm,
    scope::{Scope, Scopes},
};
use serde::Deserialize;
use serde_json::{Value, json};

use keys::{KeyMember, check_secret, keep, read_keys, shown_key};

use super::{
    Facts, Problem, ReadDocument, Resource,
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{TokenIntrospector, Verification},
    secrets::policy::is_blank,
    store::Kind,
};

/// How tokens of another issuer are verified, at guards that list `foreign`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenIntrospectorDocument {
    /// What its tokens are.
    r#type: Type,
    /// Whose they are and, unless `jwks_uri` says where they are published, the keys; of `jwt` only.
    jwt: Option<JwtMember>,
    /// The URL of the issuer's key set (RFC 7517 §5); of `jwt` only.
    jwks_uri: Option<String>,
    /// The algorithms of the keys at `jwks_uri` that are used. Default: `ES256` and `RS256`.
    algorithms: Option<Vec<Algorithm>>,
    /// Where the issuer is asked about a token (RFC 7662); of `opaque` only.
    introspection_endpoint: Option<EndpointMember>,
    /// The `iss` that answers of the endpoint must have, if they have one; of `opaque` only.
    iss: Option<String>,
    /// The audiences of which the `aud` of a token must have one: what the issuer calls this server
    /// or its APIs.
    audience: Option<Audience>,
    /// Whether tokens for any audience are taken, those for other servers among them. Default
    /// `false`.
    #[serde(default)]
    any_audience: bool,
    /// What tokens may do at most. Default: whatever they say, apart from Castellan's own rights.
    scope: Option<Vec<String>>,
    /// Whether each token acts for a person of this site: the one of its claim `box_user`, otherwise
    /// of `sub`. Default `required`.
    #[serde(default)]
    person: Person,
    /// Seconds that keys and answers are kept at most, 1 to 86400. Default 300.
    cache_ttl: Option<u64>,
    /// Refused: Castellan has no `IdentityProvider`.
    identity_provider: Option<Value>,
}

/// What tokens are.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Type {
    /// JWTs, verified by a key.
    Jwt,
    /// Texts that only their issuer understands.
    Opaque,
    /// Refused: cookies of ASP.NET.
    Aspxauth,
}

/// For whom tokens act.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Person {
    /// Each for a person of this site, who is active; others are not valid.
    #[default]
    Required,
    /// For nobody: callers have no person, whatever the token says.
    None,
}

/// One audience or several.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "must be a text, or a list of texts")]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Whose tokens they are, and by which keys they are verified.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct JwtMember {
    /// The `iss` of the tokens, byte for byte.
    iss: String,
    /// A shared secret for HS256, of 32 bytes or more; write-only.
    secret: Option<Secret>,
    /// Keys.
    keys: Option<Vec<KeyMember>>,
}

/// Where an issuer is asked.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct EndpointMember {
    /// The URL.
    url: String,
    /// The value of the header `Authorization` there; write-only. Left out, it is kept, unless the
    /// URL is another one.
    authorization: Option<Secret>,
}

/// Introspectors of one site at most: all of them are held in memory.
const MOST: u64 = 100;
/// Audiences, keys or scopes of one at most.
const MOST_ENTRIES: usize = 64;
/// Bytes of an issuer, an audience or a URL at most.
const MOST_TEXT: usize = 512;
/// Bytes of a secret at most.
const MOST_SECRET: usize = 4 * 1024;

impl Resource for TokenIntrospectorDocument {
    type Record = TokenIntrospector;

    const NAME: &'static str = "TokenIntrospector";
    const SECRET_MEMBERS: &'static [&'static str] = &["jwt", "introspection_endpoint"];

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, record: &TokenIntrospector) -> Value {
        let kind = if record.is_opaque() { "opaque" } else { "jwt" };
        let mut shown = json!({"resourceType": "TokenIntrospector", "id": id, "type": kind});
        match (&record.iss, record.is_opaque()) {
            (Some(iss), false) => shown["jwt"] = json!({"iss": iss}),
            (Some(iss), true) => shown["iss"] = json!(iss),
            (None, _) => {}
        }
        match &record.verification {
            Verification::Secret(_) => {}
            Verification::Keys(keys) => shown["jwt"]["keys"] = keys.iter().map(shown_key).collect(),
            Verification::JwksUri { uri, algorithms } => {
                shown["jwks_uri"] = json!(uri);
                shown["algorithms"] = json!(algorithms);
            }
            Verification::Endpoint { url, .. } => {
                shown["introspection_endpoint"] = json!({"url": url});
            }
        }
        if record.audience.is_empty() {
            shown["any_audience"] = json!(true);
        } else {
            shown["audience"] = json!(record.audience);
        }
        if let Some(scope) = &record.scope {
            shown["scope"] = json!(scope);
        }
        shown["person"] = json!(if record.has_person { "required" } else { "none" });
        shown["cache_ttl"] = json!(record.cache_ttl);
        shown
    }

    fn warnings(record: &TokenIntrospector) -> Vec<String> {
        let any = "any_audience: tokens that this issuer made for other servers are taken here, so \
                   that each of those servers can use what it is shown";
        record.audience.is_empty().then(|| any.to_owned()).into_iter().collect()
    }

    fn incarnation(_: &str, record: &TokenIntrospector) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn facts(id: &str, record: &TokenIntrospector) -> Facts {
        let name = record.iss.as_deref().unwrap_or(id).to_lowercase();
        Facts { name, created: record.created, modified: record.modified }
    }

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&TokenIntrospector>,
    ) -> Result<ReadDocument<TokenIntrospector>, Problem> {
        self.check_members()?;
        let (audience, scope) = (self.audience()?, self.scope()?);
        let cache_ttl = self.cache_ttl.unwrap_or(300);
        if !(1..=86_400).contains(&cache_ttl) {
            return wrong("cache_ttl must be from 1 to 86400 seconds");
        }
        let has_person = self.person == Person::Required;
        let kept = before.map(|before| &before.verification);
        let (iss, (verification, secret_changed)) = match self.r#type {
            Type::Opaque => {
                if let Some(iss) = &self.iss {
                    text("iss", iss)?;
                }
                (self.iss.clone(), self.endpoint(issuer, kept)?)
            }
            Type::Jwt | Type::Aspxauth => {
                let iss = self.jwt.as_ref().map(|jwt| jwt.iss.clone()).unwrap_or_default();
                text("jwt.iss", &iss)?;
                if iss == issuer.address().issuer {
                    return wrong(
                        "jwt.iss is this site itself; guards take its tokens by \"oauth\"",
                    );
                }
                (Some(iss), self.keys(issuer, kept)?)
            }
        };
        let now = issuer.now();
        if before.is_none() {
            let (repository, kind) = (issuer.repository(), Kind::TokenIntrospector);
            if repository.store().count(repository.site(), kind, now).await? >= MOST {
                return wrong(format!("a site has at most {MOST} introspectors"));
            }
        }
        let record = TokenIntrospector {
            iss,
            verification,
            audience,
            scope,
            has_person,
            cache_ttl,
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            created: before.map_or(now, |before| before.created),
            modified: now,
        };
        Ok(ReadDocument { record, secret_changed })
    }
}

fn wrong<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Text(text.into()))
}

/// Whether `value` is a name of its kind: an issuer or an audience.
fn text(member: &str, value: &str) -> Result<(), Problem> {
    if (1..=MOST_TEXT).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    wrong(format!("{member} must have 1 to {MOST_TEXT} ASCII characters, and no spaces"))
}

impl TokenIntrospectorDocument {
    /// Refuses what has no effect.
    fn check_members(&self) -> Result<(), Problem> {
        if self.r#type == Type::Aspxauth {
            return wrong("type: aspxauth is not supported; use \"jwt\" or \"opaque\"");
        }
        if self.identity_provider.is_some() {
            return wrong(
                "identity_provider has no effect, as there is no IdentityProvider; people are found \
                 by the claim box_user, otherwise by sub",
            );
        }
        let is_jwt = self.r#type == Type::Jwt;
        for (name, is_there, of_jwt) in [
            ("jwt", self.jwt.is_some(), true),
            ("jwks_uri", self.jwks_uri.is_some(), true),
            ("algorithms", self.algorithms.is_some(), true),
            ("introspection_endpoint", self.introspection_endpoint.is_some(), false),
            ("iss", self.iss.is_some(), false),
        ] {
            if is_there && of_jwt != is_jwt {
                let (here, there) = if is_jwt { ("jwt", "opaque") } else { ("opaque", "jwt") };
                let also = if name == "iss" { "; write jwt.iss" } else { "" };
                return wrong(format!(
                    "{name} has no effect with type: {here}, only with {there}{also}"
                ));
            }
        }
        if is_jwt && self.jwt.is_none() {
            return wrong("jwt.iss is missing: the issuer of the tokens");
        }
        Ok(())
    }

    fn audience(&self) -> Result<Vec<String>, Problem> {
        let names = match &self.audience {
            None if self.any_audience => return Ok(Vec::new()),
            None => {
                return wrong(
                    "audience is missing: what the issuer calls this server in the aud of its \
                     tokens. Without it, tokens for other servers would be taken here; \
                     any_audience: true says that they are to be",
                );
            }
            Some(_) if self.any_audience => {
                return wrong(
                    "audience has no effect beside any_audience: true; remove one of them",
                );
            }
            Some(Audience::One(name)) => std::slice::from_ref(name),
            Some(Audience::Several(names)) => names,
        };
        if names.is_empty() || names.len() > MOST_ENTRIES {
            return wrong(format!("audience must have 1 to {MOST_ENTRIES} entries"));
        }
        names.iter().try_for_each(|name| text("audience", name))?;
        Ok(names.to_vec())
    }

    fn scope(&self) -> Result<Option<Scopes>, Problem> {
        let Some(written) = &self.scope else { return Ok(None) };
        if written.is_empty() || written.len() > MOST_ENTRIES {
            return wrong(format!("scope must have 1 to {MOST_ENTRIES} entries"));
        }
        let read = |text: &String| {
            let scope = Scope::try_from(text.clone()).map_err(|why| format!("scope: {why}"))?;
            match &scope {
                Scope::Pattern(pattern) if pattern.reaches_own_rights() => Err(format!(
                    "scope: {text:?}: no token of another issuer has Castellan's own rights"
                )),
                _ => Ok(scope),
            }
        };
        Ok(Some(written.iter().map(read).collect::<Result<_, String>>()?))
    }

    /// Where opaque tokens are asked about. What was kept is sent nowhere else than before.
    fn endpoint(
        &self,
        issuer: &Issuer,
        before: Option<&Verification>,
    ) -> Result<(Verification, bool), Problem> {
        let Some(EndpointMember { url, authorization }) = &self.introspection_endpoint else {
            return wrong("introspection_endpoint is missing");
        };
        check_url(issuer, "introspection_endpoint.url", url)?;
        let (kept, same_url) = match before {
            Some(Verification::Endpoint { url: earlier, authorization }) => {
                (authorization.as_deref(), earlier == url)
            }
            _ => (None, true),
        };
        let (authorization, changed) = match (authorization, kept) {
            (None, Some(_)) if !same_url => {
                return wrong(
                    "introspection_endpoint.authorization is missing: with another url it has to be \
                     written again, as what was stored is not sent elsewhere",
                );
            }
            (None, kept) => (kept.map(ToOwned::to_owned), false),
            (Some(written), kept) => {
                let is_good = |b: u8| (b' '..=b'~').contains(&b);
                let text = written.expose();
                if is_blank(written) || text.len() > MOST_SECRET || !text.bytes().all(is_good) {
                    return wrong(
                        "introspection_endpoint.authorization must be the value of a header, such \
                         as \"Basic …\", in ASCII",
                    );
                }
                let (kept, changed) = keep(issuer, written, kept)?;
                (Some(kept), changed)
            }
        };
        Ok((Verification::Endpoint { url: url.clone(), authorization }, changed))
    }

    /// By which keys JWTs are verified.
    fn keys(
        &self,
        issuer: &Issuer,
        before: Option<&Verification>,
    ) -> Result<(Verification, bool), Problem> {
        let jwt = self.jwt.as_ref();
        let secret = jwt.and_then(|jwt| jwt.secret.as_ref());
        let keys = jwt.and_then(|jwt| jwt.keys.as_ref());
        if self.algorithms.is_some() && self.jwks_uri.is_none() {
            return wrong(
                "algorithms has no effect without jwks_uri: jwt.secret is for HS256, and each of \
                 jwt.keys has its alg",
            );
        }
        match (secret, &self.jwks_uri, keys, before) {
            (Some(written), None, None, before) => {
                check_secret("jwt.secret", written)?;
                let kept = match before {
                    Some(Verification::Secret(kept)) => Some(kept.as_str()),
                    _ => None,
                };
                let (kept, changed) = keep(issuer, written, kept)?;
                Ok((Verification::Secret(kept), changed))
            }
            (None, Some(uri), None, _) => {
                check_url(issuer, "jwks_uri", uri)?;
                let default = || vec![Algorithm::Es256, Algorithm::Rs256];
                let algorithms = self.algorithms.clone().unwrap_or_else(default);
                if algorithms.is_empty() || algorithms.contains(&Algorithm::Hs256) {
                    return wrong(
                        "algorithms must name algorithms with public keys: ES256, EdDSA, PS256, \
                         RS256",
                    );
                }
                Ok((Verification::JwksUri { uri: uri.clone(), algorithms }, false))
            }
            (None, None, Some(keys), before) => {
                let kept = match before {
                    Some(Verification::Keys(kept)) => kept.as_slice(),
                    _ => &[],
                };
                read_keys(issuer, keys, kept)
            }
            (None, None, None, Some(Verification::Secret(kept))) => {
                Ok((Verification::Secret(kept.clone()), false))
            }
            _ => wrong("exactly one of jwt.secret, jwks_uri and jwt.keys must be set"),
        }
    }
}

/// Refuses a URL that would not be fetched: only https is, or what the configuration names.
fn check_url(issuer: &Issuer, member: &str, url: &str) -> Result<(), Problem> {
    let parts = FetchedUrl::read(url).filter(|_| url.len() <= MOST_TEXT);
    let Some(parts) = parts else {
        return wrong(format!(
            "{member} must be an https URL of at most {MOST_TEXT} bytes, without a user name and \
             without a fragment"
        ));
    };
    let is_named = issuer.settings().private_origins.contains(&parts.origin);
    if !parts.is_https && !is_named {
        return wrong(format!(
            "{member} must be https, unless security.private_origins names {:?}",
            parts.origin
        ));
    }
    if parts.is_private && !is_named {
        return wrong(format!(
            "{member} is in a private network, which is not reached unless \
             security.private_origins names {:?}",
            parts.origin
        ));
    }
    Ok(())
}
