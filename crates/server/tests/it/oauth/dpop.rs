//! Proof of possession (RFC 9449): at the token endpoint, where tokens are used, and at the gate.

use castellan_proto::{
    Digest,
    jose::{Algorithm, SigningKey},
};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, RESOURCE_SERVER, SPA, assert_refused, text},
    jose::{claims, now},
    wire::{Answer, Ask},
};

const SVC: [(&str, &str); 3] =
    [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
const WRITE: &str = "mutation { CreatePerson(name: \"Ada\") { name } }";

/// A client's key, and what it says in its proofs.
struct Holder(SigningKey);

/// What a proof says, to be changed by those who try to get around it.
struct Proof<'a> {
    by: &'a Holder,
    header: Value,
    claims: Value,
}

impl Holder {
    fn new(algorithm: Algorithm) -> Self {
        Self(SigningKey::generate(algorithm).unwrap().0)
    }

    /// Its thumbprint.
    fn jkt(&self) -> String {
        self.0.jwk().thumbprint()
    }

    /// A good proof for a request by `method` to `url`.
    fn proves(&self, method: &str, url: &str) -> Proof<'_> {
        let jwk = self.0.jwk();
        let header = json!({"typ": "dpop+jwt", "alg": jwk.alg, "jwk": jwk});
        let jti = Digest(castellan_proto::random()).text();
        let claims = json!({"jti": jti, "htm": method, "htu": url, "iat": now()});
        Proof { by: self, header, claims }
    }

    /// A good proof for a request with `token`.
    fn proves_with(&self, method: &str, url: &str, token: &str) -> Proof<'_> {
        self.proves(method, url).with("ath", json!(Digest::of(token.as_bytes()).text()))
    }
}

impl Proof<'_> {
    fn with(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    fn under(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn text(&self) -> String {
        self.by.0.sign_under(&self.header.to_string(), &self.claims).unwrap()
    }
}

async fn ask(castellan: &Castellan, pairs: &[(&str, &str)], proof: &str) -> Answer {
    Ask::post(&castellan.at("/auth/token")).form(pairs).header("dpop", proof).send().await
}

/// A good request of a client with `key`.
async fn tokens(castellan: &Castellan, pairs: &[(&str, &str)], key: &Holder) -> Answer {
    ask(castellan, pairs, &key.proves("POST", &castellan.at("/auth/token")).text()).await
}

/// What the guard at `url` says to `query`, by whoever has `authorization` and shows `proof`.
async fn at_guard(url: &str, query: &str, authorization: &str, proof: Option<&str>) -> Answer {
    let ask = Ask::post(url).json(&json!({"query": query})).header("authorization", authorization);
    match proof {
        Some(proof) => ask.header("dpop", proof).send().await,
        None => ask.send().await,
    }
}

/// A write at the guard, by whoever has `authorization` and shows `proof`.
async fn write(castellan: &Castellan, authorization: &str, proof: Option<&str>) -> Answer {
    at_guard(&castellan.at("/graphql"), WRITE, authorization, proof).await
}

/// What a refused caller of ours is told who came by `DPoP`, or should have.
fn dpop_challenge(error: &str) -> String {
    format!("DPoP error=\"{error}\", algs=\"ES256 EdDSA PS256 RS256\"")
}

async fn with_archive(archive: &Archive, config: &str) -> Castellan {
    Castellan::start(Plan {
        config: format!(
            "{config}\n[[guard]]\nname = \"archive\"\npath = \"/graphql\"\ndialect = \"trompa\"\n\
             upstream = \"{}\"\n",
            archive.url
        ),
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await
}

fn wrote(answer: &Answer) -> bool {
    answer.json()["data"]["CreatePerson"]["name"] == "Ada"
}

#[tokio::test]
async fn a_bound_token_writes_with_its_key_and_with_nothing_else() {
    let archive = Archive::start().await;
    let castellan = with_archive(&archive, "").await;
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let (key, other) = (Holder::new(algorithm), Holder::new(algorithm));
        let issued = tokens(&castellan, &SVC, &key).await.json();
        assert_eq!(issued["token_type"], "DPoP");
        let token = text(&issued, "access_token");
        assert_eq!(claims(token)["cnf"], json!({"jkt": key.jkt()}));
        let (url, dpop) = (castellan.at("/graphql"), format!("DPoP {token}"));
        let good = || key.proves_with("POST", &url, token);
        let fraction =
            good().with("iat", json!(f64::from(u32::try_from(now()).unwrap()) - 0.5)).text();
        assert!(wrote(&write(&castellan, &dpop, Some(&fraction)).await), "RFC 7519 §2");
        let once = good().text();
        assert!(wrote(&write(&castellan, &dpop, Some(&once)).await));
        assert!(!wrote(&write(&castellan, &dpop, Some(&once)).await), "a proof is good once");
        assert!(wrote(&write(&castellan, &format!("dpop {token}"), Some(&good().text())).await));
        for (why, bad) in [
            ("another key's", other.proves_with("POST", &url, token)),
            ("for another method", good().with("htm", json!("GET"))),
            ("for another path", good().with("htu", json!(castellan.at("/api")))),
            ("for another host", good().with("htu", json!("http://evil.test/graphql"))),
            ("for another token", good().with("ath", json!(Digest::of(b"x").text()))),
            ("for no token", good().without("ath")),
            ("old", good().with("iat", json!(now() - 120))),
            ("of tomorrow", good().with("iat", json!(now() + 120))),
            ("unnamed", good().without("jti")),
            ("an access token's kind", good().under("typ", json!("at+jwt"))),
        ] {
            let answer = write(&castellan, &dpop, Some(&bad.text())).await;
            assert!(!wrote(&answer), "a proof that is {why}: {answer:?}");
        }
        assert!(!wrote(&write(&castellan, &dpop, None).await), "no proof");
        let bearer = format!("Bearer {token}");
        assert!(!wrote(&write(&castellan, &bearer, None).await), "as a bearer token");
        let answer = write(&castellan, &bearer, Some(&good().text())).await;
        assert!(!wrote(&answer), "as a bearer token, with a proof");
    }
    let free = castellan.token(&SVC).await.json();
    assert_eq!(free["token_type"], "Bearer");
    let (token, key) = (text(&free, "access_token"), Holder::new(Algorithm::Es256));
    assert!(wrote(&write(&castellan, &format!("Bearer {token}"), None).await));
    let proof = key.proves_with("POST", &castellan.at("/graphql"), token).text();
    let answer = write(&castellan, &format!("DPoP {token}"), Some(&proof)).await;
    assert!(!wrote(&answer), "a token that is bound to nothing is not sent so");
}

/// RFC 9449 §7.1: where anybody may read, the challenge comes with the data, and else with a no.
#[tokio::test]
async fn a_guard_tells_what_is_wrong_in_the_scheme_of_its_caller() {
    let archive = Archive::start().await;
    let closed = format!(
        "[[guard]]\nname = \"closed\"\npath = \"/closed\"\nanonymous = \"refused\"\n\
         upstream = \"{}\"\n",
        archive.url
    );
    let castellan = with_archive(&archive, &closed).await;
    let (key, other) = (Holder::new(Algorithm::Es256), Holder::new(Algorithm::Es256));
    let issued = tokens(&castellan, &SVC, &key).await.json();
    let (bound, dpop) = (text(&issued, "access_token"), dpop_challenge);
    let free = castellan.token(&SVC).await.json();
    let free = text(&free, "access_token");
    for (path, status) in [("/graphql", 200), ("/closed", 401)] {
        let url = castellan.at(path);
        let good = key.proves_with("POST", &url, bound).text();
        let query = "{ Person(first: 1) { name } }";
        let used = at_guard(&url, query, &format!("DPoP {bound}"), Some(&good)).await;
        assert_eq!((used.status.as_u16(), used.header("www-authenticate")), (200, None));
        let old = key.proves_with("POST", &url, bound).with("iat", json!(now() - 120)).text();
        for (authorization, proof, challenge) in [
            (format!("DPoP {bound}"), None, dpop("invalid_dpop_proof")),
            (format!("DPoP {bound}"), Some(good), dpop("invalid_dpop_proof")),
            (format!("DPoP {bound}"), Some(old), dpop("invalid_dpop_proof")),
            (
                format!("DPoP {bound}"),
                Some(other.proves_with("POST", &url, bound).text()),
                dpop("invalid_token"),
            ),
            (
                format!("DPoP {free}"),
                Some(key.proves_with("POST", &url, free).text()),
                dpop("invalid_token"),
            ),
            (
                "DPoP x".to_owned(),
                Some(key.proves_with("POST", &url, "x").text()),
                dpop("invalid_token"),
            ),
            (format!("Bearer {bound}"), None, dpop("invalid_token")),
            (
                format!("Bearer {bound}"),
                Some(key.proves_with("POST", &url, bound).text()),
                dpop("invalid_token"),
            ),
            ("Bearer x".to_owned(), None, "Bearer error=\"invalid_token\"".to_owned()),
        ] {
            let answer = at_guard(&url, query, &authorization, proof.as_deref()).await;
            assert_eq!(answer.status, status, "{authorization}: {answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some(&*challenge), "{authorization}");
            let read = answer.json()["data"]["Person"][0]["name"].is_string();
            assert_eq!(read, status == 200, "{authorization}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_proof_at_the_token_endpoint_is_about_this_request_and_good_once() {
    let castellan = Castellan::with_ann().await;
    let url = castellan.at("/auth/token");
    for (algorithm, confused) in
        [(Algorithm::Es256, Algorithm::Rs256), (Algorithm::Rs256, Algorithm::Es256)]
    {
        let (key, other) = (Holder::new(algorithm), Holder::new(algorithm));
        let good = || key.proves("POST", &url);
        let fraction =
            good().with("iat", json!(f64::from(u32::try_from(now()).unwrap()) - 0.5)).text();
        assert_eq!(ask(&castellan, &SVC, &fraction).await.status, 200, "RFC 7519 §2");
        let once = good().text();
        assert_eq!(ask(&castellan, &SVC, &once).await.status, 200);
        assert_refused(&ask(&castellan, &SVC, &once).await, 400, "invalid_dpop_proof");
        let mut private = serde_json::to_value(key.0.jwk()).unwrap();
        private["d"] = json!("AAAA");
        for (why, bad) in [
            ("signed by another key", good().under("jwk", json!(other.0.jwk()))),
            ("without a key", good().under("jwk", Value::Null)),
            ("with a private key", good().under("jwk", private)),
            ("with a shared key", good().under("jwk", json!({"kty": "oct", "k": "AAAA"}))),
            ("of no algorithm", good().under("alg", json!("none"))),
            ("of another algorithm", good().under("alg", json!(confused))),
            ("with what has to be understood", good().under("crit", json!(["b64"]))),
            ("of another type", good().under("typ", json!("JWT"))),
            ("for another method", good().with("htm", json!("GET"))),
            ("for a method in small letters", good().with("htm", json!("post"))),
            ("for another endpoint", good().with("htu", json!(castellan.at("/auth/par")))),
            ("for no endpoint", good().without("htu")),
            ("old", good().with("iat", json!(now() - 120))),
            ("of tomorrow", good().with("iat", json!(now() + 120))),
            ("timeless", good().without("iat")),
            ("unnamed", good().with("jti", json!(""))),
            ("named at length", good().with("jti", json!("x".repeat(300)))),
        ] {
            let answer = ask(&castellan, &SVC, &bad.text()).await;
            assert_eq!(answer.status, 400, "{why}: {answer:?}");
            assert_eq!(answer.json()["error"], "invalid_dpop_proof", "{why}: {answer:?}");
        }
        let said = format!("{url}?a=b#c").to_uppercase().replace("/AUTH/TOKEN", "/auth/token");
        let spelt = good().with("htu", json!(said.replace("?A=B#C", "?a=b#c")));
        assert_eq!(ask(&castellan, &SVC, &spelt.text()).await.status, 200, "the same address");
    }
    for junk in ["", "x", "a.b.c"] {
        assert_refused(&ask(&castellan, &SVC, junk).await, 400, "invalid_dpop_proof");
    }
    let key = Holder::new(Algorithm::Es256);
    let [one, two] = [(), ()].map(|()| key.proves("POST", &url).text());
    let twice = Ask::post(&url).form(&SVC).header("dpop", &one).header("dpop", &two);
    assert_refused(&twice.send().await, 400, "invalid_dpop_proof");
}

#[tokio::test]
async fn of_64_that_show_one_proof_one_gets_a_token() {
    let castellan = Castellan::with_ann().await;
    let key = Holder::new(Algorithm::Es256);
    let url = castellan.at("/auth/token");
    let proof = key.proves("POST", &url).text();
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..64 {
        racers.spawn(Ask::post(&url).form(&SVC).header("dpop", &proof).send());
    }
    let answers = racers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
}

#[tokio::test]
async fn a_public_apps_family_stays_with_its_key() {
    let castellan = Castellan::with_ann().await;
    let (key, other) = (Holder::new(Algorithm::Es256), Holder::new(Algorithm::Es256));
    let mut browser = Browser::default();
    let code = browser.code(&castellan, &Asking::spa()).await;
    let redeem = [("grant_type", "authorization_code"), ("code", &*code)];
    let issued = tokens(&castellan, &[&redeem[..], &SPA].concat(), &key).await.json();
    assert_eq!(issued["token_type"], "DPoP");
    let refresh = |token: &str| {
        let pairs =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "spa")];
        pairs.map(|(name, value)| (name, value.to_owned()))
    };
    let pairs = refresh(text(&issued, "refresh_token"));
    let pairs = pairs.each_ref().map(|(name, value)| (*name, &**value));
    assert_refused(&tokens(&castellan, &pairs, &other).await, 400, "invalid_grant");
    assert_refused(&castellan.token(&pairs).await, 400, "invalid_grant");
    let answer = tokens(&castellan, &pairs, &key).await;
    assert_eq!(answer.status, 200, "nothing was used up by those: {answer:?}");
    // The answer was lost: the same child, for the same key alone.
    assert_refused(&tokens(&castellan, &pairs, &other).await, 400, "invalid_grant");
    let again = tokens(&castellan, &pairs, &key).await;
    assert_eq!(again.json()["refresh_token"], answer.json()["refresh_token"]);

    // A refresh of this app's ends the access token before.
    let token = text(&answer.json(), "access_token").to_owned();
    let url = castellan.at("/auth/userinfo");
    let get = |scheme: &str| Ask::get(&url).header("authorization", &format!("{scheme} {token}"));
    let proof = key.proves_with("GET", &url, &token).text();
    let seen = get("DPoP").header("dpop", &proof).send().await;
    assert_eq!(seen.json()["sub"], "ann", "{seen:?}");
    for (ask, challenge) in [
        (get("Bearer"), "Bearer error=\"invalid_token\"".to_owned()),
        (get("DPoP"), dpop_challenge("invalid_dpop_proof")),
        (get("DPoP").header("dpop", &proof), dpop_challenge("invalid_dpop_proof")),
    ] {
        let refused = ask.send().await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert_eq!(refused.header("www-authenticate"), Some(&*challenge), "{refused:?}");
    }
    let pairs = [&RESOURCE_SERVER[..], &[("token", &*token)]].concat();
    let known = Ask::post(&castellan.at("/auth/introspect")).form(&pairs).send().await.json();
    assert_eq!(known["cnf"], json!({"jkt": key.jkt()}));
    assert_eq!(known["token_type"], "DPoP");

    // Who comes with a proof is challenged for one, whatever is wrong.
    let pairs = [("token", &*token), ("client_id", "spa")];
    assert_eq!(Ask::post(&castellan.at("/auth/revoke")).form(&pairs).send().await.status, 200);
    let proof = key.proves_with("GET", &url, &token).text();
    let refused = get("DPoP").header("dpop", &proof).send().await;
    assert_eq!(refused.status, 401, "{refused:?}");
    let challenge = dpop_challenge("invalid_token");
    assert_eq!(refused.header("www-authenticate"), Some(&*challenge), "{refused:?}");
}

/// Whoever stole the refresh token of a family without a key cannot make it theirs by showing one.
#[tokio::test]
async fn a_thiefs_key_binds_nothing_and_reuse_ends_the_family_whatever_key_came() {
    let castellan = Castellan::with_ann().await;
    let thief = Holder::new(Algorithm::Es256);
    let mut browser = Browser::default();
    let issued = castellan.tokens(&mut browser, &Asking::spa(), &SPA).await;
    let stolen = text(&issued, "refresh_token").to_owned();
    let refresh = async |token: &str, key: Option<&Holder>| {
        let pairs =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "spa")];
        match key {
            Some(key) => tokens(&castellan, &pairs, key).await,
            None => castellan.token(&pairs).await,
        }
    };
    let first = refresh(&stolen, Some(&thief)).await.json();
    assert_eq!(first["token_type"], "Bearer", "no key is added");
    let second = refresh(text(&first, "refresh_token"), Some(&thief)).await.json();
    // She shows hers, which is older than the one before the newest.
    assert_refused(&refresh(&stolen, None).await, 400, "invalid_grant");
    let last = refresh(text(&second, "refresh_token"), Some(&thief)).await;
    assert_refused(&last, 400, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_bound_to_the_key_that_its_request_named() {
    let castellan = Castellan::with_ann().await;
    let (key, other) = (Holder::new(Algorithm::Es256), Holder::new(Algorithm::Es256));
    let mut browser = Browser::default();
    for (shown, status) in [(Some(&key), 200), (Some(&other), 400), (None, 400)] {
        let asking = Asking::spa().with("dpop_jkt", &key.jkt());
        let code = browser.code(&castellan, &asking).await;
        let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
        let pairs = [&pairs[..], &SPA].concat();
        let answer = match shown {
            Some(key) => tokens(&castellan, &pairs, key).await,
            None => castellan.token(&pairs).await,
        };
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let odd = browser.get(&Asking::spa().with("dpop_jkt", "short").at(&castellan)).await;
    assert_eq!(odd.location_param("error").as_deref(), Some("invalid_request"), "{odd:?}");

    // Pushed with a proof, the key of which is the one that counts.
    let par = castellan.at("/auth/par");
    let hand_over = async |asking: &Asking, proof: &str| {
        Ask::post(&par).form(&asking.pairs()).header("dpop", proof).send().await
    };
    let proof = || key.proves("POST", &par).text();
    let disagrees = hand_over(&Asking::spa().with("dpop_jkt", &other.jkt()), &proof()).await;
    assert_refused(&disagrees, 400, "invalid_request");
    let pushed = hand_over(&Asking::spa(), &proof()).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let reference = text(&pushed.json(), "request_uri").to_owned();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", "spa"), ("request_uri", &*reference)])
        .finish();
    let code = browser.get(&castellan.at(&format!("/auth/authorize?{query}"))).await;
    let code = code.location_param("code").unwrap();
    let pairs = [("grant_type", "authorization_code"), ("code", &*code)];
    let pairs = [&pairs[..], &SPA].concat();
    assert_refused(&tokens(&castellan, &pairs, &other).await, 400, "invalid_grant");
}

#[tokio::test]
async fn a_nonce_is_handed_out_and_asked_for() {
    let archive = Archive::start().await;
    let castellan = with_archive(&archive, "[tokens]\ndpop_nonce = true\n").await;
    let (key, url) = (Holder::new(Algorithm::Es256), castellan.at("/auth/token"));
    let first = ask(&castellan, &SVC, &key.proves("POST", &url).text()).await;
    assert_refused(&first, 400, "use_dpop_nonce");
    let nonce = first.header("dpop-nonce").expect("a nonce").to_owned();
    let with_nonce = |nonce: &str| key.proves("POST", &url).with("nonce", json!(nonce)).text();
    let issued = ask(&castellan, &SVC, &with_nonce(&nonce)).await;
    assert_eq!(issued.status, 200, "{issued:?}");
    assert!(issued.header("dpop-nonce").is_some(), "the next one comes along");
    assert_refused(&ask(&castellan, &SVC, &with_nonce("made-up")).await, 400, "use_dpop_nonce");

    let issued = issued.json();
    let token = text(&issued, "access_token");
    let guard = castellan.at("/graphql");
    let dpop = format!("DPoP {token}");
    let without = key.proves_with("POST", &guard, token).text();
    let refused = write(&castellan, &dpop, Some(&without)).await;
    assert!(!wrote(&refused), "{refused:?}");
    let challenge = refused.header("www-authenticate");
    assert_eq!(challenge, Some(&*dpop_challenge("use_dpop_nonce")), "{refused:?}");
    let nonce = refused.header("dpop-nonce").expect("a nonce at the guard").to_owned();
    let proof = key.proves_with("POST", &guard, token).with("nonce", json!(nonce)).text();
    assert!(wrote(&write(&castellan, &dpop, Some(&proof)).await));

    castellan.advance_to(300);
    let late = key.proves("POST", &url).with("nonce", json!(nonce)).with("iat", json!(now() + 300));
    assert_refused(&ask(&castellan, &SVC, &late.text()).await, 400, "use_dpop_nonce");
}

#[tokio::test]
async fn an_app_may_be_given_bound_tokens_alone() {
    let documents = DOCUMENTS.replace("id: svc\n", "id: svc\ndpop_bound_access_tokens: true\n");
    let castellan = Castellan::with_documents(&documents).await;
    assert_refused(&castellan.token(&SVC).await, 400, "invalid_dpop_proof");
    let key = Holder::new(Algorithm::Es256);
    assert_eq!(tokens(&castellan, &SVC, &key).await.status, 200);
    assert!(castellan.said(&["get", "Client", "svc"]).contains("dpop_bound_access_tokens: true"));
}
