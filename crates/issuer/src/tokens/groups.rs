//! Groups in access tokens (`docs/contracts/curity.md` §3.8).

use castellan_proto::scope::Scopes;

use crate::{
    Issuer,
    records::{Client, GroupsClaim, GroupsClaimName},
};

/// The groups that a token names, by claim; `None` if it does not have the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenGroups {
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) admin_groups: Option<Vec<String>>,
}

impl TokenGroups {
    /// All of them; `None` if the token has neither claim.
    pub(crate) fn all(self) -> Option<Vec<String>> {
        let Self { groups, admin_groups } = self;
        let mut all = match (groups, admin_groups) {
            (None, None) => return None,
            (one, other) => [one.unwrap_or_default(), other.unwrap_or_default()].concat(),
        };
        all.sort_unstable();
        all.dedup();
        Some(all)
    }
}

impl Issuer {
    /// What a token of `client` with `scope` says of a person in `groups`.
    pub(crate) fn token_groups(
        &self,
        client: &Client,
        scope: &Scopes,
        groups: &[String],
    ) -> TokenGroups {
        let claims = client.groups_claims.as_ref().unwrap_or(&self.settings().groups_claims);
        let value = |name| GroupsClaim::value(claims, name, scope, groups);
        TokenGroups {
            groups: value(GroupsClaimName::Groups),
            admin_groups: value(GroupsClaimName::AdminGroups),
        }
    }
}
