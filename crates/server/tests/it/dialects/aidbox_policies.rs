//! `docs/contracts/aidbox.md` §8 and §12 items 33 and 41: policies about people at resources.

use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::{Asking, DOCUMENTS, PORTAL, text},
    wire::{Answer, Ask},
};

/// What an app and a person need in order to read people, besides a policy.
const MORE: &str = r#"
---
resourceType: Client
id: portal
name: The portal
secret: s3cr3t-portal
first_party: true
grant_types: [code]
scope: [openid, "Castellan:*"]
auth:
  authorization_code: {redirect_uri: https://portal.test/cb, secret_required: true, token_format: jwt}
---
{resourceType: User, id: root, userName: root, password: pw-root, groups: [{value: administrators}]}
---
resourceType: Client
id: checker
secret: s3cr3t-checker
grant_types: [client_credentials]
scope: ["Castellan:AccessPolicy:Test"]
"#;

pub(super) struct Stage {
    pub(super) castellan: Castellan,
    /// Ann's, through `portal`.
    ann: String,
    /// An administrator's, through `portal`.
    pub(super) root: String,
}

impl Stage {
    pub(super) async fn begin() -> Self {
        let others = DOCUMENTS.split("---").filter(|document| !document.contains("id: portal"));
        let others = others.collect::<Vec<_>>().join("---");
        let castellan = Castellan::with_documents(&format!("{others}{MORE}")).await;
        let ann = token_of(&castellan, ("ann", "pw-ann"), "Castellan:User:Read").await;
        let root = token_of(&castellan, ("root", "pw-root"), "Castellan:*").await;
        Self { castellan, ann, root }
    }

    pub(super) async fn read(&self, path: &str) -> Answer {
        Ask::get(&self.castellan.at(path)).bearer(&self.ann).send().await
    }

    pub(super) async fn put(&self, id: &str, policy: &Value) -> Answer {
        let url = self.castellan.at(&format!("/AccessPolicy/{id}"));
        Ask::new(http::Method::PUT, &url).bearer(&self.root).json(policy).send().await
    }

    pub(super) async fn put_policy(&self, id: &str, policy: &Value) {
        let answer = self.put(id, policy).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    pub(super) async fn delete(&self, id: &str) {
        let url = self.castellan.at(&format!("/AccessPolicy/{id}"));
        let answer = Ask::new(http::Method::DELETE, &url).bearer(&self.root).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

async fn token_of(castellan: &Castellan, person: (&str, &str), scope: &str) -> String {
    let mut browser = Browser::default();
    let asking = Asking::portal().with("scope", scope);
    let start = browser.get(&asking.at(castellan)).await;
    let answer = browser.sign_in(castellan, &start, person).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("{answer:?}"));
    let tokens = castellan.redeem(&code, &PORTAL).await.json();
    text(&tokens, "access_token").to_owned()
}

pub(super) fn assert_forbidden(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    let expected = json!({
        "resourceType": "OperationOutcome", "id": "forbidden",
        "text": {"status": "generated", "div": "Forbidden"},
        "issue": [{"severity": "fatal", "code": "forbidden", "diagnostics": "Forbidden"}],
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn aidbox_33_without_a_policy_nothing_is_allowed_and_a_link_that_fits_is_enough() {
    let stage = Stage::begin().await;
    assert_forbidden(&stage.read("/User/ann").await);
    for link in [
        json!({"resourceType": "User", "id": "ann"}),
        json!({"reference": "User/ann"}),
        json!({"resourceType": "Client", "id": "portal"}),
        json!({"resourceType": "Operation", "id": "Query:User:Get"}),
    ] {
        stage.put_policy("p", &json!({"engine": "allow", "link": [link]})).await;
        let answer = stage.read("/User/ann").await;
        assert_eq!(answer.status, 200, "{link}: {answer:?}");
        assert_eq!(answer.json()["id"], "ann");
        stage.delete("p").await;
        assert_forbidden(&stage.read("/User/ann").await);
    }
    for link in [
        json!({"resourceType": "User", "id": "bob"}),
        json!({"resourceType": "Client", "id": "spa"}),
        json!({"resourceType": "Operation", "id": "Query:User:List"}),
    ] {
        stage.put_policy("p", &json!({"engine": "allow", "link": [link]})).await;
        assert_forbidden(&stage.read("/User/ann").await);
    }
}

#[tokio::test]
async fn aidbox_41_a_path_that_is_missing_never_matches() {
    let stage = Stage::begin().await;
    let policy = json!({"engine": "matcho", "matcho": {"params": {"owner": ".user.missing"}}});
    stage.put_policy("p", &policy).await;
    assert_forbidden(&stage.read("/User").await);
    assert_forbidden(&stage.read("/User/ann").await);
    let policy = json!({"engine": "matcho", "matcho": {"params": {"resource/id": ".user.id"}}});
    stage.put_policy("p", &policy).await;
    assert_eq!(stage.read("/User/ann").await.status, 200, "her own record");
    assert_forbidden(&stage.read("/User/root").await);
    assert_forbidden(&stage.read("/User").await);
}

#[tokio::test]
async fn a_policy_can_be_for_a_role_alone() {
    let stage = Stage::begin().await;
    let role = json!({"scope": ["Query:*"], "groups": ["readers"], "users": ["bob"]});
    let role_url = stage.castellan.at("/Role/reading");
    let put = async |role: &Value| {
        let ask = Ask::new(http::Method::PUT, &role_url).bearer(&stage.root);
        let answer = ask.json(role).send().await;
        assert!(answer.status.is_success(), "{answer:?}");
    };
    put(&role).await;
    for policy in [
        json!({"engine": "allow", "roleName": "reading"}),
        json!({"engine": "allow", "link": [{"resourceType": "Role", "id": "reading"}]}),
        json!({"engine": "matcho", "matcho": {"role": {"$contains": "reading"}}}),
    ] {
        stage.put_policy("p", &policy).await;
        assert_forbidden(&stage.read("/User/ann").await);
        put(&json!({"scope": ["Query:*"], "users": ["ann"]})).await;
        assert_eq!(stage.read("/User/ann").await.status, 200, "{policy}");
        put(&role).await;
        assert_forbidden(&stage.read("/User/ann").await);
    }
}

/// `docs/contracts/aidbox.md` §11a: a policy adds nothing to what an app was granted.
#[tokio::test]
async fn a_missing_scope_is_refused_before_policies_are_asked() {
    let stage = Stage::begin().await;
    stage.put_policy("p", &json!({"engine": "allow"})).await;
    assert_eq!(stage.read("/User/ann").await.status, 200);
    assert_forbidden(&stage.read("/Client/portal").await);
    let url = stage.castellan.at("/User/ann");
    let body = json!({"userName": "ann", "groups": [{"value": "administrators"}]});
    let narrow = Ask::new(http::Method::PUT, &url).bearer(&stage.ann).json(&body).send().await;
    assert_forbidden(&narrow);
    // A token with every right: policies open reading, and no more.
    let wide = token_of(&stage.castellan, ("ann", "pw-ann"), "Castellan:*").await;
    let answer = Ask::new(http::Method::PUT, &url).bearer(&wide).json(&body).send().await;
    assert_forbidden(&answer);
    let answer = Ask::new(http::Method::DELETE, &url).bearer(&wide).send().await;
    assert_forbidden(&answer);
    let answer = Ask::get(&url).send().await;
    assert_eq!(answer.status, 401, "nobody is nobody, whatever policies say: {answer:?}");
}

#[tokio::test]
async fn a_policy_that_cannot_be_enforced_is_refused_and_changes_nothing() {
    let stage = Stage::begin().await;
    for (policy, problem) in [
        (json!({"engine": "sql", "sql": {"query": "select true"}}), "sql"),
        (json!({"engine": "sql"}), "engine must be one of allow, matcho, json-schema, complex"),
        (json!({"engine": "matcho", "matcho": {}}), "matcho must be an object that is not empty"),
        (
            json!({"engine": "allow", "link": [{"resourceType": "Organization", "id": "x"}]}),
            "link[0]",
        ),
        (json!({"engine": "allow", "roleName": "x", "rpc": {}}), "unknown field"),
        (json!({"link": [{"resourceType": "User", "id": "ann"}]}), "engine"),
        (json!({"engine": "allow", "link": []}), "link must not be empty"),
    ] {
        let answer = stage.put("p", &policy).await;
        assert_eq!(answer.status, 422, "{policy}: {answer:?}");
        assert!(answer.body.contains(problem), "{policy}: {answer:?}");
    }
    assert_forbidden(&stage.read("/User/ann").await);
}

/// `docs/security-cases.md` row 24: whoever may read may not test, and testing runs no code.
#[tokio::test]
async fn case_24_testing_a_policy_needs_a_right_of_its_own() {
    let stage = Stage::begin().await;
    let body = json!({
        "policy": {"engine": "matcho", "link": [{"resourceType": "User", "id": "ann"}],
                   "matcho": {"uri": "#Note", "user": {"id": "ann"}}},
        "request": {"uri": "/Note/1", "user": {"id": "ann"}},
    });
    let test = stage.castellan.at("/auth/test-policy");
    let matcho = stage.castellan.at("/$matcho");
    for url in [&test, &matcho] {
        assert_forbidden(&Ask::post(url).bearer(&stage.ann).json(&body).send().await);
        assert_eq!(Ask::post(url).json(&body).send().await.status, 401);
    }
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "checker"),
        ("client_secret", "s3cr3t-checker"),
    ];
    let checker = stage.castellan.token(&pairs).await.json();
    let checker = text(&checker, "access_token");
    let ask =
        async |url: &str, body: &Value| Ask::post(url).bearer(checker).json(body).send().await;
    let said = ask(&test, &body).await;
    assert_eq!(said.status, 200, "{said:?}");
    assert_eq!(said.json()["eval-result"], true);
    assert!(said.json()["warnings"][0].as_str().unwrap().contains("anchored at neither end"));
    let mut other = body.clone();
    other["request"]["user"]["id"] = json!("bob");
    let said = ask(&test, &other).await.json();
    assert_eq!(said["eval-result"], false);
    assert!(said["explanation"].as_str().unwrap().contains("linked to no user"), "{said}");
    other = body.clone();
    other["request"]["uri"] = json!("/Task/1");
    let said = ask(&test, &other).await.json();
    assert_eq!(said["explanation"], "uri: expected a match of #Note");
    let pattern = json!({"matcho": {"a": {"b": "present?"}}, "resource": {"a": {}}});
    let said = ask(&matcho, &pattern).await;
    assert_eq!(said.status, 200, "{said:?}");
    assert_eq!(said.json()["matches"], false);
    assert_eq!(said.json()["errors"], json!([{"path": "a.b", "expected": "a value (present?)"}]));
    for (url, body) in [
        (&test, json!({"policy": {"engine": "allow"}})),
        (&test, json!({"policy": {"engine": "clj", "clj": "(fn [r] true)"}, "request": {}})),
        (&matcho, json!({"matcho": {"a": "#("}, "resource": {}})),
        (&matcho, json!({"matcho": {"a": 1}, "resource": {}, "more": 1})),
    ] {
        let answer = ask(url, &body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
    }
    // The right to test is no right to read.
    let answer = Ask::get(&stage.castellan.at("/User/ann")).bearer(checker).send().await;
    assert_forbidden(&answer);
}
