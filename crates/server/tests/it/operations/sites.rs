//! Several sites on one server: each is a tenant of its own, and nothing of one works on another
//! (`docs/contracts/decidim.md` §9, item 1, and §10, items 9, 12 and 38; `docs/rules.md` rules 36
//! and 42).

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan, free_port},
    fixtures::{ANN, Asking, SPA, assert_refused, text},
    wire::{Answer, Ask, raw},
};

const SECRET: &str = "PASTE_API_SECRET_HERE";
const KEY: &str = "k-archivist-0123456789";
const DOCUMENTS: &str = r#"
resourceType: ApiCredential
id: nightly-sync
name: Night sync
secret: PASTE_API_SECRET_HERE
scope: ["api:read", "api:write"]
---
resourceType: AuthKey
id: archivist
apiKey: k-archivist-0123456789
scopes: ["Mutation:*"]
---
resourceType: Client
id: svc
secret: s3cr3t-svc
grant_types: [client_credentials]
scope: ["api:read", "Query:*", "Mutation:Person:Create"]
---
resourceType: Client
id: spa
first_party: true
grant_types: [code]
scope: [openid]
auth:
  authorization_code:
    redirect_uri: https://spa.test/cb
    pkce: true
    token_format: jwt
    refresh_token: true
---
resourceType: User
id: ann
userName: ann
password: pw-ann
"#;

/// One site and the other.
const BOTH_WAYS: [(&str, &str); 2] = [("org1.test", "org2.test"), ("org2.test", "org1.test")];

/// Two sites on one port, told apart by host; [`DOCUMENTS`] are the first one's.
async fn two_sites() -> Castellan {
    two_sites_with("").await
}

/// The same with `guards` at both.
async fn two_sites_with(guards: &str) -> Castellan {
    let other = free_port();
    Castellan::start(Plan {
        config: format!(
            "[[site]]\nname = \"org1\"\nhosts = [\"org1.test\"]\n[[site]]\nname = \"org2\"\n\
             issuer = \"http://org2.localhost:{other}\"\nhosts = [\"org2.test\"]\n{guards}"
        ),
        documents: DOCUMENTS.to_owned(),
        environment: vec![
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
            ("JWT_SECRET", "s3cret-of-the-keys".to_owned()),
        ],
        ..Plan::default()
    })
    .await
}

/// Two sites before one API, which know the same apps, keys and people with the same secrets.
async fn twins(archive: &Archive) -> Castellan {
    let guard = |name: &str, path: &str, dialect: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"{path}\"\ndialect = \"{dialect}\"\n\
             upstream = \"{}\"\n",
            archive.url
        )
    };
    let guards = guard("archive", "/graphql", "trompa") + &guard("api", "/api", "decidim");
    let castellan = two_sites_with(&guards).await;
    let again = castellan.cli_with(&["--site", "org2", "apply", "-f", "-"], DOCUMENTS);
    assert!(again.status.success(), "{again:?}");
    castellan
}

fn post(castellan: &Castellan, host: &str, path: &str) -> Ask {
    Ask::post(&castellan.at(path)).header("host", host)
}

async fn sign_in(castellan: &Castellan, host: &str, secret: &str) -> Answer {
    let pairs = [("api_user[key]", "nightly-sync"), ("api_user[secret]", secret)];
    post(castellan, host, "/api/sign_in").form(&pairs).send().await
}

/// What `svc` is given at `host`.
async fn app_token(castellan: &Castellan, host: &str) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    let issued = post(castellan, host, "/auth/token").form(&pairs).send().await.json();
    text(&issued, "access_token").to_owned()
}

/// What the key `archivist` is traded for at `host`.
async fn key_token(castellan: &Castellan, host: &str) -> String {
    let trade = json!({"id": "archivist", "apiKey": KEY, "scopes": ["Mutation:*"]});
    let answer = post(castellan, host, "/jwt").json(&trade).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.json(), "jwt").to_owned()
}

/// Where `browser` is sent at `host` for a code of `spa`.
async fn begin(castellan: &Castellan, host: &str, browser: &mut Browser) -> Answer {
    browser.send(Ask::get(&Asking::spa().at(castellan)).header("host", host)).await
}

/// The code that Ann's `browser`, in which nobody is signed in at `host`, is sent back with.
async fn code(castellan: &Castellan, host: &str, browser: &mut Browser) -> String {
    let begun = begin(castellan, host, browser).await;
    assert!(begun.location().starts_with("/auth/login"), "{begun:?}");
    let form = Ask::get(&castellan.at(begun.location())).header("host", host);
    let flow = browser.send(form).await.hidden("flow").expect("a form");
    let pairs = [("flow", &*flow), ("username", ANN.0), ("password", ANN.1)];
    let answer = browser.send(post(castellan, host, "/auth/login").form(&pairs)).await;
    answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
}

async fn probe(castellan: &Castellan, host: &str, token: &str) -> Value {
    let query = json!({"query": "{ session { user { name } } }"});
    let answer = post(castellan, host, "/api").json(&query).bearer(token).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["session"].clone()
}

#[tokio::test]
async fn decidim_09_a_key_of_one_tenant_signs_nobody_in_at_another() {
    let castellan = two_sites().await;
    assert_eq!(sign_in(&castellan, "org1.test", SECRET).await.status, 200);
    let answer = sign_in(&castellan, "org2.test", SECRET).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.header("authorization"), None);
}

#[tokio::test]
async fn decidim_12_a_token_of_one_tenant_is_nothing_at_another() {
    let castellan = two_sites().await;
    let token = sign_in(&castellan, "org1.test", SECRET).await.json();
    let token = token["jwt_token"].as_str().unwrap();
    assert_eq!(probe(&castellan, "org1.test", token).await["user"]["name"], "Night sync");
    assert_eq!(probe(&castellan, "org2.test", token).await, Value::Null);
    // Not even when the other one has a machine user of the same key, name and secret.
    let again = castellan.cli_with(&["--site", "org2", "apply", "-f", "-"], DOCUMENTS);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(sign_in(&castellan, "org2.test", SECRET).await.status, 200);
    assert_eq!(probe(&castellan, "org2.test", token).await, Value::Null);
    assert_eq!(probe(&castellan, "org1.test", token).await["user"]["name"], "Night sync");
    // Signing out at one leaves the other alone.
    let out = Ask::new(http::Method::DELETE, &castellan.at("/api/sign_out"));
    let answer = out.header("host", "org2.test").bearer(token).send().await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(probe(&castellan, "org1.test", token).await["user"]["name"], "Night sync");
}

/// Through the command line, until a console stands.
#[tokio::test]
async fn decidim_38_a_credential_is_shown_once_and_its_name_is_one_tenants() {
    let castellan = two_sites().await;
    let said = castellan.said(&["credential", "add", "Reporter"]);
    let line = |name: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name}: {said}")).trim().to_owned()
    };
    let (key, secret) = (line("key:"), line("secret:"));
    for text in [&key, &secret] {
        assert_eq!(text.len(), 32, "{said}");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()), "{said}");
    }
    for format in ["json", "yaml"] {
        let shown = castellan.said(&["get", "ApiCredential", "--format", format]);
        assert!(shown.contains(&key) && !shown.contains(&secret), "{shown}");
    }
    let twice = castellan.cli(&["credential", "add", "Reporter"]);
    assert!(!twice.status.success());
    assert!(String::from_utf8_lossy(&twice.stderr).contains("already belongs to another one"));
    castellan.said(&["--site", "org2", "credential", "add", "Reporter"]);
}

#[tokio::test]
async fn what_one_site_issues_is_nothing_at_another() {
    let castellan = two_sites().await;
    // Both know the same app, key and person, with the same secrets.
    let again = castellan.cli_with(&["--site", "org2", "apply", "-f", "-"], DOCUMENTS);
    assert!(again.status.success(), "{again:?}");
    let token = app_token(&castellan, "org1.test").await;
    let asked = [("token", &*token), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
    let look = async |host| {
        let answer = post(&castellan, host, "/auth/introspect").form(&asked).send().await;
        answer.json()["active"].clone()
    };
    assert_eq!(look("org1.test").await, true);
    assert_eq!(look("org2.test").await, false);

    let one = key_token(&castellan, "org1.test").await;
    let two = key_token(&castellan, "org2.test").await;
    let signature = |jwt: &str| jwt.rsplit('.').next().unwrap().to_owned();
    assert_ne!(signature(&one), signature(&two), "each site signs with a secret of its own");

    // Discovery, pages and hosts.
    let metadata = "/.well-known/openid-configuration";
    let issuer = async |host| {
        let answer = Ask::get(&castellan.at(metadata)).header("host", host).send().await;
        (answer.status.as_u16(), answer.json()["issuer"].clone())
    };
    assert_eq!(issuer("org1.test").await, (200, json!(castellan.url)));
    assert!(issuer("org2.test").await.1.as_str().unwrap().starts_with("http://org2.localhost:"));
    let nowhere = Ask::get(&castellan.at(metadata)).header("host", "org3.test").send().await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.header("content-type"), Some("application/problem+json"));
    assert_eq!(nowhere.json()["detail"], "No site is configured for this host.");
}

#[tokio::test]
async fn no_token_of_one_site_opens_a_guard_of_another() {
    let archive = Archive::start().await;
    let castellan = twins(&archive).await;
    let write = json!({"query": "mutation { CreatePerson(name: \"Ada\") { name } }"});
    let writes = async |host: &str, path: &str, token: &str| {
        let answer = post(&castellan, host, path).json(&write).bearer(token).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let done = answer.json()["data"]["CreatePerson"]["name"] == "Ada";
        let challenge = (!done).then_some("Bearer error=\"invalid_token\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{answer:?}");
        done
    };
    for (home, other) in BOTH_WAYS {
        let machine = sign_in(&castellan, home, SECRET).await.json();
        let machine = text(&machine, "jwt_token");
        let key = key_token(&castellan, home).await;
        let app = app_token(&castellan, home).await;
        for (path, token) in [("/api", machine), ("/graphql", &*key), ("/graphql", &*app)] {
            assert!(writes(home, path, token).await, "{home} {path} {token}");
            assert!(!writes(other, path, token).await, "{home} {path} {token} at {other}");
        }
    }
}

#[tokio::test]
async fn a_code_and_what_it_is_traded_for_are_nothing_at_another_site() {
    let archive = Archive::start().await;
    let castellan = twins(&archive).await;
    let to = async |host: &str, path: &str, pairs: &[(&str, &str)]| {
        post(&castellan, host, path).form(&[pairs, &SPA[..1]].concat()).send().await
    };
    let knows = async |host: &str, token: &str| {
        let ask = Ask::get(&castellan.at("/auth/userinfo")).header("host", host).bearer(token);
        ask.send().await.status.as_u16()
    };
    for (home, other) in BOTH_WAYS {
        let code = code(&castellan, home, &mut Browser::default()).await;
        let redeem = [("grant_type", "authorization_code"), ("code", &*code), SPA[1]];
        assert_refused(&to(other, "/auth/token", &redeem).await, 400, "invalid_grant");
        let issued = to(home, "/auth/token", &redeem).await;
        assert_eq!(issued.status, 200, "it was not used up: {issued:?}");
        let issued = issued.json();
        let access = text(&issued, "access_token");
        assert_eq!((knows(home, access).await, knows(other, access).await), (200, 401));

        let refresh = text(&issued, "refresh_token");
        let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        assert_refused(&to(other, "/auth/token", &renew).await, 400, "invalid_grant");
        for token in [access, refresh] {
            // Who gives back what is nobody's is told no more than that it is done.
            let answer = to(other, "/auth/revoke", &[("token", token)]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_eq!(knows(home, access).await, 200, "nothing of it was given back");
        let renewed = to(home, "/auth/token", &renew).await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
    }
}

#[tokio::test]
async fn a_session_of_one_site_is_nobodys_at_another() {
    let archive = Archive::start().await;
    let castellan = twins(&archive).await;
    for (home, other) in BOTH_WAYS {
        let mut browser = Browser::default();
        code(&castellan, home, &mut browser).await;
        assert!(browser.cookie("ASID").is_some());
        // No browser does that: cookies are those of one host.
        let mut stray = browser.clone();
        let account = |host: &str| Ask::get(&castellan.at("/account")).header("host", host);
        let shown = stray.send(account(other)).await;
        assert_eq!((shown.status.as_u16(), shown.location()), (303, "/auth/login"));
        // She is asked who she is, and what is ended by that is not what she has elsewhere.
        code(&castellan, other, &mut stray).await;
        assert_eq!(stray.send(account(other)).await.status, 200);
        assert_eq!(stray.send(account(home)).await.status, 303);
        assert_eq!(browser.send(account(home)).await.status, 200);
        let begun = begin(&castellan, home, &mut browser).await;
        assert!(begun.location_param("code").is_some(), "{begun:?}");
    }
}

/// `docs/contracts/decidim.md` §1 and §2: a page of any origin reads the token where it stands, and
/// the shell recipe finds one line all the same.
#[tokio::test]
async fn a_page_of_another_origin_reads_the_header_of_a_sign_in() {
    let castellan = two_sites().await;
    let body = format!("api_user[key]=nightly-sync&api_user[secret]={SECRET}");
    let request = format!(
        "POST /api/sign_in HTTP/1.1\r\nHost: org1.test\r\nOrigin: https://page.test\r\n\
         Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw(&castellan.url, request.as_bytes()).await;
    let lines: Vec<_> = answer.lines().filter(|line| line.contains("Authorization")).collect();
    assert!(matches!(lines[..], [line] if line.starts_with("Authorization: Bearer ")), "{answer}");
    let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    let exposed = head.lines().find_map(|line| line.split_once("access-control-expose-headers:"));
    let mut exposed = exposed.expect("a list").1.split(',').map(str::trim);
    assert!(exposed.any(|name| name == "authorization"), "{answer}");
    assert!(head.contains("access-control-allow-origin: *"), "{answer}");
    let refused = sign_in(&castellan, "org1.test", "wrong").await;
    assert_eq!(
        refused.header("access-control-expose-headers"),
        Some("WWW-Authenticate, Retry-After, DPoP-Nonce")
    );
}

#[tokio::test]
async fn the_command_line_names_the_sites_there_are() {
    let castellan = two_sites().await;
    let output = castellan.cli(&["--site", "org3", "get", "User"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("site \"org3\" does not exist; configured sites: org1, org2"), "{said}");
    assert!(castellan.said(&["get", "User"]).contains("ann"));
    assert!(!castellan.said(&["--site", "org2", "get", "User"]).contains("ann"));
}

/// A guard of one site does not share its lock file with another's default.
#[tokio::test]
async fn the_default_guard_takes_nobodys_name() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[site]]\nname = \"org1\"\n[[site]]\nname = \"org2\"\nissuer = \"http://org2.localhost\"\n\
             [[guard]]\nname = \"api\"\npath = \"/api\"\nsite = \"org1\"\nupstream = \"{}\"\n",
            archive.url
        ),
        ..Plan::default()
    })
    .await;
    let lock = std::fs::read_to_string(castellan.path("api.lock")).unwrap();
    assert!(lock.contains("CreatePerson"), "{lock}");
    let said = castellan.said(&["config", "check"]);
    assert!(said.contains("guard    default-api at /api"), "{said}");
    assert_eq!(std::fs::read_to_string(castellan.path("api.lock")).unwrap(), lock);
}

/// People sign in at every name of a site, and machines are looked after by address.
#[tokio::test]
async fn every_name_of_a_site_is_its_own() {
    let castellan = two_sites().await;
    let mark = Ask::get(&castellan.at("/auth/login")).header("host", "org1.test").send().await;
    let cookie = mark.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let page = Ask::get(&castellan.at(mark.location())).header("host", "org1.test");
    let page = page.header("cookie", &cookie).send().await;
    let flow = page.hidden("flow").unwrap();
    let pairs = [("flow", &*flow), ("username", "ann"), ("password", "pw-ann")];
    let submit = async |origin: &str| {
        let ask = post(&castellan, "org1.test", "/auth/login").form(&pairs);
        ask.header("cookie", &cookie).header("origin", origin).send().await.status.as_u16()
    };
    for foreign in ["http://org2.test", "https://org1.test", "null", "http://org1.test.evil.test"] {
        assert_eq!(submit(foreign).await, 403, "{foreign}");
    }
    assert_eq!(submit("http://org1.test").await, 303);
    for path in ["/healthz", "/readyz"] {
        let answer = Ask::get(&castellan.at(path)).header("host", "10.0.0.7:8080").send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
