//! Callers that are not people: API keys and machine users.

pub mod api_key;
pub mod machine_user;
