//! One connection, from its accept to its end.

use std::{
    convert::Infallible, error::Error, future::Future, net::IpAddr, pin::pin, sync::Arc,
    time::Duration,
};

use castellan_gate::AnswerMemory;
use http::{HeaderValue, Response, Version, header};
use hyper::{Request, body::Incoming, rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpStream, sync::watch};

use super::{
    Manner, SharedState,
    activity::{self, Activity, Open},
    body::{Answered, Asked},
    opening::{self, Opened},
    room::Place,
    shares::Share,
    stream::{Broken, Stream},
};
use crate::{
    corridor::{Corridor, LengthBesideCoding},
    wire::{client_certificate::ConnectionInfo, upgrade::Changing},
};

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

/// One connection.
pub(super) struct Connection {
    pub(super) shared: Arc<SharedState>,
    pub(super) manner: Arc<Manner>,
    pub(super) peer: IpAddr,
    pub(super) activity: Arc<Activity>,
    pub(super) memory: AnswerMemory,
    pub(super) stopped: watch::Receiver<()>,
    pub(super) counted: (Share, Place),
}

impl Connection {
    pub(super) async fn serve(
        mut self,
        socket: TcpStream,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _ = socket.set_nodelay(true);
        let mut timer = pin!(tokio::time::sleep(activity::HEAD));
        let mut renewals = self.manner.tls.as_ref().and_then(|tls| tls.renewals());
        let activity = Arc::clone(&self.activity);
        // What comes before the first request is within the time that its head may take.
        let opened = tokio::select! {
            biased;
            opened = opening::open(&self.manner, socket) => opened?,
            () = std::future::poll_fn(|cx| activity.poll_expired(timer.as_mut(), cx)) => return Ok(()),
            _ = self.stopped.changed() => return Ok(()),
        };
        let Opened { socket, source, info } = opened;
        if let Some(source) = source {
            let Some(share) = self.shared.share(source) else { return Ok(()) };
            self.peer = source;
            drop(std::mem::replace(&mut self.counted.0, share));
        }
        let (corridor, peer) = (self.shared.corridor.clone(), self.peer);
        let (noted, stopped) = (Arc::clone(&activity), self.stopped.clone());
        let counted = Arc::new(self.counted);
        let stream = Stream::new(socket, Arc::clone(&self.activity));
        let broken = stream.broken();
        let told = Told { memory: self.memory, info, activity: noted, counted, stopped };
        let service = service_fn(move |mut request: Request<Incoming>| {
            told.tell(&mut request);
            let (corridor, broken) = (corridor.clone(), broken.clone());
            let activity = Arc::clone(&activity);
            // At once: the task of a stream is noted right after this.
            let open = activity.begin(request.version() == Version::HTTP_2);
            // On the heap, where the next request finds the same memory still in the processor's caches:
            // hyper would keep room for it within each connection.
            Box::pin(async move {
                Ok::<_, Infallible>(
                    answer(&corridor, peer, (&activity, open, &broken), request).await,
                )
            })
        });
        let builder = builder(Streams(Arc::clone(&self.activity)));
        let mut connection =
            pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
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
                () = is_over(&mut self.stopped, &mut renewals) => {
                    activity.end();
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// What each request is told of its connection.
struct Told {
    memory: AnswerMemory,
    info: ConnectionInfo,
    activity: Arc<Activity>,
    counted: Arc<(Share, Place)>,
    stopped: watch::Receiver<()>,
}

impl Told {
    fn tell(&self, request: &mut Request<Incoming>) {
        let has_coding = request.headers().contains_key(header::TRANSFER_ENCODING);
        let changes = request.headers().contains_key(header::UPGRADE);
        let extensions = request.extensions_mut();
        extensions.insert(self.memory.clone());
        extensions.insert(self.info.clone());
        if has_coding && self.activity.has_length() {
            extensions.insert(LengthBesideCoding);
        }
        if changes {
            // A connection that somebody goes on using is not idle.
            let open = self.activity.begin(false);
            let counted = Arc::new((Arc::clone(&self.counted), open));
            extensions.insert(Changing { counted, stopped: self.stopped.clone() });
        }
    }
}

/// Waits until no more requests are to come over a connection: the server stops, or the certificate of
/// the client has to be shown anew.
async fn is_over(stopped: &mut watch::Receiver<()>, renewals: &mut Option<watch::Receiver<()>>) {
    tokio::select! {
        Ok(()) = stopped.changed() => {}
        () = renewed(renewals) => {}
    }
}

/// Waits until what the certificate of a client is held against has changed; the connection has to be
/// made anew then.
async fn renewed(renewals: &mut Option<watch::Receiver<()>>) {
    let Some(heard) = renewals else { return std::future::pending().await };
    if heard.changed().await.is_err() {
        std::future::pending::<()>().await;
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
    (activity, open, broken): (&Arc<Activity>, Open, &Broken),
    request: Request<Incoming>,
) -> Response<Answered> {
    let version = request.version();
    let http2 = version == Version::HTTP_2;
    let (head, body) = request.into_parts();
    let body = if http2 {
        Asked::of_stream(body, &head.headers)
    } else {
        Asked::new(body, &head.headers, activity)
    };
    let mut response = corridor.walk(Request::from_parts(head, body), peer).await;
    if !http2 && activity.is_unread() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response.map(|body| Answered::new(body, open, version, broken))
}
