//! What a query asks for, by parameters or as the body of a search (RFC 7644 §§3.4.2, 3.4.3; RFC 9865).

use serde_json::Value;

use super::{
    ScimMethod, ScimRequest,
    error::ScimError,
    filter::{self, Filter},
    patch::member,
    schema::{Named, Type},
    selection::Selection,
};

/// Resources on a page, unless a query says otherwise.
pub(super) const COUNT: usize = 100;
/// Resources on a page at most.
pub(super) const MOST_COUNT: usize = 200;

const NAMES: [&str; 8] = [
    "attributes",
    "excludedAttributes",
    "filter",
    "sortBy",
    "sortOrder",
    "startIndex",
    "count",
    "cursor",
];

/// A query for resources of one kind.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub kind: &'static Type,
    pub filter: Option<Filter>,
    /// By which attribute, and whether the greatest comes first.
    pub sort: Option<(Named, bool)>,
    /// How many resources are left out first.
    pub skip: usize,
    pub count: usize,
    /// The page is asked for by a cursor; the first one by an empty one.
    pub cursor: Option<String>,
    pub selection: Selection,
    /// What the question is, whichever page of it: cursors are good for it alone.
    pub question: String,
}

/// The parameters of a request, by their names.
#[derive(Debug, Default)]
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    fn of(request: &ScimRequest) -> Result<Self, ScimError> {
        let mut all = Self::default();
        if request.method == ScimMethod::Post {
            if let Some((name, _)) = request.parameters.first() {
                let text = format!("{name:.64}: a search has its parameters in the body");
                return Err(ScimError::value(text));
            }
            let Value::Object(members) = &request.body else {
                return Err(ScimError::syntax("the body must be an object: a SearchRequest"));
            };
            for (name, value) in members {
                if !name.eq_ignore_ascii_case("schemas") && !value.is_null() {
                    all.add(name, text_of(name, value)?)?;
                }
            }
        } else {
            for (name, value) in &request.parameters {
                all.add(name, value.clone())?;
            }
        }
        Ok(all)
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), ScimError> {
        let shown: String = name.chars().take(64).collect();
        let known = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| {
            ScimError::value(format!(
                "{shown:?} is not a parameter; there are {}",
                NAMES.join(", ")
            ))
        })?;
        if self.get(known).is_some() {
            return Err(ScimError::value(format!("{known}: must not be repeated")));
        }
        self.0.push((known, value));
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, ScimError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| ScimError::value(format!("{name}: must be a number")))
            })
            .transpose()
    }

    fn selection(&self, kind: &'static Type, is_lenient: bool) -> Result<Selection, ScimError> {
        let (attributes, excluded) = (self.get("attributes"), self.get("excludedAttributes"));
        Selection::read(kind, attributes, excluded, is_lenient)
    }
}

/// A member of a search as the parameter that it is.
fn text_of(name: &str, value: &Value) -> Result<String, ScimError> {
    let wrong = || ScimError::value(format!("{name:.64}: must be a string, a number or strings"));
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Array(names) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Ok(names.ok_or_else(wrong)?.join(","))
        }
        _ => Err(wrong()),
    }
}

impl Query {
    /// The query for resources of `kind`. One for several kinds (`is_lenient`) can name attributes that
    /// others have.
    pub(super) fn read(
        kind: &'static Type,
        request: &ScimRequest,
        is_lenient: bool,
    ) -> Result<Self, ScimError> {
        let parameters = Parameters::of(request)?;
        let filter = parameters.get("filter").filter(|text| !text.is_empty());
        let count = match parameters.number("count")? {
            // Less than nothing is nothing (RFC 7644 §3.4.2.4).
            Some(count) => usize::try_from(count.max(0)).unwrap_or(MOST_COUNT).min(MOST_COUNT),
            None => COUNT,
        };
        let start = parameters.number("startIndex")?.unwrap_or(1).max(1);
        let cursor = parameters.get("cursor").map(ToOwned::to_owned);
        if cursor.is_some() && parameters.get("startIndex").is_some() {
            return Err(ScimError::value("startIndex and cursor exclude each other"));
        }
        if cursor.is_some() && count == 0 {
            return Err(ScimError::value("count: must be at least 1 with a cursor"));
        }
        let descends = match parameters.get("sortOrder") {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => {
                return Err(ScimError::value("sortOrder: must be ascending or descending"));
            }
        };
        let sort = match parameters.get("sortBy").filter(|name| !name.is_empty()) {
            Some(name) => Some((super::sort::by(kind, name)?, descends)),
            None => None,
        };
        let question = format!(
            "scim {} {:?} {:?} {descends}",
            kind.name,
            filter.unwrap_or_default(),
            parameters.get("sortBy").unwrap_or_default().to_ascii_lowercase(),
        );
        Ok(Self {
            kind,
            filter: filter.map(|text| filter::filter(kind, text)).transpose()?,
            sort,
            skip: usize::try_from(start - 1).unwrap_or(usize::MAX),
            count,
            cursor,
            selection: parameters.selection(kind, is_lenient)?,
            question,
        })
    }

    /// Which attributes a request for one resource of `kind` wants to see.
    pub(super) fn selection_of(
        kind: &'static Type,
        request: &ScimRequest,
    ) -> Result<Selection, ScimError> {
        let mut parameters = Parameters::default();
        for (name, value) in &request.parameters {
            parameters.add(name, value.clone())?;
        }
        if let Some((name, _)) = parameters.0.iter().find(|(name, _)| !name.ends_with("ttributes"))
        {
            return Err(ScimError::value(format!("{name}: is not a parameter of this operation")));
        }
        parameters.selection(kind, false)
    }

    /// Whether resources of both kinds can be asked for so: everything, in no order.
    pub(super) fn check_plain(request: &ScimRequest) -> Result<(), ScimError> {
        let named = |name: &str| {
            request.parameters.iter().any(|(one, _)| one.eq_ignore_ascii_case(name))
                || member(&request.body, name).is_some_and(|value| !value.is_null())
        };
        match ["filter", "sortBy", "cursor"].into_iter().find(|name| named(name)) {
            None => Ok(()),
            Some(name) => Err(ScimError::new(
                501,
                format!(
                    "{name}: is not supported for several types at once; search /Users or /Groups"
                ),
            )),
        }
    }
}
