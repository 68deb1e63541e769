//! The cookie of a session at a SiteAccess (`docs/contracts/ibexa.md` §2.1). Its value alone names the
//! session; scripts never see it, and no other site can send it along but by links.

use axum::http::{HeaderMap, HeaderValue};
use castellan_proto::{Opaque, OpaqueKind};

use super::request;

/// How browsers keep sessions of one SiteAccess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCookie {
    /// Its name.
    pub name: String,
    /// Seconds for which browsers keep it; until they are closed without it.
    pub lifetime: Option<u64>,
    /// The paths to which it is sent.
    pub path: String,
    /// The domain to whose hosts it is sent; none but the host that set it without one.
    pub domain: Option<String>,
    /// It is sent over https alone.
    pub secure: bool,
}

impl SessionCookie {
    /// One that only the host sees that sets it, until the browser is closed.
    #[must_use]
    pub fn host_only(name: String, https: bool) -> Self {
        Self { name, lifetime: None, path: "/".to_owned(), domain: None, secure: https }
    }

    /// Whether `headers` have it, whatever its value is.
    #[must_use]
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        request::cookie(headers, &self.name).is_some()
    }

    /// What it names, if it is well formed.
    #[must_use]
    pub fn read(&self, headers: &HeaderMap) -> Option<Opaque> {
        Opaque::read(OpaqueKind::Session, request::cookie(headers, &self.name)?)
    }

    /// The header that sets it to `session`.
    #[must_use]
    pub fn set(&self, session: &Opaque) -> Option<HeaderValue> {
        let age = self.lifetime.map_or_else(String::new, |age| format!("; Max-Age={age}"));
        self.header(&format!("{}{age}", session.text()))
    }

    /// The header that takes it away (§2.5).
    #[must_use]
    pub fn delete(&self) -> Option<HeaderValue> {
        self.header("deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0")
    }

    fn header(&self, value: &str) -> Option<HeaderValue> {
        let domain =
            self.domain.as_ref().map_or_else(String::new, |name| format!("; Domain={name}"));
        let secure = if self.secure { "; Secure" } else { "" };
        let Self { name, path, .. } = self;
        let text = format!("{name}={value}; Path={path}{domain}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_attributes_of_its_settings() {
        let session = Opaque::generate(OpaqueKind::Session);
        let text = session.text();
        let cookie = SessionCookie::host_only("IBX_SESSION_IDx".to_owned(), true);
        let expected = format!("IBX_SESSION_IDx={text}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(cookie.set(&session).unwrap(), expected);
        let cookie = SessionCookie {
            lifetime: Some(60),
            path: "/api".to_owned(),
            domain: Some("example.net".to_owned()),
            ..SessionCookie::host_only("x".to_owned(), false)
        };
        let tail = "Path=/api; Domain=example.net; HttpOnly; SameSite=Lax";
        assert_eq!(cookie.set(&session).unwrap(), format!("x={text}; Max-Age=60; {tail}"));
        let gone = "x=deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0";
        assert_eq!(cookie.delete().unwrap(), format!("{gone}; {tail}"));
        let mut headers = HeaderMap::new();
        assert!(!cookie.is_in(&headers));
        headers.insert("cookie", HeaderValue::from_str(&format!("y=1; x={text}")).unwrap());
        assert_eq!(cookie.read(&headers).unwrap().digest(), session.digest());
        headers.insert("cookie", HeaderValue::from_static("x=deleted"));
        assert!(cookie.is_in(&headers) && cookie.read(&headers).is_none());
    }
}
