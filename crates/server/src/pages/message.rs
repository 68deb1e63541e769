//! Says one thing: what went wrong, or that something is done.

use askama::Template;

use super::{HOSTILE, Page};

/// An error, or a closing message such as "You are signed out".
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage<'a> {
    /// What people call this place.
    pub(crate) site: &'a str,
    /// The message in a few words.
    pub(crate) title: &'a str,
    /// What it means, and what the person can do.
    pub(crate) text: &'a str,
    /// What a developer wants to see, such as an OAuth error code.
    pub(crate) detail: Option<&'a str>,
    /// The decision id, to be quoted when asking for help.
    pub(crate) reference: Option<&'a str>,
}

impl Page for MessagePage<'_> {
    fn samples() -> Vec<(&'static str, Self)> {
        let done = || Self {
            site: "Casa Aurora",
            title: "You are signed out",
            text: "You can close this window.",
            detail: None,
            reference: None,
        };
        let error = || Self {
            title: "This link does not work",
            text: "The app sent you here with a redirect address that is not registered for it. \
                   Please report this to its developers.",
            detail: Some("invalid_request: redirect_uri is not registered"),
            reference: Some("01JQ8Z4W5T3N9V7K2M6X0RBCDE"),
            ..done()
        };
        vec![
            ("done", done()),
            ("error", error()),
            ("reference", Self { detail: None, ..error() }),
            (
                "hostile",
                Self {
                    site: HOSTILE,
                    title: HOSTILE,
                    text: HOSTILE,
                    detail: Some(HOSTILE),
                    reference: Some(HOSTILE),
                },
            ),
        ]
    }
}
