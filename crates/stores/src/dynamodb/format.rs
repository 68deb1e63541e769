//! What the table is, and how it is brought to the present format.
//!
//! Format 2 has names in the index as well, which lists them by how they start. Nothing is to be
//! made for that: builds of format 1 write names without a place in the index, and read the others.

use aws_sdk_dynamodb::{
    Client,
    operation::{put_item::PutItemError, update_item::UpdateItemError},
    types::Select,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Dynamo, Item,
    error::{DriverError, unreachable},
    item::{at, number, number_of, sort_key_of_name, text, text_of},
};
use crate::{
    OpenError,
    format_state::{FormatState, LEFT, Migrate, Prepared, Progress, Unusable, too_new},
};

/// The format that this build writes.
const NEWEST: u64 = 2;
/// Names that have no place in the index.
const UNSHELVED: &str = "begins_with(pk, :name) AND attribute_not_exists(g)";

/// Migrates the table as far as `migrate` says.
pub(super) async fn bring(
    client: &Client,
    table: &str,
    migrate: Migrate,
) -> Result<Prepared, OpenError> {
    let found = meta(client, table).await?;
    let is_new = found.is_none();
    let found = match found {
        Some(found) => found,
        None if !migrate.creates() => {
            return Err(OpenError::missing(
                "is not a table of Castellan yet",
                "run `castellan migrate`, or check region and name of the table",
            ));
        }
        None => begin(client, table).await?,
    };
    let mut format = number_of(&found, "format").unwrap_or(u64::MAX);
    if format > NEWEST {
        let Unusable { problem, remedy } = too_new(format, NEWEST);
        return Err(OpenError::server("dynamodb", problem, remedy));
    }
    // Also when it is finished: nothing prevents a forgotten node of an older version from writing
    // names without a place.
    if migrate >= Migrate::Fill {
        fill(client, table).await?;
    }
    if format < NEWEST && migrate >= Migrate::Finish {
        format = narrow(client, table).await?;
    }
    let database = text_of(&found, "database").unwrap_or_default().to_owned();
    let format_state = FormatState { format, newest: NEWEST };
    Ok(Prepared { format_state, database, is_new })
}

/// Whether builds of a format before still work with the table.
pub(super) async fn admits_older(dynamo: &Dynamo) -> Result<bool, DriverError> {
    let found = dynamo.item("meta".to_owned()).await?;
    let format = found.and_then(|found| number_of(&found, "format"));
    Ok(format.is_none_or(|format| format < NEWEST))
}

async fn meta(client: &Client, table: &str) -> Result<Option<Item>, OpenError> {
    let get = client.get_item().table_name(table).set_key(Some(at("meta".to_owned())));
    Ok(get.consistent_read(true).send().await.map_err(unreachable)?.item)
}

/// Writes down what the table is. Another node may be faster.
async fn begin(client: &Client, table: &str) -> Result<Item, OpenError> {
    let mut new = at("meta".to_owned());
    new.insert("format".to_owned(), number(NEWEST));
    let database = URL_SAFE_NO_PAD.encode(castellan_proto::random::<12>());
    new.insert("database".to_owned(), text(database));
    let put = client
        .put_item()
        .table_name(table)
        .set_item(Some(new.clone()))
        .condition_expression("attribute_not_exists(pk)")
        .send()
        .await;
    match put {
        Ok(_) => Ok(new),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(_)) => {
                Ok(meta(client, table).await?.unwrap_or(new))
            }
            _ => Err(unreachable(error)),
        },
    }
}

/// Converts what versions of the previous format wrote, one item at a time. If interrupted, it
/// starts again and skips what is done.
async fn fill(client: &Client, table: &str) -> Result<(), OpenError> {
    let mut progress = Progress::begin(left(client, table).await?);
    let mut start = None;
    loop {
        let page = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression(UNSHELVED)
            .expression_attribute_values(":name", text("n."))
            .projection_expression("pk")
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unreachable)?;
        for item in page.items() {
            if let Some(place) = text_of(item, "pk") {
                give_place(client, table, place).await?;
            }
            progress.step(1);
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            progress.end();
            return Ok(());
        }
    }
}

/// Gives the name at `pk` its place in the index, if it is still there.
async fn give_place(client: &Client, table: &str, pk: &str) -> Result<(), OpenError> {
    let Some((room, sort_key)) = sort_key_of_name(pk) else { return Ok(()) };
    let updated = client
        .update_item()
        .table_name(table)
        .set_key(Some(at(pk.to_owned())))
        .update_expression("SET g = :g, s = :s")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":g", text(room))
        .expression_attribute_values(":s", text(sort_key))
        .send()
        .await;
    match updated {
        Ok(_) => Ok(()),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            _ => Err(unreachable(error)),
        },
    }
}

/// How many names have no place in the index.
async fn left(client: &Client, table: &str) -> Result<u64, OpenError> {
    let (mut left, mut start) = (0, None);
    loop {
        let page = client
            .scan()
            .table_name(table)
            .consistent_read(true)
            .filter_expression(UNSHELVED)
            .expression_attribute_values(":name", text("n."))
            .select(Select::Count)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unreachable)?;
        left += u64::try_from(page.count).unwrap_or(0);
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(left);
        }
    }
}

/// Has the table refuse builds of the format before, if nothing of theirs is left.
async fn narrow(client: &Client, table: &str) -> Result<u64, OpenError> {
    if left(client, table).await? > 0 {
        return Err(OpenError::server("dynamodb", LEFT.problem, LEFT.remedy));
    }
    client
        .update_item()
        .table_name(table)
        .set_key(Some(at("meta".to_owned())))
        .update_expression("SET #format = :newest")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_names("#format", "format")
        .expression_attribute_values(":newest", number(NEWEST))
        .send()
        .await
        .map_err(unreachable)?;
    Ok(NEWEST)
}
