//! The `Authorization` header (RFC 9110 §11.6.2): the one parser of it, for guards, endpoints and
//! client authentication alike. What one of them would read and another would not, a credential
//! could be smuggled past (`docs/security-cases.md` row 32).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::Secret;

/// The credentials of one `Authorization` header.
pub enum Authorization<'a> {
    /// An access token (RFC 6750 §2.1).
    Bearer(&'a str),
    /// An access token that is bound to a key, of which a proof is sent besides (RFC 9449 §7.1).
    Dpop(&'a str),
    /// A name and a password (RFC 7617).
    Basic(BasicCredentials),
}

/// A name and a password, as they are sent. OAuth clients additionally form-encode both (RFC 6749
/// §2.3.1); client authentication decodes that.
pub struct BasicCredentials {
    /// All before the first colon.
    pub user_id: String,
    /// All after it, untrimmed.
    pub password: Secret,
}

/// An authentication scheme that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449.
    Dpop,
    /// RFC 7617.
    Basic,
}

/// Why a header that was sent contains no usable credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    /// There is more than one header.
    #[error("send one Authorization header")]
    Several,
    /// There is nothing in it.
    #[error("the Authorization header is empty")]
    Empty,
    /// What follows the scheme is not what the scheme takes.
    #[error("the credentials of the Authorization header are malformed")]
    Malformed(AuthScheme),
    /// Another scheme, or none.
    #[error("the Authorization header has none of the schemes Bearer, DPoP and Basic")]
    Unsupported,
}

impl<'a> Authorization<'a> {
    /// Reads the values of all `Authorization` headers of a request; `None` if there are none.
    ///
    /// The scheme may be in any case, and spaces follow it, at least one (RFC 9110 §11.4). A token
    /// is one `token68`, which is all that RFC 6750 calls a `b64token`, and nothing else.
    ///
    /// # Errors
    /// [`AuthorizationError`] if there are several, or the one does not read.
    pub fn read(
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, AuthorizationError> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => Self::read_one(value).map(Some),
            (Some(_), Some(_)) => Err(AuthorizationError::Several),
        }
    }

    fn read_one(value: &'a [u8]) -> Result<Self, AuthorizationError> {
        if value.is_empty() {
            return Err(AuthorizationError::Empty);
        }
        let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
        let (name, rest) = value.split_at(end);
        let scheme = AuthScheme::named(name).ok_or(AuthorizationError::Unsupported)?;
        let malformed = AuthorizationError::Malformed(scheme);
        let token = token68(rest).ok_or(malformed)?;
        Ok(match scheme {
            AuthScheme::Bearer => Self::Bearer(token),
            AuthScheme::Dpop => Self::Dpop(token),
            AuthScheme::Basic => Self::Basic(BasicCredentials::decode(token).ok_or(malformed)?),
        })
    }

    /// By which scheme they were sent.
    #[must_use]
    pub const fn scheme(&self) -> AuthScheme {
        match self {
            Self::Bearer(_) => AuthScheme::Bearer,
            Self::Dpop(_) => AuthScheme::Dpop,
            Self::Basic(_) => AuthScheme::Basic,
        }
    }
}

impl AuthScheme {
    fn named(name: &[u8]) -> Option<Self> {
        let names = [("bearer", Self::Bearer), ("dpop", Self::Dpop), ("basic", Self::Basic)];
        let known = |(known, _): &(&str, Self)| name.eq_ignore_ascii_case(known.as_bytes());
        names.into_iter().find(known).map(|(_, scheme)| scheme)
    }
}

impl BasicCredentials {
    /// Base64 with its padding, of UTF-8 with a colon. Control characters, which RFC 7617 has
    /// clients not send, are kept: no password is another one for the lack of its line end.
    fn decode(token: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(token).ok()?);
        let (user_id, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
        Some(Self { user_id: user_id.to_owned(), password: Secret::new(password.to_owned()) })
    }
}

/// The token behind the spaces that `rest` begins with; `=` may only be at its end.
fn token68(rest: &[u8]) -> Option<&str> {
    let token = std::str::from_utf8(rest).ok()?.trim_start_matches(' ');
    let unpadded = token.trim_end_matches('=');
    let inside = unpadded.bytes().all(|byte| TOKEN68[usize::from(byte)]);
    (!unpadded.is_empty() && inside).then_some(token)
}

/// The bytes that a `token68` consists of. A table, because the token of every request is checked
/// against it.
const TOKEN68: [bool; 256] = {
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

/// The scheme, and nothing of what is secret.
impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorization({:?})", self.scheme())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AuthScheme, Authorization, AuthorizationError};
    use AuthScheme::{Basic, Bearer, Dpop};
    use AuthorizationError::{Empty, Malformed, Several, Unsupported};

    type Read = Result<Option<(AuthScheme, String)>, AuthorizationError>;

    fn read(values: &[&[u8]]) -> Read {
        let text = |found: Authorization<'_>| match found {
            Authorization::Bearer(token) => (Bearer, token.to_owned()),
            Authorization::Dpop(token) => (Dpop, token.to_owned()),
            Authorization::Basic(basic) => {
                (Basic, format!("{} {}", basic.user_id, basic.password.expose()))
            }
        };
        Ok(Authorization::read(values.iter().copied())?.map(text))
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a read is compared with")]
    fn found(scheme: AuthScheme, text: &str) -> Read {
        Ok(Some((scheme, text.to_owned())))
    }

    #[test]
    fn a_token_is_one_token68_and_nothing_else() {
        for (value, expected) in [
            ("Bearer abc", found(Bearer, "abc")),
            ("bearer  a.b-c_d~e+f/g==", found(Bearer, "a.b-c_d~e+f/g==")),
            ("BEARER a", found(Bearer, "a")),
            ("dpop abc", found(Dpop, "abc")),
            ("DPoP", Err(Malformed(Dpop))),
            ("DPoP a,b", Err(Malformed(Dpop))),
            ("DPoP é", Err(Malformed(Dpop))),
            ("Bearer", Err(Malformed(Bearer))),
            ("Bearer ", Err(Malformed(Bearer))),
            ("Bearer =", Err(Malformed(Bearer))),
            ("Bearer a=b", Err(Malformed(Bearer))),
            ("Bearer a b", Err(Malformed(Bearer))),
            ("Bearer a ", Err(Malformed(Bearer))),
            ("Bearer \ta", Err(Malformed(Bearer))),
            ("Bearer a,", Err(Malformed(Bearer))),
            ("Bearer a, Bearer b", Err(Malformed(Bearer))),
            ("Bearer \"a\"", Err(Malformed(Bearer))),
            ("Bearer\tabc", Err(Unsupported)),
            ("Bearerabc", Err(Unsupported)),
            ("Bearer: abc", Err(Unsupported)),
            (" Bearer abc", Err(Unsupported)),
            ("x Bearer abc", Err(Unsupported)),
            ("abc", Err(Unsupported)),
            ("", Err(Empty)),
        ] {
            assert_eq!(read(&[value.as_bytes()]), expected, "{value:?}");
        }
        assert_eq!(read(&[b"Bearer a\xff"]), Err(Malformed(Bearer)));
    }

    /// RFC 7617 §2 and §2.1 have the first two.
    #[test]
    fn basic_is_base64_of_a_name_a_colon_and_a_password() {
        for (value, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", found(Basic, "Aladdin open sesame")),
            ("Basic dGVzdDoxMjPCow==", found(Basic, "test 123£")),
            ("basic  OmE6Yg==", found(Basic, " a:b")),
            ("Basic YTo=", found(Basic, "a ")),
            ("Basic YTo", Err(Malformed(Basic))),
            ("Basic YT=o", Err(Malformed(Basic))),
            ("Basic YTp=", Err(Malformed(Basic))),
            ("Basic YTo= ", Err(Malformed(Basic))),
            ("Basic YTo=, x", Err(Malformed(Basic))),
            ("Basic bm8gY29sb24=", Err(Malformed(Basic))),
            ("Basic YTr_", Err(Malformed(Basic))),
            ("Basic YTr/", Err(Malformed(Basic))),
            ("Basic", Err(Malformed(Basic))),
        ] {
            assert_eq!(read(&[value.as_bytes()]), expected, "{value:?}");
        }
    }

    #[test]
    fn there_is_one_header_or_none() {
        assert_eq!(read(&[]), Ok(None));
        for second in [&b""[..], b"Bearer a", b"Basic YTo="] {
            assert_eq!(read(&[b"Bearer a", second]), Err(Several));
            assert_eq!(read(&[second, b"Bearer a"]), Err(Several));
        }
    }

    #[test]
    fn what_is_secret_is_not_printed() {
        let bearer = Authorization::read([&b"Bearer abc"[..]]);
        assert_eq!(format!("{bearer:?}"), "Ok(Some(Authorization(Bearer)))");
    }

    proptest! {
        /// Compared with the grammar, implemented a second time.
        #[test]
        fn what_reads_is_in_the_grammar_and_the_other_way_round(
            value in "(bearer|Bearer|DPoP|bearer:|x)?[ \t]{0,2}[a+/_~.=, \té-]{0,6}"
        ) {
            let by_grammar = |value: &str| {
                let (name, rest) = value.split_once(' ')?;
                let scheme = match &*name.to_lowercase() {
                    "bearer" => Bearer,
                    "dpop" => Dpop,
                    _ => return None,
                };
                let token: String = rest.chars().skip_while(|c| *c == ' ').collect();
                let body: String = token.chars().take_while(|c| *c != '=').collect();
                let end = &token[body.len()..];
                let is_token = !body.is_empty()
                    && body.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c))
                    && end.chars().all(|c| c == '=');
                is_token.then_some((scheme, token))
            };
            prop_assert_eq!(read(&[value.as_bytes()]).ok().flatten(), by_grammar(&value));
        }

        #[test]
        fn every_name_and_password_arrives(user_id in "[^:]{0,12}", password in ".{0,12}") {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            let value = format!("bAsIc {}", STANDARD.encode(format!("{user_id}:{password}")));
            let expected = found(Basic, &format!("{user_id} {password}"));
            prop_assert_eq!(read(&[value.as_bytes()]), expected);
        }

        #[test]
        fn nothing_panics(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let with = |scheme: &[u8]| read(&[&[scheme, &value].concat()]);
            let _ = [with(b""), with(b"Basic "), with(b"Bearer ")];
        }
    }
}
