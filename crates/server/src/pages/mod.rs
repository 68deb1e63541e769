//! What people see: sign-in, consent, first setup, their own account, and plain messages, in their
//! language.
//!
//! A page is a struct of plain values with one template in `templates/`. It knows no record, no
//! protocol and no server, so it cannot leak a row, and any caller can render it. No page needs a
//! script, an inline style or anything from another host. Some have a script: the one that posts a
//! response to an app, the one that continues after front-channel logout, and those on which a
//! password is typed. Without scripts, they have a button, a link, and a password that is not shown.

mod account;
mod consent;
mod device;
mod forgot;
mod form_post;
mod login;
mod logout;
mod look;
mod message;
mod new_passkey;
mod reset;
mod second_factor;
mod setup;
mod signed_out;
#[cfg(test)]
mod tests;
mod welcome;
mod withheld;

use std::sync::Arc;

use crate::texts::{Said, Texts};

pub(crate) use account::{AccountPage, App, Passkey, Session};
pub(crate) use consent::{Ability, ConsentPage, Effect};
pub(crate) use device::DevicePage;
pub(crate) use forgot::ForgotPage;
pub(crate) use form_post::FormPostPage;
pub(crate) use login::{AuthenticatorForm, Input, InputKind, LoginPage, SignInForm};
pub(crate) use logout::LogoutPage;
pub(crate) use look::{FootLink, Look};
pub(crate) use message::{Link, MessagePage};
pub(crate) use new_passkey::NewPasskeyPage;
pub(crate) use reset::ResetPage;
pub(crate) use second_factor::{FactorForm, SecondFactorPage};
pub(crate) use setup::SetupPage;
pub(crate) use signed_out::{Onward, SignedOutPage};
pub(crate) use welcome::WelcomePage;
pub(crate) use withheld::WithheldPage;

/// The one stylesheet; every page links it as `/assets/castellan.css`.
pub(crate) const STYLESHEET: &str = include_str!("castellan.css");

/// The gate, as SVG; every page links it as `/assets/castellan.svg`, also as its icon.
///
/// It has a background of its own and so works in light and dark mode.
pub(crate) const MARK: &str = include_str!("castellan.svg");

/// Sends the form of [`FormPostPage`]; that page links it as `/assets/continue.js`.
pub(crate) const CONTINUE: &str = include_str!("continue.js");

/// The script of [`SignedOutPage`], which that page links as `/assets/farewell.js`.
pub(crate) const SIGNED_OUT: &str = include_str!("farewell.js");

/// Asks authenticators for passkeys; pages with such a form link it as `/assets/passkey.js`.
pub(crate) const PASSKEY: &str = include_str!("passkey.js");

/// Lets people see the password that they type; pages with such a field link it as
/// `/assets/show-password.js`.
pub(crate) const SHOW_PASSWORD: &str = include_str!("show-password.js");

/// One whole document for a browser.
pub(crate) trait Page: askama::Template + Sized {
    /// Every state worth looking at, by a short name; one has hostile words in it.
    #[cfg_attr(not(test), expect(dead_code, reason = "looked at by tests"))]
    fn samples(frame: &Frame) -> Vec<(&'static str, Self)>;

    /// What is around it.
    fn frame(&self) -> &Frame;

    /// The document, ready to send as `text/html; charset=utf-8`.
    ///
    /// If the template fails, a short page without any of its words, so never half a form.
    fn html(&self) -> String {
        self.render().unwrap_or_else(|_| broken(self.frame().texts))
    }
}

/// What is around every page: whose it is, and the language in which it speaks.
#[derive(Clone)]
pub(crate) struct Frame {
    /// What people call this place.
    pub(crate) site: Arc<str>,
    /// Everything that pages say.
    pub(crate) texts: &'static Texts,
    /// How the site looks.
    pub(crate) look: Arc<Look>,
}

impl Frame {
    /// The address of the logo.
    fn logo(&self) -> &str {
        self.look.logo.as_deref().unwrap_or("/assets/castellan.svg")
    }

    /// The same at a place of another name.
    fn of(&self, site: &str) -> Self {
        Self { site: site.into(), ..self.clone() }
    }
}

/// Replaces a page that could not be rendered.
fn broken(texts: &Texts) -> String {
    let Said { title, text } = &texts.errors.broken;
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/assets/castellan.css\">\n\
         <main><h1>{title}</h1>\n<p>{text}</p></main>\n</html>\n",
        texts.tag
    )
}

/// A name that breaks out of any page that forgets to escape it.
const HOSTILE: &str = "Choir <archive> \"&'";
