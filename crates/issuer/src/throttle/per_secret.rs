//! Guesses at secrets of apps, machine users and API keys, counted per subject in the store
//! (`docs/rules.md` rule 48), besides per source.
//!
//! Generated secrets cannot be guessed, so secrets of that form are counted by source only. For
//! chosen secrets, the count only delays unknown sources: a source from which a subject has
//! presented the right secret is remembered, on this node and in the store, and has a limit of its
//! own. So nobody is locked out by others, and a working app needs no additional round trip.

use std::{sync::Arc, time::Duration};

use castellan_proto::{Digest, Secret, Timestamp};
use moka::sync::Cache;

use crate::{
    Issuer,
    client_auth::is_generated,
    error::OAuthError,
    request::source::Source,
    store::StoreError,
    throttle::{
        per_account::{Counted, Guesses},
        per_source::{self, Bucket, Limit},
    },
};

/// Wrong ones before a stranger has to wait.
const FREE: u32 = 20;
/// Wrong ones from where the subject is known.
const KNOWN: Limit = Limit { most: 100, refill: 3 };
/// Places that this node knows at a time.
const PLACES: u64 = 50_000;

/// From where subjects have shown the right secret, as far as this node knows.
pub(crate) struct KnownPlaces(Cache<Digest, Arc<Bucket>>);

/// A guess that is counted.
#[must_use]
pub(crate) struct SecretGuess {
    source: per_source::Guess,
    /// Whether it has the form of secrets that Castellan makes.
    pub(crate) is_generated: bool,
    /// Where else the guess was counted.
    at: At,
}

enum At {
    /// Not counted elsewhere.
    Nowhere,
    /// In this node, because it comes from where the subject is known.
    Known(Arc<Bucket>),
    /// In the store, at the subject; and what makes the place known.
    Subject { subject: String, place: Digest },
}

impl Default for KnownPlaces {
    fn default() -> Self {
        let idle = Duration::from_hours(24);
        Self(Cache::builder().max_capacity(PLACES).time_to_idle(idle).build())
    }
}

impl KnownPlaces {
    fn learn(&self, place: Digest, now: Timestamp) -> Arc<Bucket> {
        self.0.get_with(place, || Arc::new(Bucket::new(now)))
    }
}

impl Issuer {
    /// Counts a guess at the secret of `subject`, whether there is such a one or not, before it is
    /// checked.
    ///
    /// # Errors
    /// [`OAuthError::Throttled`] if there were too many; then nothing is to be checked.
    pub(crate) async fn count_secret_guess(
        &self,
        subject: &str,
        secret: &Secret,
        from: Option<Source>,
    ) -> Result<SecretGuess, OAuthError> {
        let source = self.guess_from(from)?;
        let is_generated = is_generated(secret);
        let Some(from) = from.filter(|_| !is_generated) else {
            return Ok(SecretGuess { source, is_generated, at: At::Nowhere });
        };
        let place = Digest::of(format!("{subject}\0{}", from.network().text()).as_bytes());
        let now = self.now();
        let known = |bucket: Arc<Bucket>| {
            let taken = bucket.take(KNOWN, now).map_err(OAuthError::Throttled);
            taken.map(|()| At::Known(bucket))
        };
        if let Some(bucket) = self.known_places().0.get(&place) {
            return Ok(SecretGuess { source, is_generated, at: known(bucket)? });
        }
        let subject = format!("secret/{}", Digest::of(subject.as_bytes()).text());
        let mut stored = self.guesses_at(&[&subject, &id_of(place)]).await?.into_iter();
        let counted = stored.next().flatten();
        if stored.next().flatten().is_some() {
            let bucket = self.known_places().learn(place, now);
            return Ok(SecretGuess { source, is_generated, at: known(bucket)? });
        }
        match self.count_at(&subject, counted, FREE).await? {
            Counted::Over(seconds, _) => Err(OAuthError::Throttled(seconds)),
            Counted::Done => {
                Ok(SecretGuess { source, is_generated, at: At::Subject { subject, place } })
            }
        }
    }

    /// The guess was right: the count is reset, and the source is known from now on.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the count may then remain.
    pub(crate) async fn secret_was_right(&self, guess: SecretGuess) -> Result<(), StoreError> {
        guess.source.was_right();
        match guess.at {
            At::Nowhere => Ok(()),
            At::Known(bucket) => {
                bucket.give_back();
                Ok(())
            }
            At::Subject { subject, place } => {
                let now = self.now();
                self.forget_guesses(&subject).await?;
                self.repository().insert(&id_of(place), &Guesses::none_yet(now), now).await?;
                self.known_places().learn(place, now);
                Ok(())
            }
        }
    }
}

/// The id of the record that makes a place known to all nodes.
fn id_of(place: Digest) -> String {
    format!("place/{}", place.text())
}
