//! Whether a verdict of earlier still counts (`docs/rules.md` rules 27 to 30).

use std::{sync::Arc, time::Duration};

use castellan_issuer::{
    store::{FeedCursor, Kind},
    tokens::verified::{Holder, VerifyError},
};

use crate::{
    faulty_store::{Extent, Moment, Plan},
    harness::Harness,
};

pub(crate) async fn poll(harness: &Harness, cursor: Option<&FeedCursor>) -> FeedCursor {
    harness.issuer.liveness().poll(&*harness.store, cursor, |_| {}).await.unwrap().cursor
}

/// How many verbs checking `token` takes.
pub(crate) async fn cost(harness: &Harness, token: &str) -> usize {
    harness.store.arm(None);
    assert!(harness.holds(token).await);
    harness.store.verbs().len()
}

#[tokio::test]
async fn a_token_seen_before_costs_no_round_trip_until_a_notice() {
    let harness = Harness::new().await;
    let token = harness.tokens("shop").await.access_token;
    let cursor = poll(&harness, None).await;
    assert_eq!(cost(&harness, &token).await, 2);
    assert_eq!(cost(&harness, &token).await, 0);
    for (id, change) in [("ada-1", "a person"), ("shop", "a client")] {
        let other = harness.again().await;
        other
            .edit(id, |document| {
                document["name"] = match id {
                    "shop" => "Shop".into(),
                    _ => serde_json::json!({"formatted": "Ada L."}),
                }
            })
            .await;
        poll(&harness, Some(&cursor)).await;
        assert_eq!(cost(&harness, &token).await, 2, "{change}");
        assert_eq!(cost(&harness, &token).await, 0);
    }
}

#[tokio::test]
async fn a_change_elsewhere_counts_with_the_next_poll() {
    let harness = Harness::new().await;
    let answer = harness.tokens("own").await;
    let cursor = poll(&harness, None).await;
    assert!(harness.holds(&answer.access_token).await);
    harness.again().await.revoke("own", &answer.access_token).await.unwrap();
    poll(&harness, Some(&cursor)).await;
    assert!(!harness.holds(&answer.access_token).await);
}

#[tokio::test]
async fn a_refresh_that_ends_the_token_before_is_told_elsewhere() {
    for (client, more) in [("portal", &[][..]), ("lens", &[("scope", "api:read")])] {
        let harness = Harness::new().await;
        let answer = harness.tokens(client).await;
        let cursor = poll(&harness, None).await;
        assert!(harness.holds(&answer.access_token).await);
        let other = harness.again().await;
        other.refresh(client, &answer.refresh_token.unwrap(), more).await.unwrap();
        poll(&harness, Some(&cursor)).await;
        assert!(!harness.holds(&answer.access_token).await, "{client}");
    }
}

#[tokio::test]
async fn a_missing_notice_lets_nothing_count() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    poll(&harness, None).await;
    cost(&harness, &token).await;
    assert_eq!(cost(&harness, &token).await, 0);
    poll(&harness, Some(&FeedCursor("unheard of".to_owned()))).await;
    assert_eq!(cost(&harness, &token).await, 2);
}

#[tokio::test]
async fn a_verdict_counts_for_a_minute_and_not_past_the_end_of_its_token() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    poll(&harness, None).await;
    cost(&harness, &token).await;
    harness.later(59);
    assert_eq!(cost(&harness, &token).await, 0);
    harness.later(1);
    assert_eq!(cost(&harness, &token).await, 2);
    harness.later(539);
    cost(&harness, &token).await;
    harness.later(1);
    let late = harness.issuer.verify_access(&token, Holder::Bearer).await;
    assert!(matches!(late, Err(VerifyError::Expired)));
}

#[tokio::test]
async fn after_a_second_of_silence_every_token_is_read_anew_and_a_store_that_is_down_is_an_error() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    let down = Plan { verb: 1, moment: Moment::Before, extent: Extent::Forever };
    assert_eq!(cost(&harness, &token).await, 2);
    assert_eq!(cost(&harness, &token).await, 2, "nothing was heard yet");
    poll(&harness, None).await;
    cost(&harness, &token).await;
    harness.store.arm(down);
    assert!(
        harness.issuer.verify_access(&token, Holder::Bearer).await.is_ok(),
        "known, and heard a moment ago"
    );
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(!harness.issuer.liveness().hears());
    let silent = harness.issuer.verify_access(&token, Holder::Bearer).await;
    assert!(matches!(silent, Err(VerifyError::Store(_))));
    assert_eq!(cost(&harness, &token).await, 2);
    assert_eq!(cost(&harness, &token).await, 2);
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_not_remembered() {
    let harness = Harness::new().await;
    let answer = harness.tokens("shop").await;
    let token = answer.access_token;
    poll(&harness, None).await;
    let live = harness.issuer.verify_access(&token, Holder::Bearer).await.unwrap();
    let family = (Kind::Family, live.family_id.clone());
    let client = (Kind::Client, "shop".to_owned());
    let person = (Kind::Account, "ada-1".to_owned());
    let consent = (Kind::Consent, "ada-1/shop".to_owned());
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
        let liveness = Arc::clone(harness.issuer.liveness());
        let text = |(kind, id): &(Kind, String)| harness.issuer.repository().key(*kind, id).text();
        liveness.bump(&text(told));
        harness.store.arm(None);
        let subject = text(changes);
        let bump = move || liveness.bump(&subject);
        if verb == 0 {
            harness.store.afterwards(bump);
        } else {
            let store = Arc::clone(&harness.store);
            harness.store.afterwards(move || store.afterwards(bump));
        }
        assert!(harness.holds(&token).await);
        assert_eq!(harness.store.verbs().len(), verb + 1);
        assert_eq!(cost(&harness, &token).await, next, "{changes:?} at {verb}");
        assert_eq!(cost(&harness, &token).await, 0);
    }
}

#[tokio::test]
async fn a_forgery_costs_no_round_trip() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    harness.store.arm(None);
    let mut forged = token.clone();
    forged.replace_range(token.len() - 6..token.len() - 2, "AAAA");
    for junk in ["", "x", "a.b.c", "csl_access_AAAA", &forged] {
        assert!(!harness.holds(junk).await);
    }
    assert!(harness.store.verbs().is_empty());
}
