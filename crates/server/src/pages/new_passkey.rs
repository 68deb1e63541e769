//! Makes a passkey.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// A form that a script fills: it asks an authenticator, and sends its answer as `response`, with
/// `csrf` and `state`, to `/account/passkeys`.
#[derive(Template)]
#[template(path = "new_passkey.html")]
pub(crate) struct NewPasskeyPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// Ties the answer to this browser.
    pub(crate) csrf: &'a str,
    /// Comes back unchanged with the form.
    pub(crate) state: &'a str,
    /// What the authenticator is asked, as JSON.
    pub(crate) options: &'a str,
}

impl Page for NewPasskeyPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let options = "{\"challenge\":\"AAAA\",\"user\":{\"id\":\"AAAA\"}}";
        let first = || Self { frame: frame.clone(), csrf: "c5rf", state: "st4te", options };
        let hostile =
            Self { frame: frame.of(HOSTILE), csrf: HOSTILE, state: HOSTILE, options: HOSTILE };
        vec![("first", first()), ("hostile", hostile)]
    }
}
