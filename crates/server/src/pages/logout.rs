//! Asks before signing out.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// Sign-out; posts `csrf` and the carried fields to `/auth/logout`.
#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// Who is signed in.
    pub(crate) account_name: &'a str,
    /// Ties the answer to this browser.
    pub(crate) csrf: &'a str,
    /// Names and values that come back unchanged, such as `state`.
    pub(crate) hidden: &'a [(&'a str, &'a str)],
}

impl Page for LogoutPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let plain =
            || Self { frame: frame.clone(), account_name: "Ana Ruiz", csrf: "c5rf", hidden: &[] };
        vec![
            ("plain", plain()),
            (
                "returning",
                Self {
                    hidden: &[
                        ("post_logout_redirect_uri", "https://choir.example/bye"),
                        ("state", "xyz"),
                    ],
                    ..plain()
                },
            ),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    account_name: HOSTILE,
                    csrf: HOSTILE,
                    hidden: &[(HOSTILE, HOSTILE)],
                },
            ),
        ]
    }
}
