//! How the ring is changed: by whoever is first, and told to all.

use castellan_proto::{Timestamp, jose::Algorithm};

use super::{
    KeyUse, Keyring, KeyringError, LEAD, MasterKey, RING, SKEW, TRIES,
    ring::{Ring, SealedKey},
};
use crate::{
    desk::{Desk, Written},
    store::{Notice, StoreError},
};

impl Keyring {
    /// Makes new keys that begin to sign once every reader of the JWKS must know them, and sets
    /// the end of those before: at once, or if one has signed for `period` seconds. Nothing that those
    /// signed lives for more than `longest` seconds. `false` if new ones are on their way already,
    /// perhaps because another node did it at the same time, or if it is not time.
    pub(super) async fn rotate(
        &self,
        (desk, master): (&Desk, &MasterKey),
        (period, longest): (Option<u64>, u64),
        now: Timestamp,
    ) -> Result<bool, KeyringError> {
        let turn = Timestamp(now.0 + LEAD);
        for _ in 0..TRIES {
            // As it stands in the store, where another node may have been at it.
            let Some(mut held) = desk.get::<Ring>(RING, now).await? else { return Ok(false) };
            let kinds = held.body.unfollowed(now);
            let is_due = period.is_none_or(|period| held.body.is_due(period, now));
            if kinds.is_empty() || !is_due {
                self.set(held.body.open(master)?);
                return Ok(false);
            }
            let ends =
                |key: &&mut SealedKey| key.sign_until.is_none() && kinds.contains(&key.kind());
            for key in held.body.keys.iter_mut().filter(ends) {
                key.ends(turn, longest);
            }
            held.body.add(&kinds, master, (now, turn))?;
            held.body.keys.retain(|key| key.drop_at.is_none_or(|at| now < at));
            if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
                self.set(held.body.open(master)?);
                return Ok(true);
            }
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }

    /// Keeps keys that go on to sign although others are to follow for as long as what they sign may
    /// live, which is `longest` seconds by now.
    pub(crate) async fn keep_for(
        &self,
        (desk, master): (&Desk, &MasterKey),
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
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            let short = |key: &&mut SealedKey| is_short(key.sign_until, key.drop_at);
            for key in held.body.keys.iter_mut().filter(short) {
                key.drop_at = key.sign_until.map(over);
            }
            if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
                self.set(held.body.open(master)?);
                return Ok(());
            }
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }

    /// Makes a key of `kind` that signs at once, if there is none. It is there from when a client is
    /// written that is to get what it signs, so that whoever reads the JWKS since then knows it.
    pub(crate) async fn ensure(
        &self,
        (desk, master): (&Desk, &MasterKey),
        kind: (KeyUse, Algorithm),
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        if self.keys().iter().any(|key| key.signs(kind, now)) {
            return Ok(());
        }
        if kind.0.is_new() && desk.store().admits_older().await? {
            return Err(KeyringError::Older);
        }
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            if !held.body.signs(kind, now) {
                held.body.add(&[kind], master, (now, now))?;
                if desk.replace(&held, Notice::Tell, now).await? != Written::Done {
                    continue;
                }
            }
            self.set(held.body.open(master)?);
            return Ok(());
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }

    /// Seals the ring under the present master key.
    pub(super) async fn reseal(
        &self,
        (desk, master): (&Desk, &MasterKey),
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        // They would take the master key for the root, and drop the root that is sealed now.
        if desk.store().admits_older().await? {
            return Err(KeyringError::Older);
        }
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            held.body.reseal(master)?;
            if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
                self.set(held.body.open(master)?);
                return Ok(());
            }
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }

    /// Takes the key `kid` out: it signs no more, and nothing that it signed holds any more. Where
    /// no other one would sign, a new one does, at once. In place of one whose turn has not come
    /// another one is to follow, and the one before it signs until then.
    pub(super) async fn retire(
        &self,
        (desk, master): (&Desk, &MasterKey),
        kid: &str,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        for _ in 0..TRIES {
            let held = desk.get::<Ring>(RING, now).await?;
            let mut held = held.ok_or(KeyringError::NoKey)?;
            let at = held.body.keys.iter().position(|key| key.kid == kid);
            let taken = held.body.keys.remove(at.ok_or(KeyringError::UnknownKey)?);
            let purpose = taken.kind();
            if now < taken.sign_from {
                let turn = Timestamp(now.0 + LEAD);
                let before = |key: &&mut SealedKey| {
                    key.kind() == purpose && key.sign_until == Some(taken.sign_from)
                };
                for key in held.body.keys.iter_mut().filter(before) {
                    key.drop_at = key.drop_at.map(|at| at + turn.since(taken.sign_from));
                    key.sign_until = Some(turn);
                }
                held.body.add(&[purpose], master, (now, turn))?;
            }
            if !held.body.signs(purpose, now) {
                held.body.add(&[purpose], master, (now, now))?;
            }
            if desk.replace(&held, Notice::Tell, now).await? == Written::Done {
                self.set(held.body.open(master)?);
                return Ok(());
            }
        }
        Err(StoreError::new("the keyring is being written all the time").into())
    }
}
