//! Which format a request is in, and which one its answer has (`docs/contracts/ibexa.md` §1).

use axum::http::{HeaderMap, HeaderValue, header};

/// A format of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, with attributes as members that begin with `_`.
    Json,
    /// XML.
    Xml,
}

/// How media types of the contract begin, the second one those of an older version of it.
const VENDORS: [&str; 2] = ["application/vnd.ibexa.api.", "application/vnd.ez.api."];

impl Format {
    /// The format of an answer: the first one that `Accept` names in the order of its weights. JSON is
    /// only sent to who names it; everything else is XML, so that no request is refused for this.
    pub(super) fn of_answer(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let ranges = lines.flat_map(|line| line.split(',')).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().filter(|name| name.contains('/'))?;
            let weight = parts.find_map(|parameter| {
                let (name, weight) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then_some(weight.trim())
            });
            let weight = weight.map_or(Some(1.0_f32), |weight| weight.parse().ok())?;
            (weight > 0.0).then(|| (weight, Self::named(name)))
        });
        let best = ranges.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map_or(Self::Xml, |(_, format)| format)
    }

    fn named(media_type: &str) -> Self {
        let lower = media_type.to_ascii_lowercase();
        let is_of_vendor = VENDORS.iter().any(|vendor| lower.starts_with(vendor));
        if lower == "application/json" || (is_of_vendor && lower.ends_with("+json")) {
            Self::Json
        } else {
            Self::Xml
        }
    }

    /// How media types in this format end.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }

    /// The media type of a body that is a `type_name`.
    pub(super) fn media_type(self, type_name: &str) -> String {
        format!("{}{type_name}+{}", VENDORS[0], self.suffix())
    }
}

/// The format of a body that has to be a `type_name`.
///
/// # Errors
/// The description of what is wrong with `Content-Type` (§2.2).
pub(super) fn of_body(headers: &HeaderMap, type_name: &str) -> Result<Format, String> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => return Err("Missing Content-Type header in message.".to_owned()),
        (Some(Ok(value)), None) => value,
        _ => return Err("Unknown content type specification.".to_owned()),
    };
    let media_type = value.split(';').next().unwrap_or_default().trim();
    let (name, format) = media_type.rsplit_once('+').unwrap_or((media_type, "xml"));
    let format = match &*format.to_ascii_lowercase() {
        "json" => Format::Json,
        "xml" => Format::Xml,
        other => return Err(format!("Unknown format specification{}.", quoted(other))),
    };
    let is_meant = |vendor: &&str| {
        let rest = name.get(vendor.len()..);
        name.get(..vendor.len()).is_some_and(|start| start.eq_ignore_ascii_case(vendor))
            && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(type_name))
    };
    if VENDORS.iter().any(is_meant) {
        return Ok(format);
    }
    Err(format!("Unknown content type specification{}.", quoted(name)))
}

/// The name of a type as a description shows it; nothing of what cannot be one.
fn quoted(name: &str) -> String {
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.-_".contains(&b));
    if is_name && (1..=64).contains(&name.len()) { format!(": '{name}'") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn the_format_of_an_answer_is_the_one_that_is_wanted_most() {
        use Format::{Json, Xml};
        for (accept, format) in [
            (&[][..], Xml),
            (&["*/*"], Xml),
            (&["text/html"], Xml),
            (&["application/vnd.ibexa.api."], Xml),
            (&["application/vnd.ibexa.api.Session+json"], Json),
            (&["Application/vnd.Ibexa.api.Session+JSON; charset=utf-8"], Json),
            (&["application/vnd.ez.api.Session+json"], Json),
            (&["application/vnd.other.api.Session+json"], Xml),
            (&["application/json"], Json),
            (&["application/vnd.ibexa.api.Session+xml"], Xml),
            (&["application/xml, application/json"], Xml),
            (&["application/json, application/xml"], Json),
            (&["application/xml;q=0.5, application/json;q=0.9"], Json),
            (&["application/json;q=0.5", "text/html"], Xml),
            (&["application/json;q=0"], Xml),
            (&["application/json;q=zero"], Xml),
            (&["nonsense, application/json;q=0.1"], Json),
        ] {
            assert_eq!(Format::of_answer(&headers(&header::ACCEPT, accept)), format, "{accept:?}");
        }
    }

    #[test]
    fn a_body_is_of_the_type_that_it_has_to_be() {
        let read =
            |values: &[&str]| of_body(&headers(&header::CONTENT_TYPE, values), "SessionInput");
        for (value, format) in [
            ("application/vnd.ibexa.api.SessionInput+json", Format::Json),
            ("application/vnd.ibexa.api.SessionInput+xml", Format::Xml),
            ("application/vnd.ibexa.api.SessionInput", Format::Xml),
            ("application/vnd.ez.api.SessionInput+json;version=2.0", Format::Json),
            ("application/vnd.ibexa.api.SessionInput+JSON; charset=utf-8", Format::Json),
        ] {
            assert_eq!(read(&[value]), Ok(format), "{value}");
        }
        for (value, problem) in [
            (
                "application/vnd.ibexa.api.SessionInput+yaml",
                "Unknown format specification: 'yaml'.",
            ),
            ("application/vnd.ibexa.api.SessionInput+<b>", "Unknown format specification."),
            (
                "application/vnd.ibexa.api.UserInput+json",
                "Unknown content type specification: 'application/vnd.ibexa.api.UserInput'.",
            ),
            ("application/json", "Unknown content type specification: 'application/json'."),
            ("text/plain", "Unknown content type specification: 'text/plain'."),
            ("", "Unknown content type specification."),
        ] {
            assert_eq!(read(&[value]).unwrap_err(), problem, "{value}");
        }
        assert_eq!(read(&[]).unwrap_err(), "Missing Content-Type header in message.");
        let twice = ["application/vnd.ibexa.api.SessionInput+json"; 2];
        assert_eq!(read(&twice).unwrap_err(), "Unknown content type specification.");
    }
}
