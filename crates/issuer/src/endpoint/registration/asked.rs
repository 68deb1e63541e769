//! What a client asks to be registered as (RFC 7591 §2, OpenID Connect Registration 1.0 §2), and the
//! document that says so. What is not understood is left out (RFC 7591 §2); what is understood and
//! could not hold is refused, so that nobody believes in it.

use castellan_proto::{
    FetchedUrl,
    jose::{Algorithm, Jwk},
    strict_json,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{error::RegistrationError, redirects};
use crate::{
    Issuer,
    grant::DEVICE_CODE,
    records::registration::look,
    resources::{is_logo, is_page},
    secrets::policy::has_invisible,
};

/// The members that are understood. Those of which only one value holds are in [`FIXED`].
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    contacts: Option<Vec<String>>,
    application_type: Option<ApplicationType>,
    redirect_uris: Vec<String>,
    post_logout_redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    pub(super) scope: Option<String>,
    token_endpoint_auth_method: Option<String>,
    token_endpoint_auth_signing_alg: Option<String>,
    jwks: Option<Value>,
    software_version: Option<String>,
    id_token_signed_response_alg: Option<String>,
    userinfo_signed_response_alg: Option<String>,
    introspection_signed_response_alg: Option<String>,
    dpop_bound_access_tokens: bool,
    require_pushed_authorization_requests: bool,
    default_max_age: Option<u64>,
    allowed_origins: Vec<String>,
    backchannel_logout_uri: Option<String>,
    backchannel_logout_session_required: Option<bool>,
    frontchannel_logout_uri: Option<String>,
    frontchannel_logout_session_required: Option<bool>,
}

/// Whether browsers or the device itself are sent to its redirect URIs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ApplicationType {
    #[default]
    Web,
    Native,
}

/// Members of [`Asked`], for clients that are made of a template.
pub(super) const MEMBERS: [&str; 27] = [
    "client_name",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "contacts",
    "application_type",
    "redirect_uris",
    "post_logout_redirect_uris",
    "grant_types",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "jwks",
    "software_version",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "dpop_bound_access_tokens",
    "require_pushed_authorization_requests",
    "default_max_age",
    "allowed_origins",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
];

/// Members of which this server has one value, and what to do about another.
const FIXED: [(&str, &[Fixed], &str); 27] = [
    (
        "subject_type",
        &[Fixed::Text("public")],
        "subjects are the same for every client; leave it out",
    ),
    ("sector_identifier_uri", &[], "subjects are the same for every client; leave it out"),
    ("jwks_uri", &[], "keys are not fetched; send them as jwks"),
    ("request_uris", &[Fixed::Empty], "requests are pushed (RFC 9126); leave it out"),
    ("request_object_signing_alg", &[], "request objects are not supported; push requests instead"),
    ("request_object_encryption_alg", &[], "request objects are not supported; leave it out"),
    ("request_object_encryption_enc", &[], "request objects are not supported; leave it out"),
    ("require_signed_request_object", &[Fixed::No], "request objects are not supported"),
    ("id_token_encrypted_response_alg", &[], "tokens are not encrypted; leave it out"),
    ("id_token_encrypted_response_enc", &[], "tokens are not encrypted; leave it out"),
    ("userinfo_encrypted_response_alg", &[], "answers are not encrypted; leave it out"),
    ("userinfo_encrypted_response_enc", &[], "answers are not encrypted; leave it out"),
    ("introspection_encrypted_response_alg", &[], "answers are not encrypted; leave it out"),
    ("introspection_encrypted_response_enc", &[], "answers are not encrypted; leave it out"),
    ("authorization_signed_response_alg", &[], "answers of this endpoint are not signed"),
    ("authorization_encrypted_response_alg", &[], "answers are not encrypted; leave it out"),
    ("authorization_encrypted_response_enc", &[], "answers are not encrypted; leave it out"),
    ("tls_client_certificate_bound_access_tokens", &[Fixed::No], "use dpop_bound_access_tokens"),
    ("tls_client_auth_subject_dn", &[], "clients do not authenticate by certificates"),
    ("tls_client_auth_san_dns", &[], "clients do not authenticate by certificates"),
    ("tls_client_auth_san_uri", &[], "clients do not authenticate by certificates"),
    ("tls_client_auth_san_ip", &[], "clients do not authenticate by certificates"),
    ("tls_client_auth_san_email", &[], "clients do not authenticate by certificates"),
    ("backchannel_token_delivery_mode", &[], "there is no backchannel authentication (CIBA)"),
    ("backchannel_client_notification_endpoint", &[], "there is no backchannel authentication"),
    (
        "backchannel_authentication_request_signing_alg",
        &[],
        "there is no backchannel authentication",
    ),
    ("allow_per_request_redirect_uris", &[Fixed::No], "register every redirect URI"),
];

/// The value of a member of which there is one.
#[derive(Clone, Copy)]
enum Fixed {
    Text(&'static str),
    No,
    Empty,
}

impl Fixed {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value == text,
            Self::No => value == false,
            Self::Empty => value.as_array().is_some_and(Vec::is_empty),
        }
    }
}

/// Ways for a client to prove who it is.
const AUTH_METHODS: [&str; 4] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
/// Entries of a list at most, and bytes of one.
const MOST: usize = 32;
const LONGEST: usize = 2_048;
/// Characters of the name at most, and of a short text.
const LONGEST_NAME: usize = 100;
const LONGEST_TEXT: usize = 256;

fn wrong<T>(text: impl Into<String>) -> Result<T, RegistrationError> {
    Err(RegistrationError::Metadata(text.into()))
}

impl Asked {
    /// Reads `members`.
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, RegistrationError> {
        for (name, allowed, why) in FIXED {
            let Some(value) = members.get(name) else { continue };
            if !allowed.iter().any(|fixed| fixed.is(value)) {
                return wrong(format!("{name}: {why}"));
            }
        }
        if members.get("default_max_age").is_some_and(|seconds| !seconds.is_u64()) {
            return wrong("default_max_age: must be a whole number of seconds");
        }
        strict_json::parse(Value::Object(members.clone())).map_err(RegistrationError::Metadata)
    }

    /// Its name, if it has one that people can tell from others.
    pub(super) fn check_name(member: &str, name: &str) -> Result<(), RegistrationError> {
        let is_good = name.chars().count() <= LONGEST_NAME
            && name.trim() == name
            && !has_invisible(name)
            && look(name).is_some();
        if is_good {
            return Ok(());
        }
        wrong(format!(
            "{member}: must have letters or digits, at most {LONGEST_NAME} visible characters, and \
             no blanks at its ends"
        ))
    }

    /// How it is to prove who it is.
    pub(super) fn auth_method(&self) -> Result<&'static str, RegistrationError> {
        let asked = self.token_endpoint_auth_method.as_deref().unwrap_or(AUTH_METHODS[0]);
        let known = AUTH_METHODS.into_iter().find(|method| *method == asked);
        known.map_or_else(
            || wrong("token_endpoint_auth_method: must be client_secret_basic, client_secret_post, private_key_jwt or none"),
            Ok,
        )
    }

    /// The document of the client, without its scopes and its secret.
    pub(super) fn document(
        &self,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, RegistrationError> {
        let method = self.auth_method()?;
        self.check_bounds()?;
        self.check_keys(method)?;
        self.check_algorithms()?;
        let native = self.application_type() == ApplicationType::Native;
        redirects::check("redirect_uris", &self.redirect_uris, native)
            .map_err(RegistrationError::RedirectUri)?;
        redirects::check("post_logout_redirect_uris", &self.post_logout_redirect_uris, native)
            .map_err(RegistrationError::Metadata)?;
        redirects::check_origins(&self.allowed_origins, &self.redirect_uris)
            .map_err(RegistrationError::Metadata)?;
        self.check_pages()?;
        self.check_logout(issuer)?;
        redirects::check_front_channel(
            self.frontchannel_logout_uri.as_deref(),
            &self.redirect_uris,
        )
        .map_err(RegistrationError::Metadata)?;
        let grants = self.grant_types(issuer)?;
        let has_code = grants.iter().any(|grant| grant == "authorization_code");
        if has_code && self.redirect_uris.is_empty() {
            let text = "redirect_uris: at least one is required for the authorization_code grant";
            return Err(RegistrationError::RedirectUri(text.to_owned()));
        }
        let shown = json!({
            "name": self.client_name,
            "uri": self.client_uri,
            // Pages load no image from elsewhere, so an address is not registered.
            "logo_uri": self.logo_uri.as_deref().filter(|logo| is_logo(logo)),
            "tos_uri": self.tos_uri,
            "policy_uri": self.policy_uri,
            "redirect_uris": self.redirect_uris,
            "post_logout_redirect_uris": self.post_logout_redirect_uris,
            "allowed_origins": self.allowed_origins,
            "type": if method == "none" { "public" } else { "confidential" },
            "jwks": self.jwks,
            "id_token_signed_response_alg": self.id_token_signed_response_alg,
            "userinfo_signed_response_alg": self.userinfo_signed_response_alg,
            "introspection_signed_response_alg": self.introspection_signed_response_alg,
            "dpop_bound_access_tokens": self.dpop_bound_access_tokens,
            "require_pushed_authorization_requests": self.require_pushed_authorization_requests,
            "default_max_age": self.default_max_age,
            "backchannel_logout_uri": self.backchannel_logout_uri,
            "backchannel_logout_session_required": self.backchannel_logout_session_required,
            "frontchannel_logout_uri": self.frontchannel_logout_uri,
            "frontchannel_logout_session_required": self.frontchannel_logout_session_required,
            "auth": auth(issuer, &grants),
            "grant_types": grants,
        });
        let Value::Object(mut document) = shown else { return Ok(Map::new()) };
        let is_empty = |value: &Value| {
            value.is_null() || value == false || value.as_array().is_some_and(Vec::is_empty)
        };
        document.retain(|_, value| !is_empty(value));
        Ok(document)
    }

    /// What is registered and no member of the document holds.
    pub(super) fn kept(
        &self,
        members: &Map<String, Value>,
    ) -> Result<Map<String, Value>, RegistrationError> {
        let mut kept = Map::new();
        let native = self.application_type() == ApplicationType::Native;
        kept.insert("application_type".to_owned(), json!(if native { "native" } else { "web" }));
        for name in ["software_id", "software_version", "software_statement"] {
            if let Some(value) = members.get(name).filter(|value| value.is_string()) {
                kept.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(contacts) = &self.contacts {
            kept.insert("contacts".to_owned(), json!(contacts));
        }
        for name in ["token_endpoint_auth_method", "token_endpoint_auth_signing_alg"] {
            if let Some(value) = members.get(name) {
                kept.insert(name.to_owned(), value.clone());
            }
        }
        for (name, value) in members {
            let Some(language) = name.strip_prefix("client_name#") else { continue };
            let is_tag = (2..=35).contains(&language.len())
                && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let Some(text) = value.as_str().filter(|_| is_tag) else {
                return wrong("client_name#: must be a text, with a language tag after the sign");
            };
            Self::check_name("client_name#", text)?;
            kept.insert(name.clone(), value.clone());
        }
        if kept.len() > MOST {
            return wrong(format!("client_name#: at most {MOST} languages"));
        }
        Ok(kept)
    }

    fn application_type(&self) -> ApplicationType {
        self.application_type.unwrap_or_default()
    }

    /// Whether texts and lists are within their bounds.
    pub(super) fn check_bounds(&self) -> Result<(), RegistrationError> {
        if let Some(name) = &self.client_name {
            Self::check_name("client_name", name)?;
        }
        let contacts = self.contacts.as_deref().unwrap_or_default();
        for (name, list, longest) in [
            ("contacts", contacts, LONGEST_TEXT),
            ("redirect_uris", &self.redirect_uris, LONGEST),
            ("post_logout_redirect_uris", &self.post_logout_redirect_uris, LONGEST),
            ("allowed_origins", &self.allowed_origins, LONGEST),
        ] {
            let repeats = list.iter().enumerate().any(|(at, one)| list[..at].contains(one));
            if list.len() > MOST || repeats || list.iter().any(|one| one.len() > longest) {
                return wrong(format!(
                    "{name}: at most {MOST} entries, each once, of at most {longest} bytes"
                ));
            }
        }
        for (name, text) in [("software_version", &self.software_version), ("scope", &self.scope)] {
            if text.as_ref().is_some_and(|text| text.len() > LONGEST) {
                return wrong(format!("{name}: at most {LONGEST} bytes"));
            }
        }
        Ok(())
    }

    /// Keys go with the method that uses them, and are for the algorithm that is named.
    fn check_keys(&self, method: &str) -> Result<(), RegistrationError> {
        let by_key = method == "private_key_jwt";
        if by_key && self.jwks.is_none() {
            return wrong("jwks: is required for private_key_jwt");
        }
        if !by_key && self.jwks.is_some() {
            return wrong("jwks: has no effect without token_endpoint_auth_method private_key_jwt");
        }
        let Some(named) = &self.token_endpoint_auth_signing_alg else { return Ok(()) };
        let keys = self.jwks.as_ref().and_then(|set| set.get("keys")).and_then(Value::as_array);
        let is_for = |key: &Value| {
            let key: Option<Jwk> = serde_json::from_value(key.clone()).ok();
            key.and_then(|key| key.algorithm()).is_some_and(|one| one.as_str() == named)
        };
        if by_key && keys.is_some_and(|keys| keys.iter().all(is_for)) {
            return Ok(());
        }
        wrong("token_endpoint_auth_signing_alg: must be the algorithm of every key in jwks")
    }

    /// Answers are signed by keys of this server, which are public ones.
    fn check_algorithms(&self) -> Result<(), RegistrationError> {
        let known = Algorithm::ASYMMETRIC.map(Algorithm::as_str);
        for (name, algorithm) in [
            ("id_token_signed_response_alg", &self.id_token_signed_response_alg),
            ("userinfo_signed_response_alg", &self.userinfo_signed_response_alg),
            ("introspection_signed_response_alg", &self.introspection_signed_response_alg),
        ] {
            if algorithm.as_deref().is_some_and(|one| !known.contains(&one)) {
                return wrong(format!("{name}: must be one of {}", known.join(", ")));
            }
        }
        Ok(())
    }

    fn check_pages(&self) -> Result<(), RegistrationError> {
        for (name, uri) in [
            ("client_uri", &self.client_uri),
            ("tos_uri", &self.tos_uri),
            ("policy_uri", &self.policy_uri),
        ] {
            if uri.as_deref().is_some_and(|uri| !is_page(uri) || !uri.starts_with("https://")) {
                return wrong(format!("{name}: must be an https URL without a fragment"));
            }
        }
        let is_address = |logo: &str| is_page(logo) && logo.starts_with("https://");
        if self.logo_uri.as_deref().is_some_and(|logo| !is_logo(logo) && !is_address(logo)) {
            return wrong(
                "logo_uri: must be a data: URL of a GIF, JPEG, PNG or SVG image, or https",
            );
        }
        Ok(())
    }

    /// Where the server itself sends something must not be in its own network.
    fn check_logout(&self, issuer: &Issuer) -> Result<(), RegistrationError> {
        let Some(uri) = &self.backchannel_logout_uri else { return Ok(()) };
        let origins = &issuer.settings().private_origins;
        let is_good = FetchedUrl::read(uri)
            .is_some_and(|url| origins.contains(&url.origin) || (url.is_https && !url.is_private));
        if is_good {
            return Ok(());
        }
        wrong(
            "backchannel_logout_uri: must be an https URL at a public address, without a fragment",
        )
    }

    /// The grants, which have to go with the response types (RFC 7591 §2.1).
    fn grant_types(&self, issuer: &Issuer) -> Result<Vec<String>, RegistrationError> {
        let default = || vec!["authorization_code".to_owned()];
        let grants = self.grant_types.clone().unwrap_or_else(default);
        let served = |name: &String| {
            name != "password" && issuer.grants().iter().any(|grant| grant.name() == name)
        };
        if grants.is_empty() || grants.len() > MOST || !grants.iter().all(served) {
            return wrong(format!(
                "grant_types: must be some of authorization_code, refresh_token, \
                 client_credentials and {DEVICE_CODE}; the password grant is for clients of the \
                 server's own"
            ));
        }
        let has_code = grants.iter().any(|name| name == "authorization_code");
        let Some(types) = &self.response_types else { return Ok(grants) };
        if types.iter().any(|name| name != "code") {
            return wrong("response_types: only code is supported");
        }
        if has_code == types.is_empty() {
            return wrong("response_types: code goes with the authorization_code grant");
        }
        Ok(grants)
    }
}

/// How long refresh tokens of each of `grants` live, if it issues any.
fn auth(issuer: &Issuer, grants: &[String]) -> Value {
    let refreshes = grants.iter().any(|grant| grant == "refresh_token");
    if !refreshes {
        return Value::Null;
    }
    let seconds = issuer.settings().registration.refresh_token.get().as_secs();
    let named = issuer.grants().iter().filter(|grant| {
        grant.gives_refresh_tokens() && grants.iter().any(|name| name == grant.name())
    });
    let refresh = json!({"refresh_token": true, "refresh_token_expiration": seconds});
    let auth: Map<_, _> =
        named.filter_map(|grant| Some((grant.auth_name()?.to_owned(), refresh.clone()))).collect();
    Value::Object(auth)
}
