//! A way to sign in is one value of the roster: this file adds one, and people sign in with it.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_issuer::{
    Issuer, Versioned,
    authorization::next::{FlowError, SignInOutcome},
    error::OAuthError,
    language::Text,
    records::Account,
    request::params::Params,
    session::browser::Browser,
    sign_in::{self, Field, FieldKind, Roster, SignInMethod},
};
use serde_json::{Value, json};

use crate::harness::{Harness, Tab, login_flow, params};

/// Whoever has the letter is Ada.
struct Letter;

const LABEL: Text = Text {
    en: "Code from the letter",
    ca: "Codi de la carta",
    es: "Código de la carta",
    de: "Code aus dem Brief",
    fr: "Code de la lettre",
};

const WRONG: Text = Text {
    en: "This is not the code from the letter.",
    ca: "Aquest no és el codi de la carta.",
    es: "Este no es el código de la carta.",
    de: "Das ist nicht der Code aus dem Brief.",
    fr: "Ce n’est pas le code de la lettre.",
};

const METHODS: Roster = &[sign_in::ROSTER[0], &Letter];

#[async_trait]
impl SignInMethod for Letter {
    fn name(&self) -> &'static str {
        "letter"
    }

    fn amr(&self) -> &'static [&'static str] {
        &["otp"]
    }

    fn fields(&self) -> &'static [Field] {
        const FIELDS: &[Field] = &[Field {
            name: "code",
            label: LABEL,
            kind: FieldKind::Code,
            autocomplete: "one-time-code",
        }];
        FIELDS
    }

    fn problem(&self) -> Text {
        WRONG
    }

    async fn check(
        &self,
        issuer: &Issuer,
        (_, form): (&str, &Params),
        _: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        if form.get("code") != Some("123456") {
            return Ok(None);
        }
        Ok(issuer.repository().get("ada-1", issuer.now()).await?)
    }
}

#[tokio::test]
async fn a_method_that_one_file_adds_signs_people_in_by_its_name() {
    let mut harness = Harness::new().await;
    let letter = |code| params(&[("method", "letter"), ("code", code)]);
    let mut tab = Tab::new();
    let flow = login_flow(harness.begin("own", &tab, &[]).await.unwrap());
    let unknown = harness.issuer.sign_in(&flow, &letter("123456"), &tab.browser()).await;
    assert!(matches!(unknown, Err(FlowError::Expired)), "there is no such method yet");

    harness.issuer = harness.issuer.signing_in_by(METHODS);
    let wrong = harness.issuer.sign_in(&flow, &letter("654321"), &tab.browser()).await.unwrap();
    assert!(matches!(wrong, SignInOutcome::No(WRONG)));
    let right = harness.issuer.sign_in(&flow, &letter("123456"), &tab.browser()).await.unwrap();
    let SignInOutcome::Yes(cookie, _) = right else { panic!("the code is right") };
    tab.session = Some(cookie.text());

    let code = harness.code("own", &tab, &[]).await;
    let token = harness.redeem("own", &code).await.unwrap().id_token.unwrap();
    assert_eq!(claims(&token)["amr"], json!(["otp"]), "what it was, and not what came first");
    let other = harness.tokens("own").await.id_token.unwrap();
    assert_eq!(claims(&other)["amr"], json!(["pwd"]));
}

/// The claims of a token, unproven.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
