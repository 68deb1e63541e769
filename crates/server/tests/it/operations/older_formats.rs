//! Beside nodes of an older layout: nothing is written that they could not read, and what needs more
//! waits until they are let go.

use serde_json::Value;

use crate::{
    operations::nodes::within_the_bound,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, DOCUMENTS, PORTAL},
        wire::Ask,
    },
};

/// What a build of format 1 left behind.
const FORMAT_1: &str = include_str!("../../../../stores/tests/fixtures/format-1/sqlite.sql");
/// An app that is told of sign-outs.
const TOLD: &str = "
resourceType: Client
id: told
secret: s3cr3t-told
grant_types: [authorization_code]
scope: [openid]
redirect_uris: [\"https://told.test/cb\"]
backchannel_logout_uri: https://told.test/out
";

/// The ring of signing keys, as every node reads it.
fn ring(castellan: &Castellan) -> Value {
    let file = rusqlite::Connection::open(castellan.path("shared.db")).unwrap();
    let sql = "SELECT body FROM records WHERE kind = 'keyring'";
    let body: Vec<u8> = file.query_row(sql, [], |row| row.get(0)).unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn published(castellan: &Castellan) -> usize {
    let jwks = Ask::get(&castellan.at("/.well-known/jwks.json")).send().await.json();
    jwks["keys"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_an_older_version_cannot_read_waits_until_it_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch(FORMAT_1).unwrap();
    let castellan = Castellan::start(Plan {
        config: format!(
            "[data]\nurl = \"sqlite://{}\"\nmaster_key = {{ env = \"CASTELLAN_KEY\" }}\n\
             previous_master_key = {{ env = \"CASTELLAN_KEY_BEFORE\" }}\n",
            file.display()
        ),
        // Sealed with zeros, which nobody may set anew.
        environment: vec![
            ("CASTELLAN_KEY", "Q".repeat(43)),
            ("CASTELLAN_KEY_BEFORE", "A".repeat(43)),
        ],
        documents: DOCUMENTS.to_owned(),
        ..Plan::default()
    })
    .await;
    std::os::unix::fs::symlink(&file, castellan.path("shared.db")).unwrap();
    let before = ring(&castellan);
    assert_eq!(before.as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    let keys = published(&castellan).await;
    let mut browser = Browser::default();
    castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;

    for (arguments, input) in [(vec!["apply", "-f", "-"], TOLD), (vec!["key", "reseal"], "")] {
        let output = castellan.cli_with(&arguments, input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(said.contains("older versions may still use"), "{said}");
        assert!(said.contains("`castellan migrate --finish`"), "{said}");
    }
    assert_eq!(ring(&castellan), before);
    castellan.said(&["key", "rotate"]);
    assert_eq!(ring(&castellan).as_object().unwrap().keys().collect::<Vec<_>>(), ["keys"]);
    within_the_bound("the new keys are not known", async || published(&castellan).await > keys)
        .await;

    // Under the running node.
    castellan.said(&["migrate", "--finish"]);
    castellan.said(&["key", "reseal"]);
    let output = castellan.cli_with(&["apply", "-f", "-"], TOLD);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let now = ring(&castellan);
    assert!(now["root"].is_string());
    let uses = now["keys"].as_array().unwrap().iter().map(|key| key["usage"].as_str().unwrap());
    assert_eq!(uses.filter(|usage| *usage == "logout").count(), 1);
    browser.code(&castellan, &Asking::portal()).await;
}
