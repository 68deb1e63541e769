//! Asks whether an app may access the account.

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// Consent; posts `flow` and `decision` (`allow`, `deny` or `switch`) to `/auth/consent`.
///
/// `switch` means that another person wants to sign in.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// What the app calls itself.
    pub(crate) client_name: &'a str,
    /// The app's own page; linked if it is `https://` or `http://` with a plain ASCII host, else
    /// left out.
    pub(crate) client_uri: Option<&'a str>,
    /// Who would be giving the access.
    pub(crate) account_name: &'a str,
    /// Comes back unchanged with the form.
    pub(crate) flow: &'a str,
    /// What the app could do; if empty, it only learns who the person is.
    pub(crate) abilities: &'a [Ability<'a>],
    /// Where the browser goes next, whatever the answer.
    pub(crate) redirect_host: &'a str,
    /// The code on the screen of the device, if a device asks.
    pub(crate) user_code: Option<&'a str>,
}

/// One thing an app could do.
pub(crate) struct Ability<'a> {
    /// The scope as the app requested it, folded away for people who know it.
    pub(crate) scope: &'a str,
    /// The same for a person: "Write comments in your name".
    pub(crate) words: &'a str,
    /// More about it, if there is more to say.
    pub(crate) description: Option<&'a str>,
    /// The language of both, if it is not that of the page.
    pub(crate) language: Option<&'a str>,
    /// What it is about; each has a list of its own.
    pub(crate) effect: Effect,
}

/// What a scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reading.
    Reads,
    /// Changing something.
    Changes,
    /// Rights at this server itself.
    Administers,
}

impl ConsentPage<'_> {
    fn has(&self, effect: Effect) -> bool {
        self.abilities.iter().any(|ability| ability.effect == effect)
    }

    /// The address to link to and its host. Apps name it themselves: neither `javascript:` and its
    /// kin nor words posing as an address may get here.
    fn client_link(&self) -> Option<(&str, &str)> {
        let uri = self.client_uri?;
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        let host = rest.split(['/', '?', '#']).next()?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
        (!host.is_empty() && host.chars().all(plain)).then_some((uri, host))
    }
}

impl Page for ConsentPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let both = || Self {
            frame: frame.clone(),
            client_name: "Choir Archive",
            client_uri: Some("https://choir.example/"),
            account_name: "Ana Ruiz",
            flow: "f1ow",
            abilities: &[USER, READ, WRITE, CREATE],
            redirect_host: "app.choir.example",
            user_code: None,
        };
        vec![
            ("both", both()),
            ("administers", Self { abilities: &[READ, ADMINISTER], ..both() }),
            ("reads", Self { abilities: &[USER, READ], ..both() }),
            ("writes", Self { abilities: &[WRITE], client_uri: None, ..both() }),
            ("device", Self { user_code: Some("WDJB-MJHT"), ..both() }),
            ("identity", Self { abilities: &[], ..both() }),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    client_name: HOSTILE,
                    client_uri: Some("javascript:alert('<archive>')"),
                    account_name: HOSTILE,
                    flow: HOSTILE,
                    abilities: &[READ, STRANGE],
                    redirect_host: HOSTILE,
                    user_code: Some(HOSTILE),
                },
            ),
            (
                "long",
                Self {
                    client_name: "Donaudampfschifffahrtsgesellschaftskapitänschoralarchiv",
                    client_uri: Some(
                        "https://an-extremely-long-host-name.of-some-far-department.example/about/us",
                    ),
                    account_name: "ana.maria.de.los.angeles.ruiz.fernandez@aurora.example",
                    redirect_host: "an-extremely-long-host-name.of-some-far-department.example",
                    ..both()
                },
            ),
        ]
    }
}

// What the samples ask for.
const NOTHING: Ability<'_> =
    Ability { scope: "", words: "", description: None, language: None, effect: Effect::Reads };
const READ: Ability<'_> =
    Ability { scope: "api:read", words: "Read proposals, meetings and comments", ..NOTHING };
const USER: Ability<'_> =
    Ability { scope: "user", words: "See your name, picture and e-mail", ..NOTHING };
const WRITE: Ability<'_> = Ability {
    scope: "api:write",
    words: "Write comments in your name",
    effect: Effect::Changes,
    ..NOTHING
};
const ADMINISTER: Ability<'_> = Ability {
    scope: "Castellan:*",
    words: "Administer this server: read and change everything in it",
    effect: Effect::Administers,
    ..NOTHING
};
const CREATE: Ability<'_> = Ability {
    scope: "Mutation:Recording:Create",
    words: "Add recordings to your collections",
    description: Some("What you have recorded yourself, or may show to others."),
    effect: Effect::Changes,
    ..NOTHING
};
const STRANGE: Ability<'_> = Ability {
    scope: HOSTILE,
    words: HOSTILE,
    description: Some(HOSTILE),
    language: Some("de"),
    effect: Effect::Changes,
};
