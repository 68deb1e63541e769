//! What a registered client does with its own registration, and a management client with all (RFC
//! 7592 §2).

use castellan_proto::{Opaque, OpaqueKind, Secret, constant_time_eq, is_identifier};
use serde_json::{Map, Value, json};

use super::{Initiator, RegistrationError, Sender, Shown, written};
use crate::{
    Issuer,
    audit::origin::{self, Party},
    error::OAuthError,
    records::{Client, Registration, repository::Versioned},
    resources::{
        ApplyError, ClientDocument, Precondition, Registered, RegisteredClient, Resource as _,
        ResourceKind, WriteOptions, version_of,
    },
    settings::registration::MANAGE,
};

/// Times that a change is tried while others are faster.
const TRIES: usize = 4;

/// A registration that may be managed.
struct Managed {
    stored: Versioned<Client>,
    registration: Registration,
    /// Whether the client does so itself, by its registration access token.
    is_own: bool,
}

impl Issuer {
    /// Reads the registration of the client `id` (RFC 7592 §2.1). The client itself gets another
    /// secret and registration access token; those of before are not valid any more. A management
    /// client changes nothing and sees neither.
    ///
    /// # Errors
    /// [`RegistrationError`] saying why not.
    pub async fn read_registration(
        &self,
        id: &str,
        sender: &Sender<'_>,
    ) -> Result<Value, RegistrationError> {
        let key = self.key(sender).await?;
        for _ in 0..TRIES {
            let managed = self.managed(id, key.as_ref()).await?;
            if !managed.is_own {
                return Ok(self.registered_answer(id, &managed.stored.body, None));
            }
            let Value::Object(mut document) = ClientDocument::show(id, &managed.stored.body) else {
                return Err(RegistrationError::Unknown);
            };
            for name in ["resourceType", "id", "registration"] {
                document.shift_remove(name);
            }
            let shown = Shown::fresh(managed.stored.body.secret.is_some());
            if let Some(secret) = &shown.secret {
                document.insert("secret".to_owned(), json!(secret.expose()));
            }
            let registration =
                self.renewed(&managed, &shown, managed.registration.metadata.clone());
            let members = Registered::members(&Value::Object(document), &registration);
            if let Some(client) = self.write_over(&managed.stored, members).await? {
                return Ok(self.registered_answer(id, &client, Some(&shown)));
            }
        }
        Err(contention())
    }

    /// Replaces the registration of the client `id` by `members` (RFC 7592 §2.2): what is left out is
    /// removed. Its status stays, and what an administrator wrote that is no metadata.
    ///
    /// # Errors
    /// [`RegistrationError`] saying why not; then the client is as it was.
    pub async fn replace_registration(
        &self,
        id: &str,
        sender: &Sender<'_>,
        members: &Map<String, Value>,
    ) -> Result<Value, RegistrationError> {
        let key = self.key(sender).await?;
        for _ in 0..TRIES {
            let managed = self.managed(id, key.as_ref()).await?;
            let mut asked = members.clone();
            self.check_identity(id, &managed.stored.body, &mut asked).await?;
            let initiator = self.initiator_of(&managed.registration).await?;
            let client = &managed.stored.body;
            let mut plan = self.plan(asked, &initiator, Some(client)).await?;
            let by = managed.registration.initial_client.as_deref();
            self.check_names(&plan, by, Some(id)).await?;
            self.keep_additions(&mut plan, id, client);
            if !client.active {
                plan.document.insert("active".to_owned(), json!(false));
            }
            if client.details.revoked {
                plan.document.insert("revoked".to_owned(), json!(true));
            }
            let mut shown = Shown::fresh(plan.by_secret);
            if !managed.is_own && client.secret.is_some() {
                // The one that the client has stays good.
                shown.secret = None;
            }
            let registration = self.renewed(&managed, &shown, plan.metadata.clone());
            let members = written(&plan, &registration, &shown);
            if let Some(client) = self.write_over(&managed.stored, members).await? {
                let shown = managed.is_own.then_some(&shown);
                return Ok(self.registered_answer(id, &client, shown));
            }
        }
        Err(contention())
    }

    /// Deletes the client `id` (RFC 7592 §2.3). All that was issued to it is over.
    ///
    /// # Errors
    /// [`RegistrationError`] saying why not.
    pub async fn delete_registration(
        &self,
        id: &str,
        sender: &Sender<'_>,
    ) -> Result<(), RegistrationError> {
        let key = self.key(sender).await?;
        for _ in 0..TRIES {
            let managed = self.managed(id, key.as_ref()).await?;
            let seen = [seen(&managed.stored)];
            match self.remove_if(ResourceKind::CLIENT, id, &seen).await {
                Ok(_) => return Ok(()),
                Err(ApplyError::Precondition(_) | ApplyError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(contention())
    }

    /// The registration access token that the sender shows; none if it is an access token with the scope
    /// `dcrm` instead.
    async fn key(&self, sender: &Sender<'_>) -> Result<Option<Opaque>, RegistrationError> {
        let shown = self.shown_key(sender).await;
        self.audit_refusal(&shown);
        shown
    }

    async fn shown_key(&self, sender: &Sender<'_>) -> Result<Option<Opaque>, RegistrationError> {
        let Some((token, proof)) = &sender.token else {
            return Err(OAuthError::TokenMissing.into());
        };
        let shown = Opaque::read(OpaqueKind::Registration, token);
        if shown.is_none() {
            self.caller(token, proof.as_ref(), MANAGE).await?;
        }
        Ok(shown)
    }

    /// The registration of `id`, if it may be managed with `key`: its registration access token, or none
    /// for whoever may manage all. An unknown client and a wrong token get one answer.
    async fn managed(&self, id: &str, key: Option<&Opaque>) -> Result<Managed, RegistrationError> {
        let managed = self.look_up_managed(id, key).await;
        self.audit_refusal(&managed);
        managed
    }

    async fn look_up_managed(
        &self,
        id: &str,
        key: Option<&Opaque>,
    ) -> Result<Managed, RegistrationError> {
        let found = if is_identifier(id) {
            self.repository().get::<Client>(id, self.now()).await?
        } else {
            None
        };
        let found = found.and_then(|stored| {
            let registration = stored.body.registration.clone()?;
            Some((stored, registration))
        });
        let Some(shown) = key else {
            let (stored, registration) = found.ok_or(RegistrationError::Unknown)?;
            return Ok(Managed { stored, registration, is_own: false });
        };
        let invalid = || RegistrationError::from(OAuthError::InvalidToken);
        let (stored, registration) = found.ok_or_else(invalid)?;
        let digest = shown.digest().text();
        let is_right = constant_time_eq(digest.as_bytes(), registration.token.as_bytes());
        if !is_right || registration.token_ends <= self.now() {
            return Err(invalid());
        }
        origin::called_by(Party::through(None, id));
        if !stored.body.active {
            let text = "an administrator has made this client inactive";
            return Err(RegistrationError::Denied(text));
        }
        Ok(Managed { stored, registration, is_own: true })
    }

    /// Whether `members` name the client that is replaced, and its secret if they name one (RFC 7592
    /// §2.2). What only answers have is taken off.
    async fn check_identity(
        &self,
        id: &str,
        client: &Client,
        members: &mut Map<String, Value>,
    ) -> Result<(), RegistrationError> {
        let invalid = |text: &str| Err(RegistrationError::Metadata(text.to_owned()));
        let of_answers = [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ];
        if let Some(name) = of_answers.iter().find(|name| members.contains_key(**name)) {
            return invalid(&format!(
                "{name}: is set by the server; leave it out (RFC 7592 section 2.2)"
            ));
        }
        if members.shift_remove("client_id").as_ref().and_then(Value::as_str) != Some(id) {
            return invalid("client_id: must be that of the client");
        }
        let Some(secret) = members.shift_remove("client_secret") else { return Ok(()) };
        let is_right = match secret.as_str() {
            Some(text) => {
                let secret = Secret::new(text.to_owned());
                self.one_secret_matches(&secret, client.secrets(self.now())).await?
            }
            None => false,
        };
        if is_right {
            Ok(())
        } else {
            invalid("client_secret: must be that of the client, or left out")
        }
    }

    /// Who registered a client, as far as they still exist: no more than what they have now can be
    /// registered.
    async fn initiator_of(
        &self,
        registration: &Registration,
    ) -> Result<Initiator, RegistrationError> {
        let Some(id) = &registration.initial_client else { return Ok(Initiator::default()) };
        let found = self.repository().get::<Client>(id, self.now()).await?;
        // Of one that is gone nothing is left to give.
        let most = found.map(|stored| stored.body.scope).unwrap_or_default();
        Ok(Initiator {
            client: Some(id.clone()),
            most: Some(most),
            shown: registration.initial_scope.clone(),
            account: registration.account.clone(),
            once: None,
        })
    }

    /// The registration with `metadata` and, if the client does it itself, another token.
    fn renewed(
        &self,
        managed: &Managed,
        shown: &Shown,
        metadata: Map<String, Value>,
    ) -> Registration {
        let mut registration = Registration { metadata, ..managed.registration.clone() };
        if managed.is_own {
            registration.token = shown.token.digest().text();
            registration.token_ends = self.token_ends();
        }
        registration
    }

    /// Writes `members` over `before`; `None` if that has changed meanwhile.
    async fn write_over(
        &self,
        before: &Versioned<Client>,
        members: Value,
    ) -> Result<Option<Client>, RegistrationError> {
        let seen = [seen(before)];
        let id = &before.id;
        let written =
            RegisteredClient::write(self, id, members, WriteOptions::write_if(&seen)).await;
        let applied = match written {
            Err(ApplyError::Precondition(_) | ApplyError::Conflict(_)) => return Ok(None),
            written => written?,
        };
        self.audit_write(ResourceKind::CLIENT, id, &applied);
        let stored = self.repository().get::<Client>(id, self.now()).await?;
        Ok(Some(stored.ok_or_else(|| RegistrationError::from(OAuthError::InvalidToken))?.body))
    }
}

/// That a client is still as it was read.
fn seen(stored: &Versioned<Client>) -> Precondition {
    let version = version_of::<ClientDocument>(&stored.id, stored.version, &stored.body);
    Precondition::Versions(vec![version.id()])
}

fn contention() -> RegistrationError {
    crate::store::StoreError::new("a registration is being changed too often").into()
}
