//! Creating, changing and deleting accounts (`docs/contracts/curity.md` §6.2).

use std::fmt::Write as _;

use castellan_proto::{Secret, is_identifier, random};
use serde_json::{Map, Value, json};

use super::{actor::Actor, document, error::AccountError, view::account_view};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    records::{Account, login_name, repository::Versioned},
    resources::{ApplyError, Mode, Precondition, ResourceKind, UserDocument, described, planned},
    secrets::hashing::Match,
    throttle::per_account::GuessFrom,
};

/// Times that a change is tried while others are faster.
const TRIES: usize = 16;

/// What is to change of an account.
#[derive(Clone, Copy)]
pub struct AccountChange<'a> {
    /// The fields, as in the inputs of the API (`docs/contracts/curity.md` §6.3).
    pub fields: &'a Map<String, Value>,
    /// Whether the user name may change.
    pub renames: bool,
}

/// What became of a deletion.
#[derive(Debug)]
pub struct Deleted {
    /// The account as it was; none if there was none.
    pub account: Option<Value>,
}

impl Issuer {
    /// Creates an account with `fields`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn create_account(
        &self,
        actor: &Actor,
        fields: &Map<String, Value>,
    ) -> Result<Value, AccountError> {
        let id = fresh_id();
        let members = document::created(fields)?;
        let user_name = text(&members, "userName").unwrap_or_default().to_owned();
        if let Some(password) = text(&members, "password") {
            self.acceptable_password(&secret(password), &Account::default()).await?;
        }
        self.write_account(actor, &id, None, members)
            .await
            .map_err(|problem| problem.told(&user_name))?;
        self.account_by_id(&id).await?.ok_or(AccountError::NotFound("account"))
    }

    /// Changes the account `id`, and returns it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn update_account(
        &self,
        actor: &Actor,
        id: &str,
        AccountChange { fields, renames }: AccountChange<'_>,
    ) -> Result<Value, AccountError> {
        self.edit_account(actor, id, renames, |_| Ok::<_, AccountError>(fields.clone())).await?;
        self.account_by_id(id).await?.ok_or(AccountError::NotFound("account"))
    }

    /// Changes the fields of the account `id` that `edit` says of it as it is. Repeats this if another
    /// writer was faster.
    ///
    /// # Errors
    /// What `edit` says, or [`AccountError`] saying why not.
    pub(in crate::management) async fn edit_account<E: From<AccountError>>(
        &self,
        actor: &Actor,
        id: &str,
        renames: bool,
        edit: impl Fn(&Versioned<Account>) -> Result<Map<String, Value>, E> + Sync,
    ) -> Result<bool, E> {
        let checked = |stored: &Versioned<Account>| -> Result<Map<String, Value>, E> {
            let fields = edit(stored)?;
            actor.may_change(id, &stored.body, &fields)?;
            document::check_lengths(&fields)?;
            let told = text(&fields, "userName");
            if !renames && told.is_some_and(|name| name != stored.body.user_name) {
                let text = "userName: cannot be changed".to_owned();
                return Err(AccountError::Invalid(text).into());
            }
            Ok(fields)
        };
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        if let Some(password) = text(&checked(&stored)?, "password") {
            let acceptable = self.acceptable_new_password(&secret(password), &stored.body).await;
            acceptable.map_err(AccountError::from)?;
        }
        let change = |stored: &Versioned<Account>, members: &mut Map<String, Value>| {
            let fields = checked(stored)?;
            document::update(members, &fields)?;
            Ok::<_, E>(!fields.is_empty())
        };
        self.rewrite_account(actor, id, change).await
    }

    /// The same, if `current` is the person's password. The guess at it is counted as one at a sign-in
    /// (`docs/rules.md` rule 48).
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn validate_password_and_update_account(
        &self,
        actor: &Actor,
        id: &str,
        current: &Secret,
        change: AccountChange<'_>,
    ) -> Result<Value, AccountError> {
        let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
        actor.may_touch(id, &stored.body)?;
        let name = login_name(&stored.body.user_name);
        let guess = self.count_guess(&name, Some(id), GuessFrom::Program(None)).await?;
        let phc = stored.body.password.as_deref().filter(|_| !guess.is_refused);
        let is_right = self.passwords().compare_evenly(current, phc).await? != Match::No;
        if !is_right {
            let event = Event::of(AuditKind::PasswordChanged).target("User", id);
            self.audit(event.failed("wrong password"));
            return Err(AccountError::WrongPassword);
        }
        self.guess_was_good(guess).await?;
        self.update_account(actor, id, change).await
    }

    /// Deletes the account `id` with all that is attached to it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn delete_account(&self, actor: &Actor, id: &str) -> Result<Deleted, AccountError> {
        self.delete_account_if(actor, id, |_| Ok(())).await
    }

    /// The same, if `check` admits the account as it is.
    ///
    /// # Errors
    /// What `check` says, or [`AccountError`] saying why not.
    pub(in crate::management) async fn delete_account_if<E: From<AccountError>>(
        &self,
        actor: &Actor,
        id: &str,
        check: impl Fn(&Versioned<Account>) -> Result<(), E> + Sync,
    ) -> Result<Deleted, E> {
        for _ in 0..TRIES {
            let Some(stored) = self.stored_account(id).await? else {
                return Ok(Deleted { account: None });
            };
            actor.may_delete(id, &stored.body)?;
            check(&stored)?;
            let seen = [seen(&stored)];
            match self.remove_if(ResourceKind::USER, id, &seen).await {
                Ok(Some(_)) => {
                    return Ok(Deleted { account: Some(account_view(id, &stored.body)) });
                }
                Ok(None) | Err(ApplyError::Precondition(_)) => {}
                Err(error) => {
                    return Err(AccountError::of_write(error, &stored.body.user_name).into());
                }
            }
        }
        Err(AccountError::Contention.into())
    }

    /// The record of the account `id`.
    pub(in crate::management) async fn stored_account(
        &self,
        id: &str,
    ) -> Result<Option<Versioned<Account>>, AccountError> {
        if !is_identifier(id) {
            return Ok(None);
        }
        Ok(self.repository().get::<Account>(id, self.now()).await?)
    }

    /// Writes what `change` makes of the document of the account `id`, unless it says `false`; tells
    /// what it said. Repeats this if another writer was faster.
    pub(super) async fn rewrite_account<E: From<AccountError>>(
        &self,
        actor: &Actor,
        id: &str,
        change: impl Fn(&Versioned<Account>, &mut Map<String, Value>) -> Result<bool, E> + Sync,
    ) -> Result<bool, E> {
        for _ in 0..TRIES {
            let stored = self.stored_account(id).await?.ok_or(AccountError::NotFound("account"))?;
            actor.may_touch(id, &stored.body)?;
            let Value::Object(mut members) = described::<UserDocument>(&stored).document else {
                return Err(AccountError::NotFound("account").into());
            };
            if !change(&stored, &mut members)? {
                return Ok(false);
            }
            let user_name = text(&members, "userName").unwrap_or_default().to_owned();
            match self.write_account(actor, id, Some(&stored), members).await {
                Ok(()) => return Ok(true),
                Err(WriteProblem::Apply(ApplyError::Precondition(_))) => {}
                Err(problem) => return Err(problem.told(&user_name).into()),
            }
        }
        Err(AccountError::Contention.into())
    }

    /// Writes the document with `members` over `stored`, if `actor` may.
    async fn write_account(
        &self,
        actor: &Actor,
        id: &str,
        stored: Option<&Versioned<Account>>,
        mut members: Map<String, Value>,
    ) -> Result<(), WriteProblem> {
        let before = stored.map(|stored| &stored.body);
        for name in ["resourceType", "id"] {
            members.shift_remove(name);
        }
        let after = planned(self, id, &members, before).await?;
        actor.may_write(id, before, &after)?;
        members.insert("resourceType".to_owned(), json!("User"));
        members.insert("id".to_owned(), json!(id));
        let precondition = stored.map_or(Precondition::Absent, seen);
        self.apply_if(Value::Object(members), Mode::Write, &[precondition]).await?;
        Ok(())
    }
}

/// Why a document was not written.
enum WriteProblem {
    Apply(ApplyError),
    Account(AccountError),
}

impl From<ApplyError> for WriteProblem {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

impl From<AccountError> for WriteProblem {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

impl WriteProblem {
    fn told(self, user_name: &str) -> AccountError {
        match self {
            Self::Apply(error) => AccountError::of_write(error, user_name),
            Self::Account(error) => error,
        }
    }
}

/// That the account is as it was read.
fn seen(stored: &Versioned<Account>) -> Precondition {
    Precondition::Versions(vec![described::<UserDocument>(stored).version.id()])
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The id of a new account.
fn fresh_id() -> String {
    random::<16>().iter().fold(String::with_capacity(32), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}
