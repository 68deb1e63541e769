//! What is kept, one room per kind. Bodies grow by optional members, so that a node reads what the
//! version before it wrote.

mod account;
mod client;
mod credential;
mod issued;
pub(crate) mod repository;

pub use account::{Account, Name, login_name};
pub use client::{
    AppDialect, Client, CodeGrant, DeviceGrant, LogoutTarget, MachineGrant, Rotation, TokenFormat,
};
pub(crate) use credential::is_news;
pub use credential::{ApiCredential, AuthKey, MachineToken, Previous, admits, network};
pub use issued::{Code, Consent, DecisionRecord, Family, Flow, Origin, Refresh, Session, Setup};
