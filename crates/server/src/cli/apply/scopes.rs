//! Scopes in documents that are the scopes of nothing: no guard's schema has them.

use castellan_gate::Entry;
use castellan_issuer::{
    Issuer,
    resources::{Applied, ResourceKind},
};
use castellan_proto::scope::{Scope, ScopePattern, Scopes};

use crate::{
    cli::scopes::{Table, guarding, of_guard, opens},
    config::Loaded,
};

/// What the schemas of the guards have.
pub(super) struct KnownScopes<'a> {
    loaded: &'a Loaded,
    schemas: Schemas,
}

enum Schemas {
    /// No document has named a scope yet.
    Unread,
    /// Of every guard, with its name.
    Read(Vec<(String, Table)>),
    /// Of one of them it is not known what it has.
    Unreadable,
}

impl<'a> KnownScopes<'a> {
    pub(super) const fn of(loaded: &'a Loaded) -> Self {
        Self { loaded, schemas: Schemas::Unread }
    }

    /// What is to be said of the scopes of `applied`.
    pub(super) async fn warnings(&mut self, issuer: &Issuer, applied: &Applied) -> Vec<String> {
        let patterns = patterns(issuer, applied);
        if patterns.is_empty() {
            return Vec::new();
        }
        if matches!(self.schemas, Schemas::Unread) {
            self.schemas = self.read().await;
        }
        let Schemas::Read(schemas) = &self.schemas else { return Vec::new() };
        if schemas.is_empty() {
            return Vec::new();
        }
        let is_known = |pattern: &ScopePattern| {
            let has = |entry: &Entry| opens(pattern, entry);
            schemas.iter().any(|(_, table)| table.entries().any(|(.., entry)| has(entry)))
        };
        let names: Vec<&str> = schemas.iter().map(|(name, _)| name.as_str()).collect();
        let s = if names.len() == 1 { "" } else { "s" };
        let guards = names.join(", ");
        let warning = |pattern: ScopePattern| {
            format!(
                "scope {} matches no field of the guard{s} {guards}; `castellan scopes list` shows \
                 the scopes that there are",
                pattern.as_str()
            )
        };
        patterns.into_iter().filter(|pattern| !is_known(pattern)).map(warning).collect()
    }

    async fn read(&self) -> Schemas {
        let mut schemas = Vec::new();
        for guard in guarding(self.loaded) {
            match Box::pin(of_guard(self.loaded, &guard)).await {
                Ok(surface) => schemas.push((guard.name, surface.schema)),
                Err(problem) => {
                    eprintln!("warning: scopes were not checked against the guards: {problem}");
                    return Schemas::Unreadable;
                }
            }
        }
        Schemas::Read(schemas)
    }
}

/// The scopes of a resource that are about a schema: neither named ones nor rights of our own.
fn patterns(issuer: &Issuer, applied: &Applied) -> Vec<ScopePattern> {
    let kind =
        applied.resource.split_once('/').and_then(|(name, _)| issuer.resources().named(name));
    let Some(member) = kind.and_then(ResourceKind::scope_member) else { return Vec::new() };
    let scopes: Scopes = serde_json::from_value(applied.after[member].clone()).unwrap_or_default();
    let pattern = |scope: &Scope| match scope {
        Scope::Pattern(pattern) if !pattern.as_str().starts_with("Castellan:") => {
            Some(pattern.clone())
        }
        _ => None,
    };
    scopes.iter().filter_map(pattern).collect()
}
