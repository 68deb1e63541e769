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
    records::{Account, Client},
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
    /// Have tokens explained: `Castellan:Token:Explain`.
    ExplainTokens,
    /// See the symmetric keys of clients: `Castellan:Client:ReadKeys`.
    ReadClientKeys,
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

/// The group of administrators.
const ADMINISTRATORS: &str = "administrators";
/// Scopes that say something about whoever signs in, and open nothing else (OIDC Core §5.4).
const ABOUT_THE_PERSON: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];

impl Right {
    /// The scope that grants it.
    fn scope(self) -> Option<Scope> {
        let scope = match self {
            Self::Read(kind) => format!("Castellan:{}:Read", kind.as_str()),
            Self::Write => "Castellan:*".to_owned(),
            Self::TestPolicies => "Castellan:AccessPolicy:Test".to_owned(),
            Self::ExplainTokens => "Castellan:Token:Explain".to_owned(),
            Self::ReadClientKeys => "Castellan:Client:ReadKeys".to_owned(),
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

    /// Whether `caller` may write resources of any kind.
    #[must_use]
    pub fn may_administer(&self, caller: &Live) -> bool {
        self.authorize_admin(caller, Right::Write).is_ok()
    }

    /// The first of the groups `added` that `caller` may not put anybody into: nobody grants what
    /// they do not have, so that those are groups in which the caller is not.
    #[must_use]
    pub fn ungrantable_group<'a>(&self, caller: &Live, added: &'a [String]) -> Option<&'a str> {
        if self.may_administer(caller) {
            return None;
        }
        let own = caller.account.as_ref().map_or(&[][..], |(_, account)| &account.groups);
        let is_grantable = |group: &String| group != ADMINISTRATORS && own.contains(group);
        added.iter().find(|group| !is_grantable(group)).map(String::as_str)
    }

    /// The first of the scopes `added` that `caller` may not give a client: nobody grants what they
    /// do not have, except scopes that are about the person who signs in.
    #[must_use]
    pub fn ungrantable_scope<'a>(&self, caller: &Live, added: &'a Scopes) -> Option<&'a Scope> {
        if self.may_administer(caller) {
            return None;
        }
        let is_own = |scope: &Scope| scope.as_str().starts_with("Castellan:");
        let is_grantable = |scope: &Scope| {
            let held = caller.scope.cover(scope) && caller.client.scope.cover(scope);
            !is_own(scope) && (held || ABOUT_THE_PERSON.contains(&scope.as_str()))
        };
        added.iter().find(|scope| !is_grantable(scope))
    }

    /// Whether `caller` may change the account `id` at all: those of administrators are for
    /// administrators, and for themselves.
    #[must_use]
    pub fn may_change_account(&self, caller: &Live, id: &str, account: &Account) -> bool {
        let is_own = || caller.account.as_ref().is_some_and(|(own, _)| own == id);
        !account.is_administrator() || is_own() || self.may_administer(caller)
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
