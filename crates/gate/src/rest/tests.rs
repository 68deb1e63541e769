//! The map against a slow oracle, which looks at every template for every path.

use castellan_proto::scope::RequiredScope;
use http::Method;
use proptest::prelude::*;

use super::{
    map::{Found, MapError, Operation, RestMap},
    template::{Segment, Template},
};
use crate::NamedBy;

fn operation(place: &str) -> Operation {
    let required = RequiredScope::try_from("Query:Order:List".to_owned()).unwrap();
    Operation::read(place, required, NamedBy::Override).unwrap()
}

fn map(places: &[&str]) -> Result<RestMap, MapError> {
    RestMap::new(places.iter().map(|place| operation(place)).collect())
}

/// What `method` on `path` means: an operation with its values, the methods of the path, or nothing.
fn found(map: &RestMap, method: &Method, path: &str) -> String {
    match map.find(method, path) {
        Ok(Found::Operation(operation, values)) => format!("{} {values:?}", operation.place()),
        Ok(Found::OtherMethods(allowed)) => format!("allow {}", allowed.text()),
        Ok(Found::Nothing) => "nothing".to_owned(),
        Err(_) => "ambiguous".to_owned(),
    }
}

#[test]
fn fixed_segments_come_before_parameters() {
    let map = map(&[
        "GET /orders",
        "POST /orders",
        "GET /orders/{id}",
        "DELETE /orders/{id}",
        "GET /orders/mine",
        "POST /orders/{id}/cancel",
        "COPY /orders/{id}",
        "GET /",
        "GET /slash/",
    ])
    .unwrap();
    for (method, path, expected) in [
        ("GET", "/orders", "GET /orders []"),
        ("HEAD", "/orders", "GET /orders []"),
        ("PATCH", "/orders", "allow GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", "/orders/7", "allow COPY, DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/orders/7", "GET /orders/{id} [\"7\"]"),
        ("COPY", "/orders/a%40b", "COPY /orders/{id} [\"a@b\"]"),
        ("GET", "/orders/mine", "GET /orders/mine []"),
        ("GET", "/orders/%6dine", "GET /orders/mine []"),
        // The path is that of the fixed template, whatever the other one takes.
        ("DELETE", "/orders/mine", "allow GET, HEAD, OPTIONS"),
        // A service may read letters of either case alike.
        ("GET", "/orders/Mine", "nothing"),
        ("POST", "/orders/mine/cancel", "POST /orders/{id}/cancel [\"mine\"]"),
        ("GET", "/orders/", "nothing"),
        ("GET", "/order", "nothing"),
        ("GET", "/orders/7/cancel/now", "nothing"),
        ("GET", "", "GET / []"),
        ("GET", "/", "GET / []"),
        ("GET", "/slash/", "GET /slash/ []"),
        ("GET", "/slash", "nothing"),
        ("GET", "/orders/..%2f", "ambiguous"),
        ("GET", "/orders/7;x", "ambiguous"),
        ("get", "/orders", "allow GET, HEAD, OPTIONS, POST"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(found(&map, &method, path), expected, "{method} {path}");
    }
}

#[test]
fn what_could_mean_two_things_is_refused() {
    assert!(matches!(map(&["GET /{a}/x", "GET /y/{b}"]), Err(MapError::Rivals { .. })));
    assert!(matches!(map(&["GET /{a}/x", "PUT /y/{b}"]), Err(MapError::Rivals { .. })));
    assert!(matches!(map(&["GET /{a}", "GET /{b}"]), Err(MapError::Same { .. })));
    assert!(map(&["GET /{a}", "PUT /{b}"]).is_ok());
    assert!(map(&["GET /{a}/x", "GET /y/{b}/z"]).is_ok());
    for bad in
        ["OPTIONS /a", "TRACE /a", "CONNECT /a", "GET a", "GET", "get /a", "GET  /a", "G(T /a"]
    {
        let required = RequiredScope::try_from("Query:Order:List".to_owned()).unwrap();
        assert!(Operation::read(bad, required, NamedBy::Override).is_err(), "{bad}");
    }
    for required in ["Castellan:User:Read", "Subscription:Order:List", "Order:Order:List"] {
        let required = RequiredScope::try_from(required.to_owned()).unwrap();
        let read = Operation::read("GET /a", required, NamedBy::Override);
        assert!(matches!(read, Err(MapError::RequiredScope { .. })));
    }
}

/// Whether `template` fits `path`, segment by segment.
fn fits(template: &Template, path: &[&str]) -> bool {
    template.segments.len() == path.len()
        && template.segments.iter().zip(path).all(|(segment, text)| match segment {
            Segment::Fixed(fixed) => fixed == text,
            Segment::Parameter(_) => !text.is_empty(),
        })
}

/// Whether `one` has a text wherever `other` has one, and so is the better fit.
fn is_within(one: &Template, other: &Template) -> bool {
    let pairs = one.segments.iter().zip(&other.segments);
    pairs.into_iter().all(|pair| !matches!(pair, (Segment::Parameter(_), Segment::Fixed(_))))
}

fn template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("c"), Just("{p}"), Just("{p}")];
    proptest::collection::vec(segment, 1..5).prop_map(|segments| {
        let named = segments.iter().enumerate().map(|(at, segment)| {
            if *segment == "{p}" { format!("/{{p{at}}}") } else { format!("/{segment}") }
        });
        named.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_map_finds_what_the_oracle_finds(
        templates in proptest::collection::vec((template(), 0..2_usize), 1..8),
        paths in proptest::collection::vec(proptest::collection::vec("[abcd]", 1..5), 1..16),
    ) {
        let methods = ["GET", "POST"];
        let mut places: Vec<String> = templates
            .iter()
            .map(|(template, method)| format!("{} {template}", methods[*method]))
            .collect();
        places.sort();
        places.dedup();
        let operations: Vec<_> = places.iter().map(|place| operation(place)).collect();
        let Ok(map) = RestMap::new(operations.clone()) else {
            let two_fit = operations.iter().enumerate().any(|(at, one)| {
                operations[..at].iter().any(|other| {
                    let (one, other) = (&one.template, &other.template);
                    one.segments.len() == other.segments.len()
                        && (one.shape() == other.shape()
                            || (!is_within(one, other) && !is_within(other, one)))
                })
            });
            prop_assert!(two_fit, "refused without a reason: {places:?}");
            return Ok(());
        };
        for path in &paths {
            let segments: Vec<&str> = path.iter().map(String::as_str).collect();
            let fitting: Vec<_> =
                operations.iter().filter(|one| fits(&one.template, &segments)).collect();
            let best = fitting.iter().find(|one| {
                fitting.iter().all(|other| is_within(&one.template, &other.template))
            });
            prop_assert_eq!(best.is_some(), !fitting.is_empty(), "no best fit: {:?}", &fitting);
            let text = format!("/{}", segments.join("/"));
            for method in [Method::GET, Method::POST] {
                let expected = best.map(|best| {
                    let shape = best.template.shape();
                    fitting.iter().find(|one| {
                        one.method == method && one.template.shape() == shape
                    })
                });
                let found = map.find(&method, &text).unwrap();
                match (expected, found) {
                    (None, Found::Nothing) | (Some(None), Found::OtherMethods(_)) => {}
                    (Some(Some(expected)), Found::Operation(found, values)) => {
                        prop_assert_eq!(expected.place(), found.place());
                        let of = expected.template.segments.iter().zip(&segments);
                        let theirs: Vec<&str> = of
                            .filter(|(segment, _)| matches!(segment, Segment::Parameter(_)))
                            .map(|(_, text)| *text)
                            .collect();
                        prop_assert_eq!(values, theirs);
                    }
                    (expected, found) => prop_assert!(false, "{expected:?} {found:?}"),
                }
            }
        }
    }
}
