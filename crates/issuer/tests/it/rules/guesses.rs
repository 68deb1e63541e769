//! Guesses at passwords (`docs/rules.md` rule 48, `docs/security-cases.md` rows 8 and 9).

use std::sync::{Arc, Barrier};

use castellan_issuer::{
    authorization::flow::FlowError, client_auth::ClientCredentials, error::OAuthError,
};
use castellan_proto::{Opaque, OpaqueKind, Secret};

use crate::harness::{Harness, Tab, login_flow};

fn wrong() -> Secret {
    Secret::new("wrong".to_owned())
}

/// How a guess at `name` without a browser ends: whether it was checked, and else for how long it
/// has to wait.
async fn guess(harness: &Harness, name: &str) -> Result<bool, u64> {
    match harness.issuer.sign_in_with_password(name, &wrong()).await {
        Ok(done) => Ok(done.is_some()),
        Err(OAuthError::Throttled(seconds)) => Err(seconds),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn ten_wrong_guesses_are_free_and_then_the_wait_doubles() {
    let harness = Harness::new().await;
    for name in ["ada", "nobody"] {
        for _ in 0..10 {
            assert_eq!(guess(&harness, name).await, Ok(false));
        }
        assert_eq!(guess(&harness, name).await, Err(1));
    }
    harness.later(1);
    assert_eq!(guess(&harness, "ada").await, Ok(false));
    assert_eq!(guess(&harness, "ada").await, Err(2));
    harness.later(3_600);
    assert_eq!(guess(&harness, "ada").await, Ok(false));
}

/// Row 9: one count for one person, however their name is spelt.
#[tokio::test]
async fn case_09_one_count_for_every_spelling() {
    let harness = Harness::new().await;
    for name in
        ["ada", "ADA", " ada ", "ada@example.org", "Ada@Example.ORG"].into_iter().cycle().take(10)
    {
        assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
    }
    for name in ["ada", "ADA@EXAMPLE.ORG"] {
        assert_eq!(guess(&harness, name).await, Err(1), "{name}");
    }
    assert_eq!(guess(&harness, "bob").await, Ok(false));
}

/// Row 8: guesses at the same moment count, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_guesses_at_the_same_moment_count() {
    let harness = Arc::new(Harness::new().await);
    let (runtime, start) = (tokio::runtime::Handle::current(), Arc::new(Barrier::new(32)));
    let racers: Vec<_> = (0..32)
        .map(|_| {
            let (harness, runtime, start) =
                (Arc::clone(&harness), runtime.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                runtime.block_on(guess(&harness, "ada"))
            })
        })
        .collect();
    let ends: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
    let checked = ends.iter().filter(|end| end.is_ok()).count();
    assert!((1..=10).contains(&checked), "{ends:?}");
}

/// Nobody can be locked out from outside: a browser that the person has used is not held up.
#[tokio::test]
async fn a_known_browser_is_not_held_up() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let sign_in = async |tab: &Tab| {
        let flow = login_flow(harness.begin("own", tab, &[("prompt", "login")]).await.unwrap());
        harness.sign_in(&flow, "ada", tab).await
    };
    sign_in(&tab).await.unwrap();
    for _ in 0..11 {
        let _ = guess(&harness, "ada").await;
    }
    assert_eq!(guess(&harness, "ada").await, Err(1));
    sign_in(&tab).await.unwrap();
    let stranger = Tab::new();
    assert!(sign_in(&stranger).await.is_err());
}

/// Shows a wrong secret of "robot", which costs no password hash, from `source`.
async fn wrong_secret(harness: &Harness, source: &str) -> Result<(), u64> {
    let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
    let proof = ClientCredentials::Post("robot".to_owned(), Secret::new(secret));
    match harness.issuer.authenticate_client(proof, source.parse().ok()).await {
        Err(OAuthError::InvalidClient { .. }) => Ok(()),
        Err(OAuthError::Throttled(seconds)) => Err(seconds),
        other => panic!("{:?}", other.map(|client| client.id)),
    }
}

#[tokio::test]
async fn whoever_guesses_at_one_door_waits_at_all_of_them() {
    const GUESSER: &str = "192.0.2.1";
    let harness = Harness::new().await;
    let mut known = harness.tab_of("ada-1").await;
    let sign_in = async |name: &str, tab: &Tab| {
        let flow = login_flow(harness.begin("own", tab, &[("prompt", "login")]).await.unwrap());
        harness.sign_in(&flow, name, tab).await
    };
    sign_in("ada", &known).await.unwrap();
    for _ in 0..100 {
        assert_eq!(wrong_secret(&harness, GUESSER).await, Ok(()));
    }
    assert_eq!(wrong_secret(&harness, GUESSER).await, Err(3));
    assert_eq!(wrong_secret(&harness, "192.0.2.2").await, Ok(()));

    // At the sign-in page as well, but in a browser that is known: nobody is locked out.
    let mut stranger = Tab::new();
    (known.source, stranger.source) = (GUESSER.parse().ok(), GUESSER.parse().ok());
    let refused = sign_in("bob", &stranger).await;
    assert!(matches!(refused, Err(FlowError::Token(OAuthError::Throttled(3)))));
    assert!(sign_in("ada", &known).await.is_ok());
    let refused = harness.issuer.enter_user_code("BBBB-BBBB", &stranger.browser()).await;
    assert!(matches!(refused, Err(FlowError::Token(OAuthError::Throttled(3)))));

    harness.later(3);
    assert_eq!(wrong_secret(&harness, GUESSER).await, Ok(()));
    assert_eq!(wrong_secret(&harness, GUESSER).await, Err(3));
}
