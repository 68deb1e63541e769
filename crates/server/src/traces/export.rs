//! Sends spans to the collector by OTLP over HTTP, in protobuf, beside the requests that they are of.
//!
//! A span that ends is put into a queue, or dropped if that is full. One task takes them out and sends
//! them by the client that all outgoing requests use (`docs/rules.md` rule 47). This is not the exporter of
//! `opentelemetry-otlp`: that one sleeps on the thread between two attempts unless it uses an HTTP
//! client of its own, takes its settings from variables of the environment over those that it is
//! given, and does not say why a collector cannot be reached.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use opentelemetry::Context;
use opentelemetry_proto::{
    tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    transform::{
        common::tonic::ResourceAttributesWithSchema,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use prometheus_client::metrics::counter::Counter;
use prost::Message as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use url::Url;

use super::TracesPlan;
use crate::{
    http_client::{HttpClient, HttpClientError},
    metrics::{Metrics, SpanCounters},
};

/// Spans that wait to be sent; more are dropped.
const QUEUE: usize = 4_096;
/// Spans of one request to the collector.
const MOST: usize = 512;
/// How long spans are gathered before they are sent together.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after a failure there is another attempt; twice as long after each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts to send the same spans.
const ATTEMPTS: u32 = 5;
/// How long the end of the process waits for its spans to be sent.
const LAST: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER: usize = 64 * 1024;

/// The task that sends spans.
pub(super) struct Export {
    stopping: watch::Sender<bool>,
    work: Mutex<Option<JoinHandle<()>>>,
}

/// Where spans go that have ended.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    dropped: Counter,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.inc();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        // Whoever holds the task waits for it.
        Ok(())
    }
}

impl Export {
    /// Starts to send what comes into the queue, as `plan` says.
    pub(super) fn start(
        plan: TracesPlan,
        resource: &Resource,
        metrics: Option<&Metrics>,
    ) -> (Self, Queue) {
        let counters = metrics.map(Metrics::spans).unwrap_or_default();
        let (spans, queue) = mpsc::channel(QUEUE);
        let queue_end = Queue { spans, dropped: counters.dropped.clone() };
        let client = HttpClient::to(&plan.roots, [&plan.endpoint]);
        let sender = Sender {
            queue,
            client: client.within(PATIENCE).at_most(ANSWER),
            endpoint: plan.endpoint,
            headers: plan.headers,
            resource: resource.into(),
            counters,
            fails: false,
        };
        let (stopping, stop) = watch::channel(false);
        let work = Mutex::new(Some(tokio::spawn(sender.run(stop))));
        (Self { stopping, work }, queue_end)
    }

    /// Sends what is left, within a bound.
    pub(super) async fn close(&self) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut work) = work else { return };
        self.stopping.send_replace(true);
        if timeout(LAST, &mut work).await.is_err() {
            work.abort();
            tracing::warn!("spans were not sent before the server stopped: the collector is slow");
        }
    }
}

/// Whether the work is to be over.
type Stop = watch::Receiver<bool>;

struct Sender {
    queue: mpsc::Receiver<SpanData>,
    client: HttpClient,
    endpoint: Url,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
    counters: SpanCounters,
    /// The collector did not take the last ones.
    fails: bool,
}

/// Why the collector did not take spans.
enum Failure {
    /// It may take them later.
    Passing(String),
    /// It never will.
    Final(String),
}

impl Sender {
    async fn run(mut self, mut stop: Stop) {
        let mut batch = Vec::with_capacity(MOST);
        while !*stop.borrow() {
            tokio::select! {
                taken = self.queue.recv_many(&mut batch, MOST) => if taken == 0 { return },
                _ = stop.wait_for(|is_over| *is_over) => break,
            }
            let gathered = timeout(GATHER, stop.wait_for(|is_over| *is_over));
            tokio::select! {
                () = fill(&mut self.queue, &mut batch) => {}
                _ = gathered => {}
            }
            self.deliver(std::mem::take(&mut batch), &mut stop).await;
        }
        self.finish(batch).await;
    }

    /// Sends what is left, once.
    async fn finish(&mut self, mut batch: Vec<SpanData>) {
        loop {
            while batch.len() < MOST
                && let Ok(span) = self.queue.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let (count, sent) = (batch.len(), self.send(self.encode(batch)).await);
            self.note(count, sent.as_ref().err().map(Failure::text));
            if sent.is_err() {
                // The rest would not be taken either.
                return;
            }
            batch = Vec::new();
        }
    }

    /// Sends `batch`, and tries again for a while if the collector does not take it.
    async fn deliver(&mut self, batch: Vec<SpanData>, stop: &mut Stop) {
        let (count, body) = (batch.len(), self.encode(batch));
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let failure = match self.send(body.clone()).await {
                Ok(()) => return self.note(count, None),
                Err(failure) => failure,
            };
            let is_last = attempt == ATTEMPTS || *stop.borrow();
            if is_last || matches!(failure, Failure::Final(_)) {
                return self.note(count, Some(failure.text()));
            }
            self.say(failure.text());
            let _ = timeout(pause, stop.wait_for(|is_over| *is_over)).await;
            pause *= 2;
        }
    }

    fn encode(&self, batch: Vec<SpanData>) -> Bytes {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    /// One attempt (OTLP specification, OTLP/HTTP).
    async fn send(&self, body: Bytes) -> Result<(), Failure> {
        let passing = |error: HttpClientError| Failure::Passing(error.to_string());
        let request = self.client.request(Method::POST, &self.endpoint, body);
        let mut request = request.map_err(passing)?;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(header::CONTENT_TYPE, protobuf);
        let (status, answer) = self.client.whole(request).await.map_err(passing)?;
        let text = || format!("it answered with status {status}");
        match status {
            status if status.is_success() => {
                let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
                let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
                if rejected > 0 {
                    // Sent again, they would be rejected again.
                    tracing::warn!(rejected, "the collector of traces rejected spans");
                }
                Ok(())
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Err(Failure::Passing(text())),
            _ => Err(Failure::Final(text())),
        }
    }

    /// Notes what became of `count` spans, and `why` if they were not sent.
    fn note(&mut self, count: usize, why: Option<&str>) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let Some(why) = why {
            self.counters.failed.inc_by(count);
            self.say(why);
            return;
        }
        self.counters.sent.inc_by(count);
        if std::mem::take(&mut self.fails) {
            tracing::info!("traces are sent again");
        }
    }

    /// Says why the collector does not take spans, once until it does.
    fn say(&mut self, why: &str) {
        if !std::mem::replace(&mut self.fails, true) {
            let collector = self.endpoint.origin().ascii_serialization();
            tracing::warn!(
                collector,
                error = why,
                "traces cannot be sent; check traces.endpoint, traces.headers and the collector. \
                 Spans are dropped until it takes them"
            );
        }
    }
}

impl Failure {
    fn text(&self) -> &str {
        let (Self::Passing(text) | Self::Final(text)) = self;
        text
    }
}

/// Waits until `batch` is as large as it may be.
async fn fill(queue: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    while batch.len() < MOST {
        if queue.recv_many(batch, MOST - batch.len()).await == 0 {
            return std::future::pending().await;
        }
    }
}
