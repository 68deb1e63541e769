//! A client that acts for itself has its scopes without the limits that roles set to people. So nobody
//! registers one that may do more than they may themselves, as in the Database Clients API
//! (`docs/contracts/curity.md` §7.4).

use std::sync::Arc;

use castellan_proto::scope::{Scope, Scopes};
use serde_json::{Map, Value};

use super::{Initiator, plan::is_about_the_person};
use crate::{
    Issuer,
    records::{Account, Client, GrantName},
    settings::Registrant,
    store::StoreError,
};

impl Issuer {
    /// The place of the first of `scopes` that `initiator` cannot give to the client of `document`,
    /// which has the `client_credentials` grant: one that their token does not have, or that their
    /// roles do not allow.
    pub(super) async fn more_than_theirs(
        &self,
        document: &Map<String, Value>,
        scopes: &Scopes,
        initiator: &Initiator,
    ) -> Result<Option<usize>, StoreError> {
        let grants = document.get("grant_types").and_then(Value::as_array);
        let alone = GrantName::CLIENT_CREDENTIALS;
        if !grants.is_some_and(|grants| grants.iter().any(|grant| grant == alone.as_str())) {
            return Ok(None);
        }
        // What is about a person says nothing where there is none.
        let given = |scope: &Scope| !is_about_the_person(scope);
        if let Some(shown) = &initiator.shown
            && let Some(at) = scopes.iter().position(|one| given(one) && !shown.cover(one))
        {
            return Ok(Some(at));
        }
        let Some(id) = &initiator.account else { return Ok(None) };
        let found = self.repository().get::<Account>(id, self.now()).await?;
        let Some(account) = found.map(|stored| stored.body).filter(|account| account.active) else {
            return Ok(scopes.iter().position(given));
        };
        let asked: Scopes = scopes.iter().filter(|scope| given(scope)).cloned().collect();
        let denied = self.beyond_roles(id, &Arc::new(account), &asked).await?;
        Ok(denied.and_then(|denied| scopes.iter().position(|scope| *scope == denied)))
    }

    /// Ids of templates, at most `limit`, by which strangers get tokens: anybody may register a client
    /// of them, and it acts for itself.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn templates_for_strangers(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let (mut found, settings) = (Vec::new(), &self.settings().registration);
        if !settings.templates || !settings.admits(Registrant::Open) {
            return Ok(found);
        }
        self.each_client(|id, client: &Client| {
            let acts_alone = client.grants.has(&GrantName::CLIENT_CREDENTIALS);
            if found.len() < limit && client.template && acts_alone {
                found.push(id.to_owned());
            }
        })
        .await?;
        Ok(found)
    }
}
