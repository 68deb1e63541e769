//! What the authenticator says (WebAuthn §6.1).

use minicbor::Decoder;

use super::{CredentialKey, LONGEST_ID, WebAuthnError};

const MALFORMED: WebAuthnError = WebAuthnError::Malformed("authenticatorData");

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;

/// Authenticator data, taken apart.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    /// The digest of the domain.
    pub(super) rp_id_hash: [u8; 32],
    flags: u8,
    /// The counter of signatures.
    pub(super) sign_count: u32,
    /// The new credential, if there is one.
    pub(super) credential: Option<AttestedCredential<'a>>,
}

/// A new credential (WebAuthn §6.5.1).
#[derive(Debug)]
pub(super) struct AttestedCredential<'a> {
    /// The model of the authenticator (AAGUID).
    pub(super) model: [u8; 16],
    /// Its id.
    pub(super) id: &'a [u8],
    /// Its key.
    pub(super) key: CredentialKey,
}

impl<'a> AuthenticatorData<'a> {
    /// Takes `data` apart; nothing may be left over.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, WebAuthnError> {
        let (rp_id_hash, rest) = taken::<32>(data)?;
        let ([flags], rest) = taken::<1>(rest)?;
        let (sign_count, rest) = taken::<4>(rest)?;
        let (credential, rest) = if flags & HAS_CREDENTIAL == 0 {
            (None, rest)
        } else {
            let (credential, rest) = AttestedCredential::read(rest)?;
            (Some(credential), rest)
        };
        let rest = if flags & HAS_EXTENSIONS == 0 { rest } else { after_extensions(rest)? };
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let sign_count = u32::from_be_bytes(sign_count);
        Ok(Self { rp_id_hash, flags, sign_count, credential })
    }

    pub(super) const fn is_present(&self) -> bool {
        self.flags & USER_PRESENT != 0
    }

    pub(super) const fn is_verified(&self) -> bool {
        self.flags & USER_VERIFIED != 0
    }

    pub(super) const fn is_backup_eligible(&self) -> bool {
        self.flags & BACKUP_ELIGIBLE != 0
    }

    pub(super) const fn is_backed_up(&self) -> bool {
        self.flags & BACKED_UP != 0
    }
}

impl<'a> AttestedCredential<'a> {
    fn read(data: &'a [u8]) -> Result<(Self, &'a [u8]), WebAuthnError> {
        let (model, rest) = taken::<16>(data)?;
        let (length, rest) = taken::<2>(rest)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length == 0 || length > LONGEST_ID {
            return Err(MALFORMED);
        }
        let (id, rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        let mut decoder = Decoder::new(rest);
        let key = CredentialKey::read_from(&mut decoder)?;
        let rest = rest.get(decoder.position()..).ok_or(MALFORMED)?;
        Ok((Self { model, id, key }, rest))
    }
}

/// What follows the outputs of extensions, none of which was asked for that says anything here.
fn after_extensions(data: &[u8]) -> Result<&[u8], WebAuthnError> {
    let mut decoder = Decoder::new(data);
    let is_map = matches!(decoder.datatype(), Ok(minicbor::data::Type::Map));
    if !is_map || decoder.skip().is_err() {
        return Err(MALFORMED);
    }
    data.get(decoder.position()..).ok_or(MALFORMED)
}

fn taken<const N: usize>(data: &[u8]) -> Result<([u8; N], &[u8]), WebAuthnError> {
    let (head, rest) = data.split_first_chunk::<N>().ok_or(MALFORMED)?;
    Ok((*head, rest))
}
