//! Tokens of other issuers at guards (`docs/contracts/aidbox.md` §2.7).

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use castellan_proto::jose::{Algorithm, SigningKey};
use http::Response;
use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    jose,
    upstream::{Recorder, json_answer},
    wire::{Answer, Ask},
};

const HELLO: &str = "type Query { hello: String } type Mutation { write: String }";

const PEOPLE: &str = r#"
{resourceType: User, id: ann, userName: ann, password: pw-ann, groups: [{value: administrators}]}
---
{resourceType: User, id: bob, userName: bob, password: pw-bob}
---
{resourceType: User, id: eve, userName: eve, password: pw-eve, inactive: true}
---
resourceType: Client
id: svc
secret: s3cr3t-svc
grant_types: [client_credentials, basic]
scope: ["Query:*"]
---
resourceType: Client
id: admin
secret: s3cr3t-admin
grant_types: [client_credentials]
scope: ["Castellan:*", "Query:*"]
"#;

/// A site whose guards take tokens of other issuers, before an API.
pub(crate) struct Stage {
    pub(crate) api: Recorder,
    /// Another issuer: what it answers is up to the test.
    pub(crate) other: Recorder,
    pub(crate) castellan: Castellan,
}

impl Stage {
    pub(crate) async fn begin(document: impl Fn(&Recorder) -> Value) -> Self {
        let other = Recorder::start().await;
        let documents = vec![document(&other)];
        Self::with(other, &documents, &[]).await
    }

    pub(crate) async fn with(other: Recorder, documents: &[Value], also: &[&str]) -> Self {
        let api = Recorder::start().await;
        api.answer_by(|seen| {
            let writes = seen.body.contains("write");
            let data = if writes { r#"{"write":"done"}"# } else { r#"{"hello":"hi"}"# };
            json_answer(&format!("{{\"data\":{data}}}"))
        });
        let guard = |name: &str, methods: &str| {
            format!(
                "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{}\"\n\
                 schema = \"hello.graphql\"\nanonymous = \"refused\"\nauthenticate = [{methods}]\n",
                api.url
            )
        };
        let origins = [&[other.url.trim_end_matches('/')], also].concat();
        let config = format!("private_origins = {}\n", json!(origins))
            + &guard("both", "\"oauth\", \"foreign\"")
            + &guard("beside", "\"oauth\", \"foreign\", \"client_auth\"")
            + &guard("own", "\"oauth\"");
        let documents: Vec<_> = documents.iter().map(|one| format!("---\n{one}\n")).collect();
        let castellan = Castellan::start(Plan {
            config,
            documents: format!("{PEOPLE}{}", documents.concat()),
            files: vec![("hello.graphql", HELLO.to_owned())],
            ..Plan::default()
        })
        .await;
        Self { api, other, castellan }
    }

    pub(crate) async fn call(&self, token: &str) -> Answer {
        self.castellan.graphql("/both", Some(token), "{ hello }").await
    }

    pub(crate) async fn assert_refused(&self, token: &str, why: &str) {
        let answer = self.call(token).await;
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{why}: {challenge}");
        assert!(self.api.seen().is_empty(), "{why}: something reached the API");
    }

    /// What the API is told of the caller with `token`.
    pub(crate) async fn identity(&self, token: &str) -> Value {
        self.api.seen();
        let answer = self.call(token).await;
        assert_eq!(answer.json(), json!({"data": {"hello": "hi"}}), "{answer:?}");
        let seen = self.api.seen().pop().expect("nothing reached the API");
        assert!(seen.headers.get("authorization").is_none(), "the token was sent on");
        jose::claims(seen.headers["castellan-identity"].to_str().unwrap())
    }

    /// Waits until the answer to `token` has `status`.
    async fn until(&self, token: &str, status: u16, bound: Duration) {
        let began = Instant::now();
        loop {
            let answer = self.call(token).await;
            if answer.status == status {
                return;
            }
            assert!(began.elapsed() < bound, "not {status} within {bound:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A token of a client of this site.
    pub(crate) async fn own_token(&self, client: &str) -> String {
        let secret = format!("s3cr3t-{client}");
        let pairs = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", &*secret),
        ];
        let answer = self.castellan.token(&pairs).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn apply(&self, document: &Value) -> std::process::Output {
        self.castellan.cli_with(&["apply", "-f", "-"], &document.to_string())
    }
}

pub(crate) const ISSUER: &str = "https://other.test";
pub(crate) const US: &str = "https://us.test/api";

/// An issuer with a key set.
pub(crate) struct Signer {
    key: SigningKey,
}

impl Signer {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { key: SigningKey::generate(algorithm).unwrap().0 }
    }

    pub(crate) fn jwks(&self) -> String {
        json!({"keys": [self.key.jwk()]}).to_string()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.key.sign("at+jwt", claims).unwrap()
    }
}

pub(crate) fn claims() -> Value {
    let now = jose::now();
    json!({
        "iss": ISSUER, "aud": US, "sub": "ann", "scope": "Query:* Castellan:*", "iat": now,
        "exp": now + 600, "jti": "1", "client_id": "svc",
    })
}

pub(crate) fn changed(member: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(member)),
        value => claims[member] = value,
    }
    claims
}

pub(crate) fn by_jwks(other: &Recorder) -> Value {
    json!({
        "resourceType": "TokenIntrospector", "id": "other", "type": "jwt", "jwt": {"iss": ISSUER},
        "jwks_uri": format!("{}jwks", other.url), "audience": [US],
    })
}

#[tokio::test]
async fn a_token_of_another_issuer_passes_by_its_keys_and_never_has_our_own_rights() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    stage.other.answer(&signer.jwks());
    let token = signer.sign(&claims());
    let identity = stage.identity(&token).await;
    assert_eq!(
        (&identity["kind"], &identity["sub"], &identity["client_id"], &identity["scope"]),
        (&json!("foreign_token"), &json!("ann"), &Value::Null, &json!("Query:*"))
    );
    let denied = stage.castellan.graphql("/both", Some(&token), "mutation { write }").await;
    assert_eq!(denied.json()["errors"][0]["extensions"]["code"], "FORBIDDEN", "{denied:?}");
    let id = denied.header("castellan-decision").unwrap().to_owned();
    let explained = stage.castellan.until_said(&["explain", &id, "--json"]).await;
    assert!(explained.contains("foreign_token"), "{explained}");
    // `box_user` comes first, and `scp` is read as well.
    let mut other = changed("box_user", json!("bob"));
    other["scp"] = json!(["Query:*", "https://graph.test/.default"]);
    other.as_object_mut().unwrap().remove("scope");
    let identity = stage.identity(&signer.sign(&other)).await;
    assert_eq!(
        (&identity["sub"], &identity["scope"]),
        (&json!("bob"), &json!("Query:* https://graph.test/.default"))
    );
    // Elsewhere it is nothing: not at other guards, nor at resources, of whatever person it is.
    let elsewhere = stage.castellan.graphql("/own", Some(&token), "{ hello }").await;
    assert_eq!(elsewhere.status, 401, "{elsewhere:?}");
    for path in ["/User", "/auth/userinfo"] {
        let answer = Ask::get(&stage.castellan.at(path)).bearer(&token).send().await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    assert_eq!(stage.other.seen().len(), 1, "the key set was fetched once");
}

/// `docs/security-cases.md` row 6: the algorithm is the key's, and unknown means no.
#[tokio::test]
async fn case_06_a_foreign_token_is_verified_by_its_issuers_key_and_algorithm_alone() {
    let stage = Stage::begin(by_jwks).await;
    let (signer, rsa) = (Signer::new(Algorithm::Es256), Signer::new(Algorithm::Ps256));
    let enc = Signer::new(Algorithm::Es256);
    let mut enc_jwk = json!(enc.key.jwk());
    enc_jwk["use"] = json!("enc");
    let keys = json!({"keys": [signer.key.jwk(), rsa.key.jwk(), enc_jwk, {"kty": "odd"}, 7]});
    stage.other.answer(&keys.to_string());
    let good = signer.sign(&claims());
    assert_eq!(stage.call(&good).await.status, 200);
    stage.api.seen();
    let kid = signer.key.kid();
    let jwk = serde_json::to_string(signer.key.jwk()).unwrap();
    let hmac = |header: Value| {
        let text = jose::forged(&header, &claims(), b"");
        let text = text.trim_end_matches('.');
        let code = castellan_proto::jose::HmacKey::new(jwk.as_bytes()).code(text.as_bytes());
        jose::forged(&header, &claims(), &code)
    };
    let (head, tail) = good.rsplit_once('.').unwrap();
    let stranger = Signer::new(Algorithm::Es256);
    let with = |header: &str| signer.key.sign_under(header, &claims()).unwrap();
    for (token, why) in [
        (jose::forged(&json!({"alg": "none", "kid": kid}), &claims(), b""), "alg none"),
        (hmac(json!({"alg": "HS256", "kid": kid})), "the public key as a shared secret"),
        (hmac(json!({"alg": "HS256"})), "the same without a name"),
        (
            format!("{head}.{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]),
            "another signature",
        ),
        (stranger.sign(&claims()), "a key that nobody published"),
        (rsa.sign(&claims()), "an algorithm that the document does not name"),
        (enc.sign(&claims()), "a key for encryption"),
        (with(&format!(r#"{{"alg":"ES256","kid":"{kid}","crit":["b64"],"b64":true}}"#)), "crit"),
        (with(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#)), "another alg in the header"),
        (with(&format!(r#"{{"alg":"ES256","typ":"logout+jwt","kid":"{kid}"}}"#)), "typ"),
        (
            with(&format!(r#"{{"alg":"ES256","typ":"dpop+jwt","kid":"{kid}","jwk":{jwk}}}"#)),
            "a proof",
        ),
    ] {
        stage.assert_refused(&token, why).await;
    }
    for (token, why) in [
        (with(&format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#)), "typ JWT"),
        (with(r#"{"alg":"ES256"}"#), "without a name of a key"),
    ] {
        assert_eq!(stage.call(&token).await.status, 200, "{why}");
    }
}

#[tokio::test]
async fn a_foreign_token_that_is_not_for_us_now_and_for_an_active_person_is_401() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    stage.other.answer(&signer.jwks());
    let now = jose::now();
    for (member, value) in [
        ("aud", json!("https://elsewhere.test")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("https://other.test/")),
        ("iss", json!("https://OTHER.test")),
        ("iss", Value::Null),
        ("exp", Value::Null),
        ("exp", json!(now)),
        ("exp", json!("never")),
        ("nbf", json!(now + 300)),
        ("iat", json!(now + 300)),
        ("sub", Value::Null),
        ("sub", json!(7)),
        ("sub", json!("nobody")),
        ("sub", json!("eve")),
        ("sub", json!("a/b")),
        ("box_user", json!("nobody")),
        ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
        ("at_hash", json!("x")),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}})),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("token_use", json!("id")),
    ] {
        let token = signer.sign(&changed(member, value.clone()));
        stage.assert_refused(&token, &format!("{member} = {value}")).await;
    }
    for (member, value) in [
        ("aud", json!(["https://elsewhere.test", US])),
        ("exp", serde_json::from_str(&format!("{}.5", now + 600)).unwrap()),
        ("nbf", json!(now + 30)),
        ("typ", json!("Bearer")),
        ("token_use", json!("access")),
        ("box_user", json!("ann")),
        ("sub", json!("bob")),
    ] {
        let token = signer.sign(&changed(member, value.clone()));
        assert_eq!(stage.call(&token).await.status, 200, "{member} = {value}");
    }
}

/// The explanation for the operator says what callers are not told.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_operator_is_told_why_a_foreign_token_is_not_valid() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    stage.other.answer(&signer.jwks());
    let token = signer.sign(&claims());
    let named = Ask::post(&stage.castellan.at("/both"))
        .bearer(&token)
        .header("x-jwt-aud", US)
        .json(&json!({"query": "{ hello }"}));
    assert_eq!(named.send().await.status, 401, "an audience that the guard does not have");
    let wrong = signer.sign(&changed("aud", json!("https://elsewhere.test")));
    let said = stage.castellan.said(&[
        "explain",
        "--guard",
        "both",
        "--query",
        "{ hello }",
        "--token",
        &wrong,
    ]);
    assert!(said.contains("TokenIntrospector/other: its aud has none"), "{said}");
}

/// A key that nobody has makes the set be fetched once more, and then not for half a minute.
#[tokio::test]
async fn a_storm_of_unknown_keys_is_one_fetch() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    stage.other.answer(&signer.jwks());
    assert_eq!(stage.call(&signer.sign(&claims())).await.status, 200);
    stage.other.seen();
    let strangers: Vec<_> =
        (0..24).map(|_| Signer::new(Algorithm::Es256).sign(&claims())).collect();
    let asked = strangers.iter().map(|token| stage.call(token));
    for answer in futures(asked).await {
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(stage.other.seen().len(), 0, "the set was fetched a moment ago");
    stage.castellan.advance_to(31);
    let asked = strangers.iter().map(|token| stage.call(token));
    for answer in futures(asked).await {
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    assert_eq!(stage.other.seen().len(), 1, "one fetch for all who waited");
    // A new key of the issuer is taken once it is looked for again; an old one is forgotten then.
    let next = Signer::new(Algorithm::Es256);
    stage.other.answer(&next.jwks());
    stage.castellan.advance_to(62);
    let token = next.sign(&claims());
    assert_eq!(stage.call(&token).await.status, 200);
    stage.api.seen();
    stage.assert_refused(&signer.sign(&changed("jti", json!("2"))), "a key that is gone").await;
}

#[tokio::test]
async fn what_cannot_be_fetched_is_503_and_never_a_yes() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    let token = signer.sign(&claims());
    let gone = Response::builder().status(500).body(signer.jwks()).unwrap();
    let away = Response::builder()
        .status(302)
        .header("location", format!("{}elsewhere", stage.other.url))
        .body(signer.jwks())
        .unwrap();
    let coded = Response::builder().header("content-encoding", "gzip").body(signer.jwks()).unwrap();
    let large =
        Response::builder().body(format!("{}{}", signer.jwks(), " ".repeat(300_000))).unwrap();
    let none = json_answer(r#"{"keys":[]}"#);
    let mut at = 0;
    for (answer, why) in
        [(gone, "500"), (away, "302"), (coded, "coded"), (large, "large"), (none, "none")]
    {
        stage.other.answer_with(answer);
        at += 10;
        stage.castellan.advance_to(at);
        let refused = stage.call(&token).await;
        assert_eq!(refused.status, 503, "{why}: {refused:?}");
        assert!(!refused.body.contains("other"), "{why}: it says what is behind: {refused:?}");
        let seen = stage.other.seen();
        assert!(seen.iter().all(|one| one.path == "/jwks"), "{why}: {seen:?}");
        // It is not asked again for every request.
        stage.call(&token).await;
        assert!(stage.other.seen().is_empty(), "{why}");
    }
    stage.other.answer(&signer.jwks());
    stage.castellan.advance_to(at + 10);
    assert_eq!(stage.call(&token).await.status, 200);
}

#[tokio::test]
async fn deactivating_a_person_ends_what_they_do_with_foreign_tokens() {
    let stage = Stage::begin(by_jwks).await;
    let signer = Signer::new(Algorithm::Es256);
    stage.other.answer(&signer.jwks());
    let token = signer.sign(&changed("sub", json!("bob")));
    assert_eq!(stage.call(&token).await.status, 200);
    let bob = |inactive| {
        json!({
            "resourceType": "User", "id": "bob", "userName": "bob", "inactive": inactive,
        })
    };
    assert!(stage.apply(&bob(true)).status.success());
    stage.until(&token, 401, Duration::from_secs(5)).await;
    assert!(stage.apply(&bob(false)).status.success());
    // A no is not said by what was remembered.
    assert_eq!(stage.call(&token).await.status, 200);
}

/// `docs/security-cases.md` row 22: what a document names is fetched from public addresses by https,
/// and from what the configuration lists.
#[tokio::test]
async fn case_22_a_document_reaches_no_private_network_that_is_not_listed() {
    let stage = Stage::begin(by_jwks).await;
    for (url, why) in [
        ("http://issuer.test/jwks", "security.private_origins"),
        ("https://127.0.0.1/jwks", "private network"),
        ("https://localhost/jwks", "private network"),
        ("https://10.0.0.8:8443/jwks", "private network"),
        ("https://[fd00::1]/jwks", "private network"),
        ("https://169.254.169.254/latest", "private network"),
        ("https://ada@issuer.test/jwks", "https URL"),
        ("file:///etc/passwd", "https URL"),
    ] {
        for document in [
            json!({
                "resourceType": "TokenIntrospector", "id": "x", "type": "jwt",
                "jwt": {"iss": "https://x.test"}, "jwks_uri": url, "audience": US,
            }),
            json!({
                "resourceType": "TokenIntrospector", "id": "x", "type": "opaque",
                "introspection_endpoint": {"url": url}, "audience": US,
            }),
        ] {
            let said = String::from_utf8(stage.apply(&document).stderr).unwrap();
            assert!(said.contains(why), "{url}: {said}");
        }
    }
}

/// What is at another Castellan: its clients are called as people here are.
const THERE: &str = r#"
resourceType: User
id: ann
userName: ann
password: pw-ann
---
resourceType: User
id: bob
userName: bob
password: pw-bob
---
resourceType: Client
id: by-jwt
secret: s3cr3t-by-jwt
first_party: true
grant_types: [password]
scope: ["Query:*", "Mutation:*"]
---
resourceType: Client
id: by-opaque
secret: s3cr3t-by-opaque
first_party: true
grant_types: [password]
scope: ["Query:*"]
auth: {password: {token_format: opaque}}
---
resourceType: Client
id: ann
secret: s3cr3t-ann
grant_types: [client_credentials]
scope: ["Query:*"]
---
resourceType: Client
id: home
secret: s3cr3t-home
grant_types: [client_credentials]
introspect: any
"#;

#[tokio::test]
async fn another_castellan_is_an_issuer_like_any_other() {
    // With keys of its own.
    let plan = Plan { documents: THERE.to_owned(), fresh: true, ..Plan::default() };
    let foreign = Castellan::start(plan).await;
    let basic = format!("Basic {}", STANDARD.encode("home:s3cr3t-home"));
    let documents = [
        json!({
            "resourceType": "TokenIntrospector", "id": "jwts", "type": "jwt",
            "jwt": {"iss": foreign.url}, "jwks_uri": foreign.at("/.well-known/jwks.json"),
            "audience": [foreign.url], "scope": ["Query:*"],
        }),
        json!({
            "resourceType": "TokenIntrospector", "id": "opaque", "type": "opaque",
            "introspection_endpoint":
                {"url": foreign.at("/auth/introspect"), "authorization": basic},
            "iss": foreign.url, "any_audience": true, "cache_ttl": 1,
        }),
    ];
    let other = Recorder::start().await;
    let stage = Stage::with(other, &documents, &[&foreign.url]).await;
    let token = async |grant: &str, id: &str, person: &str| {
        let (secret, password) = (format!("s3cr3t-{id}"), format!("pw-{person}"));
        let pairs = [
            ("grant_type", grant),
            ("client_id", id),
            ("client_secret", &*secret),
            ("username", person),
            ("password", &*password),
        ];
        let answer = foreign.token(&pairs).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    };
    let jwt = token("password", "by-jwt", "ann").await;
    let opaque = token("password", "by-opaque", "bob").await;
    let identity = stage.identity(&jwt).await;
    assert_eq!(
        (&identity["sub"], &identity["scope"]),
        (&json!("ann"), &json!("Query:*")),
        "no more than the document gives"
    );
    assert!(opaque.starts_with("csl_access_"), "{opaque}");
    assert_eq!(stage.identity(&opaque).await["sub"], "bob");
    let said = stage.castellan.said(&["doctor"]);
    assert!(
        said.contains("introspector     jwts: ") && said.contains("introspect answers"),
        "{said}"
    );
    // A client there that has the name of a person here is not that person (RFC 9700 §4.15).
    let client = token("client_credentials", "ann", "").await;
    stage.assert_refused(&client, "a client's own token").await;
    // Revoked there, it is nothing here within `cache_ttl`.
    let revoked = Ask::post(&foreign.at("/auth/revoke")).form(&[
        ("token", &*opaque),
        ("client_id", "by-opaque"),
        ("client_secret", "s3cr3t-by-opaque"),
    ]);
    assert_eq!(revoked.send().await.status, 200);
    stage.until(&opaque, 401, Duration::from_secs(5)).await;
    drop(foreign);
    let doctor = stage.castellan.cli(&["doctor"]);
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(!doctor.status.success() && said.contains("jwts: PROBLEM"), "{said}");
    assert!(!said.contains(&basic), "{said}");
}

#[tokio::test]
async fn a_shared_secret_or_a_written_key_verifies_its_own_algorithm() {
    let secret = "a shared secret of thirty-two bytes or more";
    let shared = json!({
        "resourceType": "TokenIntrospector", "id": "other", "type": "jwt",
        "jwt": {"iss": ISSUER, "secret": secret}, "audience": US, "person": "none",
    });
    let stage = Stage::begin(|_| shared.clone()).await;
    let mut claims = claims();
    claims["sub"] = json!("whoever");
    let token = jose::signed_with(secret, &claims);
    let identity = stage.identity(&token).await;
    assert_eq!((&identity["sub"], &identity["kind"]), (&json!("other"), &json!("foreign_token")));
    stage
        .assert_refused(
            &jose::signed_with("another secret, of thirty-two bytes or more", &claims),
            "another secret",
        )
        .await;
    // The same document without the secret keeps it, and no answer shows it.
    let shown = stage.castellan.said(&["get", "TokenIntrospector", "other"]);
    assert!(!shown.contains(secret) && !shown.contains("sealed"), "{shown}");
    assert!(stage.castellan.cli_with(&["apply", "-f", "-"], &shown).status.success());
    assert_eq!(stage.call(&token).await.status, 200);
    // Nor does the data source have it in the clear.
    let export = stage.castellan.said(&["export"]);
    assert!(!export.contains(secret), "{export}");
}

/// All at once.
pub(crate) async fn futures<F: Future<Output = Answer>>(
    all: impl Iterator<Item = F>,
) -> Vec<Answer> {
    let mut pending: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        pending.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                done.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
