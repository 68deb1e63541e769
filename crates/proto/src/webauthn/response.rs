//! Responses as browsers write them in JSON (WebAuthn §5.1, `toJSON`). Members that have no meaning
//! here are left alone, since browsers add to them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{LONGEST_ID, WebAuthnError};
use crate::strict_json;

/// What a browser answers when a credential is registered.
#[derive(Clone, Debug)]
pub struct RegistrationResponse {
    /// The id of the credential.
    pub id: Vec<u8>,
    /// How the authenticator can be reached, such as `internal` or `usb`, as browsers call it.
    pub transports: Vec<String>,
    pub(super) client_data: Vec<u8>,
    pub(super) attestation: Vec<u8>,
}

/// What a browser answers when a credential is used.
#[derive(Clone, Debug)]
pub struct AssertionResponse {
    /// The id of the credential.
    pub id: Vec<u8>,
    /// What stands for its owner, if the authenticator keeps that.
    pub user_handle: Option<Vec<u8>>,
    pub(super) client_data: Vec<u8>,
    pub(super) auth_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// Ways to an authenticator that are kept of one credential, at most.
const MOST_TRANSPORTS: usize = 8;

impl RegistrationResponse {
    /// Reads `json`.
    ///
    /// # Errors
    /// [`WebAuthnError::Malformed`] naming the member.
    pub fn read(json: &[u8]) -> Result<Self, WebAuthnError> {
        let (id, response) = credential(json)?;
        let listed = response.get("transports").and_then(Value::as_array);
        let is_name = |name: &str| {
            !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_graphic())
        };
        let names = listed.into_iter().flatten().filter_map(Value::as_str);
        let mut transports: Vec<String> =
            names.filter(|name| is_name(name)).map(ToOwned::to_owned).collect();
        transports.truncate(MOST_TRANSPORTS);
        Ok(Self {
            id,
            transports,
            client_data: bytes(&response, "clientDataJSON")?,
            attestation: bytes(&response, "attestationObject")?,
        })
    }
}

impl AssertionResponse {
    /// Reads `json`.
    ///
    /// # Errors
    /// [`WebAuthnError::Malformed`] naming the member.
    pub fn read(json: &[u8]) -> Result<Self, WebAuthnError> {
        let (id, response) = credential(json)?;
        let user_handle = match response.get("userHandle") {
            None | Some(Value::Null) => None,
            Some(_) => Some(bytes(&response, "userHandle")?),
        };
        Ok(Self {
            id,
            user_handle,
            client_data: bytes(&response, "clientDataJSON")?,
            auth_data: bytes(&response, "authenticatorData")?,
            signature: bytes(&response, "signature")?,
        })
    }
}

/// The id of the credential in `json`, and its `response`.
fn credential(json: &[u8]) -> Result<(Vec<u8>, Value), WebAuthnError> {
    let mut read = strict_json::read(json).map_err(|_| WebAuthnError::Malformed("the response"))?;
    if read.get("type").and_then(Value::as_str) != Some("public-key") {
        return Err(WebAuthnError::Malformed("type"));
    }
    let id = bytes(&read, "rawId")?;
    if id != bytes(&read, "id")? || id.is_empty() || id.len() > LONGEST_ID {
        return Err(WebAuthnError::Malformed("id"));
    }
    let response = read.get_mut("response").map(Value::take);
    Ok((id, response.filter(Value::is_object).ok_or(WebAuthnError::Malformed("response"))?))
}

fn bytes(of: &Value, name: &'static str) -> Result<Vec<u8>, WebAuthnError> {
    let text = of.get(name).and_then(Value::as_str);
    let read = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    read.ok_or(WebAuthnError::Malformed(name))
}
