//! Guesses at passwords, counted per person (`docs/rules.md` rule 48), and per source
//! ([`sources`]).
//!
//! A guess is counted before it is checked, so that guesses at the same time count, too. The
//! subject is the account whatever name was typed, and a name that leads to nobody counts as if it
//! did. A browser in which the person has signed in before is not held up: nobody can be locked
//! out from outside.

use castellan_proto::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    error::OAuthError,
    records::repository::{Stored, Versioned, Written},
    session::Browser,
    store::{Kind, Notice, StoreError},
    throttle::per_source,
};

/// Guesses at one subject, or a browser that one subject has used.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Guesses {
    /// How many since the last good one.
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

/// So many may be wrong before anybody has to wait.
const FREE: u32 = 10;
/// Seconds after which wrong guesses are forgotten.
const FORGOTTEN: u64 = 3_600;
/// Seconds to wait at most.
const LONGEST_WAIT: u64 = 300;
/// Seconds for which a browser is known.
const KNOWN: u64 = 90 * 86_400;
/// Guesses at the same moment are settled within as many tries.
const TRIES: usize = 16;

/// Whose guesses are counted, and in which browser.
pub(crate) struct Guess {
    subject: String,
    device: Option<String>,
    known: bool,
    /// The same guess, counted where it came from; not in a browser that is known.
    source: Option<per_source::Guess>,
}

impl Issuer {
    /// Counts a guess at `subject` before it is checked.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if there were too many; then nothing is to be checked.
    pub(crate) async fn count_guess(
        &self,
        subject: &str,
        browser: &Browser,
    ) -> Result<Guess, OAuthError> {
        let now = self.now();
        let device = browser.mark.as_ref().map(|mark| {
            let both = format!("{subject}\0{}", mark.digest().text());
            format!("device/{}", Digest::of(both.as_bytes()).text())
        });
        let subject = format!("subject/{}", Digest::of(subject.as_bytes()).text());
        let known = match &device {
            Some(device) => self.repository().get::<Guesses>(device, now).await?.is_some(),
            None => false,
        };
        if known {
            return Ok(Guess { subject, device, known, source: None });
        }
        let source = Some(self.guess_from(browser.source)?);
        for _ in 0..TRIES {
            let ends = Timestamp(now.0 + FORGOTTEN);
            let written = match self.repository().get::<Guesses>(&subject, now).await? {
                None => {
                    let first = Guesses { count: 1, last: now, ends };
                    self.repository().insert(&subject, &first, now).await?
                }
                Some(Versioned { id, version, body }) => {
                    let waited = now.since(body.last).as_secs();
                    if let Some(left) =
                        wait(body.count).checked_sub(waited).filter(|left| *left > 0)
                    {
                        return Err(OAuthError::Throttled(left));
                    }
                    let count = body.count.saturating_add(1);
                    let next = Versioned { id, version, body: Guesses { count, last: now, ends } };
                    self.repository().replace(&next, Notice::Silent, now).await?
                }
            };
            if written == Written::Done {
                return Ok(Guess { subject, device, known, source });
            }
        }
        Err(OAuthError::Throttled(1))
    }

    /// The guess was good: what was counted is forgotten, and the browser is known from now on.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the count may stand.
    pub(crate) async fn guess_was_good(&self, guess: Guess) -> Result<(), StoreError> {
        if let Some(source) = guess.source {
            source.was_right();
        }
        if guess.known {
            return Ok(());
        }
        let now = self.now();
        let key = self.repository().key(Kind::Guesses, &guess.subject);
        self.repository().store().delete(&key, None, Notice::Silent, now).await?;
        if let Some(device) = guess.device {
            let known = Guesses { count: 0, last: now, ends: Timestamp(now.0 + KNOWN) };
            self.repository().insert(&device, &known, now).await?;
        }
        Ok(())
    }
}

/// Seconds to wait after `count` guesses: none at first, then twice as long each time.
fn wait(count: u32) -> u64 {
    match count.checked_sub(FREE) {
        None => 0,
        Some(over) => 1_u64.checked_shl(over).unwrap_or(u64::MAX).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::wait;

    #[test]
    fn the_wait_doubles_and_ends_at_five_minutes() {
        let waits: Vec<u64> = [0, 9, 10, 11, 14, 18, 19, 74, u32::MAX].map(wait).to_vec();
        assert_eq!(waits, [0, 0, 1, 2, 16, 256, 300, 300, 300]);
    }
}
