//! The API behind a guard, as a service.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tower::Service;
use url::Url;

use crate::http_client::connector;

type PooledClient = Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends requests to one URL, over connections that are kept.
#[derive(Clone)]
pub(crate) struct Upstream {
    client: PooledClient,
    target: Option<Uri>,
}

/// How long an API may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Upstream {
    /// The API at `url`; without one every request fails, which is never asked for.
    pub(crate) fn new(url: Option<&Url>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector());
        Self { client, target: url.and_then(|url| url.as_str().parse().ok()) }
    }
}

impl Service<Request<Full<Bytes>>> for Upstream {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        let Some(target) = self.target.clone() else {
            return Box::pin(async { Err("there is no upstream".into()) });
        };
        *request.uri_mut() = target;
        *request.version_mut() = http::Version::HTTP_11;
        let answer = self.client.request(request);
        Box::pin(async move { Ok(tokio::time::timeout(PATIENCE, answer).await??) })
    }
}
