//! The `Client` document that says what attributes of the Database Clients API say
//! (`docs/contracts/curity.md` §7.3). What it does not name stays as it is: `/Client` has more
//! members, and settings by grant where the API has one for all.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value, json};

use super::{
    grants::Grants,
    writing::{Draft, Writing},
};

/// Attributes that are members of the document, and their names there.
const MEMBERS: [(&str, &str); 10] = [
    ("name", "name"),
    ("description", "description"),
    ("logo_uri", "logo_uri"),
    ("policy_uri", "policy_uri"),
    ("tos_uri", "tos_uri"),
    ("application_url", "uri"),
    ("tags", "tags"),
    ("properties", "properties"),
    ("scopes", "scope"),
    ("allowed_origins", "allowed_origins"),
];

/// Attributes that nothing here acts on.
const UNSERVED: [&str; 5] = [
    "claim_mapper_id",
    "redirect_uri_validation_policy_id",
    "request_object",
    "sector_identifier",
    "userinfo_signed_issuer_id",
];

/// Attributes of which one value is what happens: the subject type `public`, and `false` of the others.
const UNSERVED_UNLESS: [&str; 4] = [
    "allow_per_request_redirect_uris",
    "require_secured_authorization_response",
    "subject_type",
    "validate_port_on_loopback_interfaces",
];

/// Members of `user_authentication` that are members of the document.
const SIGNING_OUT: [(&str, &str, Option<&str>); 3] = [
    ("allowed_post_logout_redirect_uris", "post_logout_redirect_uris", None),
    (
        "backchannel_logout_uri",
        "backchannel_logout_uri",
        Some("backchannel_logout_session_required"),
    ),
    (
        "frontchannel_logout_uri",
        "frontchannel_logout_uri",
        Some("frontchannel_logout_session_required"),
    ),
];

impl Writing<'_> {
    /// The document, without `resourceType` and `id`.
    pub(super) fn document(&self) -> Value {
        let shown = self.before.and_then(|(shown, _)| shown.as_object()).cloned();
        let mut document = shown.unwrap_or_default();
        for name in ["resourceType", "id", "meta", "unserved"] {
            document.shift_remove(name);
        }
        let mut draft = Draft { document, unserved: Map::new(), writing: self };
        for (attribute, member) in MEMBERS {
            draft.set(member, self.value(attribute));
        }
        draft.status();
        draft.proof();
        let has_people = Grants::write(&mut draft);
        draft.redirects(has_people);
        draft.id_token(has_people);
        draft.user_authentication(has_people);
        draft.others();
        if !draft.unserved.is_empty() {
            draft.document.insert("unserved".to_owned(), Value::Object(draft.unserved));
        }
        Value::Object(draft.document)
    }
}

impl Draft<'_> {
    fn status(&mut self) {
        let status = self.writing.value("status").and_then(Value::as_str).unwrap_or("ACTIVE");
        let (is_active, is_revoked) = (status == "ACTIVE", status == "REVOKED");
        self.set("active", (!is_active).then_some(&json!(false)));
        self.set("revoked", is_revoked.then_some(&json!(true)));
    }

    /// How it proves who it is. A secret that is written as it is stored is left out, as what is left
    /// out stays.
    fn proof(&mut self) {
        let writing = self.writing;
        let primary = writing.member("client_authentication", "primary");
        let same = writing.proof_before() == primary;
        let kind = if writing.has_proof() { "confidential" } else { "public" };
        self.set("type", Some(&json!(kind)));
        let jwks = self.document.shift_remove("jwks");
        let Some(primary) = primary else { return };
        if let Some(secret) = primary.get("secret").and_then(|secret| secret.get("secret")) {
            if !same {
                self.document.insert("secret".to_owned(), secret.clone());
            }
        } else if let Some(object) = primary.get("jwks_object") {
            let text = object.get("jwks").and_then(Value::as_str).unwrap_or_default();
            let read = || read_jwks(text).unwrap_or_default();
            let jwks = jwks.filter(|_| same).unwrap_or_else(read);
            self.document.insert("jwks".to_owned(), jwks);
        } else if primary.get("no_authentication").is_none() {
            self.note(&["client_authentication", "primary"], primary);
        }
        for name in ["secondary", "secondary_verifier_expiration"] {
            if let Some(value) = writing.member("client_authentication", name) {
                self.note(&["client_authentication", name], value);
            }
        }
    }

    /// Where people are sent, where any are.
    fn redirects(&mut self, has_people: bool) {
        let uris = self.writing.value("redirect_uris");
        if has_people {
            return self.set("redirect_uris", uris);
        }
        self.set("redirect_uris", None);
        let uris = uris.filter(|uris| uris.as_array().is_some_and(|uris| !uris.is_empty()));
        if let Some(uris) = uris {
            self.note(&["redirect_uris"], uris);
        }
    }

    fn id_token(&mut self, has_people: bool) {
        let writing = self.writing;
        let seconds = writing.member("id_token", "id_token_ttl");
        self.set("id_token_expiration", seconds.filter(|_| has_people));
        if let Some(seconds) = seconds.filter(|_| !has_people) {
            self.note(&["id_token", "id_token_ttl"], seconds);
        }
        if let Some(encryption) = writing.member("id_token", "id_token_encryption") {
            self.note(&["id_token", "id_token_encryption"], encryption);
        }
    }

    fn user_authentication(&mut self, has_people: bool) {
        let writing = self.writing;
        for (name, member, dependent) in SIGNING_OUT {
            let value = writing.member("user_authentication", name);
            let value = value.filter(|value| !is_default(value));
            self.set(member, value.filter(|_| has_people));
            if let Some(dependent) = dependent.filter(|_| value.is_none() || !has_people) {
                self.document.shift_remove(dependent);
            }
            if let Some(value) = value.filter(|_| !has_people) {
                self.note(&["user_authentication", name], value);
            }
        }
        let all = writing.value("user_authentication").and_then(Value::as_object);
        for (name, value) in all.into_iter().flatten() {
            let is_served = SIGNING_OUT.iter().any(|(served, ..)| served == name);
            if is_served || name == "consent" || is_default(value) {
                continue;
            }
            self.note(&["user_authentication", name], value);
        }
        let consent = writing.member("user_authentication", "consent").and_then(Value::as_object);
        for (name, value) in consent.into_iter().flatten().filter(|(_, value)| !is_default(value)) {
            self.note(&["user_authentication", "consent", name], value);
        }
    }

    fn others(&mut self) {
        for name in UNSERVED {
            if let Some(value) = self.writing.value(name) {
                self.note(&[name], value);
            }
        }
        for name in UNSERVED_UNLESS {
            let served = if name == "subject_type" { json!("public") } else { json!(false) };
            if let Some(value) = self.writing.value(name).filter(|value| **value != served) {
                self.note(&[name], value);
            }
        }
    }
}

/// Whether `value` asks for nothing.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// A JWK Set in base64.
pub(super) fn read_jwks(text: &str) -> Option<Value> {
    let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?;
    castellan_proto::strict_json::read(&bytes).ok().filter(Value::is_object)
}
