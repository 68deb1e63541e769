//! What is odd about a schema, what is public of it, and the grants that are given against it.

use std::collections::{BTreeMap, BTreeSet};

use castellan_gate::{GuardSchema, Root};
use castellan_proto::scope::{Demand, Scope, ScopePattern, Scopes};
use serde_json::{Value, json};

use super::Format;

/// One thing that is odd.
pub(super) struct Finding {
    rule: &'static str,
    /// What it is about: a field, or a grant.
    subject: String,
    text: String,
    level: Level,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Somebody should look at it: the command ends with 1.
    Warning,
    /// Good to know.
    Note,
}

impl Finding {
    fn warning(rule: &'static str, subject: String, text: String) -> Self {
        Self { rule, subject, text, level: Level::Warning }
    }

    /// Whether somebody should look at it.
    pub(super) fn is_warning(&self) -> bool {
        self.level == Level::Warning
    }

    const fn level(&self) -> &'static str {
        match self.level {
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// Who may have what: what is public, what named scopes stand for, and every app and key.
pub(super) struct Held {
    pub(super) public: Vec<ScopePattern>,
    pub(super) aliases: BTreeMap<String, Vec<ScopePattern>>,
    /// A name, and the scopes that it may have.
    pub(super) grants: Vec<(String, Scopes)>,
}

impl Held {
    fn is_public(&self, demand: &Demand) -> bool {
        self.public.iter().any(|pattern| pattern.matches(demand))
    }

    fn cover(&self, scopes: &Scopes, demand: &Demand) -> bool {
        scopes.iter().any(|scope| match scope {
            Scope::Pattern(pattern) => pattern.matches(demand),
            Scope::Named(name) => {
                let patterns = self.aliases.get(name).into_iter().flatten();
                patterns.into_iter().any(|pattern| pattern.matches(demand))
            }
        })
    }
}

/// Everything that is odd, in the order of its rules.
pub(super) fn lint(schema: &GuardSchema, held: &Held) -> Vec<Finding> {
    let mut findings = odd_grants(schema, held);
    findings.extend(odd_mutations(schema, held));
    findings.extend(shared(schema));
    findings.extend(weaker_interfaces(schema, held));
    findings.extend(public_fields(schema, held));
    findings
}

/// Scopes that open nothing, or everything.
fn odd_grants(schema: &GuardSchema, held: &Held) -> Vec<Finding> {
    let demands: BTreeSet<&Demand> = schema.entries().map(|(_, _, entry)| &entry.demand).collect();
    let mut findings = Vec::new();
    for (holder, scopes) in &held.grants {
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
            let subject = format!("{holder} {scope}");
            findings.push(Finding::warning(rule, subject, text.to_owned()));
        }
    }
    findings
}

/// Mutations that anybody may send, or nobody.
fn odd_mutations(schema: &GuardSchema, held: &Held) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (root, field, entry) in schema.entries().filter(|(root, ..)| *root == Root::Mutation) {
        let (demand, subject) = (&entry.demand, format!("{}.{field}", root.as_str()));
        if held.is_public(demand) {
            let text = format!("{demand} is public: anybody may write");
            findings.push(Finding::warning("public-mutation", subject, text));
        } else if !held.grants.iter().any(|(_, scopes)| held.cover(scopes, demand)) {
            let text = format!("nobody may have {demand}");
            findings.push(Finding::warning("unreachable-mutation", subject, text));
        }
    }
    findings
}

/// Ways to an object through an interface or a union that somebody may take who may take none of
/// those by its own name (`security-cases.md` row 34).
fn weaker_interfaces(schema: &GuardSchema, held: &Held) -> Vec<Finding> {
    let queries: Vec<_> = schema
        .entries()
        .filter(|(root, _, entry)| *root == Root::Query && !entry.local)
        .filter_map(|(root, field, entry)| Some((field, entry, schema.returns(root, field)?)))
        .collect();
    let mut findings = Vec::new();
    let nobody = ("whoever is not known".to_owned(), Scopes::default());
    for (holder, scopes) in std::iter::once(&nobody).chain(&held.grants) {
        let may = |demand: &Demand| held.is_public(demand) || held.cover(scopes, demand);
        for (field, entry, returns) in &queries {
            if !returns.is_abstract || !may(&entry.demand) {
                continue;
            }
            let hidden = |object: &&String| {
                let mut own = queries
                    .iter()
                    .filter(|(.., of)| !of.is_abstract && of.named == **object)
                    .peekable();
                own.peek().is_some() && own.all(|(_, own, _)| !may(&own.demand))
            };
            let hidden: Vec<&str> =
                returns.objects.iter().filter(hidden).map(String::as_str).collect();
            if !hidden.is_empty() {
                let text = format!(
                    "returns {}, and so {} to {holder}, who may have none of that by name",
                    returns.named,
                    hidden.join(", ")
                );
                findings.push(Finding::warning("weaker-interface", format!("Query.{field}"), text));
            }
        }
    }
    findings
}

/// What is left public, one note for each pattern.
fn public_fields(schema: &GuardSchema, held: &Held) -> Vec<Finding> {
    let note = |pattern: &ScopePattern| {
        let fields: Vec<String> = schema
            .entries()
            .filter(|(root, _, entry)| *root != Root::Mutation && pattern.matches(&entry.demand))
            .map(|(root, field, _)| format!("{}.{field}", root.as_str()))
            .collect();
        let text = format!("leaves {} fields public: {}", fields.len(), fields.join(" "));
        let subject = pattern.as_str().to_owned();
        Finding { rule: "public-fields", subject, text, level: Level::Note }
    };
    held.public.iter().map(note).collect()
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
        .map(|(demand, fields)| {
            let text = format!("opens {} together", fields.join(", "));
            Finding::warning("shared-scope", demand.to_string(), text)
        })
        .collect()
}

/// What a scope meant in the older schema and no longer means.
pub(super) fn drift(older: &GuardSchema, newer: &GuardSchema) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (root, field, was) in older.entries() {
        let subject = format!("{}.{field}", root.as_str());
        match newer.entry(root, field) {
            None => {
                let text = format!("is gone; it demanded {}", was.demand);
                findings.push(Finding::warning("field-removed", subject, text));
            }
            Some(is) if is.demand != was.demand => {
                let text = format!("demands {} where it demanded {}", is.demand, was.demand);
                findings.push(Finding::warning("demand-changed", subject, text));
            }
            Some(_) => {}
        }
    }
    for (root, field, is) in newer.entries() {
        if older.entry(root, field).is_none() {
            let subject = format!("{}.{field}", root.as_str());
            let text = format!("is new, and demands {}", is.demand);
            findings.push(Finding::warning("field-added", subject, text));
        }
    }
    findings
}

pub(super) fn print(findings: &[Finding], format: Format, schema: &str) {
    match format {
        Format::Text => {
            for finding in findings {
                let Finding { rule, subject, text, .. } = finding;
                println!("{}: {rule}: {subject} {text}", finding.level());
            }
            let warnings = findings.iter().filter(|one| one.is_warning()).count();
            println!("{warnings} warnings, {} notes", findings.len() - warnings);
        }
        Format::Json => {
            let list: Vec<Value> = findings
                .iter()
                .map(|one| json!({"rule": one.rule, "level": one.level(), "subject": one.subject, "text": one.text}))
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
                "level": one.level(),
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
    use castellan_gate::SchemaSettings;

    use super::*;

    const SDL: &str = "type Query { people: [Person] } type Person { id: ID }
        type Mutation { createPerson: Person personCreate: Person deletePerson: ID vote: ID }";

    fn schema(sdl: &str) -> GuardSchema {
        GuardSchema::build(sdl, &SchemaSettings::default()).unwrap()
    }

    fn held(public: &str, grants: &[(String, Scopes)]) -> Held {
        let pattern = |text: &str| ScopePattern::try_from(text.to_owned()).unwrap();
        Held {
            public: public.split(' ').map(pattern).collect(),
            aliases: [("api:write".to_owned(), vec![pattern("Mutation:*")])].into(),
            grants: grants.to_vec(),
        }
    }

    fn grant(holder: &str, scopes: &str) -> (String, Scopes) {
        (holder.to_owned(), Scopes::parse(scopes).unwrap())
    }

    fn rules(findings: &[Finding]) -> Vec<String> {
        let warnings = findings.iter().filter(|one| one.is_warning());
        warnings.map(|one| format!("{} {}", one.rule, one.subject)).collect()
    }

    #[test]
    fn what_is_dead_too_wide_unreachable_or_shared_is_found() {
        let grants = [
            grant("Client/a", "openid Mutation:Person:Create Mutation:Pesron:Create"),
            grant("AuthKey/b", "* Castellan:*"),
        ];
        assert_eq!(
            rules(&lint(&schema(SDL), &held("Query:*", &grants))),
            [
                "dead-scope Client/a Mutation:Pesron:Create",
                "opens-everything AuthKey/b *",
                "shared-scope Mutation:Person:Create",
            ]
        );
        let found = rules(&lint(&schema(SDL), &held("*", &[])));
        assert!(found.contains(&"public-mutation Mutation.vote".to_owned()), "{found:?}");
        let vote = "unreachable-mutation Mutation.vote".to_owned();
        let found = rules(&lint(&schema(SDL), &held("Query:*", &grants[..1])));
        assert!(found.contains(&vote), "{found:?}");
        let by_name = [grant("Client/c", "api:write")];
        let found = rules(&lint(&schema(SDL), &held("Query:*", &by_name)));
        assert!(!found.contains(&vote), "{found:?}");
    }

    #[test]
    fn case_34_a_way_around_by_an_interface_is_found() {
        let sdl = "interface Thing { id: ID } type Person implements Thing { id: ID }
            type Place implements Thing { id: ID } union Either = Person | Place
            type Query { things: [Thing] either: Either person: Person people: [Person] place: Place }";
        let narrow = [grant("Client/a", "Query:Either:Get Query:Person:List")];
        let found = lint(&schema(sdl), &held("Query:Thing:List Query:Place:Get", &narrow));
        let texts: Vec<_> = found
            .iter()
            .filter(|one| one.is_warning())
            .map(|one| format!("{} {} {}", one.rule, one.subject, one.text))
            .collect();
        assert_eq!(
            texts,
            [
                "weaker-interface Query.things returns Thing, and so Person to whoever is not known, \
              who may have none of that by name"
            ]
        );
        assert!(lint(&schema(sdl), &held("Query:*", &[])).iter().all(|one| !one.is_warning()));
    }

    #[test]
    fn what_is_left_public_is_a_note() {
        let found = lint(&schema(SDL), &held("Query:*", &[grant("Client/c", "api:write")]));
        let notes: Vec<_> = found.iter().filter(|one| !one.is_warning()).collect();
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].text, "leaves 1 fields public: Query.people");
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
