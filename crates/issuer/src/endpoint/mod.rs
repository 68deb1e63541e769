//! One module per endpoint of the protocol, without HTTP.

mod close_session;
pub mod discovery;
pub mod end_session;
pub mod introspection;
pub mod registration;
pub mod revocation;
pub mod signed_response;
pub mod token;
pub mod userinfo;
