//! OAuth clients (`docs/contracts/curity.md` §7).

use castellan_issuer::{
    management::clients::{ClientError, ClientList, DatabaseClients, Status, Which},
    managers::Operation,
    resources::search::{ListError, Sort, SortAttribute, SortOrder},
};
use serde_json::{Map, Value, json};

use super::{
    connection::{Page, connection, wrong_cursor},
    error::{Classification, Failure},
    roster::{Api, Call, Root},
};
use crate::management_schemas;

pub(super) static API: Api = Api {
    path: "/admin/graphql/database-clients",
    schema: management_schemas::DATABASE_CLIENTS,
    roots: &[
        Root::new("databaseClientById", &[Operation::Read], |call| Box::pin(by_id(call))),
        Root::new("databaseClients", &[Operation::Read], |call| Box::pin(filtered(call)))
            .finds_by(examined),
        Root::new("searchDatabaseClients", &[Operation::Read], |call| Box::pin(found(call)))
            .finds_by(examined),
        Root::new("createDatabaseClient", &[Operation::Create], |call| Box::pin(create(call)))
            .writes("input.fields", ""),
        Root::new("updateDatabaseClientById", &[Operation::Update], |call| Box::pin(update(call)))
            .writes("input.fields", ""),
        Root::new("duplicateDatabaseClientById", &[Operation::Create, Operation::Read], |call| {
            Box::pin(duplicate(call))
        }),
        Root::new("setDatabaseClientStatusById", &[Operation::Update], |call| {
            Box::pin(set_status(call))
        })
        .writes("input", ""),
        Root::new("setDatabaseClientOwnerById", &[Operation::Update], |call| {
            Box::pin(set_owner(call))
        })
        .writes("input", ""),
        Root::new("deleteDatabaseClientById", &[Operation::Delete], |call| Box::pin(delete(call))),
    ],
    is_served: |_| true,
    managers: |settings| settings.managers(settings.database_clients.as_ref()),
};

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let text = error.to_string();
        match error {
            ClientError::Invalid { field, .. } => Self::invalid_argument(text).with("field", field),
            ClientError::Exists => {
                Self::new(Classification::ConstraintViolation, text).with("field", "client_id")
            }
            ClientError::Conflict => Self::new(Classification::ConstraintViolation, text),
            ClientError::Unknown => Self::new(Classification::NotFound, text),
            ClientError::Denied(field) => {
                Self::new(Classification::AccessDenied, text).with("field", field)
            }
            ClientError::List(ListError::Cursor) => wrong_cursor(),
            ClientError::List(ListError::Unsupported(cause)) => Self::not_supported(cause),
            ClientError::List(error) => Self::internal(&error),
            ClientError::Busy(error) => Self::internal(&error),
            ClientError::Store(error) => error.into(),
        }
    }
}

fn clients<'a>(call: &'a Call<'_>) -> DatabaseClients<'a> {
    let tags = &call.app.management().tags;
    DatabaseClients { issuer: call.app.issuer(), caller: call.caller, tags }
}

/// The argument `input`.
fn input<'a>(call: &'a Call<'_>) -> Result<&'a Map<String, Value>, Failure> {
    call.argument("input").as_object().ok_or_else(|| Failure::validation("input is required"))
}

/// The text of the required member `name` of `input`.
fn member<'a>(input: &'a Map<String, Value>, name: &str) -> Result<&'a str, Failure> {
    let text = input.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Failure::validation(format!("input.{name} is required")))
}

/// The member `fields` of `input`.
fn fields(input: &Map<String, Value>) -> Result<&Map<String, Value>, Failure> {
    let fields = input.get("fields").and_then(Value::as_object);
    fields.ok_or_else(|| Failure::validation("input.fields is required"))
}

/// The attributes by which lists are found. Lists are sorted by name without being asked to, so the
/// order counts for nothing.
fn examined(arguments: &Map<String, Value>) -> Vec<&'static str> {
    let is_there = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
    let found: [(&str, &[&'static str]); 3] =
        [("clientName", &["name"]), ("tags", &["tags"]), ("searchTerms", &["client_id", "name"])];
    let found = found.into_iter().filter(|(argument, _)| is_there(argument));
    found.flat_map(|(_, attributes)| attributes.iter().copied()).collect()
}

async fn by_id(call: &Call<'_>) -> Result<Value, Failure> {
    let client = clients(call).get(call.text("id").unwrap_or_default()).await?;
    Ok(client.unwrap_or_default())
}

async fn filtered(call: &Call<'_>) -> Result<Value, Failure> {
    let tags = call.argument("tags").as_array().map(|tags| {
        tags.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect::<Vec<_>>()
    });
    let name = call.text("clientName").map(ToOwned::to_owned);
    list(call, Which::Filtered { name, tags }).await
}

async fn found(call: &Call<'_>) -> Result<Value, Failure> {
    list(call, Which::Found(call.text("searchTerms").map(ToOwned::to_owned))).await
}

async fn list(call: &Call<'_>, which: Which) -> Result<Value, Failure> {
    let Page { first, after } = Page::of(call)?;
    let sorting = |name: &str| call.argument("sorting").get(name).and_then(Value::as_str);
    let by = match sorting("sortBy") {
        Some("created") => SortAttribute::Created,
        Some("lastModified") => SortAttribute::LastModified,
        _ => SortAttribute::Name,
    };
    let order = match sorting("sortOrder") {
        Some("DESCENDING") => SortOrder::Descending,
        _ => SortOrder::Ascending,
    };
    let active_only = call.argument("activeClientsOnly").as_bool().unwrap_or(true);
    let list = ClientList { active_only, which, sort: Sort { by, order }, first, after };
    let page = clients(call).list(&list).await?;
    let total = call.selected.has("totalCount").then_some(page.total);
    Ok(connection(page.clients, page.end_cursor, total))
}

async fn create(call: &Call<'_>) -> Result<Value, Failure> {
    let client = clients(call).create(fields(input(call)?)?).await?;
    Ok(json!({"client": client}))
}

async fn update(call: &Call<'_>) -> Result<Value, Failure> {
    let input = input(call)?;
    let client = clients(call).update(member(input, "client_id")?, fields(input)?).await?;
    // Both shapes that are documented (`docs/contracts/curity.md` §0.1 item 3).
    Ok(client.map_or(Value::Null, |client| {
        json!({"client_id": client["client_id"], "meta": client["meta"], "client": client})
    }))
}

async fn duplicate(call: &Call<'_>) -> Result<Value, Failure> {
    let input = input(call)?;
    let new_id = input.get("new_client_id").and_then(Value::as_str);
    let client = clients(call).duplicate(member(input, "client_id")?, new_id).await?;
    Ok(payload(client))
}

async fn set_status(call: &Call<'_>) -> Result<Value, Failure> {
    let input = input(call)?;
    let status = match member(input, "status")? {
        "ACTIVE" => Status::Active,
        "REVOKED" => Status::Revoked,
        _ => Status::Inactive,
    };
    Ok(payload(clients(call).set_status(member(input, "client_id")?, status).await?))
}

async fn set_owner(call: &Call<'_>) -> Result<Value, Failure> {
    let input = input(call)?;
    let (id, owner) = (member(input, "client_id")?, member(input, "owner")?);
    Ok(payload(clients(call).set_owner(id, owner).await?))
}

async fn delete(call: &Call<'_>) -> Result<Value, Failure> {
    clients(call).delete(member(input(call)?, "client_id")?).await?;
    Ok(json!({"deleted": true}))
}

/// The payload with `client`; null if there is none.
fn payload(client: Option<Value>) -> Value {
    client.map_or(Value::Null, |client| json!({"client": client}))
}
