//! The writes that are one conditional write: without names and without a notice.

use aws_sdk_dynamodb::{
    operation::{delete_item::DeleteItemError, put_item::PutItemError},
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use castellan_issuer::store::{Draft, Inserted, Key, Notice, Replaced};
use castellan_proto::Timestamp;

use super::{
    Dynamo, Item,
    error::DriverError,
    item::{LIVE, at, is_live, is_taken, number, number_of, place, record_item, seconds},
};

impl Dynamo {
    /// Writes a record where there is none, or an expired one without names. One with names has to
    /// release them, in a transaction.
    pub(super) async fn put_new(
        &self,
        draft: &Draft,
        now: Timestamp,
    ) -> Result<Inserted, DriverError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(record_item(draft, 1)))
            .condition_expression(
                "attribute_not_exists(pk) OR (e <= :now AND attribute_not_exists(u))",
            )
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Inserted::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    if refused.item().is_some_and(|item| !is_live(item, now)) {
                        return self.put_new_with(draft, Notice::Silent, now).await;
                    }
                    Ok(Inserted::Exists)
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Writes over a record without names. `None` if it has some: they have to go in a transaction.
    pub(super) async fn put_over(
        &self,
        draft: &Draft,
        version: u64,
        now: Timestamp,
    ) -> Result<Option<Replaced>, DriverError> {
        let next = version.saturating_add(1);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(record_item(draft, next)))
            .condition_expression(format!(
                "v = :v AND t = :no AND {LIVE} AND attribute_not_exists(u)"
            ))
            .expression_attribute_values(":v", number(version))
            .expression_attribute_values(":no", AttributeValue::Bool(false))
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match put {
            Ok(_) => Ok(Some(Replaced::Done(next))),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let names = refused
                        .item()
                        .is_some_and(|item| is_at(item, version, now) && item.contains_key("u"));
                    Ok((!names).then_some(Replaced::Stale))
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Deletes a record, with its names and its notice in a transaction if there are any.
    pub(super) async fn remove(
        &self,
        key: &Key,
        version: Option<u64>,
        notice: Notice,
        now: Timestamp,
    ) -> Result<bool, DriverError> {
        if notice == Notice::Tell {
            return self.remove_with(key, version, notice, now).await;
        }
        let mut delete = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(at(place(key))))
            .expression_attribute_values(":now", seconds(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut condition = format!("attribute_exists(pk) AND attribute_not_exists(u) AND {LIVE}");
        if let Some(version) = version {
            condition.push_str(" AND v = :v");
            delete = delete.expression_attribute_values(":v", number(version));
        }
        match delete.condition_expression(condition).send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(refused)) => {
                    if refused.item().is_some_and(|item| item.contains_key("u")) {
                        return self.remove_with(key, version, notice, now).await;
                    }
                    Ok(false)
                }
                _ => Err(error.into()),
            },
        }
    }
}

/// Whether `item` exists, is not taken and is at `version`.
pub(super) fn is_at(item: &Item, version: u64, now: Timestamp) -> bool {
    is_live(item, now) && !is_taken(item) && number_of(item, "v") == Some(version)
}
