//! One reading of a request's target: what could be read in two ways is refused
//! (`docs/rules.md` rule 1, `docs/security-cases.md` row 31).

use axum::http::{Method, Request, Version, header};

/// Why a target is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Ambiguous {
    /// Two servers could read the path differently.
    #[error("The path is ambiguous.")]
    Path,
    /// No host, several, or one that the target contradicts.
    #[error("The request must have exactly one host.")]
    Host,
    /// Two servers could find its end in different places.
    #[error(
        "The request must state its length once: by Content-Length, or by Transfer-Encoding: \
         chunked."
    )]
    Framing,
}

/// In the extensions of a request that has both a length and a transfer coding: of such two the
/// listener shows only the latter (RFC 9112 §6.3).
#[derive(Clone, Copy)]
pub(crate) struct LengthBesideCoding;

/// Refuses what is ambiguous; what passes is forwarded and matched as it is.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Ambiguous> {
    let path = request.uri().path();
    if !(request.method() == Method::OPTIONS && path == "*") {
        check_path(path)?;
    }
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => {}
        // Others are not decoded here, and must not be passed over (RFC 9112 §6.1).
        (Some(coding), None)
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && request.extensions().get::<LengthBesideCoding>().is_none() => {}
        _ => return Err(Ambiguous::Framing),
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    match (hosts.next(), hosts.next(), authority) {
        (None, _, None) if is_probe(request) => Ok(()),
        (Some(_), Some(_), _) | (None, _, None) => Err(Ambiguous::Host),
        (Some(host), None, Some(target)) if host.as_bytes() != target.as_bytes() => {
            Err(Ambiguous::Host)
        }
        _ => Ok(()),
    }
}

/// Whether it is a probe of a load balancer's, which asks for the state of the whole machine in
/// HTTP/1.0, as that version has no need of `Host` (RFC 9112 §3.2).
fn is_probe<B>(request: &Request<B>) -> bool {
    let old = matches!(request.version(), Version::HTTP_09 | Version::HTTP_10);
    let is_health = matches!(request.uri().path(), "/healthz" | "/readyz");
    old && (is_health || asks_of_the_server(request))
}

/// Whether it asks what the server as a whole can do (RFC 9110 §9.3.7), and of no site: `OPTIONS *`,
/// or `OPTIONS /` without a host, which proxies send to see whether it answers at all.
pub(super) fn asks_of_the_server<B>(request: &Request<B>) -> bool {
    let names_no_host =
        request.uri().authority().is_none() && !request.headers().contains_key(header::HOST);
    request.method() == Method::OPTIONS
        && match request.uri().path() {
            "*" => true,
            "/" => names_no_host,
            _ => false,
        }
}

fn check_path(path: &str) -> Result<(), Ambiguous> {
    // Nearly all paths are segments of these, and then nothing of what follows can be in them.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let mut before = 0;
    let is_plain = path.bytes().all(|byte| {
        let good = if byte == b'/' { before != b'/' } else { before != 0 && plain(byte) };
        before = byte;
        good
    });
    if is_plain && !path.is_empty() {
        return Ok(());
    }
    let lower = path.to_ascii_lowercase();
    // Encoded slashes, dots, backslashes, per cent signs, semicolons, question marks and NUL are
    // decoded by some servers and not by others.
    let encoded = ["%2f", "%2e", "%5c", "%25", "%3b", "%3f", "%23", "%00"];
    let odd = encoded.iter().any(|code| lower.contains(code))
        || path.contains("//")
        || path.contains(['\\', ';'])
        || path.split('/').any(|segment| matches!(segment, "." | ".."));
    if odd || !path.starts_with('/') { Err(Ambiguous::Path) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_31_what_two_servers_could_read_differently_is_refused() {
        for path in [
            "/api/../admin",
            "/api/%2e%2e/admin",
            "/api%2Fadmin",
            "//api",
            "/api//x",
            "/api/./x",
            "/api;x=1",
            "/api%3bx",
            "/api\\x",
            "/api%5Cx",
            "/api%3Fquery",
            "/api%00",
            "/%252e",
            "api",
            "*",
        ] {
            assert_eq!(check_path(path), Err(Ambiguous::Path), "{path}");
        }
        for path in ["/", "/api", "/api/sign_in", "/.well-known/jwks.json", "/User/ada%40example"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn a_request_has_one_length() {
        let ask = |codings: &[&str]| {
            let mut request = Request::builder().uri("/").header("host", "a.test");
            for coding in codings {
                request = request.header("transfer-encoding", *coding);
            }
            request.body(()).unwrap()
        };
        assert_eq!(check(&ask(&[])), Ok(()));
        assert_eq!(check(&ask(&["Chunked"])), Ok(()));
        for codings in [&["gzip, chunked"][..], &["chunked, chunked"], &["identity", "chunked"]] {
            assert_eq!(check(&ask(codings)), Err(Ambiguous::Framing), "{codings:?}");
        }
        let mut both = ask(&["chunked"]);
        both.extensions_mut().insert(LengthBesideCoding);
        assert_eq!(check(&both), Err(Ambiguous::Framing));
    }

    #[test]
    fn a_request_names_one_host() {
        let ask = |uri: &str, hosts: &[&str]| {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header("host", *host);
            }
            check(&request.body(()).unwrap())
        };
        assert_eq!(ask("/", &["a.test"]), Ok(()));
        assert_eq!(ask("http://a.test/", &["a.test"]), Ok(()));
        assert_eq!(ask("http://a.test/", &["b.test"]), Err(Ambiguous::Host));
        assert_eq!(ask("/", &["a.test", "b.test"]), Err(Ambiguous::Host));
        assert_eq!(ask("/", &[]), Err(Ambiguous::Host));
        for (path, version, well) in [
            ("/healthz", Version::HTTP_10, true),
            ("/readyz", Version::HTTP_10, true),
            ("/healthz", Version::HTTP_11, false),
            ("/", Version::HTTP_10, false),
            ("/healthz/x", Version::HTTP_10, false),
        ] {
            let request = Request::builder().uri(path).version(version).body(()).unwrap();
            assert_eq!(check(&request).is_ok(), well, "{path} {version:?}");
        }
        for (path, version, well) in [
            ("/", Version::HTTP_10, true),
            ("*", Version::HTTP_10, true),
            ("/", Version::HTTP_11, false),
            ("*", Version::HTTP_11, false),
            ("/api", Version::HTTP_10, false),
        ] {
            let request = Request::options(path).version(version).body(()).unwrap();
            assert_eq!(check(&request).is_ok(), well, "OPTIONS {path} {version:?}");
        }
    }
}
