//! Passkeys (`docs/contracts/curity.md` §6.2), registered by an authenticator in software.

#[path = "../../../../../tests/support/authenticator.rs"]
mod authenticator;

use authenticator::{Authenticator, Lies, UP_UV, encoded};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use serde_json::{Value, json};

use super::support::{
    ACCOUNTS, GROUPS, JOHNS, asked, asked_with, assert_refused, data, failed, serving, token,
};
use crate::support::{
    castellan::{Castellan, Plan},
    wire::Answer,
};

const START: &str = "mutation($input: StartVerifyPasskeyByAccountIdInput!) {
    startVerifyPasskeyByAccountId(input: $input) {state credentialOptionsJson}
}";
const COMPLETE: &str = "mutation($input: CompleteVerifyPasskeyByAccountIdInput!) {
    completeVerifyPasskeyByAccountId(input: $input) {result}
}";

async fn passkeys(config: &str) -> (Castellan, String) {
    let castellan = serving(
        &format!("{GROUPS}helpdesk = [\"read\", \"update\", \"delete\"]\n[passkeys]\n{config}"),
        &format!("{JOHNS}{HELP}"),
    )
    .await;
    let token = token(&castellan, "admin").await;
    (castellan, token)
}

/// Somebody who may update accounts, and is in one group.
const HELP: &str = "---
{resourceType: User, id: help, userName: help, password: pw-help, groups: [{value: helpdesk}]}
---
{resourceType: User, id: help2, userName: help2, password: pw-help2, groups: [{value: helpdesk}]}
";

fn origin(castellan: &Castellan) -> String {
    castellan.at("").trim_end_matches('/').to_owned()
}

/// Begins: the state, and the options as `atob` and `JSON.parse` read them.
async fn start(castellan: &Castellan, token: &str, account: &str) -> (String, Value) {
    let variables = json!({"input": {"accountId": account, "alias": "My phone"}});
    let begun = data(&asked_with(castellan, ACCOUNTS, token, (START, variables)).await);
    let begun = &begun["startVerifyPasskeyByAccountId"];
    let text = begun["credentialOptionsJson"].as_str().unwrap();
    let options: Value = serde_json::from_slice(&STANDARD_NO_PAD.decode(text).unwrap()).unwrap();
    (begun["state"].as_str().unwrap().to_owned(), options["publicKey"].clone())
}

async fn complete(
    castellan: &Castellan,
    token: &str,
    (account, state): (&str, &str),
    response: &str,
) -> Answer {
    let input = json!({
        "accountId": account, "state": state, "credentialResponseJson": response,
    });
    asked_with(castellan, ACCOUNTS, token, (COMPLETE, json!({"input": input}))).await
}

/// Registers the passkey of `authenticator` as the browser does that `lies` describe.
async fn registered(
    castellan: &Castellan,
    token: &str,
    account: &str,
    (authenticator, lies): (&mut Authenticator, &Lies),
) -> Answer {
    let (state, options) = start(castellan, token, account).await;
    let response = authenticator.create(&options, lies).to_string();
    complete(castellan, token, (account, &state), &encoded(response.as_bytes())).await
}

async fn devices(castellan: &Castellan, token: &str, account: &str) -> Value {
    let query = format!(
        "{{accountById(accountId: \"{account}\") {{devices {{deviceId alias deviceType \
         category {{name}} details {{__typename ... on WebAuthnDeviceDetails \
         {{webAuthnAuthenticator {{name}}}}}} meta {{resourceType}}}}}}}}"
    );
    let read = data(&asked(castellan, ACCOUNTS, token, &query).await);
    read["accountById"]["devices"].clone()
}

#[tokio::test]
async fn a_passkey_of_every_algorithm_is_registered_and_shown_as_a_device() {
    let (castellan, token) = passkeys("").await;
    let truth = Lies::none(&origin(&castellan));
    let (_, options) = start(&castellan, &token, "john").await;
    assert_eq!(options["rp"], json!({"id": "localhost", "name": "Castellan"}));
    assert_eq!(options["user"]["name"], "johndoe");
    assert_eq!(options["attestation"], "none");
    let selection = json!({
        "residentKey": "required", "requireResidentKey": true, "userVerification": "required",
    });
    assert_eq!(options["authenticatorSelection"], selection);
    assert_eq!(options["excludeCredentials"], json!([]));
    let mut ids = Vec::new();
    for algorithm in [-7, -8, -257] {
        let mut authenticator = Authenticator::new(algorithm);
        ids.push(json!(encoded(&authenticator.id)));
        let answer = registered(&castellan, &token, "john", (&mut authenticator, &truth)).await;
        let done = json!({"completeVerifyPasskeyByAccountId": {"result": true}});
        assert_eq!(data(&answer), done);
    }
    let shown = devices(&castellan, &token, "john").await;
    for device in shown.as_array().unwrap() {
        let expected = json!({
            "deviceId": device["deviceId"], "alias": "My phone", "deviceType": "webauthn/passkeys",
            "category": {"name": "webauthn/passkeys"},
            "details": {"__typename": "WebAuthnDeviceDetails", "webAuthnAuthenticator": {"name": null}},
            "meta": {"resourceType": "Device"},
        });
        assert_eq!(*device, expected);
    }
    assert_eq!(shown.as_array().unwrap().len(), 3);
    // The same authenticator is not asked twice, and nobody learns of the passkeys of others.
    let (_, options) = start(&castellan, &token, "john").await;
    let excluded = options["excludeCredentials"].as_array().unwrap();
    let known: Vec<_> = excluded.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(known, ids);
    assert_eq!(excluded[0]["transports"], json!(["internal", "hybrid"]));
    let (_, options) = start(&castellan, &token, "bob").await;
    assert_eq!(options["excludeCredentials"], json!([]));
}

/// The portal of the original sends base64 with padding, and reads options with `atob`.
#[tokio::test]
async fn what_the_portal_of_the_original_sends_is_read() {
    let (castellan, token) = passkeys("").await;
    let change = "mutation {updateAccountById(input: {accountId: \"john\", fields: {displayName: \
                  \"Zoë ~?> 😀~?>~?>\"}}) {account {id}}}";
    data(&asked(&castellan, ACCOUNTS, &token, change).await);
    let (state, options) = start(&castellan, &token, "john").await;
    assert_eq!(options["user"]["displayName"], "Zoë ~?> 😀~?>~?>");
    let mut response = Authenticator::new(-7).create(&options, &Lies::none(&origin(&castellan)));
    response["clientExtensionResults"] = json!({"credProps": {"rk": true}, "x": "~?>~?>~~~???>>>"});
    let sent = STANDARD.encode(response.to_string());
    assert!(sent.contains(['+', '/']), "{sent}");
    data(&complete(&castellan, &token, ("john", &state), &sent).await);
}

#[tokio::test]
async fn a_response_that_is_not_right_registers_nothing_and_uses_the_state_up() {
    let (castellan, token) = passkeys("").await;
    let truth = Lies::none(&origin(&castellan));
    let lies: [fn(&mut Lies); 10] = [
        |lies| lies.origin = "https://evil.example".to_owned(),
        |lies| lies.origin = "http://localhost:1".to_owned(),
        |lies| lies.rp_id = Some("evil.example".to_owned()),
        |lies| lies.challenge = Some(encoded(&[0; 32])),
        |lies| lies.kind = Some("webauthn.get"),
        |lies| lies.client_data = json!({"crossOrigin": true}),
        |lies| lies.flags = 0x04,
        |lies| lies.flags = 0x01,
        |lies| lies.format = "fido-u2f",
        |lies| {
            lies.format = "packed";
            lies.signs_wrongly = true;
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (state, options) = start(&castellan, &token, "john").await;
        let mut told = truth.clone();
        lie(&mut told);
        let mut authenticator = Authenticator::new(-7);
        let wrong = encoded(authenticator.create(&options, &told).to_string().as_bytes());
        let answer = complete(&castellan, &token, ("john", &state), &wrong).await;
        failed(&answer, "DataFetchingException");
        let right = encoded(authenticator.create(&options, &truth).to_string().as_bytes());
        let again = complete(&castellan, &token, ("john", &state), &right).await;
        failed(&again, "DataFetchingException");
        assert_eq!(devices(&castellan, &token, "john").await, Value::Null, "{number}");
    }
    // What cannot be read uses nothing up.
    let (state, options) = start(&castellan, &token, "john").await;
    for unreadable in ["x", "***", "e30", &encoded(b"[]"), &encoded(b"{\"type\": \"public-key\"}")]
    {
        let answer = complete(&castellan, &token, ("john", &state), unreadable).await;
        assert_eq!(failed(&answer, "invalid-argument")["field"], "credentialResponseJson");
    }
    let right = Authenticator::new(-7).create(&options, &truth).to_string();
    data(&complete(&castellan, &token, ("john", &state), &encoded(right.as_bytes())).await);
}

#[tokio::test]
async fn a_state_is_good_for_one_account_for_five_minutes_and_once() {
    let (castellan, token) = passkeys("").await;
    let truth = Lies::none(&origin(&castellan));
    let mut authenticator = Authenticator::new(-7);
    let (state, options) = start(&castellan, &token, "john").await;
    let response = encoded(authenticator.create(&options, &truth).to_string().as_bytes());
    let to_another = complete(&castellan, &token, ("bob", &state), &response).await;
    failed(&to_another, "DataFetchingException");
    data(&complete(&castellan, &token, ("john", &state), &response).await);
    for unknown in [&*state, "csl_verify_unknown", "x"] {
        let again = complete(&castellan, &token, ("john", unknown), &response).await;
        failed(&again, "DataFetchingException");
    }
    let (state, options) = start(&castellan, &token, "bob").await;
    let response = Authenticator::new(-7).create(&options, &truth).to_string();
    castellan.advance_to(300);
    let late = complete(&castellan, &token, ("bob", &state), &encoded(response.as_bytes())).await;
    failed(&late, "DataFetchingException");
    assert_eq!(devices(&castellan, &token, "bob").await, Value::Null);
}

#[tokio::test]
async fn no_two_accounts_have_the_same_credential() {
    let (castellan, token) = passkeys("").await;
    let truth = Lies::none(&origin(&castellan));
    let mut authenticator = Authenticator::new(-7);
    data(&registered(&castellan, &token, "john", (&mut authenticator, &truth)).await);
    for account in ["bob", "john"] {
        let answer = registered(&castellan, &token, account, (&mut authenticator, &truth)).await;
        assert_eq!(failed(&answer, "constraint-violation")["field"], "deviceId");
    }
    let device = devices(&castellan, &token, "john").await[0]["deviceId"].clone();
    let delete = format!(
        "mutation {{deleteDeviceFromAccountByAccountId(input: {{accountId: \"john\", deviceId: \
         {device}}}) {{deleted}}}}"
    );
    data(&asked(&castellan, ACCOUNTS, &token, &delete).await);
    data(&registered(&castellan, &token, "bob", (&mut authenticator, &truth)).await);
}

#[tokio::test]
async fn a_passkey_stays_one_and_an_account_has_no_more_than_sixteen() {
    let (castellan, token) = passkeys("").await;
    let truth = Lies::none(&origin(&castellan));
    for _ in 0..16 {
        let mut authenticator = Authenticator::new(-8);
        data(&registered(&castellan, &token, "john", (&mut authenticator, &truth)).await);
    }
    let variables = json!({"input": {"accountId": "john", "alias": "One more"}});
    let more = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
    assert_eq!(failed(&more, "invalid-argument")["field"], "devices");
    let device = devices(&castellan, &token, "john").await[3]["deviceId"].clone();
    let change = |fields: &str| {
        format!(
            "mutation {{updateDeviceFromAccountByAccountId(input: {{accountId: \"john\", deviceId: \
             {device}, deviceFields: {{{fields}}}}}) {{device {{alias deviceType}}}}}}"
        )
    };
    for kind in ["null", "\"totp\""] {
        let query = change(&format!("deviceType: {kind}"));
        let answer = asked(&castellan, ACCOUNTS, &token, &query).await;
        assert_eq!(failed(&answer, "invalid-argument")["field"], "deviceType");
    }
    let renamed = data(&asked(&castellan, ACCOUNTS, &token, &change("alias: \"Key\"")).await);
    let device = json!({"alias": "Key", "deviceType": "webauthn/passkeys"});
    assert_eq!(renamed["updateDeviceFromAccountByAccountId"]["device"], device);
}

/// Whoever registers a passkey for somebody can sign in as them.
#[tokio::test]
async fn nobody_registers_a_passkey_for_who_can_do_more_than_they() {
    let (castellan, _) = passkeys("").await;
    let token = token(&castellan, "help").await;
    for (account, is_allowed) in
        [("john", true), ("help2", true), ("admin", false), ("root", false), ("user", false)]
    {
        let variables = json!({"input": {"accountId": account, "alias": "Mine"}});
        let answer = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
        if is_allowed {
            data(&answer);
        } else {
            failed(&answer, "access-denied");
        }
    }
    // In a group that the caller is not in, by the time that it completes.
    let (state, options) = start(&castellan, &token, "john").await;
    let admin = self::token(&castellan, "admin").await;
    let join = "mutation {updateAccountById(input: {accountId: \"john\", fields: {groups: [{value: \
                \"admin\"}]}}) {account {id}}}";
    data(&asked(&castellan, ACCOUNTS, &admin, join).await);
    let response = Authenticator::new(-7).create(&options, &Lies::none(&origin(&castellan)));
    let response = encoded(response.to_string().as_bytes());
    let answer = complete(&castellan, &token, ("john", &state), &response).await;
    failed(&answer, "access-denied");
}

#[tokio::test]
async fn people_register_their_own_and_no_others() {
    let config = "[management.accounts.self_service]\nrequired_scope = \"accounts\"\n\
                  queries = [\"accountById\"]\nmutations = [\"startVerifyPasskeyByAccountId\", \
                  \"completeVerifyPasskeyByAccountId\"]\nreadable = [\"devices\"]\n\
                  updatable = [\"devices\"]\n[passkeys]\n";
    let castellan = serving(config, JOHNS).await;
    let token = token(&castellan, "bob").await;
    let truth = Lies::none(&origin(&castellan));
    let mut authenticator = Authenticator::new(-7);
    data(&registered(&castellan, &token, "bob", (&mut authenticator, &truth)).await);
    let variables = json!({"input": {"accountId": "john", "alias": "Mine"}});
    let other = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
    assert_refused(&other, 403, "access-denied");
}

#[tokio::test]
async fn who_may_not_write_devices_registers_no_passkey() {
    let config = "[management.scopes]\nread = [\"accounts\"]\nwrite = [\"accounts\"]\n\
                  [[management.attributes.lists]]\nrequire_subject_match = false\n\
                  default_allow_read = true\ndefault_allow_write = true\n\
                  [management.attributes.lists.rules]\ndevices = {read = true, write = false}\n\
                  [passkeys]\n";
    let castellan = serving(config, JOHNS).await;
    let token = token(&castellan, "admin").await;
    let variables = json!({"input": {"accountId": "john", "alias": "Mine"}});
    let answer = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
    assert_refused(&answer, 403, "access-denied");
}

#[tokio::test]
async fn without_the_table_there_are_no_passkeys() {
    let castellan = serving(GROUPS, JOHNS).await;
    let token = token(&castellan, "admin").await;
    let variables = json!({"input": {"accountId": "john", "alias": "Mine"}});
    let answer = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
    failed(&answer, "DataFetchingException");
}

#[tokio::test]
async fn pages_of_a_listed_origin_register_passkeys_of_the_domain_above() {
    let config = "rp_id = \"example.org\"\norigins = [\"https://account.example.org\"]\n";
    let plan = Plan {
        config: format!("{GROUPS}[passkeys]\n{config}"),
        documents: format!("{}{JOHNS}", super::support::PEOPLE),
        issuer: Some("https://id.example.org".to_owned()),
        ..Plan::default()
    };
    let castellan = Castellan::start(plan).await;
    let token = token(&castellan, "admin").await;
    for (origin, is_good) in [
        ("https://account.example.org", true),
        ("https://id.example.org", true),
        ("https://example.org", false),
        ("https://other.example.org", false),
    ] {
        let mut authenticator = Authenticator::new(-7);
        let lies = Lies { flags: UP_UV | 0x18, ..Lies::none(origin) };
        let answer = registered(&castellan, &token, "john", (&mut authenticator, &lies)).await;
        if is_good {
            data(&answer);
        } else {
            failed(&answer, "DataFetchingException");
        }
    }
}

/// That passkeys are not configured comes before whatever is wrong with what was sent.
#[tokio::test]
async fn without_passkeys_their_mutations_say_so_whatever_is_sent() {
    let castellan = serving(GROUPS, JOHNS).await;
    let token = token(&castellan, "admin").await;
    for response in ["e30", "!"] {
        let answer = complete(&castellan, &token, ("john", "state"), response).await;
        failed(&answer, "DataFetchingException");
    }
    for alias in ["Mine", "\u{7}"] {
        let variables = json!({"input": {"accountId": "john", "alias": alias}});
        let answer = asked_with(&castellan, ACCOUNTS, &token, (START, variables)).await;
        failed(&answer, "DataFetchingException");
    }
}
