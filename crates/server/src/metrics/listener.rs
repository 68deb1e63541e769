//! Where metrics are read: a listener of its own, with nothing else behind it. It asks for no
//! credential; who reaches it is up to its address.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Metrics, exposition::Format};

/// The path.
const PATH: &str = "/metrics";
/// Connections at a time: those who read metrics are few.
const MOST: usize = 16;
/// How long a connection may take for a request, and be idle between two.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long after a connection could not be accepted it is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Why metrics cannot be read where the configuration says.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics.listen: cannot listen on {address}: {cause}; choose another address, or remove the \
     setting to run without metrics"
)]
pub(crate) struct NoListener {
    address: SocketAddr,
    cause: io::Error,
}

/// Listens at `address`.
///
/// # Errors
/// [`NoListener`] if that cannot be done.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, NoListener> {
    TcpListener::bind(address).await.map_err(|cause| NoListener { address, cause })
}

/// Shows `metrics` to whoever asks at `listener`, until this is dropped.
pub(crate) async fn serve(metrics: Arc<Metrics>, listener: TcpListener) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => drop(connections.spawn(converse(Arc::clone(&metrics), stream))),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection that reads metrics");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

async fn converse(metrics: Arc<Metrics>, stream: TcpStream) {
    let answer = service_fn(move |request| {
        let response = answer(&metrics, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection that reads metrics failed");
    }
}

fn answer<B>(metrics: &Metrics, request: &Request<B>) -> Response<Full<Bytes>> {
    let (status, kind, body) = if request.uri().path() != PATH {
        let text = format!("Metrics are at {PATH}.\n");
        (StatusCode::NOT_FOUND, Format::Text.content_type(), text)
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let text = "Metrics are read by GET.\n".to_owned();
        (StatusCode::METHOD_NOT_ALLOWED, Format::Text.content_type(), text)
    } else {
        let format = Format::wanted(request.headers().get(header::ACCEPT));
        if let Ok(text) = metrics.openmetrics() {
            (StatusCode::OK, format.content_type(), format.of(text))
        } else {
            let text = "The metrics could not be written.\n".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, Format::Text.content_type(), text)
        }
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
