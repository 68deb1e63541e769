//! Asks who you are.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;

use super::{FootLink, Frame, HOSTILE, Look, Page};

/// A field of a form.
pub(crate) struct Input<'a> {
    /// The name by which it is sent.
    pub(crate) name: &'a str,
    /// The label of the field.
    pub(crate) label: &'a str,
    /// What is typed in.
    pub(crate) kind: InputKind,
    /// What browsers may fill in.
    pub(crate) autocomplete: &'a str,
    /// The value of the field; empty if none is known.
    pub(crate) value: &'a str,
}

/// What is typed into a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// A name, as it is written.
    UserName,
    /// A secret, which is not displayed.
    Secret,
    /// A numeric code.
    Code,
    /// Any other text, which is displayed.
    Text,
}

/// A way to sign in.
pub(crate) struct SignInForm<'a> {
    /// Its name, which is sent as `method` where there are several.
    pub(crate) method: &'a str,
    /// What it asks for.
    pub(crate) fields: Vec<Input<'a>>,
}

/// A form that nobody types into: a script asks an authenticator, and sends its answer as `response`.
pub(crate) struct AuthenticatorForm {
    /// Its name, which is sent as `method`.
    pub(crate) method: &'static str,
    /// What the authenticator is asked, as JSON.
    pub(crate) options: String,
}

/// The sign-in forms; each posts `flow` and its fields to `/auth/login`, or, where an app sent the
/// person, `flow` and `decision=deny`.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    /// What is around the page.
    pub(crate) frame: Frame,
    /// What stands above the form; `None` for the usual words.
    pub(crate) heading: Option<&'a str>,
    /// What the site says below it.
    pub(crate) text: Option<&'a str>,
    /// Where people go who forgot their password, if there is such a page.
    pub(crate) forgot_password_url: Option<&'a str>,
    /// The app that sent the person here; `None` if they came for Castellan itself.
    pub(crate) client_name: Option<&'a str>,
    /// Comes back unchanged with the form.
    pub(crate) flow: &'a str,
    /// One for each way to sign in.
    pub(crate) forms: Vec<SignInForm<'a>>,
    /// For an authenticator, if the site offers that.
    pub(crate) authenticator: Option<AuthenticatorForm>,
    /// What went wrong last time, in words for a person.
    pub(crate) problem: Option<&'a str>,
}

impl LoginPage<'_> {
    /// The field that gets the focus: the first empty one.
    fn first(&self) -> Option<&str> {
        let mut fields = self.forms.iter().flat_map(|form| &form.fields);
        fields.find(|field| field.value.is_empty()).map(|field| field.name)
    }
}

impl Page for LoginPage<'_> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn samples(frame: &Frame) -> Vec<(&'static str, Self)> {
        let first = || Self {
            frame: frame.clone(),
            heading: None,
            text: None,
            forgot_password_url: None,
            client_name: Some("Choir Archive"),
            flow: "f1ow",
            forms: vec![password("")],
            authenticator: None,
            problem: None,
        };
        vec![
            ("first", first()),
            ("own", Self { client_name: None, ..first() }),
            ("hinted", Self { forms: vec![password("ana@aurora.example")], ..first() }),
            ("passkey", Self { authenticator: Some(passkey()), ..first() }),
            ("several", Self { forms: vec![password(""), code()], ..first() }),
            (
                "themed",
                Self {
                    frame: Frame { look: Arc::new(look()), ..frame.clone() },
                    heading: Some("Welcome to the choir"),
                    text: Some("Use the name that is on your card."),
                    forgot_password_url: Some("https://help.aurora.example/password"),
                    ..first()
                },
            ),
            (
                "wrong",
                Self {
                    forms: vec![password("ana")],
                    problem: Some("Incorrect username or password."),
                    ..first()
                },
            ),
            (
                "hostile",
                Self {
                    frame: frame.of(HOSTILE),
                    heading: Some(HOSTILE),
                    text: Some(HOSTILE),
                    forgot_password_url: Some(HOSTILE),
                    client_name: Some(HOSTILE),
                    flow: HOSTILE,
                    forms: vec![password(HOSTILE)],
                    authenticator: Some(AuthenticatorForm {
                        options: HOSTILE.to_owned(),
                        ..passkey()
                    }),
                    problem: Some(HOSTILE),
                },
            ),
        ]
    }
}

/// What a site chose.
fn look() -> Look {
    let link = |label: &str, address: &str| FootLink {
        label: label.to_owned(),
        languages: BTreeMap::from([("de".to_owned(), format!("{label} (deutsch)"))]),
        address: address.to_owned(),
    };
    Look {
        stylesheet: Some("/assets/theme.css?v=1".to_owned()),
        logo: Some("/assets/logo?v=1".to_owned()),
        links: vec![link("Privacy", "https://aurora.example/privacy"), link(HOSTILE, "/help")],
    }
}

/// A form for a password, with a name filled in.
fn password(hint: &str) -> SignInForm<'_> {
    SignInForm {
        method: "password",
        fields: vec![
            Input {
                name: "username",
                label: "Username or e-mail",
                kind: InputKind::UserName,
                autocomplete: "username",
                value: hint,
            },
            Input {
                name: "password",
                label: "Password",
                kind: InputKind::Secret,
                autocomplete: "current-password",
                value: "",
            },
        ],
    }
}

/// A form for an authenticator.
fn passkey() -> AuthenticatorForm {
    AuthenticatorForm { method: "passkey", options: "{\"challenge\":\"AAAA\"}".to_owned() }
}

/// A form for a code.
fn code() -> SignInForm<'static> {
    let field = Input {
        name: "code",
        label: "Code from the letter",
        kind: InputKind::Code,
        autocomplete: "one-time-code",
        value: "",
    };
    SignInForm { method: "code", fields: vec![field] }
}
