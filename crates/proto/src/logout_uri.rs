//! Where an app is notified that somebody signed out.

use url::Url;

use crate::redirect_uri::{InvalidRedirectUri, RedirectUri, is_loopback};

/// A registered `backchannel_logout_uri` or `frontchannel_logout_uri`: absolute, without a
/// fragment, and `https` (Back-Channel Logout 1.0 §2.2, Front-Channel Logout 1.0 §2). `http` is
/// accepted for loopback hosts only, where nothing crosses a network.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogoutUri(String);

/// Why a text cannot be registered as a logout URI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogoutUri {
    /// No answer could be sent there either.
    #[error(transparent)]
    Uri(#[from] InvalidRedirectUri),
    /// It is neither `https` nor on a loopback address, so that others could read the notification.
    #[error("{0:?} must be https unless its host is a loopback address")]
    Scheme(String),
}

impl LogoutUri {
    /// The URI as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its scheme, host and port (RFC 6454 §4).
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.0).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}

impl TryFrom<String> for LogoutUri {
    type Error = InvalidLogoutUri;

    fn try_from(text: String) -> Result<Self, InvalidLogoutUri> {
        let text = String::from(RedirectUri::try_from(text)?);
        let is_good = Url::parse(&text).is_ok_and(|url| match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        });
        if is_good { Ok(Self(text)) } else { Err(InvalidLogoutUri::Scheme(text)) }
    }
}

impl From<LogoutUri> for String {
    fn from(uri: LogoutUri) -> Self {
        uri.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_told_by_https_or_on_this_machine() {
        for good in [
            "https://app.test/out?x=1",
            "https://app.test:8443/out",
            "http://localhost:9/out",
            "http://127.0.0.1/out",
            "http://[::1]:9/out",
        ] {
            assert!(LogoutUri::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "http://app.test/out",
            "http://10.0.2.2/out",
            "http://localhost.evil.test/out",
            "ftp://localhost/out",
            "app:/out",
            "https://app.test/out#x",
            "https://user@app.test/out",
            "https://app.test/o ut",
            "/out",
            "javascript:alert(1)",
        ] {
            assert!(LogoutUri::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        let uri = LogoutUri::try_from("https://APP.test:443/out".to_owned()).unwrap();
        assert_eq!(uri.origin(), "https://app.test");
    }
}
