//! The API behind a guard, as a service.
//!
//! So many requests at a time and no more, and none for a moment once it has failed several times
//! in a row: an API that does not answer must not take with it what it has nothing to do with.

mod body;
mod breaker;
mod limits;
mod upload;

use std::{
    future::{Future, ready},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use castellan_gate::{
    CredentialEnded, UpstreamUnavailable,
    rest::{RequestBody, RequestMalformed, RequestStopped},
};
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tower::Service;
use url::Url;

use crate::{http_client::connector, metrics::Unsent, roots::TrustedRoots};

use super::observers::GuardObservers;

use body::Limit;
pub(crate) use body::Streamed;
use breaker::{Attempt, Breaker};
pub(crate) use limits::{LimitError, Upstreams};
use upload::{Outgoing, Phase, Progress, Upload};

type HttpClient = Client<hyper_rustls::HttpsConnector<HttpConnector>, Outgoing>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long an API may take to begin its answer, and then for each further part of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a whole answer may take unless the guard says otherwise: an API that goes on for ever, a
/// byte at a time, would hold its place for ever.
pub(crate) const LONGEST: Duration = Duration::from_mins(10);
/// When whoever finds no place may ask again.
const CROWDED: Duration = Duration::from_secs(1);
/// How often it is said that there is no place.
const SAID: Duration = Duration::from_secs(10);

/// One API and the connections to it, whichever guards it stands behind.
pub(crate) struct Api {
    origin: String,
    client: HttpClient,
    places: Arc<Semaphore>,
    limit: usize,
    breaker: Arc<Breaker>,
    started: Instant,
    /// Milliseconds since the start at which it was last said that there is no place.
    said: AtomicU64,
}

impl Api {
    /// The API at `origin`, verified against `roots`, with `limit` requests to it at a time.
    fn new(origin: String, limit: usize, roots: &TrustedRoots) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(limit)
            .build(connector(roots));
        Self {
            breaker: Arc::new(Breaker::new(origin.clone())),
            origin,
            client,
            places: Arc::new(Semaphore::new(limit)),
            limit,
            started: Instant::now(),
            said: AtomicU64::new(0),
        }
    }

    /// Whether it answers, as far as the last requests tell.
    pub(crate) fn is_well(&self) -> bool {
        self.breaker.is_closed()
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// How many requests to it are in flight, until the end of the response.
    pub(crate) fn in_flight(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }

    /// How many may be.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// A place for one request, if there is one and the API may be asked; `observers` are told if not.
    fn enter(
        &self,
        observers: &GuardObservers,
    ) -> Result<(OwnedSemaphorePermit, Attempt), UpstreamUnavailable> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            observers.unsent(Unsent::Full);
            self.say_that_it_is_full();
            UpstreamUnavailable { retry_after: CROWDED }
        })?;
        let attempt = Breaker::attempt(&self.breaker).map_err(|retry_after| {
            observers.unsent(Unsent::Paused);
            UpstreamUnavailable { retry_after }
        })?;
        Ok((place, attempt))
    }

    fn say_that_it_is_full(&self) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (now, last) =
            (millis(self.started.elapsed()).max(1), self.said.load(Ordering::Relaxed));
        let is_due = last == 0 || now.saturating_sub(last) > millis(SAID);
        let mine = || self.said.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if is_due && mine().is_ok() {
            tracing::warn!(
                upstream = self.origin,
                limit = self.limit,
                "the maximum number of requests to this API is in flight; further requests are \
                 answered with 503"
            );
        }
    }
}

/// Sends requests to one URL, over connections that are kept.
#[derive(Clone)]
pub(crate) struct Upstream {
    /// Without one every request fails, which is never asked for.
    to: Option<(Arc<Api>, Uri)>,
    /// How long a whole answer may take.
    longest: Duration,
    observers: GuardObservers,
}

impl Upstream {
    /// What is at `url`, which is part of `api` and has so long for a whole answer.
    pub(crate) fn new(api: Option<Arc<Api>>, url: Option<&Url>, longest: Duration) -> Self {
        let to = api.zip(url.and_then(|url| url.as_str().parse().ok()));
        Self { to, longest, observers: GuardObservers::default() }
    }

    /// The same, with its requests observed by `observers`.
    pub(super) fn observed_by(self, observers: GuardObservers) -> Self {
        Self { observers, ..self }
    }
}

impl Service<Request<Full<Bytes>>> for Upstream {
    type Response = Response<Streamed>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        let Some((api, target)) = &self.to else {
            return Box::pin(ready(Err("this guard has no upstream".into())));
        };
        let (place, attempt) = match api.enter(&self.observers) {
            Ok(entered) => entered,
            Err(unavailable) => return Box::pin(ready(Err(unavailable.into()))),
        };
        *request.uri_mut() = target.clone();
        *request.version_mut() = http::Version::HTTP_11;
        let method = request.method().clone();
        let observed = self.observers.ask(&method, &api.origin, request.headers_mut());
        let answer = api.client.request(request.map(Outgoing::Whole));
        let limit = Limit { began: Instant::now(), longest: self.longest };
        Box::pin(async move {
            let answered = match tokio::time::timeout(PATIENCE.min(limit.longest), answer).await {
                Ok(answered) => answered.map_err(BoxError::from),
                Err(late) => Err(late.into()),
            };
            observed.end(&answered);
            match answered {
                // What becomes of the attempt is known once the whole answer is there.
                Ok(response) => Ok(response.map(|body| Streamed::new(body, limit, attempt, place))),
                Err(error) => {
                    attempt.failed();
                    Err(error)
                }
            }
        })
    }
}

impl Service<Request<RequestBody>> for Upstream {
    type Response = Response<Streamed>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// Sends a request to the path that it names, at the origin of this API.
    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let Some((api, target)) = &self.to else {
            return Box::pin(ready(Err("this guard has no upstream".into())));
        };
        let mut uri = target.clone().into_parts();
        let root = || PathAndQuery::from_static("/");
        uri.path_and_query = Some(request.uri().path_and_query().cloned().unwrap_or_else(root));
        let (place, attempt) = match api.enter(&self.observers) {
            Ok(entered) => entered,
            Err(unavailable) => return Box::pin(ready(Err(unavailable.into()))),
        };
        match Uri::from_parts(uri) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => {
                attempt.gave_way();
                return Box::pin(ready(Err(error.into())));
            }
        }
        *request.version_mut() = http::Version::HTTP_11;
        let (mut parts, body) = request.into_parts();
        let observed = self.observers.ask(&parts.method, &api.origin, &mut parts.headers);
        let (upload, progress) = Upload::new(body);
        let answer = api.client.request(Request::from_parts(parts, Outgoing::Streamed(upload)));
        let longest = self.longest;
        let mut asked = Asked { attempt: Some(attempt), progress };
        Box::pin(async move {
            let answered = answered(answer, &asked.progress).await;
            observed.end(&answered);
            // It is there until this.
            let Some(attempt) = asked.attempt.take() else {
                return Err("the API was asked twice".into());
            };
            match answered {
                Ok(response) => {
                    // The body of the request may have taken its time.
                    let limit = Limit { began: Instant::now(), longest };
                    Ok(response
                        .map(|body| Streamed::new(body, limit, attempt, place).with_trailers()))
                }
                // That is not the API's fault.
                Err(error) if is_of_request(&error) => {
                    attempt.gave_way();
                    Err(error)
                }
                Err(error) => {
                    attempt.failed();
                    Err(error)
                }
            }
        })
    }
}

/// The head of the answer, as long as something moves: the body of the request, part by part, and
/// then the API.
async fn answered(
    answer: ResponseFuture,
    progress: &Progress,
) -> Result<Response<Incoming>, BoxError> {
    tokio::select! {
        answered = answer => answered.map_err(|error| {
            // While the client is waited for, it is the API that has hung up.
            let phase = Some(progress.phase()).filter(|phase| *phase != Phase::Client);
            phase.and_then(Phase::problem).unwrap_or_else(|| error.into())
        }),
        stopped = progress.stopped() => Err(
            stopped.problem().unwrap_or_else(|| "the API has not answered in time".into())
        ),
    }
}

/// Whether it is because of the body of the request that there is no answer.
fn is_of_request(error: &BoxError) -> bool {
    error.is::<RequestStopped>() || error.is::<RequestMalformed>() || error.is::<CredentialEnded>()
}

/// A request whose answer has not begun.
struct Asked {
    attempt: Option<Attempt>,
    progress: Arc<Progress>,
}

impl Drop for Asked {
    /// Its caller went away: the API has to do with that only as far as it was waited for.
    fn drop(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            attempt.left_after(self.progress.waited_for_api());
        }
    }
}
