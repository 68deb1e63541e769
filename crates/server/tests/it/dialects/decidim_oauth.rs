//! `docs/contracts/decidim.md` §10, items 17 to 35, 37, 40 and the second half of 36 and 41: apps
//! of `/oauth`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures::{Asking, CHALLENGE, VERIFIER, text},
    jose::{claims, header},
    wire::{Answer, Ask},
};

const PROBE: &str = "{ session { user { id name nickname } } }";
const ANA: (&str, &str) = ("ana", "pw-ana-1234");
const PUB_CB: &str = "https://pub.test/cb";
const CONF_CB: &str = "https://conf.test/cb";
const ALL: &str = "profile user api:read api:write";

/// Ana; PUB, CONF and RO of the contract.
const DOCUMENTS: &str = r#"
resourceType: User
id: "7"
userName: ana
password: pw-ana-1234
name: {givenName: Ana, familyName: Roca}
emails: [{value: ana@example.org, primary: true}]
---
resourceType: Client
id: pub
name: Public app
dialect: decidim
type: public
grant_types: [authorization_code]
scope: [profile, user, "api:read", "api:write"]
redirect_uris: ["https://pub.test/cb"]
---
resourceType: Client
id: conf
name: Confidential app
dialect: decidim
type: confidential
secret: s3cr3t-conf
grant_types: [authorization_code, refresh_token]
scope: [profile, user, "api:read", "api:write"]
redirect_uris: ["https://conf.test/cb"]
---
resourceType: Client
id: ro
dialect: decidim
type: public
grant_types: [authorization_code]
scope: [user, "api:read"]
redirect_uris: ["https://ro.test/cb"]
"#;

async fn start(config: &str) -> Castellan {
    with(config, vec![]).await
}

async fn with(config: &str, environment: Vec<(&'static str, String)>) -> Castellan {
    let config = config.to_owned();
    let documents = DOCUMENTS.to_owned();
    Castellan::start(Plan { config, documents, environment, ..Plan::default() }).await
}

fn public(scope: &str) -> Asking {
    Asking::of("pub", PUB_CB)
        .with("scope", scope)
        .with("code_challenge", CHALLENGE)
        .with("code_challenge_method", "S256")
}

fn confidential(scope: &str) -> Asking {
    Asking::of("conf", CONF_CB).with("scope", scope)
}

fn address(castellan: &Castellan, asking: &Asking) -> String {
    asking.at(castellan).replace("/auth/authorize", "/oauth/authorize")
}

/// Goes where `asking` sends it, signs in as Ana and agrees, if it is asked to.
async fn walk(castellan: &Castellan, browser: &mut Browser, asking: &Asking) -> Answer {
    let mut answer = browser.get(&address(castellan, asking)).await;
    if answer.location().starts_with("/auth/login") {
        answer = browser.sign_in(castellan, &answer, ANA).await;
    }
    if answer.location().starts_with("/auth/consent") {
        answer = browser.decide(castellan, &answer, "allow").await;
    }
    answer
}

async fn code(castellan: &Castellan, asking: &Asking) -> String {
    let answer = walk(castellan, &mut Browser::default(), asking).await;
    answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

async fn post(castellan: &Castellan, path: &str, pairs: &[(&str, &str)]) -> Answer {
    Ask::post(&castellan.at(path)).form(pairs).send().await
}

/// What PUB trades `code` with.
fn redeeming(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", PUB_CB),
        ("client_id", "pub"),
        ("code_verifier", VERIFIER),
    ]
}

fn without<'a>(pairs: &[(&'a str, &'a str)], name: &str) -> Vec<(&'a str, &'a str)> {
    pairs.iter().copied().filter(|(other, _)| *other != name).collect()
}

fn other<'a>(
    pairs: &[(&'a str, &'a str)],
    name: &'a str,
    value: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let mut pairs = without(pairs, name);
    pairs.push((name, value));
    pairs
}

/// What PUB gets for Ana with `scope`.
async fn tokens(castellan: &Castellan, scope: &str) -> Value {
    let code = code(castellan, &public(scope)).await;
    let answer = post(castellan, "/oauth/token", &redeeming(&code)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// What CONF gets for Ana with `scope`.
async fn confidential_tokens(castellan: &Castellan, browser: &mut Browser, scope: &str) -> Value {
    let answer = walk(castellan, browser, &confidential(scope)).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CONF_CB),
        ("client_id", "conf"),
        ("client_secret", "s3cr3t-conf"),
    ];
    let answer = post(castellan, "/oauth/token", &pairs).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn ask(castellan: &Castellan, token: &str, audience: Option<&str>, query: &str) -> Value {
    let ask = Ask::post(&castellan.at("/api")).json(&json!({"query": query})).bearer(token);
    let ask = match audience {
        Some(audience) => ask.header("x-jwt-aud", audience),
        None => ask,
    };
    let answer = ask.send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn session_null() -> Value {
    json!({"data": {"session": null}})
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error"]),
        (status, &json!(code)),
        "{answer:?}"
    );
    assert!(answer.json()["error_description"].is_string(), "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.starts_with(&format!("Bearer realm=\"Decidim\", error=\"{code}\"")),
        "{answer:?}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
}

#[track_caller]
fn assert_sent_back(answer: &Answer, to: &str, code: &str) {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with(&format!("{to}?")), "{answer:?}");
    assert_eq!(answer.location_param("error").as_deref(), Some(code), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"), "{answer:?}");
    assert_eq!(answer.location_param("code"), None, "{answer:?}");
}

#[tokio::test]
async fn decidim_17_a_public_app_without_a_challenge_is_sent_back() {
    let castellan = start("").await;
    let asking = Asking::of("pub", PUB_CB).with("scope", "user");
    let answer = Browser::default().get(&address(&castellan, &asking)).await;
    assert_sent_back(&answer, PUB_CB, "invalid_request");
    let plain = public("user").with("code_challenge_method", "plain");
    let answer = Browser::default().get(&address(&castellan, &plain)).await;
    assert_sent_back(&answer, PUB_CB, "invalid_request");
}

#[tokio::test]
async fn decidim_18_a_person_signs_in_and_agrees() {
    let castellan = start("").await;
    let mut browser = Browser::default();
    let asked = browser.get(&address(&castellan, &public("user api:read"))).await;
    assert_eq!(asked.status, 302, "{asked:?}");
    assert!(asked.location().starts_with("/auth/login?flow="), "{asked:?}");
    let signed_in = browser.sign_in(&castellan, &asked, ANA).await;
    let page = browser.get(&castellan.at(signed_in.location())).await;
    for text in ["Public app", "Ana Roca", "user", "api:read"] {
        assert!(page.body.contains(text), "no {text}: {page:?}");
    }
    let answer = browser.decide(&castellan, &signed_in, "allow").await;
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with(&format!("{PUB_CB}?code=")), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"));
}

#[tokio::test]
async fn decidim_19_a_person_who_does_not_agree_is_sent_back() {
    let castellan = start("").await;
    let mut browser = Browser::default();
    let asked = browser.get(&address(&castellan, &public("user"))).await;
    let signed_in = browser.sign_in(&castellan, &asked, ANA).await;
    let answer = browser.decide(&castellan, &signed_in, "deny").await;
    assert_sent_back(&answer, PUB_CB, "access_denied");
}

#[tokio::test]
async fn decidim_20_an_unknown_app_or_address_is_a_page() {
    let castellan = start("").await;
    for (asking, status) in [
        (public("user").with("client_id", "unknown"), 401),
        (public("user").with("redirect_uri", "https://evil.test/cb"), 400),
        (public("user").without("client_id"), 400),
        (public("user").without("redirect_uri"), 400),
    ] {
        let answer = Browser::default().get(&address(&castellan, &asking)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("location"), None);
        assert!(answer.header("content-type").unwrap().starts_with("text/html"), "{answer:?}");
    }
}

#[tokio::test]
async fn decidim_21_an_app_is_not_given_what_it_may_not_have() {
    let castellan = start("").await;
    let ro =
        public("user api:write").with("client_id", "ro").with("redirect_uri", "https://ro.test/cb");
    let answer = Browser::default().get(&address(&castellan, &ro)).await;
    assert_sent_back(&answer, "https://ro.test/cb", "invalid_scope");
    // Without a scope `profile` is meant, which RO may not have and PUB may.
    let answer = Browser::default().get(&address(&castellan, &ro.without("scope"))).await;
    assert_sent_back(&answer, "https://ro.test/cb", "invalid_scope");
    for blank in ["", " "] {
        let code = code(&castellan, &public(blank)).await;
        let answer = post(&castellan, "/oauth/token", &redeeming(&code)).await;
        assert_eq!(answer.json()["scope"], "profile", "{answer:?}");
    }
}

#[tokio::test]
async fn decidim_22_a_code_is_traded_for_a_token() {
    let castellan = start("").await;
    let code = code(&castellan, &public("user api:read")).await;
    let answer = post(&castellan, "/oauth/token", &redeeming(&code)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(7_200)));
    assert_eq!(body["scope"], "user api:read");
    assert!(body["created_at"].is_u64(), "{body}");
    assert_eq!(body.get("refresh_token"), None);
}

#[tokio::test]
async fn decidim_23_a_code_is_good_once_and_only_as_it_was_asked_for() {
    let castellan = start("").await;
    let fresh = async || code(&castellan, &public("user")).await;
    let used = fresh().await;
    assert_eq!(post(&castellan, "/oauth/token", &redeeming(&used)).await.status, 200);
    let again = post(&castellan, "/oauth/token", &redeeming(&used)).await;
    assert_error(&again, 400, "invalid_grant");
    let wrong = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong";
    for (name, value, error) in [
        ("code_verifier", Some(wrong), "invalid_grant"),
        ("code_verifier", None, "invalid_request"),
        ("redirect_uri", Some("https://pub.test/other"), "invalid_grant"),
        ("redirect_uri", None, "invalid_request"),
        ("code", Some("unknown"), "invalid_grant"),
    ] {
        let code = fresh().await;
        let pairs = match value {
            Some(value) => other(&redeeming(&code), name, value),
            None => without(&redeeming(&code), name),
        };
        assert_error(&post(&castellan, "/oauth/token", &pairs).await, 400, error);
    }
    // A verifier where there was no challenge: somebody took it out.
    let answer = walk(&castellan, &mut Browser::default(), &confidential("user")).await;
    let code = answer.location_param("code").unwrap();
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CONF_CB),
        ("client_id", "conf"),
        ("client_secret", "s3cr3t-conf"),
        ("code_verifier", VERIFIER),
    ];
    assert_error(&post(&castellan, "/oauth/token", &pairs).await, 400, "invalid_grant");
}

#[tokio::test]
async fn decidim_24_a_confidential_app_proves_itself() {
    let castellan = start("").await;
    let code = {
        let answer = walk(&castellan, &mut Browser::default(), &confidential("user")).await;
        answer.location_param("code").unwrap()
    };
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", CONF_CB),
        ("client_id", "conf"),
    ];
    assert_error(&post(&castellan, "/oauth/token", &pairs).await, 401, "invalid_client");
    let wrong = [&pairs[..], &[("client_secret", "wrong")]].concat();
    assert_error(&post(&castellan, "/oauth/token", &wrong).await, 401, "invalid_client");
    let wrong = other(&redeeming(&code), "client_secret", "anything");
    assert_error(&post(&castellan, "/oauth/token", &wrong).await, 401, "invalid_client");
    let unknown = other(&redeeming(&code), "client_id", "unknown");
    assert_error(&post(&castellan, "/oauth/token", &unknown).await, 401, "invalid_client");
    // None of that spent the code.
    let basic = format!("Basic {}", STANDARD.encode("conf:s3cr3t-conf"));
    let ask = Ask::post(&castellan.at("/oauth/token")).form(&pairs[..3]);
    let answer = ask.header("authorization", &basic).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn decidim_25_two_grants_are_served() {
    let castellan = start("").await;
    let none = [("client_id", "conf"), ("client_secret", "s3cr3t-conf")];
    assert_error(&post(&castellan, "/oauth/token", &none).await, 400, "invalid_request");
    for grant in ["password", "client_credentials"] {
        let pairs = [&none[..], &[("grant_type", grant)]].concat();
        let answer = post(&castellan, "/oauth/token", &pairs).await;
        assert_error(&answer, 400, "unsupported_grant_type");
    }
}

/// `docs/rules.md` §8 has the issuer in `aud` besides the app, as RFC 9068 asks.
#[tokio::test]
async fn decidim_26_a_token_says_who_it_is_for() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    let said = claims(token);
    assert_eq!(said["aud"], json!([castellan.url, "pub"]));
    assert_eq!((&said["scp"], &said["sub"]), (&json!("user"), &json!("7")));
    assert_eq!(header(token)["typ"], "at+jwt");
    assert_eq!(
        ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"]["user"],
        json!({"id": "7", "name": "Ana Roca", "nickname": "@ana"})
    );
}

#[tokio::test]
async fn decidim_27_a_token_is_nobodys_without_its_audience() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    for audience in [None, Some("conf"), Some("PUB"), Some("")] {
        assert_eq!(ask(&castellan, token, audience, PROBE).await, session_null(), "{audience:?}");
    }
}

#[tokio::test]
async fn decidim_28_scopes_decide_what_a_token_is_and_reads() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive)).await;
    let read = "{ Person(first: 1) { name } }";
    let user = tokens(&castellan, "user").await;
    let nothing = json!({"data": null});
    assert_eq!(ask(&castellan, text(&user, "access_token"), Some("pub"), PROBE).await, nothing);
    assert_eq!(ask(&castellan, text(&user, "access_token"), Some("pub"), read).await, nothing);
    for (scope, audience) in [("api:write", None), ("user api:write", Some("pub"))] {
        let writer = tokens(&castellan, scope).await;
        let writer = text(&writer, "access_token");
        let dots = if audience.is_some() { 2 } else { 0 };
        assert_eq!(writer.matches('.').count(), dots, "{scope}: {writer}");
        for query in [PROBE, read] {
            assert_eq!(ask(&castellan, writer, audience, query).await, nothing, "{scope}");
        }
    }
    let reader = tokens(&castellan, "api:read").await;
    let reader = text(&reader, "access_token");
    assert_eq!(claims(reader)["scp"], "anonymous");
    assert_eq!(ask(&castellan, reader, Some("pub"), PROBE).await, session_null());
    assert!(ask(&castellan, reader, Some("pub"), read).await["data"]["Person"][0].is_object());
    let profile = tokens(&castellan, "profile").await;
    let profile = text(&profile, "access_token");
    assert_ne!(profile.matches('.').count(), 2, "an opaque token");
    assert_eq!(ask(&castellan, profile, None, PROBE).await, nothing);
    let me = Ask::get(&castellan.at("/oauth/me")).bearer(profile).send().await;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(
        me.json(),
        json!({"id": 7, "email": "ana@example.org", "name": "Ana Roca", "nickname": "ana", "image": null})
    );
}

fn guard(archive: &Archive) -> String {
    format!(
        "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\nupstream = \"{}\"\n",
        archive.url
    )
}

#[tokio::test]
async fn decidim_29_a_mutation_takes_all_three_scopes() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive)).await;
    let write = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { name } }";
    for scope in ["user api:read", "user api:write", "api:read api:write"] {
        let token = tokens(&castellan, scope).await;
        let answer = ask(&castellan, text(&token, "access_token"), Some("pub"), write).await;
        assert_eq!(answer["data"], json!(null), "{scope}: {answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INSUFFICIENT_SCOPE", "{answer}");
    }
    assert_eq!(
        archive.ask("{ Person(identifier: \"x\") { name } }").await["data"]["Person"],
        json!([])
    );
    let token = tokens(&castellan, "user api:read api:write").await;
    let answer = ask(&castellan, text(&token, "access_token"), Some("pub"), write).await;
    assert_eq!(answer, json!({"data": {"CreatePerson": {"name": "x"}}}));
}

#[tokio::test]
async fn decidim_30_the_profile_takes_its_scope() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let me = Ask::get(&castellan.at("/oauth/me")).bearer(text(&token, "access_token"));
    let me = me.send().await;
    assert_eq!((me.status.as_u16(), &*me.body), (403, ""));
    let nobody = Ask::get(&castellan.at("/oauth/me")).send().await;
    assert_eq!((nobody.status.as_u16(), &*nobody.body), (401, ""));
    let challenge = nobody.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer realm=\"Decidim\", error=\"invalid_token\""),
        "{challenge}"
    );
}

async fn refresh(castellan: &Castellan, token: &str, scope: Option<&str>) -> Answer {
    let mut pairs = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", "conf"),
        ("client_secret", "s3cr3t-conf"),
    ];
    pairs.extend(scope.map(|scope| ("scope", scope)));
    post(castellan, "/oauth/token", &pairs).await
}

#[tokio::test]
async fn decidim_31_a_refresh_token_is_good_once() {
    let castellan = start("").await;
    let mut browser = Browser::default();
    let first = confidential_tokens(&castellan, &mut browser, "user api:read").await;
    let old = text(&first, "refresh_token");
    assert_error(&refresh(&castellan, old, Some(ALL)).await, 400, "invalid_scope");
    let answer = refresh(&castellan, old, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let second = answer.json();
    assert_ne!(text(&second, "refresh_token"), old);
    assert_eq!((&second["scope"], &second["expires_in"]), (&first["scope"], &first["expires_in"]));
    let token = text(&second, "access_token");
    assert!(ask(&castellan, token, Some("conf"), PROBE).await["data"]["session"].is_object());
    assert_error(&refresh(&castellan, old, None).await, 400, "invalid_grant");
    // Somebody used it twice: the whole family is over.
    let newest = text(&second, "refresh_token");
    assert_error(&refresh(&castellan, newest, None).await, 400, "invalid_grant");
    assert_eq!(ask(&castellan, token, Some("conf"), PROBE).await, session_null());
    assert_error(&refresh(&castellan, "", None).await, 400, "invalid_request");
    let theirs = [("grant_type", "refresh_token"), ("refresh_token", newest), ("client_id", "pub")];
    assert_error(&post(&castellan, "/oauth/token", &theirs).await, 400, "invalid_grant");
    assert_error(&post(&castellan, "/oauth/token", &theirs[..1]).await, 400, "invalid_request");
}

#[tokio::test]
async fn decidim_32_a_revoked_token_is_dead_at_once() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    assert!(ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"].is_object());
    for shown in [token, token, "unknown"] {
        let pairs = [("token", shown), ("client_id", "pub")];
        let answer = post(&castellan, "/oauth/revoke", &pairs).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "{}"));
        assert_eq!(ask(&castellan, token, Some("pub"), PROBE).await, session_null());
    }
}

#[tokio::test]
async fn decidim_33_another_app_ends_nothing() {
    let castellan = start("").await;
    let token = confidential_tokens(&castellan, &mut Browser::default(), "user api:read").await;
    let token = text(&token, "access_token");
    for client in [
        &[][..],
        &[("client_id", "pub")],
        &[("client_id", "conf")],
        &[("client_id", "conf"), ("client_secret", "wrong")],
        &[("client_id", "unknown")],
    ] {
        let pairs = [&[("token", token)], client].concat();
        let answer = post(&castellan, "/oauth/revoke", &pairs).await;
        assert_error(&answer, 403, "unauthorized_client");
    }
    assert!(ask(&castellan, token, Some("conf"), PROBE).await["data"]["session"].is_object());
}

#[tokio::test]
async fn decidim_34_a_refresh_token_takes_its_access_token_along() {
    let castellan = start("").await;
    let both = confidential_tokens(&castellan, &mut Browser::default(), "user api:read").await;
    let pairs = [
        ("token", text(&both, "refresh_token")),
        ("token_type_hint", "access_token"),
        ("client_id", "conf"),
        ("client_secret", "s3cr3t-conf"),
    ];
    assert_eq!(post(&castellan, "/oauth/revoke", &pairs).await.status, 200);
    let token = text(&both, "access_token");
    assert_eq!(ask(&castellan, token, Some("conf"), PROBE).await, session_null());
}

#[tokio::test]
async fn decidim_35_consent_is_remembered_for_a_confidential_app() {
    let castellan = start("").await;
    let mut browser = Browser::default();
    confidential_tokens(&castellan, &mut browser, "user api:read").await;
    let again = browser.get(&address(&castellan, &confidential("user api:read"))).await;
    assert!(again.location().starts_with(CONF_CB), "{again:?}");
    let wider = browser.get(&address(&castellan, &confidential("user api:read api:write"))).await;
    assert!(wider.location().starts_with("/auth/consent"), "{wider:?}");
    for _ in 0..2 {
        let asked = browser.get(&address(&castellan, &public("user"))).await;
        assert!(asked.location().starts_with("/auth/consent"), "{asked:?}");
        browser.decide(&castellan, &asked, "allow").await;
    }
}

#[tokio::test]
async fn decidim_36_an_apps_token_lives_as_long_as_is_set() {
    let minutes = ("DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN", "1".to_owned());
    let castellan = with("", vec![minutes]).await;
    let token = tokens(&castellan, "user api:read").await;
    assert_eq!(token["expires_in"], 60);
    let token = text(&token, "access_token");
    let said = claims(token);
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 60);
    assert!(ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"].is_object());
    castellan.advance_to(61);
    assert_eq!(ask(&castellan, token, Some("pub"), PROBE).await, session_null());
}

/// Through the command line, until a console stands.
#[tokio::test]
async fn decidim_37_an_app_says_what_it_is_and_where_it_is() {
    let castellan = start("").await;
    let add = |id: &str, more: &[&str]| {
        let fixed = ["client", "add", id, "--dialect", "decidim", "--redirect-uri"];
        castellan.cli(&[&fixed[..], more].concat())
    };
    for (more, said) in [
        (&["https://a.test/cb"][..], "--type is required"),
        (&["http://example.org", "--type", "confidential"], "must be https"),
        (&["myapp://cb", "--type", "confidential"], "must be https"),
        (&["http://example.org", "--type", "public"], "must not be http"),
        (&["http://10.0.2.2.example.org/", "--type", "public"], "must not be http"),
        (&["https://a.test/cb", "--type", "neither"], "public, confidential"),
    ] {
        let output = add("new", more);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(said), "{more:?}: {stderr}");
    }
    assert!(!castellan.cli(&["get", "Client", "new"]).status.success());
    for (id, more) in [
        ("native", &["myapp://cb", "--type", "public"][..]),
        ("local", &["http://localhost:1234/", "--type", "public"]),
        ("emulated", &["http://10.0.2.2:1234/", "--type", "confidential"]),
    ] {
        let output = add(id, more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let shown = castellan.said(&["get", "Client", "native", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["scope"], &shown["dialect"]), (&json!(["profile"]), &json!("decidim")));
    assert_eq!(shown["grant_types"], json!(["authorization_code"]), "no refresh tokens by itself");
}

#[tokio::test]
async fn decidim_40_what_a_deleted_app_got_is_dead() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    assert!(ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"].is_object());
    castellan.said(&["delete", "Client", "pub"]);
    let mut last = Value::Null;
    // Another process deleted it: the bound of the feed applies.
    for _ in 0..40 {
        last = ask(&castellan, token, Some("pub"), PROBE).await;
        if last == session_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(last, session_null());
    let answer = Browser::default().get(&address(&castellan, &public("user"))).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.header("location"), None);
}

/// The other half of it is told in `decidim_machines`.
#[tokio::test]
async fn decidim_41_where_authentication_is_forced_apps_are_let_in() {
    let force = ("DECIDIM_API_FORCE_API_AUTHENTICATION", "1".to_owned());
    let castellan = with("", vec![force]).await;
    let token = tokens(&castellan, "user api:read").await;
    let session = ask(&castellan, text(&token, "access_token"), Some("pub"), PROBE).await;
    assert_eq!(session["data"]["session"]["user"]["id"], "7", "{session}");
}

/// A multipart form and JSON are read as well (§6.2), and a parameter that comes twice is refused.
#[tokio::test]
async fn the_token_endpoint_of_oauth_reads_three_kinds_of_bodies() {
    let castellan = start("").await;
    let fresh = async || code(&castellan, &public("user")).await;
    let token = || Ask::post(&castellan.at("/oauth/token"));
    let code = fresh().await;
    let body: serde_json::Map<_, _> =
        redeeming(&code).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    assert_eq!(token().json(&Value::Object(body)).send().await.status, 200);
    let code = fresh().await;
    let part = |(name, value): (&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts: String = redeeming(&code).into_iter().map(part).collect();
    let multipart = "multipart/form-data; boundary=x";
    let answer = token().body(multipart, format!("{parts}--x--\r\n")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // Another charset, and bytes that are no text.
    let other = parts.replace(
        "name=\"code\"\r\n",
        "name=\"code\"\r\nContent-Type: text/plain; charset=utf-16le\r\n",
    );
    let mut broken = format!("{other}--x--\r\n").into_bytes();
    let at = broken.windows(4).position(|four| four == b"user").unwrap_or(broken.len() - 20);
    broken[at] = 0xff;
    let answer = token().body(multipart, broken).send().await;
    assert_ne!(answer.status, 200, "{answer:?}");
    let answer = token().body("application/x-www-form-urlencoded", "grant_type=%ff").send().await;
    assert_error(&answer, 400, "invalid_request");
    let twice = [redeeming(&code), vec![("code", "x")]].concat();
    assert_error(&token().form(&twice).send().await, 400, "invalid_request");
    assert_error(&token().body("text/plain", "x").send().await, 400, "invalid_request");
}

/// What an app is not given any more, its tokens do not open any more: a mutation, the profile.
#[tokio::test]
async fn what_is_taken_from_an_app_is_taken_from_its_tokens() {
    let archive = Archive::start().await;
    let castellan = start(&guard(&archive)).await;
    let token = tokens(&castellan, ALL).await;
    let token = text(&token, "access_token");
    let write = "mutation { CreatePerson(name: \"x\") { name } }";
    let answer = ask(&castellan, token, Some("pub"), write).await;
    assert_eq!(answer["data"]["CreatePerson"]["name"], "x");
    let fewer = DOCUMENTS.split("---").nth(1).unwrap();
    let fewer = fewer.replace("[profile, user, \"api:read\", \"api:write\"]", "[\"api:write\"]");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &fewer).status.success());
    let mut answer = Value::Null;
    // Another process wrote it: the bound of the feed applies.
    for _ in 0..40 {
        answer = ask(&castellan, token, Some("pub"), write).await;
        if answer["data"].is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INSUFFICIENT_SCOPE", "{answer}");
    let me = Ask::get(&castellan.at("/oauth/me")).bearer(token).send().await;
    assert_eq!(me.status, 403, "{me:?}");
}

/// `X-Jwt-Aud` is owed at every guard, and nobody is shown a person without `user`.
#[tokio::test]
async fn an_apps_token_is_bound_to_its_audience_at_every_guard() {
    let own =
        "[[guard]]\nname = \"own\"\npath = \"/own\"\nsession = \"local\"\npublic = [\"Query:*\"]\n";
    let castellan = start(own).await;
    let session = async |scope: &str, audience: Option<&str>| {
        let token = tokens(&castellan, scope).await;
        let token = text(&token, "access_token");
        let ask = Ask::post(&castellan.at("/own")).json(&json!({"query": PROBE})).bearer(token);
        let ask = match audience {
            Some(audience) => ask.header("x-jwt-aud", audience),
            None => ask,
        };
        ask.send().await.json()["data"]["session"].clone()
    };
    assert_eq!(session("user api:read", Some("pub")).await["user"]["id"], "7");
    assert_eq!(session("user api:read", None).await, Value::Null);
    for scope in ["api:write", "profile"] {
        assert_eq!(session(scope, None).await["user"], Value::Null, "{scope}");
    }
}

/// The address goes to an app of another kind only if people were asked about it.
#[tokio::test]
async fn the_address_is_shown_to_whom_it_was_promised() {
    let castellan = start("").await;
    let native = "resourceType: Client\nid: native\ngrant_types: [authorization_code]\n\
                  scope: [openid, profile, email]\nredirect_uris: [\"https://native.test/cb\"]\n";
    assert!(castellan.cli_with(&["apply", "-f", "-"], native).status.success());
    for (scope, email) in [("profile", Value::Null), ("profile email", json!("ana@example.org"))] {
        let asking = public(scope)
            .with("client_id", "native")
            .with("redirect_uri", "https://native.test/cb");
        let code = code(&castellan, &asking).await;
        let pairs = other(&redeeming(&code), "client_id", "native");
        let pairs = other(&pairs, "redirect_uri", "https://native.test/cb");
        let answer = post(&castellan, "/auth/token", &pairs).await.json();
        let token = text(&answer, "access_token").to_owned();
        let me = Ask::get(&castellan.at("/oauth/me")).bearer(&token).send().await;
        assert_eq!(me.json()["email"], email, "{scope}");
    }
    // Of an app of `/oauth` the page says so.
    let mut browser = Browser::default();
    let asked = browser.get(&address(&castellan, &public("profile"))).await;
    let signed_in = browser.sign_in(&castellan, &asked, ANA).await;
    let page = browser.get(&castellan.at(signed_in.location())).await;
    assert!(page.body.contains("See your name and your e-mail address"), "{page:?}");
}

/// A contract that is written for an app later does not change what it got before.
#[tokio::test]
async fn a_token_goes_on_as_it_was_issued() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    let native = DOCUMENTS.split("---").nth(1).unwrap().replace("dialect: decidim\n", "");
    assert!(castellan.cli_with(&["apply", "-f", "-"], &native).status.success());
    for _ in 0..20 {
        assert_eq!(ask(&castellan, token, None, PROBE).await, session_null());
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"].is_object());
}

#[tokio::test]
async fn an_app_may_not_say_what_contradicts_its_contract() {
    let castellan = start("").await;
    let app = |kind: &str, more: &str| {
        format!(
            "resourceType: Client\nid: new\ndialect: decidim\ntype: {kind}\n\
             grant_types: [authorization_code, refresh_token]\nredirect_uris: [\"https://a.test/cb\"]\n{more}\n"
        )
    };
    let code =
        |setting: &str| format!("secret: s3cr3t-new\nauth: {{authorization_code: {{{setting}}}}}");
    for (kind, more, said) in [
        ("confidential", code("secret_required: false, pkce: true"), "secret_required"),
        ("confidential", code("refresh_token_rotation: keep"), "refresh_token_rotation"),
        ("confidential", code("token_format: opaque"), "token_format"),
        ("public", "first_party: true".to_owned(), "first_party"),
        ("public", "scope: [\"Castellan:*\"]".to_owned(), "scope"),
        ("public", "scope: [openid]".to_owned(), "scope"),
        ("public", "redirect_uris: [\"http://a.test/cb\"]".to_owned(), "occurs twice"),
    ] {
        let output = castellan.cli_with(&["apply", "-f", "-"], &app(kind, &more));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(said), "{more}: {stderr}");
    }
}

/// An app signs out as a machine user does, again and again, and only with its own name.
#[tokio::test]
async fn an_app_signs_out_of_its_token() {
    let castellan = start("").await;
    let token = tokens(&castellan, "user api:read").await;
    let token = text(&token, "access_token");
    let out = async |audience: Option<&str>| {
        let ask = Ask::new(http::Method::DELETE, &castellan.at("/api/sign_out")).bearer(token);
        let ask = match audience {
            Some(audience) => ask.header("x-jwt-aud", audience),
            None => ask,
        };
        ask.send().await.status.as_u16()
    };
    assert_eq!((out(None).await, out(Some("conf")).await), (401, 401));
    assert!(ask(&castellan, token, Some("pub"), PROBE).await["data"]["session"].is_object());
    assert_eq!(out(Some("pub")).await, 200);
    assert_eq!(ask(&castellan, token, Some("pub"), PROBE).await, session_null());
    assert_eq!((out(Some("pub")).await, out(Some("conf")).await), (200, 401));
}
