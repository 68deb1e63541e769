//! A name and a password with every request (RFC 7617, `docs/contracts/ibexa.md` §5), and for what is
//! got for them: no session begins.
//!
//! A password that was right is remembered for a short while, so that a request does not cost a hash:
//! as a keyed digest of what was shown and of where it came from, whose key never leaves the memory of
//! this node, and as long as no node has changed the account (`docs/rules.md` rule 27). Somebody
//! elsewhere who guesses the password finds nothing remembered, and whoever guesses at one name from
//! one place is held up there before anything is looked up (`docs/rules.md` rule 48).

use std::{sync::Arc, time::Duration};

use castellan_proto::{Digest, Timestamp, jose::HmacKey, random};
use moka::sync::Cache;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::credential::as_wrong;
use crate::{
    Issuer,
    audit::{AuditKind, Event, origin::Party},
    cache::verdicts::{Memory, Verdicts},
    error::OAuthError,
    records::{Account, login_name},
    request::source::Source,
    sign_in::name_and_password::NameAndPassword,
    store::Kind,
    throttle::{
        per_account::GuessFrom,
        per_source::{Bucket, Limit},
    },
};

/// A person who proved who they are without a session.
#[derive(Clone, Debug)]
pub struct ProvenPerson {
    /// The account's id.
    pub id: String,
    /// The account's record.
    pub account: Arc<Account>,
}

impl Memory for ProvenPerson {
    fn memory(&self) -> usize {
        // The account is shared with the records that are cached.
        size_of::<Self>() + self.id.len()
    }
}

/// Wrong guesses at one name from one place before there is a wait on this node.
const WRONG: Limit = Limit { most: 100, refill: 30 };
/// Places, each with a name, that this node counts at a time.
const PLACES: u64 = 50_000;
/// Checks that may be in progress at a time, and how long one is joined at most.
const CHECKS: u64 = 10_000;
const LONGEST_CHECK: Duration = Duration::from_mins(1);

/// One check for everybody who shows the same at the same time.
type Check = Arc<OnceCell<Option<Arc<ProvenPerson>>>>;

/// People whose password was right a short while ago, on this node.
pub(crate) struct RightPasswords {
    /// The key of what is remembered; of this process alone.
    key: HmacKey,
    right: Verdicts<ProvenPerson, Digest>,
    checks: Cache<Digest, Check>,
    places: Cache<Digest, Arc<Bucket>>,
}

impl Default for RightPasswords {
    fn default() -> Self {
        let forgotten = Duration::from_secs(WRONG.most * WRONG.refill);
        Self {
            key: HmacKey::new(&random::<32>()),
            right: Verdicts::default(),
            checks: Cache::builder().max_capacity(CHECKS).time_to_live(LONGEST_CHECK).build(),
            places: Cache::builder().max_capacity(PLACES).time_to_idle(forgotten).build(),
        }
    }
}

impl RightPasswords {
    /// What stands for `name` and `password` from the place `at`.
    fn digest(&self, shown: NameAndPassword<'_>, at: &str) -> Digest {
        let (name, password) = (shown.name, shown.password.expose());
        let mut text =
            Zeroizing::new(Vec::with_capacity(16 + name.len() + at.len() + password.len()));
        // Each but the last is preceded by its length, so that no two of them read alike.
        for part in [name, at] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        text.extend_from_slice(password.as_bytes());
        Digest(self.key.code(&text))
    }

    /// What is counted at `name` from the place `at`.
    fn bucket(&self, name: &str, at: &str, now: Timestamp) -> Arc<Bucket> {
        let both = format!("{at}\0{}", login_name(name));
        self.places.get_with(Digest::of(both.as_bytes()), || Arc::new(Bucket::new(now)))
    }
}

impl Issuer {
    /// The person whom `name` and `password`, sent from `source`, authenticate, if they may sign in.
    /// `None` if one of the two is wrong: the same answer at the same time. The attempt is counted
    /// before anything is checked.
    ///
    /// # Errors
    /// [`OAuthError::SecondFactorNeeded`] if both are right and not enough, [`OAuthError::Throttled`] if
    /// there were too many wrong ones, [`OAuthError::Busy`] or [`OAuthError::Store`]; then nothing is
    /// known.
    pub async fn person_of_request(
        &self,
        typed: NameAndPassword<'_>,
        source: Option<Source>,
    ) -> Result<Option<Arc<ProvenPerson>>, OAuthError> {
        let passwords = self.right_passwords();
        let at = source.map(|source| source.network().text()).unwrap_or_default();
        let bucket = passwords.bucket(typed.name, &at, self.now());
        bucket.take(WRONG, self.now()).map_err(OAuthError::Throttled)?;
        let shown = passwords.digest(typed, &at);
        if let Some(person) = passwords.right.get(self, &shown) {
            bucket.give_back();
            return Ok(Some(person));
        }
        let check = passwords.checks.entry(shown).or_default();
        // The same guess at the same time is one, and costs one hash.
        let is_first = check.is_fresh();
        if !is_first {
            bucket.give_back();
        }
        let check = check.into_value();
        let checked =
            check.get_or_try_init(|| self.check_and_remember(typed, source, shown)).await.cloned();
        passwords.checks.invalidate(&shown);
        // What was not checked because there were too many stays counted: otherwise what is
        // remembered could be guessed at without end. So does a password that is not enough, as it is
        // not remembered and costs a hash each time.
        let stays = matches!(
            checked,
            Ok(None) | Err(OAuthError::Throttled(_) | OAuthError::SecondFactorNeeded)
        );
        if is_first && !stays {
            bucket.give_back();
        }
        checked
    }

    async fn check_and_remember(
        &self,
        typed: NameAndPassword<'_>,
        source: Option<Source>,
        shown: Digest,
    ) -> Result<Option<Arc<ProvenPerson>>, OAuthError> {
        let found = self.check_password_alone(typed, GuessFrom::Program(source)).await;
        let found = as_wrong(found);
        let found = found.map(|found| found.filter(|stored| stored.body.active));
        let Some(found) = self.audit_failure(found, "password")? else { return Ok(None) };
        // Read again, so that what changed since is seen as a change.
        let key = self.repository().key(Kind::Account, &found.id);
        let lookup = self.fresh(&[key]).await?;
        let Some(record) = lookup.records.into_iter().next().flatten() else { return Ok(None) };
        let account = record.read::<Account>()?.body;
        if !account.active || account.generation != found.body.generation {
            return Ok(None);
        }
        self.audit(Event::of(AuditKind::SignIn).by(Party::user(&found.id)).detail("password"));
        let person = Arc::new(ProvenPerson { id: found.id, account });
        let never = Timestamp(u64::MAX);
        self.right_passwords().right.keep(self, shown, (&person, lookup.snapshot), never);
        Ok(Some(person))
    }
}
