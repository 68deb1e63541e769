//! Which operation a method and a path mean, and the scope that it requires.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use castellan_proto::{Digest, scope::RequiredScope};
use http::Method;

use super::{
    path::{AmbiguousPath, segments},
    template::{Segment, Template, TemplateError},
};
use crate::{NamedBy, Root};

/// What a guard lets through at all. Nothing else reaches the service behind it.
#[derive(Debug)]
pub struct RestMap {
    operations: Vec<Operation>,
    root: Node,
    hash: Digest,
}

/// One operation of an API: a method on the paths of a template.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its method; that of reading also answers `HEAD`.
    pub method: Method,
    /// Its paths.
    pub template: Template,
    /// The scope that it requires.
    pub required: RequiredScope,
    /// Where that comes from.
    pub named_by: NamedBy,
    /// The first name of that scope.
    pub root: Root,
    place: String,
}

/// Why a map cannot be decided by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// It is not a method and a template.
    #[error("{0:?} is no operation; write a method and a path, such as \"GET /orders/{{id}}\"")]
    Place(String),
    /// The path is no template.
    #[error("the path of {place:?} {error}")]
    Template {
        /// Which operation.
        place: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// A method that no rule may let through.
    #[error("{place:?}: {method} {why}; remove it")]
    Method {
        /// Which operation.
        place: String,
        /// Its method.
        method: Method,
        /// Why not.
        why: &'static str,
    },
    /// A scope of another kind.
    #[error(
        "{place:?} requires {required}; the scope of an operation begins with Query or Mutation"
    )]
    RequiredScope {
        /// Which operation.
        place: String,
        /// Its scope.
        required: String,
    },
    /// Two operations of one method for the same paths.
    #[error("{one:?} and {other:?} are the same operation; remove one of them")]
    Same {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// A path that two templates fit equally well.
    #[error(
        "{one:?} and {other:?} fit some paths equally well, so that nobody can say which of them is \
         meant; change one of them"
    )]
    Rivals {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// More than can be held.
    #[error("there are more than {0} operations")]
    TooMany(usize),
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// This, with the values of the template's parameters.
    Operation(&'a Operation, Vec<String>),
    /// A path that is there, with another method.
    OtherMethods(Allowed<'a>),
    /// Nothing that is there.
    Nothing,
}

/// The methods that a path takes.
#[derive(Debug)]
pub(crate) struct Allowed<'a>(BTreeSet<&'a str>);

/// The templates that begin in the same way.
#[derive(Debug, Default)]
struct Node {
    fixed: BTreeMap<String, Self>,
    /// The keys of `fixed`, in lower case.
    folded: BTreeSet<String>,
    parameter: Option<Box<Self>>,
    /// The operations of the templates that end here, by method.
    here: BTreeMap<String, usize>,
}

/// Operations at most.
pub(super) const MOST: usize = 10_000;

impl Operation {
    /// The operation `place`, such as `GET /orders/{id}`.
    ///
    /// # Errors
    /// [`MapError`] if it is none that can be decided on.
    pub fn read(place: &str, required: RequiredScope, by: NamedBy) -> Result<Self, MapError> {
        let unreadable = || MapError::Place(place.to_owned());
        let (method, path) = place.split_once(' ').ok_or_else(unreadable)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| unreadable())?;
        if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(unreadable());
        }
        let template = Template::parse(path)
            .map_err(|error| MapError::Template { place: place.to_owned(), error })?;
        Self::new(method, template, required, by)
    }

    pub(super) fn new(
        method: Method,
        template: Template,
        required: RequiredScope,
        named_by: NamedBy,
    ) -> Result<Self, MapError> {
        let place = format!("{method} {template}");
        let why = match method {
            Method::OPTIONS => Some("is answered by the guard itself"),
            Method::TRACE => Some("would show callers what the guard tells the API"),
            Method::CONNECT => Some("is not a request to an API"),
            _ => None,
        };
        if let Some(why) = why {
            return Err(MapError::Method { place, method, why });
        }
        let root = match required.as_str().split(':').next() {
            Some("Query") => Root::Query,
            Some("Mutation") => Root::Mutation,
            _ => return Err(MapError::RequiredScope { place, required: required.to_string() }),
        };
        Ok(Self { method, template, required, named_by, root, place })
    }

    /// As it stands in a configuration: `GET /orders/{id}`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same for all spellings of one operation.
    pub(super) fn key(&self) -> String {
        format!("{} {}", self.method, self.template.shape())
    }
}

impl RestMap {
    /// A map of `operations`.
    ///
    /// # Errors
    /// [`MapError`] if a request could mean two of them.
    pub fn new(mut operations: Vec<Operation>) -> Result<Self, MapError> {
        if operations.len() > MOST {
            return Err(MapError::TooMany(MOST));
        }
        operations.sort_by(|one, other| one.place.cmp(&other.place));
        check_rivals(&operations)?;
        let mut root = Node::default();
        for (at, operation) in operations.iter().enumerate() {
            let node = root.at(&operation.template.segments);
            if let Some(before) = node.here.insert(operation.method.to_string(), at) {
                let (one, other) = (operations[before].place.clone(), operation.place.clone());
                return Err(MapError::Same { one, other });
            }
        }
        let table: String = operations
            .iter()
            .flat_map(|operation| [operation.place(), " ", operation.required.as_str(), "\n"])
            .collect();
        Ok(Self { operations, root, hash: Digest::of(table.as_bytes()) })
    }

    /// Every operation, sorted.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// Changes whenever an operation or a required scope does.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// What `method` on `path`, which is below the path of the guard, means.
    ///
    /// # Errors
    /// [`AmbiguousPath`] if the service behind the gate could read the path differently.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<Found<'_>, AmbiguousPath> {
        let segments = segments(path)?;
        let mut values = Vec::new();
        let Some(node) = self.root.find(&segments, &mut values) else { return Ok(Found::Nothing) };
        let read = || (*method == Method::HEAD).then(|| node.here.get("GET")).flatten();
        Ok(match node.here.get(method.as_str()).or_else(read) {
            Some(at) => {
                let values = values.into_iter().map(str::to_owned).collect();
                Found::Operation(&self.operations[*at], values)
            }
            None => Found::OtherMethods(Allowed::at(node)),
        })
    }
}

/// Refuses templates that are rivals. Those of other lengths, or that begin with other texts, are not.
fn check_rivals(operations: &[Operation]) -> Result<(), MapError> {
    let mut by_length: BTreeMap<usize, Vec<&Operation>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for operation in operations {
        if seen.insert(operation.template.shape()) {
            by_length.entry(operation.template.segments.len()).or_default().push(operation);
        }
    }
    for alike in by_length.values() {
        for (at, one) in alike.iter().enumerate() {
            if let Some(other) =
                alike[..at].iter().find(|other| one.template.rivals(&other.template))
            {
                let (one, other) = (one.place.clone(), other.place.clone());
                return Err(MapError::Rivals { one: other, other: one });
            }
        }
    }
    Ok(())
}

impl Node {
    /// The node of a template, made if it is not there.
    fn at(&mut self, segments: &[Segment]) -> &mut Self {
        segments.iter().fold(self, |node, segment| match segment {
            Segment::Fixed(text) => {
                node.folded.insert(text.to_ascii_lowercase());
                node.fixed.entry(text.clone()).or_default()
            }
            Segment::Parameter(_) => &mut **node.parameter.get_or_insert_default(),
        })
    }

    /// The node at which a template ends that fits, fixed segments before parameters.
    fn find<'a>(&self, segments: &'a [Cow<'_, str>], values: &mut Vec<&'a str>) -> Option<&Self> {
        let Some((first, rest)) = segments.split_first() else {
            return (!self.here.is_empty()).then_some(self);
        };
        let fixed = self.fixed.get(&**first);
        if let Some(found) = fixed.and_then(|node| node.find(rest, values)) {
            return Some(found);
        }
        let parameter = self.parameter.as_ref()?;
        // A service that reads letters of either case alike would take it for the fixed one.
        let is_other_case = fixed.is_none() && self.folded.contains(&first.to_ascii_lowercase());
        if first.is_empty() || is_other_case {
            return None;
        }
        values.push(first);
        let found = parameter.find(rest, values);
        if found.is_none() {
            values.pop();
        }
        found
    }
}

impl<'a> Allowed<'a> {
    fn at(node: &'a Node) -> Self {
        let mut methods: BTreeSet<&str> = node.here.keys().map(String::as_str).collect();
        if methods.contains("GET") {
            methods.insert("HEAD");
        }
        methods.insert("OPTIONS");
        Self(methods)
    }

    /// The value of `Allow` (RFC 9110 §10.2.1).
    pub(crate) fn text(&self) -> String {
        self.0.iter().copied().collect::<Vec<_>>().join(", ")
    }
}
