//! `docs/contracts/trompa.md` §9, items 15 to 30: what a token opens at the gate, proved by asking
//! the archive itself.

use serde_json::{Value, json};

use crate::support::{
    castellan::{Archive, Castellan, Plan},
    jose,
    wire::{Answer, Ask},
};

pub const SECRET: &str = "not-so-secret";
const ISSUER: &str = "https://ce.example";
const KEYS: &str = r#"[
    {"id":"admin","apiKey":"k-admin","scopes":["*"]},
    {"id":"persons","apiKey":"k-persons","scopes":["Mutation:Person:*"]},
    {"id":"trio","apiKey":"k-trio","scopes":["Mutation:Person:Create","Mutation:Person:Update","Mutation:Person:Delete"]}
]"#;
/// With `secret`, for `admin`, until 2100, but by HMAC with SHA-512.
const HS512: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJpZCI6ImFkbWluIiwic2NvcGVzIjpbIioiXSwi\
                     aWF0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsImlzcyI6Imh0dHBzOi8vY2UuZXhhbXBs\
                     ZSJ9.jpcva6jYLNRo038S6GTFIQOc7ANI29_F06LPbcB9IqXEHYfukCHvSWEaavho-KS_OF2yLjI\
                     5Zze8RuzfwvoE1g";

const NO_TOKEN: &str = "No authorization token.";
const EXPIRED: &str = "Your token is expired";
const NOT_AUTHORIZED: &str = "You are not authorized for this resource";
const CREATE: &str = "mutation { CreatePerson(identifier: \"x\", name: \"x\") { identifier } }";

/// The set-up of the contract's checklist, before the archive if there is one.
pub fn plan(archive: Option<&Archive>) -> Plan {
    let guard = |archive: &Archive| {
        format!(
            "[[guard]]\nname = \"archive\"\npath = \"/graphql\"\ndialect = \"trompa\"\n\
             upstream = \"{}\"\n",
            archive.url
        )
    };
    Plan {
        config: archive.map(guard).unwrap_or_default(),
        environment: vec![
            ("JWT_SECRET", SECRET.to_owned()),
            ("JWT_EXPIRES", "1d".to_owned()),
            ("JWT_ISSUER", ISSUER.to_owned()),
            ("JWT_AUTH_KEYS", KEYS.to_owned()),
        ],
        ..Plan::default()
    }
}

/// `plan` with another value of a variable.
pub fn with(mut plan: Plan, name: &'static str, value: &str) -> Plan {
    plan.environment.retain(|(other, _)| *other != name);
    plan.environment.push((name, value.to_owned()));
    plan
}

/// The archive and the gate before it.
pub struct Stage {
    pub archive: Archive,
    pub castellan: Castellan,
}

impl Stage {
    pub async fn start() -> Self {
        let archive = Archive::start().await;
        let castellan = Castellan::start(plan(Some(&archive))).await;
        Self { archive, castellan }
    }

    pub async fn send(&self, token: Option<&str>, query: &str) -> Answer {
        self.castellan.graphql("/graphql", token, query).await
    }

    /// The name of the thing with this identifier, if it is in the archive.
    pub async fn names(&self, kind: &str, identifier: &str) -> Value {
        let query = format!("{{ {kind}(identifier: \"{identifier}\") {{ name }} }}");
        self.archive.ask(&query).await["data"][kind].clone()
    }

    /// Asserts that `field` runs for a token of the administrator's key with `scope`.
    async fn opens(&self, scope: &str, field: &str) {
        let answer = self.try_with(&[scope], field).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = answer.json();
        let codes: Vec<_> = list(&body["errors"])
            .filter_map(|error| error["extensions"]["code"].as_str())
            .collect();
        assert!(!codes.contains(&"FORBIDDEN") && !codes.contains(&"UNAUTHENTICATED"), "{body}");
        assert!(body["data"][name_of(field)].is_object(), "{scope} {field}: {body}");
    }

    /// Asserts that `field` is denied to a token of the administrator's key with `scopes`.
    async fn closed(&self, scopes: &[&str], field: &str) {
        let answer = self.try_with(scopes, field).await;
        assert_denied(&answer, name_of(field), "FORBIDDEN");
        assert_eq!(answer.json()["errors"][0]["message"], NOT_AUTHORIZED, "{answer:?}");
    }

    async fn try_with(&self, scopes: &[&str], field: &str) -> Answer {
        let token = mint("admin", scopes);
        self.send(Some(&token), &format!("mutation {{ {field} {{ __typename }} }}")).await
    }
}

/// A token of `key` with `scopes`, signed here.
pub fn mint(key: &str, scopes: &[&str]) -> String {
    jose::signed_with(SECRET, &claims(key, scopes))
}

fn claims(key: &str, scopes: &[&str]) -> Value {
    let now = jose::now();
    json!({"id": key, "scopes": scopes, "iat": now, "exp": now + 86_400, "iss": ISSUER})
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `CreatePerson` of `CreatePerson(…)`.
fn name_of(field: &str) -> &str {
    field.split('(').next().unwrap()
}

/// Asserts that the one field of a document is null, with one error of `code`.
#[track_caller]
pub fn assert_denied(answer: &Answer, field: &str, code: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["data"], json!({field: null}), "{body}");
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["errors"][0]["path"], json!([field]), "{body}");
    assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
    for leak in ["stack", "exception", "INTERNAL_SERVER_ERROR"] {
        assert!(!answer.body.contains(leak), "{body}");
    }
}

/// Asserts that [`CREATE`] says `message` and that nothing was written.
async fn assert_not_created(stage: &Stage, token: Option<&str>, message: &str) {
    let answer = stage.send(token, CREATE).await;
    assert_denied(&answer, "CreatePerson", "UNAUTHENTICATED");
    assert_eq!(answer.json()["errors"][0]["message"], message, "{token:?}");
    assert_eq!(stage.names("Person", "x").await, json!([]));
}

#[tokio::test]
async fn trompa_15_reads_are_public() {
    let stage = Stage::start().await;
    let answer = stage.send(None, "{ __typename }").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn trompa_16_a_bad_token_does_not_close_what_is_public() {
    let stage = Stage::start().await;
    let mut old = claims("admin", &["*"]);
    old["exp"] = json!(jose::now() - 1);
    let old = jose::signed_with(SECRET, &old);
    let read = "{ Person(first: 1) { identifier } }";
    for token in [None, Some("garbage"), Some(&*old)] {
        let answer = stage.send(token, read).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.json()["data"]["Person"][0]["identifier"].is_string(), "{answer:?}");
        assert!(answer.json().get("errors").is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn trompa_17_a_mutation_without_a_token_is_null() {
    let stage = Stage::start().await;
    assert_not_created(&stage, None, NO_TOKEN).await;
}

#[tokio::test]
async fn trompa_18_a_mutation_with_garbage_is_null() {
    let stage = Stage::start().await;
    for token in ["garbage", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30."] {
        assert_not_created(&stage, Some(token), NOT_AUTHORIZED).await;
    }
}

#[tokio::test]
async fn trompa_19_a_token_of_long_ago_is_expired_and_not_merely_wrong() {
    let stage = Stage::start().await;
    // The claims of the token that the contract's document prints.
    let exp = 1_679_529_600;
    let sample = json!({
        "id": "local", "scopes": ["*"], "iat": exp - 63_115_200, "exp": exp,
        "iss": "https://api.trompamusic.eu",
    });
    assert_not_created(&stage, Some(&jose::signed_with(SECRET, &sample)), EXPIRED).await;
    // The signature comes first: a forgery learns nothing of time.
    let forged = jose::signed_with("another secret", &sample);
    assert_not_created(&stage, Some(&forged), NOT_AUTHORIZED).await;
}

#[tokio::test]
async fn trompa_20_only_hs256_with_our_secret_counts() {
    let stage = Stage::start().await;
    let good = claims("admin", &["*"]);
    let mut eternal = good.clone();
    eternal.as_object_mut().unwrap().remove("exp");
    let mut foreign = good.clone();
    foreign["iss"] = json!("https://evil.test");
    for token in [
        jose::signed_with("another secret", &good),
        jose::signed_with("", &good),
        jose::forged(&json!({"alg": "none", "typ": "JWT"}), &good, b""),
        jose::forged(&json!({"alg": "None"}), &good, b""),
        jose::forged(&json!({"alg": "RS256", "typ": "JWT"}), &good, &[0; 256]),
        HS512.to_owned(),
        jose::signed_with(SECRET, &eternal),
        jose::signed_with(SECRET, &foreign),
        jose::signed_with(SECRET, &claims("nobody", &["*"])),
    ] {
        assert_not_created(&stage, Some(&token), NOT_AUTHORIZED).await;
    }
    assert_eq!(stage.send(Some(&mint("admin", &["*"])), CREATE).await.status, 200);
    assert_eq!(stage.names("Person", "x").await, json!([{"name": "x"}]));
}

#[tokio::test]
async fn trompa_21_create_does_not_delete() {
    let stage = Stage::start().await;
    let scope = "Mutation:Person:Create";
    stage.opens(scope, "CreatePerson(identifier: \"p\", name: \"p\")").await;
    stage.closed(&[scope], "DeletePerson(identifier: \"p\")").await;
    assert_eq!(stage.names("Person", "p").await, json!([{"name": "p"}]));
}

#[tokio::test]
async fn trompa_22_create_anything_updates_nothing() {
    let stage = Stage::start().await;
    let scope = "Mutation:*:Create";
    stage.opens(scope, "CreatePerson(identifier: \"p\", name: \"p\")").await;
    stage.opens(scope, "CreatePlace(identifier: \"l\", name: \"l\")").await;
    stage.closed(&[scope], "UpdatePerson(identifier: \"p\", name: \"q\")").await;
    assert_eq!(stage.names("Person", "p").await, json!([{"name": "p"}]));
    assert_eq!(stage.names("Place", "l").await, json!([{"name": "l"}]));
}

#[tokio::test]
async fn trompa_23_a_type_is_neither_its_relations_nor_another_type() {
    let stage = Stage::start().await;
    let scope = "Mutation:Person:*";
    stage.opens(scope, "CreatePerson(identifier: \"p\", name: \"p\")").await;
    stage.opens(scope, "CreatePerson(identifier: \"q\", name: \"q\")").await;
    stage.opens(scope, "UpdatePerson(identifier: \"p\", name: \"r\")").await;
    stage.opens(scope, "MergePerson(identifier: \"p\", name: \"s\")").await;
    stage
        .closed(&[scope], "AddPersonKnows(from: {identifier: \"p\"}, to: {identifier: \"q\"})")
        .await;
    stage.closed(&[scope], "CreatePlace(identifier: \"l\", name: \"l\")").await;
    let knows = stage.archive.ask("{ Person(identifier: \"p\") { name knows { name } } }").await;
    assert_eq!(knows["data"]["Person"], json!([{"name": "s", "knows": []}]));
    assert_eq!(stage.names("Place", "l").await, json!([]));
    stage.opens(scope, "DeletePerson(identifier: \"p\")").await;
    assert_eq!(stage.names("Person", "p").await, json!([]));
}

/// The arguments of a relation between the two things that [`composed`] makes.
const ENDS: &str = "(from: {identifier: \"m\"}, to: {identifier: \"c\"})";

async fn composed(stage: &Stage) {
    let make = "mutation { CreateMusicComposition(identifier: \"m\", name: \"m\") { name } \
                CreatePerson(identifier: \"c\", name: \"c\") { name } }";
    stage.archive.ask(make).await;
}

async fn composers(stage: &Stage) -> Value {
    let query = "{ MusicComposition(identifier: \"m\") { composer { name } } }";
    stage.archive.ask(query).await["data"]["MusicComposition"][0]["composer"].clone()
}

#[tokio::test]
async fn trompa_24_a_type_does_not_open_its_relations() {
    let stage = Stage::start().await;
    composed(&stage).await;
    let scope = "Mutation:MusicComposition:*";
    stage.opens(scope, "CreateMusicComposition(identifier: \"n\", name: \"n\")").await;
    stage.closed(&[scope], &format!("AddMusicCompositionComposer{ENDS}")).await;
    assert_eq!(composers(&stage).await, json!([]));
}

#[tokio::test]
async fn trompa_25_a_relation_does_not_open_its_type() {
    let stage = Stage::start().await;
    composed(&stage).await;
    let scope = "Mutation:MusicCompositionComposer:*";
    stage.opens(scope, &format!("AddMusicCompositionComposer{ENDS}")).await;
    assert_eq!(composers(&stage).await, json!([{"name": "c"}]));
    stage.opens(scope, &format!("RemoveMusicCompositionComposer{ENDS}")).await;
    assert_eq!(composers(&stage).await, json!([]));
    stage.opens(scope, &format!("MergeMusicCompositionComposer{ENDS}")).await;
    assert_eq!(composers(&stage).await, json!([{"name": "c"}]));
    stage.closed(&[scope], "CreateMusicComposition(identifier: \"n\", name: \"n\")").await;
    assert_eq!(stage.names("MusicComposition", "n").await, json!([]));
}

#[tokio::test]
async fn trompa_26_a_star_opens_everything_and_request_is_an_action() {
    let stage = Stage::start().await;
    composed(&stage).await;
    for field in [
        "CreatePerson(identifier: \"p\", name: \"p\")",
        "UpdatePerson(identifier: \"p\", name: \"q\")",
        "DeletePerson(identifier: \"p\")",
        "CreatePlace(identifier: \"l\", name: \"l\")",
        &format!("AddMusicCompositionComposer{ENDS}"),
        "RequestControlAction(identifier: \"a\", controlAction: {name: \"a\"})",
    ] {
        stage.opens("*", field).await;
    }
    let request = "Mutation:ControlAction:Request";
    stage
        .opens(request, "RequestControlAction(identifier: \"b\", controlAction: {name: \"b\"})")
        .await;
    stage.closed(&[request], "UpdateControlAction(identifier: \"b\", name: \"c\")").await;
    assert_eq!(stage.names("ControlAction", "b").await, json!([{"name": "b"}]));
}

#[tokio::test]
async fn trompa_27_query_scopes_and_none_open_no_mutation() {
    let stage = Stage::start().await;
    let field = "CreatePerson(identifier: \"x\", name: \"x\")";
    for scopes in
        [&["Query:*"][..], &[], &["Mutation"], &["Mutation:Person"], &["mutation:person:create"]]
    {
        stage.closed(scopes, field).await;
    }
    let mut none = claims("admin", &[]);
    none.as_object_mut().unwrap().remove("scopes");
    let answer = stage.send(Some(&jose::signed_with(SECRET, &none)), CREATE).await;
    assert_denied(&answer, "CreatePerson", "FORBIDDEN");
    assert_eq!(stage.names("Person", "x").await, json!([]));
    let reader = mint("admin", &["Query:*"]);
    let read = stage.send(Some(&reader), "{ Person(first: 1) { name } }").await;
    assert!(read.json()["data"]["Person"][0]["name"].is_string(), "{read:?}");
}

#[tokio::test]
async fn trompa_28_what_is_allowed_runs_beside_what_is_not() {
    let stage = Stage::start().await;
    let token = mint("admin", &["Mutation:Person:Create"]);
    let query = "mutation { a: CreatePerson(identifier: \"p\", name: \"p\") { name } \
                 b: CreatePlace(identifier: \"l\", name: \"l\") { name } }";
    let answer = stage.send(Some(&token), query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["data"], json!({"a": {"name": "p"}, "b": null}));
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    assert_eq!(body["errors"][0]["path"], json!(["b"]));
    assert_eq!(stage.names("Person", "p").await, json!([{"name": "p"}]));
    assert_eq!(stage.names("Place", "l").await, json!([]));
}

#[tokio::test]
async fn trompa_29_a_field_that_is_not_there_is_a_bad_request() {
    let stage = Stage::start().await;
    let answer = stage.send(None, "mutation { ExplodePerson(name: \"x\") { name } }").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.json()["errors"][0]["message"].is_string(), "{answer:?}");
    assert!(answer.json().get("data").is_none(), "{answer:?}");
}

#[tokio::test]
async fn trompa_30_get_never_writes() {
    let stage = Stage::start().await;
    let query: String = url::form_urlencoded::byte_serialize(CREATE.as_bytes()).collect();
    let url = stage.castellan.at(&format!("/graphql?query={query}"));
    let answer = Ask::get(&url).bearer(&mint("admin", &["*"])).send().await;
    assert_eq!(answer.status, 405, "{answer:?}");
    assert!(answer.header("allow").unwrap().contains("POST"), "{answer:?}");
    assert_eq!(stage.names("Person", "x").await, json!([]));
}
