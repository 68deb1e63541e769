//! Guesses at passwords (`design.md` rule 48, `security-cases.md` rows 8 and 9).

use std::sync::{Arc, Barrier};

use castellan_issuer::{
    authorization::flow::FlowError, client_auth::ClientProof, error::TokenError,
};
use castellan_proto::{Opaque, OpaqueKind, Secret};

use crate::house::{House, Tab, login_flow};

fn wrong() -> Secret {
    Secret::new("wrong".to_owned())
}

/// How a guess at `name` without a browser ends: whether it was checked, and else for how long it
/// has to wait.
async fn guess(house: &House, name: &str) -> Result<bool, u64> {
    match house.issuer.sign_in(name, &wrong()).await {
        Ok(done) => Ok(done.is_some()),
        Err(TokenError::Throttled(seconds)) => Err(seconds),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn ten_wrong_guesses_are_free_and_then_the_wait_doubles() {
    let house = House::new().await;
    for name in ["ada", "nobody"] {
        for _ in 0..10 {
            assert_eq!(guess(&house, name).await, Ok(false));
        }
        assert_eq!(guess(&house, name).await, Err(1));
    }
    house.later(1);
    assert_eq!(guess(&house, "ada").await, Ok(false));
    assert_eq!(guess(&house, "ada").await, Err(2));
    house.later(3_600);
    assert_eq!(guess(&house, "ada").await, Ok(false));
}

/// Row 9: one count for one person, however their name is spelt.
#[tokio::test]
async fn case_09_one_count_for_every_spelling() {
    let house = House::new().await;
    for name in
        ["ada", "ADA", " ada ", "ada@example.org", "Ada@Example.ORG"].into_iter().cycle().take(10)
    {
        assert_eq!(guess(&house, name).await, Ok(false), "{name}");
    }
    for name in ["ada", "ADA@EXAMPLE.ORG"] {
        assert_eq!(guess(&house, name).await, Err(1), "{name}");
    }
    assert_eq!(guess(&house, "bob").await, Ok(false));
}

/// Row 8: guesses at the same moment count, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_guesses_at_the_same_moment_count() {
    let house = Arc::new(House::new().await);
    let (runtime, start) = (tokio::runtime::Handle::current(), Arc::new(Barrier::new(32)));
    let racers: Vec<_> = (0..32)
        .map(|_| {
            let (house, runtime, start) = (Arc::clone(&house), runtime.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                runtime.block_on(guess(&house, "ada"))
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
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let log_in = async |tab: &Tab| {
        let flow = login_flow(house.begin("own", tab, &[("prompt", "login")]).await.unwrap());
        house.log_in(&flow, "ada", tab).await
    };
    log_in(&tab).await.unwrap();
    for _ in 0..11 {
        let _ = guess(&house, "ada").await;
    }
    assert_eq!(guess(&house, "ada").await, Err(1));
    log_in(&tab).await.unwrap();
    let stranger = Tab::new();
    assert!(log_in(&stranger).await.is_err());
}

/// Shows a wrong secret of "robot", which costs no password hash, from `source`.
async fn wrong_secret(house: &House, source: &str) -> Result<(), u64> {
    let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
    let proof = ClientProof::Post("robot".to_owned(), Secret::new(secret));
    match house.issuer.prove_client(proof, source.parse().ok()).await {
        Err(TokenError::InvalidClient { .. }) => Ok(()),
        Err(TokenError::Throttled(seconds)) => Err(seconds),
        other => panic!("{:?}", other.map(|client| client.id)),
    }
}

#[tokio::test]
async fn whoever_guesses_at_one_door_waits_at_all_of_them() {
    const GUESSER: &str = "192.0.2.1";
    let house = House::new().await;
    let mut known = house.tab_of("ada-1").await;
    let log_in = async |name: &str, tab: &Tab| {
        let flow = login_flow(house.begin("own", tab, &[("prompt", "login")]).await.unwrap());
        house.log_in(&flow, name, tab).await
    };
    log_in("ada", &known).await.unwrap();
    for _ in 0..100 {
        assert_eq!(wrong_secret(&house, GUESSER).await, Ok(()));
    }
    assert_eq!(wrong_secret(&house, GUESSER).await, Err(3));
    assert_eq!(wrong_secret(&house, "192.0.2.2").await, Ok(()));

    // At the sign-in page as well, but in a browser that is known: nobody is locked out.
    let mut stranger = Tab::new();
    (known.source, stranger.source) = (GUESSER.parse().ok(), GUESSER.parse().ok());
    let refused = log_in("bob", &stranger).await;
    assert!(matches!(refused, Err(FlowError::Token(TokenError::Throttled(3)))));
    assert!(log_in("ada", &known).await.is_ok());
    let refused = house.issuer.enter_user_code("BBBB-BBBB", &stranger.browser()).await;
    assert!(matches!(refused, Err(FlowError::Token(TokenError::Throttled(3)))));

    house.later(3);
    assert_eq!(wrong_secret(&house, GUESSER).await, Ok(()));
    assert_eq!(wrong_secret(&house, GUESSER).await, Err(3));
}
