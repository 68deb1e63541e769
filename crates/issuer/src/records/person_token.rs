//! A JWT that a person got.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// A JWT that a person got for their password (`docs/contracts/ibexa.md` §4). Its id is the token's
/// `jti`; without it the token is worthless.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonToken {
    /// The account's id.
    pub account: String,
    /// The generation of the account then.
    pub generation: u32,
    /// When it was issued.
    pub issued: Timestamp,
    /// First second at which it is worthless.
    pub ends: Timestamp,
}

impl Stored for PersonToken {
    const KIND: Kind = Kind::PersonToken;

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.ends)
    }
}
