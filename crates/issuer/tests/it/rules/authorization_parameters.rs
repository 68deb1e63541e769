//! What a request may ask for besides the rest: of the person (`prompt`, `id_token_hint`), and for
//! which APIs a token is (`resource`).

use castellan_issuer::{
    authorization::{
        flow::{Answer, FlowError, LoggedIn, Next},
        request::AuthorizeError,
    },
    error::TokenError,
    grant::DEVICE_CODE,
    tokens::{mint::TokenAnswer, verify::Holder},
};
use castellan_proto::ErrorCode;
use serde_json::json;

use crate::house::{House, ISSUER, Tab, VERIFIER, consent_flow, gone, login_flow, params};

/// The one guard of every house.
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
async fn sign_in(house: &House, next: Next, name: &str, tab: Tab) -> (Tab, Next) {
    match house.log_in(&login_flow(next), name, &tab).await.unwrap() {
        LoggedIn::Yes(cookie, next) => (Tab { session: Some(cookie.text()), ..tab }, next),
        LoggedIn::No => panic!("no"),
    }
}

#[tokio::test]
async fn who_is_to_sign_in_and_to_agree_is_asked_for_both() {
    let house = House::new().await;
    for (client, prompt) in
        [("own", "login consent"), ("shop", "consent login"), ("own", "consent select_account x")]
    {
        let tab = house.tab_of("ada-1").await;
        // Signed in, and agreed to or of the house.
        house.code(client, &tab, &[]).await;
        let asked = house.begin(client, &tab, &[("prompt", prompt)]).await.unwrap();
        let (tab, next) = sign_in(&house, asked, "ada", tab).await;
        let flow = consent_flow(next);
        gone(house.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
    }
}

#[tokio::test]
async fn an_account_is_selected_by_signing_in() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let asked = house.begin("own", &tab, &[("prompt", "select_account")]).await.unwrap();
    let (tab, next) = sign_in(&house, asked, "bob", tab).await;
    gone(next);
    assert_eq!(house.issuer.signed_in(&tab.browser()).await.unwrap().unwrap().account_id, "bob-1");
}

#[tokio::test]
async fn asking_nothing_goes_with_no_other_prompt_wherever_it_stands() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    for prompt in ["none login", "select_account none", "login consent none", "x y none", "x"] {
        let next = house.begin("own", &tab, &[("prompt", prompt)]).await;
        assert_eq!(refused(next), ErrorCode::InvalidRequest, "{prompt}");
    }
}

#[tokio::test]
async fn a_hint_says_who_must_be_signed_in_where_nobody_is_asked() {
    let house = House::new().await;
    let hint = house.tokens("own").await.id_token.unwrap();
    let silent = [("prompt", "none"), ("id_token_hint", &*hint)];
    let (adas, bobs) = (house.tab_of("ada-1").await, house.tab_of("bob-1").await);
    for _ in 0..2 {
        gone(house.begin("own", &adas, &silent).await.unwrap());
        for tab in [&bobs, &Tab::new()] {
            let next = house.begin("own", tab, &silent).await;
            assert_eq!(refused(next), ErrorCode::LoginRequired);
        }
        house.later(700); // The second time, it has expired.
    }
    // Nobody learns by a hint who is signed in and has not agreed.
    for tab in [&adas, &bobs] {
        let next = house.begin("shop", tab, &silent).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired);
    }
    let claims = json!({"id_token": {"sub": {"value": "bob-1"}}}).to_string();
    for tab in [&adas, &bobs] {
        let next = house.begin("own", tab, &[&silent[..], &[("claims", &claims)]].concat()).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired, "nobody is two people");
    }
    gone(house.begin("own", &bobs, &[("id_token_hint", &hint)]).await.unwrap());
}

#[tokio::test]
async fn a_hint_that_does_not_read_is_nobody() {
    let house = House::new().await;
    let tokens = house.tokens("own").await;
    let (hint, tab) = (tokens.id_token.unwrap(), house.tab_of("ada-1").await);
    let other = house.tokens("own").await.id_token.unwrap();
    let (said, _) = hint.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    let forged = format!("{said}.{}", signature.chars().rev().collect::<String>());
    for junk in ["junk", "a.b.c", &*forged, &*tokens.access_token] {
        let hint = ("id_token_hint", junk);
        let next = house.begin("own", &tab, &[("prompt", "none"), hint]).await;
        assert_eq!(refused(next), ErrorCode::LoginRequired, "{junk}");
        gone(house.begin("own", &tab, &[hint]).await.unwrap());
    }
}

/// Who the access token in `answer` is for.
async fn audience(house: &House, answer: &TokenAnswer) -> Vec<String> {
    house.issuer.verify_access(&answer.access_token, Holder::Bearer).await.unwrap().audience.clone()
}

/// Trades `code` for a token that is for `resource` alone.
async fn redeem_for(
    house: &House,
    client: &str,
    (code, resource): (&str, &str),
) -> Result<TokenAnswer, TokenError> {
    let grant = ("grant_type", "authorization_code");
    let pairs = [grant, ("code", code), ("code_verifier", VERIFIER), ("resource", resource)];
    house.ask(client, &pairs).await
}

/// Narrows the tokens of the family that `first` is of, and asks for more than there is.
async fn narrow_again(house: &House, client: &str, first: TokenAnswer) {
    assert_eq!(audience(house, &first).await, [API]);
    let wide = house.refresh(client, &first.refresh_token.unwrap(), &[]).await.unwrap();
    assert_eq!(audience(house, &wide).await, [ISSUER], "what was granted, and no more");
    let refresh = wide.refresh_token.unwrap();
    let foreign = house.refresh(client, &refresh, &[("resource", FOREIGN)]).await;
    assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    let narrow = house.refresh(client, &refresh, &[("resource", API)]).await.unwrap();
    assert_eq!(audience(house, &narrow).await, [API]);
}

#[tokio::test]
async fn what_is_for_every_api_may_be_narrowed_to_one() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    // One has JWTs, the other opaque tokens.
    for client in ["own", "lens"] {
        let code = house.code(client, &tab, &[]).await;
        let first = redeem_for(&house, client, (&code, API)).await.unwrap();
        narrow_again(&house, client, first).await;
        let code = house.code(client, &tab, &[]).await;
        let foreign = redeem_for(&house, client, (&code, FOREIGN)).await;
        assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    }
}

#[tokio::test]
async fn what_is_for_one_api_is_not_widened() {
    let house = House::new().await;
    let tab = house.tab_of("ada-1").await;
    let code = house.code("own", &tab, &[("resource", API)]).await;
    let wider = redeem_for(&house, "own", (&code, ISSUER)).await;
    assert_eq!(wider.unwrap_err().code(), ErrorCode::InvalidTarget);
    let code = house.code("own", &tab, &[("resource", API)]).await;
    let first = redeem_for(&house, "own", (&code, API)).await.unwrap();
    let refresh = first.refresh_token.unwrap();
    let wider = house.refresh("own", &refresh, &[("resource", ISSUER)]).await;
    assert_eq!(wider.unwrap_err().code(), ErrorCode::InvalidTarget);
    let same = house.refresh("own", &refresh, &[]).await.unwrap();
    assert_eq!(audience(&house, &same).await, [API]);
}

/// Ada lets the device in; its code.
async fn device_code(house: &House) -> String {
    let begun = house.issuer.begin_device(&params(&[("client_id", "tv")]), None).await.unwrap();
    let browser = house.tab_of("ada-1").await.browser();
    let next = house.issuer.enter_user_code(&begun.user_code, &browser).await.unwrap();
    house.issuer.consent(&consent_flow(next), Answer::Allow, &browser).await.unwrap();
    begun.device_code
}

#[tokio::test]
async fn a_device_says_like_any_other_app_for_which_api_its_token_is() {
    let house = House::new().await;
    let look = async |code: &str, resource: &str| {
        let pairs = [("grant_type", DEVICE_CODE), ("device_code", code), ("resource", resource)];
        house.ask("tv", &pairs).await
    };
    let code = device_code(&house).await;
    let foreign = look(&code, FOREIGN).await;
    assert_eq!(foreign.unwrap_err().code(), ErrorCode::InvalidTarget);
    let code = device_code(&house).await;
    narrow_again(&house, "tv", look(&code, API).await.unwrap()).await;
}

#[tokio::test]
async fn a_narrowed_token_of_an_app_of_oauth_still_names_the_app() {
    let house = House::new().await;
    house
        .edit("shop", |shop| {
            shop["dialect"] = json!("decidim");
            shop["type"] = json!("confidential");
            shop["scope"] = json!(["profile", "user"]);
        })
        .await;
    let tab = house.tab_of("ada-1").await;
    let code = house.code("shop", &tab, &[("redirect_uri", "https://shop.test/cb")]).await;
    let narrow = redeem_for(&house, "shop", (&code, API)).await.unwrap();
    assert_eq!(audience(&house, &narrow).await, [API, "shop"]);
}
