//! Users, one at a time.

use http::Method;
use serde_json::{Value, json};

use super::support::{ENTERPRISE, Scim, USER, assert_error};
use crate::support::{fixtures::text, wire::Ask};

/// A user with every attribute.
fn whole() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "hr-7",
        "userName": "Grace",
        "name": {"formatted": "Dr Grace B. Hopper, III", "familyName": "Hopper", "givenName": "Grace",
            "middleName": "B.", "honorificPrefix": "Dr", "honorificSuffix": "III"},
        "displayName": "Grace Hopper",
        "nickName": "Amazing",
        "profileUrl": "https://example.org/grace",
        "title": "Rear Admiral",
        "userType": "Employee",
        "preferredLanguage": "en-US, fr;q=0.8",
        "locale": "en-US",
        "timezone": "America/New_York",
        "active": true,
        "emails": [{"value": "grace@example.org", "type": "work", "primary": true, "display": "G"}],
        "phoneNumbers": [{"value": "+15550100", "type": "mobile", "primary": false}],
        "ims": [{"value": "grace", "type": "xmpp", "primary": false}],
        "photos": [{"value": "https://example.org/g.png", "type": "photo", "primary": true}],
        "addresses": [{"formatted": "1 Way", "streetAddress": "1 Way", "locality": "Town",
            "region": "R", "postalCode": "1", "country": "US", "type": "work", "primary": true}],
        "entitlements": [{"value": "parking", "primary": false}],
        "roles": [{"value": "author", "primary": true}],
        "x509Certificates": [{"value": "MIIB", "primary": false}],
        ENTERPRISE: {"employeeNumber": "7", "costCenter": "c", "organization": "Navy",
            "division": "d", "department": "Compilers", "manager": {"value": "ann"}},
    })
}

#[tokio::test]
async fn every_attribute_comes_back_as_it_was_written() {
    let scim = Scim::start().await;
    let mut sent = whole();
    sent["password"] = json!("correct horse battery");
    let made = scim.post("/Users", &sent).await;
    assert_eq!(made.status, 201, "{made:?}");
    let user = made.json();
    let id = text(&user, "id").to_owned();
    assert_eq!(made.location(), scim.at(&format!("/Users/{id}")));
    assert_eq!(user["meta"]["location"], json!(made.location()));
    assert_eq!(user["meta"]["resourceType"], "User");
    assert_eq!(user["meta"]["version"].as_str(), made.header("etag"));
    assert!(!made.body.contains("correct horse"));
    let read = scim.get(&format!("/Users/{id}")).await;
    assert_eq!(read.json(), user);
    let mut expected = whole();
    expected[ENTERPRISE]["manager"]["$ref"] = json!(scim.at("/Users/ann"));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&user[name], value, "{name}");
    }
    // As it is shown, it can be written back, and changes nothing.
    let again = scim.put(&format!("/Users/{id}"), &user).await;
    assert_eq!(again.json(), user, "{again:?}");
    // It is the account that others know.
    let shown = scim.castellan.said(&["get", "User", &id, "--format", "json"]);
    let document: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(document["userName"], "Grace");
    assert_eq!(document["enterprise"]["department"], "Compilers");
    assert_eq!(document["zoneinfo"], "America/New_York");
}

#[tokio::test]
async fn a_replacement_removes_what_it_leaves_out_and_lets_nobody_in_again() {
    let scim = Scim::start().await;
    let made = scim.post("/Users", &whole()).await.json();
    let path = format!("/Users/{}", text(&made, "id"));
    let off = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(scim.patch(&path, &off).await.json()["active"], false);
    let replaced = scim.put(&path, &json!({"userName": "Grace", "title": "Admiral"})).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let user = replaced.json();
    assert_eq!(user["title"], "Admiral");
    assert_eq!(user["active"], false, "it was not said that they may sign in again");
    let gone = ["name", "emails", "externalId", "addresses", "roles", "timezone", ENTERPRISE];
    assert!(gone.iter().all(|name| user.get(*name).is_none()), "{user}");
    assert_eq!(user["schemas"], json!([USER]));
}

#[tokio::test]
async fn what_another_server_shows_of_managers_is_taken_and_left_out() {
    let scim = Scim::start().await;
    let manager = json!({"value": "ann", "$ref": "../Users/ann", "displayName": "Ann"});
    let body = json!({"userName": "new", ENTERPRISE: {"manager": manager},
        "groups": [{"value": "staff", "display": "Staff"}]});
    let made = scim.post("/Users", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let shown = json!({"value": "ann", "$ref": scim.at("/Users/ann")});
    assert_eq!(made.json()[ENTERPRISE]["manager"], shown);
    let changed = json!([
        {"op": "replace", "path": format!("{ENTERPRISE}:manager"),
            "value": {"value": "bob", "displayName": "Bob"}},
        {"op": "add", "value": {ENTERPRISE: {"manager": {"value": "eve", "displayName": "Eve"}}}},
    ]);
    let user = scim.patch("/Users/bob", &changed).await;
    assert_eq!(user.json()[ENTERPRISE]["manager"]["value"], "eve", "{user:?}");
}

#[tokio::test]
async fn a_telephone_number_is_the_same_as_a_uri() {
    let scim = Scim::start().await;
    let with = |name: &str, number: &str| json!({"userName": name, "phoneNumbers": [{"value": number, "primary": true}]});
    let made = scim.post("/Users", &with("one", "tel:+1-201-555-0123")).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["phoneNumbers"][0]["value"], "tel:+1-201-555-0123");
    let same = scim.post("/Users", &with("two", "+1 (201) 555-0123")).await;
    assert_error(&same, 409, Some("uniqueness"));
    let another = scim.post("/Users", &with("two", "tel:+1-201-555-0123;ext=12")).await;
    assert_eq!(another.status, 201, "an extension is another telephone: {another:?}");
    for wrong in ["tel:", "tel:nobody", "sip:+12015550123", "tel:+1;ext=\"1\""] {
        let refused = scim.post("/Users", &with("three", wrong)).await;
        assert_error(&refused, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn certificates_and_addresses_have_room_for_real_ones() {
    let scim = Scim::start().await;
    let with = |name: &str, value: Value| json!({"op": "add", "path": name, "value": [value]});
    for (name, value, status) in [
        ("x509Certificates", json!({"value": "M".repeat(8_192)}), 200),
        ("x509Certificates", json!({"value": "M".repeat(8_193)}), 400),
        ("addresses", json!({"formatted": "é\n".repeat(1_024)}), 200),
        ("addresses", json!({"formatted": "é\n".repeat(1_025)}), 400),
        (
            "addresses",
            json!({"streetAddress": "x".repeat(1_025), "display": "é".repeat(2_048)}),
            200,
        ),
        ("addresses", json!({"streetAddress": "x".repeat(1_026)}), 400),
        ("addresses", json!({"display": "x".repeat(2_049)}), 400),
    ] {
        let answer = scim.patch("/Users/bob", &json!([with(name, value)])).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn names_and_addresses_are_unique_and_errors_say_which() {
    let scim = Scim::start().await;
    for (body, field) in [
        (json!({"userName": "ANN"}), "userName"),
        (json!({"userName": "new", "emails": [{"value": "Ann@example.org"}]}), "emails"),
    ] {
        let refused = scim.post("/Users", &body).await;
        assert_error(&refused, 409, Some("uniqueness"));
        assert!(refused.body.contains(field), "{refused:?}");
    }
    for (body, field) in [
        (json!({"displayName": "x"}), "userName"),
        (json!({"userName": "new", "emails": [{"value": "no address"}]}), "emails"),
        (json!({"userName": "new", "active": "perhaps"}), "active"),
        (json!({"userName": "new", "profileUrl": "javascript:x"}), "profileUrl"),
        (json!({"userName": 7}), "userName"),
    ] {
        let refused = scim.post("/Users", &body).await;
        assert_error(&refused, 400, Some("invalidValue"));
        assert!(refused.body.contains(field), "{refused:?}");
        assert!(!refused.body.contains("javascript"), "{refused:?}");
    }
}

#[tokio::test]
async fn versions_guard_writes_and_spare_reads() {
    let scim = Scim::start().await;
    let first = scim.get("/Users/ann").await;
    let tag = first.header("etag").unwrap().to_owned();
    let ask = |method: Method, tag: &str, name: &str| {
        Ask::new(method, &scim.at("/Users/ann")).bearer(&scim.token).header(name, tag)
    };
    let known = ask(Method::GET, &tag, "if-none-match").send().await;
    assert_eq!((known.status.as_u16(), &*known.body), (304, ""));
    assert_eq!(known.header("etag"), Some(&*tag));
    let title = json!({"Operations": [{"op": "add", "path": "title", "value": "x"}]});
    let changed = ask(Method::PATCH, &tag, "if-match").json(&title).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_ne!(changed.header("etag"), Some(&*tag));
    for (method, body) in [
        (Method::PATCH, title.clone()),
        (Method::PUT, json!({"userName": "Ann"})),
        (Method::DELETE, Value::Null),
    ] {
        let stale = ask(method.clone(), &tag, "if-match").json(&body).send().await;
        assert_error(&stale, 412, None);
    }
    assert_eq!(ask(Method::GET, &tag, "if-none-match").send().await.status, 200);
    let tag = changed.header("etag").unwrap().to_owned();
    assert_eq!(ask(Method::DELETE, &tag, "if-match").send().await.status, 204);
    assert_error(&scim.get("/Users/ann").await, 404, None);
    assert_error(&scim.delete("/Users/ann").await, 404, None);
    let absent = json!([{"op": "add", "path": "title", "value": "x"}]);
    assert_error(&scim.patch("/Users/ann", &absent).await, 404, None);
}

#[tokio::test]
async fn attributes_are_shown_as_they_are_asked_for() {
    let scim = Scim::start().await;
    let keys = |user: &Value| user.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let some = scim.get("/Users/ann?attributes=USERNAME,emails.value,meta.version").await.json();
    let mut shown = keys(&some);
    shown.sort();
    assert_eq!(shown, ["emails", "id", "meta", "schemas", "userName"]);
    assert_eq!(some["emails"], json!([{"value": "ann@example.org"}]));
    assert_eq!(keys(&some["meta"]), ["version"]);
    let others = scim.get("/Users/ann?excludedAttributes=emails,meta.version,id").await.json();
    assert!(others.get("emails").is_none() && others["meta"].get("version").is_none());
    assert_eq!(others["id"], "ann", "always shown");
    let made = scim.post("/Users?attributes=userName", &json!({"userName": "new"})).await.json();
    assert!(made.get("meta").is_none(), "{made}");
    for query in
        ["attributes=shoe", "attributes=title&excludedAttributes=title", "filter=title%20pr"]
    {
        let refused = scim.get(&format!("/Users/ann?{query}")).await;
        assert_error(&refused, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn whoever_is_deactivated_is_signed_out_and_a_new_password_signs_in() {
    let scim = Scim::start().await;
    let token = scim.token_of("bob", "reader").await;
    let list = async || scim.send_by(&token, Method::GET, "/Schemas", &Value::Null).await.status;
    assert_eq!(list().await, 200);
    let off = json!([{"op": "Replace", "path": "active", "value": "False"}]);
    assert_eq!(scim.patch("/Users/bob", &off).await.json()["active"], false);
    assert_eq!(list().await, 401);
    let on =
        json!([{"op": "replace", "value": {"active": true, "password": "another-password-1"}}]);
    assert_eq!(scim.patch("/Users/bob", &on).await.json()["active"], true);
    assert_eq!(list().await, 401, "what was over stays over");
    let pairs = [
        ("grant_type", "password"),
        ("username", "bob"),
        ("password", "another-password-1"),
        ("client_id", "desk"),
        ("client_secret", "s3cr3t-desk"),
        ("scope", "reader"),
    ];
    assert_eq!(scim.castellan.token(&pairs).await.status, 200);
}
