//! The verbs that list, from the index: what was written a moment ago may not be on a list yet.

use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use castellan_issuer::store::{Kind, NameQuery, Named, PageQuery, Record};
use castellan_proto::Timestamp;

use super::{
    Dynamo,
    error::DriverError,
    item::{
        self, LIVE, is_live, is_taken, key_of, name_at, name_room, name_sort_key, room, seconds,
        sort_key, text, text_of,
    },
};

/// The index that lists.
pub(super) const INDEX: &str = "rooms";
/// Names that are read in one request: as many as holders can be read in the next.
const LOOKED_AT: i32 = 100;

impl Dynamo {
    /// A list, from the index: what was written a moment ago may not be on it yet.
    pub(super) async fn list(
        &self,
        query: &PageQuery,
        now: Timestamp,
    ) -> Result<Vec<Record>, DriverError> {
        let prefix = sort_key(&query.prefix);
        // Hexadecimal digits lie between `!` and `g`.
        let from = match query.after.as_ref().filter(|after| **after >= query.prefix) {
            Some(after) => format!("{}!", sort_key(after)),
            None => prefix.clone(),
        };
        let to = format!("{prefix}g");
        let (mut records, mut start) = (Vec::new(), None);
        if from > to {
            return Ok(records);
        }
        while records.len() < query.limit {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression("g = :g AND s BETWEEN :from AND :to")
                .filter_expression(format!("t = :no AND {LIVE}"))
                .expression_attribute_values(":g", text(room(&query.site, query.kind)))
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&to))
                .expression_attribute_values(":no", AttributeValue::Bool(false))
                .expression_attribute_values(":now", seconds(now))
                .set_exclusive_start_key(start)
                .send()
                .await?;
            for item in answer.items.unwrap_or_default() {
                records.push(item::record(key_of(&query.site, query.kind, &item)?, &item)?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        records.truncate(query.limit);
        Ok(records)
    }

    /// Names by how they start, and whose they are. The holders are read consistently.
    pub(super) async fn list_names(
        &self,
        query: &NameQuery,
        now: Timestamp,
    ) -> Result<Vec<Named>, DriverError> {
        let prefix = name_sort_key(&query.part);
        let from = match query.after.as_ref().filter(|after| **after >= query.part) {
            Some(after) => format!("{}!", name_sort_key(after)),
            None => prefix.clone(),
        };
        let to = format!("{prefix}g");
        let (mut found, mut start) = (Vec::new(), None);
        while from <= to && found.len() < query.limit {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .key_condition_expression("g = :g AND s BETWEEN :from AND :to")
                .filter_expression(LIVE)
                .expression_attribute_values(":g", text(name_room(&query.site, query.kind)))
                .expression_attribute_values(":from", text(&from))
                .expression_attribute_values(":to", text(&to))
                .expression_attribute_values(":now", seconds(now))
                .limit(LOOKED_AT)
                .set_exclusive_start_key(start)
                .send()
                .await?;
            let holders: Vec<String> =
                answer.items().iter().filter_map(|item| Some(text_of(item, "o")?.into())).collect();
            let holders = self.items(holders).await?;
            for marker in answer.items() {
                let name = text_of(marker, "pk").and_then(name_at);
                let name = name.ok_or(DriverError::Damaged("name"))?;
                let holder = text_of(marker, "o").and_then(|place| holders.get(place));
                let Some(item) = holder.filter(|item| is_live(item, now) && !is_taken(item)) else {
                    continue;
                };
                let record = item::record(key_of(&query.site, query.kind, item)?, item)?;
                if record.unique.contains(&name) && query.admits(&name) {
                    found.push(Named { name, record });
                }
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        found.truncate(query.limit);
        Ok(found)
    }

    /// How many are on the list.
    pub(super) async fn count_all(
        &self,
        site: &Arc<str>,
        kind: Kind,
        now: Timestamp,
    ) -> Result<u64, DriverError> {
        let (mut count, mut start) = (0, None);
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .select(Select::Count)
                .key_condition_expression("g = :g")
                .filter_expression(format!("t = :no AND {LIVE}"))
                .expression_attribute_values(":g", text(room(site, kind)))
                .expression_attribute_values(":no", AttributeValue::Bool(false))
                .expression_attribute_values(":now", seconds(now))
                .set_exclusive_start_key(start)
                .send()
                .await?;
            count += u64::try_from(answer.count).unwrap_or(0);
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }
}
