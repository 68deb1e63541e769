//! What lists the data source can give (`docs/contracts/curity.md` §10), which every API tells.

use castellan_issuer::{managers::Operation, resources::search::Cause};
use serde_json::{Value, json};

use super::{
    error::Failure,
    roster::{Call, Root},
};

/// The fields that every schema has.
pub(super) static ROOTS: &[Root] =
    &[Root::new("capabilities", &[Operation::Read], |call| Box::pin(capabilities(call)))];

#[expect(clippy::unused_async, reason = "what every field is answered by waits")]
async fn capabilities(call: &Call<'_>) -> Result<Value, Failure> {
    let issuer = call.app.issuer();
    let abilities = issuer.repository().store().abilities();
    let causes = abilities.unsupported(issuer.settings().allow_table_scans);
    let causes: Vec<_> = causes.into_iter().map(Cause::as_str).collect();
    Ok(json!({"notSupported": causes, "shortestStartsWith": abilities.shortest_start}))
}
