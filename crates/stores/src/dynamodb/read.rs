//! The verbs that read, and the one that takes. Consistently, but for lists.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use castellan_issuer::store::{Key, Record, Taken};
use castellan_proto::Timestamp;

use super::{
    Dynamo, Item,
    error::DriverError,
    item::{self, LIVE, at, is_live, is_taken, key_of, name_place, place, seconds},
};

/// Keys that one request may name.
const BATCH: usize = 100;

/// A consistent look at `keys`.
fn consistently(keys: Vec<Item>) -> Result<KeysAndAttributes, DriverError> {
    KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true)
        .build()
        .map_err(|error| DriverError::Service(error.into()))
}

impl Dynamo {
    pub(super) async fn read_many(
        &self,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Option<Record>>, DriverError> {
        let places: Vec<String> = keys.iter().map(place).collect();
        let found = self.items(places.clone()).await?;
        keys.iter()
            .zip(&places)
            .map(|(key, place)| {
                let item = found.get(place).filter(|item| is_live(item, now) && !is_taken(item));
                item.map(|item| item::record(key.clone(), item)).transpose()
            })
            .collect()
    }

    /// The items at `places` that are there, by place.
    pub(super) async fn items(
        &self,
        mut wanted: Vec<String>,
    ) -> Result<HashMap<String, Item>, DriverError> {
        // One key twice would refuse the request.
        wanted.sort_unstable();
        wanted.dedup();
        let mut found: HashMap<String, Item> = HashMap::new();
        for batch in wanted.chunks(BATCH) {
            let keys = batch.iter().map(|place| at(place.clone())).collect();
            let mut asked = Some(consistently(keys)?);
            while let Some(request) = asked.take() {
                let answer =
                    self.client.batch_get_item().request_items(&self.table, request).send().await?;
                let items = answer.responses.unwrap_or_default().remove(&self.table);
                for item in items.into_iter().flatten() {
                    let place = item::text_of(&item, "pk").ok_or(DriverError::Damaged("place"))?;
                    found.insert(place.to_owned(), item);
                }
                asked = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            }
        }
        Ok(found)
    }

    /// The item at `pk`.
    pub(super) async fn item(&self, pk: String) -> Result<Option<Item>, DriverError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(at(pk)));
        Ok(get.consistent_read(true).send().await?.item)
    }

    /// The record with the unique name given as the id in `name`.
    pub(super) async fn read_by_name(
        &self,
        name: &Key,
        now: Timestamp,
    ) -> Result<Option<Record>, DriverError> {
        let marker = self.item(name_place(name, &name.id)).await?;
        let Some(marker) = marker.filter(|marker| is_live(marker, now)) else { return Ok(None) };
        let holder = item::text_of(&marker, "o").ok_or(DriverError::Damaged("holder"))?;
        let Some(item) = self.item(holder.to_owned()).await? else { return Ok(None) };
        let key = key_of(&name.site, name.kind, &item)?;
        let record = item::record(key, &item)?;
        let holds = is_live(&item, now) && !is_taken(&item) && record.unique.contains(&name.id);
        Ok(holds.then_some(record))
    }

    pub(super) async fn use_up(&self, key: &Key, now: Timestamp) -> Result<Taken, DriverError> {
        let taken = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(at(place(key))))
            .update_expression("SET t = :yes")
            .condition_expression(format!("attribute_exists(pk) AND t = :no AND {LIVE}"))
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", seconds(now))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match taken {
            Ok(done) => {
                let item = done.attributes.ok_or(DriverError::Damaged("answer"))?;
                Ok(Taken::First(item::record(key.clone(), &item)?))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                    let tombstone =
                        refused.item().filter(|item| is_live(item, now) && is_taken(item));
                    Ok(match tombstone {
                        Some(item) => Taken::Again(item::record(key.clone(), item)?),
                        None => Taken::None,
                    })
                }
                _ => Err(error.into()),
            },
        }
    }
}
