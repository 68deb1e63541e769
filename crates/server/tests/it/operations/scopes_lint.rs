//! `castellan scopes list|lint` as CI runs it: a schema from a file or a URL, grants from the data
//! source, findings in three formats, and how it ends.

use std::{collections::BTreeSet, process::Output};

use apollo_compiler::{
    ExecutableDocument, Schema, introspection, request::coerce_variable_values, response::JsonMap,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    operations::commands::run_in,
    support::{castellan::free_port, upstream::Recorder},
};

const WELL: i32 = 0;
const FOUND: i32 = 1;
const COULD_NOT: i32 = 2;

/// Nothing is odd about it if somebody may create and delete people.
const CLEAN: &str = "type Query {
  person(id: ID): Person
  people: [Person]
}
type Person { id: ID name: String }
type Mutation {
  createPerson: Person
  deletePerson: ID
}
";

/// One of everything that is odd.
const ODD: &str = "type Query {
  things: [Thing]
  people: PersonConnection
  tick: Int
  tock: Int @castellan(scope: \"Query:tick:Get\")
}
interface Thing { id: ID }
type Person implements Thing { id: ID }
type PersonConnection { nodes: [Person] }
type Mutation {
  createPerson: Person
  deletePerson: ID
  personCreate: Person
  vote: ID
}
";

/// A folder with a configuration, records and schemas; nothing is served.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// With grants: each a kind, an id and its scopes.
    fn new(config: &str, grants: &[(&str, &str, &[&str])]) -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        fixture.write("castellan.toml", &format!("[security]\ninsecure = true\n{config}"));
        let document = |(kind, id, scopes): &(&str, &str, &[&str])| {
            let more = match *kind {
                "Client" => "secret: s3cr3t-of-app\ngrant_types: [client_credentials]\nscope",
                "AuthKey" => "apiKey: s3cr3t-of-key\nscopes",
                _ => "name: A machine\nsecret: s3cr3t-of-machine\nscope",
            };
            format!("resourceType: {kind}\nid: {id}\n{more}: {scopes:?}\n")
        };
        let documents: Vec<String> = grants.iter().map(document).collect();
        if !documents.is_empty() {
            fixture.write("grants.yaml", &documents.join("---\n"));
            let applied = fixture.run(&["apply", "-f", "grants.yaml"]);
            assert!(applied.status.success(), "{}", err(&applied));
        }
        fixture
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let config = ["--config", "castellan.toml"];
        run_in(self.folder.path(), &[&config[..], arguments].concat())
    }

    /// Runs `scopes VERB --schema SCHEMA MORE…`, which must end with `code`.
    fn scopes(&self, code: i32, verb: &str, schema: &str, more: &[&str]) -> Output {
        let output = self.run(&[&["scopes", verb, "--schema", schema][..], more].concat());
        assert_eq!(output.status.code(), Some(code), "{}{}", out(&output), err(&output));
        output
    }

    fn lint(&self, code: i32, schema: &str, more: &[&str]) -> String {
        out(&self.scopes(code, "lint", schema, more))
    }

    fn lint_json(&self, code: i32, schema: &str, more: &[&str]) -> Value {
        let said = self.lint(code, schema, &[more, &["--format", "json"]].concat());
        serde_json::from_str(&said).unwrap()
    }

    /// What it cannot do: it says why, and prints nothing.
    fn cannot(&self, verb: &str, schema: &str, more: &[&str], said: &[&str]) {
        let output = self.scopes(COULD_NOT, verb, schema, more);
        assert_eq!(out(&output), "");
        for text in said {
            assert!(err(&output).contains(text), "no {text:?} in {}", err(&output));
        }
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// `rule subject` of each finding.
fn named(findings: &Value) -> Vec<String> {
    let one = |one: &Value| ["rule", "subject"].map(|name| one[name].as_str().unwrap()).join(" ");
    findings.as_array().unwrap().iter().map(one).collect()
}

/// The same as the lines of the text.
fn in_words(findings: &Value) -> String {
    let one = |one: &Value| {
        let [level, rule, subject, text] =
            ["level", "rule", "subject", "text"].map(|name| one[name].as_str().unwrap());
        format!("{level}: {rule}: {subject} {text}\n")
    };
    findings.as_array().unwrap().iter().map(one).collect()
}

/// A guard that requires three scopes together for a mutation, and some grants that fall short.
fn odd_house() -> Fixture {
    let config = "[[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\n\
                  upstream = \"http://127.0.0.1:9/\"\n\
                  public = [\"Query:tick:Get\", \"Mutation:vote:Call\", \"Query:Gone:*\"]\n";
    let fixture = Fixture::new(
        config,
        &[
            ("Client", "narrow", &["Query:Thing:List", "Mutation:Pesron:Create", "api:write"]),
            ("Client", "wide", &["*"]),
        ],
    );
    fixture.write("odd.graphql", ODD);
    fixture
}

const ODDITIES: &str = "\
warning: dead-scope: Client/narrow Mutation:Pesron:Create matches no field of the schema
warning: opens-everything: Client/wide * opens everything
warning: unreachable-mutation: Mutation.createPerson no client or key may have Mutation:Person:Create together with user, api:read, api:write
warning: unreachable-mutation: Mutation.deletePerson no client or key may have Mutation:Person:Delete together with user, api:read, api:write
warning: unreachable-mutation: Mutation.personCreate no client or key may have Mutation:Person:Create together with user, api:read, api:write
warning: public-mutation: Mutation.vote Mutation:vote:Call is public: anyone may write
warning: shared-scope: Mutation:Person:Create opens Mutation.createPerson, Mutation.personCreate together
warning: shared-scope: Query:tick:Get opens Query.tick, Query.tock together
warning: weaker-interface: Query.things returns Thing, and thereby Person to Client/narrow, without a scope for that type
note: public-fields: Query:tick:Get makes 2 fields public: Query.tick Query.tock
warning: dead-scope: public Query:Gone:* matches no field of the schema
10 warnings, 1 note
";

#[test]
fn every_kind_of_finding_is_told_in_text_and_json() {
    let fixture = odd_house();
    let text = fixture.lint(FOUND, "odd.graphql", &[]);
    assert_eq!(text, ODDITIES);
    let findings = fixture.lint_json(FOUND, "odd.graphql", &[]);
    assert_eq!(in_words(&findings) + "10 warnings, 1 note\n", text);
    // The help names each code.
    let help = out(&fixture.run(&["scopes", "lint", "--help"]));
    let codes: BTreeSet<String> =
        findings.as_array().unwrap().iter().map(|one| one["rule"].to_string()).collect();
    for code in codes.iter().map(|code| code.trim_matches('"')) {
        assert!(help.contains(&format!("  {code} ")), "no {code} in {help}");
    }
    assert!(help.contains("with 1 if there are"), "{help}");
}

#[test]
fn sarif_has_its_rules_and_a_place_for_every_result() {
    let fixture = odd_house();
    std::fs::create_dir(fixture.folder.path().join("my schemas")).unwrap();
    fixture.write("my schemas/odd.graphql", ODD);
    let said = fixture.lint(FOUND, "my schemas/odd.graphql", &["--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["$schema"], "https://json.schemastore.org/sarif-2.1.0.json");
    let run = &sarif["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "castellan scopes lint");
    let rules = driver["rules"].as_array().unwrap();
    let ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each once: {ids:?}");
    assert!(rules.iter().all(|rule| rule["shortDescription"]["text"].is_string()), "{rules:?}");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 11);
    let used: BTreeSet<_> = results.iter().map(|one| one["ruleId"].as_str().unwrap()).collect();
    assert_eq!(used, ids.into_iter().collect());
    for result in results {
        assert!(["warning", "note"].contains(&result["level"].as_str().unwrap()), "{result}");
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        let place = &result["locations"][0];
        let physical = &place["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "my%20schemas/odd.graphql", "{result}");
        assert!(physical["region"]["startLine"].as_u64().unwrap() > 0, "{result}");
        assert!(place["logicalLocations"][0]["fullyQualifiedName"].is_string(), "{result}");
    }
    let line = |rule: &str| {
        let result = results.iter().find(|one| one["ruleId"] == rule).unwrap();
        result["locations"][0]["physicalLocation"]["region"]["startLine"].clone()
    };
    assert_eq!(line("weaker-interface"), 2);
    assert_eq!(line("public-mutation"), 14);
    // What is in order is a run without results.
    let fixture = Fixture::new("", &[("AuthKey", "k", &["Mutation:Person:*"])]);
    fixture.write("s.graphql", CLEAN);
    let said = fixture.lint(WELL, "s.graphql", &["--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(sarif["runs"][0]["results"], json!([]));
}

#[test]
fn a_clean_schema_with_grants_that_match_ends_well() {
    let fixture = Fixture::new(
        "",
        &[
            ("AuthKey", "k", &["Mutation:Person:*"]),
            ("Client", "c", &["openid", "Query:Person:*", "api:read", "Castellan:*"]),
        ],
    );
    fixture.write("s.graphql", CLEAN);
    assert_eq!(fixture.lint(WELL, "s.graphql", &[]), "0 warnings, 0 notes\n");
    assert_eq!(fixture.lint(WELL, "s.graphql", &["--format", "json"]), "[]\n");
    // A note alone is no reason to stop.
    let noted = fixture.lint(WELL, "s.graphql", &["--public", "Query:*"]);
    assert!(noted.starts_with("note: public-fields: Query:* makes 2 fields public"), "{noted}");
    // Nor is an older schema that is the same.
    assert_eq!(
        fixture.lint(WELL, "s.graphql", &["--against", "s.graphql"]),
        "0 warnings, 0 notes\n"
    );
    let list = out(&fixture.scopes(WELL, "list", "s.graphql", &[]));
    let lines: Vec<Vec<&str>> =
        list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [
            ["Mutation:Person:Create", "Mutation.createPerson"],
            ["Mutation:Person:Delete", "Mutation.deletePerson"],
            ["Query:Person:Get", "Query.person"],
            ["Query:Person:List", "Query.people"],
        ]
    );
}

#[test]
fn a_list_is_no_sarif_and_says_so() {
    let fixture = Fixture::new("", &[]);
    fixture.write("s.graphql", CLEAN);
    let json = out(&fixture.scopes(WELL, "list", "s.graphql", &["--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["Query:Person:List"], json!(["Query.people"]));
    fixture.cannot("list", "s.graphql", &["--format", "sarif"], &["sarif", "table, json, yaml"]);
    let help = out(&fixture.run(&["scopes", "list", "--help"]));
    assert!(help.contains("SARIF is for `lint` only"), "{help}");
}

/// What an API with the schema `sdl` answers to `query`.
fn shown(sdl: &str, query: &str) -> String {
    let schema = Schema::parse_and_validate(sdl, "schema").unwrap();
    let document = ExecutableDocument::parse_and_validate(&schema, query, "query").unwrap();
    let operation = document.operations.get(None).unwrap();
    let variables = coerce_variable_values(&schema, operation, &JsonMap::default()).unwrap();
    let implementers = schema.implementers_map();
    let answer =
        introspection::partial_execute(&schema, &implementers, &document, operation, &variables);
    serde_json::to_string(&answer.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_a_url_is_the_same_as_that_of_a_file() {
    let fixture =
        Fixture::new("", &[("AuthKey", "k", &["Mutation:Person:Create", "Query:Gone:*"])]);
    fixture.write("s.graphql", CLEAN);
    let api = Recorder::start().await;
    // It does not allow introspection yet.
    fixture.cannot("lint", &api.url, &[], &[&api.url, "does not allow introspection"]);
    let asked = api.seen().pop().unwrap();
    assert_eq!(asked.method, http::Method::POST);
    let asked: Value = serde_json::from_str(&asked.body).unwrap();
    api.answer(&shown(CLEAN, asked["query"].as_str().unwrap()));

    for format in ["text", "json"] {
        let by = |place: &str, verb: &str, code: i32| {
            out(&fixture.scopes(code, verb, place, &["--format", format]))
        };
        assert_eq!(by(&api.url, "list", WELL), by("s.graphql", "list", WELL));
        assert_eq!(by(&api.url, "lint", FOUND), by("s.graphql", "lint", FOUND));
    }
    assert_eq!(
        named(&fixture.lint_json(FOUND, &api.url, &[])),
        ["dead-scope AuthKey/k Query:Gone:*", "unreachable-mutation Mutation.deletePerson"]
    );
    let sarif = fixture.lint(FOUND, &api.url, &["--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(*place, json!({"artifactLocation": {"uri": api.url}}), "it has no lines");

    // Against what an API shows now.
    fixture.write("new.graphql", &CLEAN.replace("deletePerson", "mergePerson"));
    let drift = fixture.lint(FOUND, "new.graphql", &["--against", &api.url]);
    assert!(drift.contains("field-removed: Mutation.deletePerson"), "{drift}");
}

#[test]
fn drift_between_two_versions_is_told() {
    let fixture = Fixture::new(
        "",
        &[("AuthKey", "k", &["Mutation:Person:*"]), ("Client", "c", &["api:write"])],
    );
    fixture.write("new.graphql", CLEAN);
    let older = CLEAN
        .replace("createPerson: Person", "personCreate: Person mergePerson: ID")
        .replace("  deletePerson: ID\n", "")
        .replace("people: [Person]", "people: Person");
    fixture.write("old.graphql", &older);
    let by_both = "which Client/c, AuthKey/k may";
    let drift = [
        "warning: demand-changed: Query.people requires Query:Person:List instead of \
         Query:Person:Get"
            .to_owned(),
        format!(
            "warning: field-removed: Mutation.mergePerson was removed; it required \
             Mutation:Person:Merge, {by_both} still have"
        ),
        format!(
            "warning: field-removed: Mutation.personCreate was removed; it required \
             Mutation:Person:Create, {by_both} still have"
        ),
        format!(
            "warning: field-added: Mutation.createPerson is new and requires \
             Mutation:Person:Create, {by_both} already have"
        ),
        format!(
            "warning: field-added: Mutation.deletePerson is new and requires \
             Mutation:Person:Delete, {by_both} already have"
        ),
        "warning: scope-moved: Mutation:Person:Create opens Mutation.createPerson instead of \
         Mutation.personCreate"
            .to_owned(),
        "6 warnings, 0 notes\n".to_owned(),
    ];
    let said = fixture.lint(FOUND, "new.graphql", &["--against", "old.graphql"]);
    assert_eq!(said, drift.join("\n"));
    let found = fixture.lint_json(FOUND, "new.graphql", &["--against", "old.graphql"]);
    assert_eq!(in_words(&found) + "6 warnings, 0 notes\n", said);
}

#[test]
fn what_cannot_be_looked_at_ends_otherwise_than_what_is_found() {
    let fixture = Fixture::new("", &[]);
    fixture.write("s.graphql", CLEAN);
    fixture.write("none.graphql", "Dear reader, this is a letter.");
    fixture.write("half.graphql", "type Query { person: Person }");
    let away = format!("http://127.0.0.1:{}/graphql", free_port());
    for verb in ["list", "lint"] {
        fixture.cannot(verb, "missing.graphql", &[], &["missing.graphql"]);
        fixture.cannot(verb, "none.graphql", &[], &["none.graphql", "not valid"]);
        fixture.cannot(verb, "half.graphql", &[], &["half.graphql", "Person"]);
        fixture.cannot(verb, &away, &[], &[&away, "no response"]);
        fixture.cannot(verb, "s.graphql", &["--naming", "trompa"], &["createPerson"]);
        let said = ["\"gone\"", "configured guards: api"];
        fixture.cannot(verb, "s.graphql", &["--guard", "gone"], &said);
        let both = ["--guard", "api", "--naming", "verbs"];
        fixture.cannot(verb, "s.graphql", &both, &["--naming", "--guard"]);
    }
    fixture.cannot("lint", "s.graphql", &["--against", "none.graphql"], &["none.graphql"]);
    fixture.cannot("lint", "s.graphql", &["--against", &away], &[&away]);
    fixture.cannot("lint", "s.graphql", &["--public", "Query:("], &["Query:("]);
}

/// One guard with words of its own for scopes, and one with none.
const TWO_GUARDS: &str = "[[guard]]\nname = \"archive\"\npath = \"/graphql\"\ndialect = \"trompa\"\n\
                  upstream = \"http://127.0.0.1:9/\"\n\
                  scopes = { ballots = [\"Mutation:Ballot:*\"] }\n\
                  overrides = { \"Mutation.vote\" = \"Mutation:Ballot:Cast\" }\n\
                  [[guard]]\nname = \"plain\"\npath = \"/plain\"\n\
                  upstream = \"http://127.0.0.1:9/\"\npublic = [\"Query:me:Get\"]\n";

#[test]
fn a_schema_is_read_and_judged_as_a_guard_does() {
    let fixture = Fixture::new(
        TWO_GUARDS,
        &[
            ("AuthKey", "k", &["Mutation:Person:*"]),
            ("ApiCredential", "m", &["api:read", "api:write"]),
            ("Client", "c", &["Mutation:Gone:*", "ballots"]),
        ],
    );
    let sdl = "type Query { me: ID } type Mutation { CreatePerson: ID vote: ID }";
    fixture.write("s.graphql", sdl);
    let required = |more: &[&str]| {
        let list =
            fixture.scopes(WELL, "list", "s.graphql", &[more, &["--format", "json"]].concat());
        let list: Value = serde_json::from_str(&out(&list)).unwrap();
        let found =
            list.as_object().unwrap().iter().find(|(_, of)| **of == json!(["Mutation.vote"]));
        found.unwrap().0.clone()
    };
    assert_eq!(required(&["--guard", "archive"]), "Mutation:Ballot:Cast");
    assert_eq!(required(&["--guard", "plain"]), "Mutation:vote:Call");
    assert_eq!(required(&[]), "Mutation:vote:Call");

    // Keys come to the archive, and its words for scopes count. Of its defaults none is dead.
    assert_eq!(
        fixture.lint(FOUND, "s.graphql", &["--guard", "archive"]),
        "warning: dead-scope: Client/c Mutation:Gone:* matches no field of the schema\n\
         note: public-fields: Query:* makes 1 fields public: Query.me\n\
         note: public-fields: Subscription:* makes 0 fields public\n1 warning, 2 notes\n"
    );
    // No key comes to the other one, and no machine user.
    let unreachable = |field: &str| format!("unreachable-mutation Mutation.{field}");
    assert_eq!(
        named(&fixture.lint_json(FOUND, "s.graphql", &["--guard", "plain"])),
        [
            "dead-scope Client/c Mutation:Gone:*",
            &unreachable("CreatePerson"),
            &unreachable("vote"),
            "public-fields Query:me:Get",
        ]
    );
    // Without a name both are asked, by the required scopes of the plain rule.
    assert_eq!(
        named(&fixture.lint_json(FOUND, "s.graphql", &[])),
        [
            "dead-scope Client/c Mutation:Gone:*",
            &unreachable("vote"),
            "public-fields Query:*",
            "public-fields Subscription:*",
            "public-fields Query:me:Get",
        ]
    );
    // A field that the guard has words for may be new.
    fixture.write("old.graphql", &sdl.replace(" vote: ID", ""));
    let more = ["--guard", "archive", "--against", "old.graphql"];
    let drift = fixture.lint(FOUND, "s.graphql", &more);
    let added = "field-added: Mutation.vote is new and requires Mutation:Ballot:Cast, which \
                 Client/c may already have\n";
    assert!(drift.contains(added), "{drift}");
    let gone = fixture.scopes(COULD_NOT, "lint", "old.graphql", &["--guard", "archive"]);
    assert!(err(&gone).contains("\"Mutation.vote\" matches no field"), "{}", err(&gone));
    // The session field is the guard's own.
    let list = out(&fixture.scopes(WELL, "list", "s.graphql", &["--guard", "api"]));
    assert!(list.contains("Query.session"), "{list}");
}
