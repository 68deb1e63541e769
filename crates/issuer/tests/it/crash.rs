//! `docs/rules.md` rule 44: the process dies before or after every verb of every grant. Nothing is
//! issued twice, nothing acknowledged is lost, and what is dead stays dead.

use crate::{
    ends::{KeyTrade, Leaving, MachineSecret, MachineSignOut, Reseal, Retire},
    faulty_store::Extent,
    once::{Assertion, Bound, Pushed},
    registering::{Registering, Then},
    rotation::{Cause, Retirement, Rotation, Taken},
    stories::{
        Apply, ClientCredentials, CodeWithConsent, DeviceStory, Refresh, Revoke, SetUp, SignIn,
        SignOut, Story, Withdraw, at_every_verb,
    },
    verifying::{Forgetting, Verifying},
};

async fn survives(story: &dyn Story) {
    at_every_verb(story, Extent::Forever).await;
}

#[tokio::test]
async fn a_code_survives_a_crash() {
    survives(&CodeWithConsent).await;
}

#[tokio::test]
async fn a_device_survives_a_crash() {
    survives(&DeviceStory).await;
}

#[tokio::test]
async fn client_credentials_survive_a_crash() {
    survives(&ClientCredentials).await;
}

#[tokio::test]
async fn a_rotating_refresh_survives_a_crash() {
    survives(&Refresh { client: "shop", keeps: false }).await;
}

#[tokio::test]
async fn a_refresh_that_keeps_its_token_survives_a_crash() {
    survives(&Refresh { client: "portal", keeps: true }).await;
}

#[tokio::test]
async fn a_revocation_survives_a_crash() {
    survives(&Revoke).await;
}

#[tokio::test]
async fn a_withdrawn_consent_survives_a_crash() {
    survives(&Withdraw).await;
}

#[tokio::test]
async fn a_sign_in_survives_a_crash() {
    survives(&SignIn).await;
}

#[tokio::test]
async fn a_sign_out_survives_a_crash() {
    survives(&SignOut).await;
}

#[tokio::test]
async fn the_set_up_survives_a_crash() {
    survives(&SetUp).await;
}

#[tokio::test]
async fn a_verified_address_survives_a_crash() {
    survives(&Verifying).await;
}

#[tokio::test]
async fn a_link_for_a_new_password_survives_a_crash() {
    survives(&Forgetting).await;
}

#[tokio::test]
async fn an_applied_document_survives_a_crash() {
    survives(&Apply).await;
}

#[tokio::test]
async fn a_pushed_request_survives_a_crash() {
    survives(&Pushed).await;
}

#[tokio::test]
async fn an_assertion_survives_a_crash() {
    survives(&Assertion::new()).await;
}

#[tokio::test]
async fn a_proof_of_possession_survives_a_crash() {
    survives(&Bound::new()).await;
}

#[tokio::test]
async fn a_machine_users_sign_out_survives_a_crash() {
    survives(&MachineSignOut).await;
}

#[tokio::test]
async fn a_new_secret_of_a_machine_user_survives_a_crash() {
    survives(&MachineSecret { overlap: 0 }).await;
    survives(&MachineSecret { overlap: 60 }).await;
}

#[tokio::test]
async fn a_new_secret_of_a_key_survives_a_crash() {
    survives(&KeyTrade { keep: false }).await;
    survives(&KeyTrade { keep: true }).await;
}

#[tokio::test]
async fn the_end_of_what_a_person_may_do_survives_a_crash() {
    survives(&Leaving::Person).await;
}

#[tokio::test]
async fn the_end_of_a_person_survives_a_crash() {
    survives(&Leaving::PersonForGood).await;
}

#[tokio::test]
async fn the_end_of_an_app_survives_a_crash() {
    survives(&Leaving::App("shop")).await;
    survives(&Leaving::App("lens")).await;
}

#[tokio::test]
async fn the_end_of_a_signing_key_survives_a_crash() {
    survives(&Retire).await;
}

#[tokio::test]
async fn another_master_key_survives_a_crash() {
    survives(&Reseal::new()).await;
}

#[tokio::test]
async fn new_signing_keys_in_time_survive_a_crash() {
    survives(&Rotation::new(Cause::Time)).await;
}

#[tokio::test]
async fn new_signing_keys_by_hand_survive_a_crash() {
    survives(&Rotation::new(Cause::Hand)).await;
}

#[tokio::test]
async fn the_end_of_any_signing_key_survives_a_crash() {
    for taken in [Taken::Only, Taken::Present, Taken::Past] {
        survives(&Retirement::new(taken)).await;
    }
}

#[tokio::test]
async fn the_end_of_a_signing_key_before_its_turn_survives_a_crash() {
    survives(&Retirement::new(Taken::Next)).await;
}

#[tokio::test]
async fn a_registration_survives_a_crash() {
    for then in [Then::Nothing, Then::Read, Then::Replace, Then::Delete] {
        survives(&Registering(then)).await;
    }
}
