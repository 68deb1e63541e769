//! Stories of what is good once and for minutes: a request that was handed over, a statement that
//! a client signed, a proof that somebody has a key.

use async_trait::async_trait;
use castellan_issuer::{
    authorization::{next::FlowError, request::AuthorizeError},
    error::{OAuthError, ProofError},
    settings::DpopReplay,
    store::Kind,
    tokens::{
        dpop::{Proof, ShownError},
        mint::TokenAnswer,
        verified::Holder,
    },
};
use castellan_proto::{
    Digest, ErrorCode,
    jose::{Algorithm, SigningKey},
};
use serde_json::json;

use crate::{
    harness::{Harness, ISSUER, Plot, Tab, VERIFIER, all, code_in, gone, params, request},
    stories::{Notes, Story, said},
};

/// An app hands its request over; the browser brings the reference, and the app redeems the code.
pub(crate) struct Pushed;

pub(crate) async fn push(
    harness: &Harness,
    proof: Option<&Proof<'_>>,
) -> Result<String, OAuthError> {
    let pairs = [&request("own")[..], &[("scope", "openid")]].concat();
    let pushed = harness.issuer.push_authorization(&params(&pairs), None, proof).await;
    pushed.map(|pushed| pushed.request_uri)
}

/// The code that the browser is sent back with. What it carries beside the reference does not count.
pub(crate) async fn follow(
    harness: &Harness,
    tab: &Tab,
    reference: &str,
) -> Result<String, FlowError> {
    let more = [("request_uri", reference), ("scope", "openid email")];
    harness.begin("own", tab, &more).await.map(|next| code_in(&gone(next)))
}

async fn assert_spent(harness: &Harness, tab: &Tab, reference: &str) {
    let again = follow(harness, tab, reference).await;
    let is_refused = matches!(
        again,
        Err(FlowError::Authorize(AuthorizeError::Page { code: ErrorCode::InvalidRequest, .. }))
    );
    assert!(is_refused, "one reference, one code: {again:?}");
}

/// A request, all the way to its tokens.
async fn all_the_way(harness: &Harness, tab: &Tab) {
    let reference = push(harness, None).await.unwrap();
    let code = follow(harness, tab, &reference).await.unwrap();
    let answer = harness.redeem("own", &code).await.unwrap();
    assert_eq!(answer.scope, "openid", "what was handed over, and nothing else");
    assert!(harness.holds(&answer.access_token).await);
}

#[async_trait]
impl Story for Pushed {
    async fn prepare(&self, harness: &Harness) -> Notes {
        Notes::new(harness.tab_of("ada-1").await)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let reference = said(push(harness, None).await)?;
        notes.note("reference", &reference);
        let code = follow(harness, &notes.tab, &reference).await;
        if !harness.store.verbs().contains(&"take") {
            notes.note("unused", "");
        }
        let code = said(code)?;
        notes.note("code", &code);
        notes.note("access", &said(harness.redeem("own", &code).await)?.access_token);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let codes = async || all(&harness.issuer, Kind::Code).await.len();
        let mut code = notes.get("code").map(ToOwned::to_owned);
        if let Some(reference) = notes.get("reference") {
            match follow(harness, &notes.tab, reference).await {
                Ok(told) => {
                    assert!(code.is_none(), "one reference, one code");
                    code = Some(told);
                }
                Err(_) => assert!(!notes.has("unused"), "told to the app, and lost"),
            }
            for harness in [harness, &harness.again().await] {
                assert_spent(harness, &notes.tab, reference).await;
            }
        }
        assert!(codes().await + harness.families().await.len() <= 1, "one reference, one code");
        match (notes.get("access"), code) {
            (Some(access), _) => assert!(harness.holds(access).await),
            (None, Some(code)) => match harness.redeem("own", &code).await {
                Ok(answer) => assert_eq!(answer.scope, "openid"),
                // Spent on the way, if the app had tried it already.
                Err(OAuthError::CodeNotRedeemable) => assert!(notes.has("code")),
                Err(error) => panic!("{error:?}"),
            },
            (None, None) => {}
        }
        assert!(harness.families().await.len() <= 1, "one reference, one family");
        all_the_way(harness, &notes.tab).await;
    }
}

/// A machine proves who it is with what it signed, and gets a token.
pub(crate) struct Assertion(SigningKey);

impl Assertion {
    /// Seconds that one lives.
    const LIFETIME: u64 = 60;

    pub(crate) fn new() -> Self {
        Self(new_key())
    }

    fn sign(&self, jti: &str, expires: u64) -> String {
        let claims =
            json!({"iss": "signer", "sub": "signer", "aud": ISSUER, "jti": jti, "exp": expires});
        self.0.sign("JWT", &claims).unwrap()
    }

    fn shown(assertion: &str) -> [(&str, &str); 2] {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        [("client_assertion_type", kind), ("client_assertion", assertion)]
    }

    async fn show(harness: &Harness, assertion: &str) -> Result<String, OAuthError> {
        let pairs = [&Self::shown(assertion)[..], &[("grant_type", "client_credentials")]].concat();
        harness.issuer.token(&params(&pairs), None, None).await.map(|answer| answer.access_token)
    }

    /// It proves nothing, wherever it is shown.
    async fn assert_used(harness: &Harness, assertion: &str) {
        let again = Self::show(harness, assertion).await;
        assert!(matches!(again, Err(OAuthError::InvalidClient { .. })), "{again:?}");
        let pairs = [&Self::shown(assertion)[..], &[("token", "junk")]].concat();
        let elsewhere = harness.issuer.introspect(&params(&pairs), None).await;
        assert!(matches!(elsewhere, Err(OAuthError::InvalidClient { .. })), "{elsewhere:?}");
    }
}

#[async_trait]
impl Story for Assertion {
    async fn harness(&self) -> Harness {
        let harness = Harness::new().await;
        let signer = json!({
            "resourceType": "Client", "id": "signer", "grant_types": ["client_credentials"],
            "scope": ["api:read"], "jwks": {"keys": [self.0.jwk()]},
        });
        harness.apply(signer).await;
        harness
    }

    async fn prepare(&self, harness: &Harness) -> Notes {
        Notes::with("assertion", &self.sign("one", harness.issuer.now().0 + Self::LIFETIME))
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let access = Self::show(harness, notes.get("assertion").unwrap()).await;
        if !harness.store.verbs().contains(&"insert") {
            notes.note("unused", "");
        }
        notes.note("access", &said(access)?);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(harness.families().await.len() <= 1, "one assertion, one family");
        let (assertion, mut access) = (notes.get("assertion").unwrap(), None);
        match Self::show(harness, assertion).await {
            Ok(token) => {
                assert!(!notes.has("access"), "one assertion, one token");
                access = Some(token);
            }
            Err(OAuthError::InvalidClient { .. }) => {
                assert!(!notes.has("unused"), "it was good, and nothing came of it");
            }
            Err(error) => panic!("{error:?}"),
        }
        if let Some(access) = access.as_deref().or(notes.get("access")) {
            assert!(harness.holds(access).await);
        }
        let expires = harness.issuer.now().0 + Self::LIFETIME;
        // To the last second in which it would be good, and through a sweep.
        harness.later(Self::LIFETIME - 1);
        sweep(harness).await;
        for harness in [harness, &harness.again().await] {
            Self::assert_used(harness, assertion).await;
        }
        assert!(harness.families().await.len() <= 1, "one assertion, one family");
        let other = Self::show(harness, &self.sign("two", expires)).await.unwrap();
        assert!(harness.holds(&other).await);
    }
}

/// An app with a key hands its request over, redeems the code, shows its token and renews it, each
/// with a proof of the key, in a harness that remembers proofs in the store.
pub(crate) struct Bound {
    key: SigningKey,
    stranger: SigningKey,
}

/// Where its proofs are for.
const PUSH: (&str, &str) = ("POST", "/auth/par");
const TOKEN: (&str, &str) = ("POST", "/auth/token");
const SHOW: (&str, &str) = ("GET", "/auth/userinfo");
/// Seconds that the app's clock is ahead: its proofs are good for as long as any can be.
const AHEAD: u64 = 60;
/// Seconds for which a proof by that clock is good.
const LONGEST: u64 = 2 * AHEAD;

impl Bound {
    pub(crate) fn new() -> Self {
        Self { key: new_key(), stranger: new_key() }
    }

    /// A new proof by our key.
    fn proof(&self, harness: &Harness, to: (&str, &str), token: Option<&str>) -> String {
        prove(&self.key, harness, to, token)
    }

    /// What became of a token request with a new proof by `key`, or with none.
    async fn ask(
        harness: &Harness,
        key: Option<&SigningKey>,
        pairs: &[(&str, &str)],
    ) -> Result<TokenAnswer, OAuthError> {
        let jws = key.map(|key| prove(key, harness, TOKEN, None));
        ask(harness, jws.as_deref(), pairs).await
    }

    /// No family was ever without the key, and no token is of use without it.
    async fn assert_bound(&self, harness: &Harness, notes: &Notes) {
        let (jkt, other) = (self.key.jwk().thumbprint(), self.stranger.jwk().thumbprint());
        let families = harness.families().await;
        assert!(families.len() <= 1, "one reference, one family");
        assert!(families.iter().all(|family| family.jkt.as_ref() == Some(&jkt)));
        for access in ["a0", "a1"].into_iter().filter_map(|name| notes.get(name)) {
            assert!(!harness.holds(access).await, "it is bound");
            let verify = async |jkt| harness.issuer.verify_access(access, Holder::Key(jkt)).await;
            verify(&jkt).await.unwrap();
            assert!(verify(&other).await.is_err(), "it is bound to another key");
        }
        if let (Some(code), None) = (notes.get("code"), notes.get("a0")) {
            for key in [&self.stranger, &self.key] {
                let refused = Self::ask(harness, Some(key), &redemption(code)).await;
                assert!(matches!(refused, Err(OAuthError::CodeNotRedeemable)), "{refused:?}");
            }
        }
    }

    /// The newest refresh token renews for the key alone, and always to the same successor.
    async fn assert_renews(&self, harness: &Harness, notes: &Notes) {
        let Some(last) = notes.get("r1").or(notes.get("r0")) else { return };
        let renewal = [("grant_type", "refresh_token"), ("refresh_token", last)];
        for key in [None, Some(&self.stranger)] {
            let refused = Self::ask(harness, key, &renewal).await;
            assert!(matches!(refused, Err(OAuthError::RefreshNotUsable)), "{refused:?}");
        }
        let mut next: Option<String> = None;
        for _ in 0..2 {
            let renewed = Self::ask(harness, Some(&self.key), &renewal).await.unwrap();
            assert_eq!(renewed.token_type, "DPoP");
            assert!(!harness.holds(&renewed.access_token).await, "it is bound");
            let successor = renewed.refresh_token.unwrap();
            let before = next.replace(successor.clone());
            assert!(before.is_none_or(|before| before == successor), "one successor");
        }
    }

    /// Every proof is good at most once, and no more if what it was for is done.
    async fn assert_used(harness: &Harness, notes: &Notes) {
        for (proof, done) in [("p0", "reference"), ("p1", "a0"), ("p2", "shown"), ("p3", "a1")] {
            let Some(jws) = notes.get(proof) else { continue };
            let first = uses(harness, proof, jws, notes).await;
            assert!(!(first && notes.has(done)), "{proof} was used twice");
            assert!(!uses(harness, proof, jws, notes).await, "{proof} was used twice");
        }
    }
}

#[async_trait]
impl Story for Bound {
    async fn harness(&self) -> Harness {
        let mut plot = Plot::default();
        plot.settings.dpop_replay = DpopReplay::Store;
        Harness::with(plot).await
    }

    async fn prepare(&self, harness: &Harness) -> Notes {
        Notes::new(harness.tab_of("ada-1").await)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        notes.note("p0", &self.proof(harness, PUSH, None));
        let pushed = push(harness, Some(&read(notes.get("p0").unwrap(), PUSH, &at(PUSH)))).await;
        notes.note("reference", &said(pushed)?);
        let reference = notes.get("reference").unwrap();
        let code = said(follow(harness, &notes.tab, reference).await)?;
        notes.note("code", &code);
        notes.note("p1", &self.proof(harness, TOKEN, None));
        let answer = said(ask(harness, notes.get("p1"), &redemption(&code)).await)?;
        let (access, refresh) = (answer.access_token, answer.refresh_token.unwrap());
        notes.note("a0", &access);
        notes.note("r0", &refresh);
        notes.note("p2", &self.proof(harness, SHOW, Some(&access)));
        let jws = notes.get("p2").unwrap();
        said(harness.issuer.verify_shown(&access, Some(&read(jws, SHOW, &at(SHOW)))).await)?;
        notes.note("shown", "");
        notes.note("p3", &self.proof(harness, TOKEN, None));
        let renewal = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
        let answer = said(ask(harness, notes.get("p3"), &renewal).await)?;
        notes.note("a1", &answer.access_token);
        notes.note("r1", &answer.refresh_token.unwrap());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        self.assert_bound(harness, notes).await;
        self.assert_renews(harness, notes).await;
        Self::assert_used(harness, notes).await;
        // As long as they would be good, and through a sweep.
        harness.later(LONGEST);
        sweep(harness).await;
        let again = harness.again().await;
        for proof in ["p0", "p1", "p2", "p3"] {
            if let Some(jws) = notes.get(proof) {
                assert!(!uses(&again, proof, jws, notes).await, "{proof} was used twice");
            }
        }
        all_the_way(&again, &notes.tab).await;
    }
}

fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().0
}

async fn sweep(harness: &Harness) {
    harness.issuer.repository().store().sweep(harness.issuer.now(), 1_000).await.unwrap();
}

fn at((_, path): (&str, &str)) -> String {
    format!("{ISSUER}{path}")
}

fn read<'a>(jws: &'a str, (method, _): (&'a str, &str), url: &'a str) -> Proof<'a> {
    Proof { jws, method, url }
}

/// A new proof by `key`.
fn prove(key: &SigningKey, harness: &Harness, to: (&str, &str), token: Option<&str>) -> String {
    let jwk = key.jwk();
    let header = json!({"typ": "dpop+jwt", "alg": jwk.alg, "jwk": jwk});
    let jti = Digest(castellan_proto::random()).text();
    let iat = harness.issuer.now().0 + AHEAD;
    let mut claims = json!({"jti": jti, "htm": to.0, "htu": at(to), "iat": iat});
    if let Some(token) = token {
        claims["ath"] = json!(Digest::of(token.as_bytes()).text());
    }
    key.sign_under(&header.to_string(), &claims).unwrap()
}

fn redemption(code: &str) -> [(&str, &str); 3] {
    [("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER)]
}

/// A token request with the proof `jws`.
async fn ask(
    harness: &Harness,
    jws: Option<&str>,
    pairs: &[(&str, &str)],
) -> Result<TokenAnswer, OAuthError> {
    let (pairs, url) = ([&[("client_id", "own")], pairs].concat(), at(TOKEN));
    let proof = jws.map(|jws| read(jws, TOKEN, &url));
    harness.issuer.token(&params(&pairs), None, proof.as_ref()).await
}

/// Whether a proof that was made for `step` is good for something of its kind now.
async fn uses(harness: &Harness, step: &str, jws: &str, notes: &Notes) -> bool {
    let outcome = match step {
        "p0" => push(harness, Some(&read(jws, PUSH, &at(PUSH)))).await.map(drop),
        "p2" => {
            let (token, url) = (notes.get("a0").unwrap(), at(SHOW));
            let shown = harness.issuer.verify_shown(token, Some(&read(jws, SHOW, &url))).await;
            shown.map(drop).map_err(|error| match error {
                ShownError::Proof(error) => OAuthError::Proof(error),
                ShownError::Token(error) => panic!("{error:?}"),
            })
        }
        _ => match ask(harness, Some(jws), &redemption("junk")).await {
            Err(OAuthError::CodeNotRedeemable) => Ok(()),
            other => other.map(drop),
        },
    };
    match outcome {
        Ok(()) => true,
        Err(OAuthError::Proof(ProofError::Invalid("was already used"))) => false,
        Err(error) => panic!("{step}: {error:?}"),
    }
}
