//! The writes that are a transaction: a record with its unique names and its notice. Either all of it
//! happens or nothing.

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use castellan_issuer::store::{Draft, Inserted, Key, Notice, Replaced};
use castellan_proto::Timestamp;

use super::{
    Dynamo, Item,
    backoff::pause,
    error::{DriverError, Part, parts},
    feed::notice_item,
    item::{
        LIVE, at, is_live, name_item, name_place, names_of, number, number_of, place, record_item,
        seconds, text, text_of,
    },
    write::is_at,
};

/// Attempts before a transaction that always conflicts with others gives up.
const TRIES: u32 = 128;

/// How a transaction went.
enum Went {
    Done,
    /// The condition of the part at this position is not met; the first of several.
    Refused(usize),
}

impl Dynamo {
    pub(super) async fn put_new_with(
        &self,
        draft: &Draft,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Inserted, DriverError> {
        for again in 0..TRIES {
            let before = self.item(place(&draft.key)).await?;
            if before.as_ref().is_some_and(|item| is_live(item, now)) {
                return Ok(Inserted::Exists);
            }
            let record = self.put(record_item(draft, 1));
            let mut writes = vec![put(match &before {
                None => record.condition_expression("attribute_not_exists(pk)"),
                Some(expired) => record
                    .condition_expression("v = :v AND e <= :now")
                    .expression_attribute_values(":v", number(version_of(expired)?))
                    .expression_attribute_values(":now", seconds(now)),
            })?];
            for name in &draft.unique {
                writes.push(self.hold(draft, name, now)?);
            }
            if let Some(expired) = &before {
                writes.extend(self.let_go(&draft.key, expired, &draft.unique).await?);
            }
            match self.transact(writes, &draft.key, notice).await? {
                Went::Done => return Ok(Inserted::Done),
                Went::Refused(at) if (1..=draft.unique.len()).contains(&at) => {
                    return Ok(Inserted::Clash(draft.unique[at - 1].clone()));
                }
                // It changed in between: read it again.
                Went::Refused(_) => pause(again).await,
            }
        }
        Err(DriverError::Contended)
    }

    /// Lets go of the names in `item`, the record of `key`, that it still has and that are not
    /// among `kept`.
    pub(super) async fn let_go(
        &self,
        key: &Key,
        item: &Item,
        kept: &[String],
    ) -> Result<Vec<TransactWriteItem>, DriverError> {
        let mut writes = Vec::new();
        for name in names_of(item)?.iter().filter(|name| !kept.contains(name)) {
            // One that went on to another holder stays with that.
            let marker = self.item(name_place(key, name)).await?;
            if marker.is_some_and(|marker| text_of(&marker, "o") == Some(&*place(key))) {
                writes.push(self.free(key, name)?);
            }
        }
        Ok(writes)
    }

    pub(super) async fn put_over_with(
        &self,
        draft: &Draft,
        version: u64,
        notice: Notice,
        now: Timestamp,
    ) -> Result<Replaced, DriverError> {
        let before = self.item(place(&draft.key)).await?;
        let Some(before) = before.filter(|item| is_at(item, version, now)) else {
            return Ok(Replaced::Stale);
        };
        let next = version.saturating_add(1);
        let record = self
            .put(record_item(draft, next))
            .condition_expression(format!("v = :v AND t = :no AND {LIVE}"))
            .expression_attribute_values(":v", number(version))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", seconds(now));
        let mut writes = vec![put(record)?];
        for name in &draft.unique {
            writes.push(self.hold(draft, name, now)?);
        }
        writes.extend(self.let_go(&draft.key, &before, &draft.unique).await?);
        Ok(match self.transact(writes, &draft.key, notice).await? {
            Went::Done => Replaced::Done(next),
            Went::Refused(at) if (1..=draft.unique.len()).contains(&at) => {
                Replaced::Clash(draft.unique[at - 1].clone())
            }
            Went::Refused(_) => Replaced::Stale,
        })
    }

    pub(super) async fn remove_with(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, DriverError> {
        for _ in 0..TRIES {
            let Some(before) = self.item(place(key)).await?.filter(|item| is_live(item, now))
            else {
                return Ok(false);
            };
            let found = version_of(&before)?;
            if version.is_some_and(|version| version != found) {
                return Ok(false);
            }
            let record = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(at(place(key))))
                .condition_expression(format!("v = :v AND {LIVE}"))
                .expression_attribute_values(":v", number(found))
                .expression_attribute_values(":now", seconds(now));
            let record = record.build().map_err(|error| DriverError::Service(error.into()))?;
            let mut writes = vec![TransactWriteItem::builder().delete(record).build()];
            writes.extend(self.let_go(key, &before, &[]).await?);
            if matches!(self.transact(writes, key, notice).await?, Went::Done) {
                return Ok(true);
            }
            // It changed in between: read it again.
        }
        Err(DriverError::Contended)
    }

    /// Lets `name` go, which the record of `key` has.
    pub(super) fn free(&self, key: &Key, name: &str) -> Result<TransactWriteItem, DriverError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(at(name_place(key, name))))
            .condition_expression("attribute_not_exists(pk) OR o = :me")
            .expression_attribute_values(":me", text(place(key)));
        let delete = delete.build().map_err(|error| DriverError::Service(error.into()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Gives `name` to the record of `draft`: if it is free, if that record has it, or if its
    /// holder has expired.
    fn hold(
        &self,
        draft: &Draft,
        name: &str,
        now: Timestamp,
    ) -> Result<TransactWriteItem, DriverError> {
        put(self
            .put(name_item(draft, name))
            .condition_expression("attribute_not_exists(pk) OR o = :me OR e <= :now")
            .expression_attribute_values(":me", text(place(&draft.key)))
            .expression_attribute_values(":now", seconds(now)))
    }

    fn put(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }

    /// Performs `writes`, with a notice if required.
    async fn transact(
        &self,
        writes: Vec<TransactWriteItem>,
        subject: &Key,
        notice: Notice,
    ) -> Result<Went, DriverError> {
        for again in 0..TRIES {
            let mut all = writes.clone();
            if notice == Notice::Tell {
                let next = self.last_notice().await? + 1;
                all.push(put(self
                    .put(notice_item(next, subject))
                    .condition_expression("attribute_not_exists(pk)"))?);
            }
            let done =
                self.client.transact_write_items().set_transact_items(Some(all)).send().await;
            let Err(error) = done else { return Ok(Went::Done) };
            let Some(parts) = parts(&error) else { return Err(error.into()) };
            let own = &parts[..parts.len().min(writes.len())];
            if let Some(refused) = own.iter().position(|part| *part == Part::Refused) {
                return Ok(Went::Refused(refused));
            }
            // Another transaction was at it, or had the number.
            pause(again).await;
        }
        Err(DriverError::Contended)
    }
}

fn version_of(item: &Item) -> Result<u64, DriverError> {
    number_of(item, "v").ok_or(DriverError::Damaged("version"))
}

fn put(
    put: aws_sdk_dynamodb::types::builders::PutBuilder,
) -> Result<TransactWriteItem, DriverError> {
    let put = put.build().map_err(|error| DriverError::Service(error.into()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}
