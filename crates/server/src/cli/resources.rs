//! `castellan get` and `castellan delete`.

use std::process::ExitCode;

use castellan_issuer::{
    Issuer,
    resources::{
        LookUp, ResourceKind,
        search::{
            Cause, Filter, FilterAttribute, FilterType, ListError, Listing, Sort, SortAttribute,
            SortOrder,
        },
    },
};
use serde_json::Value;

use super::Failure;
use crate::yaml;

/// Read resources.
#[derive(clap::Args)]
pub(super) struct GetArguments {
    /// Kind of the resource.
    kind: String,
    /// Id of the resource (default: all).
    #[arg(allow_hyphen_values = true)]
    id: Option<String>,
    /// Only people whose name or e-mail address starts with TEXT: `userName=ann`, `email=ann`.
    /// Case-insensitive.
    #[arg(long, value_name = "ATTRIBUTE=TEXT", value_parser = attribute, conflicts_with_all = ["id", "ends_with"])]
    starts_with: Option<(FilterAttribute, String)>,
    /// Only people whose name or e-mail address ends with TEXT: `email=@example.org`.
    #[arg(long, value_name = "ATTRIBUTE=TEXT", value_parser = attribute, conflicts_with = "id")]
    ends_with: Option<(FilterAttribute, String)>,
    /// Attribute to sort by (default: the filtered attribute, otherwise the id).
    #[arg(long, value_enum, conflicts_with = "id")]
    sort: Option<SortBy>,
    /// Sort descending.
    #[arg(long, requires = "sort")]
    descending: bool,
    /// Maximum number of results.
    #[arg(long, value_name = "N", conflicts_with = "id")]
    limit: Option<usize>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Delete a resource.
#[derive(clap::Args)]
pub(super) struct DeleteArguments {
    /// Kind of the resource.
    kind: String,
    /// Id of the resource.
    #[arg(allow_hyphen_values = true)]
    id: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// YAML, as `apply` reads it.
    #[default]
    Yaml,
    /// JSON, one document per line.
    Json,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SortBy {
    Created,
    #[value(name = "lastModified")]
    LastModified,
    Name,
}

/// Resources that are read at a time.
const PAGE: usize = 200;

pub(super) async fn get(issuer: &Issuer, arguments: GetArguments) -> Result<ExitCode, Failure> {
    let kind = kind(issuer, &arguments.kind)?;
    if let Some(id) = arguments.id {
        let LookUp::Found(found) = issuer.look_up(kind, &id).await? else {
            return Err(format!("{} {id:?} does not exist", kind.as_str()).into());
        };
        print(&found.with_meta(), arguments.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let filter = |given: Option<(FilterAttribute, String)>, how| {
        given.map(|(by, value)| Filter { by, how, value })
    };
    let starts = filter(arguments.starts_with, FilterType::StartsWith);
    let order = if arguments.descending { SortOrder::Descending } else { SortOrder::Ascending };
    let listing = Listing {
        filter: starts.or_else(|| filter(arguments.ends_with, FilterType::EndsWith)),
        sort: arguments.sort.map(|by| Sort { by: by.into(), order }),
        ..Listing::all(PAGE)
    };
    print_all(issuer, kind, listing, arguments.limit.unwrap_or(usize::MAX), arguments.format).await
}

impl From<SortBy> for SortAttribute {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Created => Self::Created,
            SortBy::LastModified => Self::LastModified,
            SortBy::Name => Self::Name,
        }
    }
}

/// Reads `ATTRIBUTE=TEXT`.
fn attribute(text: &str) -> Result<(FilterAttribute, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be ATTRIBUTE=TEXT, e.g. userName=ann")?;
    let by = match name {
        "userName" => FilterAttribute::UserName,
        "email" => FilterAttribute::Email,
        _ => return Err("the attribute must be userName or email"),
    };
    Ok((by, value.to_owned()))
}

/// Prints every resource of `kind`, page by page.
pub(super) async fn list(
    issuer: &Issuer,
    kind: ResourceKind,
    format: Format,
) -> Result<ExitCode, Failure> {
    print_all(issuer, kind, Listing::all(PAGE), usize::MAX, format).await
}

async fn print_all(
    issuer: &Issuer,
    kind: ResourceKind,
    mut listing: Listing,
    most: usize,
    format: Format,
) -> Result<ExitCode, Failure> {
    let mut printed = 0;
    while printed < most {
        listing.first = PAGE.min(most - printed);
        let page = issuer.listing(kind, &listing).await.map_err(refused)?;
        for document in &page.documents {
            if format == Format::Yaml && printed > 0 {
                println!("---");
            }
            print(document, format)?;
            printed += 1;
        }
        listing.after = page.end_cursor;
        if listing.after.is_none() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the person at the terminal can do about it.
fn refused(error: ListError) -> Failure {
    let ListError::Unsupported(cause) = error else { return error.into() };
    let remedy = match cause {
        Cause::FilteringAbsent => {
            "filter with --starts-with, or set data.allow_table_scans, which reads the whole table"
        }
        Cause::FilteringEndsWith => "use --starts-with",
        Cause::FilteringFilterTooSmall => "write at least three characters",
        Cause::Sorting => "omit --sort: results are ordered by the filtered attribute",
    };
    format!("{cause} by this data source ({}): {remedy}", cause.as_str()).into()
}

pub(super) async fn delete(
    issuer: &Issuer,
    arguments: DeleteArguments,
) -> Result<ExitCode, Failure> {
    let kind = kind(issuer, &arguments.kind)?;
    if kind.is_log() {
        return Err(format!("an {} can only be read", kind.as_str()).into());
    }
    if issuer.remove(kind, &arguments.id).await? {
        println!("deleted {}/{}", kind.as_str(), arguments.id);
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("{} {:?} does not exist", kind.as_str(), arguments.id).into())
    }
}

fn kind(issuer: &Issuer, name: &str) -> Result<ResourceKind, Failure> {
    issuer.resources().named(name).ok_or_else(|| {
        let known = issuer.resources().names().join(", ");
        format!("{name:?} is not a kind of resource; known kinds: {known}").into()
    })
}

fn print(document: &Value, format: Format) -> Result<(), Failure> {
    match format {
        Format::Yaml => print!("{}", yaml::write(document)?),
        Format::Json => println!("{document}"),
    }
    Ok(())
}
