//! What comes in: the envelope of a request, read by one strict reader.

use bytes::Bytes;
use http::{Method, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::{Envelope, EnvelopeError, Rules, context::BoxError, media, response::RequestRefusal};

/// How a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestForm {
    /// The document in the URL.
    Get,
    /// As JSON, which no page sends to another origin unasked.
    Json,
    /// The document in a form.
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
        return Err(RequestRefusal::bad_request(
            "Subscriptions over WebSocket are not supported.",
            "UPGRADE_REFUSED",
        ));
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
    Ok((envelope.map_err(|error| refuse(&error))?, sent))
}

fn refuse(error: &EnvelopeError) -> RequestRefusal {
    let message = error.to_string();
    if *error == EnvelopeError::HashOnly {
        // 200, as with Apollo Server: a client that is refused by status may not read why.
        return RequestRefusal::new(StatusCode::OK, &message, "PERSISTED_QUERY_NOT_SUPPORTED");
    }
    RequestRefusal::bad_request(&message, "BAD_REQUEST")
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
         and uncompressed; multipart and plain text are not supported."
    } else {
        "Send one JSON object as application/json in UTF-8, uncompressed; forms, multipart and \
         plain text are not supported."
    };
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(RequestRefusal::new(status, message, "UNSUPPORTED_MEDIA_TYPE"))
}

/// Whether a page of another origin could have made a browser send this: then it may not change
/// anything (`docs/security-cases.md` row 38). A form with `Authorization` requires a preflight.
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
    let too_large = || {
        let message = format!("The body is larger than {limit} bytes.");
        Err(RequestRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, &message, "TOO_LARGE"))
    };
    // Before it is asked for: a client may wait for that with `Expect: 100-continue`.
    if body.size_hint().lower() > limit as u64 {
        return too_large();
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => too_large(),
        Err(_) => Err(RequestRefusal::bad_request("The body was cut off.", "BAD_REQUEST")),
    }
}

/// Decoded pairs of a URL query, `+` read as a blank.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name), percent_decode(value))
    })
}

/// Whether a query has the parameter `access_token` (RFC 6750 §2.3), in a spelling that some server
/// takes for it: PHP reads blanks, dots and brackets in names as underscores and drops blanks before
/// them, others cut a name at a bracket, and some also separate pairs by semicolons.
pub(crate) fn has_access_token(query: &str) -> bool {
    let is_it = |name: &str| {
        let folded: String = name
            .trim()
            .chars()
            .map(|c| {
                if matches!(c, '.' | ' ' | '[' | ']' | '-') { '_' } else { c.to_ascii_lowercase() }
            })
            .collect();
        folded.trim_matches('_') == "access_token"
    };
    query.split(';').flat_map(pairs).any(|(name, _)| {
        let whole = name.as_str();
        // What is in brackets is a key of a list or a map of that name.
        let outer = whole.find('[').filter(|at| *at > 0).map_or(whole, |at| &whole[..at]);
        is_it(whole) || is_it(outer)
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

/// Two hexadecimal digits, without the sign that `from_str_radix` alone would accept.
fn hex_pair(two: &[u8]) -> Option<u8> {
    let digits = two.iter().all(u8::is_ascii_hexdigit).then_some(two)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn case_32_a_token_in_the_query_is_seen_in_every_spelling() {
        for query in [
            "access_token=x",
            "a=b&access_token",
            "access%5ftoken=x",
            "access.token=x",
            "access+token=x",
            "+access_token=x",
            "access_token.=x",
            "access_token%20=x",
            "access_token[=x",
            "access[token=x",
            "access_token[]=x",
            "access_token%5B0%5D=x",
            "Access_Token=x",
            "a=b;access_token=x",
        ] {
            assert!(has_access_token(query), "{query}");
        }
        for query in
            ["", "a=access_token", "my_access_token=x", "access_tokens=x", "filter[access_token]=x"]
        {
            assert!(!has_access_token(query), "{query}");
        }
    }
}
