//! Attestation objects (WebAuthn §6.5.4). None is asked for, so that browsers take statements away that
//! say something about the authenticator; what is left is no statement (§8.7), or one by the credential
//! itself (§8.2, "self attestation").

use minicbor::{Decoder, data::Type};

use super::{CredentialKey, WebAuthnError};

const MALFORMED: WebAuthnError = WebAuthnError::Malformed("attestationObject");

/// An attestation object, taken apart.
pub(super) struct Statement<'a> {
    /// The authenticator data.
    pub(super) auth_data: &'a [u8],
    /// The algorithm and the signature of the credential itself, if there are any.
    by_itself: Option<(i64, &'a [u8])>,
}

impl<'a> Statement<'a> {
    /// Takes `object` apart.
    pub(super) fn read(object: &'a [u8]) -> Result<Self, WebAuthnError> {
        let mut decoder = Decoder::new(object);
        let (mut format, mut by_itself, mut auth_data) = (None, None, None);
        if !matches!(decoder.map(), Ok(Some(3))) {
            return Err(MALFORMED);
        }
        for _ in 0..3 {
            match decoder.str().map_err(|_| MALFORMED)? {
                "fmt" if format.is_none() => format = decoder.str().ok(),
                "attStmt" if by_itself.is_none() => by_itself = Some(statement(&mut decoder)?),
                "authData" if auth_data.is_none() => auth_data = decoder.bytes().ok(),
                _ => return Err(MALFORMED),
            }
        }
        if decoder.position() != object.len() {
            return Err(MALFORMED);
        }
        let (Some(format), Some(by_itself), Some(auth_data)) = (format, by_itself, auth_data)
        else {
            return Err(MALFORMED);
        };
        match (format, by_itself) {
            ("none", None) | ("packed", Some(_)) => Ok(Self { auth_data, by_itself }),
            _ => Err(WebAuthnError::Attestation),
        }
    }

    /// Whether the statement, if there is one, is by the owner of `key` over `message`.
    pub(super) fn check(&self, key: &CredentialKey, message: &[u8]) -> Result<(), WebAuthnError> {
        match self.by_itself {
            None => Ok(()),
            Some((algorithm, signature))
                if algorithm == key.algorithm().number() && key.verifies(message, signature) =>
            {
                Ok(())
            }
            Some(_) => Err(WebAuthnError::Attestation),
        }
    }
}

/// The algorithm and the signature, and nothing else; or nothing at all.
fn statement<'a>(decoder: &mut Decoder<'a>) -> Result<Option<(i64, &'a [u8])>, WebAuthnError> {
    let Ok(Some(number)) = decoder.map() else { return Err(MALFORMED) };
    if number == 0 {
        return Ok(None);
    }
    if number != 2 {
        return Err(WebAuthnError::Attestation);
    }
    let (mut algorithm, mut signature) = (None, None);
    for _ in 0..2 {
        let name = decoder.str().map_err(|_| MALFORMED)?;
        match (name, decoder.datatype()) {
            ("alg", Ok(_)) if algorithm.is_none() => algorithm = decoder.i64().ok(),
            ("sig", Ok(Type::Bytes)) if signature.is_none() => signature = decoder.bytes().ok(),
            _ => return Err(WebAuthnError::Attestation),
        }
    }
    algorithm.zip(signature).map(Some).ok_or(MALFORMED)
}
