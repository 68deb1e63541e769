//! Rows of `docs/security-cases.md` that belong to no other file here.

use std::collections::BTreeMap;

use castellan_gate::{
    Document, GuardSchema, Introspection, Limits, Manner, Reason, Root, Rules, SchemaSettings,
    Terms,
};
use serde_json::json;

use crate::wire::{Rig, SDL, explained, known, rules};

/// Row 34: the rule of a type holds however it is reached, by every concrete type it may be.
#[tokio::test]
async fn case_34_an_interface_is_no_way_around() {
    let sdl = r"
        interface Base { open: String inner: Base }
        interface Deep implements Base { open: String inner: Base more: String }
        type Query implements Base & Deep {
          open: String inner: Base more: String leaf: Leaf either: Either
        }
        type Leaf implements Base { open: String inner: Base }
        union Either = Leaf | Query
    ";
    let allowed = ["Query:{Base,Leaf,Either}:Get"];
    for document in [
        "{ inner { open } }",
        "{ inner { ... on Deep { more } } }",
        "{ inner { inner { ...F } } } fragment F on Base { ... on Query { open } }",
        "{ either { ... on Base { open } } }",
        "{ either { ... on Query { more } } }",
        "{ leaf { inner { ... { a: open } } } }",
        "{ ... on Base { ... on Deep { more } } }",
    ] {
        let rig = Rig::new(sdl, rules(&allowed), &[]).answering(json!({"data": {}}));
        let reply = rig.ask(None, document).await;
        assert!(!reply.codes().is_empty(), "{document}: {}", reply.text);
        assert!(
            rig.sent
                .lock()
                .unwrap()
                .iter()
                .all(|sent| { !sent.query().contains("open") && !sent.query().contains("more") })
        );
    }
    let rig = Rig::new(sdl, rules(&allowed), &[]).answering(json!({"data": {"leaf": null}}));
    assert!(rig.ask(None, "{ leaf { open } }").await.codes().is_empty());
}

/// Row 35: what a directive means is what its definition says, and one that says something else is
/// no silent way to another required scope.
#[test]
fn case_35_a_directive_of_that_name_with_other_arguments_stops_the_start() {
    let build = |sdl: &str| GuardSchema::build(sdl, &SchemaSettings::default());
    let other = "directive @castellan(role: String) on FIELD_DEFINITION
        type Query { a: Int @castellan(role: \"x\") }";
    assert!(build(other).is_err());
    let twice = "directive @castellan(scope: String!) repeatable on FIELD_DEFINITION
        type Query { a: Int @castellan(scope: \"Query:A:Get\") @castellan(scope: \"Query:B:Get\") }";
    assert!(build(twice).is_err());
    let spaced = "directive   @castellan(scope: String!) on FIELD_DEFINITION
        type Query { a: Int @castellan(scope: \"Query:A:Get\") }";
    assert!(build(spaced).is_ok());
    let spoken_of =
        "# directive @castellan\ntype Query { a: Int @castellan(scope: \"Query:A:Get\") }";
    assert!(build(spoken_of).is_ok());
}

/// Row 40: one document, callers with different scopes, in either order.
#[tokio::test]
async fn case_40_a_decision_is_for_one_caller() {
    let document = "query Q($of: String) { id secret(of: $of) persons { id } }";
    let keys = [("ada", "Query:secret:Get Query:id:Get"), ("bob", "Query:id:Get Query:Person:*")];
    for order in [["ada", "bob", "ada"], ["bob", "ada", "bob"]] {
        let rig = Rig::new(SDL, rules(&[]), &keys).answering(json!({"data": {"id": "1"}}));
        for key in order {
            let reply = rig.ask_with(Some(key), document, json!({"of": "x"})).await;
            let sent = rig.only();
            assert_eq!(sent.query().contains("secret"), key == "ada");
            assert_eq!(sent.query().contains("persons"), key == "bob");
            assert_eq!(sent.body.get("variables").is_some(), key == "ada");
            assert_eq!(reply.paths(), [if key == "ada" { "persons" } else { "secret" }]);
            let nobody = rig.ask_with(None, document, json!({"of": "x"})).await;
            assert_eq!(nobody.paths(), ["id", "secret", "persons"]);
            assert!(rig.nothing_sent());
        }
    }
}

/// The variables decide what would run, and are no part of what is cached.
#[tokio::test]
async fn case_40_variables_are_looked_at_each_time() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[]).answering(json!({"data": {"id": "1"}}));
    let document = "query($with: Boolean!) { id secret @include(if: $with) }";
    for with in [true, false, true] {
        let reply = rig.ask_with(None, document, json!({"with": with})).await;
        assert_eq!(reply.codes().len(), usize::from(with));
        assert_eq!(rig.only().body.get("variables"), None);
    }
}

/// Row 43: with a closed schema a hidden field, a missing one and a question about the schema are
/// one answer (`docs/rules.md` rule 18), and nothing is sent.
#[tokio::test]
async fn case_43_hidden_and_missing_are_one_answer() {
    let rules = Rules { introspection: Introspection::Closed, ..rules(&["Query:id:Get"]) };
    let rig = Rig::new(SDL, rules, &[("ada", "*")]).answering(json!({"data": {"id": "1"}}));
    let answer = |mut reply: serde_json::Value| {
        reply["errors"][0]["extensions"]["decision"] = json!(null);
        reply
    };
    let missing = answer(rig.ask(None, "{ id nothing }").await.json());
    assert_eq!(missing["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    for document in [
        "{ id persons { id } }",
        "{ id persons { nam } }",
        "{ id persons(frst: 1) { id } }",
        "{ id persons @skip(if: true) { id } }",
        "{ id __type(name: \"Query\") { name } }",
        "{ id __schema { types { name } } }",
        "mutation { deletePerson }",
        "mutation { nothing }",
    ] {
        let reply = rig.ask(None, document).await;
        assert_eq!(
            (reply.status.as_u16(), answer(reply.json())),
            (400, missing.clone()),
            "{document}"
        );
        assert!(rig.nothing_sent());
    }
    let reply = rig.ask(Some("ada"), "{ id }").await;
    assert_eq!(reply.json(), json!({"data": {"id": "1"}}));
}

/// Row 43: a dialect whose contract tells denials apart does so, and makes no suggestions.
#[tokio::test]
async fn case_43_a_closed_schema_is_not_shown() {
    let rules = Rules {
        introspection: Introspection::Closed,
        manner: Manner { tells_denials: true, ..Manner::default() },
        ..rules(&["Query:id:Get"])
    };
    let rig = Rig::new(SDL, rules, &[("ada", "*")]).answering(json!({"data": {"id": "1"}}));
    for key in [None, Some("ada")] {
        let reply = rig.ask(key, "{ __type(name: \"Query\") { name } id }").await;
        assert_eq!(reply.json()["data"], json!({"__type": null, "id": "1"}));
        assert_eq!(reply.codes(), ["INTROSPECTION_CLOSED"]);
        assert!(!rig.only().query().contains("__"));
        let reply = rig.ask(key, "{ id __schema { types { name } } }").await;
        assert_eq!(
            (&reply.json()["data"], &*reply.codes()),
            (&json!(null), &["INTROSPECTION_CLOSED".to_owned()][..])
        );
    }
    for mistake in ["{ persns { id } }", "{ persons { nam } }", "{ persons(frst: 1) { id } }"] {
        let reply = rig.ask(None, mistake).await;
        assert!(!reply.text.contains("ean "), "no suggestions: {}", reply.text);
        assert!(!reply.text.contains("name") && !reply.text.contains("first"), "{}", reply.text);
    }
}

/// What is explained names each term that was looked at, also the one that denied.
#[test]
fn an_explanation_names_what_is_required() {
    let schema = GuardSchema::build(SDL, &SchemaSettings::default()).unwrap();
    let requires = BTreeMap::from([(Root::Query, vec!["api:read".to_owned()])]);
    let rules = Rules { requires, ..Rules::default() };
    let document =
        Document::read(&schema, "{ id }", None, &rules.limits).unwrap_or_else(|_| panic!());
    let explained = explained(&schema, &document, &known("Query:* profile"), &rules);
    let [field] = &explained.fields[..] else { panic!("{explained:?}") };
    let failing: Vec<_> = field.steps.iter().filter(|step| step.holds == Some(false)).collect();
    let [_public, step] = &failing[..] else { panic!("{failing:?}") };
    assert_eq!((step.term, &*step.detail), ("required", "the token lacks api:read"));
}

/// Rule 4 of the design: a required term without rules denies, and `explain` shows it.
#[test]
fn a_required_term_without_rules_denies() {
    let schema = GuardSchema::build(SDL, &SchemaSettings::default()).unwrap();
    let read = Document::read(
        &schema,
        "mutation { deletePerson(id: 1) { person { id } } }",
        None,
        &Limits::default(),
    );
    let document = read.unwrap_or_else(|_| panic!("it is valid"));
    let explained = |terms| {
        let rules = Rules { terms, ..rules(&[]) };
        crate::wire::explained(&schema, &document, &known("*"), &rules).fields.swap_remove(0)
    };
    assert!(explained(Terms::default()).allowed);
    let client = explained(Terms { client: true, ..Terms::default() });
    assert_eq!(client.reason, Some(Reason::ClientScope));
    let person = explained(Terms { person: true, ..Terms::default() });
    assert_eq!(person.reason, Some(Reason::PersonScope));
    let step = person.steps.iter().find(|step| step.term == "person").unwrap();
    assert_eq!(step.holds, Some(false));
}

/// `docs/security-cases.md` row 47: a directive that says who may have something is refused
/// wherever it is not enforced, with its place.
#[test]
fn case_47_directives_that_nothing_enforces_are_refused() {
    const EVERYWHERE: &str = "repeatable on SCHEMA | SCALAR | OBJECT | FIELD_DEFINITION | \
        ARGUMENT_DEFINITION | INTERFACE | UNION | ENUM | ENUM_VALUE | INPUT_OBJECT | \
        INPUT_FIELD_DEFINITION";
    let build = |sdl: &str, upstream_enforces: &[&str]| {
        let settings = SchemaSettings {
            source: "api.graphql".to_owned(),
            upstream_enforces: upstream_enforces.iter().map(|&one| one.to_owned()).collect(),
            ..SchemaSettings::default()
        };
        GuardSchema::build(sdl, &settings).err().map(|error| error.to_string())
    };
    let plain = "schema X { query: Q mutation: M }\n\
        type Q X { one(with: In X): Node two: U kind: E when: Time }\n\
        type M { doOne: Int }\n\
        interface Node X { id: ID X }\n\
        type A implements Node X { id: ID X by(at: Int X): Int }\n\
        union U X = A\n\
        enum E X { ONE X }\n\
        input In X { field: Int X }\n\
        scalar Time X\n\
        directive @other(argument: Int X) on FIELD\n";
    let places = plain.matches(" X").count();
    for (name, used) in [
        ("castellan", "@castellan(scope: \"Query:A:Get\")"),
        ("authenticated", "@authenticated"),
        ("federation__policy", "@federation__policy"),
        // Whatever its name is: there is no list of all that hold somebody off.
        ("adminOnly", "@adminOnly"),
        ("Deprecated", "@Deprecated"),
        ("acme__key", "@acme__key"),
        ("join__directive", "@join__directive"),
        ("Castellan", "@Castellan"),
        ("CASTELLAN", "@CASTELLAN"),
    ] {
        let argument = if name == "castellan" { "(scope: String!)" } else { "" };
        let definition = format!("directive @{name}{argument} {EVERYWHERE}\n");
        assert_eq!(build(&format!("{}{definition}", plain.replace(" X", "")), &[]), None);
        for place in 0..places {
            let mut parts = plain.split(" X");
            let mut sdl = parts.next().unwrap().to_owned();
            for (at, part) in parts.enumerate() {
                if at == place {
                    sdl.extend([" ", used]);
                }
                sdl.push_str(part);
            }
            let line = 1 + sdl.lines().position(|line| line.contains(used)).unwrap();
            sdl.push_str(&definition);
            let said = build(&sdl, &[]).unwrap_or_default();
            assert!(said.starts_with(&format!("api.graphql:{line}:")), "{sdl}\n{said}");
            assert!(said.contains(&format!("@{name} on ")), "{said}");
            let enforced =
                ["authenticated", "policy", "adminOnly", "Deprecated", "key", "directive"];
            let enforced = build(&sdl, &enforced);
            let is_ours = name.eq_ignore_ascii_case("castellan");
            assert_eq!(enforced.is_some(), is_ours, "{sdl}");
            assert_eq!(build(&sdl, &["*"]).is_some(), is_ours, "{sdl}");
        }
    }
}

/// `docs/security-cases.md` row 47.
#[test]
fn case_47_on_the_fields_of_root_types_our_directive_is_enforced_with_its_scope_alone() {
    let build = |sdl: &str| {
        let built = GuardSchema::build(sdl, &SchemaSettings::default());
        built.err().map(|error| error.to_string())
    };
    let own = "directive @castellan(scope: String!, roles: [String]) on FIELD_DEFINITION\n";
    let field = |text: &str| build(&format!("{own}type Query {{ a: Int {text} }}"));
    assert_eq!(field("@castellan(scope: \"Query:A:Get\")"), None);
    let said = field("@castellan(scope: \"Query:A:Get\", roles: [\"x\"])").unwrap();
    assert!(said.contains("the argument roles is not enforced"), "{said}");
}

#[test]
fn a_directive_that_holds_nobody_off_may_stand_anywhere() {
    for name in ["tag", "key", "federation__shareable", "join__field", "cacheControl", "cypher"] {
        let sdl = format!(
            "directive @{name} repeatable on OBJECT | FIELD_DEFINITION | ARGUMENT_DEFINITION\n\
             type Query @{name} {{ a(b: Int @{name}): A @{name} c: Int @deprecated }}\n\
             type A @{name} {{ id: ID @{name} }}\n\
             scalar Time @specifiedBy(url: \"https://time.example\")\n"
        );
        let built = GuardSchema::build(&sdl, &SchemaSettings::default());
        assert_eq!(built.err().map(|error| error.to_string()), None, "{name}");
    }
}

/// `docs/security-cases.md` row 35.
#[test]
fn case_47_a_neutral_name_that_another_specification_brings_along_is_refused() {
    for (import, written) in [
        ("\"@key\"", "key"),
        ("{name: \"@policy\", as: \"@tag\"}", "tag"),
        ("{name: \"@key\", as: \"@lock\"}", "lock"),
    ] {
        let sdl = format!(
            "extend schema @link(url: \"https://acme.example/auth/v1\", import: [{import}])\n\
             directive @link(url: String, import: [Import]) repeatable on SCHEMA\nscalar Import\n\
             directive @{written} on FIELD_DEFINITION\ntype Query {{ a: Int @{written} }}"
        );
        let said = GuardSchema::build(&sdl, &SchemaSettings::default()).err().unwrap().to_string();
        assert!(said.contains(&format!("@{written} on Query.a is not enforced")), "{said}");
    }
}

/// `docs/security-cases.md` row 47.
#[test]
fn case_47_a_name_that_link_gives_stands_for_what_it_brings_along() {
    let build = |sdl: &str, upstream_enforces: &[&str]| {
        let settings = SchemaSettings {
            upstream_enforces: upstream_enforces.iter().map(|&one| one.to_owned()).collect(),
            ..SchemaSettings::default()
        };
        GuardSchema::build(sdl, &settings).err().map(|error| error.to_string())
    };
    let linked = "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.5\", \
        import: [{name: \"@requiresScopes\", as: \"@needs\"}])\n\
        directive @link(url: String, import: [Import]) repeatable on SCHEMA\nscalar Import\n\
        directive @needs on FIELD_DEFINITION\ntype Query { a: Int @needs }";
    let said = build(linked, &[]).unwrap();
    assert!(said.contains("@needs on Query.a") && said.contains("[\"requiresScopes\"]"), "{said}");
    assert_eq!(build(linked, &["requiresScopes"]), None);
}
