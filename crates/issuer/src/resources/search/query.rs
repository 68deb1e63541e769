//! Searches as a query asks for them (`docs/contracts/aidbox.md` §1.2): what a kind defines, dot
//! expressions, pages and orders. What is not known is refused, since whoever asks would take all for
//! what they asked for.

use serde_json::Value;

use super::{Cause, ListError, Listed, Listing, Sort, SortAttribute, SortOrder};
use crate::{
    Issuer,
    resources::{
        ResourceKind,
        parameter::{Choice, Condition, How},
    },
};

/// Resources on a page, unless `_count` says otherwise.
const COUNT: usize = 100;
/// Resources on a page at most.
const MOST_COUNT: usize = 200;
/// Resources that `_page` leaves out at most; what comes later is reached by `next`.
const MOST_SKIPPED: usize = 2_000;

/// The parameters that every kind has.
pub const CONTROLS: [&str; 7] =
    ["_count", "_page", "_sort", "_elements", "_total", "_totalMethod", "_after"];

/// A search for resources of one kind.
#[derive(Clone, Debug)]
pub struct Search {
    kind: ResourceKind,
    listing: Listing,
    /// Which page it is, from 1, as far as the query says so.
    pub page: usize,
    total: Total,
    /// Nothing but how many there are is asked for.
    counts_only: bool,
    /// The members that are wanted; all if there are none.
    elements: Vec<String>,
}

/// Whether everything that is found is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Total {
    /// If that costs nothing.
    Free,
    /// No.
    None,
    /// Yes.
    Counted,
}

/// One page of what was found.
#[derive(Debug)]
pub struct Found {
    /// The documents, without secrets.
    pub documents: Vec<Value>,
    /// How many there are on all pages, where that is known.
    pub total: Option<u64>,
    /// How the next page is asked for; `None` on the last one.
    pub next: Option<Next>,
}

/// How a next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// With `_after`, at any depth at the same cost.
    After(String),
    /// With `_page` alone.
    Page,
}

impl Search {
    /// The search of `kind` that the parameters `pairs` ask for.
    ///
    /// # Errors
    /// [`ListError::Parameter`] naming the one that is wrong or not known.
    pub fn read<'a>(
        kind: ResourceKind,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ListError> {
        let mut search = Self {
            kind,
            listing: Listing::all(COUNT),
            page: 1,
            total: Total::Free,
            counts_only: false,
            elements: Vec::new(),
        };
        let mut seen = Vec::new();
        for (name, value) in pairs {
            if CONTROLS.contains(&name) {
                if seen.contains(&name) {
                    return Err(ListError::Parameter(format!("{name} must not be repeated")));
                }
                seen.push(name);
                search.control(name, value).map_err(ListError::Parameter)?;
            } else {
                let condition = condition(kind, name, value).map_err(ListError::Parameter)?;
                search.listing.conditions.push(condition);
            }
        }
        if search.counts_only && search.total == Total::Free {
            search.total = Total::Counted;
        }
        if search.listing.after.is_none() {
            // A cursor says by itself where a page begins.
            search.listing.skip = (search.page - 1).saturating_mul(search.listing.first);
        }
        if search.listing.skip > MOST_SKIPPED {
            return Err(ListError::Parameter(format!(
                "_page: at most {MOST_SKIPPED} resources can be left out; follow the link next"
            )));
        }
        Ok(search)
    }

    fn control(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<usize>().ok().filter(|number| *number > 0);
        match name {
            "_count" if value == "0" => {
                self.counts_only = true;
                self.listing.first = 1;
            }
            "_count" => {
                let count = number().filter(|count| *count <= MOST_COUNT);
                self.listing.first =
                    count.ok_or_else(|| format!("_count: must be 0 to {MOST_COUNT}"))?;
            }
            "_page" => {
                self.page = number().ok_or("_page: must be a number from 1")?;
            }
            "_sort" => self.listing.sort = sort(value)?,
            "_elements" => {
                self.elements = value.split(',').map(ToOwned::to_owned).collect();
                if self.elements.iter().any(String::is_empty) {
                    return Err("_elements: the name of a member is missing".to_owned());
                }
            }
            "_total" => {
                self.total = match value {
                    "none" => Total::None,
                    "estimate" | "accurate" => Total::Counted,
                    _ => return Err("_total: must be none, estimate or accurate".to_owned()),
                };
            }
            // What clients of older versions of Aidbox say in place of `_total`.
            "_totalMethod" => {
                self.total = match value {
                    "count" | "estimate" => Total::Counted,
                    _ => return Err("_totalMethod: must be count or estimate".to_owned()),
                };
            }
            _ => self.listing.after = Some(value.to_owned()).filter(|cursor| !cursor.is_empty()),
        }
        Ok(())
    }

    /// Resources on a page at most.
    #[must_use]
    pub const fn count(&self) -> usize {
        if self.counts_only { usize::MAX } else { self.listing.first }
    }

    /// Whether `_page` can ask for the page `page`.
    #[must_use]
    pub fn reaches(&self, page: usize) -> bool {
        page > 0 && (page - 1).saturating_mul(self.listing.first) <= MOST_SKIPPED
    }

    /// The few that can be meant, where values name them.
    fn choices(&self) -> Option<Vec<Choice>> {
        let (kind, conditions) = (self.kind, &self.listing.conditions);
        let together: Option<Vec<&str>> = kind
            .search_parameters()
            .iter()
            .map(|name| conditions.iter().find(|one| one.name == *name))
            .map(|condition| match &*condition?.values {
                [value] => Some(without_kind(value)),
                _ => None,
            })
            .collect();
        let together = together.filter(|values| !values.is_empty());
        if let Some(id) = together.and_then(|values| kind.id(&values)) {
            return Some(vec![Choice::Id(id)]);
        }
        conditions.iter().find_map(|condition| {
            let choices = condition.values.iter().map(|value| choice(kind, condition, value));
            let choices: Option<Vec<Choice>> = choices.collect();
            choices.filter(|all| !all.iter().any(|one| matches!(one, Choice::Prefix(_))))
        })
    }

    /// What the ids of all that can be meant begin with.
    fn prefix(&self) -> Option<String> {
        let (kind, conditions) = (self.kind, &self.listing.conditions);
        conditions.iter().find_map(|condition| match &*condition.values {
            [value] => match choice(kind, condition, value) {
                Some(Choice::Prefix(prefix)) => Some(prefix),
                _ => None,
            },
            _ => None,
        })
    }

    /// What is wanted of what was found.
    fn shown(&self, found: Found) -> Found {
        if self.counts_only {
            return Found { documents: Vec::new(), total: found.total, next: None };
        }
        let documents = found.documents.into_iter().map(|document| self.trim(document)).collect();
        Found { documents, ..found }
    }

    /// `document` with what is wanted of it.
    fn trim(&self, mut document: Value) -> Value {
        if !self.elements.is_empty()
            && let Some(members) = document.as_object_mut()
        {
            let always = ["resourceType", "id"];
            members.retain(|name, _| {
                always.contains(&&**name) || self.elements.iter().any(|one| one == name)
            });
        }
        document
    }
}

/// The id of a reference, with or without its kind.
fn without_kind(reference: &str) -> &str {
    reference.split_once('/').map_or(reference, |(_, id)| id)
}

fn choice(kind: ResourceKind, condition: &Condition, value: &str) -> Option<Choice> {
    match &*condition.name {
        "_id" => Some(Choice::Id(value.to_owned())),
        name => kind.any().choice(name, value),
    }
}

fn condition(kind: ResourceKind, name: &str, value: &str) -> Result<Condition, String> {
    if name == "_id" {
        return Condition::read(name, &["id"], How::Exact, value);
    }
    if let Some(path) = name.strip_prefix('.') {
        if path.split('.').any(str::is_empty) {
            return Err(format!("{name}: a member is missing"));
        }
        return Condition::read(name, &[path], How::Exact, value);
    }
    let defined = kind.parameters();
    if let Some(parameter) = defined.iter().find(|parameter| parameter.name == name) {
        return Condition::read(name, parameter.paths, parameter.how, value);
    }
    let names: Vec<&str> =
        defined.iter().map(|parameter| parameter.name).chain(["_id"]).chain(CONTROLS).collect();
    let name: String = name.chars().take(64).collect();
    Err(format!(
        "{name:?} is not a search parameter of {}; it has {}, and dot expressions such as .name",
        kind.as_str(),
        names.join(", ")
    ))
}

/// An order; `None` if it is that of the ids, which costs nothing.
fn sort(value: &str) -> Result<Option<Sort>, String> {
    let (name, order) = match value.strip_prefix('-') {
        Some(name) => (name, SortOrder::Descending),
        None => (value, SortOrder::Ascending),
    };
    let by = match name {
        "_id" => SortAttribute::Id,
        "_lastUpdated" => SortAttribute::LastModified,
        "createdAt" => SortAttribute::Created,
        "name" => SortAttribute::Name,
        _ => {
            let text = "_sort: must be one of _id, _lastUpdated, createdAt and name, with - before it \
                        to descend";
            return Err(text.to_owned());
        }
    };
    let is_as_stored = by == SortAttribute::Id && order == SortOrder::Ascending;
    Ok((!is_as_stored).then_some(Sort { by, order }))
}

impl Issuer {
    /// The page that `search` asks for.
    ///
    /// # Errors
    /// [`ListError::Unsupported`] if the data source does not do that, and the others as they say.
    pub async fn search(&self, search: &Search) -> Result<Found, ListError> {
        let mut listing = search.listing.clone();
        if let Some(choices) = search.choices() {
            return self.chosen(search, &choices).await;
        }
        listing.within = search.prefix();
        self.check_supported(search.kind, &listing)?;
        if listing.sort.is_some() && !self.repository().store().abilities().sorts {
            return Err(ListError::Unsupported(Cause::Sorting));
        }
        let Listed { documents, end_cursor } = self.listing(search.kind, &listing).await?;
        let is_whole = end_cursor.is_none() && listing.after.is_none();
        let total = match search.total {
            Total::None => None,
            // Nothing on a page beyond the last does not say how many there are before it.
            _ if is_whole && (listing.skip == 0 || !documents.is_empty()) => {
                u64::try_from(listing.skip.saturating_add(documents.len())).ok()
            }
            Total::Free => None,
            Total::Counted => search.kind.any().count(self, &listing).await?,
        };
        Ok(search.shown(Found { documents, total, next: end_cursor.map(Next::After) }))
    }

    /// The page of those that values name.
    async fn chosen(&self, search: &Search, choices: &[Choice]) -> Result<Found, ListError> {
        let Search { kind, listing, total, .. } = search;
        if listing.after.is_some() {
            return Err(ListError::Cursor);
        }
        let all = kind.any().chosen(self, listing, choices).await?;
        let count = u64::try_from(all.len()).ok().filter(|_| *total != Total::None);
        let there_is_more = all.len() > listing.skip.saturating_add(listing.first);
        let page = all.into_iter().skip(listing.skip).take(listing.first);
        let next = there_is_more.then_some(Next::Page);
        Ok(search.shown(Found { documents: page.collect(), total: count, next }))
    }
}
