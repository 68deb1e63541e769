//! Audit records (`docs/audit.md`, `docs/contracts/aidbox.md` §11 item 15): what happened is there,
//! by whom, from where and for which request; nothing secret is; and what is done to records is found
//! out.

use std::{
    collections::BTreeSet, os::unix::fs::PermissionsExt as _, path::Path, process::Command,
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};

use crate::{
    operations::nodes::{address, config},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{ANN, Asking, DOCUMENTS, PORTAL, text},
        upstream::Recorder,
        wire::{Answer, Ask},
    },
};

const ADMIN: &str = r#"
---
resourceType: User
id: root
userName: root
password: pw-root
groups: [{value: administrators}]
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
---
resourceType: Client
id: reader
secret: a-secret-for-the-reader
grant_types: [client_credentials]
scope: ["Castellan:AuditEvent:Read"]
"#;

const SDL: &str =
    "type Query { person: String } type Mutation { createPerson(name: String): String }";

async fn token(castellan: &Castellan, id: &str, secret: &str) -> String {
    let pairs =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

/// The records that `castellan audit` prints, the latest first.
fn records(castellan: &Castellan, arguments: &[&str]) -> Vec<Value> {
    let said = castellan.said(&[&["audit", "--json"], arguments].concat());
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same, once there are `count`: they are written after the answers.
async fn until(castellan: &Castellan, arguments: &[&str], count: usize) -> Vec<Value> {
    for _ in 0..200 {
        let found = records(castellan, arguments);
        if found.len() >= count {
            assert_eq!(found.len(), count, "{arguments:?}: {found:?}");
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not {count} records for {arguments:?}: {:?}", records(castellan, arguments));
}

async fn one(castellan: &Castellan, arguments: &[&str]) -> Value {
    until(castellan, arguments, 1).await.remove(0)
}

fn reference(kind: &str, id: &str) -> Value {
    json!({"resourceType": kind, "id": id})
}

fn decision(answer: &Answer) -> &str {
    answer.header("castellan-decision").unwrap()
}

/// A server with a guard, whose records are in the store and in `audit.log`.
async fn stage() -> (Recorder, Castellan) {
    let upstream = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[audit]\noutput = {{ file = \"audit.log\" }}\n[[guard]]\nname = \"people\"\n\
             path = \"/graphql\"\nupstream = \"{}\"\nschema = \"people.graphql\"\n",
            upstream.url
        ),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        files: vec![("people.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    (upstream, castellan)
}

async fn send(castellan: &Castellan, admin: &str, method: Method, path: &str) -> Answer {
    let ask = Ask::new(method.clone(), &castellan.at(path)).bearer(admin);
    match method {
        Method::PUT => {
            let body = json!({
                "grant_types": ["client_credentials"], "secret": "s3cr3t-of-a-new-app",
                "scope": ["openid"],
            });
            ask.json(&body).send().await
        }
        Method::PATCH => {
            ask.json(&json!({"secret": "an0ther-s3cr3t-of-it", "name": "N"})).send().await
        }
        _ => ask.send().await,
    }
}

/// A server at which one thing after another happens, and what is found of it.
struct Story {
    castellan: Castellan,
    upstream: Recorder,
    seen: BTreeSet<String>,
    /// What must not be in any record.
    secrets: Vec<String>,
}

impl Story {
    async fn begin() -> Self {
        let (upstream, castellan) = stage().await;
        Self { castellan, upstream, seen: BTreeSet::new(), secrets: Vec::new() }
    }

    /// What was sent or answered and must not be in any record.
    fn keep_secret(&mut self, secrets: &[&str]) {
        self.secrets.extend(secrets.iter().map(|secret| (*secret).to_owned()));
    }

    /// The one record of the request of `answer`, which has `members`.
    async fn recorded(&mut self, answer: &Answer, members: &[(&str, Value)]) -> Value {
        let record = one(&self.castellan, &["--decision", decision(answer)]).await;
        self.check(&record, answer, members);
        record
    }

    fn check(&mut self, record: &Value, answer: &Answer, members: &[(&str, Value)]) {
        self.seen.insert(text(record, "type").to_owned());
        let common = [
            ("decision", json!(decision(answer))),
            ("source", json!("127.0.0.1")),
            ("site", json!("default")),
        ];
        for (name, value) in common.iter().chain(members) {
            assert_eq!(record[name], *value, "{name}: {record}");
        }
        assert!(text(record, "recorded").ends_with('Z'), "{record}");
    }

    /// Ann signs in after a wrong password, refuses and agrees; the code that `portal` gets.
    async fn sign_in(&mut self) -> String {
        let mut browser = Browser::default();
        let begun = browser.get(&Asking::portal().at(&self.castellan)).await;
        let wrong = browser.sign_in(&self.castellan, &begun, ("ann", "wrong-pw")).await;
        assert_eq!(wrong.status, 401);
        let failure = ("outcome", json!("failure"));
        let members = [kind("sign_in"), failure.clone(), ann(), ("detail", json!("password"))];
        self.recorded(&wrong, &members).await;
        let name = "my-pw-in-the-wrong-field";
        let unknown = browser.sign_in(&self.castellan, &begun, (name, "x")).await;
        let record = self.recorded(&unknown, &[failure]).await;
        assert!(record.get("user").is_none(), "{record}");
        let right = browser.sign_in(&self.castellan, &begun, ANN).await;
        let members = [kind("sign_in"), ("outcome", json!("success")), ann()];
        self.recorded(&right, &members).await;
        let refused = browser.decide(&self.castellan, &right, "deny").await;
        self.recorded(&refused, &[kind("consent_refused"), ann()]).await;
        let asked = browser.get(&Asking::portal().at(&self.castellan)).await;
        let agreed = browser.decide(&self.castellan, &asked, "allow").await;
        let target = ("target", reference("Grant", "ann/portal"));
        self.recorded(&agreed, &[kind("consent_given"), ann(), target]).await;
        let code = agreed.location_param("code").unwrap();
        self.keep_secret(&["wrong-pw", name, ANN.1, &code]);
        for cookie in browser.jar().split("; ") {
            self.keep_secret(&[cookie.split_once('=').unwrap().1]);
        }
        code
    }

    /// Tokens for `code`: issued, refreshed, refused and revoked.
    async fn tokens(&mut self, code: &str) {
        let portal = ("client", reference("Client", "portal"));
        let issued = self.castellan.redeem(code, &PORTAL).await;
        let (access, refresh) = ["access_token", "refresh_token"]
            .map(|name| text(&issued.json(), name).to_owned())
            .into();
        let members = [kind("token_issued"), ann(), portal.clone()];
        let record = self.recorded(&issued, &members).await;
        let session = ("target", record["target"].clone());
        assert_eq!(record["target"]["resourceType"], "Session", "{record}");
        let refreshed = self.castellan.refresh(&refresh, &PORTAL).await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        let members = [kind("token_refreshed"), ann(), portal.clone(), session.clone()];
        self.recorded(&refreshed, &members).await;
        let bad = [("client_id", "portal"), ("client_secret", "wrong-s3cr3t")];
        let bad = self.castellan.refresh(&refresh, &bad).await;
        let failure = [("outcome", json!("failure")), ("detail", json!("invalid_client")), portal];
        self.recorded(&bad, &failure).await;
        let pairs = [&[("token", &*refresh)], &PORTAL[..]].concat();
        let revoked = Ask::post(&self.castellan.at("/auth/revoke")).form(&pairs).send().await;
        self.recorded(&revoked, &[kind("token_revoked"), session]).await;
        let again = text(&refreshed.json(), "access_token").to_owned();
        self.keep_secret(&[&access, &refresh, &again, "wrong-s3cr3t", PORTAL[1].1]);
    }

    /// What an administrator's program does with `token`, and what it makes possible.
    async fn administration(&mut self, token: &str) {
        let tool = ("client", reference("Client", "admin-tool"));
        let target = ("target", reference("Client", "fresh"));
        for (method, name) in [
            (Method::PUT, "resource_created"),
            (Method::PATCH, "resource_changed"),
            (Method::DELETE, "resource_deleted"),
        ] {
            let done = send(&self.castellan, token, method, "/Client/fresh").await;
            assert!(done.status.is_success(), "{done:?}");
            let record = self.recorded(&done, &[kind(name), tool.clone(), target.clone()]).await;
            if name == "resource_changed" {
                assert_eq!(record["detail"], "a secret, name", "{record}");
            }
        }
        let body = json!({"userId": "root"});
        let url = self.castellan.at("/auth/force-reset-password");
        let issued = Ask::post(&url).bearer(token).json(&body).send().await;
        let target = ("target", reference("User", "root"));
        self.recorded(&issued, &[kind("reset_link_issued"), tool, target.clone()]).await;
        let link = text(&issued.json()["data"], "token").to_owned();
        let form = [("token", &*link), ("password", "pw-root-2"), ("password_again", "pw-root-2")];
        for outcome in ["success", "failure"] {
            let url = self.castellan.at("/auth/reset-password");
            let set = Browser::default().post(&url, &form).await;
            let members = [kind("password_reset"), ("outcome", json!(outcome))];
            let record = self.recorded(&set, &members).await;
            assert_eq!(record.get("target") == Some(&target.1), outcome == "success", "{record}");
        }
        self.keep_secret(&[
            token,
            &link,
            "pw-root-2",
            "s3cr3t-of-a-new-app",
            "an0ther-s3cr3t-of-it",
        ]);
    }

    /// What a guard denies to anybody, and the server to a program with the token `reader`.
    async fn denials(&mut self, reader: &str) {
        let denied = [kind("access_denied"), ("outcome", json!("denied"))];
        let query = "mutation { mySecretAlias: createPerson(name: \"my-secret-argument\") }";
        let refused = self.castellan.graphql("/graphql", None, query).await;
        let what = [
            ("target", reference("Guard", "people")),
            ("detail", json!("Mutation.createPerson: no_credential")),
        ];
        self.recorded(&refused, &[&denied[..], &what].concat()).await;
        let refused = send(&self.castellan, reader, Method::GET, "/User/ann").await;
        assert_eq!(refused.status, 403, "{refused:?}");
        let who = [("client", reference("Client", "reader"))];
        self.recorded(&refused, &[&denied[..], &who].concat()).await;
        self.keep_secret(&[reader, "mySecretAlias", "my-secret-argument"]);
    }

    /// An administrator's program withdraws what Ann agreed to and signs her out: the records of that.
    async fn ending(&mut self, token: &str) -> Vec<Value> {
        let tool = ("client", reference("Client", "admin-tool"));
        let whom = ("subject", reference("User", "ann"));
        let withdrawn = send(&self.castellan, token, Method::DELETE, "/Grant/ann/portal").await;
        let members = [kind("consent_withdrawn"), tool.clone(), whom.clone()];
        self.recorded(&withdrawn, &members).await;
        let ended = send(&self.castellan, token, Method::DELETE, "/Session?user=ann").await;
        assert_eq!(ended.status, 204, "{ended:?}");
        let found = until(&self.castellan, &["--decision", decision(&ended)], 2).await;
        for record in &found {
            self.check(record, &ended, &[kind("session_ended"), tool.clone(), whom.clone()]);
        }
        let of_ann = records(&self.castellan, &["--person", "ann"]);
        assert!(of_ann.contains(&found[0]), "she is found by what concerns her: {of_ann:?}");
        found
    }
}

fn kind(name: &str) -> (&'static str, Value) {
    ("type", json!(name))
}

fn ann() -> (&'static str, Value) {
    ("user", reference("User", "ann"))
}

/// The same records over HTTP, for whoever has the right.
async fn assert_read(castellan: &Castellan, reader: &str, found: &[Value]) {
    let path = format!("/AuditEvent?decision={}", text(&found[0], "decision"));
    let (native, fhir) = (reference("User", "ann"), json!({"reference": "User/ann"}));
    for (path, ann) in [(path.clone(), native), (format!("/fhir{path}"), fhir)] {
        let bundle = send(castellan, reader, Method::GET, &path).await;
        assert_eq!(bundle.status, 200, "{bundle:?}");
        let bundle = bundle.json();
        assert_eq!(bundle["entry"].as_array().unwrap().len(), found.len(), "{bundle}");
        assert_eq!(bundle["entry"][0]["resource"]["subject"], ann, "{bundle}");
    }
    let path = format!("/AuditEvent/{}", text(&found[0], "id"));
    assert_eq!(send(castellan, reader, Method::GET, &path).await.json(), found[0]);
}

#[tokio::test]
async fn everything_that_happens_is_recorded_with_who_and_where_and_nothing_secret() {
    let mut story = Story::begin().await;
    let code = story.sign_in().await;
    story.tokens(&code).await;
    let admin = token(&story.castellan, "admin-tool", "a-secret-for-the-tool").await;
    let reader = token(&story.castellan, "reader", "a-secret-for-the-reader").await;
    story.administration(&admin).await;
    story.denials(&reader).await;
    let ended = story.ending(&admin).await;
    assert_read(&story.castellan, &reader, &ended).await;
    let Story { castellan, upstream, seen, secrets } = story;
    assert!(upstream.seen().is_empty(), "what was denied was not forwarded");
    let kinds = [
        "sign_in",
        "session_ended",
        "consent_given",
        "consent_refused",
        "consent_withdrawn",
        "token_issued",
        "token_refreshed",
        "token_revoked",
        "resource_created",
        "resource_changed",
        "resource_deleted",
        "reset_link_issued",
        "password_reset",
        "access_denied",
    ];
    assert_eq!(seen, kinds.map(ToOwned::to_owned).into());
    // What the command line did before the start.
    let by_cli = records(&castellan, &["--kind", "resource_created", "--target", "User/ann"]);
    assert!(text(&by_cli[0], "source").starts_with("command line, uid "), "{by_cli:?}");

    // No secret is in any of it: neither in the data source nor in the file.
    let file = std::fs::read_to_string(castellan.path("audit.log")).unwrap();
    let stored = records(&castellan, &[]);
    let printed: String = stored.iter().map(Value::to_string).collect();
    let plain = ["pw-ann", "pw-root", "a-secret-for-the-tool", "argon2"];
    for secret in secrets.iter().map(|secret| &**secret).chain(plain) {
        assert!(!file.contains(secret) && !printed.contains(secret), "{secret}");
    }
    // Every record is in both, each as it was written.
    assert_eq!(stored.len(), file.lines().count());
    let path = castellan.path("audit.log").display().to_string();
    for arguments in [&["audit", "verify"][..], &["audit", "verify", &path]] {
        let said = castellan.said(arguments);
        assert!(said.contains("none was changed, removed or moved"), "{said}");
    }
}

#[tokio::test]
async fn passwords_that_people_change_and_their_sign_outs_are_recorded() {
    let castellan = Castellan::with_ann().await;
    let mut browser = Browser::as_ann(&castellan).await;
    for (current, outcome) in [("wrong-pw", "failure"), ("pw-ann", "success")] {
        let page = browser.get(&castellan.at("/account")).await;
        let csrf = page.hidden("csrf").unwrap();
        let form = [
            ("csrf", &*csrf),
            ("current_password", current),
            ("password", "pw-ann-2"),
            ("password_again", "pw-ann-2"),
        ];
        let changed = browser.post(&castellan.at("/account/password"), &form).await;
        let arguments = ["--kind", "password_changed", "--decision", decision(&changed)];
        let record = one(&castellan, &arguments).await;
        assert_eq!((&record["outcome"], &record["user"]), (&json!(outcome), &ann().1), "{record}");
    }
    let ended = browser.post(&castellan.at("/auth/logout"), &[]).await;
    let all = records(&castellan, &["--kind", "session_ended"]);
    assert!(!all.is_empty(), "{ended:?}");
    assert!(all.iter().all(|record| record["user"] == ann().1), "{all:?}");
}

#[tokio::test]
async fn audit_events_are_read_by_administrators_and_written_by_nobody() {
    let castellan = Castellan::with_documents(&format!("{DOCUMENTS}{ADMIN}")).await;
    let admin = token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    let svc = token(&castellan, "svc", "s3cr3t-svc").await;
    let anonymous = Ask::get(&castellan.at("/AuditEvent")).send().await;
    assert_eq!(anonymous.status, 401, "{anonymous:?}");
    let stranger = Ask::get(&castellan.at("/AuditEvent")).bearer(&svc).send().await;
    assert_eq!(stranger.status, 403, "{stranger:?}");
    let record = one(&castellan, &["--kind", "token_issued", "--client", "admin-tool"]).await;
    let path = format!("/AuditEvent/{}", record["id"].as_str().unwrap());
    for (method, path) in [
        (Method::POST, "/AuditEvent"),
        (Method::PUT, &*path),
        (Method::PATCH, &*path),
        (Method::DELETE, &*path),
    ] {
        for prefix in ["", "/fhir"] {
            let ask = Ask::new(method.clone(), &castellan.at(&format!("{prefix}{path}")));
            let refused = ask.bearer(&admin).json(&json!({})).send().await;
            assert_eq!(refused.status, 405, "{method} {path}: {refused:?}");
            assert_eq!(refused.header("allow"), Some("GET,HEAD"), "{refused:?}");
        }
    }
    let refused = castellan.cli(&["delete", "AuditEvent", record["id"].as_str().unwrap()]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("can only be read"), "{refused:?}");
    let document = json!({"resourceType": "AuditEvent", "id": "x"});
    let refused = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("can only be read"), "{refused:?}");
    one(&castellan, &["--kind", "token_issued", "--client", "admin-tool"]).await;
    for (query, status) in [
        ("date=yesterday", 400),
        ("date=ge2020&date=lt2100&outcome=success&_count=1", 200),
        ("nope=1", 400),
        ("_sort=_lastUpdated", 400),
        ("agent=admin-tool", 200),
        ("site=default&source=127.0.0.1&type=token_issued", 200),
    ] {
        let url = castellan.at(&format!("/AuditEvent?{query}"));
        let answer = Ask::get(&url).bearer(&admin).send().await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        if status == 200 {
            assert!(!answer.json()["entry"].as_array().unwrap().is_empty(), "{query}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn whoever_edits_the_database_is_found_out() {
    let mut castellan = Castellan::with_documents(&format!("{DOCUMENTS}{ADMIN}")).await;
    for _ in 0..3 {
        token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    }
    until(&castellan, &["--kind", "token_issued"], 3).await;
    castellan.stop();
    let good = castellan.said(&["audit", "verify"]);
    // What `apply` did, and the server; both ended in order.
    assert!(good.contains("of 2 processes: none was changed"), "{good}");
    assert!(!good.contains("note"), "{good}");
    let database = rusqlite::Connection::open(castellan.path("castellan.db")).unwrap();
    let backup = "CREATE TEMP TABLE backup AS SELECT * FROM records WHERE kind = 'audit'";
    database.execute_batch(backup).unwrap();
    let verify = |sql: &str| {
        assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
        let output = castellan.cli(&["audit", "verify"]);
        let undo =
            "DELETE FROM records WHERE kind = 'audit'; INSERT INTO records SELECT * FROM backup";
        database.execute_batch(undo).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && said.contains("FAULT"), "{sql}: {said}");
        said
    };
    let said = verify(
        "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), 'admin-tool', 'evil-tool')
         AS BLOB) WHERE kind = 'audit' AND CAST(body AS TEXT) LIKE '%token_issued%'",
    );
    assert!(said.contains("changed, or written by somebody else"), "{said}");
    let said = verify(
        "DELETE FROM records WHERE kind = 'audit' AND CAST(body AS TEXT) LIKE '%token_issued%'",
    );
    assert!(said.contains("missing before it"), "{said}");
    verify("DELETE FROM records WHERE kind = 'audit' AND id = 'head'");
    let said = verify(
        "UPDATE records SET body = CAST(replace(CAST(body AS TEXT), '\"until\":', '\"until\":1') AS BLOB)
         WHERE kind = 'audit' AND id = 'head'",
    );
    assert!(said.contains("which process was the last was changed"), "{said}");
    let said = verify(
        "UPDATE records SET id = replace(id, 'block/', 'block/0') WHERE id LIKE 'block/%' AND kind = 'audit'",
    );
    assert!(said.contains("were moved in time"), "{said}");
    // Nothing is left that could be verified.
    database.execute("DELETE FROM records WHERE kind = 'audit'", []).unwrap();
    let output = castellan.cli(&["audit", "verify"]);
    assert!(!output.status.success(), "{output:?}");
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

/// The lines of the file at `path`, once one of them has `part` in it.
async fn lines_with(path: &Path, part: &str) -> Vec<String> {
    for _ in 0..200 {
        let lines = lines(path);
        if lines.iter().any(|line| line.contains(part)) {
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{part} is not in {}", path.display());
}

/// What `castellan audit verify` says of `files`, and whether it found no fault.
fn verified(castellan: &Castellan, files: &[&Path]) -> (bool, String) {
    let files = files.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<_> = ["audit", "verify"].into_iter().chain(files).collect();
    let output = castellan.cli(&arguments);
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_followed_by_another_one() {
    let castellan = Castellan::start(Plan {
        config: "[audit]\nkeep = \"off\"\noutput = { file = \"audit.log\" }\n".to_owned(),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        ..Plan::default()
    })
    .await;
    let (first, second) = (castellan.path("audit.log.1"), castellan.path("audit.log"));
    token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    lines_with(&second, "token_issued").await;
    std::fs::rename(&second, &first).unwrap();
    let id = castellan.process().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    for _ in 0..200 {
        if second.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    token(&castellan, "svc", "s3cr3t-svc").await;
    assert_eq!(lines_with(&second, "svc").await.len(), 1);
    // Together they are whole; the second one says where it begins.
    let (is_good, said) = verified(&castellan, &[&first, &second]);
    assert!(is_good && said.contains("none was changed, removed or moved"), "{said}");
    let (is_good, said) = verified(&castellan, &[&second]);
    assert!(is_good && said.contains("are not in these files"), "{said}");
    // A line that is changed, and one that is removed.
    let whole = std::fs::read_to_string(&first).unwrap();
    let third = format!("{}\n", whole.lines().nth(2).unwrap());
    for (from, to) in [("\"client\":\"admin-tool\"", "\"client\":\"evil-tool\""), (&third, "")] {
        let edited = whole.replace(from, to);
        assert_ne!(edited, whole);
        std::fs::write(&first, &edited).unwrap();
        let (is_good, said) = verified(&castellan, &[&first]);
        assert!(!is_good && said.contains("FAULT  audit.log.1:"), "{said}");
    }
    // Nothing of it is in the data source, and nobody else reads it.
    assert_eq!(records(&castellan, &[]), [Value::Null; 0]);
    assert_eq!(std::fs::metadata(&second).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn records_on_standard_output_are_lines_of_json() {
    let castellan = Castellan::start(Plan {
        config: "[audit]\noutput = \"stdout\"\n".to_owned(),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        ..Plan::default()
    })
    .await;
    token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    one(&castellan, &["--kind", "token_issued"]).await;
    let stdout = std::fs::read_to_string(castellan.path("stdout")).unwrap();
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let lines: Vec<Value> = stdout.lines().filter_map(read).collect();
    let kinds: Vec<_> = lines.iter().map(|line| text(line, "kind")).collect();
    assert_eq!(kinds, ["started", "token_issued"], "{stdout}");
    // A command's own output stays its own.
    let output = castellan.cli(&["client", "add", "another", "--machine"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains("\"kind\""), "{said}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("\"resource_created\""), "{told}");
}

/// Records in the data source at `url` are read, are as they were written, and end in order.
async fn are_kept_at(url: &str) {
    let mut castellan = Castellan::start(Plan {
        config: config(url),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    })
    .await;
    for _ in 0..2 {
        token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    }
    let issued = ["--kind", "token_issued", "--client", "admin-tool", "--since", "1h"];
    let found = until(&castellan, &issued, 2).await;
    assert!(found[0]["number"].as_u64() > found[1]["number"].as_u64(), "{found:?}");
    let reader = token(&castellan, "reader", "a-secret-for-the-reader").await;
    let path = format!("/AuditEvent/{}", text(&found[1], "id"));
    assert_eq!(send(&castellan, &reader, Method::GET, &path).await.json(), found[1]);
    castellan.stop();
    let said = castellan.said(&["audit", "verify"]);
    assert!(said.contains("of 2 processes: none was changed, removed or moved"), "{said}");
    assert!(!said.contains("note"), "{said}");
}

#[tokio::test]
async fn postgres_keeps_records() {
    are_kept_at(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[cfg(feature = "full")]
#[tokio::test]
async fn mongodb_keeps_records() {
    let server = address("CASTELLAN_TEST_MONGODB");
    are_kept_at(&format!("{}/audit_{}", server.trim_end_matches('/'), std::process::id())).await;
}

#[cfg(feature = "full")]
#[tokio::test]
async fn dynamodb_keeps_records() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    let table = format!("audit_{}", std::process::id());
    are_kept_at(&format!("dynamodb://local?table={table}&endpoint={server}")).await;
}

#[tokio::test]
async fn records_go_when_their_time_is_over_and_a_process_that_was_killed_is_noted() {
    let mut castellan = Castellan::start(Plan {
        config: "[audit]\nkeep = \"1h\"\n".to_owned(),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        ..Plan::default()
    })
    .await;
    token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    one(&castellan, &["--kind", "token_issued"]).await;
    castellan.restart().await;
    until(&castellan, &["--kind", "started"], 3).await;
    let said = castellan.said(&["audit", "verify"]);
    // The one that was killed, and the one that runs.
    assert_eq!(said.matches("without a record that it stopped").count(), 2, "{said}");
    castellan.advance_to(3_700);
    assert_eq!(records(&castellan, &["--kind", "token_issued"]), [Value::Null; 0]);
    token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    one(&castellan, &["--kind", "token_issued"]).await;
    let said = castellan.said(&["audit", "verify"]);
    assert!(said.contains("none was changed, removed or moved"), "{said}");
}

#[tokio::test]
async fn what_the_configuration_says_of_records_is_enforced_or_refused() {
    for (config, part) in [
        ("keep = \"0\"", "keep"),
        ("keep = \"2y\"", "\"off\""),
        ("output = \"stderr\"", "must be \"stdout\" or { file = \"path\" }"),
        ("output = { path = \"a\" }", "expected \"stdout\" or { file = \"path\" }"),
        ("output = { file = \"\" }", "expected \"stdout\""),
        ("output = { file = \"nowhere/audit.log\" }", "nowhere/audit.log: No such file"),
        ("records_per_day = 0", "records_per_day"),
        ("store = true", "unknown field"),
    ] {
        let plan = Plan { config: format!("[audit]\n{config}\n"), ..Plan::default() };
        let said = Castellan::refuses(plan).await;
        assert!(said.contains(part), "{config}: {said}");
    }
    let castellan = Castellan::start(Plan {
        config: "[audit]\nrecords_per_day = 10\n".to_owned(),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        ..Plan::default()
    })
    .await;
    for _ in 0..15 {
        token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    }
    until(&castellan, &["--kind", "token_issued"], 8).await;
    let dropped: u64 = until_dropped(&castellan).await;
    assert!((1..=7).contains(&dropped), "{dropped}");
    // What changes something is recorded nevertheless.
    let admin = token(&castellan, "admin-tool", "a-secret-for-the-tool").await;
    let ask = Ask::new(Method::PUT, &castellan.at("/User/late")).bearer(&admin);
    assert_eq!(ask.json(&json!({"userName": "late"})).send().await.status, 201);
    until(&castellan, &["--kind", "resource_created", "--target", "User/late"], 1).await;
}

async fn until_dropped(castellan: &Castellan) -> u64 {
    for _ in 0..200 {
        if let Some(record) = records(castellan, &["--kind", "dropped"]).first() {
            return record["count"].as_u64().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nothing says that records were dropped");
}
