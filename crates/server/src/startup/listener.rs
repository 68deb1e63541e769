//! The listener: connections in, the corridor behind.

use std::{convert::Infallible, future::Future, io, net::IpAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::corridor::Corridor;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Connections that are open at a time; more wait to be taken.
const CONNECTIONS: usize = 8_192;
/// How long open requests may go on after the stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves until `stop`, then lets open requests finish.
///
/// # Errors
/// The listener's own, if it breaks.
pub async fn serve(
    listener: TcpListener,
    corridor: Corridor,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut stop => break,
        };
        let (socket, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file handles, most likely: give others time to close theirs.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let corridor = corridor.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let corridor = corridor.clone();
            async move { Ok::<_, Infallible>(corridor.walk(request, peer).await) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Some scripts look for `Authorization` in an answer with that capital
        // (`docs/contracts/decidim.md` §2).
        builder.http1().title_case_headers(true);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100);
        let connection = builder.serve_connection(TokioIo::new(socket), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error = &*error as &dyn std::error::Error, "a connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off at the stop");
    }
    Ok(())
}

/// Takes the next connection once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let place = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (socket, peer) = listener.accept().await?;
    Ok((socket, peer.ip(), place))
}
