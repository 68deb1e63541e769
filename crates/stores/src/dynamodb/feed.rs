//! The feed: one partition of the table, read consistently. A notice is written in the transaction
//! of the write it is about, under the number after the last one, so numbers have no gaps.

use std::time::SystemTime;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use castellan_issuer::store::{Feed, FeedCursor, FeedEntry, Key};
use castellan_proto::Timestamp;

use super::{
    Dynamo, Item,
    backoff::pause,
    error::DriverError,
    item::{number, number_of, text, text_of},
};

/// How long a notice is kept at least, in seconds.
const KEPT: u64 = 10 * 60;
/// Who is further behind gets a gap instead.
const MOST: usize = 65_536;
/// Tries to get a number before a writer gives up.
const TRIES: u32 = 128;
/// The partition key of the feed.
const PARTITION: &str = "feed";

/// The item of the notice `number` about `subject`.
pub(super) fn notice_item(at: u64, subject: &Key) -> Item {
    let mut item = place(at);
    item.insert("n".to_owned(), text(subject.text()));
    item.insert("at".to_owned(), number(machine_time()));
    item
}

fn place(number: u64) -> Item {
    [("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(padded(number)))].into()
}

fn padded(number: u64) -> String {
    format!("{number:020}")
}

fn number_at(item: &Item) -> Result<u64, DriverError> {
    text_of(item, "sk").and_then(|number| number.parse().ok()).ok_or(DriverError::Damaged("number"))
}

impl Dynamo {
    /// The number of the last notice; the newest one is never swept.
    pub(super) async fn last_notice(&self) -> Result<u64, DriverError> {
        let newest = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :feed")
            .expression_attribute_values(":feed", text(PARTITION))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await?;
        newest.items().first().map_or(Ok(0), number_at)
    }

    /// Writes only a notice.
    pub(super) async fn tell(&self, subject: &Key) -> Result<(), DriverError> {
        for again in 0..TRIES {
            let next = self.last_notice().await? + 1;
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(notice_item(next, subject)))
                .condition_expression("attribute_not_exists(pk)")
                .send()
                .await;
            let Err(error) = put else { return Ok(()) };
            match error.as_service_error() {
                Some(
                    PutItemError::ConditionalCheckFailedException(_)
                    | PutItemError::TransactionConflictException(_),
                ) => pause(again).await,
                _ => return Err(error.into()),
            }
        }
        Err(DriverError::Contended)
    }

    /// The notices after the cursor `after`.
    pub(super) async fn since(&self, after: Option<&FeedCursor>) -> Result<Feed, DriverError> {
        let known = after.and_then(|after| self.number_of(&after.0));
        if let Some(known) = known
            && let Some((entries, end)) = self.notices(known).await?
        {
            return Ok(Feed { entries, cursor: self.cursor(end), gap: false });
        }
        let last = self.last_notice().await?;
        Ok(Feed { entries: Vec::new(), cursor: self.cursor(last), gap: after.is_some() })
    }

    /// The notices after `known` and the last number; `None` if some are missing.
    async fn notices(&self, known: u64) -> Result<Option<(Vec<FeedEntry>, u64)>, DriverError> {
        let (mut entries, mut end, mut start, mut any) = (Vec::new(), known, None, false);
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :feed AND sk >= :known")
                .expression_attribute_values(":feed", text(PARTITION))
                .expression_attribute_values(":known", text(padded(known)))
                .set_exclusive_start_key(start)
                .send()
                .await?;
            for item in answer.items.unwrap_or_default() {
                let number = number_at(&item)?;
                any = true;
                if number == known {
                    continue;
                }
                if number != end + 1 || entries.len() >= MOST {
                    return Ok(None);
                }
                let subject = text_of(&item, "n").ok_or(DriverError::Damaged("subject"))?;
                entries.push(FeedEntry { id: number.to_string(), subject: subject.to_owned() });
                end = number;
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        // The last notice always exists: without one, the cursor is from another table.
        Ok((any || known == 0).then_some((entries, end)))
    }

    /// Removes at most `limit` notices that were too old at `now`, the oldest first; never the
    /// newest, which the next number follows. How many.
    pub(super) async fn sweep_feed(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, DriverError> {
        let Ok(limit) = i32::try_from(limit.min(1_000)) else { return Ok(0) };
        if limit == 0 {
            return Ok(0);
        }
        let last = self.last_notice().await?;
        let oldest = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :feed AND sk < :last")
            .expression_attribute_values(":feed", text(PARTITION))
            .expression_attribute_values(":last", text(padded(last)))
            .limit(limit)
            .send()
            .await?;
        let mut gone = 0;
        for item in oldest.items() {
            // Never past one that stays: holes would hide gaps.
            if number_of(item, "at").unwrap_or(u64::MAX) >= now.0.saturating_sub(KEPT) {
                break;
            }
            let key = place(number_at(item)?);
            self.client.delete_item().table_name(&self.table).set_key(Some(key)).send().await?;
            gone += 1;
        }
        Ok(gone)
    }

    fn cursor(&self, at: u64) -> FeedCursor {
        FeedCursor(format!("{}/{at}", self.database))
    }

    fn number_of(&self, cursor: &str) -> Option<u64> {
        cursor.strip_prefix(&self.database)?.strip_prefix('/')?.parse().ok()
    }
}

/// Unix seconds by this machine's clock: the age of notices, which no decision depends on.
#[expect(clippy::disallowed_methods, reason = "a notice is stamped where it is written")]
fn machine_time() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
