//! The device grant up to the person's answer (RFC 8628 §§3.1 to 3.3): a device without a browser gets
//! two codes, keeps one, and shows the other to a person, who types it in elsewhere.

use std::sync::{Mutex, PoisonError};

use castellan_proto::{Digest, OpaqueKind, Timestamp, random, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    authorization::{
        next::{FlowError, Next},
        request::{AuthorizationRequest, DeviceAsk, Prompt},
    },
    client_auth::BasicAuth,
    error::OAuthError,
    records::{
        Amr, GrantName,
        code::code_id,
        repository::{Stored, Written},
    },
    request::{params::Params, resource::resources_within, scope::scope_within},
    session::browser::{Browser, SignedIn},
    store::{Kind, Notice, StoreError},
    tokens::family::{code_of, new_id},
};

/// Seconds for which both codes are valid.
const LIFETIME: u64 = 600;
/// Seconds that the record outlives the codes, so that a late device learns that they have expired.
const AFTERWARDS: u64 = 300;
/// Seconds between two looks of a device at the token endpoint.
pub(crate) const INTERVAL: u64 = 5;
/// Letters that cannot be mistaken for one another, nor spell a word (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;
/// Wrong codes per minute that a node accepts before it refuses all for the rest of the minute:
/// among codes with eight of twenty letters, nobody finds one in ten minutes (RFC 8628 §5.1).
const WRONG_CODES: u32 = 300;

/// What a device waits for. Its id is the digest of the client and the device code.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// The client that asks.
    pub client: String,
    /// The requested scopes, all of which the client may have.
    pub scope: Scopes,
    /// The resources that tokens are requested for, if the request names any (RFC 8707).
    #[serde(default)]
    pub resources: Option<Vec<String>>,
    /// What the person types in, without its hyphen.
    pub user_code: String,
    /// The family that redeeming it makes.
    pub family: String,
    /// The person's answer so far.
    pub state: DeviceState,
    /// First second at which the codes are worthless.
    pub ends: Timestamp,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// There is no answer yet.
    Waiting,
    /// The person refused.
    Denied,
    /// The person agreed.
    Allowed {
        /// The account of the person.
        account: String,
        /// When they proved who they are.
        auth_time: Timestamp,
        /// The authentication methods that the person used.
        #[serde(default)]
        amr: Amr,
        /// Their generation of sign-ins then.
        #[serde(default)]
        generation: u32,
        /// To which agreement of theirs that belongs.
        agreement: String,
    },
}

impl Stored for Device {
    const KIND: Kind = Kind::Device;

    fn unique(&self) -> Vec<String> {
        vec![self.user_code.clone()]
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp(self.ends.0 + AFTERWARDS))
    }
}

/// The response to a device (RFC 8628 §3.2).
#[derive(Serialize)]
pub struct DeviceAnswer {
    /// What it shows at the token endpoint.
    pub device_code: String,
    /// What it shows to the person.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same with the code in it, for those who scan it.
    pub verification_uri_complete: String,
    /// Seconds until both codes are worthless.
    pub expires_in: u64,
    /// Seconds between two looks.
    pub interval: u64,
}

/// How many wrong codes this node was shown, and in which minute.
#[derive(Default)]
pub(crate) struct UserCodeThrottle(Mutex<(u64, u32)>);

impl UserCodeThrottle {
    /// Counts one more attempt before it is known whether it is wrong; seconds to wait if there
    /// were too many already.
    fn count(&self, now: Timestamp) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0 != now.0 / 60 {
            *counted = (now.0 / 60, 0);
        }
        if counted.1 >= WRONG_CODES {
            return Some(60 - now.0 % 60);
        }
        counted.1 += 1;
        None
    }

    /// The one that was counted was right.
    fn uncount(&self) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.1 = counted.1.saturating_sub(1);
    }
}

impl Issuer {
    /// Hands out the two codes.
    ///
    /// # Errors
    /// [`OAuthError`] if the client is not proven, or may not have this; nothing was kept then.
    pub async fn begin_device(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
    ) -> Result<DeviceAnswer, OAuthError> {
        self.may_issue()?;
        let client = self.authenticate_caller(params, basic).await?;
        let grant =
            client.client.grants.get(&GrantName::DEVICE).ok_or(OAuthError::GrantNotAllowed)?;
        let resources = resources_within(params.resources(), &self.targets(&grant.audience))?;
        let scope = scope_within(params, &client.client.scope)?;
        let now = self.now();
        // Nobody else can start a flow in the name of an authenticated app.
        let stranger = params.source().filter(|_| !client.authenticated);
        // A code that is on another screen just now is not handed out twice.
        for _ in 0..8 {
            let family = new_id(now);
            let (code, user_code) = (code_of(OpaqueKind::Device, &family), new_user_code());
            let device = Device {
                client: client.id.clone(),
                scope: scope.clone(),
                resources: resources.clone(),
                user_code: user_code.clone(),
                family,
                state: DeviceState::Waiting,
                ends: Timestamp(now.0 + LIFETIME),
            };
            let id = code_id(&client.id, &code);
            if self.keep_begun(&id, &device, stranger, now).await? == Written::Done {
                let (first, second) = user_code.split_at(LENGTH / 2);
                let shown = format!("{first}-{second}");
                let page = format!("{}/auth/device", self.address().issuer);
                return Ok(DeviceAnswer {
                    device_code: code.text(),
                    verification_uri_complete: format!("{page}?user_code={shown}"),
                    verification_uri: page,
                    user_code: shown,
                    expires_in: LIFETIME,
                    interval: INTERVAL,
                });
            }
        }
        Err(StoreError::new("no user code was free").into())
    }

    /// The person types in what their device shows.
    ///
    /// # Errors
    /// [`FlowError::WrongCode`] if no device waits for an answer to it.
    pub async fn enter_user_code(&self, text: &str, browser: &Browser) -> Result<Next, FlowError> {
        let now = self.now();
        // One source that guesses does not use up what all have together.
        let guess = self.guess_from(browser.source)?;
        if let Some(seconds) = self.user_code_throttle().count(now) {
            return Err(OAuthError::Throttled(seconds).into());
        }
        let found = match user_code(text) {
            Some(code) => self.repository().find::<Device>(&code, now).await?,
            None => None,
        };
        let waiting = found
            .filter(|stored| stored.body.state == DeviceState::Waiting && now < stored.body.ends);
        let Some(stored) = waiting else {
            return Err(FlowError::WrongCode);
        };
        self.user_code_throttle().uncount();
        guess.was_right();
        let request = AuthorizationRequest {
            client_id: stored.body.client,
            scope: stored.body.scope,
            resources: stored.body.resources,
            device: Some(DeviceAsk { id: stored.id, user_code: stored.body.user_code }),
            prompt: Prompt::Needed,
            ..AuthorizationRequest::default()
        };
        self.begin_checked(request, browser).await
    }

    /// The person says yes, once, to a device that still waits: to `scope`, and to no more.
    pub(crate) async fn allow_device(
        &self,
        ask: &DeviceAsk,
        scope: &Scopes,
        person: &SignedIn,
        agreement: String,
    ) -> Result<(), FlowError> {
        let (account, auth_time) = (person.account_id.clone(), person.auth_time);
        let amr = person.amr.clone();
        let generation = person.account.generation;
        let state = DeviceState::Allowed { account, auth_time, amr, generation, agreement };
        self.settle_device(ask, state, Some(scope)).await
    }

    /// The person says no.
    pub(crate) async fn deny_device(&self, ask: &DeviceAsk) -> Result<(), FlowError> {
        self.settle_device(ask, DeviceState::Denied, None).await
    }

    async fn settle_device(
        &self,
        ask: &DeviceAsk,
        state: DeviceState,
        scope: Option<&Scopes>,
    ) -> Result<(), FlowError> {
        let now = self.now();
        let stored =
            self.repository().get::<Device>(&ask.id, now).await?.ok_or(FlowError::Expired)?;
        if stored.body.state != DeviceState::Waiting || now >= stored.body.ends {
            return Err(FlowError::Expired);
        }
        let mut next = stored;
        next.body.state = state;
        if let Some(scope) = scope {
            next.body.scope = scope.clone();
        }
        match self.repository().replace(&next, Notice::Silent, now).await? {
            Written::Done => Ok(()),
            _ => Err(FlowError::Expired),
        }
    }
}

/// A fresh user code: each of its letters as likely as any other.
fn new_user_code() -> String {
    let mut code = String::new();
    while code.len() < LENGTH {
        for byte in random::<16>() {
            // What does not divide evenly is thrown away.
            if byte < 240 && code.len() < LENGTH {
                code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    code
}

/// A user code as it was typed, in the form in which it is stored; `None` if it cannot be one.
fn user_code(text: &str) -> Option<String> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    let code: String = letters.take(LENGTH + 1).map(|letter| letter.to_ascii_uppercase()).collect();
    let good = code.len() == LENGTH && code.bytes().all(|byte| LETTERS.contains(&byte));
    good.then_some(code)
}

/// When devices last polled on this node, and the interval that each was given.
pub(crate) struct PollIntervals(moka::sync::Cache<Digest, (Timestamp, u64)>);

impl Default for PollIntervals {
    fn default() -> Self {
        let lifetime = std::time::Duration::from_secs(LIFETIME);
        Self(moka::sync::Cache::builder().max_capacity(100_000).time_to_live(lifetime).build())
    }
}

impl PollIntervals {
    /// Whether the device of `code` looks too often; then it has to wait longer from now on
    /// (RFC 8628 §3.5).
    pub(crate) fn is_too_often(&self, code: Digest, now: Timestamp) -> bool {
        let before = self.0.get(&code);
        let (last, interval) = before.unwrap_or((Timestamp(0), INTERVAL));
        // A second of leave, because seconds are whole here.
        let too_often = now.0 + 1 < last.0 + interval;
        let interval = if too_often { interval + INTERVAL } else { interval };
        self.0.insert(code, (now, interval));
        too_often
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        assert_eq!(user_code(" wdjb-mjht ").as_deref(), Some("WDJBMJHT"));
        assert_eq!(user_code("WDJB MJHT").as_deref(), Some("WDJBMJHT"));
        for bad in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "ſDJB-MJHT"] {
            assert_eq!(user_code(bad), None, "{bad}");
        }
        let code = new_user_code();
        assert_eq!(user_code(&code), Some(code));
    }

    #[test]
    fn who_looks_too_often_waits_longer() {
        let (poll_intervals, code) = (PollIntervals::default(), Digest::of(b"x"));
        assert!(!poll_intervals.is_too_often(code, Timestamp(100)));
        assert!(!poll_intervals.is_too_often(code, Timestamp(105)));
        assert!(poll_intervals.is_too_often(code, Timestamp(107)));
        assert!(poll_intervals.is_too_often(code, Timestamp(112)), "ten seconds by now");
        assert!(!poll_intervals.is_too_often(code, Timestamp(127)));
    }
}
