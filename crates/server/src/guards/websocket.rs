//! WebSockets through a guard (RFC 6455): once the gate has let the handshake pass, bytes go both ways,
//! and nobody looks into them. An open one holds its place among the requests to its API and among the
//! connections of the listener.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Extensions, HeaderMap, Response, header},
};
use castellan_gate::{Ended, rest::Opened};
use castellan_proto::Lifetime;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{config::GuardConfig, wire::upgrade::Changing};

/// How long nothing may come from either side unless the guard says otherwise.
const IDLE: Duration = Duration::from_mins(5);
/// How long both connections may take to change the protocol.
const CHANGE: Duration = Duration::from_secs(10);
/// How long the other side may go on once one has closed.
const CLOSING: Duration = Duration::from_secs(5);
/// Bytes that are on their way at a time, in either direction.
const PIECE: usize = 16 * 1024;

/// The connection of a request that may become a WebSocket.
pub(super) struct Opening {
    client: OnUpgrade,
    connection: Changing,
}

/// How long a WebSocket may last.
#[derive(Clone, Copy)]
pub(super) struct Lasting {
    idle: Duration,
    longest: Duration,
}

impl Lasting {
    pub(super) fn of(config: &GuardConfig, longest: Duration) -> Self {
        let longest = config.upstream_timeout.map_or(longest, Lifetime::get);
        Self { idle: config.websocket_idle.map_or(IDLE, Lifetime::get), longest }
    }
}

/// Whether a request with `headers` asks to change the protocol.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

impl Opening {
    /// Takes it out of the `extensions` of a request, if its connection can change the protocol.
    pub(super) fn take(extensions: &mut Extensions) -> Option<Self> {
        let client = extensions.remove::<OnUpgrade>()?;
        let connection = extensions.remove::<Changing>()?;
        Some(Self { client, connection })
    }

    /// Carries what both sides say from now on, if `response` opens a WebSocket.
    pub(super) fn carry(self, mut response: Response<Body>, lasting: Lasting) -> Response<Body> {
        let Some(opened) = response.extensions_mut().remove::<Opened>() else { return response };
        let api = hyper::upgrade::on(&mut response);
        let (parts, body) = response.into_parts();
        tokio::spawn(async move {
            // The body of the answer holds the place at the API.
            let _place = body;
            let Self { client, connection: Changing { counted: _counted, stopped } } = self;
            let both = async { tokio::try_join!(client, api) };
            match timeout(CHANGE, both).await {
                Ok(Ok((client, api))) => {
                    carry(client, api, opened.take(), stopped, lasting).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a WebSocket was not opened"),
                Err(_) => tracing::debug!("a WebSocket was not opened in time"),
            }
        });
        Response::from_parts(parts, Body::empty())
    }
}

/// Carries bytes until one side closes, the caller may say nothing more, nothing has come for too long,
/// or the server stops. Then both connections are closed.
async fn carry(
    client: Upgraded,
    api: Upgraded,
    ended: Option<Ended>,
    mut stopped: watch::Receiver<()>,
    Lasting { idle, longest }: Lasting,
) {
    let began = Instant::now();
    let moved = Moved { began, last: AtomicU64::new(0) };
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let (mut from_api, mut to_api) = tokio::io::split(TokioIo::new(api));
    let both = async {
        let up = pump(&mut from_client, &mut to_api, &moved);
        let down = pump(&mut from_api, &mut to_client, &moved);
        tokio::pin!(up, down);
        // Whoever has closed may still be told the rest.
        tokio::select! {
            ended = &mut up => if ended.is_ok() { drop(timeout(CLOSING, down).await) },
            ended = &mut down => if ended.is_ok() { drop(timeout(CLOSING, up).await) },
        }
    };
    let ended = async {
        match ended {
            Some(ended) => ended.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = both => {}
        () = ended => {}
        () = moved.nothing_for(idle) => {}
        () = sleep_until(began + longest) => {}
        _ = stopped.changed() => {}
    }
}

/// When something last moved.
struct Moved {
    began: Instant,
    /// Milliseconds since then.
    last: AtomicU64,
}

impl Moved {
    fn note(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Waits until nothing has moved for so long.
    async fn nothing_for(&self, idle: Duration) {
        loop {
            let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
            let since = self.began.elapsed().saturating_sub(last);
            let Some(left) = idle.checked_sub(since).filter(|left| !left.is_zero()) else { return };
            sleep(left).await;
        }
    }
}

/// Carries what comes of `from`, no faster than `to` takes it, until it closes.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    moved: &Moved,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return to.shutdown().await;
        }
        moved.note();
        to.write_all(&piece[..count]).await?;
        to.flush().await?;
        moved.note();
    }
}
