//! The opening handshake of a WebSocket (RFC 6455 §4): what of it passes the gate, in either direction.
//! Of what comes after it, the gate sees nothing.

use std::sync::{Arc, Mutex, PoisonError};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header,
    request::Parts,
};

use super::refusal::RestRefusal;
use crate::Ended;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE: HeaderValue = HeaderValue::from_static("Upgrade");

/// What the client says to the API by it.
const ASKED: [HeaderName; 4] = [
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// The handshake of one request.
pub(super) struct Handshake(Vec<(HeaderName, HeaderValue)>);

/// Among the extensions of a response with status 101: the gate has let the WebSocket pass. The host of
/// the gate carries what is said, until this is ready.
#[derive(Clone)]
pub struct Opened(Arc<Mutex<Option<Ended>>>);

impl Opened {
    pub(super) fn new(ended: Option<Ended>) -> Self {
        Self(Arc::new(Mutex::new(ended)))
    }

    /// Is ready once the caller may say nothing more; `None` if nobody is watched, or this was taken.
    #[must_use]
    pub fn take(&self) -> Option<Ended> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether the head `parts` asks to change to another protocol.
pub(super) fn is_asked_for(parts: &Parts) -> bool {
    parts.headers.contains_key(header::UPGRADE)
}

impl Handshake {
    /// Reads it from `parts`, strictly (RFC 6455 §4.2.1).
    #[expect(clippy::result_large_err, reason = "it is handed on, and made once")]
    pub(super) fn read(parts: &Parts) -> Result<Self, RestRefusal> {
        let headers = &parts.headers;
        let bad =
            |detail| Err(RestRefusal::new(StatusCode::BAD_REQUEST, "websocket_handshake", detail));
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return bad("A WebSocket is opened by GET, in HTTP/1.1.");
        }
        if !is_only(headers, &header::UPGRADE, "websocket") {
            return bad("Upgrade has to be websocket, and nothing else.");
        }
        let options = headers.get_all(header::CONNECTION).iter();
        let mut options =
            options.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        if !options.any(|option| option.trim().eq_ignore_ascii_case("upgrade")) {
            return bad("Connection has to contain Upgrade.");
        }
        if !is_only(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
            return bad("Sec-WebSocket-Version has to be 13.");
        }
        let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
        let is_key = match (keys.next(), keys.next()) {
            (Some(key), None) => is_key(key.as_bytes()),
            _ => false,
        };
        if !is_key {
            return bad("Sec-WebSocket-Key has to be 16 bytes in base64.");
        }
        let has_body = headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if has_body {
            return bad("The request that opens a WebSocket has no body.");
        }
        let values = |name: HeaderName| {
            headers.get_all(&name).iter().map(move |value| (name.clone(), value.clone()))
        };
        Ok(Self(ASKED.into_iter().flat_map(values).collect()))
    }

    /// Says it to the API.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.insert(header::CONNECTION, UPGRADE);
        headers.insert(header::UPGRADE, WEBSOCKET);
        for (name, value) in self.0 {
            headers.append(name, value);
        }
    }
}

/// Whether the API has changed to a WebSocket, as it was asked to.
pub(super) fn is_open<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && is_only(response.headers(), &header::UPGRADE, "websocket")
        && response.headers().contains_key(header::SEC_WEBSOCKET_ACCEPT)
}

/// Says to the client that the API has.
pub(super) fn say_open(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, UPGRADE);
    headers.insert(header::UPGRADE, WEBSOCKET);
}

fn is_only(headers: &HeaderMap, name: &HeaderName, expected: &str) -> bool {
    let mut values = headers.get_all(name).iter();
    let first = values.next().and_then(|value| value.to_str().ok());
    first.is_some_and(|value| value.trim().eq_ignore_ascii_case(expected))
        && values.next().is_none()
}

/// Whether `key` is 16 bytes in base64 (RFC 4648 §4): 22 digits, of which the last has four bits that
/// are zero, and two signs that fill up.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    match key.strip_suffix(b"==") {
        Some(digits) => {
            digits.len() == 22
                && digits.iter().all(is_digit)
                && digits.last().is_some_and(|last| b"AQgw".contains(last))
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// What is made of a good handshake with these changes; the status of the refusal otherwise.
    fn read(change: &[(&str, Option<&str>)]) -> Result<Handshake, StatusCode> {
        let mut request = Request::get("/x").body(()).unwrap();
        let headers = request.headers_mut();
        for (name, value) in GOOD {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in change {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            match value {
                Some(value) => _ = headers.append(name, HeaderValue::from_str(value).unwrap()),
                None => _ = headers.remove(name),
            }
        }
        Handshake::read(&request.into_parts().0).map_err(|refusal| refusal.status)
    }

    #[test]
    fn a_handshake_is_read_strictly() {
        let protocol = [("sec-websocket-protocol", Some("chat"))];
        let asked = read(&protocol).unwrap_or_else(|_| panic!("it is good"));
        let mut headers = HeaderMap::new();
        asked.write(&mut headers);
        assert_eq!(headers.len(), 5);
        assert_eq!(headers["sec-websocket-protocol"], "chat");
        for bad in [
            [("upgrade", None), ("upgrade", Some("h2c"))],
            [("upgrade", Some("h2c")), ("x", Some("y"))],
            [("connection", None), ("connection", Some("keep-alive"))],
            [("sec-websocket-version", None), ("sec-websocket-version", Some("8"))],
            [("sec-websocket-version", Some("13")), ("x", Some("y"))],
            [("sec-websocket-key", None), ("x", Some("y"))],
            [("sec-websocket-key", None), ("sec-websocket-key", Some("dGhlIHNhbXBsZQ=="))],
            [("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZQ==")), ("x", Some("y"))],
            [("content-length", Some("3")), ("x", Some("y"))],
            [("transfer-encoding", Some("chunked")), ("x", Some("y"))],
        ] {
            assert_eq!(read(&bad).err(), Some(StatusCode::BAD_REQUEST), "{bad:?}");
        }
    }
}
