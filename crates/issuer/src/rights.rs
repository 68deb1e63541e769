//! Castellan's own rights (`docs/rules.md` rule 23): who may read and write its resources.
//!
//! Every administrative surface asks here, so that none of them is stricter or laxer than another.

use std::sync::Arc;

use castellan_proto::scope::{Scope, Scopes};
use serde_json::Value;

use crate::{
    Issuer,
    caller_policies::PolicySubject,
    managers::{Managers, Permissions, Refused},
    policy::Said,
    records::Client,
    resources::ResourceKind,
    store::StoreError,
    tokens::verified::Live,
};

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read resources of one kind: `Castellan:<Kind>:Read`.
    Read(ResourceKind),
    /// Write or delete resources of any kind. This can give any right to anybody, so it requires
    /// the whole of `Castellan:*`.
    Write,
    /// Test policies: `Castellan:AccessPolicy:Test`.
    TestPolicies,
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
    /// Token and client have the right, and the person is not an administrator: policies may allow
    /// a request nevertheless.
    #[error("the person is not an administrator")]
    Person,
}

/// Why a caller can do nothing at a management API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagementRefused {
    /// The token is for another audience: here it says nothing about who calls.
    #[error("the access token is not for this server")]
    Audience,
    /// The managers refuse it.
    #[error(transparent)]
    Manager(#[from] Refused),
}

impl Right {
    /// The scope that grants it.
    fn scope(self) -> Option<Scope> {
        let scope = match self {
            Self::Read(kind) => format!("Castellan:{}:Read", kind.as_str()),
            Self::Write => "Castellan:*".to_owned(),
            Self::TestPolicies => "Castellan:AccessPolicy:Test".to_owned(),
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
        if !covers(&caller.scope) || !covers(&caller.client.scope) {
            Err(NotAuthorized::Forbidden)
        } else if person {
            Ok(())
        } else {
            Err(NotAuthorized::Person)
        }
    }

    /// What `managers` allow `caller` at a management API of this site
    /// (`docs/contracts/curity.md` §3.2).
    ///
    /// # Errors
    /// [`ManagementRefused`] if that is nothing at all.
    pub fn authorize_management(
        &self,
        caller: &Live,
        managers: &Managers,
    ) -> Result<Permissions, ManagementRefused> {
        if !caller.audience.contains(&self.address().issuer) {
            return Err(ManagementRefused::Audience);
        }
        Ok(managers.decide(caller)?)
    }

    /// Whether a client that showed its secret itself has `right` at this site.
    ///
    /// # Errors
    /// [`NotAuthorized::Forbidden`] if its scopes do not cover the right.
    pub fn authorize_client(client: &Client, right: Right) -> Result<(), NotAuthorized> {
        let wanted = right.scope().ok_or(NotAuthorized::Forbidden)?;
        if client.scope.cover(&wanted) { Ok(()) } else { Err(NotAuthorized::Forbidden) }
    }

    /// What the policies of this site say about a request of `caller`, in the order of their ids
    /// ([`crate::policy::evaluate`]). `request` is the request as far as the caller knows it; the
    /// person, the client and the operation are added here (`docs/contracts/aidbox.md` §8).
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has a policy that this version cannot read: then
    /// nothing is allowed.
    pub async fn ask_policies(
        &self,
        caller: &Live,
        operation: &str,
        request: Value,
    ) -> Result<Vec<Said>, StoreError> {
        let subject = PolicySubject {
            user: caller.account.clone(),
            client: Some((caller.client_id.clone(), Arc::clone(&caller.client))),
            session: Some(caller.family_id.clone()),
            scope: Some(caller.scope.clone()),
            credential: None,
        };
        Ok(self.policies_for(subject).await?.ask(operation, request))
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
