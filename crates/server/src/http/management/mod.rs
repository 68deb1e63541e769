//! The management APIs over GraphQL (`docs/contracts/curity.md`).
//!
//! Each API is a schema in writing (`management_schemas/`), and a roster of its root fields: what each does, what
//! it needs, and the function that answers it. The function gets coerced arguments, may look ahead at
//! what is selected below, and answers a JSON document in the shape of the schema; everything else is
//! the same for all of them and is here.

mod accounts;
mod apis;
pub(in crate::http) mod caller;
mod capabilities;
mod connection;
mod constraints;
mod cost;
mod database_clients;
mod dynamic_clients;
pub(crate) mod error;
mod execute;
mod granted_authorizations;
mod node;
mod roster;
mod selection;
mod wire;

pub(crate) use apis::APIS;

pub(super) use wire::routes;
