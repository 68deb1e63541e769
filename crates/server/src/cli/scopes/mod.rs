//! `castellan scopes`: what a schema's scopes are, what is odd about grants against it, and what is
//! used of them.

mod drift;
mod finding;
mod held;
mod lint;
mod report;
mod shape;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod usage;

use std::{collections::BTreeMap, process::ExitCode};

use castellan_gate::{Root, Rules};
use castellan_issuer::Issuer;
use castellan_proto::scope::{Scope, ScopePattern, Scopes};
use serde_json::json;

use self::{
    finding::{Finding, Rule},
    held::{Held, Judge},
    report::Checked,
    source::{Source, Subject, Surface, as_url},
};
use super::Failure;
use crate::{
    config::{GuardConfig, Loaded},
    dialects, guards,
    startup::assemble::{self, Access},
    yaml,
};

/// Scopes of a schema.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List every scope of a schema with its fields.
    List {
        #[command(flatten)]
        source: Source,
        /// Output format. SARIF is for `lint` only. `--format` is an older name of this option.
        #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
        output: ListFormat,
    },
    /// Find scopes of clients, keys, roles and public patterns that match nothing, are too wide, or
    /// are missing.
    ///
    /// Exits with 0 if there are no warnings, with 1 if there are (notes do not count), and with 2
    /// if the check could not run.
    #[command(after_help = finding::rules())]
    Lint(LintArguments),
    /// Show which of its scopes each app, key and role has used or never used, and the narrowest
    /// scopes that would have been sufficient. Roles are counted at guards that require them.
    Usage(usage::Arguments),
}

pub(super) use held::opens;
pub(super) use source::{guarding, of_guard};
pub(super) use table::Table;

/// The kind of keys that stand in the configuration, beside those of resources.
const CONFIGURED: &str = "JWT_AUTH_KEYS";

/// What to hold against the schema, and how to print.
#[derive(clap::Args)]
pub(super) struct LintArguments {
    #[command(flatten)]
    source: Source,
    /// Older schema to compare with, for scopes whose meaning has changed.
    #[arg(long, value_name = "FILE|URL")]
    against: Option<String>,
    /// Public scope pattern (default: those of the configured guards). May be repeated.
    #[arg(long = "public", value_name = "PATTERN")]
    public: Vec<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum ListFormat {
    /// One line per scope, with the fields that require it.
    #[default]
    #[value(alias = "text")]
    Table,
    Json,
    Yaml,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    /// SARIF 2.1.0, for tools that show findings beside the code.
    Sarif,
}

/// How it ends if it could not look.
const COULD_NOT: u8 = 2;

/// `is_there` looks whether there is a database.
pub(super) async fn run(
    loaded: Loaded,
    is_there: impl Fn(&Loaded) -> Result<(), Failure>,
    command: Command,
) -> Result<ExitCode, Failure> {
    let done = match command {
        Command::List { source, output } => list(&loaded, &source, output).await,
        Command::Lint(arguments) => lint(&loaded, is_there, &arguments).await,
        Command::Usage(arguments) => {
            let issuer = assemble::open_issuer(&loaded, Access::Look).await?;
            let meaning = Meaning { aliases: aliases(&loaded), required: required(&loaded) };
            let grants = grants(&loaded, &issuer).await?;
            return usage::run(&issuer, &grants, &meaning, &arguments).await;
        }
    };
    Ok(done.unwrap_or_else(|error| {
        super::fail(&*error);
        ExitCode::from(COULD_NOT)
    }))
}

async fn list(loaded: &Loaded, source: &Source, format: ListFormat) -> Result<ExitCode, Failure> {
    let subjects = source.subjects(loaded).await?;
    let scopes: Vec<_> = subjects.iter().map(|subject| scopes_of(&subject.surface)).collect();
    match format {
        ListFormat::Table => {
            for (at, (subject, scopes)) in subjects.iter().zip(&scopes).enumerate() {
                if let Some(guard) = subject.guard.as_ref().filter(|_| source.is_of_guards()) {
                    println!("{}guard {}", if at > 0 { "\n" } else { "" }, guard.name);
                }
                for (scope, fields) in scopes {
                    println!("{scope:<48} {}", fields.join(" "));
                }
            }
        }
        ListFormat::Json | ListFormat::Yaml => {
            let name = |subject: &Subject| subject.guard.as_ref().map(|guard| guard.name.clone());
            let shown = if source.is_of_guards() {
                let by_guard = subjects.iter().filter_map(name).zip(&scopes);
                json!(by_guard.collect::<BTreeMap<_, _>>())
            } else {
                json!(scopes.first())
            };
            match format {
                ListFormat::Yaml => print!("{}", yaml::write(&shown)?),
                _ => println!("{shown}"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Each scope with the fields that require it.
fn scopes_of(surface: &Surface) -> BTreeMap<&str, Vec<String>> {
    let mut scopes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, field, entry) in surface.schema.entries() {
        scopes.entry(entry.required.as_str()).or_default().push(place_of(root, field));
    }
    scopes
}

async fn lint(
    loaded: &Loaded,
    is_there: impl Fn(&Loaded) -> Result<(), Failure>,
    arguments: &LintArguments,
) -> Result<ExitCode, Failure> {
    let source = &arguments.source;
    let subjects = source.subjects(loaded).await?;
    let older = match (&arguments.against, &*subjects) {
        (None, _) => None,
        (Some(place), [subject]) => Some(source.older(place, subject, &loaded.roots).await?),
        (Some(_), _) => return Err("--against needs --guard: there are several guards".into()),
    };
    let mut all_judges = Vec::new();
    for subject in &subjects {
        all_judges.push(judges(loaded, subject.guard.as_ref(), &arguments.public)?);
    }
    is_there(loaded)?;
    let issuer = assemble::open_issuer(loaded, Access::Look).await?;
    let grants = grants(loaded, &issuer).await?;
    let mut checked = Vec::new();
    for (subject, judges) in subjects.into_iter().zip(all_judges) {
        let mut held = Held::new(judges, grants.clone());
        if subject.guard.is_some() {
            held = held.admitted();
        }
        let mut findings = lint::lint(&subject.surface, &held);
        if !source.is_of_guards() {
            findings.extend(odd_policies(loaded, &issuer, subject.guard.as_ref()).await?);
        }
        if let Some(older) = &older {
            findings.extend(drift::drift(&older.schema, &subject.surface.schema, &held));
        }
        checked.push(Checked { subject, held, findings });
    }
    let mut reports = report::of(checked, source.is_of_guards());
    if source.is_of_guards() {
        let policies = odd_policies(loaded, &issuer, None).await?;
        report::add_general(&mut reports, policies);
    }
    match arguments.format {
        Format::Text => finding::print_text(&reports),
        Format::Json => println!("{}", finding::to_json(&reports)),
        Format::Sarif => println!("{}", finding::to_sarif(&reports)),
    }
    let good = !reports.iter().flat_map(|report| &report.findings).any(Finding::is_warning);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Policies that are never asked, and guards that ask for policies that are not there; of one guard
/// if it is named.
async fn odd_policies(
    loaded: &Loaded,
    issuer: &Issuer,
    guard: Option<&GuardConfig>,
) -> Result<Vec<Finding>, Failure> {
    let mut policies = issuer.policy_places().await?;
    let guards = match guard {
        Some(guard) => {
            for (_, places) in &mut policies {
                places.retain(|one| *one == guard.name);
            }
            vec![guard.clone()]
        }
        None => loaded.guards(&loaded.site),
    };
    let found = guards::misplaced(&guards, &policies).into_iter();
    Ok(found.map(|(subject, text)| Finding::warning(Rule::Policies, subject, text)).collect())
}

/// As it is written in a guard's overrides or operations.
fn place_of(root: Root, field: &str) -> String {
    if field.contains(' ') { field.to_owned() } else { format!("{}.{field}", root.as_str()) }
}

/// Whose rules are asked: the guard's that is named, those of all guards with an upstream, or none
/// but what named scopes stand for. What is public is as said, if it is said.
fn judges(
    loaded: &Loaded,
    guard: Option<&GuardConfig>,
    said: &[String],
) -> Result<Vec<Judge>, Failure> {
    let guards = match guard {
        Some(guard) => vec![guard.clone()],
        None => loaded
            .guards(&loaded.site)
            .into_iter()
            .filter(|guard| guard.upstream.is_some())
            .collect(),
    };
    let mut judges: Vec<Judge> = guards.iter().map(Judge::at).collect();
    if judges.is_empty() {
        judges.push(Judge::by(Rules { aliases: aliases(loaded), ..dialects::rules(None) }));
    }
    if said.is_empty() {
        return Ok(judges);
    }
    let public: Result<Vec<_>, _> =
        said.iter().map(|text| ScopePattern::try_from(text.clone())).collect();
    let public = public?;
    Ok(judges.into_iter().map(|judge| judge.with_public(&public)).collect())
}

/// What named scopes stand for, over all guards.
fn aliases(loaded: &Loaded) -> BTreeMap<String, Vec<ScopePattern>> {
    let mut aliases: BTreeMap<String, Vec<ScopePattern>> = BTreeMap::new();
    for guard in loaded.guards(&loaded.site) {
        for (name, patterns) in guards::rules(&guard).aliases {
            aliases.entry(name).or_default().extend(patterns);
        }
    }
    aliases
}

/// What named scopes mean to the guards.
struct Meaning {
    /// What each stands for.
    aliases: BTreeMap<String, Vec<ScopePattern>>,
    /// Which must be held besides for anything of a root type.
    required: Vec<(Root, String)>,
}

/// The named scopes that guards require besides.
fn required(loaded: &Loaded) -> Vec<(Root, String)> {
    let guards = loaded.guards(&loaded.site);
    let rules = guards.iter().map(guards::rules);
    rules
        .flat_map(|rules| rules.requires)
        .flat_map(|(root, names)| names.into_iter().map(move |name| (root, name)))
        .collect()
}

/// Who may have what: apps, keys and roles, from the store and from the configuration.
async fn grants(loaded: &Loaded, issuer: &Issuer) -> Result<Vec<(String, Scopes)>, Failure> {
    let mut grants = Vec::new();
    for kind in issuer.resources().iter() {
        let Some(member) = kind.scope_member() else { continue };
        let mut after: Option<String> = None;
        loop {
            let page = issuer.list(kind, after.as_deref(), 200).await?;
            for document in &page {
                let scopes = serde_json::from_value(document[member].clone()).unwrap_or_default();
                let id = document["id"].as_str().unwrap_or_default();
                grants.push((format!("{}/{id}", kind.as_str()), scopes));
            }
            match page.last().and_then(|last| last["id"].as_str()) {
                Some(last) if page.len() == 200 => after = Some(last.to_owned()),
                _ => break,
            }
        }
    }
    for key in loaded.config.jwt.keys.iter().filter(|_| loaded.site.is_first) {
        let scopes = key.scopes.iter().filter_map(|text| Scope::try_from(text.clone()).ok());
        grants.push((format!("{CONFIGURED}/{}", key.id), scopes.collect()));
    }
    Ok(grants)
}
