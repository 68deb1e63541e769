//! What is to be written for a registration: by its own metadata, or by a template.

use castellan_proto::scope::{Scope, Scopes};
use serde_json::{Map, Value, json};

use super::{
    Initiator,
    asked::{Asked, MEMBERS},
    error::RegistrationError,
};
use crate::{
    Issuer,
    records::{
        Client,
        registration::{look, names},
    },
    resources::{ClientDocument, Resource as _, client_metadata},
    settings::registration::is_power,
};

/// What is to be written.
pub(super) struct Plan {
    /// The document, without a secret.
    pub(super) document: Map<String, Value>,
    /// What [`Registration::metadata`](crate::records::Registration) is to be.
    pub(super) metadata: Map<String, Value>,
    /// The id of the template that supplies it.
    pub(super) template: Option<String>,
    /// Whether it proves who it is by a secret.
    pub(super) by_secret: bool,
    /// Its names that nobody else may have.
    pub(super) names: Vec<String>,
}

/// Members that a client may send although a template supplies the others.
const BESIDE_TEMPLATE: [&str; 5] =
    ["client_name", "contacts", "scope", "software_version", "token_endpoint_auth_method"];
/// Bytes of a `software_id`.
const LONGEST_ID: usize = 256;
/// Characters that are shown of a scope that is refused.
const LONGEST_SHOWN: usize = 64;
/// Scopes that are about the person who signs in, who is asked (OIDC Core §5.4).
const ABOUT_THE_PERSON: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];

pub(super) fn is_about_the_person(scope: &Scope) -> bool {
    ABOUT_THE_PERSON.contains(&scope.as_str())
}

fn wrong<T>(text: impl Into<String>) -> Result<T, RegistrationError> {
    Err(RegistrationError::Metadata(text.into()))
}

impl Issuer {
    /// The plan for `members`, which `initiator` sent. A registration that is replaced keeps its
    /// `template`: it can neither leave it nor come to one.
    pub(super) async fn plan(
        &self,
        members: Map<String, Value>,
        initiator: &Initiator,
        replaced: Option<&Client>,
    ) -> Result<Plan, RegistrationError> {
        let settings = &self.settings().registration;
        let is_empty = |value: &Value| value.is_null() || value == "";
        let mut members = self.with_statement(members)?;
        members.retain(|_, value| !is_empty(value));
        let asked = Asked::read(&members)?;
        let software_id = match members.get("software_id") {
            None => None,
            Some(Value::String(id)) if id.len() <= LONGEST_ID => Some(&**id),
            Some(_) => return wrong(format!("software_id: a text of at most {LONGEST_ID} bytes")),
        };
        let kept = replaced.map(|client| {
            let registration = client.registration.as_ref();
            registration.and_then(|registration| registration.template.as_deref())
        });
        if let Some(Some(template)) = kept {
            if software_id != Some(template) {
                return wrong("software_id: must stay the template that the client was made of");
            }
            return match self.template(template).await? {
                Some(found) => plan_by_template(&members, &asked, (template, &found)),
                None => wrong("software_id: the template that it names does not exist any more"),
            };
        }
        let says_itself =
            ["redirect_uris", "grant_types"].iter().any(|name| members.contains_key(*name));
        if let Some(id) = software_id.filter(|_| kept.is_none()) {
            let template = if settings.templates { self.template(id).await? } else { None };
            match template {
                Some(template) => return plan_by_template(&members, &asked, (id, &template)),
                // It is what the software is called, and nothing more (RFC 7591 §2).
                None if says_itself && settings.metadata => {}
                None => return wrong("software_id: names no template for clients"),
            }
        }
        if !settings.metadata {
            return wrong("software_id: is required, and names a template for clients");
        }
        if settings.require_software_statement && !members.contains_key("software_statement") {
            return Err(RegistrationError::Statement("is required"));
        }
        let mut document = asked.document(self)?;
        self.check_not_ours(&document)?;
        let scope = self.scope(asked.scope.as_deref(), &document, initiator)?;
        if let Some(at) = self.more_than_theirs(&document, &scope, initiator).await? {
            return wrong(format!(
                "scope: number {} is more than who registers it may do; a client with the \
                 client_credentials grant cannot have it",
                at + 1
            ));
        }
        document.insert("scope".to_owned(), json!(scope));
        let metadata = asked.kept(&members)?;
        let names = names(asked.client_name.as_deref().unwrap_or_default(), &metadata);
        let names = names.map(ToOwned::to_owned).collect();
        let by_secret = asked.auth_method()?.starts_with("client_secret");
        Ok(Plan { document, metadata, template: None, by_secret, names })
    }

    /// The template `id`, if there is one.
    async fn template(&self, id: &str) -> Result<Option<Client>, RegistrationError> {
        if !castellan_proto::is_identifier(id) {
            return Ok(None);
        }
        let found = self.repository().get::<Client>(id, self.now()).await?;
        Ok(found.map(|stored| stored.body).filter(|client| client.template))
    }

    /// The scopes of a client that says itself what it is: those that the configuration lists, and of
    /// those that open more than what is known about the person, only what the client has that
    /// registers it (`docs/security-cases.md` row 19).
    fn scope(
        &self,
        text: Option<&str>,
        document: &Map<String, Value>,
        initiator: &Initiator,
    ) -> Result<Scopes, RegistrationError> {
        let allowed = &self.settings().registration.scopes;
        let is_about = is_about_the_person;
        let Some(text) = text else {
            // Nobody signs in to it otherwise.
            let grants = document.get("grant_types").and_then(Value::as_array);
            let has_people = grants
                .is_some_and(|grants| grants.iter().any(|grant| grant != "client_credentials"));
            return Ok(allowed
                .iter()
                .filter(|scope| has_people && is_about(scope))
                .cloned()
                .collect());
        };
        let Ok(scopes) = Scopes::parse(text) else {
            return wrong("scope: must be scopes, separated by spaces");
        };
        let has = |scope: &Scope| {
            is_about(scope) || initiator.most.as_ref().is_none_or(|most| most.cover(scope))
        };
        let is_good = |scope: &Scope| !is_power(scope) && allowed.cover(scope) && has(scope);
        match scopes.iter().find(|scope| !is_good(scope)) {
            None => Ok(scopes),
            // What a scope is made of can stand in a description (RFC 6749 §§3.3, 5.2).
            Some(scope) => {
                let shown: String = scope.as_str().chars().take(LONGEST_SHOWN).collect();
                let cut = if shown.len() < scope.as_str().len() { "..." } else { "" };
                wrong(format!("scope: {shown}{cut} cannot be registered"))
            }
        }
    }
}

/// The plan for a client that is made of the template `of`, which supplies all but a few members. Of
/// the others, each has the template's value or is refused, so that nobody believes in another.
fn plan_by_template(
    members: &Map<String, Value>,
    asked: &Asked,
    of: (&str, &Client),
) -> Result<Plan, RegistrationError> {
    let (id, template) = of;
    asked.check_bounds()?;
    let supplied = client_metadata(template);
    for (name, value) in members {
        let is_same = supplied.get(name) == Some(value);
        if MEMBERS.contains(&&**name) && !BESIDE_TEMPLATE.contains(&&**name) && !is_same {
            return wrong(format!("{name}: comes from the template; leave it out"));
        }
    }
    if !asked.auth_method()?.starts_with("client_secret") {
        return wrong("token_endpoint_auth_method: clients of a template have a secret");
    }
    let Value::Object(mut document) = ClientDocument::show(id, template) else {
        return wrong("software_id: names no template for clients");
    };
    for name in ["resourceType", "id", "template", "owner", "unserved", "type"] {
        document.shift_remove(name);
    }
    if let Some(text) = &asked.scope {
        let scopes = Scopes::parse(text).ok();
        let scopes = scopes.filter(|scopes| template.scope.first_uncovered(scopes).is_none());
        let Some(scopes) = scopes else {
            return wrong("scope: has a scope that the template does not have");
        };
        document.insert("scope".to_owned(), json!(scopes));
    }
    let mut metadata = asked.kept(members)?;
    // That of the template is not known.
    metadata.shift_remove("application_type");
    if let Some(name) = &asked.client_name {
        document.insert("name".to_owned(), json!(name));
    }
    let names = names(asked.client_name.as_deref().unwrap_or_default(), &metadata);
    // It may be called as the template is.
    let template = look(&template.name);
    let names = names.filter(|name| look(name) != template).map(ToOwned::to_owned).collect();
    Ok(Plan { document, metadata, template: Some(id.to_owned()), by_secret: true, names })
}
