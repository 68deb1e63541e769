//! How far an end reaches (`security-cases.md` row 14): every end of a token, at every consumer.

use castellan_issuer::{
    authorization::flow::{FlowError, LoggedIn},
    error::TokenError,
    resources::ResourceKind,
};
use serde_json::json;

use crate::house::{House, Tab, login_flow};

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

    async fn comes(self, house: &House, code: &str, (access, refresh): (&str, &str)) {
        let inactive = |document: &mut serde_json::Value| document["active"] = json!(false);
        match self {
            Self::RevokeAccess => house.revoke("shop", access).await.unwrap(),
            Self::RevokeRefresh => house.revoke("shop", refresh).await.unwrap(),
            Self::Replay => assert!(house.redeem("shop", code).await.is_err()),
            Self::Withdraw => assert!(house.issuer.withdraw("ada-1", "shop").await.unwrap()),
            Self::PersonInactive => house.edit("ada-1", inactive).await,
            Self::ClientInactive => house.edit("shop", inactive).await,
            Self::PersonDeleted => {
                assert!(house.issuer.remove(ResourceKind::User, "ada-1").await.unwrap());
            }
            Self::ClientDeleted => {
                assert!(house.issuer.remove(ResourceKind::Client, "shop").await.unwrap());
            }
        }
    }
}

#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_every_node() {
    for end in End::ALL {
        let house = House::new().await;
        let other = house.again().await;
        let code = house.code("shop", &house.tab_of("ada-1").await, &[]).await;
        let answer = house.redeem("shop", &code).await.unwrap();
        let (access, refresh) = (answer.access_token, answer.refresh_token.unwrap());
        // Known and remembered on both nodes.
        let mut cursor = None;
        for node in [&house, &other] {
            let polled =
                node.issuer.liveness().poll(&*node.store, None, |_| {}).await.unwrap().cursor;
            cursor = Some(polled);
            assert!(node.holds(&access).await);
        }
        end.comes(&house, &code, (&access, &refresh)).await;
        other.issuer.liveness().poll(&*other.store, cursor.as_ref(), |_| {}).await.unwrap();
        for node in [&house, &other] {
            assert!(!node.holds(&access).await, "{end:?}");
            assert_eq!(node.introspect("other", &access).await.unwrap(), json!({"active": false}));
            let userinfo = node.issuer.userinfo(&access, None).await;
            assert!(matches!(userinfo, Err(TokenError::InvalidToken)), "{end:?}");
            assert!(node.refresh("shop", &refresh, &[]).await.is_err(), "{end:?}");
            match node.introspect("shop", &refresh).await {
                Ok(answer) => assert_eq!(answer, json!({"active": false}), "{end:?}"),
                Err(TokenError::InvalidClient { .. }) => {
                    assert!(matches!(end, End::ClientInactive | End::ClientDeleted));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_inactive_person_goes_nowhere() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let code = house.code("own", &tab, &[]).await;
    let flow = login_flow(house.begin("own", &Tab::new(), &[]).await.unwrap());
    house.edit("ada-1", |ada| ada["active"] = json!(false)).await;
    assert!(!house.knows(&tab).await);
    assert!(matches!(house.redeem("own", &code).await, Err(TokenError::UserInactive)));
    assert!(house.log_in(&flow, "ada", &Tab::new()).await.is_err());
    let fresh = Tab::new();
    let flow = login_flow(house.begin("own", &fresh, &[]).await.unwrap());
    assert!(matches!(house.log_in(&flow, "ada", &fresh).await, Ok(LoggedIn::No)));
}

#[tokio::test]
async fn an_inactive_client_goes_nowhere() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let (code, machine) = (house.code("own", &tab, &[]).await, "robot");
    let token = house.ask(machine, &[("grant_type", "client_credentials")]).await.unwrap();
    for client in ["own", machine] {
        house.edit(client, |client| client["active"] = json!(false)).await;
    }
    let invalid = |error| matches!(error, TokenError::InvalidClient { .. });
    assert!(invalid(house.redeem("own", &code).await.unwrap_err()));
    assert!(invalid(
        house.ask(machine, &[("grant_type", "client_credentials")]).await.unwrap_err()
    ));
    assert!(invalid(house.introspect(machine, "x").await.unwrap_err()));
    assert!(!house.holds(&token.access_token).await);
    let next = house.begin("own", &tab, &[]).await;
    assert!(matches!(next, Err(FlowError::Authorize(_))));
}

#[tokio::test]
async fn revoking_what_is_dead_is_told_again() {
    let house = House::new().await;
    let answer = house.tokens("own").await;
    let cursor = house.issuer.liveness().poll(&*house.store, None, |_| {}).await.unwrap().cursor;
    for _ in 0..2 {
        house.revoke("own", &answer.access_token).await.unwrap();
    }
    let mut told = 0;
    house.issuer.liveness().poll(&*house.store, Some(&cursor), |_| told += 1).await.unwrap();
    assert_eq!(told, 2);
}

#[tokio::test]
async fn an_expired_access_token_still_ends_its_family() {
    let house = House::new().await;
    let answer = house.tokens("own").await;
    house.later(700);
    assert!(!house.holds(&answer.access_token).await);
    house.revoke("own", &answer.access_token).await.unwrap();
    assert!(house.refresh("own", &answer.refresh_token.unwrap(), &[]).await.is_err());
}

#[tokio::test]
async fn who_does_not_prove_itself_learns_nothing_of_tokens() {
    let house = House::new().await;
    let answer = house.tokens("own").await;
    for caller in ["own", "phone"] {
        let asked = house.introspect(caller, &answer.access_token).await;
        assert!(matches!(asked, Err(TokenError::InvalidClient { .. })), "public: {caller}");
    }
    let named = crate::house::params(&[("client_id", "shop"), ("token", &answer.access_token)]);
    assert!(house.issuer.introspect(&named, None).await.is_err());
    assert!(house.issuer.revoke(&named, None).await.is_err());
    let refresh = answer.refresh_token.unwrap();
    assert_eq!(house.introspect("shop", &refresh).await.unwrap(), json!({"active": false}));
}
