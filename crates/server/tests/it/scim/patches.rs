//! Changes to users, as clients send them (RFC 7644 §3.5.2).

use http::Method;
use serde_json::{Value, json};

use super::support::{ENTERPRISE, RULES, Scim, assert_error, patch};
use crate::support::wire::Ask;

#[tokio::test]
async fn entra_changes_values_by_paths_with_filters() {
    let scim = Scim::start().await;
    let operations = json!([
        {"op": "Add", "path": "emails[type eq \"home\"].value", "value": "ann@home.test"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ann@work.test"},
        {"op": "Add", "path": "name.givenName", "value": "Ann"},
        {"op": "Replace", "value": {"name.familyName": "Lee", "Title": "Guide",
            "addresses[type eq \"work\"].country": "US"}},
        {"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Tours"},
        {"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "root"},
        {"op": "Add", "path": "roles", "value": [{"value": "lead", "primary": "True"}]},
    ]);
    let operations = operations.as_array().unwrap();
    // A replacement of a value that is not there is refused, and everything with it.
    let all = Value::Array(operations.clone());
    assert_error(&scim.patch("/Users/ann", &all).await, 400, Some("noTarget"));
    assert!(scim.get("/Users/ann").await.json().get("title").is_none(), "nothing was changed");
    let mut operations = operations.clone();
    operations[3]["value"].as_object_mut().unwrap().remove("addresses[type eq \"work\"].country");
    let user = scim.patch("/Users/ann", &Value::Array(operations)).await.json();
    assert_eq!(user["emails"][0]["value"], "ann@work.test", "{user}");
    assert_eq!(user["emails"][1]["value"], "ann@home.test");
    assert_eq!(user["emails"][1]["type"], "home");
    assert_eq!(user["name"], json!({"givenName": "Ann", "familyName": "Lee"}));
    assert_eq!(user["title"], "Guide");
    assert_eq!(user[ENTERPRISE]["department"], "Tours");
    assert_eq!(user[ENTERPRISE]["manager"]["value"], "root");
    assert_eq!(user["roles"], json!([{"value": "lead", "primary": true}]));
    let operations = json!([
        {"op": "remove", "path": "emails[type eq \"home\"]"},
        {"op": "remove", "path": "name.familyName"},
        {"op": "remove", "path": format!("{ENTERPRISE}:manager")},
        {"op": "remove", "path": "roles", "value": [{"value": "lead"}]},
    ]);
    let user = scim.patch("/Users/ann", &operations).await.json();
    assert_eq!(user["emails"].as_array().map(Vec::len), Some(1), "{user}");
    assert_eq!(user["name"], json!({"givenName": "Ann"}));
    assert_eq!(user[ENTERPRISE], json!({"department": "Tours"}));
    assert!(user.get("roles").is_none());
}

#[tokio::test]
async fn at_most_one_value_is_the_primary_one() {
    let scim = Scim::start().await;
    let added = json!([{"op": "add", "path": "emails",
        "value": [{"value": "two@example.org", "primary": true}]}]);
    let user = scim.patch("/Users/bob", &added).await.json();
    assert_eq!(user["emails"], json!([{"value": "two@example.org", "primary": true}]));
    let added = json!([{"op": "add", "path": "emails",
        "value": [{"value": "three@example.org", "primary": true}]}]);
    let user = scim.patch("/Users/bob", &added).await.json();
    assert_eq!(
        user["emails"],
        json!([
            {"value": "three@example.org", "primary": true},
            {"value": "two@example.org", "primary": false},
        ])
    );
    // What was not said to be the primary one is not shown as it, whatever else changes.
    let none = json!([{"op": "replace", "path": "emails",
        "value": [{"value": "four@example.org", "primary": false}]}]);
    scim.patch("/Users/bob", &none).await;
    let title = json!([{"op": "add", "path": "title", "value": "x"}]);
    let user = scim.patch("/Users/bob", &title).await.json();
    assert_eq!(user["emails"][0]["primary"], false, "{user}");
    let two = json!([{"op": "replace", "path": "emails", "value":
        [{"value": "a@x.test", "primary": true}, {"value": "b@x.test", "primary": true}]}]);
    assert_error(&scim.patch("/Users/bob", &two).await, 400, Some("invalidValue"));
    let two = json!([{"op": "add", "path": "emails", "value":
        [{"value": "a@x.test", "primary": true}, {"value": "b@x.test", "primary": true}]}]);
    assert_error(&scim.patch("/Users/bob", &two).await, 400, Some("invalidValue"));
    // Nobody named the one that was there.
    let added = json!([{"op": "add", "path": "emails", "value": [{"value": "five@example.org"}]}]);
    let user = scim.patch("/Users/bob", &added).await.json();
    assert_eq!(
        user["emails"],
        json!([
            {"value": "four@example.org", "primary": false},
            {"value": "five@example.org", "primary": false},
        ])
    );
    let all = json!([{"op": "replace", "path": "emails.primary", "value": true}]);
    assert_error(&scim.patch("/Users/bob", &all).await, 400, Some("invalidValue"));
}

#[tokio::test]
async fn a_value_that_a_filter_finds_is_replaced_as_a_whole_and_added_to_in_parts() {
    let scim = Scim::start().await;
    let work =
        json!({"type": "work", "streetAddress": "1 Way", "locality": "Town", "primary": true});
    let home = json!({"type": "home", "locality": "Village", "primary": false});
    let told = json!([{"op": "add", "path": "addresses", "value": [work, home]}]);
    scim.patch("/Users/bob", &told).await;
    let path = "addresses[type eq \"work\"]";
    let added = json!([{"op": "add", "path": path, "value": {"country": "US"}}]);
    let user = scim.patch("/Users/bob", &added).await.json();
    assert_eq!(user["addresses"][0]["streetAddress"], "1 Way", "{user}");
    assert_eq!(user["addresses"][0]["country"], "US");
    let value = json!({"type": "work", "locality": "City", "display": "Office"});
    let replaced = json!([{"op": "replace", "path": path, "value": value}]);
    let user = scim.patch("/Users/bob", &replaced).await.json();
    assert_eq!(
        user["addresses"],
        json!([
            {"type": "work", "locality": "City", "display": "Office", "primary": false},
            {"type": "home", "locality": "Village", "primary": false},
        ])
    );
}

#[tokio::test]
async fn whoever_is_not_said_to_be_active_is_not() {
    let scim = Scim::start().await;
    let removed = json!([{"op": "remove", "path": "active"}]);
    let user = scim.patch("/Users/bob", &removed).await.json();
    assert!(user.get("active").is_none(), "{user}");
    let shown = scim.castellan.said(&["get", "User", "bob", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["inactive"], &shown["unstated"]), (&json!(true), &json!(["active"])));
    assert_eq!(scim.found("/Users", &[("filter", "active pr and id eq \"bob\"")]).await, [""; 0]);
    let said = json!([{"op": "add", "path": "active", "value": true}]);
    assert_eq!(scim.patch("/Users/bob", &said).await.json()["active"], true);
}

#[tokio::test]
async fn what_cannot_be_changed_says_so() {
    let scim = Scim::start().await;
    for (operation, kind) in [
        (json!({"op": "add", "path": "groups", "value": [{"value": "staff"}]}), "mutability"),
        (json!({"op": "replace", "path": "id", "value": "x"}), "mutability"),
        (json!({"op": "replace", "path": "meta.created", "value": "x"}), "mutability"),
        (json!({"op": "remove", "path": "userName"}), "mutability"),
        (json!({"op": "replace", "path": "userName", "value": null}), "mutability"),
        (json!({"op": "remove", "path": "password"}), "mutability"),
        (json!({"op": "replace", "path": "password", "value": null}), "mutability"),
        (json!({"op": "replace", "value": {"password": null}}), "mutability"),
        (json!({"op": "add", "path": "externalId"}), "invalidValue"),
        (json!({"op": "replace", "path": "externalId"}), "invalidValue"),
        (json!({"op": "add", "path": "externalId", "value": null}), "invalidValue"),
        (json!({"op": "add", "value": {"externalId": null}}), "invalidValue"),
        (json!({"op": "add", "path": "emails[type eq \"work\"].display"}), "invalidValue"),
        (json!({"op": "add"}), "invalidValue"),
        (json!({"op": "remove", "path": "shoe"}), "invalidPath"),
        (json!({"op": "remove", "path": "emails["}), "invalidFilter"),
        (json!({"op": "remove", "path": "title x"}), "invalidPath"),
        (json!({"op": "remove"}), "noTarget"),
        (json!({"op": "shift", "path": "title"}), "invalidSyntax"),
        (json!({"op": "add", "path": "title", "value": {"a": 1}}), "invalidValue"),
        (
            json!({"op": "replace", "path": "emails[value eq \"no\"].type", "value": "x"}),
            "noTarget",
        ),
    ] {
        let refused = scim.patch("/Users/ann", &json!([operation])).await;
        assert_error(&refused, 400, Some(kind));
    }
    assert_eq!(scim.get("/Users/ann").await.json()["externalId"], "x-1");
    let many: Vec<Value> = (0..1_001).map(|_| json!({"op": "remove", "path": "title"})).collect();
    assert_error(&scim.patch("/Users/ann", &Value::Array(many)).await, 400, Some("tooMany"));
}

/// A person whose address an administrator says to be verified.
const VERA: &str = r"
---
resourceType: User
id: vera
userName: vera
emails: [{value: vera@example.org, type: work, verified: true}]
";

#[tokio::test]
async fn a_verified_address_keeps_its_type_and_stays_one_and_verified_while_it_is_the_same() {
    let scim = Scim::with(RULES, VERA).await;
    let staff = scim.token_of("staff", "reader writer").await;
    let change = async |operations: Value| {
        scim.send_by(&staff, Method::PATCH, "/Users/vera", &patch(&operations)).await
    };
    let document = async || {
        let url = scim.castellan.at("/User/vera");
        Ask::get(&url).bearer(&scim.token).send().await.json()["emails"].clone()
    };
    let verified =
        |value: &str| json!([{"value": value, "primary": true, "type": "work", "verified": true}]);
    assert_eq!(document().await, verified("vera@example.org"));
    let path = "emails[type eq \"work\"].value";
    for (op, value) in [("Add", "vera@example.org"), ("Replace", "Vera@example.org")] {
        let answer = change(json!([{"op": op, "path": path, "value": value}])).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = json!([{"value": value, "type": "work", "primary": true}]);
        assert_eq!(answer.json()["emails"], shown);
        assert_eq!(document().await, verified(value));
    }
    for kind in ["home", "verified"] {
        let more = json!([{"value": "VERA@example.org", "type": kind}]);
        let added = json!([{"op": "add", "path": "emails", "value": more}]);
        assert_eq!(change(added).await.status, 200);
        assert_eq!(document().await, verified("Vera@example.org"), "one, by its first type");
    }
    let whole = json!({"userName": "vera",
        "emails": [{"value": "vera@example.org", "type": "work", "primary": true}]});
    let replaced = scim.send_by(&staff, Method::PUT, "/Users/vera", &whole).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(document().await, verified("vera@example.org"));
    let said = json!([{"op": "add", "path": "emails", "value": [{"value": "vera@example.org", "verified": true}]}]);
    assert_error(&change(said).await, 400, Some("invalidSyntax"));
    let other = json!([{"op": "Replace", "path": path, "value": "other@example.org"}]);
    assert_eq!(change(other).await.status, 200);
    let other = json!([{"value": "other@example.org", "primary": true, "type": "work"}]);
    assert_eq!(document().await, other, "another value was not verified");
    let many: Vec<Value> =
        (0..32).map(|at| json!({"value": format!("v{at}@example.org")})).collect();
    let many = json!([{"op": "add", "path": "emails", "value": many}]);
    assert_error(&change(many).await, 400, Some("invalidValue"));
    assert_eq!(document().await, other);
}
