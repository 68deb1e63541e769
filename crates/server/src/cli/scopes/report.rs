//! What is found at several guards, put together.

use super::{
    finding::{Finding, Report, Rule},
    held::Held,
    source::Subject,
};

/// One schema, who was held against it, and what was found.
pub(super) struct Checked {
    pub(super) subject: Subject,
    pub(super) held: Held,
    pub(super) findings: Vec<Finding>,
}

/// What is to be said of `checked`. A grant that matches nothing at one guard may be meant for another:
/// of several guards it is odd only if it matches nothing at any of those that take its holder.
pub(super) fn of(mut checked: Vec<Checked>, by_guard: bool) -> Vec<Report> {
    let mut dead: Vec<Finding> = Vec::new();
    if by_guard {
        let is_dead = |one: &Finding| one.rule == Rule::DeadScope;
        let is_alive = |subject: &str| {
            checked.iter().any(|one| {
                let mut found = one.findings.iter();
                one.held.knows(subject) && !found.any(|it| is_dead(it) && it.subject == subject)
            })
        };
        let alive: Vec<String> = checked
            .iter()
            .flat_map(|one| &one.findings)
            .filter(|one| is_dead(one) && is_alive(&one.subject))
            .map(|one| one.subject.clone())
            .collect();
        for one in &mut checked {
            let (held, findings) = (&one.held, std::mem::take(&mut one.findings));
            let (grants, own): (Vec<_>, Vec<_>) = findings
                .into_iter()
                .partition(|finding| is_dead(finding) && held.knows(&finding.subject));
            one.findings = own;
            for grant in grants {
                let is_known = dead.iter().any(|known| known.subject == grant.subject);
                if !is_known && !alive.contains(&grant.subject) {
                    let text = "matches no field of any guard's schema".to_owned();
                    dead.push(Finding::warning(Rule::DeadScope, grant.subject, text));
                }
            }
        }
    }
    let report = |Checked { subject, findings, .. }: Checked| {
        let guard = subject.guard.filter(|_| by_guard).map(|guard| guard.name);
        Report { guard, place: Some((subject.place, subject.surface.shape)), findings }
    };
    let mut reports: Vec<Report> = checked.into_iter().map(report).collect();
    add_general(&mut reports, dead);
    reports
}

/// Adds what is about no single guard.
pub(super) fn add_general(reports: &mut Vec<Report>, findings: Vec<Finding>) {
    if findings.is_empty() {
        return;
    }
    match reports.first_mut().filter(|first| first.place.is_none()) {
        Some(general) => general.findings.extend(findings),
        None => reports.insert(0, Report { guard: None, place: None, findings }),
    }
}
