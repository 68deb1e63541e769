//! The first clients of many in an order, of which no more are held than are asked for.

use std::collections::BTreeMap;

use crate::{
    records::{Client, repository::Versioned},
    resources::{
        ClientDocument, Resource as _,
        search::{SortAttribute, SortKey, SortOrder},
    },
};

/// Where a client stands in an order; the id decides between equals.
pub(in crate::management) type At = (SortKey, String);

/// The first of what is offered.
pub(in crate::management) struct Sorted {
    order: SortOrder,
    after: Option<At>,
    most: usize,
    kept: BTreeMap<At, Versioned<Client>>,
}

impl Sorted {
    /// The `first` ones after `after` in `order`, and one more if there is one.
    pub(in crate::management) const fn new(
        order: SortOrder,
        after: Option<At>,
        first: usize,
    ) -> Self {
        Self { order, after, most: first.saturating_add(1), kept: BTreeMap::new() }
    }

    /// Takes `stored` if it is among them.
    pub(in crate::management) fn offer(&mut self, key: SortKey, stored: Versioned<Client>) {
        let place = (key, stored.id.clone());
        let is_up = self.order == SortOrder::Ascending;
        let is_later = |after: &At| if is_up { place > *after } else { place < *after };
        if !self.after.as_ref().is_none_or(is_later) {
            return;
        }
        self.kept.insert(place, stored);
        if self.kept.len() > self.most {
            if is_up {
                self.kept.pop_last()
            } else {
                self.kept.pop_first()
            };
        }
    }

    /// The page of `first` clients in order, and the place of its last one if there are more.
    pub(in crate::management) fn page(
        self,
        first: usize,
    ) -> (Vec<Versioned<Client>>, Option<String>) {
        let mut all: Vec<_> = self.kept.into_iter().collect();
        if self.order == SortOrder::Descending {
            all.reverse();
        }
        let there_is_more = all.len() > first;
        all.truncate(first);
        let last = all.last().filter(|_| there_is_more);
        let end = last.and_then(|(place, _)| serde_json::to_string(place).ok());
        (all.into_iter().map(|(_, stored)| stored).collect(), end)
    }
}

/// What `stored` is sorted by.
pub(in crate::management) fn key_of(by: SortAttribute, stored: &Versioned<Client>) -> SortKey {
    let facts = ClientDocument::facts(&stored.id, &stored.body);
    match by {
        SortAttribute::Id => SortKey::Name(stored.id.clone()),
        SortAttribute::Created => SortKey::Time(facts.created.0),
        SortAttribute::LastModified => SortKey::Time(facts.modified.max(facts.created).0),
        SortAttribute::Name => SortKey::Name(facts.name),
    }
}
