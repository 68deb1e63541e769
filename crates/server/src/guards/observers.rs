//! What a guard tells those who count its requests and record them.

use std::{sync::Arc, time::Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use castellan_gate::{Denial, RequestVerdict};

use crate::{
    metrics::{GuardMetrics, Unsent},
    observers::Observers,
    traces::{OpenSpan, Traces},
};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Those of one guard, if there are any. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct GuardObservers {
    metrics: Option<Arc<GuardMetrics>>,
    /// With the name of the guard.
    traces: Option<(Arc<Traces>, Arc<str>)>,
}

impl GuardObservers {
    /// Those of the guard `name` at `site`.
    pub(super) fn of(observers: &Observers, site: &str, name: &str) -> Self {
        Self {
            metrics: observers.metrics.as_ref().map(|metrics| metrics.guard(site, name)),
            traces: observers.traces.clone().map(|traces| (traces, name.into())),
        }
    }

    /// What became of the present request.
    pub(super) fn verdict(&self, verdict: RequestVerdict) {
        if let Some(metrics) = &self.metrics {
            metrics.request(verdict);
        }
        if let Some((traces, _)) = &self.traces {
            traces.verdict(verdict.as_str());
        }
    }

    /// The same of one that was answered with `status` before it came to the gate.
    pub(super) fn before_gate(&self, status: StatusCode) {
        self.verdict(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RequestVerdict::Denied,
            // An endpoint of the guard's dialect, such as that of sessions.
            status if status.is_success() => RequestVerdict::Allowed,
            status => RequestVerdict::undecided(status),
        });
    }

    /// Something was denied.
    pub(super) fn denied(&self, denial: &Denial) {
        if let Some(metrics) = &self.metrics {
            metrics.denied(denial);
        }
    }

    /// A request is not sent to the API.
    pub(super) fn unsent(&self, why: Unsent) {
        if let Some(metrics) = &self.metrics {
            metrics.unsent(why);
        }
    }

    /// Does `work`, which is the gate's.
    pub(super) async fn gate<T>(&self, work: impl Future<Output = T>) -> T {
        let span = self.traces.as_ref().and_then(|(traces, guard)| traces.gate(guard));
        let Some(span) = span else { return work.await };
        let done = span.within(work).await;
        span.end();
        done
    }

    /// A request with these `headers` is sent to the API at `origin`. If it is recorded, the API is told
    /// that it is a part of that span.
    pub(super) fn ask(
        &self,
        method: &Method,
        origin: &str,
        headers: &mut HeaderMap,
    ) -> ObservedRequest {
        let span = self.traces.as_ref().and_then(|(traces, _)| traces.client(method, origin));
        if let Some(span) = &span
            && let Ok(parent) = HeaderValue::try_from(span.traceparent())
        {
            headers.insert(TRACE_PARENT, parent);
        }
        let metrics = self.metrics.as_ref().map(|metrics| (Arc::clone(metrics), Instant::now()));
        ObservedRequest { metrics, span }
    }
}

/// A request to the API behind a guard.
pub(super) struct ObservedRequest {
    /// With when it began.
    metrics: Option<(Arc<GuardMetrics>, Instant)>,
    span: Option<OpenSpan>,
}

impl ObservedRequest {
    /// The API has begun its answer, or there is none.
    pub(super) fn end<B, E>(self, answered: &Result<Response<B>, E>) {
        if let Some((metrics, began)) = &self.metrics {
            metrics.upstream(began.elapsed(), answered.is_ok());
        }
        match (&self.span, answered) {
            (Some(span), Ok(response)) => span.end_answered(response.status()),
            (Some(span), Err(_)) => span.end_failed("unanswered"),
            (None, _) => {}
        }
    }
}
