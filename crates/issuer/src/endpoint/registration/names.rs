//! No client that registers itself is called like another one, unless the same client registered both
//! or both are one software by their statements (RFC 7591 §§2.3, 5): people decide by the name whom
//! they let in.

use super::{RegistrationError, plan::Plan, statement::Software};
use crate::{
    Issuer,
    records::{Client, RegisteredBy, registration::looks, repository::read},
    store::StoreError,
};
use serde_json::Map;

/// What the ids of registered clients begin with.
pub(super) const PREFIX: &str = "dcr-";
/// The last id that begins so. An administrator's client whose id begins so, too, is passed over.
const LAST: &str = "dcr-~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";
/// Clients that are read at a time.
const STEP: usize = 200;
/// Registered clients of one name that are looked at: all of them are of one initial client, or of one
/// software.
const MOST: usize = 20;

/// Why a name cannot be had.
const TAKEN: &str =
    "client_name: people could take it for another app or for this server; choose another name";

impl Issuer {
    /// Whether the names of `plan` are free for a client that `initiator` registers, which is
    /// registered already as `own` or not yet.
    pub(super) async fn check_names(
        &self,
        plan: &Plan,
        initiator: Option<&str>,
        own: Option<&str>,
    ) -> Result<(), RegistrationError> {
        if plan.looks.is_empty() {
            return Ok(());
        }
        let taken = || Err(RegistrationError::Metadata(TAKEN.to_owned()));
        let ours = looks(&self.address().name, &Map::new());
        let is_ours = |look: &String| ours.contains(look) || self.names_our_host(look);
        if plan.looks.iter().any(is_ours) {
            return taken();
        }
        let software = Software::of(&plan.metadata);
        for look in &plan.looks {
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
        if self.is_name_of_ours(&plan.looks).await? { taken() } else { Ok(()) }
    }

    /// Whether a client that an administrator made has one of `names`. There are few of them; registered
    /// clients, of which there may be many, are passed over.
    async fn is_name_of_ours(&self, names: &[String]) -> Result<bool, StoreError> {
        let mut after = None;
        loop {
            let step = self.repository().page::<Client>("", after, STEP, self.now()).await?;
            let is_last = step.len() < STEP;
            let last = step.last().map(|stored| stored.id.clone());
            for stored in &step {
                let is_ours = stored.body.registration.is_none();
                let name = stored.body.display_name(&stored.id);
                if is_ours && looks(name, &Map::new()).iter().any(|look| names.contains(look)) {
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
