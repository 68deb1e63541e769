//! What belongs to an account: devices, links, addresses, buckets (`docs/contracts/curity.md` §6 and
//! §12, items 30, 31, 36 and 38).

use serde_json::{Value, json};

use super::{
    accounts::{start, update},
    support::{ACCOUNTS, asked, data, failed},
};
use crate::support::castellan::Castellan;

async fn mutate(castellan: &Castellan, token: &str, mutation: &str) -> Value {
    data(&asked(castellan, ACCOUNTS, token, &format!("mutation {{m: {mutation}}}")).await)["m"]
        .clone()
}

#[tokio::test]
async fn curity_30_a_device_is_unique_in_its_account() {
    let (castellan, token) = start("").await;
    let add = |account: &str| {
        format!(
            "addDeviceToAccountByAccountId(input: {{accountId: \"{account}\", deviceFields: {{
            deviceId: \"d1\", alias: \"mine\", deviceType: \"totp\", expiresAt: 9999999999}}}})
            {{device {{deviceId alias owner expiresAt category {{name}} meta {{resourceType}}}}}}"
        )
    };
    let device = json!({"deviceId": "d1", "alias": "mine", "owner": null, "expiresAt": 9_999_999_999_u64,
        "category": {"name": "totp"}, "meta": {"resourceType": "Device"}});
    assert_eq!(mutate(&castellan, &token, &add("john")).await["device"], device);
    let again = format!("mutation {{{}}}", add("john"));
    let answer = asked(&castellan, ACCOUNTS, &token, &again).await;
    assert_eq!(failed(&answer, "constraint-violation")["field"], "deviceId");
    mutate(&castellan, &token, &add("bob")).await;
    let change = "updateDeviceFromAccountByAccountId(input: {accountId: \"john\", deviceId: \"d1\",
        deviceFields: {alias: null, owner: \"John\"}}) {device {alias owner deviceType}}";
    let changed = json!({"alias": null, "owner": "John", "deviceType": "totp"});
    assert_eq!(mutate(&castellan, &token, change).await["device"], changed);
    let unknown = format!("mutation {{{}}}", change.replace("d1", "d2"));
    failed(&asked(&castellan, ACCOUNTS, &token, &unknown).await, "not-found");
    // A document says nothing of devices, so that they stay.
    data(&update(&castellan, &token, ("john", json!({"title": "x"}), "id")).await);
    let query = "{accountById(accountId: \"john\") {devices {deviceId owner}}}";
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let devices = json!([{"deviceId": "d1", "owner": "John"}]);
    assert_eq!(read["accountById"]["devices"], devices);
    let delete =
        "deleteDeviceFromAccountByAccountId(input: {accountId: \"john\", deviceId: \"d1\"})
        {deleted}";
    for deleted in [true, false] {
        assert_eq!(mutate(&castellan, &token, delete).await, json!({"deleted": deleted}));
    }
}

/// Devices are part of one record: of those that race, none gets lost and none is there twice.
#[tokio::test]
async fn devices_that_are_added_at_once_are_all_there() {
    let (castellan, token) = start("").await;
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..16 {
        let query = format!(
            "mutation {{addDeviceToAccountByAccountId(input: {{accountId: \"bob\",
            deviceFields: {{deviceId: \"d{}\"}}}}) {{device {{deviceId}}}}}}",
            racer / 2
        );
        let url = castellan.at(ACCOUNTS);
        let ask =
            crate::support::wire::Ask::post(&url).bearer(&token).json(&json!({"query": query}));
        racers.spawn(ask.send());
    }
    let answers = racers.join_all().await;
    let good = answers.iter().filter(|answer| answer.json().get("errors").is_none()).count();
    assert_eq!(good, 8);
    let query = "{accountById(accountId: \"bob\") {devices {deviceId}}}";
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    assert_eq!(read["accountById"]["devices"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn curity_31_a_link_is_deleted_from_its_own_account_alone() {
    let (castellan, token) = start("").await;
    let linked = |id: &str, name: &str| {
        json!({"resourceType": "User", "id": id, "userName": name,
            "linkedAccounts": [{"value": "j1", "domain": "idp.example"}]})
        .to_string()
    };
    assert!(castellan.cli_with(&["apply", "-f", "-"], &linked("john", "johndoe")).status.success());
    let refused = castellan.cli_with(&["apply", "-f", "-"], &linked("bob", "bob"));
    assert!(!refused.status.success(), "a link belongs to one account");
    let delete = |account: &str| {
        format!(
            "deleteLinkFromAccountByAccountId(input: {{accountId: \"{account}\",
            linkedAccount: {{value: \"j1\", domain: \"idp.example\"}}}}) {{deleted}}"
        )
    };
    let links = "{accountById(accountId: \"john\") {linkedAccounts {value domain created}}}";
    let count = |read: &Value| read["accountById"]["linkedAccounts"].as_array().map_or(0, Vec::len);
    for (account, deleted, left) in
        [("bob", false, 1), ("nobody", false, 1), ("john", true, 0), ("john", false, 0)]
    {
        let said = mutate(&castellan, &token, &delete(account)).await;
        assert_eq!(said, json!({"deleted": deleted}), "{account}");
        let read = data(&asked(&castellan, ACCOUNTS, &token, links).await);
        assert_eq!(count(&read), left, "{account}");
    }
    assert!(castellan.cli_with(&["apply", "-f", "-"], &linked("bob", "bob")).status.success());
}

#[tokio::test]
async fn primary_values_move_and_are_not_deleted() {
    let (castellan, token) = start("").await;
    let effective = "{accountById(accountId: \"john\") {emails {value type} phoneNumbers {value}}}";
    for (mutation, result) in [
        (
            "deleteEmailAddressByAccountId(input: {accountId: \"john\", emailAddressToDelete: \"john@example.org\"})",
            false,
        ),
        (
            "deleteEmailAddressByAccountId(input: {accountId: \"john\", emailAddressToDelete: \"nobody@example.org\"})",
            false,
        ),
        (
            "updatePrimaryEmailAddressByAccountId(input: {accountId: \"john\", newPrimaryEmailAddress: \"nobody@example.org\"})",
            false,
        ),
        (
            "updatePrimaryEmailAddressByAccountId(input: {accountId: \"john\", newPrimaryEmailAddress: \"other@example.org\"})",
            true,
        ),
        (
            "updatePrimaryEmailAddressByAccountId(input: {accountId: \"john\", newPrimaryEmailAddress: \"other@example.org\"})",
            true,
        ),
        (
            "updatePrimaryPhoneNumberByAccountId(input: {accountId: \"john\", newPrimaryPhoneNumber: \"+1 (555) 0101\"})",
            true,
        ),
        (
            "deletePhoneNumberByAccountId(input: {accountId: \"john\", phoneNumberToDelete: \"+15550101\"})",
            false,
        ),
        (
            "deletePhoneNumberByAccountId(input: {accountId: \"john\", phoneNumberToDelete: \"+15550100\"})",
            true,
        ),
    ] {
        let said = mutate(&castellan, &token, &format!("{mutation} {{result}}")).await;
        assert_eq!(said, json!({"result": result}), "{mutation}");
    }
    let read = data(&asked(&castellan, ACCOUNTS, &token, effective).await);
    let wanted = json!({
        "emails": [{"value": "other@example.org", "type": null}, {"value": "john@example.org", "type": "work"}],
        "phoneNumbers": [{"value": "+1 555 0101"}],
    });
    assert_eq!(read["accountById"], wanted);
}

#[tokio::test]
async fn opting_out_of_further_factors_is_remembered_and_reset() {
    let (castellan, token) = start("").await;
    let state = "{accountById(accountId: \"john\") {mfaOptIn {registeredFactors {factors {acr}}
        preferences {optOutAt} recoveryCodeBatch {batchId}}}}";
    let opt_out = "optOutFromOptInMfaByAccountId(input: {accountId: \"john\"}) {optedOut}";
    assert_eq!(mutate(&castellan, &token, opt_out).await, json!({"optedOut": true}));
    let read = data(&asked(&castellan, ACCOUNTS, &token, state).await);
    let mfa = &read["accountById"]["mfaOptIn"];
    assert_eq!(mfa["registeredFactors"]["factors"], json!([]));
    assert!(mfa["preferences"]["optOutAt"].is_u64(), "{mfa}");
    let reset = "resetOptInMfaStateByAccountId(input: {accountId: \"john\"}) {deleted}";
    for deleted in [true, false] {
        assert_eq!(mutate(&castellan, &token, reset).await, json!({"deleted": deleted}));
    }
}

#[tokio::test]
async fn curity_36_buckets_are_there_where_they_are_configured() {
    let (castellan, token) = start("").await;
    let query =
        "{bucketsByUserName(userName: \"johndoe\", purposes: [\"p\", \"q\"]) {purpose attributes}}";
    let answer = asked(&castellan, ACCOUNTS, &token, query).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["classification"], "ValidationError");

    let (castellan, token) = start("[management]\nbuckets = true\n").await;
    let bucket = |id: &str, purpose: &str| {
        format!(
            "resourceType: Bucket\nid: {id}\nsubject: johndoe\npurpose: {purpose}\n\
             attributes: {{a: [1, {{b: true}}]}}\n"
        )
    };
    assert!(castellan.cli_with(&["apply", "-f", "-"], &bucket("b1", "p")).status.success());
    assert!(!castellan.cli_with(&["apply", "-f", "-"], &bucket("b2", "p")).status.success());
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    let wanted = json!([{"purpose": "p", "attributes": {"a": [1, {"b": true}]}}]);
    assert_eq!(read["bucketsByUserName"], wanted);
    let delete = "deleteBucketByUserName(input: {userName: \"johndoe\", purpose: \"p\"}) {deleted}";
    for deleted in [true, false] {
        assert_eq!(mutate(&castellan, &token, delete).await, json!({"deleted": deleted}));
    }
    let read = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    assert_eq!(read["bucketsByUserName"], json!([]));
}
