//! What people are told of scopes.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Issuer,
    cache::whole::Digest,
    records::{ScopeText, repository::Versioned},
    store::StoreError,
};

/// The texts of a site, by scope.
pub struct ScopeTexts(HashMap<String, ScopeText>);

impl Digest for ScopeTexts {
    type Record = ScopeText;

    fn of(records: Vec<Versioned<ScopeText>>) -> Self {
        let named =
            |stored: Versioned<ScopeText>| (stored.body.scope.as_str().to_owned(), stored.body);
        Self(records.into_iter().map(named).collect())
    }
}

impl ScopeTexts {
    /// The text for `scope`, if somebody wrote one.
    #[must_use]
    pub fn get(&self, scope: &str) -> Option<&ScopeText> {
        self.0.get(scope)
    }
}

impl Issuer {
    /// The texts for scopes, without a round trip as long as none of them changed.
    ///
    /// # Errors
    /// [`StoreError`] if they have to be read and the store fails.
    pub async fn scope_texts(&self) -> Result<Arc<ScopeTexts>, StoreError> {
        self.whole(self.texts_of_scopes()).await
    }
}
