//! Castellan's own rights (`docs/rules.md` rule 23): who may read and write its resources.
//!
//! Every administrative surface asks here, so that none of them is stricter or laxer than another.

use castellan_proto::scope::{Scope, Scopes};

use crate::{Issuer, resources::ResourceKind, tokens::verified::Live};

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read resources of one kind: `Castellan:<Kind>:Read`.
    Read(ResourceKind),
    /// Write or delete resources of any kind. This can give any right to anybody, so it requires
    /// the whole of `Castellan:*`.
    Write,
}

/// Why a caller is not authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthorized {
    /// The token is for another audience: here it says nothing about who calls.
    #[error("the access token is not for this server")]
    Audience,
    /// The token, its client or the person lacks the right.
    #[error("the caller lacks the right")]
    Forbidden,
}

impl Right {
    /// The scope that grants it.
    fn scope(self) -> Option<Scope> {
        let scope = match self {
            Self::Read(kind) => format!("Castellan:{}:Read", kind.as_str()),
            Self::Write => "Castellan:*".to_owned(),
        };
        Scope::try_from(scope).ok()
    }
}

impl Issuer {
    /// Whether `caller` has `right` at this site: the token is for the issuer itself, the scopes of
    /// both the token and its client cover the right, and a person is an administrator.
    ///
    /// # Errors
    /// [`NotAuthorized`] if the caller does not have the right.
    pub fn authorize_admin(&self, caller: &Live, right: Right) -> Result<(), NotAuthorized> {
        if !caller.audience.contains(&self.address().issuer) {
            return Err(NotAuthorized::Audience);
        }
        let wanted = right.scope().ok_or(NotAuthorized::Forbidden)?;
        let covers = |scopes: &Scopes| scopes.cover(&wanted);
        let person = caller.account.as_ref().is_none_or(|(_, account)| account.is_administrator());
        if covers(&caller.scope) && covers(&caller.client.scope) && person {
            Ok(())
        } else {
            Err(NotAuthorized::Forbidden)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::ROSTER;

    #[test]
    fn every_kind_of_resource_has_a_right_of_its_own() {
        let mut scopes: Vec<_> =
            ROSTER.iter().map(|kind| Right::Read(*kind).scope().unwrap().to_string()).collect();
        assert_eq!(scopes[0], "Castellan:User:Read");
        scopes.sort_unstable();
        scopes.dedup();
        assert_eq!(scopes.len(), ROSTER.len());
        assert_eq!(Right::Write.scope().unwrap().to_string(), "Castellan:*");
    }
}
