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

use super::{Failure, table::Table};
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
    #[command(flatten)]
    output: Output,
}

/// How resources are printed.
#[derive(clap::Args)]
pub(super) struct Output {
    /// Output format. Default: a table for a list, YAML for one resource. `--format` is an older name
    /// of this option.
    #[arg(short = 'o', long, visible_alias = "format", value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

impl Output {
    /// What is asked for, or the default of a list.
    pub(super) fn of_list(&self) -> Format {
        self.output.unwrap_or(Format::Table)
    }
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

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// One line per resource, with its most important members.
    Table,
    /// YAML, as `apply` reads it.
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
        let document = found.with_meta();
        match arguments.output.output.unwrap_or(Format::Yaml) {
            Format::Table => Table::of(kind.as_str()).print(&[document]),
            format => print(&document, format)?,
        }
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
    let most = arguments.limit.unwrap_or(usize::MAX);
    print_all(issuer, kind, listing, most, arguments.output.of_list()).await
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
    output: &Output,
) -> Result<ExitCode, Failure> {
    print_all(issuer, kind, Listing::all(PAGE), usize::MAX, output.of_list()).await
}

async fn print_all(
    issuer: &Issuer,
    kind: ResourceKind,
    mut listing: Listing,
    most: usize,
    format: Format,
) -> Result<ExitCode, Failure> {
    let (mut printed, mut table) = (0, Table::of(kind.as_str()));
    while printed < most {
        listing.first = PAGE.min(most - printed);
        let page = issuer.listing(kind, &listing).await.map_err(refused)?;
        if format == Format::Table && !page.documents.is_empty() {
            table.print(&page.documents);
            printed += page.documents.len();
        } else {
            for document in &page.documents {
                if format == Format::Yaml && printed > 0 {
                    println!("---");
                }
                print(document, format)?;
                printed += 1;
            }
        }
        listing.after = page.end_cursor;
        if listing.after.is_none() {
            break;
        }
    }
    if format == Format::Table && printed == 0 {
        eprintln!("no {} found", kind.as_str());
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
    remove(issuer, kind, &arguments.id).await
}

/// Deletes the resource `id` of `kind`, and says so.
pub(super) async fn remove(
    issuer: &Issuer,
    kind: ResourceKind,
    id: &str,
) -> Result<ExitCode, Failure> {
    if issuer.remove(kind, id).await? {
        println!("deleted {}/{id}", kind.as_str());
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("{} {id:?} does not exist", kind.as_str()).into())
    }
}

/// The kind that is called `name`, in the singular or the plural and in any letter case.
fn kind(issuer: &Issuer, name: &str) -> Result<ResourceKind, Failure> {
    let roster = issuer.resources();
    let in_plural = || roster.iter().find(|kind| plural(kind.as_str()).eq_ignore_ascii_case(name));
    roster.named(name).or_else(in_plural).ok_or_else(|| {
        let known = roster.names().join(", ");
        format!("{name:?} is not a kind of resource; known kinds: {known}").into()
    })
}

fn plural(name: &str) -> String {
    match name.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{name}s"),
    }
}

fn print(document: &Value, format: Format) -> Result<(), Failure> {
    match format {
        Format::Yaml => print!("{}", yaml::write(document)?),
        Format::Json | Format::Table => println!("{document}"),
    }
    Ok(())
}
