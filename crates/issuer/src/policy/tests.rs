use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn policy(id: &str, links: &[(LinkKind, &str)], rule: Value) -> Policy {
    let document: RuleDocument = serde_json::from_value(rule).unwrap();
    let links = links.iter().map(|(kind, id)| Link { kind: *kind, id: (*id).to_owned() }).collect();
    Policy { id: id.to_owned(), links, role: None, rule: Rule::read(&document).unwrap() }
}

fn ask(policies: &[Policy], request: &Request<'_>) -> (bool, Vec<String>) {
    let said = evaluate(policies, request);
    (allows(&said), said.into_iter().map(|said| said.policy).collect())
}

#[test]
fn links_decide_who_is_asked_and_one_that_fits_is_enough() {
    let document = json!({"request-method": "get"});
    let request = Request {
        user: Some("ann"),
        client: Some("portal"),
        roles: &["editing"],
        operation: Some("Query:User:Get"),
        document: &document,
    };
    let allow = || json!({"engine": "allow"});
    let none: [Policy; 0] = [];
    assert_eq!(ask(&none, &request), (false, vec![]), "without policies nothing is allowed");
    let mine = policy("mine", &[(LinkKind::User, "ann")], allow());
    let other = policy("other", &[(LinkKind::User, "bob"), (LinkKind::Client, "spa")], allow());
    let app = policy("app", &[(LinkKind::User, "bob"), (LinkKind::Client, "portal")], allow());
    let call = policy("call", &[(LinkKind::Operation, "Query:User:Get")], allow());
    let no = policy("no", &[], json!({"engine": "matcho", "matcho": {"uri": "/x"}}));
    assert_eq!(ask(std::slice::from_ref(&other), &request), (false, vec![]));
    for (one, id) in [(mine, "mine"), (app, "app"), (call, "call")] {
        let expected = (true, vec!["no".to_owned(), id.to_owned()]);
        assert_eq!(ask(&[no.clone(), other.clone(), one, no.clone()], &request), expected);
    }
    assert_eq!(ask(&[no], &request), (false, vec!["no".to_owned()]));
    for (kind, id, is_allowed) in [
        (LinkKind::Role, "editing", true),
        (LinkKind::Role, "reading", false),
        (LinkKind::User, "editing", false),
    ] {
        assert_eq!(ask(&[policy("p", &[(kind, id)], allow())], &request).0, is_allowed, "{id}");
    }
    for (role, is_allowed) in [("editing", true), ("reading", false), ("ann", false)] {
        let named = policy("p", &[(LinkKind::User, "ann")], allow());
        let named = Policy { role: Some(role.to_owned()), ..named };
        assert_eq!(ask(&[named], &request).0, is_allowed, "{role}");
    }
}

#[test]
fn nobody_is_linked_to_a_person_who_is_not_there() {
    let document = json!({});
    let request =
        Request { user: None, client: None, roles: &[], operation: None, document: &document };
    let link = policy("a", &[(LinkKind::User, "")], json!({"engine": "allow"}));
    assert_eq!(ask(&[link], &request), (false, vec![]));
}

/// What a policy of [`policies`] says, by construction.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Saying {
    Allow,
    Nothing,
    Permit,
    Forbid,
}

/// Read once: that is what takes long.
static RULES: LazyLock<[Rule; 4]> = LazyLock::new(|| {
    let all = [Saying::Allow, Saying::Nothing, Saying::Permit, Saying::Forbid];
    all.map(|saying| {
        // Without the engine it is not asked for either.
        let document =
            if cfg!(feature = "cedar") { saying.document() } else { Saying::Allow.document() };
        policy("", &[], document).rule
    })
});

impl Saying {
    fn rule(self) -> Rule {
        RULES[self as usize].clone()
    }

    fn document(self) -> Value {
        let cedar = |effect: &str| json!({"engine": "cedar", "cedar": format!("{effect}(principal, action, resource);")});
        match self {
            Self::Allow => json!({"engine": "allow"}),
            Self::Nothing => json!({"engine": "matcho", "matcho": {"uri": "/nowhere"}}),
            Self::Permit => cedar("permit"),
            Self::Forbid => cedar("forbid"),
        }
    }
}

fn sayings() -> impl Strategy<Value = Saying> {
    let all = [Saying::Allow, Saying::Nothing, Saying::Permit, Saying::Forbid];
    let all = if cfg!(feature = "cedar") { &all[..] } else { &all[..2] };
    prop::sample::select(all.to_vec())
}

type Spec = (Saying, Vec<(LinkKind, String)>, Option<String>);

fn policies() -> impl Strategy<Value = Vec<Spec>> {
    let kinds = [
        LinkKind::User,
        LinkKind::Client,
        LinkKind::Role,
        LinkKind::Operation,
        LinkKind::Guard,
        LinkKind::Guard,
    ];
    let id = prop::sample::select(vec!["a", "b", "Q:T:A", "Q:T:B"]).prop_map(ToOwned::to_owned);
    let link = (prop::sample::select(kinds.to_vec()), id.clone());
    let links = prop::collection::vec(link, 0..3);
    prop::collection::vec((sayings(), links, prop::option::weighted(0.3, id)), 0..6)
}

/// The specification: each policy by itself, in no order, and nothing left out.
fn oracle(policies: &[Spec], request: &Request<'_>) -> bool {
    let mut is_allowed = false;
    for (saying, links, role) in policies {
        let (places, others): (Vec<_>, Vec<_>) =
            links.iter().partition(|(kind, _)| *kind == LinkKind::Guard);
        let mut is_linked = others.is_empty();
        for (kind, id) in others {
            is_linked |= match kind {
                LinkKind::Guard => unreachable!("it is a place"),
                LinkKind::User => request.user == Some(id),
                LinkKind::Client => request.client == Some(id),
                LinkKind::Operation => request.operation == Some(id),
                LinkKind::Role => request.roles.iter().any(|role| role == id),
            };
        }
        is_linked &= match request.document["guard"]["name"].as_str() {
            Some(guard) => places.iter().any(|(_, place)| place == guard),
            None => places.is_empty(),
        };
        let has_role = match role {
            None => true,
            Some(role) => request.roles.iter().any(|one| one == role),
        };
        match saying {
            Saying::Forbid if is_linked && has_role => return false,
            Saying::Allow | Saying::Permit if is_linked && has_role => is_allowed = true,
            _ => {}
        }
    }
    is_allowed
}

/// `complex` over rules that hold or do not.
fn combinations() -> impl Strategy<Value = Value> {
    let leaf = any::<bool>().prop_map(|holds| {
        if holds { Saying::Allow.document() } else { Saying::Nothing.document() }
    });
    leaf.prop_recursive(4, 24, 3, |inner| {
        (any::<bool>(), prop::collection::vec(inner, 1..4)).prop_map(|(is_and, rules)| {
            json!({"engine": "complex", (if is_and { "and" } else { "or" }): rules})
        })
    })
}

fn holds(rule: &Value) -> bool {
    match (&rule["engine"], rule.get("and"), rule.get("or")) {
        (engine, ..) if engine == "allow" => true,
        (_, Some(Value::Array(rules)), _) => rules.iter().filter(|rule| !holds(rule)).count() == 0,
        (_, _, Some(Value::Array(rules))) => rules.iter().filter(|rule| holds(rule)).count() > 0,
        _ => false,
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Schemas of few keywords.
fn schemas() -> impl Strategy<Value = Value> {
    let types = ["null", "boolean", "integer", "string", "array", "object"];
    let leaf = prop_oneof![
        prop::sample::select(types.to_vec()).prop_map(|name| json!({ "type": name })),
        (0..3_i64).prop_map(|at| json!({ "enum": [at, "a", [], null] })),
        prop::collection::btree_set("[abc]", 1..3).prop_map(|names| json!({ "required": names })),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::btree_map("[abc]", inner.clone(), 1..3)
                .prop_map(|members| json!({ "properties": members })),
            inner.clone().prop_map(|items| json!({ "items": items })),
            inner.clone().prop_map(|schema| json!({ "not": schema })),
            prop::collection::vec(inner, 1..3).prop_map(|all| json!({ "allOf": all })),
        ]
    })
}

/// What is left of a request: nothing that is empty.
fn pruned(value: &Value) -> Value {
    let is_empty = |value: &Value| {
        *value == json!(null) || *value == json!("") || *value == json!([]) || *value == json!({})
    };
    match value {
        Value::Array(items) => items.iter().map(pruned).filter(|item| !is_empty(item)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), pruned(value)));
            Value::Object(members.filter(|(_, value)| !is_empty(value)).collect())
        }
        other => other.clone(),
    }
}

/// The meaning of these keywords, from the specification of draft 7.
fn satisfies(schema: &Value, value: &Value) -> bool {
    let (keyword, of) = schema.as_object().unwrap().iter().next().unwrap();
    match &**keyword {
        "type" => match value {
            Value::Null => of == "null",
            Value::Bool(_) => of == "boolean",
            Value::Number(_) => of == "integer",
            Value::String(_) => of == "string",
            Value::Array(_) => of == "array",
            Value::Object(_) => of == "object",
        },
        "enum" => of.as_array().unwrap().contains(value),
        "required" => value.as_object().is_none_or(|members| {
            of.as_array().unwrap().iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|members| {
            let mut declared = of.as_object().unwrap().iter();
            declared.all(|(name, of)| members.get(name).is_none_or(|value| satisfies(of, value)))
        }),
        "items" => {
            value.as_array().is_none_or(|items| items.iter().all(|item| satisfies(of, item)))
        }
        "not" => !satisfies(of, value),
        "allOf" => of.as_array().unwrap().iter().all(|of| satisfies(of, value)),
        _ => unreachable!("{schema}"),
    }
}

proptest! {
    #[test]
    fn links_and_forbids_agree_with_the_oracle(
        specs in policies(),
        user in prop::option::of("[ab]"),
        client in prop::option::of("[ab]"),
        roles in prop::collection::vec("[ab]", 0..2),
        operation in prop::sample::select(vec!["Q:T:A", "Q:T:B"]),
        guard in prop::option::of("[ab]"),
    ) {
        let mut document = json!({"uri": "/", "params": {"resource/type": "User"}});
        if let Some(guard) = guard {
            document["guard"] = json!({ "name": guard });
        }
        let roles: Vec<&str> = roles.iter().map(|role| &**role).collect();
        let request = Request {
            user: user.as_deref(),
            client: client.as_deref(),
            roles: &roles,
            operation: Some(operation),
            document: &document,
        };
        let made: Vec<Policy> = specs.iter().enumerate().map(|(at, (saying, links, role))| {
            let links = links.iter();
            let links = links.map(|(kind, id)| Link { kind: *kind, id: id.clone() }).collect();
            Policy { id: at.to_string(), links, role: role.clone(), rule: saying.rule() }
        }).collect();
        prop_assert_eq!(ask(&made, &request).0, oracle(&specs, &request));
        let reversed: Vec<Policy> = made.into_iter().rev().collect();
        prop_assert_eq!(ask(&reversed, &request).0, oracle(&specs, &request));
    }

    #[test]
    fn complex_agrees_with_the_oracle(rule in combinations()) {
        let document = json!({"uri": "/"});
        let request =
            Request { user: None, client: None, roles: &[], operation: None, document: &document };
        prop_assert_eq!(ask(&[policy("p", &[], rule.clone())], &request).0, holds(&rule));
    }

    #[test]
    fn json_schema_agrees_with_the_oracle(schema in schemas(), value in json_values()) {
        let document = json!({ "a": value });
        let request =
            Request { user: None, client: None, roles: &[], operation: None, document: &document };
        let rule = json!({"engine": "json-schema", "schema": schema});
        let is_allowed = ask(&[policy("p", &[], rule)], &request).0;
        prop_assert_eq!(is_allowed, satisfies(&schema, &pruned(&document)));
    }
}

#[cfg(not(feature = "cedar"))]
#[test]
fn a_build_without_cedar_refuses_what_it_could_not_enforce() {
    let document = json!({"engine": "cedar", "cedar": "permit(principal, action, resource);"});
    let document: RuleDocument = serde_json::from_value(document).unwrap();
    let said = Rule::read(&document).err().unwrap_or_default();
    assert!(said.contains("does not have the engine cedar"), "{said}");
    assert!(said.contains("feature \"cedar\""), "{said}");
}
