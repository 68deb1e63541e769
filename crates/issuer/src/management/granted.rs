//! What people let apps do, as one entry for each person and app (`docs/contracts/curity.md` §9).

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    records::{Account, login_name},
    store::StoreError,
};

/// What one person lets one app do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedAuthorization {
    /// The account's id.
    pub owner: String,
    /// The app's `client_id`.
    pub client_id: String,
    /// What people know the app by.
    pub client_name: String,
    /// The scopes, sorted.
    pub scopes: Vec<String>,
    /// The claims that it receives besides those that the scopes cover, sorted.
    pub claims: Vec<String>,
    /// When the first of it was granted.
    pub created: Timestamp,
    /// When the last of it was.
    pub modified: Timestamp,
}

impl Issuer {
    /// What the person `owner` lets apps do, in the order of the apps' ids.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn granted_by(&self, owner: &str) -> Result<Vec<GrantedAuthorization>, StoreError> {
        let agreed = self.agreed(owner).await?;
        let granted = agreed.into_iter().map(|one| GrantedAuthorization {
            owner: owner.to_owned(),
            client_id: one.client_id,
            client_name: one.client_name,
            scopes: one.scopes,
            claims: one.claims,
            created: one.since,
            modified: one.since,
        });
        Ok(granted.collect())
    }

    /// Ends what the person `owner` lets the app `client` do, or every app.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; calling this again completes it.
    pub async fn revoke_granted(
        &self,
        owner: &str,
        client: Option<&str>,
    ) -> Result<(), StoreError> {
        for granted in self.granted_by(owner).await? {
            if client.is_none_or(|client| client == granted.client_id) {
                self.withdraw(owner, &granted.client_id).await?;
            }
        }
        Ok(())
    }

    /// The id of the account whose user name is `name`, in any letter case.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_with_user_name(&self, name: &str) -> Result<Option<String>, StoreError> {
        let folded = login_name(name);
        let found = self.repository().find::<Account>(&folded, self.now()).await?;
        // An e-mail address leads to an account as well.
        let named = found.filter(|stored| login_name(&stored.body.user_name) == folded);
        Ok(named.map(|stored| stored.id))
    }
}
