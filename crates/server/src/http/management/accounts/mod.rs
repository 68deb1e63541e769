//! Accounts (`docs/contracts/curity.md` §6).

mod credential;
mod failure;
mod mutation;
mod query;

use castellan_issuer::managers::Operation;

use super::roster::{Api, Root};

const READ: &[Operation] = &[Operation::Read];
const CREATE: &[Operation] = &[Operation::Create];
const UPDATE: &[Operation] = &[Operation::Update];
const DELETE: &[Operation] = &[Operation::Delete];

// What is not configured, in words for developers.
const EMAIL: &str = "verification of email addresses";
const PHONE: &str = "verification of phone numbers";
const TOTP: &str = "authentication by TOTP";
const PASSKEYS: &str = "authentication by passkeys";
const MFA: &str = "opt-in multi-factor authentication";
const MAIL: &str = "password reset by email";
const ACTIVATION: &str = "account activation by email";

pub(super) static API: Api = Api {
    name: "accounts",
    path: "/admin/graphql/accounts",
    sdl: include_str!("../schemas/accounts.graphqls"),
    roots: &[
        Root::new("accountByUserName", READ, |call| Box::pin(query::by_user_name(call))),
        Root::new("accountById", READ, |call| Box::pin(query::by_id(call))),
        Root::new("accountByEmail", READ, |call| Box::pin(query::by_email(call))),
        Root::new("accountByPhoneNumber", READ, |call| Box::pin(query::by_phone_number(call))),
        Root::new("accounts", READ, |call| Box::pin(query::list(call))),
        Root::new("credentialPolicyRulesStateByUserName", READ, |call| {
            Box::pin(query::credential_state(call))
        })
        .only_if(|settings| settings.has_credential_policy),
        Root::new("bucketsByUserName", READ, |call| Box::pin(query::buckets(call)))
            .only_if(|settings| settings.buckets),
        Root::new("credentialPolicy", READ, |call| Box::pin(query::credential_policy(call))),
        Root::new("createAccount", CREATE, |call| Box::pin(mutation::create(call))),
        Root::new("updateAccountById", UPDATE, |call| Box::pin(mutation::update(call))),
        Root::new("validatePasswordAndUpdateAccountById", UPDATE, |call| {
            Box::pin(mutation::validate_and_update(call))
        }),
        Root::new("deleteAccountById", DELETE, |call| Box::pin(mutation::delete(call))),
        Root::new("deleteLinkFromAccountByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_link(call))
        }),
        Root::new("deleteDeviceFromAccountByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_device(call))
        }),
        Root::new("deleteOptInMfaFactorFromAccountByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_mfa_factor(call))
        }),
        Root::new("addOptInMfaFactorToAccountByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(MFA))
        }),
        Root::new("resetOptInMfaStateByAccountId", DELETE, |call| {
            Box::pin(mutation::reset_mfa(call))
        }),
        Root::new("optOutFromOptInMfaByAccountId", UPDATE, |call| {
            Box::pin(mutation::opt_out_of_mfa(call))
        }),
        Root::new("startOptInMfaSetupByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(MFA))
        }),
        Root::new("completeOptInMfaSetupByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(MFA))
        }),
        Root::new("startOptInMfaResetRecoveryCodesByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(MFA))
        }),
        Root::new("completeOptInMfaResetRecoveryCodesByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(MFA))
        }),
        Root::new("addDeviceToAccountByAccountId", CREATE, |call| {
            Box::pin(mutation::add_device(call))
        }),
        Root::new("updateDeviceFromAccountByAccountId", UPDATE, |call| {
            Box::pin(mutation::update_device(call))
        }),
        Root::new("setCredentialPolicyRulesStateByUserName", UPDATE, |call| {
            Box::pin(credential::set_state(call))
        })
        .only_if(|settings| settings.has_credential_policy),
        Root::new("deleteBucketByUserName", DELETE, |call| Box::pin(mutation::delete_bucket(call)))
            .only_if(|settings| settings.buckets),
        Root::new("startVerifyEmailAddressByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(EMAIL))
        }),
        Root::new("completeVerifyEmailAddressByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(EMAIL))
        }),
        Root::new("updatePrimaryEmailAddressByAccountId", UPDATE, |call| {
            Box::pin(mutation::make_email_primary(call))
        }),
        Root::new("deleteEmailAddressByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_email(call))
        }),
        Root::new("startVerifyTotpDeviceByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(TOTP))
        }),
        Root::new("completeVerifyTotpDeviceByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(TOTP))
        }),
        Root::new("startVerifyPhoneNumberByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(PHONE))
        }),
        Root::new("completeVerifyPhoneNumberByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(PHONE))
        }),
        Root::new("updatePrimaryPhoneNumberByAccountId", UPDATE, |call| {
            Box::pin(mutation::make_phone_primary(call))
        }),
        Root::new("deletePhoneNumberByAccountId", DELETE, |call| {
            Box::pin(mutation::delete_phone(call))
        }),
        Root::new("sendPasswordResetEmail", UPDATE, |_| Box::pin(mutation::not_configured(MAIL))),
        Root::new("initializeAccountActivation", UPDATE, |_| {
            Box::pin(mutation::not_configured(ACTIVATION))
        }),
        Root::new("startVerifyPasskeyByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(PASSKEYS))
        }),
        Root::new("completeVerifyPasskeyByAccountId", UPDATE, |_| {
            Box::pin(mutation::not_configured(PASSKEYS))
        }),
    ],
    managers: |settings| settings.managers(settings.accounts.as_ref()),
};
