//! How people prove who they are.

mod by_passkey;
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
use serde_json::Value;

use crate::{
    Issuer,
    audit::{AuditKind, Event},
    error::OAuthError,
    language::Text,
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

    /// What its form asks for; nothing is typed where the browser asks an authenticator.
    fn fields(&self) -> &'static [Field];

    /// Whether the site offers it.
    fn is_offered(&self, _issuer: &Issuer) -> bool {
        true
    }

    /// What the browser asks an authenticator in the flow that the form of the page names, if nothing is
    /// typed (WebAuthn, `PublicKeyCredentialRequestOptionsJSON`).
    fn request(&self, _issuer: &Issuer, _flow: &str) -> Option<Value> {
        None
    }

    /// What a person reads whose form proved nothing.
    fn problem(&self) -> Text;

    /// The account that `form`, submitted in `browser` in the flow `flow`, authenticates, if it may sign
    /// in. The attempt is counted before anything is checked (`docs/rules.md` rule 48).
    ///
    /// # Errors
    /// [`OAuthError`] if that cannot be determined, or not now.
    async fn check(
        &self,
        issuer: &Issuer,
        (flow, form): (&str, &Params),
        browser: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError>;
}

/// A field of a form.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name by which it is sent.
    pub name: &'static str,
    /// The label of the field.
    pub label: Text,
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
pub const ROSTER: Roster = &[&password::Password, &by_passkey::ByPasskey];

impl Issuer {
    /// The ways to sign in that this site offers, in the order in which the page shows them.
    pub fn sign_in_methods(&self) -> impl Iterator<Item = &'static dyn SignInMethod> {
        self.sign_in_roster().iter().copied().filter(|method| method.is_offered(self))
    }

    /// The sign-in method that `form` belongs to: the first one unless the form names one.
    pub(crate) fn sign_in_method(&self, form: &Params) -> Option<&'static dyn SignInMethod> {
        match form.get("method") {
            None => self.sign_in_methods().next(),
            Some(name) => self.sign_in_methods().find(|method| method.name() == name),
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
