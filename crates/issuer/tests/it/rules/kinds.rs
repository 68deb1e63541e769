//! One kind each (`docs/rules.md` rule 26, `docs/security-cases.md` row 6): nothing passes for
//! another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    keys::{KeyKind, KeyUse},
    machine::api_key::{KeyProof, KeyTerms, KeyTokens},
    tokens::verified::VerifyError,
};
use castellan_proto::{
    Opaque, OpaqueKind,
    jose::{Algorithm, Compact, HmacKey, SigningKey},
};
use serde_json::{Value, json};

use crate::harness::Harness;

const ES: KeyKind = KeyUse::Access.with(Algorithm::Es256);

/// The claims of a token, unproven.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn is_refused_everywhere(harness: &Harness, token: &str, why: &str) {
    assert!(!harness.holds(token).await, "{why}");
    assert!(harness.issuer.userinfo(token, None).await.is_err(), "{why}");
    let introspected = harness.introspect("robot", token).await.unwrap();
    assert_eq!(introspected, json!({"active": false}), "{why}");
    assert!(harness.refresh("own", token, &[]).await.is_err(), "{why}");
}

#[tokio::test]
async fn no_token_passes_for_another_kind() {
    let harness = Harness::new().await;
    for client in ["own", "lens"] {
        let answer = harness.tokens(client).await;
        let (access, refresh) = (answer.access_token, answer.refresh_token.unwrap());
        is_refused_everywhere(&harness, &answer.id_token.unwrap(), "an ID token as access").await;
        assert!(!harness.holds(&refresh).await, "a refresh token as access");
        assert!(harness.refresh(client, &access, &[]).await.is_err(), "access as refresh");
        assert!(harness.redeem(client, &access).await.is_err(), "access as code");
        assert!(harness.redeem(client, &refresh).await.is_err(), "refresh as code");
        assert!(harness.holds(&access).await, "and nothing of it was spent");
    }
}

#[tokio::test]
async fn another_prefix_makes_no_other_kind() {
    let harness = Harness::new().await;
    let answer = harness.tokens("lens").await;
    let payload = |kind, text| Opaque::read(kind, text).unwrap().payload().to_vec();
    let refresh = payload(OpaqueKind::Refresh, answer.refresh_token.as_deref().unwrap());
    let access = payload(OpaqueKind::Access, &answer.access_token);
    let as_access = Opaque::carrying(OpaqueKind::Access, refresh).text();
    assert!(!harness.holds(&as_access).await);
    let as_refresh = Opaque::carrying(OpaqueKind::Refresh, access.clone()).text();
    assert!(harness.refresh("lens", &as_refresh, &[]).await.is_err());
    for at in 0..access.len() {
        let mut other = access.clone();
        other[at] ^= 1;
        let forged = Opaque::carrying(OpaqueKind::Access, other).text();
        assert!(!harness.holds(&forged).await, "byte {at}");
    }
}

#[tokio::test]
async fn case_06_the_algorithm_is_the_keys_and_not_the_headers() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    let (head, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    let with = |alg: &str| {
        let mut header = header.clone();
        header["alg"] = json!(alg);
        URL_SAFE_NO_PAD.encode(header.to_string())
    };
    is_refused_everywhere(&harness, &format!("{}.{payload}.", with("none")), "none").await;
    for alg in ["none", "None", "RS256", "HS256", "ES384", "es256", ""] {
        let forged = format!("{}.{payload}.{signature}", with(alg));
        is_refused_everywhere(&harness, &forged, alg).await;
    }
    let jwks = harness.issuer.keyring().jwks(harness.issuer.now());
    for jwk in &jwks.keys {
        let public = serde_json::to_string(jwk).unwrap();
        let signed = format!("{}.{payload}", with("HS256"));
        let code = HmacKey::new(public.as_bytes()).code(signed.as_bytes());
        let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(code));
        is_refused_everywhere(&harness, &forged, "HS256 with a public key").await;
    }
    assert!(harness.holds(&token).await);
}

#[tokio::test]
async fn a_token_is_ours_in_every_part_of_its_header() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    let (good, now) = (claims(&token), harness.issuer.now());
    let keys = harness.issuer.keyring();
    let sign = |kind, typ: &str, claims: &Value| keys.sign(kind, typ, claims, now).unwrap();

    assert!(harness.holds(&sign(ES, "at+jwt", &good)).await);
    assert!(harness.holds(&sign(ES, "application/at+jwt", &good)).await);
    for typ in ["JWT", "", "castellan-identity+jwt", "at+jwt "] {
        is_refused_everywhere(&harness, &sign(ES, typ, &good), typ).await;
    }
    let crit = r#"at+jwt","crit":["exp"],"x":""#;
    is_refused_everywhere(&harness, &sign(ES, crit, &good), "crit").await;
    let twice = r#"at+jwt","alg":"none"#;
    is_refused_everywhere(&harness, &sign(ES, twice, &good), "a member twice").await;
    for kind in [KeyUse::Id.with(Algorithm::Rs256), KeyUse::Identity.with(Algorithm::Es256)] {
        is_refused_everywhere(&harness, &sign(kind, "at+jwt", &good), "another use").await;
    }
    let foreign = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let forged = foreign.sign("at+jwt", &good).unwrap();
    is_refused_everywhere(&harness, &forged, "an unknown kid").await;
    let head = token.split('.').next().unwrap();
    let (_, rest) = forged.split_once('.').unwrap();
    is_refused_everywhere(&harness, &format!("{head}.{rest}"), "a kid of ours").await;
}

#[tokio::test]
async fn a_token_is_ours_in_every_claim_that_matters() {
    let harness = Harness::new().await;
    let token = harness.tokens("own").await.access_token;
    let (good, now) = (claims(&token), harness.issuer.now());
    let sign = |claims: &Value| harness.issuer.keyring().sign(ES, "at+jwt", claims, now).unwrap();
    for (name, value) in [
        ("iss", json!("https://evil.test")),
        ("iss", json!(format!("{}/", crate::harness::ISSUER))),
        ("jti", json!("another-family.0")),
        ("jti", json!("another-family")),
        ("gen", json!(1)),
        ("exp", json!(now)),
        ("exp", json!(-1)),
        ("scope", json!(["openid"])),
        ("gen", json!(-1)),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        is_refused_everywhere(&harness, &sign(&claims), name).await;
    }
    let mut wider = good.clone();
    wider["scope"] = json!("openid Castellan:User:*");
    // The signature is ours, so this is what we signed; consent still bounds it elsewhere.
    assert!(harness.holds(&sign(&wider)).await);
}

/// The family is read from `jti`, whatever `sid` says: earlier versions wrote the family's name there.
#[tokio::test]
async fn a_token_of_an_earlier_version_holds_and_is_revoked_though_its_sid_names_its_family() {
    let harness = Harness::new().await;
    let tokens = harness.tokens("own").await;
    let mut old = claims(&tokens.access_token);
    let family = old["jti"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned();
    assert_ne!(old["sid"], json!(family));
    old["sid"] = json!(family);
    let old = harness.issuer.keyring().sign(ES, "at+jwt", &old, harness.issuer.now()).unwrap();
    assert!(harness.holds(&old).await && harness.holds(&tokens.access_token).await);
    harness.revoke("own", &old).await.unwrap();
    assert!(!harness.holds(&old).await && !harness.holds(&tokens.access_token).await);
    assert!(harness.refresh("own", &tokens.refresh_token.unwrap(), &[]).await.is_err());
}

/// `docs/rules.md` §8: `sid` is the session, by the name that ID tokens have for it.
#[tokio::test]
async fn sid_is_the_session_in_every_token_and_absent_where_there_is_none() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("shop", &tab, &[("scope", "openid")]).await;
    let tokens = harness.redeem("shop", &code).await.unwrap();
    let sid = claims(tokens.id_token.as_ref().unwrap())["sid"].clone();
    assert!(sid.is_string() && claims(&tokens.access_token)["sid"] == sid);
    let again = harness.refresh("shop", &tokens.refresh_token.unwrap(), &[]).await.unwrap();
    assert_eq!(claims(&again.access_token)["sid"], sid);
    let machine = harness.ask("robot", &[("grant_type", "client_credentials")]).await.unwrap();
    assert_eq!(claims(&machine.access_token).get("sid"), None);
}

#[tokio::test]
async fn consent_bounds_even_what_we_signed() {
    let harness = Harness::new().await;
    let tab = harness.tab_of("ada-1").await;
    let code = harness.code("shop", &tab, &[("scope", "openid")]).await;
    let token = harness.redeem("shop", &code).await.unwrap().access_token;
    let mut wider = claims(&token);
    wider["scope"] = json!("openid email");
    let now = harness.issuer.now();
    let signed = harness.issuer.keyring().sign(ES, "at+jwt", &wider, now).unwrap();
    is_refused_everywhere(&harness, &signed, "beyond the consent").await;
}

#[tokio::test]
async fn the_clients_algorithm_signs_its_tokens() {
    let harness = Harness::new().await;
    harness.edit("own", |own| own["access_token_signed_response_alg"] = json!("RS256")).await;
    let token = harness.tokens("own").await.access_token;
    assert_eq!(Compact::read(&token).unwrap().header().alg, "RS256");
    assert!(harness.holds(&token).await);
}

#[tokio::test]
async fn a_keys_token_is_no_access_token_and_the_other_way_round() {
    let harness = Harness::new().await;
    let keys = KeyTokens::new(KeyTerms {
        secret: HmacKey::new(&[7; 32]),
        issuer: "castellan".to_owned(),
        check_issuer: true,
        lifetime: 60,
        keys: std::collections::BTreeMap::new(),
    });
    let shown = |id, api_key| KeyProof { id, api_key, source: None };
    let secret = castellan_proto::Secret::new("a key's secret".to_owned());
    harness
        .apply(json!({
            "resourceType": "AuthKey", "id": "k1", "apiKey": "a key's secret",
            "scopes": ["Mutation:Order:*"],
        }))
        .await;
    let asked = ["Mutation:Order:Make".to_owned()];
    let token = keys.issue(&harness.issuer, shown("k1", &secret), &asked).await.unwrap();
    let caller = keys.verify(&harness.issuer, &token).await.unwrap();
    assert_eq!(caller.scopes.to_string(), "Mutation:Order:Make");
    is_refused_everywhere(&harness, &token, "a key's token").await;

    let wider = ["Mutation:*".to_owned()];
    assert!(keys.issue(&harness.issuer, shown("k1", &secret), &wider).await.is_err());
    let wrong = castellan_proto::Secret::new("another".to_owned());
    for id in ["k1", "k2"] {
        let error = keys.issue(&harness.issuer, shown(id, &wrong), &asked).await.unwrap_err();
        assert_eq!(error.to_string(), "no such key");
    }
    for other in
        [harness.tokens("own").await.access_token, harness.tokens("lens").await.access_token]
    {
        let verified = keys.verify(&harness.issuer, &other).await;
        assert!(matches!(verified, Err(VerifyError::OtherKind)));
    }
    harness.later(60);
    let late = keys.verify(&harness.issuer, &token).await;
    assert!(matches!(late, Err(VerifyError::Expired)));
    let token = keys.issue(&harness.issuer, shown("k1", &secret), &asked).await.unwrap();
    harness.issuer.remove(castellan_issuer::resources::ResourceKind::AUTH_KEY, "k1").await.unwrap();
    let gone = keys.verify(&harness.issuer, &token).await;
    assert!(matches!(gone, Err(VerifyError::Invalid)), "a deleted key's token");
}
