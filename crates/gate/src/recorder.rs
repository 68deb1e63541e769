//! Who hears what the gate decided.

use castellan_proto::scope::RequiredScope;

use crate::{Denial, Identity, RequestVerdict, upstream_failure::UpstreamFailure};

/// Keeps denials, and counts what is used. Called after the decision and before the answer; it must not wait.
pub trait Recorder: Send + Sync {
    /// Records `denial`.
    fn denied(&self, denial: Denial);

    /// Records which required scopes the scopes of a known caller covered, one for each field that
    /// is allowed; public fields are not included.
    fn used(&self, caller: &Identity, required_scopes: &mut dyn Iterator<Item = &RequiredScope>) {
        let _ = (caller, required_scopes);
    }

    /// Counts a request, once it is answered or given up: called once for each, whether it was decided
    /// or not.
    fn answered(&self, verdict: RequestVerdict) {
        let _ = verdict;
    }

    /// Hears that an API did not answer as it should. Callers can cause this any number of times.
    /// Unless it is told elsewhere, it is logged.
    fn upstream_failed(&self, failure: &UpstreamFailure<'_>) {
        failure.log();
    }
}
