//! The person whom a client certificate is about (`docs/contracts/ibexa.md` §6). It was verified
//! where TLS ended; nothing is issued for it, and no session begins.

use std::sync::Arc;

use castellan_proto::Timestamp;

use super::per_request::ProvenPerson;
use crate::{
    Issuer,
    cache::verdicts::Verdicts,
    records::{Account, login_name},
    store::{Kind, StoreError},
};

/// Whom the certificates are about that this node has seen: a connection shows the same one with every
/// request, which costs no trip to the store until the account changes.
#[derive(Default)]
pub(crate) struct CertificatePeople(Verdicts<ProvenPerson>);

/// What a certificate says of its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateName<'a> {
    /// One of their e-mail addresses.
    Email(&'a str),
    /// Their user name.
    UserName(&'a str),
}

impl Issuer {
    /// The id and the account of the active person that a certificate names; `None` if there is none.
    ///
    /// An e-mail address leads to whoever has it as one, and a user name to whoever has it as that:
    /// whoever may choose a name of one kind must not become somebody by a name of the other.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn person_of_certificate(
        &self,
        name: CertificateName<'_>,
    ) -> Result<Option<(String, Arc<Account>)>, StoreError> {
        let (CertificateName::Email(text) | CertificateName::UserName(text)) = name;
        let login = login_name(text);
        if login.is_empty() {
            return Ok(None);
        }
        let kind = match name {
            CertificateName::Email(_) => "email",
            CertificateName::UserName(_) => "userName",
        };
        let shown = format!("{kind}\0{login}");
        let known = &self.certificate_people().0;
        if let Some(person) = known.get(self, &*shown) {
            return Ok(Some((person.id.clone(), Arc::clone(&person.account))));
        }
        let found = self.repository().find::<Account>(&login, self.now()).await?;
        let is_theirs = |account: &Account| match name {
            CertificateName::Email(_) => account.emails.iter().any(|one| login_name(one) == login),
            CertificateName::UserName(_) => login_name(&account.user_name) == login,
        };
        let counts = |account: &Account| account.active && is_theirs(account);
        let Some(found) = found.filter(|stored| counts(&stored.body)) else { return Ok(None) };
        // Read again, so that what changed since is seen as a change.
        let key = self.repository().key(Kind::Account, &found.id);
        let lookup = self.fresh(&[key]).await?;
        let Some(record) = lookup.records.into_iter().next().flatten() else { return Ok(None) };
        let account = record.read::<Account>()?.body;
        if !counts(&account) {
            return Ok(None);
        }
        let person = Arc::new(ProvenPerson { id: found.id, account: Arc::clone(&account) });
        known.keep(self, shown, (&person, lookup.snapshot), Timestamp(u64::MAX));
        Ok(Some((person.id.clone(), account)))
    }
}
