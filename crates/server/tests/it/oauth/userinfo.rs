//! `/auth/userinfo` (OIDC Core §§5.1, 5.3, 5.4): what it tells of a person, and to whom.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, SPA, assert_refused, text},
    wire::Ask,
};

const CLIENTS: &str = r#"
---
resourceType: User
id: eve
userName: eve
password: pw-eve
name: {givenName: Eve, familyName: Noor}
email: eve@example.test
middle_name: Maria
nickname: Evie
profile: https://example.test/eve
picture: https://example.test/eve.png
website: https://eve.test/#me
gender: female
birthdate: 1990-02-28
zoneinfo: Europe/Paris
locale: fr-CA
phone_number: "+1 (425) 555-1212"
address: {formatted: "1 Rue Haute\nParis", locality: Paris, country: France}
---
resourceType: Client
id: full
first_party: true
grant_types: [authorization_code]
scope: [openid, profile, email, address, phone]
redirect_uris: ["https://full.test/cb"]
---
resourceType: Client
id: asks
secret: s3cr3t-asks
grant_types: [authorization_code]
scope: [openid, profile, email]
redirect_uris: ["https://asks.test/cb"]
"#;

async fn start() -> Castellan {
    Castellan::with_documents(&format!("{DOCUMENTS}{CLIENTS}")).await
}

/// The access token of Eve's that `full` gets for `scope`.
async fn token(castellan: &Castellan, browser: &mut Browser, scope: &str) -> String {
    let asking = Asking::spa()
        .with("client_id", "full")
        .with("redirect_uri", "https://full.test/cb")
        .with("scope", scope);
    let answer = browser.get(&asking.at(castellan)).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let tokens = castellan.redeem(&code, &[("client_id", "full"), SPA[1]]).await.json();
    text(&tokens, "access_token").to_owned()
}

async fn as_eve(castellan: &Castellan) -> Browser {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    browser.sign_in(castellan, &begun, ("eve", "pw-eve")).await;
    browser
}

#[tokio::test]
async fn each_scope_opens_its_claims_from_the_members_of_the_document() {
    let castellan = start().await;
    let mut browser = as_eve(&castellan).await;
    let mut profile = json!({
        "name": "Eve Noor", "given_name": "Eve", "family_name": "Noor", "middle_name": "Maria",
        "nickname": "Evie", "preferred_username": "eve", "profile": "https://example.test/eve",
        "picture": "https://example.test/eve.png", "website": "https://eve.test/#me",
        "gender": "female", "birthdate": "1990-02-28", "zoneinfo": "Europe/Paris",
        "locale": "fr-CA",
    });
    let address = json!({"address": {"formatted": "1 Rue Haute\nParis", "locality": "Paris",
                                     "country": "France"}});
    let phone = json!({"phone_number": "+1 (425) 555-1212", "phone_number_verified": false});
    let email = json!({"email": "eve@example.test", "email_verified": false});
    for (scope, claims) in [
        ("profile", &mut profile),
        ("address", &mut address.clone()),
        ("phone", &mut phone.clone()),
        ("email", &mut email.clone()),
    ] {
        let token = token(&castellan, &mut browser, &format!("openid {scope}")).await;
        let mut told = castellan.userinfo(&token).await.json();
        if scope == "profile" {
            let updated = told.as_object_mut().unwrap().remove("updated_at");
            assert!(updated.and_then(|at| at.as_u64()).unwrap() > 1_700_000_000);
        }
        claims["sub"] = json!("eve");
        assert_eq!(told, *claims, "{scope}");
    }
    let bare = token(&castellan, &mut browser, "openid").await;
    assert_eq!(castellan.userinfo(&bare).await.json(), json!({"sub": "eve"}));

    let shown = castellan.said(&["get", "User", "eve", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["nickname"], &shown["address"]), (&json!("Evie"), &address["address"]));
    let discovery = castellan.at("/.well-known/openid-configuration");
    let discovery = Ask::get(&discovery).send().await.json();
    let has = |list: &str, name: &str| discovery[list].as_array().unwrap().contains(&json!(name));
    assert!(has("scopes_supported", "address") && has("scopes_supported", "phone"));
    let claims = profile.as_object().unwrap().keys().chain(phone.as_object().unwrap().keys());
    for claim in claims.map(String::as_str).chain(["address", "updated_at"]) {
        assert!(has("claims_supported", claim), "{claim}");
    }
    for bad in ["birthdate: 28.2.1990", "picture: 'javascript:x'", "address: {town: x}", "nick: x"]
    {
        let document = format!("resourceType: User\nid: odd\nuserName: odd\n{bad}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        assert!(!applied.status.success(), "{bad}");
    }
}

/// RFC 6750 §2.2.
#[tokio::test]
async fn a_token_may_be_in_the_form_of_a_post_and_nowhere_besides() {
    let castellan = start().await;
    let token = token(&castellan, &mut as_eve(&castellan).await, "openid").await;
    let url = castellan.at("/auth/userinfo");
    let form = [("access_token", &*token)];
    let answer = Ask::post(&url).form(&form).send().await;
    assert_eq!(answer.json(), json!({"sub": "eve"}), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let other_body = Ask::post(&url).bearer(&token).form(&[("x", "y")]).send().await;
    assert_eq!(other_body.status, 200, "{other_body:?}");
    let twice = Ask::post(&url).bearer(&token).form(&form).send().await;
    assert_refused(&twice, 400, "invalid_request");
    let in_query = Ask::post(&format!("{url}?access_token={token}")).form(&form).send().await;
    assert_refused(&in_query, 400, "invalid_request");
    let same_twice = Ask::post(&url).form(&[form[0], form[0]]).send().await;
    assert_refused(&same_twice, 400, "invalid_request");
    let as_json = Ask::post(&url).json(&json!({"access_token": token})).send().await;
    assert_eq!(as_json.status, 401, "only a form: {as_json:?}");
    let wrong = Ask::post(&url).form(&[("access_token", "x")]).send().await;
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

/// RFC 6750 §3.1.
#[tokio::test]
async fn whoever_sends_no_token_is_told_of_no_error_in_the_challenge() {
    let castellan = start().await;
    for ask in [
        Ask::get(&castellan.at("/auth/userinfo")),
        Ask::post(&castellan.at("/auth/userinfo")).form(&[]),
        Ask::get(&castellan.at("/Client/full")),
        Ask::get(&castellan.at("/User")),
    ] {
        let answer = ask.send().await;
        assert_eq!(answer.status, 401, "{answer:?}");
        let challenge = Some("Bearer realm=\"castellan\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{answer:?}");
    }
    for (path, bad) in [("/auth/userinfo", "Bearer x"), ("/User", "Bearer x"), ("/User", "Basic !")]
    {
        let answer = Ask::get(&castellan.at(path)).header("authorization", bad).send().await;
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer error=\"invalid_token\""), "{path} {bad}");
    }
}

#[tokio::test]
async fn an_essential_claim_is_asked_for_on_the_consent_page_and_told() {
    let castellan = start().await;
    let mut browser = as_eve(&castellan).await;
    let claims = json!({"userinfo": {"picture": {"essential": true}, "phone_number": {"essential": true}},
                        "id_token": {"email": {"essential": true}}});
    let asking = Asking::of("asks", "https://asks.test/cb")
        .with("scope", "openid")
        .with("claims", &claims.to_string());
    let asked = browser.get(&asking.at(&castellan)).await;
    let page = browser.get(&castellan.at(asked.location())).await;
    for words in ["See your picture", "See your e-mail address"] {
        assert!(page.body.contains(words), "{page:?}");
    }
    assert!(!page.body.contains("telephone"), "which the app may not have: {page:?}");
    let answer = browser.decide(&castellan, &asked, "allow").await;
    let account = browser.get(&castellan.at("/account")).await;
    assert!(account.body.contains("See your picture"), "it can be seen later: {account:?}");
    let consent = castellan.said(&["get", "Grant", "eve/asks", "--format", "json"]);
    let consent: Value = serde_json::from_str(&consent).unwrap();
    assert_eq!(consent["claims"], json!(["email", "picture"]));
    let code = answer.location_param("code").unwrap();
    let client = [("client_id", "asks"), ("client_secret", "s3cr3t-asks")];
    let tokens = castellan.redeem(&code, &client).await.json();
    let told = castellan.userinfo(text(&tokens, "access_token")).await.json();
    assert_eq!(told, json!({"sub": "eve", "picture": "https://example.test/eve.png"}));
    let id_token = crate::support::jose::claims(text(&tokens, "id_token"));
    assert_eq!(id_token["email"], "eve@example.test");
}
