//! A person forgot their password.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// Asks who; posts `username` to `/auth/forgot-password`.
#[derive(Template)]
#[template(path = "forgot.html")]
pub(crate) struct ForgotPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl Page for ForgotPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self { frame: frame.clone(), problem: None };
        vec![
            ("first", first()),
            ("wrong", Self { problem: Some("Enter your username or e-mail."), ..first() }),
            ("hostile", Self { frame: frame.of(HOSTILE), problem: Some(HOSTILE) }),
        ]
    }
}
