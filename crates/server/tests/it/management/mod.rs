//! The management APIs over GraphQL (`docs/contracts/curity.md`).

mod access;
mod account_credentials;
mod account_limits;
mod account_parts;
mod accounts;
mod database_clients;
mod database_clients_rights;
mod database_clients_whole;
mod granted;
mod managers;
mod passkeys;
pub mod support;
