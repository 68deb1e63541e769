use std::collections::BTreeSet;

use cedar_policy::{Entities, Request as Call, Schema};
use serde_json::{Value, json};

use super::{read::schema, *};

/// A permit or a forbid of everything, under `condition`.
fn every(effect: &str, condition: &str) -> String {
    format!("{effect}(principal, action, resource) when {{ {condition} }};")
}

fn read(text: &str, arguments: Option<&Value>) -> Result<Cedar, String> {
    Cedar::read(text, arguments)
}

fn request() -> Value {
    json!({
        "request-method": "post", "scheme": "https", "uri": "/graphql", "query-string": "a=1&a=2",
        "remote-addr": "203.0.113.7",
        "params": {"a": ["1", "2"], "b": "x", "resource/type": "User", "resource/id": "bob"},
        "headers": {"x-tenant": "north"},
        "user": {
            "resourceType": "User", "id": "ann", "userName": "ann@a.test",
            "emails": [{"value": "old@a.test"}, {"value": "ann@a.test", "primary": true}],
            "groups": [{"value": "editors"}, {"value": "staff"}],
        },
        "client": {"resourceType": "Client", "id": "portal", "name": "Portal", "type": "public",
                   "first_party": true},
        "session": {"id": "s", "scope": "Query:* openid"},
        "site": {"id": "main"},
    })
}

fn at_guard() -> Value {
    let mut document = request();
    document["params"] = json!({});
    document["guard"] = json!({"name": "api"});
    document["fields"] = json!(["Order.id", "User.email"]);
    document["arguments"] =
        json!({"id": "7", "input": {"owner": "ann", "count": 3}, "tags": ["a"]});
    document
}

/// What `text` says if `document` is asked about.
fn said(text: &str, arguments: Option<&Value>, document: &Value) -> Explained {
    let cedar = read(text, arguments).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    ask(&cedar, document)
}

fn ask(cedar: &Cedar, document: &Value) -> Explained {
    let id = |of: &str| document.get(of).and_then(|of| of["id"].as_str());
    let request = Request {
        user: id("user"),
        client: id("client"),
        roles: &["writer"],
        operation: Some("Mutation:Order:Update"),
        document,
    };
    cedar.evaluate(&Asked::new(&request, std::iter::once(cedar)))
}

fn is_allowed(condition: &str, document: &Value) -> bool {
    let allowed = said(&every("permit", condition), None, document).outcome == Outcome::Allowed;
    let forbidden = said(&every("forbid", condition), None, document).outcome;
    assert_eq!(allowed, matches!(forbidden, Outcome::Forbidden(_)), "{condition}");
    allowed
}

#[test]
fn a_request_is_seen_as_the_schema_says() {
    let resource = request();
    for condition in [
        r#"principal is User && principal.id == "ann""#,
        r#"principal is User && principal has user_name && principal.user_name == "ann@a.test""#,
        r#"principal is User && principal has email && principal.email == "ann@a.test""#,
        r#"principal is User && principal.active && principal.groups == ["staff", "editors"]"#,
        r#"principal in Group::"editors" && principal in Role::"writer""#,
        r#"principal in [Group::"nobody", Group::"staff"]"#,
        r#"principal is User && principal.roles.contains("writer")"#,
        r#"action == Action::"Mutation:Order:Update" && action in Action::"Mutation""#,
        r#"action in [Action::"Query", Action::"Mutation:Order"]"#,
        r#"resource is Resource && resource == Resource::"User/bob" && resource.kind == "User""#,
        r#"resource is Resource && resource has id && resource.id == "bob""#,
        r#"resource in Site::"main""#,
        r#"context has method && context.method == "post""#,
        r#"context has uri && context.uri like "/graph*""#,
        r#"context has query && context.query == "a=1&a=2""#,
        r#"context has remote_addr && context.remote_addr.isInRange(ip("203.0.113.0/24"))"#,
        r#"context.params.hasTag("a") && context.params.getTag("a") == ["2", "1"]"#,
        r#"context.params.hasTag("b") && context.params.getTag("b").contains("x")"#,
        r#"context.headers.hasTag("x-tenant") && context.headers.getTag("x-tenant") == ["north"]"#,
        r#"context has client && context.client.id == "portal" && context.client.first_party"#,
        r#"context.scopes.contains("openid")"#,
    ] {
        assert!(is_allowed(condition, &resource), "{condition}");
    }
    for condition in [
        r#"principal in Group::"nobody""#,
        r#"action in Action::"Query""#,
        r#"action == Action::"Mutation:Order:Delete""#,
        r#"resource == Resource::"User""#,
        "resource is Guard",
        r#"context.params.hasTag("resource/type")"#,
        "context has fields",
        "context has client && context.client.confidential",
    ] {
        assert!(!is_allowed(condition, &resource), "{condition}");
    }
    let guard = at_guard();
    assert!(is_allowed(r#"resource == Guard::"api" && resource in Site::"main""#, &guard));
    assert!(is_allowed(r#"context has fields && context.fields.contains("User.email")"#, &guard));
    let mut machine = request();
    machine.as_object_mut().unwrap().shift_remove("user");
    assert!(is_allowed(r#"principal == Client::"portal""#, &machine));
    machine.as_object_mut().unwrap().shift_remove("client");
    assert!(is_allowed("principal is Anonymous && !(context has client)", &machine));
    assert!(!is_allowed(r#"principal in Group::"editors""#, &machine));
}

/// What is made of requests fits the schema that policies are validated against: else a policy
/// that is valid would see what it cannot expect.
#[test]
fn facts_conform_to_the_schema() {
    let declared = json!({"id": "String", "input": {"owner": "String", "count": "Long", "no?": "Bool"},
                          "tags": ["String"]});
    let arguments = Arguments::read(Some(&declared)).unwrap();
    let actions = BTreeSet::from(["Mutation:Order:Update".to_owned()]);
    let schema: Schema = schema(&actions, &arguments).unwrap();
    let all = Reads { arguments: true, params: true, headers: true };
    for (mut document, is_guard) in [(request(), false), (at_guard(), true)] {
        document["arguments"] = at_guard()["arguments"].clone();
        for (user, client) in [(Some("ann"), Some("portal")), (None, Some("portal")), (None, None)]
        {
            let request = Request {
                user,
                client,
                roles: &["writer"],
                operation: Some("Mutation:Order:Update"),
                document: &document,
            };
            let facts = Facts::of(&request, all).unwrap();
            let call = facts.request(arguments.value(document.get("arguments"))).unwrap();
            let part = |uid: Option<&cedar_policy::EntityUid>| uid.unwrap().clone();
            let context = call.context().unwrap().clone();
            let ids = (part(call.principal()), part(call.action()), part(call.resource()));
            Call::new(ids.0, ids.1, ids.2, context, Some(&schema))
                .unwrap_or_else(|error| panic!("{is_guard}: {error}"));
            Entities::from_entities(facts.entities.iter().cloned(), Some(&schema))
                .unwrap_or_else(|error| panic!("{is_guard}: {error:?}"));
        }
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_with_its_place() {
    let permit = |condition: &str| every("permit", condition);
    for (text, problem) in [
        ("", "cedar must contain at least one policy"),
        ("// nothing", "cedar must contain at least one policy"),
        ("permit(principal, action, resource)", "cedar: line 1, column "),
        ("permit(principal,\n action, ressource);", "cedar: line 2, column 10: "),
        ("permit(principal == ?principal, action, resource);", "templates"),
        (&permit("principal.email == \"x\""), "cedar: line 1, column "),
        (&permit("context.mehtod == \"get\""), "mehtod"),
        (&permit("context.method == \"get\""), "method"),
        (&permit("context.scopes == \"x\""), "cedar: line 1, column "),
        (&permit("principal in Groop::\"x\""), "Groop"),
        (&permit("context.arguments.id == \"7\""), "arguments.id"),
        (&permit("ip(context.uri).isLoopback()"), "cedar: line 1, column "),
        (&permit("Client::\"x\".first_party"), "Client::\"x\" has no attributes"),
        (&permit("User::\"x\" in Group::\"y\""), "User::\"x\" has no attributes"),
        (
            "permit(principal, action == Action::\"read\", resource) when {action in Action::\"a b\"};",
            "\"a b\"",
        ),
        (
            "permit(principal, action in Action::\"Mutation:Order:*\", resource);",
            "Mutation:Order:*",
        ),
        (
            "@id(\"a\") permit(principal, action, resource); @id(\"a\") forbid(principal, action, \
          resource);",
            "two policies are called a",
        ),
        ("@id(\"\") permit(principal, action, resource);", "@id must be"),
        ("permit(principal, action, Resource) when {", "cedar: line 1"),
    ] {
        let said = read(text, None).err().unwrap_or_default();
        assert!(said.contains(problem), "{text}: {said:?}");
    }
    let reads = permit("context.arguments.id == \"7\"");
    for (text, declared, problem) in [
        (&reads, json!({}), "arguments must be an object that is not empty"),
        (&reads, json!("String"), "arguments must be an object"),
        (&reads, json!({"id": "ID"}), "arguments.id: must be String, Long, Bool"),
        (&reads, json!({"id": ["String", "Long"]}), "arguments.id: a list has exactly one item"),
        (&reads, json!({"a": {"b": null}, "id": "String"}), "arguments.a.b: must be"),
        (&reads, json!({"a\"}; entity X; {": "String"}), "is no name of an argument"),
        (&reads, json!({"id": "String", "id?": "String"}), "arguments.id?: is declared twice"),
        (&reads, json!({"id": "Long"}), "cedar: line 1, column"),
        (&reads, json!({"id?": "String"}), "arguments.id"),
        (&permit("true"), json!({"id": "String"}), "arguments has an effect only if"),
    ] {
        let said = read(text, Some(&declared)).err().unwrap_or_default();
        assert!(said.contains(problem), "{text} {declared}: {said:?}");
    }
    let mut deep = json!("String");
    for _ in 0..9 {
        deep = json!([deep]);
    }
    let said = read(&reads, Some(&json!({ "id": deep }))).unwrap_err();
    assert!(said.contains("nested deeper than 8 levels"), "{said}");
}

/// The deepest trees that the bounds let through are read, validated, evaluated and dropped on the
/// small stack of a test; what is deeper is refused.
#[test]
fn a_deep_text_overflows_no_stack() {
    let chain = |operator: &str, item: &str, count: usize| vec![item; count + 1].join(operator);
    let ifs = |count: usize| format!("{}true", "if true then true else ".repeat(count));
    let brackets = |count: usize| format!("{}true{}", "(".repeat(count), ")".repeat(count));
    let sets =
        format!("{}1{} == {}1{}", "[".repeat(23), "]".repeat(23), "[".repeat(23), "]".repeat(23));
    let records = format!("({}1{} has b) || true", "{a: ".repeat(20), "}".repeat(20));
    let both = format!("{} && ({})", chain(" && ", "true", 99), ifs(99));
    for condition in [
        chain(" && ", "true", 200),
        chain(" || ", "true", 200),
        format!("{} == 201", chain(" + ", "1", 200)),
        ifs(200),
        brackets(23),
        both,
        sets,
        records,
        format!("{}true", "!".repeat(4)),
    ] {
        for effect in ["permit", "forbid"] {
            let said = said(&every(effect, &condition), None, &request());
            assert_eq!(said.errors, Vec::<String>::new(), "{effect} {condition}");
            assert_eq!(said.outcome == Outcome::Allowed, effect == "permit", "{condition}");
        }
    }
    for condition in [
        chain(" && ", "true", 100_000 / 8),
        ifs(2_000),
        brackets(20_000),
        format!("{}true", "!".repeat(20_000)),
        format!("{}1{} == 1", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{}1{} has b", "{a: ".repeat(5_000), "}".repeat(5_000)),
        format!("context{}", ".a".repeat(10_000)),
        format!("context{}", "[\"a\"]".repeat(5_000)),
        format!("context has {}a", "a.".repeat(10_000)),
    ] {
        let said = read(&every("permit", &condition), None).unwrap_err();
        assert!(said.starts_with("cedar"), "{said}");
    }
}

#[test]
fn a_forbid_wins_and_what_cannot_be_evaluated_fails_closed() {
    let overflow = "9223372036854775807 + context.scopes.isEmpty()";
    assert!(read(&every("permit", overflow), None).is_err(), "strict mode knows types");
    let declared = json!({"input": {"count": "Long"}});
    let guard = at_guard();
    let with = |text: &str| said(text, Some(&declared), &guard);
    let broken = "context.arguments.input.count + 9223372036854775807 > 0";
    let permit = format!("@id(\"all\") {}", every("permit", "true"));
    assert_eq!(said(&permit, None, &guard).policies, ["all"]);

    let both = format!("{permit} @id(\"no\") {}", every("forbid", "true"));
    let explained = said(&both, None, &guard);
    assert_eq!(explained.outcome, Outcome::Forbidden("forbidden by no".to_owned()));
    assert_eq!(explained.policies, ["no"]);

    let explained = with(&every("permit", broken));
    assert!(matches!(&explained.outcome, Outcome::NotAllowed(_)), "{explained:?}");
    assert_eq!(explained.errors.len(), 1);
    let explained = with(&format!("{permit} {}", every("permit", broken)));
    assert_eq!(explained.outcome, Outcome::Allowed, "another permits it");
    let explained = with(&format!("{permit} @id(\"no\") {}", every("forbid", broken)));
    assert!(matches!(&explained.outcome, Outcome::Forbidden(_)), "{explained:?}");
    assert_eq!(explained.policies, ["no"]);
    assert!(!format!("{:?}", explained.outcome).contains("9223"), "{explained:?}");
}

#[test]
fn arguments_are_as_declared_or_permit_nothing_and_forbid_all() {
    let declared = json!({"id": "String", "input?": {"owner": "String", "note?": "String"},
                          "tags?": ["String"]});
    let owner = "context.arguments has input && context.arguments.input.owner == principal.id";
    let scope = r#"principal is User, action == Action::"Mutation:Order:Update", resource"#;
    let permit = format!("permit({scope}) when {{ {owner} }};");
    let forbid = format!("@id(\"no\") forbid({scope}) when {{ context.arguments.id == \"8\" }};");
    let elsewhere = forbid.replace("Order:Update", "Order:Delete");
    let all = every("permit", "true");
    let with = |text: &str, arguments: Value| {
        let mut document = at_guard();
        document["arguments"] = arguments;
        said(text, Some(&declared), &document)
    };
    let fine = json!({"id": "7", "input": {"owner": "ann"}});
    assert_eq!(with(&permit, fine.clone()).outcome, Outcome::Allowed);
    assert_eq!(with(&format!("{all} {forbid}"), fine).outcome, Outcome::Allowed);
    let other = with(&permit, json!({"id": "7", "input": {"owner": "bob"}}));
    assert_eq!(other.outcome, Outcome::NotAllowed("no policy permits it".to_owned()));
    let eight = with(&format!("{all} {forbid}"), json!({"id": "8"}));
    assert_eq!(eight.outcome, Outcome::Forbidden("forbidden by no".to_owned()));
    for optional in [json!({"id": "7", "input": null}), json!({"id": "7", "more": {"a": [1]}})] {
        assert_eq!(with(&format!("{all} {forbid}"), optional).outcome, Outcome::Allowed);
    }
    for bad in [
        json!({}),
        json!(null),
        json!([]),
        json!({"id": null}),
        json!({"id": 8}),
        json!({"id": ["8"]}),
        json!({"id": "7", "input": "ann"}),
        json!({"id": "7", "input": {"owner": null}}),
        json!({"id": "7", "input": {"owner": "ann", "note": 1}}),
        json!({"id": "7", "tags": "a"}),
        json!({"id": "7", "tags": ["a", 1]}),
        json!({"id": "7", "tags": ["a", null]}),
    ] {
        let said = with(&permit, bad.clone());
        let text = "no policy permits it; the arguments are not as declared".to_owned();
        assert_eq!(said.outcome, Outcome::NotAllowed(text), "{bad}");
        let said = with(&format!("{all} {forbid}"), bad.clone());
        assert_eq!(said.outcome, Outcome::Forbidden("forbidden by no".to_owned()), "{bad}");
        let said = with(&format!("{all} {elsewhere}"), bad.clone());
        assert_eq!(said.outcome, Outcome::Allowed, "the scope of the forbid does not fit: {bad}");
    }
    // Not even by asking whether it is there, or by taking all of the context.
    let without = json!({"id": 8});
    for forbid in [
        "context.arguments has input",
        "!(context.arguments has input)",
        "context has arguments",
        "(if context.scopes.isEmpty() then context else context).arguments.id == \"8\"",
        "context[\"arguments\"].id == \"8\"",
    ] {
        let text = format!("{all} {}", every("forbid", forbid));
        assert!(matches!(with(&text, without.clone()).outcome, Outcome::Forbidden(_)), "{forbid}");
    }
}

#[test]
fn a_request_that_cedar_cannot_see_is_not_allowed() {
    let permit = read(&every("permit", "true"), None).unwrap();
    let reads = every("permit", "context.params.hasTag(\"a\")");
    let reads =
        read(&format!("{reads} forbid(principal in Group::\"x\", action, resource);"), None);
    let reads = reads.unwrap();
    assert_eq!(ask(&permit, &request()).outcome, Outcome::Allowed);
    for (member, value) in [
        ("remote-addr", json!("nowhere")),
        ("remote-addr", json!(7)),
        ("fields", json!("User.email")),
        ("fields", json!([1])),
        ("uri", json!(["/"])),
    ] {
        let mut document = request();
        document[member] = value;
        assert!(matches!(ask(&permit, &document).outcome, Outcome::NotAllowed(_)), "{member}");
        assert!(matches!(ask(&reads, &document).outcome, Outcome::Forbidden(_)), "{member}");
    }
    let mut document = request();
    document["params"] = json!({"a": {"b": 1}});
    document["site"] = json!(null);
    document["guard"] = json!({"name": "api"});
    assert!(matches!(ask(&reads, &document).outcome, Outcome::Forbidden(_)));
    assert_eq!(ask(&permit, &document).outcome, Outcome::Allowed, "it does not read them");
    document.as_object_mut().unwrap().shift_remove("guard");
    assert!(matches!(ask(&permit, &document).outcome, Outcome::NotAllowed(_)), "no resource");
    for operation in [None, Some("Query:User"), Some("")] {
        let document = request();
        let request =
            Request { user: None, client: None, roles: &[], operation, document: &document };
        let said = permit.evaluate(&Asked::new(&request, std::iter::once(&permit)));
        assert!(matches!(said.outcome, Outcome::NotAllowed(_)), "{operation:?}");
    }
}

#[test]
fn what_can_never_hold_is_warned_of() {
    let text = "permit(principal == User::\"ann\", action, resource) when { principal is Client };";
    let warnings = read(text, None).unwrap().warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(read(&every("permit", "principal is Client"), None).unwrap().warnings().is_empty());
}
