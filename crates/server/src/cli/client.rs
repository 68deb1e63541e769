//! `castellan client`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    apply::{Mode, ResourceKind},
};
use castellan_proto::{Opaque, OpaqueKind};
use serde_json::json;

use super::{
    Failure,
    resources::{self, Format},
};

/// Apps.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add an app. A confidential one gets a secret, which is shown once.
    Add {
        /// Its `client_id`.
        id: String,
        /// What people know it by.
        #[arg(long)]
        name: Option<String>,
        /// It runs where it can keep no secret: a browser, a phone.
        #[arg(long)]
        public: bool,
        /// Where answers may be sent; may be given several times.
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// It acts for itself (client credentials).
        #[arg(long, conflicts_with = "public")]
        machine: bool,
        /// What it may be granted; may be given several times.
        #[arg(long = "scope")]
        scope: Vec<String>,
        /// Of one house with the server: people are not asked for consent.
        #[arg(long)]
        first_party: bool,
    },
    /// Give an app a new secret, which is shown once. The old one stops at once.
    RotateSecret {
        /// Its `client_id`.
        id: String,
    },
    /// List apps.
    List,
}

pub(super) async fn run(issuer: &Issuer, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add { id, name, public, redirect_uris, machine, scope, first_party } => {
            if issuer.describe(ResourceKind::Client, &id).await?.is_some() {
                return Err(format!("there is a Client {id:?} already").into());
            }
            let secret = (!public).then(|| Opaque::generate(OpaqueKind::ClientSecret).text());
            let mut grants = Vec::new();
            if !redirect_uris.is_empty() {
                grants.extend(["authorization_code", "refresh_token"]);
            }
            if machine {
                grants.push("client_credentials");
            }
            if grants.is_empty() {
                return Err(
                    "say --redirect-uri for an app that signs people in, or --machine".into()
                );
            }
            let mut client = json!({
                "resourceType": "Client",
                "id": id,
                "name": name.unwrap_or_default(),
                "first_party": first_party,
                "grant_types": grants,
                "redirect_uris": redirect_uris,
                "scope": scope,
            });
            if !redirect_uris.is_empty() {
                client["auth"] = json!({"authorization_code": {"pkce": true}});
            }
            if let Some(secret) = &secret {
                client["secret"] = json!(secret);
            }
            let applied = issuer.apply(client, Mode::Write).await?;
            println!("created {}", applied.resource);
            show(secret.as_deref());
        }
        Command::RotateSecret { id } => {
            let found = issuer.describe(ResourceKind::Client, &id).await?;
            let mut client = found.ok_or_else(|| format!("there is no Client {id:?}"))?;
            if client["type"] == "public" {
                return Err(format!("Client {id:?} is public: it has no secret").into());
            }
            let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
            client["secret"] = json!(secret);
            issuer.apply(client, Mode::Write).await?;
            println!("Client/{id} has a new secret");
            show(Some(&secret));
        }
        Command::List => return resources::list(issuer, ResourceKind::Client, Format::Yaml).await,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(secret: Option<&str>) {
    if let Some(secret) = secret {
        println!("secret: {secret}\n(It is not shown again; only its hash is kept.)");
    }
}
