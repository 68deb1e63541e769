//! Whether a request with a session is meant by who has it (`docs/contracts/ibexa.md` §2.6,
//! `docs/rules.md` rule 36): a cookie goes along with requests that nobody meant.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use castellan_issuer::Issuer;

use crate::{
    config::AllowedOrigin,
    dialects::OpenSession,
    wire::{
        guard_refusal::{GuardRefusal, Unmeant},
        request::CSRF_TOKEN,
    },
};

const X_REQUESTED_WITH: &str = "x-requested-with";

/// Whether requests of `method` change nothing; these three, and no others.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Refuses an unsafe request with `headers` that has no token of `session`.
pub(super) fn check_token(
    issuer: &Issuer,
    session: &OpenSession,
    headers: &HeaderMap,
) -> Result<(), GuardRefusal> {
    let mut tokens = headers.get_all(CSRF_TOKEN).iter().map(HeaderValue::to_str);
    match (tokens.next(), tokens.next()) {
        (Some(Ok(token)), None) if issuer.masked_csrf_matches(&session.signed_in, token) => Ok(()),
        _ => Err(GuardRefusal::NotMeant(Unmeant::Token)),
    }
}

/// Refuses an unsafe request with `headers` that has neither a token of `session` nor, as at guards of
/// the pages' sessions (`docs/contracts/decidim.md` §9, item 8), a header that only scripts of the same
/// origin can send. A token that is there has to be right.
pub(super) fn check_token_or_mark(
    issuer: &Issuer,
    session: &OpenSession,
    headers: &HeaderMap,
) -> Result<(), GuardRefusal> {
    if headers.contains_key(X_REQUESTED_WITH) && !headers.contains_key(CSRF_TOKEN) {
        return Ok(());
    }
    check_token(issuer, session, headers)
}

/// Refuses a request with `headers` whose body a form could have sent: beside such a one no cookie
/// counts.
pub(super) fn check_body(headers: &HeaderMap) -> Result<(), GuardRefusal> {
    const FORMS: [&str; 3] =
        ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
    let is_form = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or("text/plain");
        let name = text.split([';', ',']).next().unwrap_or_default().trim();
        FORMS.iter().any(|form| name.eq_ignore_ascii_case(form))
    };
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    if types.any(is_form) { Err(GuardRefusal::NotMeant(Unmeant::Form)) } else { Ok(()) }
}

/// Refuses a request with `headers` that a page of another origin than the site of `issuer` sent,
/// unless that is one of `allowed`. Clients other than browsers name no origin, and have no cookie that
/// somebody else could use.
pub(super) fn check_origin(
    issuer: &str,
    allowed: &[AllowedOrigin],
    headers: &HeaderMap,
) -> Result<(), GuardRefusal> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_here = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_ours = match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) if is_listed(origin, allowed) => return Ok(()),
        (Some(origin), None) => {
            let scheme = issuer.split(':').next().unwrap_or_default();
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            // A page cannot choose the `Host` of its requests.
            let here = host.map(|host| format!("{scheme}://{host}"));
            origin == issuer || here.is_some_and(|here| origin == &*here)
        }
        (Some(_), Some(_)) => false,
    };
    if is_here && is_ours { Ok(()) } else { Err(GuardRefusal::NotMeant(Unmeant::Origin)) }
}

fn is_listed(origin: &HeaderValue, allowed: &[AllowedOrigin]) -> bool {
    origin.to_str().is_ok_and(|origin| allowed.iter().any(|one| one.allows(origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_form_no_cookie_counts() {
        let check = |value: &'static str| {
            let value = HeaderValue::from_static(value);
            check_body(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)])).is_ok()
        };
        assert!(check_body(&HeaderMap::new()).is_ok());
        assert!(check("application/json") && check("application/vnd.ibexa.api.ContentUpdate+xml"));
        for form in ["Text/Plain; charset=utf-8", "multipart/form-data; boundary=x", "text/plain,x"]
        {
            assert!(!check(form), "{form}");
        }
        assert!(!check("application/x-www-form-urlencoded"));
    }

    #[test]
    fn a_page_of_another_origin_sends_nothing() {
        let issuer = "https://id.example.org";
        let app = AllowedOrigin::try_from("https://app.example.net".to_owned()).unwrap();
        let check = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().chain(&[("host", "www.example.org")]);
            let headers = pairs.map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            });
            // Unlike `collect`, this keeps a name that comes twice.
            let mut all = HeaderMap::new();
            headers.for_each(|(name, value)| _ = all.append(name, value));
            check_origin(issuer, std::slice::from_ref(&app), &all).is_ok()
        };
        for good in [
            &[][..],
            &[("origin", "https://id.example.org")],
            &[("origin", "https://www.example.org")],
            &[("origin", "https://www.example.org"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://app.example.net"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(check(good), "{good:?}");
        }
        for bad in [
            &[("origin", "null")][..],
            &[("origin", "http://www.example.org")],
            &[("origin", "https://www.example.org.evil.test")],
            &[("origin", "https://evil.test")],
            &[("origin", "https://app.example.net"), ("origin", "https://app.example.net")],
            &[("origin", "https://id.example.org"), ("origin", "https://evil.test")],
            &[("origin", "https://www.example.org"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
        ] {
            assert!(!check(bad), "{bad:?}");
        }
    }
}
