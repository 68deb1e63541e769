//! Says what to do next to whoever has just set the server up.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// The end of first setup.
#[derive(Template)]
#[template(path = "welcome.html")]
pub(crate) struct WelcomePage {
    /// What is around the page.
    pub(crate) frame: Frame,
}

/// The commands of the steps, in their order.
const COMMANDS: [&str; 3] = [
    "castellan apply -f app.yaml",
    "castellan user add NAME --group GROUP",
    "castellan scopes list",
];

impl WelcomePage {
    /// What to do, and the command that does it.
    fn steps(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.frame.texts.setup.steps.into_iter().zip(COMMANDS)
    }
}

impl Page for WelcomePage {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        vec![
            ("first", Self { frame: frame.clone() }),
            ("hostile", Self { frame: frame.of(HOSTILE) }),
        ]
    }
}
