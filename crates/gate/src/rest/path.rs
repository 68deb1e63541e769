//! One reading of a request's path: what an upstream could read in another way is refused
//! (`docs/rules.md` rule 1, `docs/security-cases.md` row 31).

use std::borrow::Cow;

/// A path that two servers could read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path can be read in more than one way")]
pub struct AmbiguousPath;

/// The segments of `path` as the service behind the gate will read them: percent-decoded. The path
/// of a guard itself, with or without a slash, has none; a final slash is a last segment that is
/// empty.
///
/// # Errors
/// [`AmbiguousPath`] for empty segments before the last one, dot segments, separators and control
/// characters in any spelling, and whatever a path may not contain (RFC 3986 §3.3).
pub(crate) fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, AmbiguousPath> {
    if matches!(path, "" | "/") {
        return Ok(Vec::new());
    }
    let rest = path.strip_prefix('/').ok_or(AmbiguousPath)?;
    let mut segments = Vec::with_capacity(8);
    let mut raw = rest.split('/').peekable();
    while let Some(segment) = raw.next() {
        if segment.is_empty() && raw.peek().is_some() {
            return Err(AmbiguousPath);
        }
        segments.push(decoded(segment)?);
    }
    Ok(segments)
}

/// One segment without percent-encoding.
pub(super) fn decoded(segment: &str) -> Result<Cow<'_, str>, AmbiguousPath> {
    if !segment.bytes().all(is_segment_byte) {
        return Err(AmbiguousPath);
    }
    let decoded = if segment.contains('%') {
        Cow::Owned(percent_decoded(segment).ok_or(AmbiguousPath)?)
    } else {
        Cow::Borrowed(segment)
    };
    let splits = |c: char| matches!(c, '/' | '\\' | '%' | ';' | '?' | '#') || c.is_control();
    if matches!(&*decoded, "." | "..") || decoded.contains(splits) {
        return Err(AmbiguousPath);
    }
    Ok(decoded)
}

/// The one spelling of a segment that is [`decoded`].
pub(super) fn encoded(segment: &str) -> String {
    let spelt = |byte: u8| {
        if is_segment_byte(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    segment.bytes().map(spelt).collect()
}

/// What a segment may be written with (RFC 3986 §3.3), without the semicolon, at which some servers
/// end it.
const fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
        )
}

fn percent_decoded(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|one| u8::try_from(one).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(if byte == b'%' {
            digit(bytes.next()?)? * 16 + digit(bytes.next()?)?
        } else {
            byte
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_31_a_path_is_read_in_one_way_or_not_at_all() {
        for bad in [
            "orders",
            "//",
            "/a//b",
            "/.",
            "/a/..",
            "/%2e",
            "/a/%2E%2e/b",
            "/a%2Fb",
            "/a%5Cb",
            "/a\\b",
            "/a;b",
            "/a%3bb",
            "/a%3Fb",
            "/a%23b",
            "/a%25",
            "/%",
            "/%2",
            "/%zz",
            "/%+1",
            "/%00",
            "/a%0d",
            "/%7f",
            "/%c3",
            "/%c2%85",
            "/é",
            "/a b",
            "/{id}",
            "/a|b",
            "/a^",
            "/\"",
        ] {
            assert_eq!(segments(bad), Err(AmbiguousPath), "{bad}");
        }
        for (good, read) in [
            ("", &[][..]),
            ("/", &[]),
            ("/orders", &["orders"]),
            ("/orders/", &["orders", ""]),
            ("/%6frders/%41da%40x", &["orders", "Ada@x"]),
            ("/a/%c3%a9", &["a", "é"]),
            ("/a/..b", &["a", "..b"]),
        ] {
            assert_eq!(segments(good).unwrap(), read, "{good}");
        }
    }
}
