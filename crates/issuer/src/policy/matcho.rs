//! The engine `matcho`: a pattern that a request has to match, member by member
//! (`docs/contracts/aidbox.md` §8).
//!
//! Missing is not the same as different: a comparison with something that is missing neither holds
//! nor, inside of `$not`, makes the opposite hold. `nil?` alone is about what is missing.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// Levels of a pattern at most.
const DEEPEST: usize = 32;
/// Bytes of a compiled regular expression at most.
const LARGEST_REGEX: usize = 1 << 20;

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
        node(pattern, 0).map(Self).map_err(|Fault { path, problem }| {
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

/// What is wrong with a pattern; the path begins with its last segment.
struct Fault {
    path: Vec<String>,
    problem: String,
}

impl Fault {
    fn new(problem: impl Into<String>) -> Self {
        Self { path: Vec::new(), problem: problem.into() }
    }

    fn below(mut self, segment: String) -> Self {
        self.path.push(segment);
        self
    }
}

fn node(pattern: &Value, depth: usize) -> Result<Node, Fault> {
    if depth > DEEPEST {
        return Err(Fault::new(format!(
            "patterns must not be nested deeper than {DEEPEST} levels"
        )));
    }
    match pattern {
        Value::String(text) => text_node(text),
        Value::Array(_) => Ok(Node::Prefix(nodes(pattern, depth)?)),
        Value::Object(members) => {
            let is_alone = members.len() == 1;
            let (mut plain, mut all) = (Vec::new(), Vec::new());
            for (name, value) in members {
                let below = |fault: Fault| fault.below(format!(".{name}"));
                if name.starts_with('$') {
                    if name == "$one-of" && !is_alone {
                        return Err(below(Fault::new("must be the only member of its object")));
                    }
                    all.push(operator(name, value, depth + 1).map_err(below)?);
                } else {
                    plain.push((name.clone(), node(value, depth + 1).map_err(below)?));
                }
            }
            if !plain.is_empty() || all.is_empty() {
                all.push(Node::Members(plain));
            }
            Ok(if all.len() == 1 { all.remove(0) } else { Node::All(all) })
        }
        other => Ok(Node::Equals(other.clone())),
    }
}

fn nodes(patterns: &Value, depth: usize) -> Result<Vec<Node>, Fault> {
    let items = patterns.as_array().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| Fault::new("must be a list that is not empty"))?;
    let items = items
        .iter()
        .enumerate()
        .map(|(at, item)| node(item, depth + 1).map_err(|fault| fault.below(format!("[{at}]"))));
    items.collect()
}

fn text_node(text: &str) -> Result<Node, Fault> {
    match text {
        "present?" => return Ok(Node::Present),
        "nil?" => return Ok(Node::Absent),
        "not-blank?" => return Ok(Node::NotBlank),
        _ => {}
    }
    if let Some(regex) = text.strip_prefix('#') {
        let regex = RegexBuilder::new(regex).size_limit(LARGEST_REGEX).build();
        return regex
            .map(Node::Search)
            .map_err(|_| Fault::new("is not a regular expression, or too large a one"));
    }
    if let Some(path) = text.strip_prefix('.') {
        let path: Vec<String> = path.split('.').map(ToOwned::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(Fault::new("a path has the form .user.id"));
        }
        return Ok(Node::SameAs(path));
    }
    Ok(Node::Equals(Value::String(text.to_owned())))
}

fn operator(name: &str, value: &Value, depth: usize) -> Result<Node, Fault> {
    let one = || node(value, depth).map(Box::new);
    Ok(match name {
        "$enum" => {
            let values = value.as_array().filter(|values| !values.is_empty());
            let values = values.ok_or_else(|| Fault::new("must be a list that is not empty"))?;
            Node::Enum(values.clone())
        }
        "$one-of" => Node::OneOf(nodes(value, depth)?),
        "$not" => Node::Not(one()?),
        "$contains" => Node::Contains(one()?),
        "$every" => Node::Every(one()?),
        "$reference" => Node::Reference(one()?),
        "$present-all" => Node::PresentAll(nodes(value, depth)?),
        "$length" => {
            let length = value.as_u64();
            Node::Length(length.ok_or_else(|| Fault::new("must be a whole number"))?)
        }
        _ => {
            return Err(Fault::new(
                "is no operator; there are $enum, $one-of, $not, $contains, $every, $reference, \
                 $present-all, $length",
            ));
        }
    })
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value, request: &Value) -> bool {
        Pattern::read(pattern).unwrap().mismatch(request).is_none()
    }

    #[test]
    fn a_pattern_is_a_subset_of_what_it_matches() {
        let request = json!({
            "request-method": "get", "uri": "/Note/7", "count": 1, "tags": ["a", "b", "c"],
            "user": {"id": "ann", "roles": [{"name": "editor"}, {"name": "author"}], "none": null},
            "params": {"owner": "ann"}, "author": {"reference": "User/ann"},
            "native": {"resourceType": "User", "id": "ann"}, "blank": "  ", "empty": [],
        });
        for (pattern, expected) in [
            (json!({"request-method": "get"}), true),
            (json!({"request-method": "GET"}), false),
            (json!({"count": 1.0}), true),
            (json!({"count": "1"}), false),
            (json!({"user": {"id": "ann"}}), true),
            (json!({"user": {}}), true),
            (json!({"uri": {}}), false),
            (json!({"tags": ["a"]}), true),
            (json!({"tags": ["b"]}), false),
            (json!({"tags": ["a", "b", "c", "d"]}), false),
            (json!({"uri": "#Note"}), true),
            (json!({"uri": "#^/Note/[0-9]+$"}), true),
            (json!({"uri": "#^Note"}), false),
            (json!({"count": "#1"}), false),
            (json!({"params": {"owner": ".user.id"}}), true),
            (json!({"params": {"owner": ".tags.0"}}), false),
            (json!({"user": {"id": "present?"}}), true),
            (json!({"user": {"none": "present?"}}), false),
            (json!({"user": {"none": "nil?"}}), true),
            (json!({"user": {"none": null}}), true),
            (json!({"user": {"missing": null}}), false),
            (json!({"user": {"missing": "nil?"}}), true),
            (json!({"user": {"id": "nil?"}}), false),
            (json!({"blank": "not-blank?"}), false),
            (json!({"uri": "not-blank?"}), true),
            (json!({"request-method": {"$enum": ["get", "head"]}}), true),
            (json!({"request-method": {"$enum": ["put", ".uri"]}}), false),
            (json!({"uri": {"$one-of": ["/x", "#^/Note/"]}}), true),
            (json!({"uri": {"$one-of": ["/x", "/y"]}}), false),
            (json!({"uri": {"$not": "/x"}}), true),
            (json!({"uri": {"$not": "#^/Note/"}}), false),
            (json!({"user": {"roles": {"$contains": {"name": "author"}}}}), true),
            (json!({"user": {"roles": {"$contains": {"name": "reader"}}}}), false),
            (json!({"tags": {"$every": "#^[abc]$"}}), true),
            (json!({"tags": {"$every": "#^[ab]$"}}), false),
            (json!({"empty": {"$every": "#^[ab]$"}}), false),
            (json!({"tags": {"$present-all": ["c", "a"]}}), true),
            (json!({"tags": {"$present-all": ["c", "x"]}}), false),
            (json!({"tags": {"$length": 3}}), true),
            (json!({"tags": {"$length": 3, "$contains": "x"}}), false),
            (json!({"empty": {"$length": 0}}), true),
            (json!({"author": {"$reference": {"resourceType": "User", "id": ".user.id"}}}), true),
            (json!({"native": {"$reference": {"id": ".user.id"}}}), true),
            (json!({"author": {"$reference": {"id": ".params.none"}}}), false),
            (json!({"uri": {"$reference": {"id": "7"}}}), false),
        ] {
            assert_eq!(matches(&pattern, &request), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_missing_never_matches_and_makes_no_opposite_hold() {
        let anonymous = json!({"request-method": "get", "params": {}});
        for pattern in [
            json!({"params": {"owner": ".user.id"}}),
            json!({"params": {"owner": ".params.other"}}),
            json!({"user": {"$not": {"id": "admin"}}}),
            json!({"user": {"id": {"$not": "admin"}}}),
            json!({"$not": {"user": {"id": "admin"}}}),
            json!({"$not": {"user": "present?"}}),
            json!({"$not": {"request-method": "put", "user": {"id": "admin"}}}),
            json!({"$not": {"$not": {"user": {"id": "admin"}}}}),
            json!({"$not": {"params": {"owner": ".user.id"}}}),
            json!({"$not": {"user": {"id": {"$one-of": ["a", "b"]}}}}),
            json!({"params": {"tags": {"$not": {"$contains": "x"}}}}),
            json!({"params": {"tags": {"$length": 0}}}),
        ] {
            assert!(!matches(&pattern, &anonymous), "{pattern}");
        }
        assert!(matches(&json!({"user": "nil?"}), &anonymous));
        assert!(!matches(&json!({"$not": {"user": "nil?"}}), &anonymous));
    }

    #[test]
    fn a_mismatch_names_its_place_and_no_value_of_the_request() {
        let pattern = json!({"user": {"id": "ann", "roles": {"$contains": {"name": "x"}}}});
        let pattern = Pattern::read(&pattern).unwrap();
        let at = |request: Value| pattern.mismatch(&request).unwrap().to_string();
        assert_eq!(at(json!({"user": {"id": "s3cret"}})), "user.id: expected \"ann\"");
        let other = at(json!({"user": {"id": "ann", "roles": [{"name": "s3cret"}]}}));
        assert_eq!(other, "user.roles: expected a list that $contains describes");
    }

    #[test]
    fn a_pattern_that_says_nothing_or_something_unknown_is_refused() {
        let mut deep = json!("x");
        for _ in 0..40 {
            deep = json!({ "a": deep });
        }
        for (pattern, problem) in [
            (json!({}), "must be an object that is not empty"),
            (json!("x"), "must be an object that is not empty"),
            (json!({"a": {"$some": 1}}), "matcho.a.$some: is no operator"),
            (json!({"a": {"$one-of": [1], "b": 1}}), "must be the only member"),
            (json!({"a": [1, {"b": "#("}]}), "matcho.a[1].b: is not a regular expression"),
            (json!({"a": "."}), "a path has the form"),
            (json!({"a": ".user..id"}), "a path has the form"),
            (json!({"a": {"$enum": []}}), "must be a list that is not empty"),
            (json!({"a": []}), "must be a list that is not empty"),
            (json!({"a": {"$length": "3"}}), "must be a whole number"),
            (json!({"a": format!("#(a{{1000}}){{1000}}")}), "too large a one"),
            (deep, "nested deeper than"),
        ] {
            let said = Pattern::read(&pattern).err().unwrap_or_default();
            assert!(said.contains(problem), "{pattern}: {said:?}");
        }
    }

    #[test]
    fn a_loose_regular_expression_is_warned_of() {
        let pattern = json!({"uri": "#/Note", "a": [{"$not": "#b"}], "c": "#^/x", "d": "#y$"});
        let warnings = Pattern::read(&pattern).unwrap().warnings();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("#/Note is anchored at neither end"), "{warnings:?}");
    }

    fn json_values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3_i64).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// The specification of patterns without operators, as short as it can be said.
    fn oracle(pattern: &Value, subject: Option<&Value>) -> bool {
        match (pattern, subject) {
            (_, None) => false,
            (Value::Object(pattern), Some(Value::Object(subject))) => {
                pattern.iter().all(|(name, one)| oracle(one, subject.get(name)))
            }
            (Value::Array(pattern), Some(Value::Array(subject))) => {
                pattern.iter().enumerate().all(|(at, one)| oracle(one, subject.get(at)))
            }
            (pattern, Some(subject)) => pattern == subject,
        }
    }

    fn has_empty_list(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.is_empty() || items.iter().any(has_empty_list),
            Value::Object(members) => members.values().any(has_empty_list),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn plain_patterns_agree_with_the_oracle(pattern in json_values(), request in json_values()) {
            prop_assume!(pattern.as_object().is_some_and(|members| !members.is_empty()));
            prop_assume!(!has_empty_list(&pattern));
            prop_assert_eq!(matches(&pattern, &request), oracle(&pattern, Some(&request)));
            let is_pattern = request.as_object().is_some_and(|members| !members.is_empty())
                && !has_empty_list(&request);
            prop_assert!(!is_pattern || matches(&request, &request));
        }

        #[test]
        fn nothing_and_its_opposite_both_match(pattern in json_values(), request in json_values()) {
            prop_assume!(!has_empty_list(&pattern) && request.is_object());
            let is = matches(&json!({"a": pattern}), &request);
            let is_not = matches(&json!({"a": {"$not": pattern}}), &request);
            prop_assert!(!(is && is_not));
        }
    }
}
