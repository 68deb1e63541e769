//! Reading what a filter can admit, some records at a time.

use std::collections::{HashSet, VecDeque};

use crate::{
    Issuer,
    management::scim::{error::ScimError, filter::Choice},
    records::{
        Account, ListingName,
        repository::{Stored, Versioned, read},
    },
    store::{Key, Kind, NameEnd, NameQuery, names},
};

/// Records that are read at a time.
const STEP: usize = 200;
/// Records that one query looks at at most.
pub(super) const MOST_EXAMINED: usize = 10_000;

/// What is left to be read.
enum Step {
    /// All of the kind, after the id.
    All(Option<String>),
    Id(String),
    Name(String),
    Listed(ListingName, String, Option<String>),
    /// By the beginning of a login name, after the name.
    Start(String, Option<String>),
    GroupsOf(String),
}

/// A walk over records, each of which comes once.
pub(super) struct Walk {
    steps: VecDeque<Step>,
    seen: HashSet<String>,
    examined: usize,
    limit: usize,
}

impl Walk {
    /// Over `choices`, or over all of a kind; after the id `after`, where what is walked over is in the
    /// order of ids.
    pub(super) fn over(choices: Option<&[Choice]>, after: Option<&str>) -> Self {
        let after = || after.map(ToOwned::to_owned);
        let steps = match choices {
            None => VecDeque::from([Step::All(after())]),
            Some(choices) => choices
                .iter()
                .map(|choice| match choice {
                    Choice::Id(id) => Step::Id(id.clone()),
                    Choice::Name(name) => Step::Name(name.clone()),
                    Choice::Listed(name, value) => Step::Listed(*name, value.clone(), after()),
                    Choice::Start(start) => Step::Start(start.clone(), None),
                    Choice::GroupsOf(id) => Step::GroupsOf(id.clone()),
                })
                .collect(),
        };
        Self { steps, seen: HashSet::new(), examined: 0, limit: STEP }
    }

    /// Whether what is walked over comes in the order of ids, so that it can go on after one.
    pub(super) fn is_by_id(choices: Option<&[Choice]>) -> bool {
        matches!(choices, None | Some([Choice::Listed(..)]))
    }

    /// Reads no more than `limit` at a time.
    pub(super) fn by(self, limit: usize) -> Self {
        Self { limit: limit.clamp(1, STEP), ..self }
    }

    /// Whether so much was read that it has to end.
    pub(super) const fn is_long(&self) -> bool {
        self.examined >= MOST_EXAMINED
    }

    /// The next records; none at the end.
    pub(super) async fn next<T: Stored>(
        &mut self,
        issuer: &Issuer,
    ) -> Result<Option<Vec<Versioned<T>>>, ScimError> {
        let Some(step) = self.steps.pop_front() else { return Ok(None) };
        let (repository, now) = (issuer.repository(), issuer.now());
        let limit = self.limit;
        let found: Vec<Versioned<T>> = match step {
            Step::All(after) => {
                let page = repository.page::<T>("", after, limit, now).await?;
                if let Some(last) = page.last().filter(|_| page.len() == limit) {
                    self.steps.push_front(Step::All(Some(last.id.clone())));
                }
                page
            }
            Step::Id(id) => repository.get::<T>(&id, now).await?.into_iter().collect(),
            Step::Name(name) => repository.find::<T>(&name, now).await?.into_iter().collect(),
            Step::Listed(name, value, after) => {
                let page = issuer.listed_by::<T>(name, &value, after.as_deref(), limit).await?;
                if let Some(last) = page.last().filter(|_| page.len() == limit) {
                    let after = Some(last.id.clone());
                    self.steps.push_front(Step::Listed(name, value, after));
                }
                page
            }
            Step::Start(start, after) => self.named(issuer, start, after).await?,
            Step::GroupsOf(id) => {
                let account = repository.get::<Account>(&id, now).await?;
                let groups = account.map(|stored| stored.body.groups).unwrap_or_default();
                let keys: Vec<Key> =
                    groups.iter().map(|group| repository.key(Kind::Group, group)).collect();
                let found = repository.store().get_many(&keys, now).await?;
                found.into_iter().flatten().map(read).collect::<Result<_, _>>()?
            }
        };
        self.examined += found.len();
        Ok(Some(found.into_iter().filter(|one| self.seen.insert(one.id.clone())).collect()))
    }

    async fn named<T: Stored>(
        &mut self,
        issuer: &Issuer,
        start: String,
        after: Option<String>,
    ) -> Result<Vec<Versioned<T>>, ScimError> {
        let query = NameQuery {
            site: issuer.repository().site().clone(),
            kind: T::KIND,
            end: NameEnd::Start,
            part: start.clone(),
            after,
            descending: false,
            limit: self.limit,
        };
        let page = names::page(issuer.repository().store(), &query, issuer.now()).await?;
        if let Some(last) = page.last().filter(|_| page.len() == self.limit) {
            self.steps.push_front(Step::Start(start, Some(last.name.clone())));
        }
        Ok(page.into_iter().map(|named| read(named.record)).collect::<Result<_, _>>()?)
    }
}
