//! Pushed authorization requests (RFC 9126): the app hands its request over itself, proven, and the
//! browser carries no more than a reference to it.

use castellan_proto::{ErrorCode, Opaque, OpaqueKind, Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    authorization::request::{AuthorizationRequest, AuthorizeError},
    error::OAuthError,
    records::{
        Client,
        repository::{Stored, Written},
    },
    request::params::Params,
    store::{Kind, StoreError},
    tokens::dpop::Proof,
};

/// What a reference begins with (RFC 9126 §2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// Seconds that a reference waits to be used.
const LIFETIME: u64 = 60;

/// A request that was handed over. Its id is the digest of the reference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PushedRequest {
    /// What is asked for, checked.
    pub request: AuthorizationRequest,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

/// The answer to an app that handed its request over.
pub struct Pushed {
    /// The reference.
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
        basic: Option<(String, Secret)>,
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
        let body = PushedRequest { request, ends: Timestamp(now.0 + LIFETIME) };
        // Of an app that has shown who it is nobody else can begin anything.
        let stranger = params.source().filter(|_| !client.authenticated);
        let id = reference.digest().text();
        if self.keep_begun(&id, &body, (stranger, now)).await? != Written::Done {
            return Err(StoreError::new("a newly generated request_uri was already in use").into());
        }
        Ok(Pushed { request_uri: format!("{PREFIX}{}", reference.text()), expires_in: LIFETIME })
    }

    /// The request that `reference` stands for, if `client_id` handed it over and may still have
    /// it. A reference is good once (RFC 9126 §4).
    pub(crate) async fn pushed_authorization(
        &self,
        client_id: &str,
        reference: &str,
    ) -> Result<(AuthorizationRequest, Client), AuthorizeError> {
        // Unknown, used, expired and another app's: one answer for all.
        let unknown = || AuthorizeError::Page {
            code: ErrorCode::InvalidRequest,
            text: "request_uri is unknown, used or expired, or was pushed by another client"
                .to_owned(),
        };
        let opaque = reference.strip_prefix(PREFIX);
        let opaque = opaque.and_then(|text| Opaque::read(OpaqueKind::RequestUri, text));
        let id = opaque.ok_or_else(unknown)?.digest().text();
        let stored =
            self.repository().get::<PushedRequest>(&id, self.now()).await?.ok_or_else(unknown)?;
        if stored.body.request.client_id != client_id {
            return Err(unknown());
        }
        let Some((PushedRequest { request, .. }, true)) =
            self.repository().take::<PushedRequest>(&id, self.now()).await?
        else {
            return Err(unknown());
        };
        let client = self.client_as_asked(&request).await?.ok_or_else(unknown)?;
        Ok((request, client))
    }
}
