//! A server, put together from its configuration.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use castellan_gate::Introspection;
use castellan_issuer::{
    Issuer, Parts, Settings, keys::MasterKey, settings::SiteAddress, sign_in::password::Passwords,
    store::Store,
};
use castellan_proto::Digest;

use crate::{
    background::logout_delivery::LogoutDelivery,
    config::{Anonymous, ConfigError, Dialect, GuardConfig, Loaded, Site},
    corridor::{Corridor, Nonce, SiteRoutes},
    dialects,
    guards::{Denials, Guard, GuardParts, SchemaProblem, Usage},
    http,
    startup::data_source::{self, DataError},
    wire::cors,
};

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
}

struct Shared {
    issuer: Issuer,
    guards: Vec<Guard>,
    title: String,
    https: bool,
    /// It answers to listed hosts alone, all of which are its own.
    hosts: bool,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Records or keys cannot be had.
    #[error("{0}")]
    Data(String),
    /// The signing keys cannot be had.
    #[error(transparent)]
    Keys(#[from] castellan_issuer::keys::KeyringError),
    /// A guard cannot work.
    #[error("guard {name:?}: {cause}")]
    Guard {
        /// Which.
        name: String,
        /// Why.
        cause: String,
    },
}

impl From<DataError> for StartError {
    fn from(error: DataError) -> Self {
        Self::Data(error.to_string())
    }
}

impl App {
    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// The guards.
    #[must_use]
    pub fn guards(&self) -> &[Guard] {
        &self.shared.guards
    }

    /// Where the world reaches `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.shared.issuer.address().issuer)
    }

    /// What the site is called.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.shared.title
    }

    /// Whether browsers come by https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.shared.https
    }

    /// Whether the host of every request that gets here is one of the site's own.
    #[must_use]
    pub fn has_hosts(&self) -> bool {
        self.shared.hosts
    }

    /// The name of the cookie that marks a browser.
    #[must_use]
    pub fn mark_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-castellan_browser" } else { "castellan_browser" }
    }
}

/// Opens the issuer of the site that the command line works on, without serving anything.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub async fn open_issuer(loaded: &Loaded) -> Result<Issuer, StartError> {
    let (store, master) = data_source::open(loaded).await?;
    open_site(loaded, &loaded.site, (store, master, Passwords::start())).await
}

/// Opens the issuers of all sites, over one data source.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub async fn open_issuers(loaded: &Loaded) -> Result<Vec<Issuer>, StartError> {
    let (store, master) = data_source::open(loaded).await?;
    let data = (store, master, Passwords::start());
    let mut issuers = Vec::new();
    for site in &loaded.sites {
        issuers.push(open_site(loaded, site, data.clone()).await?);
    }
    Ok(issuers)
}

async fn open_site(
    loaded: &Loaded,
    site: &Site,
    (store, master, passwords): (Arc<dyn Store>, MasterKey, Passwords),
) -> Result<Issuer, StartError> {
    let address = SiteAddress {
        issuer: site.issuer.as_str().to_owned(),
        name: site.title.clone(),
        alias_digests: alias_digests(&guards(loaded, site)),
        resources: guards(loaded, site)
            .iter()
            .map(|guard| guard.audience_at(site.issuer.as_str()))
            .collect(),
    };
    let minutes = u64::from(loaded.config.decidim.oauth_access_token_expires_in);
    let parts = Parts {
        store,
        site: site.name.as_str().into(),
        address,
        settings: Settings {
            decidim_access_seconds: minutes * 60,
            allow_table_scans: loaded.config.data.allow_table_scans,
            ..loaded.config.tokens.clone()
        },
        clock: crate::clock::clock(),
        master,
        passwords,
    };
    Ok(Issuer::open(parts).await?)
}

/// What the default guard at `/api` is called where another one is called `api`.
const DEFAULT_API: &str = "default-api";

/// The guards of `site`, the default one included.
#[must_use]
pub fn guards(loaded: &Loaded, site: &Site) -> Vec<GuardConfig> {
    let mut guards: Vec<_> =
        loaded.config.guard.iter().filter(|guard| guard.is_at(site)).cloned().collect();
    if !guards.iter().any(|guard| guard.path == "/api") {
        // A guard of another path or site may have its name already.
        let taken = loaded.config.guard.iter().any(|guard| guard.name == "api");
        guards.push(GuardConfig::default_api(if taken { DEFAULT_API } else { "api" }));
    }
    if loaded.config.decidim.force_api_authentication {
        for guard in guards.iter_mut().filter(|guard| guard.is_forced()) {
            guard.anonymous.get_or_insert(Anonymous::Refused);
        }
    }
    if loaded.config.decidim.enable_anonymous_introspection {
        let decidim = |guard: &&mut GuardConfig| guard.dialect == Some(Dialect::Decidim);
        for guard in guards.iter_mut().filter(decidim) {
            guard.introspection.get_or_insert(Introspection::Public);
        }
    }
    let told = guards.iter().any(|guard| guard.at_root == Some(true));
    for guard in &mut guards {
        // At most one guard of a site is at `/graphql`, so at most one is there unless told.
        guard.at_root = Some(guard.at_root.unwrap_or(!told && guard.is_at_root()));
    }
    guards
}

/// Puts the whole server together; `issuers` are those of the sites, in their order.
///
/// # Errors
/// [`StartError`] naming what is wrong and what to do.
pub async fn build(loaded: &Loaded, issuers: Vec<Issuer>) -> Result<Server, StartError> {
    let (mut sites, mut usages, mut logout_deliveries) = (Vec::new(), Vec::new(), Vec::new());
    for (site, issuer) in loaded.sites.iter().zip(issuers) {
        logout_deliveries.push(LogoutDelivery::start(issuer.clone()));
        let usage = Usage::start(issuer.clone());
        sites.push(site_routes(loaded, site, issuer, usage.clone()).await?);
        usages.push(usage);
    }
    let corridor = Corridor::new(sites, loaded.config.server.trusted_proxies.clone());
    Ok(Server { corridor, usages, logout_deliveries })
}

/// A whole server.
pub struct Server {
    /// What every request walks.
    pub corridor: Corridor,
    /// What is counted and not yet written, per site.
    usages: Vec<Usage>,
    /// What tells apps of sign-outs, per site.
    logout_deliveries: Vec<LogoutDelivery>,
}

impl Server {
    /// Tells and writes what would be lost with the process.
    pub async fn close(self) {
        LogoutDelivery::close_all(self.logout_deliveries).await;
        for usage in &self.usages {
            usage.flush().await;
        }
    }
}

/// Everything that one site answers.
async fn site_routes(
    loaded: &Loaded,
    site: &Site,
    issuer: Issuer,
    usage: Usage,
) -> Result<SiteRoutes, StartError> {
    let (keys, machines) = (loaded.key_tokens(site)?, loaded.machine_tokens(site)?);
    let parts = GuardParts {
        issuer: issuer.clone(),
        keys: keys.clone(),
        machines: machines.clone(),
        denials: Denials::start(issuer.clone()),
        usage,
        folder: loaded.folder.clone(),
    };
    let opened = open_guards(guards(loaded, site), &parts).await?;
    let shared = Shared {
        issuer: issuer.clone(),
        guards: opened,
        title: site.title.clone(),
        https: site.issuer.is_https(),
        hosts: !site.hosts.is_empty(),
    };
    let app = App { shared: Arc::new(shared) };
    let mut routes = http::routes(app.clone()).merge(dialects::oauth_routes(
        issuer.clone(),
        http::authorization("/oauth/authorize", app.clone()),
    ));
    if let Some(keys) = keys {
        routes = routes.merge(dialects::trompa_routes(issuer.clone(), keys));
    }
    let mut open = vec!["/.well-known/".to_owned()];
    routes = routes.merge(dialects::decidim_routes(issuer.clone(), machines));
    open.extend(["/api/sign_in", "/api/sign_out", "/api/sign_out/"].map(ToOwned::to_owned));
    let mut guards = HashMap::new();
    for guard in app.guards() {
        let root = guard.config.is_at_root().then(|| "/".to_owned());
        for path in [Some(guard.config.path.clone()), root].into_iter().flatten() {
            open.push(path.clone());
            guards.insert(path, guard.clone());
        }
    }
    let wants_nonces = issuer.settings().dpop_nonce;
    let nonce = wants_nonces.then(|| Box::new(move || issuer.dpop_nonce()) as Nonce);
    let (hosts, https) = (site.hosts.clone(), site.issuer.is_https());
    Ok(SiteRoutes { hosts, https, nonce, guards, routes, open, by_client: &cors::PATHS })
}

async fn open_guards(
    configs: Vec<GuardConfig>,
    parts: &GuardParts,
) -> Result<Vec<Guard>, StartError> {
    let mut opened = Vec::new();
    for config in configs {
        let name = config.name.clone();
        let below = |claim: &&&str| {
            config.path == ***claim || config.path.starts_with(&format!("{claim}/"))
        };
        if let Some(claim) = http::CLAIMED.iter().find(below) {
            let cause = format!("its path {} is within {claim}, which is ours", config.path);
            return Err(StartError::Guard { name, cause });
        }
        let guard = Guard::open(config, parts.clone()).await;
        let wrong = |problem: SchemaProblem| StartError::Guard { name, cause: problem.to_string() };
        opened.push(guard.map_err(wrong)?);
    }
    Ok(opened)
}

/// Digests of what each named scope stands for, over all guards: a consent that rests on an alias
/// is asked for anew when one of them widens it.
fn alias_digests(guards: &[GuardConfig]) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for guard in guards {
        for (alias, patterns) in crate::guards::rules(guard).aliases {
            let text = texts.entry(alias).or_default();
            for pattern in patterns {
                text.extend([&*guard.name, " ", pattern.as_str(), "\n"]);
            }
        }
    }
    texts.into_iter().map(|(alias, text)| (alias, Digest::of(text.as_bytes()).text())).collect()
}
