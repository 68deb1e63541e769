//! What people and apps do, step by step, and what must be true of it whatever went wrong.

use std::{collections::BTreeMap, fmt::Debug};

use async_trait::async_trait;
use castellan_issuer::{
    authorization::next::{Answer, FlowError, Next, SignInOutcome},
    error::OAuthError,
    grant::DEVICE_CODE,
    resources::{Mode, ResourceKind},
    sign_in::setup::{SetupError, SetupForm},
    store::Kind,
    tokens::verified::Holder,
};
use castellan_proto::Secret;
use serde_json::{Value, json};

use crate::{
    faulty_store::{Extent, Moment, Plan},
    harness::{Harness, PASSWORD, Tab, all, code_in, consent_flow, gone, login_flow, params},
};

/// What somebody was told, which has to stay true.
pub(crate) struct Notes {
    told: BTreeMap<&'static str, String>,
    pub(crate) tab: Tab,
}

impl Notes {
    pub(crate) fn new(tab: Tab) -> Self {
        Self { told: BTreeMap::new(), tab }
    }

    pub(crate) fn with(name: &'static str, text: &str) -> Self {
        let mut notes = Self::new(Tab::new());
        notes.note(name, text);
        notes
    }

    pub(crate) fn note(&mut self, name: &'static str, text: &str) {
        self.told.insert(name, text.to_owned());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.told.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.told.contains_key(name)
    }
}

/// One thing that is done in several steps.
#[async_trait]
pub(crate) trait Story: Sync {
    /// Where it plays.
    async fn harness(&self) -> Harness {
        Harness::new().await
    }

    /// What is there before.
    async fn prepare(&self, harness: &Harness) -> Notes;

    /// Does it, noting every answer. Ends at the first error.
    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String>;

    /// Nothing was given twice, nothing that was told is lost, what is dead stays dead, and trying
    /// again gets there.
    async fn check(&self, harness: &Harness, notes: &Notes);
}

/// Plays `story` once for each verb and each side of its effect, and checks what is left.
pub(crate) async fn at_every_verb(story: &dyn Story, extent: Extent) {
    for verb in 1.. {
        for moment in [Moment::Before, Moment::After] {
            let plan = Plan { verb, moment, extent };
            let harness = story.harness().await;
            let mut notes = story.prepare(&harness).await;
            harness.store.arm(plan);
            let outcome = story.play(&harness, &mut notes).await;
            let (verbs, failed) = (harness.store.verbs(), harness.store.failed());
            println!("{plan:?} of {verbs:?}: {outcome:?}");
            if !failed {
                assert_eq!(outcome, Ok(()));
                assert!(verb > 1, "the story never came to the store");
                return;
            }
            assert!(outcome.is_err(), "the store failed and nobody was told");
            harness.store.arm(None);
            // A dead process is followed by a fresh one; one that only stumbled goes on.
            let harness = if extent == Extent::Forever { harness.again().await } else { harness };
            story.check(&harness, &notes).await;
        }
    }
}

pub(crate) fn said<T, E: Debug>(outcome: Result<T, E>) -> Result<T, String> {
    outcome.map_err(|error| format!("{error:?}"))
}

fn yes(outcome: Result<SignInOutcome, FlowError>) -> Result<(String, Next), String> {
    match said(outcome)? {
        SignInOutcome::Yes(cookie, next) => Ok((cookie.text(), next)),
        SignInOutcome::No(_) | SignInOutcome::Further(_) => panic!("the password is right"),
    }
}

/// An app sends somebody here, who signs in and agrees; the app redeems the code.
pub(crate) struct CodeWithConsent;

#[async_trait]
impl Story for CodeWithConsent {
    async fn prepare(&self, _: &Harness) -> Notes {
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let flow = login_flow(said(harness.begin("shop", &notes.tab, &[]).await)?);
        notes.note("login", &flow);
        let (cookie, next) = yes(harness.sign_in(&flow, "ada", &notes.tab).await)?;
        notes.note("cookie", &cookie);
        notes.tab.session = Some(cookie);
        let flow = consent_flow(next);
        let browser = notes.tab.browser();
        let next = said(harness.issuer.consent(&flow, Answer::Allow, &browser).await)?;
        let code = code_in(&gone(next));
        notes.note("code", &code);
        let answer = said(harness.redeem("shop", &code).await)?;
        notes.note("access", &answer.access_token);
        notes.note("refresh", &answer.refresh_token.unwrap());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(harness.families().await.len() <= 1, "one code, one family");
        if notes.has("cookie") {
            assert!(harness.knows(&notes.tab).await);
            let again = harness.sign_in(notes.get("login").unwrap(), "ada", &notes.tab).await;
            assert!(matches!(again, Err(FlowError::Expired)), "one form, one sign-in");
        }
        let mut access = notes.get("access").map(ToOwned::to_owned);
        if let Some(access) = &access {
            assert!(harness.holds(access).await);
            harness.refresh("shop", notes.get("refresh").unwrap(), &[]).await.unwrap();
        }
        if let Some(code) = notes.get("code") {
            let agreed = harness.issuer.agreed("ada-1").await.unwrap();
            assert_eq!(agreed[0].client_id, "shop", "told to the app, so agreed to");
            if access.is_none() {
                match harness.redeem("shop", code).await {
                    Ok(answer) => access = Some(answer.access_token),
                    Err(OAuthError::CodeNotRedeemable) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert!(harness.families().await.len() <= 1, "one code, one family");
            let replayed = harness.redeem("shop", code).await;
            assert!(matches!(replayed, Err(OAuthError::CodeNotRedeemable)));
            assert!(harness.families().await.is_empty(), "a replay ends the family");
            if let Some(access) = access {
                assert!(!harness.holds(&access).await);
            }
        }
        assert!(harness.holds(&harness.tokens("shop").await.access_token).await);
    }
}

/// A machine gets a token.
pub(crate) struct ClientCredentials;

#[async_trait]
impl Story for ClientCredentials {
    async fn prepare(&self, _: &Harness) -> Notes {
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await;
        notes.note("access", &said(answer)?.access_token);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(harness.families().await.len() <= 1);
        if let Some(access) = notes.get("access") {
            assert!(harness.holds(access).await);
        }
        let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await.unwrap();
        assert!(harness.holds(&answer.access_token).await);
    }
}

/// An app renews its tokens, twice.
pub(crate) struct Refresh {
    pub(crate) client: &'static str,
    pub(crate) keeps: bool,
}

impl Refresh {
    /// Renewing with one token twice gives one and the same successor.
    async fn one_successor(&self, harness: &Harness, token: &str, known: Option<&str>) -> String {
        let first = harness.refresh(self.client, token, &[]).await.unwrap();
        let second = harness.refresh(self.client, token, &[]).await.unwrap();
        assert_eq!(first.refresh_token, second.refresh_token);
        let next = first.refresh_token.unwrap();
        assert_eq!(self.keeps, next == token);
        assert!(known.is_none_or(|known| known == next), "one generation, one successor");
        assert!(harness.holds(&second.access_token).await);
        next
    }
}

#[async_trait]
impl Story for Refresh {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let answer = harness.tokens(self.client).await;
        Notes::with("r0", &answer.refresh_token.unwrap())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        for (old, new, access) in [("r0", "r1", "a1"), ("r1", "r2", "a2")] {
            let token = notes.get(old).unwrap().to_owned();
            let answer = said(harness.refresh(self.client, &token, &[]).await)?;
            notes.note(new, &answer.refresh_token.unwrap());
            notes.note(access, &answer.access_token);
        }
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert_eq!(harness.families().await.len(), 1);
        if !self.keeps
            && let Some(access) = notes.get("a1")
        {
            assert!(harness.holds(access).await);
        }
        let (last, known) = match (notes.get("r1"), notes.get("r2")) {
            (Some(r1), known) => (r1, known),
            (None, _) => (notes.get("r0").unwrap(), None),
        };
        let next = self.one_successor(harness, last, known).await;
        let last = self.one_successor(harness, &next, None).await;
        if !self.keeps {
            let stolen = harness.refresh(self.client, notes.get("r0").unwrap(), &[]).await;
            assert!(matches!(stolen, Err(OAuthError::RefreshNotUsable)));
            let over = harness.refresh(self.client, &last, &[]).await;
            assert!(matches!(over, Err(OAuthError::RefreshNotUsable)), "reuse ends the family");
        }
    }
}

/// An app gives its tokens back.
pub(crate) struct Revoke;

#[async_trait]
impl Story for Revoke {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let answer = harness.tokens("own").await;
        let mut notes = Notes::with("access", &answer.access_token);
        notes.note("refresh", &answer.refresh_token.unwrap());
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        said(harness.revoke("own", notes.get("access").unwrap()).await)?;
        notes.note("revoked", "");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let (access, refresh) = (notes.get("access").unwrap(), notes.get("refresh").unwrap());
        if !notes.has("revoked") {
            harness.revoke("own", access).await.unwrap();
        }
        for harness in [harness, &harness.again().await] {
            assert!(!harness.holds(access).await);
            let renewed = harness.refresh("own", refresh, &[]).await;
            assert!(matches!(renewed, Err(OAuthError::RefreshNotUsable)));
        }
    }
}

/// Somebody takes back what they agreed to.
pub(crate) struct Withdraw;

#[async_trait]
impl Story for Withdraw {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let answer = harness.tokens("shop").await;
        let mut notes = Notes::with("access", &answer.access_token);
        notes.note("refresh", &answer.refresh_token.unwrap());
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        said(harness.issuer.withdraw("ada-1", "shop").await)?;
        notes.note("withdrawn", "");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let (access, refresh) = (notes.get("access").unwrap(), notes.get("refresh").unwrap());
        if !notes.has("withdrawn") {
            harness.issuer.withdraw("ada-1", "shop").await.unwrap();
        }
        for agrees_again in [false, true] {
            if agrees_again {
                assert!(harness.holds(&harness.tokens("shop").await.access_token).await);
            }
            assert!(!harness.holds(access).await, "agreed again: {agrees_again}");
            let renewed = harness.refresh("shop", refresh, &[]).await;
            assert!(matches!(renewed, Err(OAuthError::RefreshNotUsable)));
        }
    }
}

/// Somebody signs in here, in a browser in which somebody else was signed in.
pub(crate) struct SignIn;

#[async_trait]
impl Story for SignIn {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let tab = harness.tab_of("bob-1").await;
        let mut notes = Notes::with("bobs", tab.session.as_deref().unwrap());
        notes.tab = tab;
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let next = harness.begin("own", &notes.tab, &[("prompt", "login")]).await;
        let flow = login_flow(said(next)?);
        let (cookie, _) = yes(harness.sign_in(&flow, "ada@example.ORG", &notes.tab).await)?;
        notes.note("cookie", &cookie);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(all(&harness.issuer, Kind::Session).await.len() <= 2);
        if let Some(cookie) = notes.get("cookie") {
            assert!(harness.knows(&notes.tab.with(cookie)).await);
            let bobs = notes.tab.with(notes.get("bobs").unwrap());
            assert!(!harness.knows(&bobs).await, "the session before is over");
        }
        let next = harness.begin("own", &notes.tab, &[("prompt", "login")]).await.unwrap();
        yes(harness.sign_in(&login_flow(next), "ada-1", &notes.tab).await).unwrap();
    }
}

/// Somebody signs out.
pub(crate) struct SignOut;

#[async_trait]
impl Story for SignOut {
    async fn prepare(&self, harness: &Harness) -> Notes {
        Notes::new(harness.tab_of("ada-1").await)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        said(harness.issuer.sign_out(&notes.tab.browser()).await)?;
        notes.note("out", "");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        if !notes.has("out") {
            harness.issuer.sign_out(&notes.tab.browser()).await.unwrap();
        }
        assert!(!harness.knows(&notes.tab).await);
        assert!(!harness.again().await.knows(&notes.tab).await);
    }
}

/// The first administrator is made.
pub(crate) struct SetUp;

pub(crate) fn setup_form(token: &str, name: &str) -> SetupForm {
    SetupForm {
        token: token.to_owned(),
        user_name: name.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        again: Secret::new(PASSWORD.to_owned()),
    }
}

#[async_trait]
impl Story for SetUp {
    async fn harness(&self) -> Harness {
        Harness::empty().await
    }

    async fn prepare(&self, _: &Harness) -> Notes {
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let token = said(harness.issuer.offer_setup().await)?.unwrap().text();
        notes.note("link", &token);
        let (cookie, _) =
            said(harness.issuer.set_up(setup_form(&token, "root"), &notes.tab.browser()).await)?;
        notes.note("cookie", &cookie.text());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let people = async || all(&harness.issuer, Kind::Account).await.len();
        if let Some(cookie) = notes.get("cookie") {
            assert!(harness.knows(&notes.tab.with(cookie)).await);
        }
        if let Some(link) = notes.get("link") {
            match harness.issuer.set_up(setup_form(link, "second"), &Tab::new().browser()).await {
                Ok(_) => assert!(!notes.has("cookie")),
                Err(SetupError::Spent) => {}
                Err(error) => panic!("{error:?}"),
            }
            assert!(people().await <= 1, "one link, one administrator");
            let again =
                harness.issuer.set_up(setup_form(link, "third"), &Tab::new().browser()).await;
            assert!(matches!(again, Err(SetupError::Spent)) || people().await == 0);
        }
        // Whatever happened to the link, somebody can be the first.
        if let Some(link) = harness.issuer.offer_setup().await.unwrap() {
            harness
                .issuer
                .set_up(setup_form(&link.text(), "fourth"), &Tab::new().browser())
                .await
                .unwrap();
        }
        assert_eq!(people().await, 1);
    }
}

/// A resource is made, changed and deleted.
pub(crate) struct Apply;

fn document(name: &str) -> Value {
    json!({"resourceType": "User", "id": "eve", "userName": name, "email": "eve@example.org"})
}

#[async_trait]
impl Story for Apply {
    async fn prepare(&self, _: &Harness) -> Notes {
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        for name in ["made", "changed"] {
            said(harness.issuer.apply(document(name), Mode::Write).await)?;
            notes.note(name, "");
        }
        said(harness.issuer.remove(ResourceKind::USER, "eve").await)?;
        notes.note("removed", "");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let found = harness.issuer.describe(ResourceKind::USER, "eve").await.unwrap();
        let name = found.as_ref().and_then(|found| found["userName"].as_str());
        match name {
            None => assert!(notes.has("changed") || !notes.has("made")),
            Some("made") => assert!(!notes.has("changed")),
            Some(_) => assert!(notes.has("made") && !notes.has("removed")),
        }
        for name in ["made", "changed"] {
            harness.apply(document(name)).await;
        }
        assert!(harness.issuer.remove(ResourceKind::USER, "eve").await.unwrap());
    }
}

/// Tokens are asked about, and pages are shown.
pub(crate) struct Reading;

#[async_trait]
impl Story for Reading {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let answer = harness.tokens("shop").await;
        let mut notes = Notes::with("access", &answer.access_token);
        notes.note("refresh", &answer.refresh_token.unwrap());
        notes.tab = harness.tab_of("ada-1").await;
        let next = harness.begin("phone", &notes.tab, &[]).await.unwrap();
        notes.note("flow", &consent_flow(next));
        // Long enough for the session to be noted as used.
        harness.later(61);
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let (issuer, browser) = (&harness.issuer, notes.tab.browser());
        let (access, refresh) = (notes.get("access").unwrap(), notes.get("refresh").unwrap());
        said(issuer.verify_access(access, Holder::Bearer).await)?;
        said(issuer.userinfo(access, None).await)?;
        assert_eq!(said(harness.introspect("robot", access).await)?["active"], true);
        assert_eq!(said(harness.introspect("shop", refresh).await)?["active"], true);
        said(issuer.signed_in(&browser).await)?;
        said(issuer.view_flow(notes.get("flow").unwrap(), &browser).await)?;
        said(issuer.begin_sign_in(&browser).await)?;
        said(issuer.agreed("ada-1").await)?;
        said(issuer.describe(ResourceKind::CLIENT, "shop").await)?;
        said(issuer.list(ResourceKind::USER, None, 10).await)?;
        said(issuer.offer_setup().await)?;
        said(issuer.reload_keys().await)?;
        let wrong = ("ada", Secret::new("wrong".to_owned()));
        assert!(said(issuer.sign_in_with_password(wrong.0, &wrong.1).await)?.is_none());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(harness.holds(notes.get("access").unwrap()).await);
        assert!(harness.knows(&notes.tab).await);
    }
}

/// A device gets two codes, a person types one in and agrees, and the device gets tokens.
pub(crate) struct DeviceStory;

impl DeviceStory {
    async fn look(harness: &Harness, code: &str) -> Result<String, OAuthError> {
        let pairs = [("grant_type", DEVICE_CODE), ("device_code", code)];
        harness.ask("tv", &pairs).await.map(|answer| answer.access_token)
    }
}

#[async_trait]
impl Story for DeviceStory {
    async fn prepare(&self, harness: &Harness) -> Notes {
        Notes::new(harness.tab_of("ada-1").await)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let begun = said(harness.issuer.begin_device(&params(&[("client_id", "tv")]), None).await)?;
        notes.note("code", &begun.device_code);
        let browser = notes.tab.browser();
        let next = said(harness.issuer.enter_user_code(&begun.user_code, &browser).await)?;
        let next = harness.issuer.consent(&consent_flow(next), Answer::Allow, &browser).await;
        assert!(matches!(said(next)?, Next::Device(Answer::Allow)));
        notes.note("agreed", "");
        notes.note("access", &said(Self::look(harness, &begun.device_code).await)?);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        assert!(harness.families().await.len() <= 1, "one code, one family");
        let mut access = notes.get("access").map(ToOwned::to_owned);
        if let Some(access) = &access {
            assert!(harness.holds(access).await);
        }
        let Some(code) = notes.get("code") else { return };
        if access.is_none() {
            match Self::look(harness, code).await {
                Ok(token) => access = Some(token),
                // Whoever was told that they agreed does not have to again, but a code that was
                // spent on the way stays so.
                Err(OAuthError::Pending) => assert!(!notes.has("agreed")),
                Err(OAuthError::CodeNotRedeemable) => assert!(notes.has("agreed")),
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(harness.families().await.len() <= 1, "one code, one family");
        let Some(access) = access else { return };
        assert!(harness.holds(&access).await);
        let replayed = Self::look(harness, code).await;
        assert!(matches!(replayed, Err(OAuthError::CodeNotRedeemable)));
        assert!(!harness.holds(&access).await, "a replay ends the family");
    }
}
