//! Parameters and addresses, as properties (`docs/security-cases.md` rows 2 and 3).

use castellan_issuer::{
    authorization::{next::FlowError, request::AuthorizeError},
    error::Repeated,
    request::params::Params,
};
use castellan_proto::RedirectUri;
use proptest::prelude::*;

use crate::harness::{Harness, params};

proptest! {
    #[test]
    fn case_03_a_repeated_parameter_is_refused_by_its_name(
        names in prop::collection::vec("[a-c]{1,2}", 0..8),
        values in prop::collection::vec("[ -~]{0,4}", 8),
    ) {
        let pairs: Vec<_> = names.iter().cloned().zip(values).collect();
        let mut seen = std::collections::BTreeSet::new();
        let repeated = names.iter().find(|name| !seen.insert(name.as_str()));
        match (Params::from_pairs(pairs.clone()), repeated) {
            (Ok(params), None) => for (name, value) in &pairs {
                let expected = (!value.is_empty()).then_some(value.as_str());
                prop_assert_eq!(params.get(name), expected);
                let secret = params.secret(name);
                prop_assert_eq!(secret.as_ref().map(castellan_proto::Secret::expose), expected);
            },
            (Err(Repeated(name)), Some(repeated)) => prop_assert_eq!(&name, repeated),
            _ => prop_assert!(false, "{:?}", names),
        }
    }

    #[test]
    fn case_02_what_is_admitted_differs_by_a_loopback_port_at_most(
        registered in "(https://a\\.test|http://127\\.0\\.0\\.1|http://\\[::1\\]|http://localhost|app)(:[0-9]{1,5})?(/|/cb|:/cb)?(\\?x=1)?",
        asked in "(https://a\\.test|http://127\\.0\\.0\\.1|http://\\[::1\\]|http://localhost|app)(:[0-9]{1,6}|@evil|:80@evil)?(/|/cb|:/cb)?(\\?x=1|#x)?",
    ) {
        if let Ok(ours) = RedirectUri::try_from(registered.clone())
            && ours.admits(&asked)
            && registered != asked
        {
            let bare = |uri: &str| uri.replace(|c: char| c.is_ascii_digit() || c == ':', "");
            prop_assert!(asked.starts_with("http://127.0.0.1") || asked.starts_with("http://[::1]"));
            prop_assert_eq!(bare(&registered), bare(&asked));
            prop_assert!(!asked.contains(['@', '#']));
        }
    }
}

#[tokio::test]
async fn an_address_must_be_named_where_several_are_registered() {
    let harness = Harness::new().await;
    let both = ["https://own.test/a", "http://127.0.0.1/b"];
    harness.edit("own", |own| own["redirect_uris"] = serde_json::json!(both)).await;
    let tab = harness.tab_of("ada-1").await;
    let next = harness.begin("own", &tab, &[]).await;
    assert!(matches!(next, Err(FlowError::Authorize(AuthorizeError::Page { .. }))));
    for uri in ["https://own.test/a", "http://127.0.0.1:5123/b"] {
        let url = crate::harness::gone(
            harness.begin("own", &tab, &[("redirect_uri", uri)]).await.unwrap(),
        );
        assert!(url.starts_with(uri));
    }
}

#[tokio::test]
async fn nothing_that_is_not_understood_is_passed_over() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    for more in [
        ("request", "x"),
        ("response_mode", "fragment"),
        ("max_age", "soon"),
        ("max_age", "-1"),
        ("prompt", "maybe"),
        ("scope", "openid Mutation:*"),
        ("scope", "\"openid\""),
    ] {
        let next = harness.begin("own", &tab, &[more]).await;
        assert!(
            matches!(next, Err(FlowError::Authorize(AuthorizeError::Client { .. }))),
            "{more:?}"
        );
    }
    let request_uri = ("request_uri", "https://x.test");
    let next = harness.begin("own", &tab, &[request_uri]).await;
    assert!(matches!(next, Err(FlowError::Authorize(AuthorizeError::Client { .. }))));
    let evil = ("redirect_uri", "https://evil.test/cb");
    let next = harness.begin("own", &tab, &[request_uri, evil]).await;
    assert!(matches!(next, Err(FlowError::Authorize(AuthorizeError::Page { .. }))));
    for kind in ["token", "code id_token", ""] {
        let ask = [("client_id", "own"), ("response_type", kind)];
        assert!(harness.issuer.begin(&params(&ask), &tab.browser()).await.is_err());
    }
}
