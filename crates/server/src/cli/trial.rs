//! Something to try on an API that nobody here has seen: a GraphQL document, or a request.

use std::path::Path;

use castellan_gate::{
    Root,
    rest::{Operation, RestLock, RestMap, read_openapi},
};
use serde_json::json;

use super::Failure;
use crate::yaml;

/// The path of the demo's guard of an API over HTTP.
pub(super) const REST: &str = "/rest";

/// One thing to try.
#[derive(Clone)]
pub(super) enum Trial {
    /// A GraphQL document, at `/graphql`.
    Document(String),
    /// A method and a path.
    Request(String),
}

impl Trial {
    /// The command that tries it at `issuer`, on two lines; after the first one each begins with
    /// `indent`.
    pub(super) fn curl(&self, issuer: &str, token: Option<&str>, indent: &str) -> String {
        let header =
            token.map_or_else(String::new, |token| format!(" -H 'Authorization: Bearer {token}'"));
        match self {
            Self::Document(document) => {
                let body = json!({"query": document}).to_string();
                format!(
                    "curl -s {issuer}/graphql -H 'Content-Type: application/json'{header} \
                     \\\n{indent}-d '{body}'"
                )
            }
            Self::Request(request) => {
                let (method, path) = request.split_once(' ').unwrap_or(("GET", request));
                let show = if method == "HEAD" { "-I" } else { "-i" };
                format!(
                    "curl -s {show} -X {method} {issuer}{path} \\\n{indent}{}",
                    header.trim_start()
                )
                .trim_end_matches(['\\', '\n', ' '])
                .to_owned()
            }
        }
    }

    /// What `castellan explain` is told of it.
    pub(super) fn explain(&self) -> String {
        match self {
            Self::Document(document) => format!("--query '{document}'"),
            Self::Request(request) => format!("--request '{request}'"),
        }
    }
}

/// A read and another request to try, if the `OpenAPI` document in `file` has some that need no more
/// than a path.
pub(super) fn of_openapi(file: &Path) -> Result<(Trial, Option<Trial>), Failure> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let documents = yaml::read(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let [document] = &*documents else {
        return Err(format!("{}: must be one document", file.display()).into());
    };
    let read = read_openapi(document, Vec::new(), &RestLock::new());
    let map = read.map_err(|error| format!("{}: {error}", file.display()))?.map;
    let read = first(&map, Root::Query).ok_or_else(|| {
        format!("{}: has no operation that reads; set up a guard by hand", file.display())
    })?;
    Ok((read, first(&map, Root::Mutation)))
}

/// The first operation of `root`: one without parameters in its path, if there is one.
fn first(map: &RestMap, root: Root) -> Option<Trial> {
    let operations = || map.operations().filter(|operation| operation.root == root);
    let is_plain = |operation: &&Operation| !operation.template.as_str().contains('{');
    let operation = operations().find(is_plain).or_else(|| operations().next())?;
    // Any text is a value of a parameter.
    let mut path = String::new();
    let mut is_inside = false;
    for c in operation.template.as_str().chars() {
        match c {
            '{' => (is_inside, path) = (true, path + "1"),
            '}' => is_inside = false,
            _ if is_inside => {}
            _ => path.push(c),
        }
    }
    Some(Trial::Request(format!("{} {REST}{path}", operation.method)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_shows_what_to_try() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let paths = json!({
            "/orders/{id}": {"get": {}, "delete": {}},
            "/orders": {"get": {}},
        });
        let document = json!({"openapi": "3.0.0", "paths": paths});
        std::fs::write(file.path(), document.to_string()).unwrap();
        let (read, write) = of_openapi(file.path()).unwrap();
        let write = write.unwrap();
        assert_eq!(read.curl("http://h", None, "  "), "curl -s -i -X GET http://h/rest/orders");
        assert_eq!(
            write.curl("http://h", Some("t"), "  "),
            "curl -s -i -X DELETE http://h/rest/orders/1 \\\n  -H 'Authorization: Bearer t'"
        );
        assert_eq!(write.explain(), "--request 'DELETE /rest/orders/1'");
    }
}
