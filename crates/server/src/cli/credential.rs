//! `castellan credential`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    resources::{Mode, ResourceKind},
};
use castellan_proto::{Lifetime, Secret, random};
use serde_json::json;

use super::{
    Failure, feature_off,
    resources::{self, Output},
};
use crate::config::Loaded;

/// Manage machine users, which sign in at `/api/sign_in`.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a machine user. Its key and secret are generated; the secret is shown once.
    Add {
        /// Name of the machine user.
        name: String,
        /// Scope that it may have. May be repeated. Default: api:read.
        #[arg(long = "scope")]
        scope: Vec<String>,
        /// IP address or network from which it may sign in and call the API, such as 192.0.2.0/24.
        /// May be repeated. Default: anywhere.
        #[arg(long = "address")]
        addresses: Vec<String>,
        /// Time until it expires, such as 90d. Default: never.
        #[arg(long, value_name = "LIFETIME", value_parser = lifetime)]
        expires_in: Option<Lifetime>,
    },
    /// Give a machine user a new secret, which is shown once.
    Rotate {
        /// Key of the machine user.
        key: String,
        /// Minutes for which the old secret stays valid. With 0 the old secret and all existing
        /// tokens stop working immediately.
        #[arg(long, default_value_t = 0)]
        overlap_minutes: u64,
    },
    /// List machine users.
    List(Output),
}

pub(super) async fn run(
    loaded: &Loaded,
    issuer: &Issuer,
    command: Command,
) -> Result<ExitCode, Failure> {
    let length = usize::try_from(loaded.config.decidim.api_users_secret_length)?;
    match command {
        Command::Add { name, mut scope, addresses, expires_in } => {
            if scope.is_empty() {
                scope.push("api:read".to_owned());
            }
            let (key, secret) = (alphanumerics(32), alphanumerics(length));
            let expires = expires_in.map(|lifetime| issuer.now() + lifetime.get());
            let document = json!({
                "resourceType": "ApiCredential", "id": key, "name": name, "secret": secret,
                "scope": scope, "addresses": addresses, "expires": expires,
            });
            issuer.apply(document, Mode::Write).await?;
            println!("key:    {key}");
            show(&secret);
            feature_off::warn_of_machine_users(loaded)?;
        }
        Command::Rotate { key, overlap_minutes } => {
            let secret = alphanumerics(length);
            let overlap = overlap_minutes.saturating_mul(60);
            let fresh = issuer.settings().secrets.secret(&Secret::new(secret.clone()))?;
            if !issuer.rotate_api_secret(&key, &fresh, overlap).await? {
                return Err(format!("ApiCredential {key:?} does not exist").into());
            }
            show(&secret);
        }
        Command::List(output) => {
            return resources::list(issuer, ResourceKind::API_CREDENTIAL, &output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    Lifetime::try_from(text.to_owned()).map_err(|error| error.to_string())
}

fn show(secret: &str) {
    println!("secret: {secret}\n(It is not shown again; only its hash is stored.)");
}

/// Letters and digits, all equally likely.
fn alphanumerics(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out = String::with_capacity(length);
    while out.len() < length {
        for byte in random::<64>() {
            // Of 64 values two are no letter and are drawn again, so that none is favoured.
            if let Some(letter) = LETTERS.get(usize::from(byte % 64)).filter(|_| out.len() < length)
            {
                out.push(char::from(*letter));
            }
        }
    }
    out
}
