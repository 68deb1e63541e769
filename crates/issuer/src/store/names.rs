//! Lists by unique names, by their beginning or their ending (`docs/rules.md` rule 42: they are
//! folded, so letter case does not matter).

use std::{collections::BTreeMap, sync::Arc};

use castellan_proto::Timestamp;

use super::{Kind, PageQuery, Record, Store, StoreError};

/// Records that a walk reads at a time.
const STEP: usize = 500;

/// Which end of a name a text is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameEnd {
    /// Names that begin so, in their byte order.
    Start,
    /// Names that end so, in the byte order of what they are when read backwards.
    Finish,
}

/// Which names to list.
#[derive(Clone, Debug)]
pub struct NameQuery {
    /// Of records of which site.
    pub site: Arc<str>,
    /// Of records of which kind.
    pub kind: Kind,
    /// Which end of the name `part` is.
    pub end: NameEnd,
    /// What that end is; empty for all.
    pub part: String,
    /// Only names after this one, in the order of `end`.
    pub after: Option<String>,
    /// The maximum number of names.
    pub limit: usize,
}

/// A record under one of its unique names. One with several that match is there several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name that matched.
    pub name: String,
    /// The record with that name.
    pub record: Record,
}

impl NameEnd {
    /// What `name` is ordered by: itself, or itself read backwards.
    #[must_use]
    pub fn order(self, name: &str) -> String {
        match self {
            Self::Start => name.to_owned(),
            Self::Finish => mirrored(name),
        }
    }
}

impl NameQuery {
    /// Whether `name` begins or ends with the text of the query.
    #[must_use]
    pub fn admits(&self, name: &str) -> bool {
        match self.end {
            NameEnd::Start => name.starts_with(&self.part),
            NameEnd::Finish => name.ends_with(&self.part),
        }
    }
}

/// `name` reversed, character by character: the key of an index of endings.
#[must_use]
pub fn mirrored(name: &str) -> String {
    name.chars().rev().collect()
}

/// The names of `query` with their records, from the index of `store` if it has one for that, and
/// by a walk over all records of the kind otherwise. Taken records are absent.
///
/// # Errors
/// [`StoreError`] if the engine cannot read.
pub async fn page(
    store: &dyn Store,
    query: &NameQuery,
    now: Timestamp,
) -> Result<Vec<Named>, StoreError> {
    match store.page_by_name(query, now).await? {
        Some(found) => Ok(found),
        None => walk(store, query, now).await,
    }
}

/// Keeps at most one page of records in memory, besides those that it returns.
async fn walk(
    store: &dyn Store,
    query: &NameQuery,
    now: Timestamp,
) -> Result<Vec<Named>, StoreError> {
    let after = query.after.as_deref().map(|after| query.end.order(after));
    let mut found: BTreeMap<String, Named> = BTreeMap::new();
    let mut step = PageQuery {
        site: Arc::clone(&query.site),
        kind: query.kind,
        prefix: String::new(),
        after: None,
        limit: STEP,
    };
    loop {
        let records = store.page(&step, now).await?;
        let is_last = records.len() < STEP;
        step.after = records.last().map(|record| record.key.id.clone());
        for record in records {
            for name in record.unique.iter().filter(|name| query.admits(name)) {
                let order = query.end.order(name);
                if after.as_ref().is_some_and(|after| order <= *after) {
                    continue;
                }
                found.insert(order, Named { name: name.clone(), record: record.clone() });
                if found.len() > query.limit {
                    found.pop_last();
                }
            }
        }
        if is_last {
            return Ok(found.into_values().collect());
        }
    }
}
