//! No client that registers itself passes for this server: neither at its address nor by its name.

use castellan_proto::RedirectUri;
use serde_json::{Map, Value};

use super::RegistrationError;
use crate::{Issuer, records::registration::look};

/// The members of a document that lead somewhere.
const ADDRESSES: [&str; 5] = [
    "redirect_uris",
    "post_logout_redirect_uris",
    "allowed_origins",
    "backchannel_logout_uri",
    "frontchannel_logout_uri",
];

impl Issuer {
    /// Whether no address of `document` is one of this server, at which no app is: what is sent there
    /// would reach whatever else is served at it.
    pub(super) fn check_not_ours(
        &self,
        document: &Map<String, Value>,
    ) -> Result<(), RegistrationError> {
        let Some(ours) = authority(&self.address().issuer) else { return Ok(()) };
        for name in ADDRESSES {
            let value = document.get(name);
            let many = value.and_then(Value::as_array).map(Vec::as_slice);
            let uris = many.or(value.map(std::slice::from_ref)).unwrap_or_default();
            let is_ours = |uri: &Value| uri.as_str().and_then(authority).as_ref() == Some(&ours);
            if uris.iter().any(is_ours) {
                let text = format!("{name}: has an address of this server, which is no app's");
                return Err(match name {
                    "redirect_uris" => RegistrationError::RedirectUri(text),
                    _ => RegistrationError::Metadata(text),
                });
            }
        }
        Ok(())
    }

    /// Whether a name that looks like `name` has the host of this server in it. A host of few letters
    /// is a part of many words, and must be all of the name.
    pub(super) fn names_our_host(&self, name: &str) -> bool {
        const FEW: usize = 6;
        let authority = authority(&self.address().issuer);
        let host = authority.as_deref().map(host_of).and_then(look);
        host.is_some_and(|host| {
            name == host || (host.chars().count() >= FEW && name.contains(&*host))
        })
    }
}

/// The host and port of the web address `uri`, whatever its scheme is: cookies and people know no more.
/// A name with a dot at its end is the same name (RFC 1034 §3.1), and all names and addresses of the
/// machine itself are one.
fn authority(uri: &str) -> Option<String> {
    let uri = RedirectUri::try_from(uri.to_owned()).ok()?;
    let origin = uri.origin()?;
    let (scheme, authority) = origin.split_once("://")?;
    let host = host_of(authority);
    let port = match &authority[host.len()..] {
        "" if scheme == "https" => ":443",
        "" => ":80",
        port => port,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_machine = ["127.0.0.1", "[::1]"].contains(&host) || host.ends_with(".localhost");
    Some(format!("{}{port}", if is_machine { "localhost" } else { host }))
}

/// The host of `authority`.
fn host_of(authority: &str) -> &str {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_server_is_known_by_its_host_and_port() {
        for (uri, issuer, is_ours) in [
            ("https://id.example.org/cb", "https://id.example.org", true),
            ("https://ID.example.org:443/cb", "https://id.example.org", true),
            ("https://id.example.org:8443/cb", "https://id.example.org", false),
            ("https://app.example.org/cb", "https://id.example.org", false),
            ("https://localhost:8080/cb", "http://localhost:8080", true),
            ("http://localhost:8081/cb", "http://localhost:8080", false),
            ("http://[::1]:8080/cb", "http://[::1]:8080", true),
            ("http://127.0.0.1:8080/cb", "http://localhost:8080", true),
            ("https://a.localhost:8080/cb", "http://localhost:8080", true),
            ("https://id.example.org./cb", "https://id.example.org", true),
            ("https://id.example.org.:8443/cb", "https://id.example.org", false),
            ("http://[::1]/cb", "http://[::1]:8080", false),
        ] {
            assert_eq!(authority(uri) == authority(issuer), is_ours, "{uri} {issuer}");
        }
        assert_eq!(authority("com.example.app:/cb"), None);
    }
}
