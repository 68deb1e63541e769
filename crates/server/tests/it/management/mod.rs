//! The management APIs over GraphQL (`docs/contracts/curity.md`).

mod access;
mod account_credentials;
mod account_limits;
mod account_parts;
mod account_rules;
mod accounts;
mod challenges;
mod database_clients;
mod database_clients_rights;
mod database_clients_whole;
mod dynamic_clients;
mod granted;
mod mail;
mod managers;
mod messages;
mod mfa;
mod passkeys;
pub mod support;
