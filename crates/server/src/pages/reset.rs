//! A new password through a link.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// New password; posts `token`, `password` and `password_again` to `/auth/reset-password`.
///
/// The browser asks for a long password; the server decides.
#[derive(Template)]
#[template(path = "reset.html")]
pub(crate) struct ResetPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// Proof of having the link; comes back unchanged with the form.
    pub(crate) token: &'a str,
    /// Characters that the password has at least.
    pub(crate) password_min_length: usize,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl Page for ResetPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self {
            frame: frame.clone(),
            token: "t0ken",
            password_min_length: 12,
            problem: None,
        };
        vec![
            ("first", first()),
            ("wrong", Self { problem: Some("The passwords do not match."), ..first() }),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    token: HOSTILE,
                    problem: Some(HOSTILE),
                    ..first()
                },
            ),
        ]
    }
}
