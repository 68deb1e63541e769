//! What a request may ask for besides the rest: of the person (`prompt`, `id_token_hint`), and for
//! which APIs a token is (`resource`).

use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next, SignInOutcome},
        request::AuthorizeError,
    },
    error::OAuthError,
    grant::DEVICE_CODE,
    tokens::{mint::TokenAnswer, verified::Holder},
};
use castellan_proto::ErrorCode;
use serde_json::json;

use crate::harness::{Harness, ISSUER, Tab, VERIFIER, consent_flow, gone, login_flow, params};

/// The one guard of every harness.
const API: &str = "https://id.castellan.test/api";
const FOREIGN: &str = "https://evil.test/";

#[track_caller]
fn refused(next: Result<Next, FlowError>) -> ErrorCode {
    match next {
        Err(FlowError::Authorize(AuthorizeError::Client { code, .. })) => code,
        other => panic!("{other:?}"),
    }
}

/// Goes on from a sign-in form as `name`.
async fn sign_in(harness: &Harness, next: Next, name: &str, tab: Tab) -> (Tab, Next) {
    match harness.sign_in(&login_flow(next), name, &tab).await.unwrap() {
        SignInOutcome::Yes(cookie, next) => (Tab { session: Some(cookie.text()), ..tab }, next),
        SignInOutcome::No(_) | SignInOutcome::Further(_) => panic!("no"),
    }
}

#[tokio::test]
async fn who_is_to_sign_in_and_to_agree_is_asked_for_both() {
    let harness = Harness::new().await;
    for (client, prompt) in
        [("own", "login consent"), ("shop", "consent login"), ("own", "consent select_account x")]
    {
        let tab = harness.tab_of("ada-1").await;
        // Signed in, and agreed to or of the harness.
        harness.code(client, &tab, &[]).await;
        let asked = harness.begin(client, &tab, &[("prompt", prompt)]).await.unwrap();
        let (tab, next) = sign_in(&harness, asked, "ada", tab).await;
        let flow = consent_flow(next);
        gone(harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
    }
}

#[tokio::test]
async fn an_account_is_selected_by_signing_in() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let asked = harness.begin("own", &tab, &[("prompt", "select_account")]).await.unwrap();
    let (tab, next) = sign_in(&harness, asked, "bob", tab).await;
    gone(next);
    assert_eq!(
        harness.issuer.signed_in(&tab.browser()).await.unwrap().unwrap().account_id,
        "bob-1"
    );
}

#[tokio::test]
async fn asking_nothing_goes_with_no_other_prompt_wherever_it_stands() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    for prompt in ["none login", "select_account none", "login consent none", "x y none", "x"] {
        let next = harness.begin("own", &tab, &[("prompt", prompt)]).await;
        assert_eq!(refused(next), ErrorCode::InvalidRequest, "{prompt}");
    }
}

#[tokio::test]
async fn a_hint_says_who_must_be_signed_in_where_nobody_is_asked() {
    let harness = Harness::new().await;
    let hint = harness.tokens("own").await.id_token.unwrap();
    let silent = [("prompt", "none"), ("id_token_hint", &*hint)];
    let (adas, bobs) = (harness.tab_of("ada-1").await, harness.tab_of("bob-1").await);
    for _ in 0..2 {
        gone(harness.begin("own", &adas, &silent).await.unwrap());
        for tab in [&bobs, &Tab::new()] {
            let next = harness.begin("own", tab, &silent).await;
            assert_eq!(refused(next), ErrorCode::LoginRequired);
        }
        harness.later(700); // The second time, it has expired.
    }
    // Nobody learns by a hint who is signed in and has not agreed.
    for tab in [&adas, &bobs] {
        let next = harness.begin("shop", tab, &silent).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired);
    }
    let claims = json!({"id_token": {"sub": {"value": "bob-1"}}}).to_string();
    for tab in [&adas, &bobs] {
        let next = harness.begin("own", tab, &[&silent[..], &[("claims", &claims)]].concat()).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired, "nobody is two people");
    }
    gone(harness.begin("own", &bobs, &[("id_token_hint", &hint)]).await.unwrap());
}

#[tokio::test]
async fn a_hint_that_does_not_read_is_nobody() {
    let harness = Harness::new().await;
    let tokens = harness.tokens("own").await;
    let (hint, tab) = (tokens.id_token.unwrap(), harness.tab_of("ada-1").await);
    let other = harness.tokens("own").await.id_token.unwrap();
    let (said, _) = hint.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{said}.{}", signature.chars().rev().collect::<String>());
    for junk in ["junk", "a.b.c", &*forged, &*tokens.access_token] {
        let hint = ("id_token_hint", junk);
        let next = harness.begin("own", &tab, &[("prompt", "none"), hint]).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired, "{junk}");
        gone(harness.begin("own", &tab, &[hint]).await.unwrap());
    }
}

/// Who the access token in `answer` is for.
async fn audience(harness: &Harness, answer: &TokenAnswer) -> Vec<String> {
    harness
        .issuer
        .verify_access(&answer.access_token, Holder::Bearer)
        .await
        .unwrap()
        .audience
        .clone()
}

/// Trades `code` for a token that is for `resource` alone.
async fn redeem_for(
    harness: &Harness,
    client: &str,
    (code, resource): (&str, &str),
) -> Result<TokenAnswer, OAuthError> {
    let grant = ("grant_type", "authorization_code");
    let pairs = [grant, ("code", code), ("code_verifier", VERIFIER), ("resource", resource)];
    harness.ask(client, &pairs).await
}

/// Narrows the tokens of the family that `first` is of, and asks for more than there is.
async fn narrow_again(harness: &Harness, client: &str, first: TokenAnswer) {
    assert_eq!(audience(harness, &first).await, [API]);
    let wide = harness.refresh(client, &first.refresh_token.unwrap(), &[]).await.unwrap();
    assert_eq!(audience(harness, &wide).await, [ISSUER], "what was granted, and no more");
    let refresh = wide.refresh_token.unwrap();
    let foreign = harness.refresh(client, &refresh, &[("resource", FOREIGN)]).await;
    assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    let narrow = harness.refresh(client, &refresh, &[("resource", API)]).await.unwrap();
    assert_eq!(audience(harness, &narrow).await, [API]);
}

#[tokio::test]
async fn what_is_for_every_api_may_be_narrowed_to_one() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    // One has JWTs, the other opaque tokens.
    for client in ["own", "lens"] {
        let code = harness.code(client, &tab, &[]).await;
        let first = redeem_for(&harness, client, (&code, API)).await.unwrap();
        narrow_again(&harness, client, first).await;
        let code = harness.code(client, &tab, &[]).await;
        let foreign = redeem_for(&harness, client, (&code, FOREIGN)).await;
        assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    }
}

#[tokio::test]
async fn what_is_for_one_api_is_not_widened() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("own", &tab, &[("resource", API)]).await;
    let wider = redeem_for(&harness, "own", (&code, ISSUER)).await;
    assert_eq!(wider.unwrap_err().code(), ErrorCode::InvalidTarget);
    let code = harness.code("own", &tab, &[("resource", API)]).await;
    let first = redeem_for(&harness, "own", (&code, API)).await.unwrap();
    let refresh = first.refresh_token.unwrap();
    let wider = harness.refresh("own", &refresh, &[("resource", ISSUER)]).await;
    assert_eq!(wider.unwrap_err().code(), ErrorCode::InvalidTarget);
    let same = harness.refresh("own", &refresh, &[]).await.unwrap();
    assert_eq!(audience(&harness, &same).await, [API]);
}

/// Ada lets the device in; its code.
async fn device_code(harness: &Harness) -> String {
    let begun = harness.issuer.begin_device(&params(&[("client_id", "tv")]), None).await.unwrap();
    let browser = harness.tab_of("ada-1").await.browser();
    let next = harness.issuer.enter_user_code(&begun.user_code, &browser).await.unwrap();
    harness.issuer.consent(&consent_flow(next), Answer::Allow, &browser).await.unwrap();
    begun.device_code
}

#[tokio::test]
async fn a_device_says_like_any_other_app_for_which_api_its_token_is() {
    let harness = Harness::new().await;
    let look = async |code: &str, resource: &str| {
        let pairs = [("grant_type", DEVICE_CODE), ("device_code", code), ("resource", resource)];
        harness.ask("tv", &pairs).await
    };
    let code = device_code(&harness).await;
    let foreign = look(&code, FOREIGN).await;
    assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    let code = device_code(&harness).await;
    narrow_again(&harness, "tv", look(&code, API).await.unwrap()).await;
}

#[tokio::test]
async fn a_narrowed_token_of_an_app_of_oauth_still_names_the_app() {
    let harness = Harness::new().await;
    harness
        .edit("shop", |shop| {
            shop["dialect"] = json!("decidim");
            shop["type"] = json!("confidential");
            shop["scope"] = json!(["profile", "user"]);
        })
        .await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("shop", &tab, &[("redirect_uri", "https://shop.test/cb")]).await;
    let narrow = redeem_for(&harness, "shop", (&code, API)).await.unwrap();
    assert_eq!(audience(&harness, &narrow).await, [API, "shop"]);
}
