//! What denied requests are told (`docs/contracts/curity.md` §§3.2, 3.6 and 3.7).

use serde_json::json;

use super::support::{
    ACCOUNTS, GROUPS, JOHNS, asked, assert_refused, data, failed, serving, token_at,
};
use crate::support::{castellan::Castellan, wire::Answer};

const CREATE: &str = "mutation {createAccount(input: {fields: {userName: \"x1\"}}) {account {id}}}";
const READ: &str = "{accountById(accountId: \"user\") {id}}";

/// A program that gets tokens with scopes of its choice.
const SCOPED: &str = r"
---
resourceType: Client
id: scoped
secret: s3cr3t-scoped
first_party: true
grant_types: [password]
scope: [accounts, groups, a:read, a:write, self]
auth: {password: {token_format: opaque}}
";

async fn ask(castellan: &Castellan, scope: &str, query: &str) -> Answer {
    let token = token_at(castellan, "scoped", "user", scope).await;
    asked(castellan, ACCOUNTS, &token, query).await
}

#[track_caller]
fn assert_names(answer: &Answer, scope: Option<&str>) {
    assert_refused(answer, 403, "access-denied");
    let challenge = scope.map(|scope| {
        format!("Bearer realm=\"default\", error=\"insufficient_scope\", scope=\"{scope}\"")
    });
    assert_eq!(answer.header("www-authenticate"), challenge.as_deref(), "{answer:?}");
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let scopes = "[management.scopes]\nread = [\"a:read\"]\nwrite = [\"a:write\"]\n";
    let castellan = serving(scopes, SCOPED).await;
    assert_names(&ask(&castellan, "groups", READ).await, Some("a:read"));
    assert_names(&ask(&castellan, "a:read", CREATE).await, Some("a:write"));
    assert_names(&ask(&castellan, "a:write", READ).await, Some("a:read"));
    let schema = "{__schema {queryType {name}}}";
    assert_names(&ask(&castellan, "a:write", schema).await, Some("a:read"));
    let unfit = "mutation($u: String) {createAccount(input: {fields: {userName: \"x\", title: $u}}) {account {id}}}";
    assert_names(&ask(&castellan, "a:read", unfit).await, Some("a:write"));

    let own = "[management.self_service]\nrequired_scope = \"self\"\nqueries = [\"accountById\"]\n";
    let castellan = serving(own, SCOPED).await;
    assert_names(&ask(&castellan, "groups", READ).await, Some("self"));
    // No scope would allow the account of somebody else.
    let others = "{accountById(accountId: \"admin\") {id}}";
    assert_names(&ask(&castellan, "self", others).await, None);

    // The groups of the token allow nothing here, and the scope would.
    let castellan = serving(&format!("{GROUPS}{own}"), SCOPED).await;
    let delete = "mutation {deleteAccountById(input: {accountId: \"user\"}) {deleted}}";
    assert_names(&ask(&castellan, "accounts groups", delete).await, None);
    assert_names(&ask(&castellan, "groups", READ).await, Some("accounts"));

    let lists =
        "[management.attributes]\nlists = [{ scopes = [\"a:read\"], default_allow_read = true }]\n";
    let castellan = serving(lists, SCOPED).await;
    assert_names(&ask(&castellan, "groups", READ).await, Some("a:read"));
    data(&ask(&castellan, "a:read", READ).await);
}

/// A device of each category, and one of none.
const DEVICES: [&str; 3] = ["app", "code", "tablet"];

#[tokio::test]
async fn self_service_shows_and_deletes_devices_of_the_categories_that_are_listed() {
    let config = format!(
        "{GROUPS}[management.self_service]\nrequired_scope = \"self\"\n\
         queries = [\"accountById\"]\n\
         mutations = [\"deleteDeviceFromAccountByAccountId\", \"updateDeviceFromAccountByAccountId\"]\n\
         readable_device_categories = [\"totp\", \"webauthn/passkeys\"]\n\
         deletable_device_categories = [\"totp\"]\n"
    );
    let castellan = serving(&config, &format!("{SCOPED}{JOHNS}")).await;
    let admin = super::support::token(&castellan, "admin").await;
    for (id, kind) in DEVICES.iter().zip(["totp", "webauthn/passkeys", "other"]) {
        let query = format!(
            "mutation {{addDeviceToAccountByAccountId(input: {{accountId: \"nogroups\", deviceFields: \
             {{deviceId: \"{id}\", deviceType: \"{kind}\"}}}}) {{device {{deviceId}}}}}}"
        );
        data(&asked(&castellan, ACCOUNTS, &admin, &query).await);
    }
    let token = token_at(&castellan, "scoped", "nogroups", "self").await;
    let devices = async |token: &str| {
        let query = "{accountById(accountId: \"nogroups\") {devices {deviceId}}}";
        let read = data(&asked(&castellan, ACCOUNTS, token, query).await);
        let devices = read["accountById"]["devices"].as_array().cloned().unwrap_or_default();
        devices.iter().map(|one| one["deviceId"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(devices(&token).await, ["app", "code"]);
    assert_eq!(devices(&admin).await, ["app", "code", "tablet"]);
    let delete = async |id: &str| {
        let query = format!(
            "mutation {{deleteDeviceFromAccountByAccountId(input: {{accountId: \"nogroups\", \
             deviceId: \"{id}\"}}) {{deleted}}}}"
        );
        asked(&castellan, ACCOUNTS, &token, &query).await
    };
    for id in ["code", "tablet"] {
        failed(&delete(id).await, "access-denied");
    }
    let deleted = data(&delete("app").await);
    assert_eq!(deleted["deleteDeviceFromAccountByAccountId"], json!({"deleted": true}));
    assert_eq!(devices(&admin).await, ["code", "tablet"]);
    // What is not shown is not shown after a change, either.
    let query = "mutation {updateDeviceFromAccountByAccountId(input: {accountId: \"nogroups\", \
                 deviceId: \"tablet\", deviceFields: {alias: \"a\"}}) {device {deviceId}}}";
    let changed = data(&asked(&castellan, ACCOUNTS, &token, query).await);
    assert_eq!(changed["updateDeviceFromAccountByAccountId"], json!({"device": null}));
}

#[tokio::test]
async fn a_category_of_devices_that_nobody_has_stops_the_start() {
    let config = "[management.self_service]\nrequired_scope = \"self\"\nqueries = [\"accountById\"]\n\
                  readable_device_categories = [\"phones\"]\n";
    let plan = crate::support::castellan::Plan { config: config.to_owned(), ..Default::default() };
    let said = Castellan::refuses(plan).await;
    let words = "management.self_service.readable_device_categories: \"phones\" is none; device \
                 categories are totp and webauthn/passkeys";
    assert!(said.contains(words), "{said}");
}

/// `docs/contracts/curity.md` §3.7: with introspection off, no answer names a type.
#[tokio::test]
async fn curity_17_no_text_names_a_type_where_introspection_is_off() {
    let castellan = serving(&format!("[management]\nintrospection = false\n{GROUPS}"), JOHNS).await;
    let token = super::support::token(&castellan, "admin").await;
    for query in [
        "{accounts {edgs}}",
        "{accounts(first: \"x\") {totalCount}}",
        "{accounts(filtering: {filterBy: nickName, filterType: STARTS_WITH, filter: \"a\"}) {totalCount}}",
        "{accounts(filtering: {}) {totalCount}}",
        "{accountById(accountId: 1) {id}}",
        "{accountById {id}}",
        "{accountById(accountId: \"john\")}",
        "{accountById(accountId: \"john\") {id {x}}}",
        "query($a: Strin) {accountById(accountId: $a) {id}}",
        "query($a: Int!) {accountById(accountId: $a) {id}}",
        "{...F} fragment F on Accounts {id}",
        "{... on Account {id}}",
        "mutation {createAccount(input: {fields: {}}) {account {id}}}",
        "mutation {createAccount(input: {fields: {userName: \"x\", password: {}}}) {account {id}}}",
        "subscription {accounts}",
    ] {
        let answer = asked(&castellan, ACCOUNTS, &token, query).await;
        let errors = &answer.json()["errors"];
        assert!(errors[0]["message"].is_string(), "{query}: {answer:?}");
        for name in [
            "Account",
            "String",
            "Int",
            "Filter",
            "Connection",
            "Input",
            "Fields",
            "Query",
            "Mutation",
            "Boolean",
            "ID",
        ] {
            let texts = errors.as_array().unwrap().iter().map(|error| error["message"].to_string());
            let all: String = texts.collect();
            assert!(!all.contains(name), "{query}: {all}");
        }
    }
    let variables = json!({"a": 1});
    let query = ("query($a: String!) {accountById(accountId: $a) {id}}", variables);
    let answer = super::support::asked_with(&castellan, ACCOUNTS, &token, query).await;
    assert!(!answer.body.contains("String"), "{answer:?}");
}
