//! A collector of traces: takes OTLP over HTTP in protobuf, and keeps what it took.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;

/// One span, as far as tests look at it.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub trace: String,
    pub id: String,
    pub parent: String,
    pub name: String,
    /// As `opentelemetry.proto.trace.v1.Span.SpanKind` numbers it.
    pub kind: i32,
    pub is_error: bool,
    pub nanoseconds: u64,
    pub attributes: BTreeMap<String, String>,
}

/// What is at a port.
#[derive(Default)]
struct State {
    spans: Vec<Recorded>,
    resource: BTreeMap<String, String>,
    headers: Vec<(String, HeaderMap)>,
    bytes: Vec<u8>,
    /// What is answered, and after how long.
    status: Option<StatusCode>,
    pause: Duration,
}

pub struct Collector {
    pub url: String,
    state: Arc<Mutex<State>>,
}

pub const SERVER: i32 = 2;
pub const CLIENT: i32 = 3;
pub const INTERNAL: i32 = 1;

impl Collector {
    pub async fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub async fn at(address: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let kept = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = Arc::clone(&kept);
                let service = service_fn(move |request| take(Arc::clone(&kept), request));
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { url, state }
    }

    /// From now on every request is answered so, after `pause`.
    pub fn answer(&self, status: StatusCode, pause: Duration) {
        let mut state = self.state.lock().unwrap();
        (state.status, state.pause) = (Some(status), pause);
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().spans.clone()
    }

    /// The spans of `trace`, once `is_there` is among them and what ended before that has come.
    pub async fn until(&self, trace: &str, is_there: impl Fn(&Recorded) -> bool) -> Vec<Recorded> {
        for _ in 0..400 {
            let mut spans = self.spans();
            spans.retain(|span| span.trace == trace);
            if spans.iter().any(&is_there) {
                return spans;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the span has not come: {:#?}", self.spans());
    }

    /// The path and headers of each request.
    pub fn requests(&self) -> Vec<(String, HeaderMap)> {
        self.state.lock().unwrap().headers.clone()
    }

    /// What is said of the server itself.
    pub fn resource(&self) -> BTreeMap<String, String> {
        self.state.lock().unwrap().resource.clone()
    }

    /// Whether `text` was anywhere in what was sent.
    pub fn saw(&self, text: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.bytes.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

async fn take(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (status, pause) = {
        let state = state.lock().unwrap();
        (state.status.unwrap_or(StatusCode::OK), state.pause)
    };
    tokio::time::sleep(pause).await;
    if status == StatusCode::OK {
        let mut state = state.lock().unwrap();
        assert_eq!(parts.headers["content-type"], "application/x-protobuf");
        state.headers.push((parts.uri.path().to_owned(), parts.headers));
        state.bytes.extend_from_slice(&body);
        let read = ExportTraceServiceRequest::decode(body).unwrap();
        for group in read.resource_spans {
            state.resource = attributes(group.resource.unwrap().attributes);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            state.spans.extend(spans.map(recorded));
        }
    }
    // An empty answer is one without anything rejected.
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}

fn recorded(span: Span) -> Recorded {
    Recorded {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        is_error: span.status.is_some_and(|status| status.code == 2),
        nanoseconds: span.end_time_unix_nano - span.start_time_unix_nano,
        attributes: attributes(span.attributes),
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    all.into_iter().map(|one| (one.key, text(one.value.and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
