//! What a policy declares of the arguments of a field. Cedar has no untyped records, and the gate
//! knows types of many schemas: so a policy says which arguments it reads, and of which type.

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};

/// Levels of a declaration at most.
const DEEPEST: usize = 8;
/// Members of a declaration at most.
const MOST: usize = 100;
/// Bytes of the name of an argument at most.
const LONGEST: usize = 128;

/// The declared arguments.
#[derive(Debug)]
pub(super) struct Arguments(Type);

#[derive(Debug)]
enum Type {
    Text,
    Long,
    Bool,
    Set(Box<Type>),
    Record(Vec<Member>),
}

#[derive(Debug)]
struct Member {
    name: String,
    is_optional: bool,
    kind: Type,
}

impl Arguments {
    /// Reads a declaration: `{"id": "String", "tags?": ["String"], "input": {"n": "Long"}}`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn read(declared: Option<&Value>) -> Result<Self, String> {
        let Some(declared) = declared else { return Ok(Self(Type::Record(Vec::new()))) };
        if declared.as_object().is_none_or(Map::is_empty) {
            return Err("arguments must be an object that is not empty".to_owned());
        }
        let mut left = MOST;
        read(declared, DEEPEST, &mut left)
            .map(Self)
            .map_err(|(path, problem)| format!("arguments{path}: {problem}"))
    }

    /// Whether none is declared.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.0, Type::Record(members) if members.is_empty())
    }

    /// The type in Cedar's schema language.
    pub(super) fn schema(&self) -> String {
        let mut text = String::new();
        write(&self.0, &mut text);
        text
    }

    /// `arguments` as Cedar sees them; `None` if one is missing that is not optional, or is of
    /// another type than declared.
    pub(super) fn value(&self, arguments: Option<&Value>) -> Option<RestrictedExpression> {
        let none = Value::Object(Map::new());
        value(&self.0, arguments.unwrap_or(&none))
    }
}

fn read(declared: &Value, depth: usize, left: &mut usize) -> Result<Type, (String, String)> {
    let fault = |problem: String| (String::new(), problem);
    match declared {
        Value::String(name) => match &**name {
            "String" => Ok(Type::Text),
            "Long" => Ok(Type::Long),
            "Bool" => Ok(Type::Bool),
            _ => Err(fault(
                "must be String, Long, Bool, a list of one type, or an object".to_owned(),
            )),
        },
        Value::Array(items) if depth > 0 => match &items[..] {
            [item] => {
                let item = read(item, depth - 1, left)
                    .map_err(|(path, problem)| (format!("[0]{path}"), problem))?;
                Ok(Type::Set(Box::new(item)))
            }
            _ => Err(fault("a list has exactly one item, the type of what is in it".to_owned())),
        },
        Value::Object(members) if depth > 0 => {
            let mut all: Vec<Member> = Vec::with_capacity(members.len());
            for (written, declared) in members {
                let below = |(path, problem)| (format!(".{written}{path}"), problem);
                *left = left
                    .checked_sub(1)
                    .ok_or_else(|| fault(format!("must not declare more than {MOST} arguments")))?;
                let name = written.strip_suffix('?').unwrap_or(written);
                if !is_name(name) {
                    return Err(below(fault("is no name of an argument".to_owned())));
                }
                if all.iter().any(|other| other.name == name) {
                    return Err(below(fault("is declared twice".to_owned())));
                }
                let kind = read(declared, depth - 1, left).map_err(below)?;
                let is_optional = name.len() < written.len();
                all.push(Member { name: name.to_owned(), is_optional, kind });
            }
            Ok(Type::Record(all))
        }
        Value::Array(_) | Value::Object(_) => {
            Err(fault(format!("must not be nested deeper than {DEEPEST} levels")))
        }
        _ => Err(fault("must be the name of a type, a list, or an object".to_owned())),
    }
}

/// Those of GraphQL, and those that parameters of paths have.
fn is_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(is_fit)
}

fn write(kind: &Type, text: &mut String) {
    match kind {
        Type::Text => text.push_str("String"),
        Type::Long => text.push_str("Long"),
        Type::Bool => text.push_str("Bool"),
        Type::Set(item) => {
            text.push_str("Set<");
            write(item, text);
            text.push('>');
        }
        Type::Record(members) => {
            text.push('{');
            for member in members {
                // Without quotes inside, by `is_name`.
                text.extend(["\"", &member.name, "\""]);
                text.push_str(if member.is_optional { "?: " } else { ": " });
                write(&member.kind, text);
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

fn value(kind: &Type, actual: &Value) -> Option<RestrictedExpression> {
    match (kind, actual) {
        (Type::Text, Value::String(text)) => Some(RestrictedExpression::new_string(text.clone())),
        (Type::Long, Value::Number(number)) => number.as_i64().map(RestrictedExpression::new_long),
        (Type::Bool, Value::Bool(is)) => Some(RestrictedExpression::new_bool(*is)),
        (Type::Set(kind), Value::Array(items)) => {
            let items: Option<Vec<_>> = items.iter().map(|item| value(kind, item)).collect();
            items.map(RestrictedExpression::new_set)
        }
        (Type::Record(members), Value::Object(actual)) => {
            let mut record = Vec::with_capacity(members.len());
            for Member { name, is_optional, kind } in members {
                match actual.get(name) {
                    // GraphQL says of an argument that it is null, and means that it is not there.
                    None | Some(Value::Null) if *is_optional => {}
                    actual => record.push((name.clone(), value(kind, actual?)?)),
                }
            }
            RestrictedExpression::new_record(record).ok()
        }
        _ => None,
    }
}
