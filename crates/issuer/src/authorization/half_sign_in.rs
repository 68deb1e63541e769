//! Half of a sign-in: a first factor is proved, and a second one is asked for.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Issuer,
    records::{Account, Amr, repository::Versioned},
    store::StoreError,
};

/// Who has proved a first factor in a flow, and has yet to show a second one. It is no session, and
/// ends with its flow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HalfSignIn {
    /// The account's id.
    pub(super) account: String,
    /// The account's generation of sign-ins then: a new password ends this as it ends sessions.
    pub(super) generation: u32,
    /// When they proved it.
    pub(super) at: Timestamp,
    /// By which methods.
    pub(super) amr: Amr,
}

impl Issuer {
    /// Whom `half` is about, if what they proved still counts.
    pub(super) async fn half_signed_in(
        &self,
        half: &HalfSignIn,
    ) -> Result<Option<Versioned<Account>>, StoreError> {
        let found = self.repository().get::<Account>(&half.account, self.now()).await?;
        Ok(found.filter(|stored| stored.body.still_trusts(half.at, half.generation)))
    }
}
