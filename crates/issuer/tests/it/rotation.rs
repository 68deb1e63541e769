//! Stories of signing keys that change: in time, by hand, and one that is taken out.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use castellan_issuer::{
    keys::KeyringError,
    tokens::verified::{Holder, VerifyError},
};
use serde_json::{Value, json};

use crate::{
    ends::{KINDS, LEAD, Neighbour, kid, signed},
    harness::Harness,
    rules::liveness::poll,
    stories::{Notes, Story, said},
};

/// Seconds that keys sign for where nothing is set.
const PERIOD: u64 = 90 * DAY;
const DAY: u64 = 86_400;
/// Life of the robot's tokens: longer than anything that no client has a say in.
const LIFE: u64 = 3 * DAY;
/// How far clocks may be apart.
const SKEW: u64 = 30;
/// Seconds from the making of the harness's keys to its first moment.
const AGE: u64 = 100;

/// The keys that are published, whoever reads them.
fn known(harness: &Harness) -> Vec<String> {
    let (ring, now) = (harness.issuer.keyring(), harness.issuer.now());
    let all = [ring.jwks(now).keys, ring.identity_jwks(now).keys].concat();
    all.into_iter().map(|key| key.kid.unwrap()).collect()
}

/// All there are.
fn ring(harness: &Harness) -> Vec<String> {
    harness.issuer.keyring().keys().iter().map(|key| key.signing.kid().to_owned()).collect()
}

/// What signs each kind `seconds` from now, if nothing is done about it.
fn signers(harness: &Harness, seconds: u64) -> [String; 4] {
    let at = harness.issuer.now() + Duration::from_secs(seconds);
    KINDS.map(|kind| kid(&harness.issuer.keyring().sign(kind, "JWT", &json!({}), at).unwrap()))
}

/// How many keys of each kind are there whose turn has not come.
fn coming(harness: &Harness) -> [usize; 4] {
    let (keys, now) = (harness.issuer.keyring().keys(), harness.issuer.now());
    let coming = || keys.iter().filter(|key| now < key.sign_from);
    KINDS.map(|kind| coming().filter(|key| key.usage.with(key.signing.algorithm()) == kind).count())
}

/// Whether `token` holds, in a process that may die of it.
async fn finds(harness: &Harness, token: &str) -> Result<bool, String> {
    match harness.issuer.verify_access(token, Holder::Bearer).await {
        Err(VerifyError::Store(error)) => said(Err(error)),
        found => Ok(found.is_ok()),
    }
}

/// A token of the robot's, in a process that may die of it.
async fn ask(harness: &Harness) -> Result<String, String> {
    let answer = harness.ask("robot", &[("grant_type", "client_credentials")]).await;
    said(answer).map(|answer| answer.access_token)
}

/// Each of `all` issues a token that holds at all of them, by a key that is published at all of
/// them; those keys.
async fn at_each_other(all: &[&Harness]) -> Vec<String> {
    let mut kids = Vec::new();
    for node in all {
        let token = signed(node).await;
        for other in all {
            assert!(other.holds(&token).await);
            assert!(known(other).contains(&kid(&token)));
        }
        kids.push(kid(&token));
    }
    kids
}

/// As whoever hears of it does; a node that only stumbled heard of nothing yet.
async fn hears(harness: &Harness) {
    harness.issuer.reload_keys().await.unwrap();
    harness.issuer.liveness().bump_all();
}

/// Who says that the keys are to be others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Time,
    Hand,
}

/// New signing keys take the place of those before.
pub(crate) struct Rotation {
    cause: Cause,
    /// Stands by from before to the end.
    neighbour: Mutex<Option<Neighbour>>,
}

impl Rotation {
    pub(crate) fn new(cause: Cause) -> Self {
        Self { cause, neighbour: Mutex::default() }
    }

    /// Whether new ones were made.
    async fn rotate(&self, harness: &Harness) -> Result<bool, KeyringError> {
        match self.cause {
            Cause::Time => harness.issuer.rotate_keys_if_due().await,
            Cause::Hand => harness.issuer.rotate_keys().await,
        }
    }

    /// The new ones are published at once, and take over when everybody must know them: nobody has
    /// to do anything about it.
    async fn go_through(all: &[&Harness]) {
        let published = known(all[0]);
        let (old, new) = (signers(all[0], 0), signers(all[0], LEAD));
        for (old, new) in old.iter().zip(&new) {
            assert!(old != new && published.contains(old) && published.contains(new));
        }
        for node in all {
            assert_eq!((signers(node, LEAD - 1), signers(node, LEAD)), (old.clone(), new.clone()));
        }
        all[0].later(LEAD - 1);
        assert!(at_each_other(all).await.iter().all(|kid| old.contains(kid)), "too early");
        all[0].later(1);
        assert!(at_each_other(all).await.iter().all(|kid| new.contains(kid)), "too late");
    }

    /// Whoever is asked to, whether he was there or not, makes what is missing and no more.
    async fn say_again(&self, all: &[&Harness], mut rotated: bool) {
        for node in all {
            assert_eq!(self.rotate(node).await.unwrap(), !rotated, "once, whoever does it");
            rotated = true;
            assert_eq!((coming(&node.again().await), ring(&node.again().await).len()), ([1; 4], 8));
        }
    }
}

#[async_trait]
impl Story for Rotation {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let edit = |robot: &mut Value| {
            robot["auth"] = json!({"client_credentials": {"access_token_expiration": LIFE}});
        };
        harness.edit("robot", edit).await;
        if self.cause == Cause::Time {
            harness.later(PERIOD - AGE - 1);
            assert!(!self.rotate(harness).await.unwrap(), "not yet");
            harness.later(1);
        }
        poll(harness, None).await;
        let token = signed(harness).await;
        assert!(harness.holds(&token).await);
        *self.neighbour.lock().unwrap() = Some(Neighbour::of(harness, &[&token]).await);
        Notes::with("before", &token)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        assert!(said(self.rotate(harness).await)?);
        notes.note("rotated", "");
        notes.note("after", &ask(harness).await?);
        for token in ["before", "after"] {
            assert!(finds(harness, notes.get(token).unwrap()).await?);
        }
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let neighbour = self.neighbour.lock().unwrap().take().unwrap();
        let fresh = harness.again().await;
        neighbour.agrees().await;
        assert_eq!(ring(&neighbour.node), ring(&fresh), "heard of, or not");
        let rotated = match coming(&fresh) {
            [0, 0, 0, 0] => false,
            [1, 1, 1, 1] => true,
            half => panic!("half of it: {half:?}"),
        };
        assert!(rotated || !notes.has("rotated"), "told, and lost");
        let told = ["before", "after"].into_iter().filter_map(|name| notes.get(name));
        let told: Vec<&str> = told.collect();
        let stand = async |all: &[&Harness]| {
            for node in all {
                for token in &told {
                    assert!(node.holds(token).await, "told to the robot, and lost");
                }
            }
        };
        stand(&[harness, &fresh, &neighbour.node]).await;

        self.say_again(&[&fresh, &neighbour.node, harness], rotated).await;
        neighbour.agrees().await;
        for node in [harness, &fresh] {
            hears(node).await;
        }
        let all = [harness, &fresh, &neighbour.node];
        stand(&all).await;
        Self::go_through(&all).await;

        harness.later(LIFE - LEAD - 1);
        stand(&[harness, &fresh, &neighbour.node, &harness.again().await]).await;
        harness.later(1 + LEAD + SKEW);
        for node in all {
            assert_eq!(known(node).len(), 4, "nothing of theirs is good any more");
        }
        if self.cause == Cause::Time {
            harness.later(PERIOD - LIFE - SKEW - 1);
            assert!(!self.rotate(&fresh).await.unwrap(), "these have not signed for that long");
            harness.later(1);
        }
        // Those of before are forgotten, so that no rotation leaves more than two of a kind.
        self.say_again(&[harness, &fresh, &neighbour.node], false).await;
    }
}

/// Which key somebody else may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The one that signs, where none is to follow yet.
    Only,
    /// The one that signs, where another one is to follow.
    Present,
    /// The one that is to follow, before it has signed anything.
    Next,
    /// One that only checks by now.
    Past,
}

/// A signing key is taken out.
pub(crate) struct Retirement {
    taken: Taken,
    neighbour: Mutex<Option<Neighbour>>,
}

impl Retirement {
    pub(crate) fn new(taken: Taken) -> Self {
        Self { taken, neighbour: Mutex::default() }
    }

    /// What the key signed holds until it is taken out; what others signed holds whatever happens.
    async fn assert_dead(notes: &Notes, all: &[&Harness], dead: bool) {
        for node in all {
            if let Some(doomed) = notes.get("doomed") {
                assert_eq!(node.holds(doomed).await, !dead, "what it signed");
            }
            for token in ["spared", "after"].into_iter().filter_map(|name| notes.get(name)) {
                assert!(node.holds(token).await, "what another one signed");
            }
        }
    }
}

#[async_trait]
impl Story for Retirement {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let long = json!({"access_token_expiration": LIFE});
        harness.edit("robot", |robot| robot["auth"] = json!({"client_credentials": long})).await;
        let edit = |shop: &mut Value| {
            shop["auth"] = json!({"authorization_code": long});
            // Signed by a key of another kind.
            shop["access_token_signed_response_alg"] = json!("RS256");
        };
        harness.edit("shop", edit).await;
        let (doomed, spared) = (signed(harness).await, harness.tokens("shop").await.access_token);
        assert_ne!(kid(&doomed), kid(&spared));
        if self.taken != Taken::Only {
            harness.issuer.rotate_keys().await.unwrap();
        }
        if self.taken == Taken::Past {
            harness.later(LEAD);
        }
        let mut notes = Notes::with("spared", &spared);
        let mut tokens = vec![&*spared];
        if self.taken == Taken::Next {
            notes.note("kid", &signers(harness, LEAD)[0]);
        } else {
            notes.note("kid", &kid(&doomed));
            notes.note("doomed", &doomed);
            tokens.push(&doomed);
        }
        poll(harness, None).await;
        Self::assert_dead(&notes, &[harness], false).await;
        *self.neighbour.lock().unwrap() = Some(Neighbour::of(harness, &tokens).await);
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        said(harness.issuer.retire_key(notes.get("kid").unwrap()).await)?;
        notes.note("retired", "");
        if let Some(doomed) = notes.get("doomed") {
            assert!(!finds(harness, doomed).await?, "this process had found it good");
        }
        let token = ask(harness).await?;
        notes.note("after", &token);
        assert!(finds(harness, &token).await?);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let neighbour = self.neighbour.lock().unwrap().take().unwrap();
        let (fresh, taken) = (harness.again().await, notes.get("kid").unwrap());
        neighbour.agrees().await;
        assert_eq!(ring(&neighbour.node), ring(&fresh), "heard of, or not");
        let there = ring(&fresh).iter().any(|kid| kid == taken);
        assert!(!(there && notes.has("retired")), "told, and there again");
        Self::assert_dead(notes, &[&fresh, &neighbour.node], !there).await;

        // Said again, at a node that was there and at one that was not.
        for (node, there) in [(&fresh, there), (&neighbour.node, false), (harness, false)] {
            match node.issuer.retire_key(taken).await {
                Ok(()) => assert!(there),
                Err(KeyringError::UnknownKey) => assert!(!there),
                Err(error) => panic!("{error:?}"),
            }
        }
        neighbour.agrees().await;
        for node in [harness, &fresh] {
            hears(node).await;
        }
        let last = harness.again().await;
        let all = [harness, &fresh, &neighbour.node, &last];
        Self::assert_dead(notes, &all, true).await;
        let keys = match self.taken {
            Taken::Only => 4,
            Taken::Present | Taken::Next => 8,
            Taken::Past => 7,
        };
        let next = usize::from(matches!(self.taken, Taken::Present | Taken::Next));
        assert_eq!((coming(&last), ring(&last).len()), ([next; 4], keys), "in its place, once");
        let published = known(&last);
        assert!(!published.iter().any(|kid| kid == taken));
        let signs = async || {
            let kids = at_each_other(&all).await;
            assert!(kids.iter().all(|kid| published.contains(kid)), "published, then signs");
        };
        signs().await;
        // The turn of those that are to follow, where there are any.
        for node in all {
            assert!(signers(node, LEAD).iter().all(|kid| published.contains(kid)));
        }
        harness.later(LEAD);
        signs().await;
        Self::assert_dead(notes, &all, true).await;
    }
}
