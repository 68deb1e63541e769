//! The operations of the Database Clients API (`docs/contracts/curity.md` §7). A database client is a
//! `Client`: the same record, the same rules, and the same right to give what one has.

pub(in crate::management) mod attributes;
mod copy;
mod document;
mod grants;
mod list;
mod output;
mod rights;
pub(in crate::management) mod sorted;
#[cfg(test)]
mod tests;
mod validate;
mod writing;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::random;
use serde_json::{Value, json};

use self::{
    attributes::{Attributes, attributes},
    copy::CopyOfClient,
    output::Showing,
    writing::Writing,
};
use crate::{
    Issuer,
    records::{Client, repository::Versioned},
    resources::{
        ApplyError, ClientDocument, Mode, Patch, Precondition, Resource, ResourceKind,
        WriteOptions, search::ListError, version_of,
    },
    rights::Right,
    secrets::hashing::Busy,
    store::StoreError,
    tokens::verified::Live,
};

pub use list::{ClientList, ClientPage, Which};

/// Times that an update is tried while others are faster (`docs/contracts/curity.md` §7.4).
const TRIES: usize = 3;

/// The operations, for one caller.
#[derive(Clone, Copy)]
pub struct DatabaseClients<'a> {
    /// The site.
    pub issuer: &'a Issuer,
    /// Who calls.
    pub caller: &'a Live,
    /// The tags that clients may carry, and what each is for.
    pub tags: &'a BTreeMap<String, String>,
}

/// Why an operation is refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A rule does not hold.
    #[error("{field}: {problem}")]
    Invalid {
        /// The dotted path of the attribute.
        field: String,
        /// What is wrong, without its value.
        problem: String,
    },
    /// A client has the id already.
    #[error("A client with this id exists")]
    Exists,
    /// Others changed it at the same time, every time.
    #[error("The client was changed at the same time")]
    Conflict,
    /// There is no such client.
    #[error("There is no such client")]
    Unknown,
    /// It would give, or take over, what the caller does not have.
    #[error("{0}: the caller does not have what this would give")]
    Denied(&'static str),
    /// There is no such page.
    #[error(transparent)]
    List(ListError),
    /// Too many secrets wait to be hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ListError> for ClientError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => Self::Store(error),
            other => Self::List(other),
        }
    }
}

impl DatabaseClients<'_> {
    /// The client `id` as the API shows it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get(&self, id: &str) -> Result<Option<Value>, ClientError> {
        Ok(self.stored(id).await?.map(|stored| self.showing().client(&stored)))
    }

    /// Creates a client of `fields`.
    ///
    /// # Errors
    /// [`ClientError`] saying why not.
    pub async fn create(&self, fields: &Attributes) -> Result<Value, ClientError> {
        let mut fields = fields.clone();
        let id = match fields.shift_remove("client_id") {
            Some(Value::String(id)) => id,
            _ => new_id(),
        };
        validate::id(&id, "client_id")?;
        let mut after = validate::merged(&Attributes::new(), &fields);
        let public = || json!({"primary": {"no_authentication": "no_auth"}});
        after.entry("client_authentication").or_insert_with(public);
        let writing = Writing { before: None, after: &after, introspects_any: self.administers() };
        validate::check(&writing)?;
        self.check_rights(None, &writing).await?;
        let mut document = writing.document();
        document["owner"] = json!(self.subject());
        match self.write(&id, document, &[Precondition::Absent]).await {
            Err(ClientError::Conflict) => return Err(ClientError::Exists),
            written => written?,
        }
        self.get(&id).await?.ok_or(ClientError::Conflict)
    }

    /// Changes what is in `fields`; `None` if there is no such client.
    ///
    /// # Errors
    /// [`ClientError`] saying why not.
    pub async fn update(
        &self,
        id: &str,
        fields: &Attributes,
    ) -> Result<Option<Value>, ClientError> {
        for _ in 0..TRIES {
            let Some(stored) = self.stored(id).await? else { return Ok(None) };
            let before = attributes(&stored.body, self.issuer.settings());
            let mut after = validate::merged(&before, fields);
            let public = || json!({"primary": {"no_authentication": "no_auth"}});
            after.entry("client_authentication").or_insert_with(public);
            let shown = ClientDocument::show(&stored.id, &stored.body);
            let writing = Writing {
                before: Some((&shown, &before)),
                after: &after,
                introspects_any: self.administers(),
            };
            validate::check(&writing)?;
            self.check_rights(Some(&stored.body), &writing).await?;
            let version = version_of::<ClientDocument>(id, stored.version, &stored.body);
            let seen = [Precondition::Versions(vec![version.id()])];
            match self.write(id, writing.document(), &seen).await {
                Err(ClientError::Conflict) => {}
                written => {
                    written?;
                    return self.get(id).await;
                }
            }
        }
        Err(ClientError::Conflict)
    }

    /// Copies the client `id` to `new_id`, or to an id that is generated; `None` if there is no such
    /// client.
    ///
    /// # Errors
    /// [`ClientError`] saying why not.
    pub async fn duplicate(
        &self,
        id: &str,
        new_id: Option<&str>,
    ) -> Result<Option<Value>, ClientError> {
        let Some(stored) = self.stored(id).await? else { return Ok(None) };
        self.check_takes_over(&stored.body).await?;
        let new_id = new_id.map_or_else(self::new_id, ToOwned::to_owned);
        validate::id(&new_id, "new_client_id")?;
        let members = json!({"of": id, "owner": self.subject()});
        let options = WriteOptions::write_if(&[Precondition::Absent]);
        let copied = CopyOfClient::write(self.issuer, &new_id, members, options);
        let applied = match copied.await.map_err(refusal) {
            Err(ClientError::Conflict) => return Err(ClientError::Exists),
            copied => copied?,
        };
        self.issuer.audit_write(ResourceKind::CLIENT, &new_id, &applied);
        self.get(&new_id).await
    }

    /// Sets the status of a client; `None` if there is no such client.
    ///
    /// # Errors
    /// [`ClientError`] saying why not.
    pub async fn set_status(&self, id: &str, status: Status) -> Result<Option<Value>, ClientError> {
        let change = json!({
            "active": (status != Status::Active).then_some(false),
            "revoked": (status == Status::Revoked).then_some(true),
        });
        self.patch(id, change).await
    }

    /// Gives a client to somebody else; `None` if there is no such client.
    ///
    /// # Errors
    /// [`ClientError`] saying why not.
    pub async fn set_owner(&self, id: &str, owner: &str) -> Result<Option<Value>, ClientError> {
        self.patch(id, json!({"owner": owner})).await
    }

    /// Deletes a client.
    ///
    /// # Errors
    /// [`ClientError::Unknown`] if there is no such client, and the others as they say.
    pub async fn delete(&self, id: &str) -> Result<(), ClientError> {
        let stored = self.stored(id).await?.ok_or(ClientError::Unknown)?;
        self.check_ends(&stored.body)?;
        let is_gone = self.issuer.remove(ResourceKind::CLIENT, id).await?;
        if is_gone { Ok(()) } else { Err(ClientError::Unknown) }
    }

    async fn patch(&self, id: &str, change: Value) -> Result<Option<Value>, ClientError> {
        let Some(stored) = self.stored(id).await? else { return Ok(None) };
        self.check_ends(&stored.body)?;
        let change = Patch::Merge(change);
        let patched = self.issuer.patch(ResourceKind::CLIENT, id, &change, &[]).await;
        match patched.map_err(refusal)? {
            Some(_) => self.get(id).await,
            None => Ok(None),
        }
    }

    async fn stored(&self, id: &str) -> Result<Option<Versioned<Client>>, StoreError> {
        let found = self.issuer.repository().get::<Client>(id, self.issuer.now()).await?;
        Ok(found.filter(|stored| is_database_client(&stored.body)))
    }

    async fn write(
        &self,
        id: &str,
        mut document: Value,
        preconditions: &[Precondition],
    ) -> Result<(), ClientError> {
        document["resourceType"] = json!(ClientDocument::NAME);
        document["id"] = json!(id);
        let written = self.issuer.apply_if(document, Mode::Write, preconditions).await;
        written.map(drop).map_err(refusal)
    }

    fn showing(&self) -> Showing<'_> {
        let opens_keys = self.issuer.authorize_admin(self.caller, Right::ReadClientKeys).is_ok();
        Showing { issuer: self.issuer, tags: self.tags, opens_keys }
    }
}

/// Whether `client` is one of this API: clients that registered themselves have one of their own, and
/// their templates are none (`docs/contracts/curity.md` §7.6).
const fn is_database_client(client: &Client) -> bool {
    client.registration.is_none() && !client.template
}

/// An id that nobody guesses or has already. It begins with a letter, as ids of clients have to.
fn new_id() -> String {
    format!("db-{}", URL_SAFE_NO_PAD.encode(random::<16>()))
}

/// The status of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may do what it may do.
    Active,
    /// It may do nothing for now.
    Inactive,
    /// It may do nothing, and what was issued to it is over for good.
    Revoked,
}

/// What a document was refused for, in the words of the API. What the document rules say may repeat
/// what was written, between quotation marks, and is left out then.
fn refusal(error: ApplyError) -> ClientError {
    match error {
        ApplyError::Invalid { problem, .. } => {
            let (way, text) = problem.split_once(':').unwrap_or(("", &problem));
            let member = way.trim_start_matches("auth.").rsplit('.').next().unwrap_or_default();
            let words = || member.split(' ').next().unwrap_or_default();
            let field = validate::field_of(if way.is_empty() {
                problem.split(' ').next().unwrap_or_default()
            } else {
                words()
            });
            let text = text.trim();
            let problem = if text.contains('"') { "is not accepted" } else { text };
            ClientError::Invalid { field: field.to_owned(), problem: problem.to_owned() }
        }
        ApplyError::Kind(text) => {
            ClientError::Invalid { field: "client_id".to_owned(), problem: text }
        }
        ApplyError::Clash { .. } | ApplyError::Precondition(_) | ApplyError::Conflict(_) => {
            ClientError::Conflict
        }
        ApplyError::Busy(busy) => busy.into(),
        ApplyError::Store(error) => error.into(),
    }
}
