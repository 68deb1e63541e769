//! `Client` documents of clients that registered themselves, and of the templates of such clients
//! (`docs/contracts/curity.md` §8.1).

use castellan_proto::strict_json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ClientDocument,
    source::{ClientFrom, ClientSource},
};
use crate::{
    Issuer,
    records::{Client, Registration},
    resources::{Problem, ReadDocument, Resource as _},
    settings::registration::is_power,
};

/// What is written of a client that registers itself: its document, and what registration knows
/// besides.
#[derive(Deserialize)]
pub(crate) struct Registered {
    document: Value,
    registration: Registration,
}

/// [`Registered`] as a resource.
pub(crate) type RegisteredClient = ClientFrom<Registered>;

impl Registered {
    /// The members for [`Resource::write`](crate::resources::Resource::write).
    pub(crate) fn members(document: &Value, registration: &Registration) -> Value {
        json!({"document": document, "registration": registration})
    }
}

impl ClientSource for Registered {
    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Client>,
    ) -> Result<ReadDocument<Client>, Problem> {
        let document: ClientDocument = strict_json::parse(self.document)?;
        let ReadDocument { record: mut client, .. } = document.read(issuer, before).await?;
        client.registration = Some(self.registration);
        // Its registration access token is another one in any case.
        Ok(ReadDocument { record: client, secret_changed: true })
    }
}

/// Writes into its document whether `client` is a template, and who registered it.
pub(super) fn show(client: &Client, shown: &mut Value) {
    if client.template {
        shown["template"] = json!(true);
    }
    if let Some(seconds) = client.default_max_age {
        shown["default_max_age"] = json!(seconds);
    }
    if let Some(registration) = &client.registration {
        shown["registration"] = shown_registration(registration);
    }
}

/// Who registered a client. Its token is not among it.
fn shown_registration(registration: &Registration) -> Value {
    let mut shown = json!({
        "template": registration.template,
        "initial_client": registration.initial_client,
        "authenticated_user": registration.account,
        "token_expires_at": registration.token_ends,
        "metadata": registration.metadata,
    });
    if let Some(members) = shown.as_object_mut() {
        let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
        members.retain(|_, value| !value.is_null() && !is_empty(value));
    }
    shown
}

/// The registration of the client that `document` describes, which is that of before.
/// `has_shared_secret`: it proves who it is by a secret, as templates do.
pub(super) fn read(
    document: &ClientDocument,
    has_shared_secret: bool,
    before: Option<&Client>,
) -> Result<Option<Registration>, Problem> {
    check(document, has_shared_secret)?;
    let kept = before.and_then(|before| before.registration.clone());
    if document.template && kept.is_some() {
        return wrong("template: a client that registered itself cannot be one");
    }
    if let Some(written) = &document.registration
        && kept.as_ref().map(shown_registration).as_ref() != Some(written)
    {
        return wrong("registration: is read-only; leave it out, or as it is shown");
    }
    Ok(kept)
}

/// Refuses what a template cannot be.
fn check(document: &ClientDocument, has_shared_secret: bool) -> Result<(), Problem> {
    if !document.template {
        return Ok(());
    }
    if !has_shared_secret {
        return wrong(
            "template: needs a secret; each client that is made of it gets one of its own",
        );
    }
    if document.first_party {
        return wrong(
            "first_party: clients that are made of a template are third-party; remove it",
        );
    }
    if document.active == Some(false) || document.revoked {
        return wrong(
            "active: a template is not used itself; remove template: true to have no more clients \
             made of it",
        );
    }
    if let Some(scope) = document.scope.iter().find(|scope| is_power(scope)) {
        let text = format!(
            "scope: a client that registers itself cannot have {scope:?}, so its template cannot"
        );
        return Err(Problem::Text(text));
    }
    Ok(())
}

fn wrong<T>(text: &str) -> Result<T, Problem> {
    Err(Problem::Text(text.to_owned()))
}
