//! The configuration file. Each table's type lives with the code that reads it; what is unknown
//! stops the start.

mod check;
mod decidim;
mod effect_check;
pub(crate) mod environment;
mod file;
mod guard;
mod guard_check;
mod jwt;
mod overlay;
mod reload;
pub(crate) mod schema;
mod secret_ref;
mod security;
mod site;
mod site_guards;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::http::HeaderName;
use castellan_issuer::{
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
    resources::Roster,
};

use castellan_proto::Lifetime;
use environment::Environment;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{dialects::Dialects, files};

pub use decidim::DecidimConfig;
pub use guard::{Anonymous, GuardConfig, GuardProtocol, Method, Methods, Term};
pub use jwt::{JwtConfig, JwtError, Lifetime as JwtLifetime, parse_lifetime as parse_jwt_lifetime};
pub use secret_ref::SecretRef;
pub use security::SecurityConfig;
pub use site::{Site, SiteConfig};

/// The whole file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the world reaches us; the `iss` of every token. No slash at its end.
    pub issuer: IssuerUrl,
    /// The listener.
    pub server: ServerConfig,
    /// Where records are kept.
    pub data: DataConfig,
    /// How tokens are issued.
    pub tokens: castellan_issuer::Settings,
    /// Public faces, each a tenant of its own. Default: one that answers to every host.
    pub site: Vec<SiteConfig>,
    /// Protected areas.
    pub guard: Vec<GuardConfig>,
    /// Keys that are traded for JWTs (`docs/contracts/trompa.md` §7).
    pub jwt: JwtConfig,
    /// Machine users that sign in for a JWT (`docs/contracts/decidim.md` §7).
    pub decidim: DecidimConfig,
    /// What is usually forbidden, and the least that is asked.
    pub security: SecurityConfig,
}

/// The `[server]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where to listen. Default `"127.0.0.1:8080"`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// Addresses of proxies whose `X-Forwarded-For` is believed, such as `"10.0.0.0/8"`. Default:
    /// none.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a connection may be idle between two requests. Default `"75s"`.
    pub keep_alive: Lifetime,
    /// Connections of one address, or one /64 of IPv6, at a time. Default: a sixteenth of all there
    /// may be, and at least 32. This machine and `trusted_proxies` are not limited.
    pub connections_per_source: Option<NonZeroUsize>,
    /// Headers that scripts of other origins may send to the token, revocation and userinfo endpoints,
    /// besides those that are read there, such as `"traceparent"`. Default: none.
    #[serde(deserialize_with = "header_names")]
    #[schemars(with = "Vec<String>")]
    pub cors_headers: Vec<HeaderName>,
}

/// Names of headers (RFC 9110 §5.1).
fn header_names<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<HeaderName>, D::Error> {
    let texts: Vec<String> = Deserialize::deserialize(from)?;
    let read = |text: &String| {
        let name = HeaderName::from_bytes(text.as_bytes());
        name.map_err(|_| serde::de::Error::custom(format!("{text:?} is not the name of a header")))
    };
    texts.iter().map(read).collect()
}

/// Networks, or single addresses.
fn networks<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts: Vec<String> = Deserialize::deserialize(from)?;
    texts
        .iter()
        .map(|text| castellan_issuer::records::network(text).map_err(serde::de::Error::custom))
        .collect()
}

/// The `[data]` table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Which data source, e.g. `"sqlite://castellan.db"`.
    pub url: String,
    /// The master key; without one, a file beside the database is used, and made if need be.
    pub master_key: Option<SecretRef>,
    /// The master key before, while the key is being changed: what it sealed opens as well.
    pub previous_master_key: Option<SecretRef>,
    /// Whether tables and the like are made and upgraded at the start. Default `true`; otherwise
    /// `castellan migrate` does it.
    pub migrate: bool,
    /// Whether lists of people and consents that no filter narrows are given where the data source
    /// charges for what it reads (DynamoDB). Default `false`.
    pub allow_table_scans: bool,
    /// How long a data source that does not answer at the start is tried again. Default: not at all.
    pub wait: Option<Lifetime>,
}

/// Where the world reaches us.
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

    /// Whether browsers reach us by https, so that cookies are `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl TryFrom<String> for IssuerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let url = url::Url::parse(&text)
            .map_err(|_| format!("{text:?} is not a URL such as \"https://id.example.org\""))?;
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
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

impl Default for Config {
    fn default() -> Self {
        Self {
            issuer: IssuerUrl("http://localhost:8080".to_owned()),
            server: ServerConfig::default(),
            data: DataConfig::default(),
            tokens: castellan_issuer::Settings::default(),
            site: Vec::new(),
            guard: Vec::new(),
            jwt: JwtConfig::default(),
            decidim: DecidimConfig::default(),
            security: SecurityConfig::default(),
        }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            trusted_proxies: Vec::new(),
            keep_alive: Lifetime::seconds(75),
            connections_per_source: None,
            cors_headers: Vec::new(),
        }
    }
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://castellan.db".to_owned(),
            master_key: None,
            previous_master_key: None,
            migrate: true,
            allow_table_scans: false,
            wait: None,
        }
    }
}

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {cause}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not what it should be; the text shows the line.
    #[error("{path}: {problem}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong and where.
        problem: String,
    },
    /// An environment variable is not what it should be.
    #[error("{0}")]
    Environment(String),
    /// Settings that do not go together.
    #[error("{0}")]
    Conflict(String),
    /// Files take too long to be read.
    #[error("the files that the configuration names could not be read within {} seconds", files::PATIENCE.as_secs())]
    Slow,
    /// A setting of the file that means nothing, or goes with no other.
    #[error("{path}:{line}: {problem}")]
    Setting {
        /// Which file.
        path: String,
        /// Where it stands.
        line: usize,
        /// What is wrong with it and what to do.
        problem: String,
    },
}

/// A configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// The folder that relative paths are relative to.
    pub folder: PathBuf,
    /// The sites that are served.
    pub sites: Vec<Site>,
    /// The one that the command line works on.
    pub site: Site,
    /// What its sites have and speak.
    pub rosters: Rosters,
    /// Whether no setting stands in its file.
    pub(crate) is_empty: bool,
}

/// What a program can add to: Castellan's own, unless it does. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Rosters {
    /// The kinds of resources.
    pub resources: Roster,
    /// The dialects.
    pub dialects: Dialects,
}

impl Loaded {
    /// The same, listening at `address`.
    ///
    /// # Errors
    /// [`ConfigError`] if the other settings do not go with that.
    pub fn listening_at(mut self, address: SocketAddr) -> Result<Self, ConfigError> {
        self.config.server.listen = address;
        self.config.check(&self.sites).map_err(check::Problem::anywhere)?;
        Ok(self)
    }

    /// The same, with the command line at the site called `name`.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such site.
    pub fn at_site(mut self, name: &str) -> Result<Self, ConfigError> {
        let found = self.sites.iter().find(|site| site.name == name);
        self.site = found.cloned().ok_or_else(|| {
            let names: Vec<_> = self.sites.iter().map(|site| &*site.name).collect();
            ConfigError::Conflict(format!(
                "site {name:?} does not exist; configured sites: {}",
                names.join(", ")
            ))
        })?;
        Ok(self)
    }

    /// What trades API keys for JWTs at `site`; `None` without a secret.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be had, or is too weak.
    pub fn key_tokens(&self, site: &Site) -> Result<Option<Arc<KeyTokens>>, ConfigError> {
        let insecure = self.config.security.insecure;
        Ok(self.config.jwt.tokens(&self.folder, insecure, site)?.map(Arc::new))
    }

    /// What signs machine users in at `site`; `None` without a secret.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be had, is too weak, or is another document's.
    pub fn machine_tokens(&self, site: &Site) -> Result<Option<Arc<MachineTokens>>, ConfigError> {
        let (insecure, other) = (self.config.security.insecure, self.config.jwt.secret.as_ref());
        Ok(self.config.decidim.tokens(&self.folder, insecure, other, site)?.map(Arc::new))
    }
}

impl Config {
    /// Reads `path`, or the defaults without one, then the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`] naming file and line, or the variable, the cause and the remedy.
    pub fn load(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loaded, ConfigError> {
        Self::load_with(path, environment, Rosters::default())
    }

    /// Reads the same for a server that has and speaks what is in `rosters`.
    ///
    /// # Errors
    /// [`ConfigError`] naming file and line, or the variable, the cause and the remedy.
    pub fn load_with(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        rosters: Rosters,
    ) -> Result<Loaded, ConfigError> {
        let file = file::File::read(path)?;
        let environment = Environment::new(environment);
        // `{ env = "NAME" }`, in either kind of quotes.
        environment.check_names(|name| {
            let quoted = [format!("\"{name}\""), format!("'{name}'")];
            let own = environment.own().map(|(_, value)| value);
            own.chain([file.text()]).any(|text| quoted.iter().any(|name| text.contains(name)))
        })?;
        // The file alone first, so that what is wrong with it is not blamed on a variable.
        let mut config: Self = file.parse()?;
        if let Some(merged) = overlay::merge(file.text(), &environment)? {
            config = merged;
        }
        config.jwt.read_environment(&environment)?;
        config.decidim.read_environment(&environment)?;
        config.security.read_environment(&environment)?;
        let sites = config.sites()?;
        let looked_up = config.look_up_dialects(&rosters.dialects);
        looked_up.map_err(|problem| problem.in_file(&file))?;
        config.check(&sites).map_err(|problem| problem.in_file(&file))?;
        let folder = path.and_then(Path::parent).unwrap_or_else(|| Path::new("."));
        let site = sites[0].clone();
        let (folder, is_empty) = (folder.to_path_buf(), file.is_empty());
        Ok(Loaded { config, folder, sites, site, rosters, is_empty })
    }
}
