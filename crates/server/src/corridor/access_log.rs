//! The trail of one request: it is written whatever happens, a panic, a time-out and a lost
//! connection included (`docs/rules.md` rule 5).

use std::time::Instant;

use axum::http::{Method, StatusCode, Uri};
use castellan_gate::DecisionId;

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
