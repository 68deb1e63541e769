//! The listener: connections in, the corridor behind.
//!
//! Nobody holds a connection by doing nothing: how long each may take for what is in
//! `activity`. How many there are follows from the file handles of the process, and how many one
//! source may have from that.

mod activity;
mod body;
mod connection;
mod head;
mod opening;
mod proxy_protocol;
mod room;
mod shares;
mod socket;
mod stream;
mod tls;

use std::{
    error::Error, future::Future, io, net::IpAddr, num::NonZeroUsize, sync::Arc, time::Duration,
};

use castellan_gate::AnswerMemory;
use ipnet::IpNet;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    config::ServerConfig,
    corridor::Corridor,
    file_handles::FileHandles,
    metrics::{CONNECTIONS, CONNECTIONS_LIMIT, Metrics},
};
use activity::Activity;
use connection::Connection;
use room::Room;
use shares::{Share, Shares};
pub(crate) use tls::Tls;

/// Bytes of answers that are held as a whole, to be merged and until their clients take them: on all
/// connections, and on each.
const HELD: usize = 256 * 1024 * 1024;
const HELD_PER_CONNECTION: usize = 32 * 1024 * 1024;
/// How long open requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(10);

/// How many connections there may be, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that are open at a time; more wait to be taken.
    pub connections: usize,
    /// How many of them one source may have: an address, or a /64 of IPv6. This machine and the
    /// proxies that are listed stand for many, and are not limited.
    pub per_source: usize,
    /// How long a connection may be idle between two requests.
    pub keep_alive: Duration,
}

impl Limits {
    /// Longer than the pools of common proxies and clients keep theirs.
    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    /// Connections at most, however many file handles there are: each may come to hold memory.
    const MOST: usize = 8_192;

    /// Limits for `connections`, or as many as are sensible, of which one source may have a
    /// sixteenth.
    #[must_use]
    pub fn of(connections: usize) -> Self {
        let connections = connections.clamp(16, Self::MOST);
        let per_source = (connections / 16).max(32);
        Self { connections, per_source, keep_alive: Self::KEEP_ALIVE }
    }
}

impl ServerConfig {
    /// The limits of the listener in a process with `handles`.
    pub(crate) fn limits(&self, handles: FileHandles) -> Limits {
        let limits = Limits::of(handles.listener());
        Limits {
            per_source: self.connections_per_source.map_or(limits.per_source, NonZeroUsize::get),
            keep_alive: self.keep_alive.get(),
            ..limits
        }
    }
}

/// One listener, and what is spoken there.
pub struct Listener {
    socket: TcpListener,
    manner: Manner,
}

/// How connections begin at a listener.
#[derive(Default)]
pub(crate) struct Manner {
    /// TLS; plain HTTP without it.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Who begins connections by the PROXY protocol; nobody does if there are none.
    pub(crate) balancers: Vec<IpNet>,
    /// Requests are redirected to https.
    pub(crate) redirects: bool,
}

impl Listener {
    /// A listener of plain HTTP.
    #[must_use]
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, manner: Manner::default() }
    }

    /// A listener at `socket` in `manner`.
    pub(crate) const fn new(socket: TcpListener, manner: Manner) -> Self {
        Self { socket, manner }
    }
}

/// What all listeners have in common: connections are counted together, whichever they come by.
struct SharedState {
    corridor: Corridor,
    limits: Limits,
    room: Room,
    shares: Shares,
    memory: AnswerMemory,
}

impl SharedState {
    /// A place among the connections of `peer`; none if it has its share already.
    fn share(&self, peer: IpAddr) -> Option<Share> {
        let counts = !peer.to_canonical().is_loopback() && !self.corridor.trusts(peer);
        let share = if counts { self.shares.take(peer) } else { Some(Share::unlimited()) };
        if share.is_none() {
            tracing::debug!(%peer, "connection limit of this address reached");
        }
        share
    }
}

/// Serves at all `listeners` until `stop`, then lets open requests finish.
///
/// # Errors
/// None at present: a listener that cannot accept goes on trying.
pub fn serve(
    listeners: Vec<Listener>,
    corridor: Corridor,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> impl Future<Output = io::Result<()>> + Send {
    serve_counted(listeners, corridor, limits, stop, None)
}

/// The same, with the number of connections shown by `metrics`.
pub(crate) async fn serve_counted(
    listeners: Vec<Listener>,
    corridor: Corridor,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
    metrics: Option<&Metrics>,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(());
    let room = Room::new(limits.connections);
    if let Some(metrics) = metrics {
        let shown = room.clone();
        metrics.read(&CONNECTIONS, move |samples| samples.count([], shown.occupied()));
        let limit = limits.connections;
        metrics.read(&CONNECTIONS_LIMIT, move |samples| samples.count([], limit));
    }
    let shared = Arc::new(SharedState {
        corridor,
        limits,
        room,
        shares: Shares::new(limits.per_source),
        memory: AnswerMemory::new(HELD),
    });
    // Dropped with this, they end.
    let mut looking = JoinSet::new();
    for listener in listeners {
        if let Some(tls) = &listener.manner.tls {
            looking.spawn(Arc::clone(tls).keep_looking());
        }
        tokio::spawn(accept(listener, Arc::clone(&shared), stopped.clone()));
    }
    drop((shared, stopped));
    stop.await;
    // Each listener and each connection drops its receiver when it ends.
    let _ = stopping.send(());
    if tokio::time::timeout(DRAIN, stopping.closed()).await.is_err() {
        tracing::warn!("requests were aborted when the server stopped");
    }
    Ok(())
}

/// Accepts the connections of one listener until the stop.
async fn accept(listener: Listener, shared: Arc<SharedState>, mut stopped: watch::Receiver<()>) {
    let Listener { socket: listener, manner } = listener;
    let manner = Arc::new(manner);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let (socket, peer) = match accepted {
            Ok((socket, peer)) => (socket, peer.ip()),
            Err(error) => {
                // Out of file handles, most likely: give others time to close theirs.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Whose connection a load balancer brings, it has yet to say.
        let share = match &*manner.balancers {
            [] => shared.share(peer),
            balancers if lists(balancers, peer) => Some(Share::unlimited()),
            _ => {
                tracing::debug!(%peer, "only listed load balancers connect here");
                None
            }
        };
        let Some(share) = share else { continue };
        let activity = Activity::new(shared.limits.keep_alive);
        let place = tokio::select! {
            place = shared.room.enter(Arc::clone(&activity)) => place,
            _ = stopped.changed() => return,
        };
        let connection = Connection {
            shared: Arc::clone(&shared),
            manner: Arc::clone(&manner),
            peer,
            activity,
            memory: shared.memory.part(HELD_PER_CONNECTION),
            stopped: stopped.clone(),
            counted: (share, place),
        };
        tokio::spawn(async move {
            if let Err(error) = connection.serve(socket).await {
                tracing::debug!(error = &*error as &dyn Error, "a connection ended");
            }
        });
    }
}

/// Whether `address` is in one of `networks`.
fn lists(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
