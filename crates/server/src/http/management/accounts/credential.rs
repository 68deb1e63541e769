//! The state of the credential policy for an account (`docs/contracts/curity.md` §6.2).

use castellan_issuer::management::accounts::CredentialChange;
use castellan_proto::Timestamp;
use serde_json::{Map, Value};

use super::{
    failure,
    mutation::{Input, actor},
};
use crate::http::management::{error::Failure, roster::Call};

pub(super) async fn set_state(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let name = input.text("userName");
    if name.is_empty() {
        let text = "userName: is required";
        return Err(Failure::invalid_argument(text).with("field", "userName"));
    }
    let lockout = input.object("temporaryLockout");
    let change = CredentialChange {
        reset_required: input.object("forceReset").get("resetRequired").and_then(Value::as_bool),
        history: number(input.object("history"), "length", "history.length")?
            .map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
        age_from: time(input.object("age"), "lastSetAt", "age.lastSetAt")?,
        // Null takes the lock away; absent leaves it.
        locked_at: match lockout.get("lockedAt") {
            None => None,
            Some(_) => Some(time(lockout, "lockedAt", "temporaryLockout.lockedAt")?),
        },
    };
    let issuer = call.app.issuer();
    issuer.set_credential_state(&actor(call).await?, name, change).await.map_err(failure::of)
}

fn time(from: &Map<String, Value>, name: &str, field: &str) -> Result<Option<Timestamp>, Failure> {
    Ok(number(from, name, field)?.map(Timestamp))
}

/// A number that is not negative; none if it is null or absent.
fn number(from: &Map<String, Value>, name: &str, field: &str) -> Result<Option<u64>, Failure> {
    match from.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| {
            let text = format!("{field}: must not be negative");
            Failure::invalid_argument(text).with("field", field)
        }),
    }
}
