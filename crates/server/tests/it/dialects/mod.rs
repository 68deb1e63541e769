//! The contracts of `docs/contracts/`, check by check.

pub(crate) mod aidbox_basic;
pub(crate) mod aidbox_clients;
pub(crate) mod aidbox_policies;
pub(crate) mod aidbox_resources;
pub(crate) mod aidbox_sdks;
pub(crate) mod aidbox_sessions;
pub(crate) mod aidbox_tokens;
pub(crate) mod decidim_api;
pub(crate) mod decidim_machines;
pub(crate) mod decidim_oauth;
pub(crate) mod decidim_requests;
pub(crate) mod ibexa;
mod ibexa_people;
pub(crate) mod policies_in_cedar;
pub(crate) mod trompa_guard;
pub(crate) mod trompa_keys;
