//! Real threads behind one barrier: tasks on a small runtime hardly ever meet.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use castellan_issuer::{
    authorization::next::{Answer, Next, SignInOutcome},
    error::OAuthError,
    resources::{ApplyError, Mode, ResourceKind},
    store::Kind,
};
use castellan_proto::jose::{Algorithm, SigningKey};
use serde_json::json;
use tokio::runtime::Handle;

use crate::{
    harness::{Harness, ISSUER, Plot, Tab, all, consent_flow, login_flow, params},
    once::{follow, push},
    stories::setup_form,
};

const RACERS: usize = 64;
const ROUNDS: usize = 5;

/// Lets all racers go at once and returns what each came back with.
pub(crate) fn race<T: Send + 'static, F: Future<Output = T>>(
    harness: &Arc<Harness>,
    run: impl Fn(Arc<Harness>, usize) -> F + Send + Sync + 'static,
) -> Vec<T> {
    let (start, run, runtime) = (Arc::new(Barrier::new(RACERS)), Arc::new(run), Handle::current());
    let racers: Vec<_> = (0..RACERS)
        .map(|number| {
            let (harness, start, run) = (Arc::clone(harness), Arc::clone(&start), Arc::clone(&run));
            let runtime = runtime.clone();
            thread::spawn(move || {
                start.wait();
                runtime.block_on(run(harness, number))
            })
        })
        .collect();
    racers.into_iter().map(|racer| racer.join().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_that_redeem_one_code_at_most_one_wins_and_then_nobody_has_anything() {
    let harness = Arc::new(Harness::new().await);
    for round in 0..ROUNDS {
        let code = harness.code("own", &harness.tab_of("ada-1").await, &[]).await;
        let answers = race(&harness, move |harness, _| {
            let code = code.clone();
            async move { harness.redeem("own", &code).await }
        });
        let won: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        assert!(won.len() <= 1, "round {round}: {}", won.len());
        assert!(harness.families().await.is_empty(), "round {round}: replays end the family");
        for answer in won {
            assert!(!harness.holds(&answer.access_token).await);
            assert!(harness.refresh("own", &answer.refresh_token.unwrap(), &[]).await.is_err());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_that_follow_one_pushed_request_one_gets_a_code() {
    let harness = Arc::new(Harness::new().await);
    let tab = Arc::new(harness.tab_of("ada-1").await);
    for round in 0..ROUNDS {
        let reference = push(&harness, None).await.unwrap();
        let answers = race(&harness, {
            let tab = Arc::clone(&tab);
            move |harness, _| {
                let (tab, reference) = (Arc::clone(&tab), reference.clone());
                async move { follow(&harness, &tab, &reference).await.ok() }
            }
        });
        assert_eq!(answers.into_iter().flatten().count(), 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_that_look_with_one_device_code_one_gets_tokens() {
    let harness = Arc::new(Harness::new().await);
    let nodes = Arc::new([harness.again().await, harness.again().await]);
    for round in 0..ROUNDS {
        let begun =
            harness.issuer.begin_device(&params(&[("client_id", "tv")]), None).await.unwrap();
        let browser = harness.tab_of("ada-1").await.browser();
        let next = harness.issuer.enter_user_code(&begun.user_code, &browser).await.unwrap();
        harness.issuer.consent(&consent_flow(next), Answer::Allow, &browser).await.unwrap();
        let answers = race(&harness, {
            let nodes = Arc::clone(&nodes);
            move |_, number| {
                let (nodes, code) = (Arc::clone(&nodes), begun.device_code.clone());
                async move {
                    let look = params(&[
                        ("client_id", "tv"),
                        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                        ("device_code", &code),
                    ]);
                    nodes[number % nodes.len()].issuer.token(&look, None, None).await
                }
            }
        });
        let won = answers.into_iter().flatten().count();
        assert!(won <= 1, "round {round}: {won}");
        assert!(harness.families().await.len() <= round + 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_that_show_one_assertion_one_is_believed() {
    let harness = Arc::new(Harness::new().await);
    let (key, _) = SigningKey::generate(Algorithm::Es256).unwrap();
    harness
        .apply(json!({
            "resourceType": "Client", "id": "signer", "grant_types": ["client_credentials"],
            "scope": ["api:read"], "jwks": {"keys": [key.jwk()]},
        }))
        .await;
    let nodes = Arc::new([harness.again().await, harness.again().await]);
    for round in 0..ROUNDS {
        let claims = json!({
            "iss": "signer", "sub": "signer", "aud": ISSUER, "jti": format!("one-{round}"),
            "exp": harness.issuer.now().0 + 60,
        });
        let assertion = key.sign("JWT", &claims).unwrap();
        let answers = race(&harness, {
            let nodes = Arc::clone(&nodes);
            move |_, number| {
                let (nodes, assertion) = (Arc::clone(&nodes), assertion.clone());
                async move {
                    let ask = params(&[
                        (
                            "client_assertion_type",
                            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                        ),
                        ("client_assertion", &assertion),
                        ("grant_type", "client_credentials"),
                    ]);
                    nodes[number % nodes.len()].issuer.token(&ask, None, None).await
                }
            }
        });
        let (won, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(matches!(error, OAuthError::InvalidClient { .. }), "{error:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_refresh_race() {
    let harness = Arc::new(Harness::new().await);
    for round in 0..ROUNDS {
        let token = harness.tokens("own").await.refresh_token.unwrap();
        let answers = race(&harness, move |harness, _| {
            let token = token.clone();
            async move { harness.refresh("own", &token, &[]).await.unwrap() }
        });
        let child = &answers[0].refresh_token;
        assert!(answers.iter().all(|answer| answer.refresh_token == *child), "round {round}");
        let families = harness.families().await;
        assert_eq!(families.iter().filter(|family| family.generation == 1).count(), round + 1);
        assert!(harness.holds(&answers[0].access_token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_without_grace_one_refresh_wins_and_the_family_ends() {
    let mut plot = Plot::default();
    plot.settings.refresh_grace_off = true;
    let harness = Arc::new(Harness::with(plot).await);
    for round in 0..ROUNDS {
        let token = harness.tokens("own").await.refresh_token.unwrap();
        let answers = race(&harness, move |harness, _| {
            let token = token.clone();
            async move { harness.refresh("own", &token, &[]).await }
        });
        let won: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1, "round {round}");
        assert!(harness.families().await.is_empty(), "round {round}");
        assert!(!harness.holds(&won[0].access_token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_kept_can_be_used_by_64_at_once() {
    let harness = Arc::new(Harness::new().await);
    let token = harness.tokens("portal").await.refresh_token.unwrap();
    let answers = race(&harness, {
        let token = token.clone();
        move |harness, _| {
            let token = token.clone();
            async move { harness.refresh("portal", &token, &[]).await.unwrap() }
        }
    });
    assert!(answers.iter().all(|answer| answer.refresh_token.as_deref() == Some(&token)));
    let mut alive = 0;
    for answer in answers {
        alive += usize::from(harness.holds(&answer.access_token).await);
    }
    assert_eq!(alive, 1, "each refresh ends the access token before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_among_63_refreshes_ends_them_all() {
    let harness = Arc::new(Harness::new().await);
    for round in 0..ROUNDS {
        let token = harness.tokens("portal").await.refresh_token.unwrap();
        let answers = race(&harness, {
            let token = token.clone();
            move |harness, number| {
                let token = token.clone();
                async move {
                    if number == RACERS / 2 {
                        harness.revoke("portal", &token).await.unwrap();
                        return None;
                    }
                    harness.refresh("portal", &token, &[]).await.ok()
                }
            }
        });
        for answer in answers.into_iter().flatten() {
            assert!(!harness.holds(&answer.access_token).await, "round {round}");
        }
        assert!(harness.refresh("portal", &token, &[]).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_submitted_64_times_counts_once() {
    let harness = Arc::new(Harness::new().await);
    let tab = Arc::new(Tab::new());
    let flow = login_flow(harness.begin("shop", &tab, &[]).await.unwrap());
    let answers = race(&harness, {
        let tab = Arc::clone(&tab);
        move |harness, _| {
            let (flow, tab) = (flow.clone(), Arc::clone(&tab));
            async move { harness.sign_in(&flow, "ada", &tab).await }
        }
    });
    let mut won = answers.into_iter().filter_map(Result::ok);
    let Some(SignInOutcome::Yes(cookie, next)) = won.next() else { panic!("nobody signed in") };
    assert!(won.next().is_none());
    assert_eq!(all(&harness.issuer, Kind::Session).await.len(), 1, "no session is left behind");

    let tab = Arc::new(tab.with(&cookie.text()));
    let flow = consent_flow(next);
    let answers = race(&harness, move |harness, _| {
        let (flow, tab) = (flow.clone(), Arc::clone(&tab));
        async move { harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await }
    });
    let won: Vec<_> = answers.into_iter().filter_map(Result::ok).collect();
    assert!(matches!(&*won, [Next::Go(_)]), "{won:?}");
    assert_eq!(all(&harness.issuer, Kind::Code).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_makes_one_administrator() {
    let harness = Arc::new(Harness::empty().await);
    let link = harness.issuer.offer_setup().await.unwrap().unwrap().text();
    let answers = race(&harness, move |harness, number| {
        let form = setup_form(&link, &format!("root{number}"));
        async move { harness.issuer.set_up(form, &Tab::new().browser()).await.is_ok() }
    });
    assert_eq!(answers.into_iter().filter(|made| *made).count(), 1);
    assert_eq!(all(&harness.issuer, Kind::Account).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_applied_64_times_is_there_once_and_whole() {
    let harness = Arc::new(Harness::new().await);
    let document = json!({
        "resourceType": "ApiCredential", "id": "night", "name": "Night sync",
        "secret": crate::harness::generated(9), "scope": ["api:read"],
    });
    for _ in 0..ROUNDS {
        let answers = race(&harness, {
            let document = document.clone();
            move |harness, _| {
                let document = document.clone();
                async move { harness.issuer.apply(document, Mode::Write).await }
            }
        });
        assert!(answers.iter().any(Result::is_ok));
        let refused = answers.into_iter().filter_map(Result::err);
        for error in refused {
            assert!(matches!(error, ApplyError::Conflict(_) | ApplyError::Clash { .. }));
        }
        let found = harness.issuer.describe(ResourceKind::API_CREDENTIAL, "night").await.unwrap();
        assert_eq!(found.unwrap()["name"], "Night sync");
        harness.issuer.remove(ResourceKind::API_CREDENTIAL, "night").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_who_want_one_name_one_gets_it() {
    let harness = Arc::new(Harness::new().await);
    let answers = race(&harness, |harness, number| {
        // One name in two spellings.
        let name =
            if number % 2 == 0 { "Carol@Example.org" } else { "ｃａｒｏｌ@example.ORG" };
        let user = json!({"resourceType": "User", "id": format!("c{number}"), "userName": name});
        async move { harness.issuer.apply(user, Mode::Write).await }
    });
    let refused: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.len(), RACERS - 1);
    assert!(refused.iter().all(|error| matches!(error, ApplyError::Clash { .. })));
}

/// Whatever else changes the ring at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_told_of_has_been() {
    let harness = Arc::new(Harness::new().await);
    let kid = harness.issuer.keyring().keys()[0].signing.kid().to_owned();
    let nodes = Arc::new([harness.again().await, harness.again().await]);
    race(&harness, move |_, number| {
        let (nodes, kid) = (Arc::clone(&nodes), kid.clone());
        async move {
            match number {
                0 => assert!(nodes[0].issuer.rotate_keys().await.unwrap()),
                1 => nodes[1].issuer.retire_key(&kid).await.unwrap(),
                _ => {}
            }
        }
    });
    let (keys, now) = (harness.again().await.issuer.keyring().keys(), harness.issuer.now());
    assert_eq!(keys.iter().filter(|key| now < key.sign_from).count(), 4);
    assert!(!harness.again().await.issuer.rotate_keys().await.unwrap(), "they are on their way");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_rotate_at_once_rotate_once() {
    let harness = Arc::new(Harness::new().await);
    let nodes = Arc::new([harness.again().await, harness.again().await]);
    race(&harness, move |_, number| {
        let nodes = Arc::clone(&nodes);
        async move {
            // Making RSA keys takes long: two racers are enough.
            if let Some(node) = nodes.get(number) {
                node.issuer.rotate_keys().await.unwrap();
                assert!(node.issuer.keyring().keys().len() >= 8);
            }
        }
    });
    let answer = harness.again().await.ask("robot", &[("grant_type", "client_credentials")]).await;
    assert!(!matches!(answer, Err(OAuthError::Keys(_))));
}
