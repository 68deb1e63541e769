//! CSRF tokens: those of forms of our pages, and those that requests with a session carry in a header
//! (`docs/contracts/ibexa.md` §2.6).
//!
//! A token is a code over the session's record, whose id changes at every sign-in: what belonged to
//! the session before says nothing of the next one. Nothing is stored for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{constant_time_eq, random};

use crate::{Issuer, keys::Branch, session::browser::SignedIn};

/// Bytes of a code.
const CODE: usize = 32;
/// Characters of a token in a header at most.
const LONGEST: usize = 256;

impl Issuer {
    /// The token that forms of a signed-in page carry.
    #[must_use]
    pub fn csrf_token(&self, session: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.root().hmac(Branch::Csrf).code(session.as_bytes()))
    }

    /// Whether `token` is that of a form of this session's.
    #[must_use]
    pub fn csrf_matches(&self, session: &str, token: &str) -> bool {
        constant_time_eq(self.csrf_token(session).as_bytes(), token.as_bytes())
    }

    /// A token for the header of unsafe requests by this session. No two are the same text, so that
    /// nobody can guess it from the lengths of compressed answers; each is valid as long as the
    /// session is.
    #[must_use]
    pub fn masked_csrf_token(&self, session: &SignedIn) -> String {
        let mask = random::<CODE>();
        let masked = xor(&self.header_code(session), &mask);
        // How long the filler is tells nothing either.
        let filler = random::<24>();
        let length = 1 + usize::from(filler[0] % 24);
        let parts = [&filler[..length], &mask, &masked].map(|part| URL_SAFE_NO_PAD.encode(part));
        parts.join(".")
    }

    /// Whether `token` is one for the header of unsafe requests by this session.
    #[must_use]
    pub fn masked_csrf_matches(&self, session: &SignedIn, token: &str) -> bool {
        unmask(token).is_some_and(|code| constant_time_eq(&code, &self.header_code(session)))
    }

    /// One for http and another one for https, and none of them that of a form.
    fn header_code(&self, session: &SignedIn) -> [u8; CODE] {
        let scheme = self.address().issuer.split(':').next().unwrap_or_default();
        let message = format!("rest\0{scheme}\0{}", session.session);
        self.root().hmac(Branch::Csrf).code(message.as_bytes())
    }
}

/// The code behind the mask of `token`, of which the first part is filler.
fn unmask(token: &str) -> Option<[u8; CODE]> {
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let (Some(_), Some(mask), Some(masked), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let read =
        |part: &str| -> Option<[u8; CODE]> { URL_SAFE_NO_PAD.decode(part).ok()?.try_into().ok() };
    Some(xor(&read(mask)?, &read(masked)?))
}

fn xor(one: &[u8; CODE], other: &[u8; CODE]) -> [u8; CODE] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_parts_of_the_right_length_are_a_token() {
        let part = |byte: u8| URL_SAFE_NO_PAD.encode([byte; CODE]);
        let (mask, masked) = (part(0b1010), part(0b0110));
        assert_eq!(unmask(&format!("x.{mask}.{masked}")), Some([0b1100; CODE]));
        assert_eq!(unmask(&format!(".{mask}.{masked}")), Some([0b1100; CODE]));
        for bad in [
            String::new(),
            "..".to_owned(),
            format!("{mask}.{masked}"),
            format!("x.{mask}.{masked}."),
            format!("x.{mask}.{masked}A"),
            format!("x.{mask}."),
            format!("x.{mask}.AAAA"),
            format!("x.{mask}.{}", "*".repeat(43)),
            format!("{}.{mask}.{masked}", "x".repeat(LONGEST)),
        ] {
            assert_eq!(unmask(&bad), None, "{bad}");
        }
    }
}
