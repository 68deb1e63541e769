//! Asks for the code that a device shows (RFC 8628 §3.3).

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// The code's form; posts `user_code` to `/auth/device/code`.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// What came with the address, for the person to compare and send; empty if they type it in.
    pub(crate) user_code: &'a str,
    /// What went wrong last time.
    pub(crate) problem: Option<&'a str>,
}

impl Page for DevicePage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self { frame: frame.clone(), user_code: "", problem: None };
        vec![
            ("first", first()),
            ("scanned", Self { user_code: "WDJB-MJHT", ..first() }),
            ("wrong", Self { problem: Some("No device is waiting for this code."), ..first() }),
            (
                "hostile",
                Self { frame: frame.of(HOSTILE), user_code: HOSTILE, problem: Some(HOSTILE) },
            ),
        ]
    }
}
