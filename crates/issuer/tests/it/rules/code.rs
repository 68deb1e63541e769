//! Authorization codes (`design.md` rule 32, RFC 7636).

use castellan_issuer::{
    authorization::{
        flow::{FlowError, Next},
        request::AuthorizeError,
    },
    error::TokenError,
};
use castellan_proto::ErrorCode;

use crate::house::{CHALLENGE, House, VERIFIER, code_in, gone, params, secret_of};

#[tokio::test]
async fn another_client_can_neither_burn_nor_learn_a_code() {
    let house = House::new().await;
    let code = house.code("shop", &house.tab_of("ada-1").await, &[]).await;
    let unknown = house.redeem("other", "csl_code_AAAA").await.unwrap_err().to_string();
    for thief in ["other", "phone", "own"] {
        let error = house.redeem(thief, &code).await.unwrap_err();
        assert_eq!(error.to_string(), unknown, "{thief} learns nothing");
    }
    assert!(house.redeem("shop", &code).await.is_ok());
}

#[tokio::test]
async fn a_code_goes_with_the_address_it_was_sent_to() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let grant = ("grant_type", "authorization_code");
    for (uri, good) in [("https://shop.test/cb", true), ("https://shop.test/cb/", false)] {
        let code = house.code("shop", &tab, &[]).await;
        let ask = [grant, ("code", &code), ("code_verifier", VERIFIER), ("redirect_uri", uri)];
        let answer = house.ask("shop", &ask).await;
        match answer {
            Ok(_) => assert!(good),
            Err(TokenError::CodeNotRedeemable) => assert!(!good),
            Err(error) => panic!("{error:?}"),
        }
        assert!(house.redeem("shop", &code).await.is_err(), "spent either way");
    }
}

#[tokio::test]
async fn an_address_that_is_not_registered_gets_nothing() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    for uri in ["https://evil.test/cb", "https://own.test/cb?x", "https://own.test", "own"] {
        let next = house.begin("own", &tab, &[("redirect_uri", uri)]).await;
        let Err(FlowError::Authorize(AuthorizeError::Page { code, .. })) = next else {
            panic!("{uri}: {next:?}");
        };
        assert_eq!(code, ErrorCode::InvalidRequest);
    }
    let next = house.begin("nobody", &tab, &[]).await;
    assert!(matches!(next, Err(FlowError::Authorize(AuthorizeError::Page { .. }))));
}

#[tokio::test]
async fn case_01_a_challenge_is_met_by_its_verifier_and_nothing_else() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let wrong = "a".repeat(43);
    let malformed = "!".repeat(43);
    let short = VERIFIER[..42].to_owned();
    let long = "a".repeat(129);
    for client in ["own", "shop"] {
        for verifier in ["", &wrong, &malformed, &short, &long, CHALLENGE] {
            let code = house.code(client, &tab, &[]).await;
            let ask = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("code_verifier", verifier),
            ];
            let error = house.ask(client, &ask).await.unwrap_err();
            match verifier {
                "" => assert!(matches!(error, TokenError::VerifierMissing), "{error:?}"),
                _ => assert!(matches!(error, TokenError::VerifierMismatch), "{verifier:?}"),
            }
            assert_eq!(error.code(), ErrorCode::InvalidGrant);
            assert!(house.redeem(client, &code).await.is_err(), "spent: {verifier:?}");
        }
    }
    assert!(house.families().await.is_empty());
}

#[tokio::test]
async fn case_01_a_verifier_without_a_challenge_is_refused() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    house.code("shop", &tab, &[]).await;
    let ask = params(&[("response_type", "code"), ("client_id", "shop")]);
    let code = async || {
        let next = house.issuer.begin(&ask, &tab.browser()).await.unwrap();
        code_in(&gone(next))
    };
    let error = house.redeem("shop", &code().await).await.unwrap_err();
    assert!(matches!(error, TokenError::VerifierMismatch));
    let grant = ("grant_type", "authorization_code");
    assert!(house.ask("shop", &[grant, ("code", &code().await)]).await.is_ok());
}

#[tokio::test]
async fn case_01_a_public_client_needs_a_challenge_of_the_one_method() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    for more in [
        &[][..],
        &[("code_challenge", CHALLENGE)],
        &[("code_challenge", CHALLENGE), ("code_challenge_method", "plain")],
        &[("code_challenge_method", "S256")],
        &[("code_challenge", "short"), ("code_challenge_method", "S256")],
    ] {
        let mut pairs = vec![("response_type", "code"), ("client_id", "own")];
        pairs.extend(more);
        let next = house.issuer.begin(&params(&pairs), &tab.browser()).await;
        let Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) = next else {
            panic!("{more:?}: {next:?}");
        };
        assert_eq!(code, ErrorCode::InvalidRequest);
    }
}

#[tokio::test]
async fn a_code_is_worthless_in_the_second_it_expires() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let code = house.code("own", &tab, &[]).await;
    house.later(59);
    assert!(house.redeem("own", &code).await.is_ok());
    let code = house.code("own", &tab, &[]).await;
    house.later(60);
    assert!(matches!(house.redeem("own", &code).await, Err(TokenError::CodeNotRedeemable)));
}

#[tokio::test]
async fn a_code_shown_twice_ends_what_it_gave() {
    let house = House::new().await;
    let code = house.code("own", &house.tab_of("ada-1").await, &[]).await;
    let answer = house.redeem("own", &code).await.unwrap();
    assert!(house.holds(&answer.access_token).await);
    // The thief need not even know the verifier.
    let grant = ("grant_type", "authorization_code");
    assert!(house.ask("own", &[grant, ("code", &code)]).await.is_err());
    assert!(!house.holds(&answer.access_token).await);
    let renewed = house.refresh("own", &answer.refresh_token.unwrap(), &[]).await;
    assert!(matches!(renewed, Err(TokenError::RefreshNotUsable)));
}

#[tokio::test]
async fn case_04_a_grant_taken_from_a_client_is_not_served_to_the_end() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let code = house.code("own", &tab, &[]).await;
    let Next::Login(flow) = house.begin("own", &tab, &[("prompt", "login")]).await.unwrap() else {
        panic!("no form");
    };
    house.edit("own", |own| own["grant_types"] = serde_json::json!([])).await;
    assert!(matches!(house.redeem("own", &code).await, Err(TokenError::GrantNotAllowed)));
    assert!(matches!(house.log_in(&flow, "ada", &tab).await, Err(FlowError::Lost)));
}

#[tokio::test]
async fn an_answer_says_who_gave_it_and_gives_the_state_back() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let url = gone(house.begin("own", &tab, &[]).await.unwrap());
    assert!(url.starts_with("https://own.test/cb?code=csl_code_"), "{url}");
    assert!(url.ends_with("&state=st&iss=https%3A%2F%2Fid.castellan.test"), "{url}");
}

#[tokio::test]
async fn a_confidential_client_redeems_only_with_its_secret() {
    let house = House::new().await;
    let code = house.code("shop", &house.tab_of("ada-1").await, &[]).await;
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
        let answer = house.issuer.token(&pairs(secret), None, None).await;
        assert!(matches!(answer, Err(TokenError::InvalidClient { .. })));
    }
    assert!(house.issuer.token(&pairs(secret_of("shop")), None, None).await.is_ok(), "not burnt");
}
