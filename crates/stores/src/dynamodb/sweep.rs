//! Housekeeping. The table's own time to live does it at no cost; without it, this does the same, a
//! few pages of the table at a time, continuing where it stopped.

use std::sync::PoisonError;

use aws_sdk_dynamodb::{
    operation::delete_item::DeleteItemError,
    types::{Delete, TransactWriteItem},
};
use castellan_proto::Timestamp;

use super::{
    Dynamo, Item,
    error::{DriverError, parts},
    item::{names_of, seconds, text, text_of},
};

/// Pages of the table that one sweep reads at most; each is at most a megabyte.
const PAGES: usize = 4;

impl Dynamo {
    pub(super) async fn sweep_records(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, DriverError> {
        if limit == 0 {
            return Ok(0);
        }
        let mut start = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut removed = 0;
        for _ in 0..PAGES {
            let page = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .filter_expression("e <= :now")
                .expression_attribute_values(":now", seconds(now))
                .set_exclusive_start_key(start.clone())
                .send()
                .await?;
            for item in page.items() {
                if removed == limit {
                    // The rest of this page is for the next time.
                    self.go_on_at(start);
                    return Ok(removed);
                }
                removed += usize::from(self.remove_expired(item, now).await?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        self.go_on_at(start);
        Ok(removed)
    }

    fn go_on_at(&self, place: Option<Item>) {
        *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Removes what `item` was if it is still expired. Whether that was a record.
    async fn remove_expired(&self, item: &Item, now: Timestamp) -> Result<bool, DriverError> {
        let place = text_of(item, "pk").ok_or(DriverError::Damaged("place"))?;
        let names = names_of(item)?;
        let is_record = place.starts_with("r.");
        let key: Item = item
            .iter()
            .filter(|(name, _)| matches!(&***name, "pk" | "sk"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if names.is_empty() {
            let deleted = self
                .client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(key))
                .condition_expression("e <= :now")
                .expression_attribute_values(":now", seconds(now))
                .send()
                .await;
            return match deleted {
                Ok(_) => Ok(is_record),
                Err(error) => match error.as_service_error() {
                    Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                    _ => Err(error.into()),
                },
            };
        }
        // Its names with it; one that went on to another holder stays with that.
        let built = |delete: aws_sdk_dynamodb::types::builders::DeleteBuilder| {
            let delete = delete.build().map_err(|error| DriverError::Service(error.into()))?;
            Ok::<_, DriverError>(TransactWriteItem::builder().delete(delete).build())
        };
        let record = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression("e <= :now")
            .expression_attribute_values(":now", seconds(now));
        let mut writes = vec![built(record)?];
        let room = place.strip_prefix("r.").and_then(|rest| rest.rsplit_once('.'));
        let (room, _) = room.ok_or(DriverError::Damaged("place"))?;
        for name in names {
            let marker = format!("n.{room}.{}", crate::hex::hex(&name));
            let own = self.item(marker.clone()).await?;
            if own.is_some_and(|own| text_of(&own, "o") == Some(place)) {
                let marker = Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(super::item::at(marker)))
                    .condition_expression("attribute_not_exists(pk) OR o = :me")
                    .expression_attribute_values(":me", text(place));
                writes.push(built(marker)?);
            }
        }
        let done = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match done {
            Ok(_) => Ok(true),
            // Another writer changes it; the next sweep will try again.
            Err(error) if parts(&error).is_some() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
