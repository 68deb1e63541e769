//! `castellan auth-key`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    resources::{Mode, ResourceKind},
};
use castellan_proto::{Opaque, OpaqueKind, Secret};
use serde_json::json;

use super::{
    Failure, feature_off,
    resources::{self, Output},
};
use crate::config::Loaded;

/// Manage API keys, which `/jwt` exchanges for short-lived tokens.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a key. Its secret is generated in a format that secret scanners recognise, and is shown
    /// once.
    Add {
        /// Id of the key.
        id: String,
        /// Scope that its tokens may have, such as `Mutation:Person:*`. May be repeated.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
    },
    /// Give a key a new secret, which is shown once.
    Rotate {
        /// Id of the key.
        id: String,
        /// Keep the latest previous secret valid until the next rotation.
        #[arg(long)]
        keep: bool,
    },
    /// List keys.
    List(Output),
}

pub(super) async fn run(
    loaded: &Loaded,
    issuer: &Issuer,
    command: Command,
) -> Result<ExitCode, Failure> {
    let secret = Opaque::generate(OpaqueKind::ApiKey).text();
    match command {
        Command::Add { id, scopes } => {
            if issuer.describe(ResourceKind::AUTH_KEY, &id).await?.is_some() {
                return Err(format!("AuthKey {id:?} already exists").into());
            }
            let document = json!({
                "resourceType": "AuthKey", "id": id, "apiKey": secret, "scopes": scopes,
            });
            println!("created {}", issuer.apply(document, Mode::Write).await?.resource);
            feature_off::warn_of_api_keys(loaded)?;
        }
        Command::Rotate { id, keep } => {
            let fresh = issuer.settings().secrets.secret(&Secret::new(secret.clone()))?;
            if !issuer.rotate_auth_key(&id, &fresh, keep).await? {
                return Err(format!("AuthKey {id:?} does not exist").into());
            }
        }
        Command::List(output) => {
            return resources::list(issuer, ResourceKind::AUTH_KEY, &output).await;
        }
    }
    println!("apiKey: {secret}\n(It is not shown again; only its hash is stored.)");
    Ok(ExitCode::SUCCESS)
}
