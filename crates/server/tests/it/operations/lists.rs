//! Lists as tables, as YAML and as JSON; kinds in the plural; what people and apps are changed by on
//! the command line.

use std::process::Output;

use serde_json::{Value, json};

use crate::{
    operations::commands::run_in,
    support::castellan::{Archive, Castellan, Plan, command},
};

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn lists_are_tables_unless_another_form_is_asked_for() {
    let castellan = Castellan::with_ann().await;
    for arguments in [&["get", "User"][..], &["get", "users"], &["user", "list"]] {
        let said = castellan.said(arguments);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(words(lines[0]), ["ID", "USER", "NAME", "NAME", "EMAILS", "GROUPS", "INACTIVE"]);
        assert!(
            lines.len() > 1 && lines[1..].iter().any(|line| line.starts_with("ann ")),
            "{said}"
        );
        let json = castellan.said(&[arguments, &["-o", "json"]].concat());
        let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(
            (json.lines().count(), &first["resourceType"]),
            (lines.len() - 1, &json!("User"))
        );
        for form in [["-o", "yaml"], ["--output", "yaml"], ["--format", "yaml"]] {
            let yaml = castellan.said(&[arguments, &form].concat());
            assert!(yaml.contains("resourceType: User\nid: ann\n"), "{yaml}");
            assert!(castellan.cli_with(&["apply", "-f", "-"], &yaml).status.success(), "{yaml}");
        }
    }
    // One resource is shown whole.
    assert!(castellan.said(&["get", "User", "ann"]).starts_with("resourceType: User\n"));
    assert!(castellan.said(&["get", "User", "ann", "-o", "table"]).starts_with("ID "));
    for (arguments, heading) in [
        (&["client", "list"][..], "ID "),
        (&["get", "AccessPolicies"], ""),
        (&["key", "list"], "kid "),
    ] {
        assert!(castellan.said(arguments).starts_with(heading), "{arguments:?}");
        castellan.said(&[arguments, &["-o", "yaml"]].concat());
        for line in castellan.said(&[arguments, &["-o", "json"]].concat()).lines() {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object(), "{line}");
        }
    }
    let none = castellan.cli(&["auth-key", "list"]);
    assert!(none.status.success() && none.stdout.is_empty(), "{none:?}");
    assert!(err(&none).contains("no AuthKey found"), "{none:?}");
    let unknown = castellan.cli(&["get", "pizzas"]);
    assert!(
        !unknown.status.success() && err(&unknown).contains("known kinds: User"),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn people_change_groups_and_come_back_by_a_command() {
    let castellan = Castellan::with_ann().await;
    let groups = |more: &[&str]| castellan.cli(&[&["user", "groups", "ann"], more].concat());
    let named = |output: Output| {
        assert!(output.status.success(), "{}", err(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let before = named(groups(&[]));
    let after = named(groups(&["--add", "night", "--add", "day"]));
    assert_eq!(after, format!("{before}night\nday\n"));
    assert_eq!(named(groups(&["--add", "night"])), after, "once is enough");
    assert_eq!(named(groups(&["--remove", "day"])), format!("{before}night\n"));
    assert_eq!(named(groups(&[])), format!("{before}night\n"));
    for (more, said) in [
        (&["--remove", "day"][..], "is not in the group \"day\""),
        (&["--add", "a", "--remove", "a"], "both to be added and to be removed"),
    ] {
        let refused = groups(more);
        assert!(!refused.status.success() && err(&refused).contains(said), "{refused:?}");
    }
    let shown = |member: &str| {
        let shown = castellan.said(&["get", "User", "ann", "-o", "json"]);
        serde_json::from_str::<Value>(&shown).unwrap()[member].clone()
    };
    castellan.said(&["user", "deactivate", "ann"]);
    assert_eq!(shown("inactive"), json!(true));
    assert_eq!(castellan.said(&["user", "activate", "ann"]), "activated User/ann\n");
    assert_eq!(shown("inactive"), json!(null));
    assert!(castellan.said(&["user", "activate", "ann"]).contains("nothing changed"));
    for verb in ["activate", "groups"] {
        let unknown = castellan.cli(&["user", verb, "nobody"]);
        assert!(err(&unknown).contains("User \"nobody\" does not exist"), "{unknown:?}");
    }
}

#[tokio::test]
async fn an_app_is_deleted_by_its_own_command() {
    let castellan = Castellan::with_ann().await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 200);
    assert_eq!(castellan.said(&["client", "delete", "svc"]), "deleted Client/svc\n");
    let again = castellan.cli(&["client", "delete", "svc"]);
    assert!(!again.status.success() && err(&again).contains("does not exist"), "{again:?}");
    let mut status = castellan.token(&pairs).await.status;
    for _ in 0..50 {
        // Until the server has heard of it.
        if status == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        status = castellan.token(&pairs).await.status;
    }
    assert_eq!(status, 401);
}

/// `docs/configuration.md`, "Environment variables".
#[test]
fn a_list_in_a_variable_is_written_with_commas() {
    let check = |name: &str, value: &str| {
        let folder = tempfile::tempdir().unwrap();
        let environment = [(name.to_owned(), value.to_owned())];
        let output =
            command(&environment).args(["config", "check"]).current_dir(&folder).output().unwrap();
        (output.status.success(), err(&output))
    };
    let proxies = "CASTELLAN__SERVER__TRUSTED_PROXIES";
    for value in ["10.0.0.0/8", "10.0.0.0/8,192.0.2.1", "10.0.0.0/8, 192.0.2.1", "[\"10.0.0.0/8\"]"]
    {
        let (good, said) = check(proxies, value);
        assert!(good, "{value}: {said}");
    }
    for value in ["10.0.0.0/8,hush-hush", "10.0.0.0/8,,192.0.2.1"] {
        let (good, said) = check(proxies, value);
        assert!(!good && said.contains(proxies) && !said.contains("hush"), "{value}: {said}");
    }
}

#[tokio::test]
async fn what_the_demo_saves_makes_nothing_public() {
    let archive = Archive::start().await;
    let folder = tempfile::tempdir().unwrap();
    let save = ["demo", "--upstream", &archive.url, "--save", "castellan.toml"];
    let saved = run_in(folder.path(), &save);
    let said = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert!(saved.status.success() && said.contains("Nothing is public"), "{saved:?}");
    let path = folder.path().join("castellan.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\n# public = [\"Query:*\"] "), "{text}");
    let check = || {
        let checked = run_in(folder.path(), &["--config", "castellan.toml", "config", "check"]);
        assert!(checked.status.success(), "{checked:?}");
        String::from_utf8(checked.stdout).unwrap()
    };
    assert!(check().contains("public: nothing"));
    std::fs::write(&path, text.replace("# public", "public")).unwrap();
    assert!(!check().contains("public: nothing"), "the line is right as it stands");
}

/// Two guards, each with a schema of its own.
const TWO: &str = "[[guard]]\nname = \"shop\"\npath = \"/shop\"\nupstream = \"http://127.0.0.1:9/\"\n\
                   schema = \"shop.graphql\"\n[[guard]]\nname = \"orders\"\npath = \"/orders\"\n\
                   protocol = \"http\"\nupstream = \"http://127.0.0.1:9/\"\nopenapi = \"orders.yaml\"\n";

#[tokio::test]
async fn scopes_are_those_of_the_guards_unless_a_schema_is_named() {
    let client = |id: &str, scope: &str| {
        format!(
            "resourceType: Client\nid: {id}\nsecret: a-long-enough-secret\n\
             grant_types: [client_credentials]\nscope: [{scope}]\n---\n"
        )
    };
    let documents = [
        client("of-shop", "\"Mutation:Person:Create\""),
        client("of-orders", "\"Query:Order:*\", \"Mutation:Order:*\""),
        client("of-none", "\"Mutation:Gone:*\""),
    ];
    let files = vec![
        (
            "shop.graphql",
            "type Query { person: Person } type Person { id: ID } type Mutation { createPerson: Person }"
                .to_owned(),
        ),
        ("orders.yaml", "openapi: 3.1.0\npaths:\n  /orders: {get: {}, post: {}}\n".to_owned()),
    ];
    let castellan = Castellan::start_unready(Plan {
        config: TWO.to_owned(),
        documents: documents.concat(),
        files,
        ..Plan::default()
    })
    .await;
    let list = castellan.said(&["scopes", "list"]);
    assert!(list.starts_with("guard "), "{list}");
    for text in ["guard shop\n", "guard orders\n", "Mutation.createPerson", "POST /orders"] {
        assert!(list.contains(text), "{text}: {list}");
    }
    let json: Value =
        serde_json::from_str(&castellan.said(&["scopes", "list", "-o", "json"])).unwrap();
    assert_eq!(json["shop"]["Mutation:Person:Create"], json!(["Mutation.createPerson"]), "{json}");
    assert!(json["orders"].is_object(), "{json}");
    assert!(castellan.said(&["scopes", "list", "-o", "yaml"]).contains("Mutation:Person:Create"));
    let one = castellan.said(&["scopes", "list", "--guard", "shop", "--format", "json"]);
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one, json["shop"], "a guard that is named has its scopes at the top");

    let checked = castellan.cli(&["scopes", "lint"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    let dead: Vec<_> = said.lines().filter(|line| line.contains("dead-scope")).collect();
    let expected = "warning: dead-scope: Client/of-none Mutation:Gone:* matches no field of any guard's \
                    schema";
    assert_eq!(dead, [expected], "what one guard has is not dead for another: {said}");
    assert!(said.contains("guard shop\n") && said.contains("guard orders\n"), "{said}");
    for format in ["json", "sarif"] {
        let checked = castellan.cli(&["scopes", "lint", "--format", format]);
        serde_json::from_slice::<Value>(&checked.stdout).unwrap();
    }
}

#[tokio::test]
async fn case_48_of_the_address_of_a_schema_no_secret_is_shown() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(Plan {
        documents: "{resourceType: AuthKey, id: k, apiKey: a-long-key, scopes: [\"Query:None:*\"]}"
            .to_owned(),
        ..Plan::default()
    })
    .await;
    let url = archive.url.replace("://", "://reader:hunter2@");
    let schema = format!("{url}?key=hunter2");
    for verb in ["list", "lint"] {
        for format in ["json", "sarif", "text"] {
            let arguments = ["scopes", verb, "--schema", &schema, "--format", format];
            let output = castellan.cli(&arguments);
            let said = format!("{output:?}");
            assert!(!said.contains("hunter2"), "{said}");
            if (verb, format) == ("lint", "sarif") {
                assert!(said.contains(&archive.url), "{said}");
            }
        }
    }
}

#[tokio::test]
async fn scopes_of_no_guard_or_of_too_many_are_not_guessed() {
    let castellan = Castellan::start_unready(Plan {
        config: TWO.to_owned(),
        files: vec![
            ("shop.graphql", "type Query { me: ID }".to_owned()),
            ("orders.yaml", "openapi: 3.1.0\npaths:\n  /orders: {get: {}}\n".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let drift = castellan.cli(&["scopes", "lint", "--against", "old.graphql"]);
    assert_eq!(drift.status.code(), Some(2), "{drift:?}");
    assert!(err(&drift).contains("--against needs --guard"), "{drift:?}");
    let bare = tempfile::tempdir().unwrap();
    let none = run_in(bare.path(), &["scopes", "list"]);
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    assert!(
        err(&none).contains("no guard with an upstream is configured; give --schema"),
        "{none:?}"
    );
}
