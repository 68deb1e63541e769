//! Opt-in multi-factor authentication (`docs/contracts/curity.md` §6.2): which second factors the
//! person of an account shows at every sign-in, and their recovery codes.
//!
//! Whoever changes what is asked for at a sign-in ends everything that began before, as with a new
//! password: a session that was opened with less than is asked for now, or with what somebody has just
//! taken away, is over (`docs/second-factor.md`).

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{actor::Actor, attach::was_there, error::AccountError, view::registrable_factor};
use crate::{
    Issuer,
    records::{Account, Factor, MfaOptIn, RecoveryBatch, repository::Versioned},
    sign_in::{
        second_factor::SecondFactor,
        verification::{Beginning, Purpose},
    },
};

const SETUP: Purpose = Purpose("opt-in to second factors");
const CODES: Purpose = Purpose("recovery codes");
/// Seconds in which a person confirms that they have kept their recovery codes.
const SECONDS: u64 = 600;
/// What audit records call it.
const MEMBER: &str = "mfaOptIn";
/// What people read who have to opt in first.
const NOT_SET_UP: &str = "Multi-factor sign-in is not set up for this account";

/// What is to be written once the person confirms that they have kept the codes.
#[derive(Serialize, Deserialize)]
struct Pending {
    /// The factors; none where only the codes are new.
    #[serde(default)]
    acrs: Vec<String>,
    codes: RecoveryBatch,
}

impl Issuer {
    /// Begins the opt-in of the account `id` to the factors `acrs`: what they are, recovery codes that
    /// are shown this once, and the state that confirms it.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_mfa_setup(
        &self,
        actor: &Actor,
        id: &str,
        acrs: &[&str],
    ) -> Result<Value, AccountError> {
        let account = self.account_to_open(actor, id).await?;
        let mut chosen: Vec<&'static dyn SecondFactor> = Vec::new();
        for acr in acrs {
            let one = self.registrable(acr, "factors.acr")?;
            must_be_ready(one, &account.body, self.now())?;
            if !chosen.iter().any(|other| other.acr() == one.acr()) {
                chosen.push(one);
            }
        }
        if chosen.is_empty() {
            return Err(AccountError::Invalid("factors: must not be empty".to_owned()));
        }
        let acrs = chosen.iter().map(|factor| factor.acr().to_owned()).collect();
        let (state, codes) = self.begin_codes(&account, SETUP, acrs).await?;
        let factors = chosen.iter().map(|factor| registrable_factor(*factor, &account.body));
        Ok(json!({
            "factors": factors.collect::<Vec<_>>(),
            "recoveryCodes": codes,
            "state": state,
        }))
    }

    /// Completes what [`Issuer::start_mfa_setup`] began, and returns the account. All of its sessions
    /// and tokens are over then, since they began without a second factor.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_mfa_setup(
        &self,
        actor: &Actor,
        id: &str,
        state: &str,
    ) -> Result<Value, AccountError> {
        let account = self.account_to_open(actor, id).await?;
        let Pending { acrs, codes } = self.take_verification(&account, SETUP, state).await?;
        let now = self.now();
        let opt_in = |account: &mut Account| {
            let mut factors = Vec::with_capacity(acrs.len());
            for acr in &acrs {
                must_be_ready(self.registrable(acr, "factors.acr")?, account, now)?;
                factors.push(Factor { acr: acr.clone(), changed: now });
            }
            let recovery = Some(codes.clone());
            account.attached.mfa = Some(MfaOptIn { factors, opted_out: None, recovery });
            account.end_sessions();
            Ok(Some(()))
        };
        self.change_sign_in(actor, id, MEMBER, opt_in).await?;
        self.account_by_id(id).await?.ok_or(AccountError::NotFound("account"))
    }

    /// Begins the exchange of the recovery codes of the account `id` for new ones, which are shown this
    /// once. The present ones work until it is completed.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_new_recovery_codes(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<Value, AccountError> {
        let account = self.account_to_open(actor, id).await?;
        if !account.body.needs_second_factor() {
            return Err(AccountError::Localized(NOT_SET_UP.to_owned()));
        }
        let (state, codes) = self.begin_codes(&account, CODES, Vec::new()).await?;
        Ok(json!({"recoveryCodes": codes, "state": state}))
    }

    /// Completes what [`Issuer::start_new_recovery_codes`] began, and returns the account. The codes of
    /// before do not work any more.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_new_recovery_codes(
        &self,
        actor: &Actor,
        id: &str,
        state: &str,
    ) -> Result<Value, AccountError> {
        let account = self.account_to_open(actor, id).await?;
        let pending: Pending = self.take_verification(&account, CODES, state).await?;
        let exchange = |account: &mut Account| {
            let mfa = account.attached.mfa.as_mut().filter(|mfa| !mfa.factors.is_empty());
            let mfa = mfa.ok_or_else(|| AccountError::Localized(NOT_SET_UP.to_owned()))?;
            mfa.recovery = Some(pending.codes.clone());
            Ok(Some(()))
        };
        self.change_sign_in(actor, id, "recovery codes", exchange).await?;
        self.account_by_id(id).await?.ok_or(AccountError::NotFound("account"))
    }

    /// Adds the factor `acr` to those of the account `id`, whose person opted in already; `false` if it
    /// is one of them.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn add_mfa_factor(
        &self,
        actor: &Actor,
        id: &str,
        acr: &str,
    ) -> Result<bool, AccountError> {
        let one = self.registrable(acr, "acr")?;
        let now = self.now();
        let add = |account: &mut Account| {
            if !account.needs_second_factor() {
                return Err(AccountError::Localized(NOT_SET_UP.to_owned()));
            }
            must_be_ready(one, account, now)?;
            let mfa = account.attached.mfa.get_or_insert_default();
            if mfa.has(acr) {
                return Ok(None);
            }
            mfa.factors.push(Factor { acr: acr.to_owned(), changed: now });
            Ok(Some(()))
        };
        Ok(self.change_sign_in(actor, id, MEMBER, add).await?.is_some())
    }

    /// Deletes the factor `acr` of the account `id`; `false` if there is none. All sessions and tokens
    /// of the account are over then.
    ///
    /// # Errors
    /// [`AccountError`] saying why not; the last factor stays.
    pub async fn delete_mfa_factor(
        &self,
        actor: &Actor,
        id: &str,
        acr: &str,
    ) -> Result<bool, AccountError> {
        let remove = |account: &mut Account| {
            let Some(mfa) = &mut account.attached.mfa else { return Ok(None) };
            let before = mfa.factors.len();
            mfa.factors.retain(|factor| factor.acr != acr);
            match (mfa.factors.len(), before) {
                (0, 1..) => Err(AccountError::LastFactor),
                (after, before) if after < before => {
                    account.end_sessions();
                    Ok(Some(()))
                }
                _ => Ok(None),
            }
        };
        was_there(self.change_sign_in(actor, id, MEMBER, remove).await)
    }

    /// Records that the person of the account `id` does not want further factors. If they had any, all
    /// of their sessions and tokens are over then.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn opt_out_of_mfa(&self, actor: &Actor, id: &str) -> Result<bool, AccountError> {
        let now = self.now();
        let opt_out = |account: &mut Account| {
            end_sessions_of_factors(account);
            account.attached.mfa = Some(MfaOptIn { opted_out: Some(now), ..MfaOptIn::default() });
            Ok(Some(()))
        };
        self.change_sign_in(actor, id, MEMBER, opt_out).await?;
        Ok(true)
    }

    /// Forgets what the person of the account `id` chose about further factors; `false` if that was
    /// nothing. If they had any, all of their sessions and tokens are over then.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn reset_mfa(&self, actor: &Actor, id: &str) -> Result<bool, AccountError> {
        let reset = |account: &mut Account| {
            end_sessions_of_factors(account);
            Ok(account.attached.mfa.take().map(drop))
        };
        was_there(self.change_sign_in(actor, id, MEMBER, reset).await)
    }

    /// The same for whoever operates this server, by a name with which the person signs in. `None` if
    /// there is no such person.
    ///
    /// # Errors
    /// [`AccountError`] if the store fails.
    pub async fn reset_mfa_of(&self, name: &str) -> Result<Option<bool>, AccountError> {
        let Some(found) = self.find_account(name).await? else { return Ok(None) };
        self.reset_mfa(&Actor::operator(), &found.id).await.map(Some)
    }

    /// New recovery codes for `account`, which are written with `acrs` once their state comes back.
    async fn begin_codes(
        &self,
        account: &Versioned<Account>,
        purpose: Purpose,
        acrs: Vec<String>,
    ) -> Result<(String, Value), AccountError> {
        let fresh = self.new_recovery_codes(&account.id);
        let pending = Pending { acrs, codes: fresh.batch };
        let beginning = Beginning { purpose, body: &pending, code: None, seconds: SECONDS };
        let state = self.begin_verification(account, beginning).await?;
        let shown = |code: &Zeroizing<String>| json!({"value": **code});
        Ok((state, fresh.shown.iter().map(shown).collect()))
    }

    /// The factor that is called `acr`, if people can opt in to it. `field` is where it stands.
    fn registrable(
        &self,
        acr: &str,
        field: &str,
    ) -> Result<&'static dyn SecondFactor, AccountError> {
        self.second_factors().find(|factor| factor.acr() == acr).ok_or_else(|| {
            AccountError::Invalid(format!("{field}: this server cannot ask for such a factor"))
        })
    }
}

/// Refuses a factor that the person could not show: nobody could sign in any more.
fn must_be_ready(
    factor: &dyn SecondFactor,
    account: &Account,
    now: Timestamp,
) -> Result<(), AccountError> {
    if factor.is_ready(account, now) {
        return Ok(());
    }
    let what = factor.description();
    Err(AccountError::Localized(format!("{what}: register a device for it first")))
}

fn end_sessions_of_factors(account: &mut Account) {
    if account.needs_second_factor() {
        account.end_sessions();
    }
}
