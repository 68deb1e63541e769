//! Says one thing: what went wrong, or that something is done.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// An error, or a closing message such as "You are signed out".
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct MessagePage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// The message in a few words.
    pub(crate) title: &'a str,
    /// What it means, and what the person can do.
    pub(crate) text: &'a str,
    /// What a developer wants to see, such as an OAuth error code.
    pub(crate) detail: Option<&'a str>,
    /// The decision id, to be quoted when asking for help.
    pub(crate) reference: Option<&'a str>,
    /// Where the person goes from here.
    pub(crate) onward: Link<'a>,
}

/// A link within the site.
#[derive(Clone, Copy)]
pub(crate) struct Link<'a> {
    /// Its path.
    pub(crate) address: &'a str,
    /// What stands on it.
    pub(crate) label: &'a str,
}

impl Page for MessagePage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let done = || Self {
            frame: frame.clone(),
            title: frame.texts.sign_out.signed_out,
            text: frame.texts.sign_out.close,
            detail: None,
            reference: None,
            onward: Link { address: "/account", label: frame.texts.common.to_account },
        };
        let error = || Self {
            title: frame.texts.errors.invalid.title,
            text: frame.texts.errors.invalid.text,
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
                    frame: frame.of(HOSTILE),
                    title: HOSTILE,
                    text: HOSTILE,
                    detail: Some(HOSTILE),
                    reference: Some(HOSTILE),
                    onward: Link { address: HOSTILE, label: HOSTILE },
                },
            ),
        ]
    }
}
