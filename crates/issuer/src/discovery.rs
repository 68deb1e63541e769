//! What clients can find out by themselves (RFC 8414, OIDC Discovery §3), computed from the
//! rosters, so that it cannot promise what is not served.

use serde_json::{Value, json};

use crate::{Issuer, grant::ROSTER};

impl Issuer {
    /// The metadata document. One for both well-known paths.
    #[must_use]
    pub fn metadata(&self) -> Value {
        let issuer = &*self.place().issuer;
        let at = |path: &str| format!("{issuer}{path}");
        let grants: Vec<_> = ROSTER.iter().map(|grant| grant.name()).collect();
        json!({
            "issuer": issuer,
            "authorization_endpoint": at("/auth/authorize"),
            "token_endpoint": at("/auth/token"),
            "userinfo_endpoint": at("/auth/userinfo"),
            "revocation_endpoint": at("/auth/revoke"),
            "introspection_endpoint": at("/auth/introspect"),
            "pushed_authorization_request_endpoint": at("/auth/par"),
            "require_pushed_authorization_requests": false,
            "end_session_endpoint": at("/auth/logout"),
            "jwks_uri": at("/.well-known/jwks.json"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": grants,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "revocation_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
            "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "RS256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email"],
            "claims_supported": [
                "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name",
                "preferred_username", "given_name", "family_name", "email", "email_verified",
            ],
            "prompt_values_supported": ["none", "login", "consent"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }
}
