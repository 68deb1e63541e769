//! Stories of how things end: a sign-out, a secret, a person, an app, a signing key, a master key.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use castellan_issuer::{
    Issuer, Parts,
    error::OAuthError,
    keys::{KeyKind, KeyUse, KeyringError, MasterKey},
    machine::{
        api_key::{KeyProof, KeyTerms, KeyTokens, TradeError},
        machine_user::{MachineProof, MachineTokens},
    },
    resources::{Mode, ResourceKind},
    secrets::policy::Storable,
    store::{Draft, FeedCursor, Kind, Notice, Record, Store as _},
    tokens::verified::{Holder, VerifyError},
};
use castellan_proto::{
    Secret,
    jose::{Algorithm, Compact, HmacKey},
};
use serde_json::{Value, json};

use crate::{
    harness::{Harness, PASSWORD, Tab, all, documents, generated, params, secret_of},
    rules::liveness::poll,
    stories::{Notes, Story, said},
};

/// Secrets of one machine user or key, one after the other.
const OLD: u8 = 21;
const NEW: u8 = 22;
const LAST: u8 = 23;
/// The machine user, or the key.
const NIGHT: &str = "night";
/// Seconds from the making of a key to its first signature.
pub(crate) const LEAD: u64 = 330;

fn secret(seed: u8) -> Secret {
    Secret::new(generated(seed))
}

fn fresh(harness: &Harness, seed: u8) -> Storable {
    harness.issuer.settings().secrets.secret(&secret(seed)).unwrap()
}

/// What tells tokens of every kind in one process, and remembers what it found.
struct Guard {
    machines: MachineTokens,
    keys: KeyTokens,
}

impl Guard {
    fn new() -> Self {
        let terms = KeyTerms {
            secret: HmacKey::new(&[8; 32]),
            issuer: "castellan".to_owned(),
            check_issuer: true,
            lifetime: 3_600,
            keys: BTreeMap::new(),
        };
        let machines = MachineTokens::new(HmacKey::new(&[7; 32]), Duration::from_hours(1));
        Self { machines, keys: KeyTokens::new(terms) }
    }

    /// Whether `token` holds, whatever it is.
    async fn finds(&self, issuer: &Issuer, token: &str) -> Result<bool, String> {
        let access = match issuer.verify_access(token, Holder::Bearer).await {
            Err(VerifyError::Store(error)) => return said(Err(error)),
            found => found.is_ok(),
        };
        let machine = match self.machines.verify(issuer, token).await {
            Err(VerifyError::Store(error)) => return said(Err(error)),
            found => found.is_ok(),
        };
        let key = match self.keys.verify(issuer, token).await {
            Err(VerifyError::Store(error)) => return said(Err(error)),
            found => found.is_ok(),
        };
        Ok(access || machine || key)
    }

    /// A token of the machine user's, if this is its secret.
    async fn sign_in(&self, harness: &Harness, seed: u8) -> Result<Option<String>, String> {
        let secret = secret(seed);
        let proof = MachineProof { key: NIGHT, secret: &secret, audience: None, source: None };
        let signed_in = said(self.machines.sign_in(&harness.issuer, proof).await)?;
        Ok(signed_in.map(|signed_in| signed_in.token))
    }

    /// A token of the key's, if this is one of its secrets.
    async fn trade(&self, harness: &Harness, seed: u8) -> Result<Option<String>, String> {
        let secret = secret(seed);
        let proof = KeyProof { id: NIGHT, api_key: &secret, source: None };
        match self.keys.issue(&harness.issuer, proof, &["Query:Order".to_owned()]).await {
            Err(TradeError::Unknown) => Ok(None),
            traded => said(traded).map(Some),
        }
    }
}

/// Whether `token` holds in a process that has never seen it.
async fn holds(harness: &Harness, token: &str) -> bool {
    Guard::new().finds(&harness.issuer, token).await.unwrap()
}

/// Another process, which stands by and has found tokens good.
pub(crate) struct Neighbour {
    pub(crate) node: Harness,
    guard: Guard,
    cursor: FeedCursor,
    tokens: Vec<String>,
}

impl Neighbour {
    pub(crate) async fn of(harness: &Harness, tokens: &[&str]) -> Self {
        let (node, guard) = (harness.again().await, Guard::new());
        let cursor = poll(&node, None).await;
        for token in tokens {
            assert!(guard.finds(&node.issuer, token).await.unwrap());
        }
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        Self { node, guard, cursor, tokens }
    }

    /// Whatever became of the other one, what this one has heard is how things are.
    pub(crate) async fn agrees(&self) {
        let (issuer, mut keys_changed) = (&self.node.issuer, false);
        let heard = |subject: &str| keys_changed |= issuer.is_keyring(subject);
        issuer.liveness().poll(&*self.node.store, Some(&self.cursor), heard).await.unwrap();
        if keys_changed {
            issuer.reload_keys().await.unwrap();
            issuer.liveness().bump_all();
        }
        let fresh = self.node.again().await;
        for token in &self.tokens {
            let found = self.guard.finds(issuer, token).await.unwrap();
            assert_eq!(found, holds(&fresh, token).await, "heard of, or not");
        }
    }
}

/// A machine user with the old secret.
async fn hire(harness: &Harness) {
    let user = json!({
        "resourceType": "ApiCredential", "id": NIGHT, "name": "Night sync",
        "secret": generated(OLD), "scope": ["api:read"],
    });
    harness.apply(user).await;
    poll(harness, None).await;
}

/// A machine user signs in and out.
pub(crate) struct MachineSignOut;

#[async_trait]
impl Story for MachineSignOut {
    async fn prepare(&self, harness: &Harness) -> Notes {
        hire(harness).await;
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let (guard, issuer) = (Guard::new(), &harness.issuer);
        let token = guard.sign_in(harness, OLD).await?.unwrap();
        notes.note("token", &token);
        let neighbour = Neighbour::of(harness, &[&token]).await;
        let found = guard.finds(issuer, &token).await;
        if found.is_err() {
            notes.note("untouched", "");
        }
        assert!(found?);
        let out = guard.machines.sign_out(issuer, &token).await;
        neighbour.agrees().await;
        said(out)?;
        notes.note("out", "");
        assert!(!guard.finds(issuer, &token).await?, "this process had found it good");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let guard = Guard::new();
        let left = all(&harness.issuer, Kind::MachineToken).await.len();
        assert!(left <= usize::from(!notes.has("out")), "one sign-in, one token");
        if let Some(token) = notes.get("token") {
            if notes.has("untouched") {
                assert!(holds(harness, token).await, "told to the machine, and lost");
            }
            for told in [notes.has("out"), true] {
                for harness in [harness, &harness.again().await] {
                    assert!(!(told && holds(harness, token).await), "signed out of");
                }
                guard.machines.sign_out(&harness.issuer, token).await.unwrap();
            }
        }
        let token = guard.sign_in(harness, OLD).await.unwrap().unwrap();
        assert!(holds(&harness.again().await, &token).await);
    }
}

/// A machine user gets a new secret, and the one before counts for `overlap` seconds more.
pub(crate) struct MachineSecret {
    pub(crate) overlap: u64,
}

#[async_trait]
impl Story for MachineSecret {
    async fn prepare(&self, harness: &Harness) -> Notes {
        hire(harness).await;
        Notes::with("token", &Guard::new().sign_in(harness, OLD).await.unwrap().unwrap())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let (guard, token) = (Guard::new(), notes.get("token").unwrap().to_owned());
        let neighbour = Neighbour::of(harness, &[&token]).await;
        assert!(guard.finds(&harness.issuer, &token).await?);
        let rotated =
            harness.issuer.rotate_api_secret(NIGHT, &fresh(harness, NEW), self.overlap).await;
        neighbour.agrees().await;
        assert!(said(rotated)?);
        notes.note("rotated", "");
        assert_eq!(guard.finds(&harness.issuer, &token).await?, self.overlap > 0);
        notes.note("next", &guard.sign_in(harness, NEW).await?.unwrap());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let (guard, token) = (Guard::new(), notes.get("token").unwrap());
        let opens =
            async |harness: &Harness, seed| guard.sign_in(harness, seed).await.unwrap().is_some();
        let rotated = opens(harness, NEW).await;
        assert!(rotated || !notes.has("rotated"), "told, and lost");
        for harness in [harness, &harness.again().await] {
            let kept = !rotated || self.overlap > 0;
            assert_eq!(opens(harness, NEW).await, rotated);
            assert_eq!(opens(harness, OLD).await, kept, "rotated: {rotated}");
            assert_eq!(holds(harness, token).await, kept, "rotated: {rotated}");
        }
        harness.later(self.overlap);
        assert_eq!(opens(harness, OLD).await, !rotated, "its time is over");
        if let Some(next) = notes.get("next") {
            assert!(holds(harness, next).await);
        }
        assert!(harness.issuer.rotate_api_secret(NIGHT, &fresh(harness, LAST), 0).await.unwrap());
        for harness in [harness, &harness.again().await] {
            assert!(!opens(harness, OLD).await && !opens(harness, NEW).await);
            assert!(opens(harness, LAST).await);
            for token in [Some(token), notes.get("next")].into_iter().flatten() {
                assert!(!holds(harness, token).await, "its secret has stopped");
            }
        }
    }
}

/// An API key is traded, gets a new secret, and is traded by that.
pub(crate) struct KeyTrade {
    pub(crate) keep: bool,
}

#[async_trait]
impl Story for KeyTrade {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let key = json!({
            "resourceType": "AuthKey", "id": NIGHT, "apiKey": generated(OLD),
            "scopes": ["Query:*"],
        });
        harness.apply(key).await;
        poll(harness, None).await;
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let guard = Guard::new();
        notes.note("token", &guard.trade(harness, OLD).await?.unwrap());
        let rotated = harness.issuer.rotate_auth_key(NIGHT, &fresh(harness, NEW), self.keep).await;
        assert!(said(rotated)?);
        notes.note("rotated", "");
        assert_eq!(guard.trade(harness, OLD).await?.is_some(), self.keep);
        notes.note("next", &guard.trade(harness, NEW).await?.unwrap());
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let guard = Guard::new();
        let opens =
            async |harness: &Harness, seed| guard.trade(harness, seed).await.unwrap().is_some();
        let rotated = opens(harness, NEW).await;
        assert!(rotated || !notes.has("rotated"), "told, and lost");
        for harness in [harness, &harness.again().await] {
            assert_eq!(opens(harness, NEW).await, rotated);
            assert_eq!(opens(harness, OLD).await, !rotated || self.keep, "rotated: {rotated}");
            for token in ["token", "next"].into_iter().filter_map(|name| notes.get(name)) {
                assert!(holds(harness, token).await, "it is the key's, not the secret's");
            }
        }
        assert!(harness.issuer.rotate_auth_key(NIGHT, &fresh(harness, LAST), false).await.unwrap());
        for harness in [harness, &harness.again().await] {
            assert!(!opens(harness, OLD).await && !opens(harness, NEW).await);
            assert!(opens(harness, LAST).await);
        }
    }
}

/// What tokens rest on goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// A person may do nothing for now.
    Person,
    /// A person is deleted.
    PersonForGood,
    /// An app is deleted.
    App(&'static str),
}

impl Leaving {
    /// The apps whose tokens rest on it.
    fn apps(self) -> Vec<&'static str> {
        match self {
            Self::App(id) => vec![id],
            _ => vec!["own", "shop", "lens"],
        }
    }

    fn id(self) -> &'static str {
        if let Self::App(id) = self { id } else { "ada-1" }
    }

    async fn go(self, harness: &Harness) -> Result<(), String> {
        match self {
            Self::Person => {
                let mut person = self.document();
                person["active"] = json!(false);
                said(harness.issuer.apply(person, Mode::Write).await).map(drop)
            }
            Self::PersonForGood => {
                said(harness.issuer.remove(ResourceKind::USER, self.id()).await).map(drop)
            }
            Self::App(id) => said(harness.issuer.remove(ResourceKind::CLIENT, id).await).map(drop),
        }
    }

    fn document(self) -> Value {
        documents().into_iter().find(|document| document["id"] == self.id()).unwrap()
    }

    /// Everything, or nothing: whether it holds.
    async fn stands(self, harness: &Harness, notes: &Notes) -> bool {
        let mut found = Vec::new();
        for app in self.apps() {
            found.push(harness.holds(notes.get(app).unwrap()).await);
        }
        if !matches!(self, Self::App(_)) {
            found.push(harness.knows(&notes.tab).await);
        }
        assert!(found.iter().all(|one| *one == found[0]), "half of it: {found:?}");
        found[0]
    }

    /// Nothing can be had by what was given before.
    async fn assert_over(self, harness: &Harness, notes: &Notes) {
        assert!(!self.stands(harness, notes).await, "{self:?}");
        for (app, [refresh, code]) in self.apps().into_iter().zip(NAMES) {
            let renewed = harness.refresh(app, notes.get(refresh).unwrap(), &[]).await;
            let redeemed = harness.redeem(app, notes.get(code).unwrap()).await;
            for outcome in [renewed, redeemed] {
                let is_refused = matches!(
                    outcome,
                    Err(OAuthError::RefreshNotUsable
                        | OAuthError::CodeNotRedeemable
                        | OAuthError::UserInactive
                        | OAuthError::InvalidClient { .. })
                );
                assert!(is_refused, "{outcome:?}");
            }
        }
        let secret = Secret::new(PASSWORD.to_owned());
        let signed_in = harness.issuer.sign_in_with_password("Ada", &secret).await.unwrap();
        assert_eq!(signed_in.is_some(), matches!(self, Self::App(_)));
        // Nobody else's.
        assert!(harness.holds(notes.get("other").unwrap()).await);
    }
}

/// What the notes call an app's refresh token and a code that it has not redeemed.
const NAMES: [[&str; 2]; 3] = [["r0", "c0"], ["r1", "c1"], ["r2", "c2"]];

#[async_trait]
impl Story for Leaving {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let mut notes = Notes::new(harness.tab_of("ada-1").await);
        for (app, [refresh, code]) in self.apps().into_iter().zip(NAMES) {
            let answer = harness.tokens(app).await;
            notes.note(app, &answer.access_token);
            notes.note(refresh, &answer.refresh_token.unwrap());
            notes.note(code, &harness.code(app, &notes.tab, &[]).await);
        }
        let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await.unwrap();
        notes.note("other", &answer.access_token);
        poll(harness, None).await;
        assert!(self.stands(harness, &notes).await);
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let tokens: Vec<&str> = self.apps().into_iter().filter_map(|app| notes.get(app)).collect();
        let neighbour = Neighbour::of(harness, &tokens).await;
        let gone = self.go(harness).await;
        neighbour.agrees().await;
        gone?;
        let guard = Guard::new();
        for token in tokens {
            assert!(!guard.finds(&harness.issuer, token).await?, "this process had found it good");
        }
        notes.note("gone", "");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let stands = self.stands(&harness.again().await, notes).await;
        assert!(!(stands && notes.has("gone")), "told, and there again");
        self.go(harness).await.unwrap();
        self.assert_over(harness, notes).await;
        self.assert_over(&harness.again().await, notes).await;
        if *self != Self::Person {
            // Another one under the same name gets nothing of it.
            harness.later(1);
            harness.apply(self.document()).await;
            assert!(!self.stands(&harness.again().await, notes).await);
            let app = self.apps()[0];
            assert!(harness.holds(&harness.tokens(app).await.access_token).await);
        }
    }
}

/// New signing keys are made, and then the one that signs is taken out.
pub(crate) struct Retire;

/// What there always is a key for.
pub(crate) const KINDS: [KeyKind; 4] = [
    KeyUse::Access.with(Algorithm::Es256),
    KeyUse::Access.with(Algorithm::Rs256),
    KeyUse::Id.with(Algorithm::Rs256),
    KeyUse::Identity.with(Algorithm::Es256),
];

pub(crate) fn kid(token: &str) -> String {
    Compact::read(token).unwrap().header().kid.clone().unwrap()
}

pub(crate) async fn signed(harness: &Harness) -> String {
    let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await.unwrap();
    answer.access_token
}

/// Some key signs whatever is to be signed, now and when it is the turn of the next ones.
fn assert_signs(harness: &Harness) {
    let now = harness.issuer.now();
    for kind in KINDS {
        for at in [now, now + Duration::from_secs(LEAD)] {
            harness.issuer.keyring().sign(kind, "JWT", &json!({}), at).unwrap();
        }
    }
}

#[async_trait]
impl Story for Retire {
    async fn prepare(&self, harness: &Harness) -> Notes {
        poll(harness, None).await;
        let token = signed(harness).await;
        assert!(harness.holds(&token).await);
        Notes::with("token", &token)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let token = notes.get("token").unwrap().to_owned();
        let neighbour = Neighbour::of(harness, &[&token]).await;
        said(harness.issuer.rotate_keys().await)?;
        notes.note("rotated", "");
        let retired = harness.issuer.retire_key(&kid(&token)).await;
        neighbour.agrees().await;
        assert_signs(&neighbour.node);
        said(retired)?;
        notes.note("retired", "");
        assert!(!Guard::new().finds(&harness.issuer, &token).await?, "found good before");
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let token = notes.get("token").unwrap();
        let fresh = harness.again().await;
        assert_signs(&fresh);
        let ring = fresh.issuer.keyring().keys();
        let there = ring.iter().any(|key| key.signing.kid() == kid(token));
        assert!(ring.len() == 8 || (ring.len() == 4 && !notes.has("rotated")), "{}", ring.len());
        assert!(!(there && notes.has("retired")), "told, and there again");
        assert_eq!(fresh.holds(token).await, there);
        match harness.issuer.retire_key(&kid(token)).await {
            Ok(()) => assert!(!notes.has("retired")),
            // It was taken out, whoever was told.
            Err(KeyringError::UnknownKey) => assert!(!there),
            Err(error) => panic!("{error:?}"),
        }
        // As whoever hears of it does.
        harness.issuer.reload_keys().await.unwrap();
        harness.issuer.liveness().bump_all();
        for harness in [harness, &harness.again().await] {
            assert_signs(harness);
            assert!(!harness.holds(token).await);
            let next = signed(harness).await;
            assert_ne!(kid(&next), kid(token));
            assert!(harness.again().await.holds(&next).await);
        }
    }
}

/// The master key is changed, and the ring is sealed anew. On a site of its own: every other
/// process of the harness's opens its site with the harness's master key alone.
pub(crate) struct Reseal {
    new: MasterKey,
}

const SITE: &str = "moved";

impl Reseal {
    pub(crate) fn new() -> Self {
        Self { new: MasterKey::generate() }
    }

    async fn open(harness: &Harness, master: MasterKey) -> Result<Issuer, KeyringError> {
        Issuer::open(Parts { site: Arc::from(SITE), master, ..harness.parts() }).await
    }

    async fn with_old(harness: &Harness) -> Result<Issuer, KeyringError> {
        Self::open(harness, harness.parts().master).await
    }

    async fn with_new(&self, harness: &Harness) -> Result<Issuer, KeyringError> {
        Self::open(harness, self.new.clone()).await
    }

    async fn with_both(&self, harness: &Harness) -> Result<Issuer, KeyringError> {
        Self::open(harness, self.new.clone().after(harness.parts().master)).await
    }

    /// A token of the robot's, whose secret is kept as a keyed hash.
    async fn ask(issuer: &Issuer) -> Result<String, OAuthError> {
        let shown = secret_of("robot").unwrap();
        let pairs = params(&[
            ("client_id", "robot"),
            ("client_secret", &shown),
            ("grant_type", "client_credentials"),
        ]);
        issuer.token(&pairs, None, None).await.map(|answer| answer.access_token)
    }

    /// Everything of before is good.
    async fn assert_good(issuer: &Issuer, notes: &Notes) {
        let now = Self::ask(issuer).await.unwrap();
        for token in [Some(&*now), notes.get("before"), notes.get("after")].into_iter().flatten() {
            issuer.verify_access(token, Holder::Bearer).await.unwrap();
        }
    }
}

#[async_trait]
impl Story for Reseal {
    async fn prepare(&self, harness: &Harness) -> Notes {
        for kind in [Kind::Keyring, Kind::Client] {
            for Record { mut key, body, unique, expires_at, .. } in all(&harness.issuer, kind).await
            {
                key.site = Arc::from(SITE);
                let draft = Draft { key, body, unique, expires_at };
                harness.store.insert(draft, Notice::Silent, harness.issuer.now()).await.unwrap();
            }
        }
        let issuer = Self::with_old(harness).await.unwrap();
        Notes::with("before", &Self::ask(&issuer).await.unwrap())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let issuer = said(self.with_both(harness).await)?;
        said(issuer.reseal_keys().await)?;
        notes.note("resealed", "");
        notes.note("after", &said(Self::ask(&issuer).await)?);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let sealed = |opened: &Result<Issuer, _>| matches!(opened, Err(KeyringError::Sealed));
        Self::assert_good(&self.with_both(harness).await.unwrap(), notes).await;
        let (old, new) = (Self::with_old(harness).await, self.with_new(harness).await);
        assert!(sealed(&old) != sealed(&new), "one of the two seals all of it");
        assert!(!(sealed(&new) && notes.has("resealed")), "told, and lost");
        Self::assert_good(&old.or(new).unwrap_or_else(|error| panic!("{error:?}")), notes).await;
        self.with_both(harness).await.unwrap().reseal_keys().await.unwrap();
        Self::assert_good(&self.with_both(harness).await.unwrap(), notes).await;
        Self::assert_good(&self.with_new(harness).await.unwrap(), notes).await;
        assert!(sealed(&Self::with_old(harness).await), "the one before opens nothing");
    }
}
