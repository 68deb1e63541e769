//! Traces of requests, for OpenTelemetry (`docs/traces.md`).
//!
//! A request that is recorded has a context, which is current while it is worked on; what begins a
//! span then adds it to that request. Whatever works for no recorded request records nothing.
//!
//! Without `traces.endpoint` there is no [`Traces`]. Without the feature `otel` there cannot be one:
//! the types have no values, and the compiler removes what is done with them.

#[cfg(feature = "otel")]
mod export;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod record;

use axum::http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::roots::TrustedRoots;

#[cfg(not(feature = "otel"))]
pub(crate) use off::{OpenSpan, Traces};
#[cfg(feature = "otel")]
pub(crate) use record::{OpenSpan, Traces};

/// Where spans go, and which.
#[cfg_attr(
    not(feature = "otel"),
    expect(dead_code, reason = "nothing is sent without the feature")
)]
pub(crate) struct TracesPlan {
    /// The collector.
    pub(crate) endpoint: Url,
    /// What is sent with them, credentials among it.
    pub(crate) headers: HeaderMap,
    /// The part of the traces that begin here which is recorded, from 0 to 1.
    pub(crate) sample: f64,
    /// What this server is called in them.
    pub(crate) service_name: Option<String>,
    /// The authorities that the collector is verified against.
    pub(crate) roots: TrustedRoots,
}

/// A request at its end.
#[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "nobody looks without the feature"))]
pub(crate) struct EndedRequest<'a> {
    pub(crate) method: &'a Method,
    /// Its path without what may be secret in it.
    pub(crate) path: &'a str,
    /// None if it was not answered.
    pub(crate) status: Option<StatusCode>,
    pub(crate) site: Option<&'a str>,
    /// The name and the path of the guard that it was for.
    pub(crate) guard: Option<(&'a str, &'a str)>,
    /// Why it came to no guard and no route.
    pub(crate) reason: Option<&'static str>,
}
