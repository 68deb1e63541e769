//! Media types of GraphQL over HTTP: what the client sends and what it wants back.

use http::{HeaderMap, HeaderValue, header};

/// In which media type an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `application/graphql-response+json`: the status reports errors.
    GraphQl,
    /// `application/json` by name: a well-formed refusal of a document is a 200.
    Json,
    /// Anything, or no preference: JSON, and the status reports errors.
    Any,
}

impl Wanted {
    /// Reads `Accept`; `None` if nothing that we could send would be accepted.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let mut has_range = false;
        for value in headers.get_all(header::ACCEPT) {
            for range in value.to_str().unwrap_or_default().split(',') {
                has_range |= !range.trim().is_empty();
                let (wanted, quality) = read_range(range);
                if let Some(wanted) = wanted
                    && quality > 0
                    && best.is_none_or(|(so_far, _)| quality > so_far)
                {
                    best = Some((quality, wanted));
                }
            }
        }
        match best {
            Some((_, wanted)) => Some(wanted),
            None if has_range => None,
            None => Some(Self::Any),
        }
    }

    /// The media type with its charset.
    #[must_use]
    pub const fn content_type(self) -> HeaderValue {
        match self {
            Self::GraphQl => {
                HeaderValue::from_static("application/graphql-response+json; charset=utf-8")
            }
            Self::Json | Self::Any => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }
}

/// The response type that a media range selects, and its weight in thousandths (RFC 9110 §12.4.2).
fn read_range(range: &str) -> (Option<Wanted>, u16) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut quality = 1000;
    for parameter in parts {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match &*key.trim().to_ascii_lowercase() {
            "q" => quality = thousandths(value.trim()),
            "charset" if !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") => {
                return (None, 0);
            }
            _ => {}
        }
    }
    let wanted = match &*name {
        "application/graphql-response+json" => Some(Wanted::GraphQl),
        "application/json" => Some(Wanted::Json),
        "*/*" | "application/*" => Some(Wanted::Any),
        _ => None,
    };
    (wanted, quality)
}

fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    match whole {
        "1" => 1000,
        "0" => {
            format!("{fraction:0<3}").get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The media type of JSON.
pub const JSON: &str = "application/json";
/// Forms, as browsers send them.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// The name of a media type, in lower case and without its parameters.
pub(crate) fn media_type(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the body is of the media type `name` in UTF-8, uncoded.
#[must_use]
pub fn is_sent_as(name: &str, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    parts.next().is_some_and(|sent| sent.eq_ignore_ascii_case(name))
        && parts.filter(|part| !part.is_empty()).all(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            !key.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
        && headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Option<Wanted> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        Wanted::of(&headers)
    }

    #[test]
    fn the_heaviest_range_wins_and_the_first_of_equals() {
        assert_eq!(wanted("application/json"), Some(Wanted::Json));
        assert_eq!(
            wanted("application/graphql-response+json, application/json;q=0.9"),
            Some(Wanted::GraphQl)
        );
        assert_eq!(
            wanted("application/graphql-response+json;q=0.1, application/json;q=0.9"),
            Some(Wanted::Json)
        );
        assert_eq!(wanted("*/*"), Some(Wanted::Any));
        assert_eq!(wanted("text/html"), None);
        assert_eq!(wanted("application/json;q=0"), None);
        assert_eq!(wanted("application/json; charset=latin1"), None);
        assert_eq!(Wanted::of(&HeaderMap::new()), Some(Wanted::Any));
    }
}
