//! Web Authentication (WebAuthn Level 3): reading and checking what a browser answers when a passkey is
//! registered (§7.1) or used (§7.2).
//!
//! Everything that a relying party must check without asking anybody is here. Signatures are ES256, `EdDSA`
//! (Ed25519) and RS256. Attestation is asked for by no one: a statement is none, or the credential's own
//! signature.

mod attestation;
mod authenticator_data;
mod client_data;
mod key;
mod response;
#[cfg(test)]
mod tests;

pub use key::{Algorithm, CredentialKey};
pub use response::{AssertionResponse, RegistrationResponse};

use crate::Digest;
use authenticator_data::AuthenticatorData;

/// Bytes of a credential id at most (WebAuthn §4).
pub const LONGEST_ID: usize = 1_023;

/// Why a response proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebAuthnError {
    /// A part is not of the form that it must have.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// It is the response to another kind of request.
    #[error("it is the response to another kind of request")]
    Ceremony,
    /// It answers another request.
    #[error("it answers another challenge")]
    Challenge,
    /// The page is not one of the relying party's.
    #[error(
        "the page was of another origin; the origins of this server's pages are set in [passkeys]"
    )]
    Origin,
    /// The page was embedded in one of another origin.
    #[error("the page was embedded in one of another origin")]
    Embedded,
    /// The credential is bound to another domain.
    #[error("the passkey is bound to another domain")]
    RelyingParty,
    /// Nobody confirmed it.
    #[error("nobody was present at the authenticator")]
    NotPresent,
    /// The authenticator did not check who confirmed it.
    #[error("the authenticator did not verify its user")]
    NotVerified,
    /// What is said about copies of the credential contradicts itself, or what was said before.
    #[error("what the authenticator says about copies of the passkey is contradictory")]
    Backup,
    /// The key is of an algorithm that was not offered, or not sound.
    #[error("the public key is not one of those that were offered")]
    Key,
    /// The attestation statement is of a format that was not asked for, or not right.
    #[error("an attestation was not asked for, or is not right")]
    Attestation,
    /// The signature is not the credential's.
    #[error("the signature is not right")]
    Signature,
    /// The counter did not grow: there may be a copy of the authenticator.
    #[error("the counter of the authenticator did not grow: it may have been copied")]
    Counter,
    /// It is about another credential, or another user's.
    #[error("it is about another passkey")]
    Credential,
}

/// What a response answers.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony<'a> {
    /// The random bytes that were sent.
    pub challenge: &'a [u8],
    /// The domain that credentials are bound to (RP ID).
    pub rp_id: &'a str,
    /// The origins of the pages that may ask for them.
    pub origins: &'a [String],
}

/// A credential that was registered.
#[derive(Debug)]
pub struct NewCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key.
    pub key: CredentialKey,
    /// The counter of its signatures; 0 if it has none.
    pub sign_count: u32,
    /// Whether it may be copied to other devices.
    pub is_backup_eligible: bool,
    /// Whether there are such copies.
    pub is_backed_up: bool,
    /// The model of the authenticator (AAGUID), if it tells.
    pub model: [u8; 16],
}

/// A credential as it is known.
#[derive(Clone, Copy, Debug)]
pub struct KnownCredential<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// Its public key.
    pub key: &'a CredentialKey,
    /// What stands for its owner.
    pub user_handle: &'a [u8],
    /// The counter at its last use.
    pub sign_count: u32,
    /// Whether it may be copied to other devices.
    pub is_backup_eligible: bool,
}

/// What the use of a credential told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// The counter by now.
    pub sign_count: u32,
    /// Whether there are copies of it by now.
    pub is_backed_up: bool,
}

impl Ceremony<'_> {
    /// The credential that `response` registers (WebAuthn §7.1). Whether its id is in use already is
    /// for the caller to check.
    ///
    /// # Errors
    /// [`WebAuthnError`] saying what is wrong with it.
    pub fn register(
        &self,
        response: &RegistrationResponse,
    ) -> Result<NewCredential, WebAuthnError> {
        client_data::check(&response.client_data, client_data::CREATE, self)?;
        let attestation = attestation::Statement::read(&response.attestation)?;
        let data = AuthenticatorData::read(attestation.auth_data)?;
        self.check(&data)?;
        let credential = data.credential.as_ref().ok_or(WebAuthnError::Malformed("authData"))?;
        if credential.id != response.id {
            return Err(WebAuthnError::Credential);
        }
        attestation
            .check(&credential.key, &signed(attestation.auth_data, &response.client_data))?;
        Ok(NewCredential {
            id: credential.id.to_vec(),
            sign_count: data.sign_count,
            is_backup_eligible: data.is_backup_eligible(),
            is_backed_up: data.is_backed_up(),
            model: credential.model,
            key: data.credential.ok_or(WebAuthnError::Malformed("authData"))?.key,
        })
    }

    /// Checks that `response` comes from `known` (WebAuthn §7.2).
    ///
    /// # Errors
    /// [`WebAuthnError`] saying what is wrong with it.
    pub fn assert(
        &self,
        response: &AssertionResponse,
        known: &KnownCredential<'_>,
    ) -> Result<Asserted, WebAuthnError> {
        let is_theirs = |handle: &Vec<u8>| *handle == known.user_handle;
        if response.id != known.id || !response.user_handle.as_ref().is_none_or(is_theirs) {
            return Err(WebAuthnError::Credential);
        }
        client_data::check(&response.client_data, client_data::GET, self)?;
        let data = AuthenticatorData::read(&response.auth_data)?;
        self.check(&data)?;
        if data.credential.is_some() {
            return Err(WebAuthnError::Malformed("authenticatorData"));
        }
        if data.is_backup_eligible() != known.is_backup_eligible {
            return Err(WebAuthnError::Backup);
        }
        let message = signed(&response.auth_data, &response.client_data);
        if !known.key.verifies(&message, &response.signature) {
            return Err(WebAuthnError::Signature);
        }
        let counts = data.sign_count != 0 || known.sign_count != 0;
        if counts && data.sign_count <= known.sign_count {
            return Err(WebAuthnError::Counter);
        }
        Ok(Asserted { sign_count: data.sign_count, is_backed_up: data.is_backed_up() })
    }

    /// What both ceremonies ask of the authenticator.
    fn check(&self, data: &AuthenticatorData<'_>) -> Result<(), WebAuthnError> {
        if data.rp_id_hash != Digest::of(self.rp_id.as_bytes()).0 {
            Err(WebAuthnError::RelyingParty)
        } else if !data.is_present() {
            Err(WebAuthnError::NotPresent)
        } else if !data.is_verified() {
            Err(WebAuthnError::NotVerified)
        } else if data.is_backed_up() && !data.is_backup_eligible() {
            Err(WebAuthnError::Backup)
        } else {
            Ok(())
        }
    }
}

/// What authenticators sign.
fn signed(auth_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [auth_data, &Digest::of(client_data).0].concat()
}
