//! Key sets of other issuers (RFC 7517 §5), fetched and kept.
//!
//! A set is fetched when a token needs it, and kept as long as the document says. A token that
//! names a key that the set does not have makes it be fetched once more, for all who wait, and
//! then not again for half a minute, whatever keys are named (`docs/rules.md` rule 45).

use std::sync::{Arc, PoisonError, RwLock};

use castellan_proto::{
    Digest, Timestamp,
    jose::{Algorithm, Compact, Jwk, VerifyingKey},
};
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Issuer,
    foreign::{Fetch, ForeignError, introspectors::Introspector},
};

/// Seconds after a fetch in which a key that is not in the set is not looked for again.
const PAUSE: u64 = 30;
/// Seconds after a fetch that failed until the next one.
const PAUSE_AFTER_FAILURE: u64 = 5;
/// Keys of one set that are looked at.
const MOST_KEYS: usize = 64;
/// Sets that are kept: a site has no more introspectors.
const MOST_SETS: u64 = 256;

/// The sets of a site, by what an introspector says.
pub(crate) struct KeySets(Cache<Digest, Arc<Place>>);

/// What is known of one set.
#[derive(Default)]
struct Place {
    state: RwLock<State>,
    /// Only one fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    keys: Option<Arc<FetchedKeys>>,
    /// Nothing is fetched until then.
    paused_until: Timestamp,
    /// Whether the last fetch failed.
    failed: bool,
}

/// The keys that another issuer published.
pub(crate) struct FetchedKeys {
    keys: Vec<(Option<String>, VerifyingKey)>,
    /// First second at which they have to be fetched again.
    pub(crate) until: Timestamp,
}

impl Default for KeySets {
    fn default() -> Self {
        Self(Cache::new(MOST_SETS))
    }
}

impl Place {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl State {
    /// The keys, if they still count, and if they have one named `kid` or it is in vain to fetch
    /// them once more.
    fn enough(&self, kid: Option<&str>, now: Timestamp) -> Option<Arc<FetchedKeys>> {
        let keys = self.keys.as_ref().filter(|keys| now < keys.until)?;
        let waits = now < self.paused_until && !self.failed;
        (waits || kid.is_none_or(|kid| keys.has(kid))).then(|| Arc::clone(keys))
    }
}

/// Where the keys of an issuer are.
pub(super) struct JwksSource<'a> {
    pub(super) fetch: &'a dyn Fetch,
    pub(super) uri: &'a str,
    /// Those for others are passed over.
    pub(super) algorithms: &'a [Algorithm],
}

impl KeySets {
    /// The keys at `uri` for `algorithms`; with one named `kid`, if the issuer has published that.
    ///
    /// # Errors
    /// [`ForeignError::Unavailable`] if they are not there and cannot be fetched now.
    pub(crate) async fn keys(
        &self,
        issuer: &Issuer,
        introspector: &Introspector,
        JwksSource { fetch, uri, algorithms }: JwksSource<'_>,
        kid: Option<&str>,
    ) -> Result<Arc<FetchedKeys>, ForeignError> {
        let place = self.0.get_with(introspector.fingerprint, Arc::default);
        if let Some(keys) = place.state().enough(kid, issuer.now()) {
            return Ok(keys);
        }
        let _only_one = place.fetching.lock().await;
        let (now, state) = (issuer.now(), place.state());
        if let Some(keys) = state.enough(kid, now) {
            return Ok(keys);
        }
        if now < state.paused_until {
            return Err(introspector.busy("the key set could not be fetched a moment ago"));
        }
        let fetched = match fetch.get(uri).await {
            Ok(body) => read(&body, algorithms),
            Err(error) => Err(error.to_string()),
        };
        let now = issuer.now();
        match fetched {
            Ok(keys) => {
                let until = Timestamp(now.0.saturating_add(introspector.record.cache_ttl));
                let keys = Arc::new(FetchedKeys { keys, until });
                let paused_until = Timestamp(now.0 + PAUSE);
                place.set(State { keys: Some(Arc::clone(&keys)), paused_until, failed: false });
                Ok(keys)
            }
            Err(why) => {
                let paused_until = Timestamp(now.0 + PAUSE_AFTER_FAILURE);
                // Keys that are there count as long as they did: known ones go on verifying.
                place.set(State { paused_until, failed: true, ..state });
                Err(introspector.unavailable(format!("{uri}: {why}")))
            }
        }
    }
}

/// The keys of a set that can verify signatures by one of `algorithms`. Others are passed over, as
/// RFC 7517 §5 wants it: those for encryption among them, and private ones.
fn read(
    body: &[u8],
    algorithms: &[Algorithm],
) -> Result<Vec<(Option<String>, VerifyingKey)>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(|_| "not a JSON Web Key Set".to_owned())?;
    let usable = |key: Value| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let algorithm = key.algorithm().filter(|algorithm| algorithms.contains(algorithm))?;
        let verifying = VerifyingKey::from_jwk(algorithm, &key).ok()?;
        Some((key.kid, verifying))
    };
    let keys: Vec<_> = set.keys.into_iter().take(MOST_KEYS).filter_map(usable).collect();
    if keys.is_empty() {
        return Err("the key set has no key for signatures with one of the algorithms".to_owned());
    }
    Ok(keys)
}

impl FetchedKeys {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.keys.len()
    }

    fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|(name, _)| name.as_deref() == Some(kid))
    }

    /// The payload of `compact`, if a key named `kid` made its signature; any of them if it names
    /// none. A key has one algorithm, which the header has to agree with.
    pub(crate) fn verify<'a>(
        &self,
        compact: &'a Compact<'_>,
        kid: Option<&str>,
    ) -> Option<&'a [u8]> {
        let named = self.keys.iter().filter(|(name, _)| kid.is_none() || name.as_deref() == kid);
        named.map(|(_, key)| key).find_map(|key| compact.verified_by(key))
    }
}
