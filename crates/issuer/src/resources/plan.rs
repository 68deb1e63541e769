//! Checking documents that are to be written together before the first of them is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Applied, ApplyError, WriteOptions, apply::open};
use crate::{
    Issuer,
    store::{Kind, StoreError},
};

/// The unique names that documents checked so far take and give up. A name belongs to one record of
/// a kind.
#[derive(Debug, Default)]
pub struct Plan {
    taken: HashMap<(Kind, String), String>,
    freed: HashSet<(Kind, String)>,
}

impl Issuer {
    /// What would become of `document` if it were written after those in `plan`; adds it to them.
    /// Nothing is written, and no secret is hashed. Two documents about one resource are for the
    /// caller to tell apart: each is held against what is stored.
    ///
    /// # Errors
    /// [`ApplyError`] saying what is wrong with it; the plan is as it was.
    pub async fn check(&self, document: Value, plan: &mut Plan) -> Result<Applied, ApplyError> {
        let (kind, id, members) = open(self.resources(), document)?;
        let options = WriteOptions::check_if(&[]);
        let applied = kind.any().apply(self, &id, members, options).await?;
        let (record, record_id) = kind.record_id(&id);
        for name in &applied.names.gained {
            let owner = match plan.taken.get(&(record, name.clone())) {
                Some(owner) => Some(Some(owner.clone())),
                None if plan.freed.contains(&(record, name.clone())) => None,
                None => self.is_others(record, &record_id, name).await?.then_some(None),
            };
            if let Some(owner) = owner {
                let (resource, name) = (applied.resource, name.clone());
                return Err(ApplyError::Clash { resource, name, owner });
            }
        }
        for name in &applied.names.gained {
            plan.taken.insert((record, name.clone()), applied.resource.clone());
        }
        for name in &applied.names.lost {
            plan.freed.insert((record, name.clone()));
        }
        Ok(applied)
    }

    /// Whether `name` belongs to another record than the one of this kind and id.
    async fn is_others(&self, kind: Kind, id: &str, name: &str) -> Result<bool, StoreError> {
        let repository = self.repository();
        let found = repository.store().find(repository.site(), kind, name, self.now()).await?;
        Ok(found.is_some_and(|record| record.key.id != id))
    }
}
