//! What the API says about itself, and whom it answers.

use http::Method;
use serde_json::{Value, json};

use super::support::{ENTERPRISE, GROUP, PEOPLE, RULES, Scim, USER, assert_error, ids};
use crate::support::{
    castellan::{Castellan, Plan},
    wire::Ask,
};

#[tokio::test]
async fn discovery_says_what_there_is() {
    let scim = Scim::start().await;
    let config = scim.get("/ServiceProviderConfig").await;
    assert_eq!(config.header("content-type"), Some("application/scim+json"));
    let config = config.json();
    for feature in ["patch", "bulk", "filter", "sort", "etag", "changePassword"] {
        assert_eq!(config[feature]["supported"], true, "{feature}");
    }
    assert_eq!(config["authenticationSchemes"][0]["type"], "oauthbearertoken");
    assert_eq!(ids(&scim.get("/Schemas").await.json()), [USER, ENTERPRISE, GROUP]);
    assert_eq!(ids(&scim.get("/ResourceTypes").await.json()), ["User", "Group"]);
    let user = scim.get(&format!("/Schemas/{USER}")).await.json();
    let named = |name: &str| {
        let all = user["attributes"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).cloned().unwrap()
    };
    assert_eq!(named("userName")["uniqueness"], "server");
    assert_eq!(named("password")["returned"], "never");
    assert_eq!(named("groups")["mutability"], "readOnly");
    assert_error(&scim.get("/Schemas/none").await, 404, None);
    assert_error(&scim.get("/Shoes").await, 404, None);
    assert_error(&scim.get("/Me").await, 501, None);
    assert_error(&scim.post("/Schemas", &json!({})).await, 405, None);
    assert_error(&scim.get("/Schemas?filter=name%20pr").await, 403, None);
}

#[tokio::test]
async fn every_path_below_the_base_answers_as_scim_and_says_its_methods() {
    let scim = Scim::start().await;
    let all = scim.get("").await;
    assert_eq!((all.status.as_u16(), ids(&all.json())), (200, ids(&scim.get("/").await.json())));
    for path in ["/Shoes", "/Shoes/", "/Users/ann/emails", "/Schemas/x/y", "/Bulk/x"] {
        assert_error(&scim.get(path).await, 404, None);
        assert_error(&scim.send(Method::OPTIONS, path, &Value::Null).await, 404, None);
    }
    for (method, path, allow) in [
        (Method::DELETE, "/Users", "GET, HEAD, POST"),
        (Method::POST, "/Groups/guides", "GET, HEAD, PUT, PATCH, DELETE"),
        (Method::GET, "/Bulk", "POST"),
        (Method::GET, "/.search", "POST"),
        (Method::DELETE, "/Schemas", "GET, HEAD"),
        (Method::DELETE, "/ServiceProviderConfig", "GET, HEAD"),
        (Method::DELETE, "/", "GET, HEAD"),
    ] {
        let refused = scim.send(method, path, &Value::Null).await;
        assert_error(&refused, 405, None);
        assert_eq!(refused.header("allow"), Some(allow), "{path}");
    }
    let methods = scim.send(Method::OPTIONS, "/Users", &Value::Null).await;
    assert_eq!((methods.status.as_u16(), methods.header("allow")), (200, Some("GET, HEAD, POST")));
}

#[tokio::test]
async fn user_names_are_immutable_unless_they_can_be_changed() {
    let rules = RULES.replace("allow_username_updates = true", "");
    let scim = Scim::with(&rules, "").await;
    let user = scim.get(&format!("/Schemas/{USER}")).await.json();
    let all = user["attributes"].as_array().unwrap();
    let name = all.iter().find(|one| one["name"] == "userName").unwrap();
    assert_eq!(name["mutability"], "immutable");
    let change = json!([{"op": "replace", "path": "userName", "value": "other"}]);
    assert_error(&scim.patch("/Users/ann", &change).await, 400, Some("mutability"));
    let same = json!([{"op": "replace", "path": "userName", "value": "Ann"}]);
    assert_eq!(scim.patch("/Users/ann", &same).await.status, 200);
}

#[tokio::test]
async fn strangers_are_told_nothing_and_without_a_manager_nobody_is() {
    let plan = Plan { documents: PEOPLE.to_owned(), ..Plan::default() };
    let castellan = Castellan::start(plan).await;
    let token = super::support::provisioning_token(&castellan).await;
    for path in ["/Users", "/Users/ann", "/Users/none", "/ServiceProviderConfig", "/Shoes", "/Bulk"]
    {
        let url = castellan.at(&format!("/scim/v2{path}"));
        let anonymous = Ask::get(&url).send().await;
        assert_error(&anonymous, 401, None);
        assert_eq!(
            anonymous.header("www-authenticate"),
            Some("Bearer realm=\"default\""),
            "{path}"
        );
        let invalid = Ask::get(&url).bearer("no-such-token").send().await;
        assert_error(&invalid, 401, None);
        let nobody = Ask::get(&url).bearer(&token).send().await;
        assert_error(&nobody, 403, None);
        assert_eq!(nobody.body, Ask::get(&url).bearer(&token).send().await.body);
    }
}

#[tokio::test]
async fn bodies_are_json_of_a_bounded_size_and_read_strictly() {
    let scim = Scim::start().await;
    let url = scim.at("/Users");
    let send = async |media_type: &str, body: &str| {
        let ask = Ask::post(&url).bearer(&scim.token);
        ask.body(media_type, body.to_owned()).send().await
    };
    assert_error(&send("text/plain", "{}").await, 415, None);
    assert_error(&send("application/json", "{").await, 400, Some("invalidSyntax"));
    let twice = r#"{"userName": "a", "userName": "b"}"#;
    assert_error(&send("application/json", twice).await, 400, Some("invalidSyntax"));
    let cased = r#"{"userName": "a", "username": "b"}"#;
    assert_error(&send("application/json", cased).await, 400, Some("invalidSyntax"));
    let unknown = r#"{"userName": "a", "shoeSize": "9"}"#;
    assert_error(&send("application/json", unknown).await, 400, Some("invalidSyntax"));
    let schemas = r#"{"schemas": ["urn:x"], "userName": "a"}"#;
    assert_error(&send("application/json", schemas).await, 400, Some("invalidSyntax"));
    let large = format!("{{\"userName\": \"{}\"}}", "x".repeat(1_100_000));
    assert_error(&send("application/scim+json", &large).await, 413, None);
    let of_scim = send("application/scim+json; charset=utf-8", r#"{"userName": "new"}"#).await;
    assert_eq!(of_scim.status, 201, "{of_scim:?}");
    assert_error(&scim.send(Method::DELETE, "/Users", &Value::Null).await, 405, None);
    assert_error(&scim.get("/Users?shoe=9").await, 400, Some("invalidValue"));
}
