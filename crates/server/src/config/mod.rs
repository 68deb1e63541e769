//! The configuration file. Each table's type lives with the code that reads it; what is unknown
//! stops the start.

mod audit;
mod check;
mod decidim;
mod effect_check;
pub(crate) mod environment;
mod expression;
mod file;
mod guard;
mod guard_check;
mod http_guard;
mod issuer_url;
mod jwt;
mod log;
mod management;
mod manager_names;
mod messages;
mod methods;
mod metrics;
mod outgoing_tls;
mod overlay;
mod passkeys;
mod people;
mod registration;
mod reload;
pub(crate) mod schema;
mod secret_ref;
mod security;
mod shape;
mod site;
mod site_access;
mod site_guards;
#[cfg(test)]
mod tests;
mod tls;
mod traces;

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
    secrets::credential_policy::CredentialPolicy,
    settings::RegistrationSettings,
};

use castellan_proto::Lifetime;
use environment::Environment;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{dialects::Dialects, files, roots::TrustedRoots};

pub use audit::{AuditConfig, AuditOutput};
pub use decidim::DecidimConfig;
pub use expression::{AllowedOrigin, HostExpression, PathExpression, SearchExpression};
pub use guard::{Anonymous, GuardConfig, GuardProtocol, Term};
pub use issuer_url::IssuerUrl;
pub use jwt::{JwtConfig, JwtError, Lifetime as JwtLifetime, parse_lifetime as parse_jwt_lifetime};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use management::{ManagementConfig, ManagersConfig, ScimConfig};
pub use messages::{MailConfig, MailTls, TextMessagesConfig};
pub use methods::{Method, Methods};
pub use metrics::MetricsConfig;
pub use outgoing_tls::OutgoingTlsConfig;
pub use passkeys::PasskeysConfig;
pub use secret_ref::SecretRef;
pub use security::SecurityConfig;
pub use site::{Site, SiteConfig};
pub use site_access::{
    Around, Capture, Compound, ONLY_SITE_ACCESS, SiteAccessConfig, SiteAccessMatch,
    SiteAccessSession, Target,
};
pub use tls::{
    CertificateConfig, CertificateHeaders, ClientCertificatesConfig, Hsts, ListenerConfig,
    Redirect, SubjectPart, TlsConfig,
};
pub use traces::TracesConfig;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Public URL of the server, and the `iss` of its tokens. No slash at the end.
    pub issuer: IssuerUrl,
    /// The listener.
    pub server: ServerConfig,
    /// Further listeners.
    pub listener: Vec<ListenerConfig>,
    /// TLS of the connections that Castellan makes.
    pub tls: OutgoingTlsConfig,
    /// The data source.
    pub data: DataConfig,
    /// Lifetimes and other settings of tokens.
    pub tokens: castellan_issuer::Settings,
    /// Tenants. Default: one, for every host.
    pub site: Vec<SiteConfig>,
    /// SiteAccesses of the sites (`docs/contracts/ibexa.md` §7). Default: each site has the one
    /// called `site`, at which everybody may sign in.
    pub site_access: Vec<SiteAccessConfig>,
    /// What selects the SiteAccess of a request, in order: the first that leads to one of the site.
    pub site_access_match: Vec<SiteAccessMatch>,
    /// The SiteAccess that a variable of the environment names.
    #[serde(skip)]
    site_access_variable: Option<String>,
    /// Protected APIs.
    pub guard: Vec<GuardConfig>,
    /// API keys that are exchanged for JWTs at `/jwt` (`docs/contracts/trompa.md` §7).
    pub jwt: JwtConfig,
    /// Machine users, apps of `/oauth` and guards of the Decidim dialect
    /// (`docs/contracts/decidim.md` §7).
    pub decidim: DecidimConfig,
    /// Exceptions for demonstrations, and the minimum length of passwords.
    pub security: SecurityConfig,
    /// What people's passwords have, besides `security.password_min_length` characters. Default: no
    /// policy.
    pub credential_policy: Option<CredentialPolicy>,
    /// Passkeys. Default: none.
    pub passkeys: Option<PasskeysConfig>,
    /// Audit records.
    pub audit: AuditConfig,
    /// What can be read of a running server (`docs/metrics.md`). Default: nothing.
    pub metrics: MetricsConfig,
    /// Where traces of requests are sent (`docs/traces.md`). Default: nowhere.
    pub traces: TracesConfig,
    /// The log on standard error (`docs/logs.md`).
    pub log: LogConfig,
    /// How mail is sent (`docs/messages.md`). Default: not at all, and what needs it is not offered.
    pub mail: Option<MailConfig>,
    /// How text messages are sent. Default: not at all, and what needs them is not offered.
    pub text_messages: Option<TextMessagesConfig>,
    /// The management APIs (`docs/contracts/curity.md`).
    pub management: ManagementConfig,
    /// Who may register clients, and what these may be (`docs/registration.md`).
    pub registration: RegistrationSettings,
}

/// The `[server]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port of the listener. Default `"127.0.0.1:8080"`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// TLS of the listener. Default: plain HTTP, for a proxy that ends TLS.
    pub tls: Option<TlsConfig>,
    /// How long browsers are told to use https only (RFC 6797), or `"off"`: over TLS of ours, and where
    /// a trusted proxy says https. Default `"365d"`. Not sent by sites at loopback names.
    pub hsts: Option<Hsts>,
    /// Addresses and networks of load balancers that begin each connection with a header of the PROXY
    /// protocol, version 1 or 2, such as `"10.0.0.0/8"`. Others cannot connect. Default: none, and no
    /// such header is read.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub proxy_protocol: Vec<IpNet>,
    /// What listed proxies say of client certificates. Default: nobody is believed.
    pub client_certificate_headers: Option<CertificateHeaders>,
    /// Addresses and networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are
    /// believed, such as `"10.0.0.0/8"`. Default: none.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a connection may be idle between two requests. Default `"75s"`.
    pub keep_alive: Lifetime,
    /// Connections of one address, or one /64 of IPv6, at a time. Default: a sixteenth of all
    /// connections, at least 32. Loopback and `trusted_proxies` are not limited.
    pub connections_per_source: Option<NonZeroUsize>,
    /// Request headers that scripts of other origins may send to the token, revocation and userinfo
    /// endpoints, in addition to those that the endpoints read, such as `"traceparent"`. Default:
    /// none.
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
    /// URL of the data source. Default `"sqlite://castellan.db"`.
    pub url: String,
    /// The master key. Default with SQLite: a file beside the database, created together with it.
    /// Required with other data sources.
    pub master_key: Option<SecretRef>,
    /// The previous master key, while the key is being changed.
    pub previous_master_key: Option<SecretRef>,
    /// Whether a data source that is missing or empty is created. Default `true`; if `false`, the
    /// server refuses to start, and `castellan migrate` alone creates it.
    pub create: bool,
    /// Whether tables and indexes are created and upgraded at each start. Default `true`; if
    /// `false`, `castellan migrate` does it.
    pub migrate: bool,
    /// Whether unfiltered lists of people and consents are served where the data source charges for
    /// what it reads (DynamoDB). Default `false`.
    pub allow_table_scans: bool,
    /// How long to retry at the start if the data source does not respond. Default: no retry.
    pub wait: Option<Lifetime>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls: None,
            hsts: None,
            proxy_protocol: Vec::new(),
            client_certificate_headers: None,
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
            create: true,
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
    /// The authorities that connections are verified against, besides the public ones.
    pub(crate) roots: TrustedRoots,
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
        config.read_site_access(&environment);
        config.jwt.read_environment(&environment)?;
        config.decidim.read_environment(&environment)?;
        config.security.read_environment(&environment)?;
        config.management.has_credential_policy = config.credential_policy.is_some();
        let sites = config.placed_sites().map_err(|problem| problem.in_file(&file))?;
        let looked_up = config.look_up_dialects(&rosters.dialects);
        looked_up.map_err(|problem| problem.in_file(&file))?;
        config.check(&sites).map_err(|problem| problem.in_file(&file))?;
        let folder = path.and_then(Path::parent).unwrap_or_else(|| Path::new("."));
        let roots = config.read_roots(folder, &environment);
        let roots = roots.map_err(|problem| problem.in_file(&file))?;
        let site = sites[0].clone();
        let (folder, is_empty) = (folder.to_path_buf(), file.is_empty());
        Ok(Loaded { config, folder, sites, site, rosters, roots, is_empty })
    }
}
