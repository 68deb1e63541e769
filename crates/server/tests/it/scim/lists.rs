//! Filters, orders and pages.

use http::Method;
use serde_json::{Value, json};

use super::support::{Scim, assert_error, ids, with_query};
use crate::support::{fixtures::text, wire::Answer};

/// Seven more users, of whom three are called Ada by their family name.
async fn seven(scim: &Scim) {
    for number in 1..=7 {
        let family = if number % 2 == 0 { "Ada" } else { "Zed" };
        let body = json!({
            "userName": format!("n{number}"),
            "name": {"familyName": family},
            "emails": [{"value": format!("n{number}@seven.test"), "type": "work"}],
            "externalId": "of-seven",
        });
        assert_eq!(scim.post("/Users", &body).await.status, 201);
    }
}

fn names(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let resources = body["Resources"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    resources.iter().map(|one| text(one, "userName").to_owned()).collect()
}

#[tokio::test]
async fn filters_find_by_index_and_by_looking() {
    let scim = Scim::start().await;
    seven(&scim).await;
    for (filter, expected) in [
        ("userName eq \"N3\"", &["n3"][..]),
        ("emails eq \"N4@Seven.test\"", &["n4"]),
        ("emails[type eq \"work\" and value eq \"n5@seven.test\"]", &["n5"]),
        ("emails[type eq \"home\" and value eq \"n5@seven.test\"]", &[]),
        ("externalId eq \"x-1\"", &["Ann"]),
        ("externalId eq \"of-seven\" and name.familyName eq \"ada\"", &["n2", "n4", "n6"]),
        ("groups eq \"guides\"", &["Ann", "bob"]),
        ("groups.value eq \"guides\" and userName eq \"bob\"", &["bob"]),
        ("userName sw \"n\" and not (name.familyName eq \"Ada\")", &["n1", "n3", "n5", "n7"]),
        ("emails sw \"n6@\"", &["n6"]),
        ("userName eq \"n1\" or emails eq \"n2@seven.test\"", &["n1", "n2"]),
        ("active eq true and emails.value ew \"@example.org\"", &["Ann"]),
        ("meta.created gt \"2001-01-01T00:00:00+02:00\" and userName co \"o\"", &["bob", "root"]),
        ("meta.created gt \"2001-01-01T00:00:00Z\" and userName co \"o\"", &["bob", "root"]),
        ("userName eq \"n1@seven.test\"", &[]),
    ] {
        let query = [("filter", filter), ("sortBy", "userName")];
        let found = scim.get(&with_query("/Users", &query)).await;
        assert_eq!(names(&found), expected, "{filter}");
        assert_eq!(found.json()["totalResults"], json!(expected.len()), "{filter}");
    }
    for filter in ["userName eq", "shoe eq \"9\"", "password eq \"x\"", "userName lt 5"] {
        let refused = scim.get(&with_query("/Users", &[("filter", filter)])).await;
        assert_error(&refused, 400, Some("invalidFilter"));
    }
}

#[tokio::test]
async fn pages_by_place_have_every_user_once() {
    let scim = Scim::start().await;
    seven(&scim).await;
    for order in [None, Some("userName")] {
        let mut seen = Vec::new();
        for start in ["1", "5", "9", "13"] {
            let mut query = vec![("startIndex", start), ("count", "4")];
            query.extend(order.map(|by| ("sortBy", by)));
            let page = scim.get(&with_query("/Users", &query)).await.json();
            assert_eq!(page["totalResults"], 12, "{page}");
            assert_eq!(page["startIndex"], json!(start.parse::<u32>().unwrap()));
            assert_eq!(page["itemsPerPage"], json!(ids(&page).len()));
            seen.extend(ids(&page));
        }
        assert_eq!(seen.len(), 12, "{order:?}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 12, "{order:?}");
    }
    let none = scim.get("/Users?count=0").await.json();
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(12), &json!([])));
    let down = [("sortBy", "name.familyName"), ("sortOrder", "descending"), ("count", "6")];
    let names = names(&scim.get(&with_query("/Users", &down)).await);
    assert!(names[..5].iter().all(|name| !name.starts_with('n')), "without one first: {names:?}");
    assert_error(&scim.get("/Users?startIndex=20000").await, 400, Some("tooMany"));
    assert_error(&scim.get("/Users?sortBy=password").await, 400, Some("invalidValue"));
}

#[tokio::test]
async fn case_15_pages_by_cursor_have_every_user_once_and_cursors_are_good_for_their_query() {
    let scim = Scim::start().await;
    seven(&scim).await;
    let mut first = String::new();
    for (filter, order, total) in [
        ("", "", 12),
        ("userName pr", "", 12),
        ("userName sw \"n\"", "userName", 7),
        ("", "userName", 12),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let query =
                [("filter", filter), ("sortBy", order), ("count", "5"), ("cursor", &*cursor)];
            let page = scim.get(&with_query("/Users", &query)).await.json();
            seen.extend(ids(&page));
            assert!(page.get("startIndex").is_none(), "{page}");
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
            if first.is_empty() {
                first.clone_from(&cursor);
            }
        }
        let pages = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((pages, seen.len()), (total, total), "{filter} {order}");
    }
    let mut bent = first.clone().into_bytes();
    bent[3] ^= 1;
    for (path, filter, cursor) in [
        ("/Users", "userName pr", &*first),
        ("/Groups", "", &first),
        ("/Users", "", &String::from_utf8_lossy(&bent)),
        ("/Users", "", "i' OR 1=1 --"),
    ] {
        let query = [("filter", filter), ("cursor", cursor)];
        let refused = scim.get(&with_query(path, &query)).await;
        assert_error(&refused, 400, Some("invalidCursor"));
    }
}

#[tokio::test]
async fn a_search_is_a_query_in_a_body() {
    let scim = Scim::start().await;
    seven(&scim).await;
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName"],
        "filter": "externalId eq \"of-seven\"",
        "sortBy": "userName", "sortOrder": "descending", "startIndex": 2, "count": 2,
    });
    let found = scim.post("/Users/.search", &search).await;
    assert_eq!(names(&found), ["n6", "n5"]);
    let body = found.json();
    assert_eq!((&body["totalResults"], &body["startIndex"]), (&json!(7), &json!(2)));
    assert!(body["Resources"][0].get("emails").is_none());
    assert_error(
        &scim.post("/Users/.search", &json!({"shoe": 9})).await,
        400,
        Some("invalidValue"),
    );
    // Everything at once: users and then groups.
    let all = scim.post("/.search", &json!({"count": 200})).await.json();
    assert_eq!(all["totalResults"], 15);
    assert_eq!(ids(&all).len(), 15);
    let tail = scim.post("/.search", &json!({"startIndex": 12, "count": 3})).await.json();
    let types: Vec<&Value> = tail["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["meta"]["resourceType"])
        .collect();
    assert_eq!(types, [&json!("User"), &json!("Group"), &json!("Group")]);
    assert_error(&scim.post("/.search", &json!({"filter": "id pr"})).await, 501, None);
    assert_eq!(scim.get("").await.json()["totalResults"], 15);
    assert_error(&scim.send(Method::PUT, "/.search", &json!({})).await, 405, None);
}
