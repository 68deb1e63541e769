//! Whether a verdict of earlier still counts (`design.md` rules 27 to 30).

use std::{sync::Arc, time::Duration};

use castellan_issuer::{
    store::{FeedCursor, Kind},
    tokens::verify::{Holder, VerifyError},
};

use crate::{
    faulty_store::{Extent, Moment, Plan},
    house::House,
};

pub(crate) async fn poll(house: &House, cursor: Option<&FeedCursor>) -> FeedCursor {
    house.issuer.liveness().poll(&*house.store, cursor, |_| {}).await.unwrap().cursor
}

/// How many verbs checking `token` takes.
pub(crate) async fn cost(house: &House, token: &str) -> usize {
    house.store.arm(None);
    assert!(house.holds(token).await);
    house.store.verbs().len()
}

#[tokio::test]
async fn a_token_seen_before_costs_no_round_trip_until_a_notice() {
    let house = House::new().await;
    let token = house.tokens("shop").await.access_token;
    let cursor = poll(&house, None).await;
    assert_eq!(cost(&house, &token).await, 2);
    assert_eq!(cost(&house, &token).await, 0);
    for (id, change) in [("ada-1", "a person"), ("shop", "a client")] {
        let other = house.again().await;
        other
            .edit(id, |document| {
                document["name"] = match id {
                    "shop" => "Shop".into(),
                    _ => serde_json::json!({"formatted": "Ada L."}),
                }
            })
            .await;
        poll(&house, Some(&cursor)).await;
        assert_eq!(cost(&house, &token).await, 2, "{change}");
        assert_eq!(cost(&house, &token).await, 0);
    }
}

#[tokio::test]
async fn a_change_elsewhere_counts_with_the_next_poll() {
    let house = House::new().await;
    let answer = house.tokens("own").await;
    let cursor = poll(&house, None).await;
    assert!(house.holds(&answer.access_token).await);
    house.again().await.revoke("own", &answer.access_token).await.unwrap();
    poll(&house, Some(&cursor)).await;
    assert!(!house.holds(&answer.access_token).await);
}

#[tokio::test]
async fn a_refresh_that_ends_the_token_before_is_told_elsewhere() {
    for (client, more) in [("portal", &[][..]), ("lens", &[("scope", "api:read")])] {
        let house = House::new().await;
        let answer = house.tokens(client).await;
        let cursor = poll(&house, None).await;
        assert!(house.holds(&answer.access_token).await);
        let other = house.again().await;
        other.refresh(client, &answer.refresh_token.unwrap(), more).await.unwrap();
        poll(&house, Some(&cursor)).await;
        assert!(!house.holds(&answer.access_token).await, "{client}");
    }
}

#[tokio::test]
async fn a_missing_notice_lets_nothing_count() {
    let house = House::new().await;
    let token = house.tokens("own").await.access_token;
    poll(&house, None).await;
    cost(&house, &token).await;
    assert_eq!(cost(&house, &token).await, 0);
    poll(&house, Some(&FeedCursor("unheard of".to_owned()))).await;
    assert_eq!(cost(&house, &token).await, 2);
}

#[tokio::test]
async fn a_verdict_counts_for_a_minute_and_not_past_the_end_of_its_token() {
    let house = House::new().await;
    let token = house.tokens("own").await.access_token;
    poll(&house, None).await;
    cost(&house, &token).await;
    house.later(59);
    assert_eq!(cost(&house, &token).await, 0);
    house.later(1);
    assert_eq!(cost(&house, &token).await, 2);
    house.later(539);
    cost(&house, &token).await;
    house.later(1);
    let late = house.issuer.verify_access(&token, Holder::Bearer).await;
    assert!(matches!(late, Err(VerifyError::Expired)));
}

#[tokio::test]
async fn after_a_second_of_silence_every_token_is_read_anew_and_a_store_that_is_down_is_an_error() {
    let house = House::new().await;
    let token = house.tokens("own").await.access_token;
    let down = Plan { verb: 1, moment: Moment::Before, extent: Extent::Forever };
    assert_eq!(cost(&house, &token).await, 2);
    assert_eq!(cost(&house, &token).await, 2, "nothing was heard yet");
    poll(&house, None).await;
    cost(&house, &token).await;
    house.store.arm(down);
    assert!(
        house.issuer.verify_access(&token, Holder::Bearer).await.is_ok(),
        "known, and heard a moment ago"
    );
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(!house.issuer.liveness().hears());
    let silent = house.issuer.verify_access(&token, Holder::Bearer).await;
    assert!(matches!(silent, Err(VerifyError::Store(_))));
    assert_eq!(cost(&house, &token).await, 2);
    assert_eq!(cost(&house, &token).await, 2);
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_not_remembered() {
    let house = House::new().await;
    let answer = house.tokens("shop").await;
    let token = answer.access_token;
    poll(&house, None).await;
    let live = house.issuer.verify_access(&token, Holder::Bearer).await.unwrap();
    let family = (Kind::Family, live.family_id.clone());
    let client = (Kind::Client, "shop".to_owned());
    let person = (Kind::Account, "ada-1".to_owned());
    let consent = (Kind::Grant, "ada-1/shop".to_owned());
    // What was told of before, so that it is read; what is told of meanwhile, after which read; and
    // what the next look costs: what still stands is not read again.
    let cases = [
        (&family, &family, 0, 1),
        (&client, &client, 1, 2),
        (&person, &person, 1, 2),
        (&consent, &consent, 1, 2),
        (&client, &family, 1, 1),
    ];
    for (told, changes, verb, next) in cases {
        let liveness = Arc::clone(house.issuer.liveness());
        let text = |(kind, id): &(Kind, String)| house.issuer.desk().key(*kind, id).text();
        liveness.bump(&text(told));
        house.store.arm(None);
        let subject = text(changes);
        let bump = move || liveness.bump(&subject);
        if verb == 0 {
            house.store.afterwards(bump);
        } else {
            let store = Arc::clone(&house.store);
            house.store.afterwards(move || store.afterwards(bump));
        }
        assert!(house.holds(&token).await);
        assert_eq!(house.store.verbs().len(), verb + 1);
        assert_eq!(cost(&house, &token).await, next, "{changes:?} at {verb}");
        assert_eq!(cost(&house, &token).await, 0);
    }
}

#[tokio::test]
async fn a_forgery_costs_no_round_trip() {
    let house = House::new().await;
    let token = house.tokens("own").await.access_token;
    house.store.arm(None);
    let mut forged = token.clone();
    forged.replace_range(token.len() - 6..token.len() - 2, "AAAA");
    for junk in ["", "x", "a.b.c", "csl_access_AAAA", &forged] {
        assert!(!house.holds(junk).await);
    }
    assert!(house.store.verbs().is_empty());
}
