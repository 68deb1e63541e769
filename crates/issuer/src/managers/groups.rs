//! The groups authorization manager (`docs/contracts/curity.md` §3.3).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Operation, Refused, require_all};
use crate::tokens::verified::Live;

/// Stands for every group. A token without groups is in none.
const ANY_GROUP: &str = "*";

/// Allows operations by the groups that the access token names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct GroupsManager {
    /// Scopes that the token must have, all of them. Default: none.
    pub scopes: Vec<String>,
    /// What each group may do; `*` stands for every group. A token may do what any of its groups may.
    pub rules: BTreeMap<String, Vec<Operation>>,
}

impl GroupsManager {
    pub(super) fn decide(&self, caller: &Live) -> Result<Vec<Operation>, Refused> {
        require_all(caller, &self.scopes)?;
        Ok(self.of_groups(caller.groups.as_deref().unwrap_or_default()))
    }

    fn of_groups(&self, groups: &[String]) -> Vec<Operation> {
        let is_in_any = groups.iter().any(|own| !own.trim().is_empty());
        let is_theirs =
            |name: &str| is_in_any && (name == ANY_GROUP || groups.iter().any(|own| own == name));
        let theirs = self.rules.iter().filter(|(name, _)| is_theirs(name));
        theirs.flat_map(|(_, operations)| operations.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_do_what_any_of_its_groups_may() {
        use Operation::{Create, Delete, Read, Update};
        let rules = [
            ("admin", vec![Create, Read, Update, Delete]),
            ("user", vec![Read]),
            ("creator", vec![Create]),
            ("developers", vec![]),
        ];
        let rules = rules.map(|(name, operations)| (name.to_owned(), operations)).into();
        let manager = GroupsManager { rules, ..GroupsManager::default() };
        for (groups, allowed) in [
            (&["admin"][..], &[Create, Read, Update, Delete][..]),
            (&["user"], &[Read]),
            (&["creator"], &[Create]),
            (&["creator", "user", "other"], &[Create, Read]),
            (&["developers"], &[]),
            (&["other"], &[]),
            (&["*"], &[]),
            (&[], &[]),
        ] {
            let groups: Vec<_> = groups.iter().map(|&group| group.to_owned()).collect();
            let permissions = manager.of_groups(&groups);
            for operation in [Create, Read, Update, Delete] {
                let expected = allowed.contains(&operation);
                assert_eq!(permissions.contains(&operation), expected, "{groups:?} {operation:?}");
            }
        }
    }

    #[test]
    fn the_wildcard_needs_some_group() {
        let rules = [("*".to_owned(), vec![Operation::Read])].into();
        let manager = GroupsManager { rules, ..GroupsManager::default() };
        assert!(manager.of_groups(&["unheard of".to_owned()]).contains(&Operation::Read));
        assert!(!manager.of_groups(&[]).contains(&Operation::Read));
        assert!(!manager.of_groups(&[String::new()]).contains(&Operation::Read));
    }
}
