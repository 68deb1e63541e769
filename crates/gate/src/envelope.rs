//! The envelope of a GraphQL request: what was asked, and nothing else that came along.

use crate::json::{Json, push_string};

/// A request as GraphQL-over-HTTP describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The GraphQL document.
    pub query: String,
    /// Which operation of it.
    pub operation_name: Option<String>,
    /// The values of its variables.
    pub variables: Variables,
}

/// Values of variables by name. Each is the JSON that was sent, with every digit and escape, and
/// without whitespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, Box<str>)>);

/// Why a body or a URL query is not a valid envelope. Each is the caller's mistake and a 400,
/// except for [`EnvelopeError::HashOnly`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or JSON that names a member twice.
    #[error("The body is not a JSON object, or has a duplicate key.")]
    NotJson,
    /// A list of requests.
    #[error("Batching is disabled: send one operation per request.")]
    Batch,
    /// The request has no document.
    #[error("The request has no `query`.")]
    NoQuery,
    /// A persisted document is named.
    #[error("Persisted documents are disabled: send the document in `query`.")]
    Persisted,
    /// The first step of an automatic persisted query: the hash of a document without the document.
    /// The words are Apollo Server's, at which clients send it again with the document.
    #[error("PersistedQueryNotSupported")]
    HashOnly,
    /// A member has another type than it should.
    #[error("`{0}` has the wrong type.")]
    WrongType(&'static str),
    /// A member contains half of a surrogate pair.
    #[error("`{0}` is not valid Unicode text.")]
    NotUnicode(&'static str),
    /// A parameter came twice.
    #[error("`{0}` was sent more than once.")]
    Repeated(&'static str),
}

impl Variables {
    /// Reads the members of a JSON object.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it is neither an object nor `null`.
    fn read(value: &Json<'_>) -> Result<Self, EnvelopeError> {
        let members = match value {
            Json::Null => return Ok(Self::default()),
            Json::Object(members) => members,
            _ => return Err(EnvelopeError::WrongType(VARIABLES)),
        };
        let read = members.iter().map(|(name, value)| {
            let name = name.text().ok_or(EnvelopeError::NotUnicode(VARIABLES))?;
            Ok((name.into_owned(), value.to_string().into()))
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    /// The names with their values, in the order of the request.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Those variables for which `keep` returns true.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }
}

const QUERY: &str = "query";
const OPERATION_NAME: &str = "operationName";
const VARIABLES: &str = "variables";
const EXTENSIONS: &str = "extensions";
/// Members and parameters that name a persisted document.
const NAMES: [&str; 3] = ["id", "documentId", "doc_id"];

impl Envelope {
    /// Reads a JSON body. Members that mean nothing here are dropped.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member at fault.
    pub fn from_json(body: &[u8]) -> Result<Self, EnvelopeError> {
        Self::from_members(&read_members(body)?)
    }

    /// Reads a JSON body as [`Envelope::from_json`] does, and one whose `variables` are a JSON text
    /// besides (`docs/contracts/decidim.md` §5).
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the member at fault.
    pub fn from_json_with_texts(body: &[u8]) -> Result<Self, EnvelopeError> {
        let mut members = read_members(body)?;
        let variables = members.iter_mut().find(|(name, _)| name == VARIABLES);
        if let Some((_, Json::String(string))) = variables {
            let text = string.text().ok_or(EnvelopeError::NotUnicode(VARIABLES))?;
            let value = Variables::read(&read_text(&text, VARIABLES)?)?;
            members.retain(|(name, _)| name != VARIABLES);
            return Ok(Self { variables: value, ..Self::from_members(&members)? });
        }
        Self::from_members(&members)
    }

    fn from_members(members: &[(Name<'_>, Json<'_>)]) -> Result<Self, EnvelopeError> {
        let member = |wanted| members.iter().find(|(name, _)| name == wanted);
        let member = |wanted| member(wanted).map_or(&Json::Null, |(_, value)| value);
        let text = |name| match member(name) {
            Json::Null => Ok(None),
            Json::String(string) => match string.text() {
                Some(text) => Ok(Some(text.into_owned())),
                None => Err(EnvelopeError::NotUnicode(name)),
            },
            _ => Err(EnvelopeError::WrongType(name)),
        };
        let read = Read {
            query: text(QUERY)?,
            operation_name: text(OPERATION_NAME)?,
            variables: member(VARIABLES),
            extensions: member(EXTENSIONS),
            is_named: members.iter().any(|(name, _)| NAMES.contains(&&**name)),
        };
        read.envelope()
    }

    /// Reads decoded pairs of a URL query, as `GET` sends them, or of a form.
    ///
    /// # Errors
    /// [`EnvelopeError`] naming the parameter at fault.
    pub fn from_pairs(
        pairs: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, EnvelopeError> {
        let mut texts = [const { None }; PARAMETERS.len()];
        let mut is_named = false;
        for (name, value) in pairs {
            let Some(at) = PARAMETERS.iter().position(|known| *known == name) else {
                is_named |= NAMES.contains(&&*name);
                continue;
            };
            if texts[at].replace(value).is_some() {
                return Err(EnvelopeError::Repeated(PARAMETERS[at]));
            }
        }
        let [query, operation_name, variables, extensions] = texts;
        let read = Read {
            query,
            operation_name: operation_name.filter(|name| !name.is_empty()),
            variables: &read_text(variables.as_deref().unwrap_or_default(), VARIABLES)?,
            extensions: &read_text(extensions.as_deref().unwrap_or_default(), EXTENSIONS)?,
            is_named,
        };
        read.envelope()
    }

    /// The body that is sent on: exactly these members, in this order (`docs/rules.md` rule 7).
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let variables: usize =
            self.variables.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut out = String::with_capacity(self.query.len() * 17 / 16 + variables + 96);
        out.push_str("{\"query\":");
        push_string(&mut out, &self.query);
        if let Some(name) = &self.operation_name {
            out.push_str(",\"operationName\":");
            push_string(&mut out, name);
        }
        for (at, (name, value)) in self.variables.iter().enumerate() {
            out.push_str(if at == 0 { ",\"variables\":{" } else { "," });
            push_string(&mut out, name);
            out.extend([":", value]);
        }
        out.push_str(if self.variables.0.is_empty() { "}" } else { "}}" });
        out.into_bytes()
    }
}

/// What a request says, in whichever form it came.
struct Read<'a> {
    query: Option<String>,
    operation_name: Option<String>,
    variables: &'a Json<'a>,
    extensions: &'a Json<'a>,
    /// Whether it names a persisted document.
    is_named: bool,
}

impl Read<'_> {
    fn envelope(self) -> Result<Envelope, EnvelopeError> {
        let has_hash = match self.extensions {
            Json::Null => false,
            Json::Object(extensions) => extensions.iter().any(|(name, value)| {
                !value.is_null() && name.text().is_some_and(|name| name == "persistedQuery")
            }),
            _ => return Err(EnvelopeError::WrongType(EXTENSIONS)),
        };
        let Some(query) = self.query.filter(|query| !query.is_empty()) else {
            return Err(match (has_hash, self.is_named) {
                (true, _) => EnvelopeError::HashOnly,
                (_, true) => EnvelopeError::Persisted,
                _ => EnvelopeError::NoQuery,
            });
        };
        let variables = Variables::read(self.variables)?;
        Ok(Envelope { query, operation_name: self.operation_name, variables })
    }
}

/// Parameters of a URL query and of a form.
const PARAMETERS: [&str; 4] = [QUERY, OPERATION_NAME, VARIABLES, EXTENSIONS];

type Name<'a> = std::borrow::Cow<'a, str>;

/// The members of a JSON body, except those whose names are not valid text.
fn read_members(body: &[u8]) -> Result<Vec<(Name<'_>, Json<'_>)>, EnvelopeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| EnvelopeError::NotJson)?;
    match Json::read(text) {
        Some(Json::Object(members)) => {
            let members = members.into_iter();
            Ok(members.filter_map(|(name, value)| Some((name.text()?, value))).collect())
        }
        Some(Json::Array(_)) => Err(EnvelopeError::Batch),
        _ => Err(EnvelopeError::NotJson),
    }
}

/// The value of the JSON text in the member `name`; an empty text counts as absent.
fn read_text<'a>(text: &'a str, name: &'static str) -> Result<Json<'a>, EnvelopeError> {
    if text.is_empty() {
        return Ok(Json::Null);
    }
    Json::read(text).ok_or(EnvelopeError::WrongType(name))
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
            (r#"{"extensions":{"persistedQuery":{}}}"#, EnvelopeError::HashOnly),
            (r#"{"query":"","extensions":{"persistedQuery":{}}}"#, EnvelopeError::HashOnly),
            (r#"{"extensions":{"persistedQuery":null}}"#, EnvelopeError::NoQuery),
            (r#"{"query":"\ud800"}"#, EnvelopeError::NotUnicode("query")),
            (r#"{"query":"{a}","variables":{"\ud800":1}}"#, EnvelopeError::NotUnicode("variables")),
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
            let envelope = Envelope { query, operation_name: name, variables: Variables::default() };
            prop_assert_eq!(Envelope::from_json(&envelope.to_json()), Ok(envelope));
        }
    }
}
