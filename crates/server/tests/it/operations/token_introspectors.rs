//! `TokenIntrospector` documents over HTTP (`docs/contracts/aidbox.md` §2.7).

use http::Method;
use serde_json::{Value, json};

use crate::{
    guards::foreign_tokens::{Stage, US, by_jwks},
    support::wire::{Answer, Ask},
};

const SECRET: &str = "a shared secret of thirty-two bytes or more";

/// The public key of RFC 7515 A.3.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n\
    6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n\
    -----END PUBLIC KEY-----\n";

/// Members of a document of the type `jwt`, and what is wrong with them. `SECRET` and `A_PEM` stand
/// for those.
const WRONG_JWT: &[(&str, &str)] = &[
    ("{}", "exactly one of"),
    (
        r#"{"jwks_uri": "https://x.test/j", "jwt": {"iss": "x", "secret": "SECRET"}}"#,
        "exactly one of",
    ),
    (r#"{"jwks_uri": "https://x.test/j", "jwt": null}"#, "jwt.iss is missing"),
    (r#"{"jwks_uri": "https://x.test/j", "audience": null}"#, "audience is missing"),
    (r#"{"jwks_uri": "https://x.test/j", "any_audience": true}"#, "any_audience"),
    (r#"{"jwks_uri": "https://x.test/j", "audience": []}"#, "audience must have"),
    (r#"{"jwks_uri": "https://x.test/j", "identity_provider": {"id": "x"}}"#, "identity_provider"),
    (r#"{"jwks_uri": "https://x.test/j", "cache_ttl": 0}"#, "cache_ttl"),
    (r#"{"jwks_uri": "https://x.test/j", "cache_ttl": 86401}"#, "cache_ttl"),
    (r#"{"jwks_uri": "https://x.test/j", "algorithms": ["HS256"]}"#, "algorithms"),
    (r#"{"jwks_uri": "https://x.test/j", "algorithms": ["none"]}"#, "algorithms"),
    (r#"{"jwks_uri": "https://x.test/j", "scope": ["Castellan:*"]}"#, "own rights"),
    (r#"{"jwks_uri": "https://x.test/j", "iss": "x"}"#, "write jwt.iss"),
    (r#"{"jwks_uri": "https://x.test/j", "person": "optional"}"#, "person"),
    (r#"{"jwks_uri": "https://x.test/j", "more": 1}"#, "more"),
    (
        r#"{"jwks_uri": "https://x.test/j", "introspection_endpoint": {"url": "https://x.test/i"}}"#,
        "introspection_endpoint has no effect with type: jwt",
    ),
    (
        r#"{"algorithms": ["ES256"], "jwt": {"iss": "x", "secret": "SECRET"}}"#,
        "algorithms has no effect",
    ),
    (r#"{"jwt": {"iss": "x", "secret": "short"}}"#, "32"),
    (r#"{"jwt": {"iss": "x", "secret": "A_PEM"}}"#, "PEM"),
    (r#"{"jwt": {"iss": "a b", "secret": "SECRET"}}"#, "jwt.iss must have"),
    (r#"{"type": "aspxauth"}"#, "aspxauth is not supported"),
    (r#"{"type": "saml"}"#, "type"),
];

/// One of `jwt.keys`, and what is wrong with it.
const WRONG_KEYS: &[(&str, &str)] = &[
    (r#"{"kty": "OCT", "alg": "HS256"}"#, "jwt.keys[0].k is missing"),
    (r#"{"kty": "OCT", "alg": "RS256", "k": "SECRET"}"#, "kty and alg"),
    (r#"{"kty": "OCT", "alg": "HS256", "k": "A_PEM"}"#, "PEM"),
    (r#"{"kty": "OCT", "alg": "HS256", "pub": "A_PEM"}"#, "k goes with kty OCT"),
    (r#"{"kty": "RSA", "alg": "RS384", "pub": "A_PEM"}"#, "RS384 is not supported"),
    (r#"{"kty": "RSA", "alg": "RS256", "pub": "A_PEM"}"#, "public key in PEM"),
    (r#"{"kty": "EC", "alg": "ES256", "pub": "x"}"#, "public key in PEM"),
    (r#"{"kty": "EC", "alg": "ES256", "pub": "A_PEM", "format": "plain"}"#, "format"),
];

/// Members of a document of the type `opaque`, and what is wrong with them.
const WRONG_OPAQUE: &[(&str, &str)] = &[
    ("{}", "introspection_endpoint is missing"),
    (
        r#"{"introspection_endpoint": {"url": "https://x.test/i"}, "jwks_uri": "https://x.test/j"}"#,
        "jwks_uri has no effect with type: opaque",
    ),
    (
        r#"{"introspection_endpoint": {"url": "https://x.test/i", "authorization": "a\nb"}}"#,
        "value of a header",
    ),
];

/// A site, with a token of an administrator.
struct Office {
    stage: Stage,
    token: String,
}

impl Office {
    async fn open() -> Self {
        let stage = Stage::begin(by_jwks).await;
        let token = stage.own_token("admin").await;
        Self { stage, token }
    }

    async fn get(&self, path: &str) -> Answer {
        Ask::get(&self.stage.castellan.at(path)).bearer(&self.token).send().await
    }

    async fn send(&self, method: Method, id: &str, body: &Value) -> Answer {
        let url = self.stage.castellan.at(&format!("/TokenIntrospector/{id}"));
        Ask::new(method, &url).bearer(&self.token).json(body).send().await
    }

    async fn put(&self, id: &str, body: &Value) -> Answer {
        self.send(Method::PUT, id, body).await
    }
}

/// `base` with the members that `text` writes over it.
fn over(mut base: Value, text: &str) -> Value {
    let text = text.replace("\"SECRET\"", &json!(SECRET).to_string());
    let members: Value =
        serde_json::from_str(&text.replace("\"A_PEM\"", &json!(PEM).to_string())).unwrap();
    for (name, value) in members.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

fn jwt(text: &str) -> Value {
    over(json!({"type": "jwt", "jwt": {"iss": "https://x.test"}, "audience": US}), text)
}

fn opaque(text: &str) -> Value {
    over(json!({"type": "opaque", "audience": US}), text)
}

/// What would have no effect, or could not be held to, is 422.
#[tokio::test]
async fn an_introspector_says_nothing_that_has_no_effect() {
    let office = Office::open().await;
    let keys = |key: &str| jwt(&format!("{{\"jwt\": {{\"iss\": \"x\", \"keys\": [{key}]}}}}"));
    let jwts = WRONG_JWT.iter().map(|(text, why)| (jwt(text), *why));
    let keys = WRONG_KEYS.iter().map(|(text, why)| (keys(text), *why));
    let opaque = WRONG_OPAQUE.iter().map(|(text, why)| (opaque(text), *why));
    let mut own = jwt(r#"{"jwks_uri": "https://x.test/j"}"#);
    own["jwt"]["iss"] = json!(office.stage.castellan.url);
    let all = jwts.chain(keys).chain(opaque).chain([(own, "this site itself")]);
    for (document, why) in all {
        let answer = office.put("x", &document).await;
        assert_eq!(answer.status, 422, "{document}: {answer:?}");
        assert!(answer.body.contains(why), "{document}: {answer:?}");
        assert!(!answer.body.contains(SECRET), "{answer:?}");
    }
}

#[tokio::test]
async fn there_is_one_introspector_per_type_and_issuer() {
    let office = Office::open().await;
    let good = r#"{"jwt": {"iss": "https://x.test", "keys":
        [{"kty": "EC", "alg": "ES256", "pub": "A_PEM", "format": "PEM"}]}}"#;
    assert_eq!(office.put("x", &jwt(good)).await.status, 201);
    let again = office.put("y", &jwt(r#"{"jwks_uri": "https://x.test/j"}"#)).await;
    assert_eq!(again.status, 409, "{again:?}");
    let endpoint = r#"{"introspection_endpoint": {"url": "https://x.test/i"}}"#;
    assert_eq!(office.put("o", &opaque(endpoint)).await.status, 201);
    assert_eq!(office.put("p", &opaque(endpoint)).await.status, 409);
    let found = office.get("/TokenIntrospector?.type=opaque&_total=accurate").await.json();
    assert_eq!((&found["total"], &found["entry"][0]["resource"]["id"]), (&json!(1), &json!("o")));
    let url = office.stage.castellan.at("/TokenIntrospector/o");
    let deleted = Ask::new(Method::DELETE, &url).bearer(&office.token).send().await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert_eq!(office.get("/TokenIntrospector/o").await.status, 410);
    assert_eq!(office.put("p", &opaque(endpoint)).await.status, 201);
}

/// What was stored is shown to nobody, and is not sent elsewhere by those who do not know it.
#[tokio::test]
async fn the_secrets_of_an_introspector_stay_where_they_are() {
    let office = Office::open().await;
    let first = r#"{"introspection_endpoint":
        {"url": "https://x.test/i", "authorization": "Basic c2VjcmV0"}}"#;
    assert_eq!(office.put("o", &opaque(first)).await.status, 201);
    let away = json!({"introspection_endpoint": {"url": "https://evil.test/i"}});
    let answer = office.put("o", &opaque(&away.to_string())).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(office.send(Method::PATCH, "o", &away).await.status, 422);
    let changed = office.send(Method::PATCH, "o", &json!({"cache_ttl": 60})).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let history = office.get("/TokenIntrospector/o/_history").await;
    assert!(history.body.contains("\"cache_ttl\":60"), "{history:?}");
    for path in ["/TokenIntrospector", "/TokenIntrospector/o", "/TokenIntrospector/o/_history"] {
        let answer = office.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(!answer.body.contains("c2VjcmV0") && !answer.body.contains("sealed"), "{answer:?}");
    }
    let copy =
        json!([{"op": "copy", "from": "/introspection_endpoint/authorization", "path": "/iss"}]);
    let url = office.stage.castellan.at("/TokenIntrospector/o");
    let ask = Ask::new(Method::PATCH, &url).bearer(&office.token);
    let answer = ask.body("application/json-patch+json", copy.to_string()).send().await;
    assert_eq!(answer.status, 422, "{answer:?}");
}
