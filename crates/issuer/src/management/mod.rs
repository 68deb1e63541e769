//! Operations of the management APIs (`docs/contracts/curity.md`), without GraphQL.

pub mod accounts;
pub mod clients;
pub mod dynamic_clients;
pub mod granted;
pub mod scim;
