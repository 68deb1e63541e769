//! What a browser does next, and how errors are reported to it.

use castellan_proto::{ErrorCode, Opaque};

use crate::{
    authorization::request::{AuthorizeError, Back},
    error::OAuthError,
    language::Text,
    records::TokenProfile,
    session::logout_notice::RememberError,
    sign_in::second_factor::FactorForm,
    store::StoreError,
};

/// What the browser is to do next.
pub enum Next {
    /// Ask who the person is; the text names the flow.
    Login(String),
    /// Ask for a second factor; the text names the flow.
    SecondFactor(String),
    /// Ask whether they agree; the text names the flow.
    Consent(String),
    /// Go to this address: the client's, with its answer.
    Go(String),
    /// Carry these to this address in a body: the client's, with its answer.
    Post(String, Vec<(String, String)>),
    /// There was no app: show the account page.
    Home,
    /// The request is from a device, which learns of the answer by polling.
    Device(Answer),
}

/// What a page shows of a flow.
#[derive(Debug)]
pub struct FlowView {
    /// The display name of the app; `None` if a person signs in to Castellan itself.
    pub client_name: Option<String>,
    /// Where people can read about it.
    pub client_uri: Option<String>,
    /// The contract that the app's tokens follow, and so what its scopes open.
    pub profile: TokenProfile,
    /// The languages that the app asks for, the best first (OIDC Core §3.1.2.1); empty for none.
    pub ui_locales: String,
    /// Fills the name in the sign-in form.
    pub login_hint: String,
    /// The requested scopes.
    pub scopes: Vec<String>,
    /// Claims that are requested besides those that the scopes cover (OIDC Core §5.5).
    pub claims: Vec<String>,
    /// Where the answer goes.
    pub redirect_uri: Option<String>,
    /// The code that the device shows, if a device asks.
    pub user_code: Option<String>,
    /// Who is asked to agree.
    pub account_name: Option<String>,
    /// What a person can show as a second factor who has proved a first one; `None` if nobody has.
    pub second_factors: Option<Vec<FactorForm>>,
}

/// What came of a sign-in.
pub enum SignInOutcome {
    /// The cookie of a new session, and what is next.
    Yes(Opaque, Next),
    /// They proved it as far as they were asked, there is no session yet, and this is next.
    Further(Next),
    /// They did not prove it, and are to read this. Ask again.
    No(Text),
}

/// Why a step goes no further.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Expired, unknown, or started in another browser: one answer for all three
    /// (`docs/security-cases.md` row 12).
    #[error("this sign-in has expired, or was started in another browser")]
    Expired,
    /// No device waits for an answer to that code.
    #[error("no device is waiting for this code")]
    WrongCode,
    /// The authorization goes no further.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// It goes no further, and is for an app whose addresses nobody vouches for, while nobody is
    /// signed in: the person reads it, and goes there by themselves if they want to.
    #[error("{text}")]
    Withheld {
        /// The OAuth error code.
        code: ErrorCode,
        /// The error in words.
        text: String,
        /// Where the error would be sent.
        back: Back,
    },
    /// The person could not be checked.
    #[error(transparent)]
    Token(#[from] OAuthError),
}

impl std::fmt::Debug for Next {
    /// Flows and codes are secrets of the browser's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Login(_) => "Login(…)",
            Self::SecondFactor(_) => "SecondFactor(…)",
            Self::Consent(_) => "Consent(…)",
            Self::Go(_) => "Go(…)",
            Self::Post(..) => "Post(…)",
            Self::Home => "Home",
            Self::Device(_) => "Device(…)",
        })
    }
}

impl From<RememberError> for FlowError {
    fn from(error: RememberError) -> Self {
        match error {
            RememberError::Over => Self::Expired,
            RememberError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for FlowError {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// What a person answers when asked for consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The person agrees.
    Allow,
    /// The person refuses.
    Deny,
    /// The person wants to sign in as somebody else.
    Switch,
}
