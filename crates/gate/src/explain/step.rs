//! Terms of a decision, as they are explained.

use serde::Serialize;

use crate::{Caller, PolicySaid, Reason, Rules, Says};

/// One term of a decision.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Step {
    /// The name of the term.
    pub term: &'static str,
    /// `true`: covers the field; `false`: does not; `None`: does not apply.
    pub holds: Option<bool>,
    /// What the term was compared with.
    pub detail: String,
}

/// What policies said about a field with the verdict's `reason`; `None` if no credential showed who
/// asks.
pub(super) fn policy(
    reason: Option<Reason>,
    said: Option<&[PolicySaid]>,
    caller: &Caller,
    rules: &Rules,
) -> Option<Step> {
    caller.identity()?;
    if !rules.terms.policy {
        return Some(absent("policy", "this guard does not require that a policy allows it"));
    }
    let denies = reason == Some(Reason::Policy);
    let Some(said) = said.filter(|_| denies || reason.is_none()) else {
        return Some(match reason {
            Some(Reason::Policy) => missing("policy", "nobody says what policies say"),
            Some(_) => absent("policy", "not asked, as another term denies it"),
            None => absent("policy", "not asked, as it is public"),
        });
    };
    let decides = |says| said.iter().find(|one| one.says == says).map(|one| &one.policy);
    let detail = match (decides(Says::Forbids), decides(Says::Allows)) {
        (Some(policy), _) => format!("policy {policy} forbids it"),
        (None, Some(policy)) if !denies => format!("policy {policy} allows it"),
        _ if said.is_empty() => "no policy of this guard is about this request".to_owned(),
        _ => format!("none of the policies that are about it allows it: {}", names(said)),
    };
    Some(Step { term: "policy", holds: Some(!denies), detail })
}

fn names(said: &[PolicySaid]) -> String {
    said.iter().map(|one| &*one.policy).collect::<Vec<_>>().join(", ")
}

pub(super) fn missing(term: &'static str, detail: &str) -> Step {
    Step { term, holds: Some(false), detail: detail.to_owned() }
}

pub(super) fn absent(term: &'static str, detail: &str) -> Step {
    Step { term, holds: None, detail: detail.to_owned() }
}
