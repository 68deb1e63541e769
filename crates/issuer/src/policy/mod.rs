//! Policies about people in the engines of `docs/contracts/aidbox.md` §8: `allow`, `matcho`,
//! `json-schema` and `complex`. Evaluating one is pure: it sees a request as a document, and
//! nothing else.
//!
//! A policy only ever allows. Where a document leaves it open whether something holds, because what
//! it compares is missing, it does not hold.

mod json_schema;
pub mod matcho;
mod place;
mod rule;

use serde_json::Value;

pub use rule::{Outcome, Rule, RuleDocument};

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

/// What each of `policies` that concerns `request` says, up to the first that allows it. The
/// request is allowed if the last one does.
#[must_use]
pub fn evaluate<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    request: &Request<'_>,
) -> Vec<Said> {
    let mut all = Vec::new();
    for policy in policies {
        let has_role = |role: &String| request.roles.contains(&role.as_str());
        if !policy.role.as_ref().is_none_or(has_role) || !policy.is_linked_to(request) {
            continue;
        }
        let outcome = policy.rule.evaluate(request.document);
        let is_allowed = outcome == Outcome::Allowed;
        all.push(Said { policy: policy.id.clone(), outcome });
        if is_allowed {
            break;
        }
    }
    all
}

/// Whether what policies said allows the request.
#[must_use]
pub fn allows(said: &[Said]) -> bool {
    said.last().is_some_and(|last| last.outcome == Outcome::Allowed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(id: &str, links: &[(LinkKind, &str)], rule: Value) -> Policy {
        let document: RuleDocument = serde_json::from_value(rule).unwrap();
        let links =
            links.iter().map(|(kind, id)| Link { kind: *kind, id: (*id).to_owned() }).collect();
        Policy { id: id.to_owned(), links, role: None, rule: Rule::read(&document).unwrap() }
    }

    fn ask(policies: &[Policy], request: &Request<'_>) -> (bool, Vec<String>) {
        let said = evaluate(policies, request);
        (allows(&said), said.into_iter().map(|said| said.policy).collect())
    }

    #[test]
    fn links_decide_who_is_asked_and_one_that_fits_is_enough() {
        let document = json!({"request-method": "get"});
        let request = Request {
            user: Some("ann"),
            client: Some("portal"),
            roles: &["editing"],
            operation: Some("Query:User:Get"),
            document: &document,
        };
        let allow = || json!({"engine": "allow"});
        let none: [Policy; 0] = [];
        assert_eq!(ask(&none, &request), (false, vec![]), "without policies nothing is allowed");
        let mine = policy("mine", &[(LinkKind::User, "ann")], allow());
        let other = policy("other", &[(LinkKind::User, "bob"), (LinkKind::Client, "spa")], allow());
        let app = policy("app", &[(LinkKind::User, "bob"), (LinkKind::Client, "portal")], allow());
        let call = policy("call", &[(LinkKind::Operation, "Query:User:Get")], allow());
        let no = policy("no", &[], json!({"engine": "matcho", "matcho": {"uri": "/x"}}));
        assert_eq!(ask(std::slice::from_ref(&other), &request), (false, vec![]));
        for (one, id) in [(mine, "mine"), (app, "app"), (call, "call")] {
            let expected = (true, vec!["no".to_owned(), id.to_owned()]);
            assert_eq!(ask(&[no.clone(), other.clone(), one, no.clone()], &request), expected);
        }
        assert_eq!(ask(&[no], &request), (false, vec!["no".to_owned()]));
        for (kind, id, is_allowed) in [
            (LinkKind::Role, "editing", true),
            (LinkKind::Role, "reading", false),
            (LinkKind::User, "editing", false),
        ] {
            assert_eq!(ask(&[policy("p", &[(kind, id)], allow())], &request).0, is_allowed, "{id}");
        }
        for (role, is_allowed) in [("editing", true), ("reading", false), ("ann", false)] {
            let named = policy("p", &[(LinkKind::User, "ann")], allow());
            let named = Policy { role: Some(role.to_owned()), ..named };
            assert_eq!(ask(&[named], &request).0, is_allowed, "{role}");
        }
    }

    #[test]
    fn nobody_is_linked_to_a_person_who_is_not_there() {
        let document = json!({});
        let request =
            Request { user: None, client: None, roles: &[], operation: None, document: &document };
        let link = policy("a", &[(LinkKind::User, "")], json!({"engine": "allow"}));
        assert_eq!(ask(&[link], &request), (false, vec![]));
    }
}
