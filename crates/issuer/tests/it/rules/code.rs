//! Authorization codes (`docs/rules.md` rule 32, RFC 7636).

use castellan_issuer::{
    authorization::{
        next::{FlowError, Next},
        request::AuthorizeError,
    },
    error::OAuthError,
};
use castellan_proto::{ErrorCode, Opaque, OpaqueKind};

use crate::harness::{CHALLENGE, Harness, VERIFIER, code_in, gone, params, secret_of};

#[tokio::test]
async fn another_client_can_neither_burn_nor_learn_a_code() {
    let harness = Harness::new().await;
    let code = harness.code("shop", &harness.tab_of("ada-1").await, &[]).await;
    let unknown = harness.redeem("other", "csl_code_AAAA").await.unwrap_err().to_string();
    for thief in ["other", "phone", "own"] {
        let error = harness.redeem(thief, &code).await.unwrap_err();
        assert_eq!(error.to_string(), unknown, "{thief} learns nothing");
    }
    assert!(harness.redeem("shop", &code).await.is_ok());
}

#[tokio::test]
async fn a_code_goes_with_the_address_it_was_sent_to() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let grant = ("grant_type", "authorization_code");
    for (uri, good) in [("https://shop.test/cb", true), ("https://shop.test/cb/", false)] {
        let code = harness.code("shop", &tab, &[]).await;
        let ask = [grant, ("code", &code), ("code_verifier", VERIFIER), ("redirect_uri", uri)];
        let answer = harness.ask("shop", &ask).await;
        match answer {
            Ok(_) => assert!(good),
            Err(OAuthError::CodeNotRedeemable) => assert!(!good),
            Err(error) => panic!("{error:?}"),
        }
        assert!(harness.redeem("shop", &code).await.is_err(), "spent either way");
    }
}

#[tokio::test]
async fn an_address_that_is_not_registered_gets_nothing() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    for uri in ["https://evil.test/cb", "https://own.test/cb?x", "https://own.test", "own"] {
        let next = harness.begin("own", &tab, &[("redirect_uri", uri)]).await;
        let Err(FlowError::Authorize(AuthorizeError::Page { code, .. })) = next else {
            panic!("{uri}: {next:?}");
        };
        assert_eq!(code, ErrorCode::InvalidRequest);
    }
    let next = harness.begin("nobody", &tab, &[]).await;
    assert!(matches!(next, Err(FlowError::Authorize(AuthorizeError::Page { .. }))));
}

#[tokio::test]
async fn case_01_a_challenge_is_met_by_its_verifier_and_nothing_else() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let wrong = "a".repeat(43);
    let malformed = "!".repeat(43);
    let short = VERIFIER[..42].to_owned();
    let long = "a".repeat(129);
    for client in ["own", "shop"] {
        for verifier in ["", &wrong, &malformed, &short, &long, CHALLENGE] {
            let code = harness.code(client, &tab, &[]).await;
            let ask = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("code_verifier", verifier),
            ];
            let error = harness.ask(client, &ask).await.unwrap_err();
            match verifier {
                "" => assert!(matches!(error, OAuthError::VerifierMissing), "{error:?}"),
                _ => assert!(matches!(error, OAuthError::VerifierMismatch), "{verifier:?}"),
            }
            assert_eq!(error.code(), ErrorCode::InvalidGrant);
            assert!(harness.redeem(client, &code).await.is_err(), "spent: {verifier:?}");
        }
    }
    assert!(harness.families().await.is_empty());
}

#[tokio::test]
async fn case_01_a_verifier_without_a_challenge_is_refused() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    harness.code("shop", &tab, &[]).await;
    let ask = params(&[("response_type", "code"), ("client_id", "shop")]);
    let code = async || {
        let next = harness.issuer.begin(&ask, &tab.browser()).await.unwrap();
        code_in(&gone(next))
    };
    let error = harness.redeem("shop", &code().await).await.unwrap_err();
    assert!(matches!(error, OAuthError::VerifierMismatch));
    let grant = ("grant_type", "authorization_code");
    assert!(harness.ask("shop", &[grant, ("code", &code().await)]).await.is_ok());
}

#[tokio::test]
async fn case_01_a_public_client_needs_a_challenge_of_the_one_method() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    for more in [
        &[][..],
        &[("code_challenge", CHALLENGE)],
        &[("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        &[("code_challenge_method", "S256")],
        &[("code_challenge", "short"), ("code_challenge_method", "S256")],
    ] {
        let mut pairs = vec![("response_type", "code"), ("client_id", "own")];
        pairs.extend(more);
        let next = harness.issuer.begin(&params(&pairs), &tab.browser()).await;
        let Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) = next else {
            panic!("{more:?}: {next:?}");
        };
        assert_eq!(code, ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn a_code_is_worthless_in_the_second_it_expires() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("own", &tab, &[]).await;
    harness.later(59);
    assert!(harness.redeem("own", &code).await.is_ok());
    let code = harness.code("own", &tab, &[]).await;
    harness.later(60);
    assert!(matches!(harness.redeem("own", &code).await, Err(OAuthError::CodeNotRedeemable)));
}

#[tokio::test]
async fn a_code_shown_twice_ends_what_it_gave() {
    let harness = Harness::new().await;
    let code = harness.code("own", &harness.tab_of("ada-1").await, &[]).await;
    let answer = harness.redeem("own", &code).await.unwrap();
    assert!(harness.holds(&answer.access_token).await);
    // The thief need not even know the verifier.
    let grant = ("grant_type", "authorization_code");
    assert!(harness.ask("own", &[grant, ("code", &code)]).await.is_err());
    assert!(!harness.holds(&answer.access_token).await);
    let renewed = harness.refresh("own", &answer.refresh_token.unwrap(), &[]).await;
    assert!(matches!(renewed, Err(OAuthError::RefreshNotUsable)));
}

/// RFC 6749 §4.1.2: as long as anything that came of it lives, and by whoever it was issued to alone.
#[tokio::test]
async fn a_code_shown_again_weeks_later_ends_what_it_gave() {
    let harness = Harness::new().await;
    for client in ["own", "shop"] {
        let code = harness.code(client, &harness.tab_of("ada-1").await, &[]).await;
        let answer = harness.redeem(client, &code).await.unwrap();
        let mut refresh = answer.refresh_token.unwrap();
        for _ in 0..3 {
            harness.later(20 * 86_400);
            let next = harness.refresh(client, &refresh, &[]).await.unwrap();
            refresh = next.refresh_token.unwrap();
        }
        // Whoever knows the family knows no code of it: `jti` is no secret.
        let known = Opaque::read(OpaqueKind::Code, &code).unwrap();
        let mut forged = known.payload().to_vec();
        *forged.last_mut().unwrap() ^= 1;
        let forged = Opaque::carrying(OpaqueKind::Code, forged).text();
        for (thief, shown) in [("other", &code), (client, &forged)] {
            let error = harness.redeem(thief, shown).await.unwrap_err();
            assert!(matches!(error, OAuthError::CodeNotRedeemable), "{error:?}");
        }
        let next = harness.refresh(client, &refresh, &[]).await.unwrap();
        assert!(harness.holds(&next.access_token).await, "it goes on");
        let error = harness.redeem(client, &code).await.unwrap_err();
        assert!(matches!(error, OAuthError::CodeNotRedeemable), "{error:?}");
        assert!(!harness.holds(&next.access_token).await, "{client}");
        let over = harness.refresh(client, &next.refresh_token.unwrap(), &[]).await;
        assert!(matches!(over, Err(OAuthError::RefreshNotUsable)), "{client}");
    }
}

#[tokio::test]
async fn case_04_a_grant_taken_from_a_client_is_not_served_to_the_end() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("own", &tab, &[]).await;
    let Next::Login(flow) = harness.begin("own", &tab, &[("prompt", "login")]).await.unwrap()
    else {
        panic!("no form");
    };
    harness.edit("own", |own| own["grant_types"] = serde_json::json!([])).await;
    assert!(matches!(harness.redeem("own", &code).await, Err(OAuthError::GrantNotAllowed)));
    assert!(matches!(harness.sign_in(&flow, "ada", &tab).await, Err(FlowError::Expired)));
}

#[tokio::test]
async fn an_answer_says_who_gave_it_and_gives_the_state_back() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let url = gone(harness.begin("own", &tab, &[]).await.unwrap());
    assert!(url.starts_with("https://own.test/cb?code=csl_code_"), "{url}");
    assert!(url.ends_with("&state=st&iss=https%3A%2F%2Fid.castellan.test"), "{url}");
}

#[tokio::test]
async fn a_confidential_client_redeems_only_with_its_secret() {
    let harness = Harness::new().await;
    let code = harness.code("shop", &harness.tab_of("ada-1").await, &[]).await;
    let pairs = |secret: Option<String>| {
        let mut pairs = vec![
            ("grant_type".to_owned(), "authorization_code".to_owned()),
            ("client_id".to_owned(), "shop".to_owned()),
            ("code".to_owned(), code.clone()),
            ("code_verifier".to_owned(), VERIFIER.to_owned()),
        ];
        pairs.extend(secret.map(|secret| ("client_secret".to_owned(), secret)));
        castellan_issuer::request::params::Params::from_pairs(pairs).unwrap()
    };
    for secret in [None, secret_of("other"), Some("guess".to_owned())] {
        let answer = harness.issuer.token(&pairs(secret), None, None).await;
        assert!(matches!(answer, Err(OAuthError::InvalidClient { .. })));
    }
    assert!(harness.issuer.token(&pairs(secret_of("shop")), None, None).await.is_ok(), "not burnt");
}
