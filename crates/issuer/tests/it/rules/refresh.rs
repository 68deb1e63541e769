//! Refresh tokens (`docs/rules.md` rules 31 and 33).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::tokens::verified::Holder;
use castellan_issuer::{error::OAuthError, resources::ResourceKind, tokens::mint::TokenAnswer};
use castellan_proto::ErrorCode;
use serde_json::json;

use crate::harness::{Harness, Plot};

fn refresh_of(answer: &TokenAnswer) -> &str {
    answer.refresh_token.as_deref().unwrap()
}

fn is_unusable(answer: &Result<TokenAnswer, OAuthError>) -> bool {
    matches!(answer, Err(OAuthError::RefreshNotUsable))
}

#[tokio::test]
async fn a_refresh_may_narrow_and_never_widen() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("shop", &tab, &[("scope", "openid api:read")]).await;
    let first = harness.redeem("shop", &code).await.unwrap();
    let narrow =
        harness.refresh("shop", refresh_of(&first), &[("scope", "api:read")]).await.unwrap();
    assert_eq!(narrow.scope, "api:read");
    assert!(narrow.id_token.is_none());
    for wider in ["openid profile", "Mutation:Order:*", "*", "api:*"] {
        let error = harness.refresh("shop", refresh_of(&narrow), &[("scope", wider)]).await;
        assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidScope, "{wider}");
    }
    let full = harness.refresh("shop", refresh_of(&narrow), &[]).await.unwrap();
    assert_eq!(full.scope, "openid api:read", "what was granted, and no more");
}

#[tokio::test]
async fn an_opaque_token_that_was_narrowed_stays_narrow() {
    let harness = Harness::new().await;
    let first = harness.tokens("lens").await;
    assert!(first.access_token.starts_with("csl_access_"));
    let narrow =
        harness.refresh("lens", refresh_of(&first), &[("scope", "api:read")]).await.unwrap();
    let live = harness.issuer.verify_access(&narrow.access_token, Holder::Bearer).await.unwrap();
    assert_eq!(live.scope.to_string(), "api:read");
    assert!(!harness.holds(&first.access_token).await, "its scopes are forgotten, so it is over");
    let full = harness.refresh("lens", refresh_of(&narrow), &[]).await.unwrap();
    assert!(!harness.holds(&narrow.access_token).await, "it must not become a wide one");
    let again = harness.refresh("lens", refresh_of(&full), &[]).await.unwrap();
    for answer in [full, again] {
        let live =
            harness.issuer.verify_access(&answer.access_token, Holder::Bearer).await.unwrap();
        assert!(live.scope.has_name("openid"));
    }
}

#[tokio::test]
async fn what_a_client_may_no_longer_have_it_does_not_get_anew() {
    let harness = Harness::new().await;
    let first = harness.tokens("own").await;
    harness.edit("own", |own| own["scope"] = json!(["api:read"])).await;
    let error = harness.refresh("own", refresh_of(&first), &[("scope", "openid")]).await;
    assert_eq!(error.unwrap_err().code(), ErrorCode::InvalidScope);
    let next = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    assert_eq!(next.scope, "api:read");
    harness.edit("own", |own| own["grant_types"] = json!(["authorization_code"])).await;
    let error = harness.refresh("own", refresh_of(&next), &[]).await.unwrap_err();
    assert!(matches!(error, OAuthError::GrantNotAllowed));
}

#[tokio::test]
async fn a_lost_answer_is_given_again_within_the_grace() {
    let harness = Harness::new().await;
    let first = harness.tokens("own").await;
    let second = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    harness.later(10);
    let again = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    assert_eq!(again.refresh_token, second.refresh_token);
    assert!(harness.holds(&second.access_token).await);
    harness.later(1);
    assert!(is_unusable(&harness.refresh("own", refresh_of(&first), &[]).await));
    assert!(is_unusable(&harness.refresh("own", refresh_of(&second), &[]).await), "it is over");
    assert!(!harness.holds(&second.access_token).await);
}

#[tokio::test]
async fn once_the_child_was_used_its_parent_ends_the_family() {
    let harness = Harness::new().await;
    let first = harness.tokens("own").await;
    let second = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    let third = harness.refresh("own", refresh_of(&second), &[]).await.unwrap();
    assert!(is_unusable(&harness.refresh("own", refresh_of(&first), &[("scope", "*")]).await));
    for answer in [&first, &second, &third] {
        assert!(!harness.holds(&answer.access_token).await);
        assert!(is_unusable(&harness.refresh("own", refresh_of(answer), &[]).await));
    }
}

#[tokio::test]
async fn without_grace_the_token_before_ends_the_family_at_once() {
    let mut plot = Plot::default();
    plot.settings.refresh_grace_off = true;
    let harness = Harness::with(plot).await;
    let first = harness.tokens("own").await;
    let second = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    assert!(is_unusable(&harness.refresh("own", refresh_of(&first), &[]).await));
    assert!(!harness.holds(&second.access_token).await);
}

#[tokio::test]
async fn another_client_can_neither_use_nor_end_a_family() {
    let harness = Harness::new().await;
    let first = harness.tokens("shop").await;
    let second = harness.refresh("shop", refresh_of(&first), &[]).await.unwrap();
    harness.refresh("shop", refresh_of(&second), &[]).await.unwrap();
    for answer in [&first, &second] {
        for thief in ["other", "own", "portal"] {
            assert!(is_unusable(&harness.refresh(thief, refresh_of(answer), &[]).await));
            harness.revoke(thief, refresh_of(answer)).await.unwrap();
            harness.revoke(thief, &answer.access_token).await.unwrap();
        }
        assert!(harness.holds(&answer.access_token).await);
    }
}

#[tokio::test]
async fn a_kept_token_works_again_and_again_and_ends_the_access_token_before() {
    let harness = Harness::new().await;
    let mut last = harness.tokens("portal").await;
    assert!(last.userinfo.is_some());
    for _ in 0..5 {
        harness.later(3_600 * 24 * 365);
        let next = harness.refresh("portal", refresh_of(&last), &[]).await.unwrap();
        assert_eq!(next.refresh_token, last.refresh_token);
        assert!(harness.holds(&next.access_token).await, "never expires unless it says so");
        assert!(!harness.holds(&last.access_token).await);
        last = next;
    }
}

#[tokio::test]
async fn a_refresh_ends_the_access_token_before_where_the_contract_says_so() {
    let harness = Harness::new().await;
    for (client, ends) in [("portal", true), ("own", false), ("lens", false)] {
        let first = harness.tokens(client).await;
        let second = harness.refresh(client, refresh_of(&first), &[]).await.unwrap();
        assert_eq!(harness.holds(&first.access_token).await, !ends, "{client}");
        assert!(harness.holds(&second.access_token).await);
    }
}

#[tokio::test]
async fn a_refresh_token_unused_for_its_idle_time_is_over() {
    let harness = Harness::new().await;
    harness
        .edit("own", |own| {
            own["auth"] = json!({"authorization_code": {"refresh_token_expiration": 1_000}});
        })
        .await;
    let first = harness.tokens("own").await;
    harness.later(999);
    let second = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    harness.later(1_000);
    assert!(is_unusable(&harness.refresh("own", refresh_of(&second), &[]).await));
    harness.issuer.repository().store().sweep(harness.issuer.now(), 1_000).await.unwrap();
    assert!(is_unusable(&harness.refresh("own", refresh_of(&second), &[]).await));
    harness.revoke("own", refresh_of(&second)).await.unwrap();
}

#[tokio::test]
async fn refresh_tokens_are_over_after_the_longest_time_however_often_they_are_used() {
    let harness = Harness::new().await;
    harness
        .edit("own", |own| {
            own["auth"] = json!({"authorization_code": {
                "refresh_token_expiration": 1_000, "refresh_token_max_lifetime": 2_500,
            }});
        })
        .await;
    let mut tokens = harness.tokens("own").await;
    for _ in 0..3 {
        harness.later(800);
        tokens = harness.refresh("own", refresh_of(&tokens), &[]).await.unwrap();
    }
    harness.later(99);
    tokens = harness.refresh("own", refresh_of(&tokens), &[]).await.unwrap();
    harness.later(1);
    assert!(is_unusable(&harness.refresh("own", refresh_of(&tokens), &[]).await));
    assert!(harness.holds(&tokens.access_token).await, "an access token lives as long as it said");
}

#[tokio::test]
async fn an_id_token_lives_as_long_as_its_client_says() {
    let harness = Harness::new().await;
    harness.edit("own", |own| own["id_token_expiration"] = json!(77)).await;
    let token = harness.tokens("own").await.id_token.unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 77);
}

#[tokio::test]
async fn what_was_issued_to_a_client_that_is_revoked_is_over_for_good() {
    let harness = Harness::new().await;
    let tokens = harness.tokens("shop").await;
    harness.edit("shop", |shop| shop["revoked"] = json!(true)).await;
    assert!(!harness.holds(&tokens.access_token).await);
    harness.edit("shop", |_| {}).await;
    assert!(!harness.holds(&tokens.access_token).await);
    assert!(is_unusable(&harness.refresh("shop", refresh_of(&tokens), &[]).await));
    assert!(harness.holds(&harness.tokens("shop").await.access_token).await);
}

#[tokio::test]
async fn somebody_inactive_gets_nothing_not_even_within_the_grace() {
    let harness = Harness::new().await;
    let first = harness.tokens("own").await;
    let second = harness.refresh("own", refresh_of(&first), &[]).await.unwrap();
    harness.edit("ada-1", |ada| ada["active"] = json!(false)).await;
    for answer in [&first, &second] {
        let error = harness.refresh("own", refresh_of(answer), &[]).await.unwrap_err();
        assert!(matches!(error, OAuthError::UserInactive));
        assert_eq!(
            (error.code(), &*error.to_string()),
            (ErrorCode::InvalidGrant, "User is inactive")
        );
    }
}

#[tokio::test]
async fn a_forged_member_costs_no_round_trip() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.refresh_token.unwrap();
    let read = castellan_proto::Opaque::read;
    let mut payload =
        read(castellan_proto::OpaqueKind::Refresh, &token).unwrap().payload().to_vec();
    // The generation, one further.
    payload[19] += 1;
    let forged =
        castellan_proto::Opaque::carrying(castellan_proto::OpaqueKind::Refresh, payload).text();
    harness.store.arm(None);
    assert!(is_unusable(&harness.refresh("own", &forged, &[]).await));
    assert_eq!(harness.store.verbs(), ["get_many"], "only the client was read");
}

/// FAPI 2.0 Security Profile §5.3.2.1: what nobody else can use is not replaced at every use.
#[tokio::test]
async fn a_refresh_token_of_a_client_that_proves_itself_and_binds_its_tokens_stays_by_default() {
    let harness = Harness::new().await;
    let rotation = async |id: &str, edit: serde_json::Value| {
        harness
            .edit(id, |client| {
                for (name, value) in edit.as_object().unwrap() {
                    client[name] = value.clone();
                }
            })
            .await;
        let shown = harness.issuer.describe(ResourceKind::CLIENT, id).await.unwrap().unwrap();
        shown["auth"]["authorization_code"]["refresh_token_rotation"].clone()
    };
    let bound = json!({"dpop_bound_access_tokens": true});
    assert_eq!(rotation("shop", bound.clone()).await, "keep");
    assert_eq!(rotation("own", bound).await, "rotate", "a public one");
    assert_eq!(rotation("shop", json!({})).await, "rotate", "one whose tokens are not bound");
    let asked = json!({"dpop_bound_access_tokens": true, "refresh_token_rotation": "rotate"});
    assert_eq!(rotation("shop", asked).await, "rotate", "unless it says otherwise");
}
