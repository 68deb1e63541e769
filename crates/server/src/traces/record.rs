//! Spans: of requests, and of what is done for them.
//!
//! Names and attributes are those of the semantic conventions of OpenTelemetry for HTTP and for
//! databases; what is Castellan's own begins with `castellan.`. No attribute holds what a caller
//! wrote, but for the path that the log shows as well.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use opentelemetry::{
    Context, InstrumentationScope, KeyValue,
    context::FutureExt as _,
    trace::{
        SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags,
        TraceId, TraceState, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use url::Url;

use super::{EndedRequest, TracesPlan, export::Export};
use crate::metrics::Metrics;

/// What the server is called in traces unless something else is said.
const NAME: &str = "castellan";

/// What records requests.
pub(crate) struct Traces {
    tracer: SdkTracer,
    export: Export,
}

/// A span that has begun, with the context of what is done within it. It ends with its last clone at
/// the latest.
#[derive(Clone)]
pub(crate) struct OpenSpan(Context);

/// In a context: it is that of a recorded request, the span of which is in this one.
struct RecordedRequest(Context);

impl Traces {
    /// Records by `plan`, and counts in `metrics` what becomes of spans.
    #[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
    pub(crate) fn start(plan: TracesPlan, metrics: Option<&Metrics>) -> Option<Arc<Self>> {
        let resource = resource(plan.service_name.as_deref());
        let root = Sampler::TraceIdRatioBased(plan.sample);
        let (export, queue) = Export::start(plan, &resource, metrics);
        let provider = SdkTracerProvider::builder()
            // Whoever began a trace has decided for all of it.
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let scope = InstrumentationScope::builder(NAME).with_version(env!("CARGO_PKG_VERSION"));
        let tracer = provider.tracer_with_scope(scope.build());
        Some(Arc::new(Self { tracer, export }))
    }

    /// Sends what was recorded, within a bound.
    pub(crate) async fn close(&self) {
        self.export.close().await;
    }

    /// Begins the span of a request in the trace of its well-formed `traceparent`, or with a new
    /// trace; `None` if it is not recorded.
    pub(crate) fn request(&self, traceparent: Option<&str>, decision: &str) -> Option<OpenSpan> {
        let parent = traceparent
            .and_then(caller)
            .map_or_else(Context::new, |caller| Context::new().with_remote_span_context(caller));
        let builder = SpanBuilder::from_name("HTTP").with_kind(SpanKind::Server);
        let span = self.tracer.build_with_context(builder, &parent);
        let context = Context::new().with_span(span);
        if !context.span().is_recording() {
            return None;
        }
        context.span().set_attribute(text("castellan.decision", decision));
        Some(OpenSpan(context.with_value(RecordedRequest(context.clone()))))
    }

    /// Begins the span of the gate of `guard`.
    pub(crate) fn gate(&self, guard: &str) -> Option<OpenSpan> {
        self.child(|| {
            let builder = SpanBuilder::from_name("gate").with_kind(SpanKind::Internal);
            builder.with_attributes([text("castellan.guard", guard)])
        })
    }

    /// Notes what became of the present request, in its span and in that of the gate.
    #[expect(clippy::unused_self, reason = "who has no traces has nothing to note")]
    pub(crate) fn verdict(&self, verdict: &'static str) {
        Context::map_current(|context| {
            let Some(RecordedRequest(request)) = context.get() else { return };
            let verdict = KeyValue::new("castellan.verdict", verdict);
            if context.span().span_context() != request.span().span_context() {
                context.span().set_attribute(verdict.clone());
            }
            request.span().set_attribute(verdict);
        });
    }

    /// Begins the span of a request that Castellan sends to `origin`.
    pub(crate) fn client(&self, method: &Method, origin: &str) -> Option<OpenSpan> {
        self.child(|| {
            let (name, method) = name_and_method(method);
            let mut attributes = vec![KeyValue::new("http.request.method", method)];
            if let Ok(url) = Url::parse(origin) {
                attributes.extend(url.host_str().map(|host| text("server.address", host)));
                let port = url.port_or_known_default().map(i64::from);
                attributes.extend(port.map(|port| KeyValue::new("server.port", port)));
            }
            let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Client);
            builder.with_attributes(attributes)
        })
    }

    /// Begins the span of an operation of the data source.
    pub(crate) fn store(&self, engine: &'static str, verb: &'static str) -> Option<OpenSpan> {
        self.child(|| {
            let builder = SpanBuilder::from_name(verb).with_kind(SpanKind::Client);
            builder.with_attributes([
                KeyValue::new("db.system.name", engine),
                KeyValue::new("db.operation.name", verb),
            ])
        })
    }

    /// Begins a span of the present request, if that is recorded.
    fn child(&self, builder: impl FnOnce() -> SpanBuilder) -> Option<OpenSpan> {
        Context::map_current(|context| {
            context.get::<RecordedRequest>()?;
            let span = self.tracer.build_with_context(builder(), context);
            Some(OpenSpan(context.with_span(span)))
        })
    }
}

impl OpenSpan {
    /// As whoever is asked next continues it (W3C Trace Context §3.2).
    pub(crate) fn traceparent(&self) -> String {
        let span = self.0.span();
        let span = span.span_context();
        let flags = span.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
    }

    /// Does `work` within it.
    pub(crate) fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.0.clone())
    }

    pub(crate) fn end(&self) {
        self.0.span().end();
    }

    /// The request that it is of was answered with `status`.
    pub(crate) fn end_answered(&self, status: StatusCode) {
        let span = self.0.span();
        span.set_attribute(status_code(status));
        // For a client, a refusal is an error as well.
        if status.is_client_error() || status.is_server_error() {
            self.fail(status.as_str());
        }
        span.end();
    }

    /// What it is of failed with an error of this kind.
    pub(crate) fn end_failed(&self, error: &'static str) {
        self.fail(error);
        self.end();
    }

    /// The request that it is of has ended.
    pub(crate) fn end_request(&self, request: &EndedRequest<'_>) {
        let span = self.0.span();
        let (name, method) = name_and_method(request.method);
        span.set_attributes([
            KeyValue::new("http.request.method", method),
            text("url.path", request.path),
        ]);
        if let Some((guard, path)) = request.guard {
            span.set_attributes([text("castellan.guard", guard), text("http.route", path)]);
            span.update_name(format!("{name} {path}"));
        } else {
            span.update_name(name);
        }
        span.set_attributes(request.site.map(|site| text("castellan.site", site)));
        span.set_attributes(request.reason.map(|why| KeyValue::new("castellan.reason", why)));
        match request.status {
            None => self.fail("unanswered"),
            Some(status) => {
                span.set_attribute(status_code(status));
                if status.is_server_error() {
                    self.fail(status.as_str());
                }
            }
        }
        span.end();
    }

    fn fail(&self, error: &str) {
        let span = self.0.span();
        span.set_attribute(text("error.type", error));
        span.set_status(Status::error(""));
    }
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn status_code(status: StatusCode) -> KeyValue {
    KeyValue::new("http.response.status_code", i64::from(status.as_u16()))
}

/// What a span of a request with `method` is called, and the method as an attribute: callers can make
/// methods up.
fn name_and_method(method: &Method) -> (&'static str, &'static str) {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.map_or(("HTTP", "_OTHER"), |known| (known, known))
}

/// The span of the caller, from a well-formed `traceparent` of version 00.
fn caller(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let flags = TraceFlags::default().with_sampled(flags & 1 == 1);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// What is said of this server with all spans: its name, version and machine, and what the variables
/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say of it.
fn resource(service_name: Option<&str>) -> Resource {
    let detected = Resource::builder().build();
    let named = detected.get(&"service.name".into()).map(|name| name.to_string());
    // What the library calls a service that nobody named.
    let named = named.filter(|name| !name.starts_with("unknown_service"));
    let name = service_name.map(ToOwned::to_owned).or(named).unwrap_or_else(|| NAME.to_owned());
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Resource::builder()
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("host.name", node),
        ])
        .with_service_name(name)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_continues_as_it_began() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let span = caller(parent).unwrap();
        assert!(span.is_valid() && span.is_remote() && span.is_sampled());
        let open = OpenSpan(Context::new().with_remote_span_context(span));
        assert_eq!(open.traceparent(), parent);
        assert!(!caller(&parent.replace("-01", "-02")).unwrap().is_sampled());
    }

    #[test]
    fn a_method_that_a_caller_made_up_is_not_shown() {
        assert_eq!(name_and_method(&Method::PATCH), ("PATCH", "PATCH"));
        assert_eq!(name_and_method(&Method::from_bytes(b"M4711").unwrap()), ("HTTP", "_OTHER"));
    }
}
