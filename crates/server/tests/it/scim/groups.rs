//! Groups: records of their own, whose members the accounts name.

use http::Method;
use serde_json::{Value, json};

use super::support::{GROUP, Scim, assert_error, with_query};
use crate::support::{fixtures::text, wire::Ask};

#[tokio::test]
async fn a_group_is_called_by_a_name_that_rules_can_have() {
    let scim = Scim::start().await;
    for (name, id) in [
        ("engineering", "engineering"),
        ("engineering", "engineering-2"),
        ("Tour Guides", "tour-guides"),
        ("administrators", "administrators-2"),
        ("staff", "staff-2"),
    ] {
        let made = scim.post("/Groups", &json!({"displayName": name, "externalId": "e"})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let group = made.json();
        assert_eq!((text(&group, "id"), text(&group, "displayName")), (id, name));
        assert_eq!(made.location(), scim.at(&format!("/Groups/{id}")));
        assert_eq!(group["schemas"], json!([GROUP]));
        assert!(group.get("members").is_none(), "{group}");
    }
    let renamed = json!({"displayName": "Engineers"});
    let renamed = scim.put("/Groups/engineering", &renamed).await.json();
    assert_eq!((text(&renamed, "id"), text(&renamed, "displayName")), ("engineering", "Engineers"));
    assert!(renamed.get("externalId").is_none());
    for body in [json!({}), json!({"displayName": ""}), json!({"displayName": "a\u{200b}b"})] {
        assert_error(&scim.post("/Groups", &body).await, 400, Some("invalidValue"));
    }
}

#[tokio::test]
async fn the_groups_of_an_account_are_what_groups_say() {
    let scim = Scim::start().await;
    assert_eq!(scim.members("guides").await, ["ann", "bob"], "from documents");
    let members = json!([{"value": "ann", "type": "User"}, {"value": "eve"}]);
    let made = scim.post("/Groups", &json!({"displayName": "night", "members": members})).await;
    let shown = made.json()["members"].clone();
    assert_eq!(
        shown[1],
        json!({"value": "eve", "$ref": scim.at("/Users/eve"), "type": "User"}),
        "{made:?}"
    );
    assert_eq!(scim.groups_of("eve").await, ["night"]);
    assert_eq!(scim.groups_of("ann").await, ["guides", "staff", "night"]);
    // The other way round: by a document.
    let document = "{resourceType: User, id: eve, userName: eve, groups: [{value: fresh}]}";
    assert!(scim.castellan.cli_with(&["apply", "-f", "-"], document).status.success());
    assert_eq!(scim.members("night").await, ["ann"]);
    assert_eq!(scim.members("fresh").await, ["eve"], "made by naming it");
    assert_eq!(scim.found("/Groups", &[("filter", "displayName eq \"FRESH\"")]).await, ["fresh"]);
    let listed = scim.castellan.said(&["get", "Group", "night", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["displayName"], "night");
    // A deleted account is no member.
    assert_eq!(scim.delete("/Users/eve").await.status, 204);
    assert_eq!(scim.members("fresh").await, [""; 0]);
}

#[tokio::test]
async fn members_are_changed_as_the_rfc_entra_and_okta_do_it() {
    let scim = Scim::start().await;
    scim.post("/Groups", &json!({"displayName": "team"})).await;
    for (operations, members) in [
        // Entra ID.
        (
            json!([{"op": "Add", "path": "members", "value": [{"value": "ann"}, {"value": "bob"}]}]),
            &["ann", "bob"][..],
        ),
        (json!([{"op": "Add", "path": "members", "value": [{"value": "ann"}]}]), &["ann", "bob"]),
        (json!([{"op": "Remove", "path": "members", "value": [{"value": "ann"}]}]), &["bob"]),
        // Okta.
        (
            json!([{"op": "remove", "path": "members[value eq \"bob\"]"},
            {"op": "add", "path": "members", "value": [{"value": "eve", "display": "x",
                "$ref": "https://else.test/eve", "type": "User"}]}]),
            &["eve"],
        ),
        (json!([{"op": "replace", "value": {"id": "team", "displayName": "The team"}}]), &["eve"]),
        (json!([{"op": "replace", "path": "members", "value": [{"value": "ann"}]}]), &["ann"]),
        (
            json!([{"op": "add", "value": {"members": [{"value": "bob"}, {"value": "eve"}]}}]),
            &["ann", "bob", "eve"],
        ),
        (
            json!([{"op": "remove", "path": "members[value eq \"ann\" or value eq \"root\"]"}]),
            &["bob", "eve"],
        ),
        (json!([{"op": "remove", "path": "members"}]), &[]),
    ] {
        let changed = scim.patch("/Groups/team", &operations).await;
        assert_eq!(changed.status, 204, "{operations}: {changed:?}");
        assert_eq!(scim.members("team").await, members, "{operations}");
    }
    assert_eq!(scim.get("/Groups/team").await.json()["displayName"], "The team");
    let shown = scim
        .patch(
            "/Groups/team?attributes=displayName",
            &json!([{"op": "replace", "path": "displayName", "value": "T"}]),
        )
        .await;
    assert_eq!((shown.status.as_u16(), &shown.json()["displayName"]), (200, &json!("T")));
}

#[tokio::test]
async fn what_another_server_shows_of_members_is_taken_and_left_out() {
    let scim = Scim::start().await;
    let members =
        json!([{"value": "ann", "display": "Ann", "$ref": "../Users/ann", "type": "User"}]);
    let body = json!({"displayName": "team", "members": members});
    let made = scim.post("/Groups", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.json()["members"][0].get("display").is_none(), "{made:?}");
    assert_eq!(scim.put("/Groups/team", &body).await.status, 200);
    let replaced = json!([{"op": "replace", "path": "members",
        "value": [{"value": "bob", "DISPLAY": "Bob"}]}]);
    assert_eq!(scim.patch("/Groups/team", &replaced).await.status, 204);
    assert_eq!(scim.members("team").await, ["bob"]);
    let unknown = json!({"displayName": "other", "members": [{"value": "ann", "shoe": "9"}]});
    assert_error(&scim.post("/Groups", &unknown).await, 400, Some("invalidSyntax"));
}

#[tokio::test]
async fn what_cannot_be_a_member_changes_nothing() {
    let scim = Scim::start().await;
    for (operations, kind) in [
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "eve"}, {"value": "none"}]}]),
            "invalidValue",
        ),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "staff", "type": "Group"}]}]),
            "invalidValue",
        ),
        (json!([{"op": "add", "path": "members", "value": [{"type": "User"}]}]), "invalidValue"),
        (
            json!([{"op": "add", "path": "members", "value": [{"value": "eve"}]},
            {"op": "replace", "path": "displayName", "value": ""}]),
            "invalidValue",
        ),
        (json!([{"op": "remove", "path": "displayName"}]), "mutability"),
        (
            json!([{"op": "replace", "path": "members[value eq \"ann\"].value", "value": "eve"}]),
            "mutability",
        ),
        (json!([{"op": "remove", "path": "members[value sw \"a\"]"}]), "invalidFilter"),
        (json!([{"op": "add", "value": {"id": "other"}}]), "mutability"),
    ] {
        let refused = scim.patch("/Groups/guides", &operations).await;
        assert_error(&refused, 400, Some(kind));
        assert_eq!(scim.members("guides").await, ["ann", "bob"], "{operations}");
    }
    let absent = json!([{"op": "add", "path": "members", "value": [{"value": "eve"}]}]);
    assert_error(&scim.patch("/Groups/none", &absent).await, 404, None);
    assert_error(&scim.get("/Groups/none").await, 404, None);
}

#[tokio::test]
async fn whoever_is_in_a_deleted_group_is_in_none_and_one_of_its_name_has_no_members() {
    let scim = Scim::start().await;
    assert_eq!(scim.delete("/Groups/guides").await.status, 204);
    assert_eq!(scim.groups_of("ann").await, ["staff"]);
    assert_error(&scim.get("/Groups/guides").await, 404, None);
    assert_error(&scim.delete("/Groups/guides").await, 404, None);
    let made = scim.post("/Groups", &json!({"displayName": "guides"})).await.json();
    assert_eq!(text(&made, "id"), "guides");
    assert_eq!(scim.members("guides").await, [""; 0]);
    // By documents just so, and the group of administrators by nobody.
    let output = scim.castellan.cli(&["delete", "Group", "staff"]);
    assert!(output.status.success(), "{output:?}");
    assert_error(&scim.delete("/Groups/administrators").await, 403, None);
    let output = scim.castellan.cli(&["delete", "Group", "administrators"]);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(scim.groups_of("root").await, ["administrators"]);
    assert_eq!(scim.groups_of("ann").await, [""; 0]);
}

#[tokio::test]
async fn members_are_part_of_the_version_that_shows_them() {
    let scim = Scim::start().await;
    let tag = async |path: &str| scim.get(path).await.header("etag").unwrap().to_owned();
    let (with, without) =
        (tag("/Groups/guides").await, tag("/Groups/guides?excludedAttributes=members").await);
    assert_ne!(with, without);
    let ask = |method: Method, path: &str, name: &str, tag: &str| {
        Ask::new(method, &scim.at(path)).bearer(&scim.token).header(name, tag)
    };
    let known = ask(Method::GET, "/Groups/guides", "if-none-match", &with).send().await;
    assert_eq!(known.status, 304);
    let add =
        json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": "eve"}]}]});
    let added = ask(Method::PATCH, "/Groups/guides", "if-match", &with).json(&add).send().await;
    assert_eq!(added.status, 204, "{added:?}");
    let known = ask(Method::GET, "/Groups/guides", "if-none-match", &with).send().await;
    assert_eq!(known.status, 200, "another member is another answer");
    let stale = ask(Method::PATCH, "/Groups/guides", "if-match", &with).json(&add).send().await;
    assert_error(&stale, 412, None);
    let record = ask(Method::DELETE, "/Groups/guides", "if-match", &without).send().await;
    assert_eq!(record.status, 204, "{record:?}");
}

#[tokio::test]
async fn groups_are_found_by_name_and_by_member() {
    let scim = Scim::start().await;
    let made =
        json!({"displayName": "Night Shift", "externalId": "n-1", "members": [{"value": "eve"}]});
    scim.post("/Groups", &made).await;
    for (filter, expected) in [
        ("displayName eq \"night shift\"", &["night-shift"][..]),
        ("externalId eq \"n-1\"", &["night-shift"]),
        ("externalId eq \"N-1\"", &[]),
        ("members eq \"ann\"", &["guides", "staff"]),
        ("members.value eq \"ann\" and displayName sw \"g\"", &["guides"]),
        ("members[value eq \"eve\"]", &["night-shift"]),
        ("members eq \"eve\" or displayName eq \"guides\"", &["guides", "night-shift"]),
        ("members ne \"ann\"", &["administrators", "night-shift"]),
        ("id eq \"staff\"", &["staff"]),
        ("displayName co \"shift\"", &["night-shift"]),
    ] {
        let query = [("filter", filter), ("sortBy", "displayName")];
        assert_eq!(scim.found("/Groups", &query).await, expected, "{filter}");
    }
    for filter in ["members co \"a\"", "members pr", "members.type eq \"User\""] {
        let refused = scim.get(&with_query("/Groups", &[("filter", filter)])).await;
        assert_error(&refused, 400, Some("invalidFilter"));
    }
}
