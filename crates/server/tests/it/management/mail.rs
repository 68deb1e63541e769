//! How mail is sent: nothing but over TLS to a server that proves its name.

use serde_json::json;

use super::support::{ACCOUNTS, GROUPS, asked, data, failed, token};
use crate::{
    management::support::{JOHNS, PEOPLE},
    support::{
        castellan::{Castellan, Plan},
        smtp::{Manner, Smtp},
    },
    tls::support::Ca,
};

const LOGIN: (&str, &str) = ("castellan", "s3cr3t-of-smtp");

/// A server that trusts `ca`, and sends mail by `smtp` with a password.
async fn start(smtp: &Smtp, ca: &Ca) -> Castellan {
    let mail = format!(
        "[mail]\nfrom = \"no-reply@example.org\"\nreply_to = \"help@example.org\"\n\
         host = \"localhost\"\nport = {}\nca = \"ca.pem\"\nuser = \"{}\"\n\
         password = {{ env = \"SMTP_PASSWORD\" }}\ntimeout = \"5s\"\n",
        smtp.port, LOGIN.0
    );
    Castellan::start(Plan {
        config: format!("[management]\ndetailed_errors = true\n{GROUPS}{mail}"),
        documents: format!("{PEOPLE}{JOHNS}"),
        environment: vec![("SMTP_PASSWORD", LOGIN.1.to_owned())],
        files: vec![("ca.pem", ca.pem())],
        ..Plan::default()
    })
    .await
}

const SEND: &str = "mutation {sendPasswordResetEmail(input: {accountId: \"john\"}) {result}}";

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_with_a_password_after_starttls() {
    let ca = Ca::new("Mail");
    let certified = Some(ca.server(86_400));
    let smtp = Smtp::start(Manner { certified, login: Some(LOGIN) }).await;
    let castellan = start(&smtp, &ca).await;
    let admin = token(&castellan, "admin").await;
    let sent = data(&asked(&castellan, ACCOUNTS, &admin, SEND).await);
    assert_eq!(sent, json!({"sendPasswordResetEmail": {"result": true}}));
    let mail = smtp.until(1).await;
    assert_eq!(mail.to, "john@example.org");
    assert!(mail.raw.contains("Reply-To: help@example.org"), "{}", mail.raw);
    assert!(mail.raw.contains("Auto-Submitted: auto-generated"), "{}", mail.raw);
    let verbs: Vec<_> = smtp.clear().iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(verbs, ["EHLO", "STAR"]);

    let doctor = castellan.cli(&["doctor", "--mail", "ops@example.org"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("a test message to ops@example.org was accepted"), "{said}");
    assert_eq!(smtp.until(2).await.to, "ops@example.org");
    assert!(!said.contains(LOGIN.1), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_in_clear_to_a_server_without_tls_or_with_another_name() {
    let (ca, other) = (Ca::new("Mail"), Ca::new("Somebody else"));
    for certified in [None, Some(other.server(86_400)), Some(ca.server(-60))] {
        let smtp = Smtp::start(Manner { certified, login: Some(LOGIN) }).await;
        let castellan = start(&smtp, &ca).await;
        let admin = token(&castellan, "admin").await;
        let answer = asked(&castellan, ACCOUNTS, &admin, SEND).await;
        failed(&answer, "DataFetchingException");
        assert!(!answer.body.contains(LOGIN.1), "{answer:?}");
        assert_eq!(smtp.mails().len(), 0);
        for line in smtp.clear() {
            assert!(
                ["EHLO", "STARTTLS", "QUIT"].iter().any(|verb| line.starts_with(verb)),
                "{line}"
            );
        }
        let doctor = castellan.cli(&["doctor"]);
        let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(said.contains("mail             PROBLEM") && !doctor.status.success(), "{said}");
    }
}

#[tokio::test]
async fn to_try_things_out_messages_are_written_to_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;

    let mail = "[mail]\nfrom = \"no-reply@example.org\"\nfile = \"mail.txt\"\n";
    let castellan = Castellan::start(Plan {
        config: format!("{GROUPS}{mail}"),
        documents: format!("{PEOPLE}{JOHNS}"),
        reads_log: true,
        ..Plan::default()
    })
    .await;
    let admin = token(&castellan, "admin").await;
    data(&asked(&castellan, ACCOUNTS, &admin, SEND).await);
    let path = castellan.path("mail.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("To: john@example.org\nSubject: "), "{text}");
    assert!(text.contains("/auth/reset-password?token="), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let said = std::fs::read_to_string(castellan.path("stderr")).unwrap();
    assert!(said.contains("WARNING: mail: nothing is sent"), "{said}");
    let doctor = castellan.cli(&["doctor", "--mail", "ops@example.org"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("the test message to ops@example.org was written to"), "{said}");
    assert!(said.contains("mail.txt") && !said.contains("accepted"), "{said}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("To: ops@example.org\n"));
}
