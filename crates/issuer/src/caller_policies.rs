//! What the policies of a site say about the requests of one caller (`docs/contracts/aidbox.md` §8).
//! Resources and guards ask here alike.

use std::sync::{Arc, OnceLock};

use castellan_proto::scope::{RoleScopes, Scopes};
use serde_json::{Value, json};

use crate::{
    Issuer,
    cache::policies::Policies,
    policy::{self, Said},
    records::{Account, Client},
    resources::{ClientDocument, Resource as _, UserDocument},
    store::StoreError,
};

/// Who calls, as far as policies see it.
#[derive(Clone, Debug, Default)]
pub struct PolicySubject {
    /// The person, with the account's id.
    pub user: Option<(String, Arc<Account>)>,
    /// The client, with its id.
    pub client: Option<(String, Arc<Client>)>,
    /// The API key or machine user: its kind as guards name it, and its id.
    pub credential: Option<(&'static str, String)>,
    /// The session: what was issued from one authorization.
    pub session: Option<String>,
    /// What was granted.
    pub scope: Option<Scopes>,
}

/// The policies of a site as they are at one moment, for one caller.
pub struct CallerPolicies {
    policies: Arc<Policies>,
    subject: PolicySubject,
    roles: Arc<[RoleScopes]>,
    site: Arc<str>,
    /// The caller as requests show them, made when it is first needed.
    shown: OnceLock<Value>,
}

impl Issuer {
    /// The policies of this site for `subject`, without a round trip as long as none of them changed,
    /// nor a role.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails, or has a policy that this version cannot read: what it
    /// would say is unknown.
    pub async fn policies_for(&self, subject: PolicySubject) -> Result<CallerPolicies, StoreError> {
        let policies = self.policies().await?;
        policies.all()?;
        let roles = match &subject.user {
            Some((id, account)) => self.standing(id, account).await?.roles,
            None => Arc::default(),
        };
        let site = Arc::clone(self.repository().site());
        Ok(CallerPolicies { policies, subject, roles, site, shown: OnceLock::new() })
    }
}

impl CallerPolicies {
    /// Whether these are the policies of `other`, and the caller looks the same to them.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.policies, &other.policies)
            && self.roles == other.roles
            && self.site == other.site
            && self.shown.get_or_init(|| self.show()) == other.shown.get_or_init(|| other.show())
    }

    /// What the policies say about `request` to do `operation`, in the order of their ids
    /// ([`policy::evaluate`]). The caller, the site and the operation's id are added here.
    #[must_use]
    pub fn ask(&self, operation: &str, mut request: Value) -> Vec<Said> {
        // Checked when they were taken up.
        let Ok(policies) = self.policies.all() else { return Vec::new() };
        let shown = self.shown.get_or_init(|| self.show());
        for (member, value) in shown.as_object().into_iter().flatten() {
            request[member] = value.clone();
        }
        request["operation"]["id"] = json!(operation);
        let roles: Vec<&str> = self.roles.iter().map(|role| &*role.role).collect();
        let asked = policy::Request {
            user: self.subject.user.as_ref().map(|(id, _)| &**id),
            client: self.subject.client.as_ref().map(|(id, _)| &**id),
            roles: &roles,
            operation: Some(operation),
            document: &request,
        };
        policy::evaluate(policies, &asked)
    }

    fn show(&self) -> Value {
        let PolicySubject { user, client, credential, session, scope } = &self.subject;
        let roles: Vec<&str> = self.roles.iter().map(|role| &*role.role).collect();
        let mut shown = json!({"role": roles, "site": {"id": &*self.site}});
        if let Some((id, account)) = user {
            shown["user"] = UserDocument::show(id, account);
        }
        if let Some((id, client)) = client {
            shown["client"] = ClientDocument::show(id, client);
        }
        if let Some((kind, id)) = credential {
            shown["credential"] = json!({"kind": kind, "id": id});
        }
        if let Some(id) = session {
            shown["session"]["id"] = json!(id);
        }
        if let Some(scope) = scope {
            shown["session"]["scope"] = json!(scope.to_string());
        }
        shown
    }
}
