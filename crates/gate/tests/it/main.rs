//! The gate from outside: a request goes in, and what reaches the service behind is looked at byte
//! by byte.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod answers;
mod bounds;
mod callers;
mod cases;
mod created_tokens;
mod decisions;
mod envelopes;
mod exact;
mod large_schema;
mod limits;
mod policies;
mod pruning;
mod random;
mod random_policies;
mod rest;
mod rest_openapi;
mod wire;
