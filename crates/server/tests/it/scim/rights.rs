//! What callers may do: the managers of the API, and the rules of the data, which are the same as at the
//! other management APIs.

use http::Method;
use serde_json::{Value, json};

use super::support::{BULK, RULES, Scim, assert_error, patch, with_query};
use crate::support::{fixtures::text, wire::Ask};

/// The status of `request`, alone and as the one operation of a bulk request, which must agree.
async fn both(scim: &Scim, token: &str, request: &(Method, &str, Value)) -> u16 {
    let (method, path, body) = request;
    let alone = scim.send_by(token, method.clone(), path, body).await;
    if alone.status.is_client_error() {
        assert_error(&alone, alone.status.as_u16(), alone.json()["scimType"].as_str());
    }
    let operation = json!({"method": method.as_str(), "path": path, "bulkId": "1", "data": body});
    let bulk = json!({"schemas": [BULK], "Operations": [operation]});
    let answer = scim.send_by(token, Method::POST, "/Bulk", &bulk).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json()["Operations"][0]["status"].as_str().unwrap().to_owned();
    let status = alone.status.as_u16();
    if status >= 400 {
        assert_eq!(told, status.to_string(), "{request:?}");
    }
    status
}

#[tokio::test]
async fn scopes_say_who_reads_and_who_writes() {
    let scim = Scim::start().await;
    let reader = scim.token_of("staff", "reader").await;
    let writer = scim.token_of("staff", "writer").await;
    let neither = scim.token_of("staff", "groups").await;
    let create = json!({"userName": "new"});
    for (token, read, written) in [(&reader, 200, 403), (&writer, 403, 201), (&neither, 403, 403)] {
        let answer = scim.send_by(token, Method::GET, "/Users/ann", &Value::Null).await;
        assert_eq!(answer.status, read, "{answer:?}");
        let answer = scim.send_by(token, Method::POST, "/Users", &create).await;
        assert_eq!(answer.status, written, "{answer:?}");
        if written == 201 {
            // Who may not read is told where it is, and not what.
            let body = answer.json();
            assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["schemas", "id"]);
        }
    }
    let challenged = scim.send_by(&neither, Method::GET, "/Users", &Value::Null).await;
    let challenge = challenged.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_scope"), "{challenge}");
}

#[tokio::test]
async fn case_16_only_the_server_says_what_was_verified_and_who_is_in_which_group() {
    let scim = Scim::start().await;
    let staff = scim.token_of("staff", "reader writer").await;
    let verified = json!([{"value": "e@example.org", "type": "verified"}]);
    for request in [
        (Method::POST, "/Users", json!({"userName": "new", "emails": verified})),
        (Method::PUT, "/Users/eve", json!({"userName": "eve", "emails": verified})),
        (
            Method::PATCH,
            "/Users/eve",
            patch(&json!([{"op": "add", "path": "emails", "value": verified}])),
        ),
        (
            Method::PATCH,
            "/Users/staff",
            patch(&json!([{"op": "add", "path": "roles",
            "value": [{"value": "boss"}]}])),
        ),
    ] {
        assert_eq!(both(&scim, &staff, &request).await, 403, "{request:?}");
    }
    // What the server alone writes is left out of what is sent.
    let body = json!({"userName": "new", "id": "chosen", "groups": [{"value": "administrators"}],
        "meta": {"created": "2001-01-01T00:00:00Z"}});
    let made = scim.post("/Users", &body).await.json();
    assert_ne!(made["id"], "chosen");
    assert!(made.get("groups").is_none(), "{made}");
    assert_ne!(made["meta"]["created"], "2001-01-01T00:00:00Z");
}

/// Requests by which somebody who is in `staff` alone would give what they do not have.
fn grants() -> Vec<(Method, &'static str, Value)> {
    let mut all = Vec::new();
    for group in ["administrators", "guides"] {
        for member in ["staff", "eve"] {
            let path: &'static str =
                if group == "guides" { "/Groups/guides" } else { "/Groups/administrators" };
            let members = json!([{"value": member}]);
            let op = |op: &str, value: Value| {
                patch(&json!([{"op": op, "path": "members", "value": value}]))
            };
            all.push((Method::PATCH, path, op("add", members.clone())));
            all.push((Method::PATCH, path, op("replace", members.clone())));
            all.push((
                Method::PATCH,
                path,
                patch(&json!([{"op": "add", "value": {"members": members}}])),
            ));
            all.push((Method::PUT, path, json!({"displayName": group, "members": members})));
        }
    }
    let password = "a-password-of-mine";
    for field in [
        json!({"password": password}),
        json!({"userName": "taken"}),
        json!({"emails": [{"value": "me@example.org"}]}),
        json!({"phoneNumbers": [{"value": "+15550199"}]}),
    ] {
        for path in ["/Users/ann", "/Users/root", "/Users/bob"] {
            all.push((Method::PATCH, path, patch(&json!([{"op": "replace", "value": field}]))));
            let mut whole = field.clone();
            if whole.get("userName").is_none() {
                whole["userName"] = json!(match path {
                    "/Users/ann" => "Ann",
                    "/Users/root" => "root",
                    _ => "bob",
                });
            }
            all.push((Method::PUT, path, whole));
        }
    }
    let title = patch(&json!([{"op": "add", "path": "title", "value": "x"}]));
    all.push((Method::PATCH, "/Users/root", title));
    all.push((Method::DELETE, "/Users/root", Value::Null));
    all.push((Method::DELETE, "/Groups/administrators", Value::Null));
    let rename = patch(&json!([{"op": "replace", "path": "displayName", "value": "x"}]));
    all.push((Method::PATCH, "/Groups/administrators", rename));
    for name in ["administrators", "guides", "night"] {
        let body = json!({"displayName": name, "members": [{"value": "eve"}]});
        all.push((Method::POST, "/Groups", body));
    }
    all
}

/// Requests by which somebody who is in `staff` alone would take people out of `guides`, and could then
/// sign in as them.
fn removals() -> Vec<(Method, &'static str, Value)> {
    let path = "/Groups/guides";
    let change = |one: Value| (Method::PATCH, path, patch(&json!([one])));
    let bob = json!([{"value": "bob"}]);
    vec![
        change(json!({"op": "remove", "path": "members[value eq \"bob\"]"})),
        change(json!({"op": "remove", "path": "members", "value": bob})),
        change(json!({"op": "remove", "path": "members"})),
        change(json!({"op": "replace", "path": "members", "value": []})),
        change(json!({"op": "replace", "value": {"members": [{"value": "ann"}]}})),
        (Method::PUT, path, json!({"displayName": "guides"})),
        (Method::PUT, path, json!({"displayName": "guides", "members": [{"value": "ann"}]})),
        (Method::DELETE, path, Value::Null),
    ]
}

#[tokio::test]
async fn case_19_nobody_gives_what_they_do_not_have_in_any_form() {
    let scim = Scim::start().await;
    let staff = scim.token_of("staff", "reader writer").await;
    let names = ["root", "staff", "ann", "bob", "eve"];
    let mut before = Vec::new();
    for name in names {
        before.push(scim.get(&format!("/Users/{name}")).await.json());
    }
    for request in grants().into_iter().chain(removals()) {
        assert_eq!(both(&scim, &staff, &request).await, 403, "{request:?}");
    }
    for (name, before) in names.into_iter().zip(&before) {
        assert_eq!(&scim.get(&format!("/Users/{name}")).await.json(), before);
    }
    assert_eq!(scim.found("/Groups", &[]).await, ["administrators", "guides", "staff"]);
    // What they have they give and take.
    let add = json!([{"op": "add", "path": "members", "value": [{"value": "eve"}]}]);
    for request in [
        (Method::PATCH, "/Groups/staff", patch(&add)),
        (
            Method::PATCH,
            "/Groups/staff",
            patch(&json!([{"op": "remove", "path": "members[value eq \"ann\"]"}])),
        ),
        (
            Method::PATCH,
            "/Users/eve",
            patch(&json!([{"op": "replace", "value":
            {"emails": [{"value": "eve2@example.org"}]}}])),
        ),
        (
            Method::PUT,
            "/Groups/guides",
            json!({"displayName": "Guides",
            "members": [{"value": "ann"}, {"value": "bob"}]}),
        ),
        (Method::POST, "/Groups", json!({"displayName": "empty"})),
    ] {
        let status = both(&scim, &staff, &request).await;
        assert!((200..300).contains(&status), "{status} {request:?}");
    }
    assert_eq!(scim.members("staff").await, ["eve", "staff"]);
    for group in ["/Groups/empty", "/Groups/staff"] {
        let deleted = scim.send_by(&staff, Method::DELETE, group, &Value::Null).await;
        assert_eq!(deleted.status, 204, "{deleted:?}");
    }
    // Administrators give what they want.
    let root = scim.token_of("root", "scim Castellan:*").await;
    let request = (Method::PATCH, "/Groups/administrators", patch(&add));
    assert_eq!(both(&scim, &root, &request).await, 204);
    assert_eq!(scim.groups_of("eve").await, ["administrators"]);
    for request in removals() {
        assert!(both(&scim, &root, &request).await < 300, "{request:?}");
        if request.0 == Method::DELETE {
            break;
        }
        let back = json!([{"op": "add", "path": "members", "value": [{"value": "bob"}]}]);
        assert_eq!(scim.patch("/Groups/guides", &back).await.status, 204);
    }
}

#[tokio::test]
async fn groups_of_the_configuration_can_be_assigned_by_whoever_may_write() {
    let rules = RULES.replace(
        "[management.scim.scopes]",
        "[management.scim]\nassignable_groups = [\"guides\", \"night\"]\n[management.scim.scopes]",
    );
    let scim = Scim::with(&rules, "").await;
    let staff = scim.token_of("staff", "reader writer").await;
    let add = patch(&json!([{"op": "add", "path": "members", "value": [{"value": "eve"}]}]));
    assert_eq!(both(&scim, &staff, &(Method::PATCH, "/Groups/guides", add.clone())).await, 204);
    let leave = patch(&json!([{"op": "remove", "path": "members[value eq \"eve\"]"}]));
    assert_eq!(both(&scim, &staff, &(Method::PATCH, "/Groups/guides", leave)).await, 204);
    assert_eq!(scim.members("guides").await, ["ann", "bob"]);
    let made = json!({"displayName": "night", "members": [{"value": "eve"}]});
    assert_eq!(scim.send_by(&staff, Method::POST, "/Groups", &made).await.status, 201);
    for (group, named) in [("bulls", "assignable_groups"), ("administrators", "administrators")] {
        let made = scim.post("/Groups", &json!({"displayName": "bulls"})).await;
        assert!([201, 409].contains(&made.status.as_u16()), "{made:?}");
        let path = format!("/Groups/{group}");
        assert_eq!(both(&scim, &staff, &(Method::PATCH, &*path, add.clone())).await, 403);
        let refused = scim.send_by(&staff, Method::PATCH, &path, &add).await.json();
        let detail = text(&refused, "detail");
        assert!(detail.contains(group) && detail.contains(named), "{detail}");
    }
    let refused = crate::support::castellan::Castellan::refuses(crate::support::castellan::Plan {
        config: "[management.scim]\nassignable_groups = [\"administrators\"]\n".to_owned(),
        ..Default::default()
    })
    .await;
    assert!(refused.contains("management.scim.assignable_groups"), "{refused}");
}

#[tokio::test]
async fn case_20_the_path_says_what_is_written() {
    let scim = Scim::start().await;
    let body = json!({"id": "root", "userName": "eve", "title": "x"});
    let written = scim.put("/Users/eve", &body).await;
    assert_eq!((written.status.as_u16(), &written.json()["id"]), (200, &json!("eve")));
    assert!(scim.get("/Users/root").await.json().get("title").is_none());
    let body = json!({"id": "administrators", "displayName": "x"});
    assert_eq!(scim.put("/Groups/guides", &body).await.json()["id"], "guides");
    let administrators = scim.get("/Groups/administrators").await.json();
    assert_eq!(administrators["displayName"], "administrators");
    let moved = json!([{"op": "replace", "path": "id", "value": "root"}]);
    assert_error(&scim.patch("/Users/eve", &moved).await, 400, Some("mutability"));
    for path in ["/Users/eve/../root", "/Users/eve%2f..%2froot"] {
        let url = scim.at(path);
        let answer = Ask::get(&url).bearer(&scim.token).send().await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn case_43_unknown_and_forbidden_are_the_same_to_whoever_may_not_read() {
    let scim = Scim::start().await;
    let writer = scim.token_of("staff", "writer").await;
    let title = patch(&json!([{"op": "add", "path": "title", "value": "x"}]));
    let add =
        |id: &str| patch(&json!([{"op": "add", "path": "members", "value": [{"value": id}]}]));
    for (known, unknown, body) in [
        ((Method::GET, "/Users/root"), "/Users/none", Value::Null),
        ((Method::PATCH, "/Users/root"), "/Users/none", title),
        ((Method::PUT, "/Users/root"), "/Users/none", json!({"userName": "root", "title": "x"})),
        ((Method::DELETE, "/Users/root"), "/Users/none", Value::Null),
        ((Method::GET, "/Groups/guides"), "/Groups/none", Value::Null),
        ((Method::PATCH, "/Groups/administrators"), "/Groups/none", add("eve")),
        ((Method::DELETE, "/Groups/administrators"), "/Groups/none", Value::Null),
    ] {
        let (method, known) = known;
        let forbidden = scim.send_by(&writer, method.clone(), known, &body).await;
        let unknown = scim.send_by(&writer, method.clone(), unknown, &body).await;
        assert_error(&forbidden, 403, None);
        assert_eq!(unknown.status, 403, "{method} {unknown:?}");
    }
    // Neither does a search find by what may not be read.
    let query = with_query("/Users", &[("filter", "userName eq \"ann\"")]);
    assert_error(&scim.send_by(&writer, Method::GET, &query, &Value::Null).await, 403, None);
}

/// Changes of which the answer would say whether some value of Ann's is `value`.
fn questions(value: &str) -> Vec<Value> {
    let start = &value[..4];
    let mut all = Vec::new();
    for (path, value) in [
        (format!("emails[value sw \"{start}\"].primary"), json!("nonsense")),
        (format!("emails[not (value sw \"{start}\")].primary"), json!("nonsense")),
        (format!("emails[type eq \"home\" or value co \"{start}\"]"), json!({"type": "home"})),
        ("emails.primary".to_owned(), json!("nonsense")),
        ("phoneNumbers.primary".to_owned(), json!("nonsense")),
        ("addresses[region pr].region".to_owned(), json!(1)),
    ] {
        all.push(json!({"op": "replace", "path": path, "value": value}));
        all.push(json!({"op": "add", "path": path, "value": value}));
        all.push(json!({"op": "remove", "path": path}));
    }
    all.push(json!({"op": "remove", "path": "emails", "value": [{"value": value}]}));
    all
}

#[tokio::test]
async fn case_43_a_path_compares_nothing_that_may_not_be_read() {
    // One who may not read at all, and one who may read some of it.
    for (rules, scope) in [(RULES, "writer"), (ATTRIBUTES, "reader writer")] {
        let scim = Scim::with(rules, "").await;
        let caller = scim.token_of("staff", scope).await;
        let before = scim.get("/Users/ann").await.json();
        for value in ["ann@example.org", "bob@example.org"] {
            for question in questions(value) {
                for path in ["/Users/ann", "/Users/eve", "/Users/none"] {
                    let request = (Method::PATCH, path, patch(&json!([question])));
                    assert_eq!(both(&scim, &caller, &request).await, 403, "{request:?}");
                }
            }
        }
        assert_eq!(scim.get("/Users/ann").await.json(), before);
        // Neither does a group say who is in it.
        for member in ["ann", "eve"] {
            let leave =
                json!([{"op": "remove", "path": format!("members[value eq \"{member}\"]")}]);
            let request = (Method::PATCH, "/Groups/guides", patch(&leave));
            assert_eq!(both(&scim, &caller, &request).await, 403, "{request:?}");
        }
        let change = json!([{"op": "replace", "path": "emails[value sw \"ann@\"].type",
            "value": "home"}]);
        assert_eq!(scim.patch("/Users/ann", &change).await.status, 200);
    }
}

/// Ann is in a group in which Staff is not: of what she signs in with, nothing is changed by them,
/// whether it is so already or not.
#[tokio::test]
async fn case_43_a_change_that_changes_nothing_tells_nobody_what_there_is() {
    let scim = Scim::with(RULES, "").await;
    let caller = scim.token_of("staff", "writer").await;
    let before = scim.get("/Users/ann").await.json();
    for value in ["ann@example.org", "bob@example.org"] {
        let address = json!([{"value": value, "type": "work"}]);
        for operation in ["add", "replace"] {
            for change in [
                json!({"op": operation, "path": "emails", "value": address}),
                json!({"op": operation, "value": {"emails": address}}),
            ] {
                let request = (Method::PATCH, "/Users/ann", patch(&json!([change])));
                assert_eq!(both(&scim, &caller, &request).await, 403, "{request:?}");
            }
        }
    }
    for name in ["Ann", "Anna"] {
        let change = json!([{"op": "replace", "path": "userName", "value": name}]);
        let request = (Method::PATCH, "/Users/ann", patch(&change));
        assert_eq!(both(&scim, &caller, &request).await, 403, "{request:?}");
        let request = (Method::PUT, "/Users/ann", json!({"userName": name, "title": "x"}));
        assert_eq!(both(&scim, &caller, &request).await, 403, "{request:?}");
    }
    // Of what they may change, nothing says whether it changed.
    let mut answers = Vec::new();
    for value in ["Chief", "Chief", "Guide"] {
        let change = patch(&json!([{"op": "add", "path": "title", "value": value}]));
        let answer = scim.send_by(&caller, Method::PATCH, "/Users/ann", &change).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, None), "{answer:?}");
        answers.push(answer.json());
    }
    assert_eq!((&answers[0], &answers[1]), (&answers[1], &answers[2]));
    assert_eq!(scim.get("/Users/ann").await.json()["emails"], before["emails"]);
}

/// Attributes that `desk` may read and write.
const ATTRIBUTES: &str = r#"
[management.scim.scopes]
read = ["scim", "reader"]
write = ["scim", "writer"]
[[management.scim.attributes.lists]]
clients = ["provisioning"]
default_allow_read = true
default_allow_write = true
require_subject_match = false
[[management.scim.attributes.lists]]
require_subject_match = false
[management.scim.attributes.lists.rules]
userName = { read = true }
title = { read = true, write = true }
"name.givenName" = { read = true }
"group.displayName" = { read = true }
"#;

#[tokio::test]
async fn rules_for_attributes_hold_for_all_that_is_shown_found_and_written() {
    let scim = Scim::with(ATTRIBUTES, "").await;
    let desk = scim.token_of("staff", "reader writer").await;
    let named =
        json!([{"op": "add", "path": "name", "value": {"givenName": "A", "familyName": "B"}}]);
    assert_eq!(scim.patch("/Users/ann", &named).await.status, 200);
    let get = async |path: &str| scim.send_by(&desk, Method::GET, path, &Value::Null).await;
    let shown = get("/Users/ann").await.json();
    assert_eq!(
        shown,
        json!({"id": "ann", "userName": "Ann", "name": {"givenName": "A"}, "schemas": shown["schemas"]}),
    );
    let group = get("/Groups/guides").await.json();
    assert_eq!((&group["displayName"], group.get("members")), (&json!("guides"), None));
    for (path, query) in [
        ("/Users", ("filter", "emails eq \"ann@example.org\"")),
        ("/Users", ("filter", "userName eq \"ann\" and name.familyName eq \"B\"")),
        ("/Users", ("sortBy", "emails")),
        ("/Groups", ("filter", "members eq \"ann\"")),
        ("/Groups", ("filter", "externalId eq \"x\"")),
    ] {
        assert_error(&get(&with_query(path, &[query])).await, 403, None);
    }
    let found = get(&with_query("/Users", &[("filter", "userName eq \"ann\"")])).await.json();
    assert_eq!(text(&found["Resources"][0], "id"), "ann");
    let change =
        async |body: Value| scim.send_by(&desk, Method::PATCH, "/Users/eve", &patch(&body)).await;
    assert_eq!(change(json!([{"op": "add", "path": "title", "value": "x"}])).await.status, 200);
    for path in ["nickName", "name.givenName", "emails"] {
        let value = if path == "emails" { json!([{"value": "e@x.test"}]) } else { json!("x") };
        assert_error(
            &change(json!([{"op": "add", "path": path, "value": value}])).await,
            403,
            None,
        );
    }
    // What its sender can neither see nor write is refused, whether it is so or not.
    for name in ["B", "C"] {
        let body = json!({"userName": "Ann", "title": "y",
            "name": {"givenName": "A", "familyName": name}});
        assert_error(&scim.send_by(&desk, Method::PUT, "/Users/ann", &body).await, 403, None);
    }
    // A replacement leaves what its sender cannot see.
    let body = json!({"userName": "Ann", "title": "y", "name": {"givenName": "A"}});
    let replaced = scim.send_by(&desk, Method::PUT, "/Users/ann", &body).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_eq!(scim.get("/Users/ann").await.json()["name"]["familyName"], "B");
    let whole = scim.get("/Users/ann").await.json();
    assert_eq!((&whole["title"], &whole["externalId"]), (&json!("y"), &json!("x-1")));
    assert_eq!(whole["emails"][0]["value"], "ann@example.org");
}
