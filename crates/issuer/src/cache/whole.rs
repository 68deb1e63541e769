//! Kinds of records of which a site has few, and of which all are needed at once: they are read as a
//! whole and kept in memory until a notice names one of them (`docs/rules.md` rule 27).

use std::sync::{Arc, PoisonError, RwLock};

use castellan_proto::{Digest as BodyDigest, Timestamp};

use crate::{
    Issuer,
    cache::liveness::Snapshot,
    records::repository::{Stored, Versioned, read},
    store::{Key, StoreError},
};

/// What is made of all records of a kind.
pub(crate) trait Digest: Send + Sync + 'static {
    /// Of which records.
    type Record: Stored + Send + Sync;

    /// Makes it of all of them, in the order of their ids.
    fn of(records: Vec<Versioned<Self::Record>>) -> Self;
}

/// All records of one kind, as this node last read them.
pub(crate) struct Whole<D>(RwLock<Option<Arc<Reading<D>>>>);

struct Reading<D> {
    digest: Arc<D>,
    /// The ids that it was made of, and digests of the bodies: one that is deleted and made again
    /// has the same version.
    bodies: Vec<(String, BodyDigest)>,
    snapshot: Snapshot,
    until: Timestamp,
}

/// Seconds that a reading is kept at most, even without a notice.
const LONGEST: u64 = 60;
/// Seconds that the first reading after a change is kept: a list may lag behind what was written,
/// and then lacks what is new.
const SOON: u64 = 2;
/// Records that are listed at once.
const PAGE: usize = 200;
/// Records that are read at once.
const AT_ONCE: usize = 50;

impl<D> Default for Whole<D> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl Issuer {
    /// What all records of a kind come to, without a round trip as long as none of them changed.
    ///
    /// # Errors
    /// [`StoreError`] if they have to be read and the store fails.
    pub(crate) async fn whole<D: Digest>(&self, whole: &Whole<D>) -> Result<Arc<D>, StoreError> {
        let known = whole.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(reading) = &known
            && self.now() < reading.until
            && self.liveness().holds(&reading.snapshot)
        {
            return Ok(Arc::clone(&reading.digest));
        }
        let kind = self.repository().whole_subject(D::Record::KIND);
        // Captured before they are read: what changes in between is seen as a change.
        let snapshot = self.liveness().snapshot([&*kind]);
        let records = self.read_whole::<D::Record>().await?;
        let body = |stored: &Versioned<D::Record>| {
            let body = serde_json::to_vec(&stored.body).map_err(StoreError::new)?;
            Ok::<_, StoreError>((stored.id.clone(), BodyDigest::of(&body)))
        };
        let bodies = records.iter().map(body).collect::<Result<Vec<_>, _>>()?;
        let same = known.filter(|known| known.bodies == bodies);
        let life = if same.is_some() || bodies.is_empty() { LONGEST } else { SOON };
        let digest = same.map_or_else(|| Arc::new(D::of(records)), |one| Arc::clone(&one.digest));
        let until = Timestamp(self.now().0 + life);
        let reading = Reading { digest: Arc::clone(&digest), bodies, snapshot, until };
        *whole.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(reading));
        Ok(digest)
    }

    /// All records of a kind. A list may be older than the records on it, which are therefore read
    /// again by their keys: what was taken away is gone.
    async fn read_whole<R: Stored>(&self) -> Result<Vec<Versioned<R>>, StoreError> {
        let (repository, now) = (self.repository(), self.now());
        let (mut keys, mut after): (Vec<Key>, Option<String>) = (Vec::new(), None);
        loop {
            let page = repository.page::<R>("", after, PAGE, now).await?;
            after = page.last().map(|last| last.id.clone());
            let is_last = page.len() < PAGE;
            keys.extend(page.iter().map(|stored| repository.key(R::KIND, &stored.id)));
            if is_last {
                break;
            }
        }
        let mut records = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            for record in repository.store().get_many(keys, now).await?.into_iter().flatten() {
                records.push(read::<R>(record)?);
            }
        }
        Ok(records)
    }
}
