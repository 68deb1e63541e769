//! `castellan scopes`: what a schema's scopes are, and what is odd about grants against it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
};

use castellan_gate::{GuardSchema, Naming, Root, SchemaSettings};
use castellan_issuer::{Issuer, apply::ResourceKind};
use castellan_proto::scope::{Demand, Scope, ScopePattern, Scopes};
use serde_json::{Value, json};

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
    /// if anything is found.
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
}

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

/// One thing that is odd.
struct Finding {
    rule: &'static str,
    /// What it is about: a field, or a grant.
    subject: String,
    text: String,
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
            let public = patterns(&loaded.config, &public)?;
            let issuer = crate::app::open_issuer(&loaded).await?;
            let grants = grants(&loaded, &issuer).await?;
            let mut findings = lint(&schema, &grants, &public);
            if let Some(older) = against {
                findings.extend(drift(&read(&older, source.naming).await?, &schema));
            }
            print(&findings, source.format, &source.schema);
            Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
    for key in &loaded.config.jwt.keys {
        let scopes = key.scopes.iter().filter_map(|text| Scope::try_from(text.clone()).ok());
        grants.push((format!("JWT_AUTH_KEYS/{}", key.id), scopes.collect()));
    }
    Ok(grants)
}

fn lint(
    schema: &GuardSchema,
    grants: &[(String, Scopes)],
    public: &[ScopePattern],
) -> Vec<Finding> {
    let demands: BTreeSet<&Demand> = schema.entries().map(|(_, _, entry)| &entry.demand).collect();
    let mut findings = Vec::new();
    for (holder, scopes) in grants {
        for scope in scopes {
            // Named scopes, and our own rights, are not about this schema.
            let Scope::Pattern(pattern) = scope else { continue };
            if pattern.as_str().starts_with("Castellan:") {
                continue;
            }
            let matched = demands.iter().filter(|demand| pattern.matches(demand)).count();
            let (rule, text) = match matched {
                0 => ("dead-scope", "opens nothing that the schema has"),
                n if n == demands.len() && n > 1 => ("opens-everything", "opens everything"),
                _ => continue,
            };
            findings.push(Finding {
                rule,
                subject: format!("{holder} {scope}"),
                text: text.to_owned(),
            });
        }
    }
    let reached = |demand: &Demand| {
        let held = grants
            .iter()
            .flat_map(|(_, scopes)| scopes)
            .any(|scope| matches!(scope, Scope::Pattern(pattern) if pattern.matches(demand)));
        held || public.iter().any(|pattern| pattern.matches(demand))
    };
    for (root, field, entry) in schema.entries() {
        let subject = format!("{}.{field}", root.as_str());
        let is_public = public.iter().any(|pattern| pattern.matches(&entry.demand));
        if root == Root::Mutation && is_public {
            let text = format!("{} is public: anybody may write", entry.demand);
            findings.push(Finding { rule: "public-mutation", subject, text });
        } else if root == Root::Mutation && !reached(&entry.demand) {
            let text = format!("nobody may have {}", entry.demand);
            findings.push(Finding { rule: "unreachable-mutation", subject, text });
        }
    }
    findings.extend(shared(schema));
    findings
}

/// Mutations that one scope opens together, though they are named differently.
fn shared(schema: &GuardSchema) -> Vec<Finding> {
    let mut fields: BTreeMap<&Demand, Vec<&str>> = BTreeMap::new();
    for (root, field, entry) in schema.entries().filter(|(root, ..)| *root == Root::Mutation) {
        debug_assert_eq!(root, Root::Mutation);
        fields.entry(&entry.demand).or_default().push(field);
    }
    fields
        .into_iter()
        .filter(|(_, fields)| fields.len() > 1)
        .map(|(demand, fields)| Finding {
            rule: "shared-scope",
            subject: demand.to_string(),
            text: format!("opens {} together", fields.join(", ")),
        })
        .collect()
}

/// What a scope meant in the older schema and no longer means.
fn drift(older: &GuardSchema, newer: &GuardSchema) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (root, field, was) in older.entries() {
        let subject = format!("{}.{field}", root.as_str());
        match newer.entry(root, field) {
            None => {
                let text = format!("is gone; it demanded {}", was.demand);
                findings.push(Finding { rule: "field-removed", subject, text });
            }
            Some(is) if is.demand != was.demand => {
                let text = format!("demands {} where it demanded {}", is.demand, was.demand);
                findings.push(Finding { rule: "demand-changed", subject, text });
            }
            Some(_) => {}
        }
    }
    for (root, field, is) in newer.entries() {
        if older.entry(root, field).is_none() {
            let subject = format!("{}.{field}", root.as_str());
            let text = format!("is new, and demands {}", is.demand);
            findings.push(Finding { rule: "field-added", subject, text });
        }
    }
    findings
}

fn print(findings: &[Finding], format: Format, schema: &str) {
    match format {
        Format::Text => {
            for Finding { rule, subject, text } in findings {
                println!("{rule}: {subject} {text}");
            }
            println!("{} findings", findings.len());
        }
        Format::Json => {
            let list: Vec<Value> = findings
                .iter()
                .map(|one| json!({"rule": one.rule, "subject": one.subject, "text": one.text}))
                .collect();
            println!("{}", json!(list));
        }
        Format::Sarif => println!("{}", sarif(findings, schema)),
    }
}

/// The findings in the Static Analysis Results Interchange Format 2.1.0.
fn sarif(findings: &[Finding], schema: &str) -> Value {
    let rules: BTreeSet<&str> = findings.iter().map(|one| one.rule).collect();
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({"id": id})).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|one| {
            json!({
                "ruleId": one.rule,
                "level": "warning",
                "message": {"text": format!("{} {}", one.subject, one.text)},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": schema}}}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "castellan scopes lint", "rules": rules}},
            "results": results,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDL: &str = "type Query { people: [Person] } type Person { id: ID }
        type Mutation { createPerson: Person personCreate: Person deletePerson: ID vote: ID }";

    fn schema(sdl: &str) -> GuardSchema {
        GuardSchema::build(sdl, &SchemaSettings::default()).unwrap()
    }

    fn grant(holder: &str, scopes: &str) -> (String, Scopes) {
        (holder.to_owned(), Scopes::parse(scopes).unwrap())
    }

    fn rules(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|one| format!("{} {}", one.rule, one.subject)).collect()
    }

    #[test]
    fn what_is_dead_too_wide_unreachable_or_shared_is_found() {
        let grants = [
            grant("Client/a", "openid Mutation:Person:Create Mutation:Pesron:Create"),
            grant("AuthKey/b", "* Castellan:*"),
        ];
        let public = [ScopePattern::try_from("Query:*".to_owned()).unwrap()];
        assert_eq!(
            rules(&lint(&schema(SDL), &grants, &public)),
            [
                "dead-scope Client/a Mutation:Pesron:Create",
                "opens-everything AuthKey/b *",
                "shared-scope Mutation:Person:Create",
            ]
        );
        let all = [ScopePattern::try_from("*".to_owned()).unwrap()];
        let found = rules(&lint(&schema(SDL), &[], &all));
        assert!(found.contains(&"public-mutation Mutation.vote".to_owned()), "{found:?}");
        let found = rules(&lint(&schema(SDL), &grants[..1], &public));
        assert!(found.contains(&"unreachable-mutation Mutation.vote".to_owned()), "{found:?}");
    }

    #[test]
    fn drift_names_what_a_scope_no_longer_means() {
        let newer = SDL.replace("vote", "poll").replace("people: [Person]", "people: Person");
        assert_eq!(
            rules(&drift(&schema(SDL), &schema(&newer))),
            [
                "demand-changed Query.people",
                "field-removed Mutation.vote",
                "field-added Mutation.poll",
            ]
        );
    }

    #[test]
    fn sarif_names_its_rules_once() {
        let findings = drift(&schema(SDL), &schema(&SDL.replace("vote", "poll")));
        let sarif = sarif(&findings, "schema.graphql");
        assert_eq!(sarif["version"], "2.1.0");
        assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
        assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
    }
}
