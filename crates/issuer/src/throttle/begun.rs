//! What somebody begins who has not said who they are is bounded: how much of it there is from one
//! source ([`crate::throttle::per_source`]), and how large each of it is.

use castellan_proto::Timestamp;

use crate::{
    Issuer,
    error::{MOST_KEPT, OAuthError},
    records::repository::{Stored, Written},
    request::source::Source,
};

impl Issuer {
    /// Writes the new record of something that a stranger at `source` begins; `None` as a source is
    /// that of somebody who has shown who they are.
    ///
    /// # Errors
    /// [`OAuthError::TooLong`] if it is too large, [`OAuthError::Throttled`] if too much from there
    /// was begun and not finished; then nothing is kept.
    pub(crate) async fn keep_begun<T: Stored>(
        &self,
        id: &str,
        body: &T,
        (source, now): (Option<Source>, Timestamp),
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
