//! What clients can find out by themselves (RFC 8414, OIDC Discovery §3), computed from the
//! rosters, so that it cannot promise what is not served.

use castellan_proto::jose::Algorithm;
use serde_json::{Value, json};

use crate::{
    Issuer,
    records::{acr, claims::CLAIMS},
    resources::REGISTRATION_PATH as REGISTRATION,
    sign_in::second_factor::SecondFactor,
};

/// The members of the metadata that SMART App Launch §2.2 asks for.
const SMART: [&str; 11] = [
    "issuer",
    "jwks_uri",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "grant_types_supported",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
    "response_types_supported",
    "scopes_supported",
];

impl Issuer {
    /// What apps of SMART App Launch find out by themselves (`docs/contracts/aidbox.md` §11a): the
    /// same facts, and what they are called there.
    #[must_use]
    pub fn smart_configuration(&self) -> Value {
        let metadata = self.metadata();
        let members = SMART.iter().map(|name| ((*name).to_owned(), metadata[*name].clone()));
        let mut shown: serde_json::Map<_, _> = members.collect();
        let capabilities = [
            "client-public",
            "client-confidential-symmetric",
            "client-confidential-asymmetric",
            "sso-openid-connect",
        ];
        shown.insert("capabilities".to_owned(), json!(capabilities));
        shown.into()
    }

    /// The metadata document. One for both well-known paths.
    #[must_use]
    pub fn metadata(&self) -> Value {
        let issuer = &*self.address().issuer;
        let at = |path: &str| format!("{issuer}{path}");
        let algorithms = Algorithm::ASYMMETRIC.map(Algorithm::as_str);
        let grants: Vec<_> = self.grants().iter().map(|grant| grant.name()).collect();
        let mut metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": at("/auth/authorize"),
            "token_endpoint": at("/auth/token"),
            "userinfo_endpoint": at("/auth/userinfo"),
            "revocation_endpoint": at("/auth/revoke"),
            "introspection_endpoint": at("/auth/introspect"),
            "pushed_authorization_request_endpoint": at("/auth/par"),
            "device_authorization_endpoint": at("/auth/device"),
            "require_pushed_authorization_requests": false,
            "end_session_endpoint": at("/auth/logout"),
            "backchannel_logout_supported": true,
            "backchannel_logout_session_supported": true,
            "frontchannel_logout_supported": true,
            "frontchannel_logout_session_supported": true,
            "jwks_uri": at("/.well-known/jwks.json"),
            // Not registered: for APIs behind guards (`docs/identity.md`).
            "castellan_identity_jwks_uri": at("/.well-known/castellan-identity-jwks.json"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": grants,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
            "dpop_signing_alg_values_supported": algorithms,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "userinfo_signing_alg_values_supported": algorithms,
            "introspection_signing_alg_values_supported": algorithms,
            "scopes_supported":
                ["openid", "profile", "email", "address", "phone", "groups", "roles"],
            "claims_supported": claims(),
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": true,
            "acr_values_supported": self.classes(),
            "ui_locales_supported": self.settings().languages,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        if self.settings().registration.is_on() {
            metadata["registration_endpoint"] = json!(at(REGISTRATION));
        }
        metadata
    }

    /// The authentication context classes that can be asked for.
    fn classes(&self) -> Vec<&'static str> {
        [acr::PASSWORD].into_iter().chain(self.second_factors().map(SecondFactor::acr)).collect()
    }
}

/// The claims of ID tokens (OIDC Core §2), and those about a person.
fn claims() -> Vec<&'static str> {
    let of_tokens =
        ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "acr", "amr", "sid"];
    of_tokens.into_iter().chain(CLAIMS.map(|(claim, _)| claim)).collect()
}
