//! An API behind the gate that records what reaches it, byte for byte.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};

/// What reached the API.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: http::Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// A listener that records every request and answers as it is told.
pub struct Recorder {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<Responder>>,
}

type Responder = Arc<dyn Fn(&Seen) -> Response<String> + Send + Sync>;

fn always(answer: Response<String>) -> Responder {
    Arc::new(move |_| answer.clone())
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(Mutex::new(always(json_answer("{\"data\":{}}"))));
        let (records, answers) = (Arc::clone(&seen), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (records, answers) = (Arc::clone(&records), Arc::clone(&answers));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (records, answers) = (Arc::clone(&records), Arc::clone(&answers));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let seen = Seen {
                            method: parts.method,
                            path: parts.uri.to_string(),
                            headers: parts.headers,
                            body: String::from_utf8_lossy(&body).into_owned(),
                        };
                        records.lock().unwrap().push(seen.clone());
                        let respond = Arc::clone(&answers.lock().unwrap());
                        let answer = respond(&seen);
                        Ok::<_, hyper::Error>(answer.map(|body| Full::new(Bytes::from(body))))
                    }
                });
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { url, seen, answer }
    }

    /// From now on every request is answered so.
    pub fn answer_with(&self, answer: Response<String>) {
        *self.answer.lock().unwrap() = always(answer);
    }

    /// From now on every request is answered by `respond`.
    pub fn answer_by(&self, respond: impl Fn(&Seen) -> Response<String> + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(respond);
    }

    /// From now on every request is answered with this JSON.
    pub fn answer(&self, body: &str) {
        self.answer_with(json_answer(body));
    }

    /// What has arrived since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

pub fn json_answer(body: &str) -> Response<String> {
    Response::builder().header("content-type", "application/json").body(body.to_owned()).unwrap()
}
