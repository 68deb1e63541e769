//! Whether a node is ready: it can write, and its clock is right.
//!
//! Successful reads from a data source prove little: after a failover a connection may lead to a
//! copy that cannot be written, and a full disk can still be read. Every node therefore regularly
//! writes a record of its own, which expires once the node stops.

pub mod clock;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Timestamp, random};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    readiness::clock::{ClockCheck, WrongClock},
    records::repository::{Stored, Versioned, Written},
    store::{Kind, Notice, StoreError},
};

/// How long a node's record outlives it.
const KEPT: Duration = Duration::from_mins(10);
/// Bytes of an id.
const ID: usize = 12;
/// Records of other nodes that are read at a time.
const PAGE: usize = 100;

/// What is known of this node and its data source, for all sites.
#[derive(Debug)]
pub struct Readiness {
    /// Whether the clock is right.
    pub clock: ClockCheck,
    writes: AtomicBool,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { clock: ClockCheck::default(), writes: AtomicBool::new(true) }
    }
}

impl Readiness {
    /// Whether the last write of this node's own came through.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.writes.load(Ordering::Acquire)
    }

    /// Notes the result of a write.
    pub fn set_can_write(&self, can: bool) {
        self.writes.store(can, Ordering::Release);
    }
}

/// What a node writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beat {
    /// The newest time that it knows of, in milliseconds since the Unix epoch.
    at: u64,
    ends: Timestamp,
}

impl Stored for Beat {
    const KIND: Kind = Kind::Heartbeat;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

/// The record of this node, which is written over every time.
pub struct Heartbeat {
    issuer: Issuer,
    id: String,
    version: Option<u64>,
}

impl Heartbeat {
    /// Of the node that `issuer` is part of. Nothing is written yet.
    #[must_use]
    pub fn new(issuer: &Issuer) -> Self {
        Self { issuer: issuer.clone(), id: String::new(), version: None }
    }

    /// Writes the record once.
    ///
    /// # Errors
    /// [`StoreError`] if the data source did not acknowledge it.
    pub async fn beat(&mut self) -> Result<(), StoreError> {
        let (issuer, now) = (&self.issuer, self.issuer.now());
        let at = issuer.readiness().clock.newest(issuer.clock());
        let body = Beat { at, ends: now + KEPT };
        if let Some(version) = self.version {
            let stored = Versioned { id: self.id.clone(), version, body: body.clone() };
            if issuer.repository().replace(&stored, Notice::Silent, now).await? == Written::Done {
                self.version = Some(version + 1);
                return Ok(());
            }
            // It expired while this process slept, or was written although that was an error.
            self.version = None;
        }
        self.id = URL_SAFE_NO_PAD.encode(random::<ID>());
        match issuer.repository().insert(&self.id, &body, now).await? {
            Written::Done => {
                self.version = Some(1);
                Ok(())
            }
            _ => Err(StoreError::new("a newly generated heartbeat id was already in use")),
        }
    }
}

impl Issuer {
    /// The newest time that any node wrote here, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn newest_heartbeat(&self) -> Result<u64, StoreError> {
        let (mut newest, mut after) = (0, None);
        loop {
            // Those that have expired by a clock that is right are older than that clock.
            let page = self.repository().page::<Beat>("", after, PAGE, self.now()).await?;
            newest = page.iter().map(|stored| stored.body.at).fold(newest, u64::max);
            match page.last().filter(|_| page.len() == PAGE) {
                Some(last) => after = Some(last.id.clone()),
                None => return Ok(newest),
            }
        }
    }

    /// Removes what every node wrote here, and with it the newest time that is known: for after the
    /// machine's clock had been ahead by mistake. How many records that were.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; some may be deleted then.
    pub async fn forget_heartbeats(&self) -> Result<usize, StoreError> {
        let mut missing = 0;
        loop {
            let page = self.repository().page::<Beat>("", None, PAGE, self.now()).await?;
            if page.is_empty() {
                return Ok(missing);
            }
            for stored in page {
                let key = self.repository().key(Kind::Heartbeat, &stored.id);
                self.repository().store().delete(&key, None, Notice::Silent, self.now()).await?;
                missing += 1;
            }
        }
    }

    /// Whether this node's clock is right at this moment.
    ///
    /// # Errors
    /// [`WrongClock`], which says in what way it is not.
    pub fn check_clock(&self) -> Result<(), WrongClock> {
        self.readiness().clock.check(self.clock())
    }

    /// The same before something is issued: it cannot be now, and may be in a moment, at another
    /// node if need be, as where the data source does not answer.
    pub(crate) fn may_issue(&self) -> Result<(), StoreError> {
        self.check_clock().map_err(StoreError::new)
    }
}
