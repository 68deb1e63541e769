//! What strangers begin is bounded by where they come from, and in size.

use castellan_issuer::{
    authorization::{
        next::{Answer, FlowError, Next},
        request::AuthorizeError,
    },
    error::OAuthError,
    request::source::Source,
    store::Kind,
};
use castellan_proto::ErrorCode;
use serde_json::json;

use crate::harness::{
    Harness, Tab, all, consent_flow, gone, login_flow, params, request, secret_of,
};

const HERE: &str = "192.0.2.1";

fn source(text: &str) -> Option<Source> {
    text.parse().ok().map(Source::Address)
}

fn tab_at(text: &str) -> Tab {
    Tab { source: source(text), ..Tab::new() }
}

/// Begins as a phone does: without proof of who it is.
async fn push(harness: &Harness, client: &str, from: &str) -> Result<(), OAuthError> {
    let secret = secret_of(client);
    let mut pairs = request(client).to_vec();
    pairs.extend(secret.as_deref().map(|secret| ("client_secret", secret)));
    let params = params(&pairs).from_source(source(from));
    harness.issuer.push_authorization(&params, None, None).await.map(drop)
}

async fn begin_device(harness: &Harness, from: &str) -> Result<(), OAuthError> {
    let params = params(&[("client_id", "tv")]).from_source(source(from));
    harness.issuer.begin_device(&params, None).await.map(drop)
}

#[tokio::test]
async fn sign_ins_pushed_requests_and_devices_are_bounded_together_by_source() {
    let harness = Harness::new().await;
    let stranger = tab_at(HERE);
    for at in 0..100 {
        login_flow(harness.begin("own", &stranger, &[]).await.unwrap());
        if at % 2 == 0 {
            assert!(matches!(
                harness.issuer.begin_sign_in(&stranger.browser()).await,
                Ok(Next::Login(_))
            ));
            push(&harness, "phone", HERE).await.unwrap();
        } else {
            begin_device(&harness, HERE).await.unwrap();
            push(&harness, "phone", HERE).await.unwrap();
        }
    }
    let kept = || async {
        let kinds = [Kind::Flow, Kind::Pushed, Kind::Device];
        let mut count = 0;
        for kind in kinds {
            count += all(&harness.issuer, kind).await.len();
        }
        count
    };
    assert_eq!(kept().await, 300);
    let refused = harness.begin("own", &stranger, &[]).await;
    assert!(matches!(refused, Err(FlowError::Token(OAuthError::Throttled(2)))), "{refused:?}");
    assert!(harness.issuer.begin_sign_in(&stranger.browser()).await.is_err());
    assert!(matches!(push(&harness, "phone", HERE).await, Err(OAuthError::Throttled(2))));
    assert!(matches!(begin_device(&harness, HERE).await, Err(OAuthError::Throttled(2))));
    assert_eq!(kept().await, 300, "nothing more is kept");
    // Whoever shows who they are is no stranger, and nobody else is held up.
    push(&harness, "shop", HERE).await.unwrap();
    push(&harness, "phone", "192.0.2.2").await.unwrap();
    login_flow(harness.begin("own", &tab_at("192.0.2.2"), &[]).await.unwrap());
    harness.later(2);
    login_flow(harness.begin("own", &stranger, &[]).await.unwrap());
    assert!(harness.begin("own", &stranger, &[]).await.is_err());
}

#[tokio::test]
async fn whoever_finishes_what_they_begin_is_never_held_up() {
    let harness = Harness::new().await;
    let tab = Tab { source: source(HERE), ..harness.tab_of("ada-1").await };
    for _ in 0..310 {
        let asked = harness.begin("shop", &tab, &[("prompt", "consent")]).await.unwrap();
        let flow = consent_flow(asked);
        gone(harness.issuer.consent(&flow, Answer::Allow, &tab.browser()).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_kept_of_a_request_is_bounded_in_size() {
    let harness = Harness::new().await;
    harness.edit("own", |client| client["scope"] = json!(["openid", "Mutation:*"])).await;
    // Of a length that is taken; and control characters take six bytes each where they are kept.
    let odd = "\u{1}".repeat(1_500);
    let long = [("login_hint", &*odd)];
    let refused = harness.begin("own", &Tab::new(), &long).await;
    let Err(FlowError::Authorize(AuthorizeError::Client { code, text, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(code, ErrorCode::InvalidRequest);
    assert!(text.contains("8192"), "{text}");
    assert!(all(&harness.issuer, Kind::Flow).await.is_empty());
    let pairs = [&request("phone")[..], &long].concat();
    let pushed = harness.issuer.push_authorization(&params(&pairs), None, None).await;
    assert!(matches!(pushed, Err(OAuthError::TooLong)));
    assert!(all(&harness.issuer, Kind::Pushed).await.is_empty());
    let scope = (0..600).map(|n| format!("Mutation:Order:A{n}")).collect::<Vec<_>>().join(" ");
    let device = params(&[("client_id", "tv"), ("scope", &scope)]);
    assert!(matches!(harness.issuer.begin_device(&device, None).await, Err(OAuthError::TooLong)));
    assert!(all(&harness.issuer, Kind::Device).await.is_empty());
}
