//! Policies about people in the engines of `docs/contracts/aidbox.md` §8: `allow`, `matcho`,
//! `json-schema`, `complex` and `cedar`. Evaluating one is pure: it sees a request as a document,
//! and nothing else.
//!
//! The engines of the contract only ever allow; `cedar` may also forbid, and what one policy
//! forbids no other allows. Where a document leaves it open whether something holds, because what
//! it compares is missing, it does not hold.

#[cfg(feature = "cedar")]
mod cedar;
#[cfg(not(feature = "cedar"))]
#[path = "cedar_off.rs"]
mod cedar;
mod json_schema;
pub mod matcho;
mod place;
mod rule;
#[cfg(test)]
mod tests;

use serde_json::Value;

use cedar::Asked;
pub use cedar::Cedar;
pub use rule::{Outcome, Rule, RuleDocument};

/// The schema that policies of the engine `cedar` are validated against, without the actions and
/// the type `Arguments`, which each policy adds (`docs/cedar.md`).
pub const CEDAR_SCHEMA: &str = include_str!("cedar/castellan.cedarschema");

/// Which requests a policy is asked about; one without links is asked about all of them at
/// resources.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Link {
    /// What is linked to.
    #[serde(rename = "resourceType")]
    pub kind: LinkKind,
    /// Its id. That of an operation is the scope that the operation requires:
    /// `Query:User:Get`.
    pub id: String,
}

/// What a policy can be linked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LinkKind {
    /// The person who calls.
    User,
    /// The client that they call through, or that calls for itself.
    Client,
    /// A role of the person who calls.
    Role,
    /// What is called.
    Operation,
    /// A guard: the policy is asked there, and not at resources.
    Guard,
}

impl LinkKind {
    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "User" => Some(Self::User),
            "Client" => Some(Self::Client),
            "Role" => Some(Self::Role),
            "Operation" => Some(Self::Operation),
            "Guard" => Some(Self::Guard),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Client => "Client",
            Self::Role => "Role",
            Self::Operation => "Operation",
            Self::Guard => "Guard",
        }
    }
}

/// A policy that was read and found good.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// What it is linked to: one link that fits is enough, and one of those to guards besides.
    pub links: Vec<Link>,
    /// It is asked only about people who have this role.
    pub role: Option<String>,
    /// What it says.
    pub rule: Rule,
}

/// A request as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The person who calls.
    pub user: Option<&'a str>,
    /// The client that they call through.
    pub client: Option<&'a str>,
    /// The ids of the roles that the person has.
    pub roles: &'a [&'a str],
    /// What is called.
    pub operation: Option<&'a str>,
    /// All of it (`docs/contracts/aidbox.md` §8).
    pub document: &'a Value,
}

/// What one policy said about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The policy.
    pub policy: String,
    /// Whether it allows the request, and if not, where it does not fit.
    pub outcome: Outcome,
}

/// What one policy said about a request, in detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Whether it allows the request, and if not, why.
    pub outcome: Outcome,
    /// Which of the policies in its text decided that, for the engine `cedar`.
    pub policies: Vec<String>,
    /// What could not be evaluated, for the engine `cedar`. It may have values of the request.
    pub errors: Vec<String>,
}

impl Link {
    fn fits(&self, request: &Request<'_>) -> bool {
        let actual = match self.kind {
            LinkKind::User => request.user,
            LinkKind::Client => request.client,
            LinkKind::Operation => request.operation,
            LinkKind::Guard => request.guard(),
            LinkKind::Role => return request.roles.contains(&&*self.id),
        };
        actual == Some(&*self.id)
    }
}

impl Policy {
    /// Whether it is asked about `request`.
    fn concerns(&self, request: &Request<'_>) -> bool {
        let has_role = |role: &String| request.roles.contains(&role.as_str());
        self.role.as_ref().is_none_or(has_role) && self.is_linked_to(request)
    }

    /// What it says about `request` in detail; nothing if it is not asked about it.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Option<Explained> {
        if !self.concerns(request) {
            return None;
        }
        Some(self.rule.explain(request.document, &Asked::new(request, self.rule.cedar())))
    }
}

/// What each of `policies` that concerns `request` says. After the first that allows it, only those
/// are asked that may forbid it.
#[must_use]
pub fn evaluate<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    request: &Request<'_>,
) -> Vec<Said> {
    let concerned = policies.into_iter().filter(|policy| policy.concerns(request));
    let concerned: Vec<&Policy> = concerned.collect();
    let asked = Asked::new(request, concerned.iter().filter_map(|policy| policy.rule.cedar()));
    let mut all = Vec::new();
    let mut is_allowed = false;
    for policy in concerned {
        if is_allowed && !policy.rule.may_forbid() {
            continue;
        }
        let outcome = policy.rule.explain(request.document, &asked).outcome;
        is_allowed |= outcome == Outcome::Allowed;
        let is_forbidden = matches!(outcome, Outcome::Forbidden(_));
        all.push(Said { policy: policy.id.clone(), outcome });
        if is_forbidden {
            break;
        }
    }
    all
}

/// Whether what policies said allows the request: one does, and none forbids it.
#[must_use]
pub fn allows(said: &[Said]) -> bool {
    let forbids = |said: &Said| matches!(said.outcome, Outcome::Forbidden(_));
    said.iter().any(|said| said.outcome == Outcome::Allowed) && !said.iter().any(forbids)
}
