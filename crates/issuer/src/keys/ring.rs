//! The ring as it is kept: keys under the master key, and the root that everything else hangs on.

use castellan_proto::{
    Timestamp,
    jose::{Algorithm, SigningKey, VerifyingKey},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KINDS, KeyKind, KeyUse, KeyringError, LONGEST, MasterKey, RING, RootKey, SKEW};
use crate::{
    records::repository::{Repository, Stored, Versioned, Written},
    store::Kind,
};

/// A key as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SealedKey {
    pub(super) usage: KeyUse,
    pub(super) alg: Algorithm,
    pub(super) kid: String,
    pub(super) pkcs8: String,
    pub(super) publish_at: Timestamp,
    pub(super) sign_from: Timestamp,
    pub(super) sign_until: Option<Timestamp>,
    pub(super) drop_at: Option<Timestamp>,
}

/// From when a new key is published and signs.
#[derive(Clone, Copy)]
pub(super) struct KeyTimes {
    pub(super) publish_at: Timestamp,
    pub(super) sign_from: Timestamp,
}

impl KeyTimes {
    /// Both from `now`.
    pub(super) const fn at_once(now: Timestamp) -> Self {
        Self { publish_at: now, sign_from: now }
    }
}

/// The record of the ring.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Ring {
    pub(super) keys: Vec<SealedKey>,
    /// Sealed. Absent in rings created before there was a root key, and in those that older
    /// versions may still read: there the master key is the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

impl Stored for Ring {
    const KIND: Kind = Kind::Keyring;
}

/// A key in use on this node.
pub struct RingKey {
    /// What it may sign.
    pub usage: KeyUse,
    /// The key itself.
    pub signing: SigningKey,
    /// Its public half, to check with.
    pub verifying: VerifyingKey,
    /// From when it is published.
    pub publish_at: Timestamp,
    /// From when it signs.
    pub sign_from: Timestamp,
    /// Until when it signs.
    pub sign_until: Option<Timestamp>,
    /// When nothing that it signed can be valid any more.
    pub drop_at: Option<Timestamp>,
}

impl Ring {
    /// Whether there is a key of `kind` that signs at `now`.
    pub(super) fn signs(&self, kind: KeyKind, now: Timestamp) -> bool {
        self.keys.iter().any(|key| {
            key.kind() == kind
                && key.sign_from <= now
                && key.sign_until.is_none_or(|until| now < until)
        })
    }
}

impl Ring {
    /// The kinds that keys are there for, and those that every ring serves, of which no key is to
    /// follow at `now`.
    pub(super) fn unfollowed(&self, now: Timestamp) -> Vec<KeyKind> {
        let mut kinds = KINDS.to_vec();
        for key in self.keys.iter().filter(|key| key.sign_until.is_none()) {
            if !kinds.contains(&key.kind()) {
                kinds.push(key.kind());
            }
        }
        kinds
            .retain(|kind| !self.keys.iter().any(|key| key.kind() == *kind && now < key.sign_from));
        kinds
    }

    /// Whether a key has signed for `period` seconds that none is to follow yet.
    pub(super) fn is_due(&self, period: u64, now: Timestamp) -> bool {
        let current = self.keys.iter().filter(|key| key.sign_until.is_none());
        current.map(|key| key.sign_from.0.saturating_add(period)).any(|due| due <= now.0)
    }
}

impl RingKey {
    /// Whether it signs what keys of `kind` sign at `now`.
    #[must_use]
    pub fn signs(&self, kind: KeyKind, now: Timestamp) -> bool {
        self.usage.with(self.signing.algorithm()) == kind
            && self.sign_from <= now
            && self.sign_until.is_none_or(|until| now < until)
    }

    /// Whether readers of the JWKS see it.
    #[must_use]
    pub fn is_published(&self, now: Timestamp) -> bool {
        self.publish_at <= now && self.drop_at.is_none_or(|at| now < at)
    }
}

/// A ring opened: what a node works with.
pub(super) struct Open {
    pub(super) keys: Vec<RingKey>,
    pub(super) root: RootKey,
}

/// What the root is sealed as.
const ROOT: &str = "root";

impl Ring {
    /// The ring of `repository`'s site, created if there is none.
    pub(super) async fn of(
        repository: &Repository,
        master: &MasterKey,
        now: Timestamp,
    ) -> Result<Self, KeyringError> {
        if let Some(stored) = repository.get::<Self>(RING, now).await? {
            return Ok(stored.body);
        }
        let sealer = master.present();
        let keys =
            KINDS.into_iter().map(|kind| SealedKey::generate(kind, sealer, KeyTimes::at_once(now)));
        let root = if repository.store().admits_older().await? {
            None // Nor do they know of one.
        } else {
            let root = RootKey::generate();
            Some(sealer.seal(ROOT, root.bytes()).ok_or(KeyringError::Sealed)?)
        };
        let ring = Self { keys: keys.collect::<Result<_, _>>()?, root };
        match repository.insert(RING, &ring, now).await? {
            Written::Done => Ok(ring),
            // Another node was first: its ring is the ring.
            _ => match repository.get::<Self>(RING, now).await? {
                Some(Versioned { body, .. }) => Ok(body),
                None => Err(KeyringError::Sealed),
            },
        }
    }

    /// Opens all of it.
    pub(super) fn open(&self, master: &MasterKey) -> Result<Open, KeyringError> {
        let keys = self.keys.iter().map(|key| key.open(master)).collect::<Result<_, _>>()?;
        Ok(Open { keys, root: self.root(master)? })
    }

    fn root(&self, master: &MasterKey) -> Result<RootKey, KeyringError> {
        match (&self.root, self.keys.first()) {
            (Some(sealed), _) => {
                let bytes = master.unseal(ROOT, sealed).ok_or(KeyringError::Sealed)?;
                RootKey::from_bytes(&bytes).ok_or(KeyringError::Sealed)
            }
            // The master key that it was made with was the root.
            (None, Some(key)) => {
                master.which_opens(&key.kid, &key.pkcs8).ok_or(KeyringError::Sealed)
            }
            (None, None) => Err(KeyringError::Sealed),
        }
    }

    /// The key that seals new keys. A ring without a root of its own keeps the master key that it
    /// was made with as its root until it is resealed.
    fn sealer(&self, master: &MasterKey) -> Result<RootKey, KeyringError> {
        if self.root.is_some() { Ok(master.present().clone()) } else { self.root(master) }
    }

    /// Adds a new key of each of `kinds`.
    pub(super) fn add(
        &mut self,
        kinds: &[KeyKind],
        master: &MasterKey,
        times: KeyTimes,
    ) -> Result<(), KeyringError> {
        let sealer = self.sealer(master)?;
        for kind in kinds {
            self.keys.push(SealedKey::generate(*kind, &sealer, times)?);
        }
        Ok(())
    }

    /// Seals all of it under the present master key, whichever it was sealed under.
    pub(super) fn reseal(&mut self, master: &MasterKey) -> Result<(), KeyringError> {
        let root = self.root(master)?;
        for key in &mut self.keys {
            let pkcs8 = master.unseal(&key.kid, &key.pkcs8).ok_or(KeyringError::Sealed)?;
            key.pkcs8 = master.present().seal(&key.kid, &pkcs8).ok_or(KeyringError::Sealed)?;
        }
        self.root = Some(master.present().seal(ROOT, root.bytes()).ok_or(KeyringError::Sealed)?);
        Ok(())
    }
}

impl SealedKey {
    /// The use and algorithm of its signatures.
    pub(super) const fn kind(&self) -> KeyKind {
        self.usage.with(self.alg)
    }

    /// Signs until `turn`. Nothing that it signed lives for more than `longest` seconds.
    pub(super) fn ends(&mut self, turn: Timestamp, longest: u64) {
        let over = Timestamp(turn.0.saturating_add(longest.max(LONGEST) + SKEW));
        self.sign_until = Some(turn);
        self.drop_at = Some(self.drop_at.unwrap_or_default().max(over));
    }

    /// Generates a new key.
    fn generate(
        KeyKind { usage, alg }: KeyKind,
        sealer: &RootKey,
        times: KeyTimes,
    ) -> Result<Self, KeyringError> {
        let KeyTimes { publish_at, sign_from } = times;
        let (key, pkcs8) = SigningKey::generate(alg)?;
        let pkcs8 = Zeroizing::new(pkcs8);
        let kid = key.kid().to_owned();
        let pkcs8 = sealer.seal(&kid, &pkcs8).ok_or(KeyringError::Sealed)?;
        Ok(Self { usage, alg, kid, pkcs8, publish_at, sign_from, sign_until: None, drop_at: None })
    }

    fn open(&self, master: &MasterKey) -> Result<RingKey, KeyringError> {
        let pkcs8 = master.unseal(&self.kid, &self.pkcs8).ok_or(KeyringError::Sealed)?;
        let signing = SigningKey::from_pkcs8(self.alg, &pkcs8)?;
        let verifying = VerifyingKey::from_jwk(self.alg, signing.jwk())?;
        Ok(RingKey {
            usage: self.usage,
            signing,
            verifying,
            publish_at: self.publish_at,
            sign_from: self.sign_from,
            sign_until: self.sign_until,
            drop_at: self.drop_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::store::Memory;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    async fn new_ring(master: &MasterKey) -> Ring {
        let repository = Repository::new(Arc::new(Memory::default()), Arc::from("default"));
        Ring::of(&repository, master, NOW).await.unwrap()
    }

    #[tokio::test]
    async fn another_master_key_takes_over_and_the_root_stays() {
        let (before, after) = (MasterKey::generate(), MasterKey::generate());
        let mut ring = new_ring(&before).await;
        let root = ring.open(&before).unwrap().root;
        assert!(matches!(ring.open(&after), Err(KeyringError::Sealed)));
        let both = after.clone().after(before.clone());
        assert_eq!(ring.open(&both).unwrap().root.bytes(), root.bytes());
        ring.reseal(&both).unwrap();
        assert_eq!(ring.open(&after).unwrap().root.bytes(), root.bytes());
        assert!(matches!(ring.open(&before), Err(KeyringError::Sealed)));
        let stranger = MasterKey::generate().after(before);
        assert!(matches!(ring.reseal(&stranger), Err(KeyringError::Sealed)));
        assert!(ring.open(&after).is_ok(), "what cannot be resealed stays as it is");
    }

    #[tokio::test]
    async fn a_ring_of_before_there_were_roots_has_its_master_key_for_one() {
        let (before, after) = (MasterKey::generate(), MasterKey::generate());
        let mut ring = Ring { root: None, ..new_ring(&before).await };
        let wanted = URL_SAFE_NO_PAD.decode(&*before.text()).unwrap();
        let root_of =
            |ring: &Ring, master: &MasterKey| ring.open(master).unwrap().root.bytes().to_vec();
        assert_eq!(root_of(&ring, &before), wanted);
        let both = after.clone().after(before.clone());
        assert_eq!(root_of(&ring, &both), wanted);
        // Its first keys go, and the master key that they were sealed under is still the root.
        ring.add(&KINDS, &both, KeyTimes::at_once(NOW)).unwrap();
        ring.keys.drain(..KINDS.len());
        assert_eq!(root_of(&ring, &both), wanted);
        assert_eq!(root_of(&ring, &before), wanted);
        ring.reseal(&both).unwrap();
        assert_eq!(root_of(&ring, &after), wanted);
    }
}
