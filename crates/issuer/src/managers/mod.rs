//! Authorization managers of the management APIs (`docs/contracts/curity.md` §§3.3 to 3.6): which
//! operations a token allows. They are values that the configuration makes, and are asked through
//! [`rights`](crate::rights) alone.

mod groups;

use serde::Deserialize;

use crate::tokens::verified::Live;

pub use groups::GroupsManager;

/// What an operation of a management API does (`docs/contracts/curity.md` §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It makes something new.
    Create,
    /// It reads.
    Read,
    /// It changes something.
    Update,
    /// It removes something.
    Delete,
}

impl Operation {
    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// The managers of one API. Without any, every request is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers {
    /// Decides by the groups in the token.
    pub groups: Option<GroupsManager>,
}

/// What a token allows at one API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    operations: Vec<Operation>,
}

/// Why a token allows nothing at an API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A scope is missing that every request needs.
    #[error("the access token lacks the scope {0}")]
    Scope(String),
    /// No manager is configured, or none of its rules allows anything.
    #[error("no rule allows it")]
    NoRule,
}

impl Permissions {
    /// Those for `operations`, each once.
    fn of(operations: impl Iterator<Item = Operation>) -> Self {
        let mut operations: Vec<_> = operations.collect();
        operations.sort_unstable();
        operations.dedup();
        Self { operations }
    }

    /// Whether the token may do what `operation` does.
    #[must_use]
    pub fn allow(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

impl Managers {
    /// What the managers allow `caller`.
    ///
    /// # Errors
    /// [`Refused`] if that is nothing at all.
    pub(crate) fn decide(&self, caller: &Live) -> Result<Permissions, Refused> {
        let Some(groups) = &self.groups else { return Err(Refused::NoRule) };
        let permissions = groups.decide(caller)?;
        if permissions.operations.is_empty() { Err(Refused::NoRule) } else { Ok(permissions) }
    }
}

/// Whether the token and its client have each of `scopes`.
fn require_all(caller: &Live, scopes: &[String]) -> Result<(), Refused> {
    match scopes.iter().find(|scope| !caller.may(scope)) {
        Some(missing) => Err(Refused::Scope(missing.clone())),
        None => Ok(()),
    }
}
