//! What the steps of a request share: the guard's settings, and the service behind.

use std::sync::Arc;

use http::HeaderValue;

use super::{body::RequestBody, map::RestMap};
use crate::{Attestor, Recorder, Rules, Verifier, context};

/// The service behind the gate, to be asked once or not at all.
pub(super) type Behind = context::Behind<RequestBody>;

/// Where a gate is, and what it passes on.
#[derive(Clone, Debug)]
pub struct RestSettings {
    /// The path of the guard: it decides about this and everything below.
    pub path: String,
    /// What stands in its place before the rest of the path on the way to the service behind;
    /// without a slash at the end.
    pub base: String,
    /// Headers that are not passed on to the service behind, besides those that never are.
    pub strip: Vec<String>,
    /// Our sign-in pages are on the same host, so that nothing passes that a browser could run
    /// (`docs/rules.md` rule 37).
    pub shares_host: bool,
    /// How the names begin of cookies that are not passed on to the service behind, where cookies pass:
    /// on a host of its own.
    pub our_cookies: Vec<String>,
    /// `OPTIONS` of a path that nothing is at is answered as well, and tells of no method besides.
    pub options_everywhere: bool,
    /// Clients may open WebSockets (RFC 6455).
    pub websocket: bool,
    /// The challenges to a caller who shows no credential (RFC 9110 §11.6.1).
    pub challenges: Vec<HeaderValue>,
    /// What is said if there is no credential; without it, that one has to sign in.
    pub missing: Option<&'static str>,
    /// What is said of a credential that has expired.
    pub expired: &'static str,
    /// What is said of one that is not valid for another reason.
    pub invalid: &'static str,
}

/// What all requests of one guard share.
pub(super) struct RestShared {
    pub(super) map: Arc<RestMap>,
    pub(super) rules: Rules,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    pub(super) attestor: Option<Arc<dyn Attestor>>,
    pub(super) settings: RestSettings,
}

impl Default for RestSettings {
    /// The whole host, which it shares with our sign-in pages.
    fn default() -> Self {
        Self {
            path: String::new(),
            base: String::new(),
            strip: Vec::new(),
            shares_host: true,
            our_cookies: Vec::new(),
            options_everywhere: false,
            websocket: false,
            challenges: vec![HeaderValue::from_static("Bearer")],
            missing: None,
            expired: "The credential has expired.",
            invalid: "The credential is not valid here.",
        }
    }
}
