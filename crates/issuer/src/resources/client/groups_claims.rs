//! Groups in access tokens, as a `Client` document says it (`docs/contracts/curity.md` §3.8).

use serde_json::{Value, json};

use crate::{records::Client, resources::Problem};

/// Claims of one client at most.
const MOST: usize = 16;

/// Refuses a claim that no token could have.
pub(crate) fn check(client: &Client) -> Result<(), Problem> {
    let claims = client.groups_claims.as_deref().unwrap_or_default();
    let wrong = |text: String| Err(Problem::Text(text));
    if claims.len() > MOST {
        return wrong(format!("groups_claims: a client may have at most {MOST}"));
    }
    for (at, claim) in claims.iter().enumerate() {
        if !client.scope.iter().any(|scope| scope.as_str() == claim.scope) {
            return wrong(format!(
                "groups_claims[{at}].scope: the client does not have this scope, so that no token \
                 would have the claim"
            ));
        }
        if claim.names.as_ref().is_some_and(std::collections::BTreeMap::is_empty) {
            return wrong(format!("groups_claims[{at}].names: must not be empty"));
        }
    }
    Ok(())
}

pub(crate) fn show(client: &Client, shown: &mut Value) {
    if let Some(claims) = &client.groups_claims {
        shown["groups_claims"] = json!(claims);
    }
}
