//! What people let apps do, as one entry for each person and app (`docs/contracts/curity.md` §9).
//!
//! An entry is never stored. It is made of what the person agreed to, and of the token families that
//! are alive: those of first-party apps rest on no agreement.

use std::collections::{BTreeMap, BTreeSet};

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    management::accounts::{AccountError, Actor},
    records::{Account, Client, Consent, Family, consent_id, login_name, repository::Versioned},
    store::{Key, Kind, StoreError},
    tokens::dependencies::Dependencies,
};

/// What one person lets one app do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedAuthorization {
    /// The account's id.
    pub owner: String,
    /// The app's `client_id`.
    pub client_id: String,
    /// What people know the app by.
    pub client_name: String,
    /// What it says of itself.
    pub client_description: Option<String>,
    /// Its logo, as a `data:` URL.
    pub client_logo: Option<String>,
    /// The scopes.
    pub scopes: BTreeSet<String>,
    /// The claims that it receives besides those that the scopes cover.
    pub claims: BTreeSet<String>,
    /// When the first of it was granted.
    pub created: Timestamp,
    /// When the last of it was.
    pub modified: Timestamp,
}

/// What one person lets apps do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The entries, in the order of the apps' ids.
    pub entries: Vec<GrantedAuthorization>,
    /// There is more than was read: entries, scopes or claims may be missing.
    pub is_incomplete: bool,
}

/// Agreements that are ended at a time.
const STEP: usize = 100;
/// Families that are read at a time, and for one answer.
const WALK: usize = 500;
const MOST_EXAMINED: usize = 20_000;

impl Issuer {
    /// What the person `owner` lets the app `client` do, or every app. At most `most` agreements and
    /// as many token families are read, the oldest ones first.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn granted_by(
        &self,
        owner: &str,
        client: Option<&str>,
        most: usize,
    ) -> Result<Granted, StoreError> {
        let (mut families, rest) = self.families_of(owner, client, None, most + 1).await?;
        let mut consents = self.consents_of(owner, client, most + 1).await?;
        let is_incomplete = rest.is_some() || families.len() > most || consents.len() > most;
        families.truncate(most);
        consents.truncate(most);
        let bodies: Vec<&Family> = families.iter().map(|stored| &stored.body).collect();
        let alive = Dependencies::are_there(self, &bodies).await?;
        let alive: Vec<&Family> =
            bodies.into_iter().zip(alive).filter(|(_, alive)| *alive).map(|(one, _)| one).collect();
        let clients: BTreeSet<&str> = consents
            .iter()
            .map(|(client, _)| &**client)
            .chain(alive.iter().map(|family| &*family.client))
            .collect();
        let (account, clients) = self.parties(owner, &clients).await?;
        let Some(account) = account else { return Ok(Granted::default()) };
        let mut entries = BTreeMap::new();
        for (client_id, consent) in &consents {
            let Some(client) = clients.get(&**client_id) else { continue };
            // Given to a client, or by a person, that had the same id before.
            if consent.start < client.created.max(account.created) {
                continue;
            }
            let entry = entry(&mut entries, owner, client_id, client, consent.start);
            entry.scopes.extend(consent.scope.iter().map(ToString::to_string));
            entry.claims.extend(consent.claims.iter().cloned());
        }
        for family in alive {
            let Some(client) = clients.get(&*family.client) else { continue };
            let entry = entry(&mut entries, owner, &family.client, client, family.created);
            entry.scopes.extend(family.scope.iter().map(ToString::to_string));
            let beyond = &family.beyond_scopes;
            entry.claims.extend(beyond.id_token.iter().chain(&beyond.userinfo).cloned());
        }
        Ok(Granted { entries: entries.into_values().collect(), is_incomplete })
    }

    /// Ends what the person `owner` lets the app `client` do, or every app: the agreements first,
    /// which end the tokens that rest on them at once, and then every token family. What
    /// administrators let apps do, they end themselves, or other administrators do.
    ///
    /// # Errors
    /// [`AccountError::Denied`] if `actor` may not; [`AccountError::Store`] if the store fails: calling
    /// this again completes it.
    pub async fn revoke_granted(
        &self,
        actor: &Actor,
        owner: &str,
        client: Option<&str>,
    ) -> Result<(), AccountError> {
        if let Some(stored) = self.stored_account(owner).await? {
            actor.may_touch(owner, &stored.body)?;
        }
        loop {
            let consents = self.consents_of(owner, client, STEP).await?;
            for (client, _) in &consents {
                self.withdraw(owner, client).await?;
            }
            if consents.len() < STEP {
                break;
            }
        }
        let mut after = None;
        loop {
            let (families, last) = self.families_of(owner, client, after, STEP).await?;
            for family in &families {
                self.end_family(&family.id).await?;
            }
            after = last;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The id of the account whose user name is `name`, in any letter case.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn account_with_user_name(&self, name: &str) -> Result<Option<String>, StoreError> {
        let folded = login_name(name);
        let found = self.repository().find::<Account>(&folded, self.now()).await?;
        // An e-mail address leads to an account as well.
        let named = found.filter(|stored| login_name(&stored.body.user_name) == folded);
        Ok(named.map(|stored| stored.id))
    }

    /// The token families that `owner` let `client` have, or every client, among those after the id
    /// `after`: about `limit` of them. And the id after which there may be more. All of the site are
    /// walked over, a bounded number at a time: an index of them would cost every token a round trip
    /// more (`docs/rules.md` rule 38).
    async fn families_of(
        &self,
        owner: &str,
        client: Option<&str>,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Versioned<Family>>, Option<String>), StoreError> {
        let (mut families, mut examined) = (Vec::new(), 0);
        loop {
            let step = self.repository().page::<Family>("", after, WALK, self.now()).await?;
            let is_last = step.len() < WALK;
            examined += step.len();
            after = step.last().map(|stored| stored.id.clone()).filter(|_| !is_last);
            families.extend(step.into_iter().filter(|stored| {
                let family = &stored.body;
                let is_theirs = family.account.as_deref() == Some(owner)
                    && client.is_none_or(|client| client == family.client);
                is_theirs && !family.ended
            }));
            if after.is_none() || families.len() >= limit || examined >= MOST_EXAMINED {
                return Ok((families, after));
            }
        }
    }

    /// What `owner` agreed to for `client`, or for every client, with the clients' ids.
    async fn consents_of(
        &self,
        owner: &str,
        client: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Consent)>, StoreError> {
        let now = self.now();
        if let Some(client) = client {
            let found = self.repository().get::<Consent>(&consent_id(owner, client), now).await?;
            return Ok(found.into_iter().map(|one| (client.to_owned(), one.body)).collect());
        }
        let prefix = consent_id(owner, "");
        let found = self.repository().page::<Consent>(&prefix, None, limit, now).await?;
        let named =
            |stored: Versioned<Consent>| (stored.id[prefix.len()..].to_owned(), stored.body);
        Ok(found.into_iter().map(named).collect())
    }

    /// The account `owner`, and those of `clients` that exist, by their ids.
    async fn parties(
        &self,
        owner: &str,
        clients: &BTreeSet<&str>,
    ) -> Result<(Option<Account>, BTreeMap<String, Client>), StoreError> {
        let key = |kind, id: &str| self.repository().key(kind, id);
        let mut keys: Vec<Key> = vec![key(Kind::Account, owner)];
        keys.extend(clients.iter().map(|id| key(Kind::Client, id)));
        let mut records = self.cached(&keys).await?.records.into_iter();
        let account = match records.next().flatten() {
            Some(record) => Some((*record.read::<Account>()?.body).clone()),
            None => None,
        };
        let mut found = BTreeMap::new();
        for (id, record) in clients.iter().zip(records) {
            if let Some(record) = record {
                found.insert((*id).to_owned(), (*record.read::<Client>()?.body).clone());
            }
        }
        Ok((account, found))
    }
}

/// The entry for `client_id`, with a grant made at `at`.
fn entry<'a>(
    entries: &'a mut BTreeMap<String, GrantedAuthorization>,
    owner: &str,
    client_id: &str,
    client: &Client,
    at: Timestamp,
) -> &'a mut GrantedAuthorization {
    let entry = entries.entry(client_id.to_owned()).or_insert_with(|| GrantedAuthorization {
        owner: owner.to_owned(),
        client_id: client_id.to_owned(),
        client_name: client.display_name(client_id).to_owned(),
        client_description: client.details.description.clone(),
        client_logo: client.details.logo_uri.clone(),
        scopes: BTreeSet::new(),
        claims: BTreeSet::new(),
        created: at,
        modified: at,
    });
    entry.created = entry.created.min(at);
    entry.modified = entry.modified.max(at);
    entry
}
