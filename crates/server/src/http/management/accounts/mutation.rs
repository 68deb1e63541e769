//! The mutations (`docs/contracts/curity.md` §6.2).

use std::sync::LazyLock;

use castellan_issuer::management::accounts::{AccountChange, AccountError, Actor};
use castellan_proto::Secret;
use serde_json::{Map, Value, json};

use super::{failure, query::shown};
use crate::http::management::{error::Failure, roster::Call};

/// The input object of a mutation.
pub(super) struct Input<'a>(&'a Map<String, Value>);

static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl<'a> Input<'a> {
    /// That of `call`.
    ///
    /// # Errors
    /// [`Failure`] if there is none.
    pub(super) fn of(call: &'a Call<'_>) -> Result<Self, Failure> {
        let input = call.argument("input").as_object();
        input.map(Self).ok_or_else(|| Failure::validation("input is required"))
    }

    pub(super) fn text(&self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn id(&self) -> &'a str {
        self.text("accountId")
    }

    pub(super) fn object(&self, name: &str) -> &'a Map<String, Value> {
        self.0.get(name).and_then(Value::as_object).unwrap_or(&NOTHING)
    }
}

pub(super) async fn actor(call: &Call<'_>) -> Result<Actor, Failure> {
    Ok(call.app.issuer().actor(call.caller).await?)
}

pub(super) async fn create(call: &Call<'_>) -> Result<Value, Failure> {
    let fields = Input::of(call)?.object("fields");
    let created = call.app.issuer().create_account(&actor(call).await?, fields).await;
    account(call, created).await
}

pub(super) async fn update(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let change = changed(call, &input);
    account(call, call.app.issuer().update_account(&actor(call).await?, input.id(), change).await)
        .await
}

pub(super) async fn validate_and_update(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let current = Secret::new(input.text("currentPassword").to_owned());
    let change = changed(call, &input);
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    let updated = issuer.validate_password_and_update_account(&actor, input.id(), &current, change);
    account(call, updated.await).await
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let deleted = call.app.issuer().delete_account(&actor(call).await?, input.id()).await;
    let deleted = deleted.map_err(failure::of)?.account;
    let is_deleted = deleted.is_some();
    let deleted = match deleted {
        Some(account) => Some(shown(call, account).await?),
        None => None,
    };
    // They are part of the account, and go with it in any case.
    let asked = input.0.get("deleteAccountLinks").and_then(Value::as_bool) == Some(true);
    Ok(json!({
        "deleted": is_deleted,
        "account": deleted,
        "deletedAccountLinks": asked.then_some(is_deleted),
    }))
}

pub(super) async fn add_device(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let fields = input.object("deviceFields");
    let device = call.app.issuer().add_device(&actor(call).await?, input.id(), fields).await;
    Ok(json!({"device": device.map_err(failure::of)?}))
}

pub(super) async fn update_device(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, device) = (input.id(), input.text("deviceId"));
    let fields = input.object("deviceFields");
    let device = call.app.issuer().update_device(&actor(call).await?, id, device, fields).await;
    Ok(json!({"device": device.map_err(failure::of)?}))
}

pub(super) async fn delete_device(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    let device = input.text("deviceId");
    said("deleted", issuer.delete_device(&actor, input.id(), device, call.allowed).await)
}

pub(super) async fn delete_link(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let link = input.object("linkedAccount");
    let text = |name: &str| link.get(name).and_then(Value::as_str).unwrap_or_default();
    let (issuer, actor) = (call.app.issuer(), actor(call).await?);
    let deleted = issuer.delete_link(&actor, input.id(), text("value"), text("domain")).await;
    said("deleted", deleted)
}

pub(super) async fn delete_bucket(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (name, purpose) = (input.text("userName"), input.text("purpose"));
    said("deleted", call.app.issuer().delete_bucket(&actor(call).await?, name, purpose).await)
}

pub(super) async fn make_email_primary(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, email) = (input.id(), input.text("newPrimaryEmailAddress"));
    said("result", call.app.issuer().make_email_primary(&actor(call).await?, id, email).await)
}

pub(super) async fn delete_email(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, email) = (input.id(), input.text("emailAddressToDelete"));
    said("result", call.app.issuer().delete_email(&actor(call).await?, id, email).await)
}

pub(super) async fn make_phone_primary(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, number) = (input.id(), input.text("newPrimaryPhoneNumber"));
    said("result", call.app.issuer().make_phone_primary(&actor(call).await?, id, number).await)
}

pub(super) async fn delete_phone(call: &Call<'_>) -> Result<Value, Failure> {
    let input = Input::of(call)?;
    let (id, number) = (input.id(), input.text("phoneNumberToDelete"));
    said("result", call.app.issuer().delete_phone(&actor(call).await?, id, number).await)
}

/// What an update of an account is to change.
fn changed<'a>(call: &Call<'_>, input: &Input<'a>) -> AccountChange<'a> {
    let renames = call.app.management().allow_username_updates;
    AccountChange { fields: input.object("fields"), renames }
}

pub(super) async fn account(
    call: &Call<'_>,
    written: Result<Value, AccountError>,
) -> Result<Value, Failure> {
    Ok(json!({"account": shown(call, written.map_err(failure::of)?).await?}))
}

pub(super) fn said(name: &str, outcome: Result<bool, AccountError>) -> Result<Value, Failure> {
    Ok(json!({name: outcome.map_err(failure::of)?}))
}
