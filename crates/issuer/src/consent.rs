//! What a person agreed to, and taking it back.

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    flow::grant_id,
    records::{Client, Grant},
    store::{Kind, StoreError},
};

/// One app that a person lets in.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// The app's `client_id`.
    pub client_id: String,
    /// What to call it.
    pub client_name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Since when.
    pub since: Timestamp,
}

impl Issuer {
    /// What `account` agreed to; at most 100 apps.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn agreed(&self, account: &str) -> Result<Vec<Agreed>, StoreError> {
        let prefix = grant_id(account, "");
        let grants = self.desk().page::<Grant>(&prefix, None, 100, self.now()).await?;
        let mut agreed = Vec::new();
        for held in grants {
            let client_id = held.id[prefix.len()..].to_owned();
            let client = self.desk().get::<Client>(&client_id, self.now()).await?;
            let name =
                client.as_ref().map(|client| client.body.display_name(&client_id).to_owned());
            agreed.push(Agreed {
                client_name: name.unwrap_or_else(|| client_id.clone()),
                scopes: held.body.scope.iter().map(ToString::to_string).collect(),
                since: held.body.start,
                client_id,
            });
        }
        Ok(agreed)
    }

    /// Takes back what `account` agreed to for `client`: one write, and every token that rests on
    /// it is over. `false` if there was nothing to take back.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; it may or may not be over.
    pub async fn withdraw(&self, account: &str, client: &str) -> Result<bool, StoreError> {
        let id = grant_id(account, client);
        let there = self.desk().delete(Kind::Grant, &id, self.now()).await?;
        self.bump(Kind::Grant, &id);
        Ok(there)
    }
}
