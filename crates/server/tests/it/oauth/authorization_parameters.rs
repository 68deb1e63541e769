//! What an app may ask for in its authorization request besides the rest: how the answer comes back,
//! what the ID token says, and for which APIs the tokens are.

use castellan_proto::jose::Algorithm;
use serde_json::{Value, json};

use crate::{
    oauth::bad_input::{assert_clean, hostile},
    support::{
        browser::Browser,
        castellan::{Archive, Castellan, Plan},
        fixtures::{
            Asking, DOCUMENTS, PORTAL, RESOURCE_SERVER, SPA, assert_refused, assert_sent_back, text,
        },
        jose::{claims, header, proven},
        wire::{Answer, Ask},
    },
};

/// The fields of the form that carries an answer to an app.
fn carried(answer: &Answer, name: &str) -> Option<String> {
    answer.hidden(name)
}

#[tokio::test]
async fn an_answer_comes_in_a_body_if_the_app_asks_for_that() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let asking = Asking::spa().with("response_mode", "form_post");
    let answer = browser.walk(&castellan, &asking).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("<form method=\"post\" action=\"https://spa.test/cb\">"));
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self' https://spa.test", "script-src 'self'"] {
        assert!(policy.contains(part), "no {part} in {policy}");
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(carried(&answer, "state").as_deref(), Some("somestate"));
    assert_eq!(carried(&answer, "iss"), Some(castellan.url.clone()));
    let code = carried(&answer, "code").expect("a code");
    assert_eq!(castellan.redeem(&code, &SPA).await.status, 200);
    let script = browser.get(&castellan.at("/assets/continue.js")).await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));

    // An error goes the same way, and a mode that is not known by the way that is.
    let silent = asking.clone().with("prompt", "none");
    let refused = Browser::default().get(&silent.at(&castellan)).await;
    assert_eq!(carried(&refused, "error").as_deref(), Some("login_required"), "{refused:?}");
    assert_eq!(carried(&refused, "code"), None);
    let odd = browser.get(&asking.with("response_mode", "fragment").at(&castellan)).await;
    assert_sent_back(&odd, "https://spa.test/cb", "invalid_request");
}

async fn id_token(castellan: &Castellan, browser: &mut Browser, asking: &Asking) -> Value {
    let tokens = castellan.tokens(browser, asking, &PORTAL).await;
    claims(text(&tokens, "id_token"))
}

#[tokio::test]
async fn an_id_token_says_what_was_asked_for_and_no_more_than_scopes_open() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::default();
    let plain = id_token(&castellan, &mut browser, &Asking::portal()).await;
    assert_eq!(plain["name"], Value::Null);
    assert_eq!(
        (&plain["acr"], &plain["amr"]),
        (&json!("urn:castellan:acr:password"), &json!(["pwd"]))
    );
    let wanted = json!({"id_token": {"name": null, "email": {"essential": true}}}).to_string();
    let asked = id_token(&castellan, &mut browser, &Asking::portal().with("claims", &wanted)).await;
    assert_eq!(asked["name"], "Ann Roe");
    assert_eq!(asked["email"], Value::Null, "the scope email was not granted");
    for bad in ["[]", "{\"id_token\":1}"] {
        let refused = browser.get(&Asking::portal().with("claims", bad).at(&castellan)).await;
        assert_sent_back(&refused, "https://portal.test/cb", "invalid_request");
    }
    let strong = json!({"id_token": {"acr": {"essential": true, "values": ["urn:mfa"]}}});
    let strong = Asking::portal().with("claims", &strong.to_string());
    let refused = browser.get(&strong.at(&castellan)).await;
    assert_sent_back(&refused, "https://portal.test/cb", "unmet_authentication_requirements");
    let wishes = Asking::portal().with("acr_values", "urn:mfa").with("ui_locales", "de fr-CA");
    assert!(browser.walk(&castellan, &wishes).await.location_param("code").is_some());
}

#[tokio::test]
async fn an_app_may_say_whom_it_means() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let meant = |who: &str| {
        let claims = json!({"id_token": {"sub": {"value": who}}}).to_string();
        Asking::spa().with("claims", &claims)
    };
    let hers = browser.get(&meant("ann").with("prompt", "none").at(&castellan)).await;
    assert!(hers.location_param("code").is_some(), "{hers:?}");
    let silent = browser.get(&meant("bob").with("prompt", "none").at(&castellan)).await;
    assert_sent_back(&silent, "https://spa.test/cb", "login_required");
    // Ann is asked who she is, and is still not Bob.
    let other = browser.walk(&castellan, &meant("bob")).await;
    assert_sent_back(&other, "https://spa.test/cb", "login_required");
}

/// What a browser sends if a form of another site leads to us: no cookies.
async fn post(castellan: &Castellan, asking: &Asking, accept: &str) -> Answer {
    let ask = Ask::post(&castellan.at("/auth/authorize")).form(&asking.pairs());
    let ask = ask.header("origin", "https://evil.test").header("sec-fetch-site", "cross-site");
    let answer = ask.header("accept", accept).send().await;
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_form_of_another_site_is_led_to_the_address_and_leaves_cookies_alone() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    let both = Asking::spa().and("resource", &castellan.url).and("resource", &castellan.url);
    for asking in [Asking::spa(), both] {
        let led = post(&castellan, &asking, "text/html").await;
        assert_eq!(led.status, 303, "{led:?}");
        assert_eq!(castellan.at(led.location()), asking.at(&castellan));
        let answer = browser.get(&castellan.at(led.location())).await;
        assert!(answer.location().starts_with("https://spa.test/cb?code="), "{answer:?}");
    }
    for value in hostile().into_iter().filter(|value| value.len() < 1_000) {
        let led = post(&castellan, &Asking::spa().with("state", &value), "*/*").await;
        assert_clean(&led, &value);
        let answer = browser.get(&castellan.at(led.location())).await;
        assert_eq!(answer.location_param("state"), Some(value), "{answer:?}");
    }
}

#[tokio::test]
async fn a_form_that_no_address_can_carry_goes_nowhere() {
    let castellan = Castellan::with_ann().await;
    let long = Asking::spa().with("state", &"é".repeat(500));
    assert_eq!(post(&castellan, &long, "*/*").await.status, 303);
    for asking in [
        Asking::spa().with("state", &"é".repeat(1_000)),
        long.with("nonce", &"x".repeat(1_000)),
        Asking::spa().with("state", &"x".repeat(100_000)),
        Asking::spa().and("state", "otherstate"),
        Asking::spa().and("client_id", "portal"),
    ] {
        assert_refused(&post(&castellan, &asking, "*/*").await, 400, "invalid_request");
        let page = post(&castellan, &asking, "text/html").await;
        assert_eq!((page.status.as_u16(), page.header("location")), (400, None), "{page:?}");
        assert!(page.body.contains("This request is not valid"), "{page:?}");
    }
}

const SVC: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];

/// A server with two guards before the archive.
async fn guarding_two(archive: &Archive) -> Castellan {
    let guard = |name: &str, path: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\ndialect = \"trompa\"\n\
             upstream = \"{}\"\n",
            archive.url
        )
    };
    Castellan::start(Plan {
        config: guard("one", "/graphql") + &guard("two", "/other"),
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn a_token_for_one_api_is_good_there_alone() {
    let archive = Archive::start().await;
    let castellan = guarding_two(&archive).await;
    let mutation = "mutation { CreatePerson(name: \"Ada\") { name } }";
    let (one, two) = (castellan.at("/graphql"), castellan.at("/other"));
    let wrote = async |path: &str, token: &str| {
        let answer = castellan.graphql(path, Some(token), mutation).await;
        answer.json()["data"]["CreatePerson"]["name"] == "Ada"
    };
    let issued = castellan.token(&[&SVC[..], &[("resource", &one)]].concat()).await.json();
    let token = text(&issued, "access_token");
    assert_eq!(claims(token)["aud"], json!(one));
    assert!(wrote("/graphql", token).await && !wrote("/other", token).await);
    let both =
        castellan.token(&[&SVC[..], &[("resource", &one), ("resource", &two)]].concat()).await;
    let token = text(&both.json(), "access_token").to_owned();
    assert_eq!(claims(&token)["aud"], json!([one, two]));
    assert!(wrote("/graphql", &token).await && wrote("/other", &token).await);
    let all = castellan.token(&SVC).await.json();
    assert!(wrote("/other", text(&all, "access_token")).await, "without a word it is for all");
    let elsewhere = [&SVC[..], &[("resource", "https://evil.test/")]].concat();
    assert_refused(&castellan.token(&elsewhere).await, 400, "invalid_target");
    let twice = [&SVC[..], &[("scope", "Query:*"), ("scope", "Query:*")]].concat();
    assert_refused(&castellan.token(&twice).await, 400, "invalid_request");
}

/// A person agrees to both; each token is for one of them, and the next one for both again.
#[tokio::test]
async fn a_person_agrees_to_some_apis_and_each_token_is_for_fewer() {
    let archive = Archive::start().await;
    let castellan = guarding_two(&archive).await;
    let (one, two) = (castellan.at("/graphql"), castellan.at("/other"));
    let mut browser = Browser::default();
    let asking = Asking::spa().and("resource", &one).and("resource", &two);
    let code = browser.code(&castellan, &asking).await;
    let redeem = [("grant_type", "authorization_code"), ("code", &*code), ("resource", &*two)];
    let first = castellan.token(&[&redeem[..], &SPA].concat()).await.json();
    let token = text(&first, "access_token");
    assert_eq!(claims(token)["aud"], json!(two));
    assert_eq!(castellan.userinfo(token).await.status, 401, "it is not for the issuer");
    let refresh = |token: &str, resource: Option<&str>| {
        let mut pairs = vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
            ("client_id", "spa".to_owned()),
        ];
        pairs.extend(resource.map(|resource| ("resource", resource.to_owned())));
        pairs
    };
    let ask = async |pairs: Vec<(&str, String)>| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, &**value)).collect();
        castellan.token(&pairs).await
    };
    let second = ask(refresh(text(&first, "refresh_token"), Some(&one))).await.json();
    assert_eq!(claims(text(&second, "access_token"))["aud"], json!(one));
    let child = text(&second, "refresh_token");
    let wider = ask(refresh(child, Some(&castellan.url))).await;
    assert_refused(&wider, 400, "invalid_target");
    let third = ask(refresh(child, None)).await.json();
    assert_eq!(claims(text(&third, "access_token"))["aud"], json!([one, two]));
    let odd =
        browser.get(&Asking::spa().with("resource", "https://evil.test/").at(&castellan)).await;
    assert_sent_back(&odd, "https://spa.test/cb", "invalid_target");
    let seen = Ask::post(&castellan.at("/auth/introspect"))
        .form(&[&RESOURCE_SERVER[..], &[("token", text(&third, "access_token"))]].concat())
        .send()
        .await;
    assert_eq!(seen.json()["aud"], json!([one, two]));
}

/// Nothing was said of APIs, so they are for all, and each token may be for fewer.
#[tokio::test]
async fn a_token_may_be_for_one_api_though_the_request_named_none() {
    let archive = Archive::start().await;
    let castellan = guarding_two(&archive).await;
    let (one, two) = (castellan.at("/graphql"), castellan.at("/other"));
    let mut browser = Browser::default();
    let mut redeem = async |resource: &str| {
        let code = browser.code(&castellan, &Asking::spa()).await;
        castellan.redeem(&code, &[&SPA[..], &[("resource", resource)]].concat()).await
    };
    assert_refused(&redeem("https://evil.test/").await, 400, "invalid_target");
    let first = redeem(&one).await.json();
    assert_eq!(claims(text(&first, "access_token"))["aud"], json!(one));
    let refresh = async |before: &Value, resource: &[(&str, &str)]| {
        let token = text(before, "refresh_token");
        castellan.refresh(token, &[&[("client_id", "spa")], resource].concat()).await
    };
    let second = refresh(&first, &[("resource", &two)]).await.json();
    assert_eq!(claims(text(&second, "access_token"))["aud"], json!(two));
    let odd = refresh(&second, &[("resource", "https://evil.test/")]).await;
    assert_refused(&odd, 400, "invalid_target");
    let third = refresh(&second, &[]).await.json();
    assert_eq!(claims(text(&third, "access_token"))["aud"], json!(castellan.url));
}

/// What an app shows to somebody else is signed, by keys that sign nothing else.
#[tokio::test]
async fn userinfo_and_introspection_are_signed_for_those_who_ask() {
    let documents = DOCUMENTS
        .replace("id: portal\n", "id: portal\nuserinfo_signed_response_alg: ES256\n")
        .replace("id: svc\n", "id: svc\nintrospection_signed_response_alg: PS256\n");
    let castellan = Castellan::with_documents(&documents).await;
    let tokens = castellan.portal_tokens().await;
    let token = text(&tokens, "access_token");
    let info = castellan.userinfo(token).await;
    assert_eq!(info.header("content-type"), Some("application/jwt"), "{info:?}");
    let jwks = "/.well-known/jwks.json";
    let said = proven(&castellan, jwks, (&info.body, Algorithm::Es256)).await;
    assert_eq!((&said["sub"], &said["aud"]), (&json!("ann"), &json!("portal")));
    assert_eq!(said["iss"], json!(castellan.url));
    assert!(!castellan.said(&["doctor"]).contains("PROBLEM"));

    let ask = |accept: &str| {
        let pairs = [("client_id", "svc"), ("client_secret", "s3cr3t-svc"), ("token", token)];
        Ask::post(&castellan.at("/auth/introspect")).form(&pairs).header("accept", accept)
    };
    let signed = ask("application/token-introspection+jwt").send().await;
    let kind = Some("application/token-introspection+jwt");
    assert_eq!(signed.header("content-type"), kind, "{signed:?}");
    assert_eq!(header(&signed.body)["typ"], "token-introspection+jwt");
    let said = proven(&castellan, jwks, (&signed.body, Algorithm::Ps256)).await;
    assert_eq!((&said["aud"], &said["iss"]), (&json!("svc"), &json!(castellan.url)));
    assert_eq!(said["token_introspection"], ask("application/json").send().await.json());
    for (accept, is_signed) in [
        ("application/token-introspection+jwt;q=0, application/json", false),
        ("application/token-introspection+jwt;q=0.000", false),
        ("application/token-introspection+jwt;q=0.5, application/json", false),
        ("application/json;q=0.5, Application/Token-Introspection+JWT; Q=0.9", true),
        ("application/json, application/token-introspection+jwt", true),
        ("application/token-introspection+jwts", false),
    ] {
        let answer = ask(accept).send().await;
        assert_eq!(answer.header("content-type") == kind, is_signed, "{accept}: {answer:?}");
    }
    assert_eq!(said["token_introspection"]["active"], true);
    let keys: std::collections::BTreeSet<String> =
        [&info.body, &signed.body, token, text(&tokens, "id_token")]
            .map(|jwt| header(jwt)["kid"].as_str().unwrap().to_owned())
            .into();
    assert_eq!(keys.len(), 4, "one key signs one kind of thing");
    // An answer is no token.
    assert_eq!(castellan.userinfo(&info.body).await.status, 401);
}
