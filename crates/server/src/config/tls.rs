//! Listeners: their TLS, the client certificates that they ask for, the proxies before them, and
//! redirects to https.

use std::{net::SocketAddr, path::PathBuf};

use axum::http::{HeaderName, HeaderValue, header};
use castellan_proto::Lifetime;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Config, ConfigError, ServerConfig, Site,
    check::Problem,
    file::Step,
    guard_check::{Wrong, wrong},
    networks,
};

/// TLS of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file with the certificate, followed by those of the CAs between it and the root. Required.
    pub certificate: PathBuf,
    /// PEM file with the private key of the certificate. Required.
    pub key: PathBuf,
    /// Client certificates. Default: none are asked for.
    pub client_certificates: Option<ClientCertificatesConfig>,
}

/// The client certificates that a listener asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientCertificatesConfig {
    /// PEM file with the CAs whose certificates are accepted. Required.
    pub ca: PathBuf,
    /// PEM files with the revocation lists of these CAs. With any, there must be a current list for
    /// each CA of a certificate's chain, or the certificate is refused.
    pub crl: Vec<PathBuf>,
    /// Whether connections without a certificate are refused. Default `false`.
    pub require: bool,
}

/// One `[[listener]]`, in addition to that of `[server]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerConfig {
    /// Address and port.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// TLS. Default: plain HTTP.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Addresses and networks of load balancers that begin each connection with a header of the PROXY
    /// protocol, version 1 or 2, such as `"10.0.0.0/8"`. Others cannot connect. Default: none, and no
    /// such header is read.
    #[serde(default, deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub proxy_protocol: Vec<IpNet>,
    /// `"https"`: requests are redirected to the site's https URL, and nothing but health checks is
    /// answered.
    #[serde(default)]
    pub redirect: Option<Redirect>,
}

/// Where a listener redirects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redirect {
    /// The same under https.
    Https,
}

/// The headers in which listed proxies name the client certificate of their own connection
/// (`docs/contracts/ibexa.md` §6).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateHeaders {
    /// Header with the subject of the certificate, by RFC 4514 or RFC 2253.
    #[serde(deserialize_with = "header_name")]
    #[schemars(with = "String")]
    pub subject_header: HeaderName,
    /// Header that says `SUCCESS` if the proxy has verified the certificate, and `NONE` if there was
    /// none.
    #[serde(deserialize_with = "header_name")]
    #[schemars(with = "String")]
    pub verify_header: HeaderName,
    /// Addresses and networks of the proxies that set both headers on every request, whatever the
    /// caller sent. From all others the headers are removed.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
}

/// How long browsers are told to use https only, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Hsts(pub Option<Lifetime>);

impl Hsts {
    /// A year, without subdomains and without the list that browsers come with: those decide for
    /// hosts that are not ours. Plain HTTP is of no use at an https site in any case, as credentials
    /// are refused over it.
    pub const DEFAULT: Self = Self(Some(Lifetime::seconds(365 * 86_400)));
}

impl TryFrom<String> for Hsts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        let lifetime = Lifetime::try_from(text).map(|lifetime| Self(Some(lifetime)));
        lifetime.map_err(|error| format!("{error}, or \"off\""))
    }
}

impl ServerConfig {
    /// What browsers are told at `site` where they came by https, if anything. A name of loopback is that of
    /// all servers under development on a machine, most of which have no TLS.
    pub(crate) fn hsts_at(&self, site: &Site) -> Option<HeaderValue> {
        let lifetime = self.hsts.unwrap_or(Hsts::DEFAULT).0?;
        let is_told = site.issuer.is_https() && !site.issuer.is_loopback();
        let text = format!("max-age={}", lifetime.get().as_secs());
        HeaderValue::from_str(&text).ok().filter(|_| is_told)
    }
}

/// The name of a header (RFC 9110 §5.1).
fn header_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
    let text: String = Deserialize::deserialize(from)?;
    HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| serde::de::Error::custom(format!("{text:?} is not the name of a header")))
}

impl ListenerConfig {
    fn check(&self) -> Result<(), Wrong> {
        let is_empty = |path: &PathBuf| path.as_os_str().is_empty();
        let missing = |name: &'static [&'static str]| {
            let text = format!("{} is missing; name the PEM file", name.join("."));
            wrong(&name[..1], text)
        };
        let Some(tls) = &self.tls else { return Ok(()) };
        if is_empty(&tls.certificate) {
            return missing(&["tls", "certificate"]);
        }
        if is_empty(&tls.key) {
            return missing(&["tls", "key"]);
        }
        if tls.client_certificates.as_ref().is_some_and(|asked| is_empty(&asked.ca)) {
            return missing(&["tls", "client_certificates", "ca"]);
        }
        if self.redirect.is_some() {
            let text = "redirect = \"https\" is for listeners without tls; remove one of the two";
            return wrong(&["redirect"], text);
        }
        Ok(())
    }
}

impl Config {
    /// All listeners, that of `[server]` first, each with the way to its settings.
    pub fn listeners(&self) -> impl Iterator<Item = (String, ListenerConfig)> + '_ {
        let server = &self.server;
        let first = ListenerConfig {
            listen: server.listen,
            tls: server.tls.clone(),
            proxy_protocol: server.proxy_protocol.clone(),
            redirect: None,
        };
        let more = self.listener.iter().enumerate();
        let more = more.map(|(at, one)| (format!("listener {}", at + 1), one.clone()));
        std::iter::once(("server".to_owned(), first)).chain(more)
    }

    /// Whether anybody can show a client certificate.
    #[must_use]
    pub fn sees_client_certificates(&self) -> bool {
        let asks = |listener: &ListenerConfig| {
            listener.tls.as_ref().is_some_and(|tls| tls.client_certificates.is_some())
        };
        self.server.client_certificate_headers.is_some()
            || self.listeners().any(|(_, listener)| asks(&listener))
    }

    /// What is wrong with TLS at a listener, if a site does not say that the world reaches it so.
    fn plain_issuer(&self, sites: &[Site]) -> Option<String> {
        let plain = sites.iter().find(|site| !site.issuer.is_https());
        let site = plain.filter(|_| !self.security.insecure)?;
        Some(format!(
            "tls: the issuer of site {:?} is {}, so that cookies and links would not be those of \
             https; set an https issuer, or, for a demonstration, security.insecure = true",
            site.name,
            site.issuer.as_str()
        ))
    }

    /// # Errors
    /// The first [`Problem`].
    pub(super) fn check_listeners(&self, sites: &[Site]) -> Result<(), Problem> {
        let all: Vec<_> = self.listeners().collect();
        for (at, (name, listener)) in all.iter().enumerate() {
            let wrong = |way: &[&'static str], text: &str| {
                let table = match at {
                    0 => vec![Step::Key("server")],
                    more => vec![Step::Key("listener"), Step::At(more - 1)],
                };
                let way = table.into_iter().chain(way.iter().map(|name| Step::Key(name)));
                let error = ConfigError::Conflict(format!("{name}: {text}"));
                Err(Problem::of_setting(way.collect(), error))
            };
            if let Err(Wrong { way, text }) = listener.check() {
                return wrong(way, &text);
            }
            if self.security.insecure && !listener.listen.ip().is_loopback() {
                let text = format!(
                    "security.insecure is allowed on loopback addresses only, but listen is {}",
                    listener.listen
                );
                return wrong(&["listen"], &text);
            }
            let same = |(_, other): &(_, ListenerConfig)| other.listen == listener.listen;
            if listener.listen.port() != 0 && all[..at].iter().any(same) {
                return wrong(&["listen"], "another listener has the same address");
            }
            if let Some(text) = self.plain_issuer(sites).filter(|_| listener.tls.is_some()) {
                return wrong(&["tls"], &text);
            }
            if listener.redirect.is_some()
                && let Some(site) = sites.iter().find(|site| !site.issuer.is_https())
            {
                let text = format!(
                    "redirect = \"https\" needs https, but the issuer of site {:?} is {}",
                    site.name,
                    site.issuer.as_str()
                );
                return wrong(&["redirect"], &text);
            }
        }
        let wrong = |way: &'static str, text: &str| {
            let error = ConfigError::Conflict(format!("server.{way}: {text}"));
            Err(Problem::of_setting(vec![Step::Key("server"), Step::Key(way)], error))
        };
        let has_tls = all.iter().any(|(_, listener)| listener.tls.is_some());
        if self.server.hsts.is_some() && !has_tls && self.server.trusted_proxies.is_empty() {
            return wrong(
                "hsts",
                "it has no effect without tls at a listener and without server.trusted_proxies; list \
                 the TLS proxy there, or have it send the header",
            );
        }
        match self.server.client_certificate_headers.as_ref().and_then(CertificateHeaders::problem)
        {
            Some(text) => wrong("client_certificate_headers", text),
            None => Ok(()),
        }
    }
}

impl CertificateHeaders {
    fn problem(&self) -> Option<&'static str> {
        const OURS: [HeaderName; 8] = [
            header::HOST,
            header::AUTHORIZATION,
            header::COOKIE,
            header::CONTENT_TYPE,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::ACCEPT,
        ];
        if self.trusted_proxies.is_empty() {
            return Some("trusted_proxies is empty; list the proxies that set the headers");
        }
        if self.subject_header == self.verify_header {
            return Some("subject_header and verify_header must be two headers");
        }
        let is_ours = OURS.contains(&self.subject_header) || OURS.contains(&self.verify_header);
        is_ours.then_some("a header that HTTP itself needs cannot be used")
    }
}

/// How a guard finds the person whom a client certificate is about
/// (`docs/contracts/ibexa.md` §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateConfig {
    /// What of the subject names the person: `"email"`, its `emailAddress`, which is one of the e-mail
    /// addresses of the person; `"cn"`, its common name, which is their user name; `"dn"`, all of it
    /// by RFC 4514, which is their user name.
    pub subject: SubjectPart,
}

/// A part of the subject of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectPart {
    /// The attribute `emailAddress`.
    Email,
    /// The attribute `CN`.
    Cn,
    /// The whole name.
    Dn,
}
