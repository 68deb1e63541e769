//! Commands that only look make nothing; `serve` says what it makes; `config check` refuses what `serve`
//! refuses; and what is said of a data source names it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    operations::commands::Bare,
    support::{
        castellan::{Archive, Castellan, Plan, command, end, free_port},
        postgres::OwnPostgres,
    },
};

/// Runs a command in `folder` with its `castellan.toml`.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    let key = [("MASTER_KEY".to_owned(), "Q".repeat(43))];
    command(&key)
        .current_dir(folder)
        .args(["--config", "castellan.toml"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let texts = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(texts).unwrap()
}

/// What `serve` says in `folder`, which ends by itself: it is not to start.
fn refused(folder: &Path) -> String {
    let listen = format!("127.0.0.1:{}", free_port());
    let key = [("MASTER_KEY".to_owned(), "Q".repeat(43))];
    let mut server = command(&key)
        .current_dir(folder)
        .args(["--config", "castellan.toml", "serve", "--listen", &listen])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while server.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(30) {
            end(&mut server);
            panic!("the server started: {}", said(&server.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let output = server.wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    said(&output)
}

/// The names of the files in `folder`.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn configured(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("castellan.toml"), config).unwrap();
    folder
}

/// A folder in which a server has run with `config`.
fn migrated(config: &str) -> TempDir {
    let folder = configured(config);
    let made = run(folder.path(), &["apply", "-f", "-"]);
    assert!(made.status.success(), "{}", said(&made));
    folder
}

/// Every command that only looks.
const LOOKS: &[&[&str]] = &[
    &["config", "check"],
    &["doctor"],
    &["get", "User"],
    &["get", "Client", "--format", "json"],
    &["user", "list"],
    &["client", "list"],
    &["credential", "list"],
    &["auth-key", "list"],
    &["key", "list"],
    &["explain", "--query", "{ people { id } }"],
    &["audit"],
    &["scopes", "usage"],
    &["scopes", "lint", "--guard", "api", "--schema", "api.graphql"],
    &["scopes", "list", "--guard", "api", "--schema", "api.graphql"],
    &["export"],
];

#[tokio::test]
async fn commands_that_look_make_no_file_and_no_key() {
    let archive = Archive::start().await;
    let folder = configured(&format!(
        "[audit]\noutput = {{ file = \"audit.jsonl\" }}\n[[guard]]\nname = \"api\"\n\
         path = \"/graphql\"\nupstream = \"{}\"\n",
        archive.url
    ));
    let folder = folder.path();
    fs::write(folder.join("api.graphql"), "type Query { people: Int }").unwrap();
    // Without a database there is nothing to look at, but for the configuration.
    let before = files(folder);
    for arguments in LOOKS {
        let looked = run(folder, arguments);
        let reads_no_records = matches!(arguments, ["config", ..] | ["scopes", "list", ..]);
        assert_eq!(looked.status.success(), reads_no_records, "{arguments:?}: {}", said(&looked));
        assert_eq!(files(folder), before, "{arguments:?}");
    }
    let checked = said(&run(folder, &["config", "check"]));
    assert!(checked.contains("nothing there yet; `castellan serve` creates it"), "{checked}");

    // An empty database has no signing keys.
    assert!(run(folder, &["migrate"]).status.success());
    let before = files(folder);
    for arguments in LOOKS {
        let looked = run(folder, arguments);
        // Finds that there are no such fields, which is what it was asked.
        if !matches!(arguments, ["scopes", "lint", ..] | ["explain", ..]) {
            assert!(looked.status.success(), "{arguments:?}: {}", said(&looked));
        }
        assert_eq!(files(folder), before, "{arguments:?}");
    }
    let keys = run(folder, &["key", "list"]);
    assert_eq!(said(&keys).lines().count(), 1, "only the header: {keys:?}");
    let doctor = said(&run(folder, &["doctor"]));
    assert!(doctor.contains("none yet; `castellan serve` creates them"), "{doctor}");
    // What is to be kept with the configuration is written if somebody says so.
    assert!(run(folder, &["config", "check", "--write-locks"]).status.success());
    let written: Vec<_> = files(folder).into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(written, ["api.lock", "api.schema.graphql"]);
}

#[tokio::test]
async fn postgres_gets_no_tables_from_commands_that_look_or_change() {
    let database = OwnPostgres::start();
    let data = |more: &str| {
        format!(
            "[data]\nurl = \"{}\"\nmaster_key = {{ env = \"MASTER_KEY\" }}\n{more}\
             [[guard]]\nname = \"api\"\npath = \"/graphql\"\nschema = \"api.graphql\"\n\
             upstream = \"http://127.0.0.1:9/\"\n",
            database.url()
        )
    };
    let folder = configured(&data(""));
    let folder = folder.path();
    fs::write(folder.join("api.graphql"), "type Query { people: Int }").unwrap();
    let no_tables = "DO $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname LIKE 'castellan%') \
                     THEN RAISE EXCEPTION 'there are tables'; END IF; END $$";
    let before = files(folder);
    let wanted = format!("{} has no Castellan tables yet; run `castellan migrate`", at(&database));
    let changes: &[&[&str]] = &[&["delete", "User", "ann"], &["key", "rotate"]];
    for arguments in LOOKS.iter().chain(changes) {
        let looked = run(folder, arguments);
        let said = said(&looked);
        if matches!(arguments, ["config", ..] | ["scopes", "list", ..]) {
            assert!(looked.status.success(), "{arguments:?}: {said}");
        } else {
            assert!(!looked.status.success() && said.contains(&wanted), "{arguments:?}: {said}");
        }
        assert_eq!(files(folder), before, "{arguments:?}");
        database.sql(no_tables);
    }
    // Nor from a server that may not.
    fs::write(folder.join("castellan.toml"), data("create = false\n")).unwrap();
    assert!(refused(folder).contains(&wanted));
    let checked = run(folder, &["config", "check"]);
    assert!(!checked.status.success() && said(&checked).contains(&wanted), "{checked:?}");
    database.sql(no_tables);
    let made = run(folder, &["migrate"]);
    assert!(
        said(&made).contains(&format!("created a new, empty data source at {}", at(&database)))
    );
    for arguments in LOOKS {
        let looked = run(folder, arguments);
        // Finds that there are no such fields, which is what it was asked.
        if !matches!(arguments, ["scopes", "lint", ..] | ["explain", ..]) {
            assert!(looked.status.success(), "{arguments:?}: {}", said(&looked));
        }
    }
    assert_eq!(said(&run(folder, &["key", "list"])).lines().count(), 1, "no keys either");
}

/// The address of `database` as it is shown: without the user.
fn at(database: &OwnPostgres) -> String {
    database.url().replace("castellan@", "")
}

#[tokio::test]
async fn a_server_says_that_it_made_a_database_and_makes_none_where_it_may_not() {
    let made = Castellan::start(Plan { fresh: true, reads_log: true, ..Plan::default() }).await;
    let stderr = fs::read_to_string(made.path("stderr")).unwrap();
    let lines: Vec<_> = stderr.lines().filter(|line| line.contains("no data was found")).collect();
    let [line] = &lines[..] else { panic!("{stderr}") };
    for part in [
        "WARNING: ",
        "created a new, empty data source at /",
        "castellan.db, with the \
                  master key ",
        "castellan.key",
        "`create = false`",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // The second start finds it.
    let mut made = made;
    made.restart().await;
    let stderr = fs::read_to_string(made.path("stderr")).unwrap();
    assert!(!stderr.contains("no data was found"), "{stderr}");

    let folder = configured("[data]\ncreate = false\n");
    let folder = folder.path();
    let wanted = "castellan.db, and data.create is false: check data.url and that its disk is \
                  mounted, or create one with `castellan migrate`";
    let said_by_server = refused(folder);
    assert!(said_by_server.contains(wanted), "{said_by_server}");
    for arguments in [&["apply", "-f", "-"][..], &["import"], &["user", "add", "ann"]] {
        let tried = run(folder, arguments);
        assert!(!tried.status.success() && said(&tried).contains(wanted), "{arguments:?}");
    }
    let checked = run(folder, &["config", "check"]);
    assert!(!checked.status.success() && said(&checked).contains(wanted), "{checked:?}");
    assert_eq!(files(folder), ["castellan.toml"], "nor a key");
    let made = run(folder, &["migrate"]);
    assert!(said(&made).contains("created a new, empty data source at /"), "{made:?}");
    assert!(run(folder, &["config", "check"]).status.success());
    assert!(run(folder, &["apply", "-f", "-"]).status.success());
}

/// What is wrong with a folder, the words that name it, and how it came about.
struct Fault {
    words: &'static str,
    config: &'static str,
    damage: fn(&Path),
}

const NO_DAMAGE: fn(&Path) = |_| {};

const FAULTS: &[Fault] = &[
    Fault {
        words: "audit.output: none/audit.jsonl: No such file or directory",
        config: "[audit]\noutput = { file = \"none/audit.jsonl\" }\n",
        damage: NO_DAMAGE,
    },
    Fault {
        words: "audit.output: castellan.toml/audit.jsonl: ",
        config: "[audit]\noutput = { file = \"castellan.toml/audit.jsonl\" }\n",
        damage: NO_DAMAGE,
    },
    Fault {
        words: "castellan.db: it is not a database, or is corrupt; use another file, or restore a \
                backup",
        config: "",
        damage: |folder| {
            fs::write(folder.join("castellan.db"), "Dear Clara, ".repeat(900)).unwrap();
        },
    },
    Fault {
        words: "castellan.db cannot be read: database disk image is malformed; if it is corrupt, \
                restore a backup",
        config: "",
        damage: |folder| {
            // All but the header and the first page.
            let file = folder.join("castellan.db");
            let mut bytes = fs::read(&file).unwrap();
            bytes[4_096..].fill(0xA5);
            fs::write(file, bytes).unwrap();
        },
    },
    Fault {
        words: "the signing keys in the database cannot be decrypted with this master key",
        config: "",
        damage: |folder| fs::write(folder.join("castellan.key"), "Q".repeat(43)).unwrap(),
    },
    Fault {
        words: "castellan.db exists, but its master key /",
        config: "",
        damage: |folder| fs::remove_file(folder.join("castellan.key")).unwrap(),
    },
    Fault {
        words: "none/castellan.db: No such file or directory (os error 2); check data.url",
        config: "[data]\nurl = \"sqlite://none/castellan.db\"\n",
        damage: NO_DAMAGE,
    },
    Fault {
        words: "http://127.0.0.1:9",
        config: "[[guard]]\nname = \"a\"\npath = \"/a\"\nschema = \"a\"\nupstream = \
                 \"http://127.0.0.1:9/\"\nupstream_max_requests = 3\n[[guard]]\nname = \"b\"\n\
                 path = \"/b\"\nschema = \"a\"\nupstream = \"http://127.0.0.1:9/\"\n\
                 upstream_max_requests = 4\n",
        damage: NO_DAMAGE,
    },
];

#[tokio::test]
async fn config_check_refuses_what_serve_refuses() {
    for Fault { words, config, damage } in FAULTS {
        let folder = if config.contains("none/castellan.db") {
            configured(config)
        } else {
            let folder = migrated("");
            fs::write(folder.path().join("castellan.toml"), config).unwrap();
            folder
        };
        let folder = folder.path();
        damage(folder);
        let before = files(folder);
        let checked = run(folder, &["config", "check"]);
        let text = said(&checked);
        assert!(!checked.status.success(), "{words}: {text}");
        assert_eq!(files(folder), before, "{words}");
        let served = refused(folder);
        assert!(text.contains(words), "{words}: {text}");
        assert!(served.contains(words), "{words}: {served}");
        assert_eq!(files(folder), before, "{words}: nor does the server");
    }
}

#[tokio::test]
async fn a_data_source_that_does_not_respond_is_named_by_its_host() {
    let port = free_port();
    let cases = [
        (
            format!("postgres://ann:tiger@127.0.0.1:{port}/auth"),
            format!("postgres://127.0.0.1:{port}/auth does not respond: Connection refused; check"),
        ),
        (
            format!("mongodb://ann:tiger@127.0.0.1:{port}/auth"),
            format!("mongodb://127.0.0.1:{port}/auth does not respond; check host and port"),
        ),
        (
            format!("dynamodb://local?table=auth&endpoint=http://127.0.0.1:{port}"),
            format!("dynamodb://local?table=auth at 127.0.0.1:{port} does not respond; check"),
        ),
    ];
    for (url, wanted) in cases {
        let folder = configured(&format!(
            "[data]\nurl = \"{url}\"\nmaster_key = {{ env = \"MASTER_KEY\" }}\n"
        ));
        let serve = refused(folder.path());
        let check = said(&run(folder.path(), &["config", "check"]));
        let migrate = said(&run(folder.path(), &["migrate"]));
        for said in [&serve, &check, &migrate] {
            assert!(said.contains(&wanted), "{wanted}: {said}");
            assert!(!said.contains("tiger") && !said.contains("ann"), "{said}");
        }
    }
}

#[tokio::test]
async fn postgres_that_rejects_a_user_names_neither_user_nor_password() {
    let database = OwnPostgres::start();
    let url = database.url().replace("castellan@", "mallory:tiger@");
    let folder =
        configured(&format!("[data]\nurl = \"{url}\"\nmaster_key = {{ env = \"MASTER_KEY\" }}\n"));
    let wanted = format!("{} rejects this user; check user and password", at(&database));
    for said in [refused(folder.path()), said(&run(folder.path(), &["migrate"]))] {
        assert!(said.contains(&wanted), "{wanted}: {said}");
        assert!(!said.contains("mallory") && !said.contains("tiger"), "{said}");
    }
}

#[tokio::test]
async fn the_folder_may_have_any_name() {
    let outer = tempfile::tempdir().unwrap();
    for name in ["what?", "100% mine", "a?b=c%20d#e&f", "ü ö"] {
        let folder = outer.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("castellan.toml"), "").unwrap();
        let config = folder.join("castellan.toml").display().to_string();
        let run = |arguments: &[&str]| {
            let mut command = command(&[]);
            command.current_dir(outer.path()).args(["--config", &config]).args(arguments);
            command.stdin(Stdio::null()).output().unwrap()
        };
        for arguments in
            [&["config", "check"][..], &["migrate"], &["config", "check"], &["doctor"], &["export"]]
        {
            let done = run(arguments);
            assert!(done.status.success(), "{name}: {arguments:?}: {}", said(&done));
        }
        assert_eq!(files(&folder), ["castellan.db", "castellan.key", "castellan.toml"], "{name}");
        let serving = tempfile::tempdir().unwrap();
        let server = Bare::start(serving, &["--config", &config, "serve"]);
        server.prints("Castellan serves");
        assert!(run(&["get", "User"]).status.success(), "{name}");
    }
    assert_eq!(files(outer.path()).len(), 4, "nothing beside them");
}

#[tokio::test]
async fn secrets_that_others_can_read_are_warned_of() {
    let chmod =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let folder = migrated("");
    chmod(folder.path(), 0o755);
    let folder = folder.path();
    for name in ["castellan.db", "castellan.key"] {
        let mode = fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name} is made for its owner only");
    }
    for arguments in [&["doctor"][..], &["config", "check"]] {
        let said = said(&run(folder, arguments));
        assert!(!said.contains("other users"), "{arguments:?}: {said}");
    }
    fs::write(folder.join("other.key"), "Q".repeat(43)).unwrap();
    for name in ["castellan.db", "castellan.key", "other.key"] {
        chmod(&folder.join(name), 0o644);
    }
    let config = "[data]\nprevious_master_key = { file = \"other.key\" }\n";
    fs::write(folder.join("castellan.toml"), config).unwrap();
    let warnings = [
        "WARNING: other users of this machine can read or write the master key, /",
        "WARNING: other users of this machine can read or write the database, /",
        "WARNING: other users of this machine can read or write the previous master key, \
         other.key; chmod o-rwx other.key",
    ];
    for arguments in [&["doctor"][..], &["config", "check"]] {
        let looked = run(folder, arguments);
        let said = said(&looked);
        assert!(looked.status.success(), "{arguments:?}: {said}");
        for warning in warnings {
            assert!(said.contains(warning), "{arguments:?}: {warning}: {said}");
        }
    }
    assert!(said(&run(folder, &["doctor"])).contains("No problems found, but warnings"));
    // So does the server, before anything else stops it.
    fs::write(folder.join("castellan.key"), "R".repeat(43)).unwrap();
    let server = refused(folder);
    for warning in warnings {
        assert!(server.contains(warning), "{warning}: {server}");
    }
    // Nobody else gets to files in a folder of one's own.
    chmod(folder, 0o700);
    let said = refused(folder);
    assert!(!said.contains("other users"), "{said}");
}
