//! The credential policy, and its state for an account (`docs/contracts/curity.md` §§6.1, 6.2, 6.4).

use castellan_proto::Timestamp;
use serde_json::{Value, json};

use super::{actor::Actor, error::AccountError};
use crate::{
    Issuer,
    records::{Account, Attached, login_name, repository::Versioned},
    secrets::credential_policy::Rule,
    store::StoreError,
};

/// What is to change about the state of an account; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct CredentialChange {
    /// Whether the password has to be changed before the next sign-in.
    pub reset_required: Option<bool>,
    /// How many earlier passwords are remembered at most.
    pub history: Option<usize>,
    /// From when on the age of the password counts.
    pub age_from: Option<Timestamp>,
    /// Since when guesses are refused; nothing within: they are not.
    pub locked_at: Option<Option<Timestamp>>,
}

impl Issuer {
    /// Whether the site has a credential policy.
    #[must_use]
    pub fn has_credential_policy(&self) -> bool {
        self.settings().secrets.credential.is_some()
    }

    /// The rules for new passwords; null if there is no policy.
    #[must_use]
    pub fn credential_policy(&self) -> Value {
        let Some(rules) = self.settings().secrets.password_rules() else { return Value::Null };
        json!({"credentialUpdateRules": rules.iter().map(rule).collect::<Vec<_>>()})
    }

    /// The state of the policy for the account with the user name `name`; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn credential_state(&self, name: &str) -> Result<Option<Value>, StoreError> {
        let Some(stored) = self.find_by_user_name(name).await? else { return Ok(None) };
        self.state_of(&stored).await.map(Some)
    }

    /// Changes the state of the policy for the account with the user name `name`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn set_credential_state(
        &self,
        actor: &Actor,
        name: &str,
        change: CredentialChange,
    ) -> Result<Value, AccountError> {
        let found = self.find_by_user_name(name).await?;
        let found = found.ok_or(AccountError::NotFound("account"))?;
        let (id, names) = (found.id, names(&found.body));
        let set = |attached: &mut Attached| {
            let before = attached.credential.clone();
            let credential = &mut attached.credential;
            if let Some(required) = change.reset_required {
                credential.must_change = required;
            }
            if let Some(most) = change.history {
                credential.history.truncate(most);
            }
            if let Some(from) = change.age_from {
                credential.age_from = Some(from);
            }
            Ok((*credential != before).then_some(()))
        };
        self.attach(actor, &id, "credential state", set).await?;
        match change.locked_at {
            None => {}
            Some(None) => self.unlock(&id, &names).await?,
            Some(Some(since)) => self.lock_out(&id, since.min(self.now())).await?,
        }
        let stored = self.stored_account(&id).await?.ok_or(AccountError::NotFound("account"))?;
        Ok(self.state_of(&stored).await?)
    }

    async fn state_of(&self, stored: &Versioned<Account>) -> Result<Value, StoreError> {
        let account = &stored.body;
        let credential = &account.attached.credential;
        let locked = self.locked_since(&stored.id, &names(account)).await?;
        Ok(json!({
            "userName": account.user_name,
            "forceReset": {"resetRequired": credential.must_change},
            "history": {"length": credential.history.len()},
            "age": {"lastSetAt": account.password_age_from().map(|from| from.0)},
            "temporaryLockout": {"lockedAt": locked.map(|since| since.0)},
        }))
    }
}

/// The names that lead to an account at a sign-in, folded.
fn names(account: &Account) -> Vec<String> {
    let all = std::iter::once(&account.user_name).chain(&account.emails);
    all.map(|name| login_name(name)).collect()
}

fn rule(rule: Rule) -> Value {
    let (name, bound) = match rule {
        Rule::Length(_) => ("MinimumLengthPasswordRule", "minimum"),
        Rule::LowerCase(_) => ("MinimumLowerCasePasswordRule", "minimum"),
        Rule::UpperCase(_) => ("MinimumUpperCasePasswordRule", "minimum"),
        Rule::Digits(_) => ("MinimumDigitsPasswordRule", "minimum"),
        Rule::Special(_) => ("MinimumSpecialPasswordRule", "minimum"),
        Rule::Unique(_) => ("MinimumUniquePasswordRule", "minimum"),
        Rule::Sequence(_) => ("MaximumSequencePasswordRule", "maximum"),
    };
    json!({
        "__typename": name,
        "message": rule.message(),
        "detailedMessage": rule.detailed_message(),
        bound: rule.number(),
    })
}
