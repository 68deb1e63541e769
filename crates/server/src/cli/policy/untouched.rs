//! Which policies, roles and scopes of the documents the cases needed.

use std::collections::BTreeMap;

use castellan_gate::{Caller, PersonTerm, PolicySaid, Rules, Says};
use castellan_issuer::tokens::verified::Live;
use castellan_proto::scope::{RequiredScope, Scope, Scopes};
use serde_json::Value;

/// The policies, and the scopes of roles and clients, of all documents; whether a case needed them.
#[derive(Default)]
pub(super) struct Touched(BTreeMap<String, bool>);

/// What one field needed.
pub(super) struct Needs<'a> {
    pub(super) caller: &'a Caller,
    pub(super) required: &'a str,
    pub(super) said: &'a [PolicySaid],
    pub(super) rules: &'a Rules,
}

impl Touched {
    /// Expects `resource`, which was applied and is shown as `document`, to be needed.
    pub(super) fn expect(&mut self, resource: &str, document: &Value) {
        match document["resourceType"].as_str() {
            Some("AccessPolicy") => drop(self.0.entry(resource.to_owned()).or_default()),
            Some("Role" | "Client") => {
                let scopes = document["scope"].as_array().into_iter().flatten();
                for scope in scopes.filter_map(Value::as_str) {
                    // What a named scope opens is said elsewhere: for an alias, by a guard.
                    if matches!(Scope::try_from(scope.to_owned()), Ok(Scope::Pattern(_))) {
                        self.0.entry(format!("{resource} {scope}")).or_default();
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes what a field of a guard needed: the policies that allowed or forbade it, and the scopes
    /// of the caller's roles and client that cover it.
    pub(super) fn note(&mut self, needs: &Needs<'_>) {
        self.note_policies(needs.said);
        let Ok(required) = RequiredScope::try_from(needs.required.to_owned()) else { return };
        let Some(identity) = needs.caller.identity() else { return };
        let covers = |scope: &Scope| {
            let one: Scopes = [scope.clone()].into_iter().collect();
            needs.rules.covers(&one, &required)
        };
        if let (Some(id), Some(scopes)) = (&identity.client_id, &identity.client_scopes) {
            scopes
                .iter()
                .filter(|scope| covers(scope))
                .for_each(|scope| self.touch("Client", id, scope));
        }
        if let PersonTerm::Roles(roles) = &identity.person_term {
            for role in &**roles {
                let found = role.scopes.iter().filter(|scope| covers(scope));
                found.for_each(|scope| self.touch("Role", &role.role, scope));
            }
        }
    }

    /// The same for reading a resource, which requires `right`.
    pub(super) fn note_resource(&mut self, live: &Live, right: &str, said: &[PolicySaid]) {
        self.note_policies(said);
        let Ok(right) = Scope::try_from(right.to_owned()) else { return };
        for scope in &live.client.scope {
            let one: Scopes = [scope.clone()].into_iter().collect();
            if one.cover(&right) {
                self.touch("Client", &live.client_id, scope);
            }
        }
    }

    fn note_policies(&mut self, said: &[PolicySaid]) {
        for one in said.iter().filter(|one| one.says != Says::Abstains) {
            if let Some(touched) = self.0.get_mut(&format!("AccessPolicy/{}", one.policy)) {
                *touched = true;
            }
        }
    }

    fn touch(&mut self, kind: &str, id: &str, scope: &Scope) {
        if let Some(touched) = self.0.get_mut(&format!("{kind}/{id} {}", scope.as_str())) {
            *touched = true;
        }
    }

    /// What no case needed.
    pub(super) fn rest(self) -> Vec<String> {
        self.0.into_iter().filter(|(_, touched)| !touched).map(|(rule, _)| rule).collect()
    }
}
