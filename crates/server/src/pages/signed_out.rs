//! Shows that a person is signed out while their apps are notified (OpenID Connect Front-Channel
//! Logout 1.0).

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// One hidden frame per app. Continues automatically, or with its link if scripts are disabled.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// What is loaded: addresses that apps have registered.
    pub(crate) frames: &'a [String],
    /// Where the person goes afterwards, if an app requested it.
    pub(crate) onward: Option<Onward<'a>>,
}

/// An address that an app has registered.
pub(crate) struct Onward<'a> {
    /// The URI to load.
    pub(crate) uri: &'a str,
    /// Its host, for the person.
    pub(crate) host: &'a str,
}

impl Page for SignedOutPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let plain = || Self { frame: frame.clone(), frames: &[], onward: None };
        let returning = Onward { uri: "https://choir.example/bye", host: "choir.example" };
        let hostile = Onward { uri: HOSTILE, host: HOSTILE };
        vec![
            ("plain", plain()),
            ("returning", Self { onward: Some(returning), ..plain() }),
            ("hostile", Self { frame: frame.of(HOSTILE), onward: Some(hostile), ..plain() }),
        ]
    }
}
