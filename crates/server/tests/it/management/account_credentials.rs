//! The credential policy (`docs/contracts/curity.md` §6 and §12, items 32, 34 and 35).

use serde_json::{Value, json};

use super::{
    accounts::{signs_in, start, update},
    support::{ACCOUNTS, asked, data, failed},
};
use crate::support::{browser::Browser, castellan::Castellan};

const POLICY: &str =
    "[credential_policy]\nspecial = 1\nunique = 4\nmaximum_sequence = 3\nhistory = 2\n";

async fn set_password(castellan: &Castellan, token: &str, password: &str) -> Vec<String> {
    let answer = update(castellan, token, ("john", json!({"password": password}), "id")).await;
    if answer.json().get("errors").is_none() {
        return Vec::new();
    }
    let extensions = failed(&answer, "credential-update-rejected");
    assert_eq!(answer.json()["data"], json!({"updateAccountById": null}));
    let details = extensions["details"].as_array().unwrap().iter();
    details.map(|detail| detail["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn curity_32_a_password_keeps_every_rule() {
    let (castellan, token) = start(POLICY).await;
    let broken = set_password(&castellan, &token, "aaaa").await;
    assert_eq!(
        broken,
        [
            "Use at least 1 special character",
            "Use at least 4 different characters",
            "Use at most 3 characters in sequence",
        ]
    );
    assert!(signs_in(&castellan, "johndoe", "pw-johndoe").await, "the old one keeps working");
    assert_eq!(set_password(&castellan, &token, "pw-second").await, [""; 0]);
    assert_eq!(set_password(&castellan, &token, "pw-third").await, [""; 0]);
    for used in ["pw-johndoe", "pw-second"] {
        let broken = set_password(&castellan, &token, used).await;
        assert_eq!(broken, ["The password must not be one that you had before"], "{used}");
    }
    let same = set_password(&castellan, &token, "pw-third").await;
    assert_eq!(same, ["The password must be another than the present one"]);
    assert_eq!(set_password(&castellan, &token, "pw-fourth").await, [""; 0]);
    assert_eq!(set_password(&castellan, &token, "pw-johndoe").await, [""; 0], "long ago");
    // The same rules hold at every door.
    let document = "{resourceType: User, id: bob, userName: bob, password: aaaa}";
    let said = castellan.cli_with(&["apply", "-f", "-"], document);
    let why = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success() && why.contains("at least 1 special character"), "{why}");
}

#[tokio::test]
async fn curity_34_the_rules_are_told() {
    let query = "{credentialPolicy {credentialUpdateRules {__typename message
        ... on MinimumLengthPasswordRule {minimum}
        ... on MinimumSpecialPasswordRule {minimum}
        ... on MinimumUniquePasswordRule {minimum}
        ... on MaximumSequencePasswordRule {maximum}}}}";
    let (castellan, token) = start(POLICY).await;
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let rules = read["credentialPolicy"]["credentialUpdateRules"].as_array().unwrap();
    let names: Vec<_> = rules.iter().map(|rule| rule["__typename"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "MinimumLengthPasswordRule",
            "MinimumSpecialPasswordRule",
            "MinimumUniquePasswordRule",
            "MaximumSequencePasswordRule",
        ]
    );
    assert_eq!(rules[3]["maximum"], 3);
    assert_eq!(rules[1]["message"], "Use at least 1 special character");

    let (castellan, token) = start("").await;
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    assert_eq!(read["credentialPolicy"], Value::Null);
    let query = "{credentialPolicyRulesStateByUserName(userName: \"johndoe\") {userName}}";
    let answer = asked(&castellan, ACCOUNTS, &token, query).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "ValidationError");
}

const STATE: &str = "{userName forceReset {resetRequired} history {length} age {lastSetAt}
    temporaryLockout {lockedAt}}";

async fn set(castellan: &Castellan, token: &str, what: &str) -> Value {
    let query = format!(
        "mutation {{setCredentialPolicyRulesStateByUserName(input: {{userName: \"johndoe\", {what}}})
        {STATE}}}"
    );
    data(&asked(castellan, ACCOUNTS, token, &query).await)["setCredentialPolicyRulesStateByUserName"]
        .clone()
}

async fn state(castellan: &Castellan, token: &str) -> Value {
    let query = format!("{{credentialPolicyRulesStateByUserName(userName: \"johndoe\") {STATE}}}");
    data(&asked(castellan, ACCOUNTS, token, &query).await)["credentialPolicyRulesStateByUserName"]
        .clone()
}

#[tokio::test]
async fn curity_35_a_forced_reset_leads_to_a_new_password() {
    let (castellan, token) = start(POLICY).await;
    let said = set(&castellan, &token, "forceReset: {resetRequired: true}").await;
    assert_eq!(said["forceReset"]["resetRequired"], true);
    assert_eq!(state(&castellan, &token).await, said);
    // Whoever shows the right password gets no token, and whoever does not learns nothing.
    assert!(!signs_in(&castellan, "johndoe", "pw-johndoe").await);
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let wrong = browser.sign_in(&castellan, &begun, ("johndoe", "wrong")).await;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let moved = browser.sign_in(&castellan, &begun, ("johndoe", "pw-johndoe")).await;
    assert_eq!((moved.status.as_u16(), moved.location()), (303, "/auth/reset-password"));
    let form = browser.get(&castellan.at(moved.location())).await;
    let link = form.hidden("token").unwrap_or_else(|| panic!("no form: {form:?}"));
    for (password, is_good) in [("pw-johndoe", false), ("pw-changed", true)] {
        let pairs = [("token", &*link), ("password", password), ("password_again", password)];
        let answer = browser.post(&castellan.at("/auth/reset-password"), &pairs).await;
        assert_eq!(answer.status == 200, is_good, "{answer:?}");
    }
    assert!(signs_in(&castellan, "johndoe", "pw-changed").await);
    let said = state(&castellan, &token).await;
    assert_eq!(said["forceReset"]["resetRequired"], false);
    assert_eq!(said["history"]["length"], 1);
    let said = set(&castellan, &token, "history: {length: 0}").await;
    assert_eq!(said["history"]["length"], 0);
}

#[tokio::test]
async fn a_lockout_can_be_set_and_taken_away() {
    let (castellan, token) = start(POLICY).await;
    assert_eq!(state(&castellan, &token).await["temporaryLockout"]["lockedAt"], Value::Null);
    for _ in 0..12 {
        signs_in(&castellan, "johndoe", "wrong").await;
    }
    assert!(state(&castellan, &token).await["temporaryLockout"]["lockedAt"].is_u64());
    let said = set(&castellan, &token, "temporaryLockout: {lockedAt: null}").await;
    assert_eq!(said["temporaryLockout"]["lockedAt"], Value::Null);
    castellan.advance_to(60);
    let since = castellan_now(&state(&castellan, &token).await);
    let said = set(&castellan, &token, &format!("temporaryLockout: {{lockedAt: {since}}}")).await;
    assert_eq!(said["temporaryLockout"]["lockedAt"], since);
    assert!(!signs_in(&castellan, "johndoe", "pw-johndoe").await);
    set(&castellan, &token, "temporaryLockout: {lockedAt: null}").await;
    assert!(signs_in(&castellan, "johndoe", "pw-johndoe").await);
}

/// A time that is not in the future: a minute after the password was set.
fn castellan_now(state: &Value) -> u64 {
    state["age"]["lastSetAt"].as_u64().unwrap()
}

#[tokio::test]
async fn a_password_that_is_too_old_has_to_be_changed() {
    let (castellan, token) = start(&format!("{POLICY}max_age = \"1h\"\n")).await;
    assert!(signs_in(&castellan, "johndoe", "pw-johndoe").await);
    let since = castellan_now(&state(&castellan, &token).await);
    set(&castellan, &token, &format!("age: {{lastSetAt: {}}}", since.saturating_sub(3_600))).await;
    assert!(!signs_in(&castellan, "johndoe", "pw-johndoe").await);
    set(&castellan, &token, &format!("age: {{lastSetAt: {since}}}")).await;
    assert!(signs_in(&castellan, "johndoe", "pw-johndoe").await);
}
