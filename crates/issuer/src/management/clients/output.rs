//! A client as the Database Clients API shows it: the members of output types, with `__typename` for
//! those of unions (`docs/contracts/curity.md` §7.3).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::attributes::{Attributes, attributes};
use crate::{
    Issuer,
    records::{Client, GrantName, client_details::SYMMETRIC_KEYS, repository::Versioned},
    resources::{ClientDocument, Resource as _, unserved},
};

/// Types of `ClientAuthenticationVerifier` by the key of the input.
const VERIFIERS: [(&str, &str); 9] = [
    ("asymmetric", "AsymmetricKey"),
    ("credential_manager", "CredentialManager"),
    ("jwks_object", "Jwks"),
    ("jwks_uri", "JwksUriVerifier"),
    ("mutual_tls", "MutualTlsVerifier"),
    ("mutual_tls_by_proxy", "MutualTlsByProxyVerifier"),
    ("no_authentication", "NoAuthentication"),
    ("secret", "Secret"),
    ("symmetric", "SymmetricKey"),
];

/// Verifiers whose value is a member of its own in the output.
const NESTED: [&str; 4] = ["jwks_uri", "mutual_tls", "mutual_tls_by_proxy", "no_authentication"];

/// Types of `MutualTls` by the key of the input.
const MUTUAL_TLS: [(&str, &str); 8] = [
    ("dn", "DnMutualTls"),
    ("dns", "DnsMutualTls"),
    ("email", "EmailMutualTls"),
    ("ip", "IpMutualTls"),
    ("uri", "UriMutualTls"),
    ("pinned_certificate", "PinnedCertificate"),
    ("pinned_certificate_pem", "PinnedCertificatePem"),
    ("trusted_cas", "TrustedCaOnly"),
];

/// Types of `JwtSigning` by the key of the input.
const SIGNING: [(&str, &str); 4] = [
    ("asymmetric_key", "AsymmetricKey"),
    ("jwks", "JwksUri"),
    ("jwks_object", "Jwks"),
    ("symmetric_key", "SymmetricKey"),
];

/// Types of `ClientAttestation` by the key of the input, and the value of `type`.
const ATTESTATIONS: [(&str, &str, &str); 4] = [
    ("android", "AndroidAttestation", "ANDROID"),
    ("ios", "IosAttestation", "IOS"),
    ("web", "WebAttestation", "WEB"),
    ("no_attestation", "NoAttestation", "DISABLE"),
];

/// The values of `type` of capabilities.
const CAPABILITIES: [(&str, &str); 11] = [
    ("assertion", "ASSERTION"),
    ("assisted_token", "ASSISTED_TOKEN"),
    ("backchannel", "BACKCHANNEL_AUTHENTICATION"),
    ("client_credentials", "CLIENT_CREDENTIALS"),
    ("code", "CODE"),
    ("haapi", "HAAPI"),
    ("implicit", "IMPLICIT"),
    ("introspection", "INTROSPECTION"),
    ("oauth_token_exchange", "OAUTH_TOKEN_EXCHANGE"),
    ("resource_owner_password", "ROPC"),
    ("token_exchange", "TOKEN_EXCHANGE"),
];

/// How clients are shown.
pub(super) struct Showing<'a> {
    pub(super) issuer: &'a Issuer,
    /// The tags that clients may carry.
    pub(super) tags: &'a BTreeMap<String, String>,
    /// Symmetric keys are shown.
    pub(super) opens_keys: bool,
}

impl Showing<'_> {
    /// The client as the API shows it.
    pub(super) fn client(&self, stored: &Versioned<Client>) -> Value {
        let (id, client) = (&stored.id, &stored.body);
        let mut shown = attributes(client, self.issuer.settings());
        if self.opens_keys {
            self.open(&mut shown);
        }
        let settings = self.issuer.settings();
        let facts = ClientDocument::facts(id, client);
        let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        set("client_id", json!(id));
        set("owner", json!(client.details.owner.as_deref().unwrap_or_default()));
        set(
            "meta",
            json!({
                "created": facts.created,
                "lastModified": facts.modified.max(facts.created),
                "warnings": self.warnings(id, client),
            }),
        );
        shown
            .entry("access_token_ttl".to_owned())
            .or_insert_with(|| json!(settings.access_seconds(client.profile)));
        for name in ["tags", "scopes", "audiences", "redirect_uris", "allowed_origins"] {
            shown.entry(name.to_owned()).or_insert_with(|| json!([]));
        }
        for (name, default) in [
            ("subject_type", json!("public")),
            ("require_secured_authorization_response", json!(false)),
            ("properties", json!({})),
        ] {
            shown.entry(name.to_owned()).or_insert(default);
        }
        if let Some(Value::Object(token)) = shown.get_mut("id_token") {
            let seconds = settings.id_token.get().as_secs();
            token.entry("id_token_ttl").or_insert_with(|| json!(seconds));
        }
        finish(&mut shown);
        Value::Object(shown)
    }

    fn open(&self, shown: &mut Attributes) {
        for path in SYMMETRIC_KEYS {
            let sealed = unserved::at(shown, path).and_then(Value::as_str);
            let opened = sealed.and_then(|sealed| self.issuer.open_secret(sealed).ok());
            if let Some(opened) = opened {
                unserved::set(shown, path, json!(opened.expose()));
            }
        }
    }

    /// What is to be said of the client; none if there is nothing (`docs/contracts/curity.md` §7.5).
    fn warnings(&self, id: &str, client: &Client) -> Option<BTreeMap<String, String>> {
        let details = &client.details;
        let mut found = unserved::warnings(&details.unserved);
        let password = "capabilities.resource_owner_password";
        let is_asked = unserved::at(&details.unserved, password).is_some();
        if is_asked && !client.grants.has(&GrantName::PASSWORD) {
            let text = "the password grant is for clients that an administrator made first-party";
            found.insert(password.to_owned(), text.to_owned());
        }
        let unknown: Vec<_> =
            details.tags.iter().filter(|tag| !self.tags.contains_key(*tag)).cloned().collect();
        if !unknown.is_empty() {
            let text = format!("these tags are not configured: {}", unknown.join(", "));
            found.insert("tags".to_owned(), text);
        }
        let longest = self.issuer.settings().refresh_longest.map(|longest| longest.get().as_secs());
        let idle = client.grants.settings().filter_map(|grant| grant.refresh?.idle_seconds).max();
        if let (Some(longest), Some(idle)) = (longest, idle)
            && idle > longest
        {
            let text =
                format!("this server lets refresh tokens lie unused for {longest} seconds: {idle}");
            found.insert("refresh_token.refresh_token_ttl".to_owned(), text);
        }
        let now = self.issuer.now();
        if let Some(previous) = client.previous_secret.as_ref().filter(|one| now < one.until) {
            let text =
                format!("the secret before this one is valid until {}", previous.until.rfc3339());
            found.insert("client_authentication.primary.secret".to_owned(), text);
        }
        let named = found.into_iter().map(|(path, text)| (path, format!("client {id}: {text}")));
        let found: BTreeMap<_, _> = named.collect();
        (!found.is_empty()).then_some(found)
    }
}

/// Puts defaults and types where output has them.
fn finish(shown: &mut Attributes) {
    if let Some(Value::Object(user)) = shown.get_mut("user_authentication") {
        complete(
            user,
            &json!({
                "allowed_authenticators": [], "authenticator_filters": [], "required_claims": [],
                "allowed_post_logout_redirect_uris": [], "context_info": "",
                "force_authentication": false,
            }),
        );
        if let Some(Value::Object(consent)) = user.get_mut("consent") {
            let defaults =
                json!({"allow_deselection": false, "only_consentors": false, "consentors": []});
            complete(consent, &defaults);
        }
    }
    if let Some(Value::Object(request)) = shown.get_mut("request_object") {
        complete(request, &json!({"allow_unsigned_for_by_value": false}));
        if let Some(Value::Object(reference)) = request.get_mut("by_reference") {
            complete(reference, &json!({"allow_unsigned_for": false, "allowed_request_urls": []}));
        }
    }
    if let Some(Value::Object(both)) = shown.get_mut("client_authentication") {
        for name in ["primary", "secondary"] {
            if let Some(input) = both.get(name).filter(|input| !input.is_null()) {
                let output = verifier(input);
                both.insert(name.to_owned(), output);
            }
        }
    }
    if let Some(Value::Object(all)) = shown.get_mut("capabilities") {
        for (name, kind) in CAPABILITIES {
            if let Some(Value::Object(one)) = all.get_mut(name) {
                capability(name, one);
                one.insert("type".to_owned(), json!(kind));
            }
        }
    }
}

fn complete(members: &mut Map<String, Value>, defaults: &Value) {
    for (name, value) in defaults.as_object().into_iter().flatten() {
        members.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// The member of the union `input` that is set.
fn member<'a>(
    input: &'a Value,
    types: &[(&'static str, &'static str)],
) -> Option<(&'static str, &'static str, &'a Value)> {
    types.iter().find_map(|(key, name)| {
        let value = input.get(key).filter(|value| !value.is_null())?;
        Some((*key, *name, value))
    })
}

fn typed(name: &str, value: &Value) -> Value {
    let mut output = value.clone();
    output["__typename"] = json!(name);
    output
}

fn verifier(input: &Value) -> Value {
    let Some((key, name, value)) = member(input, &VERIFIERS) else { return Value::Null };
    if !NESTED.contains(&key) {
        return typed(name, value);
    }
    let value = if key.starts_with("mutual_tls") { mutual_tls(value) } else { value.clone() };
    json!({"__typename": name, key: value})
}

fn mutual_tls(input: &Value) -> Value {
    match member(input, &MUTUAL_TLS) {
        Some(("trusted_cas", name, value)) => json!({"__typename": name, "trusted_cas": value}),
        Some((_, name, value)) => typed(name, value),
        None => Value::Null,
    }
}

fn capability(name: &str, one: &mut Map<String, Value>) {
    match name {
        "assertion" => {
            let Some(Value::Object(jwt)) = one.get_mut("jwt") else { return };
            complete(jwt, &json!({"allow_reuse": false}));
            let signing = jwt.get("signing").and_then(|signing| member(signing, &SIGNING));
            if let Some((_, name, value)) = signing {
                let output = typed(name, value);
                jwt.insert("signing".to_owned(), output);
            }
        }
        "backchannel" => complete(one, &json!({"allowed_backchannel_authenticators": []})),
        "haapi" => {
            let defaults =
                json!({"use_legacy_dpop": false, "issue_token_bound_authorization_code": false});
            complete(one, &defaults);
            let input = one.get("client_attestation").cloned().unwrap_or_default();
            let found = ATTESTATIONS.iter().find_map(|(key, name, kind)| {
                let value = input.get(key).filter(|value| !value.is_null())?;
                let mut output = typed(name, value);
                output["type"] = json!(kind);
                Some(output)
            });
            let none = || json!({"__typename": "NoAttestation", "type": "DISABLE"});
            one.insert("client_attestation".to_owned(), found.unwrap_or_else(none));
        }
        _ => {}
    }
}
