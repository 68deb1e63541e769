//! Groups in access tokens (`docs/contracts/curity.md` §3.8).

use std::collections::BTreeMap;

use castellan_proto::scope::Scopes;
use serde::{Deserialize, Serialize};

/// A claim of access tokens that names groups of the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupsClaim {
    /// Its name.
    pub claim: GroupsClaimName,
    /// The scope that opens it: tokens without it do not have the claim.
    pub scope: String,
    /// The groups that it names, each with the name that it has there. Default: all, under their own
    /// names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<BTreeMap<String, String>>,
}

/// The claims that can name groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum GroupsClaimName {
    /// `groups` (RFC 9068 §2.2.3.1).
    #[serde(rename = "groups")]
    Groups,
    /// `urn:se:curity:claims:admin:groups`.
    #[serde(rename = "urn:se:curity:claims:admin:groups")]
    AdminGroups,
}

impl GroupsClaim {
    /// What tokens have unless something else is set: `groups`, for the scope of that name.
    #[must_use]
    pub fn standard() -> Vec<Self> {
        let scope = "groups".to_owned();
        vec![Self { claim: GroupsClaimName::Groups, scope, names: None }]
    }

    /// What the claim `name` of a token with `scope` says by `claims`, of a person in `groups`; `None`
    /// if the token does not have the claim.
    #[must_use]
    pub fn value(
        claims: &[Self],
        name: GroupsClaimName,
        scope: &Scopes,
        groups: &[String],
    ) -> Option<Vec<String>> {
        let has = |wanted: &str| scope.iter().any(|scope| scope.as_str() == wanted);
        let mut opened =
            claims.iter().filter(|one| one.claim == name && has(&one.scope)).peekable();
        opened.peek()?;
        let mut value = Vec::new();
        for name in opened.flat_map(|claim| groups.iter().filter_map(|one| claim.name_of(one))) {
            if !value.contains(&name) {
                value.push(name);
            }
        }
        Some(value)
    }

    /// What it calls `group`, if it names that.
    fn name_of(&self, group: &String) -> Option<String> {
        match &self.names {
            None => Some(group.clone()),
            Some(names) => names.get(group).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_there_for_its_scope_alone_and_names_what_it_is_to_name() {
        let names = [("boss".to_owned(), "admin".to_owned())].into();
        let claims = [
            GroupsClaim::standard(),
            vec![GroupsClaim {
                claim: GroupsClaimName::AdminGroups,
                scope: "urn:admin".to_owned(),
                names: Some(names),
            }],
        ]
        .concat();
        let groups = ["staff".to_owned(), "boss".to_owned()];
        for (scope, plain, admin) in [
            ("openid", None, None),
            ("groups", Some(vec!["staff", "boss"]), None),
            ("urn:admin", None, Some(vec!["admin"])),
            ("groups urn:admin", Some(vec!["staff", "boss"]), Some(vec!["admin"])),
        ] {
            let scope = Scopes::parse(scope).unwrap();
            for (name, expected) in
                [(GroupsClaimName::Groups, plain), (GroupsClaimName::AdminGroups, admin)]
            {
                let said = GroupsClaim::value(&claims, name, &scope, &groups);
                let expected = expected
                    .map(|names| names.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>());
                assert_eq!(said, expected, "{scope} {name:?}");
            }
        }
    }
}
