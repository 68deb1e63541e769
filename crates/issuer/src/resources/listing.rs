//! What a list asks for, and what it gives.

use serde_json::Value;

use super::parameter::Condition;
use crate::store::{Abilities, NameEnd, StoreError};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Only those; all without it. People alone can be filtered.
    pub filter: Option<Filter>,
    /// Only those that meet all of them.
    pub conditions: Vec<Condition>,
    /// Only those whose ids begin so.
    pub within: Option<String>,
    /// How many of them to leave out first.
    pub skip: usize,
    /// In which order. Without it: in that of the names that are filtered by, or of the ids.
    pub sort: Option<Sort>,
    /// The greatest number of documents on the page.
    pub first: usize,
    /// [`Listed::end_cursor`] of the page before.
    pub after: Option<String>,
}

/// Which people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What is looked at.
    pub by: FilterAttribute,
    /// Which end of it.
    pub how: FilterType,
    /// What that end is, in any letter case.
    pub value: String,
}

/// What people can be filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAttribute {
    /// The name that they sign in with.
    UserName,
    /// Any of their e-mail addresses.
    Email,
}

/// How a filter compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterType {
    /// `STARTS_WITH`.
    StartsWith,
    /// `ENDS_WITH`.
    EndsWith,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what; the id decides between equals.
    pub by: SortAttribute,
    /// Which way.
    pub order: SortOrder,
}

/// What can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortAttribute {
    /// Its id.
    Id,
    /// When it was made.
    Created,
    /// When it was last changed.
    LastModified,
    /// What it is called: a person's user name, an app's name.
    Name,
}

/// Which way an order goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortOrder {
    /// The least first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

/// A page.
#[derive(Debug, Default)]
pub struct Listed {
    /// The documents, without secrets.
    pub documents: Vec<Value>,
    /// Where the next page begins; `None` on the last one. Good for the same question alone.
    pub end_cursor: Option<String>,
}

/// What the data source does not do (`docs/contracts/curity.md` §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It gives no list without a filter.
    #[error("At least 1 filter key must be defined")]
    FilteringAbsent,
    /// It does not look for endings.
    #[error("Filtering operator ends_with is not supported")]
    FilteringEndsWith,
    /// So short a beginning would be nearly everybody.
    #[error("The filter value does not contain enough characters to perform a starts_with search")]
    FilteringFilterTooSmall,
    /// It does not sort.
    #[error("Sorting is not supported")]
    Sorting,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The data source does not do that.
    #[error("{0}")]
    Unsupported(Cause),
    /// Only people have what is filtered by.
    #[error("only User can be filtered by userName and email")]
    NotFiltered,
    /// The cursor was not made here, or was made for a listing with other arguments.
    #[error("the cursor does not belong to this list; start without one")]
    Cursor,
    /// A search parameter is not known or has no such value.
    #[error("{0}")]
    Parameter(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Cause {
    /// Its code, as in `not-supported-cause`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FilteringAbsent => "FILTERING_ABSENT",
            Self::FilteringEndsWith => "FILTERING_ENDS_WITH",
            Self::FilteringFilterTooSmall => "FILTERING_FILTER_TOO_SMALL",
            Self::Sorting => "SORTING",
        }
    }
}

impl Abilities {
    /// What lists on such an engine are refused for, if nothing may be scanned or everything
    /// (`docs/contracts/curity.md` §10).
    #[must_use]
    pub fn unsupported(self, may_scan: bool) -> Vec<Cause> {
        [
            (self.lists_all || may_scan, Cause::FilteringAbsent),
            (self.ends_with, Cause::FilteringEndsWith),
            (self.shortest_start <= 1, Cause::FilteringFilterTooSmall),
            (self.sorts, Cause::Sorting),
        ]
        .into_iter()
        .filter_map(|(is_supported, cause)| (!is_supported).then_some(cause))
        .collect()
    }
}

impl FilterType {
    pub(super) const fn end(self) -> NameEnd {
        match self {
            Self::StartsWith => NameEnd::Start,
            Self::EndsWith => NameEnd::Finish,
        }
    }
}

impl Listing {
    /// Everything, `first` at a time.
    #[must_use]
    pub const fn all(first: usize) -> Self {
        Self {
            filter: None,
            conditions: Vec::new(),
            within: None,
            skip: 0,
            sort: None,
            first,
            after: None,
        }
    }

    /// The first thing that the data source cannot do, in the order of `docs/contracts/curity.md`
    /// §4.3. All of a kind that is `few` can be read in any case: there may be millions of people and
    /// of what they agreed to, and a few apps and keys.
    pub(super) fn refused(&self, abilities: Abilities, few: bool) -> Option<Cause> {
        let Some(filter) = &self.filter else {
            let refused = self.within.is_none() && !abilities.lists_all && !few;
            return refused.then_some(Cause::FilteringAbsent);
        };
        match filter.how {
            FilterType::EndsWith if !abilities.ends_with => Some(Cause::FilteringEndsWith),
            _ if self.sort.is_some() && !abilities.sorts => Some(Cause::Sorting),
            FilterType::StartsWith if filter.value.chars().count() < abilities.shortest_start => {
                Some(Cause::FilteringFilterTooSmall)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_refuses_is_told_beforehand() {
        use Cause::{FilteringAbsent, FilteringEndsWith, FilteringFilterTooSmall, Sorting};
        let all = [FilteringAbsent, FilteringEndsWith, FilteringFilterTooSmall, Sorting];
        assert_eq!(DYNAMODB.unsupported(false), all);
        assert_eq!(DYNAMODB.unsupported(true), all[1..]);
        assert_eq!(Abilities::ALL.unsupported(false), []);
    }

    const DYNAMODB: Abilities = Abilities {
        lists_all: false,
        ends_with: false,
        sorts: false,
        keeps_orders: false,
        folds_case: false,
        shortest_start: 3,
        most_names: 48,
    };

    fn listing(filter: Option<(FilterType, &str)>, is_sorted: bool) -> Listing {
        let sort = Sort { by: SortAttribute::Created, order: SortOrder::Ascending };
        Listing {
            filter: filter.map(|(how, value)| Filter {
                by: FilterAttribute::UserName,
                how,
                value: value.to_owned(),
            }),
            sort: is_sorted.then_some(sort),
            ..Listing::all(10)
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_in_the_documented_order() {
        use FilterType::{EndsWith, StartsWith};
        for (filter, is_sorted, may_scan, cause) in [
            (None, false, false, Some(Cause::FilteringAbsent)),
            (None, true, false, Some(Cause::FilteringAbsent)),
            (None, false, true, None),
            (None, true, true, None),
            (Some((EndsWith, "om")), false, false, Some(Cause::FilteringEndsWith)),
            (Some((EndsWith, "o")), true, true, Some(Cause::FilteringEndsWith)),
            (Some((StartsWith, "joh")), true, false, Some(Cause::Sorting)),
            (Some((StartsWith, "jo")), true, false, Some(Cause::Sorting)),
            (Some((StartsWith, "jo")), false, true, Some(Cause::FilteringFilterTooSmall)),
            (Some((StartsWith, "joh")), false, false, None),
            (Some((StartsWith, "éßü")), false, false, None),
        ] {
            let listing = listing(filter, is_sorted);
            assert_eq!(listing.refused(DYNAMODB, may_scan), cause, "{listing:?} {may_scan}");
            assert_eq!(listing.refused(Abilities::ALL, false), None, "{listing:?}");
        }
    }
}
