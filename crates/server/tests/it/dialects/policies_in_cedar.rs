//! Policies of the engine `cedar`, at resources and where they are tried out (`docs/cedar.md`).

use serde_json::{Value, json};

use super::aidbox_policies::{Stage, assert_forbidden};
use crate::support::{
    castellan::Castellan,
    fixtures::text,
    wire::{Answer, Ask},
};

const OWN: &str = r#"
@id("own-record")
permit (principal is User, action == Action::"Query:User:Get", resource is Resource)
when { resource has id && resource.kind == "User" && resource.id == principal.id };
"#;

fn cedar(text: &str) -> Value {
    json!({"engine": "cedar", "cedar": text})
}

/// Who may test policies, and nothing else.
async fn checker(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "checker"),
        ("client_secret", "s3cr3t-checker"),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

#[tokio::test]
async fn people_may_read_what_a_policy_permits() {
    let stage = Stage::begin().await;
    stage.put_policy("own", &cedar(OWN)).await;
    assert_eq!(stage.read("/User/ann").await.status, 200);
    assert_eq!(stage.read("/fhir/User/ann").await.status, 200);
    assert_forbidden(&stage.read("/User/root").await);
    assert_forbidden(&stage.read("/User").await);
    let shown = Ask::get(&stage.castellan.at("/AccessPolicy/own")).bearer(&stage.root).send().await;
    assert_eq!(shown.json()["cedar"], OWN, "as it was written: {shown:?}");
}

#[tokio::test]
async fn what_one_policy_forbids_no_other_allows() {
    let stage = Stage::begin().await;
    stage.put_policy("all", &json!({"engine": "allow"})).await;
    let forbid = "forbid (principal == User::\"ann\", action, resource == Resource::\"User/ann\");";
    for id in ["a-before", "z-after"] {
        stage.put_policy(id, &cedar(forbid)).await;
        assert_forbidden(&stage.read("/User/ann").await);
        assert_eq!(stage.read("/User/root").await.status, 200, "another resource");
        stage.delete(id).await;
        assert_eq!(stage.read("/User/ann").await.status, 200);
    }
    // A link says about whom it is asked, and so does a role.
    for (link, status) in [("User/ann", 403), ("User/bob", 200), ("Client/portal", 403)] {
        let mut policy = cedar("forbid (principal, action, resource);");
        policy["link"] = json!([{"reference": link}]);
        stage.put_policy("linked", &policy).await;
        assert_eq!(stage.read("/User/ann").await.status, status, "{link}");
    }
    let mut policy = cedar("forbid (principal, action, resource);");
    policy["roleName"] = json!("nobody-has-it");
    stage.put_policy("linked", &policy).await;
    assert_eq!(stage.read("/User/ann").await.status, 200);
}

/// What would permit or forbid by the arguments of a field does so at no resource, which has none.
#[tokio::test]
async fn a_forbid_that_cannot_be_evaluated_forbids() {
    let stage = Stage::begin().await;
    stage.put_policy("all", &json!({"engine": "allow"})).await;
    for (effect, scope, status) in [
        ("forbid", "principal, action, resource", 403),
        ("forbid", "principal, action in Action::\"Mutation\", resource", 200),
        ("permit", "principal, action, resource", 200),
    ] {
        let text = format!("{effect}({scope}) when {{ context.arguments.id == \"7\" }};");
        let policy = json!({"engine": "cedar", "cedar": text, "arguments": {"id": "String"}});
        stage.put_policy("by-arguments", &policy).await;
        assert_eq!(stage.read("/User/ann").await.status, status, "{text}");
    }
    stage.delete("all").await;
    assert_forbidden(&stage.read("/User/ann").await);
}

#[tokio::test]
async fn what_the_schema_does_not_know_is_refused_with_its_place() {
    let stage = Stage::begin().await;
    let deep = format!("permit(principal, action, resource) when {{ {}true }};", "(".repeat(9_000));
    for (policy, problem) in [
        (
            cedar("permit(principal, action, resource) when { principal.age > 7 };"),
            "cedar: line 1, column 44: ",
        ),
        (cedar("permit(principal,\n\naction, resource) when };"), "cedar: line 3, column 24: "),
        (cedar("permit(principal == ?principal, action, resource);"), "templates"),
        (cedar(&deep), "nested deeper than 24 levels"),
        (cedar(""), "at least one policy"),
        (json!({"engine": "cedar"}), "cedar is missing"),
        (json!({"engine": "allow", "cedar": OWN}), "cedar has an effect with engine: cedar only"),
        (json!({"engine": "allow", "arguments": {"a": "Long"}}), "arguments has an effect with"),
        (json!({"engine": "cedar", "cedar": OWN, "arguments": {"a": "Long"}}), "arguments has an"),
        (json!({"engine": "complex", "or": [cedar(OWN)]}), "or[0].engine: cedar must not be part"),
        (json!({"engine": "cedar", "cedar": {"a": 1}}), "cedar"),
    ] {
        let answer = stage.put("p", &policy).await;
        assert_eq!(answer.status, 422, "{policy}: {answer:?}");
        assert!(answer.json().to_string().contains(problem), "{policy}: {answer:?}");
    }
    assert_forbidden(&stage.read("/User/ann").await);
}

#[tokio::test]
async fn a_policy_is_tried_out_with_what_decided() {
    let stage = Stage::begin().await;
    let checker = checker(&stage.castellan).await;
    let url = stage.castellan.at("/auth/test-policy");
    let ask = async |policy: &Value, request: &Value| -> Answer {
        let body = json!({"policy": policy, "request": request});
        Ask::post(&url).bearer(&checker).json(&body).send().await
    };
    let mut request = json!({
        "request-method": "get", "uri": "/User/ann", "operation": {"id": "Query:User:Get"},
        "params": {"resource/type": "User", "resource/id": "ann"}, "user": {"id": "ann"},
    });
    let said = ask(&cedar(OWN), &request).await.json();
    let cedar_said = json!({"decision": "permit", "policies": ["own-record"], "errors": []});
    assert_eq!(said["eval-result"], true);
    assert_eq!(said["cedar"], cedar_said);
    request["user"]["id"] = json!("bob");
    let said = ask(&cedar(OWN), &request).await.json();
    assert_eq!((&said["eval-result"], &said["cedar"]["decision"]), (&json!(false), &json!("none")));
    assert_eq!(said["explanation"], "no policy permits it");
    let text = format!("{OWN} @id(\"closed\") forbid (principal, action, resource);");
    let said = ask(&cedar(&text), &request).await.json();
    assert_eq!(said["explanation"], "forbidden by closed");
    assert_eq!(said["cedar"]["policies"], json!(["closed"]));
    let text =
        "permit (principal, action, resource) when { principal is Client && principal is User };";
    let said = ask(&cedar(text), &request).await.json();
    assert_eq!(said["warnings"].as_array().map(Vec::len), Some(1), "{said}");
    // It says what is missing of the request, too.
    let said = ask(&cedar(OWN), &json!({"user": {"id": "ann"}})).await.json();
    assert_eq!(said["explanation"], "the request has no operation.id");
    let refused = ask(&cedar("permit (principal, action)"), &request).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("policy: cedar: line 1, column"), "{refused:?}");
}

/// The example of `docs/cedar.md`, applied as it stands.
#[tokio::test]
async fn editors_may_change_what_they_own() {
    let stage = Stage::begin().await;
    let example = include_str!("../../../../../examples/policies/editors.yaml");
    let applied = stage.castellan.cli_with(&["apply", "-f", "-"], example);
    assert!(applied.status.success(), "{applied:?}");
    let policy = Ask::get(&stage.castellan.at("/AccessPolicy/editors")).bearer(&stage.root);
    let mut policy = policy.send().await.json();
    policy.as_object_mut().unwrap().shift_remove("meta");
    let checker = checker(&stage.castellan).await;
    let url = stage.castellan.at("/auth/test-policy");
    let ask = async |group: &str, operation: &str, owner: Value, more: Value| {
        let mut request = json!({
            "guard": {"name": "shop"}, "site": {"id": "main"}, "remote-addr": "10.1.2.3",
            "operation": {"id": operation}, "arguments": {"input": {"owner": owner}},
            "user": {"id": "ann", "groups": [{"value": group}]}, "fields": ["Order.id"],
        });
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        let body = json!({"policy": policy, "request": request});
        let answer = Ask::post(&url).bearer(&checker).json(&body).send().await.json();
        (answer["eval-result"] == true, answer["cedar"]["policies"].clone())
    };
    let (update, none) = ("Mutation:Order:Update", json!({}));
    let said = ask("editors", update, json!("ann"), none.clone()).await;
    assert_eq!(said, (true, json!(["editors-change-their-own"])));
    assert_eq!(ask("editors", update, json!("bob"), none.clone()).await, (false, json!([])));
    assert_eq!(ask("readers", update, json!("ann"), none.clone()).await, (false, json!([])));
    assert_eq!(ask("editors", update, json!(7), none.clone()).await, (false, json!([])));
    let delete = ask("editors", "Mutation:Order:Delete", json!("ann"), none.clone()).await;
    assert_eq!(delete, (false, json!([])));
    let outside = json!({"remote-addr": "203.0.113.7"});
    let said = ask("editors", update, json!("ann"), outside).await;
    assert_eq!(said, (false, json!(["no-writing-from-outside"])));
    let query = "Query:Order:Get";
    assert!(ask("readers", query, json!("ann"), none).await.0);
    let email = json!({"fields": ["Order.id", "User.email"]});
    assert!(!ask("readers", query, json!("ann"), email.clone()).await.0);
    let said = ask("editors", update, json!("ann"), email.clone()).await;
    assert_eq!(said, (false, json!(["addresses-are-for-support"])), "by way of what they change");
    assert!(ask("support", query, json!("ann"), email).await.0);
}
