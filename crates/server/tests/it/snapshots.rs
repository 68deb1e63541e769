//! Whole answers as they go over the wire.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    dialects::trompa_guard::{Stage, plan},
    support::{
        browser::Browser,
        castellan::Castellan,
        fixtures::{Asking, PORTAL},
        wire::{Answer, Ask},
    },
};

/// An answer without what differs from run to run.
fn photograph(castellan: &Castellan, answer: &Answer) -> String {
    answer.photograph().replace(&castellan.url, "http://castellan.test")
}

#[tokio::test]
async fn a_token_answer_is_kept_out_of_caches() {
    let castellan = Castellan::with_ann().await;
    let code = Browser::default().code(&castellan, &Asking::portal()).await;
    let mut answer = castellan.redeem(&code, &PORTAL).await;
    let mut body = answer.json();
    for name in ["access_token", "refresh_token", "id_token"] {
        body[name] = Value::from("…");
    }
    answer.body = serde_json::to_string_pretty(&body).unwrap();
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    200 OK
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    x-content-type-options: nosniff

    {
      "access_token": "…",
      "token_type": "Bearer",
      "expires_in": 600,
      "refresh_token": "…",
      "id_token": "…",
      "scope": "openid profile",
      "userinfo": {
        "resourceType": "User",
        "id": "ann",
        "userName": "ann",
        "email": "ann@example.test",
        "name": {
          "givenName": "Ann",
          "familyName": "Roe"
        }
      }
    }
    "#);
}

#[tokio::test]
async fn an_unproven_client_is_told_no_more() {
    let castellan = Castellan::with_ann().await;
    let answer = castellan.redeem("x", &[("client_id", "portal")]).await;
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    401 Unauthorized
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    x-content-type-options: nosniff

    {"error":"invalid_client","error_description":"unknown client, or client authentication failed"}
    "#);
}

#[tokio::test]
async fn a_code_that_is_none_is_just_not_redeemable() {
    let castellan = Castellan::with_ann().await;
    let answer = castellan.redeem("SplxlOBe", &PORTAL).await;
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    400 Bad Request
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    x-content-type-options: nosniff

    {"error":"invalid_grant","error_description":"the code is not valid"}
    "#);
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_inactive_and_nothing_else() {
    let castellan = Castellan::with_ann().await;
    let pairs = [&PORTAL[..], &[("token", "garbage")]].concat();
    let answer = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await;
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    200 OK
    cache-control: no-store
    content-type: application/json
    pragma: no-cache
    x-content-type-options: nosniff

    {"active":false}
    "#);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "the document is as long as it is")]
async fn discovery_promises_what_is_served() {
    let castellan = Castellan::with_ann().await;
    let other = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await;
    let mut answer =
        Ask::get(&castellan.at("/.well-known/oauth-authorization-server")).send().await;
    assert_eq!(answer.body, other.body, "both paths have one document");
    answer.body = serde_json::to_string_pretty(&answer.json()).unwrap();
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    200 OK
    access-control-allow-origin: *
    access-control-expose-headers: WWW-Authenticate, Retry-After, DPoP-Nonce
    cache-control: public, max-age=300
    content-type: application/json
    vary: Origin

    {
      "issuer": "http://castellan.test",
      "authorization_endpoint": "http://castellan.test/auth/authorize",
      "token_endpoint": "http://castellan.test/auth/token",
      "userinfo_endpoint": "http://castellan.test/auth/userinfo",
      "revocation_endpoint": "http://castellan.test/auth/revoke",
      "introspection_endpoint": "http://castellan.test/auth/introspect",
      "pushed_authorization_request_endpoint": "http://castellan.test/auth/par",
      "device_authorization_endpoint": "http://castellan.test/auth/device",
      "require_pushed_authorization_requests": false,
      "end_session_endpoint": "http://castellan.test/auth/logout",
      "backchannel_logout_supported": true,
      "backchannel_logout_session_supported": true,
      "frontchannel_logout_supported": true,
      "frontchannel_logout_session_supported": true,
      "jwks_uri": "http://castellan.test/.well-known/jwks.json",
      "castellan_identity_jwks_uri": "http://castellan.test/.well-known/castellan-identity-jwks.json",
      "response_types_supported": [
        "code"
      ],
      "response_modes_supported": [
        "query",
        "form_post"
      ],
      "grant_types_supported": [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "password"
      ],
      "code_challenge_methods_supported": [
        "S256"
      ],
      "token_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none"
      ],
      "token_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "revocation_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none"
      ],
      "revocation_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "introspection_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "introspection_endpoint_auth_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "dpop_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "subject_types_supported": [
        "public"
      ],
      "id_token_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "userinfo_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "introspection_signing_alg_values_supported": [
        "ES256",
        "EdDSA",
        "PS256",
        "RS256"
      ],
      "scopes_supported": [
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        "groups",
        "roles"
      ],
      "claims_supported": [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "at_hash",
        "acr",
        "amr",
        "sid",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
        "email",
        "email_verified",
        "address",
        "phone_number",
        "phone_number_verified",
        "groups",
        "roles"
      ],
      "prompt_values_supported": [
        "none",
        "login",
        "consent",
        "select_account"
      ],
      "authorization_response_iss_parameter_supported": true,
      "claims_parameter_supported": true,
      "acr_values_supported": [
        "urn:castellan:acr:password",
        "urn:castellan:acr:totp"
      ],
      "ui_locales_supported": [
        "en",
        "ca",
        "es",
        "de",
        "fr"
      ],
      "request_parameter_supported": false,
      "request_uri_parameter_supported": false
    }
    "#);
}

#[tokio::test]
async fn the_sign_in_page_cannot_be_framed_scripted_or_kept() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::spa().at(&castellan)).await;
    let mut page = browser.get(&castellan.at(begun.location())).await;
    // The one script shows what was typed; the page has nothing else to run.
    let script = "<script src=\"/assets/show-password.js\" defer></script>";
    assert_eq!(page.body.matches("<script").count(), page.body.matches(script).count());
    assert!(!page.body.contains("http://"), "{page:?}");
    page.body.clear();
    assert_snapshot!(photograph(&castellan, &page), @r#"
    200 OK
    cache-control: no-store
    content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' https://spa.test; script-src 'self'
    content-type: text/html; charset=utf-8
    cross-origin-opener-policy: same-origin
    pragma: no-cache
    referrer-policy: same-origin
    x-content-type-options: nosniff
    x-frame-options: DENY
    "#);
}

#[tokio::test]
async fn a_denial_names_its_decision() {
    let stage = Stage::start().await;
    let answer = stage.send(None, "mutation { CreatePerson(name: \"Ada\") { name } }").await;
    let id = answer.header("castellan-decision").unwrap().to_owned();
    let photograph = photograph(&stage.castellan, &answer).replace(&id, "(decision)");
    assert_snapshot!(photograph, @r#"
    200 OK
    access-control-allow-origin: *
    access-control-expose-headers: WWW-Authenticate, Retry-After, DPoP-Nonce
    cache-control: no-store
    content-security-policy: sandbox
    content-type: application/json; charset=utf-8
    vary: Origin
    x-content-type-options: nosniff

    {"errors":[{"message":"No authorization token.","locations":[{"line":1,"column":12}],"path":["CreatePerson"],"extensions":{"code":"UNAUTHENTICATED","reason":"no_credential","decision":"(decision)"}}],"data":{"CreatePerson":null}}
    "#);
}

#[tokio::test]
async fn a_wrong_key_is_told_as_the_contract_has_it() {
    let castellan = Castellan::start(plan(None)).await;
    let body = serde_json::json!({"id": "admin", "apiKey": "wrong", "scopes": ["*"]});
    let answer = Ask::post(&castellan.at("/jwt")).json(&body).send().await;
    assert_snapshot!(photograph(&castellan, &answer), @r#"
    403 Forbidden
    allow: OPTIONS, POST
    cache-control: no-store
    content-type: application/json; charset=utf-8
    x-content-type-options: nosniff

    {"success":false,"message":"The apiKey and id combination is not correct"}
    "#);
}
