//! The feed. Numbers follow each other without holes, because a number is had by inserting it: the
//! next one is tried only by who has seen the one before.
//!
//! A notice that goes with a write is there, pending, before the write begins, and settled when the
//! write is done. A reader is told of a pending one again and again until it is settled, so that
//! nothing that was read in between counts; one that is never settled, because its writer died, is
//! given up after [`GIVEN_UP`], when its write can no longer happen.

use std::time::{Duration, Instant, SystemTime};

use ::mongodb::{
    Collection,
    bson::{Document, doc},
};
use castellan_issuer::store::{Feed, FeedCursor, FeedEntry, Key, Notice};
use castellan_proto::Timestamp;

use super::{
    document::seconds,
    fault::{Fault, is_duplicate},
};

/// How long a notice is kept at least, in seconds.
const KEPT: i64 = 10 * 60;
/// Who is further behind gets a gap instead.
const MOST: i64 = 65_536;
/// A writer that has waited so long for its notice does not write any more.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a pending notice can no longer be followed by its write, in seconds.
const GIVEN_UP: i64 = 60;
/// Tries to get a number before a writer gives up.
const TRIES: usize = 512;

/// The collection of notices.
pub(super) struct FeedLog {
    pub(super) notices: Collection<Document>,
    /// Tells this database from every other.
    pub(super) database: String,
}

/// A notice that is pending.
pub(super) struct Pending(i64);

impl FeedLog {
    /// Announces a write to `subject`, if it is to be told.
    pub(super) async fn begin(
        &self,
        subject: &Key,
        notice: Notice,
    ) -> Result<Option<Pending>, Fault> {
        if notice == Notice::Silent {
            return Ok(None);
        }
        let began = Instant::now();
        for _ in 0..TRIES {
            let number = self.last().await? + 1;
            let pending = doc! {
                "_id": number, "s": subject.text(), "at": machine_time(), "p": true,
            };
            match self.notices.insert_one(pending).await {
                Ok(_) if began.elapsed() < PATIENCE => return Ok(Some(Pending(number))),
                Ok(_) => {
                    self.settle(Some(Pending(number)), true).await?;
                    return Err(Fault::Late);
                }
                Err(error) if is_duplicate(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Fault::Contended)
    }

    /// Says that the write is done, or that it did not happen: then nothing is told, but the number
    /// stays, so that there are no holes.
    pub(super) async fn settle(
        &self,
        pending: Option<Pending>,
        happened: bool,
    ) -> Result<(), Fault> {
        if let Some(Pending(number)) = pending {
            let settled = doc! { "$set": { "p": false, "told": happened } };
            self.notices.update_one(doc! { "_id": number }, settled).await?;
        }
        Ok(())
    }

    /// The number of the last notice; the newest one is never swept.
    async fn last(&self) -> Result<i64, Fault> {
        let newest = self.notices.find_one(doc! {}).sort(doc! { "_id": -1 }).await?;
        newest.as_ref().map_or(Ok(0), number)
    }

    /// The notices after the cursor `after`.
    pub(super) async fn since(&self, after: Option<&FeedCursor>) -> Result<Feed, Fault> {
        let known = after.and_then(|after| self.number_of(&after.0));
        let last = self.last().await?;
        let (Some(_), Some(known)) = (after, known.filter(|known| *known <= last)) else {
            // Whoever forgets everything now has to hear of what is under way.
            let pending = self.notices.find_one(doc! { "p": true }).sort(doc! { "_id": 1 }).await?;
            let first = pending.as_ref().map(number).transpose()?;
            let end = first.map_or(last, |first| first - 1);
            return Ok(Feed {
                entries: Vec::new(),
                cursor: self.cursor(end),
                gap: after.is_some(),
            });
        };
        let mut cursor = self
            .notices
            .find(doc! { "_id": { "$gt": known } })
            .sort(doc! { "_id": 1 })
            .limit(MOST + 1)
            .await?;
        let (mut entries, mut end, mut open) = (Vec::new(), known, false);
        while cursor.advance().await? {
            let notice = cursor.deserialize_current()?;
            let number = number(&notice)?;
            // What is missing between was swept.
            if entries.is_empty() && !open && end == known && number != known + 1 {
                return Ok(Feed { entries: Vec::new(), cursor: self.cursor(last), gap: true });
            }
            let pending = notice.get_bool("p").unwrap_or(true)
                && notice.get_i64("at").is_ok_and(|at| machine_time() - at < GIVEN_UP);
            open |= pending;
            if !open {
                end = number;
            }
            if notice.get_bool("told").unwrap_or(true) {
                let subject = notice.get_str("s").map_err(|_| Fault::Damaged("subject"))?;
                entries.push(FeedEntry { id: number.to_string(), subject: subject.to_owned() });
            }
        }
        if i64::try_from(entries.len()).unwrap_or(i64::MAX) > MOST {
            return Ok(Feed { entries: Vec::new(), cursor: self.cursor(last), gap: true });
        }
        Ok(Feed { entries, cursor: self.cursor(end), gap: false })
    }

    /// Removes at most `limit` notices that were too old at `now`, the oldest first; never the
    /// newest, which the next number follows.
    pub(super) async fn sweep(&self, now: Timestamp, limit: usize) -> Result<(), Fault> {
        let (last, limit) = (self.last().await?, i64::try_from(limit).unwrap_or(i64::MAX));
        if limit == 0 {
            return Ok(());
        }
        let mut cursor = self
            .notices
            .find(doc! { "_id": { "$lt": last } })
            .sort(doc! { "_id": 1 })
            .limit(limit)
            .await?;
        let mut until = None;
        while cursor.advance().await? {
            let notice = cursor.deserialize_current()?;
            // Never past one that stays: holes would hide gaps.
            if notice.get_i64("at").unwrap_or(i64::MAX) >= seconds(now).saturating_sub(KEPT) {
                break;
            }
            until = Some(number(&notice)?);
        }
        if let Some(until) = until {
            self.notices.delete_many(doc! { "_id": { "$lte": until } }).await?;
        }
        Ok(())
    }

    fn cursor(&self, at: i64) -> FeedCursor {
        FeedCursor(format!("{}/{at}", self.database))
    }

    fn number_of(&self, cursor: &str) -> Option<i64> {
        let number = cursor.strip_prefix(&self.database)?.strip_prefix('/')?;
        number.parse().ok().filter(|number| *number >= 0)
    }
}

fn number(notice: &Document) -> Result<i64, Fault> {
    notice.get_i64("_id").map_err(|_| Fault::Damaged("number"))
}

/// Unix seconds by this machine's clock: the age of notices, which no decision rests on.
#[expect(clippy::disallowed_methods, reason = "a notice is stamped where it is written")]
fn machine_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
