//! No client that registers itself is called like another one, unless the same client registered both
//! or both are one software by their statements (RFC 7591 §§2.3, 5): people decide by the name whom
//! they let in.

use std::collections::{BTreeSet, HashSet};

use super::{RegistrationError, plan::Plan, statement::Software};
use crate::{
    Issuer,
    records::{
        Client, RegisteredBy,
        registration::{is_plain, look, phrases},
        repository::read,
    },
    store::StoreError,
};

/// What the ids of registered clients begin with.
pub(super) const PREFIX: &str = "dcr-";
/// The last id that begins so. An administrator's client whose id begins so, too, is passed over.
const LAST: &str = "dcr-~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";
/// Clients that are read at a time.
const STEP: usize = 200;
/// Registered clients of one name that are looked at: all of them are of one initial client, or of one
/// software.
const MOST: usize = 20;

/// Why a name cannot be had, whoever has another one.
const MIXED: &str = "client_name: has letters of several scripts in one word, or letters that no \
                     language of today has; people could take them for others";
/// Why a name cannot be had.
const TAKEN: &str =
    "client_name: people could take it for another app or for this server; choose another name";

/// The names that a client wants to have.
struct Wanted {
    /// How they look, each once.
    looks: BTreeSet<String>,
    /// What stands in them as whole words.
    phrases: HashSet<String>,
}

impl Wanted {
    fn of(names: &[String]) -> Self {
        Self {
            looks: names.iter().filter_map(|name| look(name)).collect(),
            phrases: names.iter().flat_map(|name| phrases(name)).collect(),
        }
    }

    fn is(&self, other: &str) -> bool {
        look(other).is_some_and(|other| self.looks.contains(&other))
    }

    fn has_in_it(&self, other: &str) -> bool {
        look(other)
            .is_some_and(|other| self.looks.contains(&other) || self.phrases.contains(&other))
    }
}

impl Issuer {
    /// Whether the names of `plan` are free for a client that `initiator` registers, which is
    /// registered already as `own` or not yet.
    pub(super) async fn check_names(
        &self,
        plan: &Plan,
        initiator: Option<&str>,
        own: Option<&str>,
    ) -> Result<(), RegistrationError> {
        let wanted = Wanted::of(&plan.names);
        if wanted.looks.is_empty() {
            return Ok(());
        }
        let taken = || Err(RegistrationError::Metadata(TAKEN.to_owned()));
        let is_ours = wanted.has_in_it(&self.address().name);
        if is_ours || wanted.looks.iter().any(|look| self.names_our_host(look)) {
            return taken();
        }
        let software = Software::of(&plan.metadata);
        for look in &wanted.looks {
            for named in self.registered_by(RegisteredBy::Look(look), None, MOST).await? {
                let client = read::<Client>(named.record)?;
                let registration = client.body.registration.as_ref();
                let theirs = registration.and_then(|one| one.initial_client.as_deref());
                let is_same = initiator.is_some() && theirs == initiator;
                let other = registration.and_then(|one| Software::of(&one.metadata));
                let is_one = |software: &Software<'_>| {
                    other.as_ref().is_some_and(|other| software.shares(other, look))
                };
                let is_same = is_same || software.as_ref().is_some_and(is_one);
                if own != Some(&client.id) && !is_same {
                    return taken();
                }
            }
        }
        if self.is_name_of_ours(&wanted).await? {
            return taken();
        }
        if plan.names.iter().all(|name| is_plain(name)) {
            return Ok(());
        }
        Err(RegistrationError::Metadata(MIXED.to_owned()))
    }

    /// Whether a client that an administrator made has one of the `wanted` names, or is first-party and
    /// has its own name in one of them. There are few of them; registered clients, of which there may be
    /// many, are passed over.
    async fn is_name_of_ours(&self, wanted: &Wanted) -> Result<bool, StoreError> {
        let mut after = None;
        loop {
            let step = self.repository().page::<Client>("", after, STEP, self.now()).await?;
            let is_last = step.len() < STEP;
            let last = step.last().map(|stored| stored.id.clone());
            for stored in &step {
                let client = &stored.body;
                let name = client.display_name(&stored.id);
                let is_taken = wanted.is(name) || client.first_party && wanted.has_in_it(name);
                if client.registration.is_none() && is_taken {
                    return Ok(true);
                }
            }
            if is_last {
                return Ok(false);
            }
            let is_registered = |last: &String| last.starts_with(PREFIX) && &**last < LAST;
            after = last.map(|last| if is_registered(&last) { LAST.to_owned() } else { last });
        }
    }
}
