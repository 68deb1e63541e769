//! Passwords, hashed with Argon2id in a pool of their own, so that a flood of guesses never holds
//! up the threads that answer requests.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::Secret;
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    queue::QueueLength,
    secrets::{
        imported::Imported,
        policy::{Storable, is_blank},
    },
};

/// A pool that hashes and checks passwords. Cheap to clone; dropping the last one ends its threads.
#[derive(Clone)]
pub struct Passwords {
    jobs: SyncSender<Job>,
    cost: Cost,
    /// Whether hashes are made; what only checks documents keeps none.
    makes: bool,
    /// Jobs that no thread has begun.
    waiting: Arc<AtomicUsize>,
    /// Microseconds that the slowest imported hash took, as far as this node knows.
    slowest: Arc<AtomicU64>,
}

/// What a hash costs to make and to check, apart from its algorithm (RFC 9106 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory that is filled, in KiB.
    pub memory: u32,
    /// How often it is filled.
    pub passes: u32,
}

impl Default for Cost {
    /// What OWASP's Password Storage Cheat Sheet recommends for Argon2id.
    fn default() -> Self {
        Self { memory: Params::DEFAULT_M_COST, passes: Params::DEFAULT_T_COST }
    }
}

impl Cost {
    /// What every hash of this cost begins with.
    fn prefix(self) -> String {
        format!("$argon2id$v=19$m={},t={},p=1$", self.memory, self.passes)
    }
}

/// The hash of a random text that nobody kept. It is checked when there is no account, so that this
/// takes as long as if there were.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cQjSQwg5Krd6dxKdUx/kdQ$tGSLhVgOjbejJaSoRPvDS8oqT8Z41Yq7rCBJIT8sSlA";

type Job = Box<dyn FnOnce() + Send>;

/// The pool has more to do than it may put off. Nothing was checked; try again.
#[derive(Debug, thiserror::Error)]
#[error("too many passwords are being checked at the moment")]
pub struct Busy;

/// How long a no is made to take at most.
const LONGEST_NO: Duration = Duration::from_secs(2);

/// Jobs that wait at most. At 20 ms each this bounds the wait to a few seconds.
const WAITING: usize = 128;

/// Whether a password is the one of which a hash is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is another.
    No,
    /// It is that one.
    Yes,
    /// It is that one, but the hash was made by another program, or is of another Unicode form than
    /// NFC, as earlier versions hashed what was typed: make it anew.
    OtherForm,
}

impl Passwords {
    /// Starts one thread for every two cores, at least one.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(Cost::default())
    }

    /// The same, with hashes of another cost.
    #[must_use]
    pub fn start_at(cost: Cost) -> Self {
        let (jobs, queue) = sync_channel::<Job>(WAITING);
        let queue = Arc::new(Mutex::new(queue));
        let threads = thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let next = move || queue.lock().ok()?.recv().ok();
            // A thread that cannot be started leaves the queue to the others; with none, every
            // check is refused as busy once the queue is full.
            let started = thread::Builder::new().name("passwords".to_owned()).spawn(move || {
                while let Some(job) = next() {
                    job();
                }
            });
            if let Err(error) = started {
                tracing::error!(%error, "could not start a thread for passwords");
            }
        }
        Self { jobs, cost, makes: true, waiting: Arc::default(), slowest: Arc::default() }
    }

    /// The same pool for documents that are checked and not written: a password that nothing is stored
    /// for costs nothing, and [`Self::hash`] returns a hash that is nobody's.
    pub(crate) fn without_making(&self) -> Self {
        Self { makes: false, ..self.clone() }
    }

    /// The PHC string of `password`.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub async fn hash(&self, password: &Storable) -> Result<String, Busy> {
        if !self.makes {
            return Ok(DECOY.to_owned());
        }
        let (password, cost) = (password.secret().clone(), self.cost);
        self.run(move || hash(password.expose(), cost)).await?.ok_or(Busy)
    }

    /// Whether `hash` was made as this pool makes them, and not by an earlier version or another
    /// program.
    pub(crate) fn made(&self, hash: &str) -> bool {
        hash.starts_with(&self.cost.prefix())
    }

    /// Whether `password` is that of `phc`. With no `phc` the answer is no, as late as ever; a blank
    /// password is nobody's, and is held against nothing.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub async fn verify(&self, password: &Secret, phc: Option<&str>) -> Result<bool, Busy> {
        Ok(self.compare(password, phc).await? != Match::No)
    }

    /// The same, and whether the hash is to be made anew. Passwords are the same if they are in NFC,
    /// so that it does not matter by which device `é` was typed; one in ASCII has one form and costs
    /// one hash.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub async fn compare(&self, password: &Secret, phc: Option<&str>) -> Result<Match, Busy> {
        Ok(self.compare_timed(password, phc).await?.0)
    }

    /// The same for a person who signs in: a no takes as long as the slowest imported hash did, whoever
    /// they are. Otherwise a slower no would tell that there is such a person, with such a hash.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub async fn compare_evenly(
        &self,
        password: &Secret,
        phc: Option<&str>,
    ) -> Result<Match, Busy> {
        let (found, took) = self.compare_timed(password, phc).await?;
        if found == Match::No && !is_blank(password) {
            let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
            tokio::time::sleep(slowest.min(LONGEST_NO).saturating_sub(took)).await;
        }
        Ok(found)
    }

    /// Whether `password` is that of `phc`, and how long it took to find out.
    async fn compare_timed(
        &self,
        password: &Secret,
        phc: Option<&str>,
    ) -> Result<(Match, Duration), Busy> {
        if is_blank(password) || (!self.makes && phc.is_none()) {
            return Ok((Match::No, Duration::ZERO));
        }
        let (password, phc) = (password.clone(), phc.map(ToOwned::to_owned));
        let slowest = Arc::clone(&self.slowest);
        let is_ours = phc.as_deref().is_none_or(|phc| self.made(phc));
        let check = move || {
            let began = Instant::now();
            let kept = phc.as_deref().unwrap_or(DECOY);
            let forms = forms(password.expose());
            let found = forms.iter().position(|form| matches(form.expose(), kept));
            let took = began.elapsed();
            if !is_ours {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                slowest.fetch_max(micros, Ordering::Relaxed);
            }
            let found = match found.filter(|_| phc.is_some()) {
                None => Match::No,
                Some(0) if is_ours => Match::Yes,
                Some(_) => Match::OtherForm,
            };
            (found, took)
        };
        self.run(check).await
    }

    /// Whether `phc` is the hash of nothing at all, which an older version may have kept.
    ///
    /// # Errors
    /// [`Busy`] if too many wait already.
    pub(crate) async fn is_of_nothing(&self, phc: &str) -> Result<bool, Busy> {
        let phc = phc.to_owned();
        self.run(move || matches("", &phc)).await
    }

    /// How many passwords wait to be hashed or checked, and how many may.
    #[must_use]
    pub fn queue(&self) -> QueueLength {
        QueueLength { waiting: self.waiting.load(Ordering::Relaxed), limit: WAITING }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, result) = oneshot::channel();
        let waiting = Arc::clone(&self.waiting);
        let job: Job = Box::new(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            // Nobody waits any more if the request was given up: then there is nothing to do.
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.jobs.try_send(job).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        result.await.map_err(|_| Busy)
    }
}

/// The forms of `password` that a hash may be of, NFC first, each once.
fn forms(password: &str) -> Vec<Secret> {
    let all = [password.nfc().collect(), password.to_owned(), password.nfd().collect::<String>()];
    let mut forms: Vec<Secret> = Vec::with_capacity(all.len());
    for form in all {
        if !forms.iter().any(|other| other.expose() == form) {
            forms.push(Secret::new(form));
        }
    }
    forms
}

/// What the stored form of a secret that Castellan made begins with.
pub(crate) const KEYED: &str = "keyed:";

/// Whether `stored` is the hash of a secret that Castellan made.
pub(crate) fn is_keyed(stored: &str) -> bool {
    stored.starts_with(KEYED)
}

/// Whether `stored` is one of the forms that passwords and secrets are kept in: a hash of Argon2id, or
/// the keyed hash of a secret that Castellan made. A text in the clear is neither, and an empty one.
#[must_use]
pub fn is_stored_form(stored: &str) -> bool {
    if let Some(code) = stored.strip_prefix(KEYED) {
        return URL_SAFE_NO_PAD.decode(code).is_ok_and(|code| code.len() == 32);
    }
    PasswordHash::new(stored).is_ok_and(|hash| {
        hash.algorithm == argon2::ARGON2ID_IDENT && hash.salt.is_some() && hash.hash.is_some()
    })
}

/// Whether `stored` is a form that a person's password is kept in: one of these, or a hash that another
/// program made.
#[must_use]
pub fn is_stored_password(stored: &str) -> bool {
    is_stored_form(stored) || Imported::read(stored).is_ok()
}

fn hash(password: &str, cost: Cost) -> Option<String> {
    let params = Params::new(cost.memory, cost.passes, 1, None).ok()?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

fn matches(password: &str, stored: &str) -> bool {
    if !stored.starts_with("$argon2id$") {
        return Imported::read(stored).is_ok_and(|hash| hash.is_of(password));
    }
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::policy::SecretPolicy;

    #[tokio::test]
    async fn a_password_is_the_same_in_every_unicode_form() {
        let pool = Passwords::start();
        let (composed, decomposed) = ("caf\u{e9} au lait noir", "cafe\u{301} au lait noir");
        let secret = |text: &str| Secret::new(text.to_owned());
        let policy = SecretPolicy::default();
        for typed in [composed, decomposed] {
            let phc = pool.hash(&policy.password(&secret(typed)).unwrap()).await.unwrap();
            for shown in [composed, decomposed] {
                assert_eq!(pool.compare(&secret(shown), Some(&phc)).await.unwrap(), Match::Yes);
            }
            assert_eq!(
                pool.compare(&secret("cafe au lait noir"), Some(&phc)).await.unwrap(),
                Match::No
            );
        }
        // As earlier versions hashed it.
        let old = hash(decomposed, Cost::default()).unwrap();
        for shown in [composed, decomposed] {
            assert_eq!(pool.compare(&secret(shown), Some(&old)).await.unwrap(), Match::OtherForm);
        }
        assert_eq!(forms("plain").len(), 1, "which costs one hash");
    }

    #[test]
    fn nobody_costs_what_somebody_costs() {
        assert!(is_stored_form(DECOY) && DECOY.starts_with(&Cost::default().prefix()), "{DECOY}");
    }

    #[test]
    fn what_is_no_hash_is_no_stored_form() {
        assert!(is_stored_form(&hash("a password", Cost::default()).unwrap()));
        assert!(is_stored_form(&format!("{KEYED}{}", URL_SAFE_NO_PAD.encode([7; 32]))));
        for other in [
            "",
            "in the clear",
            "keyed:",
            "keyed:hunter2",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1$XT/VgouZzsKze91q7qpTvw",
            "$argon2i$v=19$m=19456,t=2,p=1$XT/VgouZzsKze91q7qpTvw$b6jCHmsj0kGhB9g0NmgPuhdtY8BG54spJwtxuH90Ej8",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        ] {
            assert!(!is_stored_form(other), "{other}");
        }
    }

    /// The decoy is ours, so a no to an unknown person takes as long as one to a hash that is not.
    #[tokio::test]
    async fn a_no_takes_as_long_as_the_slowest_imported_hash() {
        let pool = Passwords::start();
        let wrong = Secret::new("wrong".to_owned());
        // Several times what ours take, whatever the machine.
        let slow = "$argon2id$v=19$m=131072,t=2,p=1$c2FsdHNhbHRzYWx0$ahR6OhfsIDA8hFHPrjYOcsCPqutjMT92OEZOwHFl7ao";
        let began = Instant::now();
        assert_eq!(pool.compare_evenly(&wrong, Some(slow)).await.unwrap(), Match::No);
        let (known, began) = (began.elapsed(), Instant::now());
        assert_eq!(pool.compare_evenly(&wrong, None).await.unwrap(), Match::No);
        let unknown = began.elapsed();
        assert!(unknown * 10 > known * 8, "{unknown:?} and {known:?}");
        let began = Instant::now();
        assert_eq!(pool.compare(&wrong, None).await.unwrap(), Match::No);
        assert!(began.elapsed() < known, "which is not due to the machine");
    }

    #[tokio::test]
    async fn a_password_is_its_own_and_nobody_elses() {
        let pool = Passwords::start();
        let right = Secret::new("correct horse".into());
        let policy = SecretPolicy::default();
        let phc = pool.hash(&policy.password(&right).unwrap()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(pool.verify(&right, Some(&phc)).await.unwrap());
        assert!(!pool.verify(&Secret::new("wrong".into()), Some(&phc)).await.unwrap());
        assert!(!pool.verify(&right, None).await.unwrap());
        assert!(!pool.verify(&right, Some("no hash")).await.unwrap());
    }

    #[tokio::test]
    async fn a_blank_password_is_not_even_that_of_its_own_hash() {
        let pool = Passwords::start();
        for blank in ["", "  ", "\u{200b}"] {
            let phc = hash(blank, Cost::default()).unwrap();
            assert!(!pool.verify(&Secret::new(blank.into()), Some(&phc)).await.unwrap());
            assert_eq!(pool.is_of_nothing(&phc).await.unwrap(), blank.is_empty());
        }
    }
}
