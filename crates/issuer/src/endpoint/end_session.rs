//! What an app asks when it sends a person here to sign out (OpenID Connect RP-Initiated Logout 1.0).

use castellan_proto::{ErrorCode, RedirectUri, jose::Compact};
use serde::Deserialize;

use crate::{
    Issuer,
    authorization::request::{AuthorizeError, LONGEST_WAY},
    keys::{KeyUse, RingKey},
    records::Client,
    request::{params::Params, url::with_query},
};

/// The refusal of an address to return to where nothing says which client it belongs to.
const NO_CLIENT: &str = "post_logout_redirect_uri needs client_id, or an id_token_hint issued by \
                         this server";

/// A person is to be signed out, checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LogoutRequest {
    /// The person that the app expects: the `sub` of an ID token issued here. Anybody else is asked
    /// first.
    pub subject: Option<String>,
    /// Where the browser goes afterwards, `state` included.
    pub back: Option<String>,
}

/// What is read of an ID token. It may have expired (RP-Initiated Logout §2).
#[derive(Deserialize)]
pub(crate) struct Hint {
    iss: String,
    pub(crate) sub: String,
    aud: String,
}

impl Issuer {
    /// Checks `params`. An `id_token_hint` that was not issued here, or whose key has been dropped,
    /// is treated as absent.
    ///
    /// # Errors
    /// [`AuthorizeError`], but never `Client`: no redirect goes to an address that is not
    /// registered for the client.
    pub async fn read_logout(&self, params: &Params) -> Result<LogoutRequest, AuthorizeError> {
        let page = |text: &str| AuthorizeError::Page {
            code: ErrorCode::InvalidRequest,
            text: text.to_owned(),
        };
        let hint = params.get("id_token_hint").and_then(|token| self.read_hint(token));
        let hinted = hint.as_ref().map(|hint| &*hint.aud);
        let named = params.get("client_id");
        if let (Some(hinted), Some(named)) = (hinted, named)
            && hinted != named
        {
            return Err(page("client_id and id_token_hint name different clients"));
        }
        let back = match params.get("post_logout_redirect_uri") {
            None => None,
            Some(asked) => {
                let id = hinted.or(named).ok_or_else(|| page(NO_CLIENT))?;
                let client = self.repository().get::<Client>(id, self.now()).await?;
                let client = client.map(|stored| stored.body);
                let admitted = client.as_ref().is_some_and(|client| {
                    let mut uris = client.post_logout_redirect_uris.iter();
                    client.active && uris.any(|uri| uri.admits(asked))
                });
                if !admitted {
                    return Err(page("post_logout_redirect_uri mismatch"));
                }
                let state = params.get("state").map(|state| ("state", state));
                let back = with_query(&RedirectUri::in_ascii(asked), state);
                if back.len() > LONGEST_WAY {
                    return Err(page(&format!(
                        "post_logout_redirect_uri with state must not exceed {LONGEST_WAY} bytes"
                    )));
                }
                // A link must not lead strangers to where nobody vouches for (RFC 9700 §4.11.2).
                let is_known = client.is_some_and(|client| client.is_vouched_for());
                Some(back).filter(|_| is_known || hinted.is_some())
            }
        };
        Ok(LogoutRequest { subject: hint.map(|hint| hint.sub), back })
    }

    /// The content of `token`, if it is an ID token issued here with a key that is still known.
    pub(crate) fn read_hint(&self, token: &str) -> Option<Hint> {
        let compact = Compact::read(token)?;
        // Without `typ`, an access token would do as well.
        if !compact.header().typ.as_deref()?.eq_ignore_ascii_case("JWT") {
            return None;
        }
        let (kid, keys, now) =
            (compact.header().kid.as_deref()?, self.keyring().keys(), self.now());
        let known = |key: &&RingKey| {
            key.usage == KeyUse::Id && key.signing.kid() == kid && key.is_published(now)
        };
        let payload = compact.verified_by(&keys.iter().find(known)?.verifying)?;
        let hint: Hint = serde_json::from_slice(payload).ok()?;
        (hint.iss == self.address().issuer).then_some(hint)
    }
}
