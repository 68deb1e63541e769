//! The archive as a REST API: the same data, without HTTP.

use std::collections::BTreeMap;

use apollo_compiler::response::JsonMap;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    model::{Form, KINDS, Kind},
    read::{changes, id},
    refused::Refused,
    store::{Changes, Filter, Node, Store},
};

/// Below which path it is.
pub(crate) const BELOW: &str = "/rest";
/// Things in one list: unless asked for, and at most.
const FEW: usize = 50;
const MOST: usize = 500;
/// What things are listed by.
const PARAMETERS: [&str; 3] = ["substring", "offset", "first"];

/// What came of a request.
pub(crate) struct Done {
    pub(crate) status: StatusCode,
    /// None if there is nothing to say.
    pub(crate) body: Option<Value>,
    /// Where the new thing is, below the API.
    pub(crate) location: Option<String>,
    /// The methods that the path takes, if it was asked with another one.
    pub(crate) allow: Option<&'static str>,
}

/// Answers `method` on `path`, which is below the API, with the parameters of the URL and the body.
pub(crate) fn answer(store: &Store, method: &Method, path: &str, query: &str, body: &[u8]) -> Done {
    let answered = match path.strip_prefix('/').map(|rest| rest.split_once('/')) {
        Some(Some((collection, identifier))) => {
            of_collection(collection).map(|kind| item(store, method, kind, identifier, body))
        }
        Some(None) => {
            of_collection(&path[1..]).map(|kind| collection(store, method, kind, query, body))
        }
        None => None,
    };
    match answered {
        Some(Ok(done)) => done,
        Some(Err(refused)) => Done::failed(status_of(&refused), &refused.to_string()),
        None => Done::failed(StatusCode::NOT_FOUND, "the archive has no such path"),
    }
}

/// The path of the things of `kind`: `/music-albums`.
fn path_of(kind: &Kind) -> String {
    let mut path = String::from("/");
    for c in kind.name.chars() {
        if c.is_ascii_uppercase() && path.len() > 1 {
            path.push('-');
        }
        path.push(c.to_ascii_lowercase());
    }
    path + "s"
}

fn of_collection(name: &str) -> Option<&'static Kind> {
    KINDS.into_iter().find(|kind| path_of(kind)[1..] == *name)
}

/// Why a request was not carried out.
enum NotDone {
    Refused(Refused),
    /// The request is not what the document says.
    Wrong(String),
}

impl From<Refused> for NotDone {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl std::fmt::Display for NotDone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Wrong(text) => f.write_str(text),
        }
    }
}

fn status_of(not_done: &NotDone) -> StatusCode {
    match not_done {
        NotDone::Refused(Refused::Unknown(..)) => StatusCode::NOT_FOUND,
        NotDone::Refused(Refused::Taken(..)) => StatusCode::CONFLICT,
        NotDone::Refused(Refused::Full(_) | Refused::Crowded(_)) => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        NotDone::Refused(_) | NotDone::Wrong(_) => StatusCode::BAD_REQUEST,
    }
}

fn collection(
    store: &Store,
    method: &Method,
    kind: &'static Kind,
    query: &str,
    body: &[u8],
) -> Result<Done, NotDone> {
    match *method {
        Method::GET | Method::HEAD => {
            let nodes = store.list(kind, &filter(query)?);
            let nodes: Vec<Value> = nodes.iter().map(|node| shown(node)).collect();
            Ok(Done::with(StatusCode::OK, nodes.into()))
        }
        Method::POST => {
            let given = read(kind, body)?;
            let node =
                store.create(kind, given.get("identifier").and_then(id), texts(kind, &given)?)?;
            let location = encoded(&format!("{}/", path_of(kind)), &node.identifier);
            let done = Done::with(StatusCode::CREATED, shown(&node));
            Ok(Done { location: Some(location), ..done })
        }
        _ => Ok(Done::not_allowed("GET, HEAD, POST")),
    }
}

fn item(
    store: &Store,
    method: &Method,
    kind: &'static Kind,
    identifier: &str,
    body: &[u8],
) -> Result<Done, NotDone> {
    let identifier = percent_encoding::percent_decode_str(identifier).decode_utf8();
    let identifier = identifier.map_err(|_| NotDone::Wrong("the path is not UTF-8".to_owned()))?;
    let unknown = || Refused::Unknown(kind, identifier.clone().into_owned());
    let node = match *method {
        Method::GET | Method::HEAD => store.get(kind, &identifier).ok_or_else(unknown)?,
        Method::PATCH => {
            let given = read(kind, body)?;
            if given.contains_key("identifier") {
                return Err(NotDone::Wrong("the identifier of a thing does not change".to_owned()));
            }
            store.update(kind, &identifier, texts(kind, &given)?)?
        }
        Method::DELETE => {
            store.delete(kind, &identifier)?;
            return Ok(Done { body: None, ..Done::with(StatusCode::NO_CONTENT, Value::Null) });
        }
        _ => return Ok(Done::not_allowed("GET, HEAD, PATCH, DELETE")),
    };
    Ok(Done::with(StatusCode::OK, shown(&node)))
}

fn filter(query: &str) -> Result<Filter, NotDone> {
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        if !PARAMETERS.contains(&&*name) || given.insert(name.into(), value.into()).is_some() {
            let text = format!("the parameters are {}, each once", PARAMETERS.join(", "));
            return Err(NotDone::Wrong(text));
        }
    }
    let count = |name: &str, default: usize| match given.get(name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| NotDone::Wrong(format!("{name} must be a whole number")))
        }
    };
    Ok(Filter {
        substring: given.get("substring").cloned(),
        offset: count("offset", 0)?,
        first: count("first", FEW)?.min(MOST),
        ..Filter::default()
    })
}

/// The members of a thing, as a body has them.
fn read(kind: &'static Kind, body: &[u8]) -> Result<JsonMap, NotDone> {
    let wrong = |text: &str| NotDone::Wrong(text.to_owned());
    let given: JsonMap =
        serde_json::from_slice(body).map_err(|_| wrong("the body must be a JSON object"))?;
    for (name, value) in &given {
        let name = name.as_str();
        if name == "identifier" && (value.is_string() || value.is_i64()) {
            continue;
        }
        let Some(scalar) = kind.scalar(name) else {
            return Err(NotDone::Wrong(format!(
                "a {} has no such member that can be set",
                kind.name
            )));
        };
        let is_good = match (scalar.form, value.as_str()) {
            (Form::OneOf(allowed), Some(text)) => {
                allowed.values.iter().any(|(value, _)| *value == text)
            }
            (_, text) => text.is_some() || value.is_null(),
        };
        if !is_good {
            return Err(NotDone::Wrong(format!("{name} has a value that is not allowed")));
        }
    }
    Ok(given)
}

fn texts(kind: &'static Kind, given: &JsonMap) -> Result<Changes, NotDone> {
    Ok(changes(kind, given)?)
}

fn shown(node: &Node) -> Value {
    let mut out = json!({"identifier": node.identifier});
    for (name, text) in &node.texts {
        out[*name] = json!(text);
    }
    for (name, ends) in &node.arrows {
        out[*name] = json!(ends);
    }
    out
}

/// `path` followed by `segment`, as a URL has it.
fn encoded(path: &str, segment: &str) -> String {
    let segment =
        percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC);
    format!("{path}{segment}")
}

impl Done {
    fn with(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body), location: None, allow: None }
    }

    fn failed(status: StatusCode, detail: &str) -> Self {
        Self::with(status, json!({"status": status.as_u16(), "detail": detail}))
    }

    fn not_allowed(allow: &'static str) -> Self {
        let done = Self::failed(StatusCode::METHOD_NOT_ALLOWED, "the path takes other methods");
        Self { allow: Some(allow), ..done }
    }
}

/// The `OpenAPI` document of the API.
pub(crate) fn openapi() -> Value {
    let mut paths = serde_json::Map::new();
    let mut schemas = serde_json::Map::new();
    for kind in KINDS {
        schemas.insert(kind.name.to_owned(), schema(kind));
        let of = json!({"$ref": format!("#/components/schemas/{}", kind.name)});
        let content = |schema: Value| json!({"application/json": {"schema": schema}});
        let answer =
            |what: &str, schema: Value| json!({"description": what, "content": content(schema)});
        let body = json!({"required": true, "content": content(of.clone())});
        let text = json!({"type": "string"});
        let parameter = |place: &str, name: &str, schema: &Value| json!({"in": place, "name": name, "required": place == "path", "schema": schema});
        let number = json!({"type": "integer", "minimum": 0});
        let path = path_of(kind);
        let listed = json!([
            parameter("query", "substring", &text),
            parameter("query", "offset", &number),
            parameter("query", "first", &number),
        ]);
        let identifier = json!([parameter("path", "identifier", &text)]);
        let all = answer("Some of them.", json!({"type": "array", "items": of}));
        let one = answer("The thing.", of);
        let failed = json!({"description": "Not carried out; `detail` says why."});
        paths.insert(
            path.clone(),
            json!({
                "get": {"parameters": listed, "responses": {"200": all, "default": failed}},
                "post": {"requestBody": body, "responses": {"201": one, "default": failed}},
            }),
        );
        paths.insert(
            format!("{path}/{{identifier}}"),
            json!({
                "parameters": identifier,
                "get": {"responses": {"200": one, "default": failed}},
                "patch": {"requestBody": body, "responses": {"200": one, "default": failed}},
                "delete": {"responses": {
                    "204": {"description": "It is gone."}, "default": failed,
                }},
            }),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "The archive", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn schema(kind: &'static Kind) -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert("identifier".to_owned(), json!({"type": "string"}));
    for scalar in kind.scalars() {
        let mut of = json!({"type": ["string", "null"], "description": scalar.about});
        if let Form::OneOf(allowed) = scalar.form {
            let values: Vec<_> = allowed.values.iter().map(|(value, _)| json!(value)).collect();
            of["enum"] = values.into_iter().chain([Value::Null]).collect();
        }
        properties.insert(scalar.name.to_owned(), of);
    }
    for relation in kind.relations {
        let of = json!({
            "type": "array", "items": {"type": "string"}, "readOnly": true,
            "description": relation.about,
        });
        properties.insert(relation.name.to_owned(), of);
    }
    json!({"type": "object", "description": kind.about, "properties": properties})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(store: &Store, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let done = answer(store, &method, path, query, body.to_string().as_bytes());
        (done.status.as_u16(), done.body.unwrap_or_default())
    }

    #[test]
    fn things_are_made_read_changed_and_removed() {
        let store = Store::default();
        let ada = json!({"identifier": "ada l", "name": "Ada", "gender": "female"});
        assert_eq!(ask(&store, "POST", "/persons", &ada), (201, ada.clone()));
        assert_eq!(ask(&store, "POST", "/persons", &ada).0, 409);
        assert_eq!(ask(&store, "GET", "/persons/ada%20l", &json!(null)), (200, ada.clone()));
        assert_eq!(
            ask(&store, "GET", "/persons?first=1&substring=AD", &json!(null)).1,
            json!([ada])
        );
        let changed = ask(&store, "PATCH", "/persons/ada%20l", &json!({"gender": null}));
        assert_eq!(changed, (200, json!({"identifier": "ada l", "name": "Ada"})));
        assert_eq!(ask(&store, "DELETE", "/persons/ada%20l", &json!(null)).0, 204);
        assert_eq!(ask(&store, "GET", "/persons/ada%20l", &json!(null)).0, 404);
    }

    #[test]
    fn what_the_document_does_not_say_is_refused() {
        let store = Store::default();
        for (method, target, body, status) in [
            ("GET", "/persons?frist=1", json!(null), 400),
            ("GET", "/persons?first=1&first=2", json!(null), 400),
            ("GET", "/persons?first=x", json!(null), 400),
            ("GET", "/people", json!(null), 404),
            ("GET", "", json!(null), 404),
            ("PUT", "/persons", json!({}), 405),
            ("POST", "/persons/x", json!({}), 405),
            ("POST", "/persons", json!([]), 400),
            ("POST", "/persons", json!({"name": 7}), 400),
            ("POST", "/persons", json!({"gender": "none of them"}), 400),
            ("POST", "/persons", json!({"invented": "x"}), 400),
            ("POST", "/persons", json!({"identifier": " "}), 400),
            ("PATCH", "/persons/x", json!({"identifier": "y"}), 400),
            ("PATCH", "/persons/x", json!({"name": "y"}), 404),
            ("DELETE", "/persons/%ff", json!(null), 400),
        ] {
            assert_eq!(ask(&store, method, target, &body).0, status, "{method} {target} {body}");
        }
        assert!(store.list(of_collection("persons").unwrap(), &Filter::default()).is_empty());
    }

    #[test]
    fn the_document_names_every_path() {
        let document = openapi();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), 2 * KINDS.len());
        assert!(paths.contains_key("/music-albums/{identifier}"));
        for path in paths.keys().filter(|path| !path.contains('{')) {
            assert_eq!(
                ask(&Store::default(), "GET", path, &json!(null)),
                (200, json!([])),
                "{path}"
            );
        }
    }
}
