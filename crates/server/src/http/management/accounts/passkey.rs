//! Passkeys (`docs/contracts/curity.md` §6.2).

use serde_json::{Value, json};

use super::{
    failure,
    mutation::{Input, actor},
};
use crate::http::management::{error::Failure, roster::Call};

pub(super) async fn start(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, alias) = (input.text("accountId"), input.text("alias"));
    call.app.issuer().start_passkey(&actor(call).await?, id, alias).await.map_err(failure::of)
}

pub(super) async fn complete(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, state) = (input.text("accountId"), input.text("state"));
    let response = input.text("credentialResponseJson");
    let issuer = call.app.issuer();
    let completed = issuer.complete_passkey(&actor(call).await?, id, state, response).await;
    completed.map(|()| json!({"result": true})).map_err(failure::of)
}
