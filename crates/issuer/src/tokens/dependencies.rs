//! The records that a token family depends on besides itself: its client, its person, their
//! consent.

use std::sync::Arc;

use castellan_proto::scope::Scopes;

use crate::{
    Issuer,
    cache::{liveness::Snapshot, records::Lookup},
    records::{Account, Client, Consent, Family, consent::consent_id},
    store::{Key, Kind, StoreError},
};

/// The records that a family depends on.
pub(crate) struct Dependencies {
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) account: Option<Arc<Account>>,
    grant: Option<Arc<Consent>>,
    /// The epochs that the records depend on.
    pub(crate) snapshot: Snapshot,
}

/// What is missing among the records that a family depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The client is inactive or deleted.
    Client,
    /// The person, or the one for whom the client was registered, is inactive or deleted.
    Person,
    /// The sign-in that it rests on no longer counts: the person has another password, or a session
    /// was ended.
    Session,
    /// The person took back what they agreed to.
    Consent,
}

impl Dependencies {
    /// The keys of the records that `family` depends on.
    fn keys(issuer: &Issuer, family: &Family) -> Vec<Key> {
        let mut keys = vec![issuer.repository().key(Kind::Client, &family.client)];
        let registrant = family.registrant.iter();
        keys.extend(registrant.map(|id| issuer.repository().key(Kind::Account, id)));
        if let Some(account) = &family.account {
            keys.push(issuer.repository().key(Kind::Account, account));
            if family.by_consent {
                keys.push(
                    issuer.repository().key(Kind::Consent, &consent_id(account, &family.client)),
                );
            }
        }
        keys
    }

    /// Reads the records that `family` depends on, and determines which is missing for a token with
    /// `scope`.
    pub(crate) async fn of(
        issuer: &Issuer,
        family: &Family,
        scope: &Scopes,
    ) -> Result<(Self, Option<Missing>), StoreError> {
        let keys = Self::keys(issuer, family);
        let lookup = issuer.cached(&keys).await?;
        let is_fresh = lookup.is_fresh;
        let dependencies = Self::read(lookup)?;
        match dependencies.missing(family, scope) {
            Some(_) if !is_fresh => {
                let dependencies = Self::read(issuer.fresh(&keys).await?)?;
                let missing = dependencies.missing(family, scope);
                Ok((dependencies, missing))
            }
            missing => Ok((dependencies, missing)),
        }
    }

    /// Whether everything is in place that each of `families` depends on for its newest token, as
    /// the store has it now, in one round trip for all.
    pub(crate) async fn are_there(
        issuer: &Issuer,
        families: &[&Family],
    ) -> Result<Vec<bool>, StoreError> {
        let mut keys: Vec<Key> =
            families.iter().flat_map(|family| Self::keys(issuer, family)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let lookup = issuer.fresh(&keys).await?;
        let of = |family: &&Family| {
            let wanted = Self::keys(issuer, family);
            let records = wanted.iter().map(|key| {
                let place = keys.binary_search(key).ok()?;
                lookup.records.get(place).cloned().flatten()
            });
            let (records, snapshot) = (records.collect(), lookup.snapshot.clone());
            let dependencies = Self::read(Lookup { records, snapshot, is_fresh: true })?;
            Ok(dependencies.missing_beside_activity(family, family.current_scope()).is_none())
        };
        families.iter().map(of).collect()
    }

    fn read(lookup: Lookup) -> Result<Self, StoreError> {
        let mut dependencies =
            Self { client: None, account: None, grant: None, snapshot: lookup.snapshot };
        for cached_record in lookup.records.into_iter().flatten() {
            match cached_record.key().kind {
                Kind::Client => dependencies.client = Some(cached_record.read()?.body),
                Kind::Account => dependencies.account = Some(cached_record.read()?.body),
                _ => dependencies.grant = Some(cached_record.read()?.body),
            }
        }
        Ok(dependencies)
    }

    /// The first record that is missing for a token of `family` with `scope`; `None` if there is
    /// none.
    ///
    /// A record younger than the family is another one under the same name: what was issued
    /// before does not come back with it.
    fn missing(&self, family: &Family, scope: &Scopes) -> Option<Missing> {
        match &self.client {
            Some(client) if client.active => self.missing_beside_activity(family, scope),
            _ => Some(Missing::Client),
        }
    }

    /// The same where an app that is inactive for now counts as well: what it was given is good
    /// again once it is active.
    fn missing_beside_activity(&self, family: &Family, scope: &Scopes) -> Option<Missing> {
        let client = self.client.as_ref();
        let Some(client) = client.filter(|client| {
            client.created <= family.created && client.generation == family.client_generation
        }) else {
            return Some(Missing::Client);
        };
        let is_registrant =
            |person: &Arc<Account>| is_registrant(person, client, family.account_generation);
        if family.registrant.is_some() && !self.account.as_ref().is_some_and(is_registrant) {
            return Some(Missing::Person);
        }
        if family.account.is_some() {
            let Some(person) = self.account.as_ref().filter(|person| person.active) else {
                return Some(Missing::Person);
            };
            let proven = family.auth_time.unwrap_or(family.created);
            let shared = family.sid.as_ref().filter(|_| client.first_party);
            if !person.still_trusts(proven, family.account_generation)
                || shared.is_some_and(|sid| person.ended_sessions.end(sid, family.created))
            {
                return Some(Missing::Session);
            }
        }
        let agreed = |grant: &Arc<Consent>| {
            grant.agreement == family.agreement && grant.scope.first_uncovered(scope).is_none()
        };
        if family.by_consent && !self.grant.as_ref().is_some_and(agreed) {
            return Some(Missing::Consent);
        }
        None
    }
}

/// Whether `client` was registered for `person`, who is active, and was in each moment since they were
/// in their `generation` of sign-ins. A person who came after the client has the id of another one.
pub(crate) fn is_registrant(person: &Account, client: &Client, generation: u32) -> bool {
    person.active && person.generation == generation && person.created <= client.created
}

impl Issuer {
    /// The first record that is missing for a token of `family` with `scope`.
    pub(crate) async fn missing(
        &self,
        family: &Family,
        scope: &Scopes,
    ) -> Result<Option<Missing>, StoreError> {
        Ok(Dependencies::of(self, family, scope).await?.1)
    }
}
