//! `docs/contracts/aidbox.md` §§1.1, 1.2 and 2: resources over HTTP, status by status.

use std::collections::BTreeSet;

use http::{Method, header};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, PORTAL, assert_refused, text},
    wire::{Answer, Ask},
};

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";

const ADMIN: &str = r#"
---
{resourceType: Client, id: tool, secret: s3cr3t-tool, grant_types: [client_credentials],
 scope: ["Castellan:*"]}
---
{resourceType: Client, id: reader, secret: s3cr3t-reader, grant_types: [client_credentials],
 scope: ["Castellan:User:Read"]}
---
{resourceType: ApiCredential, id: sync, name: Sync, secret: s3cr3t-sync, scope: ["api:read"]}
---
{resourceType: AuthKey, id: editor, apiKey: s3cr3t-editor, scopes: ["Mutation:Person:*"]}
"#;

/// A server, and the token of whoever administers it.
struct Office {
    castellan: Castellan,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{ADMIN}")).await;
        let token = token(&castellan, "tool").await;
        Self { castellan, token }
    }

    fn ask(&self, method: Method, path: &str) -> Ask {
        Ask::new(method, &self.castellan.at(path)).bearer(&self.token)
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).send().await
    }

    async fn put(&self, path: &str, document: &Value) -> Answer {
        self.ask(Method::PUT, path).json(document).send().await
    }

    async fn post(&self, path: &str, document: &Value) -> Answer {
        self.ask(Method::POST, path).json(document).send().await
    }

    async fn patch(&self, path: &str, document: &Value) -> Answer {
        self.ask(Method::PATCH, path).json(document).send().await
    }

    async fn patch_as(&self, media_type: &str, path: &str, body: &str) -> Answer {
        self.ask(Method::PATCH, path).body(media_type, body.to_owned()).send().await
    }

    async fn put_if(&self, (name, value): (&str, &str), path: &str, nickname: &str) -> Answer {
        self.ask(Method::PUT, path).header(name, value).json(&bob(nickname)).send().await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path).send().await
    }
}

async fn token(castellan: &Castellan, id: &str) -> String {
    let secret = format!("s3cr3t-{id}");
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", &*secret)];
    let answer = castellan.token(&pairs).await;
    answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn version(answer: &Answer) -> String {
    let version = answer.json()["meta"]["versionId"].as_str().unwrap().to_owned();
    if let Some(tag) = answer.header("etag") {
        assert_eq!(tag, format!("W/\"{version}\""));
    }
    version
}

fn assert_outcome(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["resourceType"], "OperationOutcome", "{answer:?}");
    assert_eq!(body["issue"][0]["code"], code, "{answer:?}");
}

fn person(name: &str) -> Value {
    json!({"resourceType": "User", "userName": name})
}

/// Bob, with an id that is another one's in the body.
fn bob(nickname: &str) -> Value {
    json!({"userName": "bob", "id": "ignored", "nickname": nickname})
}

#[tokio::test]
async fn aidbox_38_a_person_made_inactive_by_patch_is_out() {
    let office = Office::open().await;
    let castellan = &office.castellan;
    let mut browser = Browser::default();
    let tokens = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    let code = browser.code(castellan, &Asking::portal()).await;
    assert_eq!(castellan.userinfo(text(&tokens, "access_token")).await.status, 200);

    let answer = office.patch("/User/ann", &json!({"inactive": true})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["inactive"], true);
    assert_eq!(answer.json()["emails"][0]["value"], "ann@example.test", "the rest stays");
    for answer in [
        castellan.refresh(text(&tokens, "refresh_token"), &PORTAL).await,
        castellan.redeem(&code, &PORTAL).await,
    ] {
        assert_refused(&answer, 400, "invalid_grant");
        assert_eq!(answer.json()["error_description"], "User is inactive");
    }
    assert_eq!(castellan.userinfo(text(&tokens, "access_token")).await.status, 401);

    // The password was not named, and is the same.
    let answer = office.patch("/User/ann", &json!({"inactive": false})).await;
    assert_eq!(answer.json().get("inactive"), None, "{answer:?}");
    castellan.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await;
}

#[tokio::test]
async fn create_answers_as_documented() {
    let office = Office::open().await;
    let created = office.post("/User", &json!({"id": "bob", "userName": "bob"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let version = version(&created);
    let location = format!("{}/User/bob/_history/{version}", office.castellan.url);
    assert_eq!(created.header("location"), Some(&*location));
    assert!(created.header("last-modified").unwrap().ends_with(" GMT"), "{created:?}");
    for member in ["lastUpdated", "createdAt"] {
        let time = created.json()["meta"][member].as_str().unwrap().to_owned();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
    }
    let path = location.strip_prefix(&office.castellan.url).unwrap();
    assert_eq!(office.get(path).await.json(), created.json());

    let taken = office.post("/User", &json!({"id": "bob", "userName": "other"})).await;
    assert_outcome(&taken, 409, "conflict");
    let name = office.post("/User", &json!({"id": "rob", "userName": "BOB"})).await;
    assert_outcome(&name, 409, "conflict");
    let ids: BTreeSet<String> = {
        let mut ids = BTreeSet::new();
        for name in ["one", "two"] {
            let answer = office.post("/User", &person(name)).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            ids.insert(answer.json()["id"].as_str().unwrap().to_owned());
        }
        ids
    };
    assert!(ids.len() == 2 && ids.iter().all(|id| id.len() == 36), "{ids:?}");
    // FHIR: the server chooses.
    let document = json!({"resourceType": "User", "id": "chosen", "userName": "fhir"});
    let answer = office.post("/fhir/User", &document).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(id, "chosen");
    let prefix = format!("{}/fhir/User/{id}/_history/", office.castellan.url);
    assert!(answer.header("location").unwrap().starts_with(&prefix), "{answer:?}");

    for (body, status) in [("{", 400), ("[]", 400), (r#"{"userName":"x","nope":1}"#, 422)] {
        let ask = office.ask(Method::POST, "/User").body("application/json", body);
        assert_eq!(ask.send().await.status, status, "{body}");
    }
    let wrong = office.post("/User", &json!({"resourceType": "Client"})).await;
    assert_outcome(&wrong, 422, "invalid");
    let other = office.ask(Method::POST, "/User").body("text/plain", "x").send().await;
    assert_outcome(&other, 415, "not-supported");
    let conditional = office.ask(Method::POST, "/User").header("if-none-exist", "userName=bob");
    assert_outcome(&conditional.json(&person("three")).send().await, 400, "not-supported");
    let grant = office.post("/Grant", &json!({"id": "x"})).await;
    assert_outcome(&grant, 422, "invalid");
    let reader = token(&office.castellan, "reader").await;
    let url = office.castellan.at("/User");
    assert_outcome(
        &Ask::post(&url).bearer(&reader).json(&person("y")).send().await,
        403,
        "forbidden",
    );
    assert_outcome(&Ask::post(&url).json(&person("y")).send().await, 401, "login");
}

#[tokio::test]
async fn update_read_and_delete_answer_as_documented() {
    let office = Office::open().await;
    let first = office.put("/User/bob", &bob("a")).await;
    assert_eq!((first.status.as_u16(), &first.json()["id"]), (201, &json!("bob")));
    assert!(first.header("location").is_some(), "{first:?}");
    let second = office.put("/User/bob", &bob("b")).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_ne!(version(&first), version(&second));
    let same = office.put("/User/bob", &bob("b")).await;
    assert_eq!((same.status.as_u16(), version(&same)), (200, version(&second)));

    let read = office.get("/User/bob").await;
    assert_eq!((read.status.as_u16(), read.json()), (200, second.json()));
    let known =
        office.ask(Method::GET, "/User/bob").header("if-none-match", read.header("etag").unwrap());
    assert_eq!(known.send().await.status, 304);
    assert_outcome(&office.get("/User/nobody").await, 404, "not-found");
    assert_outcome(&office.get("/User/bob?nope=1").await, 400, "invalid");

    let last = office.get("/User/bob").await;
    assert_outcome(&office.delete("/User/bob?nope=1").await, 400, "invalid");
    let gone = office.delete("/User/bob").await;
    assert_eq!((gone.status.as_u16(), gone.json()), (200, last.json()));
    assert_outcome(&office.get("/User/bob").await, 410, "deleted");
    assert_outcome(&office.patch("/User/bob", &json!({"nickname": "x"})).await, 410, "deleted");
    assert_outcome(
        &office.patch("/User/nobody", &json!({"nickname": "x"})).await,
        404,
        "not-found",
    );
    assert_eq!(office.delete("/User/bob").await.status, 204);
    assert_eq!(office.delete("/User/nobody").await.status, 204);
    assert_eq!(office.put("/User/bob", &bob("again")).await.status, 201);
    let silent = office.delete("/User/bob?_no-content=true").await;
    assert_eq!((silent.status.as_u16(), &*silent.body), (204, ""));
    assert_eq!(office.delete("/User/bob?_no-content=true").await.status, 204);
}

#[tokio::test]
async fn preconditions_hold_in_each_spelling_or_nothing_is_written() {
    let office = Office::open().await;
    let first = office.put("/User/bob", &bob("a")).await;
    let second = office.put("/User/bob", &bob("b")).await;
    let mut current = version(&second);
    assert_outcome(
        &office.put_if(("if-match", &version(&first)), "/User/bob", "c").await,
        412,
        "conflict",
    );
    assert_outcome(&office.put_if(("if-match", "*"), "/User/absent", "c").await, 412, "conflict");
    assert_outcome(
        &office.put_if(("if-match", &current), "/User/absent", "c").await,
        412,
        "conflict",
    );
    assert_outcome(&office.put_if(("if-none-match", "*"), "/User/bob", "c").await, 412, "conflict");
    assert_outcome(&office.put_if(("if-match", "\""), "/User/bob", "c").await, 400, "invalid");
    assert_outcome(
        &office.put_if(("if-none-match", &current), "/User/bob", "c").await,
        400,
        "invalid",
    );
    assert_eq!(office.get("/User/bob").await.json(), second.json(), "nothing was written");
    for (nickname, spell) in
        [("d", "{}"), ("e", "\"{}\""), ("f", "W/\"{}\""), ("g", "W/\"0-x\", \"{}\"")]
    {
        let value = spell.replace("{}", &current);
        let answer = office.put_if(("if-match", &value), "/User/bob", nickname).await;
        assert_eq!(answer.status, 200, "{value}: {answer:?}");
        current = version(&answer);
    }
    assert_eq!(office.put_if(("if-match", "*"), "/User/bob", "h").await.status, 200);
    let stale = office.ask(Method::DELETE, "/User/bob").header("if-match", &current).send().await;
    assert_outcome(&stale, 412, "conflict");
}

#[tokio::test]
async fn whoever_may_read_one_kind_may_do_nothing_else() {
    let office = Office::open().await;
    let reader = token(&office.castellan, "reader").await;
    for (method, path, status) in [
        (Method::GET, "/User/ann", 200),
        (Method::GET, "/User/ann/_history", 200),
        (Method::GET, "/fhir/User/ann", 200),
        (Method::GET, "/Client/portal", 403),
        (Method::GET, "/fhir/Client/portal", 403),
        (Method::GET, "/Client/portal/_history", 403),
        (Method::PUT, "/User/ann", 403),
        (Method::PATCH, "/User/ann", 403),
        (Method::DELETE, "/fhir/User/ann", 403),
    ] {
        let ask = Ask::new(method.clone(), &office.castellan.at(path)).bearer(&reader);
        let answer = ask.json(&json!({})).send().await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    assert_eq!(office.put("/User/ann/_history", &bob("x")).await.status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_writes_to_one_version_exactly_one_wins() {
    let office = Office::open().await;
    let mut current = version(&office.put("/User/bob", &person("bob")).await);
    for round in 0..8 {
        let writers = (0..12).map(|at| {
            let document = json!({"userName": "bob", "nickname": format!("{round}-{at}")});
            let method = if at % 2 == 0 { Method::PUT } else { Method::PATCH };
            let ask = office.ask(method, "/User/bob").header("if-match", &current);
            tokio::spawn(ask.json(&document).send())
        });
        let writers: Vec<_> = writers.collect();
        let mut won = Vec::new();
        for writer in writers {
            let answer = writer.await.unwrap();
            match answer.status.as_u16() {
                200 => won.push(answer),
                _ => assert_outcome(&answer, 412, "conflict"),
            }
        }
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(office.get("/User/bob").await.json(), won[0].json());
        current = version(&won[0]);
    }
    // Of those that create, too.
    let writers: Vec<_> = (0..12)
        .map(|at| {
            let document = json!({"userName": format!("new-{at}")});
            let ask = office.ask(Method::PUT, "/User/new").header("if-none-match", "*");
            tokio::spawn(ask.json(&document).send())
        })
        .collect();
    let mut statuses = Vec::new();
    for writer in writers {
        statuses.push(writer.await.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1]), (201, 412), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn patches_of_different_members_do_not_undo_each_other() {
    let office = Office::open().await;
    office.put("/User/bob", &person("bob")).await;
    let members = ["nickname", "middle_name", "gender", "locale", "zoneinfo"];
    let patches: Vec<_> = members
        .iter()
        .map(|member| {
            let patch = json!({*member: "en"});
            let patch =
                if *member == "zoneinfo" { json!({"zoneinfo": "Europe/Paris"}) } else { patch };
            tokio::spawn(office.ask(Method::PATCH, "/User/bob").json(&patch).send())
        })
        .collect();
    for patch in patches {
        let answer = patch.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let bob = office.get("/User/bob").await.json();
    assert!(members.iter().all(|member| bob[*member].is_string()), "{bob}");
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let office = Office::open().await;
    let before = office.get("/Client/portal").await.json();
    for (media_type, body, name) in [
        (MERGE, r#"{"name":"One"}"#, "One"),
        ("application/json", r#"{"name":"Two"}"#, "Two"),
        ("text/yaml", "name: Three", "Three"),
        (JSON, r#"[{"op":"replace","path":"/name","value":"Four"}]"#, "Four"),
    ] {
        let answer = office.patch_as(media_type, "/Client/portal", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut wanted = before.clone();
        wanted["name"] = json!(name);
        wanted["meta"] = answer.json()["meta"].clone();
        assert_eq!(answer.json(), wanted, "nothing else changes");
    }
    // Its secret is the one of before.
    office.castellan.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await;
    let renamed = office.patch_as(MERGE, "/Client/portal", r#"{"name":null}"#).await;
    assert_eq!(renamed.json().get("name"), None, "{renamed:?}");
    let renewed = office.patch_as(MERGE, "/Client/tool", r#"{"secret":"s3cr3t-other"}"#).await;
    assert!(renewed.status == 200 && !renewed.body.contains("other"), "{renewed:?}");
    let pairs = |secret| {
        [("grant_type", "client_credentials"), ("client_id", "tool"), ("client_secret", secret)]
    };
    assert_eq!(office.castellan.token(&pairs("s3cr3t-tool")).await.status, 401);
    assert_eq!(office.castellan.token(&pairs("s3cr3t-other")).await.status, 200);
}

#[tokio::test]
async fn a_patch_may_name_either_of_two_members_that_say_the_same() {
    let office = Office::open().await;
    for (body, inactive) in [
        (r#"{"inactive":true}"#, Some(true)),
        (r#"{"active":true}"#, None),
        (r#"{"active":false}"#, Some(true)),
        (r#"{"inactive":false}"#, None),
    ] {
        let answer = office.patch_as(MERGE, "/User/ann", body).await;
        assert_eq!(answer.json().get("inactive"), inactive.map(Value::Bool).as_ref(), "{answer:?}");
    }
    for phone in ["+31 1", "+31 2"] {
        let answer =
            office.patch_as(MERGE, "/User/ann", &json!({"phoneNumber": phone}).to_string()).await;
        assert_eq!(answer.json()["phone_number"], phone, "{answer:?}");
    }
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_changes_nothing() {
    let office = Office::open().await;
    let kept = office.get("/User/ann").await.json();
    // Each of them would double the document.
    let copies = (0..60).map(|at| json!({"op": "copy", "from": "", "path": format!("/x{at}")}));
    let copies: Vec<Value> = copies.collect();
    for (media_type, body, status) in [
        (MERGE, r#"{"password":null}"#, 422),
        (MERGE, r#"{"nope":1}"#, 422),
        (MERGE, r#"{"id":"other"}"#, 422),
        (MERGE, r#"{"resourceType":"Client"}"#, 422),
        (MERGE, r#"{"userName":null}"#, 422),
        (MERGE, "[1]", 422),
        (MERGE, "{", 400),
        (JSON, r#"{"op":"remove"}"#, 400),
        (JSON, r#"[{"op":"jump","path":"/name"}]"#, 400),
        (JSON, r#"[{"op":"remove","path":"/password"}]"#, 422),
        (JSON, r#"[{"op":"test","path":"/userName","value":"bea"}]"#, 422),
        (
            JSON,
            r#"[{"op":"replace","path":"/userName","value":"x"},{"op":"remove","path":"/y"}]"#,
            422,
        ),
        (JSON, r#"[{"op":"remove","path":"/id"}]"#, 422),
        (JSON, r#"[{"op":"replace","path":"","value":1}]"#, 422),
        (JSON, &Value::Array(copies).to_string(), 422),
        ("text/plain", "x", 415),
        ("application/x-www-form-urlencoded", "inactive=true", 415),
    ] {
        let answer = office.patch_as(media_type, "/User/ann", body).await;
        assert_eq!(answer.status, status, "{media_type} {body}: {answer:?}");
    }
    assert_eq!(office.get("/User/ann").await.json(), kept);
    let stale = office.ask(Method::PATCH, "/User/ann").header("if-match", "1-0");
    assert_outcome(&stale.json(&json!({"gender": "x"})).send().await, 412, "conflict");
}

#[tokio::test]
async fn the_form_that_is_preferred_is_answered() {
    let office = Office::open().await;
    for (accept, form) in [
        ("text/yaml", "text/yaml"),
        ("application/json;q=0.5, application/yaml", "text/yaml"),
        ("application/json, text/yaml;q=0.5", "application/json"),
        ("text/yaml;q=0", "application/json"),
        ("text/yaml, application/fhir+json", "application/json"),
        ("*/*", "application/json"),
    ] {
        let answer = office.ask(Method::GET, "/User/ann").header("accept", accept).send().await;
        assert!(answer.header("content-type").unwrap().starts_with(form), "{accept}: {answer:?}");
    }
}

/// People are led there: nothing that runs as a script is stored as the page of an app.
#[tokio::test]
async fn the_page_of_a_client_is_a_page() {
    let office = Office::open().await;
    let read = office.get("/Client/portal").await.json();
    for (uri, status) in [
        ("https://portal.test/about", 200),
        ("http://portal.test", 200),
        ("javascript:alert(1)", 422),
        ("data:text/html,x", 422),
        ("https://", 422),
        ("https://portal.test/ x", 422),
        ("portal.test", 422),
    ] {
        let mut document = read.clone();
        document["uri"] = json!(uri);
        let answer = office.put("/Client/portal", &document).await;
        assert_eq!(answer.status, status, "{uri}: {answer:?}");
        assert!(status == 200 || answer.body.contains("uri: "), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_read_can_be_written_as_it_is() {
    let office = Office::open().await;
    office.castellan.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await;
    for path in
        ["/User/ann", "/Client/portal", "/Client/spa", "/ApiCredential/sync", "/AuthKey/editor"]
    {
        let read = office.get(path).await;
        let written = office.put(path, &read.json()).await;
        assert_eq!((written.status.as_u16(), written.json()), (200, read.json()), "{path}");
        let yaml = office.ask(Method::GET, path).header("accept", "text/yaml").send().await;
        assert!(yaml.header("content-type").unwrap().starts_with("text/yaml"), "{yaml:?}");
        let again = office.ask(Method::PUT, path).body("text/yaml", yaml.body.clone());
        let again = again.header("accept", "text/yaml").send().await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &yaml.body), "{path}");
        let (kind, id) = path[1..].split_once('/').unwrap();
        let got = office.castellan.said(&["get", kind, id]);
        assert_eq!(got, yaml.body);
        let applied = office.castellan.cli_with(&["apply", "-f", "-"], &got);
        let said = String::from_utf8(applied.stdout).unwrap();
        assert_eq!(said, format!("unchanged {kind}/{id}\n"));
        // What the server sets is not taken from the document.
        let mut other = read.json();
        other["meta"] = json!({"versionId": "99-x", "createdAt": "1999-01-01T00:00:00Z"});
        assert_eq!(office.put(path, &other).await.json(), read.json());
    }
}

#[tokio::test]
async fn a_history_has_the_last_versions_and_no_secret() {
    let office = Office::open().await;
    office.castellan.advance_to(1_800_000_000);
    let token = token(&office.castellan, "tool").await;
    let office = Office { token, ..office };
    let mut versions = Vec::new();
    for number in 0..12 {
        let password = format!("pw-secret-{number}");
        let document =
            json!({"userName": "bob", "nickname": format!("n{number}"), "password": password});
        versions.push(version(&office.put("/User/bob", &document).await));
    }
    let history = office.get("/User/bob/_history").await;
    assert_eq!(history.status, 200, "{history:?}");
    assert!(!history.body.contains("secret") && !history.body.contains("argon2"), "{history:?}");
    let bundle = history.json();
    assert_eq!((&bundle["type"], &bundle["total"]), (&json!("history"), &json!(10)));
    let found: Vec<_> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["meta"]["versionId"].as_str().unwrap())
        .collect();
    let wanted: Vec<_> = versions.iter().rev().take(10).collect();
    assert_eq!(found, wanted);
    assert_eq!(bundle["entry"][0]["request"], json!({"method": "PUT", "url": "User/bob"}));
    let old = office.get(&format!("/User/bob/_history/{}", versions[5])).await;
    assert_eq!((old.status.as_u16(), &old.json()["nickname"]), (200, &json!("n5")));
    assert_eq!(version(&old), versions[5]);
    for dropped in [&*versions[0], "1-0"] {
        let answer = office.get(&format!("/User/bob/_history/{dropped}")).await;
        assert_outcome(&answer, 404, "not-found");
    }
    assert_eq!(office.delete("/User/bob").await.status, 200);
    let bundle = office.get("/User/bob/_history").await.json();
    let deletion = &bundle["entry"][0];
    assert_eq!(deletion["request"]["method"], "DELETE", "{bundle}");
    assert_eq!(deletion.get("resource"), None);
    let tag = deletion["response"]["etag"].as_str().unwrap();
    let id = tag.strip_prefix("W/\"").unwrap().strip_suffix('"').unwrap();
    assert_outcome(&office.get(&format!("/User/bob/_history/{id}")).await, 410, "deleted");
    let old = office.get(&format!("/User/bob/_history/{}", versions[9])).await;
    assert_eq!(old.status, 200, "{old:?}");

    // Made again within the same second, from the same document, it is another one.
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let made = office.put("/User/bob", &person("bob")).await;
        assert_eq!(made.status, 201);
        assert!(seen.insert(version(&made)) && !versions.contains(&version(&made)), "{made:?}");
        assert_eq!(office.delete("/User/bob").await.status, 200);
    }
    assert_outcome(&office.get("/User/bob").await, 410, "deleted");
    assert_outcome(&office.get("/User/nobody/_history").await, 404, "not-found");

    // A week later nothing is known of it.
    office.castellan.advance_to(1_800_000_000 + 8 * 24 * 60 * 60);
    let office = Office { token: self::token(&office.castellan, "tool").await, ..office };
    assert_outcome(&office.get("/User/bob").await, 404, "not-found");
    assert_outcome(&office.get("/User/bob/_history").await, 404, "not-found");
}

#[tokio::test]
async fn references_have_the_form_of_their_path() {
    let office = Office::open().await;
    office.castellan.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await;
    let native = office.get("/Grant/ann/portal").await.json();
    assert_eq!(native["user"], json!({"resourceType": "User", "id": "ann"}));
    assert!(native["meta"]["createdAt"].is_string(), "{native}");
    let fhir = office.get("/fhir/Grant/ann/portal").await.json();
    assert_eq!(fhir["user"], json!({"reference": "User/ann"}));
    assert_eq!(fhir["client"], json!({"reference": "Client/portal"}));
    assert_eq!(fhir["meta"].get("createdAt"), None, "{fhir}");
    for query in [
        "user=ann&client=portal",
        "user=ann",
        "client=portal",
        "user=User/ann&client=Client/portal",
        ".user.id=ann",
        "_id=ann/portal",
    ] {
        for prefix in ["", "/fhir"] {
            let bundle = office.get(&format!("{prefix}/Grant?{query}")).await.json();
            assert_eq!(bundle["total"], 1, "{query}: {bundle}");
            let wanted = if prefix.is_empty() { &native } else { &fhir };
            assert_eq!(&bundle["entry"][0]["resource"], wanted, "{query}");
        }
    }
    for query in ["user=ann&client=spa", "user=an", "user=Client/ann", "user=nobody"] {
        let bundle = office.get(&format!("/Grant?{query}")).await.json();
        assert_eq!(bundle["total"], 0, "{query}: {bundle}");
    }
    let id = native["meta"]["versionId"].as_str().unwrap();
    let old = office.get(&format!("/Grant/ann/portal/_history/{id}")).await;
    assert_eq!(old.json(), native);
    assert_eq!(office.delete("/Grant/ann/portal").await.status, 200);
    assert_outcome(&office.get("/Grant/ann/portal").await, 410, "deleted");
    // Agreed to again, it is another one.
    office.castellan.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await;
    assert_ne!(version(&office.get("/Grant/ann/portal").await), id);
}

#[tokio::test]
async fn answers_are_kept_by_nobody() {
    let office = Office::open().await;
    for path in ["/User/ann", "/User", "/User/ann/_history", "/fhir/User/nobody"] {
        let answer = office.get(path).await;
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
    }
}
