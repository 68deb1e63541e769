//! What a guard tells of its decisions: denials one by one, and what is used as counts.

use std::sync::Arc;

use castellan_gate::{Denial, Identity, PersonTerm, Recorder, Rules};
use castellan_issuer::resources::ResourceKind;
use castellan_proto::scope::RequiredScope;

use super::{Denials, Usage};

/// The recorder of one guard.
pub(super) struct GuardRecorder {
    pub(super) guard: Arc<str>,
    pub(super) denials: Denials,
    pub(super) usage: Usage,
    pub(super) rules: Rules,
}

impl Recorder for GuardRecorder {
    fn denied(&self, denial: Denial) {
        self.denials.tell(&self.guard, denial);
    }

    fn used(&self, caller: &Identity, scopes: &mut dyn Iterator<Item = &RequiredScope>) {
        let roles = match &caller.person_term {
            PersonTerm::Roles(roles) if self.rules.terms.person => &**roles,
            _ => return self.usage.count(caller, scopes),
        };
        let scopes: Vec<&RequiredScope> = scopes.collect();
        self.usage.count(caller, &mut scopes.iter().copied());
        for role in roles {
            let covered = |scope: &&RequiredScope| self.rules.covers(&role.scopes, scope);
            let mut covered = scopes.iter().copied().filter(covered).peekable();
            if covered.peek().is_some() {
                self.usage.count_for((ResourceKind::ROLE, &role.role), &mut covered);
            }
        }
    }
}
