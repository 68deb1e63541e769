//! Dynamic client registration (RFC 7591) and its management (RFC 7592), as
//! `docs/contracts/curity.md` §8.1 has them.
//!
//! A registered client is a `Client` like every other: the same record, the same rules of documents,
//! the same endpoints. It is third-party, and its record knows who registered it.

mod asked;
mod error;
mod kept;
mod machine;
mod manage;
mod names;
mod ours;
mod plan;
mod redirects;
mod statement;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Digest, Opaque, OpaqueKind, Secret, Timestamp, random, scope::Scopes};
use serde_json::{Map, Value, json};

pub use error::RegistrationError;

use crate::{
    Issuer,
    audit::{
        AuditKind, Event,
        origin::{self, Party},
    },
    client_auth::{BasicAuth, ClientCredentials},
    error::OAuthError,
    records::{Client, RegisteredBy, Registration, repository::Written, used_jti::UsedAssertion},
    request::source::Source,
    resources::{
        Precondition, REGISTRATION_PATH, Registered, RegisteredClient, Resource as _, ResourceKind,
        WriteOptions, client_metadata, registration_uri,
    },
    settings::{Registrant, registration::REGISTER},
    store::Kind,
    tokens::{dpop::Proof, verified::Live},
};

use plan::Plan;

/// What a request shows of who sends it.
pub struct Sender<'a> {
    /// The access token, and the proof of its key.
    pub token: Option<(&'a str, Option<Proof<'a>>)>,
    /// The client and its secret, by `Authorization: Basic`.
    pub basic: Option<BasicAuth>,
    /// From where it came.
    pub source: Option<Source>,
}

/// Who registers a client; nobody is known if registration is open.
#[derive(Default)]
struct Initiator {
    /// The id of the client.
    client: Option<String>,
    /// The scopes that the client has; without a client, the configuration alone decides.
    most: Option<Scopes>,
    /// The scopes of the token that it showed.
    shown: Option<Scopes>,
    /// The account that it acts for.
    account: Option<String>,
    /// The id under which its token is recorded as used, and how long that is of use.
    once: Option<(String, Timestamp)>,
}

/// The secret and the registration access token of a registration, which are shown once.
struct Shown {
    secret: Option<Secret>,
    token: Opaque,
}

impl Issuer {
    /// Registers a client by `members` (RFC 7591 §3.1).
    ///
    /// # Errors
    /// [`RegistrationError`]; nothing is registered. An initial access token is used up only where
    /// nothing was wrong with the metadata.
    pub async fn register(
        &self,
        sender: Sender<'_>,
        members: Map<String, Value>,
    ) -> Result<Value, RegistrationError> {
        let registered = self.try_to_register(sender, members).await;
        self.audit_refusal(&registered);
        registered
    }

    async fn try_to_register(
        &self,
        sender: Sender<'_>,
        members: Map<String, Value>,
    ) -> Result<Value, RegistrationError> {
        let source = sender.source;
        let initiator = self.initiator(sender).await?;
        let plan = self.plan(members, &initiator, None).await?;
        let client = initiator.client.as_deref();
        if client.is_none() {
            // Before anything is looked for. It is not taken back: what is registered stays.
            let _counted = self.registered_from(source)?;
        }
        self.check_room(&initiator, 0).await?;
        self.check_names(&plan, client, None).await?;
        let id = format!("{}{}", names::PREFIX, URL_SAFE_NO_PAD.encode(random::<16>()));
        let (registration, shown) = self.fresh_registration(&id, &plan, &initiator);
        let written = written(&plan, &registration, &shown);
        let absent = [Precondition::Absent];
        // Whatever is wrong shows before the token is used up.
        let checked = WriteOptions::check_if(&absent);
        RegisteredClient::write(self, &id, written.clone(), checked).await?;
        if let Some((used, ends)) = &initiator.once {
            // Before the client is there: of any number of requests at a time one gets on, and a crash
            // in between leaves a used token and no client.
            let used_up = UsedAssertion { ends: *ends };
            match self.repository().insert(used, &used_up, self.now()).await? {
                Written::Done => {}
                _ => return Err(OAuthError::InvalidToken.into()),
            }
        }
        let applied =
            RegisteredClient::write(self, &id, written, WriteOptions::write_if(&absent)).await?;
        self.audit_write(ResourceKind::CLIENT, &id, &applied);
        // Others may have come at the same time, with such a name or to the last place: each of them
        // sees the others.
        let alone = match self.check_room(&initiator, 1).await {
            Ok(()) => self.check_names(&plan, client, Some(&id)).await,
            full => full,
        };
        if let Err(refused) = alone {
            self.remove(ResourceKind::CLIENT, &id).await?;
            return Err(refused);
        }
        let stored = self.repository().get::<Client>(&id, self.now()).await?;
        let stored = stored.ok_or(RegistrationError::Unknown)?;
        Ok(self.registered_answer(&id, &stored.body, Some(&shown)))
    }

    /// Records that somebody was not allowed to register or manage a client.
    fn audit_refusal<T>(&self, answered: &Result<T, RegistrationError>) {
        if let Err(error) = answered
            && error.is_denial()
        {
            let event = Event::of(AuditKind::AccessDenied).denied(error.code());
            self.audit(event.target("Path", REGISTRATION_PATH.trim_start_matches('/')));
        }
    }

    /// Who sends a registration, if they may.
    async fn initiator(&self, sender: Sender<'_>) -> Result<Initiator, RegistrationError> {
        let settings = &self.settings().registration;
        let by = |registrant| settings.admits(registrant);
        match (sender.token, sender.basic) {
            (Some((token, proof)), _) if by(Registrant::Token) => {
                self.by_token(token, proof.as_ref()).await
            }
            (None, Some(basic)) if by(Registrant::Client) => {
                let shown = ClientCredentials::Basic(basic.client_id, basic.secret);
                let proven = self.authenticate_client(shown, sender.source).await?;
                if !proven.authenticated {
                    return Err(OAuthError::InvalidClient { basic: true }.into());
                }
                origin::called_by(Party::through(None, &proven.id));
                if !proven.client.scope.has_name(REGISTER) {
                    return Err(RegistrationError::Scope(REGISTER));
                }
                let (client, most) = (Some(proven.id), Some(proven.client.scope.clone()));
                Ok(Initiator { client, most, ..Initiator::default() })
            }
            (None, None) if by(Registrant::Open) => Ok(Initiator::default()),
            (Some(_), _) => Err(OAuthError::InvalidToken.into()),
            (None, _) if by(Registrant::Token) => Err(OAuthError::TokenMissing.into()),
            (None, _) => Err(OAuthError::InvalidClient { basic: true }.into()),
        }
    }

    /// Who has an initial access token.
    async fn by_token(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<Initiator, RegistrationError> {
        let live = self.caller(token, proof, REGISTER).await?;
        let used = Digest::of(format!("initial access token\0{}", live.jti).as_bytes()).text();
        if self.repository().get::<UsedAssertion>(&used, self.now()).await?.is_some() {
            return Err(OAuthError::InvalidToken.into());
        }
        Ok(Initiator {
            client: Some(live.client_id.clone()),
            most: Some(live.client.scope.clone()),
            shown: Some(live.scope.clone()),
            account: live.account.as_ref().map(|(id, _)| id.clone()),
            once: Some((used, live.expires)),
        })
    }

    /// Whose access token it is, which must be for this server and have the scope `name`.
    async fn caller(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
        name: &'static str,
    ) -> Result<Arc<Live>, RegistrationError> {
        let live = self.verify_shown(token, proof).await?;
        if !live.audience.contains(&self.address().issuer) {
            return Err(OAuthError::InvalidToken.into());
        }
        let user = live.account.as_ref().map(|(id, _)| &**id);
        origin::called_by(Party::through(user, &live.client_id));
        if live.may(name) { Ok(live) } else { Err(RegistrationError::Scope(name)) }
    }

    /// Whether there is room for the client that `initiator` registers, of which `written` are there
    /// already: 0 or 1.
    async fn check_room(
        &self,
        initiator: &Initiator,
        written: u32,
    ) -> Result<(), RegistrationError> {
        let (settings, now) = (&self.settings().registration, self.now());
        let (store, site) = (self.repository().store(), self.repository().site());
        let full = RegistrationError::Denied;
        let count = store.count(site, Kind::Client, now).await?;
        if count >= u64::from(settings.max_clients + written) {
            return Err(full("this server has as many clients as it takes"));
        }
        let Some(id) = &initiator.client else { return Ok(()) };
        let most = usize::try_from(settings.max_per_client + written).unwrap_or(usize::MAX);
        let theirs = self.registered_by(RegisteredBy::Client(id), None, most).await?;
        if theirs.len() >= most {
            return Err(full("this client has registered as many clients as it may"));
        }
        Ok(())
    }

    /// A registration of `initiator`, and what is shown of it once.
    fn fresh_registration(
        &self,
        id: &str,
        plan: &Plan,
        initiator: &Initiator,
    ) -> (Registration, Shown) {
        let shown = Shown::fresh(plan.by_secret);
        let registration = Registration {
            client_id: id.to_owned(),
            template: plan.template.clone(),
            initial_client: initiator.client.clone(),
            account: initiator.account.clone(),
            initial_scope: initiator.shown.clone(),
            token: shown.token.digest().text(),
            token_ends: self.token_ends(),
            metadata: plan.metadata.clone(),
        };
        (registration, shown)
    }

    /// First second at which a registration access token of now is worthless.
    fn token_ends(&self) -> Timestamp {
        let seconds = self.settings().registration.token.get().as_secs();
        Timestamp(self.now().0.saturating_add(seconds))
    }

    /// What is answered about a client (RFC 7591 §3.2.1, RFC 7592 §3), with what is shown once.
    fn registered_answer(&self, id: &str, client: &Client, shown: Option<&Shown>) -> Value {
        let mut answer = client_metadata(client);
        let mut set = |name: &str, value: Value| answer.insert(name.to_owned(), value);
        set("client_id", json!(id));
        set("client_id_issued_at", json!(client.created));
        set("registration_client_uri", json!(registration_uri(self, id)));
        if let Some(shown) = shown {
            let seconds = self.settings().registration.token.get().as_secs();
            set("registration_access_token", json!(shown.token.text()));
            set("registration_access_token_expires_in", json!(seconds));
            if let Some(secret) = &shown.secret {
                set("client_secret", json!(secret.expose()));
                // It does not expire.
                set("client_secret_expires_at", json!(0));
            }
        }
        Value::Object(answer)
    }
}

impl Shown {
    fn fresh(by_secret: bool) -> Self {
        let secret = || Secret::new(Opaque::generate(OpaqueKind::ClientSecret).text());
        Self { secret: by_secret.then(secret), token: Opaque::generate(OpaqueKind::Registration) }
    }
}

/// What is written for `plan`, with the secret of `shown`.
fn written(plan: &Plan, registration: &Registration, shown: &Shown) -> Value {
    let mut document = plan.document.clone();
    if let Some(secret) = &shown.secret {
        document.insert("secret".to_owned(), json!(secret.expose()));
    }
    Registered::members(&Value::Object(document), registration)
}
