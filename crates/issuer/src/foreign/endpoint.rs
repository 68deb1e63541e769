//! Asking another issuer about an opaque token (RFC 7662).
//!
//! Of one token one question is under way, of one issuer a few; what is not active is remembered
//! for a moment, and counted by where it came from, so that strangers cannot make this server ask
//! as often as they like.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use castellan_proto::{Digest, Timestamp};
use moka::sync::Cache;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};

use crate::{
    Issuer,
    foreign::{
        Fetch, FetchError, ForeignError, Said,
        claims::{self, Claims},
        introspectors::Introspector,
    },
    records::Verification,
    request::source::Source,
    throttle::per_source::{Sources, UNKNOWN_TOKENS},
};

/// Seconds for which a token that is not active is remembered.
const NEGATIVE: u64 = 10;
/// Those that are remembered at most.
const MOST_NEGATIVE: u64 = 50_000;
/// Seconds after a failure in which an endpoint is not asked.
const PAUSE_AFTER_FAILURE: u64 = 2;
/// Questions to one endpoint at a time.
const AT_ONCE: usize = 16;
/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tokens of which one is asked about at a time, apart from those that share a lock by chance.
const LOCKS: usize = 512;
/// Endpoints that are kept: a site has one.
const MOST_ENDPOINTS: u64 = 64;

/// The endpoints of a site, and what strangers sent.
pub(crate) struct Endpoints {
    by_introspector: Cache<Digest, Arc<Endpoint>>,
    /// Tokens that were not active, until when.
    negative: Cache<Digest, Timestamp>,
    locks: Box<[Mutex<()>]>,
    sources: Sources,
}

/// One endpoint.
struct Endpoint {
    turns: Semaphore,
    /// First second at which it is asked again.
    paused_until: AtomicU64,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self {
            by_introspector: Cache::new(MOST_ENDPOINTS),
            negative: Cache::builder()
                .max_capacity(MOST_NEGATIVE)
                .time_to_live(Duration::from_mins(1))
                .build(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            sources: Sources::new(&UNKNOWN_TOKENS),
        }
    }
}

/// Who is asked about a token.
#[derive(Clone, Copy)]
pub(super) struct Whom<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) introspector: &'a Introspector,
    pub(super) fetch: &'a dyn Fetch,
}

/// The token that is asked about.
pub(super) struct AskedToken<'a> {
    /// What stands for it in caches.
    pub(super) key: Digest,
    pub(super) token: &'a str,
    /// Where it came from.
    pub(super) source: Source,
}

impl Endpoints {
    /// What the issuer of `introspector` says of a token, and until when that counts. `known` is
    /// what somebody else may have learnt of it meanwhile.
    ///
    /// # Errors
    /// [`ForeignError`]: it is not active, or nobody can tell now.
    pub(crate) async fn ask(
        &self,
        Whom { issuer, introspector, fetch }: Whom<'_>,
        AskedToken { key, token, source }: AskedToken<'_>,
        known: impl Fn(Timestamp) -> Option<(Said, Timestamp)>,
    ) -> Result<(Said, Timestamp), ForeignError> {
        let inactive = || introspector.invalid("its issuer says that it is not active");
        let is_negative = |now| self.negative.get(&key).is_some_and(|until| now < until);
        if is_negative(issuer.now()) {
            return Err(inactive());
        }
        let lock = usize::from(u16::from_be_bytes([key.0[0], key.0[1]])) % LOCKS;
        let _one_question = self.locks[lock].lock().await;
        let now = issuer.now();
        let until = Timestamp(now.0.saturating_add(introspector.record.cache_ttl));
        if let Some(known) = known(now) {
            return Ok(known);
        }
        if is_negative(now) {
            return Err(inactive());
        }
        let endpoint = self.by_introspector.get_with(introspector.fingerprint, || {
            let turns = Semaphore::new(AT_ONCE);
            Arc::new(Endpoint { turns, paused_until: AtomicU64::new(0) })
        });
        let unavailable = |why| Err(introspector.busy(why));
        let turn = tokio::time::timeout(PATIENCE, endpoint.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return unavailable("too many tokens wait for an answer of the endpoint");
        };
        if now.0 < endpoint.paused_until.load(Ordering::Acquire) {
            return unavailable("the endpoint could not be asked a moment ago");
        }
        let Ok(counted) = self.sources.count(Some(source), now) else {
            return unavailable("too many tokens that are not active came from one source");
        };
        let claims = match introspect(issuer, introspector, fetch, token).await {
            Ok(claims) => claims,
            Err(Failure::Down(error)) => {
                counted.was_right();
                let next = issuer.now().0 + PAUSE_AFTER_FAILURE;
                endpoint.paused_until.store(next, Ordering::Release);
                return Err(error);
            }
            // Perhaps about this token alone: a stranger who sends such tokens makes nobody else
            // wait, and may send no more of them than of others.
            Err(Failure::Answer(error)) => return Err(error),
        };
        let said = claims.ok_or_else(inactive);
        match said.and_then(|claims| claims.check(introspector, issuer.now())) {
            Ok(said) => {
                counted.was_right();
                let until = said.expires.map_or(until, |expires| until.min(expires));
                Ok((said, until))
            }
            Err(error) => {
                self.negative.insert(key, Timestamp(issuer.now().0 + NEGATIVE));
                Err(error)
            }
        }
    }
}

/// Why it is not known whether a token is active.
pub(crate) enum Failure {
    /// The endpoint does not answer, whatever it is asked.
    Down(ForeignError),
    /// What it answered, or what it would be asked with, is of no use.
    Answer(ForeignError),
}

impl Failure {
    /// The reason.
    pub(crate) fn into_error(self) -> ForeignError {
        match self {
            Self::Down(error) | Self::Answer(error) => error,
        }
    }
}

/// What the issuer says of `token`; `None` if that it is not active.
///
/// # Errors
/// [`Failure`] if it says nothing that RFC 7662 §2.2 knows.
pub(crate) async fn introspect(
    issuer: &Issuer,
    introspector: &Introspector,
    fetch: &dyn Fetch,
    token: &str,
) -> Result<Option<Claims>, Failure> {
    #[derive(Deserialize)]
    struct State {
        active: bool,
    }
    let Verification::Endpoint { url, authorization } = &introspector.record.verification else {
        return Err(Failure::Answer(introspector.invalid("it has no endpoint")));
    };
    let authorization = authorization.as_deref().map(|kept| issuer.open_secret(kept)).transpose();
    let authorization = authorization.map_err(|error| Failure::Answer(error.into()))?;
    let pairs = [("token", token), ("token_type_hint", "access_token")];
    let unavailable = |why: String| introspector.unavailable(format!("{url}: {why}"));
    let failed = |why: &str| Failure::Answer(unavailable(why.to_owned()));
    let body = match fetch.post(url, authorization.as_ref(), &pairs).await {
        Ok(body) => body,
        Err(FetchError::Unreachable(why)) => return Err(Failure::Down(unavailable(why))),
        Err(FetchError::Answered(why)) => return Err(failed(&why)),
    };
    let state: State = serde_json::from_slice(&body)
        .map_err(|_| failed("the response has no member \"active\" that is true or false"))?;
    if !state.active {
        return Ok(None);
    }
    let claims = claims::read(&body).map_err(|why| failed(&format!("the response: {why}")))?;
    Ok(Some(claims))
}
