//! What a `User` document tells of a person, checked: apps are given it as it stands there (OIDC Core
//! §5.1).

use serde_json::{Value, json};

use crate::records::{PersonalDetails, phone_in_uri};

/// Characters of one text at most.
const LONGEST: usize = 1_024;
/// Characters of the parameters in a URI of a telephone number at most.
const LONGEST_PARAMETERS: usize = 128;

/// Refuses what no app could make sense of, naming the member.
pub(super) fn check(details: &PersonalDetails) -> Result<(), String> {
    for (name, text) in details.texts() {
        let Some(text) = text else { continue };
        if !is_good(name, text) {
            return Err(format!("{name}: {}", what_it_must_be(name)));
        }
    }
    for (name, text) in details.address.iter().flat_map(|address| address.parts()) {
        let Some(text) = text else { continue };
        // As the schema of the management API has them (`docs/contracts/curity.md` §6.3).
        let (good, longest, without) = match name {
            "formatted" => (is_text(&without_breaks(text), 2_048), 2_048, LINES),
            "street_address" => (is_text(&without_breaks(text), 1_025), 1_025, LINES),
            _ => (is_line(text), LONGEST, "control characters"),
        };
        if !good {
            return Err(format!(
                "address.{name}: must have 1 to {longest} characters and no {without}"
            ));
        }
    }
    Ok(())
}

/// Refuses what is not a telephone number.
pub(super) fn check_phone(number: &str) -> Result<(), String> {
    check_one("phone_number", "phoneNumbers.value", number)
}

/// Refuses what is not the address of a picture.
pub(super) fn check_photo(url: &str) -> Result<(), String> {
    check_one("picture", "photos.value", url)
}

fn check_one(detail: &str, member: &str, text: &str) -> Result<(), String> {
    if is_good(detail, text) {
        Ok(())
    } else {
        Err(format!("{member}: {}", what_it_must_be(detail)))
    }
}

fn is_good(name: &str, text: &str) -> bool {
    match name {
        "profile" | "picture" | "website" => is_web_address(text),
        "birthdate" => is_birthdate(text),
        "zoneinfo" => is_made_of(text, "/_+-"),
        "locale" => is_made_of(text, "-_"),
        "phone_number" => match phone_in_uri(text) {
            Some(number) => is_phone_uri(number),
            None => is_made_of(text, "+ ().-;=") && text.contains(|c: char| c.is_ascii_digit()),
        },
        _ => is_line(text),
    }
}

/// Writes what is known into a document.
pub(super) fn show(details: &PersonalDetails, shown: &mut Value) {
    for (name, text) in details.texts() {
        if let Some(text) = text {
            shown[name] = json!(text);
        }
    }
    if let Some(address) = &details.address {
        shown["address"] = json!(address);
    }
}

const fn what_it_must_be(name: &str) -> &'static str {
    match name.as_bytes() {
        b"profile" | b"picture" | b"website" => "must be an http or https URL in ASCII",
        b"birthdate" => "must be YYYY-MM-DD, 0000-MM-DD or YYYY",
        b"zoneinfo" => "must be the name of a time zone, such as Europe/Paris",
        b"locale" => "must be a language tag, such as fr-CA",
        b"phone_number" => {
            "must be a telephone number, such as +1 (425) 555-1212 or tel:+1-425-555-1212;ext=5"
        }
        _ => "must have 1 to 1024 characters and no control characters",
    }
}

/// What texts of several lines must not have.
pub(super) const LINES: &str = "control characters but ends of lines";

/// A text of several lines as one.
pub(super) fn without_breaks(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

fn is_line(text: &str) -> bool {
    is_text(text, LONGEST)
}

/// Whether `text` has something in it, no control characters, and at most `longest` characters.
pub(super) fn is_text(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && !text.contains(char::is_control)
}

/// Letters, digits and `others`.
fn is_made_of(text: &str, others: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(good)
}

/// What follows the scheme in a URI of a telephone number: the number and parameters, such as an
/// extension (RFC 3966 §3). Blanks are not allowed there, but common.
fn is_phone_uri(number: &str) -> bool {
    let (number, parameters) = number.split_once(';').unwrap_or((number, ""));
    let good = |c: char| c.is_ascii_alphanumeric() || "+-._~!*'()%:/[]&$=;".contains(c);
    is_made_of(number, "+ ().-*#")
        && number.contains(|c: char| c.is_ascii_digit())
        && parameters.len() <= LONGEST_PARAMETERS
        && parameters.chars().all(good)
}

fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |b: u8| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b);
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(plain))
        && text.len() <= LONGEST
}

fn is_birthdate(text: &str) -> bool {
    let number = |part: &str, digits: usize| {
        let whole = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        whole.then(|| part.parse::<u32>().unwrap_or_default())
    };
    match *text.split('-').collect::<Vec<_>>() {
        [year] => number(year, 4).is_some_and(|year| year > 0),
        [year, month, day] => {
            number(year, 4).is_some()
                && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
                && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_what_apps_can_make_sense_of() {
        for (name, good, bad) in [
            ("nickname", &["Ann", "안나"][..], &["", " ", "a\u{7}"][..]),
            (
                "website",
                &["https://ann.test/#me"],
                &["ann.test", "javascript:x", "https://", "https://a b"],
            ),
            (
                "birthdate",
                &["1990-02-28", "0000-12-31", "1990"],
                &["90", "1990-13-01", "1990-1-1", "0000", "é"],
            ),
            ("zoneinfo", &["Europe/Paris", "Etc/GMT+1"], &["", "Europe Paris"]),
            ("locale", &["fr-CA", "en_US"], &["", "fr CA"]),
            (
                "phone_number",
                &["+1 (425) 555-1212", "+1;ext=5", "tel:+1-201-555-0123;ext=12", "TEL:7042"],
                &["", "none", "١", "tel:", "tel:x", "sip:+1", "tel:+1;ext=<1>", "tel:+1\r\n2"],
            ),
        ] {
            let of = |text: &str| {
                serde_json::from_value::<PersonalDetails>(json!({name: text})).unwrap()
            };
            for text in good {
                assert_eq!(check(&of(text)), Ok(()), "{name} {text}");
            }
            for text in bad {
                assert!(check(&of(text)).is_err_and(|why| why.starts_with(name)), "{name} {text}");
            }
        }
        let address = json!({"address": {"formatted": "1 Rue\nParis", "locality": "Paris\n"}});
        let details = serde_json::from_value(address).unwrap();
        assert!(check(&details).is_err_and(|why| why.starts_with("address.locality")));
    }
}
