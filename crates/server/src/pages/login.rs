//! Asks who you are.

use askama::Template;

use super::{HOSTILE, Page};

/// The sign-in form; posts `flow`, `username` and `password` to `/auth/login`, or, where an app sent
/// the person, `flow` and `decision=deny`.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    /// What people call this place.
    pub(crate) site: &'a str,
    /// The app that sent the person here; `None` if they came for Castellan itself.
    pub(crate) client_name: Option<&'a str>,
    /// Comes back unchanged with the form.
    pub(crate) flow: &'a str,
    /// Fills the user name in; empty if nothing is known.
    pub(crate) login_hint: &'a str,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl Page for LoginPage<'_> {
    fn samples() -> Vec<(&'static str, Self)> {
        let first = || Self {
            site: "Casa Aurora",
            client_name: Some("Choir Archive"),
            flow: "f1ow",
            login_hint: "",
            problem: None,
        };
        vec![
            ("first", first()),
            ("own", Self { client_name: None, ..first() }),
            ("hinted", Self { login_hint: "ana@aurora.example", ..first() }),
            (
                "wrong",
                Self {
                    login_hint: "ana",
                    problem: Some("Incorrect username or password."),
                    ..first()
                },
            ),
            (
                "hostile",
                Self {
                    site: HOSTILE,
                    client_name: Some(HOSTILE),
                    flow: HOSTILE,
                    login_hint: HOSTILE,
                    problem: Some(HOSTILE),
                },
            ),
        ]
    }
}
