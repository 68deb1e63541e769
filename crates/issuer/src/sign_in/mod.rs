//! How people prove who they are.

pub mod certificate;
pub mod credential;
pub mod mailed_links;
pub mod name_and_password;
pub mod new_password;
pub mod passkey;
mod password;
pub mod per_request;
pub mod reset;
pub mod second_factor;
pub mod setup;
pub mod verification;

use async_trait::async_trait;

use crate::{
    Issuer,
    audit::{AuditKind, Event},
    error::OAuthError,
    records::{Account, repository::Versioned},
    request::params::Params,
    session::browser::Browser,
};

/// A way in which people prove who they are. A new one is a file and a line of the roster.
#[async_trait]
pub trait SignInMethod: Send + Sync {
    /// What the form sends as `method`.
    fn name(&self) -> &'static str;

    /// The `amr` of those who used it (RFC 8176 §2).
    fn amr(&self) -> &'static [&'static str];

    /// What its form asks for.
    fn fields(&self) -> &'static [Field];

    /// What a person reads whose form proved nothing.
    fn problem(&self) -> &'static str;

    /// The account that `form`, submitted in `browser`, authenticates, if it may sign in. The
    /// attempt is counted before anything is checked (`docs/rules.md` rule 48).
    ///
    /// # Errors
    /// [`OAuthError`] if that cannot be determined, or not now.
    async fn check(
        &self,
        issuer: &Issuer,
        form: &Params,
        browser: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError>;
}

/// A field of a form.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name by which it is sent.
    pub name: &'static str,
    /// The label of the field.
    pub label: &'static str,
    /// What is typed in.
    pub kind: FieldKind,
    /// What browsers may fill in (HTML, `autocomplete`).
    pub autocomplete: &'static str,
}

/// What is typed into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// The name of the person, which a form that comes back still has.
    UserName,
    /// A secret, which is not displayed.
    Secret,
    /// A numeric code.
    Code,
    /// Any other text, which is displayed and not kept.
    Text,
}

/// Ways to sign in, in the order in which the page shows them.
pub type Roster = &'static [&'static dyn SignInMethod];

/// Every way to sign in.
pub const ROSTER: Roster = &[&password::Password];

impl Issuer {
    /// The sign-in method that `form` belongs to: the first one unless the form names one.
    pub(crate) fn sign_in_method(&self, form: &Params) -> Option<&'static dyn SignInMethod> {
        let methods = self.sign_in_methods();
        match form.get("method") {
            None => methods.first().copied(),
            Some(name) => methods.iter().find(|method| method.name() == name).copied(),
        }
    }

    /// What `checked` is, recorded if it signs nobody in. The one that does records itself, when its
    /// session begins.
    pub(crate) fn audit_failure<T>(
        &self,
        checked: Result<Option<T>, OAuthError>,
        method: &str,
    ) -> Result<Option<T>, OAuthError> {
        match &checked {
            Ok(Some(_)) => {}
            Ok(None) => self.audit(Event::of(AuditKind::SignIn).failed(method)),
            Err(OAuthError::SecondFactorNeeded) => {
                self.audit(Event::of(AuditKind::SignIn).failed("second factor needed"));
            }
            Err(error) => self.audit(Event::of(AuditKind::SignIn).failed(error.code().as_str())),
        }
        checked
    }
}
