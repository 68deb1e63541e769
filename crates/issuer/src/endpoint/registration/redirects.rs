//! Where browsers may be sent by a client that nobody knows (RFC 7591 §5, RFC 8252 §§7 and 8.4,
//! OpenID Connect Registration 1.0 §2). What is refused is named by its place in the list, never
//! repeated.

use castellan_proto::{InvalidRedirectUri, LogoutUri, RedirectUri, is_origin};

/// Checks `uris`, the member `name`, of an app that runs on its person's device (`native`) or not.
///
/// # Errors
/// What is wrong with the first bad one.
pub(super) fn check(name: &str, uris: &[String], native: bool) -> Result<(), String> {
    for (at, uri) in uris.iter().enumerate() {
        one(uri, native).map_err(|why| format!("{name}[{at}]: {why}"))?;
    }
    Ok(())
}

fn one(text: &str, native: bool) -> Result<(), &'static str> {
    if text.contains('*') {
        return Err("wildcards are not supported; register each URI as it is sent");
    }
    let uri = RedirectUri::try_from(text.to_owned()).map_err(|error| match error {
        InvalidRedirectUri::NotAbsolute(_) => "is not an absolute URI",
        InvalidRedirectUri::Fragment(_) => "must not have a fragment",
        InvalidRedirectUri::UserInfo(_) => "must not have user information before the host",
        InvalidRedirectUri::Scheme(_) => "has a scheme that browsers run or read",
        InvalidRedirectUri::Character(_) => "has a character that browsers read differently",
    })?;
    let scheme = uri.scheme();
    match (&*scheme, native) {
        ("https", false) if uri.is_local() => {
            Err("a web app is not on its person's device; register application_type native")
        }
        ("https", _) => Ok(()),
        ("http", true) if uri.is_local() => Ok(()),
        ("http", true) => Err("must be https, unless its host is a loopback address"),
        (_, false) => Err("must be https; apps on a device register application_type native"),
        // A name in reverse, which somebody owns (RFC 8252 §7.1).
        (_, true) if scheme.contains('.') => Ok(()),
        (_, true) => Err("a scheme of an app must be a domain name in reverse, with a dot"),
    }
}

/// Checks the origins from which browsers may call the token endpoint: each is that of one of
/// `redirect_uris`.
///
/// # Errors
/// What is wrong with the first bad one.
pub(super) fn check_origins(origins: &[String], redirect_uris: &[String]) -> Result<(), String> {
    let ours = redirect_uris.iter().filter_map(|uri| RedirectUri::try_from(uri.clone()).ok());
    let ours: Vec<_> = ours.filter_map(|uri| uri.origin()).collect();
    let is_good = |origin: &String| is_origin(origin) && ours.contains(origin);
    match origins.iter().position(|origin| !is_good(origin)) {
        None => Ok(()),
        Some(at) => Err(format!(
            "allowed_origins[{at}]: must be the scheme, host and port of one of redirect_uris"
        )),
    }
}

/// Checks where browsers are led when their person signs out: at the origin of one of `redirect_uris`
/// (Front-Channel Logout 1.0 §2).
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_front_channel(
    uri: Option<&str>,
    redirect_uris: &[String],
) -> Result<(), String> {
    let Some(uri) = uri else { return Ok(()) };
    let read = LogoutUri::try_from(uri.to_owned());
    let origins = read.map(|uri| [uri.origin()]).map_err(
        |_| "frontchannel_logout_uri: must be an https URL without a fragment or user information",
    )?;
    check_origins(&origins, redirect_uris).map_err(|_| {
        "frontchannel_logout_uri: must have the scheme, host and port of one of redirect_uris"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dangerous_is_refused_for_web_apps_and_for_native_ones() {
        for (uri, web, native) in [
            ("https://app.example.org/cb", true, true),
            ("https://app.example.org:8443/cb?x=1", true, true),
            ("http://app.example.org/cb", false, false),
            ("http://localhost:3000/cb", false, true),
            ("http://127.0.0.1/cb", false, true),
            ("http://[::1]/cb", false, true),
            ("https://localhost/cb", false, true),
            ("com.example.app:/cb", false, true),
            ("myapp://cb", false, false),
            ("https://*.example.org/cb", false, false),
            ("https://app.example.org/*", false, false),
            ("https://app.example.org/cb#x", false, false),
            ("https://user@app.example.org/cb", false, false),
            ("javascript:alert(1)", false, false),
            ("java\nscript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("vbscript:x", false, false),
            ("file:///etc/passwd", false, false),
            ("/cb", false, false),
            ("", false, false),
        ] {
            assert_eq!(one(uri, false).is_ok(), web, "web: {uri}");
            assert_eq!(one(uri, true).is_ok(), native, "native: {uri}");
        }
    }

    #[test]
    fn origins_are_those_of_redirect_uris() {
        let uris = ["https://app.example.org/cb".to_owned()];
        for (origin, is_good) in [
            ("https://app.example.org", true),
            ("https://app.example.org/", false),
            ("https://other.example.org", false),
            ("null", false),
            ("*", false),
        ] {
            assert_eq!(check_origins(&[origin.to_owned()], &uris).is_ok(), is_good, "{origin}");
        }
    }
}
