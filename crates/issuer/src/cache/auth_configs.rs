//! How the sign-in of a site looks.

use std::sync::Arc;

use crate::{
    Issuer,
    cache::whole::Digest,
    records::{AuthConfig, repository::Versioned},
    store::StoreError,
};

/// The document about it, if there is one.
#[derive(Default)]
pub struct AuthConfigs(Option<AuthConfig>);

impl Digest for AuthConfigs {
    type Record = AuthConfig;

    fn of(records: Vec<Versioned<AuthConfig>>) -> Self {
        // There is one at most: they share a unique name.
        Self(records.into_iter().next().map(|stored| stored.body))
    }
}

impl AuthConfigs {
    /// The document, if there is one.
    #[must_use]
    pub const fn get(&self) -> Option<&AuthConfig> {
        self.0.as_ref()
    }
}

impl Issuer {
    /// How the sign-in looks, without a round trip as long as that did not change.
    ///
    /// # Errors
    /// [`StoreError`] if it has to be read and the store fails.
    pub async fn auth_config(&self) -> Result<Arc<AuthConfigs>, StoreError> {
        self.whole(self.auth_configs()).await
    }
}
