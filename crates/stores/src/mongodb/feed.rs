//! The feed. A notice has a number from a counter. It is in the feed, pending, before the write
//! that it is about starts; when the write is done it is settled.
//!
//! A reader receives a pending notice again and again until it is settled, so that nothing read in
//! between counts. It does not advance past the first notice that is pending, or past a number
//! whose notice is missing. What stays so because its writer died is given up after [`GIVEN_UP`]: a
//! writer that waited longer than [`PATIENCE`] does not write any more.

use std::time::{Duration, Instant, SystemTime};

use ::mongodb::{
    Collection,
    bson::{Document, doc},
    options::ReturnDocument,
};
use castellan_issuer::store::{Feed, FeedCursor, FeedEntry, Key, Notice};
use castellan_proto::Timestamp;

use super::{
    document::seconds,
    error::{DriverError, is_duplicate},
};

/// How long a notice is kept at least, in seconds.
const KEPT: i64 = 10 * 60;
/// Who is further behind gets a gap instead.
const MOST: usize = 65_536;
/// A writer that has waited this long for its notice gives up the write.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a pending notice can no longer be followed by its write, in seconds.
const GIVEN_UP: i64 = 60;
/// The document that counts.
const COUNTER: &str = "feed";

/// The collection of notices.
pub(super) struct FeedLog {
    pub(super) notices: Collection<Document>,
    /// What is one document: the format, and the counter of the feed.
    pub(super) meta: Collection<Document>,
    /// The id of this database.
    pub(super) database: String,
}

/// A notice that is pending.
pub(super) struct Pending(i64);

impl FeedLog {
    /// Announces a write to `subject`, if it needs a notice.
    pub(super) async fn begin(
        &self,
        subject: &Key,
        notice: Notice,
    ) -> Result<Option<Pending>, DriverError> {
        if notice == Notice::Silent {
            return Ok(None);
        }
        let began = Instant::now();
        loop {
            let number = self.count().await?;
            let pending = doc! {
                "_id": number, "s": subject.text(), "at": machine_time(), "p": true,
            };
            match self.notices.insert_one(pending).await {
                Ok(_) if began.elapsed() < PATIENCE => return Ok(Some(Pending(number))),
                Ok(_) => {
                    self.settle(Some(Pending(number)), false).await?;
                    return Err(DriverError::Timeout);
                }
                // Where find-and-modify is not atomic two may count to one number.
                Err(error) if is_duplicate(&error) && began.elapsed() < PATIENCE => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next number.
    async fn count(&self) -> Result<i64, DriverError> {
        let counted = self
            .meta
            .find_one_and_update(doc! { "_id": COUNTER }, doc! { "$inc": { "seq": 1_i64 } })
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await?;
        counted
            .and_then(|counted| counted.get_i64("seq").ok())
            .ok_or(DriverError::Damaged("counter"))
    }

    /// The last number that was given out, and the last of which the notice was swept.
    async fn counted(&self) -> Result<(i64, i64), DriverError> {
        let counter = self.meta.find_one(doc! { "_id": COUNTER }).await?.unwrap_or_default();
        let number = |name| counter.get_i64(name).unwrap_or(0);
        Ok((number("seq"), number("swept")))
    }

    /// Settles the notice, whether the write happened or not; without a write it has no effect, but
    /// the number stays, so that there are no gaps.
    pub(super) async fn settle(
        &self,
        pending: Option<Pending>,
        happened: bool,
    ) -> Result<(), DriverError> {
        if let Some(Pending(number)) = pending {
            let settled = doc! { "$set": { "p": false, "told": happened } };
            self.notices.update_one(doc! { "_id": number }, settled).await?;
        }
        Ok(())
    }

    /// The notices after the cursor `after`.
    pub(super) async fn since(&self, after: Option<&FeedCursor>) -> Result<Feed, DriverError> {
        let (last, swept) = self.counted().await?;
        let known = after.and_then(|after| self.number_of(&after.0));
        if let Some(known) = known.filter(|known| (swept..=last).contains(known)) {
            let (entries, end) = self.walk(known).await?;
            if entries.len() <= MOST {
                return Ok(Feed { entries, cursor: self.cursor(end), gap: false });
            }
        }
        // A reader that starts here still needs the notices of writes in progress.
        let old = doc! { "at": { "$lte": machine_time() - GIVEN_UP } };
        let settled = self.notices.find_one(old).sort(doc! { "_id": -1 }).await?;
        let from = settled.as_ref().map(number).transpose()?.unwrap_or(swept).max(swept);
        let (_, end) = self.walk(from).await?;
        Ok(Feed { entries: Vec::new(), cursor: self.cursor(end), gap: after.is_some() })
    }

    /// The notices after `known`, and how far it goes without a gap.
    async fn walk(&self, known: i64) -> Result<(Vec<FeedEntry>, i64), DriverError> {
        let limit = i64::try_from(MOST).unwrap_or(i64::MAX).saturating_add(1);
        let mut cursor = self
            .notices
            .find(doc! { "_id": { "$gt": known } })
            .sort(doc! { "_id": 1 })
            .limit(limit)
            .await?;
        let (mut entries, mut end, mut open) = (Vec::new(), known, false);
        let mut expected = known;
        while cursor.advance().await? {
            let notice = cursor.deserialize_current()?;
            let number = number(&notice)?;
            expected += 1;
            let young = notice.get_i64("at").is_ok_and(|at| machine_time() - at < GIVEN_UP);
            let pending = notice.get_bool("p").unwrap_or(true) || number != expected;
            open |= young && pending;
            expected = number;
            if !open {
                end = number;
            }
            if notice.get_bool("told").unwrap_or(true) {
                let subject = notice.get_str("s").map_err(|_| DriverError::Damaged("subject"))?;
                entries.push(FeedEntry { id: number.to_string(), subject: subject.to_owned() });
            }
        }
        Ok((entries, end))
    }

    /// Removes at most `limit` notices that were too old at `now`, the oldest first; how many.
    pub(super) async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, DriverError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(0);
        }
        let mut cursor = self.notices.find(doc! {}).sort(doc! { "_id": 1 }).limit(limit).await?;
        let mut until = None;
        while cursor.advance().await? {
            let notice = cursor.deserialize_current()?;
            // Never past a notice that stays: missing ones must be distinguishable from those still
            // to come.
            if notice.get_i64("at").unwrap_or(i64::MAX) >= seconds(now).saturating_sub(KEPT) {
                break;
            }
            until = Some(number(&notice)?);
        }
        let Some(until) = until else { return Ok(0) };
        // Stored before a reader can miss it.
        let swept = doc! { "$max": { "swept": until } };
        self.meta.update_one(doc! { "_id": COUNTER }, swept).await?;
        let gone = self.notices.delete_many(doc! { "_id": { "$lte": until } }).await?;
        Ok(usize::try_from(gone.deleted_count).unwrap_or(usize::MAX))
    }

    fn cursor(&self, at: i64) -> FeedCursor {
        FeedCursor(format!("{}/{at}", self.database))
    }

    fn number_of(&self, cursor: &str) -> Option<i64> {
        let number = cursor.strip_prefix(&self.database)?.strip_prefix('/')?;
        number.parse().ok().filter(|number| *number >= 0)
    }
}

fn number(notice: &Document) -> Result<i64, DriverError> {
    notice.get_i64("_id").map_err(|_| DriverError::Damaged("number"))
}

/// Unix seconds by this machine's clock: the age of notices, which no decision depends on.
#[expect(clippy::disallowed_methods, reason = "a notice is stamped where it is written")]
fn machine_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
