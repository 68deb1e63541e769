//! Authenticator apps and opt-in multi-factor authentication (`docs/contracts/curity.md` §§6.2 to 6.5).

use serde_json::{Value, json};

use super::{
    accounts::start,
    support::{ACCOUNTS, GROUPS, JOHNS, asked, data, failed, serving, token, token_at},
};
use crate::support::{
    castellan::Castellan,
    fixtures::text,
    totp::{Authenticator, TOTP, done, mutate, opt_in, register},
};

const DEVICES: &str = "devices {deviceId alias deviceType category {name} details {__typename ... on \
     TotpDeviceDetails {canUseWithTotpAuthenticator}}}";
const MFA: &str = "mfaOptIn {registeredFactors {factors {acr expectedUserName type description}} \
    preferences {optOutAt} recoveryCodeBatch {batchId createdAt codes {consumed consumedAt}} \
    registrableFactors {factors {acr type description hasDevices}}}";

async fn account(castellan: &Castellan, token: &str, (id, selected): (&str, &str)) -> Value {
    let query = format!("{{accountById(accountId: \"{id}\") {{{selected}}}}}");
    data(&asked(castellan, ACCOUNTS, token, &query).await)["accountById"].clone()
}

async fn begin(castellan: &Castellan, token: &str, account: &str) -> Value {
    let input = json!({"accountId": account, "alias": "phone"});
    let selected = "state deviceId issuer key digits interval algorithm skew delayWindow deviceType \
                    deviceExpiresIn qrLink";
    done(castellan, token, ("startVerifyTotpDeviceByAccountId", input, selected)).await
}

fn complete(account: &str, state: &Value, code: &str) -> (&'static str, Value, &'static str) {
    let input = json!({"accountId": account, "state": state, "totp": code});
    ("completeVerifyTotpDeviceByAccountId", input, "result")
}

fn setup(account: &str) -> (&'static str, Value, &'static str) {
    let input = json!({"accountId": account, "factors": [{"acr": TOTP}]});
    (
        "startOptInMfaSetupByAccountId",
        input,
        "state factors {acr type hasDevices} recoveryCodes {value}",
    )
}

fn confirm(account: &str, state: &Value) -> (&'static str, Value, &'static str) {
    let input = json!({"accountId": account, "state": state});
    ("completeOptInMfaSetupByAccountId", input, "account {id}")
}

#[tokio::test]
async fn an_authenticator_app_becomes_a_device_by_the_code_that_it_shows() {
    let (castellan, token) = start("").await;
    let begun = begin(&castellan, &token, "john").await;
    for (member, wanted) in [
        ("digits", json!(6)),
        ("interval", json!(30)),
        ("algorithm", json!("SHA1")),
        ("skew", json!(1)),
        ("delayWindow", json!(1)),
        ("deviceType", json!("totp")),
        ("deviceExpiresIn", Value::Null),
    ] {
        assert_eq!(begun[member], wanted, "{member}");
    }
    let (key, issuer) = (text(&begun, "key"), text(&begun, "issuer"));
    assert_eq!(key.len(), 32, "160 bits: {key}");
    let link = format!(
        "otpauth://totp/{issuer}:johndoe?secret={key}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    );
    assert_eq!(text(&begun, "qrLink"), link);
    // Nothing is there until the app has shown that it has the key.
    assert_eq!(account(&castellan, &token, ("john", DEVICES)).await["devices"], Value::Null);
    let app = Authenticator::of(key);
    let state = &begun["state"];
    let wrong = mutate(&castellan, &token, complete("john", state, &app.wrong_code())).await;
    failed(&wrong, "DataFetchingException");
    let other = mutate(&castellan, &token, complete("bob", state, &app.code(0))).await;
    failed(&other, "DataFetchingException");
    let result = done(&castellan, &token, complete("john", state, &app.code(0))).await;
    assert_eq!(result, json!({"result": true}));
    let again = mutate(&castellan, &token, complete("john", state, &app.code(0))).await;
    failed(&again, "DataFetchingException");
    let device = json!([{
        "deviceId": begun["deviceId"], "alias": "phone", "deviceType": "totp",
        "category": {"name": "totp"},
        "details": {"__typename": "TotpDeviceDetails", "canUseWithTotpAuthenticator": true},
    }]);
    assert_eq!(account(&castellan, &token, ("john", DEVICES)).await["devices"], device);
    assert_eq!(account(&castellan, &token, ("bob", DEVICES)).await["devices"], Value::Null);
}

#[tokio::test]
async fn a_state_expires_and_few_wrong_codes_end_it() {
    let (castellan, token) = start("").await;
    let begun = begin(&castellan, &token, "john").await;
    let app = Authenticator::of(text(&begun, "key"));
    for _ in 0..5 {
        let wrong = complete("john", &begun["state"], &app.wrong_code());
        failed(&mutate(&castellan, &token, wrong).await, "DataFetchingException");
    }
    let right = complete("john", &begun["state"], &app.code(0));
    failed(&mutate(&castellan, &token, right).await, "DataFetchingException");
    let begun = begin(&castellan, &token, "john").await;
    let app = Authenticator::of(text(&begun, "key"));
    castellan.advance_to(301);
    let late = complete("john", &begun["state"], &app.code(301));
    failed(&mutate(&castellan, &token, late).await, "DataFetchingException");
    assert_eq!(account(&castellan, &token, ("john", DEVICES)).await["devices"], Value::Null);
}

#[tokio::test]
async fn of_parallel_completions_one_makes_a_device() {
    let (castellan, token) = start("").await;
    let begun = begin(&castellan, &token, "john").await;
    let code = Authenticator::of(text(&begun, "key")).code(0);
    let query = "mutation($input: CompleteVerifyTotpDeviceByAccountIdInput!) {
        completeVerifyTotpDeviceByAccountId(input: $input) {result}}";
    let input = json!({"accountId": "john", "state": begun["state"], "totp": code});
    let body = json!({"query": query, "variables": {"input": input}});
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let ask = crate::support::wire::Ask::post(&castellan.at(ACCOUNTS)).bearer(&token);
        racers.spawn(ask.json(&body).send());
    }
    let answers = racers.join_all().await;
    let good = answers.iter().filter(|answer| answer.json().get("errors").is_none()).count();
    assert_eq!(good, 1, "{answers:?}");
    let devices = account(&castellan, &token, ("john", DEVICES)).await["devices"].clone();
    assert_eq!(devices.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_has_room_for_32_devices() {
    let (castellan, token) = start("").await;
    let begun = begin(&castellan, &token, "john").await;
    for number in 0..32 {
        let fields = json!({"deviceId": format!("d{number}")});
        let input = json!({"accountId": "john", "deviceFields": fields});
        let add = ("addDeviceToAccountByAccountId", input, "device {deviceId}");
        done(&castellan, &token, add).await;
    }
    let input = json!({"accountId": "john", "alias": "phone"});
    let full = mutate(&castellan, &token, ("startVerifyTotpDeviceByAccountId", input, "state"));
    failed(&full.await, "localized-validation-error");
    let code = Authenticator::of(text(&begun, "key")).code(0);
    let full = mutate(&castellan, &token, complete("john", &begun["state"], &code)).await;
    failed(&full, "localized-validation-error");
}

#[tokio::test]
async fn people_opt_in_to_what_they_can_show() {
    let (castellan, token) = start("").await;
    let mfa = account(&castellan, &token, ("john", MFA)).await["mfaOptIn"].clone();
    let offered = |has_devices: bool| {
        json!({"factors": [{"acr": TOTP, "type": "totp", "description": "Authenticator app",
            "hasDevices": has_devices}]})
    };
    assert_eq!(mfa["registrableFactors"], offered(false));
    assert_eq!(mfa["registeredFactors"]["factors"], json!([]));
    assert_eq!((&mfa["preferences"], &mfa["recoveryCodeBatch"]), (&Value::Null, &Value::Null));
    // Without a device nobody could sign in any more, and what is not asked for protects nobody.
    failed(&mutate(&castellan, &token, setup("john")).await, "localized-validation-error");
    let unknown = json!({"accountId": "john", "factors": [{"acr": "urn:se:curity:email"}]});
    let unknown = ("startOptInMfaSetupByAccountId", unknown, "state");
    let refused = failed(&mutate(&castellan, &token, unknown).await, "invalid-argument");
    assert_eq!(refused["field"], "factors.acr");
    let add = json!({"accountId": "john", "acr": TOTP});
    let add = ("addOptInMfaFactorToAccountByAccountId", add, "added");
    failed(&mutate(&castellan, &token, add.clone()).await, "localized-validation-error");

    register(&castellan, &token, "john").await;
    register(&castellan, &token, "bob").await;
    let begun = done(&castellan, &token, setup("john")).await;
    assert_eq!(begun["factors"], json!([{"acr": TOTP, "type": "totp", "hasDevices": true}]));
    assert_eq!(begun["recoveryCodes"].as_array().unwrap().len(), 10);
    let mfa = account(&castellan, &token, ("john", MFA)).await["mfaOptIn"].clone();
    assert_eq!(mfa["registeredFactors"]["factors"], json!([]), "it is not confirmed yet");
    let other = mutate(&castellan, &token, confirm("bob", &begun["state"])).await;
    failed(&other, "DataFetchingException");
    let own = token_at(&castellan, "console", "johndoe", "accounts groups").await;
    let confirmed = done(&castellan, &token, confirm("john", &begun["state"])).await;
    assert_eq!(confirmed, json!({"account": {"id": "john"}}));
    let again = mutate(&castellan, &token, confirm("john", &begun["state"])).await;
    failed(&again, "DataFetchingException");
    // What began with a password alone is over.
    assert_eq!(asked(&castellan, ACCOUNTS, &own, "{__typename}").await.status, 401);

    let mfa = account(&castellan, &token, ("john", MFA)).await["mfaOptIn"].clone();
    let registered = json!([{"acr": TOTP, "expectedUserName": "johndoe", "type": "totp",
        "description": "Authenticator app"}]);
    assert_eq!(mfa["registeredFactors"]["factors"], registered);
    assert_eq!(mfa["registrableFactors"]["factors"], json!([]));
    let codes = mfa["recoveryCodeBatch"]["codes"].as_array().unwrap();
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| *code == json!({"consumed": false, "consumedAt": null})));
    assert_eq!(done(&castellan, &token, add).await, json!({"added": false}));
}

#[tokio::test]
async fn what_sign_ins_ask_for_is_not_lost_by_the_way() {
    let (castellan, token) = start("").await;
    let john = opt_in(&castellan, &token, "john").await;
    let device = |extra: Value| {
        let mut input = json!({"accountId": "john", "deviceId": john.device});
        for (name, value) in extra.as_object().unwrap() {
            input[name] = value.clone();
        }
        input
    };
    let delete = ("deleteDeviceFromAccountByAccountId", device(json!({})), "deleted");
    failed(&mutate(&castellan, &token, delete.clone()).await, "localized-validation-error");
    let update = |fields: Value| {
        let input = device(json!({"deviceFields": fields}));
        ("updateDeviceFromAccountByAccountId", input, "device {alias}")
    };
    let expired = mutate(&castellan, &token, update(json!({"expiresAt": 1}))).await;
    failed(&expired, "localized-validation-error");
    let other = mutate(&castellan, &token, update(json!({"deviceType": "phone"}))).await;
    failed(&other, "invalid-argument");
    let renamed = done(&castellan, &token, update(json!({"alias": "work"}))).await;
    assert_eq!(renamed, json!({"device": {"alias": "work"}}));
    let factor = json!({"accountId": "john", "acr": TOTP});
    let last = ("deleteOptInMfaFactorFromAccountByAccountId", factor, "deleted");
    failed(&mutate(&castellan, &token, last.clone()).await, "invalid-argument");
    // A document over the account says nothing of factors, and leaves them.
    let shown = castellan.said(&["get", "User", "john"]);
    for hidden in ["totp", "mfa", "recovery", "sealed", &*john.device] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    let document = "{resourceType: User, id: john, userName: johndoe, title: Boss}";
    assert!(castellan.cli_with(&["apply", "-f", "-"], document).status.success());
    let mfa = account(&castellan, &token, ("john", MFA)).await["mfaOptIn"].clone();
    assert_eq!(mfa["registeredFactors"]["factors"][0]["acr"], TOTP);
    // With another device the first one can go.
    register(&castellan, &token, "john").await;
    assert_eq!(done(&castellan, &token, delete).await, json!({"deleted": true}));

    let input = json!({"accountId": "john"});
    let out = ("optOutFromOptInMfaByAccountId", input.clone(), "optedOut");
    assert_eq!(done(&castellan, &token, out).await, json!({"optedOut": true}));
    let mfa = account(&castellan, &token, ("john", MFA)).await["mfaOptIn"].clone();
    assert!(mfa["preferences"]["optOutAt"].is_u64() && mfa["recoveryCodeBatch"].is_null(), "{mfa}");
    assert_eq!(done(&castellan, &token, last).await, json!({"deleted": false}));
    let reset = ("resetOptInMfaStateByAccountId", input, "deleted");
    for deleted in [true, false] {
        assert_eq!(done(&castellan, &token, reset.clone()).await, json!({"deleted": deleted}));
    }
}

#[tokio::test]
async fn new_recovery_codes_take_the_place_of_the_old_ones() {
    let (castellan, token) = start("").await;
    let input = json!({"accountId": "john"});
    let exchange =
        ("startOptInMfaResetRecoveryCodesByAccountId", input, "state recoveryCodes {value}");
    failed(&mutate(&castellan, &token, exchange.clone()).await, "localized-validation-error");
    let john = opt_in(&castellan, &token, "john").await;
    let batch =
        account(&castellan, &token, ("john", MFA)).await["mfaOptIn"]["recoveryCodeBatch"].clone();
    let begun = done(&castellan, &token, exchange).await;
    let fresh = text(&begun["recoveryCodes"][0], "value").to_owned();
    assert!(!john.recovery_codes.contains(&fresh));
    let unchanged = account(&castellan, &token, ("john", MFA)).await;
    assert_eq!(unchanged["mfaOptIn"]["recoveryCodeBatch"], batch, "not before it is confirmed");
    let input = json!({"accountId": "john", "state": begun["state"]});
    // The state of one thing confirms no other.
    failed(
        &mutate(&castellan, &token, confirm("john", &begun["state"])).await,
        "DataFetchingException",
    );
    let complete = ("completeOptInMfaResetRecoveryCodesByAccountId", input, "account {id}");
    done(&castellan, &token, complete.clone()).await;
    failed(&mutate(&castellan, &token, complete).await, "DataFetchingException");
    let changed = account(&castellan, &token, ("john", MFA)).await;
    assert_ne!(changed["mfaOptIn"]["recoveryCodeBatch"]["batchId"], batch["batchId"]);
}

/// Nobody changes what somebody else signs in with who has groups that they are not in.
#[tokio::test]
async fn case_19_second_factors_are_changed_by_who_has_as_much() {
    let (castellan, token) = start("").await;
    for other in ["root", "user"] {
        let own = json!({"accountId": other, "alias": "mine"});
        let acr = json!({"accountId": other, "acr": TOTP});
        let id = json!({"accountId": other});
        let state = json!({"accountId": other, "state": "csl_verify_x"});
        for (name, input, selected) in [
            ("startVerifyTotpDeviceByAccountId", own, "state"),
            ("startOptInMfaSetupByAccountId", setup(other).1, "state"),
            ("completeOptInMfaSetupByAccountId", state.clone(), "account {id}"),
            ("startOptInMfaResetRecoveryCodesByAccountId", id.clone(), "state"),
            ("completeOptInMfaResetRecoveryCodesByAccountId", state, "account {id}"),
            ("addOptInMfaFactorToAccountByAccountId", acr.clone(), "added"),
            ("deleteOptInMfaFactorFromAccountByAccountId", acr, "deleted"),
            ("resetOptInMfaStateByAccountId", id.clone(), "deleted"),
            ("optOutFromOptInMfaByAccountId", id, "optedOut"),
        ] {
            let refused = mutate(&castellan, &token, (name, input, selected)).await;
            failed(&refused, "access-denied");
        }
    }
}

#[tokio::test]
async fn a_person_sets_up_their_own() {
    let own = "[management.self_service]\nrequired_scope = \"accounts\"\n\
        queries = [\"accountById\"]\nmutations = [\"startVerifyTotpDeviceByAccountId\", \
        \"completeVerifyTotpDeviceByAccountId\", \"startOptInMfaSetupByAccountId\", \
        \"completeOptInMfaSetupByAccountId\"]\nreadable = [\"devices\", \"mfaOptIn\", \"id\"]\n";
    let castellan = serving(&format!("{GROUPS}{own}"), JOHNS).await;
    let john = token_at(&castellan, "console", "johndoe", "accounts").await;
    let input = json!({"accountId": "bob", "alias": "mine"});
    let other =
        mutate(&castellan, &john, ("startVerifyTotpDeviceByAccountId", input, "state")).await;
    assert_eq!(other.status, 403, "{other:?}");
    opt_in(&castellan, &john, "john").await;
    assert_eq!(asked(&castellan, ACCOUNTS, &john, "{__typename}").await.status, 401, "it is over");
    let admin = token(&castellan, "admin").await;
    let mfa = account(&castellan, &admin, ("john", MFA)).await["mfaOptIn"].clone();
    assert_eq!(mfa["registeredFactors"]["factors"][0]["acr"], TOTP);
}

/// Whether `bytes` contain `part`.
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn neither_keys_nor_codes_are_at_rest_or_leave_in_the_clear() {
    let (castellan, token) = start("").await;
    let begun = begin(&castellan, &token, "john").await;
    let key = text(&begun, "key").to_owned();
    let code = Authenticator::of(&key).code(0);
    done(&castellan, &token, complete("john", &begun["state"], &code)).await;
    let begun = done(&castellan, &token, setup("john")).await;
    done(&castellan, &token, confirm("john", &begun["state"])).await;
    let recovery = text(&begun["recoveryCodes"][0], "value");
    let (raw, base64) = Authenticator::forms_of(&key);
    let secrets = [
        key.as_bytes(),
        &raw,
        base64.as_bytes(),
        recovery.as_bytes(),
        recovery.replace('-', "").as_bytes(),
        text(&begun, "state").as_bytes(),
    ]
    .map(<[u8]>::to_vec);
    let is_clean = |what: &str, bytes: &[u8]| {
        for secret in &secrets {
            assert!(!contains(bytes, secret), "{what} has {:?}", String::from_utf8_lossy(secret));
        }
    };
    for file in std::fs::read_dir(castellan.folder.path()).unwrap() {
        let file = file.unwrap().path();
        if !file.is_file() {
            continue;
        }
        is_clean(&file.display().to_string(), &std::fs::read(&file).unwrap());
    }
    let export = castellan.said(&["export"]);
    assert!(export.contains("last_step") && export.contains("\"recovery\""), "{export}");
    is_clean("the export", export.as_bytes());
    is_clean("the audit records", castellan.said(&["audit"]).as_bytes());
    let everything = "id devices {deviceId alias} mfaOptIn {recoveryCodeBatch {batchId}}";
    let shown = account(&castellan, &token, ("john", everything)).await.to_string();
    is_clean("the API", shown.as_bytes());
    // What is in none of the stored forms is not let in.
    let other = Castellan::with_documents("").await;
    let sealed = export.split("\"sealed\":\"").nth(1).unwrap().split('"').next().unwrap();
    let plain = export.replace(sealed, &key);
    let refused = other.cli_with(&["import", "--replace-keys"], &plain);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("attached.devices.totp"), "{why}");
    assert!(!why.contains(&key));
}
