//! Where a guard's schema comes from, what holds it in place, and `castellan demo --upstream`.

use serde_json::json;

use crate::{
    operations::commands::{Bare, run_in},
    support::{
        castellan::{Archive, Castellan, Plan, free_port},
        wire::Ask,
    },
};

const READ: &str = "{ Person(first: 1) { name } }";
const WRITE: &str =
    "mutation { CreatePerson(name: \"Ada\") { name } DeletePerson(identifier: \"x\") { name } }";

#[tokio::test]
async fn the_demo_guards_an_api_of_ones_own() {
    let archive = Archive::start().await;
    let demo = Bare::start(tempfile::tempdir().unwrap(), &["demo", "--upstream", &archive.url]);
    let printed = demo.prints("its data is deleted");
    assert!(printed.contains("all or nothing"), "{printed}");
    // What it prints as a public read, a denied write and an allowed one is just that.
    let bodies: Vec<&str> =
        printed.split("-d '").skip(1).map(|rest| rest.split("'\n").next().unwrap()).collect();
    let [read, denied, allowed] = bodies[..] else { panic!("{printed}") };
    let token = printed.split("Authorization: Bearer ").nth(1).unwrap();
    let token = token.split('\'').next().unwrap();
    let printed_url = format!("{}/graphql", demo.url);
    let send = |body: &str| Ask::post(&printed_url).body("application/json", body.to_owned());
    let answer = send(read).send().await;
    assert!(answer.json().get("errors").is_none(), "{answer:?}");
    let answer = send(denied).send().await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["reason"], "no_credential", "{answer:?}");
    assert_eq!(allowed, denied);
    let answer = send(allowed).bearer(token).send().await;
    assert!(answer.json().get("errors").is_none(), "{answer:?}");
    let url = format!("{}/graphql", demo.url);
    let read = Ask::post(&url).json(&json!({"query": READ})).send().await;
    assert!(read.json()["data"]["Person"][0]["name"].is_string(), "{read:?}");
    let write = Ask::post(&url).json(&json!({"query": WRITE})).send().await.json();
    assert_eq!(write["data"], json!(null), "{write}");
    assert_eq!(write["errors"].as_array().map(Vec::len), Some(2), "{write}");
}

#[tokio::test]
async fn what_the_demo_saves_is_what_serve_needs() {
    let archive = Archive::start().await;
    let folder = tempfile::tempdir().unwrap();
    let save = ["demo", "--upstream", &archive.url, "--save", "castellan.toml"];
    let saved = run_in(folder.path(), &save);
    assert!(saved.status.success(), "{saved:?}");
    // Reads are public once the owner says so.
    let file = folder.path().join("castellan.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("# public =", "public =")).unwrap();
    let serve = Bare::start(folder, &["serve", "--config", "castellan.toml"]);
    serve.prints("Castellan serves");
    let url = format!("{}/graphql", serve.url);
    let read = Ask::post(&url).json(&json!({"query": READ})).send().await;
    assert!(read.json()["data"]["Person"][0]["name"].is_string(), "{read:?}");
    let write = Ask::post(&url).json(&json!({"query": WRITE})).send().await;
    assert_eq!(write.json()["data"], json!(null), "{write:?}");
}

#[tokio::test]
async fn an_api_that_cannot_be_asked_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let saved = run_in(folder.path(), &["demo", "--upstream", &nobody, "--save", "x.toml"]);
    assert!(!saved.status.success());
    let why = String::from_utf8(saved.stderr).unwrap();
    assert!(why.contains(&nobody) && why.contains("to an SDL file"), "{why}");
    assert!(!folder.path().join("x.toml").exists());
}

/// `docs/rules.md` rule 8: without a schema that guard answers 503 while the rest is ready; with
/// one it answers, and what it learnt is kept on disk.
#[tokio::test]
async fn a_guard_waits_for_its_schema_and_remembers_it() {
    let port = free_port();
    let config = format!(
        "[[guard]]\nname = \"late\"\npath = \"/graphql\"\npublic = [\"Query:*\"]\n\
         upstream = \"http://127.0.0.1:{port}/\"\n"
    );
    let mut castellan = Castellan::start_unready(Plan { config, ..Plan::default() }).await;
    let early = castellan.graphql("/graphql", None, READ).await;
    assert_eq!((early.status.as_u16(), early.header("retry-after")), (503, Some("2")), "{early:?}");
    let other = castellan.graphql("/api", None, "{ __typename }").await;
    assert_eq!(other.status, 200);
    let archive = Archive::start_at(port).await;
    castellan.until_ready().await;
    let read = castellan.graphql("/graphql", None, READ).await;
    assert!(read.json()["data"]["Person"][0]["name"].is_string(), "{read:?}");
    drop(archive);
    castellan.restart().await;
    let down = castellan.graphql("/graphql", None, READ).await;
    assert_eq!(down.status, 502, "{down:?}");
    let ours = castellan.graphql("/graphql", None, "{ __schema { queryType { name } } }").await;
    assert_eq!(ours.json()["data"]["__schema"]["queryType"]["name"], "Query", "{ours:?}");
}

/// `docs/rules.md` rule 25: the table of required scopes is a lock file; nothing remaps silently.
#[tokio::test]
async fn a_required_scope_that_would_change_stops_the_start() {
    let sdl = "type Query { a: Int } type Mutation { vote(on: ID): Int createPerson: Int }";
    let guard = "[[guard]]\nname = \"votes\"\npath = \"/graphql\"\nschema = \"votes.graphql\"\n\
                 upstream = \"http://127.0.0.1:9/\"\n";
    let castellan = Castellan::start(Plan {
        config: guard.to_owned(),
        files: vec![("votes.graphql", sdl.to_owned())],
        ..Plan::default()
    })
    .await;
    let lock = std::fs::read_to_string(castellan.path("votes.lock")).unwrap();
    assert!(lock.contains("Mutation.vote = \"Mutation:vote:Call\"\n"), "{lock}");
    assert!(lock.contains("Mutation.createPerson = \"Mutation:Person:Create\"\n"), "{lock}");
    let config = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    let remapped =
        format!("{config}overrides = {{ \"Mutation.vote\" = \"Mutation:Proposal:Vote\" }}\n");
    std::fs::write(castellan.path("castellan.toml"), remapped).unwrap();
    let checked = castellan.cli(&["config", "check"]);
    assert!(!checked.status.success());
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(
        said.contains("Mutation.vote requires Mutation:Proposal:Vote, but the lock file says Mutation:vote:Call"),
        "{said}"
    );
    // A field that is new is added by itself; a remapping that is meant takes its line out.
    let kept: Vec<_> = lock.lines().filter(|line| !line.contains("vote")).collect();
    std::fs::write(castellan.path("votes.lock"), kept.join("\n")).unwrap();
    assert!(castellan.cli(&["config", "check"]).status.success());
    let after = std::fs::read_to_string(castellan.path("votes.lock")).unwrap();
    assert_eq!(after, kept.join("\n"), "who looks writes nothing");
    assert!(castellan.cli(&["config", "check", "--write-locks"]).status.success());
    let lock = std::fs::read_to_string(castellan.path("votes.lock")).unwrap();
    assert!(lock.contains("Mutation.vote = \"Mutation:Proposal:Vote\"\n"), "{lock}");
}
