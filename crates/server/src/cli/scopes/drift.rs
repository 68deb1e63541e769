//! What scopes meant in an older schema and no longer mean.

use std::collections::{BTreeMap, BTreeSet};

use castellan_proto::scope::RequiredScope;

use super::{
    finding::{Finding, Rule},
    held::Held,
    place_of,
    table::Table,
};

pub(super) fn drift(older: &Table, newer: &Table, held: &Held) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (root, field, was) in older.entries() {
        let subject = place_of(root, field);
        match newer.entry(root, field) {
            None => {
                let still = who("still", &held.holders_of(root, was));
                let text = format!("was removed; it required {}{still}", was.required);
                findings.push(Finding::warning(Rule::FieldRemoved, subject, text));
            }
            Some(is) if is.required != was.required => {
                let text = format!("requires {} instead of {}", is.required, was.required);
                findings.push(Finding::warning(Rule::RequiredScopeChanged, subject, text));
            }
            Some(_) => {}
        }
    }
    for (root, field, is) in newer.entries() {
        if older.entry(root, field).is_none() {
            let subject = place_of(root, field);
            let already = who("already", &held.holders_of(root, is));
            let text = format!("is new and requires {}{already}", is.required);
            findings.push(Finding::warning(Rule::FieldAdded, subject, text));
        }
    }
    findings.extend(moved(older, newer));
    findings
}

/// Scopes that open something else in place of what they opened.
fn moved(older: &Table, newer: &Table) -> Vec<Finding> {
    let (was, is) = (fields(older), fields(newer));
    let mut findings = Vec::new();
    for (required, now) in &is {
        let Some(then) = was.get(required) else { continue };
        let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
            these.difference(those).cloned().collect::<Vec<_>>().join(", ")
        };
        let (gained, lost) = (only(now, then), only(then, now));
        if !gained.is_empty() && !lost.is_empty() {
            let text = format!("opens {gained} instead of {lost}");
            findings.push(Finding::warning(Rule::ScopeMoved, required.to_string(), text));
        }
    }
    findings
}

fn fields(schema: &Table) -> BTreeMap<&RequiredScope, BTreeSet<String>> {
    let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (root, field, entry) in schema.entries() {
        fields.entry(&entry.required).or_default().insert(place_of(root, field));
    }
    fields
}

/// So many are named.
const MOST: usize = 5;

/// Who may have it, in an aside.
fn who(when: &str, holders: &[&str]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let named = holders[..holders.len().min(MOST)].join(", ");
    let more = match holders.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(", which {named}{more} may {when} have")
}
