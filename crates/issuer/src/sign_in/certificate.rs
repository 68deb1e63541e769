//! The person whom a client certificate is about (`docs/contracts/ibexa.md` §6). It was verified
//! where TLS ended; nothing is issued for it, and no session begins.

use std::sync::Arc;

use crate::{
    Issuer,
    records::{Account, login_name},
    store::StoreError,
};

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
        let found = self.repository().find::<Account>(&login, self.now()).await?;
        let is_theirs = |account: &Account| match name {
            CertificateName::Email(_) => account.emails.iter().any(|one| login_name(one) == login),
            CertificateName::UserName(_) => login_name(&account.user_name) == login,
        };
        let found = found.filter(|stored| stored.body.active && is_theirs(&stored.body));
        Ok(found.map(|stored| (stored.id, Arc::new(stored.body))))
    }
}
