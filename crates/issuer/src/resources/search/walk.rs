//! How a page is read.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{
    Filter, FilterAttribute, ListError, Listed, Listing, Sort, SortAttribute, SortOrder,
    cursor::{Place, SortKey},
};
use crate::{
    Issuer,
    records::{
        Account, login_name,
        repository::{Versioned, read},
    },
    resources::{
        Resource, UserDocument,
        kind::{own_id, shown},
    },
    store::{NameQuery, names},
};

/// Records that are read at a time.
const STEP: usize = 200;

/// The least so many of what it is offered, in order.
struct Least<T> {
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
    fn of(order: SortOrder, (key, id): (SortKey, String)) -> Self {
        match order {
            SortOrder::Ascending => Self::Up(key, id),
            SortOrder::Descending => Self::Down(Reverse((key, id))),
        }
    }

    fn place(self) -> Place {
        match self {
            Self::Up(key, id) | Self::Down(Reverse((key, id))) => Place::Sorted(key, id),
        }
    }
}

impl<T> Least<T> {
    fn offer(&mut self, key: SortKey, id: String, thing: T) {
        let order = Order::of(self.sort.order, (key, id));
        let after = self.after.clone().map(|after| Order::of(self.sort.order, after));
        if after.is_none_or(|after| order > after) {
            self.kept.insert(order, thing);
            if self.kept.len() > self.most {
                self.kept.pop_last();
            }
        }
    }
}

impl Issuer {
    /// All of one kind, in the order of the ids or sorted.
    pub(crate) async fn everything<R: Resource>(
        &self,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        let begin = self.begin_after(listing)?;
        let Some(sort) = sort else {
            let after = match begin {
                Some(Place::Id(id)) => Some(id),
                None => None,
                Some(_) => return Err(ListError::Cursor),
            };
            let most = listing.first.saturating_add(1);
            let found =
                self.repository().page::<R::Record>(R::PREFIX, after, most, self.now()).await?;
            return Ok(self.page_of::<R, _>(listing, found, |stored| Place::Id(stored.id.clone())));
        };
        let mut least = least(listing, sort, begin)?;
        let mut after = None;
        loop {
            let step =
                self.repository().page::<R::Record>(R::PREFIX, after, STEP, self.now()).await?;
            let is_last = step.len() < STEP;
            after = step.last().map(|stored| stored.id.clone());
            for stored in step {
                least.offer(key_of::<R>(sort.by, &stored), stored.id.clone(), stored);
            }
            if is_last {
                return Ok(self.sorted_page::<R>(listing, least));
            }
        }
    }

    /// The people whom a filter admits, in the order of the names that it looks at or sorted.
    pub(crate) async fn people(
        &self,
        listing: &Listing,
        filter: &Filter,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        let begin = self.begin_after(listing)?;
        let mut query = NameQuery {
            site: self.repository().site().clone(),
            kind: crate::store::Kind::Account,
            end: filter.how.end(),
            part: login_name(&filter.value),
            after: None,
            limit: STEP,
        };
        let mut sorted = match (sort, begin) {
            (Some(sort), begin) => Some((sort, least(listing, sort, begin)?)),
            (None, Some(Place::Name(name))) => {
                query.after = Some(name);
                None
            }
            (None, None) => None,
            (None, Some(_)) => return Err(ListError::Cursor),
        };
        let mut found: Vec<(String, Versioned<Account>)> = Vec::new();
        loop {
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            let is_last = step.len() < STEP;
            query.after = step.last().map(|named| named.name.clone());
            for named in step {
                let stored: Versioned<Account> = read(named.record)?;
                if !is_meant(filter.by, &query, &named.name, &stored.body) {
                    continue;
                }
                match &mut sorted {
                    None => found.push((named.name, stored)),
                    Some((sort, least)) => {
                        let key = key_of::<UserDocument>(sort.by, &stored);
                        least.offer(key, stored.id.clone(), stored);
                    }
                }
            }
            if is_last || (sorted.is_none() && found.len() > listing.first) {
                break;
            }
        }
        if let Some((_, least)) = sorted {
            return Ok(self.sorted_page::<UserDocument>(listing, least));
        }
        found.truncate(listing.first.saturating_add(1));
        let (names, people): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let mut names = names.into_iter();
        Ok(self.page_of::<UserDocument, _>(listing, people, move |_| {
            Place::Name(names.next().unwrap_or_default())
        }))
    }

    fn sorted_page<R: Resource>(
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
    fn page_of<R: Resource, P>(
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
            end_cursor: last.and_then(|place| self.cursor(listing, &place)),
        }
    }
}

fn least<T>(listing: &Listing, sort: Sort, begin: Option<Place>) -> Result<Least<T>, ListError> {
    let after = match begin {
        Some(Place::Sorted(key, id)) => Some((key, id)),
        None => None,
        Some(_) => return Err(ListError::Cursor),
    };
    Ok(Least { sort, most: listing.first.saturating_add(1), after, kept: BTreeMap::new() })
}

fn key_of<R: Resource>(by: SortAttribute, stored: &Versioned<R::Record>) -> SortKey {
    let facts = R::facts(own_id::<R>(stored), &stored.body);
    match by {
        SortAttribute::Created => SortKey::Time(facts.created.0),
        SortAttribute::LastModified => SortKey::Time(facts.modified.max(facts.created).0),
        SortAttribute::Name => SortKey::Name(facts.name),
    }
}

/// Whether `name` is what `account` is listed under. Somebody with two addresses that match is
/// listed once, under the first.
fn is_meant(by: FilterAttribute, query: &NameQuery, name: &str, account: &Account) -> bool {
    match by {
        FilterAttribute::UserName => login_name(&account.user_name) == name,
        FilterAttribute::Email => {
            let emails = account.emails.iter().map(|email| login_name(email));
            let first = emails
                .filter(|email| query.admits(email))
                .min_by_key(|email| query.end.order(email));
            first.is_some_and(|first| first == name)
        }
    }
}
