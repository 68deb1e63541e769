//! Carries an answer to an app in the body of a request (OAuth 2.0 Form Post Response Mode).

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// A form that sends itself, or by its button where no script runs.
#[derive(Template)]
#[template(path = "form_post.html")]
pub(crate) struct FormPostPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// Where it goes: an address that the app has registered.
    pub(crate) action: &'a str,
    /// The host of that, for the person.
    pub(crate) host: &'a str,
    /// The fields of the form.
    pub(crate) fields: &'a [(String, String)],
}

impl Page for FormPostPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self {
            frame: frame.clone(),
            action: "https://app.choir.example/cb",
            host: "app.choir.example",
            fields: &[],
        };
        let hostile = Self { frame: frame.of(HOSTILE), action: HOSTILE, host: HOSTILE, ..first() };
        vec![("first", first()), ("hostile", hostile)]
    }
}
