//! The engine `matcho`: a pattern that a request has to match, member by member
//! (`docs/contracts/aidbox.md` §8).
//!
//! Missing is not the same as different: a comparison with something that is missing neither holds
//! nor, inside of `$not`, makes the opposite hold. `nil?` alone is about what is missing.

mod read;
#[cfg(test)]
mod tests;

use std::fmt;

use regex::Regex;
use serde_json::Value;

use self::read::Fault;

/// A pattern that was read and found good.
#[derive(Clone, Debug)]
pub struct Pattern(Node);

/// Where a request does not match a pattern, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The path in the request, its segments separated by dots; empty for all of it.
    pub path: String,
    /// What the pattern expects there. Never what the request has.
    pub expected: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the request" } else { &self.path };
        write!(f, "{path}: expected {}", self.expected)
    }
}

#[derive(Clone, Debug)]
enum Node {
    /// Equal to this.
    Equals(Value),
    /// Equal to what stands there in the request.
    SameAs(Vec<String>),
    /// Contains a match.
    Search(Regex),
    Present,
    Absent,
    NotBlank,
    /// An object whose members match.
    Members(Vec<(String, Node)>),
    /// A list whose first items match, in this order.
    Prefix(Vec<Node>),
    /// Equal to one of these.
    Enum(Vec<Value>),
    OneOf(Vec<Node>),
    Not(Box<Node>),
    /// A list with an item that matches.
    Contains(Box<Node>),
    /// A list that has items, all of which match.
    Every(Box<Node>),
    /// A reference, in either spelling, whose parts match.
    Reference(Box<Node>),
    /// A list that has, for each of these, an item that matches.
    PresentAll(Vec<Node>),
    /// A list of so many items.
    Length(u64),
    /// All of them.
    All(Vec<Node>),
}

/// Whether something matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    /// Something that is compared is missing.
    Missing,
}

impl Match {
    const fn of(is_match: bool) -> Self {
        if is_match { Self::Yes } else { Self::No }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(pattern: &Value) -> Result<Self, String> {
        let is_empty = pattern.as_object().is_none_or(serde_json::Map::is_empty);
        if is_empty {
            return Err(
                "matcho must be an object that is not empty; engine: allow allows everything"
                    .to_owned(),
            );
        }
        read::node(pattern, 0).map(Self).map_err(|Fault { path, problem }| {
            let path: Vec<String> = path.into_iter().rev().collect();
            format!("matcho{}: {problem}", path.concat())
        })
    }

    /// The first place at which `request` does not match; `None` if it matches.
    #[must_use]
    pub fn mismatch(&self, request: &Value) -> Option<Mismatch> {
        let mut walk = Walk { request, path: Vec::new(), first: None };
        match walk.node(&self.0, Some(request)) {
            Match::Yes => None,
            Match::No | Match::Missing => Some(walk.first.unwrap_or_else(|| Mismatch {
                path: String::new(),
                expected: "another request".to_owned(),
            })),
        }
    }

    /// What is allowed by the letter and seldom meant: regular expressions that are anchored at
    /// neither end match anywhere in a text.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut loose = Vec::new();
        self.0.loose_searches(&mut loose);
        let warning = |regex: String| {
            format!(
                "#{regex} is anchored at neither end, so it matches anywhere in a text; write #^…$"
            )
        };
        loose.into_iter().map(warning).collect()
    }
}

/// A comparison under way.
struct Walk<'a> {
    request: &'a Value,
    path: Vec<String>,
    first: Option<Mismatch>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, node: &Node, subject: Option<&'a Value>) -> Match {
        let present = subject.filter(|value| !value.is_null());
        let found = match node {
            Node::Absent => Match::of(present.is_none()),
            // `null` can be asked for, where it stands.
            Node::Equals(value) => {
                subject.map_or(Match::Missing, |subject| Match::of(same(subject, value)))
            }
            Node::All(nodes) => return self.all(nodes.iter().map(|node| (None, node, subject))),
            _ => match present {
                None => Match::Missing,
                Some(subject) => return self.present(node, subject),
            },
        };
        self.noted(found, node)
    }

    /// Compares what is there.
    fn present(&mut self, node: &Node, subject: &'a Value) -> Match {
        let found = match node {
            Node::Present => Match::Yes,
            Node::NotBlank => {
                Match::of(subject.as_str().is_some_and(|text| !text.trim().is_empty()))
            }
            Node::Search(regex) => {
                Match::of(subject.as_str().is_some_and(|text| regex.is_match(text)))
            }
            Node::SameAs(path) => match at(self.request, path) {
                Some(other) if !other.is_null() => Match::of(same(subject, other)),
                _ => Match::Missing,
            },
            Node::Enum(values) => Match::of(values.iter().any(|value| same(subject, value))),
            Node::Members(members) => match subject.as_object() {
                None => Match::No,
                Some(object) => {
                    return self.all(
                        members.iter().map(|(name, node)| (Some(&**name), node, object.get(name))),
                    );
                }
            },
            Node::Prefix(nodes) => match subject.as_array() {
                None => Match::No,
                Some(items) => {
                    let mut items = items.iter();
                    return self.all(nodes.iter().map(|node| (None, node, items.next())));
                }
            },
            Node::Reference(node) => match reference(subject) {
                None => Match::No,
                Some((kind, id)) => self.reference(node, kind, id),
            },
            Node::OneOf(nodes) => {
                let any = nodes.iter().map(|node| self.quietly(node, Some(subject)));
                any.fold(Match::No, better)
            }
            Node::Not(node) => match self.quietly(node, Some(subject)) {
                Match::Yes => Match::No,
                Match::No => Match::Yes,
                Match::Missing => Match::Missing,
            },
            Node::Contains(_) | Node::Every(_) | Node::PresentAll(_) | Node::Length(_) => {
                subject.as_array().map_or(Match::No, |items| self.list(node, items))
            }
            Node::Equals(_) | Node::Absent | Node::All(_) => return self.node(node, Some(subject)),
        };
        self.noted(found, node)
    }

    /// Compares a list with what an operator says of it.
    fn list(&mut self, node: &Node, items: &'a [Value]) -> Match {
        match node {
            Node::Contains(node) => self.any(node, items),
            // Of a list without items nothing holds, or leaving them out would be a way in.
            Node::Every(_) if items.is_empty() => Match::Missing,
            Node::Every(node) => {
                let each = items.iter().map(|item| self.quietly(node, Some(item)));
                each.fold(Match::Yes, worse)
            }
            Node::PresentAll(nodes) => {
                nodes.iter().map(|node| self.any(node, items)).fold(Match::Yes, worse)
            }
            Node::Length(length) => Match::of(u64::try_from(items.len()) == Ok(*length)),
            _ => Match::No,
        }
    }

    /// Whether one of `items` matches.
    fn any(&mut self, node: &Node, items: &'a [Value]) -> Match {
        items.iter().map(|item| self.quietly(node, Some(item))).fold(Match::No, better)
    }

    /// All of `parts`, each with the member that it is.
    fn all<'p>(
        &mut self,
        parts: impl Iterator<Item = (Option<&'p str>, &'p Node, Option<&'a Value>)>,
    ) -> Match {
        let mut found = Match::Yes;
        for (name, node, subject) in parts {
            self.path.extend(name.map(ToOwned::to_owned));
            let part = self.node(node, subject);
            if name.is_some() {
                self.path.pop();
            }
            found = worse(found, part);
            if found == Match::Missing {
                break;
            }
        }
        found
    }

    /// Compares without noting where it does not match.
    fn quietly(&mut self, node: &Node, subject: Option<&'a Value>) -> Match {
        let first = self.first.take();
        let found = self.node(node, subject);
        self.first = first;
        found
    }

    /// Compares the parts of a reference, which are texts that the request does not have as such.
    fn reference(&self, node: &Node, kind: &str, id: &str) -> Match {
        let part = |name: &str| match name {
            "resourceType" => Some(Value::from(kind)),
            "id" => Some(Value::from(id)),
            _ => None,
        };
        let Node::Members(members) = node else { return Match::No };
        let request = self.request;
        let each = members.iter().map(|(name, node)| {
            let Some(value) = part(name) else { return Match::Missing };
            match node {
                Node::SameAs(path) => match at(request, path) {
                    Some(other) if !other.is_null() => Match::of(same(&value, other)),
                    _ => Match::Missing,
                },
                Node::Equals(expected) => Match::of(same(&value, expected)),
                Node::Enum(values) => Match::of(values.iter().any(|one| same(&value, one))),
                Node::Search(regex) => Match::of(value.as_str().is_some_and(|t| regex.is_match(t))),
                Node::Present | Node::NotBlank => Match::Yes,
                _ => Match::No,
            }
        });
        each.fold(Match::Yes, worse)
    }

    fn noted(&mut self, found: Match, node: &Node) -> Match {
        if found != Match::Yes && self.first.is_none() {
            self.first = Some(Mismatch { path: self.path.join("."), expected: node.to_string() });
        }
        found
    }
}

/// What the pattern expects, without values of it that may be long.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(f, "{value}"),
            Self::SameAs(path) => write!(f, "the value of .{}", path.join(".")),
            Self::Search(regex) => write!(f, "a match of #{regex}"),
            Self::Present => f.write_str("a value (present?)"),
            Self::Absent => f.write_str("no value (nil?)"),
            Self::NotBlank => f.write_str("a text that is not blank (not-blank?)"),
            Self::Members(_) => f.write_str("an object"),
            Self::Prefix(_) => f.write_str("a list"),
            Self::Enum(_) => f.write_str("one of $enum"),
            Self::OneOf(_) => f.write_str("a match of $one-of"),
            Self::Not(_) => f.write_str("a value that $not excludes nothing of"),
            Self::Contains(_) => f.write_str("a list that $contains describes"),
            Self::Every(_) => f.write_str("a list that $every describes"),
            Self::Reference(_) => f.write_str("a reference that $reference describes"),
            Self::PresentAll(_) => f.write_str("a list that $present-all describes"),
            Self::Length(length) => write!(f, "a list of {length} items"),
            Self::All(_) => f.write_str("a match of all of it"),
        }
    }
}

impl Node {
    fn loose_searches(&self, found: &mut Vec<String>) {
        match self {
            Self::Search(regex) => {
                let text = regex.as_str();
                if !text.starts_with('^') && !text.ends_with('$') {
                    found.push(text.to_owned());
                }
            }
            Self::Members(members) => {
                for (_, node) in members {
                    node.loose_searches(found);
                }
            }
            Self::Prefix(nodes)
            | Self::OneOf(nodes)
            | Self::PresentAll(nodes)
            | Self::All(nodes) => {
                for node in nodes {
                    node.loose_searches(found);
                }
            }
            Self::Not(node) | Self::Contains(node) | Self::Every(node) | Self::Reference(node) => {
                node.loose_searches(found);
            }
            _ => {}
        }
    }
}

/// The stricter of two: missing, then not, then yes.
const fn worse(one: Match, other: Match) -> Match {
    match (one, other) {
        (Match::Missing, _) | (_, Match::Missing) => Match::Missing,
        (Match::No, _) | (_, Match::No) => Match::No,
        _ => Match::Yes,
    }
}

/// The more lenient of two: yes, then missing, then not.
const fn better(one: Match, other: Match) -> Match {
    match (one, other) {
        (Match::Yes, _) | (_, Match::Yes) => Match::Yes,
        (Match::Missing, _) | (_, Match::Missing) => Match::Missing,
        _ => Match::No,
    }
}

/// Equality of JSON: numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other
                || (one.as_i64().is_none() || other.as_i64().is_none())
                    && one
                        .as_f64()
                        .zip(other.as_f64())
                        .is_some_and(|(one, other)| one.total_cmp(&other).is_eq())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// What stands at `path`; a segment of digits is a place in a list.
fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, segment| match value {
        Value::Object(members) => members.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Kind and id of a reference (`docs/contracts/aidbox.md` §1.1).
fn reference(value: &Value) -> Option<(&str, &str)> {
    if let Some(text) = value.as_str().or_else(|| value.get("reference")?.as_str()) {
        return text.split_once('/');
    }
    Some((value.get("resourceType")?.as_str()?, value.get("id")?.as_str()?))
}
