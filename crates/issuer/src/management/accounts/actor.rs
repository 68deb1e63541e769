//! Who calls, as far as it matters for what they may do to an account.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::AccountError;
use crate::{
    Issuer,
    records::{Account, Entry, Group, login_name, phone_name},
    rights::Right,
    store::StoreError,
    tokens::verified::Live,
};

/// Who calls. The manager of the API has allowed the operation; this says what they may do with it,
/// since nobody can grant what they do not have.
#[derive(Clone, Debug, Default)]
pub struct Actor {
    account: Option<String>,
    groups: Vec<String>,
    is_administrator: bool,
    /// People whom roles name that the caller does not have, or policies.
    named: HashSet<String>,
    /// The address or number that was just verified.
    proven: Option<String>,
}

/// What people sign in with, or by which they get a new password.
const SIGN_IN: [&str; 4] = ["password", "userName", "emails", "phoneNumbers"];

/// The values of an attribute.
type Entries = fn(&Account) -> Vec<Entry>;

/// By what values are equal.
type Fold = fn(&str) -> String;

impl Issuer {
    /// Who `caller` is.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn actor(&self, caller: &Live) -> Result<Actor, StoreError> {
        let account = caller.account.as_ref();
        let is_administrator = self.authorize_admin(caller, Right::Write).is_ok();
        let person = account.map(|(id, account)| (&**id, &**account));
        let mut named = HashSet::new();
        if !is_administrator {
            named = self.whole(self.roles()).await?.named_beyond(person);
            named.extend(self.policies().await?.named()?.map(ToOwned::to_owned));
        }
        Ok(Actor {
            account: account.map(|(id, _)| id.clone()),
            groups: account.map(|(_, account)| account.groups.clone()).unwrap_or_default(),
            is_administrator,
            named,
            proven: None,
        })
    }
}

impl Actor {
    /// The same, who counts as being in `groups` besides: the configuration lets them put people there.
    #[must_use]
    pub fn acting_for(mut self, groups: &[String]) -> Self {
        self.groups.extend(groups.iter().cloned());
        self
    }

    /// Whether they may administer Castellan.
    pub(in crate::management) const fn is_administrator(&self) -> bool {
        self.is_administrator
    }

    /// Whoever operates this server, and may do everything.
    #[must_use]
    pub fn operator() -> Self {
        Self { is_administrator: true, ..Self::default() }
    }

    /// Whether it is the person `id` themselves.
    fn is(&self, id: &str) -> bool {
        self.account.as_deref() == Some(id)
    }

    /// The same, after it was verified that `value` is the account's: the only way to say so for
    /// those who are no administrators (`docs/security-cases.md` row 16).
    pub(super) fn proving(&self, value: &str) -> Self {
        Self { proven: Some(value.to_owned()), ..self.clone() }
    }

    /// Whether they may change the account `id`: those of administrators are changed by
    /// administrators, and by themselves.
    ///
    /// # Errors
    /// [`AccountError::Denied`] if not.
    pub(in crate::management) fn may_touch(
        &self,
        id: &str,
        account: &Account,
    ) -> Result<(), AccountError> {
        if !account.is_administrator() || self.is_administrator || self.is(id) {
            Ok(())
        } else {
            Err(AccountError::Denied(None))
        }
    }

    /// Whether they may change what the person of the account `id` signs in with, or shows as a second
    /// factor: who does can sign in as them, so the person must be in no group that the caller is not
    /// in, and named by no role that the caller does not have, and by no policy.
    ///
    /// # Errors
    /// [`AccountError::Denied`] if not.
    pub(super) fn may_open(&self, id: &str, account: &Account) -> Result<(), AccountError> {
        self.may_touch(id, account)?;
        let is_in = |group: &String| self.groups.contains(group);
        let has_no_more = || account.groups.iter().all(is_in) && !self.named.contains(id);
        if self.is_administrator || self.is(id) || has_no_more() {
            Ok(())
        } else {
            Err(AccountError::Denied(None))
        }
    }

    /// Whether they may delete the account `id`: that takes its person out of all groups, and frees what
    /// they sign in with for somebody else.
    ///
    /// # Errors
    /// [`AccountError::Denied`] if not.
    pub(super) fn may_delete(&self, id: &str, account: &Account) -> Result<(), AccountError> {
        self.may_open(id, account)
    }

    /// Whether they may change these `fields` of the account `id`, some of which are what its person
    /// signs in with.
    ///
    /// # Errors
    /// [`AccountError::Denied`] naming the field, if not.
    pub(in crate::management) fn may_change(
        &self,
        id: &str,
        account: &Account,
        fields: &Map<String, Value>,
    ) -> Result<(), AccountError> {
        self.may_touch(id, account)?;
        let opens = SIGN_IN.into_iter().find(|name| fields.contains_key(*name));
        match opens {
            Some(field) if self.may_open(id, account).is_err() => {
                Err(AccountError::Denied(Some(field)))
            }
            _ => Ok(()),
        }
    }

    /// Whether they may put people into `group` and take them out: who could take somebody out of any
    /// group could afterwards [open](Self::may_open) their account. Of administrators, those alone
    /// decide whose token may administer.
    pub(in crate::management) fn may_regroup(&self, group: &String) -> bool {
        let is_theirs = self.groups.contains(group) && group != Group::ADMINISTRATORS;
        self.is_administrator || is_theirs
    }

    /// Whether they may make `after` of the account `id`, which was `before`: put it into groups that
    /// they are not in themselves, or take it out of these, and, as the person themselves, say that
    /// something was verified.
    ///
    /// # Errors
    /// [`AccountError::Denied`] naming the field, if not.
    pub(in crate::management) fn may_write(
        &self,
        id: &str,
        before: Option<&Account>,
        after: &Account,
    ) -> Result<(), AccountError> {
        if self.is_administrator {
            return Ok(());
        }
        let earlier = before.map(|before| &*before.groups).unwrap_or_default();
        let is_changed = |group: &String| earlier.contains(group) != after.groups.contains(group);
        let mut groups = earlier.iter().chain(&after.groups);
        if groups.any(|group| is_changed(group) && !self.may_regroup(group)) {
            return Err(AccountError::Denied(Some("groups")));
        }
        let verified: [(&'static str, Entries, Fold); 2] = [
            ("emails", Account::email_entries, login_name),
            ("phoneNumbers", Account::phone_entries, phone_name),
        ];
        for (field, entries, folded) in verified {
            let known = before.map(entries).unwrap_or_default();
            let known = known.iter().filter(|one| one.is_verified()).map(|one| &one.value);
            let known: Vec<String> = known.chain(&self.proven).map(|value| folded(value)).collect();
            let was = |entry: &Entry| known.contains(&folded(&entry.value));
            if entries(after).iter().any(|entry| entry.is_verified() && !was(entry)) {
                return Err(AccountError::Denied(Some(field)));
            }
        }
        if !self.is(id) {
            return Ok(());
        }
        // What Castellan gives no meaning may have one elsewhere.
        let given: [(&'static str, Entries); 2] = [
            ("entitlements", |account| account.attributes.entitlements.clone()),
            ("roles", |account| account.attributes.roles.clone()),
        ];
        for (field, entries) in given {
            let known = before.map(entries).unwrap_or_default();
            let had = |entry: &Entry| known.iter().any(|one| one.value == entry.value);
            if !entries(after).iter().all(had) {
                return Err(AccountError::Denied(Some(field)));
            }
        }
        Ok(())
    }
}
