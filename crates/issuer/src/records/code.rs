//! Authorization codes.

use castellan_proto::{CodeChallenge, Digest, Opaque, Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};

use crate::{
    records::{Amr, BeyondScopes, repository::Stored},
    store::Kind,
};

/// An authorization code. Its id is the digest of client and code (`docs/rules.md` rule 32).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Code {
    /// The family that redeeming it makes.
    pub family: String,
    /// The account that consented.
    pub account: String,
    /// The scopes that were granted.
    pub scope: Scopes,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// What the verifier must meet.
    pub challenge: Option<CodeChallenge>,
    /// For the ID token.
    pub nonce: Option<String>,
    /// The thumbprint of the key that must be shown with it, if the request named one
    /// (RFC 9449 §10).
    #[serde(default)]
    pub jkt: Option<String>,
    /// The resources that tokens are requested for, if the request named any (RFC 8707).
    #[serde(default)]
    pub resources: Option<Vec<String>>,
    /// Claims about the person to include in the ID token.
    #[serde(default)]
    pub id_claims: Vec<String>,
    /// Claims besides what the scopes open.
    #[serde(default)]
    pub beyond_scopes: BeyondScopes,
    /// When the person proved who they are.
    pub auth_time: Timestamp,
    /// The authentication methods that the person used.
    #[serde(default)]
    pub amr: Amr,
    /// The person's generation of sign-ins then.
    #[serde(default)]
    pub account_generation: u32,
    /// The client's generation of authorizations when the code was issued.
    #[serde(default)]
    pub client_generation: u32,
    /// The id of the browser session.
    pub session: String,
    /// What apps know that session by.
    #[serde(default)]
    pub sid: Option<String>,
    /// Whether tokens depend on a consent that can be withdrawn.
    pub by_consent: bool,
    /// The id of the agreement they depend on.
    #[serde(default)]
    pub agreement: String,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

impl Stored for Code {
    const KIND: Kind = Kind::Code;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}

/// What the store knows a code by: bound to its client, so that no other can burn it.
pub(crate) fn code_id(client: &str, code: &Opaque) -> String {
    Digest::of(&[client.as_bytes(), &[0], code.payload()].concat()).text()
}
