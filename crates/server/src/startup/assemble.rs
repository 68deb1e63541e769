//! A server, put together from its configuration.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use castellan_issuer::{
    Issuer,
    foreign::ForeignTokens,
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
    messages::Messenger,
};

use super::{
    issuers,
    measured::{self, Present},
};
use crate::{
    app::App,
    background::{
        audit::{Audit, AuditLines, AuditPlan},
        logout_delivery::LogoutDelivery,
    },
    config::{AuditOutput, ConfigError, GuardConfig, Loaded, Rosters, Site},
    corridor::{Believed, Corridor, Nonce, SiteRoutes, Words},
    dialects,
    file_handles::FileHandles,
    files,
    guards::{Denials, Guard, GuardParts, SiteAccesses, Trouble, Upstreams, Usage},
    http,
    http_client::DocumentClient,
    logging,
    messages::MessageSender,
    observers::Observers,
    wire::cors,
};

pub(crate) use super::issuers::open_observed_issuers;
pub use super::{
    data_source::Access,
    error::StartError,
    issuers::{open_issuer, open_issuers},
};

/// Puts the whole server together; `issuers` are those of the sites, in their order. The schemas of
/// its guards are waited for as long as `patience` lasts.
///
/// # Errors
/// [`StartError`] naming what is wrong and what to do.
pub async fn build(
    loaded: &Loaded,
    issuers: Vec<Issuer>,
    patience: Duration,
) -> Result<Server, StartError> {
    build_observed(loaded, issuers, patience, Observers::default()).await
}

/// The same, with what it does observed by `observers`.
///
/// # Errors
/// [`StartError`] naming what is wrong and what to do.
pub(crate) async fn build_observed(
    loaded: &Loaded,
    issuers: Vec<Issuer>,
    patience: Duration,
    observers: Observers,
) -> Result<Server, StartError> {
    let mut sites = Vec::new();
    let audit = audit_plan(loaded, AuditLines::stdout)?;
    let message_sender = MessageSender::open(loaded).await?;
    let issuers = sending_by(issuers, message_sender.as_ref());
    let all_sites = issuers.clone();
    for issuer in issuers {
        sites.push(SiteParts {
            audit: Audit::start(&issuer, &audit),
            foreign: observed_foreign_tokens(loaded, all_sites.clone(), &observers),
            logout_delivery: LogoutDelivery::start(issuer.clone(), &loaded.roots),
            usage: Usage::start(issuer.clone()),
            denials: Denials::start(issuer.clone()),
            issuer,
            guards: Vec::new(),
        });
    }
    let names = loaded.sites.iter().map(|site| &*site.name);
    let corridor = Corridor::new(Vec::new(), Believed::default()).observed_by(&observers, names);
    let (present, audit_lines) =
        (Arc::new(ArcSwap::from_pointee(Present::verified_by(loaded.roots.clone()))), audit.output);
    if let Some(metrics) = &observers.metrics {
        let parts = |site: &SiteParts| (site.issuer.clone(), site.denials.clone());
        measured::sites(metrics, sites.iter().map(parts).collect());
        measured::guards(metrics, &present);
    }
    let mut server = Server { corridor, sites, present, observers, audit_lines, message_sender };
    server.take_up(loaded, patience).await?;
    Ok(server)
}

/// The issuers, which send messages by `message_sender`. Whoever runs the server is told what is not sent.
fn sending_by(issuers: Vec<Issuer>, message_sender: Option<&Arc<MessageSender>>) -> Vec<Issuer> {
    let Some(message_sender) = message_sender else { return issuers };
    for warning in message_sender.warnings() {
        logging::warn(&warning);
    }
    let sends =
        |issuer: Issuer| issuer.sending_by(Arc::clone(message_sender) as Arc<dyn Messenger>);
    issuers.into_iter().map(sends).collect()
}

/// Where and how long audit records are kept; what goes to standard output goes to `stdout`.
///
/// # Errors
/// [`StartError::Audit`] if their file cannot be written.
pub(crate) fn audit_plan(
    loaded: &Loaded,
    stdout: fn() -> AuditLines,
) -> Result<AuditPlan, StartError> {
    let config = &loaded.config.audit;
    let output = match &config.output {
        None => None,
        Some(AuditOutput::Stdout(_)) => Some(stdout()),
        Some(AuditOutput::File(file)) => {
            let path = loaded.folder.join(&file.file);
            let wrong = |cause| StartError::Audit { path: path.display().to_string(), cause };
            Some(AuditLines::file(&path).map_err(wrong)?)
        }
    };
    Ok(AuditPlan {
        keep: config.keep.0.map(castellan_proto::Lifetime::get),
        output: output.map(Arc::new),
        daily: config.records_per_day.get(),
    })
}

/// What verifies tokens of other issuers at one site; `all_sites` are all sites.
pub(crate) fn foreign_tokens(loaded: &Loaded, all_sites: Vec<Issuer>) -> Arc<ForeignTokens> {
    observed_foreign_tokens(loaded, all_sites, &Observers::default())
}

/// The same, with what is fetched observed by `observers`.
fn observed_foreign_tokens(
    loaded: &Loaded,
    all_sites: Vec<Issuer>,
    observers: &Observers,
) -> Arc<ForeignTokens> {
    let private_origins = loaded.config.security.private_origins.clone();
    let client = Arc::new(DocumentClient::new(&loaded.roots, private_origins));
    Arc::new(ForeignTokens::new(observers.fetch(client), all_sites))
}

/// A whole server.
pub struct Server {
    /// What every request walks.
    pub corridor: Corridor,
    sites: Vec<SiteParts>,
    /// The guards of the moment and the APIs behind them, for whoever looks at the whole.
    present: Arc<ArcSwap<Present>>,
    observers: Observers,
    /// Where audit records are written as lines.
    audit_lines: Option<Arc<AuditLines>>,
    /// What sends messages to people.
    message_sender: Option<Arc<MessageSender>>,
}

/// What stays of a site when its settings change.
struct SiteParts {
    issuer: Issuer,
    /// What verifies tokens of other issuers, with what it fetched.
    foreign: Arc<ForeignTokens>,
    /// What is counted and not yet written.
    usage: Usage,
    denials: Denials,
    /// What records what happens.
    audit: Option<Audit>,
    /// What tells apps of sign-outs.
    logout_delivery: LogoutDelivery,
    /// The guards of the moment.
    guards: Vec<Guard>,
}

impl Server {
    /// Serves by the settings of `loaded` from the next request on; its sites are those that the
    /// server was built with. Nothing changes if one of them cannot be served. Guards whose schemas
    /// have not been looked at when `patience` ends go on looking; until then they decide as before,
    /// or are closed.
    ///
    /// # Errors
    /// [`StartError`] naming what is wrong and what to do.
    pub async fn take_up(&mut self, loaded: &Loaded, patience: Duration) -> Result<(), StartError> {
        for site in &loaded.sites {
            loaded.guards(site).iter().try_for_each(|guard| check_path(&loaded.rosters, guard))?;
        }
        let configs: Vec<_> = loaded.sites.iter().flat_map(|site| loaded.guards(site)).collect();
        let before = self.present.load_full();
        let upstreams = before.upstreams.share_out(&configs, FileHandles::of_this_process())?;
        let secrets = site_secrets(loaded).await?;
        let (mut made, all) = (Vec::new(), Arc::new(OnceLock::new()));
        for ((site, parts), secrets) in loaded.sites.iter().zip(&self.sites).zip(secrets) {
            let shared = Shared { upstreams: &upstreams, observers: &self.observers, all: &all };
            made.push(site_routes(loaded, site, parts, secrets, shared));
        }
        all.get_or_init(|| made.iter().flat_map(|(_, guards)| guards).cloned().collect());
        // All at once: each may have to wait for its API.
        let looked_at = async {
            for guard in all.get().into_iter().flatten() {
                guard.looked_at().await;
            }
        };
        let _ = tokio::time::timeout(patience, looked_at).await;
        let (mut sites, server) = (Vec::new(), &loaded.config.server);
        let believed = Believed {
            proxies: server.trusted_proxies.clone(),
            certificates: server.client_certificate_headers.clone(),
        };
        for (parts, (site_routes, guards)) in self.sites.iter_mut().zip(made) {
            parts.guards = guards;
            sites.push(site_routes);
        }
        let guards = all.get().cloned().unwrap_or_default();
        self.present.store(Arc::new(Present { guards, upstreams }));
        self.corridor.replace(sites, believed);
        Ok(())
    }

    /// What is wrong with guards at the moment, each with its name.
    pub(crate) fn troubles(&self) -> Vec<(String, Trouble)> {
        let guards = self.sites.iter().flat_map(|site| &site.guards);
        guards.filter_map(|guard| Some((guard.config.name.clone(), guard.trouble()?))).collect()
    }

    /// Opens the file for audit records again.
    ///
    /// # Errors
    /// [`StartError::Audit`] if it cannot be opened; records go on to the one that is open.
    pub(crate) fn reopen_audit(&self) -> Result<(), StartError> {
        let Some(lines) = &self.audit_lines else { return Ok(()) };
        lines.reopen().map_err(|cause| StartError::Audit { path: lines.name(), cause })
    }

    /// Tells and writes what would be lost with the process.
    pub async fn close(self) {
        let (mut logout_deliveries, mut usages, mut audits) = (Vec::new(), Vec::new(), Vec::new());
        for site in self.sites {
            logout_deliveries.push(site.logout_delivery);
            usages.push(site.usage);
            audits.extend(site.audit);
        }
        if let Some(message_sender) = &self.message_sender {
            message_sender.close().await;
        }
        LogoutDelivery::close_all(logout_deliveries).await;
        for usage in &usages {
            usage.flush().await;
        }
        // Last: nothing happens any more that it could miss.
        Audit::close_all(audits).await;
        if let Some(traces) = &self.observers.traces {
            traces.close().await;
        }
    }
}

/// What a site signs with, beside its keyring.
struct SiteSecrets {
    /// What trades API keys.
    keys: Option<Arc<KeyTokens>>,
    /// What signs machine users in.
    machines: Option<Arc<MachineTokens>>,
}

/// Reads what all sites sign with; not on the runtime, as it may be in files.
async fn site_secrets(loaded: &Loaded) -> Result<Vec<SiteSecrets>, StartError> {
    let loaded = loaded.clone();
    let read = move || {
        let secrets = |site| {
            let (keys, machines) = (loaded.key_tokens(site)?, loaded.machine_tokens(site)?);
            Ok(SiteSecrets { keys, machines })
        };
        loaded.sites.iter().map(secrets).collect::<Result<Vec<_>, ConfigError>>()
    };
    match tokio::time::timeout(files::PATIENCE, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(secrets)) => Ok(secrets?),
        Ok(Err(_)) | Err(_) => Err(ConfigError::Slow.into()),
    }
}

/// What all sites share.
#[derive(Clone, Copy)]
struct Shared<'a> {
    /// The APIs behind guards.
    upstreams: &'a Upstreams,
    observers: &'a Observers,
    /// All guards, once all sites are made.
    all: &'a Arc<OnceLock<Vec<Guard>>>,
}

/// Everything that one site answers, and its guards.
fn site_routes(
    loaded: &Loaded,
    site: &Site,
    before: &SiteParts,
    SiteSecrets { keys, machines }: SiteSecrets,
    Shared { upstreams, observers, all }: Shared<'_>,
) -> (SiteRoutes, Vec<Guard>) {
    let issuer = before.issuer.at(issuers::address(loaded, site));
    let parts = GuardParts {
        issuer: issuer.clone(),
        keys: keys.clone(),
        machines: machines.clone(),
        foreign: Arc::clone(&before.foreign),
        denials: before.denials.clone(),
        usage: before.usage.clone(),
        upstreams: upstreams.clone(),
        folder: loaded.folder.clone(),
        site_accesses: Arc::new(SiteAccesses::of(loaded, site)),
        observers: observers.clone(),
    };
    let open = |config: GuardConfig| {
        let before = before.guards.iter().find(|guard| guard.config.name == config.name);
        Guard::open(config, parts.clone(), before)
    };
    let opened: Vec<_> = loaded.guards(site).into_iter().map(open).collect();
    let app = App::new(
        issuer.clone(),
        site,
        &loaded.config.management,
        Arc::clone(&before.foreign),
        Arc::clone(all),
    );
    let routes = http::routes(app.clone()).merge(loaded.rosters.dialects.routes(&dialects::Site {
        issuer: &issuer,
        keys: keys.as_ref(),
        machines: machines.as_ref(),
        authorization: &|path| http::authorization(path, app.clone()),
    }));
    let (dialects, worded) = (loaded.rosters.dialects.clone(), app);
    let words: Words = Box::new(move |refusal, request| {
        let said = dialects.refusal(request.path, refusal.status, &refusal.text);
        said.unwrap_or_else(|| http::refusal::word(&worded, refusal, request))
    });
    let open = open_paths(loaded, &opened);
    let guards = opened.clone();
    let wants_nonces = issuer.settings().dpop_nonce;
    let nonce = wants_nonces.then(|| Box::new(move || issuer.dpop_nonce()) as Nonce);
    let site_routes = SiteRoutes {
        name: site.name.clone(),
        hosts: site.hosts.clone(),
        https: site.issuer.is_https(),
        origin: site.issuer.as_str().to_owned(),
        hsts: loaded.config.server.hsts_at(site),
        nonce,
        guards,
        routes,
        open,
        by_client: &cors::PATHS,
        cors_headers: loaded.config.server.cors_headers.clone(),
        words: Some(words),
    };
    (site_routes, opened)
}

/// The paths that pages of every origin may call.
fn open_paths(loaded: &Loaded, guards: &[Guard]) -> Vec<String> {
    let mut open = vec!["/.well-known/".to_owned()];
    open.extend(loaded.rosters.dialects.open().map(ToOwned::to_owned));
    // Guards of other APIs list the origins that may call them.
    for guard in guards.iter().filter(|guard| !guard.config.is_http()) {
        let root = guard.config.is_at_root().then(|| "/".to_owned());
        open.extend([Some(guard.config.path.clone()), root].into_iter().flatten());
    }
    open
}

/// Whether the file handles of this process suffice for the APIs behind the guards of `loaded`, and what
/// guards say of one API agrees.
///
/// # Errors
/// [`StartError`] naming what does not.
pub(crate) fn check_upstreams(loaded: &Loaded) -> Result<(), StartError> {
    let guards: Vec<_> = loaded.sites.iter().flat_map(|site| loaded.guards(site)).collect();
    Upstreams::default().share_out(&guards, FileHandles::of_this_process())?;
    Ok(())
}

/// Whether a guard is where nothing of ours is.
///
/// # Errors
/// [`StartError`] naming what is.
pub(crate) fn check_path(rosters: &Rosters, config: &GuardConfig) -> Result<(), StartError> {
    let is_within = |path: &str, other: &str| {
        path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let path = &*config.path;
    let claims = rosters.dialects.claims().map(ToOwned::to_owned);
    for claim in http::claimed(&rosters.resources).into_iter().chain(claims) {
        let cause = if is_within(path, &claim) {
            format!("its path {path} is within {claim}, which is reserved")
        } else if config.is_http() && is_within(&claim, path) {
            format!("its path {path} contains {claim}, which is reserved")
        } else {
            continue;
        };
        return Err(StartError::Guard { name: config.name.clone(), cause });
    }
    Ok(())
}
