//! Finds the table, makes or checks it, and sets the client up.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    config::Credentials,
    operation::{create_table::CreateTableError, describe_table::DescribeTableError},
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
        Projection, ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
    },
};

use super::{
    Dynamo,
    error::{chain, unreachable},
    format,
    lists::INDEX,
};
use crate::{
    OpenError, Opened,
    format_state::{Migrate, Prepared},
    limiter::Limiter,
};

/// How long a call may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Calls of one node at a time, and so connections, at most.
const CALLS: usize = 64;
/// How long a new table may take to be there.
const CREATION: Duration = Duration::from_mins(2);
/// The table that is used if the address names none.
const DEFAULT: &str = "castellan";

/// What an address says.
struct Address<'a> {
    region: &'a str,
    endpoint: Option<String>,
    table: String,
}

/// Reads `rest` without connecting.
pub(crate) fn check(rest: &str) -> Result<(), OpenError> {
    address(rest).map(drop)
}

fn address(rest: &str) -> Result<Address<'_>, OpenError> {
    read(rest).map_err(|problem| OpenError::Malformed {
        scheme: "dynamodb",
        problem,
        remedy: "use dynamodb://REGION?table=NAME, with &endpoint=URL for another server",
    })
}

/// Opens the table at `dynamodb://` and `rest`: `REGION?table=NAME&endpoint=URL`.
pub(crate) async fn open(rest: &str, migrate: Migrate) -> Result<Opened, OpenError> {
    let address = address(rest)?;
    let (client, place) = (client(&address).await, place(&address));
    let prepared = prepare(&client, &address.table, migrate).await;
    let prepared = prepared.map_err(|error| error.at(&place))?;
    let Prepared { format_state, database, is_new } = prepared;
    let (table, swept_to) = (address.table, Mutex::default());
    let dynamo = Dynamo { client, table, database, format_state, swept_to };
    let store = Arc::new(Limiter::before(dynamo, CALLS));
    Ok(Opened { store, format_state, is_new, place })
}

/// The table, and the host of another server than that of its region, without user and password.
fn place(address: &Address<'_>) -> String {
    let Address { region, endpoint, table } = address;
    let host = endpoint.as_deref().and_then(|endpoint| {
        let (_, rest) = endpoint.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
    });
    let server = host.map(|host| format!(" at {host}")).unwrap_or_default();
    format!("dynamodb://{region}?table={table}{server}")
}

/// What `rest` says, or what is wrong with it.
fn read(rest: &str) -> Result<Address<'_>, &'static str> {
    const UNKNOWN: &str = "has a parameter other than table and endpoint";
    let (region, query) = rest.split_once('?').unwrap_or((rest, ""));
    let region = region.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if region.is_empty() || !region.bytes().all(plain) {
        return Err("has no region of letters, digits, hyphens, underscores and dots");
    }
    let (mut endpoint, mut table) = (None, DEFAULT.to_owned());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(UNKNOWN)?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| "has a parameter that is not UTF-8")?.into_owned();
        match name {
            "endpoint" if value.starts_with("http://") || value.starts_with("https://") => {
                endpoint = Some(value);
            }
            "endpoint" => return Err("has an endpoint that is no http or https URL"),
            "table" if (3..=255).contains(&value.len()) && value.bytes().all(plain) => {
                table = value;
            }
            "table" => {
                return Err(
                    "has a table name that is not 3 to 255 letters, digits, hyphens, underscores \
                     and dots",
                );
            }
            _ => return Err(UNKNOWN),
        }
    }
    Ok(Address { region, endpoint, table })
}

async fn client(address: &Address<'_>) -> Client {
    let timeouts =
        TimeoutConfig::builder().operation_timeout(PATIENCE).connect_timeout(PATIENCE).build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(address.region.to_owned()))
        .timeout_config(timeouts)
        // A write that is sent again after its response was lost would conflict with itself.
        .retry_config(RetryConfig::disabled());
    if let Some(endpoint) = &address.endpoint {
        loader = loader.endpoint_url(endpoint);
        let local = endpoint.contains("://127.0.0.1") || endpoint.contains("://localhost");
        if local && std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
            // A server on this machine lets everybody in, and asks for a signature all the same.
            let local = Credentials::new("local", "local", None, None, "castellan");
            loader = loader.credentials_provider(local);
        }
    }
    Client::new(&loader.load().await)
}

/// Creates or checks the table.
async fn prepare(client: &Client, table: &str, migrate: Migrate) -> Result<Prepared, OpenError> {
    let described = client.describe_table().table_name(table).send().await;
    if let Err(error) = described {
        let missing = matches!(
            error.as_service_error(),
            Some(DescribeTableError::ResourceNotFoundException(_))
        );
        if !missing {
            return Err(unreachable(error));
        }
        if !migrate.creates() {
            return Err(OpenError::missing(
                "does not exist",
                "run `castellan migrate` to create it, or check region and name of the table",
            ));
        }
        make(client, table).await?;
    }
    until_active(client, table).await?;
    format::bring(client, table, migrate).await
}

async fn make(client: &Client, table: &str) -> Result<(), OpenError> {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(malformed)
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(malformed)
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name(INDEX)
        .key_schema(key("g", KeyType::Hash)?)
        .key_schema(key("s", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .map_err(malformed)?;
    let made = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk")?)
        .attribute_definitions(attribute("sk")?)
        .attribute_definitions(attribute("g")?)
        .attribute_definitions(attribute("s")?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .global_secondary_indexes(index)
        .send()
        .await;
    match made {
        Ok(_) => {}
        Err(error) => match error.as_service_error() {
            // Another node is at it.
            Some(CreateTableError::ResourceInUseException(_)) => {}
            _ => return Err(unreachable(error)),
        },
    }
    until_active(client, table).await?;
    let lives = TimeToLiveSpecification::builder().enabled(true).attribute_name("x").build();
    let lives = client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(lives.map_err(malformed)?)
        .send()
        .await;
    if let Err(error) = lives {
        let error = chain(&error);
        tracing::info!(
            error,
            "the table has no time to live; Castellan deletes expired records itself"
        );
    }
    Ok(())
}

async fn until_active(client: &Client, table: &str) -> Result<(), OpenError> {
    let started = std::time::Instant::now();
    loop {
        let described = client.describe_table().table_name(table).send().await;
        let status = described.map_err(unreachable)?.table.and_then(|table| table.table_status);
        if status == Some(TableStatus::Active) {
            return Ok(());
        }
        if started.elapsed() > CREATION {
            return Err(OpenError::server(
                "dynamodb",
                "did not finish creating the table",
                "check it in the console, and restart",
            ));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::server("dynamodb", "cannot be called", "see the cause").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_region_table_and_endpoint() {
        let good = read("eu-west-1?table=auth&endpoint=http%3A%2F%2F127.0.0.1:8000").unwrap();
        let said = (good.region, &*good.table, good.endpoint.as_deref());
        assert_eq!(said, ("eu-west-1", "auth", Some("http://127.0.0.1:8000")));
        assert_eq!(read("eu-west-1/").unwrap().table, "castellan");
        for (bad, why) in [
            ("", "no region"),
            ("?table=auth", "no region"),
            ("eu west", "no region"),
            ("x?table=a", "a table name"),
            ("x?tabel=auth", "other than table and endpoint"),
            ("x?table", "other than table and endpoint"),
            ("x?table=%ff%ff%ff", "not UTF-8"),
            ("x?endpoint=ftp://a", "an endpoint"),
        ] {
            let said = read(bad).map(|address| address.table).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn a_place_has_neither_user_nor_password() {
        let place = |rest| place(&read(rest).unwrap());
        assert_eq!(place("eu-west-1"), "dynamodb://eu-west-1?table=castellan");
        assert_eq!(
            place("x?table=auth&endpoint=http://ann:tiger@127.0.0.1:8000/a"),
            "dynamodb://x?table=auth at 127.0.0.1:8000"
        );
    }
}
