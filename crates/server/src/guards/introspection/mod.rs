//! What an API says about itself, as SDL (GraphQL specification §4).
//!
//! It is asked in two steps, as introspection has grown with the specification: first which of what
//! came later this API offers, then for the schema with all of that and nothing else.

mod offer;
mod sdl;

use http::StatusCode;
use serde_json::{Value, json};

pub(super) use offer::{OFFER_QUERY, Offer};

/// The body of a request that asks `query`.
pub(super) fn body(query: &str) -> String {
    json!({ "query": query }).to_string()
}

/// Why an answer is no schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoSchema {
    /// It is no answer to a GraphQL request.
    Status(StatusCode),
    /// The API refuses, in words of its own that may be shown.
    Refused(String),
    /// There is no schema in it.
    Closed,
    /// There is one that cannot be written as SDL.
    Unreadable,
}

/// The SDL of an introspection answer.
pub(super) fn sdl_of(status: StatusCode, answer: &[u8]) -> Result<String, NoSchema> {
    let answer: Value = match serde_json::from_slice(answer) {
        Ok(answer @ Value::Object(_)) => answer,
        // It says nothing of introspection: it does not speak GraphQL.
        _ if status == StatusCode::OK => return Err(NoSchema::Unreadable),
        _ => return Err(NoSchema::Status(status)),
    };
    let schema = answer.get("data").and_then(|data| data.get("__schema"));
    if let Some(schema) = schema.filter(|schema| schema.is_object()) {
        return sdl::of(schema).ok_or(NoSchema::Unreadable);
    }
    Err(match refusal(&answer) {
        Some(message) => NoSchema::Refused(shown(message)),
        None if status == StatusCode::OK => NoSchema::Closed,
        None => NoSchema::Status(status),
    })
}

/// Why an answer to [`OFFER_QUERY`] tells nothing, in words that may be shown.
pub(super) fn why_no_offer(status: StatusCode, answer: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match refusal(&answer) {
        Some(message) => format!("{:?}", shown(message)),
        None => format!("the response with status {} does not list them", status.as_u16()),
    }
}

/// The first of the messages by which an API refuses.
fn refusal(answer: &Value) -> Option<&str> {
    answer.get("errors")?.get(0)?.get("message")?.as_str()
}

/// Characters of an API's message that are shown at most.
const MESSAGE: usize = 300;

/// `message` on one line, in characters that can do nothing to a terminal or to the order of a text.
fn shown(message: &str) -> String {
    let is_format = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut plain = message.chars().map(|c| if c.is_control() || is_format(c) { ' ' } else { c });
    let mut shown: String = plain.by_ref().take(MESSAGE).collect();
    if plain.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_schema_says_why() {
        let long = "x".repeat(1_000);
        for (status, answer, why) in [
            (200, String::new(), NoSchema::Unreadable),
            (200, "hello".to_owned(), NoSchema::Unreadable),
            (200, "\"hello\"".to_owned(), NoSchema::Unreadable),
            (200, "{}".to_owned(), NoSchema::Closed),
            (200, r#"{"data":null}"#.to_owned(), NoSchema::Closed),
            (500, "<html>".to_owned(), NoSchema::Status(StatusCode::INTERNAL_SERVER_ERROR)),
            (
                200,
                r#"{"data":{"__schema":{"types":[{"kind":"OBJECT","name":"A } type B"}]}}}"#
                    .to_owned(),
                NoSchema::Unreadable,
            ),
            (
                400,
                json!({"errors": [{"message": "no\u{1b}[31m\n\u{202e}way"}]}).to_string(),
                NoSchema::Refused("no [31m  way".to_owned()),
            ),
            (
                200,
                json!({"data": null, "errors": [{"message": long}]}).to_string(),
                NoSchema::Refused(format!("{}…", &long[..300])),
            ),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(sdl_of(status, answer.as_bytes()), Err(why), "{answer}");
        }
    }
}
