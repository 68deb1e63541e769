//! Every endpoint once as a stranger and once as somebody whom it serves: status, headers and body, as
//! snapshots in `snapshots/`. Bodies of pages are left out, as they have snapshots of their own.

use castellan_server::{config::Rosters, http::openapi};
use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    dialects::trompa_guard::plan,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, CHALLENGE, DOCUMENTS, PORTAL, VERIFIER, text},
        wire::{Answer, Ask},
    },
};

/// Words of at least as many letters, digits, dashes and underscores differ from run to run.
const RANDOM: usize = 22;

/// What a snapshot keeps of an answer: what differs from run to run is `...`.
fn photograph(castellan: &Castellan, mut answer: Answer) -> String {
    let is_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if is_page {
        answer.body.clear();
    } else if let Ok(mut body) = serde_json::from_str::<Value>(&answer.body) {
        redact(&mut body);
        answer.body = serde_json::to_string_pretty(&body).unwrap();
    } else {
        let lines = answer.body.split_inclusive('\n').map(|line| match line.split_once(": ") {
            Some((name, _)) if OF_A_VERSION.contains(&name.trim()) => format!("{name}: ...\n"),
            _ => line.to_owned(),
        });
        answer.body = lines.collect();
    }
    for name in ["etag", "last-modified"] {
        if answer.headers.contains_key(name) {
            answer.headers.insert(name, "...".parse().unwrap());
        }
    }
    if let Some((path, _)) = answer.header("location").and_then(|at| at.split_once("/_history/")) {
        let location = format!("{path}/_history/...").parse().unwrap();
        answer.headers.insert("location", location);
    }
    for name in ["location", "set-cookie", "authorization"] {
        if let Some(value) = answer.header(name).map(shorten) {
            answer.headers.insert(name, value.parse().unwrap());
        }
    }
    answer.photograph().replace(&castellan.url, "http://castellan.test")
}

/// Members that name a version, or when it was made.
const OF_A_VERSION: [&str; 5] = ["versionId", "lastUpdated", "createdAt", "etag", "lastModified"];

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if OF_A_VERSION.contains(&&**name) {
                    *value = json!("...");
                }
                redact(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(redact),
        Value::String(text) => *text = shorten(text),
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 1_000_000_000) => {
            *value = json!("(time)");
        }
        _ => {}
    }
}

fn shorten(text: &str) -> String {
    let of_words = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let ends = text.split_inclusive(|letter: char| !of_words(letter));
    ends.map(|part| {
        let word = part.trim_end_matches(|letter: char| !of_words(letter));
        if word.len() < RANDOM { part.to_owned() } else { part.replace(word, "...") }
    })
    .collect()
}

/// Takes a picture called `name`.
async fn take(castellan: &Castellan, name: &str, ask: Ask) {
    let answer = ask.send().await;
    assert_snapshot!(name.to_owned(), photograph(castellan, answer));
}

/// An app that administers, one for devices, and one that may ask about every token.
const MORE: &str = r#"
---
resourceType: Client
id: admin
secret: s3cr3t-admin
grant_types: [client_credentials]
scope: ["Castellan:*"]
---
resourceType: Client
id: tv
name: The television
type: public
grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]
scope: [openid]
"#;

const ADMIN: [(&str, &str); 2] = [("client_id", "admin"), ("client_secret", "s3cr3t-admin")];

async fn with_admin() -> (Castellan, String) {
    let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{MORE}")).await;
    let pairs = [&[("grant_type", "client_credentials")], &ADMIN[..]].concat();
    let token = castellan.token(&pairs).await;
    let token = text(&token.json(), "access_token").to_owned();
    (castellan, token)
}

/// Every described operation, asked by a stranger with nothing.
#[tokio::test]
async fn strangers_are_told_what_they_lack() {
    let castellan = Castellan::with_ann().await;
    let document = openapi(&Rosters::default());
    // What they are told, each answer once with the operations that give it.
    let mut pictures: Vec<(String, String)> = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods = ["get", "put", "post", "patch", "delete"];
        for method in methods.iter().filter(|method| operations[**method].is_object()) {
            let url = castellan.at(&path.replace("{id}", "someone"));
            let ask = Ask::new(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), &url);
            let ask = match *method {
                "post" => ask.form(&[]),
                "put" | "patch" => ask.json(&json!({})),
                _ => ask,
            };
            let answer = ask.send().await;
            let status = answer.status.as_str();
            let described = &operations[*method]["responses"][status];
            assert!(described.is_object(), "{method} {path}: {status} is not described");
            if answer.status != 200 {
                let operation = format!("{} {path}", method.to_uppercase());
                let told = photograph(&castellan, answer);
                match pictures.iter_mut().find(|(_, picture)| *picture == told) {
                    Some((operations, _)) => operations.extend(["\n", &*operation]),
                    None => pictures.push((operation, told)),
                }
            }
        }
    }
    let pictures: Vec<_> = pictures
        .into_iter()
        .map(|(operations, told)| format!("{operations}\n\n{told}\n"))
        .collect();
    assert_snapshot!("strangers", pictures.join("\n----\n\n"));
}

/// The endpoints of OAuth and OpenID Connect.
#[tokio::test]
async fn oauth_clients_get_what_they_came_for() {
    let (castellan, _) = with_admin().await;
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::portal().at(&castellan)).await;
    let login = castellan.at(begun.location());
    assert_snapshot!("authorize", photograph(&castellan, begun));
    assert_snapshot!("login_page", photograph(&castellan, browser.get(&login).await));
    let code = browser.code(&castellan, &Asking::portal()).await;
    let tokens = castellan.redeem(&code, &PORTAL).await;
    let body = tokens.json();
    assert_snapshot!("token_authorization_code", photograph(&castellan, tokens));
    let (access, refresh) = (text(&body, "access_token"), text(&body, "refresh_token"));
    let userinfo = Ask::get(&castellan.at("/auth/userinfo")).bearer(access);
    take(&castellan, "userinfo", userinfo).await;
    for (name, token) in
        [("introspect_access_token", access), ("introspect_refresh_token", refresh)]
    {
        let pairs = [&PORTAL[..], &[("token", token)]].concat();
        take(&castellan, name, Ask::post(&castellan.at("/auth/introspect")).form(&pairs)).await;
    }
    assert_snapshot!(
        "token_refresh_token",
        photograph(&castellan, castellan.refresh(refresh, &PORTAL).await)
    );
    let pairs = [&PORTAL[..], &[("token", refresh)]].concat();
    take(&castellan, "revoke", Ask::post(&castellan.at("/auth/revoke")).form(&pairs)).await;
    let userinfo = Ask::get(&castellan.at("/auth/userinfo")).bearer(access);
    take(&castellan, "userinfo_revoked", userinfo).await;
    let machine = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    assert_snapshot!(
        "token_client_credentials",
        photograph(&castellan, castellan.token(&machine).await)
    );
    let asking = Asking::portal();
    let pushed = [asking.pairs(), vec![PORTAL[1]]].concat();
    take(&castellan, "par", Ask::post(&castellan.at("/auth/par")).form(&pushed)).await;
    let device = [("client_id", "tv"), ("scope", "openid")];
    let mut begun = Ask::post(&castellan.at("/auth/device")).form(&device).send().await;
    let mut body = begun.json();
    let device_code = text(&body, "device_code").to_owned();
    for name in ["user_code", "verification_uri_complete"] {
        body[name] = json!("(code)");
    }
    begun.body = body.to_string();
    assert_snapshot!("device", photograph(&castellan, begun));
    let poll = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "tv"),
        ("device_code", &device_code),
    ];
    assert_snapshot!("token_device_code", photograph(&castellan, castellan.token(&poll).await));
    let page = browser.get(&castellan.at("/account")).await;
    assert_snapshot!("account_page", photograph(&castellan, page));
    let page = browser.get(&castellan.at("/auth/logout")).await;
    assert_snapshot!("logout_page", photograph(&castellan, page));
    let page = browser.get(&castellan.at("/no/such/page")).await;
    assert_snapshot!("not_found", photograph(&castellan, page));
}

/// Resources, as an administrator's program sees them (`docs/contracts/aidbox.md` §1).
#[tokio::test]
async fn administrators_manage_resources() {
    let (castellan, token) = with_admin().await;
    let at = |path: &str| castellan.at(path);
    let user =
        json!({"userName": "bea", "password": "pw-bea-12345", "emails": [{"value": "b@x.test"}]});
    for (name, ask) in [
        ("resource_created", Ask::new(Method::PUT, &at("/User/bea")).json(&user)),
        ("resource_replaced", Ask::new(Method::PUT, &at("/User/bea")).json(&user)),
        (
            "resource_patched",
            Ask::new(Method::PATCH, &at("/User/bea")).json(&json!({"name": {"givenName": "Bea"}})),
        ),
        (
            "resource_stale",
            Ask::new(Method::PUT, &at("/User/bea")).header("if-match", "1-x").json(&user),
        ),
        ("resource_read", Ask::get(&at("/User/bea"))),
        ("resource_history", Ask::get(&at("/fhir/User/bea/_history"))),
        ("resource_read_yaml", Ask::get(&at("/Client/spa")).header("accept", "text/yaml")),
        ("resource_list", Ask::get(&at("/Client"))),
        ("resource_absent", Ask::get(&at("/User/nobody"))),
        ("resource_invalid", Ask::new(Method::PUT, &at("/User/eve")).json(&json!({"name": 1}))),
        ("resource_media_type", Ask::new(Method::PUT, &at("/User/eve")).body("text/plain", "x")),
        ("resource_read_only", Ask::new(Method::PUT, &at("/Grant/ann/spa")).json(&json!({}))),
        ("resource_deleted", Ask::new(Method::DELETE, &at("/User/bea"))),
        ("resource_gone", Ask::get(&at("/User/bea"))),
        ("resource_deleted_again", Ask::new(Method::DELETE, &at("/User/bea"))),
    ] {
        take(&castellan, name, ask.bearer(&token)).await;
    }
}

/// `docs/contracts/trompa.md` §§2 and 4.
#[tokio::test]
async fn trompa_keys_are_traded() {
    let castellan = Castellan::start(plan(None)).await;
    let jwt = |body: &Value| Ask::post(&castellan.at("/jwt")).json(body);
    let key = json!({"id": "admin", "apiKey": "k-admin", "scopes": ["*"]});
    take(&castellan, "trompa_jwt", jwt(&key)).await;
    take(&castellan, "trompa_jwt_without_scopes", jwt(&json!({"id": "a", "apiKey": "b"}))).await;
    take(&castellan, "trompa_jwt_get", Ask::get(&castellan.at("/jwt"))).await;
}

const DECIDIM: &str = r#"
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
scope: ["api:read", "api:write"]
---
resourceType: User
id: ann
userName: ann
password: pw-ann
---
resourceType: Client
id: pub
name: Public app
dialect: decidim
type: public
grant_types: [authorization_code, refresh_token]
scope: [profile, user, "api:read"]
redirect_uris: ["https://pub.test/cb"]
"#;

/// `docs/contracts/decidim.md` §§2, 3 and 6.
#[tokio::test]
async fn decidim_machines_and_apps_are_served() {
    let castellan = Castellan::start(Plan {
        documents: DECIDIM.to_owned(),
        environment: vec![("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned())],
        ..Plan::default()
    })
    .await;
    let at = |path: &str| castellan.at(path);
    let sign_in = |secret: &str| {
        Ask::post(&at("/api/sign_in"))
            .form(&[("api_user[key]", "nightly-sync"), ("api_user[secret]", secret)])
    };
    take(&castellan, "decidim_sign_in_refused", sign_in("wrong")).await;
    let mut signed_in = sign_in("PASTE_API_SECRET_HERE").send().await;
    let mut body = signed_in.json();
    let token = text(&body, "jwt_token").to_owned();
    body["id"] = json!("(number)");
    signed_in.body = body.to_string();
    assert_snapshot!("decidim_sign_in", photograph(&castellan, signed_in));
    let sign_out = || Ask::new(Method::DELETE, &at("/api/sign_out")).bearer(&token);
    take(&castellan, "decidim_sign_out", sign_out()).await;
    take(&castellan, "decidim_sign_out_again", sign_out()).await;

    let asking = Asking::of("pub", "https://pub.test/cb")
        .with("scope", "profile user api:read")
        .with("code_challenge", CHALLENGE)
        .with("code_challenge_method", "S256");
    let mut browser = Browser::default();
    let authorize = asking.at(&castellan).replace("/auth/authorize", "/oauth/authorize");
    let begun = browser.get(&authorize).await;
    assert_snapshot!("decidim_authorize", photograph(&castellan, begun));
    let answer = browser.walk_to(&castellan, &authorize).await;
    let back = answer.location().to_owned();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "pub"),
        ("redirect_uri", "https://pub.test/cb"),
        ("code", &*code),
    ];
    take(&castellan, "decidim_token_without_verifier", Ask::post(&at("/oauth/token")).form(&[]))
        .await;
    pairs.push(("code_verifier", VERIFIER));
    let tokens = Ask::post(&at("/oauth/token")).form(&pairs).send().await;
    let access = text(&tokens.json(), "access_token").to_owned();
    assert_snapshot!("decidim_token", photograph(&castellan, tokens));
    take(&castellan, "decidim_me", Ask::get(&at("/oauth/me")).bearer(&access)).await;
    take(&castellan, "decidim_me_stranger", Ask::get(&at("/oauth/me"))).await;
    let about = [("client_id", "pub"), ("token", &*access)];
    let post = |path: &str| Ask::post(&at(path)).form(&about);
    take(&castellan, "decidim_introspect", post("/oauth/introspect")).await;
    take(&castellan, "decidim_revoke", post("/oauth/revoke")).await;
    take(&castellan, "decidim_me_revoked", Ask::get(&at("/oauth/me")).bearer(&access)).await;
}
