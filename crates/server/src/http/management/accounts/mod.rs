//! Accounts (`docs/contracts/curity.md` §6).

mod credential;
mod failure;
mod messages;
mod mfa;
mod mutation;
mod passkey;
mod query;

pub(super) use failure::of as account_failure;

use castellan_issuer::managers::Operation;

use super::roster::{Api, Root, Target};
use crate::management_schemas;

const READ: &[Operation] = &[Operation::Read];
const CREATE: &[Operation] = &[Operation::Create];
const UPDATE: &[Operation] = &[Operation::Update];
const DELETE: &[Operation] = &[Operation::Delete];

// Which account a field is about.
const ACCOUNT_ID: Target = Target::AccountId("accountId");
const ACCOUNT_ID_IN_INPUT: Target = Target::AccountId("input.accountId");
const USER_NAME: Target = Target::UserName("userName");
const USER_NAME_IN_INPUT: Target = Target::UserName("input.userName");
const EMAIL_ADDRESS: Target = Target::Email("email");
const PHONE_NUMBER: Target = Target::PhoneNumber("phoneNumber");
const ID_OR_USER_NAME_IN_INPUT: Target = Target::IdOrUserName("input.accountId", "input.userName");

pub(super) static API: Api = Api {
    path: "/admin/graphql/accounts",
    schema: management_schemas::ACCOUNTS,
    roots: &[
        Root::new("accountByUserName", READ, |call| Box::pin(query::by_user_name(call)))
            .about(USER_NAME)
            .finds_by(|_| vec!["userName"]),
        Root::new("accountById", READ, |call| Box::pin(query::by_id(call))).about(ACCOUNT_ID),
        Root::new("accountByEmail", READ, |call| Box::pin(query::by_email(call)))
            .about(EMAIL_ADDRESS)
            .finds_by(|_| vec!["emails"]),
        Root::new("accountByPhoneNumber", READ, |call| Box::pin(query::by_phone_number(call)))
            .about(PHONE_NUMBER)
            .finds_by(|_| vec!["phoneNumbers"]),
        Root::new("accounts", READ, |call| Box::pin(query::list(call))).finds_by(query::examined),
        Root::new("credentialPolicyRulesStateByUserName", READ, |call| {
            Box::pin(query::credential_state(call))
        })
        .only_if(|settings| settings.has_credential_policy)
        .about(USER_NAME),
        Root::new("bucketsByUserName", READ, |call| Box::pin(query::buckets(call)))
            .only_if(|settings| settings.buckets)
            .about(USER_NAME),
        Root::new("credentialPolicy", READ, |call| query::credential_policy(call))
            .about(Target::Nobody),
        Root::new("createAccount", CREATE, |call| Box::pin(mutation::create(call)))
            .writes("input.fields", ""),
        Root::new("updateAccountById", UPDATE, |call| Box::pin(mutation::update(call)))
            .about(ACCOUNT_ID_IN_INPUT)
            .writes("input.fields", ""),
        Root::new("validatePasswordAndUpdateAccountById", UPDATE, |call| {
            Box::pin(mutation::validate_and_update(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .writes("input.fields", ""),
        Root::new("deleteAccountById", DELETE, |call| Box::pin(mutation::delete(call)))
            .about(ACCOUNT_ID_IN_INPUT),
        Root::new("deleteLinkFromAccountByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_link(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["linkedAccounts"]),
        Root::new("deleteDeviceFromAccountByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_device(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["devices"]),
        Root::new("deleteOptInMfaFactorFromAccountByAccountId", DELETE, |call| {
            Box::pin(mfa::delete_factor(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("addOptInMfaFactorToAccountByAccountId", UPDATE, |call| {
            Box::pin(mfa::add_factor(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("resetOptInMfaStateByAccountId", DELETE, |call| Box::pin(mfa::reset(call)))
            .about(ACCOUNT_ID_IN_INPUT),
        Root::new("optOutFromOptInMfaByAccountId", UPDATE, |call| Box::pin(mfa::opt_out(call)))
            .about(ACCOUNT_ID_IN_INPUT),
        Root::new("startOptInMfaSetupByAccountId", UPDATE, |call| Box::pin(mfa::start_setup(call)))
            .about(ACCOUNT_ID_IN_INPUT),
        Root::new("completeOptInMfaSetupByAccountId", UPDATE, |call| {
            Box::pin(mfa::complete_setup(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("startOptInMfaResetRecoveryCodesByAccountId", UPDATE, |call| {
            Box::pin(mfa::start_codes(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("completeOptInMfaResetRecoveryCodesByAccountId", UPDATE, |call| {
            Box::pin(mfa::complete_codes(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("addDeviceToAccountByAccountId", CREATE, |call| {
            Box::pin(mutation::add_device(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .writes("input.deviceFields", "devices"),
        Root::new("updateDeviceFromAccountByAccountId", UPDATE, |call| {
            Box::pin(mutation::update_device(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .writes("input.deviceFields", "devices"),
        Root::new("setCredentialPolicyRulesStateByUserName", UPDATE, |call| {
            Box::pin(credential::set_state(call))
        })
        .only_if(|settings| settings.has_credential_policy)
        .about(USER_NAME_IN_INPUT),
        Root::new("deleteBucketByUserName", DELETE, |call| Box::pin(mutation::delete_bucket(call)))
            .only_if(|settings| settings.buckets)
            .about(USER_NAME_IN_INPUT),
        Root::new("startVerifyEmailAddressByAccountId", UPDATE, |call| {
            Box::pin(messages::start_email(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("completeVerifyEmailAddressByAccountId", UPDATE, |call| {
            Box::pin(messages::complete_email(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("updatePrimaryEmailAddressByAccountId", UPDATE, |call| {
            Box::pin(mutation::make_email_primary(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["emails"]),
        Root::new("deleteEmailAddressByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_email(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["emails"]),
        Root::new("startVerifyTotpDeviceByAccountId", UPDATE, |call| {
            Box::pin(mfa::start_totp(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("completeVerifyTotpDeviceByAccountId", UPDATE, |call| {
            Box::pin(mfa::complete_totp(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("startVerifyPhoneNumberByAccountId", UPDATE, |call| {
            Box::pin(messages::start_phone(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("completeVerifyPhoneNumberByAccountId", UPDATE, |call| {
            Box::pin(messages::complete_phone(call))
        })
        .about(ACCOUNT_ID_IN_INPUT),
        Root::new("updatePrimaryPhoneNumberByAccountId", UPDATE, |call| {
            Box::pin(mutation::make_phone_primary(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["phoneNumbers"]),
        Root::new("deletePhoneNumberByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_phone(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .finds_by(|_| vec!["phoneNumbers"]),
        Root::new("sendPasswordResetEmail", UPDATE, |call| Box::pin(messages::send_reset(call)))
            .about(ID_OR_USER_NAME_IN_INPUT),
        Root::new("initializeAccountActivation", UPDATE, |call| {
            Box::pin(messages::initialize_activation(call))
        })
        .about(ID_OR_USER_NAME_IN_INPUT),
        Root::new("startVerifyPasskeyByAccountId", UPDATE, |call| Box::pin(passkey::start(call)))
            .about(ACCOUNT_ID_IN_INPUT)
            .writes("input", "devices"),
        Root::new("completeVerifyPasskeyByAccountId", UPDATE, |call| {
            Box::pin(passkey::complete(call))
        })
        .about(ACCOUNT_ID_IN_INPUT)
        .writes("input", "devices"),
    ],
    is_served: |_| true,
    managers: |settings| settings.managers(settings.accounts.as_ref()),
};
