//! `DELETE /Session`: a token ends the session to which it belongs (`docs/contracts/aidbox.md` §§4.4,
//! 7).

use serde_json::Value;

use crate::{Issuer, error::OAuthError, resources::ResourceKind, tokens::dpop::Proof};

impl Issuer {
    /// Ends the session of `token`: its family, and with it every access and refresh token of it.
    /// If its client is first-party, that is also the browser session it shares, with what other
    /// first-party clients have from it; apps are told as by a sign-out. Nothing of a third-party
    /// client's ends. Returns the session as it is shown now.
    ///
    /// This needs no right: whoever has the token may give it up.
    ///
    /// # Errors
    /// [`OAuthError::InvalidToken`] for a token that is not valid, or not for this server. If the
    /// store fails, the session may or may not be over; calling this again completes it, as long as
    /// the token is valid.
    pub async fn close_session_of(
        &self,
        token: &str,
        proof: Option<&Proof<'_>>,
    ) -> Result<Value, OAuthError> {
        let live = self.verify_shown(token, proof).await?;
        // A token that is only for certain APIs is not valid here (RFC 8707 §2): they would be able
        // to sign its person out.
        if !live.audience.contains(&self.address().issuer) {
            return Err(OAuthError::InvalidToken);
        }
        let family = self.family(&live.family_id).await?.ok_or(OAuthError::InvalidToken)?.body;
        if let (true, Some((account, _)), Some(sid)) =
            (live.client.first_party, &live.account, &family.sid)
        {
            // The browser session first: as long as it is not over, the token can be presented
            // again.
            self.close_shared_session(account, sid).await?;
        }
        self.end_family(&live.family_id).await?;
        let closed = self.describe(ResourceKind::SESSION, &live.family_id).await?;
        closed.ok_or(OAuthError::InvalidToken)
    }
}
