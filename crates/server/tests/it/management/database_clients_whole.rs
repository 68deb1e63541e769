//! Every attribute of a database client, written and read (`docs/contracts/curity.md` §7.3).

use serde_json::{Value, json};

use super::support::{GROUPS, asked, asked_with, data, serving, token_at};
use crate::support::{castellan::Castellan, fixtures::text};

const PATH: &str = "/admin/graphql/database-clients";

/// What the published migration program sends, with a selection of everything.
const CREATE: &str = "mutation createDatabaseClient($input: CreateDatabaseClientInput!) {
    createDatabaseClient(input: $input) {client {...Whole}}
}
fragment Whole on DatabaseClient {
    client_id name description logo_uri policy_uri tos_uri application_url owner status tags scopes
    audiences redirect_uris allowed_origins access_token_ttl claim_mapper_id
    userinfo_signed_issuer_id redirect_uri_validation_policy_id subject_type sector_identifier
    require_secured_authorization_response allow_per_request_redirect_uris
    validate_port_on_loopback_interfaces properties
    id_token {id_token_ttl id_token_encryption {
        encryption_key_id allowed_key_management_alg allowed_content_encryption_alg
    }}
    refresh_token {refresh_token_ttl refresh_token_max_rolling_lifetime reuse_refresh_tokens}
    request_object {allow_unsigned_for_by_value request_jwt_issuer
        request_jwt_signature_verification_key
        by_reference {allow_unsigned_for allowed_request_urls http_client_id}}
    user_authentication {allowed_authenticators authenticator_filters required_claims
        allowed_post_logout_redirect_uris context_info force_authentication freshness locale
        template_area frontchannel_logout_uri backchannel_logout_uri http_client_id
        consent {allow_deselection only_consentors consentors}}
    client_authentication {primary {...Verifier} secondary {...Verifier}
        secondary_verifier_expiration}
    capabilities {
        assertion {type jwt {allow_reuse issuer signing {__typename
            ... on AsymmetricKey {asymmetric_key_id} ... on Jwks {jwks} ... on JwksUri {uri}
            ... on SymmetricKey {symmetric_key}}}}
        assisted_token {type}
        backchannel {type allowed_backchannel_authenticators}
        client_credentials {type}
        code {type require_pushed_authorization_request proof_key {
            require_proof_key disallow_challenge_method_plain disallow_challenge_method_s256}}
        haapi {type use_legacy_dpop issue_token_bound_authorization_code client_attestation {__typename
            ... on AndroidAttestation {android: type package_names signature_fingerprints}
            ... on IosAttestation {ios: type app_id} ... on WebAttestation {web: type policy_id}
            ... on NoAttestation {none: type}}}
        implicit {type} introspection {type} oauth_token_exchange {type}
        resource_owner_password {type credential_manager_id} token_exchange {type}
    }
    meta {created lastModified warnings}
}
fragment Verifier on ClientAuthenticationVerifier {
    __typename
    ... on AsymmetricKey {asymmetric_key_id} ... on CredentialManager {credential_manager_id}
    ... on Jwks {jwks} ... on JwksUriVerifier {jwks_uri {uri http_client_id}}
    ... on MutualTlsVerifier {mutual_tls {...Tls}}
    ... on MutualTlsByProxyVerifier {mutual_tls_by_proxy {...Tls}}
    ... on NoAuthentication {no_authentication} ... on Secret {secret}
    ... on SymmetricKey {symmetric_key}
}
fragment Tls on MutualTls {
    __typename
    ... on NameAndCa {trusted_cas} ... on DnMutualTls {client_dn rdns_to_match}
    ... on DnsMutualTls {client_dns} ... on EmailMutualTls {client_email}
    ... on IpMutualTls {client_ip} ... on UriMutualTls {client_uri}
    ... on PinnedCertificate {client_certificate_id}
    ... on PinnedCertificatePem {client_certificate_pem}
}";

const MAKER: &str = "
---
resourceType: Client
id: maker
secret: s3cr3t-maker
first_party: true
grant_types: [password]
scope: [accounts, groups, 'orders:read']
";

async fn with_maker() -> (Castellan, String) {
    let castellan = serving(GROUPS, MAKER).await;
    let token = token_at(&castellan, "maker", "admin", "accounts groups orders:read").await;
    (castellan, token)
}

async fn made(castellan: &Castellan, token: &str, fields: Value) -> Value {
    let variables = json!({"input": {"fields": fields}});
    let answer = asked_with(castellan, PATH, token, (CREATE, variables)).await;
    data(&answer)["createDatabaseClient"]["client"].clone()
}

/// Whether everything in `part` is in `whole`.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| is_within(value, whole))),
        (part, whole) => part == whole,
    }
}

fn warned(client: &Value) -> Vec<&str> {
    let found = client["meta"]["warnings"].as_object();
    found.into_iter().flatten().map(|(path, _)| &**path).collect()
}

/// Attributes that are shown as they are written.
fn attributes() -> Value {
    let mut same = json!({
        "client_id": "whole", "name": "Whole", "description": "d", "status": "ACTIVE",
        "logo_uri": "data:image/png;base64,AAAA", "policy_uri": "https://a.example/policy",
        "tos_uri": "https://a.example/terms", "application_url": "https://a.example/",
        "tags": ["new"], "scopes": ["openid", "orders:read"], "audiences": ["https://api.example"],
        "redirect_uris": ["https://a.example/cb"], "allowed_origins": ["https://a.example"],
        "access_token_ttl": 60, "claim_mapper_id": "m", "userinfo_signed_issuer_id": "u",
        "redirect_uri_validation_policy_id": "r", "subject_type": "pairwise",
        "sector_identifier": "s", "require_secured_authorization_response": true,
        "validate_port_on_loopback_interfaces": true, "properties": {"a": {"b": [1]}},
        "id_token": {"id_token_ttl": 61, "id_token_encryption": {
            "encryption_key_id": "k", "allowed_key_management_alg": "RSA_OAEP",
            "allowed_content_encryption_alg": "A128GCM",
        }},
        "refresh_token": {
            "refresh_token_ttl": 62, "refresh_token_max_rolling_lifetime": 620,
            "reuse_refresh_tokens": true,
        },
        "request_object": {
            "allow_unsigned_for_by_value": true, "request_jwt_issuer": "i",
            "by_reference": {"allowed_request_urls": ["*"], "allow_unsigned_for": true},
        },
    });
    same["user_authentication"] = json!({
        "allowed_authenticators": ["a"], "authenticator_filters": ["f"],
        "required_claims": ["c"], "allowed_post_logout_redirect_uris": ["https://a.example/out"],
        "context_info": "x", "force_authentication": true, "freshness": 5, "locale": "sv",
        "template_area": "t", "frontchannel_logout_uri": "https://a.example/front",
        "backchannel_logout_uri": "https://a.example/back", "http_client_id": "h",
        "consent": {"allow_deselection": true, "only_consentors": true, "consentors": ["c"]},
    });
    same["capabilities"] = json!({
        "assertion": {"type": "ASSERTION", "jwt": {"allow_reuse": true, "issuer": "i"}},
        "backchannel": {
            "type": "BACKCHANNEL_AUTHENTICATION", "allowed_backchannel_authenticators": ["b"],
        },
        "assisted_token": {"type": "ASSISTED_TOKEN"}, "implicit": {"type": "IMPLICIT"},
        "client_credentials": {"type": "CLIENT_CREDENTIALS"},
        "code": {
            "type": "CODE", "require_pushed_authorization_request": true,
            "proof_key": {
                "require_proof_key": true, "disallow_challenge_method_plain": true,
                "disallow_challenge_method_s256": false,
            },
        },
        "introspection": {"type": "INTROSPECTION"}, "token_exchange": {"type": "TOKEN_EXCHANGE"},
        "oauth_token_exchange": {"type": "OAUTH_TOKEN_EXCHANGE"},
    });
    same
}

/// The attributes of [`attributes`] that have no effect.
const WARNED: [&str; 33] = [
    "capabilities.assertion",
    "capabilities.assisted_token",
    "capabilities.backchannel",
    "capabilities.implicit",
    "capabilities.introspection",
    "capabilities.oauth_token_exchange",
    "capabilities.token_exchange",
    "claim_mapper_id",
    "client_authentication.secondary",
    "client_authentication.secondary_verifier_expiration",
    "id_token.id_token_encryption",
    "redirect_uri_validation_policy_id",
    "request_object.allow_unsigned_for_by_value",
    "request_object.by_reference",
    "request_object.request_jwt_issuer",
    "require_secured_authorization_response",
    "sector_identifier",
    "subject_type",
    "tags",
    "user_authentication.allowed_authenticators",
    "user_authentication.authenticator_filters",
    "user_authentication.consent.allow_deselection",
    "user_authentication.consent.consentors",
    "user_authentication.consent.only_consentors",
    "user_authentication.context_info",
    "user_authentication.force_authentication",
    "user_authentication.freshness",
    "user_authentication.http_client_id",
    "user_authentication.locale",
    "user_authentication.required_claims",
    "user_authentication.template_area",
    "userinfo_signed_issuer_id",
    "validate_port_on_loopback_interfaces",
];

#[tokio::test]
async fn every_attribute_is_read_as_it_was_written() {
    let (castellan, token) = with_maker().await;
    let same = attributes();
    let mut fields = same.clone();
    fields["capabilities"]["assertion"]["jwt"]["signing"] =
        json!({"symmetric_key": {"symmetric_key": "a symmetric key"}});
    fields["client_authentication"] = json!({
        "primary": {"secret": {"secret": "S-that-is-long"}},
        "secondary": {"mutual_tls": {"dn": {
            "client_dn": "CN=a", "rdns_to_match": ["CN"], "trusted_cas": ["ca"],
        }}},
        "secondary_verifier_expiration": 1_900_000_000,
    });
    let client = made(&castellan, &token, fields).await;
    for (name, value) in same.as_object().unwrap() {
        assert!(is_within(value, &client[name]), "{name}: {}", client[name]);
    }
    assert_eq!(
        client["client_authentication"]["secondary"],
        json!({
            "__typename": "MutualTlsVerifier",
            "mutual_tls": {
                "__typename": "DnMutualTls", "client_dn": "CN=a", "rdns_to_match": ["CN"],
                "trusted_cas": ["ca"],
            },
        })
    );
    // Without the right to read it, the key is shown as it is stored.
    let signing = &client["capabilities"]["assertion"]["jwt"]["signing"];
    assert_eq!(signing["__typename"], "SymmetricKey");
    assert_ne!(signing["symmetric_key"], "a symmetric key");
    // What acts is not warned of, and everything else is.
    assert_eq!(warned(&client), WARNED);
    let warnings = client["meta"]["warnings"].to_string();
    assert!(!warnings.contains("a symmetric key"), "{warnings}");
}

#[tokio::test]
async fn every_way_to_authenticate_is_read_as_it_was_written() {
    let (castellan, token) = with_maker().await;
    let tls = |kind: &str, value: Value| json!({"mutual_tls_by_proxy": {kind: value}});
    let ca = |name: &str| json!({name: "x", "trusted_cas": []});
    for (primary, name) in [
        (json!({"asymmetric": {"asymmetric_key_id": "k"}}), "AsymmetricKey"),
        (json!({"credential_manager": {"credential_manager_id": "c"}}), "CredentialManager"),
        (json!({"jwks_uri": {"uri": "https://a.example/jwks"}}), "JwksUriVerifier"),
        (json!({"symmetric": {"symmetric_key": "a symmetric key"}}), "SymmetricKey"),
        (tls("dns", ca("client_dns")), "DnsMutualTls"),
        (tls("email", ca("client_email")), "EmailMutualTls"),
        (tls("ip", ca("client_ip")), "IpMutualTls"),
        (tls("uri", ca("client_uri")), "UriMutualTls"),
        (tls("pinned_certificate", json!({"client_certificate_id": "x"})), "PinnedCertificate"),
        (
            tls("pinned_certificate_pem", json!({"client_certificate_pem": "x"})),
            "PinnedCertificatePem",
        ),
        (tls("trusted_cas", json!(["ca"])), "TrustedCaOnly"),
    ] {
        let id = format!("with-{name}");
        let fields = json!({
            "client_id": id, "scopes": ["orders:read"], "capabilities": {"client_credentials": {}},
            "client_authentication": {"primary": primary},
        });
        let client = made(&castellan, &token, fields).await;
        let shown = &client["client_authentication"]["primary"];
        let kind = shown.get("mutual_tls_by_proxy").unwrap_or(shown);
        assert_eq!(kind["__typename"], name);
        assert_eq!(warned(&client), ["client_authentication.primary"], "{name}");
        // It is not public, and nothing lets it in.
        for secret in ["", "x", "a symmetric key"] {
            let pairs = [
                ("grant_type", "client_credentials"),
                ("client_id", &*id),
                ("client_secret", secret),
            ];
            let refused = castellan.token(&pairs).await;
            assert!(refused.status == 401 || refused.status == 400, "{name}: {refused:?}");
        }
        assert_ne!(
            castellan
                .token(&[("grant_type", "client_credentials"), ("client_id", &*id)])
                .await
                .status,
            200
        );
    }
}

/// A key set, and the capabilities that stand beside few others.
#[tokio::test]
async fn keys_and_haapi_are_read_as_they_were_written() {
    let (castellan, token) = with_maker().await;
    let jwks = "eyJrZXlzIjpbeyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwiYWxnIjoiRVMyNTYiLCJ4IjoiZjgzT0ozRDJ4RjFCZzh2dWI5dExlMWdITXpWNzZlOFR1czl1UEh2UlZFVSIsInkiOiJ4X0ZFelJ1OW0zNkhMTl90dWU2NTlMTnBYVzZwQ3lTdGlrWWpLSVdJNWEwIn1dfQ==";
    for (attestation, name) in [
        (
            json!({"android": {"package_names": ["p"], "signature_fingerprints": ["f"]}}),
            "AndroidAttestation",
        ),
        (json!({"ios": {"app_id": "a"}}), "IosAttestation"),
        (json!({"web": {"policy_id": "p"}}), "WebAttestation"),
        (json!({"no_attestation": {}}), "NoAttestation"),
        (Value::Null, "NoAttestation"),
    ] {
        let fields = json!({
            "redirect_uris": ["https://a.example/cb"], "scopes": ["orders:read"],
            "client_authentication": {"primary": {"jwks_object": {"jwks": jwks}}},
            "capabilities": {"code": {}, "haapi": {"client_attestation": attestation}},
        });
        let client = made(&castellan, &token, fields).await;
        assert_eq!(client["client_authentication"]["primary"]["__typename"], "Jwks");
        assert_eq!(client["capabilities"]["haapi"]["client_attestation"]["__typename"], name);
        assert_eq!(warned(&client), ["capabilities.haapi"]);
        let id = text(&client, "client_id");
        let delete = format!(
            "mutation {{deleteDatabaseClientById(input: {{client_id: {id:?}}}) {{deleted}}}}"
        );
        data(&asked(&castellan, PATH, &token, &delete).await);
    }
}
