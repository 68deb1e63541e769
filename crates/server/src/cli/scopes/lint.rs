//! What is odd about a schema, what is public of it, and the grants that are given against it.

use std::collections::{BTreeMap, BTreeSet};

use castellan_gate::{Entry, NamedBy, Returns, Root};
use castellan_proto::scope::{RequiredScope, Scope, ScopePattern};

use super::{
    Surface,
    finding::{Finding, Rule},
    held::{Held, Holder, opens},
    place_of,
    shape::Shape,
    table::Table,
};

/// Everything that is odd, in the order of its rules.
pub(super) fn lint(Surface { schema, shape }: &Surface, held: &Held) -> Vec<Finding> {
    let mut findings = odd_grants(schema, held);
    findings.extend(odd_mutations(schema, held));
    findings.extend(beyond_roles(schema, held));
    findings.extend(shared(schema, shape));
    findings.extend(weaker_interfaces(schema, shape, held));
    findings.extend(public_fields(schema, held));
    findings
}

const OPENS_NOTHING: &str = "matches no field of the schema";

/// Scopes that open nothing, or everything.
fn odd_grants(schema: &Table, held: &Held) -> Vec<Finding> {
    // What is opened by name alone no glob opens.
    let entries = || schema.entries().map(|(_, _, entry)| entry);
    let required_scopes: BTreeSet<&RequiredScope> =
        entries().filter(|entry| !entry.by_name_only).map(|entry| &entry.required).collect();
    let mut findings = Vec::new();
    let holders = held.holders.iter().map(|one| (&one.name, &one.scopes, true));
    // A role may allow everything: tokens and apps have less.
    let roles = held.roles.iter().map(|(name, scopes)| (name, scopes, false));
    for (name, scopes, is_holder) in holders.chain(roles) {
        for scope in scopes {
            // Named scopes, and our own rights, are not about this schema.
            let Scope::Pattern(pattern) = scope else { continue };
            if pattern.as_str().starts_with("Castellan:") {
                continue;
            }
            let all = required_scopes.len() > 1
                && required_scopes.iter().all(|required| pattern.matches(required));
            let dead = !entries().any(|entry| opens(pattern, entry));
            let (rule, text) = if dead {
                (Rule::DeadScope, OPENS_NOTHING)
            } else if all && is_holder {
                (Rule::OpensEverything, "opens everything")
            } else {
                continue;
            };
            findings.push(Finding::warning(rule, format!("{name} {scope}"), text.to_owned()));
        }
    }
    findings
}

/// Mutations that anybody may send, or nobody.
fn odd_mutations(schema: &Table, held: &Held) -> Vec<Finding> {
    let besides = match &*held.required(Root::Mutation).join(", ") {
        "" => String::new(),
        names => format!(" together with {names}"),
    };
    let mut findings = Vec::new();
    for (root, field, entry) in schema.entries().filter(|(root, ..)| *root == Root::Mutation) {
        let (required, subject) = (&entry.required, place_of(root, field));
        if held.is_public(entry) {
            let text = format!("{required} is public: anyone may write");
            findings.push(Finding::warning(Rule::PublicMutation, subject, text));
        } else if !held.is_of_people_alone() && held.holders_of(root, entry).is_empty() {
            let text = format!("no client or key may have {required}{besides}");
            findings.push(Finding::warning(Rule::UnreachableMutation, subject, text));
        }
    }
    findings
}

/// Fields that no person may use, where guards ask for their roles.
fn beyond_roles(schema: &Table, held: &Held) -> Vec<Finding> {
    let is_found = |(root, _, entry): &(Root, &str, &Entry)| {
        !entry.local && !held.is_public(entry) && held.is_beyond_roles(*root, entry)
    };
    let finding = |(root, field, entry): (Root, &str, &Entry)| {
        let text = format!("no role allows {}: no person may use it", entry.required);
        Finding::warning(Rule::NoRole, place_of(root, field), text)
    };
    schema.entries().filter(is_found).map(finding).collect()
}

/// A query of an upstream's own.
struct Way<'a> {
    field: &'a str,
    entry: &'a Entry,
    returns: Returns,
}

/// Ways to an object through an interface or a union that somebody may take who may take none of
/// those by its own name (`docs/security-cases.md` row 34).
fn weaker_interfaces(schema: &Table, shape: &Shape, held: &Held) -> Vec<Finding> {
    let queries: Vec<Way<'_>> = schema
        .entries()
        .filter(|(root, _, entry)| *root == Root::Query && !entry.local)
        .filter_map(|(root, field, entry)| {
            Some(Way { field, entry, returns: shape.returns(root, field)? })
        })
        .collect();
    let mut findings = Vec::new();
    for holder in std::iter::once(&Holder::nobody()).chain(&held.holders) {
        let may = |way: &Way<'_>| held.may(holder, Root::Query, way.entry);
        let of = |object: &str| {
            let own = |way: &&Way<'_>| !way.returns.is_abstract && way.returns.named == *object;
            queries.iter().filter(own).collect::<Vec<_>>()
        };
        for way in queries.iter().filter(|way| way.returns.is_abstract && may(way)) {
            let hidden = |object: &&String| {
                let own = of(object);
                !own.is_empty() && !own.into_iter().any(may)
            };
            let hidden: Vec<&str> =
                way.returns.objects.iter().filter(hidden).map(String::as_str).collect();
            if !hidden.is_empty() {
                let text = format!(
                    "returns {}, and thereby {} to {}, without a scope for that type",
                    way.returns.named,
                    hidden.join(", "),
                    holder.name
                );
                let subject = place_of(Root::Query, way.field);
                findings.push(Finding::warning(Rule::WeakerInterface, subject, text));
            }
        }
    }
    findings
}

/// What is left public, one note for each pattern; a warning for one that leaves nothing so, unless
/// it is there by default.
fn public_fields(schema: &Table, held: &Held) -> Vec<Finding> {
    let of = |(pattern, by_default): (&ScopePattern, bool)| {
        let opened: Vec<_> =
            schema.entries().filter(|(_, _, entry)| opens(pattern, entry)).collect();
        if opened.is_empty() && !by_default {
            let subject = format!("public {}", pattern.as_str());
            return Some(Finding::warning(Rule::DeadScope, subject, OPENS_NOTHING.to_owned()));
        }
        // Mutations have a finding of their own.
        let reads = opened.iter().filter(|(root, ..)| *root != Root::Mutation);
        let fields: Vec<String> = reads.map(|(root, field, _)| place_of(*root, field)).collect();
        if fields.is_empty() && !opened.is_empty() {
            return None;
        }
        let colon = if fields.is_empty() { "" } else { ": " };
        let text = format!("makes {} fields public{colon}{}", fields.len(), fields.join(" "));
        Some(Finding::note(Rule::PublicFields, pattern.as_str().to_owned(), text))
    };
    held.public().into_iter().filter_map(of).collect()
}

/// Fields that one scope opens together, though they are named differently. Queries of one type
/// have its scope in common by rule, which is but noted.
fn shared(schema: &Table, shape: &Shape) -> Vec<Finding> {
    let mut fields: BTreeMap<&RequiredScope, Vec<(Root, &str, &Entry)>> = BTreeMap::new();
    for one in schema.entries() {
        fields.entry(&one.2.required).or_default().push(one);
    }
    let by_type = |(root, field, entry): &(Root, &str, &Entry)| {
        let is_value = |of: Returns| !of.is_abstract && of.objects.is_empty();
        *root != Root::Mutation
            && entry.named_by == NamedBy::Rule
            && !shape.returns(*root, field).is_some_and(is_value)
    };
    fields
        .into_iter()
        .filter(|(_, fields)| fields.len() > 1)
        .map(|(required, fields)| {
            let is_rule = fields.iter().all(by_type);
            let names = fields.iter().map(|(root, field, _)| place_of(*root, field));
            let text = format!("opens {} together", names.collect::<Vec<_>>().join(", "));
            let finding = if is_rule { Finding::note } else { Finding::warning };
            finding(Rule::SharedScope, required.to_string(), text)
        })
        .collect()
}
