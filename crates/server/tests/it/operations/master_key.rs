//! The master key is changed while nodes run, and nothing that was issued is lost.

use crate::{
    operations::nodes::within_the_bound,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan, free_port},
        fixtures::{Asking, DOCUMENTS, PORTAL, text},
    },
};

/// One data source, and the address that all its nodes have.
struct Fixture {
    folder: tempfile::TempDir,
    issuer: String,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, issuer: format!("http://localhost:{}", free_port()) }
    }

    /// What starts a node with the master key `present`, which also knows `previous`.
    fn plan(&self, present: &str, previous: Option<&str>, documents: &str) -> Plan {
        let file = self.folder.path().join("shared.db");
        let before = previous.map(|_| "previous_master_key = { env = \"CASTELLAN_KEY_BEFORE\" }\n");
        let mut environment = vec![("CASTELLAN_KEY", present.to_owned())];
        environment.extend(previous.map(|key| ("CASTELLAN_KEY_BEFORE", key.to_owned())));
        Plan {
            config: format!(
                "[data]\nurl = \"sqlite://{}\"\nmaster_key = {{ env = \"CASTELLAN_KEY\" }}\n{}",
                file.display(),
                before.unwrap_or_default()
            ),
            documents: documents.to_owned(),
            environment,
            issuer: Some(self.issuer.clone()),
            ..Plan::default()
        }
    }
}

/// Asserts that everything that hangs on keys and secrets works: a token of before, a refresh, a
/// secret that Castellan made, and a session.
async fn all_holds(
    castellan: &Castellan,
    tokens: &mut serde_json::Value,
    machine: &[(&str, &str)],
    browser: &mut Browser,
) {
    let old = text(tokens, "access_token").to_owned();
    assert_eq!(castellan.userinfo(&old).await.status, 200);
    let refreshed = castellan.refresh(text(tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    *tokens = refreshed.json();
    let answer = castellan.token(machine).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    browser.code(castellan, &Asking::portal()).await;
}

#[tokio::test]
async fn it_is_changed_under_running_nodes() {
    let fixture = Fixture::new();
    let one = Castellan::start(fixture.plan(&"Q".repeat(43), None, DOCUMENTS)).await;
    let made = one.said(&["key", "new-master"]);
    let (first, second) = ("Q".repeat(43), made.trim());
    assert_eq!((second.len(), second == first), (43, false), "{made}");

    let added = one.said(&["client", "add", "sync", "--machine", "--scope", "Query:*"]);
    let secret = added.split("secret: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let machine =
        [("grant_type", "client_credentials"), ("client_id", "sync"), ("client_secret", secret)];
    let mut browser = Browser::default();
    let mut tokens = one.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    within_the_bound("the app is not known", async || one.token(&machine).await.status == 200)
        .await;

    // The next node knows both keys and works beside the first one.
    let two = Castellan::start(fixture.plan(second, Some(&first), "")).await;
    for node in [&two, &one, &two] {
        all_holds(node, &mut tokens, &machine, &mut browser).await;
    }
    let said = two.said(&["key", "reseal"]);
    assert!(said.contains("sealed under the current master key"), "{said}");
    for node in [&one, &two] {
        all_holds(node, &mut tokens, &machine, &mut browser).await;
    }

    // The key before is worth nothing any more, and its successor alone opens everything.
    let three = Castellan::start(fixture.plan(second, None, "")).await;
    all_holds(&three, &mut tokens, &machine, &mut browser).await;
    three.said(&["key", "rotate"]);
    let why = Castellan::refuses(fixture.plan(&first, None, "")).await;
    assert!(why.contains("cannot be decrypted with this master key"), "{why}");
    let why = Castellan::refuses(fixture.plan(&"Q".repeat(43), Some(&first), "")).await;
    assert!(why.contains("cannot be decrypted with this master key"), "{why}");
    all_holds(&two, &mut tokens, &machine, &mut browser).await;
}
