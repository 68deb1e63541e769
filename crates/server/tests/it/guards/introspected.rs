//! Guards whose schema is what their API shows of itself (GraphQL specification §4).

use apollo_compiler::{
    ExecutableDocument, Schema, introspection, request::coerce_variable_values, response::JsonMap,
};
use http::Response;
use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::{Recorder, Seen, json_answer},
    wire::Ask,
};

const SDL: &str = r#"
"Says more than once." directive @tag(name: String!) repeatable on FIELD
scalar Odd @specifiedBy(url: "https://odd.test/")
input By { name: String, old: String @deprecated(reason: "use \"name\"") }
type Query { find(by: By, was: Odd @deprecated): [String] }
"#;

/// What an API with [`SDL`] answers.
fn answer(query: &str) -> Value {
    let schema = Schema::parse_and_validate(SDL, "schema").unwrap();
    let document = match ExecutableDocument::parse_and_validate(&schema, query, "query") {
        Ok(document) => document,
        Err(failed) => {
            return json!({"errors": [{"message": failed.errors.to_string()}]});
        }
    };
    let operation = document.operations.get(None).unwrap();
    if operation.root_fields(&document).any(|field| field.name == "find") {
        return json!({"data": {"find": ["found"]}});
    }
    let variables = coerce_variable_values(&schema, operation, &JsonMap::default()).unwrap();
    let implementers = schema.implementers_map();
    let shown =
        introspection::partial_execute(&schema, &implementers, &document, operation, &variables);
    serde_json::to_value(shown.unwrap()).unwrap()
}

fn query_of(seen: &Seen) -> String {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    body["query"].as_str().unwrap().to_owned()
}

fn guard(url: &str) -> Plan {
    Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/graphql\"\nupstream = \"{url}\"\n\
             public = [\"Query:*\"]\n"
        ),
        ..Plan::default()
    }
}

#[tokio::test]
async fn what_the_api_allows_the_guard_allows() {
    let api = Recorder::start().await;
    api.answer_by(|seen| json_answer(&answer(&query_of(seen)).to_string()));
    let castellan = Castellan::start(guard(&api.url)).await;
    for request in [
        json!({"query": "{ find(was: 1) }"}),
        json!({"query": "{ find(by: {old: \"x\"}) @tag(name: \"a\") @tag(name: \"b\") }"}),
        json!({"query": "query($b: By) { find(by: $b) }", "variables": {"b": {"old": "x"}}}),
    ] {
        let answer = Ask::post(&castellan.at("/graphql")).json(&request).send().await;
        assert_eq!(answer.json(), json!({"data": {"find": ["found"]}}), "{request}");
    }
    // And whoever asks the guard is told of all of it.
    let shown = castellan
        .graphql(
            "/graphql",
            None,
            "{
              scalar: __type(name: \"Odd\") { specifiedByURL }
              input: __type(name: \"By\") {
                inputFields(includeDeprecated: true) { name deprecationReason }
              }
              query: __type(name: \"Query\") {
                fields { args(includeDeprecated: true) { name isDeprecated } }
              }
              __schema { directives { name description isRepeatable } }
            }",
        )
        .await
        .json();
    let data = &shown["data"];
    assert_eq!(data["scalar"]["specifiedByURL"], "https://odd.test/");
    assert_eq!(data["input"]["inputFields"][1]["deprecationReason"], "use \"name\"");
    assert_eq!(data["query"]["fields"][0]["args"][1], json!({"name": "was", "isDeprecated": true}));
    let tag = json!({"name": "tag", "description": "Says more than once.", "isRepeatable": true});
    assert!(data["__schema"]["directives"].as_array().unwrap().contains(&tag), "{shown}");
}

/// An API of the specification of June 2018 knows none of what came later, and refuses a document that
/// asks for it.
#[tokio::test]
async fn an_api_that_knows_less_is_asked_for_less() {
    let api = Recorder::start().await;
    api.answer_by(|seen| {
        let query = query_of(seen);
        let later = ["specifiedBy", "isOneOf", "isRepeatable", "args(", "inputFields("];
        if let Some(unknown) = later.iter().find(|name| query.contains(**name)) {
            let message = format!("Cannot query field {unknown}");
            return json_answer(&json!({"errors": [{"message": message}]}).to_string());
        }
        let mut answer = answer(&query);
        let types = answer.pointer_mut("/data/__schema/types").and_then(Value::as_array_mut);
        for ty in types.into_iter().flatten() {
            let is_of_introspection = ty["name"].as_str().unwrap().starts_with("__");
            let fields = ty["fields"].as_array_mut().filter(|_| is_of_introspection);
            for field in fields.into_iter().flatten() {
                let name = field["name"].as_str().unwrap();
                if ["description", "isDeprecated", "specifiedByURL", "isRepeatable"].contains(&name)
                    || ["inputFields", "args"].contains(&name)
                {
                    *field = json!({"name": "other", "args": []});
                }
            }
        }
        json_answer(&answer.to_string())
    });
    let castellan = Castellan::start(guard(&api.url)).await;
    let answer = castellan.graphql("/graphql", None, "{ find(by: {name: \"x\"}) }").await;
    assert_eq!(answer.json(), json!({"data": {"find": ["found"]}}));
}

/// How often `query` selects `name`.
fn selections(query: &str, name: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    query.split(|c| !is_part(c)).filter(|word| *word == name).count()
}

/// The default of graphql-java: what is selected more than once is refused as bad faith.
#[tokio::test]
async fn an_api_that_shows_each_thing_once_is_asked_for_each_once() {
    let api = Recorder::start().await;
    api.answer_by(|seen| {
        let query = query_of(seen);
        let once = ["__schema", "__type", "fields", "inputFields", "interfaces", "possibleTypes"];
        if let Some(name) = once.into_iter().find(|name| selections(&query, name) > 1) {
            let message = format!("This request is not asking for introspection in good faith - {name} is present too often!");
            return json_answer(&json!({"errors": [{"message": message}]}).to_string());
        }
        json_answer(&answer(&query).to_string())
    });
    let castellan = Castellan::start(guard(&api.url)).await;
    for document in
        ["{ find(was: 1) }", "{ find(by: {old: \"x\"}) @tag(name: \"a\") @tag(name: \"b\") }"]
    {
        let answer = castellan.graphql("/graphql", None, document).await;
        assert_eq!(answer.json(), json!({"data": {"find": ["found"]}}), "{document}");
    }
    let ready = castellan.readiness().await.json();
    assert_eq!(ready["guard_problems"]["api"], Value::Null, "{ready}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_schema_may_lack_is_told() {
    let api = Recorder::start().await;
    api.answer_by(|seen| {
        let query = query_of(seen);
        if query.contains("__schema") && !query.contains("queryType") {
            let refusal = json!({"errors": [{"message": "not in good\u{1b}[31m faith"}]});
            return json_answer(&refusal.to_string());
        }
        json_answer(&answer(&query).to_string())
    });
    let castellan = Castellan::start(guard(&api.url)).await;
    let answer = castellan.graphql("/graphql", None, "{ find(by: {name: \"x\"}) }").await;
    assert_eq!(answer.json(), json!({"data": {"find": ["found"]}}));
    let ready = castellan.readiness().await.json();
    assert_eq!(ready["guards"]["api"], true, "{ready}");
    assert_eq!(ready["guard_problems"]["api"], "schema_incomplete", "{ready}");
    let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert!(log.contains("does not tell which introspection fields it has"), "{log}");
    for (command, passes) in [(&["doctor"][..], false), (&["config", "check"], true)] {
        let output = castellan.cli(command);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.success(), passes, "{command:?}: {said}");
        assert!(said.contains(r#"it has: "not in good [31m faith". Its schema"#), "{said}");
        assert!(said.contains("@oneOf and @specifiedBy"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_told_in_the_apis_own_words() {
    let api = Recorder::start().await;
    let told = "introspection is\u{1b}[31m off\u{202e}, ask \"ops\" ";
    let refusal = json!({"errors": [{"message": format!("{told}{}", "x".repeat(5_000))}]});
    let shown = format!(
        "refuses introspection: {:?}",
        format!("introspection is [31m off , ask \"ops\" {}…", "x".repeat(300 - 38))
    );
    for status in [200, 400, 403] {
        let refusal = refusal.to_string();
        api.answer_by(move |_| {
            Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(refusal.clone())
                .unwrap()
        });
        let castellan = Castellan::start_unready(guard(&api.url)).await;
        let ready = castellan.readiness().await.json();
        assert_eq!(ready["guards"]["api"], false, "{ready}");
        assert_eq!(ready["guard_problems"]["api"], "schema_unavailable", "{ready}");
        let log = std::fs::read_to_string(castellan.path("stderr")).unwrap();
        assert!(!log.contains("\u{1b}[31m off") && log.contains("introspection is"), "{log}");
        assert!(log.len() < 4_096, "{}", log.len());
        for command in [&["doctor"][..], &["config", "check"]] {
            let output = castellan.cli(command);
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.contains(&shown), "{command:?}: {said}");
            assert!(said.contains("set `schema` to an SDL file"), "{said}");
        }
        let closed = castellan.graphql("/graphql", None, "{ find }").await;
        assert_eq!(closed.status, 503);
        assert!(!closed.body.contains("introspection is"), "strangers are not told: {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_is_asked_for_without_a_content_coding() {
    let api = Recorder::start().await;
    api.answer_by(|_| {
        let answer = Response::builder().header("content-encoding", "gzip");
        answer.body("\u{1f}".to_owned()).unwrap()
    });
    let castellan = Castellan::start_unready(guard(&api.url)).await;
    assert!(api.seen().iter().all(|seen| seen.headers["accept-encoding"] == "identity"));
    let said = String::from_utf8(castellan.cli(&["doctor"]).stdout).unwrap();
    assert!(said.contains("the response has the content coding \"gzip\""), "{said}");
}
