//! From an authorization request to a code: the request, the browser's way through sign-in and
//! consent, and devices.

pub mod claims_parameter;
pub(crate) mod code;
pub mod consent;
pub mod device;
pub mod flow;
pub mod fresh_sign_in;
mod half_sign_in;
pub mod next;
pub mod pushed;
pub mod request;
mod request_object;
mod sign_in_steps;
mod strength;
mod untrusted;
