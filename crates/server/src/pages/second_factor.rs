//! Asks for a second factor.

use askama::Template;

use super::{AuthenticatorForm, Frame, HOSTILE, Page};

/// The form of one kind of second factor.
pub(crate) struct FactorForm<'a> {
    /// Its name, which is sent as `method`.
    pub(crate) method: &'a str,
    /// The name of its field.
    pub(crate) name: &'a str,
    /// The label of the field.
    pub(crate) label: &'a str,
    /// What browsers may fill in.
    pub(crate) autocomplete: &'a str,
    /// Whether a keypad is enough for it.
    pub(crate) is_numeric: bool,
    /// Whether it is shown to those alone who ask for it.
    pub(crate) is_instead: bool,
}

/// The forms of second factors; each posts `flow`, `method` and its field to `/auth/second-factor`, or,
/// where an app sent the person, `flow` and `decision=deny`.
#[derive(Template)]
#[template(path = "second_factor.html")]
pub(crate) struct SecondFactorPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// The app that sent the person here; `None` if they came for Castellan itself.
    pub(crate) client_name: Option<&'a str>,
    /// Comes back unchanged with the form.
    pub(crate) flow: &'a str,
    /// One for each that the person can show.
    pub(crate) forms: Vec<FactorForm<'a>>,
    /// For an authenticator, if the person can show that.
    pub(crate) authenticator: Option<AuthenticatorForm>,
    /// The method of the form that was sent last time; empty if none was.
    pub(crate) tried: &'a str,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl SecondFactorPage<'_> {
    /// Whether it is the form that was sent last time.
    fn is_tried(&self, form: &FactorForm<'_>) -> bool {
        form.method == self.tried
    }

    /// Whether its field gets the focus: that of the form that was sent, or the first one.
    fn is_first(&self, form: &FactorForm<'_>) -> bool {
        let tried = self.forms.iter().find(|other| self.is_tried(other));
        tried.or(self.forms.first()).is_some_and(|first| first.method == form.method)
    }
}

impl Page for SecondFactorPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self {
            frame: frame.clone(),
            client_name: Some("Choir Archive"),
            flow: "f1ow",
            forms: vec![code(), recovery(true)],
            authenticator: None,
            tried: "",
            problem: None,
        };
        vec![
            ("first", first()),
            ("own", Self { client_name: None, ..first() }),
            (
                "passkey",
                Self {
                    forms: vec![recovery(true)],
                    authenticator: Some(AuthenticatorForm {
                        method: "passkey",
                        options: "{\"challenge\":\"AAAA\"}".to_owned(),
                    }),
                    ..first()
                },
            ),
            ("recovery_only", Self { forms: vec![recovery(false)], ..first() }),
            ("wrong", Self { tried: "totp", problem: Some("This code is not right."), ..first() }),
            (
                "wrong_recovery",
                Self {
                    tried: "recovery-code",
                    problem: Some("This code is not right."),
                    ..first()
                },
            ),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    client_name: Some(HOSTILE),
                    flow: HOSTILE,
                    forms: vec![FactorForm { label: HOSTILE, ..code() }],
                    authenticator: None,
                    tried: "totp",
                    problem: Some(HOSTILE),
                },
            ),
        ]
    }
}

/// The form of an authenticator app.
fn code() -> FactorForm<'static> {
    FactorForm {
        method: "totp",
        name: "code",
        label: "Code from your authenticator app",
        autocomplete: "one-time-code",
        is_numeric: true,
        is_instead: false,
    }
}

/// The form of recovery codes.
fn recovery(is_instead: bool) -> FactorForm<'static> {
    FactorForm {
        method: "recovery-code",
        name: "recovery_code",
        label: "Recovery code",
        autocomplete: "off",
        is_numeric: false,
        is_instead,
    }
}
