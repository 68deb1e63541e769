//! The policies of a site, ready to be asked.

use crate::{
    Issuer,
    cache::whole::Digest,
    policy::{LinkKind, Policy},
    records::{AccessPolicy, repository::Versioned},
    store::StoreError,
};

/// All policies of a site, or the first that this version cannot read.
pub(crate) struct Policies(Result<Vec<Policy>, String>);

impl Digest for Policies {
    type Record = AccessPolicy;

    fn of(records: Vec<Versioned<AccessPolicy>>) -> Self {
        let ready = |stored: Versioned<AccessPolicy>| stored.body.ready(stored.id);
        Self(records.into_iter().map(ready).collect())
    }
}

impl Policies {
    /// All of them, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] if this version cannot read one of them: what it would say is unknown.
    pub(crate) fn all(&self) -> Result<&[Policy], StoreError> {
        self.0.as_deref().map_err(|problem| StoreError::new(problem.clone()))
    }

    /// The people to whom policies are linked.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(crate) fn named(&self) -> Result<impl Iterator<Item = &str>, StoreError> {
        let links = self.all()?.iter().flat_map(|policy| &policy.links);
        let people = links.filter(|link| link.kind == LinkKind::User);
        Ok(people.map(|link| &*link.id))
    }
}

impl Issuer {
    /// The ids of all policies of this site, each with the guards that it is linked to; those without
    /// are asked at resources.
    ///
    /// # Errors
    /// [`StoreError`] if they have to be read and the store fails, or if this version cannot read one.
    pub async fn policy_places(&self) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let policies = self.policies().await?;
        let place =
            |policy: &Policy| (policy.id.clone(), policy.guards().map(ToOwned::to_owned).collect());
        Ok(policies.all()?.iter().map(place).collect())
    }

    /// The policies of this site, without a round trip as long as none of them changed.
    pub(crate) async fn policies(&self) -> Result<std::sync::Arc<Policies>, StoreError> {
        self.whole(self.policy_cache()).await
    }
}
