//! Each rule is one test, named as a sentence.

mod audit;
mod authorization_parameters;
mod begun;
mod code;
mod consent;
mod ended_sessions;
mod guesses;
mod keys;
mod kinds;
pub(crate) mod liveness;
mod more_grants;
mod more_sign_in_methods;
mod names;
mod params;
mod passkey_sign_in;
mod passkeys;
mod people;
mod reach;
mod refresh;
mod roles;
mod second_factor;
mod secrets;
mod sessions;
mod site_access_sessions;
mod strength;
mod verification;
