//! Who may have what: every app and key, held against the rules of guards.

use std::collections::BTreeMap;

use castellan_gate::{
    Ask, Caller, Entry, Identity, PersonTerm, Root, Rules, Terms, Verdict, decide,
};
use castellan_issuer::resources::ResourceKind;
use castellan_proto::scope::{RoleScopes, Scope, ScopePattern, Scopes};

use crate::{
    config::{GuardConfig, Method},
    dialects, guards,
};

/// The rules that are asked, and those who are held against them.
pub(super) struct Held {
    judges: Vec<Judge>,
    pub(super) holders: Vec<Holder>,
    /// Roles with what they allow: people have them, and call through an app.
    pub(super) roles: Vec<(String, Scopes)>,
}

/// The rules of one guard.
pub(super) struct Judge {
    rules: Rules,
    /// The same, with nothing public.
    closed: Rules,
    /// What is public in its dialect.
    default: Vec<ScopePattern>,
    /// Whom it lets in; everybody without one.
    guard: Option<GuardConfig>,
}

/// An app or a key.
pub(super) struct Holder {
    pub(super) name: String,
    /// The most that it may have.
    pub(super) scopes: Scopes,
    kind: Kind,
    /// How it calls with all of that.
    caller: Caller,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    App,
    Key,
    Machine,
}

impl Judge {
    /// What a guard would say.
    pub(super) fn at(guard: &GuardConfig) -> Self {
        let default = dialects::rules(guard.spoken()).public;
        Self { default, guard: Some(guard.clone()), ..Self::by(guards::rules(guard)) }
    }

    /// What `rules` say to everybody.
    pub(super) fn by(mut rules: Rules) -> Self {
        // What is asked here is what scopes allow; policies depend on the request.
        rules.terms.policy = false;
        let closed = Rules { public: Vec::new(), ..rules.clone() };
        Self { rules, closed, default: Vec::new(), guard: None }
    }

    /// With `public` in place of its own.
    pub(super) fn with_public(mut self, public: &[ScopePattern]) -> Self {
        self.rules.public = public.to_vec();
        self
    }

    /// Whether tokens of this kind are any good there, as the guard's verifier has it.
    fn admits(&self, kind: Kind) -> bool {
        let Some(guard) = &self.guard else { return true };
        let methods = guard.authenticate.list();
        match kind {
            Kind::Nobody => true,
            Kind::App => methods.contains(&Method::Oauth),
            Kind::Key => guard.takes_api_keys(),
            Kind::Machine => guard.takes_machine_users(),
        }
    }
}

impl Holder {
    /// Whoever shows no credential.
    pub(super) fn nobody() -> Self {
        Self {
            name: "anonymous callers".to_owned(),
            scopes: Scopes::default(),
            kind: Kind::Nobody,
            caller: Caller::NOBODY,
        }
    }

    fn new(name: String, scopes: Scopes) -> Self {
        let of = |kind: ResourceKind| {
            name.split_once('/').is_some_and(|(name, _)| name == kind.as_str())
        };
        let kind = if of(ResourceKind::CLIENT) {
            Kind::App
        } else if of(ResourceKind::API_CREDENTIAL) {
            Kind::Machine
        } else {
            // Those of the configuration as well.
            Kind::Key
        };
        let (token_scopes, client_scopes) = match kind {
            // A machine user is a user of its own.
            Kind::Machine => {
                let user = Scope::Named("user".to_owned());
                (scopes.iter().cloned().chain([user]).collect(), None)
            }
            _ => (scopes.clone(), Some(scopes.clone())),
        };
        // What people may do is a question of its own ([`Held::is_beyond_roles`]).
        let person_term = PersonTerm::NoPerson;
        let identity = Identity { token_scopes, client_scopes, person_term, ..Identity::default() };
        Self { name, scopes, kind, caller: Caller::known(identity) }
    }
}

impl Held {
    pub(super) fn new(judges: Vec<Judge>, grants: Vec<(String, Scopes)>) -> Self {
        let is_role = |(name, _): &(String, Scopes)| {
            name.split_once('/').is_some_and(|(kind, _)| kind == ResourceKind::ROLE.as_str())
        };
        let (roles, holders): (Vec<_>, Vec<_>) = grants.into_iter().partition(is_role);
        Self {
            judges,
            holders: holders.into_iter().map(|(name, scopes)| Holder::new(name, scopes)).collect(),
            roles,
        }
    }

    /// Whether no guard lets anybody in but people themselves, whose roles are a question of their own.
    pub(super) fn is_of_people_alone(&self) -> bool {
        let kinds = [Kind::App, Kind::Key, Kind::Machine];
        let admits = |judge: &Judge| kinds.iter().any(|kind| judge.admits(*kind));
        !self.judges.is_empty() && !self.judges.iter().any(admits)
    }

    /// Without those whom no guard lets in.
    pub(super) fn admitted(mut self) -> Self {
        let judges = &self.judges;
        self.holders.retain(|one| judges.iter().any(|judge| judge.admits(one.kind)));
        self
    }

    /// Whether `subject`, of a finding, is a grant of one of those that are held against the rules.
    pub(super) fn knows(&self, subject: &str) -> bool {
        let names = self.holders.iter().map(|one| &one.name);
        let mut names = names.chain(self.roles.iter().map(|(name, _)| name));
        names.any(|name| subject.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))
    }

    /// What is public, each pattern once, and whether that is a dialect's default.
    pub(super) fn public(&self) -> Vec<(&ScopePattern, bool)> {
        let mut all: Vec<(&ScopePattern, bool)> = Vec::new();
        for judge in &self.judges {
            for pattern in &judge.rules.public {
                if !all.iter().any(|(known, _)| *known == pattern) {
                    all.push((pattern, judge.default.contains(pattern)));
                }
            }
        }
        all
    }

    pub(super) fn is_public(&self, entry: &Entry) -> bool {
        self.public().into_iter().any(|(pattern, _)| opens(pattern, entry))
    }

    /// Whether `who` may have a field, be it because it is public.
    pub(super) fn may(&self, who: &Holder, root: Root, entry: &Entry) -> bool {
        self.judges
            .iter()
            .any(|judge| judge.admits(who.kind) && passes(&judge.rules, &who.caller, root, entry))
    }

    /// Those who may have a field by their scopes.
    pub(super) fn holders_of(&self, root: Root, entry: &Entry) -> Vec<&str> {
        let may = |who: &&Holder| {
            let mut judges = self.judges.iter();
            judges.any(|judge| {
                judge.admits(who.kind) && passes(&judge.closed, &who.caller, root, entry)
            })
        };
        self.holders.iter().filter(may).map(|who| &*who.name).collect()
    }

    /// Whether guards ask for a role of the person, and no role allows a field at any of them.
    pub(super) fn is_beyond_roles(&self, root: Root, entry: &Entry) -> bool {
        let mut asking = self.judges.iter().filter(|judge| judge.rules.terms.person).peekable();
        asking.peek().is_some()
            && !asking.any(|judge| {
                // The role alone decides.
                let rules = Rules {
                    requires: BTreeMap::new(),
                    terms: Terms { person: true, ..Terms::default() },
                    ..judge.closed.clone()
                };
                self.roles.iter().any(|(name, scopes)| {
                    let role = RoleScopes { role: name.clone(), scopes: scopes.clone() };
                    let caller = Caller::known(Identity {
                        person_term: PersonTerm::Roles([role].into()),
                        ..Identity::with_scopes(scopes.clone())
                    });
                    passes(&rules, &caller, root, entry)
                })
            })
    }

    /// Named scopes that must be held besides for anything of `root`, where one guard is asked.
    pub(super) fn required(&self, root: Root) -> Vec<&str> {
        let [judge] = &*self.judges else { return Vec::new() };
        judge.rules.requires.get(&root).into_iter().flatten().map(String::as_str).collect()
    }
}

/// Whether `pattern` opens a field: some are opened by their name alone.
pub(in crate::cli) fn opens(pattern: &ScopePattern, entry: &Entry) -> bool {
    if entry.by_name_only {
        pattern.names(&entry.required)
    } else {
        pattern.matches(&entry.required)
    }
}

fn passes(rules: &Rules, caller: &Caller, root: Root, entry: &Entry) -> bool {
    let Entry { required, by_name_only, local, .. } = entry;
    let ask = Ask::Field { root, required, by_name_only: *by_name_only, local: *local };
    !matches!(decide(ask, caller, rules), Verdict::Deny(_))
}
