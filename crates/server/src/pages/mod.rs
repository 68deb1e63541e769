//! What people see: sign-in, consent, first setup, their own account, and plain messages.
//!
//! A page is a struct of plain values with one template in `templates/`. It knows no record, no
//! protocol and no server, so it cannot leak a row, and any caller can render it. No page needs a
//! script, an inline style or anything from another host. Two have a script: the one that posts a
//! response to an app, and the one that continues after front-channel logout. Without scripts, they
//! have a button and a link.

mod account;
mod consent;
mod device;
mod forgot;
mod form_post;
mod login;
mod logout;
mod message;
mod reset;
mod second_factor;
mod setup;
mod signed_out;
#[cfg(test)]
mod tests;
mod withheld;

pub(crate) use account::{AccountPage, App, Session};
pub(crate) use consent::{Ability, ConsentPage};
pub(crate) use device::DevicePage;
pub(crate) use forgot::ForgotPage;
pub(crate) use form_post::FormPostPage;
pub(crate) use login::{Input, InputKind, LoginPage, SignInForm};
pub(crate) use logout::LogoutPage;
pub(crate) use message::MessagePage;
pub(crate) use reset::ResetPage;
pub(crate) use second_factor::{FactorForm, SecondFactorPage};
pub(crate) use setup::SetupPage;
pub(crate) use signed_out::{Onward, SignedOutPage};
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

/// One whole document for a browser.
pub(crate) trait Page: askama::Template + Sized {
    /// Every state worth looking at, by a short name; one has hostile words in it.
    #[cfg_attr(not(test), expect(dead_code, reason = "looked at by tests"))]
    fn samples() -> Vec<(&'static str, Self)>;

    /// The document, ready to send as `text/html; charset=utf-8`.
    ///
    /// If the template fails, a short page without any of its words, so never half a form.
    fn html(&self) -> String {
        self.render().unwrap_or_else(|_| BROKEN.to_owned())
    }
}

/// Replaces a page that could not be rendered.
const BROKEN: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Something went wrong</title>\n\
    <link rel=\"stylesheet\" href=\"/assets/castellan.css\">\n\
    <main><h1>Something went wrong</h1>\n<p>This page could not be shown. Please try again.</p>\
    </main>\n</html>\n";

/// A name that breaks out of any page that forgets to escape it.
const HOSTILE: &str = "Choir <archive> \"&'";
