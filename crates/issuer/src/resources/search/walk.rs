//! How a page is read.

use std::{cmp::Reverse, collections::BTreeMap};

use serde_json::Value;

use super::{
    Cause, ListError, Listed, Listing, Sort, SortAttribute, SortOrder,
    cursor::{Place, SortKey},
};
use crate::{
    Issuer,
    records::repository::{Stored as _, Versioned},
    resources::{
        Resource,
        kind::{own_id, shown},
        parameter::Choice,
    },
    store::{Kind, StoreError},
};

/// Records that are read at a time.
pub(super) const STEP: usize = 500;
/// Records that one page reads at most where they come from an index in their order, and that are
/// counted.
pub(super) const MOST_EXAMINED: usize = 10_000;

impl Listing {
    /// What the ids of the records begin with.
    fn prefix<R: Resource>(&self) -> String {
        format!("{}{}", R::PREFIX, self.within.as_deref().unwrap_or_default())
    }

    /// Whether a record meets every condition.
    pub(super) fn admits<R: Resource>(&self, stored: &Versioned<R::Record>) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        self.admits_document(&shown::<R>(stored))
    }

    /// Whether a document meets every condition.
    pub(crate) fn admits_document(&self, document: &Value) -> bool {
        self.conditions.iter().all(|condition| condition.admits(document))
    }
}

/// The least so many of what it is offered, in order.
pub(super) struct Least<T> {
    sort: Sort,
    most: usize,
    after: Option<(SortKey, String)>,
    /// Keyed as is, or reversed where the greatest comes first.
    kept: BTreeMap<Order, T>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Up(SortKey, String),
    Down(Reverse<(SortKey, String)>),
}

impl Order {
    fn of(order: SortOrder, key: SortKey, id: String) -> Self {
        match order {
            SortOrder::Ascending => Self::Up(key, id),
            SortOrder::Descending => Self::Down(Reverse((key, id))),
        }
    }

    fn key(self) -> (SortKey, String) {
        match self {
            Self::Up(key, id) | Self::Down(Reverse((key, id))) => (key, id),
        }
    }

    fn place(self) -> Place {
        let (key, id) = self.key();
        Place::Sorted(key, id)
    }
}

impl<T> Least<T> {
    pub(super) fn offer(&mut self, key: SortKey, id: String, thing: T) {
        let order = Order::of(self.sort.order, key, id);
        let after = self.after.clone().map(|(key, id)| Order::of(self.sort.order, key, id));
        if after.is_none_or(|after| order > after) {
            self.kept.insert(order, thing);
            if self.kept.len() > self.most {
                self.kept.pop_last();
            }
        }
    }
}

impl Issuer {
    /// All of one kind that are admitted, in the order of the ids or sorted.
    pub(crate) async fn everything<R: Resource>(
        &self,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        let begin = self.begin_after::<R>(listing)?;
        let Some(sort) = sort else { return self.as_stored::<R>(listing, begin).await };
        let mut least = least(listing, sort, begin)?;
        if listing.skip > 0 {
            // What is left out is not held, except for its ids.
            let mut before = Least { most: listing.skip, sort, after: None, kept: BTreeMap::new() };
            self.offer_all::<R, _>(listing, &mut before, |stored| stored.id).await?;
            if before.kept.len() < listing.skip {
                return Ok(Listed::default());
            }
            let end = before.kept.into_keys().next_back();
            least.after = end.map(Order::key);
        }
        self.offer_all::<R, _>(listing, &mut least, |stored| stored).await?;
        Ok(self.sorted_page::<R>(listing, least))
    }

    /// Offers `least` what `make` makes of all of one kind that are admitted.
    async fn offer_all<R: Resource, T: Send>(
        &self,
        listing: &Listing,
        least: &mut Least<T>,
        make: fn(Versioned<R::Record>) -> T,
    ) -> Result<(), ListError> {
        let (prefix, mut after) = (listing.prefix::<R>(), None);
        loop {
            let step =
                self.repository().page::<R::Record>(&prefix, after, STEP, self.now()).await?;
            let is_last = step.len() < STEP;
            after = step.last().map(|stored| stored.id.clone());
            for stored in step {
                if listing.admits::<R>(&stored) {
                    let key = key_of::<R>(least.sort.by, &stored);
                    least.offer(key, stored.id.clone(), make(stored));
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Those that are admitted in the order of the ids. Where few of many are, a page ends before it
    /// is full, and the next one goes on from there.
    async fn as_stored<R: Resource>(
        &self,
        listing: &Listing,
        begin: Option<Place>,
    ) -> Result<Listed, ListError> {
        let mut after = match begin {
            Some(Place::Id(id)) => Some(id),
            None => None,
            Some(_) => return Err(ListError::Cursor),
        };
        let (prefix, most) = (listing.prefix::<R>(), listing.first.saturating_add(1));
        let is_all = listing.conditions.is_empty() && listing.skip == 0;
        // In most lists nearly all are admitted, so that the first step is all that is needed.
        let mut limit = most;
        let (mut found, mut skip, mut examined) = (Vec::new(), listing.skip, 0);
        let id = |stored: &Versioned<R::Record>| Place::Id(stored.id.clone());
        loop {
            let step =
                self.repository().page::<R::Record>(&prefix, after, limit, self.now()).await?;
            let is_last = step.len() < limit;
            after = step.last().map(|stored| stored.id.clone());
            examined += step.len();
            for stored in step {
                if !listing.admits::<R>(&stored) {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                found.push(stored);
                if found.len() == most {
                    return Ok(self.page_of::<R, _>(listing, found, id));
                }
            }
            if is_last {
                return Ok(self.page_of::<R, _>(listing, found, id));
            }
            if examined >= MOST_EXAMINED && !is_all {
                if listing.skip > 0 {
                    return Err(too_far());
                }
                return Ok(self.early_end::<R>(listing, &found, after.map(Place::Id)));
            }
            limit = STEP;
        }
    }

    /// A page that ends before it is full: `last` is what was read last.
    pub(super) fn early_end<R: Resource>(
        &self,
        listing: &Listing,
        found: &[Versioned<R::Record>],
        last: Option<Place>,
    ) -> Listed {
        Listed {
            documents: found.iter().map(shown::<R>).collect(),
            end_cursor: last.and_then(|place| self.cursor::<R>(listing, &place)),
        }
    }

    /// How many there are that `listing` admits; `None` if they are too many to be counted.
    pub(crate) async fn count_admitted<R: Resource>(
        &self,
        listing: &Listing,
    ) -> Result<Option<u64>, ListError> {
        let (prefix, mut after) = (listing.prefix::<R>(), None);
        if prefix.is_empty() && listing.conditions.is_empty() {
            return Ok(Some(self.count_all(R::Record::KIND).await?));
        }
        let (mut count, mut examined) = (0, 0);
        loop {
            let step =
                self.repository().page::<R::Record>(&prefix, after, STEP, self.now()).await?;
            let is_last = step.len() < STEP;
            after = step.last().map(|stored| stored.id.clone());
            examined += step.len();
            for stored in &step {
                count += u64::from(listing.admits::<R>(stored));
            }
            if is_last {
                return Ok(Some(count));
            }
            if examined >= MOST_EXAMINED {
                return Ok(None);
            }
        }
    }

    /// How many records of `kind` there are.
    pub(super) async fn count_all(&self, kind: Kind) -> Result<u64, StoreError> {
        let repository = self.repository();
        repository.store().count(repository.site(), kind, self.now()).await
    }

    /// Those of `choices` that are there and admitted, sorted, by their ids without an order.
    pub(crate) async fn those<R: Resource>(
        &self,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError> {
        let by_id = Sort { by: SortAttribute::Id, order: SortOrder::Ascending };
        let sort = listing.sort.unwrap_or(by_id);
        let mut least = Least { sort, most: choices.len(), after: None, kept: BTreeMap::new() };
        for choice in choices {
            let (repository, now) = (self.repository(), self.now());
            let found = match choice {
                Choice::Id(id) => {
                    repository.get::<R::Record>(&format!("{}{id}", R::PREFIX), now).await?
                }
                Choice::Name(name) => repository.find::<R::Record>(name, now).await?,
                Choice::Prefix(_) => None,
            };
            if let Some(stored) = found.filter(|stored| listing.admits::<R>(stored)) {
                least.offer(key_of::<R>(sort.by, &stored), stored.id.clone(), stored);
            }
        }
        Ok(least.kept.values().map(shown::<R>).collect())
    }

    /// The same of a kind whose documents are made of several kinds of records, and which has one
    /// order.
    pub(crate) async fn those_described<R: Resource>(
        &self,
        listing: &Listing,
        choices: &[Choice],
    ) -> Result<Vec<Value>, ListError> {
        if listing.sort.is_some() {
            return Err(ListError::Unsupported(Cause::Sorting));
        }
        let mut documents: Vec<Value> = Vec::new();
        for choice in choices {
            let Choice::Id(id) = choice else { continue };
            let found = R::described(self, id).await?.map(|found| found.with_meta());
            let found = found.filter(|document| listing.admits_document(document));
            documents.extend(found.filter(|document| !documents.contains(document)));
        }
        Ok(documents)
    }

    pub(super) fn sorted_page<R: Resource>(
        &self,
        listing: &Listing,
        least: Least<Versioned<R::Record>>,
    ) -> Listed {
        let (orders, found): (Vec<_>, Vec<_>) = least.kept.into_iter().unzip();
        let mut orders = orders.into_iter();
        self.page_of::<R, _>(listing, found, move |stored| match orders.next() {
            Some(order) => order.place(),
            None => Place::Id(stored.id.clone()),
        })
    }

    /// The first of `found`, which has one more than asked for if there is more.
    pub(super) fn page_of<R: Resource, P>(
        &self,
        listing: &Listing,
        mut found: Vec<Versioned<R::Record>>,
        place: P,
    ) -> Listed
    where
        P: FnMut(&Versioned<R::Record>) -> Place,
    {
        let there_is_more = found.len() > listing.first;
        found.truncate(listing.first);
        // Places come one by one, in order.
        let last = found.iter().map(place).last().filter(|_| there_is_more);
        Listed {
            documents: found.iter().map(shown::<R>).collect(),
            end_cursor: last.and_then(|place| self.cursor::<R>(listing, &place)),
        }
    }
}

pub(super) fn least<T>(
    listing: &Listing,
    sort: Sort,
    begin: Option<Place>,
) -> Result<Least<T>, ListError> {
    let after = match begin {
        Some(Place::Sorted(key, id)) => Some((key, id)),
        None => None,
        Some(_) => return Err(ListError::Cursor),
    };
    Ok(Least { sort, most: listing.first.saturating_add(1), after, kept: BTreeMap::new() })
}

pub(super) fn key_of<R: Resource>(by: SortAttribute, stored: &Versioned<R::Record>) -> SortKey {
    let facts = R::facts(own_id::<R>(stored), &stored.body);
    match by {
        SortAttribute::Id => SortKey::Name(own_id::<R>(stored).to_owned()),
        SortAttribute::Created => SortKey::Time(facts.created.0),
        SortAttribute::LastModified => SortKey::Time(facts.modified.max(facts.created).0),
        SortAttribute::Name => SortKey::Name(facts.name),
    }
}

/// What is left out lies beyond what one page reads.
pub(super) fn too_far() -> ListError {
    let text = "_page: too many resources would be read; follow the link next";
    ListError::Parameter(text.to_owned())
}
