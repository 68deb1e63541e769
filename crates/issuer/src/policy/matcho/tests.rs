use proptest::prelude::*;
use serde_json::json;

use super::*;

fn matches(pattern: &Value, request: &Value) -> bool {
    Pattern::read(pattern).unwrap().mismatch(request).is_none()
}

#[test]
fn a_pattern_is_a_subset_of_what_it_matches() {
    let request = json!({
        "request-method": "get", "uri": "/Note/7", "count": 1, "tags": ["a", "b", "c"],
        "user": {"id": "ann", "roles": [{"name": "editor"}, {"name": "author"}], "none": null},
        "params": {"owner": "ann"}, "author": {"reference": "User/ann"},
        "native": {"resourceType": "User", "id": "ann"}, "blank": "  ", "empty": [],
    });
    for (pattern, expected) in [
        (json!({"request-method": "get"}), true),
        (json!({"request-method": "GET"}), false),
        (json!({"count": 1.0}), true),
        (json!({"count": "1"}), false),
        (json!({"user": {"id": "ann"}}), true),
        (json!({"user": {}}), true),
        (json!({"uri": {}}), false),
        (json!({"tags": ["a"]}), true),
        (json!({"tags": ["b"]}), false),
        (json!({"tags": ["a", "b", "c", "d"]}), false),
        (json!({"uri": "#Note"}), true),
        (json!({"uri": "#^/Note/[0-9]+$"}), true),
        (json!({"uri": "#^Note"}), false),
        (json!({"count": "#1"}), false),
        (json!({"params": {"owner": ".user.id"}}), true),
        (json!({"params": {"owner": ".tags.0"}}), false),
        (json!({"user": {"id": "present?"}}), true),
        (json!({"user": {"none": "present?"}}), false),
        (json!({"user": {"none": "nil?"}}), true),
        (json!({"user": {"none": null}}), true),
        (json!({"user": {"missing": null}}), false),
        (json!({"user": {"missing": "nil?"}}), true),
        (json!({"user": {"id": "nil?"}}), false),
        (json!({"blank": "not-blank?"}), false),
        (json!({"uri": "not-blank?"}), true),
        (json!({"request-method": {"$enum": ["get", "head"]}}), true),
        (json!({"request-method": {"$enum": ["put", ".uri"]}}), false),
        (json!({"uri": {"$one-of": ["/x", "#^/Note/"]}}), true),
        (json!({"uri": {"$one-of": ["/x", "/y"]}}), false),
        (json!({"uri": {"$not": "/x"}}), true),
        (json!({"uri": {"$not": "#^/Note/"}}), false),
        (json!({"user": {"roles": {"$contains": {"name": "author"}}}}), true),
        (json!({"user": {"roles": {"$contains": {"name": "reader"}}}}), false),
        (json!({"tags": {"$every": "#^[abc]$"}}), true),
        (json!({"tags": {"$every": "#^[ab]$"}}), false),
        (json!({"empty": {"$every": "#^[ab]$"}}), false),
        (json!({"tags": {"$present-all": ["c", "a"]}}), true),
        (json!({"tags": {"$present-all": ["c", "x"]}}), false),
        (json!({"tags": {"$length": 3}}), true),
        (json!({"tags": {"$length": 3, "$contains": "x"}}), false),
        (json!({"empty": {"$length": 0}}), true),
        (json!({"author": {"$reference": {"resourceType": "User", "id": ".user.id"}}}), true),
        (json!({"native": {"$reference": {"id": ".user.id"}}}), true),
        (json!({"author": {"$reference": {"id": ".params.none"}}}), false),
        (json!({"uri": {"$reference": {"id": "7"}}}), false),
    ] {
        assert_eq!(matches(&pattern, &request), expected, "{pattern}");
    }
}

#[test]
fn what_is_missing_never_matches_and_makes_no_opposite_hold() {
    let anonymous = json!({"request-method": "get", "params": {}});
    for pattern in [
        json!({"params": {"owner": ".user.id"}}),
        json!({"params": {"owner": ".params.other"}}),
        json!({"user": {"$not": {"id": "admin"}}}),
        json!({"user": {"id": {"$not": "admin"}}}),
        json!({"$not": {"user": {"id": "admin"}}}),
        json!({"$not": {"user": "present?"}}),
        json!({"$not": {"request-method": "put", "user": {"id": "admin"}}}),
        json!({"$not": {"$not": {"user": {"id": "admin"}}}}),
        json!({"$not": {"params": {"owner": ".user.id"}}}),
        json!({"$not": {"user": {"id": {"$one-of": ["a", "b"]}}}}),
        json!({"params": {"tags": {"$not": {"$contains": "x"}}}}),
        json!({"params": {"tags": {"$length": 0}}}),
    ] {
        assert!(!matches(&pattern, &anonymous), "{pattern}");
    }
    assert!(matches(&json!({"user": "nil?"}), &anonymous));
    assert!(!matches(&json!({"$not": {"user": "nil?"}}), &anonymous));
}

#[test]
fn a_mismatch_names_its_place_and_no_value_of_the_request() {
    let pattern = json!({"user": {"id": "ann", "roles": {"$contains": {"name": "x"}}}});
    let pattern = Pattern::read(&pattern).unwrap();
    let at = |request: Value| pattern.mismatch(&request).unwrap().to_string();
    assert_eq!(at(json!({"user": {"id": "s3cret"}})), "user.id: expected \"ann\"");
    let other = at(json!({"user": {"id": "ann", "roles": [{"name": "s3cret"}]}}));
    assert_eq!(other, "user.roles: expected a list that $contains describes");
}

#[test]
fn a_pattern_that_says_nothing_or_something_unknown_is_refused() {
    let mut deep = json!("x");
    for _ in 0..40 {
        deep = json!({ "a": deep });
    }
    for (pattern, problem) in [
        (json!({}), "must be an object that is not empty"),
        (json!("x"), "must be an object that is not empty"),
        (json!({"a": {"$some": 1}}), "matcho.a.$some: is no operator"),
        (json!({"a": {"$one-of": [1], "b": 1}}), "must be the only member"),
        (json!({"a": [1, {"b": "#("}]}), "matcho.a[1].b: is not a regular expression"),
        (json!({"a": "."}), "a path has the form"),
        (json!({"a": ".user..id"}), "a path has the form"),
        (json!({"a": {"$enum": []}}), "must be a list that is not empty"),
        (json!({"a": []}), "must be a list that is not empty"),
        (json!({"a": {"$length": "3"}}), "must be a whole number"),
        (json!({"a": format!("#(a{{1000}}){{1000}}")}), "too large a one"),
        (deep, "nested deeper than"),
    ] {
        let said = Pattern::read(&pattern).err().unwrap_or_default();
        assert!(said.contains(problem), "{pattern}: {said:?}");
    }
}

#[test]
fn a_loose_regular_expression_is_warned_of() {
    let pattern = json!({"uri": "#/Note", "a": [{"$not": "#b"}], "c": "#^/x", "d": "#y$"});
    let warnings = Pattern::read(&pattern).unwrap().warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("#/Note is anchored at neither end"), "{warnings:?}");
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The specification of patterns without operators, as short as it can be said.
fn oracle(pattern: &Value, subject: Option<&Value>) -> bool {
    match (pattern, subject) {
        (_, None) => false,
        (Value::Object(pattern), Some(Value::Object(subject))) => {
            pattern.iter().all(|(name, one)| oracle(one, subject.get(name)))
        }
        (Value::Array(pattern), Some(Value::Array(subject))) => {
            pattern.iter().enumerate().all(|(at, one)| oracle(one, subject.get(at)))
        }
        (pattern, Some(subject)) => pattern == subject,
    }
}

fn has_empty_list(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
        Value::Object(members) => members.values().any(has_empty_list),
        _ => false,
    }
}

proptest! {
    #[test]
    fn plain_patterns_agree_with_the_oracle(pattern in json_values(), request in json_values()) {
        prop_assume!(pattern.as_object().is_some_and(|members| !members.is_empty()));
        prop_assume!(!has_empty_list(&pattern));
        prop_assert_eq!(matches(&pattern, &request), oracle(&pattern, Some(&request)));
        let is_pattern = request.as_object().is_some_and(|members| !members.is_empty())
            && !has_empty_list(&request);
        prop_assert!(!is_pattern || matches(&request, &request));
    }

    #[test]
    fn nothing_and_its_opposite_both_match(pattern in json_values(), request in json_values()) {
        prop_assume!(!has_empty_list(&pattern) && request.is_object());
        let is = matches(&json!({"a": pattern}), &request);
        let is_not = matches(&json!({"a": {"$not": pattern}}), &request);
        prop_assert!(!(is && is_not));
    }
}
