//! `castellan scopes`: what a schema's scopes are, what is odd about grants against it, and what is
//! used of them.

mod lint;
mod usage;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_gate::{GuardSchema, Naming, Root, SchemaSettings};
use castellan_issuer::{Issuer, apply::ResourceKind};
use castellan_proto::scope::{Scope, ScopePattern, Scopes};
use serde_json::json;

use self::lint::{Finding, Held};
use super::Failure;
use crate::{
    config::{Config, Loaded},
    guards::fetch_sdl,
};

/// The scopes of a schema.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List every scope that a schema has, each with its fields.
    List(Source),
    /// Look for grants, keys and public patterns that are dead, too wide, or missing. Ends with 1
    /// if there is a warning; notes are only told.
    Lint {
        #[command(flatten)]
        source: Source,
        /// An older schema: what its scopes meant and no longer mean.
        #[arg(long, value_name = "FILE|URL")]
        against: Option<String>,
        /// What anybody may ask for; default: what the configured guards say.
        #[arg(long = "public", value_name = "PATTERN")]
        public: Vec<String>,
    },
    /// What each app and key used of its scopes and never used, and the narrower grant that would
    /// have done.
    Usage(usage::Arguments),
}

/// The kind of keys that stand in the configuration, beside those of resources.
const CONFIGURED: &str = "JWT_AUTH_KEYS";

/// Which schema, and how to read and print it.
#[derive(clap::Args)]
pub(super) struct Source {
    /// An SDL file, or the URL of a GraphQL API that shows its schema.
    #[arg(long, value_name = "FILE|URL")]
    schema: String,
    /// How the names of mutations are read.
    #[arg(long, value_enum, default_value_t)]
    naming: NamingRule,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum NamingRule {
    /// A verb first (createPerson) or last (personCreate).
    #[default]
    Verbs,
    /// The strict rule: `CreatePerson`.
    Trompa,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
    Sarif,
}

pub(super) async fn run(loaded: Loaded, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(source) => {
            let schema = read(&source.schema, source.naming).await?;
            list(&schema, source.format);
            Ok(ExitCode::SUCCESS)
        }
        Command::Lint { source, against, public } => {
            let schema = read(&source.schema, source.naming).await?;
            let issuer = crate::app::open_issuer(&loaded).await?;
            let held = Held {
                public: patterns(&loaded.config, &public)?,
                aliases: aliases(&loaded),
                grants: grants(&loaded, &issuer).await?,
            };
            let mut findings = lint::lint(&schema, &held);
            if let Some(older) = against {
                findings.extend(lint::drift(&read(&older, source.naming).await?, &schema));
            }
            lint::print(&findings, source.format, &source.schema);
            let good = !findings.iter().any(Finding::is_warning);
            Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Usage(arguments) => {
            let issuer = crate::app::open_issuer(&loaded).await?;
            let meaning = Meaning { aliases: aliases(&loaded), required: required(&loaded) };
            usage::run(&issuer, &grants(&loaded, &issuer).await?, &meaning, &arguments).await
        }
    }
}

async fn read(place: &str, naming: NamingRule) -> Result<GuardSchema, Failure> {
    let sdl = match url::Url::parse(place) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => fetch_sdl(&url).await?,
        _ => std::fs::read_to_string(Path::new(place))
            .map_err(|error| format!("{}: {error}", PathBuf::from(place).display()))?,
    };
    let naming = match naming {
        NamingRule::Verbs => Naming::Verbs,
        NamingRule::Trompa => Naming::Trompa,
    };
    Ok(GuardSchema::build(&sdl, &SchemaSettings { naming, ..SchemaSettings::default() })?)
}

fn list(schema: &GuardSchema, format: Format) {
    let mut scopes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (root, field, entry) in schema.entries() {
        scopes.entry(entry.demand.as_str()).or_default().push(format!("{}.{field}", root.as_str()));
    }
    if format == Format::Text {
        for (scope, fields) in &scopes {
            println!("{scope:<48} {}", fields.join(" "));
        }
    } else {
        println!("{}", json!(scopes));
    }
}

/// What is public: as said, or as the guards with an upstream say.
fn patterns(config: &Config, said: &[String]) -> Result<Vec<ScopePattern>, Failure> {
    if said.is_empty() {
        let guards = config.guard.iter().filter(|guard| guard.upstream.is_some());
        return Ok(guards.flat_map(|guard| crate::guards::rules(guard).public).collect());
    }
    said.iter().map(|text| Ok(ScopePattern::try_from(text.clone())?)).collect()
}

/// What named scopes stand for, over all guards.
fn aliases(loaded: &Loaded) -> BTreeMap<String, Vec<ScopePattern>> {
    let mut aliases: BTreeMap<String, Vec<ScopePattern>> = BTreeMap::new();
    for guard in crate::app::guards(loaded, &loaded.site) {
        for (name, patterns) in crate::guards::rules(&guard).aliases {
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
    let guards = crate::app::guards(loaded, &loaded.site);
    let rules = guards.iter().map(crate::guards::rules);
    rules
        .flat_map(|rules| rules.requires)
        .flat_map(|(root, names)| names.into_iter().map(move |name| (root, name)))
        .collect()
}

/// Who may have what: apps and keys, from the store and from the configuration.
async fn grants(loaded: &Loaded, issuer: &Issuer) -> Result<Vec<(String, Scopes)>, Failure> {
    let mut grants = Vec::new();
    for (kind, member) in [
        (ResourceKind::Client, "scope"),
        (ResourceKind::AuthKey, "scopes"),
        (ResourceKind::ApiCredential, "scope"),
    ] {
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
