//! What a token family rests on besides itself: its client, its person, their consent.

use castellan_proto::scope::Scopes;

use crate::{
    Issuer,
    consent::grant_id,
    desk::{Kept, read},
    records::{Account, Client, Family, Grant},
    store::{Key, Kind, Record, StoreError},
};

/// What a family rests on, as it is now. Read in one round trip.
pub(crate) struct Footing {
    pub(crate) client: Option<Client>,
    pub(crate) account: Option<Account>,
    grant: Option<Grant>,
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
    pub(crate) fn keys(issuer: &Issuer, family: &Family) -> [Key; 3] {
        let account = family.account.as_deref().unwrap_or_default();
        [
            issuer.desk().key(Kind::Client, &family.client),
            issuer.desk().key(Kind::Account, account),
            issuer.desk().key(Kind::Grant, &grant_id(account, &family.client)),
        ]
    }

    /// Reads the records of `keys`.
    pub(crate) async fn read(issuer: &Issuer, keys: &[Key; 3]) -> Result<Self, StoreError> {
        let mut records = issuer.desk().store().get_many(keys, issuer.now()).await?.into_iter();
        let mut next = || records.next().flatten();
        Ok(Self { client: body(next())?, account: body(next())?, grant: body(next())? })
    }

    /// What is gone from under `family`, for a token with `scope`; nothing if it stands.
    ///
    /// A record younger than the family is another one under the same name: what was issued
    /// before does not come back with it.
    pub(crate) fn gone(&self, family: &Family, scope: &Scopes) -> Option<Gone> {
        let client = self.client.as_ref();
        if !client.is_some_and(|client| client.active && client.created <= family.created) {
            return Some(Gone::Client);
        }
        let proven = family.auth_time.unwrap_or(family.created);
        let person = self.account.as_ref();
        if family.account.is_some() && !person.is_some_and(|person| person.still_trusts(proven)) {
            return Some(Gone::Person);
        }
        let agreed = |grant: &Grant| {
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
        Ok(Footing::read(self, &Footing::keys(self, family)).await?.gone(family, scope))
    }
}

fn body<T: Kept>(record: Option<Record>) -> Result<Option<T>, StoreError> {
    Ok(record.map(read::<T>).transpose()?.map(|held| held.body))
}
