//! The listener: connections in, the corridor behind.
//!
//! Nobody holds a connection by doing nothing: how long each may take for what is in
//! `activity`. How many there are follows from the file handles of the process, and how many one
//! source may have from that.

mod activity;
mod body;
mod head;
mod room;
mod shares;
mod stream;

use std::{
    convert::Infallible, error::Error, future::Future, io, net::IpAddr, num::NonZeroUsize,
    pin::pin, sync::Arc, time::Duration,
};

use castellan_gate::AnswerMemory;
use http::{HeaderValue, Response, Version, header};
use hyper::{Request, body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{
    config::ServerConfig,
    corridor::{Corridor, LengthBesideCoding},
    file_handles::FileHandles,
};
use activity::{Activity, Open};
use body::{Answered, Asked};
use room::{Place, Room};
use shares::{Share, Shares};
use stream::Stream;

/// Bytes of a head at most, in both versions of HTTP; over HTTP/1.1 no buffer of a connection is
/// larger either.
const HEAD_BYTES: u16 = u16::MAX;
/// How often a connection of HTTP/2 is asked whether anybody is there, and how long that may take.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// Requests over one connection of HTTP/2 at a time.
const STREAMS: u32 = 100;
/// Bytes of bodies that one request, and one connection, may send ahead of who reads them; and
/// those of an answer that wait for the client to take them.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const SEND_BUFFER: usize = 64 * 1024;
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

/// Serves until `stop`, then lets open requests finish.
///
/// # Errors
/// The listener's own, if it breaks.
pub async fn serve(
    listener: TcpListener,
    corridor: Corridor,
    limits: Limits,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(());
    let room = Room::new(limits.connections);
    let shares = Shares::new(limits.per_source);
    let memory = AnswerMemory::new(HELD);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
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
        let counts = !peer.to_canonical().is_loopback() && !corridor.trusts(peer);
        let share = if counts { shares.take(peer) } else { Some(Share::unlimited()) };
        let Some(share) = share else {
            tracing::debug!(%peer, "connection limit of this address reached");
            continue;
        };
        let activity = Activity::new(limits.keep_alive);
        let place = tokio::select! {
            place = room.enter(Arc::clone(&activity)) => place,
            () = &mut stop => break,
        };
        let (corridor, stopped) = (corridor.clone(), stopped.clone());
        let memory = memory.part(HELD_PER_CONNECTION);
        let counted = (share, place);
        let connection =
            Connection { corridor, peer, activity, memory, stopped, _counted: counted };
        tokio::spawn(async move {
            if let Err(error) = connection.serve(socket).await {
                tracing::debug!(error = &*error as &dyn Error, "a connection ended");
            }
        });
    }
    drop((listener, stopped));
    // Each connection drops its receiver when it ends.
    let _ = stopping.send(());
    if tokio::time::timeout(DRAIN, stopping.closed()).await.is_err() {
        tracing::warn!("requests were aborted when the server stopped");
    }
    Ok(())
}

/// One connection from its accept to its end.
struct Connection {
    corridor: Corridor,
    peer: IpAddr,
    activity: Arc<Activity>,
    memory: AnswerMemory,
    stopped: watch::Receiver<()>,
    _counted: (Share, Place),
}

impl Connection {
    async fn serve(mut self, socket: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _ = socket.set_nodelay(true);
        let (corridor, peer, activity) = (self.corridor, self.peer, Arc::clone(&self.activity));
        let memory = self.memory;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(memory.clone());
            let (corridor, activity) = (corridor.clone(), Arc::clone(&activity));
            if request.headers().contains_key(header::TRANSFER_ENCODING) && activity.has_length() {
                request.extensions_mut().insert(LengthBesideCoding);
            }
            // At once: the task of a stream is noted right after this.
            let open = activity.begin(request.version() == Version::HTTP_2);
            async move { Ok::<_, Infallible>(answer(&corridor, peer, (&activity, open), request).await) }
        });
        let builder = builder(Streams(Arc::clone(&self.activity)));
        let stream = Stream::new(socket, Arc::clone(&self.activity));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut timer = pin!(tokio::time::sleep(activity::HEAD));
        loop {
            let activity = &self.activity;
            tokio::select! {
                // In this order: the activity is what it is after the connection was looked at.
                biased;
                ended = connection.as_mut() => return ended,
                () = std::future::poll_fn(|cx| activity.poll_expired(timer.as_mut(), cx)) => {
                    if activity.end_stalled_streams() {
                        continue;
                    }
                    // What is idle is ended in order, so that over HTTP/2 no request is lost.
                    if !activity.is_idle() || !activity.end() {
                        return Ok(());
                    }
                    connection.as_mut().graceful_shutdown();
                }
                Ok(()) = self.stopped.changed() => {
                    activity.end();
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Runs the streams of one connection of HTTP/2, each as a task that can be ended: hyper asks for no
/// more of an answer while the client takes none of it, so that the body itself never hears of that.
#[derive(Clone)]
struct Streams(Arc<Activity>);

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.note_task(tokio::spawn(stream).abort_handle());
    }
}

fn builder(streams: Streams) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(streams);
    builder
        .http1()
        // Some scripts look for `Authorization` in an answer with that capital
        // (`docs/contracts/decidim.md` §2).
        .title_case_headers(true)
        .max_buf_size(HEAD_BYTES.into())
        // It would begin when the connection falls idle; `Activity` knows better.
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES.into())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    builder
}

async fn answer(
    corridor: &Corridor,
    peer: IpAddr,
    (activity, open): (&Arc<Activity>, Open),
    request: Request<Incoming>,
) -> Response<Answered> {
    let http2 = request.version() == Version::HTTP_2;
    let (head, body) = request.into_parts();
    let body =
        if http2 { Asked::of_stream(body) } else { Asked::new(body, &head.headers, activity) };
    let mut response = corridor.walk(Request::from_parts(head, body), peer).await;
    if !http2 && activity.is_unread() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response.map(|body| Answered::new(body, open, http2))
}
