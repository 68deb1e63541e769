//! Messages to people, over the User Management API (`docs/contracts/curity.md` §6.2): verified addresses
//! and numbers, new passwords, and activation.

use http::Response;
use serde_json::{Value, json};

use super::support::{ACCOUNTS, JOHNS, asked, data, failed, serving, token};
use crate::support::{
    browser::Browser,
    castellan::Castellan,
    fixtures::text,
    smtp::{Manner, Smtp},
    upstream::Recorder,
    wire::{Answer, Ask},
};

/// Everybody may verify what is their own; `creator` is a help desk that changes and reads nothing.
const RULES: &str = r#"
[management.groups]
scopes = ["accounts"]
[management.groups.rules]
admin = ["create", "read", "update", "delete"]
creator = ["update"]
[management.self_service]
required_scope = "accounts"
queries = ["accountById"]
mutations = [
    "startVerifyEmailAddressByAccountId", "completeVerifyEmailAddressByAccountId",
    "startVerifyPhoneNumberByAccountId", "completeVerifyPhoneNumberByAccountId",
    "updatePrimaryEmailAddressByAccountId", "updateAccountById", "sendPasswordResetEmail",
]
updatable = ["emails", "phoneNumbers"]
readable = ["emails", "phoneNumbers", "userName"]
"#;

/// More people with addresses.
const MORE: &str = r"
---
{resourceType: User, id: new, userName: newcomer, emails: [{value: new@example.org}], active: false}
---
{resourceType: User, id: nopw, userName: nopw, emails: [{value: nopw@example.org}]}
---
{resourceType: User, id: mute, userName: mute, password: pw-mute}
";

/// A server that sends mail by `smtp`, which nobody else on this machine hears.
async fn start(smtp: &Smtp) -> Castellan {
    start_with(smtp, "").await
}

async fn start_with(smtp: &Smtp, more: &str) -> Castellan {
    let mail = format!(
        "[mail]\nfrom = \"Casa <no-reply@example.org>\"\nhost = \"127.0.0.1\"\nport = {}\n\
         tls = \"none\"\n{more}",
        smtp.port
    );
    serving(&format!("{RULES}{mail}"), &format!("{JOHNS}{MORE}")).await
}

async fn mutate(castellan: &Castellan, token: &str, mutation: &str) -> Answer {
    asked(castellan, ACCOUNTS, token, &format!("mutation {{{mutation}}}")).await
}

async fn start_email(castellan: &Castellan, token: &str, (id, email): (&str, &str)) -> Answer {
    let input = json!({"accountId": id, "emailAddress": email});
    let query = "mutation M($input: StartVerifyEmailAddressByAccountIdInput!) {
        startVerifyEmailAddressByAccountId(input: $input) {result state}}";
    super::support::asked_with(castellan, ACCOUNTS, token, (query, json!({"input": input}))).await
}

/// The state of a verification that begins.
async fn state(castellan: &Castellan, token: &str, to: (&str, &str)) -> String {
    let started = data(&start_email(castellan, token, to).await);
    let started = &started["startVerifyEmailAddressByAccountId"];
    assert_eq!(started["result"], true, "{started}");
    started["state"].as_str().unwrap().to_owned()
}

async fn complete(
    castellan: &Castellan,
    token: &str,
    (id, state, code): (&str, &str, &str),
) -> Answer {
    let complete = format!(
        "completeVerifyEmailAddressByAccountId(input: {{accountId: \"{id}\", state: \"{state}\", \
         otp: \"{code}\"}}) {{result}}"
    );
    mutate(castellan, token, &complete).await
}

fn result(answer: &Answer, field: &str) -> Value {
    data(answer)[field]["result"].clone()
}

async fn emails(castellan: &Castellan, token: &str, id: &str) -> Value {
    let query = format!("{{accountById(accountId: \"{id}\") {{emails {{value type primary}}}}}}");
    data(&asked(castellan, ACCOUNTS, token, &query).await)["accountById"]["emails"].clone()
}

#[tokio::test]
async fn a_person_verifies_an_address_by_the_code_that_is_sent_there() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let jo = token(&castellan, "jo").await;
    let state = state(&castellan, &jo, ("jo", "jo@example.org")).await;
    let mail = smtp.until(1).await;
    assert_eq!(mail.to, "jo@example.org");
    assert!(mail.raw.contains("From: Casa <no-reply@example.org>"), "{}", mail.raw);
    assert!(mail.raw.contains("multipart/alternative"), "{}", mail.raw);
    assert!(!mail.raw.contains(&state), "who reads the mail alone confirms nothing");
    let code = mail.code();
    let wrong = if code.starts_with('9') { "0000 0000" } else { "9999 9999" };
    // Whoever typed the code reads that it is wrong, whatever `detailed_errors` says (§2.2).
    let refused = complete(&castellan, &jo, ("jo", &state, wrong)).await;
    failed(&refused, "DataFetchingException");
    assert_eq!(refused.json()["errors"][0]["message"], "unknown code");
    let done = complete(&castellan, &jo, ("jo", &state, &code)).await;
    assert_eq!(result(&done, "completeVerifyEmailAddressByAccountId"), true);
    let verified = json!([{"value": "jo@example.org", "type": "verified", "primary": true}]);
    assert_eq!(emails(&castellan, &jo, "jo").await, verified);
    let used = complete(&castellan, &jo, ("jo", &state, &code)).await;
    failed(&used, "DataFetchingException");
    assert!(text(&used.json()["errors"][0], "message").starts_with("unknown state"), "{used:?}");

    // Another value is not verified, and nobody says so but a code (row 16).
    let change = "updateAccountById(input: {accountId: \"jo\", fields: {emails: [
        {value: \"jo-other@example.org\", type: \"verified\"}]}}) {account {userName}}";
    failed(&mutate(&castellan, &jo, change).await, "access-denied");
    let change = change.replace(", type: \"verified\"", "");
    data(&mutate(&castellan, &jo, &change).await);
    let other = json!([{"value": "jo-other@example.org", "type": null, "primary": true}]);
    assert_eq!(emails(&castellan, &jo, "jo").await, other);
}

#[tokio::test]
async fn a_known_address_keeps_its_spelling_and_place_when_it_is_verified() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let admin = token(&castellan, "admin").await;
    let state = state(&castellan, &admin, ("johanna", "JOHANNA@example.ORG")).await;
    let code = smtp.until(1).await.code();
    data(&complete(&castellan, &admin, ("johanna", &state, &code.replace(' ', ""))).await);
    let verified = json!([{"value": "Johanna@example.org", "type": "verified", "primary": true}]);
    assert_eq!(emails(&castellan, &admin, "johanna").await, verified);
    // Sent back as it was shown, and without its type, it stays verified.
    for kind in ["verified", "work"] {
        let change = format!(
            "updateAccountById(input: {{accountId: \"johanna\", fields: {{emails: [\
             {{value: \"johanna@example.org\", type: \"{kind}\"}}]}}}}) {{account {{userName}}}}"
        );
        data(&mutate(&castellan, &admin, &change).await);
        let verified =
            json!([{"value": "johanna@example.org", "type": "verified", "primary": true}]);
        assert_eq!(emails(&castellan, &admin, "johanna").await, verified, "{kind}");
    }
}

/// `docs/security-cases.md` row 8: each verification has a counter, which parallel guesses cannot pass.
#[tokio::test(flavor = "multi_thread")]
async fn case_08_guesses_at_a_code_are_counted_before_they_are_checked() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let jo = token(&castellan, "jo").await;
    let attacked = state(&castellan, &jo, ("jo", "jo@example.org")).await;
    let code = smtp.until(1).await.code();
    let base: u32 = code.replace(' ', "").parse().unwrap();
    let castellan = std::sync::Arc::new(castellan);
    let guesses: Vec<_> = (1..=20)
        .map(|at| {
            let (castellan, jo) = (std::sync::Arc::clone(&castellan), jo.clone());
            let (state, guess) = (attacked.clone(), format!("{:08}", (base + at) % 100_000_000));
            tokio::spawn(async move { complete(&castellan, &jo, ("jo", &state, &guess)).await })
        })
        .collect();
    let mut wrong = 0;
    for guess in guesses {
        let said = guess.await.unwrap().body;
        wrong += usize::from(said.contains("unknown code"));
        assert!(said.contains("unknown code") || said.contains("unknown state"), "{said}");
    }
    assert_eq!(wrong, 5);
    let right = complete(&castellan, &jo, ("jo", &attacked, &code)).await;
    failed(&right, "DataFetchingException");

    // Of parallel right ones, one succeeds.
    let fresh = state(&castellan, &jo, ("jo", "jo@example.org")).await;
    let code = smtp.until(2).await.code();
    let completes: Vec<_> = (0..5)
        .map(|_| {
            let (castellan, jo) = (std::sync::Arc::clone(&castellan), jo.clone());
            let (state, code) = (fresh.clone(), code.clone());
            tokio::spawn(async move { complete(&castellan, &jo, ("jo", &state, &code)).await })
        })
        .collect();
    let mut done = 0;
    for completed in completes {
        done += usize::from(completed.await.unwrap().json().get("errors").is_none());
    }
    assert_eq!(done, 1);
}

#[tokio::test]
async fn a_state_is_good_for_its_own_account_and_mutation_alone() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let (jo, admin) = (token(&castellan, "jo").await, token(&castellan, "admin").await);
    let state = state(&castellan, &jo, ("jo", "jo@example.org")).await;
    let code = smtp.until(1).await.code();
    failed(&complete(&castellan, &admin, ("john", &state, &code)).await, "DataFetchingException");
    let phone = format!(
        "completeVerifyPhoneNumberByAccountId(input: {{accountId: \"jo\", state: \"{state}\", otp: \
         \"{code}\"}}) {{result}}"
    );
    failed(&mutate(&castellan, &jo, &phone).await, "DataFetchingException");
    let done = complete(&castellan, &jo, ("jo", &state, &code)).await;
    assert_eq!(result(&done, "completeVerifyEmailAddressByAccountId"), true);
    // It expires, like the code.
    let late = self::state(&castellan, &jo, ("jo", "jo2@example.org")).await;
    let code = smtp.until(2).await.code();
    castellan.advance_to(601);
    let jo = token(&castellan, "jo").await;
    failed(&complete(&castellan, &jo, ("jo", &late, &code)).await, "DataFetchingException");
}

#[tokio::test]
async fn what_is_refused_sends_nothing_and_tells_strangers_nothing() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let (jo, admin) = (token(&castellan, "jo").await, token(&castellan, "admin").await);
    let field = "startVerifyEmailAddressByAccountId";
    for bad in ["nobody here", "jo@example.org\r\nBcc: eve@example.org", "a@b, c@d", "x@[1.2.3.4]"]
    {
        let answer = start_email(&castellan, &jo, ("jo", bad)).await;
        assert_eq!(data(&answer)[field], json!({"result": false, "state": null}), "{bad}");
    }
    assert_eq!(smtp.mails().len(), 0);
    // What the server refuses is an address that does not exist.
    let answer = start_email(&castellan, &jo, ("jo", "nobody@example.org")).await;
    assert_eq!(data(&answer)[field]["result"], false);
    // Whose address it is, those learn who may read accounts, and whoever reads its mail.
    let taken = "johanna@example.org";
    let answer = start_email(&castellan, &admin, ("jo", taken)).await;
    assert_eq!(data(&answer)[field]["result"], false);
    assert_eq!(smtp.mails().len(), 0);
    let state = state(&castellan, &jo, ("jo", taken)).await;
    let code = smtp.until(1).await.code();
    let clash = complete(&castellan, &jo, ("jo", &state, &code)).await;
    assert_eq!(failed(&clash, "constraint-violation")["field"], "emails");
    // Nobody verifies for others what opens more than they have.
    let creator = token(&castellan, "creator").await;
    let answer = start_email(&castellan, &creator, ("user", "user@example.org")).await;
    assert_eq!(failed(&answer, "access-denied")["field"], "emails");
}

/// `docs/security-cases.md` row 9: one count for every spelling.
#[tokio::test]
async fn case_09_an_address_gets_a_few_messages_in_an_hour_however_it_is_written() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let admin = token(&castellan, "admin").await;
    for (at, id) in ["jo", "john", "bob", "jo", "mute"].into_iter().enumerate() {
        let spelt = ["new1@x.example", "NEW1@x.example", "New1@X.example"][at % 3];
        state(&castellan, &admin, (id, spelt)).await;
    }
    let refused = start_email(&castellan, &admin, ("johanna", "new1@X.EXAMPLE")).await;
    failed(&refused, "too-many-attempts-error");
    state(&castellan, &admin, ("johanna", "new2@x.example")).await;
    assert_eq!(smtp.mails().len(), 6);
    // One account gets ten, whatever the address.
    for at in 0..8 {
        state(&castellan, &admin, ("jo", &format!("jo{at}@x.example"))).await;
    }
    let refused = start_email(&castellan, &admin, ("jo", "jo9@x.example")).await;
    failed(&refused, "too-many-attempts-error");
    castellan.advance_to(3_601);
    let admin = token(&castellan, "admin").await;
    state(&castellan, &admin, ("jo", "new1@x.example")).await;
}

#[tokio::test]
async fn a_number_is_verified_by_a_text_message() {
    let (smtp, service) = (Smtp::start(Manner::default()).await, Recorder::start().await);
    service.answer_by(|seen| {
        let status = if seen.body.contains("+4900") { 422 } else { 200 };
        Response::builder().status(status).body(String::new()).unwrap()
    });
    let texts = format!("[text_messages]\nurl = \"{}send\"\nsecret = \"hush\"\n", service.url);
    let castellan = start_with(&smtp, &texts).await;
    let jo = token(&castellan, "jo").await;
    let start = |number: &str| {
        format!(
            "startVerifyPhoneNumberByAccountId(input: {{accountId: \"jo\", phoneNumber: \
             \"{number}\"}}) {{result state}}"
        )
    };
    for refused in ["555-0100", "none", "+49 00 0000 00", "tel:+1-425-555-1212;ext=12"] {
        let answer = mutate(&castellan, &jo, &start(refused)).await;
        assert_eq!(result(&answer, "startVerifyPhoneNumberByAccountId"), false, "{refused}");
    }
    let started = data(&mutate(&castellan, &jo, &start("tel:+1-425-555-1212")).await);
    let state = started["startVerifyPhoneNumberByAccountId"]["state"].as_str().unwrap().to_owned();
    let seen = service.seen().into_iter().next_back().unwrap();
    assert_eq!(seen.path, "/send");
    assert_eq!(seen.headers["authorization"], "Bearer hush");
    let sent: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(sent["to"], "+14255551212");
    let text = sent["text"].as_str().unwrap();
    let code: String = text.split("code is ").nth(1).unwrap().chars().take(9).collect();
    let complete = format!(
        "completeVerifyPhoneNumberByAccountId(input: {{accountId: \"jo\", state: \"{state}\", otp: \
         \"{code}\"}}) {{result}}"
    );
    let done = mutate(&castellan, &jo, &complete).await;
    assert_eq!(result(&done, "completeVerifyPhoneNumberByAccountId"), true);
    let query = "{accountById(accountId: \"jo\") {phoneNumbers {value type}}}";
    let read = data(&asked(&castellan, ACCOUNTS, &jo, query).await);
    let numbers = json!([{"value": "+14255551212", "type": "verified"}]);
    assert_eq!(read["accountById"]["phoneNumbers"], numbers);
    let admin = token(&castellan, "admin").await;
    let query = "{accountByPhoneNumber(phoneNumber: \"+1 425 5551212\") {id}}";
    let read = data(&asked(&castellan, ACCOUNTS, &admin, query).await);
    assert_eq!(read["accountByPhoneNumber"]["id"], "jo");
}

#[tokio::test]
async fn without_a_way_to_send_them_messages_are_not_configured() {
    let castellan = serving(RULES, JOHNS).await;
    let admin = token(&castellan, "admin").await;
    for (mutation, what) in [
        (
            "startVerifyEmailAddressByAccountId(input: {accountId: \"jo\", emailAddress: \"a@b.c\"})",
            "verification of email addresses is not configured",
        ),
        (
            "startVerifyPhoneNumberByAccountId(input: {accountId: \"jo\", phoneNumber: \
             \"+14255551212\"})",
            "verification of phone numbers is not configured",
        ),
        (
            "sendPasswordResetEmail(input: {accountId: \"john\"})",
            "password reset by email is not configured",
        ),
        (
            "initializeAccountActivation(input: {accountId: \"john\"})",
            "account activation by email is not configured",
        ),
    ] {
        let answer = mutate(&castellan, &admin, &format!("{mutation} {{result}}")).await;
        failed(&answer, "DataFetchingException");
        assert_eq!(answer.json()["errors"][0]["message"], what, "{answer:?}");
    }
}

async fn reset(castellan: &Castellan, token: &str, (mutation, whom): (&str, &str)) -> Value {
    let text = format!("{mutation}(input: {{{whom}}}) {{result}}");
    result(&mutate(castellan, token, &text).await, mutation)
}

/// Sets `password` by the link, as a browser does.
async fn follow(link: &str, password: &str) -> Answer {
    let mut browser = Browser::default();
    let shown = browser.get(link).await;
    assert_eq!(shown.status, 303, "{shown:?}");
    let (base, _) = link.split_once("/auth/").unwrap();
    let url = format!("{base}{}", shown.location());
    let form = browser.get(&url).await;
    let link = form.hidden("token").unwrap_or_else(|| panic!("no form: {form:?}"));
    let pairs = [("token", &*link), ("password", password), ("password_again", password)];
    browser.post(&url, &pairs).await
}

async fn signs_in(castellan: &Castellan, name: &str, password: &str) -> bool {
    let pairs = [
        ("grant_type", "password"),
        ("username", name),
        ("password", password),
        ("client_id", "console"),
        ("client_secret", "s3cr3t-console"),
    ];
    castellan.token(&pairs).await.status == 200
}

const SEND: &str = "sendPasswordResetEmail";
const ACTIVATE: &str = "initializeAccountActivation";

/// `docs/security-cases.md` row 21: the link leads to the address of the configuration, whatever a
/// request says.
#[tokio::test]
async fn case_21_a_link_by_mail_sets_a_password_once_and_is_built_from_no_header() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let admin = token(&castellan, "admin").await;
    let query = "mutation {sendPasswordResetEmail(input: {email: \"other@example.org\", locale: \
                 \"de-CH\"}) {result}}";
    let ask = Ask::post(&castellan.at(ACCOUNTS)).bearer(&admin).json(&json!({"query": query}));
    let ask = ask.header("x-forwarded-host", "evil.test").header("x-forwarded-proto", "gopher");
    let answer = ask.header("forwarded", "host=evil.test").header("host", "evil.test").send().await;
    assert_eq!(result(&answer, SEND), true);
    let mail = smtp.until(1).await;
    assert_eq!(mail.to, "john@example.org", "the primary address, whichever was typed");
    let link = mail.link();
    assert!(link.starts_with(&castellan.at("/auth/reset-password?token=")), "{link}");
    assert!(!mail.raw.contains("evil.test"), "{}", mail.raw);
    assert_eq!(follow(&link, "quite another password").await.status, 200);
    assert!(signs_in(&castellan, "johndoe", "quite another password").await);
    assert_eq!(Browser::default().get(&link).await.status, 410);
    // The newest is the only one.
    for _ in 0..2 {
        assert_eq!(reset(&castellan, &admin, (SEND, "userName: \"johndoe\"")).await, true);
    }
    let (second, third) = (smtp.until(2).await.link(), smtp.until(3).await.link());
    assert_eq!(Browser::default().get(&second).await.status, 410);
    assert_eq!(Browser::default().get(&third).await.status, 303);
}

#[tokio::test]
async fn who_may_not_read_accounts_does_not_learn_which_there_are() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let (admin, desk) = (token(&castellan, "admin").await, token(&castellan, "creator").await);
    // No such account; inactive; no address; no password to forget.
    for whom in [
        "accountId: \"nowhere\"",
        "email: \"new@example.org\"",
        "userName: \"mute\"",
        "accountId: \"nopw\"",
    ] {
        assert_eq!(reset(&castellan, &admin, (SEND, whom)).await, false, "{whom}");
        assert_eq!(reset(&castellan, &desk, (SEND, whom)).await, true, "{whom}");
    }
    for whom in ["accountId: \"nowhere\"", "accountId: \"john\"", "accountId: \"root\""] {
        let is_shown = reset(&castellan, &desk, (ACTIVATE, whom)).await;
        assert_eq!(is_shown, true, "{whom}");
    }
    assert_eq!(reset(&castellan, &desk, (SEND, "email: \"johnny@example.com\"")).await, true);
    assert_eq!(smtp.until(1).await.to, "johnny@example.com");
    for whom in ["", "accountId: \"john\", userName: \"johndoe\""] {
        let mutation = format!("{SEND}(input: {{{whom}}}) {{result}}");
        failed(&mutate(&castellan, &admin, &mutation).await, "invalid-argument");
    }
    // People send one to themselves, and to nobody else.
    let johanna = token(&castellan, "johanna").await;
    assert_eq!(reset(&castellan, &johanna, (SEND, "accountId: \"johanna\"")).await, true);
    let other = format!("{SEND}(input: {{accountId: \"bob\"}}) {{result}}");
    assert_eq!(mutate(&castellan, &johanna, &other).await.status, 403);
    assert_eq!(smtp.mails().len(), 2);
}

#[tokio::test]
async fn an_account_is_activated_by_the_link_that_sets_its_first_password() {
    let smtp = Smtp::start(Manner::default()).await;
    let castellan = start(&smtp).await;
    let admin = token(&castellan, "admin").await;
    // Active with a password: there is nothing to activate.
    assert_eq!(reset(&castellan, &admin, (ACTIVATE, "accountId: \"john\"")).await, false);
    assert_eq!(reset(&castellan, &admin, (ACTIVATE, "userName: \"newcomer\"")).await, true);
    let mail = smtp.until(1).await;
    assert!(mail.to == "new@example.org" && mail.text.contains("24 hours"), "{}", mail.text);
    castellan.advance_to(23 * 3_600);
    let answer = follow(&mail.link(), "a first password").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(signs_in(&castellan, "newcomer", "a first password").await);
    let admin = token(&castellan, "admin").await;
    assert_eq!(reset(&castellan, &admin, (ACTIVATE, "userName: \"newcomer\"")).await, false);
    // Active without a password.
    assert_eq!(reset(&castellan, &admin, (ACTIVATE, "accountId: \"nopw\"")).await, true);
    let link = smtp.until(2).await.link();
    castellan.advance_to(23 * 3_600 + 24 * 3_600);
    assert_eq!(Browser::default().get(&link).await.status, 410, "it has expired");
}
