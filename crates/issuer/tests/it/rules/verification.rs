//! Verifications under way: a state is good for one account, one purpose, one time and few attempts.

use std::sync::Arc;

use crate::{
    harness::{Harness, all},
    races::race,
};
use castellan_issuer::{
    records::Account,
    sign_in::verification::{Attempt, Beginning, MOST_ATTEMPTS, Purpose, VerificationError},
    store::Kind,
};

const PURPOSE: Purpose = Purpose("thing");
const OTHER: Purpose = Purpose("other thing");
const CODE: &str = "20406080";
const SECONDS: u64 = 300;

/// The record of the account, whose type has no name outside of the issuer.
macro_rules! person {
    ($harness:expr, $id:expr) => {{
        let now = $harness.issuer.now();
        $harness.issuer.repository().get::<Account>($id, now).await.unwrap().unwrap()
    }};
}

async fn begin(harness: &Harness, account: &str) -> Result<String, VerificationError> {
    let body = "the secret of a device".to_owned();
    let beginning = Beginning { purpose: PURPOSE, body: &body, code: Some(CODE), seconds: SECONDS };
    harness.issuer.begin_verification(&person!(harness, account), beginning).await
}

async fn attempt(
    harness: &Harness,
    (account, purpose): (&str, Purpose),
    state: &str,
) -> Result<Attempt<String>, VerificationError> {
    let account = person!(harness, account);
    harness.issuer.attempt_verification::<String>(&account, purpose, state).await
}

async fn take(
    harness: &Harness,
    (account, purpose): (&str, Purpose),
    state: &str,
) -> Result<String, VerificationError> {
    let account = person!(harness, account);
    harness.issuer.take_verification::<String>(&account, purpose, state).await
}

#[tokio::test]
async fn a_state_is_good_for_its_account_and_purpose_once() {
    let harness = Harness::new().await;
    let state = begin(&harness, "ada-1").await.unwrap();
    for (account, purpose) in [("bob-1", PURPOSE), ("ada-1", OTHER)] {
        let refused = attempt(&harness, (account, purpose), &state).await;
        assert!(matches!(refused, Err(VerificationError::Unknown)));
        let refused = take(&harness, (account, purpose), &state).await;
        assert!(matches!(refused, Err(VerificationError::Unknown)));
    }
    for unknown in ["", "x", &format!("{state}x"), "csl_verify_AAAA"] {
        let refused = attempt(&harness, ("ada-1", PURPOSE), unknown).await;
        assert!(matches!(refused, Err(VerificationError::Unknown)), "{unknown}");
    }
    let counted = attempt(&harness, ("ada-1", PURPOSE), &state).await.unwrap();
    assert!(counted.is_code(CODE) && !counted.is_code("20406081") && !counted.is_code(""));
    assert_eq!(counted.body, "the secret of a device");
    let taken = take(&harness, ("ada-1", PURPOSE), &state).await.unwrap();
    assert_eq!(taken, "the secret of a device");
    assert!(take(&harness, ("ada-1", PURPOSE), &state).await.is_err());
    assert!(attempt(&harness, ("ada-1", PURPOSE), &state).await.is_err());
}

#[tokio::test]
async fn a_state_expires_and_ends_with_its_account() {
    let harness = Harness::new().await;
    let state = begin(&harness, "ada-1").await.unwrap();
    harness.later(SECONDS - 1);
    assert!(attempt(&harness, ("ada-1", PURPOSE), &state).await.is_ok());
    harness.later(1);
    assert!(attempt(&harness, ("ada-1", PURPOSE), &state).await.is_err());
    let state = begin(&harness, "ada-1").await.unwrap();
    let now = harness.issuer.now();
    harness.issuer.repository().delete(Kind::Account, "ada-1", now).await.unwrap();
    harness.later(1);
    harness.edit("ada-1", |_| {}).await;
    assert!(attempt(&harness, ("ada-1", PURPOSE), &state).await.is_err());
    assert!(take(&harness, ("ada-1", PURPOSE), &state).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_attempts_are_counted_before_they_are_checked() {
    let harness = Arc::new(Harness::new().await);
    let state = begin(&harness, "ada-1").await.unwrap();
    let guessed = state.clone();
    let attempts = race(&harness, move |harness, _| {
        let state = guessed.clone();
        async move { attempt(&harness, ("ada-1", PURPOSE), &state).await.is_ok() }
    });
    let admitted = attempts.into_iter().filter(|admitted| *admitted).count();
    assert_eq!(admitted, usize::try_from(MOST_ATTEMPTS).unwrap());
    assert!(attempt(&harness, ("ada-1", PURPOSE), &state).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_confirmations_one_succeeds() {
    let harness = Arc::new(Harness::new().await);
    let state = begin(&harness, "ada-1").await.unwrap();
    let takes = race(&harness, move |harness, _| {
        let state = state.clone();
        async move { take(&harness, ("ada-1", PURPOSE), &state).await.is_ok() }
    });
    assert_eq!(takes.into_iter().filter(|taken| *taken).count(), 1);
}

#[tokio::test]
async fn what_is_under_way_for_one_account_is_bounded() {
    let harness = Harness::new().await;
    for _ in 0..16 {
        begin(&harness, "ada-1").await.unwrap();
    }
    let refused = begin(&harness, "ada-1").await;
    assert!(matches!(refused, Err(VerificationError::TooMany(60))), "{refused:?}");
    begin(&harness, "bob-1").await.unwrap();
    harness.later(SECONDS);
    begin(&harness, "ada-1").await.unwrap();
}

#[tokio::test]
async fn neither_the_state_nor_the_code_nor_the_body_can_be_read_from_the_store() {
    let harness = Harness::new().await;
    let state = begin(&harness, "ada-1").await.unwrap();
    let records = all(&harness.issuer, Kind::Verification).await;
    assert_eq!(records.len(), 1);
    let record = format!("{} {}", records[0].key.id, String::from_utf8_lossy(&records[0].body));
    let payload = state.strip_prefix("csl_verify_").unwrap();
    for hidden in [CODE, &payload[..20], "secret of a device"] {
        assert!(!record.contains(hidden), "{hidden} in {record}");
    }
}
