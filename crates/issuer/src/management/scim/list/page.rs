//! One page of a list: by its place, or by a cursor (RFC 9865).

use serde_json::{Value, json};

use super::{
    Listable, Memberships, list_response,
    walk::{MOST_EXAMINED, Walk},
};
use crate::{
    Issuer,
    management::scim::{
        error::ScimError,
        filter::{Choice, choices},
        query::Query,
        sort::Key,
    },
    records::repository::Versioned,
};

/// One page.
pub(super) struct Page<T> {
    pub found: Vec<Versioned<T>>,
    /// How many there are on all pages, where that is known.
    pub total: Option<u64>,
    /// Where the next page begins, if pages follow by cursors.
    next: Option<String>,
}

/// Where a page begins that a cursor asks for.
enum Place {
    /// After this id.
    Id(String),
    /// After this many entries.
    Number(usize),
}

impl Place {
    fn text(&self) -> String {
        match self {
            Self::Id(id) => format!("i{id}"),
            Self::Number(number) => format!("n{number}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("i", id) => Some(Self::Id(id.to_owned())),
            ("n", number) => Some(Self::Number(number.parse().ok()?)),
            _ => None,
        }
    }
}

impl<T> Page<T> {
    /// The answer with `resources`.
    pub(super) fn answer(self, query: &Query, resources: Vec<Value>) -> Value {
        let mut body = list_response(self.total, query.skip.saturating_add(1), resources);
        if query.cursor.is_some()
            && let Some(members) = body.as_object_mut()
        {
            // Pages that follow by cursors have no place.
            members.shift_remove("startIndex");
        }
        if let Some(next) = self.next {
            body["nextCursor"] = json!(next);
        }
        body
    }
}

/// What is read, and how.
struct Reading<'a> {
    issuer: &'a Issuer,
    query: &'a Query,
    choices: Option<Vec<Choice>>,
    memberships: &'a Memberships,
    base: String,
}

impl Issuer {
    /// The page that `query` asks for.
    pub(super) async fn scim_page<T: Listable>(
        &self,
        query: &Query,
        memberships: &Memberships,
    ) -> Result<Page<T>, ScimError> {
        let abilities = self.repository().store().abilities();
        let found_by = query.filter.as_ref();
        let choices =
            found_by.and_then(|filter| choices(query.kind.name, filter, abilities.shortest_start));
        if choices.is_none() && !abilities.lists_all && !self.settings().allow_table_scans {
            let text = "The data source gives no lists without a filter by id, userName, externalId, \
                        emails, groups, displayName or members; data.allow_table_scans lets it";
            return Err(ScimError::too_many(text));
        }
        if choices.is_none() && query.sort.is_some() && !abilities.sorts {
            return Err(ScimError::new(501, "sortBy: the data source does not sort"));
        }
        let is_listed = |choice: &Choice| matches!(choice, Choice::Listed(..));
        if choices.iter().flatten().any(is_listed) && query.kind.name == "User" {
            self.scim_needs_index().await?;
        }
        let place = match query.cursor.as_deref() {
            None | Some("") => None,
            Some(cursor) => {
                let place = self.open_cursor(&query.question, cursor);
                Some(place.as_deref().and_then(Place::read).ok_or_else(ScimError::cursor)?)
            }
        };
        let base = self.scim_base();
        let reading = Reading { issuer: self, query, choices, memberships, base };
        match place {
            Some(Place::Number(skip)) => reading.by_number(skip).await,
            Some(Place::Id(id)) => reading.by_id(Some(id)).await,
            None if query.cursor.is_some() && reading.goes_by_id() => reading.by_id(None).await,
            None => reading.by_number(query.skip).await,
        }
    }
}

impl Reading<'_> {
    fn goes_by_id(&self) -> bool {
        self.query.sort.is_none() && Walk::is_by_id(self.choices.as_deref())
    }

    fn shown<T: Listable>(&self, stored: &Versioned<T>) -> Value {
        let mut shown = T::shown(&self.base, stored);
        if self.query.kind.name == "Group" {
            self.memberships.add_to(&mut shown);
        }
        shown
    }

    fn admits<T: Listable>(&self, stored: &Versioned<T>) -> bool {
        self.query.filter.as_ref().is_none_or(|filter| filter.admits(&self.shown(stored)))
    }

    fn seal(&self, place: &Place) -> String {
        self.issuer.seal_cursor(&self.query.question, &place.text())
    }

    /// A page after an id: it costs the same at any depth.
    async fn by_id<T: Listable>(&self, after: Option<String>) -> Result<Page<T>, ScimError> {
        let is_first = after.is_none();
        let mut walk = Walk::over(self.choices.as_deref(), after.as_deref());
        if self.query.filter.is_none() {
            walk = walk.by(self.query.count + 1);
        }
        let mut found: Vec<Versioned<T>> = Vec::new();
        while let Some(step) = walk.next::<T>(self.issuer).await? {
            let last = step.last().map(|stored| stored.id.clone());
            found.extend(step.into_iter().filter(|stored| self.admits(stored)));
            if found.len() > self.query.count {
                found.truncate(self.query.count);
                let place = found.last().map(|stored| Place::Id(stored.id.clone()));
                let total = self.total_of_all::<T>().await?;
                return Ok(Page { found, total, next: place.map(|place| self.seal(&place)) });
            }
            if walk.is_long() {
                // Few of many are admitted: the next page goes on from here.
                let next = last.map(|id| self.seal(&Place::Id(id)));
                return Ok(Page { found, total: None, next });
            }
        }
        let total = is_first.then_some(found.len() as u64);
        let total = if total.is_some() { total } else { self.total_of_all::<T>().await? };
        Ok(Page { found, total, next: None })
    }

    /// How many there are, if that needs no looking at each of them.
    async fn total_of_all<T: Listable>(&self) -> Result<Option<u64>, ScimError> {
        if self.query.filter.is_some() {
            return Ok(None);
        }
        let (repository, now) = (self.issuer.repository(), self.issuer.now());
        Ok(Some(repository.store().count(repository.site(), T::KIND, now).await?))
    }

    /// The page that begins after `skip` entries, which are read as well.
    async fn by_number<T: Listable>(&self, skip: usize) -> Result<Page<T>, ScimError> {
        let end = skip.saturating_add(self.query.count);
        if skip >= MOST_EXAMINED {
            let text = format!(
                "startIndex: must not be greater than {MOST_EXAMINED}; page by cursor (RFC 9865)"
            );
            return Err(ScimError::too_many(text));
        }
        let page = match (&self.query.sort, &self.query.filter) {
            (None, None) => self.of_all(skip, end).await?,
            (None, Some(_)) => self.admitted(skip, end).await?,
            (Some(_), _) => self.sorted(skip).await?,
        };
        let is_more = page.total.is_some_and(|total| end as u64 <= total && (end as u64) < total);
        let next = (self.query.cursor.is_some() && is_more).then(|| self.seal(&Place::Number(end)));
        Ok(Page { next, ..page })
    }

    /// Without a filter and an order, no more is read than the page and what is before it.
    async fn of_all<T: Listable>(&self, skip: usize, end: usize) -> Result<Page<T>, ScimError> {
        let total = self.total_of_all::<T>().await?;
        let mut walk = Walk::over(None, None).by(end);
        let mut all: Vec<Versioned<T>> = Vec::new();
        let mut passed = 0;
        while self.query.count > 0 && passed < end {
            let Some(step) = walk.next::<T>(self.issuer).await? else { break };
            for stored in step {
                if (skip..end).contains(&passed) {
                    all.push(stored);
                }
                passed += 1;
            }
        }
        Ok(Page { found: all, total, next: None })
    }

    async fn admitted<T: Listable>(&self, skip: usize, end: usize) -> Result<Page<T>, ScimError> {
        let mut found: Vec<Versioned<T>> = Vec::new();
        let mut total = 0;
        self.each::<T>(|stored| {
            if (skip..end).contains(&total) {
                found.push(stored);
            }
            total += 1;
        })
        .await?;
        Ok(Page { found, total: Some(total as u64), next: None })
    }

    /// Of what is not on the page, ids and what is sorted by are held alone.
    async fn sorted<T: Listable>(&self, skip: usize) -> Result<Page<T>, ScimError> {
        let Some((named, descends)) = &self.query.sort else {
            return Err(ScimError::value("sortBy is missing"));
        };
        let mut keys: Vec<(Key, String)> = Vec::new();
        self.each::<T>(|stored| {
            keys.push((Key::of(&T::shown(&self.base, &stored), named), stored.id));
        })
        .await?;
        keys.sort_by(|one, other| {
            one.0.order(&other.0, *descends).then_with(|| one.1.cmp(&other.1))
        });
        let total = keys.len() as u64;
        let repository = self.issuer.repository();
        let page = keys.into_iter().skip(skip).take(self.query.count);
        let keys: Vec<_> = page.map(|(_, id)| repository.key(T::KIND, &id)).collect();
        let found = repository.store().get_many(&keys, self.issuer.now()).await?;
        let found = found.into_iter().flatten().map(crate::records::repository::read::<T>);
        Ok(Page { found: found.collect::<Result<_, _>>()?, total: Some(total), next: None })
    }

    /// Shows everything that is admitted to `see`, unless that is more than is looked at.
    async fn each<T: Listable>(
        &self,
        mut see: impl FnMut(Versioned<T>) + Send,
    ) -> Result<(), ScimError> {
        let mut walk = Walk::over(self.choices.as_deref(), None);
        while let Some(step) = walk.next::<T>(self.issuer).await? {
            step.into_iter().filter(|stored| self.admits(stored)).for_each(&mut see);
            if walk.is_long() {
                let text = format!(
                    "More than {MOST_EXAMINED} resources would have to be looked at; filter by id, \
                     userName, externalId, emails, groups, displayName or members, or page by cursor \
                     without sortBy"
                );
                return Err(ScimError::too_many(text));
            }
        }
        Ok(())
    }
}
