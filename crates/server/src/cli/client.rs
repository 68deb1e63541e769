//! `castellan client`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    resources::{Mode, ResourceKind},
};
use castellan_proto::{Opaque, OpaqueKind};
use serde_json::{Value, json};

use super::{
    Failure,
    resources::{self, Format},
};

/// Apps.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add an app. A confidential one gets a secret, which is shown once.
    Add(New),
    /// Give an app a new secret, which is shown once. The old one stops at once.
    RotateSecret {
        /// Its `client_id`.
        id: String,
    },
    /// List apps.
    List,
}

/// Whether an app can keep a secret (RFC 6749 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// It cannot: a browser, a phone.
    Public,
    /// It can: a server.
    Confidential,
}

/// An app to be added.
#[derive(clap::Args)]
pub(super) struct New {
    /// Its `client_id`.
    id: String,
    /// What people know it by.
    #[arg(long)]
    name: Option<String>,
    /// Where people can read about it.
    #[arg(long)]
    uri: Option<String>,
    /// The contract that it is written by; without one, our own.
    #[arg(long, value_enum)]
    dialect: Option<Dialect>,
    /// Whether it can keep a secret: a server can, a browser or a phone cannot. An app of /oauth must
    /// say it; others are confidential.
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// The same as --type public.
    #[arg(long, conflicts_with = "kind")]
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
    /// Whether it gets refresh tokens. Default: true, and false for an app of /oauth.
    #[arg(long, value_name = "BOOL")]
    refresh_tokens: Option<bool>,
    /// Of one house with the server: people are not asked for consent.
    #[arg(long)]
    first_party: bool,
}

/// A contract that apps are written by.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Dialect {
    /// An app of /oauth.
    Decidim,
}

impl New {
    /// The document that it stands for; its secret too, if it gets one.
    fn document(&self) -> Result<(Value, Option<String>), Failure> {
        let decidim = self.dialect.is_some();
        let kind = match (self.kind, self.public, decidim) {
            (Some(kind), _, _) => kind,
            (None, true, _) => Kind::Public,
            (None, false, false) => Kind::Confidential,
            (None, false, true) => return Err("say --type public or --type confidential".into()),
        };
        let mut grants = Vec::new();
        if !self.redirect_uris.is_empty() {
            grants.push("authorization_code");
            if self.refresh_tokens.unwrap_or(!decidim) {
                grants.push("refresh_token");
            }
        }
        if self.machine {
            grants.push("client_credentials");
        }
        if grants.is_empty() {
            return Err("say --redirect-uri for an app that signs people in, or --machine".into());
        }
        let mut client = json!({
            "resourceType": "Client",
            "id": self.id,
            "name": self.name.as_deref().unwrap_or_default(),
            "type": if kind == Kind::Public { "public" } else { "confidential" },
            "first_party": self.first_party,
            "grant_types": grants,
            "redirect_uris": self.redirect_uris,
            "scope": self.scope,
        });
        if let Some(uri) = &self.uri {
            client["uri"] = json!(uri);
        }
        if decidim {
            client["dialect"] = json!("decidim");
        } else if !self.redirect_uris.is_empty() {
            client["auth"] = json!({"authorization_code": {"pkce": true}});
        }
        let secret =
            (kind == Kind::Confidential).then(|| Opaque::generate(OpaqueKind::ClientSecret).text());
        if let Some(secret) = &secret {
            client["secret"] = json!(secret);
        }
        Ok((client, secret))
    }
}

pub(super) async fn run(issuer: &Issuer, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add(new) => {
            if issuer.describe(ResourceKind::Client, &new.id).await?.is_some() {
                return Err(format!("there is a Client {:?} already", new.id).into());
            }
            let (client, secret) = new.document()?;
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
