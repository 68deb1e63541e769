//! What people let apps do (`docs/contracts/curity.md` §9).

use castellan_issuer::{
    cache::scope_texts::ScopeTexts,
    management::granted::{Granted, GrantedAuthorization},
    managers::Operation,
};
use serde_json::{Map, Value, json};

use super::{
    accounts::account_failure,
    connection::{Page, connection, wrong_cursor},
    error::Failure,
    roster::{Api, Call, Root, Target},
};
use crate::management_schemas;

pub(super) static API: Api = Api {
    path: "/admin/graphql/granted-authorizations",
    schema: management_schemas::GRANTED_AUTHORIZATIONS,
    roots: &[
        Root::new("grantedAuthorizationsByOwner", &[Operation::Read], |call| {
            Box::pin(by_owner(call))
        })
        .about(OWNER),
        Root::new("grantedAuthorizationsByOwnerAndClient", &[Operation::Read], |call| {
            Box::pin(by_owner(call))
        })
        .about(OWNER),
        Root::new("revokeGrantedAuthorizationsByOwner", &[Operation::Delete], |call| {
            Box::pin(revoke(call))
        })
        .about(OWNER_IN_INPUT),
        Root::new("revokeGrantedAuthorizationsByOwnerAndClient", &[Operation::Delete], |call| {
            Box::pin(revoke(call))
        })
        .about(OWNER_IN_INPUT),
    ],
    is_served: |_| true,
    managers: |settings| settings.managers(settings.granted_authorizations.as_ref()),
};

const OWNER: Target = Target::IdOrUserName("owner", "username");
const OWNER_IN_INPUT: Target = Target::IdOrUserName("input.owner", "input.username");

/// The account that `members` name; `None` if there is none.
async fn owner(call: &Call<'_>, members: &Map<String, Value>) -> Result<Option<String>, Failure> {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    match (text("owner"), text("username")) {
        (Some(owner), None) => Ok(Some(owner.to_owned())),
        (None, Some(name)) => Ok(call.app.issuer().account_with_user_name(name).await?),
        _ => Err(Failure::validation("exactly one of owner and username is required")),
    }
}

async fn by_owner(call: &Call<'_>) -> Result<Value, Failure> {
    let page = Page::of(call)?;
    let client = call.text("clientId");
    let owner = owner(call, call.arguments).await?;
    let issuer = call.app.issuer();
    let most = usize::try_from(call.app.management().max_delegations).unwrap_or(usize::MAX);
    let Granted { entries: mut granted, is_incomplete } = match &owner {
        Some(owner) => issuer.granted_by(owner, client, most).await?,
        None => Granted::default(),
    };
    let total = granted.len() as u64;
    let question = json!(["granted_authorizations", owner, client]).to_string();
    if let Some(after) = &page.after {
        let place = issuer.open_cursor(&question, after).ok_or_else(wrong_cursor)?;
        granted.retain(|one| one.client_id > place);
    }
    let has_more = granted.len() > page.first;
    granted.truncate(page.first);
    let last = granted.last().filter(|_| has_more);
    let end_cursor = last.map(|last| issuer.seal_cursor(&question, &last.client_id));
    let texts = issuer.scope_texts().await?;
    let nodes = granted.iter().map(|one| shown(one, &texts, call.languages));
    let total = call.selected.has("totalCount").then_some(total);
    let mut shown = connection(nodes, end_cursor, total);
    if is_incomplete {
        shown["warnings"] = json!([{"type": "INCOMPLETE_RESULT"}]);
    }
    Ok(shown)
}

fn shown(granted: &GrantedAuthorization, texts: &ScopeTexts, languages: &[String]) -> Value {
    let scope = |name: &String| {
        let words = texts.get(name).map(|text| text.in_languages(languages).1);
        let description = words.map(|words| &words.description).filter(|text| !text.is_empty());
        let title = words.map_or(name, |words| &words.title);
        json!({"name": name, "localizedName": title, "description": description})
    };
    let claim = |name: &String| json!({"name": name, "localizedName": name});
    json!({
        "owner": granted.owner,
        "authorizedClient": {
            "id": granted.client_id,
            "name": granted.client_name,
            "description": granted.client_description,
            "logoUri": granted.client_logo,
        },
        "authorizedScopes": granted.scopes.iter().map(scope).collect::<Vec<_>>(),
        "authorizedClaims": granted.claims.iter().map(claim).collect::<Vec<_>>(),
        "meta": {"created": granted.created.0, "lastModified": granted.modified.0},
    })
}

async fn revoke(call: &Call<'_>) -> Result<Value, Failure> {
    let Some(input) = call.argument("input").as_object() else {
        return Err(Failure::validation("input is required"));
    };
    let client = input.get("clientId").and_then(Value::as_str);
    if let Some(owner) = owner(call, input).await? {
        let issuer = call.app.issuer();
        let actor = issuer.actor(call.caller).await?;
        issuer.revoke_granted(&actor, &owner, client).await.map_err(account_failure)?;
    }
    Ok(json!({"success": true, "asynchronous": false}))
}
