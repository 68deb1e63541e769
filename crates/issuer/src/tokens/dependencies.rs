//! What a token family rests on besides itself: its client, its person, their consent.

use std::sync::Arc;

use castellan_proto::scope::Scopes;

use crate::{
    Issuer,
    authorization::consent::grant_id,
    cache::{liveness::Snapshot, records::Near},
    records::{Account, Client, Family, Grant},
    store::{Key, Kind, StoreError},
};

/// What a family rests on.
pub(crate) struct Footing {
    pub(crate) client: Option<Arc<Client>>,
    pub(crate) account: Option<Arc<Account>>,
    grant: Option<Arc<Grant>>,
    /// What the records rest on in their turn.
    pub(crate) snapshot: Snapshot,
}

/// What is gone from under a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The client is inactive or deleted.
    Client,
    /// The person is inactive or deleted, or has another password.
    Person,
    /// The person took back what they agreed to.
    Consent,
}

impl Footing {
    /// The records that `family` rests on.
    fn keys(issuer: &Issuer, family: &Family) -> Vec<Key> {
        let mut keys = vec![issuer.desk().key(Kind::Client, &family.client)];
        if let Some(account) = &family.account {
            keys.push(issuer.desk().key(Kind::Account, account));
            if family.by_consent {
                keys.push(issuer.desk().key(Kind::Grant, &grant_id(account, &family.client)));
            }
        }
        keys
    }

    /// What `family` rests on, and what of that is gone for a token with `scope`.
    pub(crate) async fn of(
        issuer: &Issuer,
        family: &Family,
        scope: &Scopes,
    ) -> Result<(Self, Option<Gone>), StoreError> {
        let keys = Self::keys(issuer, family);
        let near = issuer.near(&keys).await?;
        let is_fresh = near.is_fresh;
        let footing = Self::standing_on(near)?;
        match footing.gone(family, scope) {
            Some(_) if !is_fresh => {
                let footing = Self::standing_on(issuer.afresh(&keys).await?)?;
                let gone = footing.gone(family, scope);
                Ok((footing, gone))
            }
            gone => Ok((footing, gone)),
        }
    }

    fn standing_on(near: Near) -> Result<Self, StoreError> {
        let mut footing =
            Self { client: None, account: None, grant: None, snapshot: near.snapshot };
        for shelved in near.records.into_iter().flatten() {
            match shelved.key().kind {
                Kind::Client => footing.client = Some(shelved.read()?.body),
                Kind::Account => footing.account = Some(shelved.read()?.body),
                _ => footing.grant = Some(shelved.read()?.body),
            }
        }
        Ok(footing)
    }

    /// What is gone from under `family`, for a token with `scope`; nothing if it stands.
    ///
    /// A record younger than the family is another one under the same name: what was issued
    /// before does not come back with it.
    fn gone(&self, family: &Family, scope: &Scopes) -> Option<Gone> {
        let client = self.client.as_ref();
        if !client.is_some_and(|client| client.active && client.created <= family.created) {
            return Some(Gone::Client);
        }
        let proven = family.auth_time.unwrap_or(family.created);
        let person = self.account.as_ref();
        if family.account.is_some() && !person.is_some_and(|person| person.still_trusts(proven)) {
            return Some(Gone::Person);
        }
        let agreed = |grant: &Arc<Grant>| {
            grant.agreement == family.agreement && grant.scope.first_uncovered(scope).is_none()
        };
        if family.by_consent && !self.grant.as_ref().is_some_and(agreed) {
            return Some(Gone::Consent);
        }
        None
    }
}

impl Issuer {
    /// What is gone from under `family`, for a token with `scope`.
    pub(crate) async fn gone(
        &self,
        family: &Family,
        scope: &Scopes,
    ) -> Result<Option<Gone>, StoreError> {
        Ok(Footing::of(self, family, scope).await?.1)
    }
}
