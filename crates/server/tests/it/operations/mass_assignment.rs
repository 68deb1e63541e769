//! What is the server's own to write, or not the caller's to give, is refused over HTTP and stays as
//! it was (`docs/security-cases.md` rows 16, 19 and 20): looked up in the records themselves,
//! digests and times included.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, text},
    wire::{Answer, Ask},
};

const MORE: &str = r#"
---
{resourceType: User, id: bea, userName: bea, password: pw-bea, groups: [{value: administrators}]}
---
{resourceType: ApiCredential, id: sync, name: Sync, secret: s3cr3t-sync, scope: ["api:read"]}
---
{resourceType: AuthKey, id: editor, apiKey: s3cr3t-editor, scopes: ["Mutation:Person:*"]}
---
{resourceType: Client, id: tool, secret: s3cr3t-tool, grant_types: [client_credentials],
 scope: ["Castellan:*"]}
---
{resourceType: Client, id: reader, secret: s3cr3t-reader, grant_types: [client_credentials],
 scope: ["Castellan:User:Read", "Castellan:User:*", "*"]}
---
{resourceType: Client, id: console, secret: s3cr3t-console, grant_types: [authorization_code],
 first_party: true, redirect_uris: ["https://console.test/cb"],
 scope: [openid, "Castellan:*", "Castellan:User:Read"]}
"#;

/// What stands behind each resource, and the members that its documents and records have in common
/// because administrators write them.
const KINDS: [(&str, &str, &[&str]); 4] = [
    ("User/ann", "account/ann", &["name", "password", "emails", "groups", "active"]),
    (
        "Client/portal",
        "client/portal",
        &[
            "name",
            "uri",
            "secret",
            "jwks",
            "first_party",
            "active",
            "scope",
            "redirect_uris",
            "post_logout_redirect_uris",
            "allowed_origins",
            "dialect",
        ],
    ),
    (
        "ApiCredential/sync",
        "credential/apicredential/sync",
        // The last two are looked at below.
        &["name", "secret", "scope", "expires", "addresses", "number", "used"],
    ),
    ("AuthKey/editor", "credential/authkey/editor", &["scopes", "used"]),
];

/// What records of others have been made to believe, and what ours might have one day.
const FOREIGN: [&str; 13] = [
    "verified",
    "email_verified",
    "emailVerified",
    "phone_number_verified",
    "password_hash",
    "secret_hash",
    "secretDigest",
    "isAdministrator",
    "role",
    "version",
    "lastModified",
    "sub",
    "client_id",
];

struct Stage {
    castellan: Castellan,
    /// An administrator's token.
    admin: String,
}

impl Stage {
    async fn start() -> Self {
        let secret = |name, value: &str| (name, value.to_owned());
        let castellan = Castellan::start(Plan {
            documents: format!("{DOCUMENTS}{MORE}"),
            environment: vec![
                secret("JWT_SECRET", "s3cret-of-the-keys"),
                secret("DECIDIM_API_JWT_SECRET", "s3cret-of-the-machines"),
            ],
            ..Plan::default()
        })
        .await;
        let admin = service(&castellan, "tool").await;
        Self { castellan, admin }
    }

    async fn send(&self, method: Method, path: &str, token: &str, document: &Value) -> Answer {
        let ask = Ask::new(method, &self.castellan.at(path)).bearer(token);
        ask.json(document).send().await
    }

    async fn put(&self, path: &str, document: &Value) -> Answer {
        self.send(Method::PUT, &format!("/{path}"), &self.admin, document).await
    }

    /// What an administrator reads at `path`.
    async fn get(&self, path: &str) -> Answer {
        Ask::get(&self.castellan.at(&format!("/{path}"))).bearer(&self.admin).send().await
    }

    /// Every record that a document can be of, whole, by its kind and id.
    fn records(&self) -> BTreeMap<String, Value> {
        let exported = self.castellan.said(&["export"]);
        let lines = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let kept = ["account", "client", "credential", "grant"];
        lines
            .filter(|line| line["kind"].as_str().is_some_and(|kind| kept.contains(&kind)))
            .map(|line| (format!("{}/{}", text(&line, "kind"), text(&line, "id")), line))
            .collect()
    }

    /// Asserts that writing `document` at `path` is refused, with `why`, as what is not valid.
    async fn refuses(&self, path: &str, document: &Value, why: &str) {
        let answer = self.put(path, document).await;
        assert_eq!(answer.status, 422, "{document}: {answer:?}");
        let body = answer.json();
        assert_eq!(
            (&body["resourceType"], &body["id"]),
            (&json!("OperationOutcome"), &json!("invalid"))
        );
        assert_eq!(body["issue"][0]["code"], "invalid", "{body}");
        assert!(text(&body["issue"][0], "diagnostics").starts_with(why), "{why}: {body}");
    }

    /// Documents that would give somebody more rights, with their paths.
    async fn more_rights(&self) -> [(&'static str, Value); 7] {
        let ann = self.get("User/ann").await.json();
        let reader = self.get("Client/reader").await.json();
        let introspector = json!({
            "type": "jwt", "jwt": {"iss": "https://evil.test"}, "any_audience": true,
            "jwks_uri": "https://evil.test/jwks",
        });
        [
            ("/Role/all", json!({"scope": ["*"], "everybody": true})),
            ("/AccessPolicy/all", json!({"engine": "allow"})),
            ("/TokenIntrospector/evil", introspector),
            ("/User/ann", with(&ann, "groups", json!([{"value": "administrators"}]))),
            ("/Client/reader", with(&reader, "scope", json!(["Castellan:*"]))),
            ("/AuthKey/editor", json!({"scopes": ["*"]})),
            ("/ApiCredential/sync", json!({"name": "Sync", "scope": ["api:read", "api:write"]})),
        ]
    }
}

async fn service(castellan: &Castellan, id: &str) -> String {
    let secret = format!("s3cr3t-{id}");
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", &secret)];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

/// `document` with `value` at `name`.
fn with(document: &Value, name: &str, value: Value) -> Value {
    let mut document = document.clone();
    document[name] = value;
    document
}

#[tokio::test]
async fn case_16_nobody_writes_what_only_the_server_may() {
    let stage = Stage::start().await;
    let before = stage.records();
    for (path, record, writable) in KINDS {
        let document = stage.get(path).await.json();
        // As it is, it may be written: what is refused below is refused for one member.
        assert_eq!(stage.put(path, &document).await.status, 200);
        let members = before[record]["body"].as_object().unwrap();
        let own = members.keys().map(String::as_str).filter(|name| !writable.contains(name));
        let own: Vec<&str> = own.filter(|name| document.get(name).is_none()).collect();
        assert!(own.contains(&"created") && own.contains(&"modified"), "{own:?}");
        for name in own.into_iter().chain(FOREIGN) {
            let value = members.get(name).cloned().unwrap_or(json!(true));
            let why = format!("{path}: unknown field `{name}`");
            stage.refuses(path, &with(&document, name, value), &why).await;
        }
        // What it was read with comes back and is not written, whatever it says.
        let meta = json!({"versionId": "9-x", "createdAt": "1999-01-01T00:00:00Z"});
        assert_eq!(stage.put(path, &with(&document, "meta", meta)).await.json(), document);
        let why = format!("{path}: meta must be a map");
        stage.refuses(path, &with(&document, "meta", json!(true)), &why).await;
    }
    let ann = stage.get("User/ann").await.json();
    let name = with(&ann, "name", json!({"givenName": "Ann", "verified": true}));
    stage.refuses("User/ann", &name, "User/ann: unknown field `verified`").await;
    // An administrator says of addresses and numbers whether they were verified.
    let groups = with(&ann, "groups", json!([{"value": "x", "verified": true}]));
    stage.refuses("User/ann", &groups, "User/ann: groups.verified: emails and").await;
    let portal = stage.get("Client/portal").await.json();
    let code = with(&portal["auth"]["authorization_code"], "secret", json!("x"));
    let auth = with(&portal, "auth", json!({"authorization_code": code}));
    stage.refuses("Client/portal", &auth, "Client/portal: unknown field `secret`").await;
    assert_eq!(stage.records(), before);
}

/// What `get` prints and nobody writes may come back with a document, and says nothing.
#[tokio::test]
async fn case_16_what_is_found_out_is_not_written() {
    let stage = Stage::start().await;
    let before = stage.records();
    let sync = stage.get("ApiCredential/sync").await.json();
    let editor = stage.get("AuthKey/editor").await.json();
    let given = "number is assigned when the record is created";
    for (path, document, name) in [
        ("ApiCredential/sync", &sync, "used"),
        ("AuthKey/editor", &editor, "used"),
        ("AuthKey/editor", &editor, "keys"),
    ] {
        let answer = stage.put(path, &with(document, name, json!(7))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()), (200, document), "{name}");
    }
    let number = sync["number"].as_u64().unwrap();
    for (path, name) in [("ApiCredential/sync", "Sync"), ("ApiCredential/new", "New")] {
        let document = json!({"name": name, "secret": "s3cr3t-sync", "number": number + 1});
        stage.refuses(path, &document, &format!("{path}: {given}")).await;
    }
    assert_eq!(stage.get("ApiCredential/new").await.status, 404);
    assert_eq!(stage.records(), before);
}

/// The path says what is written, whatever the document says, and nobody takes a name.
#[tokio::test]
async fn case_20_what_the_path_names_is_written() {
    let stage = Stage::start().await;
    let before = stage.records();
    for (path, other) in [
        ("User/ann", "bea"),
        ("Client/portal", "tool"),
        ("ApiCredential/sync", "another"),
        ("AuthKey/editor", "another"),
    ] {
        let document = stage.get(path).await.json();
        let answer = stage.put(path, &with(&document, "id", json!(other))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()), (200, &document));
        let alien = with(&document, "resourceType", json!("Grant"));
        stage.refuses(path, &alien, "resourceType differs from the path").await;
    }
    for (member, value, name) in [
        ("userName", json!("ANN"), "ann"),
        ("emails", json!([{"value": "Ann@Example.test"}]), "ann@example.test"),
    ] {
        let document = with(&json!({"userName": "eve"}), member, value);
        let answer = stage.put("User/eve", &document).await;
        let diagnostics = format!("User/eve: \"{name}\" already belongs to another one");
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), &body["id"]), (409, &json!("conflict")), "{body}");
        assert_eq!(body["issue"][0]["diagnostics"], diagnostics, "{body}");
    }
    assert_eq!(stage.get("User/eve").await.status, 404);
    // It begins with a sign-in and in no other way.
    stage.refuses("Session/x", &json!({}), "Session/x: a Session cannot be written").await;
    for path in ["/Family/x", "/Account/ann", "/Usage/x", "/Keyring/ring"] {
        let answer = stage.send(Method::PUT, path, &stage.admin, &json!({})).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert_eq!(stage.records(), before);
}

#[tokio::test]
async fn case_16_nobody_writes_what_a_person_agreed_to() {
    let stage = Stage::start().await;
    let asking = Asking::portal();
    stage.castellan.tokens(&mut Browser::default(), &asking, &PORTAL).await;
    let before = stage.records();
    assert!(before.contains_key("grant/ann/portal"), "{before:?}");
    let grant = stage.get("Grant/ann/portal").await.json();
    let why = "a Grant cannot be written: it is created when a person gives consent";
    for (path, document, why) in [
        ("Grant/ann/portal", with(&grant, "scope", json!("openid profile Query:*")), ""),
        ("Grant/ann/portal", with(&grant, "start", json!(1)), ""),
        ("Grant/ann/portal", grant.clone(), ""),
        ("Grant/bea/portal", grant.clone(), ""),
        ("Grant/ann", grant, why),
    ] {
        stage.refuses(path, &document, why).await;
    }
    assert_eq!(stage.get("Grant/bea/portal").await.status, 404);
    assert_eq!(stage.records(), before);
}

/// A digest that somebody read in a backup is a secret like any other text: it is hashed again.
#[tokio::test]
async fn case_16_a_digest_is_no_secret() {
    let stage = Stage::start().await;
    let castellan = &stage.castellan;
    let works = async |kind: &str, secret: &str| {
        let answer = match kind {
            "User" => {
                let mut browser = Browser::default();
                let begun = browser.get(&castellan.at("/auth/login")).await;
                let answer = browser.sign_in(castellan, &begun, ("ann", secret)).await;
                return answer.status == 303;
            }
            "Client" => {
                let pairs = [("client_id", "portal"), ("client_secret", secret), ("token", "x")];
                Ask::post(&castellan.at("/auth/introspect")).form(&pairs)
            }
            "ApiCredential" => Ask::post(&castellan.at("/api/sign_in"))
                .form(&[("api_user[key]", "sync"), ("api_user[secret]", secret)]),
            _ => Ask::post(&castellan.at("/jwt")).json(&json!({
                "id": "editor", "apiKey": secret, "scopes": ["Mutation:Person:Create"],
            })),
        };
        answer.send().await.status == 200
    };
    for ((path, record, _), (member, at, secret)) in KINDS.into_iter().zip([
        ("password", "/body/password", "pw-ann"),
        ("secret", "/body/secret", "s3cr3t-portal"),
        ("secret", "/body/secret", "s3cr3t-sync"),
        ("apiKey", "/body/secrets/0", "s3cr3t-editor"),
    ]) {
        let kind = path.split('/').next().unwrap();
        let stored = || stage.records()[record].pointer(at).unwrap().as_str().unwrap().to_owned();
        let digest = stored();
        assert!(digest.starts_with("$argon2id$"), "{kind}: {digest}");
        assert!(works(kind, secret).await && !works(kind, &digest).await, "{kind}");
        let document = with(&stage.get(path).await.json(), member, json!(digest));
        // It is neither kept as it is nor taken for the text of a new secret.
        let answer = stage.put(path, &document).await;
        assert_eq!(answer.status, 422, "{kind}: {answer:?}");
        assert!(answer.body.contains("is a hash") && !answer.body.contains(&digest), "{answer:?}");
        assert_eq!(stored(), digest, "{kind}");
        assert!(works(kind, secret).await && !works(kind, &digest).await, "{kind}");
    }
}

/// Writing any resource can give any right to anybody, so whoever does not have all of them writes
/// nothing.
#[tokio::test]
async fn case_19_nobody_grants_what_they_do_not_have() {
    let stage = Stage::start().await;
    let before = stage.records();
    let person = async |(name, password), scope: &str| {
        let asking = Asking::of("console", "https://console.test/cb").with("scope", scope);
        let mut browser = Browser::default();
        let asked = browser.get(&asking.at(&stage.castellan)).await;
        let answer = browser.sign_in(&stage.castellan, &asked, (name, password)).await;
        let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
        let proof = [("client_id", "console"), ("client_secret", "s3cr3t-console")];
        let tokens = stage.castellan.redeem(&code, &proof).await.json();
        text(&tokens, "access_token").to_owned()
    };
    let (ann, bea) = (("ann", "pw-ann"), ("bea", "pw-bea"));
    let ours = "openid Castellan:*";
    let callers = [
        (person(ann, ours).await, 403, "forbidden"),
        (person(bea, "openid Castellan:User:Read").await, 403, "forbidden"),
        (service(&stage.castellan, "reader").await, 403, "forbidden"),
        ("garbage".to_owned(), 401, "unauthorized"),
    ];
    let wanted = stage.more_rights().await;
    for (token, status, id) in &callers {
        for (path, document) in &wanted {
            let kind = path.rsplit_once('/').unwrap().0;
            for (method, path) in [
                (Method::PUT, (*path).to_owned()),
                (Method::PATCH, (*path).to_owned()),
                (Method::DELETE, (*path).to_owned()),
                (Method::POST, kind.to_owned()),
                (Method::PUT, format!("/fhir{path}")),
                (Method::PATCH, format!("/fhir{path}")),
                (Method::DELETE, format!("/fhir{path}")),
                (Method::POST, format!("/fhir{kind}")),
            ] {
                let answer = stage.send(method, &path, token, document).await;
                assert_eq!(answer.status, *status, "{path}: {answer:?}");
                assert_eq!(answer.json()["id"], *id, "{path}: {answer:?}");
            }
        }
    }
    assert_eq!(stage.records(), before);
    // The same is done for somebody who may.
    let token = person(bea, ours).await;
    for (path, document) in wanted {
        let answer = stage.send(Method::PUT, path, &token, &document).await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
    }
    assert_ne!(stage.records(), before);
}
