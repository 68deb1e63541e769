//! What managers of the management APIs name: fields and attributes that no API has stop the start, as
//! a rule for them would allow what it was written to deny.

use std::collections::BTreeSet;

use castellan_issuer::{
    management::scim,
    managers::{AttributesManager, SelfServiceManager},
};

use super::{ConfigError, ManagementConfig, ManagersConfig, check::Problem, file::Step};
use crate::management_schemas::{self, ApiSchema, Names};

/// The managers of one table that name fields and attributes.
struct Table<'a> {
    /// Its name below `management`; none for the managers of every API.
    name: Option<&'static str>,
    attributes: Option<&'a AttributesManager>,
    self_service: Option<&'a SelfServiceManager>,
    /// The APIs that they are for, and whether SCIM is one of them.
    apis: &'a [ApiSchema],
    scim: bool,
}

impl ManagementConfig {
    /// # Errors
    /// The first [`Problem`].
    pub(super) fn check_names(&self) -> Result<(), Problem> {
        let all = &management_schemas::ALL;
        let general = Table {
            name: None,
            attributes: self.attributes.as_ref(),
            self_service: self.self_service.as_ref(),
            apis: all,
            scim: true,
        };
        general.check()?;
        for api in all {
            let managers = self.own_managers(api.name);
            let own = Table {
                name: Some(api.name),
                attributes: managers.and_then(|own| own.attributes.as_ref()),
                self_service: managers.and_then(|own| own.self_service.as_ref()),
                apis: std::slice::from_ref(api),
                scim: false,
            };
            own.check()?;
        }
        let scim = Table {
            name: Some("scim"),
            attributes: self.scim.as_ref().and_then(|scim| scim.attributes.as_ref()),
            self_service: None,
            apis: &[],
            scim: true,
        };
        scim.check()
    }

    /// The managers that the API called `name` has of its own.
    pub(super) fn own_managers(&self, name: &str) -> Option<&ManagersConfig> {
        match name {
            "accounts" => self.accounts.as_ref(),
            "database_clients" => self.database_clients.as_ref(),
            "dynamic_clients" => self.dynamic_clients.as_ref(),
            "granted_authorizations" => self.granted_authorizations.as_ref(),
            _ => None,
        }
    }
}

impl Table<'_> {
    fn check(&self) -> Result<(), Problem> {
        let names_something =
            self.attributes.is_some_and(|it| it.lists.iter().any(|list| !list.rules.is_empty()));
        if !names_something && self.self_service.is_none() {
            return Ok(());
        }
        let mut names = Names::default();
        self.apis.iter().for_each(|api| api.add_names(&mut names));
        if self.scim {
            names.attributes.extend(scim::rule_paths());
        }
        let lists = self.attributes.into_iter().flat_map(|manager| &manager.lists);
        for (at, list) in lists.enumerate() {
            let way =
                [Step::Key("attributes"), Step::Key("lists"), Step::At(at), Step::Key("rules")];
            for path in list.rules.keys() {
                let rule = Step::Named(path.clone());
                self.expect(&[&way[..], &[rule]].concat(), "attribute", path, &names.attributes)?;
            }
        }
        self.self_service.map_or(Ok(()), |manager| self.check_self_service(manager, &names))
    }

    fn check_self_service(&self, own: &SelfServiceManager, names: &Names) -> Result<(), Problem> {
        let (readable, updatable) = (own.readable.as_ref(), own.updatable.as_ref());
        for (key, kind, said, known) in [
            ("queries", "query", Some(&own.queries), &names.queries),
            ("mutations", "mutation", Some(&own.mutations), &names.mutations),
            ("readable", "attribute", readable, &names.attributes),
            ("updatable", "attribute", updatable, &names.attributes),
        ] {
            for name in said.into_iter().flatten() {
                let way = [Step::Key("self_service"), Step::Key(key)];
                self.expect(&way, kind, name, known)?;
            }
        }
        Ok(())
    }

    /// Whether `name`, which stands at `way` below the table, is `known`.
    fn expect(
        &self,
        way: &[Step],
        kind: &str,
        name: &str,
        known: &BTreeSet<String>,
    ) -> Result<(), Problem> {
        if known.contains(name) {
            return Ok(());
        }
        let mut whole = vec![Step::Key("management")];
        whole.extend(self.name.map(Step::Key));
        whole.extend_from_slice(way);
        let setting: Vec<_> = whole.iter().filter_map(Step::name).collect();
        let setting = setting.join(".");
        let setting = setting.strip_suffix(&format!(".{name}")).unwrap_or(&setting);
        let of = match self.name {
            Some("scim") => "SCIM has",
            Some(_) => "this API has",
            None => "any management API has",
        };
        let remedy = if let Some(near) = nearest(name, known) {
            format!("did you mean {near:?}?")
        } else {
            let names = known.iter().map(String::as_str);
            let top: Vec<_> = names.filter(|name| !name.contains('.')).collect();
            format!("these are known: {}", top.join(", "))
        };
        let text = format!("{setting}: {name:?} is no {kind} that {of}; {remedy}");
        Err(Problem::of_setting(whole, ConfigError::Conflict(text)))
    }
}

/// The one of `known` that differs from `name` by few letters.
fn nearest<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let length = name.chars().count();
    let most = (length / 3).clamp(2, 4).min(length.saturating_sub(2));
    let distances = known.iter().map(|one| (distance(name, one), &**one));
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, one)| one)
}

/// How many letters have to be added, removed or replaced to make `one` into `other` (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (place, there) in other.iter().enumerate() {
            let replaced = corner + usize::from(letter != *there);
            corner = row[place + 1];
            row[place + 1] = replaced.min(corner + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_for_the_nearest_one() {
        let known: BTreeSet<String> =
            ["emails", "name", "nickName"].into_iter().map(ToOwned::to_owned).collect();
        for (name, near) in [
            ("emials", Some("emails")),
            ("nmae", Some("name")),
            ("nam", Some("name")),
            ("zip", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
        assert_eq!((distance("", "abc"), distance("kitten", "sitting")), (3, 3));
    }
}
