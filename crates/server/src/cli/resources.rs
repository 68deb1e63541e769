//! `castellan get` and `castellan delete`.

use std::process::ExitCode;

use castellan_issuer::{Issuer, apply::ResourceKind};
use serde_json::Value;

use super::Failure;
use crate::documents;

/// Read resources.
#[derive(clap::Args)]
pub(super) struct GetArguments {
    /// User, Client, `ApiCredential`, `AuthKey` or Grant.
    kind: String,
    /// Which one; all without it.
    #[arg(allow_hyphen_values = true)]
    id: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Delete a resource.
#[derive(clap::Args)]
pub(super) struct DeleteArguments {
    /// User, Client, `ApiCredential`, `AuthKey` or Grant.
    kind: String,
    /// Which one.
    #[arg(allow_hyphen_values = true)]
    id: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// YAML, as `apply` reads it.
    #[default]
    Yaml,
    /// JSON, one document a line.
    Json,
}

const PAGE: usize = 200;

pub(super) async fn get(issuer: &Issuer, arguments: GetArguments) -> Result<ExitCode, Failure> {
    let kind = kind(&arguments.kind)?;
    if let Some(id) = arguments.id {
        let Some(found) = issuer.describe(kind, &id).await? else {
            return Err(format!("there is no {} {id:?}", kind.as_str()).into());
        };
        print(&found, arguments.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    list(issuer, kind, arguments.format).await
}

/// Prints every resource of `kind`, page by page.
pub(super) async fn list(
    issuer: &Issuer,
    kind: ResourceKind,
    format: Format,
) -> Result<ExitCode, Failure> {
    let mut after: Option<String> = None;
    loop {
        let page = issuer.list(kind, after.as_deref(), PAGE).await?;
        for (at, document) in page.iter().enumerate() {
            if format == Format::Yaml && (at > 0 || after.is_some()) {
                println!("---");
            }
            print(document, format)?;
        }
        match page.last().and_then(|last| last["id"].as_str()) {
            Some(last) if page.len() == PAGE => after = Some(last.to_owned()),
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

pub(super) async fn delete(
    issuer: &Issuer,
    arguments: DeleteArguments,
) -> Result<ExitCode, Failure> {
    let kind = kind(&arguments.kind)?;
    if issuer.remove(kind, &arguments.id).await? {
        println!("deleted {}/{}", kind.as_str(), arguments.id);
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("there is no {} {:?}", kind.as_str(), arguments.id).into())
    }
}

fn kind(name: &str) -> Result<ResourceKind, Failure> {
    ResourceKind::named(name).ok_or_else(|| {
        let known = ResourceKind::ALL.map(ResourceKind::as_str).join(", ");
        format!("{name:?} is no kind of resource; there are {known}").into()
    })
}

fn print(document: &Value, format: Format) -> Result<(), Failure> {
    match format {
        Format::Yaml => print!("{}", documents::write(document)?),
        Format::Json => println!("{document}"),
    }
    Ok(())
}
