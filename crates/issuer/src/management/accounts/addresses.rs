//! Which e-mail address or telephone number is the primary one, and deleting the others
//! (`docs/contracts/curity.md` §6.2).

use serde_json::{Map, Value, json};

use super::{actor::Actor, error::AccountError};
use crate::{
    Issuer,
    records::{Account, Entry, login_name, phone_name, repository::Versioned},
};

/// An attribute with values at which a person is reached.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// Its member in documents.
    pub(super) member: &'static str,
    /// The member that has the primary value alone.
    effective: Option<&'static str>,
    pub(super) entries: fn(&Account) -> Vec<Entry>,
    /// What two values have in common that are the same, and the unique name of accounts with one.
    pub(super) folded: fn(&str) -> String,
}

pub(super) const EMAILS: Reach = Reach {
    member: "emails",
    effective: None,
    entries: Account::email_entries,
    folded: login_name,
};

pub(super) const PHONES: Reach = Reach {
    member: "phoneNumbers",
    effective: Some("phone_number"),
    entries: Account::phone_entries,
    folded: phone_name,
};

impl Issuer {
    /// Makes `email`, which the account `id` has, its primary address; `false` if it does not have it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn make_email_primary(
        &self,
        actor: &Actor,
        id: &str,
        email: &str,
    ) -> Result<bool, AccountError> {
        self.make_primary(actor, id, email, EMAILS).await
    }

    /// Deletes `email`, which is one of those of the account `id` and not its primary one; `false` if
    /// it is not.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_email(
        &self,
        actor: &Actor,
        id: &str,
        email: &str,
    ) -> Result<bool, AccountError> {
        self.delete_secondary(actor, id, email, EMAILS).await
    }

    /// Makes `number`, which the account `id` has, its primary one; `false` if it does not have it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not: another account may have it as its primary one.
    pub async fn make_phone_primary(
        &self,
        actor: &Actor,
        id: &str,
        number: &str,
    ) -> Result<bool, AccountError> {
        let is_made = self.make_primary(actor, id, number, PHONES).await?;
        if !is_made && self.account_by_phone_number(number).await?.is_some() {
            return Err(AccountError::of_clash(&phone_name(number), ""));
        }
        Ok(is_made)
    }

    /// Deletes `number`, which is one of those of the account `id` and not its primary one; `false` if
    /// it is not.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_phone(
        &self,
        actor: &Actor,
        id: &str,
        number: &str,
    ) -> Result<bool, AccountError> {
        self.delete_secondary(actor, id, number, PHONES).await
    }

    async fn make_primary(
        &self,
        actor: &Actor,
        id: &str,
        value: &str,
        reach: Reach,
    ) -> Result<bool, AccountError> {
        let wanted = (reach.folded)(value);
        let is_it = |entry: &Entry| (reach.folded)(&entry.value) == wanted;
        let change = |stored: &Versioned<Account>, members: &mut Map<String, Value>| {
            let mut entries = (reach.entries)(&stored.body);
            let Some(at) = entries.iter().position(is_it) else { return Ok(false) };
            for (other, entry) in entries.iter_mut().enumerate() {
                entry.primary = other == at;
            }
            write(members, &entries, reach);
            Ok(true)
        };
        self.rewrite_account(actor, id, change).await
    }

    async fn delete_secondary(
        &self,
        actor: &Actor,
        id: &str,
        value: &str,
        reach: Reach,
    ) -> Result<bool, AccountError> {
        let wanted = (reach.folded)(value);
        let change = |stored: &Versioned<Account>, members: &mut Map<String, Value>| {
            let mut entries = (reach.entries)(&stored.body);
            let is_it = |entry: &Entry| (reach.folded)(&entry.value) == wanted;
            let is_primary = entries.first().is_some_and(is_it);
            let before = entries.len();
            entries.retain(|entry| !is_it(entry));
            if is_primary || entries.len() == before {
                return Ok(false);
            }
            write(members, &entries, reach);
            Ok(true)
        };
        match self.rewrite_account(actor, id, change).await {
            // Nothing is to be deleted of an account that does not exist
            // (`docs/contracts/curity.md` §4.4).
            Err(AccountError::NotFound(_)) => Ok(false),
            outcome => outcome,
        }
    }
}

pub(super) fn write(members: &mut Map<String, Value>, entries: &[Entry], reach: Reach) {
    if let Some(effective) = reach.effective {
        members.shift_remove(effective);
    }
    members.insert(reach.member.to_owned(), json!(entries));
}
