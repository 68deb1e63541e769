//! Nobody gives a client what they do not have themselves, or takes over one that has more. A manager
//! that lets somebody call the API says nothing of that.

use castellan_proto::scope::{Scope, Scopes};
use serde_json::Value;

use super::{ClientError, DatabaseClients, validate, writing::Writing};
use crate::{
    records::{Client, GrantName, IntrospectionReach},
    rights::Right,
};

/// Scopes that say what an app is told about the person who signs in, who is asked for that.
const ABOUT_PEOPLE: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];

impl DatabaseClients<'_> {
    /// The subject of the caller's token.
    pub(super) fn subject(&self) -> &str {
        self.caller.account.as_ref().map_or(&self.caller.client_id, |(id, _)| id)
    }

    /// Whether the caller may write any `Client`, as at `/Client`.
    pub(super) fn administers(&self) -> bool {
        self.issuer.authorize_admin(self.caller, Right::Write).is_ok()
    }

    /// Whether the caller may write what `writing` says over `before`.
    pub(super) async fn check_rights(
        &self,
        before: Option<&Client>,
        writing: &Writing<'_>,
    ) -> Result<(), ClientError> {
        if let Some(before) = before {
            self.check_touches(before)?;
        }
        if !validate::gives_power(writing) {
            return Ok(());
        }
        if before.is_some_and(is_trusted) && !self.administers() {
            return Err(ClientError::Denied("client_id"));
        }
        let scopes = writing.value("scopes").and_then(Value::as_array);
        let scopes = scopes.into_iter().flatten().filter_map(Value::as_str);
        let scopes = scopes.filter_map(|scope| Scope::try_from(scope.to_owned()).ok());
        let acts_alone = writing.member("capabilities", "client_credentials").is_some();
        self.check_has(&scopes.collect(), acts_alone).await
    }

    /// Whether the caller may come to what `client` has.
    pub(super) async fn check_takes_over(&self, client: &Client) -> Result<(), ClientError> {
        let acts_alone = client.grants.has(&GrantName::CLIENT_CREDENTIALS);
        self.check_ends(client)?;
        self.check_has(&client.scope, acts_alone).await
    }

    /// Whether the caller may end what `client` does, or give it to somebody else: what people sign in to
    /// without being asked is an administrator's.
    pub(super) fn check_ends(&self, client: &Client) -> Result<(), ClientError> {
        self.check_touches(client)?;
        if is_trusted(client) && !self.administers() {
            return Err(ClientError::Denied("client_id"));
        }
        Ok(())
    }

    /// Clients that have rights of Castellan itself are for administrators alone.
    pub(super) fn check_touches(&self, client: &Client) -> Result<(), ClientError> {
        if reaches_own_rights(&client.scope) && !self.administers() {
            return Err(ClientError::Denied("client_id"));
        }
        Ok(())
    }

    /// Whether the caller has all of `scopes`. A client that acts for itself has them without the
    /// limits that roles set to a person.
    async fn check_has(&self, scopes: &Scopes, acts_alone: bool) -> Result<(), ClientError> {
        if self.administers() {
            return Ok(());
        }
        let is_about =
            |scope: &Scope| matches!(scope, Scope::Named(name) if ABOUT_PEOPLE.contains(&&**name));
        let given: Scopes = scopes.iter().filter(|scope| !is_about(scope)).cloned().collect();
        let denied = Err(ClientError::Denied("scopes"));
        let caller = self.caller;
        let has = |scope: &Scope| caller.scope.cover(scope) && caller.client.scope.cover(scope);
        if reaches_own_rights(&given) || !given.iter().all(has) {
            return denied;
        }
        let person = caller.account.as_ref().filter(|_| acts_alone);
        let Some((id, account)) = person else { return Ok(()) };
        match self.issuer.beyond_roles(id, account, &given).await? {
            None => Ok(()),
            Some(_) => denied,
        }
    }
}

/// Whether an administrator trusted it with more than scopes: to do without consent, to read tokens of
/// others, or to have the groups of people in its tokens.
fn is_trusted(client: &Client) -> bool {
    let reads = client.introspection_reach == IntrospectionReach::Any;
    let names_groups = client.groups_claims.is_some();
    client.first_party || reads || names_groups || !client.own_resources.is_empty()
}

fn reaches_own_rights(scopes: &Scopes) -> bool {
    scopes
        .iter()
        .any(|scope| matches!(scope, Scope::Pattern(pattern) if pattern.reaches_own_rights()))
}
