//! Bodies of requests (`docs/contracts/ibexa.md` §2.2). Descriptions of what is wrong name members and
//! never repeat a value.

use std::borrow::Cow;

use axum::{body::Body, http::Request};
use castellan_issuer::error::OAuthError;
use castellan_proto::strict_json;
use serde_json::{Map, Value};

use super::{
    media::{self, Format},
    xml,
};
use crate::wire::{guard_refusal::GuardRefusal, request};

/// What a body says, in either format.
pub(super) struct Input {
    type_name: &'static str,
    members: Map<String, Value>,
}

impl Input {
    /// Reads the body of `request`, which has to be a `type_name`.
    ///
    /// # Errors
    /// The refusal, with a description that names what is wrong.
    pub(super) async fn read(
        request: Request<Body>,
        type_name: &'static str,
    ) -> Result<Self, GuardRefusal> {
        let format = media::of_body(request.headers(), type_name).map_err(bad)?;
        let body = request::whole(request).await.map_err(|error| match error {
            OAuthError::TooLarge(_) => GuardRefusal::TooLarge,
            _ => bad("The body cannot be read."),
        })?;
        let (root, value) = match format {
            Format::Xml => xml::read(&body).map_err(bad)?,
            Format::Json => of_json(&body)?,
        };
        match value {
            Value::Object(members) if root == type_name => Ok(Self { type_name, members }),
            // An element without members is an empty text.
            Value::String(text) if root == type_name && text.trim().is_empty() => {
                Ok(Self { type_name, members: Map::new() })
            }
            _ => Err(bad(format!("The body must be one {type_name}."))),
        }
    }

    /// The text of the member `name`.
    ///
    /// # Errors
    /// The refusal, if there is none or it is no text.
    pub(super) fn text(&mut self, name: &str) -> Result<String, GuardRefusal> {
        let Self { type_name, members } = self;
        match members.remove(name) {
            Some(Value::String(text)) => Ok(text),
            None => Err(bad(format!("Missing '{name}' attribute for {type_name}."))),
            Some(_) => Err(bad(format!("'{name}' must be a string in {type_name}."))),
        }
    }
}

/// The one member of a JSON object.
fn of_json(body: &[u8]) -> Result<(String, Value), GuardRefusal> {
    let value = strict_json::read(body).map_err(|problem| {
        bad(format!("Invalid JSON at line {}, column {}.", problem.line, problem.column))
    })?;
    let mut members = match value {
        Value::Object(members) => members.into_iter(),
        _ => return Err(bad("Invalid JSON.")),
    };
    match (members.next(), members.next()) {
        (Some(only), None) => Ok(only),
        _ => Err(bad("Invalid JSON.")),
    }
}

fn bad(description: impl Into<Cow<'static, str>>) -> GuardRefusal {
    GuardRefusal::BadRequest(description.into())
}
