//! Clients that registered themselves (`docs/contracts/curity.md` §8.2).

use castellan_issuer::{
    management::dynamic_clients::{DynamicClientError, RegisteredList, Status},
    managers::Operation,
    resources::search::ListError,
};
use serde_json::{Map, Value, json};

use super::{
    connection::{Page, connection, sort, wrong_cursor},
    error::{Classification, Failure},
    roster::{Api, Call, Root},
};
use crate::management_schemas;

pub(super) static API: Api = Api {
    path: "/register/graphql",
    schema: management_schemas::DYNAMIC_CLIENTS,
    roots: &[
        Root::new("dynamicallyRegisteredClientById", &[Operation::Read], |call| {
            Box::pin(by_id(call))
        }),
        Root::new("dynamicallyRegisteredClients", &[Operation::Read], |call| Box::pin(list(call)))
            .finds_by(examined),
        Root::new("setDynamicallyRegisteredClientStatusById", &[Operation::Update], |call| {
            Box::pin(set_status(call))
        })
        .writes("input", ""),
    ],
    is_served: |settings| settings.registration.is_on(),
    managers: |settings| settings.managers_without_self_service(settings.dynamic_clients.as_ref()),
};

impl From<DynamicClientError> for Failure {
    fn from(error: DynamicClientError) -> Self {
        match error {
            DynamicClientError::List(ListError::Cursor) => wrong_cursor(),
            DynamicClientError::List(ListError::Unsupported(cause)) => Self::not_supported(cause),
            DynamicClientError::List(ListError::Store(error))
            | DynamicClientError::Store(error) => error.into(),
            DynamicClientError::List(error) => Self::internal(&error),
            DynamicClientError::Conflict => {
                Self::new(Classification::ConstraintViolation, error.to_string())
            }
            DynamicClientError::Busy(error) => Self::internal(&error),
        }
    }
}

/// The attributes by which a list is found and sorted.
fn examined(arguments: &Map<String, Value>) -> Vec<&'static str> {
    let is_there = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
    let found = [("templateClient", "software_id"), ("userName", "authenticated_user")];
    let found = found.into_iter().filter(|(argument, _)| is_there(argument));
    let by = arguments.get("sorting").and_then(|sorting| sorting.get("sortBy")?.as_str());
    let sorted = by.map(|by| if by == "name" { "client_name" } else { "client_id_issued_at" });
    found.map(|(_, attribute)| attribute).chain(sorted).collect()
}

async fn by_id(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("id").unwrap_or_default();
    Ok(call.app.issuer().dynamic_client(id).await?.unwrap_or_default())
}

async fn list(call: &Call<'_>) -> Result<Value, Failure> {
    let Page { first, after } = Page::of(call)?;
    let list = RegisteredList {
        active_only: call.argument("activeClientsOnly").as_bool().unwrap_or(true),
        template: call.text("templateClient").map(ToOwned::to_owned),
        user_name: call.text("userName").map(ToOwned::to_owned),
        sort: sort(call.argument("sorting")),
        first,
        after,
    };
    let page = call.app.issuer().list_dynamic_clients(&list).await?;
    let total = if call.selected.has("totalCount") {
        Some(page.total.ok_or_else(|| {
            let text = "There are too many clients to count; leave totalCount out";
            Failure::new(Classification::OperationNotSupported, text)
        })?)
    } else {
        None
    };
    Ok(connection(page.clients, page.end_cursor, total))
}

async fn set_status(call: &Call<'_>) -> Result<Value, Failure> {
    let input = call.argument("input");
    let status = match input["status"].as_str() {
        Some("active") => Status::Active,
        Some("revoked") => Status::Revoked,
        _ => Status::Inactive,
    };
    let id = input["client_id"].as_str().unwrap_or_default();
    let set = call.app.issuer().set_dynamic_client_status(id, status).await?;
    Ok(set.map_or(Value::Null, |client| json!({"client": client})))
}
