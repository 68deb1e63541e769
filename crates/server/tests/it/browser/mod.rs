//! What people meet in their browsers.

pub(crate) mod auth_config;
pub(crate) mod bad_input;
pub(crate) mod declined;
mod forgotten_passwords;
mod languages;
pub(crate) mod new_passwords;
pub(crate) mod scope_texts;
pub(crate) mod second_factor;
pub(crate) mod sessions_at_guards;
