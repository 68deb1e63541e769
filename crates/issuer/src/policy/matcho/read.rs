//! Reading a pattern.

use regex::RegexBuilder;
use serde_json::Value;

use super::Node;

/// Bytes of a compiled regular expression at most.
const LARGEST_REGEX: usize = 1 << 20;
/// Levels of a pattern at most.
const DEEPEST: usize = 32;
/// What is wrong with a pattern; the path begins with its last segment.
pub(super) struct Fault {
    pub(super) path: Vec<String>,
    pub(super) problem: String,
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

/// Reads one node of a pattern.
pub(super) fn node(pattern: &Value, depth: usize) -> Result<Node, Fault> {
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
