//! Policies at guards that require them (`docs/rules.md` rule 4, `docs/policies.md`).

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, text},
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SDL: &str = "
type Query { user(id: ID!): User note(id: ID!): Note news: String }
type Mutation {
  updateNote(id: ID!, owner: ID, text: String = \"none\"): Note
  deleteNote(id: ID!): ID
}
type User { id: ID name: String email: String }
type Note { id: ID text: String owner: User }
";

const DOCUMENTS: &str = r#"
{resourceType: User, id: ann, userName: ann, password: pw-ann, groups: [{value: editors}]}
---
{resourceType: User, id: bob, userName: bob, password: pw-bob}
---
resourceType: Client
id: editor
secret: s3cr3t-editor
first_party: true
grant_types: [authorization_code]
redirect_uris: ["https://editor.test/cb"]
scope: [openid, "Query:*", "Mutation:*", "Castellan:User:Read"]
---
resourceType: Client
id: robot
secret: s3cr3t-robot
grant_types: [client_credentials, basic]
scope: ["Query:*", "Castellan:AccessPolicy:Test"]
---
{resourceType: Role, id: editing, scope: ["Query:*", "Mutation:*"], groups: [editors]}
"#;

/// Editors change what they own; an e-mail address is for its owner, the rest of a user for everybody.
const POLICIES: &str = r#"
resourceType: AccessPolicy
id: own-notes
link: [{resourceType: Guard, id: notes}, {resourceType: Operation, id: "Mutation:Note:Update"}]
roleName: editing
engine: matcho
matcho: {arguments: {owner: .user.id}}
---
resourceType: AccessPolicy
id: users
link: [{reference: Guard/notes}, {reference: "Operation/Query:User:Get"}]
engine: matcho
matcho: {fields: {$not: {$contains: User.email}}}
---
resourceType: AccessPolicy
id: own-user
link: [{reference: Guard/notes}, {reference: "Operation/Query:User:Get"}]
engine: matcho
matcho: {arguments: {id: .user.id}}
"#;

/// An API key that may read everything.
const KEYS: &str = r#"[{"id": "reader", "apiKey": "s3cr3t-reader", "scopes": ["Query:*"]}]"#;

const EDITOR: [(&str, &str); 2] = [("client_id", "editor"), ("client_secret", "s3cr3t-editor")];
pub(super) const ANN: (&str, &str) = ("ann", "pw-ann");
pub(super) const BOB: (&str, &str) = ("bob", "pw-bob");

pub(super) struct Stage {
    recorder: Recorder,
    castellan: Castellan,
}

impl Stage {
    pub(super) async fn begin(policies: &str) -> Self {
        let recorder = Recorder::start().await;
        recorder.answer(r#"{"data":{}}"#);
        let castellan = Castellan::start(Plan {
            config: format!(
                "[[guard]]\nname = \"notes\"\npath = \"/graphql\"\nupstream = \"{0}\"\n\
                 schema = \"notes.graphql\"\npublic = [\"Query:news:*\"]\n\
                 require = [\"policy\"]\non_deny = \"null\"\n\
                 authenticate = [\"oauth\", \"basic\", \"jwt\"]\n\
                 [[guard]]\nname = \"open\"\npath = \"/open\"\nupstream = \"{0}\"\n\
                 schema = \"notes.graphql\"\n",
                recorder.url
            ),
            documents: format!("{DOCUMENTS}---\n{policies}"),
            files: vec![("notes.graphql", SDL.to_owned())],
            environment: vec![
                ("JWT_SECRET", "s3cret-of-the-keys".to_owned()),
                ("JWT_AUTH_KEYS", KEYS.to_owned()),
            ],
            ..Plan::default()
        })
        .await;
        Self { recorder, castellan }
    }

    /// What `person` gets through the app `editor`.
    pub(super) async fn token(&self, person: (&str, &str)) -> String {
        let scope = "openid Query:* Mutation:* Castellan:User:Read";
        let asking = Asking::of("editor", "https://editor.test/cb").with("scope", scope);
        let mut browser = Browser::default();
        let begun = browser.get(&asking.at(&self.castellan)).await;
        let answer = browser.sign_in(&self.castellan, &begun, person).await;
        let code = answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
        let answer = self.castellan.redeem(&code, &EDITOR).await;
        text(&answer.json(), "access_token").to_owned()
    }

    pub(super) async fn ask(&self, token: &str, document: &str) -> Answer {
        self.castellan.graphql("/graphql", Some(token), document).await
    }

    /// The document that reached the API, if one did.
    pub(super) fn sent(&self) -> Option<String> {
        let seen = self.recorder.seen().pop()?;
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        Some(body["query"].as_str().unwrap().to_owned())
    }

    /// The command `explain` about the denial in `answer`.
    pub(super) fn explain(&self, answer: &Answer) -> Value {
        let id = answer.json()["errors"][0]["extensions"]["decision"].clone();
        let ended = Instant::now() + Duration::from_secs(10);
        loop {
            let explained = self.castellan.cli(&["explain", id.as_str().unwrap(), "--json"]);
            if explained.status.success() {
                return serde_json::from_slice(&explained.stdout).unwrap();
            }
            assert!(Instant::now() < ended, "{}", String::from_utf8_lossy(&explained.stderr));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn apply(castellan: &Castellan, document: &str) {
    let applied = castellan.cli_with(&["apply", "-f", "-"], document);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
}

/// The response keys that are denied by policies.
pub(super) fn denied(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let errors = json["errors"].as_array().cloned().unwrap_or_default();
    let denied = errors.iter().map(|error| {
        assert_eq!(error["extensions"]["reason"], "policy", "{error}");
        let path = error["path"].as_array().unwrap();
        path.iter().map(|key| key.as_str().unwrap()).collect::<Vec<_>>().join(".")
    });
    denied.collect()
}

/// "Editors may change what they own": each field by its own arguments.
#[tokio::test]
async fn editors_may_change_what_they_own() {
    let stage = Stage::begin(POLICIES).await;
    let (ann, bob) = (stage.token(ANN).await, stage.token(BOB).await);
    let both = "mutation { mine: updateNote(id: 1, owner: \"ann\") { id } \
                theirs: updateNote(id: 2, owner: \"bob\") { id } any: updateNote(id: 3) { id } }";
    let answer = stage.ask(&ann, both).await;
    assert_eq!(denied(&answer), ["theirs", "any"], "{answer:?}");
    let sent = stage.sent().unwrap();
    assert!(
        sent.contains("mine:") && !sent.contains("theirs:") && !sent.contains("any:"),
        "{sent}"
    );

    // Not an editor: the policy is not asked about bob.
    let answer = stage.ask(&bob, "mutation { updateNote(id: 2, owner: \"bob\") { id } }").await;
    assert_eq!(denied(&answer), ["updateNote"], "{answer:?}");
    assert_eq!(stage.sent(), None);
    // A mutation that no policy is about.
    let answer = stage.ask(&ann, "mutation { deleteNote(id: 1) }").await;
    assert_eq!(denied(&answer), ["deleteNote"], "{answer:?}");
    // What is public stays public, also for nobody, who is asked for a credential for the rest.
    let answer = stage.castellan.graphql("/graphql", None, "{ news }").await;
    assert!(answer.json()["errors"].is_null(), "{answer:?}");
    let answer = stage.castellan.graphql("/graphql", None, "{ user(id: 1) { id } }").await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["reason"], "no_credential");
}

/// "`User.email` to its owner": by what is selected below, through fragments and under conditions.
#[tokio::test]
async fn an_email_address_is_for_its_owner() {
    let stage = Stage::begin(POLICIES).await;
    let ann = stage.token(ANN).await;
    for (document, is_denied) in [
        ("{ user(id: \"bob\") { id name } }", false),
        ("{ user(id: \"bob\") { id email } }", true),
        ("{ user(id: \"ann\") { id email } }", false),
        ("{ user(id: \"bob\") { ...F } } fragment F on User { ... { e: email } }", true),
        ("{ user(id: \"bob\") { id email @skip(if: true) } }", true),
        ("{ user(id: \"bob\") { id } user(id: \"bob\") { email } }", true),
        ("query($id: ID! = \"ann\") { user(id: $id) { email } }", false),
        ("query($id: ID! = \"bob\") { user(id: $id) { email } }", true),
    ] {
        let answer = stage.ask(&ann, document).await;
        assert_eq!(!denied(&answer).is_empty(), is_denied, "{document}: {answer:?}");
        assert_eq!(stage.sent().is_none(), is_denied, "{document}");
    }
}

/// A policy for resources opens nothing at a guard, and one for a guard nothing at resources,
/// although their operations have the same names.
#[tokio::test]
async fn a_policy_counts_where_it_was_written_for() {
    let resources = "{resourceType: AccessPolicy, id: p, engine: allow}";
    let stage = Stage::begin(resources).await;
    let ann = stage.token(ANN).await;
    let read = async |token: &str| {
        let url = stage.castellan.at("/User/bob");
        Ask::get(&url).bearer(token).send().await.status
    };
    let document = "{ user(id: \"bob\") { id } }";
    assert_eq!(read(&ann).await, 200);
    assert_eq!(denied(&stage.ask(&ann, document).await), ["user"]);
    let until = async |guard: bool| {
        let ended = Instant::now() + Duration::from_secs(10);
        while denied(&stage.ask(&ann, document).await).is_empty() != guard {
            assert!(Instant::now() < ended, "the policy has had no effect for ten seconds");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // A change acts on a running server, for tokens that are there.
    let here = "{resourceType: AccessPolicy, id: p, engine: allow, \
                link: [{reference: Guard/notes}, {reference: User/ann}]}";
    let begun = Instant::now();
    apply(&stage.castellan, here);
    until(true).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(read(&ann).await, 403);
    let elsewhere = here.replace("Guard/notes", "Guard/open");
    apply(&stage.castellan, &elsewhere);
    until(false).await;
    assert_eq!(read(&ann).await, 403);
    // A guard that requires no policies is decided as before.
    let answer = stage.castellan.graphql("/open", Some(&ann), document).await;
    assert!(answer.json()["errors"].is_null(), "{answer:?}");
    // Nobody is told by silence.
    let said = stage.castellan.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("guard notes requires policies, but none is linked to it"), "{said}");
    assert!(said.contains("AccessPolicy/p is never asked at guard open"), "{said}");
}

/// A caller without a person: policies of its client, and those about everybody, are asked.
#[tokio::test]
async fn an_app_of_its_own_is_decided_by_the_policies_of_its_client() {
    let policies = r#"
{resourceType: AccessPolicy, id: person, engine: matcho, link: [{reference: Guard/notes}], matcho: {user: {id: {$not: "x"}}}}
---
{resourceType: AccessPolicy, id: robots, engine: allow, link: [{reference: Guard/notes}, {reference: Client/robot}, {reference: User/robot}]}
"#;
    let stage = Stage::begin(policies).await;
    let robot = stage
        .castellan
        .token(&[
            ("grant_type", "client_credentials"),
            ("client_id", "robot"),
            ("client_secret", "s3cr3t-robot"),
        ])
        .await
        .json();
    let robot = text(&robot, "access_token").to_owned();
    let document = "{ user(id: 1) { id } }";
    assert!(denied(&stage.ask(&robot, document).await).is_empty());
    let deleted = stage.castellan.cli(&["delete", "AccessPolicy", "robots"]);
    assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    let ended = Instant::now() + Duration::from_secs(10);
    // The policy about people does not hold for nobody, whatever its opposite says.
    while denied(&stage.ask(&robot, document).await).is_empty() {
        assert!(Instant::now() < ended, "the policy is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A client that shows its secret itself, and an API key, are seen as what they are.
#[tokio::test]
async fn a_client_with_its_secret_and_an_api_key_are_decided_by_policies() {
    let policies = r"
{resourceType: AccessPolicy, id: keys, engine: matcho, link: [{reference: Guard/notes}], matcho: {credential: {kind: api_key_jwt, id: reader}, user: nil?}}
---
{resourceType: AccessPolicy, id: robots, engine: matcho, link: [{reference: Guard/notes}], matcho: {client: {id: robot}, params: {tenant: one}, request-method: get, guard: {path: /graphql}}}
";
    let stage = Stage::begin(policies).await;
    let pair = json!({"id": "reader", "apiKey": "s3cr3t-reader", "scopes": ["Query:*"]});
    let answer = Ask::post(&stage.castellan.at("/jwt")).json(&pair).send().await;
    let key = text(&answer.json(), "jwt").to_owned();
    let document = "{ user(id: 1) { id } }";
    assert!(denied(&stage.ask(&key, document).await).is_empty());

    let basic = format!("Basic {}", STANDARD.encode("robot:s3cr3t-robot"));
    let ask = async |query: &str| {
        let path = format!("/graphql?query=%7Buser(id:1)%7Bid%7D%7D{query}");
        let ask = Ask::get(&stage.castellan.at(&path)).header("authorization", &basic);
        denied(&ask.send().await)
    };
    assert!(ask("&tenant=one").await.is_empty());
    // Neither of two passes for the only one.
    assert_eq!(ask("&tenant=one&tenant=two").await, ["user"]);
    assert_eq!(ask("").await, ["user"]);
    let answer = Ask::post(&stage.castellan.at("/graphql")).json(&json!({"query": document}));
    let answer = answer.header("authorization", &basic).send().await;
    assert_eq!(denied(&answer), ["user"], "by another method");
}

/// What makes no sense is found by `scopes lint`, and a policy is tried out for its guard.
#[tokio::test]
async fn policies_that_are_never_asked_are_found_and_those_of_guards_can_be_tried() {
    let stage = Stage::begin(POLICIES).await;
    let schema = stage.castellan.path("notes.graphql").display().to_string();
    let lint = |arguments: &[&str]| {
        let all = [&["scopes", "lint", "--schema", &schema], arguments].concat();
        let linted = stage.castellan.cli(&all);
        assert_ne!(linted.status.code(), Some(2), "{}", String::from_utf8_lossy(&linted.stderr));
        String::from_utf8(linted.stdout).unwrap()
    };
    let odd = "requires policies, but none is linked to it";
    assert!(!lint(&["--guard", "notes"]).contains(odd));
    for id in ["own-notes", "users", "own-user"] {
        let deleted = stage.castellan.cli(&["delete", "AccessPolicy", id]);
        assert!(deleted.status.success());
    }
    apply(
        &stage.castellan,
        "{resourceType: AccessPolicy, id: lost, engine: allow, link: [{reference: Guard/nowhere}]}",
    );
    assert!(lint(&["--guard", "notes"]).contains(odd));
    assert!(lint(&[]).contains("AccessPolicy/lost"), "{}", lint(&[]));

    let robot = stage.castellan.token(&[
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "s3cr3t-robot"),
    ]);
    let robot = robot.await.json();
    let policy = json!({"engine": "allow", "link": [{"reference": "Guard/notes"}]});
    for (request, is_allowed) in [
        (json!({"guard": {"name": "notes"}}), true),
        (json!({"guard": {"name": "open"}}), false),
        (json!({"uri": "/User/ann"}), false),
    ] {
        let body = json!({"policy": policy, "request": request});
        let ask = Ask::post(&stage.castellan.at("/auth/test-policy"));
        let said = ask.bearer(text(&robot, "access_token")).json(&body).send().await;
        assert_eq!(said.json()["eval-result"], is_allowed, "{request}: {said:?}");
    }
}

/// A denial names the policies that were asked, and what each said.
#[tokio::test]
async fn a_denial_by_policies_is_explained() {
    let stage = Stage::begin(POLICIES).await;
    let ann = stage.token(ANN).await;
    let answer = stage.ask(&ann, "{ user(id: \"secret-id\") { email } }").await;
    let explained = stage.explain(&answer);
    let field = &explained["fields"][0];
    assert_eq!(field["reason"], "policy");
    let expected = json!([
        {"policy": "own-user", "says": "abstains", "because": "arguments.id: expected the value of user.id"},
        {"policy": "users", "says": "abstains", "because": "fields: expected something else"},
    ]);
    let names = |said: &Value| {
        let said = said.as_array().unwrap().iter();
        said.map(|one| (one["policy"].clone(), one["says"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(&field["policies"]), names(&expected), "{field}");
    assert!(!explained.to_string().contains("secret-id"), "{explained}");
    let steps = field["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["term"] == "policy").unwrap();
    assert_eq!(step["holds"], false, "{step}");
    assert!(step["detail"].as_str().unwrap().contains("own-user, users"), "{step}");
    assert!(field["smallest_grant"].as_str().unwrap().contains("a policy of this guard"));

    // The same before it is sent, with other values.
    let query = "query($id: ID!) { user(id: $id) { email } }";
    let explain = |variables: &str| {
        let told = stage.castellan.cli(&[
            "explain",
            "--guard",
            "notes",
            "--token",
            &ann,
            "--query",
            query,
            "--variables",
            variables,
            "--json",
        ]);
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        serde_json::from_slice::<Value>(&told.stdout).unwrap()["fields"][0].clone()
    };
    let (mine, theirs) = (explain(r#"{"id": "ann"}"#), explain(r#"{"id": "bob"}"#));
    assert_eq!((&mine["allowed"], &theirs["allowed"]), (&json!(true), &json!(false)));
    assert_eq!(mine["policies"][0], json!({"policy": "own-user", "says": "allows"}));
}
