//! Lists of accounts in the order of their creation, of their last change or of their user names,
//! from the names that they have for that, and how accounts of before get these names.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    ListError, Listed, Listing, Sort, SortAttribute, SortOrder,
    cursor::{Place, SortKey},
    people::Meant,
    walk::{MOST_EXAMINED, STEP, key_of, too_far},
};
use crate::{
    Issuer,
    records::{
        Account,
        order::{AccountOrder, AccountsOrdered, with_orders},
        repository::{Versioned, read},
    },
    resources::{Condition, Resource},
    store::{Draft, Kind, NameEnd, NameQuery, Notice, PageQuery, StoreError, names},
};

/// Which accounts are read where the active ones and the others are listed: one that is activated or
/// deactivated in between is in one of the answers in any case.
const BOTH: [bool; 3] = [false, true, false];

/// Whether all accounts are known to have the names of all orders. That never changes back.
#[derive(Debug, Default)]
pub(crate) struct Ordered(AtomicBool);

/// A range of an order.
struct Range<'a> {
    order: AccountOrder,
    /// Active accounts, or the others.
    states: &'a [bool],
    /// What the places in it begin with.
    part: &'a str,
    /// After which place.
    after: Option<String>,
    descending: bool,
    /// Places that are read at a time.
    limit: usize,
}

impl Issuer {
    /// All accounts that are admitted, in the order of the ids or sorted.
    pub(crate) async fn all_people<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        match sort.filter(|sort| order_of(sort.by).is_some()) {
            Some(sort) if self.are_accounts_ordered().await? => {
                let begin = self.begin_after::<R>(listing)?;
                self.people_in_order::<R>(listing, (sort, ""), begin, None).await
            }
            _ => self.everything::<R>(listing, sort).await,
        }
    }

    /// The accounts that are admitted, sorted: in the order of `sort`, of those places that begin
    /// with `part`. Where few of many are admitted, a page ends before it is full, and the next one
    /// goes on from there.
    pub(super) async fn people_in_order<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
        (sort, part): (Sort, &str),
        begin: Option<Place>,
        meant: Option<Meant<'_>>,
    ) -> Result<Listed, ListError> {
        let state = listing.conditions.iter().find_map(Condition::active);
        let most = listing.first.saturating_add(1);
        let mut range = Range {
            order: order_of(sort.by).ok_or(ListError::Cursor)?,
            states: match state {
                Some(true) => &[true],
                Some(false) => &[false],
                None => &BOTH,
            },
            part,
            after: begin.map(place_of).transpose()?,
            descending: sort.order == SortOrder::Descending,
            limit: most.saturating_add(listing.skip).min(MOST_EXAMINED),
        };
        let place = |stored: &Versioned<Account>| {
            Place::Sorted(key_of::<R>(sort.by, stored), stored.id.clone())
        };
        let (mut found, mut skip, mut examined) = (Vec::new(), listing.skip, 0);
        let mut last = None;
        loop {
            let (step, is_last) = self.read_range(&mut range).await?;
            examined += step.len();
            last = step.last().map(place).or(last);
            range.limit = STEP;
            for stored in step {
                let is_meant = meant.is_none_or(|meant| meant.admits(&stored.body));
                if !is_meant || !listing.admits::<R>(&stored) {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                found.push(stored);
                if found.len() == most {
                    return Ok(self.page_of::<R, _>(listing, found, place));
                }
            }
            if is_last {
                return Ok(self.page_of::<R, _>(listing, found, place));
            }
            if examined >= MOST_EXAMINED {
                if listing.skip > 0 {
                    return Err(too_far());
                }
                return Ok(self.early_end::<R>(listing, &found, last));
            }
        }
    }

    /// How many accounts are admitted, without a filter; `None` if they are too many to be counted.
    /// Those that are active are all but the others, which are few as a rule.
    pub(crate) async fn count_all_people<R: Resource<Record = Account>>(
        &self,
        listing: &Listing,
    ) -> Result<Option<u64>, ListError> {
        let state = match &*listing.conditions {
            [one] if listing.within.is_none() => one.active(),
            _ => None,
        };
        if let Some(is_active) = state
            && self.are_accounts_ordered().await?
            && let Some(others) = self.count_inactive().await?
        {
            if !is_active {
                return Ok(Some(others));
            }
            return Ok(Some(self.count_all(Kind::Account).await?.saturating_sub(others)));
        }
        self.count_admitted::<R>(listing).await
    }

    /// How many accounts are not active; `None` if they are too many to be counted.
    async fn count_inactive(&self) -> Result<Option<u64>, StoreError> {
        let mut query = NameQuery {
            site: self.repository().site().clone(),
            kind: Kind::Account,
            end: NameEnd::Start,
            part: AccountOrder::Name.prefix(false),
            after: None,
            descending: false,
            limit: STEP,
        };
        let mut count = 0;
        loop {
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            count += step.len();
            if step.len() < STEP {
                return Ok(Some(count as u64));
            }
            if count >= MOST_EXAMINED {
                return Ok(None);
            }
            query.after = step.last().map(|named| named.name.clone());
        }
    }

    /// The next accounts of `range`, which then begins after them, and whether they are the last.
    async fn read_range(
        &self,
        range: &mut Range<'_>,
    ) -> Result<(Vec<Versioned<Account>>, bool), ListError> {
        // What is read later is how the account is now.
        let mut found: HashMap<String, (String, Versioned<Account>)> = HashMap::new();
        // Beyond the end of an answer that was cut, accounts are missing.
        let mut end: Option<String> = None;
        let is_beyond = |place: &str, end: &str| {
            if range.descending { place < end } else { place > end }
        };
        for is_active in range.states {
            let prefix = range.order.prefix(*is_active);
            let query = NameQuery {
                site: self.repository().site().clone(),
                kind: Kind::Account,
                end: NameEnd::Start,
                part: format!("{prefix}{}", range.part),
                after: range.after.as_ref().map(|place| format!("{prefix}{place}")),
                descending: range.descending,
                limit: range.limit,
            };
            let step = names::page(self.repository().store(), &query, self.now()).await?;
            if let Some(last) = step.last().filter(|_| step.len() == range.limit) {
                let last = &last.name[prefix.len()..];
                if end.as_ref().is_none_or(|end| is_beyond(end, last)) {
                    end = Some(last.to_owned());
                }
            }
            for named in step {
                let place = named.name[prefix.len()..].to_owned();
                let stored = read(named.record)?;
                found.insert(stored.id.clone(), (place, stored));
            }
        }
        let mut in_order: Vec<_> = found.into_values().collect();
        in_order.retain(|(place, _)| end.as_ref().is_none_or(|end| !is_beyond(place, end)));
        in_order.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if range.descending {
            in_order.reverse();
        }
        let is_last = end.is_none() && in_order.len() <= range.limit;
        if in_order.len() > range.limit {
            in_order.truncate(range.limit);
            end = in_order.last().map(|(place, _)| place.clone());
        }
        range.after = end;
        Ok((in_order.into_iter().map(|(_, stored)| stored).collect(), is_last))
    }

    /// Whether every account has the names of all orders, so that lists can be read from them.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub(crate) async fn are_accounts_ordered(&self) -> Result<bool, StoreError> {
        let known = &self.shared.accounts_ordered.0;
        if known.load(Ordering::Relaxed) {
            return Ok(true);
        }
        if !self.repository().store().abilities().keeps_orders {
            return Ok(false);
        }
        let done =
            self.repository().get::<AccountsOrdered>(AccountsOrdered::ID, self.now()).await?;
        if done.is_some() {
            known.store(true, Ordering::Relaxed);
        }
        Ok(done.is_some())
    }

    /// Gives every account of before the names of all orders. `true` if that is done, now or before;
    /// `false` if it has to wait until no older version writes accounts any more. Nothing about an
    /// account changes by it, and if it is interrupted, it can be begun again.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn order_accounts(&self) -> Result<bool, StoreError> {
        let store = self.repository().store();
        if !store.abilities().keeps_orders || self.are_accounts_ordered().await? {
            return Ok(true);
        }
        if store.admits_older().await? {
            return Ok(false);
        }
        let mut query = PageQuery {
            site: self.repository().site().clone(),
            kind: Kind::Account,
            prefix: String::new(),
            after: None,
            limit: STEP,
        };
        loop {
            let step = store.page(&query, self.now()).await?;
            let is_last = step.len() < STEP;
            query.after = step.last().map(|record| record.key.id.clone());
            for record in step {
                let key = &record.key;
                let unique = with_orders(&record.unique, key.kind, &key.id, &record.body, true);
                if unique == record.unique {
                    continue;
                }
                let (key, body, expires_at) = (record.key, record.body, record.expires_at);
                let draft = Draft { key, body, unique, expires_at };
                // Whoever writes it meanwhile gives it the names, too.
                store.replace(draft, record.version, Notice::Silent, self.now()).await?;
            }
            if is_last {
                break;
            }
        }
        let since = self.now();
        self.repository().insert(AccountsOrdered::ID, &AccountsOrdered { since }, since).await?;
        self.shared.accounts_ordered.0.store(true, Ordering::Relaxed);
        Ok(true)
    }
}

/// The order of accounts by `by`; they are kept by their ids in any case.
const fn order_of(by: SortAttribute) -> Option<AccountOrder> {
    match by {
        SortAttribute::Id => None,
        SortAttribute::Created => Some(AccountOrder::Created),
        SortAttribute::LastModified => Some(AccountOrder::Modified),
        SortAttribute::Name => Some(AccountOrder::Name),
    }
}

/// Where `place` is in the names of an order.
fn place_of(place: Place) -> Result<String, ListError> {
    match place {
        Place::Sorted(SortKey::Time(time), id) => {
            Ok(AccountOrder::place_of_time(castellan_proto::Timestamp(time), &id))
        }
        Place::Sorted(SortKey::Name(name), id) => Ok(AccountOrder::place_of_name(&name, &id)),
        _ => Err(ListError::Cursor),
    }
}
