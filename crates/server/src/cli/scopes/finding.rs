//! What is odd, and how it is printed.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use serde_json::{Value, json};

use super::shape::Shape;
use crate::cli::counted;

/// Which check it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    DeadScope,
    OpensEverything,
    PublicMutation,
    UnreachableMutation,
    NoRole,
    Policies,
    SharedScope,
    WeakerInterface,
    PublicFields,
    FieldRemoved,
    RequiredScopeChanged,
    FieldAdded,
    ScopeMoved,
}

impl Rule {
    const ALL: [Self; 13] = [
        Self::DeadScope,
        Self::OpensEverything,
        Self::PublicMutation,
        Self::UnreachableMutation,
        Self::NoRole,
        Self::Policies,
        Self::SharedScope,
        Self::WeakerInterface,
        Self::PublicFields,
        Self::FieldRemoved,
        Self::RequiredScopeChanged,
        Self::FieldAdded,
        Self::ScopeMoved,
    ];

    /// Its code and what it is about, for people and for CI to go by.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::DeadScope => ("dead-scope", "a scope or public pattern matches nothing"),
            Self::OpensEverything => ("opens-everything", "a scope opens everything"),
            Self::PublicMutation => ("public-mutation", "a mutation is public"),
            Self::UnreachableMutation => {
                ("unreachable-mutation", "no client or key may send a mutation")
            }
            Self::NoRole => ("no-role", "a guard requires roles, and no role allows a field"),
            Self::Policies => {
                ("policies", "a guard requires policies and has none, or a policy is never asked")
            }
            Self::SharedScope => (
                "shared-scope",
                "one scope opens several fields; a note if they return the same type",
            ),
            Self::WeakerInterface => {
                ("weaker-interface", "an interface or union exposes types without their own scopes")
            }
            Self::PublicFields => {
                ("public-fields", "the fields that a public pattern opens; always a note")
            }
            Self::FieldRemoved => ("field-removed", "--against: a field was removed"),
            Self::RequiredScopeChanged => {
                ("demand-changed", "--against: a field requires a different scope")
            }
            Self::FieldAdded => ("field-added", "--against: a field is new"),
            Self::ScopeMoved => ("scope-moved", "--against: a scope opens a different field"),
        }
    }
}

/// The rules in words, for the help.
pub(super) fn rules() -> String {
    Rule::ALL.into_iter().fold("Findings:\n".to_owned(), |mut out, rule| {
        let (code, about) = rule.words();
        let _ = writeln!(out, "  {code:<21} {about}");
        out
    })
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Somebody should look at it: the command ends with 1.
    Warning,
    /// Good to know.
    Note,
}

/// One thing that is odd.
pub(super) struct Finding {
    pub(super) rule: Rule,
    /// What it is about: a field, a scope, or a grant.
    pub(super) subject: String,
    pub(super) text: String,
    level: Level,
}

impl Finding {
    pub(super) fn warning(rule: Rule, subject: String, text: String) -> Self {
        Self { rule, subject, text, level: Level::Warning }
    }

    pub(super) fn note(rule: Rule, subject: String, text: String) -> Self {
        Self { rule, subject, text, level: Level::Note }
    }

    /// Whether somebody should look at it.
    pub(super) fn is_warning(&self) -> bool {
        self.level == Level::Warning
    }

    pub(super) const fn code(&self) -> &'static str {
        self.rule.words().0
    }

    const fn level(&self) -> &'static str {
        match self.level {
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// What was found about one schema, or about no single one.
pub(super) struct Report {
    /// The guard whose schema it is, where every guard is looked at.
    pub(super) guard: Option<String>,
    /// What the schema is found by.
    pub(super) place: Option<(String, Shape)>,
    pub(super) findings: Vec<Finding>,
}

pub(super) fn print_text(reports: &[Report]) {
    for report in reports {
        if let Some(guard) = &report.guard {
            println!("guard {guard}");
        }
        for finding in &report.findings {
            let Finding { subject, text, .. } = finding;
            println!("{}: {}: {subject} {text}", finding.level(), finding.code());
        }
    }
    let all = || reports.iter().flat_map(|report| &report.findings);
    let warnings = all().filter(|one| one.is_warning()).count();
    let notes = all().count() - warnings;
    println!("{}, {}", counted(warnings, "warning"), counted(notes, "note"));
}

pub(super) fn to_json(reports: &[Report]) -> Value {
    let one = |(guard, one): (&Option<String>, &Finding)| {
        let mut shown = json!({"rule": one.code(), "level": one.level(), "subject": one.subject, "text": one.text});
        if let Some(guard) = guard {
            shown["guard"] = json!(guard);
        }
        shown
    };
    each(reports).map(|(report, finding)| one((&report.guard, finding))).collect()
}

fn each(reports: &[Report]) -> impl Iterator<Item = (&Report, &Finding)> {
    reports.iter().flat_map(|report| report.findings.iter().map(move |finding| (report, finding)))
}

/// The findings in the Static Analysis Results Interchange Format 2.1.0, about the schemas that they
/// are of; what is about no single one has no physical location.
pub(super) fn to_sarif(reports: &[Report]) -> Value {
    let rules: BTreeSet<Rule> = each(reports).map(|(_, one)| one.rule).collect();
    let rules: Vec<Value> = rules
        .into_iter()
        .map(Rule::words)
        .map(|(id, about)| json!({"id": id, "shortDescription": {"text": about}}))
        .collect();
    let results: Vec<Value> = each(reports)
        .map(|(report, one)| {
            let mut location = json!({"logicalLocations": [{"fullyQualifiedName": one.subject}]});
            if let Some((place, shape)) = &report.place {
                let (uri, is_file) = uri(place);
                let mut physical = json!({"artifactLocation": {"uri": uri}});
                if is_file {
                    // Those who show results beside the code want a line, even where none is meant.
                    let line = shape.line(&one.subject).unwrap_or(1);
                    physical["region"] = json!({"startLine": line});
                }
                location["physicalLocation"] = physical;
            }
            json!({
                "ruleId": one.code(),
                "level": one.level(),
                "message": {"text": format!("{} {}", one.subject, one.text)},
                "locations": [location],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "castellan scopes lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    })
}

/// `place` as a URI reference, and whether it is a file.
fn uri(place: &str) -> (String, bool) {
    if super::as_url(place).is_some() {
        return (place.to_owned(), false);
    }
    let path = Path::new(place);
    let uri = match url::Url::from_file_path(Path::new("/").join(path)) {
        Ok(url) if path.is_absolute() => url.to_string(),
        Ok(url) => url.path().trim_start_matches('/').to_owned(),
        Err(()) => place.to_owned(),
    };
    (uri, true)
}
