//! `castellan serve`, and the sample API alone.

use std::{convert::Infallible, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use castellan_issuer::Issuer;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use super::{
    Failure, doctor,
    reload::{Control, Reloader},
};
use crate::{
    background::housekeeping,
    config::{ConfigError, Loaded},
    file_handles::FileHandles,
    files, logging,
    metrics::{self, Metrics},
    observers::Observers,
    sample_api::Archive,
    startup::assemble::{self, Access, Server},
    startup::file_rights,
    startup::listener::{self, Listener, Manner, Tls},
    startup::observers,
    startup::tls_files::TlsFiles,
};

/// How long the schemas of guards are waited for before the server listens: as long as APIs that are
/// well take. The others must not hold up sign-in.
const SOON: Duration = Duration::from_secs(2);

/// Run the server.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Address to listen on (overrides `server.listen`).
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Run only the sample API.
#[derive(clap::Args)]
pub(super) struct ArchiveArguments {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
}

/// Runs the server; `read` reads its configuration, at the start and whenever it is told to.
pub(super) async fn run(
    read: impl Fn() -> Result<Loaded, Failure> + Send + Sync + 'static,
    arguments: Arguments,
) -> Result<ExitCode, Failure> {
    let read = move || match (read()?, arguments.listen) {
        (loaded, Some(listen)) => Ok(loaded.listening_at(listen)?),
        (loaded, None) => Ok(loaded),
    };
    let loaded = read()?;
    let listen = loaded.config.server.listen;
    if loaded.config.security.insecure {
        logging::warn(
            "security.insecure is on. Weak secrets and zero lifetimes are accepted; the server is \
             reachable from this machine only.",
        );
    }
    for warning in file_rights::warnings(&loaded) {
        logging::warn(&warning);
    }
    let observers = observers::open(&loaded).await?;
    let issuers = assemble::open_observed_issuers(&loaded, Access::Begin, &observers).await?;
    let Opened { listeners, port, tls } = open_listeners(&loaded).await?;
    let metrics = observers.metrics.clone();
    let shown = show_metrics(metrics.clone().zip(loaded.config.metrics.listen)).await?;
    let mut server = start(&loaded, &issuers, SOON, observers).await?;
    // Heard from now on: the default of this signal ends a process.
    let hangups = signal(SignalKind::hangup())?;
    let control = Control::open(&loaded.folder, port);
    for issuer in &issuers {
        let place = &*issuer.address().issuer;
        if let Some(token) = issuer.offer_setup().await? {
            println!(
                "{place} has no administrator yet. Create the first one here within 24 hours:\n"
            );
            println!("    {place}/auth/setup?token={}\n", token.text());
        }
    }
    let places: Vec<_> = issuers.iter().map(|issuer| &*issuer.address().issuer).collect();
    println!("Castellan serves {} on {listen}. Press Ctrl-C to stop.", places.join(", "));
    let limits = loaded.config.server.limits(FileHandles::of_this_process());
    let corridor = server.corridor.clone();
    let serving = listener::serve_counted(listeners, corridor, limits, stop(), metrics.as_deref());
    let reloading = Reloader::new(&mut server, loaded, Arc::new(read), tls);
    tokio::select! {
        ended = serving => ended?,
        never = reloading.run(hangups, control) => match never {},
        never = shown => match never {},
    }
    server.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Opens the listener of `metrics`, and shows them there as long as what is returned is waited for; for
/// ever nothing without any.
async fn show_metrics(
    metrics: Option<(Arc<Metrics>, SocketAddr)>,
) -> Result<impl Future<Output = Infallible> + use<>, Failure> {
    let opened = match metrics {
        Some((metrics, listen)) => {
            let opened = metrics::listener::bind(listen).await?;
            println!("Metrics are at http://{}/metrics.", opened.local_addr()?);
            if !listen.ip().is_loopback() {
                tracing::warn!(%listen, "metrics are shown to everybody who reaches this address");
            }
            Some((metrics, opened))
        }
        None => None,
    };
    Ok(async move {
        match opened {
            Some((metrics, listener)) => metrics::listener::serve(metrics, listener).await,
            None => std::future::pending().await,
        }
    })
}

/// Where the server listens.
struct Opened {
    listeners: Vec<Listener>,
    /// The port of the first one.
    port: u16,
    /// The certificates of those that have any.
    tls: Vec<Arc<Tls>>,
}

/// Listens wherever `loaded` says.
async fn open_listeners(loaded: &Loaded) -> Result<Opened, Failure> {
    let (mut listeners, mut port, mut all_tls) = (Vec::new(), 0, Vec::new());
    for (name, settings) in loaded.config.listeners() {
        let tls = match &settings.tls {
            None => None,
            Some(tls) => {
                let files = TlsFiles::new(&name, tls, &loaded.folder);
                let opened = tokio::task::spawn_blocking(move || Tls::open(files));
                let opened =
                    timeout(files::PATIENCE, opened).await.map_err(|_| ConfigError::Slow)?;
                Some(opened?.map_err(|error| format!("{name}.tls: {error}"))?)
            }
        };
        all_tls.extend(tls.clone());
        let socket = bind(settings.listen).await?;
        if listeners.is_empty() {
            port = socket.local_addr()?.port();
        }
        listeners.push(Listener::new(
            socket,
            Manner {
                tls,
                balancers: settings.proxy_protocol,
                redirects: settings.redirect.is_some(),
            },
        ));
    }
    Ok(Opened { listeners, port, tls: all_tls })
}

/// Puts the server together and begins what it does by itself.
pub(super) async fn start(
    loaded: &Loaded,
    issuers: &[Issuer],
    patience: Duration,
    observers: Observers,
) -> Result<Server, Failure> {
    housekeeping::start(issuers).await;
    for issuer in issuers {
        if let Some(text) = doctor::open_templates(issuer).await? {
            tracing::warn!(site = %issuer.repository().site(), "{text}");
        }
    }
    let issuers = issuers.to_vec();
    Ok(assemble::build_observed(loaded, issuers, patience, observers).await?)
}

pub(super) async fn archive(arguments: ArchiveArguments) -> Result<ExitCode, Failure> {
    let listener = bind(arguments.listen).await?;
    println!("The sample API listens on http://{}/. Press Ctrl-C to stop.", listener.local_addr()?);
    Archive::new().serve(listener, stop()).await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("cannot listen on {address}: {error}; choose another address with --listen").into()
    })
}

/// Ctrl-C, or the signal that service managers send.
pub(super) fn stop() -> impl Future<Output = ()> {
    // Heard from now on, not from when somebody waits for it: what has answered once may be told to
    // stop, and shall do so in order.
    let terminated = signal(SignalKind::terminate());
    async move {
        let interrupted = tokio::signal::ctrl_c();
        let Ok(mut terminated) = terminated else {
            return drop(interrupted.await);
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};

    use super::stop;

    #[tokio::test]
    async fn a_signal_that_comes_before_anybody_waits_for_it_is_heard() -> std::io::Result<()> {
        let stop = stop();
        let kill = Command::new("kill").args(["-TERM", &process::id().to_string()]).status()?;
        assert!(kill.success());
        stop.await;
        Ok(())
    }
}
