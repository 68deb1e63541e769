//! What comes in: the envelope and the credential, each read by one strict reader.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::{
    Caller, Credential, CredentialProblem, Envelope, Possession, Rules, Source, Verifier,
    layer::BoxError, media, response::RequestRefusal,
};

/// How a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestForm {
    /// In the URL.
    Get,
    /// As JSON, which no page sends to another origin unasked.
    Json,
    /// As a form.
    Form,
}

/// Reads the envelope of a request; bodies larger than the rules allow are not read to their end.
pub(crate) async fn read_envelope<B>(
    rules: &Rules,
    parts: &Parts,
    body: B,
) -> Result<(Envelope, RequestForm), RequestRefusal>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    if parts.headers.contains_key(header::UPGRADE) {
        return Err(bad("Subscriptions over sockets are not served here.", "UPGRADE_REFUSED"));
    }
    let (envelope, sent) = match parts.method {
        Method::GET => {
            (Envelope::from_pairs(pairs(parts.uri.query().unwrap_or_default())), RequestForm::Get)
        }
        Method::POST => {
            let sent = sent_as(rules, parts)?;
            let body = read_body(rules.limits.body_bytes, body).await?;
            let envelope = match sent {
                RequestForm::Form => Envelope::from_pairs(pairs(&String::from_utf8_lossy(&body))),
                _ if rules.forms => Envelope::from_json_with_texts(&body),
                _ => Envelope::from_json(&body),
            };
            (envelope, sent)
        }
        _ => {
            let message = "Send GraphQL by POST; queries also by GET.";
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(RequestRefusal::new(status, message, "METHOD_NOT_ALLOWED"));
        }
    };
    Ok((envelope.map_err(|error| bad(&error.to_string(), "BAD_REQUEST"))?, sent))
}

/// How the body of a POST is written.
fn sent_as(rules: &Rules, parts: &Parts) -> Result<RequestForm, RequestRefusal> {
    if media::is_sent_as(media::JSON, &parts.headers) {
        return Ok(RequestForm::Json);
    }
    if rules.forms && media::is_sent_as(media::FORM, &parts.headers) {
        return Ok(RequestForm::Form);
    }
    let message = if rules.forms {
        "Send one JSON object as application/json, or application/x-www-form-urlencoded, in UTF-8 \
         and uncompressed; multipart and plain text are not read here."
    } else {
        "Send one JSON object as application/json in UTF-8, uncompressed; forms, multipart and \
         plain text are not read here."
    };
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(RequestRefusal::new(status, message, "UNSUPPORTED_MEDIA_TYPE"))
}

/// Whether a page of another origin could have made a browser send this: then it changes nothing
/// (`docs/security-cases.md` row 38). Before a form with `Authorization` the browser asks us.
pub(crate) fn is_csrf_unsafe(sent: RequestForm, parts: &Parts) -> bool {
    match sent {
        RequestForm::Get => true,
        RequestForm::Form => !parts.headers.contains_key(header::AUTHORIZATION),
        RequestForm::Json => false,
    }
}

async fn read_body<B>(limit: usize, body: B) -> Result<Bytes, RequestRefusal>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body is larger than {limit} bytes.");
            Err(RequestRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, &message, "TOO_LARGE"))
        }
        Err(_) => Err(bad("The body broke off.", "BAD_REQUEST")),
    }
}

fn bad(message: &str, code: &str) -> RequestRefusal {
    RequestRefusal::new(StatusCode::BAD_REQUEST, message, code)
}

const DPOP: HeaderName = HeaderName::from_static("dpop");
const X_JWT_AUD: HeaderName = HeaderName::from_static("x-jwt-aud");

/// Who calls, and how they said so.
pub(crate) struct PresentedCredential {
    pub(crate) caller: Caller,
    pub(crate) scheme: Scheme,
}

fn several() -> RequestRefusal {
    bad("Send one credential, in one Authorization header.", "SEVERAL_CREDENTIALS")
}

/// Who calls. One credential at most, read by one strict parser (`docs/security-cases.md` row 32).
pub(crate) async fn find_caller(
    verifier: &dyn Verifier,
    parts: &Parts,
) -> Result<PresentedCredential, RequestRefusal> {
    let query = parts.uri.query().unwrap_or_default();
    let in_query = pairs(query).any(|(name, _)| name == "access_token");
    let mut headers = parts.headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (headers.next(), headers.next());
    if second.is_some() || (in_query && first.is_some()) {
        return Err(several());
    }
    let by_bearer = |caller| Ok(PresentedCredential { caller, scheme: Scheme::Bearer });
    let Some(value) = first else {
        if let (Some(caller), false) = (parts.extensions.get::<Caller>(), in_query) {
            return by_bearer(caller.clone());
        }
        // A token in the URL is no credential, but it was meant as one.
        return by_bearer(if in_query { Caller::invalid() } else { Caller::NOBODY });
    };
    if value.is_empty() {
        return by_bearer(Caller::NOBODY);
    }
    let scheme = Scheme::of(value);
    let caller = match value.to_str().ok().and_then(token) {
        Some(bearer) => check(verifier, parts, scheme, bearer).await?,
        None => Caller::invalid(),
    };
    Ok(PresentedCredential { caller, scheme })
}

/// What `verifier` says of the token `bearer`, and of what came with it.
async fn check(
    verifier: &dyn Verifier,
    parts: &Parts,
    scheme: Scheme,
    bearer: &str,
) -> Result<Caller, RequestRefusal> {
    let possession = match scheme {
        Scheme::Bearer => None,
        Scheme::Dpop => {
            let mut proofs = parts.headers.get_all(DPOP).iter();
            let (Some(Ok(proof)), None) = (proofs.next().map(HeaderValue::to_str), proofs.next())
            else {
                return Ok(Caller::tainted(CredentialProblem::ProofInvalid));
            };
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            Some(Possession { proof, method, path })
        }
    };
    let mut audiences = parts.headers.get_all(X_JWT_AUD).iter();
    let audience = match (audiences.next(), audiences.next()) {
        (None, _) => None,
        (Some(value), None) => match value.to_str() {
            Ok(text) => Some(text),
            Err(_) => return Ok(Caller::invalid()),
        },
        (Some(_), Some(_)) => return Err(several()),
    };
    let source = parts.extensions.get::<Source>().map(|source| source.0);
    verifier.verify(&Credential { bearer, possession, audience, source }).await.map_err(
        |unavailable| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            RequestRefusal::new(status, &unavailable.to_string(), "UNAVAILABLE")
        },
    )
}

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
}

impl Scheme {
    /// By its name alone, whatever follows: who uses it is answered in it. All others are answered
    /// as bearers.
    fn of(value: &HeaderValue) -> Self {
        let name = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"dpop") { Self::Dpop } else { Self::Bearer }
    }
}

/// The token of an `Authorization` value: the scheme in any case, blanks, one `b64token`
/// (RFC 6750 §2.1), whose `=` stand at its end.
fn token(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    let token = rest.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let known = ["bearer", "dpop"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let inside = unpadded.bytes().all(|byte| B64TOKEN[usize::from(byte)]);
    (known && !unpadded.is_empty() && inside).then_some(token)
}

/// Which bytes a `b64token` is made of. A table, because every request's token is held against it.
const B64TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = matches!(
            byte,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b'/' | b'_' | b'~' | b'+'
        );
        byte += 1;
    }
    table
};

/// Decoded pairs of a URL query, `+` read as a blank.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1..at + 3).and_then(hex_pair)) {
            (b'%', Some(decoded)) => {
                out.push(decoded);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Two hexadecimal digits; no sign, which `from_str_radix` alone would take.
fn hex_pair(two: &[u8]) -> Option<u8> {
    let digits = two.iter().all(u8::is_ascii_hexdigit).then_some(two)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_value_is_one_token_and_nothing_else() {
        for (value, read) in [
            ("Bearer abc", Some("abc")),
            ("bearer  a.b-c_d~e+f/g==", Some("a.b-c_d~e+f/g==")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer =", None),
            ("Bearer a=b", None),
            ("Bearer a b", None),
            ("Bearer a,b", None),
            ("Bearer\tabc", None),
            ("Bearerabc", None),
            ("abc", None),
            ("Basic abc", None),
        ] {
            assert_eq!(token(value), read, "{value:?}");
            assert_eq!(Scheme::of(&HeaderValue::from_static(value)), Scheme::Bearer, "{value:?}");
        }
    }

    #[test]
    fn a_bound_token_is_sent_by_a_scheme_of_its_own() {
        for (value, read) in [("dpop abc", Some("abc")), ("DPoP", None), ("DPoP a,b", None)] {
            assert_eq!(token(value), read, "{value:?}");
            assert_eq!(Scheme::of(&HeaderValue::from_static(value)), Scheme::Dpop, "{value:?}");
        }
    }

    #[test]
    fn percent_signs_take_two_digits_and_no_sign() {
        for (text, decoded) in [
            ("%41+b", "A b"),
            ("%+f", "% f"),
            ("%-1", "%-1"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%c3%a9", "é"),
            ("é%", "é%"),
        ] {
            assert_eq!(percent_decode(text), decoded, "{text:?}");
        }
    }
}
