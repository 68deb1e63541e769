//! Guards whose schema is wrong, new schemas, and settings that are read again while the server
//! runs.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan, free_port},
    upstream::Recorder,
    wire::Ask,
};

const SDL: &str = "type Query { name: String }";

/// A guard at `/NAME` with the schema in `NAME.graphql`, which is looked at every second.
fn guard(name: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{upstream}\"\n\
         schema = \"{name}.graphql\"\nschema_refresh = \"1s\"\n{more}\n"
    )
}

async fn readyz(castellan: &Castellan) -> Value {
    let ready = Ask::get(&castellan.at("/readyz")).send().await;
    assert_eq!(ready.status, 200, "{ready:?}");
    ready.json()
}

/// Waits until `/readyz` is what is wanted.
async fn until(castellan: &Castellan, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let ready = readyz(castellan).await;
        if is_so(&ready) {
            return ready;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it does not come about: {}", readyz(castellan).await);
}

fn problem(ready: &Value, guard: &str) -> Option<String> {
    ready["guard_problems"][guard].as_str().map(ToOwned::to_owned)
}

fn edit(castellan: &Castellan, name: &str, edit: impl Fn(String) -> String) {
    let text = std::fs::read_to_string(castellan.path(name)).unwrap_or_default();
    std::fs::write(castellan.path(name), edit(text)).unwrap();
}

fn hang_up(castellan: &Castellan) {
    let id = castellan.process().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
}

/// A guard that is well, and one of each kind that is not.
fn troubled(upstream: &str) -> Plan {
    let public = "public = [\"Query:*\"]";
    let config = [
        guard("well", upstream, public),
        guard("broken", upstream, public),
        guard("garbled", upstream, public),
        guard("remapped", upstream, "overrides = { \"Query.name\" = \"Query:Name:Read\" }"),
        guard("misnamed", upstream, "overrides = { \"Query.nam\" = \"Query:Name:Read\" }"),
        guard("homeless", upstream, "lock = \"nowhere/homeless.lock\""),
        guard("missing", upstream, public),
    ];
    let files = vec![
        ("well.graphql", SDL.to_owned()),
        ("broken.graphql", "type Query { name: Strin }".to_owned()),
        ("garbled.graphql", SDL.to_owned()),
        ("garbled.lock", "Query.name = \"Query:name:Get\"\nQuery.nam".to_owned()),
        ("remapped.graphql", SDL.to_owned()),
        ("remapped.lock", "Query.name = \"Query:name:Get\"\n".to_owned()),
        ("misnamed.graphql", SDL.to_owned()),
        ("homeless.graphql", SDL.to_owned()),
    ];
    Plan { config: config.concat(), files, ..Plan::default() }
}

#[tokio::test]
async fn a_guard_whose_schema_is_wrong_is_closed_alone_and_says_why() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let castellan = Castellan::start_unready(troubled(&upstream.url)).await;
    let ready = readyz(&castellan).await;
    let wrong = [
        ("broken", "schema_invalid", "Strin"),
        ("garbled", "lock_unreadable", "line 2 of the lock file"),
        ("remapped", "mapping_changed", "Query.name requires Query:Name:Read, but the lock file"),
        ("misnamed", "schema_invalid", "matches no field; write Mutation.fieldName"),
        ("homeless", "file_unusable", "homeless.lock"),
        ("missing", "file_unusable", "missing.graphql"),
    ];
    let doctor = castellan.cli(&["doctor"]);
    assert!(!doctor.status.success());
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    for (name, kind, why) in wrong {
        assert_eq!(ready["guards"][name], false, "{name}: {ready}");
        assert_eq!(problem(&ready, name).as_deref(), Some(kind), "{ready}");
        let answer = castellan.graphql(&format!("/{name}"), None, "{ name }").await;
        assert_eq!(answer.status, 503, "{name}: {answer:?}");
        assert_eq!(answer.json()["errors"][0]["extensions"]["reason"], kind, "{answer:?}");
        assert!(!answer.body.contains(why), "strangers are told the kind alone: {answer:?}");
        assert!(!ready.to_string().contains(why), "{ready}");
        assert!(log.contains(why), "{name}: {log}");
        let line =
            doctor.lines().find(|line| line.contains(&format!("{name} at /{name} is closed")));
        assert!(line.is_some(), "{name}: {doctor}");
        assert!(doctor.contains(why), "{name}: {doctor}");
    }
    assert_eq!(problem(&ready, "well"), None);
    let read = castellan.graphql("/well", None, "{ name }").await;
    assert_eq!(read.json(), json!({"data": {"name": "Ada"}}));
    let keys = Ask::get(&castellan.at("/.well-known/jwks.json")).send().await;
    assert_eq!(keys.status, 200, "{keys:?}");
    let stranger = castellan.token(&[("grant_type", "client_credentials")]).await;
    assert_eq!(stranger.json()["error"], "invalid_request", "{stranger:?}");
    // Whoever mends it need not start anything anew.
    edit(&castellan, "broken.graphql", |_| SDL.to_owned());
    edit(&castellan, "garbled.lock", |text| {
        text.replace("Query.nam\"", "").replace("\nQuery.nam", "")
    });
    std::fs::create_dir(castellan.path("nowhere")).unwrap();
    for name in ["broken", "garbled", "homeless"] {
        until(&castellan, |ready| ready["guards"][name] == true).await;
    }
    let read = castellan.graphql("/broken", None, "{ name }").await;
    assert_eq!(read.json(), json!({"data": {"name": "Ada"}}));
}

/// Whoever looks after the machine asks by address, and is told of every site's guards.
#[tokio::test]
async fn the_guards_of_every_site_are_named() {
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    let sites = "[[site]]\nname = \"a\"\n[[site]]\nname = \"b\"\nissuer = \"http://b.localhost\"\n";
    let castellan = Castellan::start_unready(Plan {
        config: sites.to_owned() + &guard("broken", &nobody, "site = \"b\""),
        files: vec![("broken.graphql", "type Query {".to_owned())],
        ..Plan::default()
    })
    .await;
    let ready = readyz(&castellan).await;
    assert_eq!(ready["guards"], json!({"api": true, "broken": false}), "{ready}");
    assert_eq!(problem(&ready, "broken").as_deref(), Some("schema_invalid"), "{ready}");
}

#[tokio::test]
async fn a_new_schema_is_taken_up_and_an_old_mapping_stays() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"it":{"name":"Ada"}}}"#);
    let sdl = "type Query { it: Person } type Person { name: String }";
    let castellan = Castellan::start(Plan {
        config: guard("people", &upstream.url, "public = [\"Query:Person:*\"]"),
        files: vec![("people.graphql", sdl.to_owned())],
        ..Plan::default()
    })
    .await;
    let read = "{ it { name } }";
    let expected = json!({"data": {"it": {"name": "Ada"}}});
    assert_eq!(castellan.graphql("/people", None, read).await.json(), expected);
    // By its new type `it` would require another scope: it goes on to require the one of before. What
    // is new requires what its name says, and nobody has that.
    let new = "type Query { it: Secret other: Secret } type Secret { name: String }";
    edit(&castellan, "people.graphql", |_| new.to_owned());
    let ready = until(&castellan, |ready| problem(ready, "people").is_some()).await;
    assert_eq!(problem(&ready, "people").as_deref(), Some("mapping_changed"), "{ready}");
    assert_eq!(ready["guards"]["people"], true, "{ready}");
    assert_eq!(castellan.graphql("/people", None, read).await.json(), expected);
    let other = castellan.graphql("/people", None, "{ other { name } }").await.json();
    assert_eq!(other["errors"][0]["extensions"]["reason"], "no_credential", "{other}");
    let lock = std::fs::read_to_string(castellan.path("people.lock")).unwrap();
    assert!(lock.contains("Query.it = \"Query:Person:Get\"\n"), "{lock}");
    assert!(lock.contains("Query.other = \"Query:Secret:Get\"\n"), "{lock}");
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    let why = "Query.it would now require Query:Secret:Get, but still requires Query:Person:Get";
    assert!(log.contains(why), "{log}");
    let doctor = String::from_utf8(castellan.cli(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains(why) && doctor.contains("people at /people is open"), "{doctor}");
    // A schema with a fault leaves the one of before in place.
    edit(&castellan, "people.graphql", |_| "type Query {".to_owned());
    until(&castellan, |ready| problem(ready, "people").as_deref() == Some("schema_invalid")).await;
    assert_eq!(castellan.graphql("/people", None, read).await.json(), expected);
    // A line that its owner takes out is mapped anew.
    edit(&castellan, "people.graphql", |_| new.to_owned());
    edit(&castellan, "people.lock", |text| {
        text.lines().filter(|line| !line.contains("Query.it")).collect::<Vec<_>>().join("\n")
    });
    until(&castellan, |ready| problem(ready, "people").is_none()).await;
    let denied = castellan.graphql("/people", None, read).await.json();
    assert_eq!(denied["errors"][0]["extensions"]["reason"], "no_credential", "{denied}");
}

#[tokio::test]
async fn a_new_field_that_no_rule_reads_is_denied_and_closes_nothing() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let castellan = Castellan::start(Plan {
        config: guard("people", &upstream.url, "public = [\"*\"]\nnaming = \"trompa\""),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    let new = format!("{SDL} type Mutation {{ vote: Int CreatePerson: Int }}");
    edit(&castellan, "people.graphql", |_| new.clone());
    let ready = until(&castellan, |ready| problem(ready, "people").is_some()).await;
    assert_eq!(problem(&ready, "people").as_deref(), Some("field_unmapped"), "{ready}");
    upstream.seen();
    let vote = castellan.graphql("/people", None, "mutation { vote }").await.json();
    assert_eq!(vote["errors"][0]["extensions"]["reason"], "no_credential", "{vote}");
    assert!(upstream.seen().is_empty());
    let read = castellan.graphql("/people", None, "{ name }").await;
    assert_eq!(read.json(), json!({"data": {"name": "Ada"}}));
    let lock = std::fs::read_to_string(castellan.path("people.lock")).unwrap();
    assert!(lock.contains("Mutation.CreatePerson") && !lock.contains("vote"), "{lock}");
}

/// What an API shows of itself.
fn shown(fields: &[&str]) -> String {
    let text = json!({"kind": "SCALAR", "name": "String"});
    let fields: Vec<_> =
        fields.iter().map(|name| json!({"name": name, "args": [], "type": text})).collect();
    let types = json!([
        {"kind": "OBJECT", "name": "Query", "fields": fields, "interfaces": []},
        {"kind": "SCALAR", "name": "String"},
    ]);
    json!({"data": {"__schema": {
        "queryType": {"name": "Query"}, "types": types, "directives": [],
    }}})
    .to_string()
}

#[tokio::test]
async fn an_apis_new_schema_is_taken_up_and_a_faulty_one_is_not_kept() {
    let upstream = Recorder::start().await;
    upstream.answer(&shown(&["name"]));
    let config = format!(
        "[[guard]]\nname = \"people\"\npath = \"/people\"\nupstream = \"{}\"\n\
         public = [\"Query:*\"]\nschema_refresh = \"1s\"\n",
        upstream.url
    );
    let castellan = Castellan::start(Plan { config, ..Plan::default() }).await;
    let fields = "{ __type(name: \"Query\") { fields { name } } }";
    let count = async || {
        let shown = castellan.graphql("/people", None, fields).await.json();
        shown["data"]["__type"]["fields"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count().await, 1);
    upstream.answer(&shown(&["name", "age"]));
    for _ in 0..400 {
        if count().await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(count().await, 2);
    let kept = std::fs::read_to_string(castellan.path("people.schema.graphql")).unwrap();
    assert!(kept.contains("age"), "{kept}");
    // An object type without a field is none, and neither is an answer that is no schema.
    for (faulty, kind) in [(shown(&[]), "schema_invalid"), ("{}".to_owned(), "schema_unavailable")]
    {
        upstream.answer(&faulty);
        until(&castellan, |ready| problem(ready, "people").as_deref() == Some(kind)).await;
        assert_eq!(count().await, 2);
        let after = std::fs::read_to_string(castellan.path("people.schema.graphql")).unwrap();
        assert_eq!(after, kept);
    }
}

#[tokio::test]
async fn a_reload_takes_up_what_it_can_and_names_what_needs_a_restart() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let castellan = Castellan::start(Plan {
        config: guard("people", &upstream.url, "public = []"),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    let read = async |path: &str| castellan.graphql(path, None, "{ name }").await;
    let denied = read("/people").await.json();
    assert_eq!(denied["errors"][0]["extensions"]["reason"], "no_credential", "{denied}");
    // A rule, another path besides, and an address that only a new process can take.
    let another = free_port();
    edit(&castellan, "castellan.toml", |text| {
        let port = text.split("listen = \"127.0.0.1:").nth(1).unwrap().split('"').next().unwrap();
        let text = text.replace(
            &format!("listen = \"127.0.0.1:{port}\""),
            &format!("listen = \"127.0.0.1:{another}\""),
        );
        let more = guard("more", &upstream.url, "public = [\"Query:*\"]");
        text.replace("public = []", "public = [\"Query:*\"]") + &more
    });
    std::fs::write(castellan.path("more.graphql"), SDL).unwrap();
    assert_eq!(read("/more").await.status, 404);
    let said = castellan.said(&["reload"]);
    assert!(said.starts_with("reloaded\n"), "{said}");
    assert!(said.contains("server.listen changed; takes effect after a restart\n"), "{said}");
    assert!(said.contains("guard people: changed\n"), "{said}");
    assert!(said.contains("guard more: added\n"), "{said}");
    assert_eq!(said.lines().count(), 4, "{said}");
    for path in ["/people", "/more"] {
        assert_eq!(read(path).await.json(), json!({"data": {"name": "Ada"}}), "{path}");
    }
    // By signal, a guard goes.
    edit(&castellan, "castellan.toml", |text| {
        text.split("[[guard]]\nname = \"more\"").next().unwrap().to_owned()
    });
    hang_up(&castellan);
    until(&castellan, |ready| ready["guards"].get("more").is_none()).await;
    assert_eq!(read("/more").await.status, 404);
    assert_eq!(read("/people").await.status, 200);
}

#[tokio::test]
async fn a_configuration_that_does_not_load_leaves_the_running_one() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let castellan = Castellan::start(Plan {
        config: guard("people", &upstream.url, "public = [\"Query:*\"]"),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    let good = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    for (more, why) in [
        ("nonsense = 1\n", "nonsense"),
        ("require = [\"nobody\"]\n", "require"),
        ("[jwt]\nsecret = { file = \"gone\" }\n", "gone"),
        (
            "[[guard]]\nname = \"ours\"\npath = \"/auth/x\"\nsession = \"local\"\n",
            "which is reserved",
        ),
    ] {
        edit(&castellan, "castellan.toml", |_| good.replace("[\"Query:*\"]", "[]") + more);
        let output = castellan.cli(&["reload"]);
        assert!(!output.status.success(), "{more}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("the running configuration is unchanged") && said.contains(why),
            "{said}"
        );
        let read = castellan.graphql("/people", None, "{ name }").await;
        assert_eq!(read.json(), json!({"data": {"name": "Ada"}}), "{more}");
    }
    // As a file is for a moment that an editor writes anew.
    for empty in ["", "\n# nothing yet\n"] {
        edit(&castellan, "castellan.toml", |_| empty.to_owned());
        let said = String::from_utf8(castellan.cli(&["reload"]).stdout).unwrap();
        assert!(said.contains("the configuration file is empty"), "{said}");
        let read = castellan.graphql("/people", None, "{ name }").await;
        assert_eq!(read.json(), json!({"data": {"name": "Ada"}}));
    }
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert!(log.contains("the running configuration is unchanged"), "{log}");
}

#[tokio::test]
async fn a_reload_reads_secrets_again() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let table = "[jwt]\nsecret = { file = \"secret\" }\nissuer = \"https://ce.example\"\n\
                 [[jwt.keys]]\nid = \"admin\"\napiKey = \"k-admin\"\nscopes = [\"*\"]\n";
    let castellan = Castellan::start(Plan {
        config: guard("people", &upstream.url, "authenticate = \"jwt\"") + table,
        files: vec![("people.graphql", SDL.to_owned()), ("secret", "an-older-one\n".to_owned())],
        ..Plan::default()
    })
    .await;
    let token = crate::dialects::trompa_guard::mint("admin", &["*"]);
    let read = async || castellan.graphql("/people", Some(&token), "{ name }").await.json();
    assert_eq!(read().await["errors"][0]["extensions"]["reason"], "credential_invalid");
    std::fs::write(castellan.path("secret"), crate::dialects::trompa_guard::SECRET).unwrap();
    assert_eq!(
        castellan.said(&["reload"]),
        "reloaded\nnothing changed in the configuration; schemas and files of secrets were read \
         again\n"
    );
    assert_eq!(read().await, json!({"data": {"name": "Ada"}}));
    edit(&castellan, "castellan.toml", |text| text.replace("\"k-admin\"", "\"k-other\""));
    assert_eq!(castellan.said(&["reload"]), "reloaded\njwt: changed\n");
}

#[tokio::test]
async fn a_reload_without_a_server_says_so() {
    let castellan =
        Castellan::refused(Plan { config: "nonsense = 1\n".to_owned(), ..Plan::default() });
    let output = castellan.cli(&["reload"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("no server responds at") && said.contains("castellan.PORT.sock"),
        "{said}"
    );
}
