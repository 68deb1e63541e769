//! The trail of one request: it is written whatever happens, a panic, a time-out and a lost
//! connection included (`docs/rules.md` rule 5).

use std::{borrow::Cow, time::Instant};

use axum::http::{Method, StatusCode, Uri};
use castellan_gate::DecisionId;
use castellan_proto::Opaque;

/// An open trail; dropping it writes it.
pub(super) struct AccessLogEntry {
    id: DecisionId,
    method: Method,
    uri: Uri,
    began: Instant,
    status: Option<StatusCode>,
}

impl AccessLogEntry {
    pub(super) fn open(id: DecisionId, method: &Method, uri: &Uri) -> Self {
        let (method, uri) = (method.clone(), uri.clone());
        Self { id, method, uri, began: Instant::now(), status: None }
    }

    pub(super) fn close(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for AccessLogEntry {
    fn drop(&mut self) {
        let millis = self.began.elapsed().as_secs_f64() * 1_000.0;
        // The query may contain secrets, which must not be logged.
        let (decision, path, method) = (self.id.as_str(), self.uri.path(), self.method.as_str());
        let path = without_secrets(&path[..path.floor_char_boundary(512)]);
        let path = &path[..path.floor_char_boundary(128)];
        let method = &method[..method.floor_char_boundary(16)];
        if let Some(status) = self.status {
            let status = status.as_u16();
            tracing::debug!(decision, method, path, status, millis, "answered");
        } else {
            tracing::warn!(decision, method, path, millis, "not answered");
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
