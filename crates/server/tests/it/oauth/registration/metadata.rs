//! What a client may register of itself.

use castellan_proto::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use super::support::{
    BY_TOKEN, asked, machine_token, managed, refused, registered, sent, serving, web_app,
};
use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, CHALLENGE, VERIFIER, text},
    wire::Ask,
};

#[tokio::test]
async fn discovery_names_the_endpoint_and_what_it_offers_is_accepted() {
    let castellan = serving(BY_TOKEN).await;
    let found = Ask::get(&castellan.at("/.well-known/openid-configuration")).send().await.json();
    assert_eq!(found["registration_endpoint"], castellan.at("/register"));
    let list = |name: &str| found[name].as_array().unwrap().clone();
    let key = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let keys = json!({"keys": [key.jwk()]});
    for method in list("token_endpoint_auth_methods_supported") {
        let mut more = json!({"token_endpoint_auth_method": method});
        if method == "private_key_jwt" {
            more["jwks"] = keys.clone();
            more["token_endpoint_auth_signing_alg"] = json!("ES256");
        }
        let client = registered(&asked(&castellan, &web_app(&more)).await);
        assert_eq!(client["token_endpoint_auth_method"], method);
        let has_secret = method.as_str().unwrap().starts_with("client_secret");
        assert_eq!(client.get("client_secret").is_some(), has_secret, "{client}");
        assert_eq!(client.get("client_secret_expires_at").is_some(), has_secret, "{client}");
    }
    for alg in list("id_token_signing_alg_values_supported") {
        let more = json!({
            "id_token_signed_response_alg": alg,
            "userinfo_signed_response_alg": alg,
            "introspection_signed_response_alg": alg,
        });
        let client = registered(&asked(&castellan, &web_app(&more)).await);
        assert_eq!(client["id_token_signed_response_alg"], alg);
        assert_eq!(client["userinfo_signed_response_alg"], alg);
        assert_eq!(client["introspection_signed_response_alg"], alg);
    }
    for grant in list("grant_types_supported") {
        let mut more = json!({"grant_types": [grant], "scope": "openid"});
        match grant.as_str().unwrap() {
            "refresh_token" => more["grant_types"] = json!(["authorization_code", grant]),
            "authorization_code" => {}
            _ => drop(more.as_object_mut().unwrap().insert("redirect_uris".to_owned(), json!([]))),
        }
        let answer = asked(&castellan, &web_app(&more)).await;
        if grant == "password" {
            refused(&answer, 400, "invalid_client_metadata");
        } else {
            let client = registered(&answer);
            assert!(client["grant_types"].as_array().unwrap().contains(&grant), "{client}");
        }
    }
    for name in ["subject_types_supported", "response_types_supported"] {
        assert_eq!(list(name).len(), 1);
    }
}

#[tokio::test]
async fn the_answer_says_what_is_registered_and_nothing_else() {
    let castellan = serving(BY_TOKEN).await;
    let metadata = json!({
        "client_name": "Shop", "client_name#de": "Laden", "client_uri": "https://shop.test",
        "logo_uri": "https://shop.test/logo.png", "tos_uri": "https://shop.test/tos",
        "policy_uri": "https://shop.test/policy", "contacts": ["ops@shop.test"],
        "redirect_uris": ["https://shop.test/cb", "https://shop.test/other?x=1"],
        "post_logout_redirect_uris": ["https://shop.test/bye"],
        "allowed_origins": ["https://shop.test"], "application_type": "web",
        "response_types": ["code"], "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid email orders:read", "subject_type": "public", "default_max_age": 600,
        "dpop_bound_access_tokens": true, "require_pushed_authorization_requests": true,
        "backchannel_logout_uri": "https://shop.test/out", "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://shop.test/front", "software_version": "1.2",
        "software_id": "shop-software", "request_uris": [],
        "a_member_that_nobody_knows": {"x": 1}, "initiate_login_uri": "https://shop.test/begin",
    });
    let mut client = registered(&asked(&castellan, &metadata).await);
    let id = text(&client, "client_id").to_owned();
    assert_eq!(client["registration_client_uri"], castellan.at(&format!("/register/{id}")));
    assert_eq!(client["registration_access_token_expires_in"], 31_536_000);
    assert_eq!(client["client_secret_expires_at"], 0);
    assert!(text(&client, "registration_access_token").starts_with("csl_registration_"));
    let members = client.as_object_mut().unwrap();
    for name in [
        "client_id",
        "client_id_issued_at",
        "client_secret",
        "client_secret_expires_at",
        "registration_client_uri",
        "registration_access_token",
        "registration_access_token_expires_in",
    ] {
        assert!(members.shift_remove(name).is_some(), "{name}");
    }
    let mut wanted = metadata.clone();
    let members = wanted.as_object_mut().unwrap();
    for name in ["a_member_that_nobody_knows", "initiate_login_uri", "logo_uri", "request_uris"] {
        members.shift_remove(name);
    }
    wanted["token_endpoint_auth_method"] = json!("client_secret_basic");
    wanted["id_token_signed_response_alg"] = json!("RS256");
    wanted["frontchannel_logout_session_required"] = json!(false);
    let sorted = |value: &Value| {
        let members = value.as_object().unwrap().iter();
        members
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(sorted(&client), sorted(&wanted));
}

#[tokio::test]
async fn a_registered_client_is_third_party_and_all_that_it_got_ends_with_it() {
    let castellan = serving(BY_TOKEN).await;
    let client = registered(&asked(&castellan, &web_app(&json!({}))).await);
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let asking = Asking::of(id, "https://shop.test/cb")
        .with("scope", "openid profile")
        .with("code_challenge", CHALLENGE)
        .with("code_challenge_method", "S256");
    let mut browser = Browser::as_ann(&castellan).await;
    let begun = browser.get(&asking.at(&castellan)).await;
    assert!(begun.location().starts_with("/auth/consent"), "{begun:?}");
    let proof = [("client_id", id), ("client_secret", secret), ("code_verifier", VERIFIER)];
    let tokens = castellan.tokens(&mut browser, &asking, &proof).await;
    let access = text(&tokens, "access_token");
    assert_eq!(castellan.userinfo(access).await.status, 200);
    assert_eq!(managed(http::Method::DELETE, &client, None).await.status, 204);
    assert_eq!(castellan.userinfo(access).await.status, 401);
    let refresh = castellan.refresh(text(&tokens, "refresh_token"), &proof).await;
    assert_eq!(refresh.status, 401, "{refresh:?}");
    refused(&managed(http::Method::GET, &client, None).await, 401, "invalid_token");
}

#[tokio::test]
async fn default_max_age_asks_people_to_sign_in_again() {
    let castellan = serving(BY_TOKEN).await;
    let more = json!({"default_max_age": 60, "token_endpoint_auth_method": "none"});
    let client = registered(&asked(&castellan, &web_app(&more)).await);
    let asking = Asking::of(text(&client, "client_id"), "https://shop.test/cb")
        .with("code_challenge", CHALLENGE)
        .with("code_challenge_method", "S256");
    let mut browser = Browser::as_ann(&castellan).await;
    let begun = browser.get(&asking.at(&castellan)).await;
    assert!(begun.location().starts_with("/auth/consent"), "{begun:?}");
    castellan.advance_to(120);
    let begun = browser.get(&asking.at(&castellan)).await;
    assert!(begun.location().starts_with("/auth/login"), "{begun:?}");
}

/// Each of `cases` is refused with `error`, and nothing is stored.
async fn all_refused(castellan: &Castellan, error: &str, cases: Vec<Value>) {
    // It is not used up by what is refused.
    let token = machine_token(castellan, "initial", "dcr").await;
    for more in cases {
        let answer = sent(castellan, &token, &web_app(&more)).await;
        let said = refused(&answer, 400, error);
        let sent: Vec<_> = more.as_object().unwrap().iter().collect();
        // A scope is named: it has no characters that mean anything elsewhere (RFC 6749 §3.3).
        let others = sent.iter().filter(|(name, _)| *name != "scope");
        let repeated = others.filter_map(|(_, value)| value.as_str());
        let repeated = repeated.filter(|text| text.len() > 8);
        for text in repeated {
            assert!(!said.contains(text), "{said} repeats {text}");
        }
        assert!(said.contains(&**sent[0].0) || error == "invalid_redirect_uri", "{said}: {more}");
    }
    registered(&sent(castellan, &token, &web_app(&json!({}))).await);
}

#[tokio::test]
async fn dangerous_redirect_uris_are_refused() {
    let castellan = serving(BY_TOKEN).await;
    let uris = [
        "http://shop.test/cb",
        "https://*.shop.test/cb",
        "https://shop.test/*",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://shop.test/cb#fragment",
        "https://user@shop.test/cb",
        "http://localhost:3000/cb",
        "https://localhost/cb",
        "com.example.shop:/cb",
        "/cb",
    ];
    let mut cases: Vec<_> = uris.iter().map(|uri| json!({"redirect_uris": [uri]})).collect();
    for uri in ["http://shop.test/cb", "shop://cb", "https://*.shop.test/cb", "file:///cb"] {
        cases.push(json!({"redirect_uris": [uri], "application_type": "native"}));
    }
    cases.push(json!({"redirect_uris": []}));
    all_refused(&castellan, "invalid_redirect_uri", cases).await;
    let uris = ["http://127.0.0.1/cb", "com.example.shop:/cb", "https://shop.test/cb"];
    let more = json!({"redirect_uris": uris, "application_type": "native"});
    registered(&asked(&castellan, &web_app(&more)).await);
}

/// What could harm people or this server.
fn dangerous() -> Vec<Value> {
    vec![
        json!({"jwks_uri": "https://169.254.169.254/latest/meta-data"}),
        json!({"jwks_uri": "https://shop.test/keys"}),
        json!({"backchannel_logout_uri": "https://10.0.0.1/out"}),
        json!({"backchannel_logout_uri": "https://[::1]/out"}),
        json!({"backchannel_logout_uri": "https://localhost/out"}),
        json!({"backchannel_logout_uri": "http://shop.test/out"}),
        json!({"frontchannel_logout_uri": "https://other.test/out"}),
        json!({"post_logout_redirect_uris": ["http://shop.test/bye"]}),
        json!({"post_logout_redirect_uris": ["javascript:alert(1)"]}),
        json!({"allowed_origins": ["https://other.test"]}),
        json!({"client_uri": "javascript:alert(1)"}),
        json!({"tos_uri": "http://shop.test/tos"}),
        json!({"policy_uri": "data:text/html,x"}),
        json!({"logo_uri": "javascript:alert(1)"}),
        json!({"logo_uri": "data:text/html,<script>"}),
        json!({"client_name": "Shop\u{202e}"}),
        json!({"client_name": " - "}),
        json!({"client_name": "x".repeat(101)}),
        json!({"client_name#": "Laden"}),
        json!({"scope": "Castellan:*"}),
        json!({"scope": "dcr"}),
        json!({"scope": "dcrm"}),
        json!({"scope": "orders:delete"}),
        json!({"scope": "Query:*"}),
    ]
}

/// What this server does not do.
fn unserved(key: &SigningKey) -> Vec<Value> {
    let mut private = json!(key.jwk());
    private["d"] = json!("x");
    vec![
        json!({"grant_types": ["implicit"]}),
        json!({"grant_types": ["password"]}),
        json!({"grant_types": ["basic"]}),
        json!({"grant_types": []}),
        json!({"response_types": ["token"]}),
        json!({"response_types": ["code id_token"]}),
        json!({"response_types": []}),
        json!({"token_endpoint_auth_method": "tls_client_auth"}),
        json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        json!({"jwks": {"keys": [key.jwk()]}}),
        json!({"jwks": {"keys": [private]}, "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"jwks": {"keys": []}, "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"id_token_signed_response_alg": "none"}),
        json!({"id_token_signed_response_alg": "HS256"}),
        json!({"userinfo_signed_response_alg": "RS512"}),
        json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
        json!({"subject_type": "pairwise"}),
        json!({"sector_identifier_uri": "https://shop.test/sector"}),
        json!({"request_uris": ["https://shop.test/request"]}),
        json!({"request_object_signing_alg": "RS256"}),
        json!({"tls_client_certificate_bound_access_tokens": true}),
        json!({"authorization_signed_response_alg": "RS256"}),
        json!({"backchannel_token_delivery_mode": "ping"}),
        json!({"redirect_uris": "https://shop.test/cb"}),
        json!({"contacts": ["a@shop.test", "a@shop.test"]}),
        json!({"dpop_bound_access_tokens": "yes"}),
    ]
}

#[tokio::test]
async fn dangerous_metadata_and_what_could_not_hold_are_refused() {
    let castellan = serving(BY_TOKEN).await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let cases = [dangerous(), unserved(&key)].concat();
    all_refused(&castellan, "invalid_client_metadata", cases).await;
    let token = machine_token(&castellan, "initial", "dcr").await;
    for (media_type, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", r#"{"client_name": "a", "client_name": "b"}"#, 400),
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "client_name=Shop", 415),
    ] {
        let ask = Ask::post(&castellan.at("/register")).bearer(&token);
        assert_eq!(ask.body(media_type, body).send().await.status, status, "{body}");
    }
    let large = json!({"client_name": "x".repeat(70_000)});
    assert_eq!(sent(&castellan, &token, &large).await.status, 413);
}

/// `docs/security-cases.md` row 19: of what is configured, no more than the client has that registers.
#[tokio::test]
async fn case_19_a_client_gets_no_scope_that_its_initial_client_does_not_have() {
    let castellan = serving(BY_TOKEN).await;
    for (initial, scope, is_given) in [
        ("initial", "openid email orders:read", true),
        ("initial", "openid orders:write", false),
        ("other", "openid email", true),
        ("other", "orders:read", false),
    ] {
        let token = machine_token(&castellan, initial, "dcr").await;
        let name = format!("Shop of {initial}");
        let metadata = web_app(&json!({"scope": scope, "client_name": name}));
        let answer = sent(&castellan, &token, &metadata).await;
        if is_given {
            assert_eq!(registered(&answer)["scope"], scope);
        } else {
            refused(&answer, 400, "invalid_client_metadata");
        }
    }
    // What was registered does not grow by being replaced, even where the initial client has more.
    let client = registered(&asked(&castellan, &web_app(&json!({}))).await);
    let mut more = web_app(&json!({"scope": "openid orders:write"}));
    more["client_id"] = client["client_id"].clone();
    let answer = managed(http::Method::PUT, &client, Some(&more)).await;
    refused(&answer, 400, "invalid_client_metadata");
}

/// `docs/security-cases.md` row 16: nobody writes what is the server's to say.
#[tokio::test]
async fn case_16_what_only_the_server_says_is_not_registered() {
    let castellan = serving(BY_TOKEN).await;
    let more = json!({
        "client_id": "portal", "client_secret": "chosen-by-the-client", "first_party": true,
        "client_id_issued_at": 1, "registration_access_token": "csl_registration_x",
        "introspect": "any", "active": false, "template": true, "owner": "ann", "generation": 7,
        "registration": {"initial_client": "portal"}, "auth": {"authorization_code": {"audience": ["x"]}},
    });
    let client = registered(&asked(&castellan, &web_app(&more)).await);
    let id = text(&client, "client_id");
    assert!(id.starts_with("dcr-"), "{client}");
    assert_ne!(client["client_secret"], "chosen-by-the-client");
    assert_ne!(client["client_id_issued_at"], 1);
    let shown = castellan.said(&["get", "Client", id, "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    for name in ["first_party", "introspect", "active", "template", "owner"] {
        assert_eq!(shown.get(name), None, "{shown}");
    }
    assert_eq!(shown["registration"]["initial_client"], "initial");
}

#[tokio::test]
async fn what_is_refused_has_a_reason() {
    let castellan = serving(BY_TOKEN).await;
    let token = machine_token(&castellan, "initial", "dcr").await;
    let seconds = "default_max_age: must be a whole number of seconds";
    let origin =
        "frontchannel_logout_uri: must have the scheme, host and port of one of redirect_uris";
    let https =
        "frontchannel_logout_uri: must be an https URL without a fragment or user information";
    for (more, why) in [
        (json!({"default_max_age": "60"}), seconds),
        (json!({"default_max_age": -1}), seconds),
        (json!({"default_max_age": 1.5}), seconds),
        (json!({"frontchannel_logout_uri": "https://elsewhere.test/out"}), origin),
        (json!({"frontchannel_logout_uri": "http://shop.test/out"}), https),
        (json!({"frontchannel_logout_uri": "https://shop.test/out#x"}), https),
        (json!({"redirect_uris": "https://shop.test/cb"}), "redirect_uris: expected a list"),
    ] {
        let answer = sent(&castellan, &token, &web_app(&more)).await;
        assert_eq!(refused(&answer, 400, "invalid_client_metadata"), why, "{more}");
    }
}
