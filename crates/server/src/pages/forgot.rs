//! A person forgot their password.

use askama::Template;

use super::{HOSTILE, Page};

/// Asks who; posts `username` to `/auth/forgot-password`.
#[derive(Template)]
#[template(path = "forgot.html")]
pub(crate) struct ForgotPage<'a> {
    /// What people call this place.
    pub(crate) site: &'a str,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl Page for ForgotPage<'_> {
    fn samples() -> Vec<(&'static str, Self)> {
        let first = || Self { site: "Casa Aurora", problem: None };
        vec![
            ("first", first()),
            ("wrong", Self { problem: Some("Enter your username or e-mail."), ..first() }),
            ("hostile", Self { site: HOSTILE, problem: Some(HOSTILE) }),
        ]
    }
}
