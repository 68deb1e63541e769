//! What is left of scopes for a person, who may do what their roles allow.

use std::collections::BTreeMap;

use super::{Scope, ScopePattern, Scopes};

/// The patterns that named scopes represent at one guard.
pub type Aliases = BTreeMap<String, Vec<ScopePattern>>;

/// What one role of a person allows, under the role's id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RoleScopes {
    /// The role's id.
    pub role: String,
    /// What people with this role may do.
    pub scopes: Scopes,
}

/// What is left of `scopes` for a person with `roles`: the named scopes that are no alias, and of
/// the patterns those that the roles allow as well.
#[must_use]
pub fn within_roles(scopes: &Scopes, roles: &[RoleScopes], aliases: &Aliases) -> Scopes {
    let (names, rest): (Vec<_>, Vec<_>) = scopes
        .iter()
        .cloned()
        .partition(|scope| matches!(scope, Scope::Named(name) if !aliases.contains_key(name)));
    let theirs: Scopes = roles.iter().flat_map(|role| role.scopes.iter().cloned()).collect();
    let rest: Scopes = rest.into_iter().collect();
    let both = rest.intersection(&theirs);
    // What is left of an alias that only one side has by its name are its patterns.
    let patterns = expand(&rest, aliases).intersection(&expand(&theirs, aliases));
    let more = patterns.iter().filter(|scope| !expand(&both, aliases).cover(scope)).cloned();
    names.into_iter().chain(both.iter().cloned()).chain(more).collect()
}

/// `scopes` with what each named scope represents in its place.
fn expand(scopes: &Scopes, aliases: &Aliases) -> Scopes {
    let patterns = |scope: &Scope| match scope {
        Scope::Pattern(_) => vec![scope.clone()],
        Scope::Named(name) => {
            let patterns = aliases.get(name).into_iter().flatten();
            patterns.cloned().map(Scope::Pattern).collect()
        }
    };
    scopes.iter().flat_map(patterns).collect()
}
