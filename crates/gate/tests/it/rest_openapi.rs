//! Operations of `OpenAPI` documents: what is read, what is said about the rest, and what is refused.

use castellan_gate::{
    NamedBy,
    rest::{OpenApiError, Operation, ReadOpenApi, RestLock, read_openapi},
};
use castellan_proto::scope::RequiredScope;
use serde_json::{Value, json};

const SHOP: &str = "
openapi: 3.0.3
info: {title: Shop, version: '1'}
servers: [{url: 'https://api.example.org/v1'}]
security: [{oauth: [orders]}]
paths:
  /orders:
    summary: all of them
    parameters: [{in: query, name: q, schema: {type: string}}]
    get: {tags: [Orders], operationId: Mutation, responses: {200: {description: yes}}}
    post: {x-castellan-scope: 'Mutation:Cart:Submit'}
    options: {}
    trace: {}
  /orders/{id}: {$ref: '#/components/pathItems/Order~1item'}
  /orders/{id}/cancel: {post: {security: []}}
  /files/{id}:
    get: {servers: [{url: 'https://files.example.org'}]}
  x-note: nothing
webhooks: {paid: {post: {}}}
components:
  pathItems:
    Order/item: {get: {security: [{}, {oauth: []}]}, delete: {}}
";

fn own(place: &str, required: &str) -> Operation {
    let required = RequiredScope::try_from(required.to_owned()).unwrap();
    Operation::read(place, required, NamedBy::Override).unwrap()
}

fn read(document: &Value, own: Vec<Operation>) -> Result<ReadOpenApi, OpenApiError> {
    read_openapi(document, own, &RestLock::new())
}

#[test]
fn operations_are_read_and_what_has_no_effect_is_noted() {
    let document: Value = serde_saphyr::from_str(SHOP).unwrap();
    let rules = vec![
        own("DELETE /orders/{order}", "Mutation:Order:Forget"),
        own("COPY /orders/{id}", "Mutation:Order:Copy"),
    ];
    let ReadOpenApi { map, drifts, notes } = read(&document, rules).unwrap();
    assert!(drifts.is_empty());
    let operations: Vec<_> = map
        .operations()
        .map(|one| format!("{} {} {:?}", one.place(), one.required, one.named_by))
        .collect();
    assert_eq!(
        operations,
        [
            "COPY /orders/{id} Mutation:Order:Copy Override",
            "DELETE /orders/{order} Mutation:Order:Forget Override",
            "GET /orders Query:Order:List Rule",
            "GET /orders/{id} Query:Order:Get Rule",
            "POST /orders Mutation:Cart:Submit Directive",
            "POST /orders/{id}/cancel Mutation:Order:Cancel Rule",
        ]
    );
    for note in [
        "`servers` is not read",
        "paths./orders.options is answered by the guard itself",
        "paths./orders.trace is never let through",
        "paths./files/{id}.get has a server of its own",
        "`security: []` opens nothing by itself",
    ] {
        assert!(notes.iter().any(|one| one.contains(note)), "{note}: {notes:?}");
    }
    assert_eq!(notes.len(), 5, "{notes:?}");
}

#[test]
fn what_cannot_be_decided_by_is_refused_with_its_place() {
    let paths = |paths: Value| json!({"openapi": "3.1.0", "paths": paths});
    for (document, said) in [
        (json!({"swagger": "2.0", "paths": {}}), "not OpenAPI 3.0 or 3.1"),
        (json!({"openapi": "3.2.0"}), "not OpenAPI 3.0 or 3.1"),
        (json!({"openapi": 3.1}), "not OpenAPI 3.0 or 3.1"),
        (json!([]), "not OpenAPI 3.0 or 3.1"),
        (paths(json!([])), "paths: must be an object"),
        (paths(json!({"/a": []})), "paths./a: must be an object"),
        (paths(json!({"/a": {"get": true}})), "paths./a.get: must be an object"),
        (paths(json!({"a": {}})), "must begin with a slash"),
        (paths(json!({"/a.{ext}": {}})), "neither a text"),
        (paths(json!({"/{query}": {}})), "rename it"),
        (paths(json!({"/a": {"get": {"x-castellan-scope": "Query:A"}}})), "must be a scope"),
        (paths(json!({"/a": {"get": {"x-castellan-scope": 7}}})), "must be a scope"),
        (
            paths(json!({"/a": {"x-castellan-scope": "Mutation:A:Read", "get": {}}})),
            "has no effect",
        ),
        (paths(json!({"/a": {"get": {"X-Castellan-Scope": "Query:A:Get"}}})), "has no effect"),
        (paths(json!({"/a": {"get": {"x-castellan-scop": "Query:A:Get"}}})), "has no effect"),
        (paths(json!({"/a": {"get": {"$ref": "#/paths/~1a/get"}}})), "must be an operation"),
        (
            paths(json!({"/a": {"get": {"x-castellan-scope": "Castellan:User:Read"}}})),
            "begins with Query or Mutation",
        ),
        (paths(json!({"/": {"get": {}}})), "no scope can be derived for \"GET /\""),
        (paths(json!({"/a/{b}": {"get": {}}, "/a/{c}": {"get": {}}})), "same operation"),
        (paths(json!({"/{a}/x": {"get": {}}, "/y/{b}": {"put": {}}})), "equally well"),
        (paths(json!({"/a": {"$ref": "#/paths/~1a"}})), "refers to itself"),
        (paths(json!({"/a": {"$ref": "#/nothing"}})), "refers to nothing"),
        (paths(json!({"/a": {"$ref": "other.yaml#/a"}})), "another document"),
        (
            paths(json!({"/a": {"$ref": "#/paths/~1b", "get": {}}, "/b": {}})),
            "operations beside $ref",
        ),
    ] {
        let error = read(&document, Vec::new()).unwrap_err().to_string();
        assert!(error.contains(said), "{document}: {error}");
    }
}
