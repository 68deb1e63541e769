//! Pushed authorization requests (RFC 9126): the app hands its request over itself, proven, and the
//! browser carries no more than a reference to it.

use castellan_proto::{ErrorCode, Opaque, OpaqueKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    authorization::{
        request::{AuthorizationRequest, AuthorizeError},
        request_object::PREFIX,
    },
    client_auth::BasicAuth,
    error::OAuthError,
    records::{
        Client,
        repository::{Stored, TRIES, Written},
    },
    request::params::Params,
    session::browser::Browser,
    store::{Kind, Notice, StoreError},
    tokens::dpop::Proof,
};

/// Seconds that a reference waits to be used.
const LIFETIME: u64 = 60;

/// A request that was handed over. Its id is the digest of the reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushedRequest {
    /// The request, checked.
    pub request: AuthorizationRequest,
    /// Digest of the mark of the browser that opened it; `None` until one does.
    #[serde(default)]
    pub browser: Option<String>,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

/// The answer to an app that handed its request over.
pub struct Pushed {
    /// The reference to the request.
    pub request_uri: String,
    /// Seconds until it is worthless.
    pub expires_in: u64,
}

impl Stored for PushedRequest {
    const KIND: Kind = Kind::Pushed;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

impl Issuer {
    /// Takes a request from an app that has proven who it is, as it would have to at the token
    /// endpoint, and checks it as if a browser had brought it.
    ///
    /// # Errors
    /// [`OAuthError`] saying what is wrong with it; nothing was kept then.
    pub async fn push_authorization(
        &self,
        params: &Params,
        basic: Option<BasicAuth>,
        proof: Option<&Proof<'_>>,
    ) -> Result<Pushed, OAuthError> {
        self.may_issue()?;
        let client = self.authenticate_caller(params, basic).await?;
        if params.get("request_uri").is_some() {
            return Err(OAuthError::Pushed(
                ErrorCode::InvalidRequest,
                "request_uri must not be part of a pushed request".to_owned(),
            ));
        }
        let named = params.get("client_id").unwrap_or(&client.id);
        let (mut request, _) =
            self.check_authorization(named, params).await.map_err(|error| match error {
                AuthorizeError::Page { code, text } | AuthorizeError::Client { code, text, .. } => {
                    OAuthError::Pushed(code, text)
                }
                AuthorizeError::Store(error) => error.into(),
            })?;
        if let Some(proof) = proof {
            // The code is bound to the key that was shown already here (RFC 9449 §10.1).
            let jkt = Some(self.prove_key(proof).await.map_err(OAuthError::Proof)?);
            if request.jkt.is_some() && request.jkt != jkt {
                let text = "dpop_jkt does not match the key that signed the DPoP proof".to_owned();
                return Err(OAuthError::Pushed(ErrorCode::InvalidRequest, text));
            }
            request.jkt = jkt;
        }
        let (reference, now) = (Opaque::generate(OpaqueKind::RequestUri), self.now());
        let body = PushedRequest { request, browser: None, ends: Timestamp(now.0 + LIFETIME) };
        // Nobody else can start a flow in the name of an authenticated app.
        let stranger = params.source().filter(|_| !client.authenticated);
        let id = reference.digest().text();
        if self.keep_begun(&id, &body, stranger, now).await? != Written::Done {
            return Err(StoreError::new("a newly generated request_uri was already in use").into());
        }
        Ok(Pushed { request_uri: format!("{PREFIX}{}", reference.text()), expires_in: LIFETIME })
    }

    /// The request stored as `id`, if `client_id` pushed it and it is still valid. Only the first
    /// browser that opens it can use it, for the duration of a sign-in; the page can be reloaded.
    /// The authorization response uses it up ([`Self::use_up_pushed`]; FAPI 2.0 Security Profile
    /// §5.3.2.2, note 3).
    pub(crate) async fn pushed_authorization(
        &self,
        client_id: &str,
        id: &str,
        browser: &Browser,
    ) -> Result<(AuthorizationRequest, Client), AuthorizeError> {
        // Unknown, used, expired, another app's and another browser's: one answer for all.
        let unknown = || AuthorizeError::Page {
            code: ErrorCode::InvalidRequest,
            text: "request_uri is unknown, used or expired, or was pushed by another client"
                .to_owned(),
        };
        let mark = browser.mark.as_ref().ok_or_else(unknown)?.digest().text();
        let now = self.now();
        for _ in 0..TRIES {
            let found = self.repository().get::<PushedRequest>(id, now).await?;
            let mut stored = found.ok_or_else(unknown)?;
            if stored.body.request.client_id != client_id {
                return Err(unknown());
            }
            let is_first = stored.body.browser.is_none();
            if is_first {
                stored.body.browser = Some(mark.clone());
                stored.body.ends = now + self.settings().flow.get();
                let bound = self.repository().replace(&stored, Notice::Silent, now).await?;
                if bound != Written::Done {
                    // Another browser was faster, or the request has expired.
                    continue;
                }
            } else if !stored.body.browser.as_deref().is_some_and(|kept| browser.is_marked(kept)) {
                return Err(unknown());
            }
            let mut request = stored.body.request;
            let client = self.client_as_asked(&request).await?.ok_or_else(unknown)?;
            if is_first && client.is_public() {
                // A request pushed by an unauthenticated client is in a browser now; what follows
                // is counted separately.
                self.finished_from(browser.source);
            }
            request.pushed = Some(stored.id);
            return Ok((request, client));
        }
        Err(StoreError::new("too much write contention on the pushed request").into())
    }

    /// Uses up the pushed request that `request` came from, if there is one. `false` if it was
    /// answered before or has expired: then no other response may be sent.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; it may or may not be used up.
    pub(crate) async fn use_up_pushed(
        &self,
        request: &AuthorizationRequest,
    ) -> Result<bool, StoreError> {
        let Some(id) = &request.pushed else { return Ok(true) };
        let taken = self.repository().take::<PushedRequest>(id, self.now()).await?;
        Ok(matches!(taken, Some((_, true))))
    }
}
