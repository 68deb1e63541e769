//! `castellan auth-key`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    resources::{Mode, ResourceKind},
};
use castellan_proto::{Opaque, OpaqueKind, Secret};
use serde_json::json;

use super::{
    Failure,
    resources::{self, Format},
};

/// API keys, which `/jwt` trades for short tokens.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a key. Its secret is made here, in a form that scanners of leaked secrets know, and shown
    /// once.
    Add {
        /// Its id.
        id: String,
        /// What its tokens may do, such as `Mutation:Person:*`; may be given several times.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
    },
    /// Give a key a new secret, which is shown once.
    Rotate {
        /// Its id.
        id: String,
        /// The newest of the secrets of before still counts, until the next rotation.
        #[arg(long)]
        keep: bool,
    },
    /// List keys.
    List,
}

pub(super) async fn run(issuer: &Issuer, command: Command) -> Result<ExitCode, Failure> {
    let secret = Opaque::generate(OpaqueKind::ApiKey).text();
    match command {
        Command::Add { id, scopes } => {
            if issuer.describe(ResourceKind::AuthKey, &id).await?.is_some() {
                return Err(format!("there is an AuthKey {id:?} already").into());
            }
            let document = json!({
                "resourceType": "AuthKey", "id": id, "apiKey": secret, "scopes": scopes,
            });
            println!("created {}", issuer.apply(document, Mode::Write).await?.resource);
        }
        Command::Rotate { id, keep } => {
            let fresh = issuer.settings().secrets.secret(&Secret::new(secret.clone()))?;
            if !issuer.rotate_auth_key(&id, &fresh, keep).await? {
                return Err(format!("there is no AuthKey {id:?}").into());
            }
        }
        Command::List => return resources::list(issuer, ResourceKind::AuthKey, Format::Yaml).await,
    }
    println!("apiKey: {secret}\n(It is not shown again; only its hash is kept.)");
    Ok(ExitCode::SUCCESS)
}
