//! The rules of `docs/contracts/curity.md` §7.4.

use serde_json::{Value, json};

use super::{super::*, HELD, map, minimal, with};

/// What is written over a client that is good, and the attribute that is wrong then.
#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<(Value, &'static str)> {
    let jwt = |signing: Value| json!({"assertion": {"jwt": {"signing": signing}}});
    let no_auth = json!({"primary": {"no_authentication": "no_auth"}});
    vec![
        (json!({"capabilities": {"haapi": {}}}), "capabilities"),
        (json!({"capabilities": {"haapi": {}, "client_credentials": {}}}), "capabilities.haapi"),
        (
            json!({"capabilities": {"haapi": {}, "code": {}, "introspection": {}}}),
            "capabilities.haapi",
        ),
        (json!({"redirect_uris": []}), "redirect_uris"),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "redirect_uris"),
        (json!({"redirect_uris": ["https://a.example/cb#x"]}), "redirect_uris"),
        (
            json!({"client_authentication": no_auth, "capabilities": {"client_credentials": {}}}),
            "client_authentication.primary.no_authentication",
        ),
        (
            json!({"client_authentication": no_auth, "capabilities": {"resource_owner_password": {}}}),
            "client_authentication.primary.no_authentication",
        ),
        (
            json!({"client_authentication": {"primary": {"no_authentication": "no_auth", "secret": {"secret": "x"}}}}),
            "client_authentication.primary",
        ),
        (json!({"client_authentication": {"primary": {}}}), "client_authentication.primary"),
        (
            json!({"client_authentication": {"primary": {"mutual_tls": {"dn": {}, "ip": {}}}}}),
            "client_authentication.primary.mutual_tls",
        ),
        (json!({"capabilities": jwt(json!({}))}), "capabilities.assertion.jwt.signing"),
        (json!({"capabilities": {"backchannel": {}}}), "capabilities.backchannel"),
        (json!({"capabilities": {"assisted_token": {}}}), "allowed_origins"),
        (
            json!({"subject_type": "pairwise", "capabilities": {"resource_owner_password": {}}}),
            "subject_type",
        ),
        (
            json!({"subject_type": "pairwise", "redirect_uris": null, "capabilities": {"client_credentials": {}}}),
            "subject_type",
        ),
        (
            json!({"require_secured_authorization_response": true, "capabilities": {"client_credentials": {}}}),
            "require_secured_authorization_response",
        ),
        (json!({"allow_per_request_redirect_uris": true}), "allow_per_request_redirect_uris"),
        (json!({"logo_uri": "https://a.example/logo.png"}), "logo_uri"),
        (json!({"policy_uri": "javascript:alert(1)"}), "policy_uri"),
        (json!({"tos_uri": "https://a.example/#x"}), "tos_uri"),
        (json!({"access_token_ttl": 0}), "access_token_ttl"),
        (json!({"access_token_ttl": -1}), "access_token_ttl"),
        (json!({"scopes": ["not a scope"]}), "scopes"),
        (json!({"allowed_origins": ["https://a.example/path"]}), "allowed_origins"),
        (
            json!({"user_authentication": {"frontchannel_logout_uri": "https://b.example/out"}}),
            "user_authentication.frontchannel_logout_uri",
        ),
        (json!({"client_id": "a b"}), "client_id"),
        (
            json!({"client_authentication": {"primary": {"secret": {"secret": "short"}}}}),
            "client_authentication.primary.secret",
        ),
    ]
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_its_path_and_nothing_is_stored() {
    with(HELD, async |api| {
        for (change, wanted) in rows() {
            let mut fields = map(&minimal());
            fields.extend(map(&change));
            let refused = api.create(&fields).await;
            let is_wanted =
                matches!(&refused, Err(ClientError::Invalid { field, .. }) if field == wanted);
            assert!(is_wanted, "{change}: {refused:?}");
            assert!(api.get("one").await.unwrap().is_none(), "{change}");
        }
    })
    .await;
}
