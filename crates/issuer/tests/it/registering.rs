//! An app registers itself, and reads, replaces and deletes its registration.

use async_trait::async_trait;
use castellan_issuer::{
    endpoint::registration::{RegistrationError, Sender},
    error::OAuthError,
    records::Client,
    settings::{Registrant, RegistrationSettings},
    store::Kind,
};
use serde_json::{Map, Value, json};

use crate::{
    harness::{Harness, Plot, Tab, all, generated, params},
    stories::{Notes, Story},
};

/// What one does to it besides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Read,
    Replace,
    Delete,
}

pub(crate) struct Registering(pub(crate) Then);

fn plot() -> Plot {
    let registration = RegistrationSettings {
        by: vec![Registrant::Token],
        max_per_client: 1_000,
        ..RegistrationSettings::default()
    };
    let mut plot = Plot::default();
    plot.settings.registration = registration;
    plot
}

pub(crate) async fn harness() -> Harness {
    let harness = Harness::with(plot()).await;
    for id in ["initial", "second"] {
        harness
            .apply(json!({
                "resourceType": "Client", "id": id, "secret": generated(9),
                "grant_types": ["client_credentials"], "scope": ["dcr"],
            }))
            .await;
    }
    harness
}

pub(crate) async fn token(harness: &Harness, client: &str) -> String {
    let secret = generated(9);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", &*secret),
        ("scope", "dcr"),
    ];
    harness.issuer.token(&params(&pairs), None, None).await.unwrap().access_token
}

fn by(token: &str) -> Sender<'_> {
    Sender { token: Some((token, None)), basic: None, source: None }
}

pub(crate) async fn register(
    harness: &Harness,
    token: &str,
    name: &str,
) -> Result<Value, RegistrationError> {
    harness.issuer.register(by(token), metadata(name)).await
}

fn metadata(name: &str) -> Map<String, Value> {
    let metadata = json!({"client_name": name, "redirect_uris": ["https://app.test/cb"]});
    metadata.as_object().unwrap().clone()
}

/// The registered clients that are there.
pub(crate) async fn registered(harness: &Harness) -> Vec<String> {
    let records = all(&harness.issuer, Kind::Client).await;
    let mut found = Vec::new();
    for record in records {
        let client: Client = serde_json::from_slice(&record.body).unwrap();
        if client.registration.is_some() {
            found.push(record.key.id);
        }
    }
    found
}

/// Notes which client it is, and its registration access token.
fn told(notes: &mut Notes, names: [&'static str; 2], answer: &Value) {
    for (name, member) in names.into_iter().zip(["client_id", "registration_access_token"]) {
        notes.note(name, answer[member].as_str().unwrap());
    }
}

const MADE: [&str; 2] = ["client", "token"];
const AFTER: [&str; 2] = ["same client", "next token"];

#[async_trait]
impl Story for Registering {
    async fn harness(&self) -> Harness {
        harness().await
    }

    async fn prepare(&self, harness: &Harness) -> Notes {
        let mut notes = Notes::new(Tab::new());
        notes.note("initial", &token(harness, "initial").await);
        if self.0 != Then::Nothing {
            let initial = notes.get("initial").unwrap().to_owned();
            let made = register(harness, &initial, "App").await.unwrap();
            told(&mut notes, MADE, &made);
        }
        notes
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        let text = |error: RegistrationError| error.to_string();
        let get = |notes: &Notes, name: &str| notes.get(name).unwrap().to_owned();
        if self.0 == Then::Nothing {
            let initial = get(notes, "initial");
            let made = register(harness, &initial, "App").await.map_err(text)?;
            told(notes, MADE, &made);
            return Ok(());
        }
        let id = get(notes, "client");
        let key = get(notes, "token");
        let (issuer, sender) = (&harness.issuer, by(&key));
        let after = match self.0 {
            Then::Delete => {
                issuer.delete_registration(&id, &sender).await.map_err(text)?;
                notes.note("deleted", "yes");
                return Ok(());
            }
            Then::Replace => {
                let mut members = metadata("Renamed");
                members.insert("client_id".to_owned(), json!(id));
                issuer.replace_registration(&id, &sender, &members).await.map_err(text)?
            }
            _ => issuer.read_registration(&id, &sender).await.map_err(text)?,
        };
        told(notes, AFTER, &after);
        Ok(())
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let there = registered(harness).await;
        if self.0 == Then::Nothing {
            assert!(there.len() <= 1);
            // Trying again makes one at most, whatever was made before.
            let again = register(harness, notes.get("initial").unwrap(), "App").await;
            let made = usize::from(again.is_ok());
            assert!(
                registered(harness).await.len() == there.len() + made && there.len() + made <= 1
            );
            if let Err(error) = again {
                let is_used = matches!(error, RegistrationError::OAuth(OAuthError::InvalidToken));
                assert!(is_used, "{error}");
            }
            return;
        }
        let id = notes.get("client").unwrap();
        if notes.get("deleted").is_some() {
            assert!(there.is_empty());
            return;
        }
        let read = async |key: &str| harness.issuer.read_registration(id, &by(key)).await;
        let first = read(notes.get("token").unwrap()).await;
        if let Some(key) = notes.get("next token") {
            assert!(first.is_err(), "the token of before is dead");
            assert!(read(key).await.is_ok(), "what was told holds");
        } else if first.is_err() && self.0 != Then::Delete {
            // It was changed, and nobody was told: the client is there and nobody has its token.
            assert_eq!(there, [id]);
        }
    }
}
