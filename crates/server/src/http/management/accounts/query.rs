//! The queries (`docs/contracts/curity.md` §6.1).

use std::future::ready;

use castellan_issuer::{
    management::accounts::AccountsQuery,
    resources::search::{Filter, FilterAttribute, FilterType, Listed},
};
use serde_json::{Map, Value};

use super::failure;
use crate::http::management::{
    connection::{Page, connection, sort},
    error::{Classification, Failure},
    roster::{Call, Resolving},
};

pub(super) async fn by_id(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("accountId").unwrap_or_default();
    maybe(call, call.app.issuer().account_by_id(id).await?).await
}

pub(super) async fn by_user_name(call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("userName").unwrap_or_default();
    maybe(call, call.app.issuer().account_by_user_name(name).await?).await
}

pub(super) async fn by_email(call: &Call<'_>) -> Result<Value, Failure> {
    let email = call.text("email").unwrap_or_default();
    maybe(call, call.app.issuer().account_by_email(email).await?).await
}

pub(super) async fn by_phone_number(call: &Call<'_>) -> Result<Value, Failure> {
    let number = call.text("phoneNumber").unwrap_or_default();
    maybe(call, call.app.issuer().account_by_phone_number(number).await?).await
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Failure> {
    let page = Page::of(call)?;
    let query = AccountsQuery {
        active_only: call.argument("activeAccountsOnly").as_bool().unwrap_or(true),
        filter: filter(call.argument("filtering")),
        sort: sort(call.argument("sorting")),
        first: page.first,
        after: page.after,
    };
    let issuer = call.app.issuer();
    let wants_page = call.selected.has("edges") || call.selected.has("pageInfo");
    let listed = if wants_page {
        issuer.list_accounts(query.clone()).await.map_err(failure::of_list)?
    } else {
        issuer.check_accounts_cursor(query.clone()).map_err(failure::of_list)?;
        Listed::default()
    };
    let total = if call.selected.has("totalCount") {
        let counted = issuer.count_accounts(query).await.map_err(failure::of_list)?;
        Some(counted.ok_or_else(|| {
            let text = "There are too many accounts to count; leave totalCount out";
            Failure::new(Classification::OperationNotSupported, text)
        })?)
    } else {
        None
    };
    let mut nodes = Vec::new();
    for account in listed.documents {
        nodes.push(shown(call, account).await?);
    }
    Ok(connection(nodes, listed.end_cursor, total))
}

pub(super) fn credential_policy<'a>(call: &'a Call<'a>) -> Resolving<'a> {
    Box::pin(ready(Ok(call.app.issuer().credential_policy())))
}

pub(super) async fn credential_state(call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("userName").unwrap_or_default();
    Ok(call.app.issuer().credential_state(name).await?.unwrap_or(Value::Null))
}

pub(super) async fn buckets(call: &Call<'_>) -> Result<Value, Failure> {
    let name = call.text("userName").unwrap_or_default();
    let purposes = call.argument("purposes").as_array();
    let purposes: Vec<&str> = purposes.into_iter().flatten().filter_map(Value::as_str).collect();
    let found = call.app.issuer().buckets(name, &purposes).await;
    Ok(found.map_err(failure::of)?.into())
}

async fn maybe(call: &Call<'_>, account: Option<Value>) -> Result<Value, Failure> {
    match account {
        Some(account) => shown(call, account).await,
        None => Ok(Value::Null),
    }
}

/// Clients of one person that are shown with the account.
const MOST_CLIENTS: usize = 100;

/// An account with what depends on the settings: the clients that the person registered.
pub(super) async fn shown(call: &Call<'_>, mut account: Value) -> Result<Value, Failure> {
    let ways = ["dynamicClients", "account.dynamicClients", "edges.node.dynamicClients"];
    let is_selected = ways.iter().any(|way| call.selected.has(way));
    if call.app.management().dynamic_clients_in_accounts && is_selected {
        let id = account["id"].as_str().unwrap_or_default();
        let clients = call.app.issuer().dynamic_clients_of(id, MOST_CLIENTS).await?;
        account["dynamicClients"] = clients.into();
    }
    Ok(account)
}

/// The attributes by which [`list`] finds and sorts.
pub(super) fn examined(arguments: &Map<String, Value>) -> Vec<&'static str> {
    let text = |argument: &str, name: &str| arguments.get(argument)?.get(name)?.as_str();
    let found = text("filtering", "filterBy").map(|by| match by {
        "email" => "emails",
        _ => "userName",
    });
    let sorted = text("sorting", "sortBy").map(|by| match by {
        "name" => "userName",
        _ => "meta",
    });
    found.into_iter().chain(sorted).collect()
}

fn filter(filtering: &Value) -> Option<Filter> {
    let text = |name: &str| filtering[name].as_str();
    Some(Filter {
        by: match text("filterBy")? {
            "email" => FilterAttribute::Email,
            _ => FilterAttribute::UserName,
        },
        how: match text("filterType")? {
            "ENDS_WITH" => FilterType::EndsWith,
            _ => FilterType::StartsWith,
        },
        value: text("filter")?.to_owned(),
    })
}
