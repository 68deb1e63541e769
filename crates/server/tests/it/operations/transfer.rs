//! Records that move from one data source to another, and tables that are made when somebody says
//! so.

use crate::{
    operations::nodes::{address, config},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, DOCUMENTS, PORTAL, text},
    },
};

const KEY: (&str, &str) = ("CASTELLAN_KEY", "QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ");

fn plan(config: &str, documents: &str, issuer: Option<&str>) -> Plan {
    Plan {
        config: config.to_owned(),
        documents: documents.to_owned(),
        environment: vec![(KEY.0, KEY.1.to_owned())],
        issuer: issuer.map(ToOwned::to_owned),
        ..Plan::default()
    }
}

/// Everything that was issued before goes on as if nothing had happened.
async fn everything_goes_along(to: &str) {
    let folder = tempfile::tempdir().unwrap();
    let from = format!("sqlite://{}", folder.path().join("old.db").display());
    let old_config = config(&from);
    let mut old = Castellan::start(plan(&old_config, DOCUMENTS, None)).await;
    let mut browser = Browser::default();
    let tokens = old.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    let code = browser.code(&old, &Asking::portal()).await;
    old.stop();

    let migrate = ["migrate", "--from", &from, "--to", to, "--verify"];
    let said = old.said(&migrate);
    assert!(said.contains(" new, 0 unchanged, 0 overwritten"), "{said}");
    assert!(said.contains(", 0 differences"), "{said}");
    let said = old.said(&migrate);
    assert!(said.contains("records: 0 new, "), "done again, it changes nothing: {said}");

    let new_config = old_config.replace(&from, to);
    let mut new = Castellan::start(plan(&new_config, "", Some(&old.url))).await;
    let token = text(&tokens, "access_token");
    assert_eq!(new.userinfo(token).await.status, 200, "a token of before holds");
    let refreshed = new.refresh(text(&tokens, "refresh_token"), &PORTAL).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert_eq!(new.redeem(&code, &PORTAL).await.status, 200, "a code of before is redeemed");
    let again = browser.get(&Asking::portal().at(&new)).await;
    assert!(again.location().starts_with("https://portal.test/cb"), "still signed in: {again:?}");
    Browser::as_ann(&new).await;

    // What has changed in the meantime is named: there the code is used up, here it is not. A server
    // that still ran could write between the copy and the comparison.
    new.stop();
    let back = old.cli(&["migrate", "--from", to, "--to", &from, "--verify"]);
    let said = String::from_utf8_lossy(&back.stdout).into_owned();
    assert!(!back.status.success() && said.contains(", 1 difference\n"), "{said}");
    let differs = said.lines().find(|line| line.starts_with("differs: ")).unwrap();
    assert!(differs.contains("/code/") && differs.ends_with(" at the destination"), "{said}");
}

#[tokio::test]
async fn postgres_everything_goes_along() {
    everything_goes_along(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[tokio::test]
async fn mongodb_everything_goes_along() {
    everything_goes_along(&format!("{}/moved", address("CASTELLAN_TEST_MONGODB"))).await;
}

#[tokio::test]
async fn dynamodb_everything_goes_along() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    everything_goes_along(&format!("dynamodb://local?table=moved&endpoint={server}")).await;
}

/// Each secret of the export `text_of`, made what is no stored form, is refused by `broken`.
fn refuses_clear_secrets(text_of: &str, broken: &impl Fn(String) -> String) {
    for (kind, member) in [("account", "password"), ("client", "secret")] {
        for value in ["\"\"", "\"in the clear\"", "424242", "[]"] {
            let mut edited = false;
            let lines = text_of.lines().map(|line| {
                let start = format!("\"{member}\":\"");
                let is_one = !edited && line.contains(&format!("\"kind\":\"{kind}\""));
                let Some(at) = line.find(&start).filter(|_| is_one) else { return line.to_owned() };
                let value_at = at + start.len() - 1;
                let end = value_at + 1 + line[value_at + 1..].find('"').unwrap() + 1;
                edited = true;
                format!("{}{value}{}", &line[..value_at], &line[end..])
            });
            let said = broken(lines.collect::<Vec<_>>().join("\n"));
            assert!(
                edited && said.contains("line ") && said.contains(&format!("{kind}/")),
                "{said}"
            );
            assert!(said.contains(&format!("{member} is not a stored form")), "{said}");
            assert!(!said.contains("in the clear") && !said.contains("424242"), "{said}");
        }
    }
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let mut old = Castellan::with_documents(DOCUMENTS).await;
    let tokens = old.portal_tokens().await;
    old.stop();
    let file = old.path("all.jsonl").display().to_string();
    old.said(&["export", "--file", &file]);
    let text_of = std::fs::read_to_string(&file).unwrap();
    assert!(!text_of.contains("pw-ann") && !text_of.contains("s3cr3t"), "no secret in clear");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = old.cli(&["export", "--file", &file]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success(), "nothing is written over");
    assert!(said.contains("already exists; choose another name or delete it"), "{said}");

    let key = std::fs::read_to_string(old.path("castellan.key")).unwrap();
    let data = "[data]\nurl = \"sqlite://new.db\"\nmaster_key = { file = \"old.key\" }\n";
    let mut new = Castellan::start(Plan {
        config: data.to_owned(),
        files: vec![("old.key", key)],
        issuer: Some(old.url.clone()),
        ..Plan::default()
    })
    .await;
    new.stop();
    let broken = |text: String| {
        let output = new.cli_with(&["import", "--replace-keys"], &text);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let first = text_of.split_once('\n').unwrap().1;
    assert!(broken(first.to_owned()).contains("line 1: not an export"), "no head");
    let cut = text_of.rsplit_once("{\"records\"").unwrap().0;
    assert!(broken(cut.to_owned()).contains("the export is incomplete"), "no end");
    assert!(
        broken(text_of.replace("\"kind\":\"client\"", "\"kind\":\"cleint\""))
            .contains("is not a kind")
    );
    refuses_clear_secrets(&text_of, &broken);
    let said = new.said(&["import", "--file", &file, "--replace-keys"]);
    assert!(said.starts_with("imported "), "{said}");
    new.restart().await;
    assert_eq!(new.userinfo(text(&tokens, "access_token")).await.status, 200);
    assert!(new.refresh(text(&tokens, "refresh_token"), &PORTAL).await.status == 200);
}

/// A stopped server whose data source has keys of its own, under the master key `key`.
async fn stopped_with_key(key: &str, issuer: &str) -> Castellan {
    let mut new = Castellan::start(Plan {
        config: "[data]\nurl = \"sqlite://new.db\"\nmaster_key = { file = \"old.key\" }\n"
            .to_owned(),
        files: vec![("old.key", key.to_owned())],
        issuer: Some(issuer.to_owned()),
        ..Plan::default()
    })
    .await;
    new.stop();
    new
}

#[tokio::test]
async fn signing_keys_are_imported_only_where_they_open_and_replace_none_unasked() {
    let mut old = Castellan::with_documents(DOCUMENTS).await;
    let tokens = old.portal_tokens().await;
    old.stop();
    let export = old.said(&["export"]);
    let key = std::fs::read_to_string(old.path("castellan.key")).unwrap();
    let refused = |castellan: &Castellan, arguments: &[&str]| {
        let output = castellan.cli_with(arguments, &export);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };

    // Neither where there are keys already, however it is asked, nor where there are none.
    let mut stranger = stopped_with_key(KEY.1, &old.url).await;
    let before = stranger.said(&["key", "list"]);
    for arguments in [&["import"][..], &["import", "--replace-keys"]] {
        let said = refused(&stranger, arguments);
        assert!(said.contains("line 2: the signing keys of site"), "{said}");
        assert!(said.contains("set data.master_key to the one of the data source"), "{said}");
    }
    assert!(!stranger.resources().contains("portal"), "nothing of it is there");
    assert_eq!(stranger.said(&["key", "list"]), before);
    stranger.restart().await;
    stranger.stop();
    for file in ["new.db", "new.db-wal", "new.db-shm"] {
        let _ = std::fs::remove_file(stranger.path(file));
    }
    assert!(refused(&stranger, &["import"]).contains("line 2: the signing keys of site"));
    std::fs::remove_file(stranger.path("old.key")).unwrap();
    assert!(refused(&stranger, &["import"]).contains("An import needs the master key of"));

    let mut new = stopped_with_key(&key, &old.url).await;
    let said = refused(&new, &["import"]);
    assert!(said.contains("already has other signing keys") && said.contains("--replace-keys"));
    assert!(!new.resources().contains("portal"), "nothing of it is there");
    assert!(new.cli_with(&["import", "--replace-keys"], &export).status.success());
    assert!(new.cli_with(&["import"], &export).status.success(), "the same keys are no others");
    new.restart().await;
    assert_eq!(new.userinfo(text(&tokens, "access_token")).await.status, 200);
}

#[tokio::test]
async fn a_sealed_export_opens_with_its_master_key_and_whole() {
    let mut old = Castellan::with_documents(DOCUMENTS).await;
    let tokens = old.portal_tokens().await;
    old.stop();
    let sealed = old.said(&["export", "--seal"]);
    // Random text may hold any three letters.
    for clear in ["portal", "\"ann\"", "records", "client"] {
        assert!(!sealed.contains(clear), "{clear} can be read");
    }
    let key = std::fs::read_to_string(old.path("castellan.key")).unwrap();
    let refused = |castellan: &Castellan, text: &str| {
        let output = castellan.cli_with(&["import", "--replace-keys"], text);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let stranger = stopped_with_key(KEY.1, &old.url).await;
    let said = refused(&stranger, &sealed);
    assert!(said.contains("line 2: the export cannot be decrypted"), "{said}");
    assert!(!stranger.resources().contains("portal"), "nothing of it is there");

    let mut new = stopped_with_key(&key, &old.url).await;
    let lines: Vec<&str> = sealed.lines().collect();
    let without_third = [&lines[..2], &lines[3..]].concat().join("\n");
    let said = refused(&new, &without_third);
    assert!(said.contains("line 3: the export cannot be decrypted"), "{said}");
    let cut = lines[..lines.len() - 1].join("\n");
    assert!(refused(&new, &cut).contains("the export is incomplete"));
    let plain = new.cli_with(&["import", "--seal"], "{\"castellan-export\":1}\n{\"records\":0}\n");
    assert!(
        String::from_utf8_lossy(&plain.stderr)
            .contains("line 1: this export is not sealed, and --seal accepts sealed exports only")
    );
    assert!(new.cli_with(&["import", "--seal", "--replace-keys"], &sealed).status.success());
    new.restart().await;
    assert_eq!(new.userinfo(text(&tokens, "access_token")).await.status, 200);
}

#[tokio::test]
async fn mongodb_tables_are_made_when_somebody_says_so() {
    let place = format!("{}/fresh_{}", address("CASTELLAN_TEST_MONGODB"), std::process::id());
    let config = config(&place).replace("[data]\n", "[data]\nmigrate = false\n");
    let said = Castellan::refuses(plan(&config, "", None)).await;
    assert!(said.contains("has no Castellan collections yet; run `castellan migrate`"), "{said}");
    let made = Castellan::refused(plan(&config, "", None));
    assert!(made.said(&["migrate"]).contains("up to date"));
    Castellan::start(plan(&config, "", None)).await;
}

#[tokio::test]
async fn the_doctor_says_what_the_data_source_can_do() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let said = castellan.said(&["doctor"]);
    for line in [
        "engine           SQLite",
        "filters          userName and email by STARTS_WITH, ENDS_WITH",
        "sorts            created, lastModified, name",
        "letter case      ignored in usernames and e-mail addresses",
        "decrypted with the master key; every use has an active key",
        "User             present",
        "No problems found, but warnings; see above.",
    ] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
}
