//! What the browser says of the request (WebAuthn §5.8.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Ceremony, WebAuthnError};
use crate::{constant_time_eq, strict_json};

/// The type of a registration.
pub(super) const CREATE: &str = "webauthn.create";
/// The type of a use.
pub(super) const GET: &str = "webauthn.get";

/// Whether `json` says that a page of the relying party has asked for `what` with the challenge that
/// was sent.
pub(super) fn check(json: &[u8], what: &str, ceremony: &Ceremony<'_>) -> Result<(), WebAuthnError> {
    let malformed = WebAuthnError::Malformed("clientDataJSON");
    // "UTF-8 decode" takes a byte order mark away (WebAuthn §7.1 step 5).
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let read = strict_json::read(json).map_err(|_| malformed)?;
    let text = |name: &str| read.get(name).and_then(serde_json::Value::as_str).ok_or(malformed);
    if text("type")? != what {
        return Err(WebAuthnError::Ceremony);
    }
    let challenge = URL_SAFE_NO_PAD.decode(text("challenge")?).map_err(|_| malformed)?;
    if !constant_time_eq(&challenge, ceremony.challenge) {
        return Err(WebAuthnError::Challenge);
    }
    let origin = text("origin")?;
    if !ceremony.origins.iter().any(|known| known == origin) {
        return Err(WebAuthnError::Origin);
    }
    match (read.get("crossOrigin"), read.get("topOrigin")) {
        (None | Some(serde_json::Value::Bool(false)), None) => Ok(()),
        (None | Some(serde_json::Value::Bool(_)), _) => Err(WebAuthnError::Embedded),
        _ => Err(malformed),
    }
}
