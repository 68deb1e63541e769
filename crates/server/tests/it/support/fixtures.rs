//! The people and apps that most tests begin with (`docs/contracts/aidbox.md` §12), and what they
//! do.

use serde_json::Value;

use crate::support::{
    browser::Browser,
    castellan::Castellan,
    wire::{Answer, Ask},
};

/// Her name and her password.
pub const ANN: (&str, &str) = ("ann", "pw-ann");
/// How `portal` proves itself.
pub const PORTAL: [(&str, &str); 2] = [("client_id", "portal"), ("client_secret", "s3cr3t-portal")];
/// How `svc` proves itself, which is told about every token of the site.
pub const RESOURCE_SERVER: [(&str, &str); 2] =
    [("client_id", "svc"), ("client_secret", "s3cr3t-svc")];
/// How `spa` proves itself.
pub const SPA: [(&str, &str); 2] = [("client_id", "spa"), ("code_verifier", VERIFIER)];

/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636, appendix B.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Ann, a confidential app of others that keeps its refresh token, a public app of the house that
/// gets a new one each time, one that gets none, and a machine that may introspect all tokens.
pub const DOCUMENTS: &str = r#"
resourceType: User
id: ann
userName: ann
password: pw-ann
name: {givenName: Ann, familyName: Roe}
emails: [{value: ann@example.test, primary: true}]
---
resourceType: Client
id: portal
name: The portal
secret: s3cr3t-portal
grant_types: [code]
scope: [openid, profile, "Query:*", "Mutation:Person:*"]
access_token_signed_response_alg: RS256
auth:
  authorization_code:
    redirect_uri: https://portal.test/cb
    secret_required: true
    access_token_expiration: 600
    token_format: jwt
    refresh_token: true
    refresh_token_expiration: 86400
    refresh_token_rotation: keep
---
resourceType: Client
id: spa
first_party: true
grant_types: [code]
scope: [openid]
auth:
  authorization_code:
    redirect_uri: https://spa.test/cb
    pkce: true
    token_format: jwt
    refresh_token: true
---
resourceType: Client
id: kiosk
secret: s3cr3t-kiosk
first_party: true
grant_types: [code]
scope: [openid]
auth:
  authorization_code: {redirect_uri: https://kiosk.test/cb, secret_required: true, refresh_token: false}
---
resourceType: Client
id: svc
secret: s3cr3t-svc
grant_types: [client_credentials]
introspect: any
scope: ["Query:*", "Mutation:Person:Create"]
"#;

/// An authorization request in the making.
#[derive(Clone)]
pub struct Asking(Vec<(&'static str, String)>);

impl Asking {
    /// What `portal` asks.
    pub fn portal() -> Self {
        Self::of("portal", "https://portal.test/cb").with("scope", "openid profile")
    }

    /// What `spa` asks.
    pub fn spa() -> Self {
        Self::of("spa", "https://spa.test/cb")
            .with("code_challenge", CHALLENGE)
            .with("code_challenge_method", "S256")
    }

    /// What an app asks that has no secrets to keep, nor wishes.
    pub fn of(client: &str, redirect_uri: &str) -> Self {
        Self(Vec::new())
            .with("response_type", "code")
            .with("client_id", client)
            .with("redirect_uri", redirect_uri)
            .with("state", "somestate")
    }

    /// The same with another value of `name`.
    pub fn with(self, name: &'static str, value: &str) -> Self {
        let mut pairs = self.without(name).0;
        pairs.push((name, value.to_owned()));
        Self(pairs)
    }

    /// The same without `name`.
    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(other, _)| *other != name);
        self
    }

    /// The same with `name` a second time.
    pub fn and(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    /// The names and values.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, &**value)).collect()
    }

    /// The address that the browser is sent to.
    pub fn at(&self, castellan: &Castellan) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.pairs())
            .finish();
        castellan.at(&format!("/auth/authorize?{query}"))
    }
}

impl Castellan {
    /// A server that knows [`DOCUMENTS`].
    pub async fn with_ann() -> Self {
        Self::with_documents(DOCUMENTS).await
    }

    /// Trades `code`.
    pub async fn redeem(&self, code: &str, client: &[(&str, &str)]) -> Answer {
        let pairs = [&[("grant_type", "authorization_code"), ("code", code)], client].concat();
        self.token(&pairs).await
    }

    /// Trades a refresh token.
    pub async fn refresh(&self, token: &str, client: &[(&str, &str)]) -> Answer {
        let proof: Vec<_> =
            client.iter().copied().filter(|(name, _)| *name != "code_verifier").collect();
        let pairs =
            [&[("grant_type", "refresh_token"), ("refresh_token", token)], &*proof].concat();
        self.token(&pairs).await
    }

    /// What Ann's browser and the app behind it end up with.
    pub async fn tokens(
        &self,
        browser: &mut Browser,
        asking: &Asking,
        client: &[(&str, &str)],
    ) -> Value {
        let code = browser.code(self, asking).await;
        let answer = self.redeem(&code, client).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// What `portal` gets for Ann.
    pub async fn portal_tokens(&self) -> Value {
        self.tokens(&mut Browser::default(), &Asking::portal(), &PORTAL).await
    }

    /// Who a token speaks for.
    pub async fn userinfo(&self, token: &str) -> Answer {
        Ask::get(&self.at("/auth/userinfo")).bearer(token).send().await
    }

    /// How many consents there are.
    pub fn grants(&self) -> usize {
        self.said(&["get", "Grant", "--format", "json"]).lines().count()
    }

    /// Everything that the command line can list.
    pub fn resources(&self) -> String {
        ["User", "Client", "Grant", "ApiCredential", "AuthKey"]
            .map(|kind| self.said(&["get", kind, "--format", "json"]))
            .concat()
    }
}

/// The text at `name` of a token answer.
pub fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"))
}

/// Asserts that `answer` is a refusal with `status` and the error `code`, and gives nothing away.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.json()["error"], code, "{answer:?}");
    assert!(answer.json().get("access_token").is_none(), "{answer:?}");
    assert!(answer.header("location").is_none(), "{answer:?}");
}

/// Asserts that `answer` sends the browser back to its app with the error `code`.
#[track_caller]
pub fn assert_sent_back(answer: &Answer, to: &str, code: &str) {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location().starts_with(&format!("{to}?")), "{answer:?}");
    assert_eq!(answer.location_param("error").as_deref(), Some(code), "{answer:?}");
    assert_eq!(answer.location_param("state").as_deref(), Some("somestate"), "{answer:?}");
    assert_eq!(answer.location_param("code"), None, "{answer:?}");
}
