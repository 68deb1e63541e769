//! `docs/security-cases.md` row 41: a store that fails once, before or after the effect of any verb
//! of any flow, is fatal to that request. Trying again gets there, or is refused as it should be.

use crate::{
    ends::{KeyTrade, Leaving, MachineSecret, MachineSignOut, Reseal, Retire},
    faulty_store::Extent,
    once::{Assertion, Bound, Pushed},
    registering::{Registering, Then},
    rotation::{Cause, Retirement, Rotation, Taken},
    stories::{
        Apply, ClientCredentials, CodeWithConsent, DeviceStory, Reading, Refresh, Revoke, SetUp,
        SignIn, SignOut, Story, Withdraw, at_every_verb,
    },
};

async fn is_fatal_in(story: &dyn Story) {
    at_every_verb(story, Extent::Once).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_code() {
    is_fatal_in(&CodeWithConsent).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_device() {
    is_fatal_in(&DeviceStory).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_client_credentials() {
    is_fatal_in(&ClientCredentials).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_refresh() {
    is_fatal_in(&Refresh { client: "shop", keeps: false }).await;
    is_fatal_in(&Refresh { client: "portal", keeps: true }).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_revocation() {
    is_fatal_in(&Revoke).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_withdrawal() {
    is_fatal_in(&Withdraw).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_sign_in() {
    is_fatal_in(&SignIn).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_sign_out() {
    is_fatal_in(&SignOut).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_the_set_up() {
    is_fatal_in(&SetUp).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_an_applied_document() {
    is_fatal_in(&Apply).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_reading() {
    is_fatal_in(&Reading).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_pushed_request() {
    is_fatal_in(&Pushed).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_an_assertion() {
    is_fatal_in(&Assertion::new()).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_proof_of_possession() {
    is_fatal_in(&Bound::new()).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_machine_users_token() {
    is_fatal_in(&MachineSignOut).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_machine_users_secret() {
    is_fatal_in(&MachineSecret { overlap: 0 }).await;
    is_fatal_in(&MachineSecret { overlap: 60 }).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_keys_secret() {
    is_fatal_in(&KeyTrade { keep: false }).await;
    is_fatal_in(&KeyTrade { keep: true }).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_what_a_person_may_do() {
    is_fatal_in(&Leaving::Person).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_person() {
    is_fatal_in(&Leaving::PersonForGood).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_an_app() {
    is_fatal_in(&Leaving::App("shop")).await;
    is_fatal_in(&Leaving::App("lens")).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_signing_key() {
    is_fatal_in(&Retire).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_a_master_key() {
    is_fatal_in(&Reseal::new()).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_new_signing_keys() {
    is_fatal_in(&Rotation::new(Cause::Time)).await;
    is_fatal_in(&Rotation::new(Cause::Hand)).await;
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_what_ends_any_signing_key() {
    for taken in [Taken::Only, Taken::Present, Taken::Past] {
        is_fatal_in(&Retirement::new(taken)).await;
    }
}

#[tokio::test]
async fn case_41_a_fault_is_fatal_to_a_registration() {
    for then in [Then::Nothing, Then::Read, Then::Replace, Then::Delete] {
        is_fatal_in(&Registering(then)).await;
    }
}
