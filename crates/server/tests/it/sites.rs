//! Several sites on one server: each is a tenant of its own, and nothing of one works on another
//! (`contracts/decidim.md` §9.1 and §10, items 9, 12 and 38; `design.md` rules 36 and 42).

use serde_json::{Value, json};

use crate::{
    castellan::{Castellan, Plan, free_port},
    wire::{Answer, Ask},
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
scope: ["api:read", "Query:*"]
---
resourceType: User
id: ann
userName: ann
password: pw-ann
"#;

/// Two sites on one port, told apart by host; [`DOCUMENTS`] are the first one's.
async fn two_sites() -> Castellan {
    let other = free_port();
    Castellan::start(Plan {
        config: format!(
            "[[site]]\nname = \"org1\"\nhosts = [\"org1.test\"]\n[[site]]\nname = \"org2\"\n\
             issuer = \"http://org2.localhost:{other}\"\nhosts = [\"org2.test\"]\n"
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

fn post(castellan: &Castellan, host: &str, path: &str) -> Ask {
    Ask::post(&castellan.at(path)).header("host", host)
}

async fn sign_in(castellan: &Castellan, host: &str, secret: &str) -> Answer {
    let pairs = [("api_user[key]", "nightly-sync"), ("api_user[secret]", secret)];
    post(castellan, host, "/api/sign_in").form(&pairs).send().await
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
    assert!(String::from_utf8_lossy(&twice.stderr).contains("belongs to another one already"));
    castellan.said(&["--site", "org2", "credential", "add", "Reporter"]);
}

#[tokio::test]
async fn what_one_site_issues_is_nothing_at_another() {
    let castellan = two_sites().await;
    // Both know the same app, key and person, with the same secrets.
    let again = castellan.cli_with(&["--site", "org2", "apply", "-f", "-"], DOCUMENTS);
    assert!(again.status.success(), "{again:?}");
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    let token = post(&castellan, "org1.test", "/auth/token").form(&pairs).send().await.json();
    let token = token["access_token"].as_str().unwrap();
    let asked = [("token", token), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
    let look = async |host| {
        let answer = post(&castellan, host, "/auth/introspect").form(&asked).send().await;
        answer.json()["active"].clone()
    };
    assert_eq!(look("org1.test").await, true);
    assert_eq!(look("org2.test").await, false);

    let trade = json!({"id": "archivist", "apiKey": KEY, "scopes": ["Mutation:*"]});
    let jwt = async |host| {
        let answer = post(&castellan, host, "/jwt").json(&trade).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["jwt"].as_str().unwrap().to_owned()
    };
    let (one, two) = (jwt("org1.test").await, jwt("org2.test").await);
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
    assert_eq!((nowhere.status.as_u16(), &*nowhere.body), (404, "No site answers to this host.\n"));
}

#[tokio::test]
async fn the_command_line_names_the_sites_there_are() {
    let castellan = two_sites().await;
    let output = castellan.cli(&["--site", "org3", "get", "User"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there is no site \"org3\"; there are org1, org2"), "{said}");
    assert!(castellan.said(&["get", "User"]).contains("ann"));
    assert!(!castellan.said(&["--site", "org2", "get", "User"]).contains("ann"));
}

/// A guard of one site does not share its lock file with another's default.
#[tokio::test]
async fn the_default_guard_takes_nobodys_name() {
    let archive = crate::castellan::Archive::start().await;
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
