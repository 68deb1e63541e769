//! The envelope of a GraphQL request: what was asked, and nothing else that came along.

use serde_json::{Map, Value};

/// A request as GraphQL-over-HTTP describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Envelope {
    /// The document.
    pub query: String,
    /// Which operation of it.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Map<String, Value>,
}

/// Why a body or a URL query is no envelope. Each is the caller's mistake and a 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or JSON that names a member twice.
    #[error("The body is not a JSON object, or has a duplicate key.")]
    NotJson,
    /// A list of requests.
    #[error("Batching is disabled: send one operation per request.")]
    Batch,
    /// No document.
    #[error("The request has no `query`.")]
    NoQuery,
    /// A persisted document is named.
    #[error("Persisted documents are disabled: send the document in `query`.")]
    Persisted,
    /// A member has another type than it should.
    #[error("`{0}` has the wrong type.")]
    WrongType(&'static str),
    /// A parameter came twice.
    #[error("`{0}` was sent more than once.")]
    Repeated(&'static str),
}

impl Envelope {
    /// Reads a JSON body. Members that mean nothing here are dropped.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member at fault.
    pub fn from_json(body: &[u8]) -> Result<Self, EnvelopeError> {
        Self::from_members(read_members(body)?)
    }

    /// Reads a JSON body as [`Envelope::from_json`] does, and one whose `variables` are a JSON text
    /// besides (`docs/contracts/decidim.md` §5).
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member at fault.
    pub fn from_json_with_texts(body: &[u8]) -> Result<Self, EnvelopeError> {
        let mut members = read_members(body)?;
        if let Some(Value::String(text)) = members.get("variables") {
            let variables = read_text(Some(text), "variables")?;
            members.insert("variables".to_owned(), variables);
        }
        Self::from_members(members)
    }

    fn from_members(mut members: Map<String, Value>) -> Result<Self, EnvelopeError> {
        let text = |value: Option<Value>, name| match value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(EnvelopeError::WrongType(name)),
        };
        let object = |value: Option<Value>, name| match value {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(EnvelopeError::WrongType(name)),
        };
        let extensions = object(members.shift_remove("extensions"), "extensions")?;
        let named = ["id", "documentId", "doc_id"].iter().any(|name| members.contains_key(*name));
        let query = text(members.shift_remove("query"), "query")?;
        if query.is_none() && (named || extensions.contains_key("persistedQuery")) {
            return Err(EnvelopeError::Persisted);
        }
        Ok(Self {
            query: query.filter(|q| !q.is_empty()).ok_or(EnvelopeError::NoQuery)?,
            operation_name: text(members.shift_remove("operationName"), "operationName")?,
            variables: object(members.shift_remove("variables"), "variables")?,
        })
    }

    /// Reads decoded pairs of a URL query, as `GET` sends them, or of a form.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the parameter at fault.
    pub fn from_pairs(
        pairs: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, EnvelopeError> {
        let (mut query, mut operation_name, mut variables, mut extensions) =
            (None, None, None, None);
        let mut persisted = false;
        for (name, value) in pairs {
            let (slot, name) = match &*name {
                "query" => (&mut query, "query"),
                "operationName" => (&mut operation_name, "operationName"),
                "variables" => (&mut variables, "variables"),
                "extensions" => (&mut extensions, "extensions"),
                "id" | "documentId" | "doc_id" => {
                    persisted = true;
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(EnvelopeError::Repeated(name));
            }
        }
        let mut members = Map::new();
        if persisted {
            members.insert("id".to_owned(), Value::Null);
        }
        members.insert("query".to_owned(), query.map_or(Value::Null, Value::String));
        members.insert(
            "operationName".to_owned(),
            operation_name.filter(|name| !name.is_empty()).map_or(Value::Null, Value::String),
        );
        members.insert("variables".to_owned(), read_text(variables.as_deref(), "variables")?);
        members.insert("extensions".to_owned(), read_text(extensions.as_deref(), "extensions")?);
        Self::from_members(members)
    }

    /// The body that is sent on: exactly these members, in this order (`docs/rules.md` rule 7).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let sent = Members {
            query: &self.query,
            operation_name: self.operation_name.as_deref(),
            variables: &self.variables,
        };
        // Texts and values that were read are written without fail.
        serde_json::to_vec(&sent).unwrap_or_default()
    }
}

/// The members of a JSON body.
fn read_members(body: &[u8]) -> Result<Map<String, Value>, EnvelopeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let Strict(value) = serde_json::from_slice(body).map_err(|_| EnvelopeError::NotJson)?;
    match value {
        Value::Object(members) => Ok(members),
        Value::Array(_) => Err(EnvelopeError::Batch),
        _ => Err(EnvelopeError::NotJson),
    }
}

/// What the JSON text in the member `name` says; an empty one is as good as none.
fn read_text(text: Option<&str>, name: &'static str) -> Result<Value, EnvelopeError> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => match serde_json::from_str(text) {
            Ok(Strict(value)) => Ok(value),
            Err(_) => Err(EnvelopeError::WrongType(name)),
        },
    }
}

/// What is sent on.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    variables: &'a Map<String, Value>,
}

/// A JSON value in which no object names a member twice: two readers of one text must not be able
/// to disagree.
struct Strict(Value);

impl<'de> serde::Deserialize<'de> for Strict {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Strict;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON without duplicate keys")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_string<E>(self, value: String) -> Result<Strict, E> {
                Ok(Strict(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Strict, A::Error> {
                let mut out = Vec::new();
                while let Some(Strict(value)) = seq.next_element()? {
                    out.push(value);
                }
                Ok(Strict(Value::Array(out)))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Strict, A::Error> {
                let mut out = Map::new();
                while let Some((name, Strict(value))) = map.next_entry::<String, Strict>()? {
                    if out.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("duplicate key"));
                    }
                }
                Ok(Strict(Value::Object(out)))
            }
        }

        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_was_asked_is_sent_on() {
        let body = br#"{"extra":1,"extensions":{"a":1},"variables":{"x":1},"operationName":"A","query":"{ a }"}"#;
        let envelope = Envelope::from_json(body).unwrap();
        assert_eq!(
            String::from_utf8(envelope.to_json()).unwrap(),
            r#"{"query":"{ a }","operationName":"A","variables":{"x":1}}"#
        );
    }

    #[test]
    fn each_mistake_has_its_name() {
        for (body, error) in [
            ("", EnvelopeError::NotJson),
            ("{", EnvelopeError::NotJson),
            ("\"x\"", EnvelopeError::NotJson),
            (r#"{"query":"{a}","query":"{b}"}"#, EnvelopeError::NotJson),
            (r#"{"query":"{a}","variables":{"x":1,"x":2}}"#, EnvelopeError::NotJson),
            (r#"[{"query":"{a}"}]"#, EnvelopeError::Batch),
            ("{}", EnvelopeError::NoQuery),
            (r#"{"query":""}"#, EnvelopeError::NoQuery),
            (r#"{"query":1}"#, EnvelopeError::WrongType("query")),
            (r#"{"query":"{a}","operationName":[]}"#, EnvelopeError::WrongType("operationName")),
            (r#"{"query":"{a}","variables":"{}"}"#, EnvelopeError::WrongType("variables")),
            (r#"{"query":"{a}","extensions":7}"#, EnvelopeError::WrongType("extensions")),
            (r#"{"documentId":"x"}"#, EnvelopeError::Persisted),
            (r#"{"extensions":{"persistedQuery":{}}}"#, EnvelopeError::Persisted),
        ] {
            assert_eq!(Envelope::from_json(body.as_bytes()), Err(error), "{body}");
        }
        for text in [r#"{\"x\":1,\"x\":2}"#, "[]", "x"] {
            let body = format!(r#"{{"query":"{{a}}","variables":"{text}"}}"#);
            let wrong = Err(EnvelopeError::WrongType("variables"));
            assert_eq!(Envelope::from_json_with_texts(body.as_bytes()), wrong, "{body}");
        }
        let twice = ["query", "query"].map(|name| (name.to_owned(), "{a}".to_owned()));
        assert_eq!(Envelope::from_pairs(twice.into_iter()), Err(EnvelopeError::Repeated("query")));
    }

    #[test]
    fn variables_may_be_a_text_where_forms_are_read() {
        let none = r#"{"query":"{ a }"}"#;
        let one = r#"{"query":"{ a }","variables":{"x":[1]}}"#;
        for (variables, read) in
            [(r#""{\"x\": [1]}""#, one), (r#"{"x": [1]}"#, one), ("\"\"", none), ("null", none)]
        {
            let body = format!(r#"{{"query":"{{ a }}","variables":{variables}}}"#);
            let envelope = Envelope::from_json_with_texts(body.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(envelope.to_json()).unwrap(), read);
        }
    }

    proptest! {
        #[test]
        fn an_envelope_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::from_json(&body);
        }

        #[test]
        fn what_is_sent_on_reads_the_same(query in "\\PC{1,40}", name in proptest::option::of("[A-Z]{1,4}")) {
            let envelope = Envelope { query, operation_name: name, variables: Map::new() };
            prop_assert_eq!(Envelope::from_json(&envelope.to_json()), Ok(envelope));
        }
    }
}
