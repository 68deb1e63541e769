//! What reaches the service behind, byte for byte (`docs/rules.md` rules 10 to 15).

use castellan_gate::{OnDeny, Rules};
use serde_json::json;

use crate::wire::{Rig, SDL, rules};

const NULLING: OnDeny = OnDeny::Null;

fn nulling(public: &[&str]) -> Rules {
    Rules { on_deny: NULLING, ..rules(public) }
}

/// Blanks each `«…»` of `marked` and takes the marks out; the document is the text without marks.
fn marked(marked: &str) -> (String, String) {
    let document = marked.replace(['«', '»'], "");
    let mut gone = false;
    let mut blanked = String::new();
    for c in marked.chars() {
        match c {
            '«' => gone = true,
            '»' => gone = false,
            c if gone && c != '\n' && c != '\r' => blanked.push(' '),
            c => blanked.push(c),
        }
    }
    (document, blanked)
}

async fn reaches(rig: &Rig, key: Option<&str>, text: &str) {
    let (document, blanked) = marked(text);
    let reply = rig.ask(key, &document).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let sent = rig.only();
    assert_eq!(sent.query(), blanked, "{}", reply.text);
    assert_eq!(sent.query().chars().count(), document.chars().count());
}

const SAMPLE: &str = r#"# a comment with ( and «»{
mutation Sample($name: String = "(", «$gone: ID! = "é)"», $tags: [String], $with: Boolean!, «$skip: Boolean!») {
  made: createPerson(name: $name, tags: $tags) @include(if: $with) {
    person { ...P }
    query { id «secret(of: """ block ) } "quoted"
       é 𝄞 """)» kept: persons(first: 1) { ...P } «...Hidden @skip(if: $skip)» }
  }
  «lost: deletePerson(id: $gone) { person { ...Q } }»
  ...More
}
fragment P on Person { name }
«fragment Q on Person { id }»
«fragment Hidden on Query { s2: secret s3: secret }»
fragment More on Mutation { «deletePerson(id: "x") { person { id } }» again: createPerson { person { id } } }
"#;

#[tokio::test]
async fn the_sample_goes_over_blanked_where_denied() {
    let scopes = "Mutation:Person:Create Query:Person:* Query:id:Get Query:Query:Get";
    let rig = Rig::new(SDL, nulling(&[]), &[("ada", scopes)]).answering(json!({"data": {
        "made": {"person": {"name": "A"}, "query": {"id": "q", "kept": []}},
        "again": {"person": {"id": "2"}},
    }}));
    let (document, blanked) = marked(SAMPLE);
    let variables = json!({
        "name": "n", "gone": "g", "tags": ["t"], "with": true, "skip": false, "undeclared": 1,
    });
    let reply = rig.ask_with(Some("ada"), &document, variables.clone()).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let sent = rig.only();
    assert_eq!(sent.query(), blanked);
    assert_eq!(sent.body["variables"], json!({"name": "n", "tags": ["t"], "with": true}));
    assert_eq!(
        reply.json()["data"],
        json!({
            "made": {"person": {"name": "A"},
                     "query": {"id": "q", "kept": [], "secret": null, "s2": null, "s3": null}},
            "lost": null, "deletePerson": null, "again": {"person": {"id": "2"}},
        })
    );
    assert_eq!(
        reply.paths(),
        ["made.query.secret", "made.query.s2", "made.query.s3", "lost", "deletePerson"],
        "{}",
        reply.text
    );
    let data = reply.json()["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(data, ["made", "lost", "deletePerson", "again"]);

    // All or nothing: the same document does not run at all.
    let strict = Rig::new(SDL, rules(&[]), &[("ada", scopes)]).answering(json!({"data": {}}));
    let reply = strict.ask_with(Some("ada"), &document, variables).await;
    assert_eq!(reply.status, 200);
    assert!(strict.nothing_sent());
    assert_eq!(reply.json()["data"], json!(null));
    assert_eq!(
        reply.paths(),
        ["made.query.secret", "made.query.s2", "made.query.s3", "lost", "deletePerson"]
    );
}

#[tokio::test]
async fn a_denied_field_that_would_not_run_goes_without_a_word() {
    let text = "mutation($no: Boolean!) { createPerson { query { id «secret @include(if: $no)» } } «deletePerson(id: 1) @skip(if: true) { person { id } }» }"
        .replace("($no: Boolean!)", "«($no: Boolean!)»");
    let (document, blanked) = marked(&text);
    let data = json!({"data": {"createPerson": {"query": {"id": "1"}}}});
    for on_deny in [OnDeny::Reject, OnDeny::Null] {
        let rules = Rules { on_deny, ..rules(&[]) };
        let rig = Rig::new(SDL, rules, &[("ada", "Mutation:Person:Create Query:id:Get")])
            .answering(data.clone());
        let reply = rig.ask_with(Some("ada"), &document, json!({"no": false})).await;
        assert_eq!(reply.json(), data, "{}", reply.text);
        assert_eq!(rig.only().query(), blanked);
    }
}

#[tokio::test]
async fn other_operations_are_blanked() {
    let rig = Rig::new(SDL, rules(&["Query:*"]), &[]).answering(json!({"data": {"id": "1"}}));
    let (document, blanked) = marked(
        "«mutation A($x: ID!) { deletePerson(id: $x) { person { ...F } } }»\nquery B { id }\n«query C { persons { ...F } }»\n«fragment F on Person { id }»",
    );
    let body = json!({"query": document, "operationName": "B", "variables": {"x": "1"}});
    let reply = rig.send(crate::wire::post(None, &body.to_string())).await;
    assert_eq!(reply.json(), json!({"data": {"id": "1"}}));
    let sent = rig.only();
    assert_eq!(sent.body, json!({"query": blanked, "operationName": "B"}));
}

#[tokio::test]
async fn brackets_go_with_the_last_variable() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[]).answering(json!({"data": {"id": null}}));
    for text in [
        "query Q «($a: String = \")\" @x)» { id «secret(of: $a)» }",
        "query # (\n«(# )\n$a: String = \"\"\"(\"\"\" # )\n , # é)\n)» { id «secret(of: $a)» }",
        "query«($a:String)»{id «secret(of:$a)»}",
    ] {
        let text = text.replace(" @x", "");
        let (document, _) = marked(&text);
        let reply = rig.ask(None, &document).await;
        assert_eq!(reply.status, 200, "{document}: {}", reply.text);
        let sent = rig.only();
        assert!(!sent.query().contains("$a"), "{}", sent.query());
        assert!(!sent.query().contains("secret"), "{}", sent.query());
        assert_eq!(sent.query().chars().count(), document.chars().count());
        for (ours, theirs) in document.chars().zip(sent.query().chars()) {
            assert!(ours == theirs || theirs == ' ' && ours != '\n', "{}", sent.query());
        }
    }
    reaches(&rig, None, "query«(»«$a: String»«)» { id «secret(of: $a)» }").await;
}

#[tokio::test]
async fn every_kind_of_character_keeps_its_place() {
    let rig = Rig::new(SDL, rules(&["Query:{Person,id}:*"]), &[]).answering(json!({"data": {}}));
    for text in [
        "{ id «secret(of: \"é𝄞\")» a: persons(name: \"𝄞 }\") { name } }",
        "\u{feff}{ id,,, «secret», # é ) } «\n persons { id } }",
        "{ id «secret(of: \"\"\"\n  } \\\"\"\" ) \r\n é\"\"\")» persons(name: \"\"\"\r\n a\"\"\") { id } }",
        "{\tid\r\n«s1:secret»\r«s2 : secret ( of : \"\\u00e9\" )»\n}",
        "{ ...{ id } «... @include(if: true) { secret }» «... on Query { secret ...{ secret } }» }",
        "query { id @include(if: true) «secret @skip(if: false)» }",
    ] {
        let text = text.replace("} «\n", "}\n");
        reaches(&rig, None, &text).await;
    }
}

#[tokio::test]
async fn a_lone_carriage_return_ends_a_comment() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[]).answering(json!({"data": {"id": "1"}}));
    let reply = rig.ask(None, "{ id # comment\r secret }").await;
    assert_eq!(reply.paths(), ["secret"]);
    assert_eq!(rig.only().query(), "{ id # comment\r        }");
}

#[tokio::test]
async fn a_denied_field_in_a_list_is_null_in_each_object() {
    let rig = Rig::new(SDL, nulling(&[]), &[("ada", "Mutation:*  Query:id:Get")]).answering(
        json!({"data": {"createOrders": [
            {"query": {"id": "1"}}, null, {"query": null}, {"query": {"id": "2"}},
        ]}}),
    );
    let reply = rig.ask(Some("ada"), "mutation { createOrders { query { id secret } } }").await;
    assert_eq!(
        reply.json()["data"],
        json!({"createOrders": [
            {"query": {"id": "1", "secret": null}}, null, {"query": null},
            {"query": {"id": "2", "secret": null}},
        ]})
    );
    assert_eq!(reply.paths(), ["createOrders.query.secret"]);
}

#[tokio::test]
async fn a_denied_non_null_field_stops_everything() {
    for (on_deny, document) in [
        (OnDeny::Null, "mutation { createPerson { person { id } } orderStrictly }"),
        (OnDeny::Reject, "mutation { createPerson { person { id } } orderStrictly }"),
        (OnDeny::Null, "{ id count }"),
        (OnDeny::Null, "{ id query { secret } }"),
    ] {
        let rules = Rules { on_deny, ..rules(&["Query:id:Get", "Query:Query:Get"]) };
        let rig = Rig::new(SDL, rules, &[("ada", "Mutation:Person:Create Query:id:Get")])
            .answering(json!({"data": {}}));
        let reply = rig.ask(Some("ada"), document).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["data"]), (200, &json!(null)));
        assert_eq!(reply.codes().first().unwrap(), "FORBIDDEN", "{}", reply.text);
        assert!(rig.nothing_sent(), "{document}");
    }
}

/// GraphQL specification §6.4.4: the null goes up to the nearest field that may be null.
#[tokio::test]
async fn the_null_of_a_non_null_field_stops_where_it_may() {
    let public = rules(&["Query:id:Get", "Query:Query:Get"]);
    let rig =
        Rig::new(SDL, public, &[]).answering(json!({"data": {"id": "1", "self": {"id": "1"}}}));
    let reply = rig.ask(None, "{ id self { id count } }").await;
    assert_eq!(reply.json()["data"], json!({"id": "1", "self": null}));
    assert_eq!(reply.paths(), ["self.count"]);
    let rules = Rules { on_deny: OnDeny::Null, ..rules(&[]) };
    let rig =
        Rig::new(SDL, rules, &[("ada", "Mutation:Person:Create")]).answering(json!({"data": {}}));
    let reply = rig.ask(Some("ada"), "mutation { createPerson { query { count } } }").await;
    assert_eq!(reply.json()["data"], json!({"createPerson": null}));
    assert!(rig.nothing_sent());
}

/// What one selection of a response key has lost, another may still have.
#[tokio::test]
async fn a_key_that_is_emptied_once_and_selected_twice_lives() {
    let rules = Rules { on_deny: OnDeny::Null, ..rules(&["Query:id:Get"]) };
    let created = json!({"data": {"createPerson": {"person": {"id": "1"}, "query": {"id": "1"}}}});
    let rig =
        Rig::new(SDL, rules, &[("ada", "Mutation:Person:Create Query:id:Get")]).answering(created);
    let text = "mutation { createPerson { person { id } query { id } } createPerson { query { secret } } }";
    let reply = rig.ask(Some("ada"), text).await;
    assert_eq!(
        reply.json()["data"],
        json!({"createPerson": {"person": {"id": "1"}, "query": {"id": "1", "secret": null}}})
    );
    assert_eq!(reply.paths(), ["createPerson.query.secret"]);
    rig.only();
}

/// A denial speaks for all that lies below it.
#[tokio::test]
async fn what_lies_below_a_denied_field_is_not_listed() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[]).answering(json!({"data": {"id": "1"}}));
    let reply = rig.ask(None, "{ id self { secret count } }").await;
    assert_eq!(reply.json()["data"], json!({"id": "1", "self": null}));
    assert_eq!(reply.paths(), ["self"]);
}

#[tokio::test]
async fn one_response_key_is_one_error() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[]).answering(json!({"data": {"id": "1"}}));
    let text = "{ «secret» id «... on Query { secret }» «...F» id }
        «fragment F on Query { secret @include(if: true) }»";
    let (document, blanked) = marked(text);
    let reply = rig.ask(None, &document).await;
    assert_eq!(reply.text.matches("\"path\"").count(), 1, "{}", reply.text);
    assert_eq!(reply.json()["data"].to_string(), r#"{"secret":null,"id":"1"}"#);
    assert_eq!(rig.only().query(), blanked);
}

#[tokio::test]
async fn an_interface_that_a_root_implements_hides_nothing() {
    let rig = Rig::new(SDL, rules(&["Query:{Person,Query}:*"]), &[]).answering(json!({"data": {}}));
    for document in [
        "{ self { ... on Node { id } } }",
        "{ ... on Node { id } }",
        "{ ...F } fragment F on Node { id }",
        "{ self { ...F } } fragment F on Node { ... on Query { secret } }",
    ] {
        let reply = rig.ask(None, document).await;
        assert_eq!(
            reply.codes().first().map(String::as_str),
            Some("UNAUTHENTICATED"),
            "{document}"
        );
        assert!(rig.nothing_sent(), "{document}");
    }
    // A type that no root can be is not the gate's business below its own root field.
    reaches(&rig, None, "{ persons { ... on Node { id } } «... on Node { id }» }").await;
}

#[tokio::test]
async fn a_fragment_that_is_allowed_in_one_place_only_runs_in_none() {
    let rules = nulling(&["Query:Person:*", "Query:Query:*"]);
    let rig = Rig::new(SDL, rules, &[]).answering(json!({"data": {}}));
    for document in [
        "{ ...F persons { ...F name } } fragment F on Node { id }",
        "{ ...F persons { ...F } persons { id } } fragment F on Node { id id }",
        "{ self { ...F } persons { friends { ...G } } } fragment F on Node { id }
         fragment G on Node { ...F }",
    ] {
        let reply = rig.ask(None, document).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.json()["data"].is_null(), "{}", reply.text);
        assert_eq!(reply.codes().last().map(String::as_str), Some("SHARED_FRAGMENT"));
        assert!(reply.text.contains("The fragment F selects"), "{}", reply.text);
        assert!(rig.nothing_sent(), "{document}");
    }
    let rig = Rig::new(SDL, nulling(&["Query:Person:*", "Query:Query:*"]), &[])
        .answering(json!({"data": {}}));
    let apart =
        "{ «...F» persons { ...G name } } «fragment F on Node { id }» fragment G on Node { id }";
    reaches(&rig, None, apart).await;
    // Nor is a use that goes with a denied field.
    let rig = Rig::new(SDL, nulling(&["Query:Query:*"]), &[]).answering(json!({"data": {}}));
    let gone = "{ self { query { __typename } } «...F» «persons { ...F }» } \
                «fragment F on Node { id }»";
    let reply = rig.ask(None, &marked(gone).0).await;
    assert!(!reply.text.contains("SHARED_FRAGMENT"), "{}", reply.text);
    let rig = Rig::new(SDL, nulling(&["Query:Person:*", "Query:Query:*"]), &[])
        .answering(json!({"data": {}}));
    // What only looks as if it were in effect below is no obstacle.
    let never = "{ «...F» persons { name ...F } } fragment F on Node { ... on Query { id } }";
    let reply = rig.ask(None, &marked(never).0).await;
    assert!(!reply.text.contains("SHARED_FRAGMENT"), "{}", reply.text);
}

#[tokio::test]
async fn an_emptied_field_goes_with_what_emptied_it() {
    let rig = Rig::new(SDL, nulling(&[]), &[("ada", "Mutation:Person:Create")])
        .answering(json!({"data": {"kept": {"person": null}}}));
    let text = "mutation { «a: createPerson { query { secret ...F } }» kept: createPerson { person { id } «query { secret }» } }
        «fragment F on Query { self { secret } }»";
    let (document, blanked) = marked(text);
    let reply = rig.ask(Some("ada"), &document).await;
    assert_eq!(rig.only().query(), blanked);
    assert_eq!(
        reply.json()["data"].to_string(),
        r#"{"a":null,"kept":{"person":null,"query":null}}"#
    );
    let paths = reply.paths();
    assert!(paths.contains(&"a".to_owned()) && paths.contains(&"kept.query".to_owned()));
    assert!(!paths.contains(&"a.query".to_owned()), "one null, one error: {paths:?}");

    // All or nothing counts that as a denial, even if what is denied would not have run.
    let strict = Rig::new(SDL, rules(&[]), &[("ada", "Mutation:Person:Create")]);
    let document =
        "mutation { createPerson { query @include(if: true) { secret @skip(if: true) } } }";
    let reply = strict.ask(Some("ada"), document).await;
    assert_eq!(reply.json()["data"], json!(null));
    assert!(strict.nothing_sent());
}

#[tokio::test]
async fn names_of_root_types_are_answered_here() {
    let rig = Rig::new(SDL, rules(&["Query:id:Get"]), &[("ada", "Mutation:Person:Create")]);
    let reply = rig.ask(None, "{ __typename t: __typename }").await;
    assert_eq!(reply.text, r#"{"data":{"__typename":"Query","t":"Query"}}"#);
    let reply = rig.ask(None, "mutation { __typename }").await;
    assert_eq!(reply.text, r#"{"data":{"__typename":"Mutation"}}"#);
    let reply = rig.ask(None, "{ ...F } fragment F on Query { __typename }").await;
    assert_eq!(reply.text, r#"{"data":{"__typename":"Query"}}"#);
    let reply = rig.ask(None, "{ ...F secret } fragment F on Query { __typename }").await;
    assert_eq!(reply.json()["data"].to_string(), r#"{"__typename":"Query","secret":null}"#);
    assert!(rig.nothing_sent());

    let rig = rig.answering(json!({"data": {"id": "1"}}));
    reaches(&rig, None, "{ «__typename» id }").await;
}

/// A fragment may be spread at the root, where its `__typename` is ours, and below, where it is not.
#[tokio::test]
async fn a_shared_fragment_keeps_the_name_that_only_the_upstream_can_tell() {
    let rig = Rig::new(SDL, rules(&["Query:{id,Query}:*"]), &[]).answering(json!({"data": {
        "__typename": "Query", "id": "1", "self": {"__typename": "Query", "id": "1"},
    }}));
    let text = "{ ...F self { ...F } «secret» } fragment F on Query { __typename id }";
    let (document, blanked) = marked(text);
    let reply = rig.ask(None, &document).await;
    assert_eq!(rig.only().query(), blanked);
    assert_eq!(reply.json()["data"]["self"], json!({"__typename": "Query", "id": "1"}));
}

#[tokio::test]
async fn introspection_never_reaches_the_upstream() {
    let rig =
        Rig::new(SDL, rules(&["Query:{id,Query}:*"]), &[]).answering(json!({"data": {"id": "1"}}));
    let reply = rig.ask(None, "{ __schema { queryType { name } } }").await;
    assert_eq!(reply.text, r#"{"data":{"__schema":{"queryType":{"name":"Query"}}}}"#);
    assert!(rig.nothing_sent());
    let reply = rig.ask(None, "{ t: __type(name: \"Order\") { name } id }").await;
    assert_eq!(reply.text, r#"{"data":{"t":{"name":"Order"},"id":"1"}}"#);
    assert!(!rig.only().query().contains("__type"));
    for nested in [
        "{ self { __schema { queryType { name } } } }",
        "{ id self { __type(name: \"Query\") { name } } }",
    ] {
        let reply = rig.ask(None, nested).await;
        assert_eq!(reply.codes().first().unwrap(), "INTROSPECTION_CLOSED", "{}", reply.text);
        assert!(rig.sent.lock().unwrap().iter().all(|sent| !sent.query().contains("__")));
        rig.sent.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn the_ways_around_the_types_are_open_by_name_only() {
    let document =
        "{ _service _entities node(id: 1) { __typename } nodes(ids: []) { __typename } }";
    let rig = Rig::new(
        SDL,
        rules(&["*"]),
        &[("ada", "Query:Node:Get Query:Node:List Query:_service:Get Query:_entities:List")],
    )
    .answering(json!({"data": {"_service": "", "_entities": [], "node": null, "nodes": []}}));
    let reply = rig.ask(None, document).await;
    assert_eq!(reply.paths(), ["_service", "_entities", "node", "nodes"]);
    assert!(rig.nothing_sent());
    let reply = rig.ask(Some("ada"), document).await;
    assert_eq!(reply.paths(), [""; 0], "{}", reply.text);
    assert_eq!(rig.only().query(), document);
}

#[tokio::test]
async fn what_is_allowed_whole_goes_over_as_it_came() {
    let rig = Rig::new(SDL, rules(&["Query:*"]), &[]).answering(json!({"data": {"persons": []}}));
    let document = "query Q($first: Int, $w: Where)\r\n{ persons(first: $first, where: $w) { ...F } } # end é\nfragment F on Person { id __typename }";
    let variables = json!({"first": 1, "w": {"name": "n", "ages": [1, 2]}});
    let reply = rig.ask_with(None, document, variables.clone()).await;
    assert_eq!(reply.text, r#"{"data":{"persons":[]}}"#);
    assert_eq!(rig.only().body, json!({"query": document, "variables": variables}));
}

#[tokio::test]
async fn what_asks_for_nothing_is_answered_without_the_upstream() {
    let rig = Rig::new(SDL, rules(&[]), &[("ada", "*")]);
    // `Query` is a `Node`, and never a `Person`.
    let reply = rig.ask(Some("ada"), "{ ... on Node { ... on Person { id } } }").await;
    assert_eq!((reply.status.as_u16(), &*reply.text), (200, r#"{"data":{}}"#));
    assert!(rig.sent.lock().unwrap().is_empty());
}
