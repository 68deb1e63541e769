//! Guesses at passwords, counted per person (`docs/rules.md` rule 48), and per source
//! ([`super::per_source`]).
//!
//! A guess is counted before it is checked, so that concurrent guesses count too. It counts twice:
//! for the name that was typed, and for the account that it leads to. After too many guesses at one
//! name, the wait is stated, whether the name leads to an account or not. After too many guesses at
//! one account by several names, the answer is that of a wrong password, so that nobody learns
//! which names belong to one account.
//!
//! A browser in which the person has signed in before is counted separately, so that nobody can be
//! locked out by others. Programs that send the password with their requests have no browser; theirs
//! are counted separately by where they come from.

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    audit::origin,
    error::OAuthError,
    records::repository::{Stored, Update, Versioned, Written, read},
    request::source::Source,
    session::browser::Browser,
    store::{Kind, Notice, StoreError},
    throttle::per_source,
};

/// Guesses at one subject, or from one place that one subject has used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Guesses {
    /// Guesses since the last successful one.
    count: u32,
    /// When the last one was made.
    last: Timestamp,
    /// First second at which they are forgotten.
    ends: Timestamp,
}

impl Stored for Guesses {
    const KIND: Kind = Kind::Guesses;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

/// Wrong guesses before there is a wait.
const FREE: u32 = 10;
/// The same in a known browser.
const FREE_KNOWN: u32 = 30;
/// Seconds after which wrong guesses are forgotten.
const FORGOTTEN: u64 = 3_600;
/// Seconds to wait at most.
const LONGEST_WAIT: u64 = 300;
/// Seconds for which a browser, or where an app comes from, is known.
const KNOWN: u64 = 90 * 86_400;
/// Guesses at the same moment are settled within as many tries.
const TRIES: usize = 16;

/// Who guesses, and by what they are known if they have been right before.
#[derive(Clone, Copy)]
pub(crate) enum GuessFrom<'a> {
    /// A browser, known by its mark.
    Browser(&'a Browser),
    /// A program that sends a person's name and password itself, known by where it comes from.
    Program(Option<Source>),
}

impl<'a> From<&'a Browser> for GuessFrom<'a> {
    fn from(browser: &'a Browser) -> Self {
        Self::Browser(browser)
    }
}

impl GuessFrom<'_> {
    const fn source(&self) -> Option<Source> {
        match self {
            Self::Browser(browser) => browser.source,
            Self::Program(source) => *source,
        }
    }

    /// The id of the record by which `subject` is known there; none if nothing sets it apart.
    fn known_by(&self, subject: &str) -> Option<String> {
        let text = match self {
            Self::Browser(browser) => browser.mark.as_ref()?.digest().text(),
            Self::Program(source) => format!("from {}", (*source)?.network().text()),
        };
        let both = format!("{subject}\0{text}");
        Some(format!("device/{}", Digest::of(both.as_bytes()).text()))
    }
}

/// A guess that is counted.
pub(crate) struct Guess {
    /// Where it is counted.
    counted: Vec<String>,
    /// The record by which the browser or the place is known, if there is something to know it by.
    device: Option<String>,
    known: bool,
    /// The same guess, counted where it came from; not in a browser that is known.
    source: Option<per_source::Guess>,
    /// There were too many at this account: it is wrong, whatever it is.
    pub(crate) is_refused: bool,
}

/// What became of an attempt to count.
pub(crate) enum Counted {
    /// The guess was counted.
    Done,
    /// There were too many: seconds to wait. The stored count is left unchanged.
    Over(u64, Option<Versioned<Guesses>>),
}

impl Guesses {
    /// The initial count for a subject that is known from now on.
    pub(crate) fn none_yet(now: Timestamp) -> Self {
        Self { count: 0, last: now, ends: Timestamp(now.0 + KNOWN) }
    }

    fn first(now: Timestamp) -> Self {
        Self { count: 1, last: now, ends: Timestamp(now.0 + FORGOTTEN) }
    }

    /// The count plus one, of which `free` may be wrong before there is a wait.
    ///
    /// # Errors
    /// Seconds to wait.
    fn next(&self, now: Timestamp, free: u32) -> Result<u32, u64> {
        let waited = now.since(self.last).as_secs();
        if waited >= FORGOTTEN {
            return Ok(1);
        }
        match wait(self.count, free).checked_sub(waited).filter(|left| *left > 0) {
            Some(left) => Err(left),
            None => Ok(self.count.saturating_add(1)),
        }
    }
}

impl Issuer {
    /// Counts a guess at the password of `account`, to which the name `typed` leads, before it is
    /// checked. Every guess costs the same store operations, whether the name leads to an account
    /// or not.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if there were too many; then nothing is to be checked.
    pub(crate) async fn count_guess(
        &self,
        typed: &str,
        account: Option<&str>,
        from: impl Into<GuessFrom<'_>> + Send,
    ) -> Result<Guess, OAuthError> {
        let from = from.into();
        let subject = account.unwrap_or(typed);
        if let Some(account) = account {
            origin::aims_at_user(account);
        }
        let device = from.known_by(subject);
        let ids = [format!("typed/{}", Digest::of(typed.as_bytes()).text()), subject_id(subject)];
        let all: Vec<&str> = ids.iter().chain(&device).map(String::as_str).collect();
        let mut stored = self.guesses_at(&all).await?.into_iter();
        let (at_name, at_account) = (stored.next().flatten(), stored.next().flatten());
        if let Some(known) = stored.next().flatten() {
            // Others may come from the same place, so that it is counted there as well.
            let source = match from {
                GuessFrom::Browser(_) => None,
                GuessFrom::Program(source) => Some(self.guess_from(source)?),
            };
            return Ok(Guess { source, ..self.count_known(known).await? });
        }
        let source = Some(self.guess_from(from.source())?);
        let [name, subject] = ids;
        if let Counted::Over(seconds, _) = self.count_at(&name, at_name, FREE).await? {
            return Err(OAuthError::Throttled(seconds));
        }
        let counted = self.count_at(&subject, at_account, FREE).await?;
        let is_refused = matches!(counted, Counted::Over(..));
        if let Counted::Over(_, Some(stored)) = counted {
            // Written as it was, so that this takes as long as if it were counted.
            self.repository().replace(&stored, Notice::Silent, self.now()).await?;
        }
        Ok(Guess { counted: vec![name, subject], device, known: false, source, is_refused })
    }

    /// A guess in a browser, or from a place, that is known.
    async fn count_known(&self, known: Versioned<Guesses>) -> Result<Guess, OAuthError> {
        let id = known.id.clone();
        match self.count_at(&id, Some(known), FREE_KNOWN).await? {
            Counted::Over(seconds, _) => Err(OAuthError::Throttled(seconds)),
            Counted::Done => Ok(Guess {
                counted: Vec::new(),
                device: Some(id),
                known: true,
                source: None,
                is_refused: false,
            }),
        }
    }

    /// What is counted under each of `ids`, in one round trip.
    pub(crate) async fn guesses_at(
        &self,
        ids: &[&str],
    ) -> Result<Vec<Option<Versioned<Guesses>>>, StoreError> {
        let keys: Vec<_> = ids.iter().map(|id| self.repository().key(Kind::Guesses, id)).collect();
        let found = self.repository().store().get_many(&keys, self.now()).await?;
        found.into_iter().map(|record| record.map(read).transpose()).collect()
    }

    /// Counts one guess under `id`, where `held` was just read.
    pub(crate) async fn count_at(
        &self,
        id: &str,
        mut stored: Option<Versioned<Guesses>>,
        free: u32,
    ) -> Result<Counted, StoreError> {
        let now = self.now();
        for _ in 0..TRIES {
            let written = match stored {
                None => self.repository().insert(id, &Guesses::first(now), now).await?,
                Some(before) => {
                    let count = match before.body.next(now, free) {
                        Ok(count) => count,
                        Err(seconds) => return Ok(Counted::Over(seconds, Some(before))),
                    };
                    let ends = before.body.ends.max(Timestamp(now.0 + FORGOTTEN));
                    let body = Guesses { count, last: now, ends };
                    self.repository()
                        .replace(&Versioned { body, ..before }, Notice::Silent, now)
                        .await?
                }
            };
            if written == Written::Done {
                return Ok(Counted::Done);
            }
            stored = self.repository().get(id, now).await?;
        }
        Ok(Counted::Over(1, stored))
    }

    /// What was counted under `id` is forgotten.
    pub(crate) async fn forget_guesses(&self, id: &str) -> Result<(), StoreError> {
        let key = self.repository().key(Kind::Guesses, id);
        self.repository().store().delete(&key, None, Notice::Silent, self.now()).await?;
        Ok(())
    }

    /// The guess was right: the count is reset, and the browser or the place is known from now on.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the count may then remain.
    pub(crate) async fn guess_was_good(&self, guess: Guess) -> Result<(), StoreError> {
        if let Some(source) = guess.source {
            source.was_right();
        }
        let now = self.now();
        for id in guess.counted {
            self.forget_guesses(&id).await?;
        }
        let Some(device) = guess.device else { return Ok(()) };
        let fresh = Guesses::none_yet(now);
        if !guess.known {
            self.repository().insert(&device, &fresh, now).await?;
            return Ok(());
        }
        if let Some(stored) = self.repository().get::<Guesses>(&device, now).await? {
            // If another request writes it at the same time, that is enough.
            self.repository()
                .replace(&Versioned { body: fresh, ..stored }, Notice::Silent, now)
                .await?;
        }
        Ok(())
    }
}

impl Issuer {
    /// Since when guesses at the password of `account`, or under one of its `names`, are refused unless
    /// they come from where the person is known; `None` if they are not.
    pub(crate) async fn locked_since(
        &self,
        account: &str,
        names: &[String],
    ) -> Result<Option<Timestamp>, StoreError> {
        let ids = counted_at(account, names);
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let found = self.guesses_at(&all).await?.into_iter().flatten();
        let over = found.filter(|stored| stored.body.next(self.now(), FREE).is_err());
        Ok(over.map(|stored| stored.body.last).max())
    }

    /// Refuses guesses at the password of `account` as too many do, from `since` on.
    pub(crate) async fn lock_out(&self, account: &str, since: Timestamp) -> Result<(), StoreError> {
        let count = FREE + LONGEST_WAIT.ilog2() + 1;
        let ends = Timestamp(since.0.saturating_add(FORGOTTEN));
        let lock = |_: Option<Guesses>| {
            let body = Guesses { count, last: since, ends };
            Ok::<_, StoreError>(Update::Write(body, Notice::Silent, ()))
        };
        self.repository().update(&subject_id(account), self.now(), lock).await
    }

    /// What was guessed at the password of `account`, and under its `names`, is forgotten.
    pub(crate) async fn unlock(&self, account: &str, names: &[String]) -> Result<(), StoreError> {
        for id in counted_at(account, names) {
            self.forget_guesses(&id).await?;
        }
        Ok(())
    }
}

/// The ids of the records that count guesses at `account` and under its `names`.
fn counted_at(account: &str, names: &[String]) -> Vec<String> {
    let typed = names.iter().map(|name| typed_id(name));
    std::iter::once(subject_id(account)).chain(typed).collect()
}

fn typed_id(name: &str) -> String {
    format!("typed/{}", Digest::of(name.as_bytes()).text())
}

/// The id of the record that counts guesses at one account, or at a name that leads to none.
fn subject_id(subject: &str) -> String {
    format!("subject/{}", Digest::of(subject.as_bytes()).text())
}

/// Seconds to wait after `count` guesses: none for the first `free`, then twice as long each time.
fn wait(count: u32, free: u32) -> u64 {
    match count.checked_sub(free) {
        None => 0,
        Some(over) => 1_u64.checked_shl(over).unwrap_or(u64::MAX).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::{FREE, FREE_KNOWN, wait};

    #[test]
    fn the_wait_doubles_and_ends_at_five_minutes() {
        let waits = [0, 9, 10, 11, 14, 18, 19, 74, u32::MAX].map(|count| wait(count, FREE));
        assert_eq!(waits, [0, 0, 1, 2, 16, 256, 300, 300, 300]);
        assert_eq!([29, 30, 31].map(|count| wait(count, FREE_KNOWN)), [0, 1, 2]);
    }
}
