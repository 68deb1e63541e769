//! Says that an app's request goes no further, where nobody vouches for the app.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// An error, and a way to the app that the person takes only by themselves.
#[derive(Template)]
#[template(path = "withheld.html")]
pub(crate) struct WithheldPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// The host of the app.
    pub(crate) host: &'a str,
    /// What a developer wants to see.
    pub(crate) detail: &'a str,
    /// Where the app reads of the error.
    pub(crate) address: &'a str,
    /// What is carried there in a form; without it, a link leads there.
    pub(crate) fields: Option<&'a [(String, String)]>,
}

impl Page for WithheldPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let link = || Self {
            frame: frame.clone(),
            host: "app.choir.example",
            detail: "the user denied access",
            address: "https://app.choir.example/cb?error=access_denied",
            fields: None,
        };
        let hostile = Self { frame: frame.of(HOSTILE), host: HOSTILE, detail: HOSTILE, ..link() };
        vec![("link", link()), ("form", Self { fields: Some(&[]), ..link() }), ("hostile", hostile)]
    }
}
