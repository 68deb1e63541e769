//! `X-HTTP-Method-Override`: the method that a POST stands for (`docs/contracts/ibexa.md` §1). It is
//! applied before anything looks at the method, and never forwarded: what was decided as one method
//! must not be carried out as another.

use axum::http::{HeaderName, Method, request::Parts};

use crate::wire::guard_refusal::GuardRefusal;

const OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
/// Other names for the same, which some frameworks follow.
const OTHERS: [HeaderName; 2] =
    [HeaderName::from_static("x-http-method"), HeaderName::from_static("x-method-override")];

/// Gives the request with the head `parts` the method that it stands for, where that `is_followed`. Elsewhere an API could
/// follow it behind the back of its guard, so that such a request is refused.
pub(super) fn apply(parts: &mut Parts, is_followed: bool) -> Result<(), GuardRefusal> {
    let bad = |text: &'static str| Err(GuardRefusal::BadRequest(text.into()));
    if OTHERS.iter().any(|name| parts.headers.contains_key(name)) {
        return bad("X-HTTP-Method and X-Method-Override are not supported.");
    }
    let mut values = parts.headers.get_all(OVERRIDE).iter();
    let (value, more) = (values.next(), values.next());
    let Some(value) = value else { return Ok(()) };
    if !is_followed {
        return bad("X-HTTP-Method-Override is not supported.");
    }
    let method = Method::from_bytes(&value.as_bytes().to_ascii_uppercase());
    let (Ok(method), None) = (method, more) else {
        return bad("X-HTTP-Method-Override must name one method.");
    };
    if parts.method != Method::POST {
        return bad("X-HTTP-Method-Override needs the method POST.");
    }
    // A safe method needs no CSRF token, and none of these is one of a resource.
    let refused = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::CONNECT];
    if refused.contains(&method) {
        return bad("X-HTTP-Method-Override must not name a safe method.");
    }
    parts.method = method;
    parts.headers.remove(OVERRIDE);
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_post_stands_for_an_unsafe_method_or_is_refused() {
        let apply = |method: &str, pairs: &[(&str, &str)], is_followed| {
            let request = Request::builder().method(method).uri("/");
            let request =
                pairs.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            super::apply(&mut parts, is_followed).ok()?;
            assert!(!parts.headers.contains_key(OVERRIDE));
            Some(parts.method.to_string())
        };
        let named =
            |method: &str, value: &str| apply(method, &[("x-http-method-override", value)], true);
        assert_eq!(named("POST", "PUBLISH").as_deref(), Some("PUBLISH"));
        assert_eq!(named("POST", "delete").as_deref(), Some("DELETE"));
        assert_eq!(named("POST", "POST").as_deref(), Some("POST"));
        for bad in ["GET", "head", "OPTIONS", "TRACE", "CONNECT", "", "a b", "PATCH, GET"] {
            assert_eq!(named("POST", bad), None, "{bad}");
        }
        assert_eq!(named("GET", "PUBLISH"), None);
        assert_eq!(named("PUT", "DELETE"), None);
        let twice = [("x-http-method-override", "PATCH"); 2];
        assert_eq!(apply("POST", &twice, true), None);
        assert_eq!(apply("POST", &[("x-http-method-override", "PATCH")], false), None);
        for other in ["x-http-method", "x-method-override"] {
            assert_eq!(apply("POST", &[(other, "PATCH")], true), None);
            assert_eq!(apply("POST", &[(other, "PATCH")], false), None);
        }
        assert_eq!(apply("GET", &[], false).as_deref(), Some("GET"));
    }
}
