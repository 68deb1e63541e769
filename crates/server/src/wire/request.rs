//! What comes in beside GraphQL: bodies of OAuth requests, a form or a JSON object with each
//! parameter once, and cookies.

use std::net::IpAddr;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest as _, Multipart},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, Uri, header},
};
use castellan_gate::Source;
use castellan_issuer::{
    client_auth::BasicAuth,
    error::{OAuthError, ProofError},
    request::{params::Params, source},
    tokens::dpop::Proof,
};
use castellan_proto::{
    Authorization, AuthorizationError, BasicCredentials, Opaque, OpaqueKind, Secret,
};
use http_body_util::LengthLimitError;

/// Bytes of a query that are carried on: what proxies take of all headers without being told
/// otherwise, less the rest of the address and the other headers.
pub(crate) const LONGEST_QUERY: usize = 4_096 - 16 - 768;

/// Bytes of a body at most.
const MOST: usize = 64 * 1024;

/// How much `headers` want the type `media`, by its own name, from 0 to 1; 0 if they do not name it
/// or refuse it (RFC 9110 §12.4.2).
pub(crate) fn wants(headers: &HeaderMap, media: &str) -> f32 {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let weights = lines.flat_map(|line| line.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(media))?;
        let weight = parts.find_map(|parameter| {
            let (name, weight) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then_some(weight.trim())
        });
        weight.map_or(Some(1.0), |weight| weight.parse().ok())
    });
    weights.filter(|weight| (0.0..=1.0).contains(weight)).fold(0.0, f32::max)
}

/// What a client sent to the token endpoint and those beside it.
pub(crate) struct ClientRequest {
    /// The parameters of the body.
    pub(crate) params: Params,
    /// The decoded `Authorization: Basic`, if there is one.
    pub(crate) basic: Option<BasicAuth>,
    /// The header `DPoP`, if there is one (RFC 9449 §4.1).
    pub(crate) dpop: Option<String>,
}

impl ClientRequest {
    /// The `client_id` that it names, proven or not.
    pub(crate) fn client(&self) -> Option<String> {
        let named = self.basic.as_ref().map(|basic| basic.client_id.clone());
        named.or_else(|| self.params.get("client_id").map(ToOwned::to_owned))
    }

    /// What it shows of a key, as a POST to `url`.
    pub(crate) fn proof<'a>(&'a self, url: &'a str) -> Option<Proof<'a>> {
        self.dpop.as_deref().map(|jws| Proof { jws, method: "POST", url })
    }

    /// Reads a form or a JSON object.
    ///
    /// # Errors
    /// [`OAuthError`] if it is neither, or contains a parameter twice, or if a secret is in the URL.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, OAuthError> {
        check_url(request.uri())?;
        let basic = basic(request.headers())?;
        let dpop = dpop(request.headers())?.map(ToOwned::to_owned);
        let source = source(request.extensions());
        let params = match media_type(request.headers()).as_deref() {
            Some("application/x-www-form-urlencoded") => form(&whole(request).await?)?,
            Some("application/json") => json(&whole(request).await?)?,
            _ => return Err(OAuthError::Unreadable),
        };
        Ok(Self { params: params.from_source(source), basic, dpop })
    }

    /// The same, or a multipart form, which some contracts have.
    ///
    /// # Errors
    /// [`OAuthError`] if it is none of them, or contains a parameter twice.
    pub(crate) async fn read_multipart_too(request: Request<Body>) -> Result<Self, OAuthError> {
        if media_type(request.headers()).as_deref() != Some("multipart/form-data") {
            return Self::read(request).await;
        }
        check_url(request.uri())?;
        let basic = basic(request.headers())?;
        let dpop = dpop(request.headers())?.map(ToOwned::to_owned);
        let source = source(request.extensions());
        let pairs = multipart(request).await.ok_or(OAuthError::Unreadable)?;
        Ok(Self { params: Params::from_pairs(pairs)?.from_source(source), basic, dpop })
    }
}

/// Parameters that nobody else may read: logs and proxies on the way have the URL.
const SECRETS: [&str; 11] = [
    "client_secret",
    "client_assertion",
    "password",
    "code",
    "code_verifier",
    "device_code",
    "refresh_token",
    "assertion",
    "subject_token",
    "actor_token",
    "token",
];

/// Refuses a request whose URL has a secret in it (RFC 6749 §2.3.1).
fn check_url(url: &Uri) -> Result<(), OAuthError> {
    let query = url.query().unwrap_or_default();
    let mut names = url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let told = names.find_map(|name| SECRETS.into_iter().find(|secret| *secret == name));
    told.map_or(Ok(()), |name| Err(OAuthError::SecretInUrl(name)))
}

/// The name of the cookie that marks a browser of a site that is reached by https or not.
pub(crate) const fn mark_cookie(https: bool) -> &'static str {
    if https { "__Host-castellan_browser" } else { "castellan_browser" }
}

/// The mark of the browser that sent `headers` to the site of `issuer`, if it has one.
pub(crate) fn mark(headers: &HeaderMap, issuer: &str) -> Option<Opaque> {
    let mark = cookie(headers, mark_cookie(issuer.starts_with("https://")))?;
    Opaque::read(OpaqueKind::Browser, mark)
}

/// The header with the CSRF token of a session (`docs/contracts/ibexa.md` §2.6).
pub(crate) const CSRF_TOKEN: &str = "x-csrf-token";

/// The session cookie's name, which `docs/contracts/aidbox.md` §4.2 sets.
pub(crate) const SESSION: &str = "ASID";

/// The value of the cookie `name`; none if it came more than once, which no browser does.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// The trusted proxy that a request came through without a client address, or with one that cannot
/// be parsed.
#[derive(Clone, Copy)]
pub(crate) struct UnknownBehind(pub(crate) IpAddr);

/// From where a request came, as far as is known.
pub(crate) fn source(extensions: &Extensions) -> Option<source::Source> {
    let address = extensions.get::<Source>().map(|source| source::Source::Address(source.0));
    let behind = || extensions.get::<UnknownBehind>().map(|proxy| source::Source::Behind(proxy.0));
    address.or_else(behind)
}

/// Whether the content type of the body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).as_deref() == Some("application/x-www-form-urlencoded")
}

/// Whether the content type of the body is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).as_deref() == Some("application/json")
}

/// The pairs of a form that a browser sent.
///
/// # Errors
/// [`OAuthError`] if it is not a form, or contains a parameter twice.
pub(crate) async fn read_form(request: Request<Body>) -> Result<Params, OAuthError> {
    match media_type(request.headers()).as_deref() {
        Some("application/x-www-form-urlencoded") => form(&whole(request).await?),
        _ => Err(OAuthError::Unreadable),
    }
}

/// The texts of a multipart form; `None` if it is not one.
pub(crate) async fn multipart(request: Request<Body>) -> Option<Vec<(String, String)>> {
    if is_too_long(request.body(), MOST) {
        return None;
    }
    let limited = request.map(|body| Body::new(http_body_util::Limited::new(body, MOST)));
    let mut form = Multipart::from_request(limited, &()).await.ok()?;
    let mut pairs = Vec::new();
    while let Some(field) = form.next_field().await.ok()? {
        let name = field.name()?.to_owned();
        // Not `text`, which would accept other charsets and replace invalid bytes.
        pairs.push((name, String::from_utf8(field.bytes().await.ok()?.into()).ok()?));
    }
    Some(pairs)
}

/// Whether `body` says that it is longer than `most` bytes. Such a one is refused before it is asked
/// for: clients may wait for that with `Expect: 100-continue`.
pub(crate) fn is_too_long(body: &Body, most: usize) -> bool {
    http_body::Body::size_hint(body).lower() > most as u64
}

pub(crate) async fn whole(request: Request<Body>) -> Result<Bytes, OAuthError> {
    if is_too_long(request.body(), MOST) {
        return Err(OAuthError::TooLarge(MOST));
    }
    to_bytes(request.into_body(), MOST).await.map_err(|error| {
        let is_too_large = error.into_inner().is::<LengthLimitError>();
        if is_too_large { OAuthError::TooLarge(MOST) } else { OAuthError::Unreadable }
    })
}

/// The parameters of a URL query.
pub(crate) fn query(text: Option<&str>) -> Result<Params, OAuthError> {
    form(&Bytes::copy_from_slice(text.unwrap_or_default().as_bytes()))
}

/// The pairs of a URL query where a name may come several times.
pub(crate) fn query_pairs(text: Option<&str>) -> Result<Vec<(String, String)>, OAuthError> {
    pairs(text.unwrap_or_default().as_bytes())
}

fn form(body: &Bytes) -> Result<Params, OAuthError> {
    Ok(Params::from_pairs(pairs(body)?)?)
}

fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, OAuthError> {
    let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    parts.map(pair).collect::<Option<_>>().ok_or(OAuthError::Unreadable)
}

/// One pair of a form; `None` if it is not valid text.
fn pair(part: &[u8]) -> Option<(String, String)> {
    if part.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        let (name, value) = url::form_urlencoded::parse(part).into_owned().next()?;
        // The character that replaces invalid bytes.
        let odd = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
        return (!odd(&name) && !odd(&value)).then_some((name, value));
    }
    // As nearly all are, tokens among them: there is nothing to decode.
    let text = std::str::from_utf8(part).ok()?;
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    Some((name.to_owned(), value.to_owned()))
}

fn json(body: &Bytes) -> Result<Params, OAuthError> {
    let Pairs(pairs) = serde_json::from_slice(body).map_err(|_| OAuthError::Unreadable)?;
    Ok(Params::from_pairs(pairs)?)
}

/// The members of a JSON object, all texts, doubles included so that they can be refused.
struct Pairs(Vec<(String, String)>);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    pairs.push((name, value.unwrap_or_default()));
                }
                Ok(Pairs(pairs))
            }
        }

        from.deserialize_map(Visitor)
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// The proof of possession in `headers` (RFC 9449 §4.1).
///
/// # Errors
/// [`OAuthError::Proof`] if there are several, or it is not valid text.
pub(crate) fn dpop(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let mut values = headers.get_all(DPOP).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let unreadable = OAuthError::Proof(ProofError::Invalid("is not a signed JWT"));
            value.to_str().map(Some).map_err(|_| unreadable)
        }
        (Some(_), Some(_)) => {
            Err(OAuthError::Proof(ProofError::Invalid("was sent more than once")))
        }
    }
}

/// The header of proofs.
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The content of the one `Authorization` header; `None` without one.
pub(crate) fn authorization(
    headers: &HeaderMap,
) -> Result<Option<Authorization<'_>>, AuthorizationError> {
    let values = headers.get_all(header::AUTHORIZATION).iter();
    Authorization::read(values.map(HeaderValue::as_bytes))
}

/// `Authorization: Basic`, its halves form-decoded (RFC 6749 §2.3.1). Another scheme is not client
/// authentication; a value that cannot be parsed is refused.
fn basic(headers: &HeaderMap) -> Result<Option<BasicAuth>, OAuthError> {
    match authorization(headers) {
        Ok(None) => Ok(None),
        Ok(Some(Authorization::Basic(shown))) => Ok(Some(client_of(&shown))),
        Err(AuthorizationError::Several) => Err(OAuthError::TwoProofs),
        _ => Err(OAuthError::InvalidClient { basic: true }),
    }
}

/// The client and the secret that `shown` names, form-decoded (RFC 6749 §2.3.1).
pub(crate) fn client_of(shown: &BasicCredentials) -> BasicAuth {
    BasicAuth {
        client_id: form_decoded(&shown.user_id),
        secret: Secret::new(form_decoded(shown.password.expose())),
    }
}

fn form_decoded(text: &str) -> String {
    let blanks = text.replace('+', " ");
    percent_encoding::percent_decode_str(&blanks).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_json_body_is_an_object_of_texts_each_once() {
        let read = |text: &'static str| json(&Bytes::from_static(text.as_bytes()));
        assert_eq!(read(r#"{"a":"1","b":null}"#).ok().unwrap().get("a"), Some("1"));
        for bad in ["", "[]", r#"{"a":1}"#, r#"{"a":{}}"#, r#"{"a":"1""#] {
            assert!(matches!(read(bad), Err(OAuthError::Unreadable)), "{bad}");
        }
        assert!(matches!(read(r#"{"a":"1","a":"1"}"#), Err(OAuthError::Repeated(_))));
    }

    #[test]
    fn basic_is_form_decoded_and_never_trimmed() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("basic {}", STANDARD.encode(text));
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
            basic(&headers)
                .ok()
                .flatten()
                .map(|basic| (basic.client_id, basic.secret.expose().to_owned()))
        };
        assert_eq!(read("a%20b:c+d%3A"), Some(("a b".to_owned(), "c d:".to_owned())));
        assert_eq!(read("basic:secret\n"), Some(("basic".to_owned(), "secret\n".to_owned())));
        assert_eq!(read("no colon"), None);
    }

    proptest! {
        #[test]
        fn forms_are_read_as_their_library_reads_them(body in "[ab=&%+2é]{0,24}") {
            let theirs: Vec<(String, String)> =
                url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let odd = |text: &String| text.contains(char::REPLACEMENT_CHARACTER);
            let ours = form(&Bytes::from(body));
            if theirs.iter().any(|(name, value)| odd(name) || odd(value)) {
                prop_assert!(matches!(ours, Err(OAuthError::Unreadable)));
            } else if let Ok(ours) = ours {
                let theirs = theirs.iter().map(|(name, value)| (&**name, &**value));
                prop_assert!(ours.pairs().eq(theirs));
            } else {
                prop_assert!(Params::from_pairs(theirs).is_err());
            }
        }

        #[test]
        fn bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let body = Bytes::from(body);
            let _ = form(&body);
            let _ = json(&body);
        }
    }
}
