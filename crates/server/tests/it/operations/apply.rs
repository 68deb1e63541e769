//! `castellan apply`: all documents are checked before the first is written, whatever their number, and
//! what is odd about them is said.

use std::{path::Path, process::Output};

use crate::{
    operations::commands::run_in,
    support::castellan::{Castellan, Plan},
};

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const APPLY: [&str; 3] = ["apply", "-f", "-"];
const DRY_RUN: [&str; 4] = ["apply", "--dry-run", "-f", "-"];

/// Two good documents, and one of everything that can be wrong with one.
const MIXED: &str = "resourceType: Group
id: night
---
# A person
resourceType: User
id: eve
userName: eve
---
resourceType: User
id: mallory
admin: true
---
resourceType: User
id: broken
userName: [broken
---
resourceType: User
id: adam
userName: Eve
---
resourceType: Group
id: night
---
resourceType: Pizza
id: margherita
";

#[tokio::test]
async fn every_document_is_checked_before_the_first_is_written() {
    let castellan = Castellan::with_ann().await;
    let before = castellan.resources();
    for arguments in [&APPLY[..], &DRY_RUN] {
        let refused = castellan.cli_with(arguments, MIXED);
        let said = err(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for problem in [
            "castellan: standard input, document 3 (line 9): User/mallory: ",
            "castellan: standard input, document 4 (line 13): line 15, column ",
            "castellan: standard input, document 5 (line 17): User/adam: \"eve\" already belongs to \
             User/eve",
            "castellan: standard input, document 6 (line 21): Group/night: is in standard input, \
             document 1 (line 1) as well; keep one of them",
            "castellan: standard input, document 7 (line 24): resourceType is missing or unknown",
            "castellan: 5 of 7 documents have problems; nothing was written",
        ] {
            assert!(said.contains(problem), "{problem}: {said}");
        }
        assert_eq!(castellan.resources(), before);
    }
}

#[tokio::test]
async fn what_the_data_source_would_refuse_is_known_before_anything_is_written() {
    let castellan = Castellan::with_ann().await;
    let before = castellan.resources();
    let clash = "resourceType: Group\nid: day\n---\nresourceType: User\nid: other\nuserName: ann\n";
    let refused = castellan.cli_with(&APPLY, clash);
    let said = err(&refused);
    assert!(!refused.status.success(), "{said}");
    assert!(said.contains("document 2 (line 4): User/other: \"ann\" already belongs to"), "{said}");
    assert_eq!(castellan.resources(), before);
    // A name may go from one to the other in one file, as it may in two.
    let users = |first: &str, second: &str| {
        format!(
            "resourceType: User\nid: u1\nuserName: {first}\n---\nresourceType: User\nid: u2\n\
             userName: {second}\n"
        )
    };
    for (first, second) in [("one", "two"), ("three", "one")] {
        let applied = castellan.cli_with(&APPLY, &users(first, second));
        assert!(applied.status.success(), "{}", err(&applied));
    }
}

fn groups(number: usize) -> String {
    let group = |at| format!("resourceType: Group\nid: g{at}\n");
    (0..number).map(group).collect::<Vec<_>>().join("---\n")
}

#[tokio::test]
async fn any_number_of_documents_is_applied() {
    let castellan = Castellan::start(Plan::default()).await;
    let applied = castellan.cli_with(&APPLY, &groups(3_000));
    assert!(applied.status.success(), "{}", err(&applied));
    assert_eq!(out(&applied).lines().count(), 3_000);
    assert_eq!(castellan.said(&["get", "groups", "-o", "json"]).lines().count(), 3_000);
    // Each is looked at, and the last keeps all from being written, or from being sent.
    let server = ["apply", "-f", "-", "--server", "http://127.0.0.1:9/", "--token", "of-no-use"];
    for (number, arguments) in [(10_000, &APPLY[..]), (100_000, &server)] {
        let last = format!("id: g{}\n", number - 1);
        let wrong = groups(number).replace(&last, "name: no id\n");
        let refused = castellan.cli_with(arguments, &wrong);
        let said = err(&refused);
        let place = format!("document {number} (line {}): ", 3 * number - 2);
        assert!(!refused.status.success() && said.contains(&place), "{said}");
        let all = format!("1 of {number} documents has a problem; nothing was ");
        assert!(said.contains(&all), "{said}");
    }
    assert_eq!(castellan.said(&["get", "groups", "-o", "json"]).lines().count(), 3_000);
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_before_all_documents_were_read() {
    let castellan = Castellan::with_ann().await;
    let before = castellan.resources();
    let good = "resourceType: Group\nid: night\n---\n";
    for (wrong, said) in [
        ("id: [\n", "document 2 (line 4): line "),
        ("resourceType: Pizza\nid: x\n", "document 2 (line 4): resourceType or id is missing"),
        ("resourceType: AuditEvent\nid: x\n", "document 2 (line 4): AuditEvent cannot be written"),
    ] {
        let remote = ["apply", "-f", "-", "--server", &castellan.url, "--token", "of-no-use"];
        let refused = castellan.cli_with(&remote, &format!("{good}{wrong}"));
        let problem = err(&refused);
        assert!(!refused.status.success() && problem.contains(said), "{problem}");
        assert!(problem.contains("1 of 2 documents has a problem; nothing was sent"), "{problem}");
    }
    assert_eq!(castellan.resources(), before);
}

const GUARD: &str = "[[guard]]\nname = \"shop\"\npath = \"/shop\"\n\
                     upstream = \"http://127.0.0.1:9/\"\nschema = \"shop.graphql\"\n";

/// A folder with a guard, and documents in `all.yaml`.
fn folder(config: &str, documents: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("castellan.toml", &format!("[security]\ninsecure = true\n{config}"));
    write("shop.graphql", "type Query { me: ID } type Mutation { createOrder: ID }");
    write("all.yaml", documents);
    folder
}

fn apply_in(folder: &Path, more: &[&str]) -> Output {
    let apply = ["--config", "castellan.toml", "apply", "-f", "all.yaml"];
    run_in(folder, &[&apply[..], more].concat())
}

#[test]
fn scopes_that_no_guard_has_are_warned_of() {
    let key = "resourceType: AuthKey\nid: k\napiKey: a-long-enough-secret\nscopes: \
               [\"Mutation:Order:Create\", \"Mutation:Odrer:*\", \"Castellan:*\"]\n---\n\
               resourceType: Client\nid: c\nsecret: another-long-secret\n\
               grant_types: [client_credentials]\nscope: [openid, \"Query:me:Get\"]\n";
    let warning = "warning: AuthKey/k: scope Mutation:Odrer:* matches no field of the guard shop; \
                   `castellan scopes list` shows the scopes that there are";
    let folder = folder(GUARD, key);
    for more in [&["--dry-run"][..], &[]] {
        let applied = apply_in(folder.path(), more);
        let said = err(&applied);
        assert!(applied.status.success() && said.contains(warning), "{said}");
        assert_eq!(said.matches("warning:").count(), 1, "{said}");
    }
    assert!(!folder.path().join("shop.lock").exists(), "only who serves agrees to a schema");
    // Without guards there is nothing to hold a scope against, and with one that cannot be read neither.
    let applied = apply_in(self::folder("", key).path(), &[]);
    assert!(applied.status.success() && !err(&applied).contains("warning"), "{}", err(&applied));
    let applied =
        apply_in(self::folder(&GUARD.replace("shop.graphql", "gone.graphql"), key).path(), &[]);
    let said = err(&applied);
    assert!(applied.status.success() && said.contains("scopes were not checked"), "{said}");
    assert!(said.contains("guard shop: ") && said.contains("gone.graphql"), "{said}");
}

#[test]
fn apps_without_pkce_and_redirects_that_others_can_use_are_warned_of() {
    let app = |id: &str, uri: &str, auth: &str| {
        format!(
            "resourceType: Client\nid: {id}\nsecret: a-long-enough-secret\n\
             grant_types: [authorization_code]\nredirect_uris: [\"{uri}\"]\n{auth}---\n"
        )
    };
    let pkce = "auth: {authorization_code: {pkce: true}}\n";
    let documents = [
        app("good", "https://app.example.org/cb", pkce),
        app("loose", "https://app.example.org/cb", ""),
        app("star", "https://*.example.org/cb", pkce),
        app("plain", "http://app.example.org/cb", pkce),
        app("scheme", "myapp://cb", pkce),
        app("onward", "https://app.example.org/go?to=https://other.example.org", pkce),
    ];
    let applied = apply_in(folder("", &documents.concat()).path(), &[]);
    let said = err(&applied);
    assert!(applied.status.success(), "{said}");
    for warning in [
        "Client/loose: auth.authorization_code.pkce: PKCE is not required",
        "Client/star: redirect_uris: https://*.example.org/cb contains a *",
        "Client/plain: redirect_uris: http://app.example.org/cb is not encrypted",
        "Client/scheme: redirect_uris: myapp://cb has a scheme that any other app",
        "Client/onward: redirect_uris: https://app.example.org/go?to=https://other.example.org has an \
         address in its query",
    ] {
        assert!(said.contains(&format!("warning: {warning}")), "{warning}: {said}");
    }
    assert_eq!(said.matches("warning:").count(), 5, "{said}");
}
