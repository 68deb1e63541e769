//! Requests as policies see them (`docs/contracts/aidbox.md` §8), at resources and at guards.

use castellan_gate::{Source, end_to_end_headers};
use http::{HeaderMap, request::Parts};
use serde_json::{Map, Value, json};

/// Headers that say who calls. Policies see the caller instead.
const CREDENTIALS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "dpop", "x-client-auth"];
/// How headers begin that are Castellan's to set.
const OURS: &str = "castellan";

/// What is the same wherever a request is made at the site of `issuer`.
pub(crate) fn document(issuer: &str, method: &str, parts: &Parts) -> Value {
    let mut request = json!({
        "request-method": method,
        "scheme": issuer.split(':').next(),
        "uri": parts.uri.path(),
        "headers": headers(&parts.headers),
    });
    if let Some(Source(address)) = parts.extensions.get() {
        request["remote-addr"] = json!(address.to_string());
    }
    request
}

/// The parameters of a URL query. One that is repeated is a list: neither of two values may pass for
/// the only one.
pub(crate) fn params(query: &str) -> Map<String, Value> {
    let mut params = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        add(&mut params, name.into_owned(), value.into_owned());
    }
    params
}

/// Those that an API would see: not what `Connection` names, and two spellings of one name as one.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in end_to_end_headers(headers) {
        let is_shown = !CREDENTIALS.contains(&&*name) && !name.starts_with(OURS);
        if let (true, Ok(value)) = (is_shown, value.to_str()) {
            add(&mut shown, name.into_owned(), value.to_owned());
        }
    }
    shown
}

fn add(to: &mut Map<String, Value>, name: String, value: String) {
    match to.get_mut(&name) {
        None => _ = to.insert(name, value.into()),
        Some(Value::Array(values)) => values.push(value.into()),
        Some(first) => *first = json!([first, value]),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn credentials_are_not_shown_and_nothing_that_is_repeated_passes_for_the_only_one() {
        let request = Request::get("/graphql?a=1&b=2&a=3&a=4")
            .header("authorization", "Bearer secret")
            .header("cookie", "ASID=secret")
            .header("castellan-identity", "forged")
            .header("x-tenant", "one")
            .header("x_tenant", "two")
            .header("x-dropped", "by the next hop")
            .header("connection", "x-dropped")
            .header("accept", "*/*");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let shown = document("https://id.example.org", "get", &parts);
        let expected = json!({
            "request-method": "get", "scheme": "https", "uri": "/graphql",
            "headers": {"x-tenant": ["one", "two"], "accept": "*/*"},
        });
        assert_eq!(shown, expected);
        assert_eq!(json!(params("a=1&b=2&a=3&a=4")), json!({"a": ["1", "3", "4"], "b": "2"}));
    }
}
