//! Guards: what reaches an API behind the gate, and what comes back.

pub(crate) mod areas;
pub(crate) mod bad_input;
pub(crate) mod bounded_growth;
pub(crate) mod client_beside_token;
pub(crate) mod cors;
pub(crate) mod foreign_opaque_tokens;
pub(crate) mod foreign_tokens;
pub(crate) mod introspected;
pub(crate) mod own_hosts;
pub(crate) mod policies;
pub(crate) mod policies_in_cedar;
pub(crate) mod rest;
pub(crate) mod rest_openapi;
pub(crate) mod rest_streams;
pub(crate) mod roles;
pub(crate) mod schema_sources;
pub(crate) mod scope_usage;
pub(crate) mod under_way;
pub(crate) mod untouched;
pub(crate) mod upstream_bytes;
pub(crate) mod upstream_limits;
pub(crate) mod upstream_status;
pub(crate) mod websockets;
