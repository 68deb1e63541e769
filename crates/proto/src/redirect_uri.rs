//! Where an answer may be sent.

use std::borrow::Cow;

use url::Url;

/// A redirect URI, stored in ASCII. Compared byte for byte (RFC 9700 §4.1.3); only the port of a
/// loopback address may differ (RFC 8252 §7.3).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why a text cannot be registered as a redirect URI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// It does not parse as an absolute URI.
    #[error("{0:?} is not an absolute URI")]
    NotAbsolute(String),
    /// RFC 6749 §3.1.2 forbids a fragment.
    #[error("{0:?} has a fragment")]
    Fragment(String),
    /// A user name or password before the host.
    #[error("{0:?} has user information before the host")]
    UserInfo(String),
    /// A scheme that a browser would run or read rather than visit.
    #[error("{0:?} has a scheme that is not allowed")]
    Scheme(String),
    /// A control character, a blank or a backslash, which browsers read differently.
    #[error("{0:?} contains a character that browsers interpret differently")]
    Character(String),
}

impl RedirectUri {
    /// The URI as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> String {
        self.0.split(':').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// Whether it is a web address of the device that the browser runs on, or, from an emulator, of
    /// the one around it (`10.0.2.2`): nothing crosses a network then.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.web().is_some_and(|url| {
            let around =
                matches!(url.host(), Some(url::Host::Ipv4(ip)) if ip.octets() == [10, 0, 2, 2]);
            around || is_loopback(&url)
        })
    }

    /// Its scheme, host and port (RFC 6454 §4), if it is an address of the web.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        self.web().map(|url| url.origin().ascii_serialization())
    }

    /// Whether a parameter in its query is an address of the web, as those of pages that redirect are
    /// (RFC 9700 §4.11.1).
    #[must_use]
    pub fn names_another(&self) -> bool {
        let is_address = |value: &str| {
            value.starts_with("//")
                || Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        };
        Url::parse(&self.0).is_ok_and(|url| url.query_pairs().any(|(_, value)| is_address(&value)))
    }

    fn web(&self) -> Option<Url> {
        Url::parse(&self.0).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }

    /// `text` as it goes into a header: whatever is beyond ASCII is in the form that a browser sends,
    /// which is Punycode in the host and percent-encoded UTF-8 elsewhere (RFC 3987 §3.1). What is in
    /// ASCII, or does not parse, is left as it is.
    #[must_use]
    pub fn in_ascii(text: &str) -> Cow<'_, str> {
        if text.is_ascii() {
            return Cow::Borrowed(text);
        }
        Url::parse(text).map_or(Cow::Borrowed(text), |url| Cow::Owned(url.into()))
    }

    /// Whether an answer may go to `asked`, which is then sent to [`Self::in_ascii`] of it.
    #[must_use]
    pub fn admits(&self, asked: &str) -> bool {
        let asked = &*Self::in_ascii(asked);
        if self.0 == asked {
            return true;
        }
        match (split_loopback(&self.0), split_loopback(asked)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

/// Whether `text` is an origin as browsers write it (RFC 6454 §6.2). `null` may be any origin, and
/// is not accepted.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

/// Whether the host of `url` is this machine, as `localhost` or by a loopback address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = InvalidRedirectUri;

    fn try_from(text: String) -> Result<Self, InvalidRedirectUri> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || "\\<>\"^`{|}".contains(c);
        if text.contains(odd) {
            return Err(InvalidRedirectUri::Character(text));
        }
        let Ok(url) = Url::parse(&text) else {
            return Err(InvalidRedirectUri::NotAbsolute(text));
        };
        if url.fragment().is_some() {
            return Err(InvalidRedirectUri::Fragment(text));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidRedirectUri::UserInfo(text));
        }
        match url.scheme() {
            "javascript" | "data" | "vbscript" | "file" | "blob" | "about" | "view-source" => {
                Err(InvalidRedirectUri::Scheme(text))
            }
            "http" | "https" if !text.contains("://") => Err(InvalidRedirectUri::NotAbsolute(text)),
            _ => match Self::in_ascii(&text) {
                ascii if ascii.is_ascii() => Ok(Self(ascii.into_owned())),
                _ => Err(InvalidRedirectUri::Character(text)),
            },
        }
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

/// The host and the rest of an `http` URI of a loopback address, without its port.
fn split_loopback(uri: &str) -> Option<(&str, &str)> {
    let (host, after) = ["127.0.0.1", "[::1]"].into_iter().find_map(|host| {
        let after = uri.strip_prefix("http://")?.strip_prefix(host)?;
        Some((host, after))
    })?;
    let rest = match after.strip_prefix(':') {
        None => after,
        Some(ported) => {
            let end = ported.find(|c: char| !c.is_ascii_digit()).unwrap_or(ported.len());
            ported[..end].parse::<u16>().ok()?;
            &ported[end..]
        }
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn registered(text: &str) -> RedirectUri {
        RedirectUri::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        let native = registered("http://127.0.0.1/cb");
        assert!(native.admits("http://127.0.0.1:50123/cb"));
        assert!(!native.admits("http://127.0.0.1:50123/cb2"));
        assert!(!native.admits("http://127.0.0.1:99999/cb"));
        assert!(!native.admits("http://127.0.0.1.evil.test/cb"));
        assert!(!native.admits("http://127.0.0.1:80@evil.test/cb"));
        assert!(!native.admits("http://[::1]:80/cb"));
        assert!(!native.admits("https://127.0.0.1:80/cb"));
        assert!(registered("http://[::1]:1/").admits("http://[::1]:2/"));
        assert!(!registered("http://localhost:1/").admits("http://localhost:2/"));
    }

    #[test]
    fn what_a_browser_would_run_cannot_be_registered() {
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://portal.test/cb#x",
            "https://user@portal.test/cb",
            "/cb",
            "portal.test/cb",
            "https://portal.test/c b",
            "https:\\\\portal.test",
            "https:portal.test",
        ] {
            assert!(RedirectUri::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        for good in ["https://portal.test/cb?x=1", "myapp://cb", "com.example.app:/cb"] {
            assert!(RedirectUri::try_from(good.to_owned()).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_is_beyond_ascii_is_registered_as_a_browser_sends_it() {
        for (text, ascii) in [
            (
                "https://bücher.test/zurück?é=ü",
                "https://xn--bcher-kva.test/zur%C3%BCck?%C3%A9=%C3%BC",
            ),
            ("myapp://cb/zurück", "myapp://cb/zur%C3%BCck"),
            ("com.example.app:/é", "com.example.app:/%C3%A9"),
            ("https://portal.test/a/../b%2f", "https://portal.test/a/../b%2f"),
        ] {
            let ours = registered(text);
            assert_eq!(ours.as_str(), ascii);
            assert!(ours.admits(text) && ours.admits(ascii), "{text}");
            assert!(!ours.admits(&format!("{text}ü")), "{text}");
            assert_eq!(RedirectUri::in_ascii(text), ascii);
        }
        assert!(RedirectUri::try_from("https://\u{ad}/".to_owned()).is_err());
    }

    #[test]
    fn only_this_device_is_local() {
        for (text, local) in [
            ("http://localhost:1/cb", true),
            ("http://127.0.0.1/cb", true),
            ("http://[::1]:1/cb", true),
            ("HTTP://10.0.2.2/cb", true),
            ("http://10.0.2.2.evil.test/cb", false),
            ("http://localhost.evil.test/cb", false),
            ("myapp://cb", false),
            ("myapp://localhost/cb", false),
        ] {
            assert_eq!(registered(text).is_local(), local, "{text}");
        }
        assert_eq!(registered("HTTP://a.test").scheme(), "http");
    }

    proptest! {
        /// `docs/security-cases.md` row 2: nothing but the text itself is admitted.
        #[test]
        fn case_02_a_redirect_is_matched_exactly(
            scheme in "(https|http|HTTPS|myapp)",
            user in "(|portal\\.test@|a:b@)",
            host in "(portal\\.test|PORTAL\\.test|portal\\.test\\.evil\\.test|evil\\.test)",
            port in "(|:443|:8443)",
            path in "(/cb|/cb/|/CB|/cb/\\.\\./cb|/cb%2f|//cb|/cb;x)",
            tail in "(|\\?|\\?x=1|#|#x| )",
        ) {
            let asked = format!("{scheme}://{user}{host}{port}{path}{tail}");
            let ours = registered("https://portal.test/cb");
            prop_assert_eq!(ours.admits(&asked), asked == "https://portal.test/cb");
        }
    }
}
