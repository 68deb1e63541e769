//! A server, put together from its configuration.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Router, routing::any};
use castellan_issuer::{Issuer, Parts, settings::Place};
use castellan_proto::Digest;

use crate::{
    config::{ConfigError, GuardConfig, Loaded, SiteConfig},
    corridor::Corridor,
    data::{self, DataError},
    dialects,
    guards::{Denials, Guard, GuardParts, SchemaProblem},
    http,
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

    /// The name of the cookie that marks a browser.
    #[must_use]
    pub fn mark_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-castellan_browser" } else { "castellan_browser" }
    }
}

/// Opens the issuer of `loaded`, without serving anything.
///
/// # Errors
/// [`StartError`] if records or keys cannot be had.
pub async fn open_issuer(loaded: &Loaded) -> Result<Issuer, StartError> {
    let (store, master) = data::open(loaded)?;
    let site = loaded.config.only_site();
    let place = Place {
        issuer: loaded.config.issuer.as_str().to_owned(),
        name: title(&site),
        alias_digests: alias_digests(&guards(loaded)),
    };
    let parts = Parts {
        store,
        site: site.name.as_str().into(),
        place,
        settings: loaded.config.tokens.clone(),
        clock: crate::clock::clock(),
        master,
    };
    Ok(Issuer::open(parts).await?)
}

/// The guards of `loaded`, the default one included.
#[must_use]
pub fn guards(loaded: &Loaded) -> Vec<GuardConfig> {
    let mut guards = loaded.config.guard.clone();
    if !guards.iter().any(|guard| guard.path == "/api") {
        guards.push(GuardConfig::default_api());
    }
    guards
}

/// Puts the whole server together.
///
/// # Errors
/// [`StartError`] naming what is wrong and what to do.
pub async fn build(loaded: &Loaded, issuer: Issuer) -> Result<(App, Corridor), StartError> {
    let (keys, machines) = (loaded.key_tokens()?, loaded.machine_tokens()?);
    let parts = GuardParts {
        issuer: issuer.clone(),
        keys: keys.clone(),
        machines: machines.clone(),
        denials: Denials::start(issuer.clone()),
        folder: loaded.folder.clone(),
    };
    let mut opened = Vec::new();
    for config in guards(loaded) {
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
    let shared = Shared {
        issuer: issuer.clone(),
        guards: opened,
        title: title(&loaded.config.only_site()),
        https: loaded.config.issuer.is_https(),
    };
    let app = App { shared: Arc::new(shared) };
    let mut routes = http::routes(app.clone());
    if let Some(keys) = keys {
        routes = routes.merge(dialects::trompa_routes(issuer.clone(), keys));
    }
    let mut open = vec!["/.well-known/".to_owned()];
    if let Some(machines) = machines {
        routes = routes.merge(dialects::decidim_routes(issuer, machines));
        open.extend(["/api/sign_in", "/api/sign_out"].map(ToOwned::to_owned));
    }
    for guard in app.guards() {
        open.push(guard.config.path.clone());
        let (path, guard) = (guard.config.path.clone(), guard.clone());
        let answer = move |request| {
            let guard = guard.clone();
            async move { guard.answer(request).await }
        };
        routes = routes.merge(Router::new().route(&path, any(answer)));
    }
    Ok((app, Corridor::new(routes, open)))
}

fn title(site: &SiteConfig) -> String {
    site.title.clone().unwrap_or_else(|| site.name.clone())
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
