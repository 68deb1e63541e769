//! What unauthenticated callers start is limited: in number per source
//! ([`crate::throttle::per_source`]), and in size.

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    error::{MOST_KEPT, OAuthError},
    records::repository::{Stored, Written},
    request::source::Source,
};

impl Issuer {
    /// Writes a new record that an unauthenticated caller at `source` starts; `None` as the source
    /// stands for an authenticated caller.
    ///
    /// # Errors
    /// [`OAuthError::TooLong`] if it is too large, [`OAuthError::Throttled`] if too many from there
    /// were started and not finished; then nothing is stored.
    pub(crate) async fn keep_begun<T: Stored>(
        &self,
        id: &str,
        body: &T,
        source: Option<Source>,
        now: Timestamp,
    ) -> Result<Written, OAuthError> {
        if serde_json::to_vec(body).map_or(true, |body| body.len() > MOST_KEPT) {
            return Err(OAuthError::TooLong);
        }
        let begun = self.begin_from(source)?;
        let written = self.repository().insert(id, body, now).await?;
        if written != Written::Done {
            begun.was_right();
        }
        Ok(written)
    }
}
