//! Preconditions of requests (RFC 9110 §13.1) by the version of a resource.

use axum::http::{HeaderMap, HeaderName, header};
use castellan_issuer::resources::Precondition;

use super::Outcome;

/// What `If-Match` and `If-None-Match` want of a write.
pub(super) fn of_write(headers: &HeaderMap) -> Result<Vec<Precondition>, Outcome> {
    let mut preconditions = Vec::new();
    match tags(headers, &header::IF_MATCH)? {
        Some(Tags::Any) => preconditions.push(Precondition::Exists),
        Some(Tags::These(versions)) => preconditions.push(Precondition::Versions(versions)),
        None => {}
    }
    match tags(headers, &header::IF_NONE_MATCH)? {
        Some(Tags::Any) => preconditions.push(Precondition::Absent),
        Some(Tags::These(_)) => {
            return Err(Outcome::Bad("If-None-Match: a write can have * only".to_owned()));
        }
        None => {}
    }
    Ok(preconditions)
}

/// Whether whoever reads has `version` already.
pub(super) fn is_known(headers: &HeaderMap, version: &str) -> Result<bool, Outcome> {
    Ok(match tags(headers, &header::IF_NONE_MATCH)? {
        Some(Tags::Any) => true,
        Some(Tags::These(versions)) => versions.iter().any(|one| one == version),
        None => false,
    })
}

#[derive(Debug)]
pub(in crate::http) enum Tags {
    Any,
    These(Vec<String>),
}

/// The entity tags of a header: `W/"1"` as FHIR has them, `"1"`, or `1` alone.
pub(in crate::http) fn tags(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Result<Option<Tags>, Outcome> {
    let mut versions = Vec::new();
    let mut is_any = false;
    for line in headers.get_all(name) {
        let wrong = || Outcome::Bad(format!("{name}: must be * or the ids of versions"));
        let line = line.to_str().map_err(|_| wrong())?;
        for tag in line.split(',').map(str::trim) {
            if tag == "*" {
                is_any = true;
                continue;
            }
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let version = match opaque.strip_prefix('"') {
                Some(rest) => rest.strip_suffix('"').ok_or_else(wrong)?,
                None => opaque,
            };
            let is_version = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
            if version.is_empty() || !version.bytes().all(is_version) {
                return Err(wrong());
            }
            versions.push(version.to_owned());
        }
    }
    Ok(match (is_any, versions.is_empty()) {
        (true, true) => Some(Tags::Any),
        (true, false) => {
            return Err(Outcome::Bad(format!("{name}: * stands alone")));
        }
        (false, false) => Some(Tags::These(versions)),
        (false, true) => None,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(name: &HeaderName, value: &str) -> Option<Vec<Precondition>> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        of_write(&headers).ok()
    }

    #[test]
    fn tags_are_bare_quoted_or_weak() {
        let versions = |all: &[&str]| {
            let all = all.iter().map(|one| (*one).to_owned()).collect();
            Some(vec![Precondition::Versions(all)])
        };
        for (text, wanted) in [
            ("3-a", versions(&["3-a"])),
            ("\"3-a\"", versions(&["3-a"])),
            ("W/\"3-a\"", versions(&["3-a"])),
            ("W/\"3-a\", 4-b", versions(&["3-a", "4-b"])),
            ("*", Some(vec![Precondition::Exists])),
            ("", None),
            ("\"3-a", None),
            ("3-a,", None),
            ("*, 3-a", None),
            ("w/\"3-a\"", None),
        ] {
            assert_eq!(read(&header::IF_MATCH, text), wanted, "{text:?}");
        }
        assert_eq!(read(&header::IF_NONE_MATCH, "*"), Some(vec![Precondition::Absent]));
        assert_eq!(read(&header::IF_NONE_MATCH, "3-a"), None);
    }
}
