//! `castellan scopes`: what a schema's scopes are, what is odd about grants against it, and what is
//! used of them.

mod drift;
mod finding;
mod held;
mod lint;
mod shape;
mod table;
#[cfg(test)]
mod tests;
mod usage;

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use castellan_gate::{
    GuardSchema, Naming, Root, Rules, SchemaSettings,
    rest::{Operation, RestLock, read_openapi},
};
use castellan_issuer::Issuer;
use castellan_proto::scope::{Scope, ScopePattern, Scopes};
use serde_json::json;

use self::{
    finding::{Finding, Rule},
    held::{Held, Judge},
    shape::Shape,
    table::Table,
};
use super::Failure;
use crate::{
    config::{GuardConfig, Loaded},
    dialects,
    guards::{self, fetch_sdl},
    roots::TrustedRoots,
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
        /// Output format. SARIF is for `lint` only.
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
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

/// The kind of keys that stand in the configuration, beside those of resources.
const CONFIGURED: &str = "JWT_AUTH_KEYS";

/// Which schema, and how to read it.
#[derive(clap::Args)]
pub(super) struct Source {
    /// SDL file, OpenAPI document (`.yaml`, `.yml` or `.json`), or URL of a GraphQL API with
    /// introspection. Default: what the guard has, if it is one of an API over HTTP.
    #[arg(long, value_name = "FILE|URL", required_unless_present = "guard")]
    schema: Option<String>,
    /// Read the schema as this guard does, with its naming, overrides and session field. Needed without
    /// `--schema`: of several guards each has scopes of its own. `lint`
    /// then applies this guard's rules only, to the callers that it accepts (default: the rules of
    /// all guards with an upstream).
    #[arg(long, value_name = "NAME")]
    guard: Option<String>,
    /// How scopes are derived from the names of mutations.
    #[arg(long, value_enum, default_value_t, conflicts_with = "guard")]
    naming: NamingRule,
}

impl Source {
    /// What a reader of findings finds the schema by.
    fn place(&self) -> &str {
        self.schema.as_deref().or(self.guard.as_deref()).unwrap_or_default()
    }
}

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
enum NamingRule {
    /// Verb first (createPerson) or last (personCreate).
    #[default]
    Verbs,
    /// Strict: verb first, in upper camel case (`CreatePerson`).
    Trompa,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum ListFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    /// SARIF 2.1.0, for tools that show findings beside the code.
    Sarif,
}

/// A schema as a guard reads it, and as it is written.
struct Surface {
    schema: Table,
    shape: Shape,
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
        Command::List { source, format } => list(&loaded, &source, format).await,
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
    let guard = find_guard(loaded, source)?;
    let surface = read_source(loaded, source, guard.as_ref()).await?;
    let mut scopes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, field, entry) in surface.schema.entries() {
        scopes.entry(entry.required.as_str()).or_default().push(place_of(root, field));
    }
    match format {
        ListFormat::Text => {
            for (scope, fields) in &scopes {
                println!("{scope:<48} {}", fields.join(" "));
            }
        }
        ListFormat::Json => println!("{}", json!(scopes)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn lint(
    loaded: &Loaded,
    is_there: impl Fn(&Loaded) -> Result<(), Failure>,
    arguments: &LintArguments,
) -> Result<ExitCode, Failure> {
    let source = &arguments.source;
    let guard = find_guard(loaded, source)?;
    let surface = read_source(loaded, source, guard.as_ref()).await?;
    let older = match &arguments.against {
        Some(place) if is_openapi(place) => Some(read_openapi_at(place, Vec::new())?),
        Some(place) => {
            Some(read_older(place, settings(source, guard.as_ref()), &loaded.roots).await?)
        }
        None => None,
    };
    let judges = judges(loaded, guard.as_ref(), &arguments.public)?;
    is_there(loaded)?;
    let issuer = assemble::open_issuer(loaded, Access::Look).await?;
    let mut held = Held::new(judges, grants(loaded, &issuer).await?);
    if guard.is_some() {
        held = held.admitted();
    }
    let mut findings = lint::lint(&surface, &held);
    findings.extend(odd_policies(loaded, &issuer, guard.as_ref()).await?);
    if let Some(older) = older {
        findings.extend(drift::drift(&older.schema, &surface.schema, &held));
    }
    match arguments.format {
        Format::Text => finding::print_text(&findings),
        Format::Json => println!("{}", finding::to_json(&findings)),
        Format::Sarif => {
            println!("{}", finding::to_sarif(&findings, source.place(), &surface.shape));
        }
    }
    let good = !findings.iter().any(Finding::is_warning);
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

/// The guard that is named, if one is.
fn find_guard(loaded: &Loaded, source: &Source) -> Result<Option<GuardConfig>, Failure> {
    let Some(name) = &source.guard else { return Ok(None) };
    let mut guards = loaded.guards(&loaded.site);
    let at = guards.iter().position(|guard| guard.name == *name).ok_or_else(|| {
        let known: Vec<_> = guards.iter().map(|guard| &*guard.name).collect();
        format!("guard {name:?} does not exist; configured guards: {}", known.join(", "))
    })?;
    Ok(Some(guards.swap_remove(at)))
}

/// How a schema is read: as the guard does, or as said.
fn settings(source: &Source, guard: Option<&GuardConfig>) -> SchemaSettings {
    let Some(guard) = guard else {
        let naming = match source.naming {
            NamingRule::Verbs => Naming::Verbs,
            NamingRule::Trompa => Naming::Trompa,
        };
        return SchemaSettings { naming, ..plain() };
    };
    SchemaSettings {
        naming: guard.naming(),
        overrides: guard.overrides.clone(),
        session: guard.session_field(),
        create_token: guard.creates_tokens(),
        upstream_enforces: guard.upstream_enforces.clone(),
        ..SchemaSettings::default()
    }
}

/// How a schema is read that no guard stands before: what its service enforces is its own business.
fn plain() -> SchemaSettings {
    let upstream_enforces = vec![castellan_gate::ANY_DIRECTIVE.to_owned()];
    SchemaSettings { upstream_enforces, ..SchemaSettings::default() }
}

/// `place`, if it is no file.
fn as_url(place: &str) -> Option<url::Url> {
    url::Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

async fn sdl_at(place: &str, roots: &TrustedRoots) -> Result<String, Failure> {
    Ok(match as_url(place) {
        Some(url) => fetch_sdl(&url, roots).await?,
        None => std::fs::read_to_string(Path::new(place))
            .map_err(|error| format!("{place}: {error}"))?,
    })
}

/// What is named, read as the guard does, if one is named.
async fn read_source(
    loaded: &Loaded,
    source: &Source,
    guard: Option<&GuardConfig>,
) -> Result<Surface, Failure> {
    let own =
        guard.filter(|guard| guard.is_http()).map(GuardConfig::rest_operations).transpose()?;
    match (&source.schema, guard) {
        (Some(place), _) if is_openapi(place) => read_openapi_at(place, own.unwrap_or_default()),
        (Some(place), _) if own.is_some() => {
            Err(format!("{place}: the guard guards no GraphQL API; name an OpenAPI document")
                .into())
        }
        (Some(place), _) => {
            let sdl = sdl_at(place, &loaded.roots).await?;
            Surface::build(place, &sdl, &settings(source, guard))
        }
        (None, Some(guard)) => {
            let built = guards::build_schema(guard, &loaded.folder, &loaded.roots).await?;
            let map = built.surface.http().ok_or("--schema is required for a GraphQL API")?;
            Ok(Surface { schema: Table::of_map(map), shape: Shape::read("") })
        }
        (None, None) => Err("name a --schema or a --guard".into()),
    }
}

/// Whether `place` is a file that GraphQL schemas are not in.
fn is_openapi(place: &str) -> bool {
    let extension = Path::new(place).extension().and_then(|extension| extension.to_str());
    as_url(place).is_none() && extension.is_some_and(|one| matches!(one, "yaml" | "yml" | "json"))
}

fn read_openapi_at(place: &str, own: Vec<Operation>) -> Result<Surface, Failure> {
    let text = std::fs::read_to_string(place).map_err(|error| format!("{place}: {error}"))?;
    let documents = yaml::read(&text).map_err(|error| format!("{place}: {error}"))?;
    let [document] = &*documents else {
        return Err(format!("{place}: must be one document").into());
    };
    let read = read_openapi(document, own, &RestLock::new());
    let map = read.map_err(|error| format!("{place}: {error}"))?.map;
    Ok(Surface { schema: Table::of_map(&map), shape: Shape::read("") })
}

/// Reads a schema of which the guard may name fields that it did not have yet.
async fn read_older(
    place: &str,
    mut settings: SchemaSettings,
    roots: &TrustedRoots,
) -> Result<Surface, Failure> {
    let sdl = sdl_at(place, roots).await?;
    // This naming reads every field.
    let plain = SchemaSettings { session: settings.session, ..plain() };
    let plain = Surface::build(place, &sdl, &plain)?;
    let fields = plain.schema.entries().map(|(root, field, _)| place_of(root, field));
    let fields: Vec<String> = fields.collect();
    settings.overrides.retain(|field, _| fields.contains(field));
    Surface::build(place, &sdl, &settings)
}

impl Surface {
    fn build(place: &str, sdl: &str, settings: &SchemaSettings) -> Result<Self, Failure> {
        let schema =
            GuardSchema::build(sdl, settings).map_err(|error| format!("{place}: {error}"))?;
        let schema = Table::of_schema(&schema);
        Ok(Self { schema, shape: Shape::read(sdl) })
    }
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
