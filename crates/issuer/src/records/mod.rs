//! What is kept, one room per kind. Bodies grow by optional members, so that a node reads what the
//! version before it wrote.

mod access_policy;
pub(crate) mod account;
mod account_values;
pub(crate) mod attached;
pub(crate) mod attributes;
pub(crate) mod audit;
mod auth_config;
mod bucket;
pub(crate) mod claims;
mod client;
pub(crate) mod client_details;
pub(crate) mod code;
pub(crate) mod consent;
mod credential;
pub(crate) mod decision;
mod family;
mod grants;
mod group;
mod groups_claim;
mod listing_name;
pub(crate) mod order;
mod passkey;
mod person;
mod person_token;
pub(crate) mod registration;
pub(crate) mod repository;
mod role;
mod scope_text;
pub(crate) mod session;
pub(crate) mod token_introspector;
mod token_profile;
pub(crate) mod used_jti;
pub(crate) mod verification;

pub use access_policy::AccessPolicy;
pub(crate) use account::phone_in_uri;
pub use account::{Account, EndedSessions, Name, login_name, phone_name};
pub use attached::{
    Attached, CredentialState, Device, DeviceTotp, Factor, Link, MOST_DEVICES, MOST_FACTORS,
    MOST_LINKS, MfaOptIn, RecoveryBatch, RecoveryCode, TOTP_DEVICE,
};
pub use attributes::{
    Attributes, Enterprise, Entry, PostalAddress, Several, VERIFIED, effective_first,
};
pub use audit::{AuditBlock, AuditHead};
pub use auth_config::{AuthConfig, PageLink, SignInWords};
pub use bucket::Bucket;
pub use client::{Client, IntrospectionReach, LogoutTarget, Rotation, TokenFormat};
pub use client_details::ClientDetails;
pub use code::Code;
pub use consent::{Consent, consent_id};
pub(crate) use credential::is_news;
pub use credential::{ApiCredential, AuthKey, MachineToken, Previous, admits, network};
pub use decision::DecisionRecord;
pub use family::{Family, Refresh};
pub use grants::{GrantName, GrantSettings, Grants};
pub use group::{Group, MemberIndex};
pub use groups_claim::{GroupsClaim, GroupsClaimName};
pub use listing_name::ListingName;
pub use passkey::{MOST_PASSKEYS, PASSKEY_DEVICE, Passkey};
pub use person::{Address, BeyondScopes, PersonalDetails};
pub use person_token::PersonToken;
pub use registration::{RegisteredBy, Registration};
pub use role::Role;
pub use scope_text::{ScopeText, ScopeWords};
pub use session::{Amr, Session, account_prefix, acr, sid_name};
pub use token_introspector::{TokenIntrospector, TrustedKey, Verification, is_sealed};
pub use token_profile::{AppDialect, DocumentRules, TokenProfile};

/// Whether a number need not be written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
pub(crate) const fn is_zero(number: &u32) -> bool {
    *number == 0
}
