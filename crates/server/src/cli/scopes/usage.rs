//! What apps and keys use of what they may, and the narrower grant that would have done.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use castellan_gate::Root;
use castellan_issuer::{
    Issuer,
    resources::{
        ResourceKind,
        usage::{Usage, Used},
    },
};
use castellan_proto::{
    Timestamp,
    scope::{RequiredScope, Scope, ScopePattern, Scopes},
};
use serde::Serialize;

use super::{CONFIGURED, Meaning};
use crate::cli::{Failure, counted};

/// Whose use, and how to print it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// App, key or role, such as `Client/webapp` (default: all).
    resource: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    /// JSON, one object per line.
    Json,
}

/// What one app or key used.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Report {
    resource: String,
    /// Since when it is counted; nothing was counted if absent.
    since: Option<Timestamp>,
    scopes: Vec<ScopeUse>,
    /// Required scopes that were met and that the grant as it stands does not cover any more.
    no_longer_granted: Vec<String>,
    /// There was more than is counted, so that nothing is proposed.
    incomplete: bool,
    /// What would have done; absent if that is what is granted, or if nothing was counted.
    narrower: Option<Vec<String>>,
}

/// What was used of one scope of a grant.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ScopeUse {
    scope: String,
    /// Whether it is about an API at all; `openid` and its like are not.
    about_an_api: bool,
    count: u64,
    last: Option<Timestamp>,
    #[serde(rename = "demands")]
    required_scopes: BTreeMap<String, Used>,
}

pub(super) async fn run(
    issuer: &Issuer,
    grants: &[(String, Scopes)],
    meaning: &Meaning,
    arguments: &Arguments,
) -> Result<ExitCode, Failure> {
    let wanted = |name: &str| arguments.resource.as_ref().is_none_or(|only| only == name);
    let mut found = false;
    for (name, scopes) in grants.iter().filter(|(name, _)| wanted(name)) {
        found = true;
        let (kind, id) = name.split_once('/').unwrap_or((name, ""));
        // A key of the configuration is counted as the key that it stands in for.
        let kind = issuer.resources().named(kind).filter(|_| kind != CONFIGURED);
        let usage = issuer.usage(kind.unwrap_or(ResourceKind::AUTH_KEY), id).await?;
        let report = report(name, scopes, usage.as_ref(), meaning);
        match arguments.format {
            Format::Json => println!("{}", serde_json::to_string(&report)?),
            Format::Text => print(&report),
        }
    }
    match &arguments.resource {
        Some(name) if !found => Err(format!(
            "{name:?} does not exist; give Client/ID, AuthKey/ID, ApiCredential/KEY, Role/ID or \
             {CONFIGURED}/ID"
        )
        .into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn report(resource: &str, scopes: &Scopes, usage: Option<&Usage>, meaning: &Meaning) -> Report {
    let aliases = &meaning.aliases;
    let used: Vec<(RequiredScope, Used)> = usage
        .into_iter()
        .flat_map(|usage| &usage.required_scopes)
        .filter_map(|(text, used)| Some((RequiredScope::try_from(text.clone()).ok()?, *used)))
        .collect();
    let mut rest: BTreeSet<&RequiredScope> = used.iter().map(|(required, _)| required).collect();
    let (mut parts, mut narrower) = (Vec::new(), BTreeSet::new());
    for scope in scopes {
        let (patterns, about_an_api) = match scope {
            Scope::Pattern(pattern) => (std::slice::from_ref(pattern), true),
            Scope::Named(name) => match aliases.get(name) {
                Some(patterns) => (&**patterns, true),
                None => (&[][..], false),
            },
        };
        let met =
            |required: &RequiredScope| patterns.iter().any(|pattern| pattern.matches(required));
        let required_scopes: BTreeMap<String, Used> = used
            .iter()
            .filter(|(required, _)| met(required))
            .map(|(required, used)| (required.to_string(), *used))
            .collect();
        rest.retain(|required| !met(required));
        match scope {
            // What a named scope stands for is the guards' to say; it is kept or dropped whole.
            Scope::Named(name)
                if !required_scopes.is_empty() || !about_an_api || meaning.needs(name, &used) =>
            {
                narrower.insert(name.clone());
            }
            Scope::Named(_) => {}
            Scope::Pattern(_) => narrower.extend(required_scopes.keys().cloned()),
        }
        parts.push(ScopeUse {
            scope: scope.to_string(),
            about_an_api,
            count: required_scopes.values().map(|used| used.count).sum(),
            last: required_scopes.values().map(|used| used.last).max(),
            required_scopes,
        });
    }
    let narrower = drop_covered(&narrower, aliases);
    let granted: BTreeSet<String> = scopes.iter().map(ToString::to_string).collect();
    Report {
        resource: resource.to_owned(),
        since: usage.map(|usage| usage.since),
        scopes: parts,
        no_longer_granted: rest.into_iter().map(ToString::to_string).collect(),
        incomplete: usage.is_some_and(|usage| usage.incomplete),
        narrower: (usage.is_some_and(|usage| !usage.incomplete) && narrower != granted)
            .then(|| narrower.into_iter().collect()),
    }
}

impl Meaning {
    /// Whether some guard requires `name` besides for something that was used.
    fn needs(&self, name: &str, used: &[(RequiredScope, Used)]) -> bool {
        let of = |root: &Root| {
            let prefix = format!("{}:", root.as_str());
            used.iter().any(|(required, _)| required.as_str().starts_with(&prefix))
        };
        self.required.iter().any(|(root, required)| required == name && of(root))
    }
}

/// Without the required scopes that a named scope among them opens anyway.
fn drop_covered(
    scopes: &BTreeSet<String>,
    aliases: &BTreeMap<String, Vec<ScopePattern>>,
) -> BTreeSet<String> {
    let opened: Vec<&ScopePattern> =
        scopes.iter().filter_map(|name| aliases.get(name)).flatten().collect();
    scopes
        .iter()
        .filter(|text| {
            let required = RequiredScope::try_from((*text).clone());
            !required.is_ok_and(|required| opened.iter().any(|pattern| pattern.matches(&required)))
        })
        .cloned()
        .collect()
}

fn print(report: &Report) {
    match report.since {
        Some(since) => println!("{}, counted since {}", report.resource, time(since)),
        None => println!("{}, no use recorded yet", report.resource),
    }
    for part in report.scopes.iter().filter(|part| part.about_an_api) {
        let ScopeUse { scope, count, last, required_scopes, .. } = part;
        match last {
            None => println!("  never used  {scope}"),
            Some(last) => {
                println!(
                    "  used        {scope}: {}, last {}",
                    counted(*count, "time"),
                    time(*last)
                );
            }
        }
        for (required, used) in required_scopes.iter().filter(|(required, _)| *required != scope) {
            println!("              {required}: {}", counted(used.count, "time"));
        }
    }
    if !report.no_longer_granted.is_empty() {
        println!("  once used   {}, no longer granted", report.no_longer_granted.join(" "));
    }
    match &report.narrower {
        Some(narrower) if narrower.is_empty() => println!("  narrower    no scopes"),
        Some(narrower) => println!("  narrower    {}", narrower.join(" ")),
        None => {}
    }
}

fn time(at: Timestamp) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(at.0)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(required_scopes: &[(&str, u64)]) -> Usage {
        let used = |count| Used { count, last: Timestamp(100 + count) };
        let required_scopes =
            required_scopes.iter().map(|(text, count)| ((*text).to_owned(), used(*count)));
        Usage {
            since: Timestamp(1),
            last: Timestamp(200),
            required_scopes: required_scopes.collect(),
            incomplete: false,
        }
    }

    fn narrower(scopes: &str, required_scopes: &[(&str, u64)]) -> Option<String> {
        let pattern = |text: &str| ScopePattern::try_from(text.to_owned()).unwrap();
        let meaning = Meaning {
            aliases: [("api:read".to_owned(), vec![pattern("Query:*")])].into(),
            required: vec![
                (Root::Mutation, "user".to_owned()),
                (Root::Mutation, "api:read".to_owned()),
            ],
        };
        let scopes = Scopes::parse(scopes).unwrap();
        let report = report("Client/a", &scopes, Some(&usage(required_scopes)), &meaning);
        report.narrower.map(|scopes| scopes.join(" "))
    }

    #[test]
    fn the_narrower_grant_is_what_was_used() {
        let one = ("Mutation:Person:Create", 3);
        for (scopes, required_scopes, proposed) in [
            ("openid Mutation:*", &[one][..], Some("Mutation:Person:Create openid")),
            (
                "*",
                &[one, ("Query:Person:List", 1)],
                Some("Mutation:Person:Create Query:Person:List"),
            ),
            (
                "api:read *",
                &[one, ("Query:Person:List", 1)],
                Some("Mutation:Person:Create api:read"),
            ),
            // Some guard wants it for any mutation.
            ("api:read Mutation:Person:Create", &[one], None),
            ("api:read Mutation:Person:Create", &[], Some("")),
            ("Mutation:Person:Create", &[one], None),
            ("Mutation:Place:*", &[one], Some("")),
            ("Mutation:*", &[], Some("")),
        ] {
            assert_eq!(narrower(scopes, required_scopes).as_deref(), proposed, "{scopes}");
        }
    }

    #[test]
    fn a_scope_tells_what_was_used_of_it() {
        let scopes = Scopes::parse("Mutation:Person:* Mutation:Place:* openid").unwrap();
        let used = usage(&[
            ("Mutation:Person:Create", 3),
            ("Mutation:Person:Merge", 1),
            ("Mutation:X:Y", 1),
        ]);
        let report = report(
            "AuthKey/k",
            &scopes,
            Some(&used),
            &Meaning { aliases: BTreeMap::new(), required: Vec::new() },
        );
        let counts: Vec<_> = report
            .scopes
            .iter()
            .map(|part| (&*part.scope, part.about_an_api, part.count))
            .collect();
        assert_eq!(
            counts,
            [("Mutation:Person:*", true, 4), ("Mutation:Place:*", true, 0), ("openid", false, 0)]
        );
        assert_eq!(report.scopes[0].last, Some(Timestamp(103)));
        assert_eq!(report.no_longer_granted, ["Mutation:X:Y"]);
    }
}
