//! What stands for traces in a binary without the feature `otel`: types without values.

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use super::{EndedRequest, TracesPlan};
use crate::metrics::Metrics;

/// Nothing.
pub(crate) enum Traces {}

/// Nothing either.
#[derive(Clone)]
pub(crate) enum OpenSpan {}

impl Traces {
    pub(crate) fn start(_plan: TracesPlan, _metrics: Option<&Metrics>) -> Option<Arc<Self>> {
        None
    }

    #[expect(clippy::unused_async, reason = "it is waited for where there are traces")]
    pub(crate) async fn close(&self) {
        match *self {}
    }

    pub(crate) fn request(&self, _traceparent: Option<&str>, _decision: &str) -> Option<OpenSpan> {
        match *self {}
    }

    pub(crate) fn gate(&self, _guard: &str) -> Option<OpenSpan> {
        match *self {}
    }

    pub(crate) fn verdict(&self, _verdict: &'static str) {
        match *self {}
    }

    pub(crate) fn client(&self, _method: &Method, _origin: &str) -> Option<OpenSpan> {
        match *self {}
    }

    pub(crate) fn store(&self, _engine: &'static str, _verb: &'static str) -> Option<OpenSpan> {
        match *self {}
    }
}

impl OpenSpan {
    pub(crate) fn traceparent(&self) -> String {
        match *self {}
    }

    pub(crate) fn within<F: Future>(&self, _work: F) -> F {
        match *self {}
    }

    pub(crate) fn end(&self) {
        match *self {}
    }

    pub(crate) fn end_answered(&self, _status: StatusCode) {
        match *self {}
    }

    pub(crate) fn end_failed(&self, _error: &'static str) {
        match *self {}
    }

    pub(crate) fn end_request(&self, _request: &EndedRequest<'_>) {
        match *self {}
    }
}
