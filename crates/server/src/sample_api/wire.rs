//! The archive over HTTP: GraphQL, by POST only, and REST below a path.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, spawn_blocking};

use super::answer::{Answer, Ask, Service};
use super::rest;

const LARGEST_BODY: usize = 1024 * 1024;

/// How many connections are served at once; further ones wait in the listener's queue.
const MOST_CONNECTIONS: usize = 256;

const PLAIN: &str = "application/json";
const PRECISE: &str = "application/graphql-response+json";

/// Serves until `stop` is ready. Dropping the set closes the connections that are left.
pub(crate) async fn serve(
    service: Arc<Service>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(Arc::clone(&service), stream));
                    }
                    Err(error) if gave_up(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Whether a client disconnected while it was waiting, which is not the listener's fault.
fn gave_up(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn converse(service: Arc<Service>, stream: TcpStream) {
    let talk = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, std::convert::Infallible>(respond(service, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), talk)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the sample API failed");
    }
}

async fn respond(service: Arc<Service>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().strip_prefix(rest::BELOW).map(ToOwned::to_owned);
    if let Some(path) = path.filter(|path| path.is_empty() || path.starts_with('/')) {
        return respond_rest(service, request, path).await;
    }
    if request.method() != Method::POST {
        let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, "the archive accepts POST only");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    // A web page may post a form anywhere, but not JSON: that needs leave from this side.
    if !speaks_json(request.headers()) {
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
    }
    let precise = wants_precise(request.headers());
    let Ok(body) = Limited::new(request.into_body(), LARGEST_BODY).collect().await else {
        return failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 1 MiB, or was cut off",
        );
    };
    let Ok(ask) = serde_json::from_slice::<Ask>(&body.to_bytes()) else {
        return failure(StatusCode::BAD_REQUEST, "the body must be a JSON object with a query");
    };
    match spawn_blocking(move || service.answer(&ask)).await {
        Ok(answer) => written(&answer, precise),
        Err(error) => {
            tracing::error!(%error, "the archive failed");
            failure(StatusCode::INTERNAL_SERVER_ERROR, "the archive failed")
        }
    }
}

/// The same of a request to the REST API, whose `path` is below it.
async fn respond_rest(
    service: Arc<Service>,
    request: Request<Incoming>,
    path: String,
) -> Response<Full<Bytes>> {
    let method = request.method().clone();
    let reads = matches!(method, Method::GET | Method::HEAD | Method::DELETE);
    if !reads && !speaks_json(request.headers()) {
        return failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let Ok(body) = Limited::new(request.into_body(), LARGEST_BODY).collect().await else {
        return failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 1 MiB, or was cut off",
        );
    };
    let body = body.to_bytes();
    let answering =
        spawn_blocking(move || rest::answer(&service.store, &method, &path, &query, &body));
    let done = match answering.await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "the archive failed");
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "the archive failed");
        }
    };
    let body = done.body.map(|body| body.to_string().into_bytes());
    let is_empty = body.is_none();
    let mut answer = response(done.status, PLAIN, body.unwrap_or_default());
    let headers = answer.headers_mut();
    if is_empty {
        headers.remove(CONTENT_TYPE);
    }
    // Relative to what was asked for, as nobody here knows by which name it is reached.
    let location = done.location.and_then(|path| HeaderValue::from_str(&format!(".{path}")).ok());
    headers.extend(location.map(|location| (LOCATION, location)));
    headers.extend(done.allow.map(|allow| (ALLOW, HeaderValue::from_static(allow))));
    answer
}

fn speaks_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| media_type(value).eq_ignore_ascii_case(PLAIN))
}

fn wants_precise(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| media_type(range).eq_ignore_ascii_case(PRECISE))
}

fn media_type(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

/// The older media type says 200 even to a faulty document (GraphQL over HTTP, §6.4).
fn written(answer: &Answer, precise: bool) -> Response<Full<Bytes>> {
    let status = match answer {
        Answer::Refused { .. } if precise => StatusCode::BAD_REQUEST,
        Answer::Refused { .. } | Answer::Done(_) => StatusCode::OK,
    };
    match serde_json::to_vec(answer) {
        Ok(body) => response(status, if precise { PRECISE } else { PLAIN }, body),
        Err(error) => {
            tracing::error!(%error, "could not serialise a response of the sample API");
            failure(StatusCode::INTERNAL_SERVER_ERROR, "the response could not be serialised")
        }
    }
}

fn failure(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errors": [{ "message": message }] });
    response(status, PLAIN, body.to_string().into_bytes())
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
