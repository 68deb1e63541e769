//! Guesses at passwords (`docs/rules.md` rule 48, `docs/security-cases.md` rows 8 and 9).

use std::sync::{Arc, Barrier};

use castellan_issuer::{
    authorization::next::{FlowError, SignInOutcome},
    client_auth::ClientCredentials,
    error::OAuthError,
    request::source::Source,
};
use castellan_proto::{Opaque, OpaqueKind, Secret};

use crate::harness::{HUMAN_SECRET, Harness, PASSWORD, Tab, login_flow, params, secret_of};

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

/// Row 9: one count for one person, however their name is spelt. Once it is full, nothing that is
/// typed is checked any more, not even the right password, and the answer is that to a wrong one: it
/// does not tell which names are one person's.
#[tokio::test]
async fn case_09_one_count_for_every_spelling() {
    let harness = Harness::new().await;
    let right = async |name: &str| {
        let secret = Secret::new(PASSWORD.to_owned());
        harness.issuer.sign_in_with_password(name, &secret).await.unwrap().is_some()
    };
    for name in
        ["ada", "ADA", " ada ", "ada@example.org", "Ada@Example.ORG"].into_iter().cycle().take(10)
    {
        assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
    }
    for name in ["ada", "ADA@EXAMPLE.ORG", "ada-1"] {
        assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
        assert!(!right(name).await, "{name}");
    }
    assert!(right("bob").await);
    harness.later(1);
    assert!(right("ada@example.org").await);
    assert!(right("ada").await, "and with that all of it is forgotten");
}

/// Row 9: one spelling of a name, too, and whether it is anybody's or not.
#[tokio::test]
async fn case_09_one_count_for_every_spelling_of_one_name() {
    let harness = Harness::new().await;
    for names in [["ada", "ADA", " ada "], ["nobody", "Nobody", " NOBODY "]] {
        for name in names.into_iter().cycle().take(10) {
            assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
        }
        assert_eq!(guess(&harness, names[1]).await, Err(1), "{names:?}");
    }
}

/// Row 43: that a person's count is full costs what a wrong password costs.
#[tokio::test]
async fn case_43_names_that_are_one_persons_are_not_told_by_a_full_count() {
    let harness = Harness::new().await;
    for name in ["ada", "ada@example.org"].into_iter().cycle().take(12) {
        assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
    }
    let mut costs = Vec::new();
    for name in ["ada-1", "bob", "nobody"] {
        harness.store.arm(None);
        assert_eq!(guess(&harness, name).await, Ok(false), "{name}");
        let write = |verb: &&str| matches!(*verb, "insert" | "replace");
        let verbs = harness.store.verbs().into_iter();
        costs.push(verbs.map(|verb| if write(&verb) { "write" } else { verb }).collect::<Vec<_>>());
    }
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
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

/// A browser that is known has a limit of its own, a larger one.
#[tokio::test]
async fn a_known_browser_is_counted_for_itself() {
    let harness = Harness::new().await;
    let tab = Tab::new();
    let sign_in = async |password: &str| {
        let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
        let form = params(&[("username", "ada"), ("password", password)]);
        match harness.issuer.sign_in(&flow, &form, &tab.browser()).await {
            Ok(SignInOutcome::Yes(..)) => Ok(true),
            Ok(SignInOutcome::No(_) | SignInOutcome::Further(_)) => Ok(false),
            Err(FlowError::Token(OAuthError::Throttled(seconds))) => Err(seconds),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(sign_in(PASSWORD).await, Ok(true));
    for _ in 0..29 {
        assert_eq!(sign_in("wrong").await, Ok(false));
    }
    assert_eq!(sign_in(PASSWORD).await, Ok(true), "which forgets the wrong ones");
    for _ in 0..30 {
        assert_eq!(sign_in("wrong").await, Ok(false));
    }
    assert_eq!(sign_in(PASSWORD).await, Err(1));
    assert_eq!(guess(&harness, "ada").await, Ok(false), "nobody else is held up");
    harness.later(1);
    assert_eq!(sign_in(PASSWORD).await, Ok(true));
}

/// Shows `secret` of `client` from `source`.
async fn shows(
    harness: &Harness,
    (client, secret): (&str, &str),
    source: &str,
) -> Result<bool, u64> {
    let proof = ClientCredentials::Post(client.to_owned(), Secret::new(secret.to_owned()));
    let source = source.parse().ok().map(Source::Address);
    match harness.issuer.authenticate_client(proof, source).await {
        Ok(_) => Ok(true),
        Err(OAuthError::InvalidClient { .. }) => Ok(false),
        Err(OAuthError::Throttled(seconds)) => Err(seconds),
        Err(error) => panic!("{error}"),
    }
}

/// Many sources guess at one app's secret, and none of them more often than a source may.
#[tokio::test]
async fn guesses_at_an_app_from_many_sources_count_together_and_hold_up_strangers_alone() {
    const RIGHT: (&str, &str) = ("portal", HUMAN_SECRET);
    let harness = Harness::new().await;
    assert_eq!(shows(&harness, RIGHT, "198.51.100.1").await, Ok(true));
    for client in ["portal", "nobody"] {
        for n in 0..20 {
            let source = format!("192.0.2.{n}");
            assert_eq!(shows(&harness, (client, "wrong-secret"), &source).await, Ok(false));
        }
        assert_eq!(shows(&harness, (client, "wrong-secret"), "192.0.2.200").await, Err(1));
    }
    // Not even the right one is looked at from where it was never shown.
    assert_eq!(shows(&harness, RIGHT, "192.0.2.201").await, Err(1));
    // Where it was shown before it is, on every node, and after a restart.
    assert_eq!(shows(&harness, RIGHT, "198.51.100.1").await, Ok(true));
    let other = harness.again().await;
    assert_eq!(shows(&other, RIGHT, "198.51.100.1").await, Ok(true));
    assert_eq!(shows(&other, RIGHT, "192.0.2.202").await, Err(1));
    // What Castellan made cannot be guessed, and is held up by nobody.
    let made = secret_of("shop").unwrap();
    for n in 0..30 {
        let source = format!("192.0.2.{n}");
        assert_eq!(shows(&harness, ("shop", "wrong-secret"), &source).await.is_ok(), n < 20);
    }
    assert_eq!(shows(&harness, ("shop", &made), "192.0.2.203").await, Ok(true));
    harness.later(1);
    assert_eq!(shows(&harness, RIGHT, "192.0.2.201").await, Ok(true));
}

#[tokio::test]
async fn where_an_app_is_known_guesses_have_a_limit_of_their_own() {
    const HERE: &str = "127.0.0.1";
    let harness = Harness::new().await;
    assert_eq!(shows(&harness, ("portal", HUMAN_SECRET), HERE).await, Ok(true));
    for _ in 0..100 {
        assert_eq!(shows(&harness, ("portal", ""), HERE).await, Ok(false));
    }
    assert_eq!(shows(&harness, ("portal", ""), HERE).await, Err(3));
    assert_eq!(shows(&harness, ("portal", HUMAN_SECRET), HERE).await, Err(3));
    harness.later(3);
    assert_eq!(shows(&harness, ("portal", HUMAN_SECRET), HERE).await, Ok(true));
}

#[tokio::test]
async fn an_app_at_work_costs_no_round_trip_more_for_being_counted() {
    const FROM: &str = "198.51.100.1";
    let harness = Harness::new().await;
    for (client, secret) in
        [("portal", HUMAN_SECRET.to_owned()), ("shop", secret_of("shop").unwrap())]
    {
        assert_eq!(shows(&harness, (client, &secret), FROM).await, Ok(true));
        harness.store.arm(None);
        let proof = ClientCredentials::Post(client.to_owned(), Secret::new(secret.clone()));
        harness.issuer.authenticate_client(proof, None).await.unwrap();
        let uncounted = harness.store.verbs();
        harness.store.arm(None);
        assert_eq!(shows(&harness, (client, &secret), FROM).await, Ok(true));
        assert_eq!(harness.store.verbs(), uncounted, "{client}");
    }
}

/// Shows a wrong secret of "robot", which costs no password hash, from `source`.
async fn wrong_secret(harness: &Harness, source: &str) -> Result<(), u64> {
    let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
    let proof = ClientCredentials::Post("robot".to_owned(), Secret::new(secret));
    match harness.issuer.authenticate_client(proof, source.parse().ok().map(Source::Address)).await
    {
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
    let source = GUESSER.parse().ok().map(Source::Address);
    (known.source, stranger.source) = (source, source);
    let refused = sign_in("bob", &stranger).await;
    assert!(matches!(refused, Err(FlowError::Token(OAuthError::Throttled(3)))));
    assert!(sign_in("ada", &known).await.is_ok());
    let refused = harness.issuer.enter_user_code("BBBB-BBBB", &stranger.browser()).await;
    assert!(matches!(refused, Err(FlowError::Token(OAuthError::Throttled(3)))));

    harness.later(3);
    assert_eq!(wrong_secret(&harness, GUESSER).await, Ok(()));
    assert_eq!(wrong_secret(&harness, GUESSER).await, Err(3));
}
