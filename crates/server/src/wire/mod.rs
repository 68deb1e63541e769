//! How requests are read and answers written, for every endpoint.

pub(crate) mod bearer;
pub(crate) mod client_certificate;
pub(crate) mod cors;
pub(crate) mod distinguished_name;
pub(crate) mod error;
pub(crate) mod extract;
pub mod guard_refusal;
pub(crate) mod host;
pub(crate) mod policy_request;
pub(crate) mod request;
pub mod session_cookie;
pub(crate) mod upgrade;
