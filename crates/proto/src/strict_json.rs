//! JSON that is read once and in one way: an object that names a member twice is refused, and what
//! is wrong is reported with its place and never with a value, because any value may be a secret.

use std::fmt;

use serde::{
    Deserialize,
    de::{self, DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// A text is no JSON, or names a member twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct InvalidJson {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    problem: String,
}

/// The value that `text` is.
///
/// # Errors
/// [`InvalidJson`] with the place, if it is none, or an object in it names a member twice.
pub fn read(text: &[u8]) -> Result<Value, InvalidJson> {
    let read: Result<Unique, _> = serde_json::from_slice(text);
    read.map(|Unique(value)| value).map_err(|error| {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        InvalidJson {
            line: error.line(),
            column: error.column(),
            problem: without_value(message.strip_suffix(&*place).unwrap_or(&message)),
        }
    })
}

/// `bytes` as text.
///
/// # Errors
/// Where they stop being UTF-8, and what to do.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        format!("line {line} is not valid UTF-8; save the file as UTF-8")
    })
}

/// `value` as a `T`.
///
/// # Errors
/// What is wrong, with the way to the member, and without its value.
pub fn parse<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let way = error.path().to_string();
        let problem = without_value(&error.inner().to_string());
        // The problem names the member itself, or it is about all of the value.
        let is_named = ["unknown field", "missing field", "duplicate field"]
            .iter()
            .any(|start| problem.starts_with(start));
        if way == "." || is_named { problem } else { format!("{way}: {problem}") }
    })
}

/// What serde says in `message`, without the value that it says it of.
#[must_use]
pub fn without_value(message: &str) -> String {
    let expected = || message.rsplit_once(", expected ").map(|(_, what)| what);
    let described = |what: &str| match what.split_once(' ') {
        Some(("struct", _)) => "an object".to_owned(),
        _ if what == "a map" => "an object".to_owned(),
        _ if what == "a sequence" => "a list".to_owned(),
        _ if ["u8", "u16", "u32", "u64", "usize"].contains(&what) => {
            "a whole number that is not negative and not too large".to_owned()
        }
        _ if ["i8", "i16", "i32", "i64", "isize"].contains(&what) => {
            "a whole number that is not too large".to_owned()
        }
        _ if ["f32", "f64"].contains(&what) => "a number".to_owned(),
        _ => what.to_owned(),
    };
    if message.starts_with("invalid type") || message.starts_with("invalid value") {
        return expected().map_or_else(
            || "wrong type".to_owned(),
            |what| format!("expected {}", described(what)),
        );
    }
    if message.starts_with("unknown variant") {
        return expected()
            .map_or_else(|| "unknown value".to_owned(), |what| format!("expected {what}"));
    }
    // Types of our own begin with what they were given.
    match message.strip_prefix('"').and_then(end_of_quoted) {
        Some(rest) => format!("the value{rest}"),
        None => message.to_owned(),
    }
}

/// What follows the quoted text that `rest` is in.
fn end_of_quoted(rest: &str) -> Option<&str> {
    let mut escaped = false;
    let end = rest.char_indices().find(|(_, letter)| {
        let is_end = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        is_end
    });
    rest.get(end?.0 + 1..)
}

/// A value without doubles.
struct Unique(Value);

/// Maximum characters of a member's name that a message quotes.
const NAME: usize = 64;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::from(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::from(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::String(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Value, E> {
                Ok(Value::String(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut values = Vec::new();
                while let Some(Unique(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(Value::Array(values))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut members = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.contains_key(&name) {
                        let name: String = name.chars().take(NAME).collect();
                        let problem = format!("the member {name:?} occurs twice");
                        return Err(de::Error::custom(problem));
                    }
                    let Unique(value) = map.next_value()?;
                    members.insert(name, value);
                }
                Ok(Value::Object(members))
            }
        }

        from.deserialize_any(Any).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Person {
        #[serde(rename = "password")]
        _password: Option<String>,
        #[serde(rename = "kinds")]
        _kinds: Option<Vec<Kind>>,
        #[serde(rename = "age")]
        _age: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
    }

    #[test]
    fn a_value_is_read_as_elsewhere() {
        let text = r#"{"a": [1, -2, 1.5, "é", true, null, {}], "b": {"a": 18446744073709551615}}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_member_that_comes_twice_is_refused_at_every_depth() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "\u0061": 2}}]"#] {
            let said = read(text.as_bytes()).unwrap_err().to_string();
            assert!(said.contains("the member \"a\" occurs twice"), "{said}");
            assert!(said.starts_with("line 1, column "), "{said}");
        }
    }

    #[test]
    fn what_a_type_of_ours_quotes_is_no_part_of_the_message() {
        for given in ["hush", "a \"hush\"", "hush\\", ""] {
            let said = without_value(&format!("{given:?} is not a URL such as \"https://a\""));
            assert_eq!(said, "the value is not a URL such as \"https://a\"", "{given}");
        }
    }

    /// `docs/security-cases.md` row 48.
    #[test]
    fn what_is_wrong_has_a_place_and_a_member_and_no_value() {
        for text in [r#"{"password": "hush"#, r#"{"password": hush}"#, r#""hush" "hush""#] {
            let said = read(text.as_bytes()).unwrap_err().to_string();
            assert!(!said.contains("hush") && said.starts_with("line 1, column "), "{said}");
        }
        for (value, said) in [
            (json!({"password": 424_242}), "password: expected a string"),
            (json!({"password": ["hush", ", expected x"]}), "password: expected a string"),
            (json!({"kinds": ["plain", "hush"]}), "kinds[1]: expected `plain`"),
            (json!({"kinds": "hush, expected nothing"}), "kinds: expected a list"),
            (json!("hush"), "expected an object"),
            (
                json!({"age": "hush"}),
                "age: expected a whole number that is not negative and not too large",
            ),
            (
                json!({"age": 300}),
                "age: expected a whole number that is not negative and not too large",
            ),
            (
                json!({"pasword": "hush"}),
                "unknown field `pasword`, expected one of `password`, `kinds`, `age`",
            ),
        ] {
            assert_eq!(parse::<Person>(value).unwrap_err(), said);
        }
    }
}
