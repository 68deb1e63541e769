//! A person's own account: where they are signed in, which apps have access, their password, and
//! sign-out.

use std::sync::LazyLock;

use askama::Template;

use super::{Frame, HOSTILE, Page};

/// Own account; posts `csrf` and `client_id` to `/account/revoke`, `csrf` and `session` or `others` to
/// `/account/sessions/end`, `csrf`, `current_password`, `password` and `password_again` to
/// `/account/password`, or `csrf` to `/auth/logout`.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// The person as others see them.
    pub(crate) account_name: &'a str,
    /// What they sign in with.
    pub(crate) user_name: &'a str,
    /// Ties every form of the page to this browser.
    pub(crate) csrf: &'a str,
    /// Characters that a new password has at least; none for a person without a password.
    pub(crate) password_min_length: Option<usize>,
    /// Why the password was not changed, in words for a person.
    pub(crate) problem: Option<&'a str>,
    /// In the order to show them; none where the site has no passkeys.
    pub(crate) passkeys: Option<&'a [Passkey<'a>]>,
    /// What is wrong with a form about passkeys, in words for a person.
    pub(crate) passkey_problem: Option<&'a str>,
    /// In the order to show them.
    pub(crate) apps: &'a [App<'a>],
    /// In the order to show them.
    pub(crate) sessions: &'a [Session<'a>],
}

/// One browser in which the person is signed in.
pub(crate) struct Session<'a> {
    /// Names it in the form that ends it.
    pub(crate) sid: &'a str,
    /// It is the browser that shows the page.
    pub(crate) is_this: bool,
    /// The day of the sign-in, in words.
    pub(crate) since: &'a str,
    /// The day of its last use, in words.
    pub(crate) used: &'a str,
    /// What the apps are called that the person came to from there.
    pub(crate) apps: &'a [String],
}

/// One passkey.
pub(crate) struct Passkey<'a> {
    /// Names it in the form that takes it away.
    pub(crate) device: &'a str,
    /// What the person calls it.
    pub(crate) name: &'a str,
    /// The day on which it was made, in words.
    pub(crate) since: &'a str,
}

/// One app that has access.
pub(crate) struct App<'a> {
    /// Names the app in the form that revokes its access.
    pub(crate) client_id: &'a str,
    /// What the app calls itself.
    pub(crate) name: &'a str,
    /// What it may do; if empty, it only learnt who the person is.
    pub(crate) scopes: &'a [String],
    /// The day access was granted, in words: "12 March 2026".
    pub(crate) since: &'a str,
}

impl Page for AccountPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let none = || Self {
            frame: frame.clone(),
            account_name: "Ana Ruiz",
            user_name: "ana@aurora.example",
            csrf: "c5rf",
            password_min_length: Some(12),
            problem: None,
            passkeys: None,
            passkey_problem: None,
            apps: &[],
            sessions: &SAMPLE_SESSIONS[..1],
        };
        vec![
            ("none", none()),
            ("one", Self { apps: &SAMPLE_APPS[..1], ..none() }),
            ("some", Self { apps: &SAMPLE_APPS[..3], sessions: &SAMPLE_SESSIONS[..3], ..none() }),
            ("wrong", Self { problem: Some("The current password is wrong."), ..none() }),
            ("passkeys", Self { passkeys: Some(&SAMPLE_PASSKEYS), ..none() }),
            ("first_passkey", Self { passkeys: Some(&[]), ..none() }),
            (
                "no_passkey",
                Self {
                    passkeys: Some(&[]),
                    passkey_problem: Some("The passkey was not made. Try again."),
                    ..none()
                },
            ),
            ("no_password", Self { password_min_length: None, ..none() }),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    account_name: HOSTILE,
                    user_name: HOSTILE,
                    csrf: HOSTILE,
                    password_min_length: Some(12),
                    problem: Some(HOSTILE),
                    passkeys: Some(&SAMPLE_PASSKEYS[1..]),
                    passkey_problem: None,
                    apps: &SAMPLE_APPS[3..],
                    sessions: &SAMPLE_SESSIONS[3..],
                },
            ),
        ]
    }
}

static SAMPLE_SCOPES: LazyLock<[String; 5]> = LazyLock::new(|| {
    ["user", "api:read", "Mutation:Recording:Create", "Mutation:Person:*", HOSTILE]
        .map(String::from)
});

const SAMPLE_PASSKEYS: [Passkey<'static>; 2] = [
    Passkey { device: "d1", name: "My laptop", since: "12 March 2026" },
    Passkey { device: HOSTILE, name: HOSTILE, since: "14 March 2026" },
];

static SAMPLE_SESSIONS: LazyLock<[Session<'static>; 4]> = LazyLock::new(|| {
    let session = |sid, is_this, apps| Session {
        sid,
        is_this,
        since: "12 March 2026",
        used: "14 March 2026",
        apps,
    };
    [
        session("s1", true, &[]),
        session("s2", false, &SAMPLE_SCOPES[..1]),
        session("s3", false, &[]),
        session(HOSTILE, false, &SAMPLE_SCOPES[4..]),
    ]
});

static SAMPLE_APPS: LazyLock<[App<'static>; 4]> = LazyLock::new(|| {
    let app = |client_id, name, scopes| App { client_id, name, scopes, since: "12 March 2026" };
    [
        app("choir", "Choir Archive", &SAMPLE_SCOPES[..4]),
        app("forum", "Neighbourhood Forum", &SAMPLE_SCOPES[..2]),
        app("clock", "Clock", &[]),
        app(HOSTILE, HOSTILE, &SAMPLE_SCOPES[4..]),
    ]
});
