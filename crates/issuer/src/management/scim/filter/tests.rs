//! Filters as clients send them.

use proptest::prelude::*;
use serde_json::json;

use super::{super::schema::USER, *};

fn read(text: &str) -> Result<Filter, super::super::error::ScimError> {
    filter(&USER, text)
}

fn ann() -> Value {
    json!({
        "id": "a1",
        "userName": "Ann",
        "active": true,
        "name": {"familyName": "O'Malley"},
        "emails": [
            {"value": "ann@work.test", "type": "work", "primary": true},
            {"value": "ann@home.test", "type": "home", "primary": false},
        ],
        "meta": {"lastModified": "2026-05-13T04:42:34Z", "resourceType": "User"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Tours"},
    })
}

#[test]
fn the_examples_of_the_rfc_and_their_relatives_say_what_they_say() {
    for (text, admits) in [
        (r#"userName Eq "ann""#, true),
        (r#"USERNAME eq "bob""#, false),
        (r#"name.familyName co "o'malley""#, true),
        (r#"userName sw "A" and userName ew "n""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "an""#, true),
        ("title pr", false),
        ("emails pr", true),
        (r#"title pr or userType eq "Intern""#, false),
        (r#"meta.lastModified gt "2011-05-13T04:42:34Z""#, true),
        (r#"meta.lastModified ge "2026-05-13T04:42:34.000Z""#, true),
        (r#"meta.lastModified lt "2026-05-13T04:42:34Z""#, false),
        (r#"meta.lastModified eq "2026-05-13T06:42:34+02:00""#, true),
        (r#"meta.lastModified lt "2026-05-13T04:42:34.5Z""#, true),
        (r#"meta.lastModified gt "1900-01-01T00:00:00Z""#, true),
        (r#"emails[type eq "work" and value co "@work.test"]"#, true),
        (r#"emails[type eq "home" and value co "@work.test"]"#, false),
        (r#"emails.type eq "home" and emails.value co "@work.test""#, true),
        (r#"emails co "home.test""#, true),
        (r#"emails[not (type eq "work") and primary eq false]"#, true),
        (r"not (active eq true)", false),
        ("active ne false", true),
        (r#"id eq "A1""#, false),
        (r"title eq null", true),
        (r#"title ne "x""#, true),
        (r#"userName eq "x" or userName eq "ann" and active eq false"#, false),
        (r#"(userName eq "x" or userName eq "ann") and active eq true"#, true),
        (
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "tours""#,
            true,
        ),
        (r#"userName eq "\u0041nn""#, true),
    ] {
        let filter = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.admits(&ann()), admits, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}active eq true{}", "(".repeat(40), ")".repeat(40));
    let many = vec!["active eq true"; 65].join(" or ");
    let long = format!("userName eq \"{}\"", "x".repeat(5_000));
    for text in [
        "",
        "userName",
        "userName eq",
        "userName is \"x\"",
        "nickname.x eq \"y\"",
        "shoeSize eq \"9\"",
        "userName eq \"x",
        "userName eq x",
        "userName eq \"x\" and",
        "(active eq true",
        "active eq \"x\"",
        "active gt true",
        "userName eq 5",
        "meta.created eq \"yesterday\"",
        "meta.created gt \"2020-01-01\"",
        "password eq \"x\"",
        "name eq \"x\"",
        "emails[type eq \"work\"",
        "userName[x eq \"y\"]",
        "emails[shoe eq \"y\"]",
        "userName eq \"x\" userName eq \"y\"",
        &deep,
        &many,
        &long,
    ] {
        let refused = read(text).map(|_| ()).unwrap_err();
        assert_eq!(refused.kind, Some("invalidFilter"), "{text}");
    }
}

#[test]
fn what_has_an_index_is_found_by_it() {
    use crate::records::ListingName;
    let name = |text: &str| Choice::Name(text.to_owned());
    let external = Choice::Listed(ListingName::ExternalId, "7".to_owned());
    for (text, expected) in [
        (r#"userName eq "ANN""#, Some(vec![name("ann")])),
        (r#"userName eq "ann" and active eq true"#, Some(vec![name("ann")])),
        (r#"active eq true and userName eq "ann""#, Some(vec![name("ann")])),
        (r#"userName eq "a" or emails eq "b@x""#, Some(vec![name("a"), name("b@x")])),
        (r#"emails[type eq "work" and value eq "B@x"]"#, Some(vec![name("b@x")])),
        (r#"externalId eq "7" and groups.value eq "x""#, Some(vec![external])),
        (r#"userName sw "an""#, None),
        (r#"userName sw "ann""#, Some(vec![Choice::Start("ann".to_owned())])),
        (r#"userName eq "a" or active eq true"#, None),
        (r#"not (userName eq "a")"#, None),
        (r#"userName ne "a""#, None),
        (r#"emails[type eq "work" or value eq "b@x"]"#, None),
    ] {
        assert_eq!(choices("User", &read(text).unwrap(), 3), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"[a-z\[\]().:"\\ é]{0,64}"#) {
        if let Ok(filter) = read(&text) {
            filter.admits(&ann());
        }
        let _ = path(&USER, &text);
    }
}
