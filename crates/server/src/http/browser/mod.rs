//! Pages for people and their browsers.

pub(crate) mod account;
pub(crate) mod assets;
pub(crate) mod consent;
pub(crate) mod cookies;
pub(crate) mod device;
pub(crate) mod forgot;
pub(crate) mod localized;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod own_passkeys;
mod problems;
pub(crate) mod reset;
pub(crate) mod respond;
pub(crate) mod scope_text;
pub(crate) mod second_factor;
pub(crate) mod setup;
