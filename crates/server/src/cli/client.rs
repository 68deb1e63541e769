//! `castellan client`.

use std::{process::ExitCode, time::Duration};

use castellan_issuer::{
    Issuer,
    resources::{Mode, ResourceKind},
};
use castellan_proto::{Opaque, OpaqueKind, Timestamp};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use super::{
    Failure,
    resources::{self, Output},
};
use crate::dialects::Dialects;

/// Manage apps.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add an app. A confidential one gets a secret, which is shown once.
    Add(New),
    /// Give an app a new secret, which is shown once.
    RotateSecret {
        /// Its `client_id`.
        id: String,
        /// Minutes for which the old secret stays valid, at most a year. With 0 it stops working
        /// immediately. Tokens stay valid either way.
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=MOST))]
        overlap_minutes: u64,
    },
    /// End the overlap of a rotation: the secret before the present one stops working immediately.
    RevokeOldSecret {
        /// Its `client_id`.
        id: String,
    },
    /// Delete an app. Its sessions and tokens become invalid everywhere.
    Delete {
        /// Its `client_id`.
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// List apps.
    List(Output),
}

/// Minutes of an overlap at most: a year.
const MOST: u64 = 365 * 24 * 60;

/// Whether an app can keep a secret (RFC 6749 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Cannot keep a secret: a browser or a phone.
    Public,
    /// Can keep a secret: a server.
    Confidential,
}

/// An app to be added.
#[derive(clap::Args)]
pub(super) struct New {
    /// Its `client_id`.
    id: String,
    /// Name shown to people.
    #[arg(long)]
    name: Option<String>,
    /// URL of its website, shown to people.
    #[arg(long)]
    uri: Option<String>,
    /// Compatibility dialect (default: none).
    #[arg(long)]
    dialect: Option<String>,
    /// Client type. Confidential apps (servers) can keep a secret; public apps (browsers, phones)
    /// cannot. Required with --dialect decidim; otherwise the default is confidential.
    #[arg(long = "type", value_enum)]
    kind: Option<Kind>,
    /// Same as --type public.
    #[arg(long, conflicts_with = "kind")]
    public: bool,
    /// Redirect URI. May be repeated.
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// Allow the client credentials grant: the app acts for itself.
    #[arg(long, conflicts_with = "public")]
    machine: bool,
    /// Scope that it may be granted. May be repeated.
    #[arg(long = "scope")]
    scope: Vec<String>,
    /// Whether it gets refresh tokens. Default: true; false with --dialect decidim.
    #[arg(long, value_name = "BOOL")]
    refresh_tokens: Option<bool>,
    /// First-party app: skip consent.
    #[arg(long)]
    first_party: bool,
}

impl New {
    /// The document that it stands for; its secret too, if it gets one.
    fn document(&self, dialects: &Dialects) -> Result<(Value, Option<String>), Failure> {
        let dialect = self.dialect.as_deref().and_then(|name| dialects.of_clients(name));
        let names_type = dialect.is_some_and(|dialect| dialect.names_type);
        let kind = match (self.kind, self.public, names_type) {
            (Some(kind), _, _) => kind,
            (None, true, _) => Kind::Public,
            (None, false, false) => Kind::Confidential,
            (None, false, true) => return Err("--type is required: public or confidential".into()),
        };
        let mut grants = Vec::new();
        if !self.redirect_uris.is_empty() {
            grants.push("authorization_code");
            if self.refresh_tokens.unwrap_or(dialect.is_none_or(|dialect| dialect.refreshes)) {
                grants.push("refresh_token");
            }
        }
        if self.machine {
            grants.push("client_credentials");
        }
        if grants.is_empty() {
            return Err("give --redirect-uri for an app that signs people in, or --machine".into());
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
        let profile = dialect.map(|dialect| dialect.profile).unwrap_or_default();
        if let Some(dialect) = profile.dialect() {
            client["dialect"] = json!(dialect);
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

/// The arguments of `client add`, with `names` as the dialects that there are.
pub(super) fn with_dialects(add: clap::Command, names: &[&'static str]) -> clap::Command {
    // Not `mut_arg`, which moves the argument behind the others.
    add.mut_args(|argument| match argument.get_id().as_str() {
        "dialect" => argument.value_parser(PossibleValuesParser::new(names.to_vec())),
        _ => argument,
    })
}

pub(super) async fn run(
    issuer: &Issuer,
    dialects: &Dialects,
    command: Command,
) -> Result<ExitCode, Failure> {
    match command {
        Command::Add(new) => {
            if issuer.describe(ResourceKind::CLIENT, &new.id).await?.is_some() {
                return Err(format!("Client {:?} already exists", new.id).into());
            }
            let (client, secret) = new.document(dialects)?;
            let applied = issuer.apply(client, Mode::Write).await?;
            println!("created {}", applied.resource);
            show(secret.as_deref());
        }
        Command::RotateSecret { id, overlap_minutes } => {
            rotate(issuer, &id, Duration::from_mins(overlap_minutes)).await?;
        }
        Command::RevokeOldSecret { id } => {
            let mut client = found(issuer, &id).await?;
            let is_valid = client[UNTIL].as_u64().is_some_and(|until| issuer.now().0 < until);
            if is_valid {
                client[UNTIL] = json!(issuer.now());
                issuer.apply(client, Mode::Write).await?;
                println!("the old secret of Client/{id} is no longer valid");
            } else {
                println!("Client/{id} has no old secret that is still valid");
            }
        }
        Command::Delete { id } => {
            return resources::remove(issuer, ResourceKind::CLIENT, &id).await;
        }
        Command::List(output) => {
            return resources::list(issuer, ResourceKind::CLIENT, &output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The member that says until when the secret before is valid.
const UNTIL: &str = "previous_secret_until";

/// The document of the app `id`.
async fn found(issuer: &Issuer, id: &str) -> Result<Value, Failure> {
    let found = issuer.describe(ResourceKind::CLIENT, id).await?;
    Ok(found.ok_or_else(|| format!("Client {id:?} does not exist"))?)
}

/// Gives the app `id` a new secret; the old one stays valid for `overlap`.
async fn rotate(issuer: &Issuer, id: &str, overlap: Duration) -> Result<(), Failure> {
    let mut client = found(issuer, id).await?;
    if client["type"] == "public" {
        return Err(format!("Client {id:?} is public and has no secret").into());
    }
    let secret = Opaque::generate(OpaqueKind::ClientSecret).text();
    client["secret"] = json!(secret);
    let until = Timestamp(issuer.now().0.saturating_add(overlap.as_secs()));
    let members = client.as_object_mut().ok_or("the document of the app is unreadable")?;
    members.remove(UNTIL);
    if !overlap.is_zero() {
        members.insert(UNTIL.to_owned(), json!(until));
    }
    issuer.apply(client, Mode::Write).await?;
    println!("set a new secret for Client/{id}");
    if overlap.is_zero() {
        println!("The old secret is no longer valid.");
    } else {
        println!("The old secret is valid until {}.", until.rfc3339());
    }
    show(Some(&secret));
    Ok(())
}

fn show(secret: Option<&str>) {
    if let Some(secret) = secret {
        println!("secret: {secret}\n(It is not shown again; only its hash is stored.)");
    }
}
