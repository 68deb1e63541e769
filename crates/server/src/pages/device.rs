//! Asks for the code that a device shows (RFC 8628 §3.3).

use askama::Template;

use super::{HOSTILE, Page};

/// The code's form; posts `user_code` to `/auth/device/code`.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct DevicePage<'a> {
    /// What people call this place.
    pub(crate) site: &'a str,
    /// What was scanned, for the person to compare and send.
    pub(crate) user_code: &'a str,
    /// What went wrong last time.
    pub(crate) problem: Option<&'a str>,
}

impl Page for DevicePage<'_> {
    fn samples() -> Vec<(&'static str, Self)> {
        let first = || Self { site: "Casa Aurora", user_code: "", problem: None };
        vec![
            ("first", first()),
            ("scanned", Self { user_code: "WDJB-MJHT", ..first() }),
            ("wrong", Self { problem: Some("No device is waiting for this code."), ..first() }),
            ("hostile", Self { site: HOSTILE, user_code: HOSTILE, problem: Some(HOSTILE) }),
        ]
    }
}
