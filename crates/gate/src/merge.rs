//! Puts one answer together from the upstream's, our own, and nulls for what was denied.
//!
//! What the upstream sent is passed on as it was written: numbers with all their digits, strings
//! with their escapes. Only the objects into which nulls are inserted are parsed at all.

use std::{borrow::Cow, fmt};

use http::StatusCode;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, value::RawValue};

use crate::json::push_string;

use crate::answer_memory::HeldAnswer;

/// A denied field, or one of which nothing was left, that would have run, as it appears in the answer.
#[derive(Clone, Debug)]
pub(crate) struct FieldError {
    pub(crate) path: Vec<String>,
    pub(crate) error: Value,
}

/// The upstream's response, if it was asked.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    /// An object or null. `None`: no `data` member, because the upstream refused the request.
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) errors: Vec<Box<RawValue>>,
    pub(crate) extensions: Option<Box<RawValue>>,
    pub(crate) status: StatusCode,
    /// The memory that it takes.
    pub(crate) held: HeldAnswer,
}

impl Upstream {
    /// Reads a response; `None` if it is not a GraphQL response.
    pub(crate) fn read(status: StatusCode, body: &[u8], held: HeldAnswer) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut read = Self { status, held, ..Self::default() };
        for (name, value) in serde_json::from_str::<Members<'_>>(text).ok()?.0 {
            match &*name {
                "data" => read.data = Some(value.to_owned()),
                "errors" => {
                    let errors: Option<Vec<&RawValue>> = serde_json::from_str(value.get()).ok()?;
                    read.errors = errors.into_iter().flatten().map(ToOwned::to_owned).collect();
                }
                "extensions" => read.extensions = Some(value.to_owned()),
                _ => {}
            }
        }
        match &read.data {
            None if read.errors.is_empty() => None,
            Some(data) if data.get() != "null" && !data.get().starts_with('{') => None,
            _ => Some(read),
        }
    }

    /// The placeholder for an upstream that was not asked.
    pub(crate) fn unasked() -> Self {
        Self { data: Some(to_raw(&Value::Object(Map::new()))), ..Self::default() }
    }

    /// Adds an error of our own.
    pub(crate) fn add_error(&mut self, error: &Value) {
        self.errors.push(to_raw(error));
    }
}

/// Why a response cannot be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeError {
    /// An object of the upstream's names a member twice.
    Ambiguous,
    /// It would be larger than allowed.
    TooLarge,
}

/// The response: `keys` in document order, each from the upstream, from Castellan, or null. Fails
/// if the nulls for denied fields would take more than `most` bytes: a list of the API gets one for
/// each of its items, under a key that the caller has chosen.
pub(crate) fn merge(
    keys: &[&str],
    upstream: &Upstream,
    mut local: Map<String, Value>,
    field_errors: &[FieldError],
    most: usize,
) -> Result<String, MergeError> {
    let mut left = most;
    let mut answer = String::new();
    let ours = field_errors.iter().map(|field_error| field_error.error.to_string());
    let mut errors =
        upstream.errors.iter().map(|error| error.get().into()).chain(ours.map(Cow::Owned));
    if let Some(first) = errors.next() {
        answer.extend(["\"errors\":[", &first]);
        errors.for_each(|error: Cow<'_, str>| answer.extend([",", &error]));
        answer.push_str("],");
    }
    if let Some(theirs) = &upstream.data {
        answer.push_str("\"data\":");
        let mut data = Node::Unread(theirs);
        if let Some(theirs) = data.open()? {
            let mut merged: Vec<Member<'_>> = Vec::with_capacity(keys.len());
            for key in keys {
                let is_denied = |one: &FieldError| matches!(&*one.path, [only] if only == key);
                let value = if field_errors.iter().any(is_denied) {
                    Some(Node::Null)
                } else if let Some(ours) = local.shift_remove(*key) {
                    Some(Node::Ours(ours))
                } else {
                    let at = theirs.iter().position(|(name, _)| name == key);
                    at.map(|at| theirs.swap_remove(at).1)
                };
                merged.extend(value.map(|value| (Cow::Borrowed(*key), value)));
            }
            data = Node::Object(merged);
            for field_error in field_errors.iter().filter(|one| one.path.len() > 1) {
                data.leave_null(&field_error.path, &mut left)?;
            }
        }
        // Otherwise the upstream's null has propagated to the root.
        data.write(&mut answer);
        answer.push(',');
    }
    if let Some(extensions) = &upstream.extensions {
        answer.extend(["\"extensions\":", extensions.get(), ","]);
    }
    answer.pop();
    Ok(format!("{{{answer}}}"))
}

/// Bytes that a null takes besides its key: a few in the response, about this many in memory.
const NULL: usize = 64;

/// A part of the answer.
enum Node<'a> {
    Null,
    /// As the upstream wrote it.
    Unread(&'a RawValue),
    Ours(Value),
    Array(Vec<Self>),
    Object(Vec<Member<'a>>),
}

type Member<'a> = (Cow<'a, str>, Node<'a>);

impl<'a> Node<'a> {
    /// Reads one level of what is not read yet, and returns its members if it is an object.
    fn open(&mut self) -> Result<Option<&mut Vec<Member<'a>>>, MergeError> {
        if let Self::Unread(raw) = self {
            // The text is valid JSON, so the only errors are a name that occurs twice or is not
            // valid text.
            let ambiguous = |_| MergeError::Ambiguous;
            match raw.get().as_bytes().first() {
                Some(b'{') => {
                    let members = Members::deserialize(*raw).map_err(ambiguous)?.0;
                    let members = members.into_iter();
                    *self = Self::Object(
                        members.map(|(name, value)| (name, Self::Unread(value))).collect(),
                    );
                }
                Some(b'[') => {
                    let items = Vec::<&RawValue>::deserialize(*raw).map_err(ambiguous)?;
                    *self = Self::Array(items.into_iter().map(Self::Unread).collect());
                }
                _ => {}
            }
        }
        Ok(if let Self::Object(members) = self { Some(members) } else { None })
    }

    /// Sets `path` to null in every object that it leads through, as long as there are bytes `left`.
    fn leave_null(&mut self, path: &[String], left: &mut usize) -> Result<(), MergeError> {
        let Some((key, rest)) = path.split_first() else { return Ok(()) };
        if let Some(members) = self.open()? {
            let found = members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value);
            return match (found, rest) {
                (Some(below), [_, ..]) => below.leave_null(rest, left),
                (None, [_, ..]) => Ok(()),
                (found, []) => {
                    *left = left.checked_sub(key.len() + NULL).ok_or(MergeError::TooLarge)?;
                    match found {
                        Some(value) => *value = Self::Null,
                        None => members.push((Cow::Owned(key.clone()), Self::Null)),
                    }
                    Ok(())
                }
            };
        }
        match self {
            Self::Array(items) => items.iter_mut().try_for_each(|item| item.leave_null(path, left)),
            _ => Ok(()),
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Unread(raw) => out.push_str(raw.get()),
            Self::Ours(value) => out.push_str(&value.to_string()),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    push_string(out, name);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// The members of an object, no two of one name, with their values unread.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without duplicate keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
                names.sort_unstable();
                if names.windows(2).any(|two| two[0] == two[1]) {
                    return Err(serde::de::Error::custom("duplicate key"));
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(MembersVisitor)
    }
}

/// The name of a member, borrowed unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        from.deserialize_str(NameVisitor)
    }
}

/// `value` as it is written.
fn to_raw(value: &Value) -> Box<RawValue> {
    // Serialising a local value cannot fail.
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
