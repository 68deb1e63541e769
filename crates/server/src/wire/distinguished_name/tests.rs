//! Names that are read, and names that are refused.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<DistinguishedName, InvalidName> {
    DistinguishedName::parse(text)
}

#[test]
fn the_examples_of_rfc_4514_are_read() {
    for (text, kind, value) in [
        ("UID=jsmith,DC=example,DC=net", "UID", "jsmith"),
        ("OU=Sales+CN=J.  Smith,DC=example,DC=net", "CN", "J.  Smith"),
        (r#"CN=James \"Jim\" Smith\, III,DC=example,DC=net"#, "CN", r#"James "Jim" Smith, III"#),
        (r"CN=Lu\C4\8Di\C4\87", "CN", "Lučić"),
        ("1.3.6.1.4.1.1466.0=#04024869,CN=x", "CN", "x"),
        // As Go writes an e-mail address.
        (
            "CN=x,1.2.840.113549.1.9.1=#0c0d616e6e40612e6578616d706c65",
            EMAIL_ADDRESS,
            "ann@a.example",
        ),
        ("emailAddress=ann@example.org,CN=Ann,O=Example", EMAIL_ADDRESS, "ann@example.org"),
        ("cn=Ann", "CN", "Ann"),
        ("2.5.4.3=Ann", "CN", "Ann"),
        ("CN=a=b", "CN", "a=b"),
        (r"CN=\ a\ ", "CN", " a "),
    ] {
        assert_eq!(
            parse(text).map(|name| name.only(kind).map(ToOwned::to_owned)),
            Ok(Some(value.to_owned())),
            "{text}"
        );
    }
    let name = parse(r"CN=Before\0dAfter,DC=example,DC=net").unwrap();
    assert_eq!(name.only("CN"), None, "nobody is called that");
}

/// `docs/contracts/ibexa.md` §11, check 36: no value passes for another attribute.
#[test]
fn nothing_in_a_value_is_an_attribute() {
    for text in [
        "CN=x/emailAddress=admin@example.org",
        r"CN=x\,emailAddress=admin@example.org",
        r"CN=x\2cemailAddress=admin@example.org",
        r"CN=x\+emailAddress=admin@example.org",
        "CN=emailAddress=admin@example.org",
        "CN=#0c19656d61696c416464726573733d61646d696e40612e74657374",
    ] {
        let name = parse(text).unwrap();
        assert_eq!(name.only(EMAIL_ADDRESS), None, "{text}");
    }
    // The other one might be the one that somebody smuggled in.
    let name = parse("emailAddress=ann@example.org,CN=x,emailAddress=admin@example.org").unwrap();
    assert_eq!(name.only(EMAIL_ADDRESS), None);
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for text in [
        "",
        "CN",
        "=x",
        "CN=x,",
        ",CN=x",
        "CN=x,,O=y",
        "CN=x;O=y",
        "CN=x, O=y",
        "CN =x",
        "CN= x",
        "CN=x ",
        "CN=\"x\"",
        "CN=<x>",
        "CN=x\\",
        "CN=x\\zz",
        "CN=x\\4",
        "CN=\\ff",
        "CN=#",
        "CN=#4",
        "CN=#zz",
        "C N=x",
        "1=x",
        "1.02=x",
        "-a=x",
        "CN=x\0",
        "(null)",
    ] {
        assert_eq!(parse(text), Err(InvalidName::Syntax), "{text:?}");
    }
    assert_eq!(parse("/C=DE/CN=ann"), Err(InvalidName::Legacy));
    assert_eq!(parse("CN=a+CN=b"), Err(InvalidName::Twice));
    assert_eq!(parse("CN=a+2.5.4.3=b"), Err(InvalidName::Twice));
    assert_eq!(parse(&format!("CN={}", "x".repeat(LONGEST))), Err(InvalidName::Syntax));
}

#[test]
fn one_name_has_one_spelling() {
    let spelt = |text: &str| parse(text).unwrap().to_string();
    assert_eq!(spelt("cn=Ann+OU=Sales,o=Example"), "CN=Ann+OU=Sales,O=Example");
    assert_eq!(spelt("ou=Sales+2.5.4.3=Ann,O=Example"), "CN=Ann+OU=Sales,O=Example");
    assert_eq!(spelt(r"CN=\41nn"), "CN=Ann");
    assert_ne!(spelt("O=Example,CN=Ann"), spelt("CN=Ann,O=Example"), "an order is a meaning");
}

proptest! {
    /// Whatever is in a value, it is one value.
    #[test]
    fn a_name_that_is_written_is_read_as_it_was(values in prop::collection::vec("\\PC{1,20}|[ -~\\x00-\\x1f]{1,20}", 1..6)) {
        let kinds = ["CN", "O", "OU", "L", "ST", "emailAddress"];
        let parts = values.iter().zip(kinds).map(|(value, kind)| {
            vec![Attribute { kind: kind.to_owned(), value: Value::Text(value.clone()) }]
        });
        let name = DistinguishedName(parts.collect());
        let text = name.to_string();
        prop_assert_eq!(parse(&text), Ok(name), "{}", text);
    }

    /// Nothing panics, and what is read is written in a spelling that means the same.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|([A-Za-z0-9.=,+#\\\\ /\"]{0,40})") {
        if let Ok(name) = parse(&text) {
            prop_assert_eq!(parse(&name.to_string()), Ok(name));
        }
    }
}
