//! Answering the fields of queries and of the things they return.

use std::cell::Cell;
use std::sync::Arc;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{JsonMap, JsonValue};

use super::model::{Form, KINDS, Kind, PERSON, Reach, Relation};
use super::refused::Refused;
use super::store::{Changes, Filter, Node, Store};

/// Maximum number of fields in one response. Lists of lists grow faster than the text that requests
/// them.
const MOST_FIELDS: usize = 100_000;

/// How deep things may nest. Fragments nest deeper than the parser's limit can see.
const DEEPEST: usize = 8;

/// Maximum number of objects in one list.
const LONGEST_LIST: i64 = 500;

/// What one request reads and writes, and how much more it may ask for.
pub(crate) struct State<'a> {
    /// The data of the archive.
    pub(crate) store: &'a Store,
    left: Cell<usize>,
}

impl<'a> State<'a> {
    /// A repository for a new request.
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, left: Cell::new(MOST_FIELDS) }
    }

    /// `node` as an object that `depth` others enclose.
    pub(crate) fn object(&'a self, node: Arc<Node>, depth: usize) -> ResolvedValue<'a> {
        ResolvedValue::object(Thing { state: self, node, depth })
    }

    fn objects(&'a self, nodes: Vec<Arc<Node>>, depth: usize) -> ResolvedValue<'a> {
        // The executor has no brake: a list that fails on its way is what stops a large answer.
        let objects = nodes.into_iter().map(move |node| match self.left.get() {
            0 => Err(refusal(format!(
                "a response may contain at most {MOST_FIELDS} fields; request fewer"
            ))),
            _ => Ok(self.object(node, depth)),
        });
        ResolvedValue::List(Box::new(objects))
    }

    fn count_field(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }
}

/// The query type.
pub(crate) struct QueryRoot<'a>(pub(crate) &'a State<'a>);

impl ObjectValue for QueryRoot<'_> {
    fn type_name(&self) -> &'static str {
        "Query"
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let kind = match info.field_name() {
            "personBySubstring" => &PERSON,
            name => KINDS
                .into_iter()
                .find(|kind| kind.name == name)
                .ok_or_else(|| self.unknown_field_error(info))?,
        };
        let nodes = self.0.store.list(kind, &filter(kind, info.arguments())?);
        Ok(self.0.objects(nodes, 1))
    }
}

struct Thing<'a> {
    state: &'a State<'a>,
    node: Arc<Node>,
    depth: usize,
}

impl ObjectValue for Thing<'_> {
    fn type_name(&self) -> &str {
        self.node.kind.name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        self.state.count_field();
        let name = info.field_name();
        if name == "identifier" {
            return Ok(ResolvedValue::leaf(self.node.identifier.as_str()));
        }
        if let Some(relation) = self.node.kind.relation(name) {
            return self.related(relation);
        }
        match self.node.kind.scalar(name) {
            Some(_) => Ok(self
                .node
                .texts
                .get(name)
                .map_or_else(ResolvedValue::null, |text| ResolvedValue::leaf(text.as_str()))),
            None => Err(self.unknown_field_error(info)),
        }
    }
}

impl Thing<'_> {
    fn related(&self, relation: &'static Relation) -> Result<ResolvedValue<'_>, FieldError> {
        if self.depth >= DEEPEST {
            return Err(refusal(format!("the query may nest at most {DEEPEST} levels deep")));
        }
        let arrows = self.node.arrows.get(relation.name).map_or(&[][..], Vec::as_slice);
        let mut nodes = arrows.iter().filter_map(|to| self.state.store.get(relation.target, to));
        let depth = self.depth + 1;
        Ok(match relation.reach {
            Reach::Many => self.state.objects(nodes.collect(), depth),
            Reach::One => {
                nodes.next().map_or_else(ResolvedValue::null, |node| self.state.object(node, depth))
            }
        })
    }
}

fn filter(kind: &'static Kind, arguments: &JsonMap) -> Result<Filter, FieldError> {
    let text = |name: &str| arguments.get(name).and_then(JsonValue::as_str).map(str::to_owned);
    let texts = changes(kind, arguments)?.into_iter();
    let first = count(arguments, "first", 50)?.min(LONGEST_LIST);
    Ok(Filter {
        identifier: arguments.get("identifier").and_then(id),
        texts: texts.filter_map(|(name, text)| Some((name, text?))).collect(),
        substring: text("substring"),
        offset: usize::try_from(count(arguments, "offset", 0)?).unwrap_or(usize::MAX),
        first: usize::try_from(first).unwrap_or_default(),
    })
}

/// A scalar that is not among the arguments stays as it is; one that is null becomes null.
pub(crate) fn changes(kind: &'static Kind, arguments: &JsonMap) -> Result<Changes, Refused> {
    let given = kind.scalars().filter_map(|scalar| Some((scalar, arguments.get(scalar.name)?)));
    given
        .map(|(scalar, value)| {
            let text = match scalar.form {
                Form::Date if value.is_object() => Some(date(value).ok_or(Refused::NoDate)?),
                Form::Date if !value.is_null() && !value.is_string() => {
                    return Err(Refused::NoDate);
                }
                _ => value.as_str().map(str::to_owned),
            };
            Ok((scalar.name, text))
        })
        .collect()
}

/// `1815-12-10`, or less of it, of `{year: 1815, month: 12, day: 10}`, or less of that.
fn date(value: &JsonValue) -> Option<String> {
    let members = value.as_object()?;
    let part = |name: &str, most: u64| match members.get(name) {
        None | Some(JsonValue::Null) => Some(None),
        Some(number) => number.as_u64().filter(|number| *number <= most).map(Some),
    };
    match (part("year", 9_999)?, part("month", 12)?, part("day", 31)?) {
        (Some(year), None, None) => Some(format!("{year:04}")),
        (Some(year), Some(month), None) => Some(format!("{year:04}-{month:02}")),
        (Some(year), Some(month), Some(day)) => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

/// An explicit null means the same as no argument, so the default is written here again.
fn count(arguments: &JsonMap, name: &str, default: i64) -> Result<i64, FieldError> {
    match arguments.get(name).and_then(JsonValue::as_i64).unwrap_or(default) {
        count if count < 0 => Err(refusal(format!("{name} must not be negative"))),
        count => Ok(count),
    }
}

/// An `ID`, which a caller may also write as a whole number.
pub(crate) fn id(value: &JsonValue) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

fn refusal(message: impl Into<String>) -> FieldError {
    FieldError { message: message.into() }
}
