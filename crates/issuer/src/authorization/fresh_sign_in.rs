//! Signing in again before something that a stolen session must not do.

use castellan_proto::Timestamp;

use super::{
    flow::Flow,
    next::{FlowError, Next},
};
use crate::{
    Issuer,
    session::browser::{Browser, SignedIn},
};

/// Seconds for which a sign-in is fresh.
pub const FRESH_SECONDS: u64 = 600;

impl Issuer {
    /// Whether `person` signed in a moment ago.
    #[must_use]
    pub fn is_fresh(&self, person: &SignedIn) -> bool {
        Timestamp(person.auth_time.0.saturating_add(FRESH_SECONDS)) >= self.now()
    }

    /// Begins a sign-in to go on to `path` of this site, whoever is signed in.
    ///
    /// # Errors
    /// [`FlowError`] if the store fails.
    pub async fn begin_fresh_sign_in(
        &self,
        path: &str,
        browser: &Browser,
    ) -> Result<Next, FlowError> {
        let destination = Some(format!("{}{path}", self.address().issuer));
        let ends = self.now() + self.settings().flow.get();
        let flow = Flow { destination, ..Flow::default() };
        Ok(Next::Login(self.save_flow_until(flow, browser, ends).await?))
    }
}
