//! Many operations in one request (RFC 7644 §3.7).

use http::Method;
use serde_json::{Value, json};

use super::support::{BULK, Scim, assert_error};

fn bulk(operations: &Value) -> Value {
    json!({"schemas": [BULK], "Operations": operations})
}

fn statuses(body: &Value) -> Vec<&str> {
    body["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn operations_refer_to_what_others_made_whatever_their_order() {
    let scim = Scim::start().await;
    let operations = json!([
        {"method": "POST", "path": "/Groups", "bulkId": "team",
            "data": {"displayName": "team", "members": [{"value": "bulkId:new"}, {"value": "ann"}]}},
        {"method": "POST", "path": "/Users", "bulkId": "new", "data": {"userName": "new"}},
        {"method": "patch", "path": "/Users/bulkId:new",
            "data": {"Operations": [{"op": "add", "path": "title", "value": "t"}]}},
        {"method": "PUT", "path": "/Users/bob", "data": {"userName": "bob", "title": "b"}},
        {"method": "DELETE", "path": "/Users/eve"},
    ]);
    let answer = scim.post("/Bulk", &bulk(&operations)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(statuses(&body), ["201", "201", "200", "200", "204"], "{body}");
    let results = body["Operations"].as_array().unwrap();
    assert_eq!((&results[1]["method"], &results[1]["bulkId"]), (&json!("POST"), &json!("new")));
    let location = results[1]["location"].as_str().unwrap();
    let id = location.rsplit('/').next().unwrap();
    assert!(results[1]["version"].as_str().unwrap().starts_with("W/\""));
    let user = scim.get(&format!("/Users/{id}")).await.json();
    assert_eq!((&user["title"], &user["groups"][0]["value"]), (&json!("t"), &json!("team")));
    assert_eq!(scim.get("/Users/bob").await.json()["title"], "b");
    assert_error(&scim.get("/Users/eve").await, 404, None);
}

#[tokio::test]
async fn each_operation_fails_by_itself_and_enough_failures_end_it() {
    let scim = Scim::start().await;
    let operations = json!([
        {"method": "POST", "path": "/Users", "data": {"userName": "x"}},
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "ann"}},
        {"method": "DELETE", "path": "/Users/none"},
        {"method": "PATCH", "path": "/Users/bulkId:1", "data": {"Operations": []}},
        {"method": "GET", "path": "/Users/ann"},
        {"method": "POST", "path": "/Bulk", "bulkId": "2", "data": {}},
        {"method": "DELETE", "path": "/Users/bob", "version": "W/\"1-0\""},
        {"method": "POST", "path": "/Users", "bulkId": "3", "data": {"userName": "last"}},
    ]);
    let body = scim.post("/Bulk", &bulk(&operations)).await.json();
    let expected = ["400", "409", "404", "409", "400", "400", "412", "201"];
    assert_eq!(statuses(&body), expected, "{body}");
    assert_eq!(body["Operations"][1]["response"]["scimType"], "uniqueness");
    let location = |at: usize| body["Operations"][at]["location"].as_str().map(ToOwned::to_owned);
    assert_eq!(location(2), Some(scim.at("/Users/none")), "{body}");
    assert_eq!(location(6), Some(scim.at("/Users/bob")));
    assert_eq!((location(1), location(3), location(5)), (None, None, None));
    let mut few = bulk(&operations);
    few["failOnErrors"] = json!(2);
    few["Operations"][7]["data"]["userName"] = json!("later");
    let body = scim.post("/Bulk", &few).await.json();
    assert_eq!(statuses(&body).len(), 2, "{body}");
    assert_eq!(scim.found("/Users", &[("filter", "userName eq \"later\"")]).await, [""; 0]);
    let circle = json!([
        {"method": "POST", "path": "/Groups", "bulkId": "a", "data": {"displayName": "bulkId:b"}},
        {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"displayName": "bulkId:a"}},
    ]);
    let body = scim.post("/Bulk", &bulk(&circle)).await.json();
    assert_eq!(statuses(&body), ["409", "409"], "{body}");
}

#[tokio::test]
async fn a_bulk_request_is_bounded() {
    let scim = Scim::start().await;
    let one = json!({"method": "DELETE", "path": "/Users/none"});
    let many = Value::Array(vec![one; 1_001]);
    assert_error(&scim.post("/Bulk", &bulk(&many)).await, 413, None);
    let twice = json!([
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "x"}},
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "y"}},
    ]);
    assert_error(&scim.post("/Bulk", &bulk(&twice)).await, 400, Some("invalidSyntax"));
    assert_error(&scim.post("/Bulk", &json!({})).await, 400, Some("invalidSyntax"));
    assert_error(&scim.send(Method::GET, "/Bulk", &Value::Null).await, 405, None);
}
