//! The command line, as an operator meets it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    dialects::trompa_guard::{Stage, mint, plan},
    support::{
        browser::Browser,
        castellan::{Archive, Castellan, Plan, command, end, free_port},
        fixtures::{Asking, DOCUMENTS, PORTAL, text},
        jose,
        upstream::Recorder,
        wire::Ask,
    },
};

/// A server in a folder without a configuration.
pub struct Bare {
    server: Child,
    pub folder: TempDir,
    pub url: String,
    /// What it has printed until it was asked.
    lines: std::sync::mpsc::Receiver<String>,
}

impl Bare {
    pub fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let mut server = command(&[])
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .args(arguments)
            .args(["--listen", &listen])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        let (told, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Self { server, folder, url: format!("http://localhost:{port}"), lines }
    }

    /// What it prints up to and with the first line that holds `last`.
    pub fn prints(&self, last: &str) -> String {
        let mut printed = String::new();
        while !printed.contains(last) {
            let line = self.lines.recv_timeout(Duration::from_secs(20));
            let line = line.unwrap_or_else(|_| panic!("{last:?} was not printed: {printed}"));
            printed.push_str(&line);
            printed.push('\n');
        }
        printed
    }

    fn interrupt(&self) {
        let id = self.server.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Whether it has ended well.
    async fn ended_well(&mut self) -> bool {
        for _ in 0..600 {
            if let Some(status) = self.server.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it goes on");
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Runs a command in `folder`, without a configuration.
pub fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    command(&[]).current_dir(folder).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Folders of demos in `folder`.
fn left_over(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("castellan-demo-")).collect()
}

#[tokio::test]
async fn the_demo_serves_what_it_prints_and_leaves_nothing() {
    let mut demo = Bare::start(tempfile::tempdir().unwrap(), &["demo"]);
    let printed = demo.prints("its data is deleted");
    assert!(printed.contains(&format!("{}/graphql", demo.url)), "{printed}");
    let url = format!("{}/graphql", demo.url);
    let read = json!({"query": "{ Person(first: 3) { identifier name birthDate } }"});
    let answer = Ask::post(&url).json(&read).send().await;
    assert_eq!(answer.json()["data"]["Person"].as_array().map(Vec::len), Some(3), "{answer:?}");
    let write = json!({"query": "mutation { CreatePerson(name: \"Ada\") { identifier name } }"});
    let denied = Ask::post(&url).json(&write).send().await;
    assert_eq!(denied.json()["data"], json!({"CreatePerson": null}), "{denied:?}");
    // The token that it prints opens what it says.
    let token = printed.split("Authorization: Bearer ").nth(1).unwrap();
    let token = token.split('\'').next().unwrap();
    let allowed = Ask::post(&url).json(&write).bearer(token).send().await;
    assert_eq!(allowed.json()["data"]["CreatePerson"]["name"], "Ada", "{allowed:?}");
    // And so does its explanation.
    let config = printed.split("castellan --config ").nth(1).unwrap();
    let config = config.split(' ').next().unwrap();
    let query = write["query"].as_str().unwrap();
    let why = run_in(demo.folder.path(), &["--config", config, "explain", "--query", query]);
    assert!(out(&why).contains("Mutation:Person:Create"), "{why:?}");
    assert_eq!(left_over(demo.folder.path()).len(), 1);
    let persons = format!("{}/rest/persons", demo.url);
    assert!(printed.contains(&format!("{persons}?first=3")), "{printed}");
    let read = Ask::get(&format!("{persons}?first=3")).send().await;
    assert_eq!(read.json().as_array().map(Vec::len), Some(3), "{read:?}");
    let ada = json!({"name": "Ada Lovelace"});
    assert_eq!(Ask::post(&persons).json(&ada).send().await.status, 401);
    let made = Ask::post(&persons).json(&ada).bearer(token).send().await;
    assert_eq!((made.status.as_u16(), &made.json()["name"]), (201, &ada["name"]), "{made:?}");
    let there = made.location().trim_start_matches("./persons");
    let removed = Ask::new(http::Method::DELETE, &format!("{persons}{there}")).bearer(token);
    assert_eq!(removed.send().await.status, 403, "the token may create, and nothing else");
    demo.interrupt();
    assert!(demo.ended_well().await);
    assert_eq!(left_over(demo.folder.path()), Vec::<String>::new());
}

/// An API that is not GraphQL, by its document.
#[tokio::test]
async fn the_demo_guards_an_api_over_http_by_its_document() {
    let recorder = Recorder::start().await;
    recorder.answer("[]");
    let folder = tempfile::tempdir().unwrap();
    let document = "openapi: 3.1.0\npaths:\n  /orders: {get: {}, post: {}}\n";
    std::fs::write(folder.path().join("shop.yaml"), document).unwrap();
    let upstream = ["demo", "--upstream", &recorder.url, "--openapi", "shop.yaml"];
    let saved = run_in(folder.path(), &[&upstream[..], &["--save", "saved.toml"]].concat());
    assert!(saved.status.success(), "{saved:?}");
    let checked = run_in(folder.path(), &["--config", "saved.toml", "config", "check"]);
    assert!(checked.status.success() && out(&checked).contains("2 operations"), "{checked:?}");
    let mut demo = Bare::start(folder, &upstream);
    let printed = demo.prints("its data is deleted");
    let url = format!("{}/rest/orders", demo.url);
    for line in [
        &*format!("curl -s -i -X GET {url}\n"),
        &format!("curl -s -i -X POST {url}\n"),
        "--request 'POST /rest/orders'",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert_eq!(Ask::get(&url).send().await.status, 200);
    assert_eq!(Ask::post(&url).send().await.status, 401);
    let token = printed.split("Authorization: Bearer ").nth(1).unwrap();
    let token = token.split('\'').next().unwrap();
    assert_eq!(Ask::post(&url).bearer(token).send().await.status, 200);
    assert_eq!(recorder.seen().len(), 2);
    demo.interrupt();
    assert!(demo.ended_well().await);
}

#[tokio::test]
async fn the_first_start_makes_one_administrator_and_no_more() {
    let bare = Bare::start(tempfile::tempdir().unwrap(), &["serve"]);
    let printed = bare.prints("Castellan serves");
    let token = printed.split("/auth/setup?token=").nth(1).unwrap_or_else(|| panic!("{printed}"));
    let token = token.split_whitespace().next().unwrap();
    let url = format!("{}/auth/setup", bare.url);
    let mut browser = Browser::default();
    // A person who is no administrator does not end it.
    let add = ["user", "add", "visitor"];
    let mut visitor = command(&[])
        .current_dir(bare.folder.path())
        .args(add)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    visitor.stdin.take().unwrap().write_all(b"a long enough password\n").unwrap();
    assert!(visitor.wait().unwrap().success());
    let nobody = browser.get(&format!("{url}?token=csl_setup_x")).await;
    assert_eq!(nobody.status, 410, "no form for a link that is none");
    let form = browser.get(&format!("{url}?token={token}")).await;
    assert_eq!(form.hidden("token").as_deref(), Some(token), "{form:?}");
    let fill = |token, name, password, again| {
        [("token", token), ("username", name), ("password", password), ("password_again", again)]
    };
    let (good, other) = ("a long enough password", "another long password");
    for (pairs, status) in [
        (fill("csl_setup_x", "root", good, good), 410),
        (fill(token, "root", "short", "short"), 422),
        (fill(token, "root", good, other), 422),
        (fill(token, "no name", good, good), 422),
    ] {
        let answer = browser.post(&url, &pairs).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.body.contains(good), "{answer:?}");
    }
    assert_eq!(browser.cookie("ASID"), None);
    let made = browser.post(&url, &fill(token, "root", good, good)).await;
    assert_eq!(made.location(), "/account/welcome", "{made:?}");
    let next = browser.get(&format!("{}/account/welcome", bare.url)).await;
    for command in ["castellan apply", "castellan user add", "castellan scopes"] {
        assert!(next.body.contains(command), "{command}: {next:?}");
    }
    assert_eq!(Browser::default().get(&format!("{}/account/welcome", bare.url)).await.status, 303);
    let account = browser.get(&format!("{}/account", bare.url)).await;
    assert!(account.body.contains("root"), "{account:?}");
    let again = browser.post(&url, &fill(token, "mallory", good, good)).await;
    assert_eq!(again.status, 410, "{again:?}");
    let users = out(&run_in(bare.folder.path(), &["get", "User", "--format", "json"]));
    assert_eq!(users.lines().count(), 2, "{users}");
    let user: Value = serde_json::from_str(users.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&user["id"], &user["groups"]),
        (&json!("root"), &json!([{"value": "administrators"}]))
    );
    // The next start offers nothing.
    let folder = tempfile::tempdir().unwrap();
    for name in ["castellan.db", "castellan.db-wal", "castellan.db-shm", "castellan.key"] {
        let _ = std::fs::copy(bare.folder.path().join(name), folder.path().join(name));
    }
    drop(bare);
    let next = Bare::start(folder, &["serve"]);
    assert!(!next.prints("Castellan serves").contains("/auth/setup"));
}

#[tokio::test]
async fn only_commands_that_begin_something_make_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    for arguments in [
        &["export"][..],
        &["get", "User"],
        &["doctor"],
        &["explain", "x"],
        &["explain", "--query", "{ a }"],
        &["user", "list"],
        &["user", "password", "ann"],
        &["client", "add", "sync", "--machine"],
        &["auth-key", "list"],
        &["credential", "add", "x"],
        &["key", "list"],
        &["delete", "User", "ann"],
    ] {
        let refused = run_in(folder.path(), arguments);
        let said = err(&refused);
        let wanted = "no database at sqlite://castellan.db; give --config FILE, or start with";
        assert!(!refused.status.success() && said.contains(wanted), "{arguments:?}: {said}");
        assert_eq!((left(), out(&refused)), (0, String::new()), "{arguments:?}");
    }
    assert!(run_in(folder.path(), &["key", "new-master"]).status.success());
    assert_eq!(left(), 0);

    // A configuration that nobody named is not passed over.
    let config = "[data]\nurl = \"sqlite://mine.db\"\n";
    std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
    for arguments in
        [&["serve"][..], &["migrate"], &["export"], &["import"], &["apply", "-f", "castellan.toml"]]
    {
        let refused = run_in(folder.path(), arguments);
        let said = err(&refused);
        let wanted = "castellan.toml is in this folder but was not given; add --config";
        assert!(!refused.status.success() && said.contains(wanted), "{arguments:?}: {said}");
        assert_eq!(left(), 1, "{arguments:?}");
    }
    let named = ["--config", "castellan.toml"];
    let refused = run_in(folder.path(), &[&named[..], &["export"]].concat());
    assert!(err(&refused).contains("no database at sqlite://mine.db; start with"), "{refused:?}");
    let made = run_in(folder.path(), &[&named[..], &["migrate"]].concat());
    assert!(made.status.success() && folder.path().join("mine.db").exists(), "{made:?}");
    assert!(!folder.path().join("castellan.db").exists());
    // With the key that opens it.
    let key = std::fs::metadata(folder.path().join("mine.key")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key.permissions()) & 0o777, 0o600);
    for arguments in [&["migrate"][..], &["get", "User"], &["doctor"], &["config", "check"]] {
        let opened = run_in(folder.path(), &[&named[..], arguments].concat());
        assert!(opened.status.success(), "{arguments:?}: {opened:?}");
    }
}

#[tokio::test]
async fn config_check_says_by_whom_the_own_apis_can_be_used_and_who_sends_messages() {
    let folder = tempfile::tempdir().unwrap();
    let check = |config: &str| {
        std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
        let checked = run_in(folder.path(), &["--config", "castellan.toml", "config", "check"]);
        assert!(checked.status.success(), "{checked:?}");
        out(&checked)
    };
    let said = check("");
    for text in [
        "mail     none",
        "api      /admin/graphql/accounts: no manager, so every request is refused",
        "api      /scim/v2: no manager, so every request is refused",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("/register") && !said.contains("passkeys"), "{said}");
    let said = check(
        "[mail]\nfrom = \"a@example.org\"\nfile = \"mail.txt\"\n\
         [text_messages]\nlog = true\n[passkeys]\n[registration]\nby = [\"token\", \"open\"]\n\
         [management.groups]\nrules = {admin = [\"read\"]}\n[management.attributes]\n\
         [management.scim.scopes]\nread = [\"scim\"]\n",
    );
    for text in [
        "mail     not sent",
        "texts    not sent",
        "WARNING: mail: nothing is sent.",
        "WARNING: text messages: nothing is sent.",
        "passkeys of localhost",
        "api      /register: whoever has a token with the scope dcr, anybody",
        "api      /register/graphql: managers groups, attributes",
        "api      /admin/graphql/database-clients: managers groups, attributes",
        "api      /scim/v2: manager scopes",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let said = check(
        "[mail]\nfrom = \"a@example.org\"\nhost = \"127.0.0.1\"\ntls = \"none\"\nport = 2525\n",
    );
    assert!(said.contains("mail     by 127.0.0.1, port 2525, not encrypted"), "{said}");
}

/// `docs/configuration.md`: "The message shows the line of the file".
#[tokio::test]
async fn a_refused_setting_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for (config, line, words) in [
        ("\n[mail]\nfrom = \"a@example.org\"\n", 2, "mail: set host, or file or log"),
        (
            "[mail]\nfrom = \"a@example.org\"\nhost = \"mail.example.org\"\ntls = \"none\"\n",
            4,
            "mail: tls = \"none\"",
        ),
        ("[text_messages]\nurl = \"http://sms.example.org/\"\nsecret = \"s\"\n", 2, "url must be"),
        (
            "[management.scim]\nassignable_groups = [\"administrators\"]\n",
            2,
            "management.scim.assignable_groups: ",
        ),
        (
            "[management.self_service]\nrequired_scope = \"a\"\nqueries = [\"accountById\"]\n\
             deletable_device_categories = [\"phones\"]\n",
            4,
            "management.self_service.deletable_device_categories: \"phones\"",
        ),
        ("[management]\nmax_page = 0\n", 2, "management.max_page"),
        ("[security]\npassword_min_length = 0\n", 2, "security.password_min_length"),
        ("[credential_policy]\nhistory = 999\n", 2, "credential_policy.history"),
        ("[decidim]\napi_users_secret_length = 1\n", 2, "decidim.api_users_secret_length"),
        ("[jwt]\nexpires = \"1h\"\n", 2, "jwt.expires"),
        ("[[site]]\nname = \"a b\"\n", 2, "site \"a b\": name must be"),
    ] {
        std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
        let refused = run_in(folder.path(), &["--config", "castellan.toml", "config", "check"]);
        let (said, place) = (err(&refused), format!("castellan.toml:{line}: "));
        assert!(!refused.status.success(), "{config}: {refused:?}");
        assert!(said.contains(words) && said.contains(&place), "{config}: {said}");
    }
}

#[tokio::test]
async fn the_demo_saves_over_no_file() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), Archive::start().await);
    let save = ["demo", "--upstream", &archive.url, "--save", "castellan.toml"];
    assert!(run_in(folder.path(), &save).status.success());
    std::fs::write(folder.path().join("castellan.toml"), "# mine").unwrap();
    let again = run_in(folder.path(), &save);
    let wanted = "castellan.toml already exists; choose another name or delete it";
    assert!(!again.status.success() && err(&again).contains(wanted), "{again:?}");
    let kept = std::fs::read_to_string(folder.path().join("castellan.toml")).unwrap();
    assert_eq!(kept, "# mine");
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let castellan = Castellan::with_ann().await;
    let before = castellan.resources();
    let documents = DOCUMENTS
        .replace("name: The portal", "name: Another name")
        .replace("secret: s3cr3t-svc", "secret: s3cr3t-new")
        .replace("id: kiosk", "id: stall");
    let run = castellan.cli_with(&["apply", "--dry-run", "-f", "-"], &documents);
    assert!(run.status.success(), "{}", err(&run));
    let said = out(&run);
    for line in [
        "unchanged User/ann",
        "would update Client/portal",
        "    - name: The portal",
        "    + name: Another name",
        "would create Client/stall",
        "would update Client/svc",
        "    + (a new secret)",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("s3cr3t") && !said.contains("pw-ann"), "{said}");
    assert_eq!(castellan.resources(), before);
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_secret", "s3cr3t-svc"),
    ];
    assert_eq!(castellan.token(&pairs).await.status, 200, "the old secret still holds");
    let none =
        castellan.cli_with(&["apply", "-f", "-"], "resourceType: User\nid: eve\nadmin: true\n");
    assert!(!none.status.success() && err(&none).contains("admin"), "{}", err(&none));
    assert_eq!(castellan.resources(), before);
}

#[tokio::test]
async fn config_check_says_what_would_be_served() {
    let archive = Archive::start().await;
    let castellan = Castellan::start(plan(Some(&archive))).await;
    let said = castellan.said(&["config", "check"]);
    for text in
        [&*castellan.url, "archive at /graphql", "api at /api", "Query:*", "No problems found."]
    {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("not-so-secret") && !said.contains("k-admin"), "{said}");
    let file = castellan.path("castellan.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    for (wrong, named) in [
        ("[tokens]\ncod = \"1m\"\n", "cod"),
        (
            "[[guard]]\nname = \"x\"\npath = \"/graphql\"\nupstream = \"http://a.test/\"\n",
            "\"archive\"",
        ),
        ("[[guard]]\nname = \"x\"\npath = \"/x\"\n", "upstream"),
    ] {
        std::fs::write(&file, format!("{good}\n{wrong}")).unwrap();
        let checked = castellan.cli(&["config", "check"]);
        assert!(!checked.status.success(), "{}", out(&checked));
        assert!(err(&checked).contains(named), "{named}: {}", err(&checked));
    }
}

#[tokio::test]
async fn completions_are_for_this_binary() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let printed = run_in(folder.path(), &["completions", shell]);
        assert!(printed.status.success() && out(&printed).contains("castellan"), "{printed:?}");
        assert!(out(&printed).contains("rotate"), "{shell}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has written something");
}

/// The keys of `use` and their states, as `key list` prints them.
fn keys(castellan: &Castellan, usage: &str) -> Vec<(String, String)> {
    let said = castellan.said(&["key", "list"]);
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words[1..3].join(" ") == usage).then(|| (words[0].to_owned(), words[3..].join(" ")))
    };
    said.lines().filter_map(line).collect()
}

#[tokio::test]
async fn keys_rotate_without_a_gap() {
    let castellan = Castellan::with_ann().await;
    let before = keys(&castellan, "access RS256");
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].1, "signs");
    let mut browser = Browser::default();
    let old = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    let old = text(&old, "access_token");
    assert_eq!(jose::header(old)["kid"], *before[0].0);
    castellan.said(&["key", "rotate"]);
    let after = keys(&castellan, "access RS256");
    assert_eq!(after.len(), 2, "{after:?}");
    let (new, state) = after.iter().find(|(kid, _)| *kid != before[0].0).unwrap();
    assert!(state.starts_with("signs in "), "{state}");
    // The new key is published at once, signs only when everybody can know it, and what the old
    // one signed still holds.
    published(&castellan, new).await;
    let early = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    assert_eq!(jose::header(text(&early, "access_token"))["kid"], *before[0].0);
    castellan.advance_to(400);
    let late = castellan.tokens(&mut browser, &Asking::portal(), &PORTAL).await;
    assert_eq!(jose::header(text(&late, "access_token"))["kid"], **new);
    assert_eq!(castellan.userinfo(old).await.status, 200);
    assert_eq!(castellan.userinfo(text(&late, "access_token")).await.status, 200);
    published(&castellan, &before[0].0).await;
}

/// Waits until `kid` is in the JWKS, for as long as the feed may take.
async fn published(castellan: &Castellan, kid: &str) {
    for _ in 0..100 {
        let jwks = Ask::get(&castellan.at("/.well-known/jwks.json")).send().await;
        if jwks.body.contains(kid) {
            assert!(!jwks.body.contains("\"d\""), "a private key is published: {jwks:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{kid} is not published");
}

#[tokio::test]
async fn explain_says_why_by_the_id_of_a_denial() {
    let stage = Stage::start().await;
    let token = mint("persons", &["Mutation:Person:Create"]);
    let query = "mutation { gone: DeletePerson(identifier: \"hush\") { name } }";
    let denied = stage.send(Some(&token), query).await;
    let id = denied.json()["errors"][0]["extensions"]["decision"].as_str().unwrap().to_owned();
    assert_eq!(denied.header("castellan-decision"), Some(&*id));
    let mut why = stage.castellan.cli(&["explain", &id]);
    // Denials are written after the answer.
    for _ in 0..100 {
        if why.status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        why = stage.castellan.cli(&["explain", &id]);
    }
    let said = out(&why);
    for text in [
        "archive",
        "gone (Mutation.DeletePerson)",
        "Mutation:Person:Delete",
        "persons",
        "smallest grant",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("hush") && !said.contains(&token), "{said}");
    let json: Value =
        serde_json::from_str(&stage.castellan.said(&["explain", &id, "--json"])).unwrap();
    // It has what the text has.
    let field = &json["fields"][0];
    assert_eq!((&json["decision"], &json["guard"]), (&json!(id), &json!("archive")), "{json}");
    assert_eq!(field["demand"], "Mutation:Person:Delete", "{json}");
    assert_eq!(field["smallest_grant"].as_str().is_some(), said.contains("smallest grant"));
    let steps = field["steps"].as_array().unwrap();
    assert!(!steps.is_empty(), "{json}");
    for step in steps {
        assert!(said.contains(step["detail"].as_str().unwrap()), "{step}: {said}");
    }
    let unknown = stage.castellan.cli(&["explain", "nothing"]);
    let wanted = "no denial with id \"nothing\": no guard denied that request in the last 24 hours";
    assert!(!unknown.status.success() && err(&unknown).contains(wanted), "{unknown:?}");
}

/// What `explain` says of a denial, which is written after the answer.
async fn explained(castellan: &Castellan, id: &str) -> String {
    for _ in 0..100 {
        let why = castellan.cli(&["explain", id]);
        if why.status.success() {
            return out(&why);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is not kept");
}

#[tokio::test]
async fn explain_says_what_is_wrong_with_a_token() {
    let archive = Archive::start().await;
    let keyed = plan(Some(&archive));
    let more = |name: &str, more: &str| {
        let url = &archive.url;
        format!("[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{url}\"\n{more}\n")
    };
    let castellan = Castellan::start(Plan {
        config: keyed.config.clone() + &more("plain", "") + &more("keys", "authenticate = \"jwt\""),
        documents: DOCUMENTS.to_owned(),
        ..keyed
    })
    .await;
    let key_token = mint("persons", &["Mutation:Person:Create"]);
    let mut claims = jose::claims(&key_token);
    claims["exp"] = json!(jose::now() - 5);
    let expired = jose::signed_with(crate::dialects::trompa_guard::SECRET, &claims);
    let stranger = jose::signed_with(&"x".repeat(40), &jose::claims(&key_token));
    let tokens = castellan.portal_tokens().await;
    let access = text(&tokens, "access_token").to_owned();
    let changed = format!("{}AAAAAAAA", &access[..access.len() - 8]);
    let query = "mutation { CreatePerson(name: \"x\") { name } }";
    let explain = |guard: &str, token: &str, more: &[&str]| {
        let arguments = ["explain", "--guard", guard, "--token", token, "--query", query];
        castellan.said(&[&arguments[..], more].concat())
    };
    for (guard, token, more, wanted) in [
        (
            "plain",
            &*key_token,
            &[][..],
            "does not accept API key tokens; add \"jwt\" to authenticate",
        ),
        ("keys", &access, &[], "does not accept access tokens; add \"oauth\" to authenticate"),
        ("archive", &expired, &[], "the token has expired"),
        ("archive", &stranger, &[], "signed with another secret"),
        ("plain", &access, &["--audience", "elsewhere"], "wrong audience: "),
        ("plain", &changed, &[], "bad signature: it does not match"),
        ("plain", "rubbish", &[], "malformed: it is neither a JWT nor"),
    ] {
        let said = explain(guard, token, more);
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert!(!said.contains("smallest grant"), "no scope would help: {said}");
        assert!(!said.contains(token), "{said}");
        let json: Value =
            serde_json::from_str(&explain(guard, token, &[more, &["--json"]].concat())).unwrap();
        assert!(json["credential_problem"].as_str().unwrap().contains(wanted), "{json}");
    }
    assert!(!explain("plain", &access, &[]).contains("problem "));
    castellan.said(&["user", "deactivate", "ann"]);
    assert!(explain("plain", &access, &[]).contains("problem    deactivated: User/ann"));

    // Of what was denied, no more is kept than that the credential was not valid.
    let denied = castellan.graphql("/plain", Some(&key_token), query).await;
    let id = denied.header("castellan-decision").unwrap().to_owned();
    let said = explained(&castellan, &id).await;
    assert!(said.contains("the credential was not valid; `castellan explain --token"), "{said}");
    assert!(!said.contains("smallest grant"), "{said}");
}

#[tokio::test]
async fn a_key_that_is_added_where_it_is_of_no_use_is_warned_of() {
    let archive = Archive::start().await;
    let environment = vec![("CASTELLAN_LOG", "info".to_owned())];
    let bare = Castellan::start(Plan { environment, ..Plan::default() }).await;
    for (arguments, wanted) in [
        (
            &["auth-key", "add", "k", "--scope", "Query:*"][..],
            &["jwt.secret is not set", "[jwt]", "no guard accepts the tokens of API keys"][..],
        ),
        (&["credential", "add", "machine"], &["decidim.api_jwt_secret is not set", "[decidim]"]),
    ] {
        let added = bare.cli(arguments);
        assert!(added.status.success(), "{added:?}");
        for text in wanted {
            assert!(err(&added).contains(text), "{text}: {}", err(&added));
        }
    }
    // Strangers are told nothing; the log says what is off.
    let nowhere = Ask::post(&bare.at("/nowhere")).json(&json!({})).send().await;
    let off = Ask::post(&bare.at("/jwt")).json(&json!({"id": "k"})).send().await;
    assert_eq!(off.status, 404);
    assert_eq!(off.body, nowhere.body);
    let log = std::fs::read_to_string(bare.path("stderr")).unwrap();
    assert!(log.contains("POST /jwt is off: jwt.secret (JWT_SECRET) is not set"), "{log}");

    let keyed = Castellan::start(plan(Some(&archive))).await;
    let added = keyed.cli(&["auth-key", "add", "k", "--scope", "Query:*"]);
    assert!(added.status.success() && !err(&added).contains("WARNING"), "{}", err(&added));
}

#[tokio::test]
async fn explain_decides_a_document_for_a_token() {
    let stage = Stage::start().await;
    let token = mint("persons", &["Mutation:Person:Create"]);
    let query = "mutation { CreatePerson(name: \"x\") { name } CreatePlace(name: \"x\") { name } }";
    let said = stage.castellan.said(&["explain", "--token", &token, "--query", query]);
    assert!(said.contains("CreatePerson (Mutation.CreatePerson)  ALLOWED"), "{said}");
    assert!(said.contains("CreatePlace (Mutation.CreatePlace)  DENIED"), "{said}");
    assert!(said.contains("Mutation:Place:Create") && !said.contains(&token), "{said}");
    let nobody = stage.castellan.said(&["explain", "--query", query]);
    assert_eq!(nobody.matches("DENIED").count(), 2, "{nobody}");
    let file = stage.castellan.path("query.graphql");
    std::fs::write(&file, query).unwrap();
    let from_file = format!("@{}", file.display());
    assert_eq!(stage.castellan.said(&["explain", "--query", &from_file]), nobody);
    let wrong = stage.castellan.cli(&["explain", "--query", "{ nothing }"]);
    assert!(!wrong.status.success() && err(&wrong).contains("nothing"), "{wrong:?}");
    let allowed = stage.archive.ask("{ Person(name: \"x\") { name } }").await;
    assert_eq!(allowed, json!({"data": {"Person": []}}), "explaining runs nothing");
}

#[tokio::test]
async fn people_and_apps_are_added_by_hand() {
    let environment = vec![("BOX_SECURITY_USER_PASSWORD_MIN_LENGTH", "12".to_owned())];
    let castellan = Castellan::start(Plan { environment, ..Plan::default() }).await;
    let added = castellan.cli_with(
        &["user", "add", "ann", "--name", "Ann Roe", "--email", "ann@example.test"],
        "pw-ann-pw-ann\n",
    );
    assert!(added.status.success(), "{}", err(&added));
    let short = castellan.cli_with(&["user", "add", "bob"], "short\n");
    assert!(!short.status.success(), "{}", out(&short));
    let machine = ["client", "add", "sync", "--machine", "--scope", "Query:*"];
    let said = castellan.said(&machine);
    let secret =
        said.split("secret: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let pairs = |secret| {
        [("grant_type", "client_credentials"), ("client_id", "sync"), ("client_secret", secret)]
    };
    assert_eq!(castellan.token(&pairs(&secret)).await.status, 200);
    assert!(!castellan.said(&["client", "list", "-o", "yaml"]).contains(&secret));
    assert!(!castellan.cli(&machine).status.success(), "there is one already");
    let rotated = castellan.said(&["client", "rotate-secret", "sync"]);
    let new = rotated.split("secret: ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(castellan.token(&pairs(new)).await.status, 200);
    assert_eq!(castellan.token(&pairs(&secret)).await.status, 401);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"not: [yaml").unwrap();
    let broken = castellan.cli(&["apply", "-f", file.path().to_str().unwrap()]);
    assert!(!broken.status.success() && !err(&broken).contains("panicked"), "{}", err(&broken));
}

#[tokio::test]
async fn an_app_is_added_with_all_that_it_may_say_of_itself() {
    let castellan = Castellan::with_ann().await;
    let uri = "https://shop.test/about";
    let added = castellan.said(&[
        "client",
        "add",
        "shop",
        "--name",
        "The shop",
        "--uri",
        uri,
        "--public",
        "--redirect-uri",
        "https://shop.test/cb",
        "--scope",
        "openid",
        "--scope",
        "Query:*",
        "--refresh-tokens",
        "false",
        "--first-party",
    ]);
    assert!(added.contains("created Client/shop") && !added.contains("secret"), "{added}");
    let shop: Value =
        serde_json::from_str(&castellan.said(&["get", "Client", "shop", "--format", "json"]))
            .unwrap();
    let wanted = json!({
        "name": "The shop", "uri": uri, "type": "public", "first_party": true,
        "grant_types": ["authorization_code"], "redirect_uris": ["https://shop.test/cb"],
        "scope": ["openid", "Query:*"],
    });
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(&shop[name], value, "{name}: {shop}");
    }
    assert_eq!(shop["auth"]["authorization_code"]["pkce"], true, "{shop}");
    let again = castellan.cli(&["client", "add", "shop", "--machine"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("already"), "{said}");
}
