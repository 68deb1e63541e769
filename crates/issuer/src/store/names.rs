//! Lists by unique names, by their beginning or their ending (`docs/rules.md` rule 42: they are
//! folded, so letter case does not matter).

use std::{collections::BTreeMap, sync::Arc};

use castellan_proto::Timestamp;

use super::{Kind, PageQuery, Record, Store, StoreError};

/// Records that a walk reads at a time.
const STEP: usize = 500;
/// What names begin with that are there to be listed in their order, with a capital letter behind
/// it. No folded name has capital letters, so that nobody can take such a name for their own.
pub const ORDERING: char = '\u{10ffff}';

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
    /// Only names after this one, in the order of `end` and `descending`.
    pub after: Option<String>,
    /// The greatest name first.
    pub descending: bool,
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
            NameEnd::Finish => name.ends_with(&self.part) && !is_ordering(name),
        }
    }

    /// The same in the terms of an index of its end: what its keys are at least, and after which
    /// one the page begins.
    #[must_use]
    pub fn in_index(&self) -> (String, Option<String>) {
        match self.end {
            NameEnd::Start => (self.part.clone(), self.after.clone()),
            // Names that are not listed by their end have an empty key there.
            NameEnd::Finish if self.part.is_empty() => {
                ("\0".to_owned(), self.after.as_deref().map(mirrored))
            }
            NameEnd::Finish => (mirrored(&self.part), self.after.as_deref().map(mirrored)),
        }
    }
}

/// Whether `name` is there to be listed in its order ([`ORDERING`]), and not by its end.
#[must_use]
pub fn is_ordering(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next() == Some(ORDERING) && chars.next().is_some_and(|c| c.is_ascii_uppercase())
}

/// `name` reversed, character by character: the key of an index of endings. Empty for names that
/// are not in it ([`is_ordering`]).
#[must_use]
pub fn mirrored(name: &str) -> String {
    if is_ordering(name) { String::new() } else { name.chars().rev().collect() }
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
                let is_before = |after: &String| {
                    if query.descending { order >= *after } else { order <= *after }
                };
                if after.as_ref().is_some_and(is_before) {
                    continue;
                }
                found.insert(order, Named { name: name.clone(), record: record.clone() });
                if found.len() > query.limit {
                    let _ = if query.descending { found.pop_first() } else { found.pop_last() };
                }
            }
        }
        if is_last {
            let found = found.into_values();
            return Ok(if query.descending { found.rev().collect() } else { found.collect() });
        }
    }
}
