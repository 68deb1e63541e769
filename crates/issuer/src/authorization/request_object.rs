//! What may replace the parameters themselves: a reference to a pushed request (RFC 9126 §4), or a
//! request object. Request objects (OIDC Core §6) are not supported. An unsigned one is still read
//! for where the response goes, so that the app receives the error in the way it expects.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Opaque, OpaqueKind};
use serde::Deserialize;

/// What a reference begins with (RFC 9126 §2.2).
pub(crate) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// The id of the record that `reference` stands for, if it has the form of references issued here.
pub(crate) fn record_id(reference: &str) -> Option<String> {
    let opaque = Opaque::read(OpaqueKind::RequestUri, reference.strip_prefix(PREFIX)?)?;
    Some(opaque.digest().text())
}

/// What is read of an unsigned request object. It is trusted no more than the query that contains
/// it: an address in it has to be registered like any other.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct RequestObject {
    pub(crate) redirect_uri: Option<String>,
    pub(crate) response_mode: Option<String>,
    pub(crate) state: Option<String>,
}

impl RequestObject {
    /// Reads `text`; `None` if it is signed, because the signature is not checked, or is not a
    /// request object.
    pub(crate) fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
        }
        let mut parts = text.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let header: Header = serde_json::from_slice(&decoded(header)?).ok()?;
        if header.alg != "none" || !signature.is_empty() || parts.next().is_some() {
            return None;
        }
        serde_json::from_slice(&decoded(payload)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unsigned_object_is_read() {
        let object = |header: &str, payload: &str, signature: &str| {
            let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.{signature}", encoded(header), encoded(payload))
        };
        let payload = r#"{"response_mode": "form_post", "state": "s", "max_age": 1}"#;
        let none = r#"{"alg": "none"}"#;
        let read = RequestObject::read(&object(none, payload, "")).unwrap();
        assert_eq!(read.response_mode.as_deref(), Some("form_post"));
        assert_eq!((read.state.as_deref(), read.redirect_uri), (Some("s"), None));
        for other in [
            object(r#"{"alg": "RS256"}"#, payload, ""),
            object(none, payload, "AA"),
            object(none, r#"{"state": 1}"#, ""),
            object(none, "1", ""),
            format!("{}.", object(none, payload, "")),
            String::new(),
            "..".to_owned(),
        ] {
            assert_eq!(RequestObject::read(&other), None, "{other}");
        }
    }
}
