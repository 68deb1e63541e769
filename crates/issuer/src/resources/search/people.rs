//! Lists of accounts by what they are called: the index of names has them in order.

use super::{
    Filter, FilterAttribute, ListError, Listed, Listing, Sort, SortAttribute, SortOrder,
    cursor::{Place, SortKey},
    login_names::{is_login_name, skip_listing_names},
    walk::{Least, MOST_EXAMINED, STEP, key_of, least},
};
use crate::{
    Issuer,
    records::{
        Account, login_name,
        repository::{Versioned, read},
    },
    resources::Resource,
    store::{NameEnd, NameQuery, names},
};

/// The order of accounts that are found by nothing.
const BY_NAME: Sort = Sort { by: SortAttribute::Name, order: SortOrder::Ascending };

/// Whether an account is to be listed under a name that matches.
pub(crate) type IsMeant = fn(&Filter, &NameQuery, &str, &Account) -> bool;

/// What a filter says about accounts.
#[derive(Clone, Copy)]
pub(super) struct Meant<'a> {
    filter: &'a Filter,
    query: &'a NameQuery,
    test: IsMeant,
}

impl Meant<'_> {
    /// Whether `account` is listed under `name`.
    fn has(self, name: &str, account: &Account) -> bool {
        (self.test)(self.filter, self.query, name, account)
    }

    /// Whether `account` is listed under any of its names.
    pub(super) fn admits(self, account: &Account) -> bool {
        let names = std::iter::once(&account.user_name).chain(&account.emails);
        let mut names = names.map(|name| login_name(name));
        names.any(|name| self.query.admits(&name) && self.has(&name, account))
    }
}

impl Issuer {
    /// The people whom a filter admits, in the order of the names that it looks at or sorted.
    pub(crate) async fn people<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        filter: &Filter,
        sort: Option<Sort>,
        is_meant: IsMeant,
    ) -> Result<Listed, ListError> {
        let begin = self.begin_after::<R>(listing)?;
        let query = self.names_for(filter);
        let meant = Meant { filter, query: &query, test: is_meant };
        // Where the text is empty, there is nothing to find them by.
        let is_of_all = query.part.is_empty() && self.repository().store().abilities().keeps_orders;
        let Some(sort) = sort.or(is_of_all.then_some(BY_NAME)) else {
            return self.people_by_name::<R>(listing, meant, begin).await;
        };
        let is_ordered = self.are_accounts_ordered().await?;
        let is_by_user_name = sort.by == SortAttribute::Name
            && (filter.by, query.end) == (FilterAttribute::UserName, NameEnd::Start);
        if is_ordered && (is_by_user_name || is_of_all) {
            // The user names that begin so are one range of that order.
            let part = if is_by_user_name { &*query.part } else { "" };
            return self.people_in_order::<R>(listing, (sort, part), begin, Some(meant)).await;
        }
        let most = if is_ordered { MOST_EXAMINED } else { usize::MAX };
        match self.least_people::<R>(listing, (sort, begin.clone()), meant, most).await? {
            Some(least) => Ok(self.sorted_page::<R>(listing, least)),
            // Many match, so that the order has one of them every now and then.
            None => self.people_in_order::<R>(listing, (sort, ""), begin, Some(meant)).await,
        }
    }

    /// Those whom a filter admits, in the order of the names that it looks at. Where few of many are
    /// admitted, a page ends before it is full, and the next one goes on from there.
    async fn people_by_name<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        meant: Meant<'_>,
        begin: Option<Place>,
    ) -> Result<Listed, ListError> {
        let after = match begin {
            Some(Place::Name(name)) => Some(name),
            None => None,
            Some(_) => return Err(ListError::Cursor),
        };
        let most = listing.first.saturating_add(1);
        let mut query = NameQuery { after, limit: most, ..meant.query.clone() };
        let mut found: Vec<(String, Versioned<Account>)> = Vec::new();
        let mut examined = 0;
        loop {
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            let is_last = step.len() < query.limit;
            examined += step.len();
            query.after = step.last().map(|named| named.name.clone());
            query.limit = STEP;
            skip_listing_names(&mut query);
            for named in step.into_iter().filter(|named| is_login_name(&named.name)) {
                let stored: Versioned<Account> = read(named.record)?;
                if meant.has(&named.name, &stored.body) && listing.admits::<R>(&stored) {
                    found.push((named.name, stored));
                }
            }
            if is_last || found.len() >= most {
                break;
            }
            if examined >= MOST_EXAMINED {
                let found: Vec<_> = found.into_iter().map(|(_, stored)| stored).collect();
                return Ok(self.early_end::<R>(listing, &found, query.after.map(Place::Name)));
            }
        }
        found.truncate(most);
        let (names, people): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let mut names = names.into_iter();
        Ok(self.page_of::<R, _>(listing, people, move |_| {
            Place::Name(names.next().unwrap_or_default())
        }))
    }

    /// The least of all that a filter admits; `None` if more than `most` names match.
    async fn least_people<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        (sort, begin): (Sort, Option<Place>),
        meant: Meant<'_>,
        most: usize,
    ) -> Result<Option<Least<Versioned<Account>>>, ListError> {
        let mut least = least(listing, sort, begin)?;
        let mut query = meant.query.clone();
        let mut examined = 0;
        loop {
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            let is_last = step.len() < query.limit;
            examined += step.len();
            query.after = step.last().map(|named| named.name.clone());
            skip_listing_names(&mut query);
            for named in step.into_iter().filter(|named| is_login_name(&named.name)) {
                let stored: Versioned<Account> = read(named.record)?;
                if meant.has(&named.name, &stored.body) && listing.admits::<R>(&stored) {
                    let key: SortKey = key_of::<R>(sort.by, &stored);
                    least.offer(key, stored.id.clone(), stored);
                }
            }
            if is_last {
                return Ok(Some(least));
            }
            if examined >= most {
                return Ok(None);
            }
        }
    }

    /// How many people a filter admits; `None` if they are too many to be counted.
    pub(crate) async fn count_people<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        filter: &Filter,
        is_meant: IsMeant,
    ) -> Result<Option<u64>, ListError> {
        let mut query = self.names_for(filter);
        let (mut count, mut examined) = (0, 0);
        loop {
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            let is_last = step.len() < query.limit;
            examined += step.len();
            query.after = step.last().map(|named| named.name.clone());
            skip_listing_names(&mut query);
            for named in step.into_iter().filter(|named| is_login_name(&named.name)) {
                let stored: Versioned<Account> = read(named.record)?;
                let is_one = is_meant(filter, &query, &named.name, &stored.body);
                count += u64::from(is_one && listing.admits::<R>(&stored));
            }
            if is_last {
                return Ok(Some(count));
            }
            if examined >= MOST_EXAMINED {
                return Ok(None);
            }
        }
    }

    /// The first names that `filter` can mean.
    fn names_for(&self, filter: &Filter) -> NameQuery {
        NameQuery {
            site: self.repository().site().clone(),
            kind: crate::store::Kind::Account,
            end: filter.how.end(),
            part: login_name(&filter.value),
            after: None,
            descending: false,
            limit: STEP,
        }
    }
}

/// Whether `name` is what `account` is listed under. Somebody with two addresses that match is
/// listed once, under the first.
pub(crate) fn by_any_address(
    filter: &Filter,
    query: &NameQuery,
    name: &str,
    account: &Account,
) -> bool {
    match filter.by {
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
