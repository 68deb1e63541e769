//! A server with people and apps that manage them.

use http::Method;
use serde_json::{Value, json};

use crate::{
    management::support::token_at,
    support::{
        castellan::{Castellan, Plan},
        fixtures::text,
        wire::{Answer, Ask},
    },
};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
pub const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Whoever has the scope `scim` may do everything with it that the rules of the data allow; `reader`
/// may read.
pub const RULES: &str = r#"
[management]
allow_username_updates = true
[management.scim.scopes]
read = ["scim", "reader"]
write = ["scim", "writer"]
"#;

/// `provisioning` is an administrator of Castellan; `desk` has people, of whom each is in the group that
/// is called as they are.
pub const PEOPLE: &str = r#"
resourceType: Client
id: provisioning
secret: s3cr3t-provisioning
grant_types: [client_credentials]
scope: [scim, "Castellan:*"]
---
resourceType: Client
id: desk
secret: s3cr3t-desk
first_party: true
grant_types: [password]
scope: [scim, reader, writer, groups, "Castellan:*"]
auth: {password: {token_format: opaque}}
---
{resourceType: User, id: root, userName: root, password: pw-root, groups: [{value: administrators}]}
---
{resourceType: User, id: staff, userName: staff, password: pw-staff, groups: [{value: staff}]}
---
resourceType: User
id: ann
userName: Ann
password: pw-ann
externalId: x-1
emails: [{value: ann@example.org, type: work}]
groups: [{value: guides}, {value: staff}]
---
{resourceType: User, id: bob, userName: bob, password: pw-bob, groups: [{value: guides}]}
---
{resourceType: User, id: eve, userName: eve, password: pw-eve}
"#;

/// The API, with the token of somebody.
pub struct Scim {
    pub castellan: Castellan,
    pub token: String,
}

impl Scim {
    /// With the token of `provisioning`.
    pub async fn start() -> Self {
        Self::with(RULES, "").await
    }

    /// The same with `rules` and more `documents`.
    pub async fn with(rules: &str, documents: &str) -> Self {
        let plan = Plan {
            config: rules.to_owned(),
            documents: format!("{PEOPLE}{documents}"),
            ..Plan::default()
        };
        let castellan = Castellan::start(plan).await;
        let token = provisioning_token(&castellan).await;
        Self { castellan, token }
    }

    /// The token of the person called `name` at `desk`.
    pub async fn token_of(&self, name: &str, scope: &str) -> String {
        token_at(&self.castellan, "desk", name, scope).await
    }

    pub fn at(&self, path: &str) -> String {
        self.castellan.at(&format!("/scim/v2{path}"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Ask::get(&self.at(path)).bearer(&self.token).send().await
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send_by(&self.token, method, path, body).await
    }

    pub async fn send_by(&self, token: &str, method: Method, path: &str, body: &Value) -> Answer {
        let ask = Ask::new(method, &self.at(path)).bearer(token);
        if body.is_null() {
            return ask.send().await;
        }
        ask.body("application/scim+json", body.to_string()).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, body).await
    }

    pub async fn patch(&self, path: &str, operations: &Value) -> Answer {
        self.send(Method::PATCH, path, &patch(operations)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &Value::Null).await
    }

    /// The resources that `query` finds, by their ids.
    pub async fn found(&self, kind: &str, query: &[(&str, &str)]) -> Vec<String> {
        let answer = self.get(&with_query(kind, query)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        ids(&answer.json())
    }

    /// The ids of the members of `group`.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let answer = self.get(&format!("/Groups/{group}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let members = answer.json()["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| text(member, "value").to_owned()).collect()
    }

    /// The groups of the account `id`, as the account says.
    pub async fn groups_of(&self, id: &str) -> Vec<String> {
        let user = self.get(&format!("/Users/{id}")).await.json();
        let groups = user["groups"].as_array().cloned().unwrap_or_default();
        groups.iter().map(|group| text(group, "value").to_owned()).collect()
    }
}

/// A token of `provisioning`.
pub async fn provisioning_token(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "provisioning"),
        ("client_secret", "s3cr3t-provisioning"),
        ("scope", "scim Castellan:*"),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

pub fn patch(operations: &Value) -> Value {
    json!({"schemas": [PATCH], "Operations": operations})
}

pub fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// The ids in a list.
pub fn ids(list: &Value) -> Vec<String> {
    let resources = list["Resources"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    resources.iter().map(|one| text(one, "id").to_owned()).collect()
}

/// Asserts that `answer` is an error of SCIM.
#[track_caller]
pub fn assert_error(answer: &Answer, status: u16, kind: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{answer:?}");
    let body = answer.json();
    assert_eq!(body["schemas"], json!([ERROR]), "{answer:?}");
    assert_eq!(body["status"], json!(status.to_string()), "a text: {answer:?}");
    assert_eq!(body["scimType"].as_str(), kind, "{answer:?}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:?}");
}
