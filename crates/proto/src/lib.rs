//! The words every other room speaks: scopes, secrets, tokens, error codes, time.
//!
//! Pure and synchronous: no I/O, no HTTP framework, no storage, no runtime.

pub mod jose;
pub mod scope;
pub mod webauthn;

mod authorization;
mod clock;
mod error_code;
mod fetched_url;
mod lifetime;
mod logout_uri;
pub mod numeric_date;
mod pkce;
mod redirect_uri;
mod secret;
pub mod strict_json;

pub use authorization::{AuthScheme, Authorization, AuthorizationError, BasicCredentials};
pub use clock::{Clock, FixedClock, SystemClock, Timestamp};
pub use error_code::{ErrorCode, error_description};
pub use fetched_url::{FetchedUrl, is_public_address};
pub use lifetime::{InvalidLifetime, Lifetime};
pub use logout_uri::{InvalidLogoutUri, LogoutUri};
pub use pkce::{CodeChallenge, CodeVerifier, InvalidChallenge, InvalidVerifier};
pub use redirect_uri::{InvalidRedirectUri, RedirectUri, is_origin};
pub use secret::{Digest, Opaque, OpaqueKind, Secret, constant_time_eq, random};

/// Whether `text` may name a record: 1 to 128 of `A-Z a-z 0-9 . _ - @ + ~`, none of them first but a
/// letter, a digit or `_`.
///
/// Identifiers travel in paths, log lines and headers, so nothing that has a meaning there is one.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"._-@+~".contains(&b);
    (1..=128).contains(&text.len())
        && text.bytes().all(inside)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}
