//! Addresses with something added to their query.

/// `uri` with `pairs` added to its query.
pub(crate) fn with_query<'a>(
    uri: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in pairs {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(name);
        uri.push('=');
        percent_encode(value, &mut uri);
    }
    uri
}

/// Appends `text` with all but unreserved characters percent-encoded (RFC 3986 §2.3).
fn percent_encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            into.push('%');
            into.push(char::from(HEX[usize::from(byte >> 4)]));
            into.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
