//! How the ring is changed: by the first writer, with a notice to all nodes.

use castellan_proto::Timestamp;

use super::{
    KeyKind, Keyring, KeyringError, LEAD, RING, RingStore, SKEW,
    ring::{KeyTimes, Ring, SealedKey},
};
use crate::{records::repository::Update, store::Notice};

impl Keyring {
    /// Makes new keys that begin to sign once every reader of the JWKS must know them, and sets
    /// the end of those before: at once, or if one has signed for `period` seconds. Nothing that those
    /// signed lives for more than `longest` seconds. `false` if new ones are on their way already,
    /// perhaps because another node did it at the same time, or if it is not time.
    pub(super) async fn rotate(
        &self,
        store: RingStore<'_>,
        period: Option<u64>,
        longest: u64,
        now: Timestamp,
    ) -> Result<bool, KeyringError> {
        let turn = Timestamp(now.0 + LEAD);
        let rotate = |ring: &mut Ring| {
            let kinds = ring.unfollowed(now);
            let is_due = period.is_none_or(|period| ring.is_due(period, now));
            if kinds.is_empty() || !is_due {
                return Ok(false);
            }
            for key in &mut ring.keys {
                if key.sign_until.is_none() && kinds.contains(&key.kind()) {
                    key.ends(turn, longest);
                }
            }
            ring.add(&kinds, store.master, KeyTimes { publish_at: now, sign_from: turn })?;
            ring.keys.retain(|key| key.drop_at.is_none_or(|at| now < at));
            Ok(true)
        };
        self.change(store, now, rotate).await
    }

    /// Keeps keys that sign until their successors do for as long as what they sign may be valid,
    /// which is now `longest` seconds.
    pub(crate) async fn keep_for(
        &self,
        store: RingStore<'_>,
        longest: u64,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let over = |until: Timestamp| Timestamp(until.0.saturating_add(longest + SKEW));
        let is_short = |until: Option<Timestamp>, drop_at: Option<Timestamp>| {
            until.is_some_and(|until| now < until && drop_at.is_some_and(|at| at < over(until)))
        };
        if !self.keys().iter().any(|key| is_short(key.sign_until, key.drop_at)) {
            return Ok(());
        }
        let keep = |ring: &mut Ring| {
            let mut changed = false;
            for key in &mut ring.keys {
                if is_short(key.sign_until, key.drop_at) {
                    key.drop_at = key.sign_until.map(over);
                    changed = true;
                }
            }
            Ok(changed)
        };
        self.change(store, now, keep).await.map(drop)
    }

    /// Makes a key of `kind` that signs at once, if there is none. It exists from the moment at
    /// which a client is written that needs it, so that every later reader of the JWKS knows it.
    pub(crate) async fn ensure(
        &self,
        store: RingStore<'_>,
        kind: KeyKind,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if self.keys().iter().any(|key| key.signs(kind, now)) {
            return Ok(());
        }
        if kind.usage.is_new() && store.repository.store().admits_older().await? {
            return Err(KeyringError::Older);
        }
        let ensure = |ring: &mut Ring| {
            let missing = !ring.signs(kind, now);
            if missing {
                ring.add(&[kind], store.master, KeyTimes::at_once(now))?;
            }
            Ok(missing)
        };
        self.change(store, now, ensure).await.map(drop)
    }

    /// Seals the ring under the present master key.
    pub(super) async fn reseal(
        &self,
        store: RingStore<'_>,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        // They would take the master key for the root, and drop the root that is sealed now.
        if store.repository.store().admits_older().await? {
            return Err(KeyringError::Older);
        }
        let reseal = |ring: &mut Ring| ring.reseal(store.master).map(|()| true);
        self.change(store, now, reseal).await.map(drop)
    }

    /// Removes the key `kid`: it signs no more, and nothing that it signed is valid any longer. If
    /// no other key would sign, a new one does at once. If the removed key was not signing yet,
    /// another one takes its place, and its predecessor signs until then.
    pub(super) async fn retire(
        &self,
        store: RingStore<'_>,
        kid: &str,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let retire = |ring: &mut Ring| {
            let at = ring.keys.iter().position(|key| key.kid == kid);
            let taken = ring.keys.remove(at.ok_or(KeyringError::UnknownKey)?);
            let purpose = taken.kind();
            if now < taken.sign_from {
                let turn = Timestamp(now.0 + LEAD);
                let before = |key: &&mut SealedKey| {
                    key.kind() == purpose && key.sign_until == Some(taken.sign_from)
                };
                for key in ring.keys.iter_mut().filter(before) {
                    key.drop_at = key.drop_at.map(|at| at + turn.since(taken.sign_from));
                    key.sign_until = Some(turn);
                }
                let times = KeyTimes { publish_at: now, sign_from: turn };
                ring.add(&[purpose], store.master, times)?;
            }
            if !ring.signs(purpose, now) {
                ring.add(&[purpose], store.master, KeyTimes::at_once(now))?;
            }
            Ok(true)
        };
        self.change(store, now, retire).await.map(drop)
    }

    /// Changes the ring with `edit`, which receives it as it is in the store and returns whether it
    /// changed anything; repeats this if another writer was faster. Either way this node knows the
    /// new ring afterwards.
    async fn change(
        &self,
        store: RingStore<'_>,
        now: Timestamp,
        edit: impl Fn(&mut Ring) -> Result<bool, KeyringError> + Send + Sync,
    ) -> Result<bool, KeyringError> {
        let change = |stored: Option<Ring>| {
            let mut ring = stored.ok_or(KeyringError::NoKey)?;
            Ok::<_, KeyringError>(if edit(&mut ring)? {
                Update::Write(ring.clone(), Notice::Tell, (ring, true))
            } else {
                Update::Leave((ring, false))
            })
        };
        let (ring, changed) = store.repository.update(RING, now, change).await?;
        self.set(ring.open(store.master)?);
        Ok(changed)
    }
}
