//! What a `User` document tells of a person, checked: apps are given it as it stands there (OIDC Core
//! §5.1).

use serde_json::{Value, json};

use crate::records::PersonalDetails;

/// Bytes of one text at most.
const LONGEST: usize = 1_024;

/// Refuses what no app could make sense of, naming the member.
pub(super) fn check(details: &PersonalDetails) -> Result<(), String> {
    for (name, text) in details.texts() {
        let Some(text) = text else { continue };
        if !is_good(name, text) {
            return Err(format!("{name}: {}", what_it_must_be(name)));
        }
    }
    for (name, text) in details.address.iter().flat_map(|address| address.parts()) {
        let has_lines = matches!(name, "formatted" | "street_address");
        let good = |text: &str| {
            if has_lines { is_line(&text.replace(['\r', '\n'], " ")) } else { is_line(text) }
        };
        if text.is_some_and(|text| !good(text)) {
            return Err(format!("address.{name}: {}", what_it_must_be(name)));
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
        "phone_number" => {
            is_made_of(text, "+ ().-;=") && text.contains(|c: char| c.is_ascii_digit())
        }
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
        b"phone_number" => "must be a telephone number, such as +1 (425) 555-1212",
        _ => "must have 1 to 1024 bytes and no control characters",
    }
}

pub(super) fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= LONGEST && !text.contains(char::is_control)
}

/// Letters, digits and `others`.
fn is_made_of(text: &str, others: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(good)
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
            ("phone_number", &["+1 (425) 555-1212", "+1;ext=5"], &["", "none", "١"]),
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
