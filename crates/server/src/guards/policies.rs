//! What the policies of a site say at a guard that requires them (`docs/rules.md` rule 4).

use std::sync::Arc;

use castellan_gate::{
    Policies, PolicyAnswer, PolicyRequest, PolicySaid, PolicyTerm, Says, Unavailable,
};
use castellan_issuer::{
    Issuer,
    caller_policies::{CallerPolicies, PolicySubject},
    policy::{self, Outcome, Said},
};
use serde_json::{Value, json};

use super::GuardParts;
use crate::{
    config::{GuardConfig, Term},
    wire::policy_request,
};

/// Parameters of a URL that are the GraphQL request itself, which policies see taken apart.
const ENVELOPE: [&str; 4] = ["query", "operationName", "variables", "extensions"];

/// The policies of one guard. Where it requires none, nothing is looked up and nobody is asked.
#[derive(Clone)]
pub(super) struct GuardPolicies(Option<Arc<Place>>);

/// Where policies are asked.
struct Place {
    issuer: Issuer,
    /// The URL may hold the request itself.
    is_graphql: bool,
    /// The guard as requests show it.
    guard: Value,
}

/// The policies for one caller there, as they are at this moment.
pub(super) struct HerePolicies {
    of_caller: CallerPolicies,
    place: Arc<Place>,
}

impl GuardPolicies {
    pub(super) fn of(config: &GuardConfig, parts: &GuardParts) -> Self {
        let is_required = config.requires(Term::Policy);
        Self(is_required.then(|| {
            let guard = json!({"name": config.name, "path": config.path});
            let is_graphql = !config.is_http();
            Arc::new(Place { issuer: parts.issuer.clone(), is_graphql, guard })
        }))
    }

    /// What they say about the requests of `subject`.
    pub(super) async fn about(
        &self,
        subject: impl FnOnce() -> PolicySubject,
    ) -> Result<PolicyTerm, Unavailable> {
        let Some(place) = &self.0 else { return Ok(PolicyTerm::Unknown) };
        let of_caller = place.issuer.policies_for(subject()).await;
        let of_caller = of_caller.map_err(|error| {
            tracing::error!(%error, "policies cannot be asked");
            Unavailable
        })?;
        Ok(PolicyTerm::Ask(Arc::new(HerePolicies { of_caller, place: Arc::clone(place) })))
    }
}

impl HerePolicies {
    /// Whether `other`, for a caller at the same guard, says the same of every request.
    pub(super) fn say_the_same(&self, other: &Self) -> bool {
        self.of_caller.is_same(&other.of_caller)
    }
}

impl Policies for HerePolicies {
    fn ask(&self, request: &PolicyRequest<'_>) -> PolicyAnswer {
        let PolicyRequest { parts, operation_type, field, required, arguments, fields } = *request;
        let issuer = &self.place.issuer.address().issuer;
        let method = parts.method.as_str().to_ascii_lowercase();
        let mut document = policy_request::document(issuer, &method, parts);
        let mut params = policy_request::params(parts.uri.query().unwrap_or_default());
        params.retain(|name, _| !self.place.is_graphql || !ENVELOPE.contains(&name.as_str()));
        document["params"] = params.into();
        document["guard"] = self.place.guard.clone();
        document["operation"] = json!({"type": operation_type, "field": field});
        document["arguments"] = Value::Object(arguments.clone());
        document["fields"] = json!(fields);
        let said = self.of_caller.ask(required.as_str(), document);
        PolicyAnswer {
            is_allowed: policy::allows(&said),
            said: said.into_iter().map(as_said).collect(),
        }
    }
}

/// What a policy said, in the gate's words.
pub(crate) fn as_said(Said { policy, outcome }: Said) -> PolicySaid {
    let (says, because) = match outcome {
        Outcome::Allowed => (Says::Allows, None),
        Outcome::NotAllowed(because) => (Says::Abstains, Some(because)),
        Outcome::Forbidden(because) => (Says::Forbids, Some(because)),
    };
    PolicySaid { policy, says, because }
}

/// What makes no sense about `policies`, each with the guards that it is linked to, at the `guards` of
/// its site: what it is about, and what is wrong with it.
pub(crate) fn misplaced(
    guards: &[GuardConfig],
    policies: &[(String, Vec<String>)],
) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for guard in guards.iter().filter(|guard| guard.requires(Term::Policy)) {
        if !policies.iter().any(|(_, places)| places.contains(&guard.name)) {
            let text = "requires policies, but none is linked to it: nobody can use what is not \
                        public";
            found.push((format!("guard {}", guard.name), text.to_owned()));
        }
    }
    for (policy, name) in policies.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, one)))
    {
        let text = match guards.iter().find(|guard| guard.name == *name) {
            None => format!("is linked to guard {name}, which does not exist"),
            Some(guard) if !guard.requires(Term::Policy) => {
                format!("is never asked at guard {name}, which does not require policies")
            }
            Some(_) => continue,
        };
        found.push((format!("AccessPolicy/{policy}"), text));
    }
    found
}
