//! Why a request at a guard is refused before the gate decides it, as a value. What the sender reads is
//! up to the guard's dialect; without one it is a problem document (RFC 9457).

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use castellan_gate::rest::RestRefusal;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardRefusal {
    /// It is wrong in itself. The text names what is, and repeats nothing of it.
    BadRequest(Cow<'static, str>),
    /// Its body is longer than anything that is read there.
    TooLarge,
    /// It shows a credential that others may have read on its way. The text says what to do.
    InTheClear(Cow<'static, str>),
    /// It shows more than one credential.
    SeveralCredentials,
    /// It shows no valid credential where one is needed; this is how to show one.
    NotAuthenticated(Option<HeaderValue>),
    /// A login or a password in it is wrong. The texts are the same for every cause.
    WrongPassword,
    /// Its login and its password are right and not enough: the person has a second factor.
    SecondFactorNeeded,
    /// It may not come from a page that means it. The texts are the same for every cause but that of
    /// WebSockets, which have no tokens.
    NotMeant(Unmeant),
    /// It is meant for another person than the one who sends it (`X-Expected-User`).
    OtherUser,
    /// Its sender may not sign in here.
    LoginNotPermitted(Asked),
    /// There were too many attempts; seconds to wait.
    TooManyAttempts(u64),
    /// There is nothing at its path.
    NotFound,
    /// There is nothing for its method; these are there.
    MethodNotAllowed(Cow<'static, str>),
    /// It cannot be decided at the moment.
    Unavailable,
    /// It did not come to its end in time.
    TimedOut,
    /// It was refused by the gate, or failed behind it.
    Gate(Box<RestRefusal>),
}

/// Why nothing shows that a request was meant (`docs/rules.md` rule 36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmeant {
    /// Its CSRF token is missing, or not one of the session.
    Token,
    /// A page of another origin sent it.
    Origin,
    /// A page of another origin wants to open a WebSocket.
    Page,
    /// Its body has a type that forms send.
    Form,
}

/// Whose permission `user/login` was asked for (`docs/contracts/ibexa.md` §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// That of a person.
    Person,
    /// That of callers who are no person, as which whoever signs in begins.
    Anonymous,
}

impl GuardRefusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::SeveralCredentials => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAuthenticated(_)
            | Self::WrongPassword
            | Self::NotMeant(_)
            | Self::OtherUser => StatusCode::UNAUTHORIZED,
            Self::LoginNotPermitted(_) | Self::SecondFactorNeeded | Self::InTheClear(_) => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Gate(refusal) => refusal.status,
        }
    }

    /// What is wrong, in words for a developer.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::BadRequest(text) | Self::InTheClear(text) => text,
            Self::Gate(refusal) => &refusal.detail,
            Self::TimedOut => "The request did not come to its end in time.",
            Self::TooLarge => "The body is too large.",
            Self::SeveralCredentials => "Send one credential, in one Authorization header.",
            Self::NotAuthenticated(_) => "A valid credential is needed.",
            Self::WrongPassword => "Invalid login or password.",
            Self::SecondFactorNeeded => {
                "This account signs in with a second factor, which is asked for at the sign-in page \
                 alone."
            }
            Self::NotMeant(Unmeant::Page) => "Pages of this origin may not open a WebSocket here.",
            Self::NotMeant(_) => "Missing or invalid CSRF token",
            Self::OtherUser => "Expectation failed. User changed.",
            Self::LoginNotPermitted(Asked::Person) => "You may not sign in here.",
            Self::LoginNotPermitted(Asked::Anonymous) => {
                "Callers without a person may not use this API."
            }
            Self::TooManyAttempts(_) => "Too many attempts. Try again later.",
            Self::NotFound => "There is nothing at this path.",
            Self::MethodNotAllowed(_) => "This method is not allowed here.",
            Self::Unavailable => "The request cannot be decided at the moment.",
        }
    }

    /// Puts what clients act upon among the `headers` of the answer, which concerns one caller only.
    pub fn set_headers(&self, headers: &mut HeaderMap) {
        let plain = RestRefusal::from(self);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        for challenge in plain.challenges {
            headers.append(header::WWW_AUTHENTICATE, challenge);
        }
        headers.extend(plain.allow.map(|allow| (header::ALLOW, allow)));
        let wait = plain.retry_after.map(HeaderValue::from);
        headers.extend(wait.map(|wait| (header::RETRY_AFTER, wait)));
    }
}

impl From<&GuardRefusal> for RestRefusal {
    /// As it is worded where no dialect does.
    fn from(refusal: &GuardRefusal) -> Self {
        let code = match refusal {
            GuardRefusal::Gate(refusal) => return (**refusal).clone(),
            GuardRefusal::BadRequest(_) | GuardRefusal::SeveralCredentials => "invalid_request",
            GuardRefusal::InTheClear(_) => "plain_http",
            GuardRefusal::TooLarge => "too_large",
            GuardRefusal::NotAuthenticated(_) | GuardRefusal::WrongPassword => "unauthenticated",
            GuardRefusal::NotMeant(Unmeant::Page) => "origin",
            GuardRefusal::NotMeant(_) => "csrf",
            GuardRefusal::OtherUser => "other_user",
            GuardRefusal::LoginNotPermitted(_) => "login_not_permitted",
            GuardRefusal::SecondFactorNeeded => "second_factor_needed",
            GuardRefusal::TooManyAttempts(_) => "too_many_attempts",
            GuardRefusal::NotFound => "not_found",
            GuardRefusal::MethodNotAllowed(_) => "method_not_allowed",
            GuardRefusal::TimedOut => "timed_out",
            GuardRefusal::Unavailable => "unavailable",
        };
        let mut plain = Self::new(refusal.status(), code, refusal.detail().to_owned());
        match refusal {
            GuardRefusal::NotAuthenticated(challenge) => plain.challenges.extend(challenge.clone()),
            GuardRefusal::TooManyAttempts(seconds) => plain.retry_after = Some(*seconds),
            GuardRefusal::Unavailable => plain.retry_after = Some(1),
            GuardRefusal::MethodNotAllowed(allow) => {
                plain.allow = HeaderValue::from_str(allow).ok();
            }
            _ => {}
        }
        plain
    }
}
