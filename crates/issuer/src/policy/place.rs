//! Where a policy is asked, and about whom: what it is linked to.
//!
//! A policy that is linked to guards is asked at these guards and nowhere else; one that is not is
//! asked at resources and nowhere else. One that opens resources thereby opens no API by accident,
//! and the other way round, although their operations have the same names.

use serde_json::Value;

use super::{Link, LinkKind, Policy, Request};

impl Request<'_> {
    /// The guard at which it is made; `None` for a request to a resource.
    #[must_use]
    pub fn guard(&self) -> Option<&str> {
        self.document.get("guard")?.get("name").and_then(Value::as_str)
    }
}

impl Policy {
    /// The guards at which it is asked; at resources if there are none.
    pub fn guards(&self) -> impl Iterator<Item = &str> {
        self.links.iter().filter(|link| link.is_place()).map(|link| &*link.id)
    }

    /// Whether it is asked where `request` is made, and about who makes it: of the links that name a
    /// place one has to fit, and of the others one.
    pub(super) fn is_linked_to(&self, request: &Request<'_>) -> bool {
        let is_here = match request.guard() {
            Some(name) => self.guards().any(|guard| guard == name),
            None => self.guards().next().is_none(),
        };
        let mut others = self.links.iter().filter(|link| !link.is_place()).peekable();
        is_here && (others.peek().is_none() || others.any(|link| link.fits(request)))
    }
}

impl Link {
    fn is_place(&self) -> bool {
        self.kind == LinkKind::Guard
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Rule;

    #[test]
    fn a_policy_is_asked_at_its_guards_or_at_resources_and_never_at_both() {
        let ann = (LinkKind::User, "ann");
        let people = (LinkKind::Guard, "people");
        let other = (LinkKind::Guard, "other");
        let bob = (LinkKind::User, "bob");
        let (at_guard, at_resource) =
            (json!({"guard": {"name": "people"}}), json!({"uri": "/User/ann"}));
        for (links, guard, resource) in [
            (&[][..], false, true),
            (&[ann], false, true),
            (&[people], true, false),
            (&[people, ann], true, false),
            (&[people, bob], false, false),
            (&[people, bob, ann], true, false),
            (&[other], false, false),
            (&[other, ann], false, false),
            (&[other, people], true, false),
            (&[bob], false, false),
        ] {
            let links =
                links.iter().map(|(kind, id)| Link { kind: *kind, id: (*id).to_owned() }).collect();
            let policy = Policy { id: "p".to_owned(), links, role: None, rule: Rule::Allow };
            let is_asked = |document| {
                policy.is_linked_to(&Request {
                    user: Some("ann"),
                    client: None,
                    roles: &[],
                    operation: None,
                    document,
                })
            };
            let is = (is_asked(&at_guard), is_asked(&at_resource));
            assert_eq!(is, (guard, resource), "{:?}", policy.links);
        }
    }
}
