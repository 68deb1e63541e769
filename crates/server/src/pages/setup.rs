//! Makes the first administrator.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// First setup; posts `token`, `username`, `password` and `password_again` to `/auth/setup`.
///
/// The browser asks for a long password; the server decides.
#[derive(Template)]
#[template(path = "setup.html")]
pub(crate) struct SetupPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// Proof of having started the server; comes back unchanged with the form.
    pub(crate) token: &'a str,
    /// Fills the user name in: a proposal, or what was typed last time.
    pub(crate) user_name: &'a str,
    /// Characters that the password has at least.
    pub(crate) password_min_length: usize,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl Page for SetupPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self {
            frame: frame.clone(),
            token: "t0ken",
            user_name: "admin",
            password_min_length: 12,
            problem: None,
        };
        vec![
            ("first", first()),
            ("empty", Self { user_name: "", ..first() }),
            ("wrong", Self { problem: Some("The passwords do not match."), ..first() }),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    token: HOSTILE,
                    user_name: HOSTILE,
                    problem: Some(HOSTILE),
                    ..first()
                },
            ),
        ]
    }
}
