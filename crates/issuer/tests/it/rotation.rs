//! Stories of signing keys that change: in time, by hand, and one that is taken out.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use castellan_issuer::{
    keys::KeyringError,
    tokens::verify::{Holder, VerifyError},
};
use serde_json::{Value, json};

use crate::{
    ends::{KINDS, LEAD, Neighbour, kid, signed},
    house::House,
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
/// Seconds from the making of the house's keys to its first moment.
const AGE: u64 = 100;

/// The keys that are published, whoever reads them.
fn known(house: &House) -> Vec<String> {
    let (ring, now) = (house.issuer.keyring(), house.issuer.now());
    let all = [ring.jwks(now).keys, ring.identity_jwks(now).keys].concat();
    all.into_iter().map(|key| key.kid.unwrap()).collect()
}

/// All there are.
fn ring(house: &House) -> Vec<String> {
    house.issuer.keyring().keys().iter().map(|key| key.signing.kid().to_owned()).collect()
}

/// What signs each kind `seconds` from now, if nothing is done about it.
fn signers(house: &House, seconds: u64) -> [String; 4] {
    let at = house.issuer.now() + Duration::from_secs(seconds);
    KINDS.map(|kind| kid(&house.issuer.keyring().sign(kind, "JWT", &json!({}), at).unwrap()))
}

/// How many keys of each kind are there whose turn has not come.
fn coming(house: &House) -> [usize; 4] {
    let (keys, now) = (house.issuer.keyring().keys(), house.issuer.now());
    let coming = || keys.iter().filter(|key| now < key.sign_from);
    KINDS.map(|kind| coming().filter(|key| (key.usage, key.signing.algorithm()) == kind).count())
}

/// Whether `token` holds, in a process that may die of it.
async fn finds(house: &House, token: &str) -> Result<bool, String> {
    match house.issuer.verify_access(token, Holder::Bearer).await {
        Err(VerifyError::Store(error)) => said(Err(error)),
        found => Ok(found.is_ok()),
    }
}

/// A token of the robot's, in a process that may die of it.
async fn ask(house: &House) -> Result<String, String> {
    let answer = house.ask("robot", &[("grant_type", "client_credentials")]).await;
    said(answer).map(|answer| answer.access_token)
}

/// Each of `all` issues a token that holds at all of them, by a key that is published at all of
/// them; those keys.
async fn at_each_other(all: &[&House]) -> Vec<String> {
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
async fn hears(house: &House) {
    house.issuer.reload_keys().await.unwrap();
    house.issuer.liveness().bump_all();
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
    async fn rotate(&self, house: &House) -> Result<bool, KeyringError> {
        match self.cause {
            Cause::Time => house.issuer.rotate_keys_if_due().await,
            Cause::Hand => house.issuer.rotate_keys().await,
        }
    }

    /// The new ones are published at once, and take over when everybody must know them: nobody has
    /// to do anything about it.
    async fn go_through(all: &[&House]) {
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
    async fn say_again(&self, all: &[&House], mut rotated: bool) {
        for node in all {
            assert_eq!(self.rotate(node).await.unwrap(), !rotated, "once, whoever does it");
            rotated = true;
            assert_eq!((coming(&node.again().await), ring(&node.again().await).len()), ([1; 4], 8));
        }
    }
}

#[async_trait]
impl Story for Rotation {
    async fn prepare(&self, house: &House) -> Notes {
        let edit = |robot: &mut Value| {
            robot["auth"] = json!({"client_credentials": {"access_token_expiration": LIFE}});
        };
        house.edit("robot", edit).await;
        if self.cause == Cause::Time {
            house.later(PERIOD - AGE - 1);
            assert!(!self.rotate(house).await.unwrap(), "not yet");
            house.later(1);
        }
        poll(house, None).await;
        let token = signed(house).await;
        assert!(house.holds(&token).await);
        *self.neighbour.lock().unwrap() = Some(Neighbour::of(house, &[&token]).await);
        Notes::with("before", &token)
    }

    async fn play(&self, house: &House, notes: &mut Notes) -> Result<(), String> {
        assert!(said(self.rotate(house).await)?);
        notes.note("rotated", "");
        notes.note("after", &ask(house).await?);
        for token in ["before", "after"] {
            assert!(finds(house, notes.get(token).unwrap()).await?);
        }
        Ok(())
    }

    async fn check(&self, house: &House, notes: &Notes) {
        let neighbour = self.neighbour.lock().unwrap().take().unwrap();
        let fresh = house.again().await;
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
        let stand = async |all: &[&House]| {
            for node in all {
                for token in &told {
                    assert!(node.holds(token).await, "told to the robot, and lost");
                }
            }
        };
        stand(&[house, &fresh, &neighbour.node]).await;

        self.say_again(&[&fresh, &neighbour.node, house], rotated).await;
        neighbour.agrees().await;
        for node in [house, &fresh] {
            hears(node).await;
        }
        let all = [house, &fresh, &neighbour.node];
        stand(&all).await;
        Self::go_through(&all).await;

        house.later(LIFE - LEAD - 1);
        stand(&[house, &fresh, &neighbour.node, &house.again().await]).await;
        house.later(1 + LEAD + SKEW);
        for node in all {
            assert_eq!(known(node).len(), 4, "nothing of theirs is good any more");
        }
        if self.cause == Cause::Time {
            house.later(PERIOD - LIFE - SKEW - 1);
            assert!(!self.rotate(&fresh).await.unwrap(), "these have not signed for that long");
            house.later(1);
        }
        // Those of before are forgotten, so that no rotation leaves more than two of a kind.
        self.say_again(&[house, &fresh, &neighbour.node], false).await;
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
    async fn assert_dead(notes: &Notes, all: &[&House], dead: bool) {
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
    async fn prepare(&self, house: &House) -> Notes {
        let long = json!({"access_token_expiration": LIFE});
        house.edit("robot", |robot| robot["auth"] = json!({"client_credentials": long})).await;
        let edit = |shop: &mut Value| {
            shop["auth"] = json!({"authorization_code": long});
            // Signed by a key of another kind.
            shop["access_token_signed_response_alg"] = json!("RS256");
        };
        house.edit("shop", edit).await;
        let (doomed, spared) = (signed(house).await, house.tokens("shop").await.access_token);
        assert_ne!(kid(&doomed), kid(&spared));
        if self.taken != Taken::Only {
            house.issuer.rotate_keys().await.unwrap();
        }
        if self.taken == Taken::Past {
            house.later(LEAD);
        }
        let mut notes = Notes::with("spared", &spared);
        let mut tokens = vec![&*spared];
        if self.taken == Taken::Next {
            notes.note("kid", &signers(house, LEAD)[0]);
        } else {
            notes.note("kid", &kid(&doomed));
            notes.note("doomed", &doomed);
            tokens.push(&doomed);
        }
        poll(house, None).await;
        Self::assert_dead(&notes, &[house], false).await;
        *self.neighbour.lock().unwrap() = Some(Neighbour::of(house, &tokens).await);
        notes
    }

    async fn play(&self, house: &House, notes: &mut Notes) -> Result<(), String> {
        said(house.issuer.retire_key(notes.get("kid").unwrap()).await)?;
        notes.note("retired", "");
        if let Some(doomed) = notes.get("doomed") {
            assert!(!finds(house, doomed).await?, "this process had found it good");
        }
        let token = ask(house).await?;
        notes.note("after", &token);
        assert!(finds(house, &token).await?);
        Ok(())
    }

    async fn check(&self, house: &House, notes: &Notes) {
        let neighbour = self.neighbour.lock().unwrap().take().unwrap();
        let (fresh, taken) = (house.again().await, notes.get("kid").unwrap());
        neighbour.agrees().await;
        assert_eq!(ring(&neighbour.node), ring(&fresh), "heard of, or not");
        let there = ring(&fresh).iter().any(|kid| kid == taken);
        assert!(!(there && notes.has("retired")), "told, and there again");
        Self::assert_dead(notes, &[&fresh, &neighbour.node], !there).await;

        // Said again, at a node that was there and at one that was not.
        for (node, there) in [(&fresh, there), (&neighbour.node, false), (house, false)] {
            match node.issuer.retire_key(taken).await {
                Ok(()) => assert!(there),
                Err(KeyringError::UnknownKey) => assert!(!there),
                Err(error) => panic!("{error:?}"),
            }
        }
        neighbour.agrees().await;
        for node in [house, &fresh] {
            hears(node).await;
        }
        let last = house.again().await;
        let all = [house, &fresh, &neighbour.node, &last];
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
        house.later(LEAD);
        signs().await;
        Self::assert_dead(notes, &all, true).await;
    }
}
