//! What a client must be (`docs/contracts/curity.md` §7.4). Whatever is wrong is named by the dotted
//! path of its attribute.

use castellan_proto::{LogoutUri, RedirectUri, is_identifier, is_origin, scope::Scope};
use serde_json::Value;

use super::{
    ClientError,
    attributes::{Attributes, SHOWN},
    document::read_jwks,
    writing::Writing,
};
use crate::resources::{is_logo, is_page};

/// Characters of a name at most.
const LONGEST_NAME: usize = 128;
/// Entries of a list at most.
const MOST_ENTRIES: usize = 256;
/// Seconds of a lifetime at most: a year.
const LONGEST_LIFETIME: u64 = 31_536_000;
/// Bytes of all properties at most.
const LARGEST_PROPERTIES: usize = 32 * 1024;

/// Capabilities that a client must prove for who it is (`docs/contracts/curity.md` §7.4).
const NEED_PROOF: [&str; 6] = [
    "assertion",
    "backchannel",
    "client_credentials",
    "introspection",
    "token_exchange",
    "oauth_token_exchange",
];

/// What each kind of union is one member of.
const MUTUAL_TLS: &[&str] = &["mutual_tls", "mutual_tls_by_proxy"];

/// A rule that does not hold.
pub(super) fn invalid(field: &str, problem: &str) -> ClientError {
    ClientError::Invalid { field: field.to_owned(), problem: problem.to_owned() }
}

fn wrong<T>(field: &str, problem: &str) -> Result<T, ClientError> {
    Err(invalid(field, problem))
}

/// Checks an id that a client is to have.
pub(super) fn id(id: &str, field: &str) -> Result<(), ClientError> {
    if is_identifier(id) {
        return Ok(());
    }
    wrong(field, "must be 1 to 128 characters of A-Z a-z 0-9 . _ - @ + ~")
}

/// Checks all that is to be written.
pub(super) fn check(writing: &Writing<'_>) -> Result<(), ClientError> {
    texts(writing)?;
    lists(writing)?;
    lifetimes(writing)?;
    proofs(writing)?;
    capabilities(writing)?;
    combinations(writing)
}

fn text<'a>(writing: &'a Writing<'_>, name: &str) -> Option<&'a str> {
    writing.value(name).filter(|_| writing.changes(name)).and_then(Value::as_str)
}

fn texts(writing: &Writing<'_>) -> Result<(), ClientError> {
    if text(writing, "name").is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return wrong("name", "must have at most 128 characters");
    }
    if text(writing, "logo_uri").is_some_and(|uri| !is_logo(uri)) {
        return wrong("logo_uri", "must be a data: URL of a gif, jpeg, png or svg+xml image");
    }
    for name in ["policy_uri", "tos_uri", "application_url"] {
        if text(writing, name).is_some_and(|uri| !is_page(uri)) {
            return wrong(name, "must be an absolute http or https URL without a fragment");
        }
    }
    let properties = writing.value("properties").filter(|_| writing.changes("properties"));
    if properties.is_some_and(|map| map.to_string().len() > LARGEST_PROPERTIES) {
        return wrong("properties", "must have at most 32768 bytes");
    }
    let logout = |name: &str| writing.member("user_authentication", name).and_then(Value::as_str);
    for name in ["backchannel_logout_uri", "frontchannel_logout_uri"] {
        let uri = logout(name).filter(|uri| !uri.is_empty());
        if uri.is_some_and(|uri| LogoutUri::try_from(uri.to_owned()).is_err()) {
            let field = format!("user_authentication.{name}");
            return wrong(&field, "must be an absolute https URL without a fragment");
        }
    }
    Ok(())
}

/// A list of texts, its name, and what each must be.
type ListRule = (&'static str, &'static str, fn(&str) -> bool, &'static str);

const LISTS: [ListRule; 5] = [
    ("scopes", "", |text| Scope::try_from(text.to_owned()).is_ok(), "each must be a scope"),
    (
        "redirect_uris",
        "",
        |text| RedirectUri::try_from(text.to_owned()).is_ok(),
        "each must be an absolute URI without a fragment, and none that runs a script",
    ),
    (
        "user_authentication",
        "allowed_post_logout_redirect_uris",
        |text| RedirectUri::try_from(text.to_owned()).is_ok(),
        "each must be an absolute URI without a fragment, and none that runs a script",
    ),
    ("allowed_origins", "", is_origin, "each must be an origin such as https://app.example.org"),
    ("audiences", "", |text| !text.is_empty() && text.len() <= 1_024, "none must be empty or long"),
];

fn lists(writing: &Writing<'_>) -> Result<(), ClientError> {
    for (name, member, is_good, problem) in LISTS {
        if !writing.changes(name) {
            continue;
        }
        let (field, value) = match member {
            "" => (name.to_owned(), writing.value(name)),
            member => (format!("{name}.{member}"), writing.member(name, member)),
        };
        let Some(values) = value.and_then(Value::as_array) else { continue };
        if values.len() > MOST_ENTRIES {
            return wrong(&field, "must have at most 256 entries");
        }
        if !values.iter().all(|value| value.as_str().is_some_and(is_good)) {
            return wrong(&field, problem);
        }
    }
    Ok(())
}

fn lifetimes(writing: &Writing<'_>) -> Result<(), ClientError> {
    for (name, member, least) in [
        ("access_token_ttl", "", 1),
        ("id_token", "id_token_ttl", 1),
        ("refresh_token", "refresh_token_ttl", 0),
        ("refresh_token", "refresh_token_max_rolling_lifetime", 1),
        ("user_authentication", "freshness", 0),
        ("client_authentication", "secondary_verifier_expiration", 0),
    ] {
        let (field, value) = match member {
            "" => (name.to_owned(), writing.value(name)),
            member => (format!("{name}.{member}"), writing.member(name, member)),
        };
        let longest =
            if member == "secondary_verifier_expiration" { u64::MAX } else { LONGEST_LIFETIME };
        let is_good = |value: &Value| {
            value.as_u64().is_some_and(|seconds| (least..=longest).contains(&seconds))
        };
        if value.is_some_and(|value| !is_good(value)) {
            return wrong(&field, &format!("must be a number of seconds from {least}"));
        }
    }
    Ok(())
}

/// Whether `union` has exactly one member.
fn one(field: &str, union: &Value) -> Result<(), ClientError> {
    let members = union.as_object().map(|members| members.values());
    if members.is_some_and(|members| members.filter(|value| !value.is_null()).count() == 1) {
        return Ok(());
    }
    wrong(field, "must have exactly one member")
}

fn proofs(writing: &Writing<'_>) -> Result<(), ClientError> {
    for name in ["primary", "secondary"] {
        let Some(proof) = writing.member("client_authentication", name) else {
            if name == "primary" && writing.value("client_authentication").is_some() {
                return wrong("client_authentication.primary", "is missing");
            }
            continue;
        };
        let field = format!("client_authentication.{name}");
        one(&field, proof)?;
        for member in MUTUAL_TLS {
            if let Some(tls) = proof.get(member).filter(|tls| !tls.is_null()) {
                one(&format!("{field}.{member}"), tls)?;
            }
        }
        let jwks = proof.get("jwks_object").and_then(|object| object.get("jwks"));
        if jwks.is_some_and(|jwks| jwks.as_str().and_then(read_jwks).is_none()) {
            let field = format!("{field}.jwks_object");
            return wrong(&field, "must be a JWK Set in base64");
        }
        for (kind, member) in [("secret", "secret"), ("symmetric", "symmetric_key")] {
            let text = proof.get(kind).and_then(|proof| proof.get(member));
            if text.is_some_and(|text| text.as_str().is_none_or(str::is_empty)) {
                return wrong(&format!("{field}.{kind}"), "must not be empty");
            }
        }
        let secret = proof.get("secret").and_then(|proof| proof.get("secret"));
        let is_shown = secret.and_then(Value::as_str).is_some_and(|text| text.starts_with(SHOWN));
        if is_shown && writing.proof_before() != Some(proof) {
            let text = "stands for a secret that the client does not have; send the secret itself";
            return wrong(&format!("{field}.secret"), text);
        }
        let uri = proof.get("jwks_uri").and_then(|verifier| verifier.get("uri"));
        let is_https = |uri: &Value| {
            uri.as_str().is_some_and(|uri| uri.starts_with("https://") && is_page(uri))
        };
        if uri.is_some_and(|uri| !is_https(uri)) {
            return wrong(&format!("{field}.jwks_uri"), "must be an absolute https URL");
        }
    }
    Ok(())
}

fn capabilities(writing: &Writing<'_>) -> Result<(), ClientError> {
    let all = writing.value("capabilities").and_then(Value::as_object);
    let asked: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| &**name)
        .collect();
    let has = |name: &str| asked.contains(&name);
    if writing.changes("capabilities") && !asked.iter().any(|name| *name != "haapi") {
        return wrong("capabilities", "at least one besides haapi is needed");
    }
    if has("haapi") {
        if !has("code") {
            return wrong("capabilities.haapi", "needs the capability code");
        }
        if asked.iter().any(|name| !["haapi", "code", "implicit"].contains(name)) {
            return wrong(
                "capabilities.haapi",
                "cannot stand beside others than code and implicit",
            );
        }
        let attestation = writing
            .member("capabilities", "haapi")
            .and_then(|haapi| haapi.get("client_attestation"));
        let attestation = attestation.filter(|attestation| !attestation.is_null());
        if let Some(attestation) = attestation {
            one("capabilities.haapi.client_attestation", attestation)?;
        }
        let none = |attestation: &Value| {
            attestation.get("no_attestation").is_some_and(|none| !none.is_null())
        };
        if !writing.has_proof() && attestation.is_none_or(none) {
            let field = "capabilities.haapi.client_attestation";
            return wrong(field, "a public client needs an attestation");
        }
    }
    let signing =
        writing.member("capabilities", "assertion").and_then(|assertion| assertion.get("jwt"));
    if let Some(signing) = signing.and_then(|jwt| jwt.get("signing")) {
        one("capabilities.assertion.jwt.signing", signing)?;
    }
    if writing.has_proof() {
        return Ok(());
    }
    let field = "client_authentication.primary.no_authentication";
    if NEED_PROOF.into_iter().any(has) {
        return wrong(
            field,
            "is not allowed with these capabilities: the client must prove who it is",
        );
    }
    // The published migration program writes public clients of the other two as well.
    let begins = ["code", "implicit", "assisted_token"].into_iter().any(has);
    if writing.changes("capabilities") && !begins {
        return wrong(field, "is allowed only with the code flow");
    }
    Ok(())
}

fn is_empty(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_none_or(Vec::is_empty)
}

fn is_true(writing: &Writing<'_>, name: &str) -> bool {
    writing.value(name).and_then(Value::as_bool) == Some(true)
}

/// Rules about several attributes.
fn combinations(writing: &Writing<'_>) -> Result<(), ClientError> {
    let has = |name: &str| writing.member("capabilities", name).is_some();
    let scopes = writing.value("scopes").and_then(Value::as_array);
    let has_scope = |name: &str| scopes.is_some_and(|all| all.iter().any(|scope| scope == name));
    if has("code") && is_empty(writing.value("redirect_uris")) {
        return wrong("redirect_uris", "the capability code needs at least one");
    }
    if has("backchannel") && !has_scope("openid") {
        return wrong("capabilities.backchannel", "needs the scope openid");
    }
    if has("assisted_token") && is_empty(writing.value("allowed_origins")) {
        return wrong("allowed_origins", "the capability assisted_token needs at least one");
    }
    let is_pairwise = writing.value("subject_type").and_then(Value::as_str) == Some("pairwise");
    if is_pairwise && has("resource_owner_password") {
        return wrong("subject_type", "pairwise is not allowed with resource_owner_password");
    }
    let has_sector = writing.value("sector_identifier").is_some();
    if is_pairwise && !has_sector && is_empty(writing.value("redirect_uris")) {
        return wrong("subject_type", "pairwise needs a redirect URI or a sector_identifier");
    }
    if is_true(writing, "require_secured_authorization_response")
        && !(has("code") || has("implicit"))
    {
        let field = "require_secured_authorization_response";
        return wrong(field, "needs the capability code or implicit");
    }
    if is_true(writing, "allow_per_request_redirect_uris") {
        // It would let whoever can send a request choose where codes go.
        return wrong("allow_per_request_redirect_uris", "is not permitted on this server");
    }
    Ok(())
}

/// The attribute that the member `member` of a `Client` document is made of.
pub(super) fn field_of(member: &str) -> &'static str {
    match member {
        "name" => "name",
        "uri" => "application_url",
        "description" => "description",
        "logo_uri" => "logo_uri",
        "policy_uri" => "policy_uri",
        "tos_uri" => "tos_uri",
        "owner" => "owner",
        "tags" => "tags",
        "properties" => "properties",
        "scope" => "scopes",
        "redirect_uris" => "redirect_uris",
        "allowed_origins" => "allowed_origins",
        "post_logout_redirect_uris" => "user_authentication.allowed_post_logout_redirect_uris",
        "backchannel_logout_uri" => "user_authentication.backchannel_logout_uri",
        "frontchannel_logout_uri" => "user_authentication.frontchannel_logout_uri",
        "secret" => "client_authentication.primary.secret",
        "jwks" => "client_authentication.primary.jwks_object",
        "type" => "client_authentication.primary",
        "id_token_expiration" => "id_token.id_token_ttl",
        "access_token_expiration" => "access_token_ttl",
        "refresh_token_expiration" | "refresh_token_max_lifetime" | "refresh_token_rotation" => {
            "refresh_token"
        }
        "introspect" => "capabilities.introspection",
        "require_pushed_authorization_requests" => {
            "capabilities.code.require_pushed_authorization_request"
        }
        _ => "capabilities",
    }
}

/// The attributes by which a client gets at more than it could before, or is got at by others.
pub(super) fn gives_power(writing: &Writing<'_>) -> bool {
    const POWER: [&str; 7] = [
        "scopes",
        "capabilities",
        "client_authentication",
        "redirect_uris",
        "allowed_origins",
        "audiences",
        "user_authentication",
    ];
    POWER.into_iter().any(|name| writing.changes(name))
}

/// `before` with what `fields` says: what is null is removed, `properties` are merged by their keys
/// (`docs/contracts/curity.md` §0.1 item 7), and all else is replaced.
pub(super) fn merged(before: &Attributes, fields: &Attributes) -> Attributes {
    let mut after = before.clone();
    for (name, value) in fields {
        match (name.as_str(), value, after.get_mut(name)) {
            (_, Value::Null, _) => {
                after.shift_remove(name);
            }
            ("properties", Value::Object(changes), Some(Value::Object(properties))) => {
                for (key, value) in changes {
                    if value.is_null() {
                        properties.shift_remove(key);
                    } else {
                        properties.insert(key.clone(), value.clone());
                    }
                }
            }
            ("properties", Value::Object(changes), _) => {
                let kept = changes.iter().filter(|(_, value)| !value.is_null());
                let kept = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
                after.insert(name.clone(), Value::Object(kept));
            }
            _ => {
                after.insert(name.clone(), without_nulls(value));
            }
        }
    }
    after
}

/// `value` without what is null in it: a null is the same as nothing there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        value => value.clone(),
    }
}
