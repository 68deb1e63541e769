//! What every request of the protocol is made of: parameters, scopes, resources, addresses.

pub mod params;
pub mod resource;
pub mod scope;
pub mod source;
pub(crate) mod url;
