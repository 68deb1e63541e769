//! The mutations that send messages to people (`docs/contracts/curity.md` §6.2).

use castellan_issuer::management::accounts::{AccountError, VerificationAnswer, Whom};
use serde_json::{Value, json};

use super::{
    failure,
    mutation::{Input, actor},
};
use crate::http::management::{error::Failure, roster::Call};

pub(super) async fn start_email(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, email) = (input.id(), input.text("emailAddress"));
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    started(issuer.start_email_verification(&actor, id, email, call.reads_all).await)
}

pub(super) async fn complete_email(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let answer = answer(&input);
    let issuer = call.app.issuer();
    completed(issuer.complete_email_verification(&actor(call).await?, input.id(), answer).await)
}

pub(super) async fn start_phone(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, number) = (input.id(), input.text("phoneNumber"));
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    started(issuer.start_phone_verification(&actor, id, number, call.reads_all).await)
}

pub(super) async fn complete_phone(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let answer = answer(&input);
    let issuer = call.app.issuer();
    completed(issuer.complete_phone_verification(&actor(call).await?, input.id(), answer).await)
}

pub(super) async fn send_reset(call: &Call<'_>) -> Result<Value, Failure> {
    let (whom, locale) = recipient(call)?;
    let sent = call.app.issuer().send_password_reset(whom, locale, reveals(call)).await;
    Ok(json!({"result": sent.map_err(failure::of)?}))
}

pub(super) async fn initialize_activation(call: &Call<'_>) -> Result<Value, Failure> {
    let (whom, locale) = recipient(call)?;
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    let sent = issuer.initialize_activation(&actor, whom, locale, reveals(call)).await;
    Ok(json!({"result": sent.map_err(failure::of)?}))
}

fn answer<'a>(input: &Input<'a>) -> VerificationAnswer<'a> {
    VerificationAnswer { state: input.text("state"), code: input.text("otp") }
}

/// Whether the answer may tell what became of it: it concerns the caller's own account, or the caller
/// may read all.
const fn reveals(call: &Call<'_>) -> bool {
    call.reads_all || call.allowed.is_self_service()
}

/// Whom a link is for, and in which language.
fn recipient<'a>(call: &'a Call<'_>) -> Result<(Whom<'a>, Option<&'a str>), Failure> {
    let input = Input::of(call)?;
    let told = |name: &str| Some(input.text(name)).filter(|text| !text.is_empty());
    let whom = match (told("accountId"), told("userName"), told("email")) {
        (Some(id), None, None) => Whom::Id(id),
        (None, Some(name), None) => Whom::UserName(name),
        (None, None, Some(email)) => Whom::Email(email),
        _ => {
            let text = "give one of accountId, userName and email";
            return Err(Failure::invalid_argument(text));
        }
    };
    Ok((whom, told("locale")))
}

fn started(state: Result<Option<String>, AccountError>) -> Result<Value, Failure> {
    let state = state.map_err(failure::of)?;
    Ok(json!({"result": state.is_some(), "state": state}))
}

fn completed(outcome: Result<(), AccountError>) -> Result<Value, Failure> {
    outcome.map_err(failure::of)?;
    Ok(json!({"result": true}))
}
