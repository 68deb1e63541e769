//! Operations of an `OpenAPI` document, version 3.0 or 3.1 (OAS §4.8.8 to §4.8.10).

use std::collections::{BTreeSet, HashSet};

use castellan_proto::scope::RequiredScope;
use http::Method;
use serde_json::{Map, Value};

use super::{
    lock::RestLock,
    map::{MOST, MapError, Operation, RestMap},
    naming::name,
    template::{Template, TemplateError},
};
use crate::{Drift, NamedBy};

/// Why an `OpenAPI` document cannot be decided by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenApiError {
    /// It is none, or of a version that is not known.
    #[error(
        "the document is not OpenAPI 3.0 or 3.1: `openapi` must be a version such as \"3.1.0\""
    )]
    Version,
    /// Something is not what it has to be.
    #[error("{place}: {what}")]
    Wrong {
        /// Where, as a path of members.
        place: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The path is no template.
    #[error("the path {path:?} {error}")]
    Template {
        /// Which path.
        path: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// No rule gives it a scope, and nothing may pass unnamed.
    #[error(
        "no scope can be derived for {0:?}; give it one with x-castellan-scope, or in \
         [guard.operations]"
    )]
    Unnamed(String),
    /// The scope that its owner set is another one than the lock file has.
    #[error(
        "{place:?} requires {now}, but the lock file says {locked}; if the new scope is intended, \
         remove the line from the lock file"
    )]
    Remapped {
        /// Which operation.
        place: String,
        /// What the settings say now.
        now: String,
        /// What was agreed before.
        locked: String,
    },
    /// The operations do not make a map.
    #[error(transparent)]
    Map(#[from] MapError),
}

/// A map made of a document.
#[derive(Debug)]
pub struct ReadOpenApi {
    /// What is decided by.
    pub map: RestMap,
    /// Where it and the lock file part.
    pub drifts: Vec<Drift>,
    /// What the document says that has no effect here, in sentences.
    pub notes: Vec<String>,
}

/// How deep references may lead.
const DEPTH: usize = 16;
const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];
/// The member of an operation that says which scope it requires.
const SCOPE: &str = "x-castellan-scope";

/// An operation as the document has it.
struct Described {
    method: Method,
    template: Template,
    tag: Option<String>,
    scope: Option<RequiredScope>,
}

/// Reads the operations of `document`, of which `own` override some and add others, and holds them
/// against what was `agreed` on.
///
/// # Errors
/// [`OpenApiError`] naming what cannot be decided by.
pub fn read_openapi(
    document: &Value,
    own: Vec<Operation>,
    agreed: &RestLock,
) -> Result<ReadOpenApi, OpenApiError> {
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !["3.0.", "3.1."].iter().any(|known| version.starts_with(known)) {
        return Err(OpenApiError::Version);
    }
    let mut reader = Reader {
        document,
        found: Vec::new(),
        notes: Vec::new(),
        open: 0,
        operations: HashSet::new(),
    };
    reader.read()?;
    reader.check_rules()?;
    let (described, notes) = (reader.found, reader.notes);
    let set: BTreeSet<String> = own.iter().map(Operation::key).collect();
    let mut operations = own;
    let mut drifts = Vec::new();
    for one in described {
        let place = format!("{} {}", one.method, one.template);
        let key = format!("{} {}", one.method, one.template.shape());
        if set.contains(&key) {
            continue;
        }
        let found = match &one.scope {
            Some(scope) => Some((scope.clone(), NamedBy::Directive)),
            None => name(&one.method, &one.template, one.tag.as_deref())
                .map(|scope| (scope, NamedBy::Rule)),
        };
        let Some((required, by)) = agree(&place, &key, found, agreed, &mut drifts)? else {
            continue;
        };
        operations.push(Operation::new(one.method, one.template, required, by)?);
    }
    for operation in &operations {
        let locked = agreed.get(&operation.key());
        remapped(operation.place(), &operation.required, operation.named_by, locked)?;
    }
    let map = RestMap::new(operations)?;
    Ok(ReadOpenApi { map, drifts, notes })
}

/// What an operation requires: what was `found`, unless something else was agreed on. `None` if it
/// stays closed.
fn agree(
    place: &str,
    key: &str,
    found: Option<(RequiredScope, NamedBy)>,
    agreed: &RestLock,
    drifts: &mut Vec<Drift>,
) -> Result<Option<(RequiredScope, NamedBy)>, OpenApiError> {
    let locked = agreed.get(key);
    Ok(match (found, locked) {
        // Where nothing was agreed on yet, its owner is asked first.
        (None, None) if agreed.is_empty() => return Err(OpenApiError::Unnamed(place.to_owned())),
        (None, None) => {
            drifts.push(Drift::Unmapped(place.to_owned()));
            None
        }
        (Some((now, NamedBy::Rule)), Some(locked)) if now != *locked => {
            let (field, now) = (place.to_owned(), Some(now));
            drifts.push(Drift::Kept { field, now, locked: locked.clone() });
            Some((locked.clone(), NamedBy::Lock))
        }
        (None, Some(locked)) => {
            let field = place.to_owned();
            drifts.push(Drift::Kept { field, now: None, locked: locked.clone() });
            Some((locked.clone(), NamedBy::Lock))
        }
        (Some(found), _) => Some(found),
    })
}

/// The owner's setting contradicts the owner's lock file: only the owner can say which is meant.
fn remapped(
    place: &str,
    now: &RequiredScope,
    by: NamedBy,
    locked: Option<&RequiredScope>,
) -> Result<(), OpenApiError> {
    let is_set = matches!(by, NamedBy::Override | NamedBy::Directive);
    match locked.filter(|locked| is_set && *locked != now) {
        Some(locked) => Err(OpenApiError::Remapped {
            place: place.to_owned(),
            now: now.to_string(),
            locked: locked.to_string(),
        }),
        None => Ok(()),
    }
}

struct Reader<'a> {
    document: &'a Value,
    found: Vec<Described>,
    notes: Vec<String>,
    /// How many operations want no security.
    open: usize,
    /// Where the operations are in memory.
    operations: HashSet<*const Map<String, Value>>,
}

fn wrong<T>(place: &str, what: &'static str) -> Result<T, OpenApiError> {
    Err(OpenApiError::Wrong { place: place.to_owned(), what })
}

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), OpenApiError> {
        let document = self.document;
        if document.get("servers").is_some() {
            let note = "`servers` is not read: `upstream` of the guard says where the API is";
            self.notes.push(note.to_owned());
        }
        let Some(paths) = document.get("paths") else { return Ok(()) };
        let Some(paths) = paths.as_object() else { return wrong("paths", "must be an object") };
        for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
            let template = Template::parse(path)
                .map_err(|error| OpenApiError::Template { path: path.clone(), error })?;
            let item = self.resolved(item, path)?;
            self.read_item(&template, item)?;
        }
        let is_open = document.get("security").is_some_and(wants_nothing);
        if self.open > 0 || is_open {
            let note = "`security: []` opens nothing by itself: set `public` of the guard for what \
                        everybody may use";
            self.notes.push(note.to_owned());
        }
        Ok(())
    }

    /// Refuses rules of ours that stand elsewhere than in an operation, or are misspelt: nobody would
    /// act upon them (`docs/security-cases.md` row 47).
    fn check_rules(&self) -> Result<(), OpenApiError> {
        let mut left = vec![(String::new(), self.document)];
        while let Some((place, value)) = left.pop() {
            match value {
                Value::Object(members) => {
                    for (name, value) in members {
                        let place =
                            format!("{place}{}{name}", if place.is_empty() { "" } else { "." });
                        let is_ours = name.to_ascii_lowercase().starts_with("x-castellan");
                        let is_rule =
                            name == SCOPE && self.operations.contains(&std::ptr::from_ref(members));
                        if is_ours && !is_rule {
                            return wrong(
                                &place,
                                "has no effect: x-castellan-scope stands in an operation",
                            );
                        }
                        left.push((place, value));
                    }
                }
                Value::Array(items) => {
                    left.extend(items.iter().map(|item| (place.clone(), item)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_item(
        &mut self,
        template: &Template,
        item: &'a Map<String, Value>,
    ) -> Result<(), OpenApiError> {
        let elsewhere = item.get("servers").is_some();
        for (name, method) in METHODS {
            let place = format!("paths.{template}.{name}");
            let Some(operation) = item.get(name) else { continue };
            let Some(operation) = operation.as_object() else {
                return wrong(&place, "must be an object");
            };
            if operation.contains_key("$ref") {
                return wrong(&place, "must be an operation, as references stand for path items");
            }
            self.operations.insert(std::ptr::from_ref(operation));
            if matches!(method, Method::OPTIONS | Method::TRACE) {
                let why = if method == Method::TRACE {
                    "is never let through"
                } else {
                    "is answered by the guard itself"
                };
                self.notes.push(format!("{place} {why}"));
                continue;
            }
            if elsewhere || operation.get("servers").is_some() {
                let why = "has a server of its own, and is not let through to `upstream`";
                self.notes.push(format!("{place} {why}"));
                continue;
            }
            if self.found.len() == MOST {
                return Err(MapError::TooMany(MOST).into());
            }
            self.open += usize::from(operation.get("security").is_some_and(wants_nothing));
            let tags = operation.get("tags").and_then(Value::as_array);
            let tag = tags.and_then(|tags| tags.first()).and_then(Value::as_str);
            let template = template.clone();
            let (tag, scope) = (tag.map(str::to_owned), scope_of(operation, &place)?);
            self.found.push(Described { method, template, tag, scope });
        }
        Ok(())
    }

    /// A path item, or what it refers to in the same document.
    fn resolved(
        &self,
        mut item: &'a Value,
        path: &str,
    ) -> Result<&'a Map<String, Value>, OpenApiError> {
        let place = format!("paths.{path}");
        for _ in 0..DEPTH {
            let Some(object) = item.as_object() else { return wrong(&place, "must be an object") };
            let Some(reference) = object.get("$ref") else { return Ok(object) };
            if METHODS.iter().any(|(name, _)| object.contains_key(*name)) {
                return wrong(
                    &place,
                    "has operations beside $ref, of which nobody says which count",
                );
            }
            let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
            let Some(pointer) = pointer else {
                return wrong(&place, "refers to another document; only `#/…` is followed");
            };
            let Some(next) = self.document.pointer(pointer) else {
                return wrong(&place, "refers to nothing");
            };
            item = next;
        }
        wrong(&place, "refers to itself, or too far")
    }
}

fn scope_of(
    operation: &Map<String, Value>,
    place: &str,
) -> Result<Option<RequiredScope>, OpenApiError> {
    let Some(scope) = operation.get(SCOPE) else { return Ok(None) };
    let text = scope.as_str().map(str::to_owned);
    match text.and_then(|text| RequiredScope::try_from(text).ok()) {
        Some(scope) => Ok(Some(scope)),
        None => wrong(place, "x-castellan-scope must be a scope such as \"Query:Order:List\""),
    }
}

/// Whether security requirements are met by nothing.
fn wants_nothing(security: &Value) -> bool {
    let is_empty = |one: &Value| one.as_object().is_some_and(Map::is_empty);
    security.as_array().is_some_and(|all| all.is_empty() || all.iter().any(is_empty))
}
