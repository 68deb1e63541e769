//! The public URL of a server or a site.

use schemars::JsonSchema;
use serde::Deserialize;

/// Public URL: scheme, host, and the port if it is not the default one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, with the port unless that is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&*self.0, |(_, authority)| authority)
    }

    /// Whether its host is a name or an address of loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        url::Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }

    /// Whether browsers reach us by https, so that cookies are `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl Default for IssuerUrl {
    fn default() -> Self {
        Self("http://localhost:8080".to_owned())
    }
}

impl TryFrom<String> for IssuerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = url::Url::parse(&text)
            .map_err(|_| format!("{text:?} is not a URL such as \"https://id.example.org\""))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(format!(
                    "{text:?} is not https; plain http is for loopback addresses only (RFC 8414 §2)"
                ));
            }
            _ => return Err(format!("{text:?} is not https")),
        }
        let plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && !text.ends_with('/');
        let origin = url.origin().ascii_serialization();
        if !plain {
            Err(format!("{text:?} must consist of scheme and host only, without a trailing slash"))
        } else if origin == text {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} must be written in the form that browsers use: {origin:?}"))
        }
    }
}
