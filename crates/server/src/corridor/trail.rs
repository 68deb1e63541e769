//! The trail of one request: it is written whatever happens, a panic, a time-out and a lost
//! connection included (`design.md` rule 5).

use std::time::Instant;

use axum::http::{Method, StatusCode, Uri};
use castellan_gate::DecisionId;

/// An open trail; dropping it writes it.
pub(super) struct Trail {
    id: String,
    method: String,
    path: String,
    began: Instant,
    status: Option<StatusCode>,
}

impl Trail {
    pub(super) fn open(id: &DecisionId, method: &Method, uri: &Uri) -> Self {
        // The query may hold what must not be logged.
        let path = uri.path();
        let path = path[..path.floor_char_boundary(128)].to_owned();
        let method = method.as_str();
        let method = method[..method.floor_char_boundary(16)].to_owned();
        Self { id: id.0.clone(), method, path, began: Instant::now(), status: None }
    }

    pub(super) fn close(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        let millis = self.began.elapsed().as_secs_f64() * 1_000.0;
        let (decision, method, path) = (&*self.id, &*self.method, &*self.path);
        if let Some(status) = self.status {
            let status = status.as_u16();
            tracing::debug!(decision, method, path, status, millis, "answered");
        } else {
            tracing::warn!(decision, method, path, millis, "not answered");
        }
    }
}
