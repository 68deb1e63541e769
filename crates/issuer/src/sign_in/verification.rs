//! Verifications under way, whatever they are of: begun with a state, confirmed with it once
//! (`docs/contracts/curity.md` §6.2).
//!
//! What is confirmed by guessable codes counts each attempt before it is checked, so that concurrent
//! guesses count too (`docs/rules.md` rule 48). What is under way for one account is bounded.

use castellan_proto::{Digest, Opaque, OpaqueKind, Timestamp, constant_time_eq};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Issuer,
    error::OAuthError,
    records::{
        Account,
        repository::{Update, Versioned, Written},
        verification::{Verification, of_account},
    },
    store::{Notice, StoreError},
};

/// Attempts to confirm one verification at most.
pub const MOST_ATTEMPTS: u32 = 5;
/// Verifications of one account that are under way at a time, at most.
const MOST_UNDER_WAY: usize = 16;
/// Seconds to wait where there are as many.
const WAIT: u64 = 60;

/// What a verification is for. A state is good for the purpose that it was made for and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose(pub &'static str);

/// Why nothing was begun or confirmed.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// Unknown, used, expired, another account's, of another purpose, or of too many attempts. One
    /// answer for all of them.
    #[error("unknown state: the verification does not exist, was used or has expired; start again")]
    Unknown,
    /// Too many are under way; seconds to wait.
    #[error("too many verifications are under way; try again in {0} s")]
    TooMany(u64),
    /// An internal error.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

impl From<StoreError> for VerificationError {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// What begins.
pub struct Beginning<'a, T> {
    /// What it is for.
    pub purpose: Purpose,
    /// What it is about. It is stored sealed.
    pub body: &'a T,
    /// The code that is sent, if one is.
    pub code: Option<&'a str>,
    /// Seconds for which it can be confirmed.
    pub seconds: u64,
}

/// An attempt to confirm a verification, which is counted.
#[must_use]
pub struct Attempt<T> {
    /// What it is about.
    pub body: T,
    code: Option<String>,
    state: Opaque,
}

impl<T> Attempt<T> {
    /// Whether `code` is the one that was sent.
    #[must_use]
    pub fn is_code(&self, code: &str) -> bool {
        let told = code_digest(&self.state, code);
        self.code.as_ref().is_some_and(|sent| constant_time_eq(sent.as_bytes(), told.as_bytes()))
    }
}

impl Issuer {
    /// Begins a verification of something of `account`, and returns the state that confirms it.
    ///
    /// # Errors
    /// [`VerificationError`] saying why not; nothing was stored then.
    pub async fn begin_verification<T: Serialize + Sync>(
        &self,
        account: &Versioned<Account>,
        beginning: Beginning<'_, T>,
    ) -> Result<String, VerificationError> {
        self.may_issue().map_err(OAuthError::from)?;
        let now = self.now();
        let prefix = of_account(&account.id);
        let under_way =
            self.repository().page::<Verification>(&prefix, None, MOST_UNDER_WAY, now).await?;
        if under_way.len() >= MOST_UNDER_WAY {
            let ends = under_way.iter().map(|stored| stored.body.ends).min();
            let wait = ends.map_or(WAIT, |ends| ends.since(now).as_secs().clamp(1, WAIT));
            return Err(VerificationError::TooMany(wait));
        }
        let state = Opaque::generate(OpaqueKind::Verification);
        let id = id_of(&account.id, &state);
        let body = serde_json::to_vec(beginning.body).map_err(StoreError::new)?;
        let sealed = self.root().seal(&self.verification_label(&id), &body);
        let verification = Verification {
            purpose: beginning.purpose.0.to_owned(),
            account: account.id.clone(),
            created: account.body.created,
            incarnation: account.body.incarnation,
            sealed: sealed.ok_or_else(|| StoreError::new("a verification could not be sealed"))?,
            code: beginning.code.map(|code| code_digest(&state, code)),
            attempts: 0,
            ends: Timestamp(now.0.saturating_add(beginning.seconds)),
        };
        match self.repository().insert(&id, &verification, now).await? {
            Written::Done => Ok(state.text()),
            Written::Conflict | Written::Clash(_) => {
                Err(StoreError::new("a state was made twice").into())
            }
        }
    }

    /// Counts an attempt to confirm the verification of `state` for `account`, and tells what it is
    /// about. Whoever finds the attempt to be right takes the verification.
    ///
    /// # Errors
    /// [`VerificationError::Unknown`] if there is none, or after [`MOST_ATTEMPTS`].
    pub async fn attempt_verification<T: DeserializeOwned>(
        &self,
        account: &Versioned<Account>,
        purpose: Purpose,
        state: &str,
    ) -> Result<Attempt<T>, VerificationError> {
        let state = read_state(state)?;
        let id = id_of(&account.id, &state);
        let count = |stored: Option<Verification>| {
            let stored = stored.filter(|stored| is_of(stored, account, purpose));
            let mut counted = stored.ok_or(VerificationError::Unknown)?;
            if counted.attempts >= MOST_ATTEMPTS {
                return Err(VerificationError::Unknown);
            }
            counted.attempts += 1;
            Ok(Update::Write(counted.clone(), Notice::Silent, counted))
        };
        let counted = self.repository().update(&id, self.now(), count).await?;
        let body = self.opened(&id, &counted)?;
        Ok(Attempt { body, code: counted.code, state })
    }

    /// Uses up the verification of `state` for `account`, and tells what it is about. Of any number of
    /// concurrent calls, exactly one succeeds.
    ///
    /// # Errors
    /// [`VerificationError::Unknown`] if there is none, or it was used.
    pub async fn take_verification<T: DeserializeOwned>(
        &self,
        account: &Versioned<Account>,
        purpose: Purpose,
        state: &str,
    ) -> Result<T, VerificationError> {
        let id = id_of(&account.id, &read_state(state)?);
        let now = self.now();
        // One of another purpose is left to whom it is for.
        let found = self.repository().get::<Verification>(&id, now).await?;
        if !found.is_some_and(|stored| is_of(&stored.body, account, purpose)) {
            return Err(VerificationError::Unknown);
        }
        match self.repository().take::<Verification>(&id, now).await? {
            Some((taken, true)) => self.opened(&id, &taken),
            Some((_, false)) | None => Err(VerificationError::Unknown),
        }
    }

    fn opened<T: DeserializeOwned>(
        &self,
        id: &str,
        stored: &Verification,
    ) -> Result<T, VerificationError> {
        let opened = self.root().unseal(&self.verification_label(id), &stored.sealed);
        let opened = opened.ok_or_else(|| {
            StoreError::new("a verification cannot be opened with the keys of this site")
        })?;
        Ok(serde_json::from_slice(&opened).map_err(StoreError::new)?)
    }

    /// What the body of the verification `id` is bound to: it opens in no other place.
    fn verification_label(&self, id: &str) -> String {
        format!("{}/verification/{id}", self.repository().site())
    }
}

fn read_state(text: &str) -> Result<Opaque, VerificationError> {
    Opaque::read(OpaqueKind::Verification, text).ok_or(VerificationError::Unknown)
}

fn id_of(account: &str, state: &Opaque) -> String {
    format!("{}{}", of_account(account), state.digest().text())
}

fn is_of(stored: &Verification, account: &Versioned<Account>, purpose: Purpose) -> bool {
    stored.purpose == purpose.0 && stored.account == account.id && stored.is_for(&account.body)
}

/// What is stored of a code: bound to its state, which is not stored, so that nobody who reads the
/// store can try out all codes.
fn code_digest(state: &Opaque, code: &str) -> String {
    Digest::of_all(&[state.payload(), &[0], code.as_bytes()]).text()
}
