//! Accounts: the operations of the User Management API (`docs/contracts/curity.md` §6).
//!
//! Accounts are written by the same code as `User` documents, so that there is one set of rules, of
//! audit records and of versions. What documents do not write is changed in the record.

mod actor;
mod addresses;
mod attach;
mod buckets;
mod credential;
pub(in crate::management) mod document;
mod error;
mod filter;
mod links;
mod list;
mod mfa;
mod passkeys;
mod totp;
mod verify;
mod view;
mod write;

pub use actor::Actor;
pub use credential::CredentialChange;
pub use error::AccountError;
pub use links::Whom;
pub use list::AccountsQuery;
pub use verify::VerificationAnswer;
pub(in crate::management) use view::entry as entry_view;
pub use view::{account_view, device_view};
pub use write::{AccountChange, Deleted};
