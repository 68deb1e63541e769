//! Authenticator apps, and opt-in multi-factor authentication (`docs/contracts/curity.md` §6.2).

use serde_json::Value;

use super::{
    failure,
    mutation::{Input, account, actor, said},
};
use crate::http::management::{error::Failure, roster::Call};

pub(super) async fn start_totp(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, alias) = (input.id(), input.text("alias"));
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    let started = issuer.start_totp_device(&actor, id, alias, &call.app.title()).await;
    started.map_err(failure::of)
}

pub(super) async fn complete_totp(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (state, code) = (input.text("state"), input.text("totp"));
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    said("result", issuer.complete_totp_device(&actor, input.id(), state, code).await)
}

pub(super) async fn start_setup(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let factors = call.argument("input")["factors"].as_array().into_iter().flatten();
    let acrs: Vec<&str> = factors.filter_map(|factor| factor["acr"].as_str()).collect();
    let started = call.app.issuer().start_mfa_setup(&actor(call).await?, input.id(), &acrs).await;
    started.map_err(failure::of)
}

pub(super) async fn complete_setup(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, state) = (input.id(), input.text("state"));
    account(call, call.app.issuer().complete_mfa_setup(&actor(call).await?, id, state).await).await
}

pub(super) async fn start_codes(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let started = call.app.issuer().start_new_recovery_codes(&actor(call).await?, input.id()).await;
    started.map_err(failure::of)
}

pub(super) async fn complete_codes(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, state) = (input.id(), input.text("state"));
    account(
        call,
        call.app.issuer().complete_new_recovery_codes(&actor(call).await?, id, state).await,
    )
    .await
}

pub(super) async fn add_factor(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, acr) = (input.id(), input.text("acr"));
    said("added", call.app.issuer().add_mfa_factor(&actor(call).await?, id, acr).await)
}

pub(super) async fn delete_factor(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, acr) = (input.id(), input.text("acr"));
    said("deleted", call.app.issuer().delete_mfa_factor(&actor(call).await?, id, acr).await)
}

pub(super) async fn opt_out(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    said("optedOut", call.app.issuer().opt_out_of_mfa(&actor(call).await?, input.id()).await)
}

pub(super) async fn reset(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    said("deleted", call.app.issuer().reset_mfa(&actor(call).await?, input.id()).await)
}
