//! How far an end reaches (`docs/security-cases.md` row 14): every end of a token, at every
//! consumer.

use castellan_issuer::{
    authorization::next::{FlowError, SignInOutcome},
    error::OAuthError,
    resources::ResourceKind,
};
use serde_json::json;

use crate::harness::{Harness, Tab, login_flow};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    RevokeAccess,
    RevokeRefresh,
    Replay,
    Withdraw,
    PersonInactive,
    PersonDeleted,
    ClientInactive,
    ClientDeleted,
}

impl End {
    const ALL: [Self; 8] = [
        Self::RevokeAccess,
        Self::RevokeRefresh,
        Self::Replay,
        Self::Withdraw,
        Self::PersonInactive,
        Self::PersonDeleted,
        Self::ClientInactive,
        Self::ClientDeleted,
    ];

    async fn comes(self, harness: &Harness, code: &str, (access, refresh): (&str, &str)) {
        let inactive = |document: &mut serde_json::Value| document["active"] = json!(false);
        match self {
            Self::RevokeAccess => harness.revoke("shop", access).await.unwrap(),
            Self::RevokeRefresh => harness.revoke("shop", refresh).await.unwrap(),
            Self::Replay => assert!(harness.redeem("shop", code).await.is_err()),
            Self::Withdraw => assert!(harness.issuer.withdraw("ada-1", "shop").await.unwrap()),
            Self::PersonInactive => harness.edit("ada-1", inactive).await,
            Self::ClientInactive => harness.edit("shop", inactive).await,
            Self::PersonDeleted => {
                assert!(harness.issuer.remove(ResourceKind::USER, "ada-1").await.unwrap());
            }
            Self::ClientDeleted => {
                assert!(harness.issuer.remove(ResourceKind::CLIENT, "shop").await.unwrap());
            }
        }
    }
}

#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_every_node() {
    for end in End::ALL {
        let harness = Harness::new().await;
        let other = harness.again().await;
        let code = harness.code("shop", &harness.tab_of("ada-1").await, &[]).await;
        let answer = harness.redeem("shop", &code).await.unwrap();
        let (access, refresh) = (answer.access_token, answer.refresh_token.unwrap());
        // Known and remembered on both nodes.
        let mut cursor = None;
        for node in [&harness, &other] {
            let polled =
                node.issuer.liveness().poll(&*node.store, None, |_| {}).await.unwrap().cursor;
            cursor = Some(polled);
            assert!(node.holds(&access).await);
            assert_eq!(node.introspect("robot", &access).await.unwrap()["active"], true);
        }
        end.comes(&harness, &code, (&access, &refresh)).await;
        other.issuer.liveness().poll(&*other.store, cursor.as_ref(), |_| {}).await.unwrap();
        for node in [&harness, &other] {
            assert!(!node.holds(&access).await, "{end:?}");
            assert_eq!(node.introspect("robot", &access).await.unwrap(), json!({"active": false}));
            let userinfo = node.issuer.userinfo(&access, None).await;
            assert!(matches!(userinfo, Err(OAuthError::InvalidToken)), "{end:?}");
            assert!(node.refresh("shop", &refresh, &[]).await.is_err(), "{end:?}");
            match node.introspect("shop", &refresh).await {
                Ok(answer) => assert_eq!(answer, json!({"active": false}), "{end:?}"),
                Err(OAuthError::InvalidClient { .. }) => {
                    assert!(matches!(end, End::ClientInactive | End::ClientDeleted));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_inactive_person_goes_nowhere() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("own", &tab, &[]).await;
    let flow = login_flow(harness.begin("own", &Tab::new(), &[]).await.unwrap());
    harness.edit("ada-1", |ada| ada["active"] = json!(false)).await;
    assert!(!harness.knows(&tab).await);
    assert!(matches!(harness.redeem("own", &code).await, Err(OAuthError::UserInactive)));
    assert!(harness.sign_in(&flow, "ada", &Tab::new()).await.is_err());
    let fresh = Tab::new();
    let flow = login_flow(harness.begin("own", &fresh, &[]).await.unwrap());
    assert!(matches!(harness.sign_in(&flow, "ada", &fresh).await, Ok(SignInOutcome::No(_))));
}

#[tokio::test]
async fn an_inactive_client_goes_nowhere() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let (code, machine) = (harness.code("own", &tab, &[]).await, "robot");
    let token = harness.ask(machine, &[("grant_type", "client_credentials")]).await.unwrap();
    for client in ["own", machine] {
        harness.edit(client, |client| client["active"] = json!(false)).await;
    }
    let invalid = |error| matches!(error, OAuthError::InvalidClient { .. });
    assert!(invalid(harness.redeem("own", &code).await.unwrap_err()));
    assert!(invalid(
        harness.ask(machine, &[("grant_type", "client_credentials")]).await.unwrap_err()
    ));
    assert!(invalid(harness.introspect(machine, "x").await.unwrap_err()));
    assert!(!harness.holds(&token.access_token).await);
    let next = harness.begin("own", &tab, &[]).await;
    assert!(matches!(next, Err(FlowError::Authorize(_))));
}

/// `docs/rules.md` rule 38a: what another's token is takes as much work to find out as what one's own
/// is, and only the answer differs.
#[tokio::test]
async fn a_token_that_concerns_somebody_else_costs_what_ones_own_does() {
    let harness = Harness::new().await;
    let answer = harness.tokens("shop").await;
    for token in [&answer.access_token, &answer.refresh_token.unwrap()] {
        let mut costs = Vec::new();
        for (client, active) in [("shop", true), ("other", false), ("robot", true)] {
            // A node that knows neither the client nor the token.
            let node = harness.again().await;
            node.store.arm(None);
            let told = node.introspect(client, token).await.unwrap();
            assert_eq!(told["active"], active, "{client}");
            assert_eq!(told == json!({"active": false}), !active, "{client}");
            costs.push(node.store.verbs());
        }
        assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
    }
}

#[tokio::test]
async fn revoking_what_is_dead_is_told_again() {
    let harness = Harness::new().await;
    let answer = harness.tokens("own").await;
    let cursor =
        harness.issuer.liveness().poll(&*harness.store, None, |_| {}).await.unwrap().cursor;
    for _ in 0..2 {
        harness.revoke("own", &answer.access_token).await.unwrap();
    }
    let mut told = 0;
    harness.issuer.liveness().poll(&*harness.store, Some(&cursor), |_| told += 1).await.unwrap();
    assert_eq!(told, 2);
}

#[tokio::test]
async fn an_expired_access_token_still_ends_its_family() {
    let harness = Harness::new().await;
    let answer = harness.tokens("own").await;
    harness.later(700);
    assert!(!harness.holds(&answer.access_token).await);
    harness.revoke("own", &answer.access_token).await.unwrap();
    assert!(harness.refresh("own", &answer.refresh_token.unwrap(), &[]).await.is_err());
}

#[tokio::test]
async fn who_does_not_prove_itself_learns_nothing_of_tokens() {
    let harness = Harness::new().await;
    let answer = harness.tokens("own").await;
    for caller in ["own", "phone"] {
        let asked = harness.introspect(caller, &answer.access_token).await;
        assert!(matches!(asked, Err(OAuthError::InvalidClient { .. })), "public: {caller}");
    }
    let named = crate::harness::params(&[("client_id", "shop"), ("token", &answer.access_token)]);
    assert!(harness.issuer.introspect(&named, None).await.is_err());
    assert!(harness.issuer.revoke(&named, None).await.is_err());
    let refresh = answer.refresh_token.unwrap();
    assert_eq!(harness.introspect("shop", &refresh).await.unwrap(), json!({"active": false}));
}
