//! Headers between the caller and what stands behind the gate.

use std::{borrow::Cow, cell::Cell};

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The id of one decision, in the header `Castellan-Decision` and in every refusal: 24 hexadecimal
/// digits that nobody can guess. Nothing in it can be mistaken for an option on a command line,
/// where ids end up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionId([u8; 24]);

/// Random bytes of one id.
const RANDOM: usize = 12;
/// Ids for which randomness is fetched at a time.
const AHEAD: usize = 32;

thread_local! {
    /// Randomness for ids to come, and how much of it is used up. Fetching it for each is what would
    /// cost most of an id.
    static AHEAD_OF_TIME: Cell<([u8; RANDOM * AHEAD], usize)> =
        const { Cell::new(([0; RANDOM * AHEAD], AHEAD)) };
}

impl DecisionId {
    /// A fresh one.
    #[must_use]
    pub fn generate() -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let (mut bytes, mut used) = AHEAD_OF_TIME.get();
        if used >= AHEAD {
            (bytes, used) = (castellan_proto::random(), 0);
        }
        AHEAD_OF_TIME.set((bytes, used + 1));
        let mut id = [0; 24];
        let random = bytes[used * RANDOM..].iter();
        for (pair, byte) in id.chunks_exact_mut(2).zip(random) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(id)
    }

    /// As a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Its digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The header's name.
    pub const HEADER: HeaderName = HeaderName::from_static("castellan-decision");

    /// The header's value.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_str(self.as_str()).unwrap_or(HeaderValue::from_static("-"))
    }
}

/// Removes from `headers` all that must not cross the gate inwards: hop-by-hop headers and those
/// that `Connection` names (RFC 9110 §7.6.1), credentials, cookies, forwarding headers, conditions
/// and digests of another body, and every spelling of `castellan-*` and of the names in `also`
/// (`docs/security-cases.md` row 29).
pub fn strip_request_headers(headers: &mut HeaderMap, also: &[String]) {
    let named = named_by_connection(headers);
    let also: Vec<_> = also.iter().map(|name| dashed(name)).collect();
    remove_if(headers, |name| {
        let dashed = dashed(name);
        HOP_BY_HOP.contains(&&*dashed)
            || GATES_OWN.contains(&&*dashed)
            || GATES_OWN_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
            || named.iter().any(|one| one == name)
            || also.contains(&dashed)
    });
}

/// Headers that are for whoever answers in the end, under the one spelling that CGI-style servers
/// read: without those that are for the next hop alone, or that `Connection` names (RFC 9110 §7.6.1).
pub fn end_to_end_headers(
    headers: &HeaderMap,
) -> impl Iterator<Item = (Cow<'_, str>, &HeaderValue)> {
    let named = named_by_connection(headers);
    headers
        .iter()
        .filter(move |(name, _)| !named.iter().any(|one| one == name.as_str()))
        .map(|(name, value)| (dashed(name.as_str()), value))
        .filter(|(name, _)| !HOP_BY_HOP.contains(&&**name))
}

/// The one spelling of the name of a header under which CGI-style servers read it: with dashes for
/// underscores and any other sign.
#[must_use]
pub fn dashed_header_name(name: &str) -> Cow<'_, str> {
    dashed(name)
}

/// The one spelling we compare: CGI-style servers read `-`, `_` and any other sign alike.
pub(crate) fn dashed(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Cow::Borrowed(name);
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect()
}

pub(crate) fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

/// Removes from an upstream's answer what must not reach the caller (`docs/rules.md` rule 37), nor
/// act on a proxy before us.
pub(crate) fn strip_response_headers(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    remove_if(headers, |name| {
        let dashed = dashed(name);
        HOP_BY_HOP.contains(&&*dashed)
            || NOT_OUTWARDS.contains(&&*dashed)
            || NOT_OUTWARDS_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
            || named.iter().any(|one| one == name)
    });
}

pub(crate) fn remove_if(headers: &mut HeaderMap, doomed: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| doomed(name.as_str())).cloned().collect();
    // Often nothing else was sent.
    if names.len() == headers.keys_len() {
        return headers.clear();
    }
    for name in names {
        headers.remove(name);
    }
}

pub(crate) const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the gate sets itself, or keeps to itself; what an upstream could take for another method,
/// path or caller; and what speaks of the body that was sent to us.
const GATES_OWN: [&str; 28] = [
    "accept",
    "accept-encoding",
    "authorization",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "content-type",
    "cookie",
    "digest",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "origin",
    "range",
    "repr-digest",
    "x-client-auth",
    "x-http-method",
    "x-http-method-override",
    "x-jwt-aud",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const GATES_OWN_PREFIXES: [&str; 4] = ["castellan-", "if-", "sec-websocket-", "x-forwarded-"];

/// What an upstream says of its own connection to us, of its body as it was framed there, or to
/// browsers about an origin that is not its own.
const NOT_OUTWARDS: [&str; 22] = [
    "accept-ranges",
    "alt-svc",
    "clear-site-data",
    // The body says itself how long it is; this may belong to another framing (RFC 9112 §6.3).
    "content-length",
    "content-range",
    // Of proofs that never reach it.
    "dpop-nonce",
    "link",
    "location",
    "nel",
    "refresh",
    "report-to",
    "reporting-endpoints",
    "server",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "set-login",
    "strict-transport-security",
    "www-authenticate",
    "x-content-type-options",
    "x-powered-by",
    "x-sendfile",
];
const NOT_OUTWARDS_PREFIXES: [&str; 4] =
    ["access-control-", "castellan-", "content-security-policy", "x-accel-"];

#[cfg(test)]
mod tests {
    use super::*;

    /// An id is typed on a command line, where what begins with `-` is an option.
    #[test]
    fn an_id_is_all_letters_and_digits() {
        let ids: std::collections::HashSet<String> =
            (0..100).map(|_| DecisionId::generate().as_str().to_owned()).collect();
        assert_eq!(ids.len(), 100, "no two are the same");
        for id in ids {
            assert_eq!(id.len(), 24);
            assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
    }

    /// `docs/security-cases.md` row 29: no spelling of an identity header gets through, and
    /// `Connection` cannot strip ours, which is set afterwards.
    #[test]
    fn case_29_identity_headers_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in [
            "castellan-identity",
            "castellan_identity",
            "castellan.identity",
            "castellan~identity",
            "Castellan-Decision",
            "x_forwarded_user",
            "x-forwarded-for",
            "forwarded",
            "cookie",
            "authorization",
            "x-user",
            "x_user",
            "x_role",
            "x-role",
            "x-http-method-override",
            "if-none-match",
            "dpop",
            "x-doomed",
            "upgrade",
        ] {
            headers.append(
                HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).unwrap(),
                HeaderValue::from_static("forged"),
            );
        }
        headers.append(header::CONNECTION, HeaderValue::from_static("close, X-Doomed"));
        headers.append("x-request-id", HeaderValue::from_static("kept"));
        strip_request_headers(&mut headers, &["X-User".to_owned(), "X_Role".to_owned()]);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-request-id"]);
    }
}
