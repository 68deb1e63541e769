//! The operations of the DCR GraphQL API (`docs/contracts/curity.md` §8.2): clients that registered
//! themselves are listed and read, and their status is set. Everything else is theirs to do.

mod list;
mod view;

use serde_json::{Value, json};

use crate::{
    Issuer,
    records::Client,
    resources::{ApplyError, Patch, ResourceKind, search::ListError},
    secrets::hashing::Busy,
    store::StoreError,
};

pub use super::clients::Status;
pub use list::{RegisteredList, RegisteredPage};

use view::view;

/// Why an operation is refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DynamicClientError {
    /// There is no such list.
    #[error(transparent)]
    List(#[from] ListError),
    /// Others changed the client at the same time, every time.
    #[error("The client was changed at the same time")]
    Conflict,
    /// Too many secrets wait to be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Issuer {
    /// The registered client `id` as the API shows it; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn dynamic_client(&self, id: &str) -> Result<Option<Value>, StoreError> {
        if !castellan_proto::is_identifier(id) {
            return Ok(None);
        }
        let found = self.repository().get::<Client>(id, self.now()).await?;
        let found = found.filter(|stored| stored.body.registration.is_some());
        Ok(found.map(|stored| view(self, &stored)))
    }

    /// Sets the status of the registered client `id` and returns it as it is then; `None` if there is
    /// none. What was issued to one that is revoked is over for good.
    ///
    /// # Errors
    /// [`DynamicClientError`] saying why not.
    pub async fn set_dynamic_client_status(
        &self,
        id: &str,
        status: Status,
    ) -> Result<Option<Value>, DynamicClientError> {
        if self.dynamic_client(id).await?.is_none() {
            return Ok(None);
        }
        let change = Patch::Merge(json!({
            "active": (status != Status::Active).then_some(false),
            "revoked": (status == Status::Revoked).then_some(true),
        }));
        match self.patch(ResourceKind::CLIENT, id, &change, &[]).await {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Ok(self.dynamic_client(id).await?),
            Err(ApplyError::Busy(busy)) => Err(busy.into()),
            Err(ApplyError::Store(error)) => Err(error.into()),
            Err(_) => Err(DynamicClientError::Conflict),
        }
    }
}
