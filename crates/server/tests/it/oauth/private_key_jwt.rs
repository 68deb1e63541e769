//! `private_key_jwt` (RFC 7523): a client proves who it is with what it signed, once.

use castellan_proto::{
    Clock as _, SystemClock,
    jose::{Algorithm, SigningKey},
};
use serde_json::{Value, json};

use crate::{
    operations::nodes::{address, config, within_the_bound},
    support::{
        castellan::{Castellan, Plan},
        fixtures::assert_refused,
        wire::{Answer, Ask},
    },
};

/// A client with keys of its own, on a server.
struct Machine {
    castellan: Castellan,
    ec: SigningKey,
    rsa: SigningKey,
}

fn documents(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    format!(
        "resourceType: Client\nid: svc\ngrant_types: [client_credentials]\nscope: [\"Query:*\"]\n\
         jwks: {}\n---\nresourceType: Client\nid: other\nsecret: s3cr3t-other\n\
         grant_types: [client_credentials]\nscope: [\"Query:*\"]\n",
        json!({"keys": keys})
    )
}

impl Machine {
    async fn start() -> Self {
        let (ec, _) = SigningKey::generate(Algorithm::Es256).unwrap();
        let (rsa, _) = SigningKey::generate(Algorithm::Rs256).unwrap();
        let castellan = Castellan::with_documents(&documents(&[&ec, &rsa])).await;
        Self { castellan, ec, rsa }
    }

    /// What a good assertion says, with a `jti` of its own.
    fn claims(&self, jti: &str) -> Value {
        let now = SystemClock.now().0;
        json!({
            "iss": "svc", "sub": "svc", "aud": self.castellan.url, "jti": jti,
            "iat": now, "exp": now + 60,
        })
    }

    async fn show(&self, assertion: &str) -> Answer {
        show(&self.castellan, assertion, &[]).await
    }
}

async fn show(castellan: &Castellan, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    castellan.token(&[&pairs[..], more].concat()).await
}

#[tokio::test]
async fn case_11_an_assertion_is_good_once() {
    let machine = Machine::start().await;
    for (key, jti) in [(&machine.ec, "one"), (&machine.rsa, "two")] {
        let assertion = key.sign("JWT", &machine.claims(jti)).unwrap();
        assert_eq!(machine.show(&assertion).await.status, 200);
        assert_refused(&machine.show(&assertion).await, 401, "invalid_client");
        // Not under another signature either: it is the name that is used up.
        let again = machine.ec.sign("JWT", &machine.claims(jti)).unwrap();
        assert_refused(&machine.show(&again).await, 401, "invalid_client");
    }
    let introspected = machine.ec.sign("client-authentication+jwt", &machine.claims("three"));
    let pairs = [
        ("token", "junk"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &*introspected.unwrap()),
    ];
    let answer = Ask::post(&machine.castellan.at("/auth/introspect")).form(&pairs).send().await;
    assert_eq!(answer.json(), json!({"active": false}), "the same at every endpoint");
}

/// RFC 7519 §2: a date may have a fraction.
#[tokio::test]
async fn the_dates_of_an_assertion_may_have_fractions() {
    let machine = Machine::start().await;
    let now = f64::from(u32::try_from(SystemClock.now().0).unwrap());
    let with = |jti: &str, exp: Value| {
        let mut claims = machine.claims(jti);
        claims["iat"] = json!(now - 0.75);
        claims["nbf"] = json!(now - 0.25);
        claims["exp"] = exp;
        machine.ec.sign("JWT", &claims).unwrap()
    };
    assert_eq!(machine.show(&with("one", json!(now + 59.5))).await.status, 200);
    for bad in [json!(now - 1.5), json!(1e300), json!(-1.5), json!("1.5")] {
        assert_refused(&machine.show(&with("two", bad)).await, 401, "invalid_client");
    }
}

/// FAPI 2.0 Security Profile §5.3.2.1: the issuer as one text, for those who follow it.
#[tokio::test]
async fn an_app_that_pushes_and_binds_names_the_issuer_alone() {
    let (key, _) = SigningKey::generate(Algorithm::Es256).unwrap();
    let (push, bind) = ("require_pushed_authorization_requests", "dpop_bound_access_tokens");
    let client = |id: &str, more: &[&str]| {
        let mut client = json!({
            "resourceType": "Client", "id": id, "grant_types": ["authorization_code"],
            "redirect_uris": ["https://app.test/cb"], "scope": ["openid"],
            "jwks": {"keys": [key.jwk()]},
        });
        for name in more {
            client[*name] = json!(true);
        }
        client.to_string()
    };
    let documents =
        [client("both", &[push, bind]), client("pushes", &[push]), client("binds", &[bind])];
    let castellan = Castellan::with_documents(&documents.join("\n---\n")).await;
    let (issuer, token, par) =
        (castellan.url.clone(), castellan.at("/auth/token"), castellan.at("/auth/par"));
    let mut at = 0;
    for (aud, for_both) in [
        (json!(issuer), true),
        (json!([issuer]), false),
        (json!(token), false),
        (json!(par), false),
        (json!([issuer, token]), false),
    ] {
        for id in ["both", "pushes", "binds"] {
            at += 1;
            let now = SystemClock.now().0;
            let assertion = key.sign(
                "JWT",
                &json!({
                    "iss": id, "sub": id, "aud": aud, "jti": at.to_string(), "exp": now + 60,
                }),
            );
            let pairs = [
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &*assertion.unwrap()),
                ("response_type", "code"),
                ("code_challenge", crate::support::fixtures::CHALLENGE),
                ("code_challenge_method", "S256"),
            ];
            let answer = Ask::post(&par).form(&pairs).send().await;
            let status = if for_both || id != "both" { 201 } else { 401 };
            assert_eq!(answer.status, status, "{id} {aud}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn an_assertion_says_who_where_and_for_how_long() {
    let machine = Machine::start().await;
    let now = SystemClock.now().0;
    let self_url = &machine.castellan.url;
    let bad = [
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("aud", json!("https://evil.test")),
        ("aud", json!([])),
        ("aud", json!([self_url, "https://other.test"])),
        ("exp", json!(now - 1)),
        ("exp", json!(now + 7_200)),
        ("exp", json!("soon")),
        ("nbf", json!(now + 600)),
        ("iat", json!(now + 600)),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
    ];
    for (at, (name, value)) in bad.into_iter().enumerate() {
        let mut claims = machine.claims(&format!("bad-{at}"));
        claims[name] = value.clone();
        let assertion = machine.ec.sign("JWT", &claims).unwrap();
        assert_refused(&machine.show(&assertion).await, 401, "invalid_client");
    }
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let mut claims = machine.claims(&format!("without-{name}"));
        claims.as_object_mut().unwrap().remove(name);
        let assertion = machine.ec.sign("JWT", &claims).unwrap();
        assert_refused(&machine.show(&assertion).await, 401, "invalid_client");
    }
    let endpoint = json!([machine.castellan.at("/auth/token")]);
    let mut claims = machine.claims("endpoint");
    claims["aud"] = endpoint;
    let assertion = machine.ec.sign("JWT", &claims).unwrap();
    assert_eq!(machine.show(&assertion).await.status, 200, "the endpoint is a name of ours, too");
}

/// The algorithm is the key's, whatever the header says (`docs/security-cases.md` row 6).
#[tokio::test]
async fn case_06_an_assertion_is_checked_by_the_keys_own_algorithm() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let machine = Machine::start().await;
    let (stranger, _) = SigningKey::generate(Algorithm::Es256).unwrap();
    let strange = stranger.sign("JWT", &machine.claims("stranger")).unwrap();
    assert_refused(&machine.show(&strange).await, 401, "invalid_client");
    let good = machine.ec.sign("JWT", &machine.claims("forged")).unwrap();
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let kid = machine.ec.kid();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "RS256", "kid": kid}),
        json!({"alg": "ES256", "kid": "another"}),
        json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": kid, "crit": ["exp"]}),
    ] {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        for signature in [signature, ""] {
            let forged = format!("{header}.{payload}.{signature}");
            assert_refused(&machine.show(&forged).await, 401, "invalid_client");
        }
    }
    for junk in ["", "x", "a.b.c", "..", &"x".repeat(20_000)] {
        let answer = machine.show(junk).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way() {
    let machine = Machine::start().await;
    let sign = |jti: &str| machine.ec.sign("JWT", &machine.claims(jti)).unwrap();
    let castellan = &machine.castellan;
    let both = show(castellan, &sign("both"), &[("client_secret", "x")]).await;
    assert_refused(&both, 400, "invalid_request");
    let another = show(castellan, &sign("another"), &[("client_id", "other")]).await;
    assert_refused(&another, 400, "invalid_request");
    assert_eq!(show(castellan, &sign("named"), &[("client_id", "svc")]).await.status, 200);
    // Without its proof it is nobody, and a secret is not what it proves itself with.
    for pairs in [&[("client_id", "svc")][..], &[("client_id", "svc"), ("client_secret", "x")]] {
        let pairs = [&[("grant_type", "client_credentials")], pairs].concat();
        assert_refused(&castellan.token(&pairs).await, 401, "invalid_client");
    }
    for pairs in [
        &[("client_assertion_type", "x"), ("client_assertion", "x")][..],
        &[("client_assertion", "x")],
        &[("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")],
    ] {
        let pairs = [&[("grant_type", "client_credentials")], pairs].concat();
        let answer = castellan.token(&pairs).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_key_set_is_public_and_usable() {
    let machine = Machine::start().await;
    let jwk = serde_json::to_value(machine.ec.jwk()).unwrap();
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        json!({"keys": [jwk]})
    };
    for (set, said) in [
        (with("d", json!("AQAB")), "contains a private key"),
        (with("kty", json!("oct")), "a key must be EC on P-256"),
        (with("crv", json!("P-384")), "a key must be EC on P-256"),
        (with("x", json!("AQAB")), "a key must be EC on P-256"),
        (with("use", json!("enc")), "a key must be EC on P-256"),
        (with("alg", json!("none")), "its algorithm is not one of"),
        (json!({"keys": []}), "between one and eight"),
        (json!([jwk]), "must be {keys: [...]}"),
    ] {
        let document = format!(
            "resourceType: Client\nid: new\ngrant_types: [client_credentials]\njwks: {set}\n"
        );
        let output = machine.castellan.cli_with(&["apply", "-f", "-"], &document);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(said), "{set}: {stderr}");
    }
    // What is shown can be applied again.
    let shown = machine.castellan.said(&["get", "Client", "svc"]);
    assert!(shown.contains("type: confidential"), "{shown}");
    let again = machine.castellan.cli_with(&["apply", "-f", "-"], &shown);
    assert!(String::from_utf8_lossy(&again.stdout).contains("unchanged Client/svc"), "{again:?}");
}

#[tokio::test]
async fn a_key_takes_the_place_of_a_secret() {
    let machine = Machine::start().await;
    let castellan = &machine.castellan;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "other"),
        ("client_secret", "s3cr3t-other"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 200);
    let document = |more: &str| {
        format!(
            "resourceType: Client\nid: other\ngrant_types: [client_credentials]\n\
             scope: [\"Query:*\"]\n{more}\n"
        )
    };
    let keys = format!("jwks: {}", json!({"keys": [machine.ec.jwk()]}));
    let apply = |more: &str| {
        let output = castellan.cli_with(&["apply", "-f", "-"], &document(more));
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = apply(&format!("{keys}\nsecret: another"));
    assert!(!done && said.contains("either keys or a secret"), "{said}");
    assert!(apply(&keys).0);
    within_the_bound("the secret holds", async || castellan.token(&pairs).await.status == 401)
        .await;
    assert_refused(&castellan.token(&pairs).await, 401, "invalid_client");
    let rotated = castellan.cli_with(&["client", "rotate-secret", "other"], "");
    assert!(!rotated.status.success(), "{rotated:?}");
    let (done, said) = apply("");
    assert!(!done && said.contains("this client had keys"), "{said}");
    for origin in ["null", "*", "https://a.test/", "https://a.test:443", "a.test"] {
        let (done, said) = apply(&format!("{keys}\nallowed_origins: ['{origin}']"));
        assert!(!done && said.contains("is not an origin"), "{origin}: {said}");
    }
}

/// Of 64 that show one assertion, half of them to each of two nodes, one is believed.
async fn one_of_many_is_believed(url: &str) {
    let (key, _) = SigningKey::generate(Algorithm::Es256).unwrap();
    let config = config(url);
    let plan = |documents: String| Plan {
        config: config.clone(),
        documents,
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        issuer: Some("http://localhost:8080".to_owned()),
        ..Plan::default()
    };
    let nodes = [
        Castellan::start(plan(documents(&[&key]))).await,
        Castellan::start(plan(String::new())).await,
    ];
    let now = SystemClock.now().0;
    let claims = json!({
        "iss": "svc", "sub": "svc", "aud": "http://localhost:8080", "jti": "one", "exp": now + 60,
    });
    let assertion = key.sign("JWT", &claims).unwrap();
    let asks = (0..64).map(|racer: usize| {
        let assertion = assertion.clone();
        let url = nodes[racer % 2].at("/auth/token");
        async move {
            let pairs = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &*assertion),
            ];
            Ask::post(&url).form(&pairs).send().await.status.as_u16()
        }
    });
    let mut racers = tokio::task::JoinSet::new();
    asks.for_each(|ask| drop(racers.spawn(ask)));
    let statuses = racers.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn sqlite_one_of_many_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    one_of_many_is_believed(&format!("sqlite://{}", folder.path().join("a.db").display())).await;
}

#[tokio::test]
async fn postgres_one_of_many_is_believed() {
    one_of_many_is_believed(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[tokio::test]
async fn mongodb_one_of_many_is_believed() {
    one_of_many_is_believed(&format!("{}/nodes", address("CASTELLAN_TEST_MONGODB"))).await;
}

#[tokio::test]
async fn dynamodb_one_of_many_is_believed() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    one_of_many_is_believed(&format!("dynamodb://local?table=nodes&endpoint={server}")).await;
}
