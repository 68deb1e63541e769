//! The access log entry of one request: it is written whatever happens, a panic, a time-out and a lost
//! connection included (`docs/rules.md` rule 5).

use std::{borrow::Cow, time::Instant};

use axum::http::{Method, StatusCode, Uri};
use castellan_proto::Opaque;

use crate::{
    background::audit::{LineBudget, lacks_line},
    config::GuardConfig,
    metrics::Refusals,
    traces::{EndedRequest, OpenSpan},
};

/// What else hears of the request, if it does.
pub(super) struct Observed<'a> {
    /// Its span.
    pub(super) span: Option<OpenSpan>,
    /// Counts those that come no further than the corridor.
    pub(super) refusals: Option<&'a Refusals>,
}

/// An entry that is not written yet; dropping it writes it.
pub(super) struct AccessLogEntry<'a> {
    method: Method,
    uri: Uri,
    began: Instant,
    status: Option<StatusCode>,
    /// The site that it is for, if it is for one.
    pub(super) site: Option<&'a str>,
    /// The guard that it is for, if it is for one.
    pub(super) guard: Option<&'a GuardConfig>,
    /// Why it comes no further than the corridor.
    reason: Option<&'static str>,
    observed: Observed<'a>,
}

impl<'a> AccessLogEntry<'a> {
    pub(super) fn open(method: &Method, uri: &Uri, observed: Observed<'a>) -> Self {
        Self {
            method: method.clone(),
            uri: uri.clone(),
            began: Instant::now(),
            status: None,
            site: None,
            guard: None,
            reason: None,
            observed,
        }
    }

    /// It comes no further than the corridor, for this reason.
    pub(super) fn refuse(&mut self, reason: &'static str) {
        self.reason = Some(reason);
        self.count(reason);
    }

    /// The same where that needs no line.
    pub(super) fn count(&self, reason: &'static str) {
        if let Some(refusals) = self.observed.refusals {
            refusals.count(self.site, reason);
        }
    }

    pub(super) fn close(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Whether it was refused, and no line of the log says so yet: what guards, rights and the token
    /// endpoint refuse has a line with more about it.
    fn is_refused(&self) -> bool {
        let is_denied = self.status.is_some_and(|status| {
            let denied =
                [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
            denied.contains(&status)
        });
        self.reason.is_some() || (is_denied && lacks_line())
    }

    /// Its path, as it may be shown.
    fn path(&self) -> Cow<'_, str> {
        // The query may contain secrets, which must not be shown.
        let path = self.uri.path();
        let path = without_secrets(&path[..path.floor_char_boundary(512)]);
        let end = path.floor_char_boundary(128);
        match path {
            Cow::Borrowed(path) => path[..end].into(),
            Cow::Owned(path) => path[..end].to_owned().into(),
        }
    }
}

/// The target of lines about what happens, by which a filter selects them.
const EVENT: &str = "castellan::event";

/// Lines about refused requests that have no other.
static REFUSED: LineBudget = LineBudget::new();

impl Drop for AccessLogEntry<'_> {
    fn drop(&mut self) {
        if let Some(span) = &self.observed.span {
            span.end_request(&EndedRequest {
                method: &self.method,
                path: &self.path(),
                status: self.status,
                site: self.site,
                guard: self.guard.map(|guard| (&*guard.name, &*guard.path)),
                reason: self.reason,
            });
        }
        let is_refused =
            tracing::enabled!(target: EVENT, tracing::Level::INFO) && self.is_refused();
        if !is_refused && self.status.is_some() && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let millis = self.began.elapsed().as_secs_f64() * 1_000.0;
        let (path, method) = (&*self.path(), self.method.as_str());
        let method = &method[..method.floor_char_boundary(16)];
        let site = self.site;
        let Some(status) = self.status.map(|status| status.as_u16()) else {
            tracing::warn!(site, method, path, millis, "not answered");
            return;
        };
        tracing::debug!(site, method, path, status, millis, "answered");
        if is_refused && let Some(left_out) = REFUSED.take() {
            if left_out > 0 {
                let words = "refused requests were not logged: they are too many";
                tracing::warn!(target: EVENT, left_out, "{words}");
            }
            let detail = self.reason;
            tracing::info!(
                target: EVENT, site, method, path, status, detail, "a request was refused"
            );
        }
    }
}

/// `path` without the segments that are secrets of ours, such as the identifier of a session
/// (`docs/contracts/ibexa.md` §2.4).
fn without_secrets(path: &str) -> Cow<'_, str> {
    if !path.contains(Opaque::PREFIX) {
        return path.into();
    }
    let mut segments: Vec<&str> = path.split('/').collect();
    for segment in segments.iter_mut().filter(|segment| segment.contains(Opaque::PREFIX)) {
        *segment = "…";
    }
    segments.join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_48_no_secret_of_a_path_is_logged() {
        for (path, shown) in [
            ("/user/sessions/csl_session_abc/refresh", "/user/sessions/…/refresh"),
            ("/csl_session_abc", "/…"),
            ("/user/current", "/user/current"),
        ] {
            assert_eq!(without_secrets(path), shown);
        }
    }
}
