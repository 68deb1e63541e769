//! The attribute authorization manager (`docs/contracts/curity.md` §3.5): which attributes of what an
//! API is about may be read and written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::tokens::verified::Live;

/// Allows reading and writing by attributes. It narrows what the other managers of the API allow; on
/// its own it decides alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AttributesManager {
    /// Lists of rules; the first that is for the token is used, and without one, the request is
    /// refused.
    pub lists: Vec<RuleList>,
}

/// Rules, and the tokens that they are for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RuleList {
    /// Scopes that the token must have, all of them. Default: none.
    pub scopes: Vec<String>,
    /// Groups of which the token must name one. Default: any token.
    pub groups: Vec<String>,
    /// Clients of which one must have the token. Default: any client.
    pub clients: Vec<String>,
    /// Whether attributes without a rule may be read. Default `false`.
    pub default_allow_read: bool,
    /// Whether attributes without a rule may be written, and things deleted. Default `false`.
    pub default_allow_write: bool,
    /// Whether only operations on the person of the token are allowed. Default `true`.
    pub require_subject_match: bool,
    /// What holds for an attribute, such as `name.givenName`, and all below it.
    pub rules: BTreeMap<String, AttributeRule>,
}

/// What may be done with an attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AttributeRule {
    /// Whether it may be read. Default `false`.
    pub read: bool,
    /// Whether it may be written. Default `false`.
    pub write: bool,
}

impl Default for RuleList {
    fn default() -> Self {
        Self {
            scopes: Vec::new(),
            groups: Vec::new(),
            clients: Vec::new(),
            default_allow_read: false,
            default_allow_write: false,
            require_subject_match: true,
            rules: BTreeMap::new(),
        }
    }
}

impl AttributesManager {
    /// The list for `caller`.
    pub(super) fn select(&self, caller: &Live) -> Option<&RuleList> {
        let has_scopes = |list: &&RuleList| list.scopes.iter().all(|scope| caller.may(scope));
        self.lists.iter().filter(has_scopes).find(|list| list.is_of(caller))
    }
}

impl AttributesManager {
    /// A scope that keeps `caller` from the first list whose groups and clients it meets.
    pub(super) fn lacking(&self, caller: &Live) -> Option<&str> {
        let scopes =
            self.lists.iter().filter(|list| list.is_of(caller)).flat_map(|list| &list.scopes);
        scopes.into_iter().find(|scope| !caller.may(scope)).map(String::as_str)
    }
}

impl RuleList {
    /// Whether its groups and clients are those of `caller`.
    fn is_of(&self, caller: &Live) -> bool {
        let groups = caller.groups.as_deref().unwrap_or_default();
        (self.groups.is_empty() || self.groups.iter().any(|one| groups.contains(one)))
            && (self.clients.is_empty() || self.clients.contains(&caller.client_id))
    }

    /// The rule for the attribute at `path`: its own, or the one of the nearest attribute above.
    fn rule(&self, path: &str) -> AttributeRule {
        let mut path = path;
        loop {
            if let Some(rule) = self.rules.get(path) {
                return *rule;
            }
            let Some((above, _)) = path.rsplit_once('.') else { break };
            path = above;
        }
        AttributeRule { read: self.default_allow_read, write: self.default_allow_write }
    }

    /// Whether the attribute at `path` may be read, or something below it.
    pub(super) fn may_read(&self, path: &str) -> bool {
        let is_below =
            |other: &str| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        self.rule(path).read || self.rules.iter().any(|(other, rule)| rule.read && is_below(other))
    }

    /// Whether something may be written that may not be read. Of a password, nobody reads anything.
    pub(super) fn writes_unseen(&self) -> bool {
        let rules = self.rules.iter().filter(|(path, _)| *path != "password");
        rules.into_iter().any(|(_, rule)| rule.write && !rule.read)
            || (self.default_allow_write && !self.default_allow_read)
    }

    /// Whether the attribute at `path` may be written.
    pub(super) fn may_write(&self, path: &str) -> bool {
        self.rule(path).write
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_holds_and_then_the_default() {
        let rule = |read, write| AttributeRule { read, write };
        let rules = [
            ("name", rule(true, false)),
            ("name.givenName", rule(true, true)),
            ("emails.value", rule(true, false)),
        ];
        let rules = rules.map(|(path, rule)| (path.to_owned(), rule)).into();
        let strict = RuleList { rules, ..RuleList::default() };
        let open = RuleList { default_allow_read: true, ..strict.clone() };
        for (path, read, write) in [
            ("name", true, false),
            ("name.familyName", true, false),
            ("name.givenName", true, true),
            // Something below it may be read.
            ("emails", true, false),
            ("emails.value", true, false),
            ("emails.primary", false, false),
            ("title", false, false),
            ("namesake", false, false),
        ] {
            assert_eq!((strict.may_read(path), strict.may_write(path)), (read, write), "{path}");
            assert!(open.may_read(path), "{path}");
        }
    }
}
