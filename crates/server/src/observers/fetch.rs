//! What is fetched from other issuers, such as their keys, with a span for each request.

use std::sync::Arc;

use async_trait::async_trait;
use castellan_issuer::foreign::{Fetch, FetchError};
use castellan_proto::Secret;
use http::{Method, StatusCode};
use url::Url;

use super::Observers;
use crate::traces::{OpenSpan, Traces};

/// A client of which every request is recorded.
struct ObservedFetch {
    inner: Arc<dyn Fetch>,
    traces: Arc<Traces>,
}

impl Observers {
    /// `fetch`, with its requests recorded if anything is.
    pub(crate) fn fetch(&self, fetch: Arc<dyn Fetch>) -> Arc<dyn Fetch> {
        match &self.traces {
            Some(traces) => Arc::new(ObservedFetch { inner: fetch, traces: Arc::clone(traces) }),
            None => fetch,
        }
    }
}

impl ObservedFetch {
    async fn record(
        &self,
        (method, url): (Method, &str),
        work: impl Future<Output = Result<Vec<u8>, FetchError>> + Send,
    ) -> Result<Vec<u8>, FetchError> {
        let origin = url.parse().map(|url: Url| url.origin().ascii_serialization());
        let span = origin.ok().and_then(|origin| self.traces.client(&method, &origin));
        let Some(span) = span else { return work.await };
        let fetched = span.within(work).await;
        end(&span, &fetched);
        fetched
    }
}

fn end(span: &OpenSpan, fetched: &Result<Vec<u8>, FetchError>) {
    match fetched {
        Ok(_) => span.end_answered(StatusCode::OK),
        Err(FetchError::Unreachable(_)) => span.end_failed("unreachable"),
        Err(_) => span.end_failed("unusable"),
    }
}

#[async_trait]
impl Fetch for ObservedFetch {
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.record((Method::GET, url), self.inner.get(url)).await
    }

    async fn post(
        &self,
        url: &str,
        authorization: Option<&Secret>,
        pairs: &[(&str, &str)],
    ) -> Result<Vec<u8>, FetchError> {
        self.record((Method::POST, url), self.inner.post(url, authorization, pairs)).await
    }
}
