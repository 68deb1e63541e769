//! Headers between the caller and what stands behind the gate.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The id of one decision, in the header `Castellan-Decision` and in every refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionId(pub String);

impl DecisionId {
    /// A fresh one: 16 characters that nobody can guess.
    #[must_use]
    pub fn generate() -> Self {
        let mut text = castellan_proto::Digest(castellan_proto::random::<32>()).text();
        text.truncate(16);
        Self(text)
    }

    /// The header's name.
    pub const HEADER: HeaderName = HeaderName::from_static("castellan-decision");

    /// The header's value.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("-"))
    }
}

/// Removes from `headers` all that must not cross the gate inwards: hop-by-hop headers and those
/// that `Connection` names (RFC 9110 §7.6.1), credentials, cookies, forwarding headers, and every
/// spelling of `castellan-*` and of the names in `also` (`security-cases.md` row 29).
pub fn strip_request_headers(headers: &mut HeaderMap, also: &[String]) {
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    remove_if(headers, |name| {
        // CGI-style servers read `_` and `-` alike.
        let dashed = name.replace('_', "-");
        HOP_BY_HOP.contains(&&*dashed)
            || GATES_OWN.contains(&&*dashed)
            || dashed.starts_with("castellan-")
            || dashed.starts_with("x-forwarded-")
            || dashed.starts_with("sec-websocket-")
            || named.iter().any(|one| one == name)
            || also.iter().any(|one| one.eq_ignore_ascii_case(&dashed))
    });
}

/// Removes from an upstream's answer what must not reach the caller (`design.md` rule 37).
pub(crate) fn strip_response_headers(headers: &mut HeaderMap) {
    remove_if(headers, |name| {
        let dashed = name.replace('_', "-");
        HOP_BY_HOP.contains(&&*dashed)
            || dashed.starts_with("castellan-")
            || dashed.starts_with("access-control-")
            || matches!(
                &*dashed,
                "set-cookie"
                    | "content-security-policy"
                    | "x-content-type-options"
                    | "strict-transport-security"
                    | "server"
                    | "www-authenticate"
                    | "alt-svc"
                    | "clear-site-data"
                    | "service-worker-allowed"
                    | "refresh"
                    | "location"
            )
    });
}

fn remove_if(headers: &mut HeaderMap, doomed: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| doomed(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

const HOP_BY_HOP: [&str; 9] = [
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

/// What the gate sets itself, or keeps to itself.
const GATES_OWN: [&str; 14] = [
    "accept",
    "accept-encoding",
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "origin",
    "x-jwt-aud",
    "x-original-uri",
    "x-rewrite-url",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// `security-cases.md` row 29: no spelling of an identity header gets through, and
    /// `Connection` cannot strip ours, which is set afterwards.
    #[test]
    fn case_29_identity_headers_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in [
            "castellan-identity",
            "castellan_identity",
            "Castellan-Decision",
            "x_forwarded_user",
            "x-forwarded-for",
            "forwarded",
            "cookie",
            "authorization",
            "x-user",
            "x_user",
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
        strip_request_headers(&mut headers, &["X-User".to_owned()]);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-request-id"]);
    }
}
