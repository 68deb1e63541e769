//! The second factor: what people who opted in to it show after their password
//! (`docs/second-factor.md`, `docs/contracts/curity.md` §6.2).
//!
//! Here is the one place that decides whether a password alone is enough: `Issuer::check_password`
//! proves a password and nothing else, and only the sign-in page may ask it, since it asks for the
//! second factor next. Everybody else asks `Issuer::check_password_alone`.

mod passkey;
mod recovery;
mod totp;

use async_trait::async_trait;
use castellan_proto::Timestamp;
use serde_json::Value;

pub use recovery::{RECOVERY_CODES, RecoveryCodes};

use super::Field;
use crate::{
    Issuer,
    audit::origin,
    error::OAuthError,
    language::Text,
    records::{Account, repository::Versioned},
    request::params::Params,
    session::browser::Browser,
    sign_in::name_and_password::NameAndPassword,
    throttle::per_account::GuessFrom,
};

/// A kind of second factor. A new one is a file and a line of the roster.
#[async_trait]
pub trait SecondFactor: Send + Sync {
    /// What its form sends as `method`, and what the management APIs call its type.
    fn name(&self) -> &'static str;

    /// The authentication context class by which people opt in to it.
    fn acr(&self) -> &'static str;

    /// What it is, in words for the person.
    fn description(&self) -> &'static str;

    /// The `amr` of those who used it (RFC 8176 §2), besides `mfa`.
    fn amr(&self) -> &'static [&'static str];

    /// What its form asks for; nothing is typed where the browser asks an authenticator.
    fn field(&self) -> Option<Field>;

    /// Whether the site offers it.
    fn is_offered(&self, _issuer: &Issuer) -> bool {
        true
    }

    /// What the browser asks an authenticator of `account` in the flow `flow`, if nothing is typed
    /// (WebAuthn, `PublicKeyCredentialRequestOptionsJSON`).
    fn request(&self, _issuer: &Issuer, _account: &Account, _flow: &str) -> Option<Value> {
        None
    }

    /// What a person reads whose form proved nothing.
    fn problem(&self) -> Text;

    /// Whether `account` has something to show for it at `now`.
    fn is_ready(&self, account: &Account, now: Timestamp) -> bool;

    /// Whether `form`, sent by `browser` in the flow `flow`, proves it for `account`. What works once is
    /// used up by that. The attempt has been counted.
    ///
    /// # Errors
    /// [`OAuthError`] if that cannot be determined.
    async fn check(
        &self,
        issuer: &Issuer,
        account: &Versioned<Account>,
        (flow, form): (&str, &Params),
        browser: &Browser,
    ) -> Result<bool, OAuthError>;
}

/// Every kind of second factor that people can opt in to, in the order in which the page shows them.
pub const ROSTER: &[&dyn SecondFactor] = &[&totp::Totp, &passkey::PasskeyFactor];

/// What stands in for all of them.
const RECOVERY: &dyn SecondFactor = &recovery::RecoveryCode;

/// The form of a second factor.
#[derive(Clone, Debug)]
pub struct FactorForm {
    /// What it sends as `method`.
    pub method: &'static str,
    /// What it asks for, if something is typed.
    pub field: Option<Field>,
    /// What the browser asks an authenticator, if nothing is.
    pub request: Option<Value>,
    /// Whether it is for those who have nothing else at hand.
    pub is_recovery: bool,
}

/// The kind of second factor that is called `acr`, if this server can ask for it.
#[must_use]
pub fn factor(acr: &str) -> Option<&'static dyn SecondFactor> {
    ROSTER.iter().find(|factor| factor.acr() == acr).copied()
}

impl Issuer {
    /// The kinds of second factor that this site offers, in the order of the [`ROSTER`].
    pub fn second_factors(&self) -> impl Iterator<Item = &'static dyn SecondFactor> {
        ROSTER.iter().copied().filter(|factor| factor.is_offered(self))
    }

    /// What `account` can show as a second factor: the kinds that it opted in to, and recovery codes.
    fn ready_factors(&self, account: &Account) -> Vec<&'static dyn SecondFactor> {
        let now = self.now();
        let has = |factor: &&dyn SecondFactor| {
            account.attached.mfa.as_ref().is_some_and(|mfa| mfa.has(factor.acr()))
        };
        let chosen = self.second_factors().filter(has);
        chosen.chain([RECOVERY]).filter(|factor| factor.is_ready(account, now)).collect()
    }

    /// The forms by which `account` shows a second factor in the flow `flow`.
    #[must_use]
    pub fn second_factor_forms(&self, account: &Account, flow: &str) -> Vec<FactorForm> {
        let form = |factor: &dyn SecondFactor| FactorForm {
            method: factor.name(),
            field: factor.field(),
            request: factor.request(self, account, flow),
            is_recovery: factor.name() == RECOVERY.name(),
        };
        self.ready_factors(account).into_iter().map(form).collect()
    }

    /// The kind that `form` belongs to, of those that `account` can show: the first one unless the form
    /// names one.
    pub(crate) fn second_factor(
        &self,
        account: &Account,
        form: &Params,
    ) -> Option<&'static dyn SecondFactor> {
        let mut factors = self.ready_factors(account).into_iter();
        match form.get("method") {
            None => factors.next(),
            Some(name) => factors.find(|factor| factor.name() == name),
        }
    }

    /// Whether `form`, sent by `browser` in a flow, proves `factor` for `account`. The attempt is counted
    /// before anything is checked, for this account and this kind, and where it comes from
    /// (`docs/rules.md` rule 48).
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if there were too many, and the others as they say.
    pub(crate) async fn check_second_factor(
        &self,
        factor: &'static dyn SecondFactor,
        account: &Versioned<Account>,
        form: (&str, &Params),
        browser: &Browser,
    ) -> Result<bool, OAuthError> {
        origin::aims_at_user(&account.id);
        // No name that people type has capital letters when it is counted.
        let subject = format!("SECOND FACTOR:{}:{}", factor.name(), account.id);
        let guess = self.count_guess(&subject, None, browser).await?;
        let is_right = !guess.is_refused && factor.check(self, account, form, browser).await?;
        if is_right {
            self.guess_was_good(guess).await?;
        }
        Ok(is_right)
    }

    /// The account that `name` and `password`, sent by `from`, lead to; it may be inactive. For all who
    /// can ask for nothing besides a password.
    ///
    /// # Errors
    /// [`OAuthError::SecondFactorNeeded`] if the password is right and is not enough, and those of
    /// [`Issuer::check_password`].
    pub(crate) async fn check_password_alone(
        &self,
        typed: NameAndPassword<'_>,
        from: impl Into<GuessFrom<'_>> + Send,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        match self.check_password(typed, from).await? {
            Some(stored) if stored.body.active && stored.body.needs_second_factor() => {
                Err(OAuthError::SecondFactorNeeded)
            }
            found => Ok(found),
        }
    }
}
