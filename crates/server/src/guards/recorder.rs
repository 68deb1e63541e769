//! What a guard tells of its decisions: denials one by one, and what is used as counts.

use std::sync::Arc;

use axum::http::request::Parts;
use castellan_gate::{
    Caller, CredentialProblem, DecisionId, Denial, DeniedField, Identity, PersonTerm, Reason,
    Recorder, RequestVerdict, Rules, UpstreamFailure,
};
use castellan_issuer::resources::ResourceKind;
use castellan_proto::{Digest, scope::RequiredScope};

use super::{Denials, Usage, observers::GuardObservers, site_access::AtSiteAccess};
use crate::{
    background::audit::LineBudget,
    wire::guard_refusal::{GuardRefusal, Unmeant},
};

/// The recorder of one guard.
pub(super) struct GuardRecorder {
    pub(super) guard: Arc<str>,
    pub(super) denials: Denials,
    pub(super) usage: Usage,
    pub(super) rules: Rules,
    pub(super) observers: GuardObservers,
    /// Lines about answers of the API that were not passed on.
    pub(super) failures: LineBudget,
}

impl Recorder for GuardRecorder {
    fn denied(&self, denial: Denial) {
        self.observers.denied(&denial);
        self.denials.tell(&self.guard, denial);
    }

    fn answered(&self, verdict: RequestVerdict) {
        self.observers.verdict(verdict);
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
                self.usage.count_for(ResourceKind::ROLE, &role.role, &mut covered);
            }
        }
    }

    fn upstream_failed(&self, failure: &UpstreamFailure<'_>) {
        let Some(left_out) = self.failures.take() else { return };
        let (guard, problem) = (&*self.guard, failure.problem);
        if left_out > 0 {
            tracing::warn!(
                guard,
                left_out,
                "failures of the API were not logged: they are too many"
            );
        }
        tracing::warn!(
            guard,
            decision = failure.decision.as_str(),
            status = failure.status.map(|status| status.as_u16()),
            media_type = failure.media_type,
            error = failure.error,
            "{problem}"
        );
    }
}

/// In the extensions of a request: who sent it, once that is known.
#[derive(Clone)]
pub(super) struct Sender(pub(super) Caller);

/// What is told of a request that is refused before its gate.
pub(super) struct RefusedRequest {
    id: DecisionId,
    /// Its method and the path of its guard: what comes after that may be a secret, such as the
    /// identifier of a session.
    place: String,
    caller: Caller,
    site_access: Option<Arc<str>>,
}

impl RefusedRequest {
    /// What is known of the request with the head `parts`, at the guard at `path`.
    pub(super) fn of(parts: &Parts, path: &str) -> Self {
        let id = parts.extensions.get::<DecisionId>().copied();
        let site_access = parts.extensions.get::<AtSiteAccess>();
        Self {
            id: id.unwrap_or_else(DecisionId::generate),
            place: format!("{} {path}", parts.method),
            caller: parts.extensions.get().map_or(Caller::NOBODY, |Sender(caller)| caller.clone()),
            site_access: site_access.map(|AtSiteAccess(one)| Arc::clone(&one.name)),
        }
    }

    /// The denial that `refusal` is; `None` if it decides nothing about the sender.
    pub(super) fn denial(&self, refusal: &GuardRefusal) -> Option<Denial> {
        let (reason, field, path) = match refusal {
            GuardRefusal::NotMeant(why) => (Reason::NotMeant, header_of(*why), &*self.place),
            GuardRefusal::OtherUser => (Reason::OtherUser, "X-Expected-User", &*self.place),
            GuardRefusal::LoginNotPermitted(_) => {
                let site_access = self.site_access.as_deref().unwrap_or_default();
                (Reason::LoginNotPermitted, "user/login", site_access)
            }
            GuardRefusal::NotAuthenticated(_) => {
                let reason = match &self.caller {
                    Caller::Anonymous(Some(CredentialProblem::Expired)) => {
                        Reason::CredentialExpired
                    }
                    Caller::Anonymous(Some(_)) => Reason::CredentialInvalid,
                    _ => Reason::NoCredential,
                };
                (reason, "Authorization", &*self.place)
            }
            _ => return None,
        };
        let field = DeniedField {
            path: path.to_owned(),
            field: field.to_owned(),
            required: None,
            reason,
            policies: Vec::new(),
        };
        let denial = Denial {
            id: self.id.as_str().to_owned(),
            caller: (&self.caller).into(),
            document: Digest::of(self.place.as_bytes()).text(),
            fields: vec![field],
            ..Denial::default()
        };
        Some(denial.bounded())
    }
}

/// The header that shows that a request was not meant.
const fn header_of(why: Unmeant) -> &'static str {
    match why {
        Unmeant::Token => "X-CSRF-Token",
        Unmeant::Origin | Unmeant::Page => "Origin",
        Unmeant::Form => "Content-Type",
    }
}
