//! Tokens of other issuers (`docs/contracts/aidbox.md` §2.7): which `TokenIntrospector` a token is
//! for, whether it is valid, and who calls with it.
//!
//! What has to be fetched is fetched by whoever hosts the issuer ([`Fetch`]). Whatever comes of
//! that, no failure makes a token valid.

mod claims;
mod endpoint;
mod introspectors;
mod key_set;
mod live;
mod sealed;

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use castellan_proto::{
    Digest, Opaque, OpaqueKind, Secret, Timestamp, is_identifier, jose::Compact, scope::Scopes,
};
use moka::sync::Cache;
use serde::Deserialize;

use crate::{
    Issuer,
    cache::whole::Whole,
    foreign::{
        claims::{Claims, read_jwt},
        endpoint::{AskedToken, Endpoints, Whom},
        introspectors::{Introspector, Introspectors},
        key_set::{JwksSource, KeySets},
    },
    records::{Account, Verification},
    request::source::Source,
    store::{Kind, StoreError},
};

/// Reads from other servers: no redirect is followed, no private network reached that is not in the
/// configuration, and size and time are bounded (`docs/rules.md` rule 47).
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The JSON at `url`.
    ///
    /// # Errors
    /// [`FetchError`] unless it was answered with 200.
    async fn get(&self, url: &str) -> Result<Vec<u8>, FetchError>;

    /// The JSON that is answered to the form of `pairs`, with `authorization` as that header.
    ///
    /// # Errors
    /// [`FetchError`] unless it was answered with 200.
    async fn post(
        &self,
        url: &str,
        authorization: Option<&Secret>,
        pairs: &[(&str, &str)],
    ) -> Result<Vec<u8>, FetchError>;
}

/// Why nothing was fetched, for the log.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered in time, or it may not be asked.
    #[error("{0}")]
    Unreachable(String),
    /// What was answered is of no use; the next request may be answered otherwise.
    #[error("{0}")]
    Answered(String),
}

/// What a token of another issuer says, once it is proven.
#[derive(Clone, Debug)]
pub struct ForeignToken {
    /// The id of the `TokenIntrospector`.
    pub introspector: String,
    /// The person it acts for, with the account's id; none if tokens of this issuer have none.
    pub person: Option<(String, Arc<Account>)>,
    /// What it may do; never one of Castellan's own rights.
    pub scopes: Scopes,
    /// The groups that it names.
    pub groups: Vec<String>,
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// It is not of an issuer that the site trusts, so that it may be one of another kind.
    #[error("not a token of an issuer that a TokenIntrospector names")]
    OtherKind,
    /// Its time has passed.
    #[error("the token has expired")]
    Expired,
    /// It is not valid. The reason is for the operator; callers get one answer for all.
    #[error("TokenIntrospector/{0}: {1}")]
    Invalid(String, &'static str),
    /// That cannot be told now.
    #[error("TokenIntrospector/{0}: {1}")]
    Unavailable(String, String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a caller presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a str,
    /// Whether it came with a proof of possession (RFC 9449).
    pub with_proof: bool,
    /// From where it came, if that is known.
    pub source: Option<IpAddr>,
}

/// Verifies tokens of other issuers at one site.
pub struct ForeignTokens {
    fetch: Arc<dyn Fetch>,
    /// Every site of this server: a token of one of them is shown to no other issuer.
    house: Vec<Issuer>,
    introspectors: Whole<Introspectors>,
    key_sets: KeySets,
    endpoints: Endpoints,
    /// Tokens that were verified, by their digest and that of what verified them.
    known: Cache<Digest, Arc<Known>>,
}

/// What a token says, and for how long that need not be verified again.
#[derive(Debug)]
pub(crate) struct Known {
    said: Said,
    until: Timestamp,
}

/// What was read from a token, before its person is looked up.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    subject: Option<String>,
    scopes: Scopes,
    groups: Vec<String>,
    expires: Option<Timestamp>,
}

/// Bytes of an opaque token at most.
const LONGEST_OPAQUE: usize = 4 * 1024;
/// Bytes of verified tokens that are remembered.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// What one takes by itself.
const ENTRY: usize = 192;
/// Seconds that a verified token is remembered at most without being shown.
const IDLE: std::time::Duration = std::time::Duration::from_mins(10);

impl ForeignTokens {
    /// What verifies them at a site, with `fetch`. `house` are all sites of this server.
    #[must_use]
    pub fn new(fetch: Arc<dyn Fetch>, house: Vec<Issuer>) -> Self {
        let weigh = |_: &Digest, known: &Arc<Known>| {
            let subject = known.said.subject.as_ref().map_or(0, String::len);
            let groups = known.said.groups.iter().map(|name| size_of::<String>() + name.len());
            let said = subject + groups.sum::<usize>() + known.said.scopes.memory();
            let bytes = ENTRY + size_of::<Known>() + said;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            fetch,
            house,
            introspectors: Whole::default(),
            key_sets: KeySets::default(),
            endpoints: Endpoints::default(),
            known: Cache::builder()
                .max_capacity(MOST_BYTES)
                .weigher(weigh)
                .time_to_idle(IDLE)
                .build(),
        }
    }

    /// Who calls with what was `presented`.
    ///
    /// # Errors
    /// [`ForeignError`]; no failure is a yes.
    pub async fn verify(
        &self,
        issuer: &Issuer,
        presented: Presented<'_>,
    ) -> Result<ForeignToken, ForeignError> {
        let all = issuer.whole(&self.introspectors).await?;
        let (introspector, compact) = self.select(&all, presented.token)?;
        let invalid = |why| introspector.invalid(why);
        if presented.with_proof {
            return Err(invalid("tokens of other issuers are not taken with a proof of a key"));
        }
        let now = issuer.now();
        let key = introspector.key(presented.token);
        let known = self.known.get(&key).filter(|known| now < known.until);
        let said = match (known, compact) {
            (Some(known), _) => known.said.clone(),
            (None, Some(compact)) => {
                let (said, until) = self.verify_jwt(issuer, &introspector, &compact).await?;
                self.remember(key, &said, until);
                said
            }
            (None, None) => self.ask(issuer, &introspector, key, presented).await?,
        };
        if said.expires.is_some_and(|expires| expires <= now) {
            return Err(ForeignError::Expired);
        }
        let person = match &said.subject {
            Some(id) => Some(self.person(issuer, &introspector, id).await?),
            None => None,
        };
        Ok(ForeignToken {
            introspector: introspector.id.clone(),
            person,
            scopes: said.scopes,
            groups: said.groups,
        })
    }

    /// The introspector that `token` is for. A JWT is for that of its `iss` and for no other; of
    /// what is none, nobody can tell whose it is, so one introspector is asked about all of it.
    fn select<'a>(
        &self,
        all: &Introspectors,
        token: &'a str,
    ) -> Result<(Arc<Introspector>, Option<Compact<'a>>), ForeignError> {
        if is_jose(token) {
            #[derive(Deserialize)]
            struct Claimed {
                iss: String,
            }
            let compact = Compact::read(token).ok_or(ForeignError::OtherKind)?;
            let claimed: Claimed = compact.claimed().ok_or(ForeignError::OtherKind)?;
            let introspector = all.of_issuer(&claimed.iss).ok_or(ForeignError::OtherKind)?;
            return Ok((introspector, Some(compact)));
        }
        let introspector = all.opaque().ok_or(ForeignError::OtherKind)?;
        if token.len() > LONGEST_OPAQUE || self.is_ours(token) {
            return Err(ForeignError::OtherKind);
        }
        Ok((introspector, None))
    }

    /// Whether `token` is, or was meant to be, a secret of this server. Another Castellan's access
    /// tokens look like ours, but do not have our code.
    fn is_ours(&self, token: &str) -> bool {
        if !Opaque::is_meant(token) {
            return false;
        }
        let made_here = |issuer: &Issuer| issuer.made_access_token(token);
        Opaque::read(OpaqueKind::Access, token).is_none() || self.house.iter().any(made_here)
    }

    fn remember(&self, key: Digest, said: &Said, until: Timestamp) {
        self.known.insert(key, Arc::new(Known { said: said.clone(), until }));
    }

    async fn verify_jwt(
        &self,
        issuer: &Issuer,
        introspector: &Introspector,
        compact: &Compact<'_>,
    ) -> Result<(Said, Timestamp), ForeignError> {
        let now = issuer.now();
        let ttl = Timestamp(now.0.saturating_add(introspector.record.cache_ttl));
        let written = &introspector.record.verification;
        let (claims, until) = if let Verification::JwksUri { uri, algorithms } = written {
            let source = JwksSource { fetch: &*self.fetch, uri, algorithms };
            let kid = compact.header().kid.as_deref();
            let keys = self.key_sets.keys(issuer, introspector, source, kid).await?;
            let claims = read_jwt(compact, |compact| keys.verify(compact, kid));
            // What was verified by a key counts as long as the key does.
            (claims, ttl.min(keys.until))
        } else {
            let keys = introspector.written_keys(issuer)?;
            (read_jwt(compact, |compact| keys.verify(compact)), ttl)
        };
        let claims: Claims = claims.map_err(|why| introspector.invalid(why))?;
        let said = claims.check(introspector, now)?;
        // One without an end was refused.
        let ends = said.expires.unwrap_or(now);
        Ok((said, until.min(ends)))
    }

    /// The person of `id`, if they have an active account here. Known accounts suffice for a yes;
    /// before a no, the store is asked.
    async fn person(
        &self,
        issuer: &Issuer,
        introspector: &Introspector,
        id: &str,
    ) -> Result<(String, Arc<Account>), ForeignError> {
        if !is_identifier(id) {
            return Err(introspector.invalid("its subject is not the id of a person"));
        }
        let key = [issuer.repository().key(Kind::Account, id)];
        let mut lookup = issuer.cached(&key).await?;
        loop {
            let is_fresh = lookup.is_fresh;
            let found = lookup.records.into_iter().next().flatten();
            let account = found.map(|cached| cached.read::<Account>()).transpose()?;
            match account.map(|stored| stored.body).filter(|account| account.active) {
                Some(account) => return Ok((id.to_owned(), account)),
                None if is_fresh => {
                    let why = "its subject is not the id of an active person of this site";
                    return Err(introspector.invalid(why));
                }
                None => lookup = issuer.fresh(&key).await?,
            }
        }
    }

    async fn ask(
        &self,
        issuer: &Issuer,
        introspector: &Introspector,
        key: Digest,
        presented: Presented<'_>,
    ) -> Result<Said, ForeignError> {
        // What a proxy does not say is one source.
        let unknown = Source::Behind(IpAddr::from([0, 0, 0, 0]));
        let source = presented.source.map_or(unknown, Source::Address);
        let known = |now: Timestamp| {
            let known = self.known.get(&key).filter(|known| now < known.until);
            known.map(|known| (known.said.clone(), known.until))
        };
        let whom = Whom { issuer, introspector, fetch: &*self.fetch };
        let asked = AskedToken { key, token: presented.token, source };
        let (said, until) = self.endpoints.ask(whom, asked, known).await?;
        self.remember(key, &said, until);
        Ok(said)
    }

    /// Whether each introspector of the site can be used now, and what is wrong if not: its secrets
    /// open, its keys can be fetched, its endpoint says of a token that nobody has that it is not
    /// active.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn probe(
        &self,
        issuer: &Issuer,
    ) -> Result<Vec<(String, Result<String, ForeignError>)>, StoreError> {
        let all = issuer.whole(&self.introspectors).await?;
        let mut found = Vec::new();
        for introspector in all.all() {
            let state = match &introspector.record.verification {
                Verification::JwksUri { uri, algorithms } => {
                    let source = JwksSource { fetch: &*self.fetch, uri, algorithms };
                    let keys = self.key_sets.keys(issuer, &introspector, source, None).await;
                    keys.map(|keys| format!("{} keys at {uri}", keys.count()))
                }
                Verification::Endpoint { url, .. } => {
                    let nobodys =
                        format!("probe-{}", Digest::of(&castellan_proto::random::<32>()).text());
                    match endpoint::introspect(issuer, &introspector, &*self.fetch, &nobodys).await
                    {
                        Ok(None) => Ok(format!("{url} answers")),
                        Ok(Some(_)) => Err(introspector.unavailable(format!(
                            "{url} says of a token that nobody has that it is active"
                        ))),
                        Err(failure) => Err(failure.into_error()),
                    }
                }
                Verification::Secret(_) | Verification::Keys(_) => {
                    let keys = introspector.written_keys(issuer).map_err(ForeignError::from);
                    keys.map(|_| "its keys are in the document".to_owned())
                }
            };
            found.push((introspector.id.clone(), state));
        }
        Ok(found)
    }
}

/// Whether `token` has the form of a JWS or a JWE: parts with a dot between them, the first of them
/// a JSON object in base64url, whose second character is a sign or white space (RFC 7515 §7.1, RFC
/// 7516 §7.1).
fn is_jose(token: &str) -> bool {
    (token.starts_with("ey") || token.starts_with("ew")) && token.contains('.')
}
