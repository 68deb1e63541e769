//! What a guard tells of its decisions: denials one by one, and what is used as counts.

use std::sync::Arc;

use castellan_gate::{Denial, Identity, Recorder};
use castellan_proto::scope::RequiredScope;

use super::{Denials, Usage};

/// The recorder of one guard.
pub(super) struct GuardRecorder {
    pub(super) guard: Arc<str>,
    pub(super) denials: Denials,
    pub(super) usage: Usage,
}

impl Recorder for GuardRecorder {
    fn denied(&self, denial: Denial) {
        self.denials.tell(&self.guard, denial);
    }

    fn used(&self, caller: &Identity, scopes: &mut dyn Iterator<Item = &RequiredScope>) {
        self.usage.count(caller, scopes);
    }
}
