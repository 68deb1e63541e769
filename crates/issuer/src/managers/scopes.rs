//! The scope authorization manager (`docs/contracts/curity.md` §3.4).

use serde::Deserialize;

use super::{Operation, Refused, require_all};
use crate::tokens::verified::Live;

/// Allows operations by the scopes of the access token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ScopesManager {
    /// Scopes that the token must have, all of them. Default: none.
    pub required: Vec<String>,
    /// Scopes of which each allows reading.
    pub read: Vec<String>,
    /// Scopes of which each allows to create, update and delete.
    pub write: Vec<String>,
}

impl ScopesManager {
    pub(super) fn decide(&self, caller: &Live) -> Result<Vec<Operation>, Refused> {
        require_all(caller, &self.required)?;
        let has_any = |scopes: &[String]| scopes.iter().any(|scope| caller.may(scope));
        let mut operations = Vec::new();
        if has_any(&self.read) {
            operations.push(Operation::Read);
        }
        if has_any(&self.write) {
            operations.extend([Operation::Create, Operation::Update, Operation::Delete]);
        }
        if let (true, Some(scope)) =
            (operations.is_empty(), self.read.first().or(self.write.first()))
        {
            return Err(Refused::Scope(scope.clone()));
        }
        Ok(operations)
    }

    /// A scope that would allow one of `needs` and that `caller` lacks.
    pub(super) fn lacking(&self, caller: &Live, needs: &[Operation]) -> Option<&str> {
        let scopes = needs.iter().map(|need| match need {
            Operation::Read => &self.read,
            Operation::Create | Operation::Update | Operation::Delete => &self.write,
        });
        let mut lacking = scopes.filter(|scopes| !scopes.iter().any(|scope| caller.may(scope)));
        lacking.find_map(|scopes| scopes.first()).map(String::as_str)
    }
}
