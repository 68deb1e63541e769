//! Pages of lists (`docs/contracts/curity.md` §5).

use castellan_issuer::resources::search::{Sort, SortAttribute, SortOrder};
use serde_json::{Value, json};

use super::{error::Failure, roster::Call};

/// Size of a page where the caller names none.
const DEFAULT: u32 = 50;

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Maximum number of items.
    pub(crate) first: usize,
    /// The cursor; `None` for the first page.
    pub(crate) after: Option<String>,
}

impl Page {
    /// The page that `first` and `after` of `call` ask for.
    ///
    /// # Errors
    /// [`Failure`] if `first` is not positive.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let first = match call.argument("first").as_i64() {
            None => i64::from(DEFAULT),
            Some(first) if first > 0 => first,
            Some(_) => return Err(Failure::invalid_argument("first must be at least 1")),
        };
        let most = i64::from(call.app.management().max_page);
        let after = call.text("after").filter(|cursor| !cursor.is_empty());
        Ok(Self {
            first: usize::try_from(first.min(most)).unwrap_or(1),
            after: after.map(ToOwned::to_owned),
        })
    }
}

/// An order is asked for by `sortBy` (`docs/contracts/curity.md` §4.3).
pub(crate) fn sort(sorting: &Value) -> Option<Sort> {
    let by = match sorting["sortBy"].as_str()? {
        "created" => SortAttribute::Created,
        "lastModified" => SortAttribute::LastModified,
        _ => SortAttribute::Name,
    };
    let order = match sorting["sortOrder"].as_str() {
        Some("ASCENDING") => SortOrder::Ascending,
        _ => SortOrder::Descending,
    };
    Some(Sort { by, order })
}

/// A cursor that was not made here, or was made for a list with other arguments.
pub(crate) fn wrong_cursor() -> Failure {
    Failure::invalid_argument("after is not a cursor of this list; start without one")
}

/// A connection of `nodes`. `total` is left out where it is not selected.
pub(crate) fn connection(
    nodes: impl IntoIterator<Item = Value>,
    end_cursor: Option<String>,
    total: Option<u64>,
) -> Value {
    let edges: Vec<Value> = nodes.into_iter().map(|node| json!({"node": node})).collect();
    let has_next = end_cursor.is_some();
    let mut shown = json!({
        "edges": edges,
        "pageInfo": {"hasNextPage": has_next},
    });
    shown["pageInfo"]["endCursor"] = end_cursor.map_or(Value::Null, Value::String);
    if let Some(total) = total {
        shown["totalCount"] = json!(total);
    }
    shown
}
