//! Nothing empty, blank or too short is kept as a password or a secret, or let in by one, at any
//! door (`docs/security-cases.md` row 44).

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::DOCUMENTS,
    wire::{Answer, Ask},
};

const GOOD: &str = "correct horse battery";
/// By which the least length of docs/contracts/aidbox.md §2.2 is said.
const LEAST: &str = "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH";
/// What shows nothing, and twelve characters of it.
const BLANK: [&str; 4] =
    ["", "            ", "\u{a0}\u{3000}\t\n", "\u{200b}\u{feff}\u{ad}\u{2060}"];
/// `""`, as versions hashed it that took it.
const HASH_OF_NOTHING: &str = "$argon2id$v=19$m=19456,t=2,p=1$XT/VgouZzsKze91q7qpTvw$b6jCHmsj0kGhB9g0NmgPuhdtY8BG54spJwtxuH90Ej8";

const ADMIN: &str = "
resourceType: User
id: root
userName: root
password: correct horse battery
groups: [{value: administrators}]
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: [\"Castellan:*\"]
";

/// A server with the default least length, and an administrator.
async fn start() -> Castellan {
    Castellan::start(Plan {
        documents: ADMIN.to_owned(),
        environment: vec![(LEAST, "12".to_owned())],
        ..Plan::default()
    })
    .await
}

async fn sign_in(castellan: &Castellan, name: &str, password: Option<&str>) -> Answer {
    let mut browser = Browser::default();
    let begun = browser.get(&castellan.at("/auth/login")).await;
    let form = browser.get(&castellan.at(begun.location())).await;
    let flow = form.hidden("flow").unwrap();
    let mut pairs = vec![("flow", &*flow), ("username", name)];
    pairs.extend(password.map(|password| ("password", password)));
    browser.post(&castellan.at("/auth/login"), &pairs).await
}

fn user(id: &str, password: &str) -> Value {
    json!({"resourceType": "User", "id": id, "userName": id, "password": password})
}

/// Documents whose secret is `secret`, one of each kind that has one.
fn documents(secret: &str) -> [Value; 4] {
    [
        user("eve", secret),
        json!({
            "resourceType": "Client", "id": "app", "secret": secret,
            "grant_types": ["client_credentials"],
        }),
        json!({"resourceType": "ApiCredential", "id": "sync", "name": "Sync", "secret": secret}),
        json!({"resourceType": "AuthKey", "id": "key", "apiKey": secret, "scopes": ["Query:*"]}),
    ]
}

#[tokio::test]
async fn case_44_no_document_leaves_a_blank_secret_behind() {
    let castellan = start().await;
    let proof = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = castellan.token(&proof).await.json()["access_token"].as_str().unwrap().to_owned();
    for blank in BLANK {
        for document in documents(blank) {
            let kind = document["resourceType"].as_str().unwrap();
            let id = document["id"].as_str().unwrap();
            let applied = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
            let said = String::from_utf8_lossy(&applied.stderr).into_owned();
            assert!(!applied.status.success(), "{kind} {blank:?}");
            assert!(said.contains(&format!("{kind}/{id}")), "{said}");
            assert!(said.contains("must not be empty or blank"), "{said}");
            let put = Ask::new(Method::PUT, &castellan.at(&format!("/{kind}/{id}")));
            let put = put.bearer(&token).json(&document).send().await;
            assert_eq!(put.status, 422, "{kind} {blank:?}: {put:?}");
            assert!(put.body.contains("must not be empty or blank"), "{put:?}");
            assert!(!castellan.cli(&["get", kind, id]).status.success(), "{kind} {blank:?}");
        }
    }
    // Several secrets: none of them may be blank.
    let keys = json!({
        "resourceType": "AuthKey", "id": "key", "apiKeys": ["a-long-enough-key", " "],
        "scopes": ["Query:*"],
    });
    assert!(!castellan.cli_with(&["apply", "-f", "-"], &keys.to_string()).status.success());
}

/// Taken for a password, a hash would let in whoever has read the place it was exported from.
#[tokio::test]
async fn a_hash_is_not_taken_for_a_password_at_any_door() {
    let castellan = start().await;
    let proof = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = castellan.token(&proof).await.json()["access_token"].as_str().unwrap().to_owned();
    let why = "itself – only hashes of people";
    for hash in [
        "$s0$e0801$0sGpgcVPqyKVXcGcMoQBVA==$0ePoRJcqRlz0cQUOxqbPqxsx1BBCQA9Z5Gi4qj4xpEo=",
        HASH_OF_NOTHING,
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "{SSHA}cGFzc3dvcmQgYW5kIHNhbHQ=",
    ] {
        for document in documents(hash) {
            let kind = document["resourceType"].as_str().unwrap();
            let id = document["id"].as_str().unwrap();
            let applied = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
            let said = String::from_utf8_lossy(&applied.stderr).into_owned();
            assert!(!applied.status.success() && said.contains(why), "{kind} {hash}: {said}");
            let put = Ask::new(Method::PUT, &castellan.at(&format!("/{kind}/{id}")));
            let put = put.bearer(&token).json(&document).send().await;
            assert_eq!(put.status, 422, "{kind} {hash}: {put:?}");
            assert!(put.body.contains("only hashes of people"), "{put:?}");
            assert!(!castellan.cli(&["get", kind, id]).status.success(), "{kind} {hash}");
        }
        for arguments in [&["user", "add", "eve"][..], &["user", "password", "root"]] {
            let run = castellan.cli_with(arguments, hash);
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            let why = "password: is a hash; send the password itself";
            assert!(!run.status.success() && said.contains(why), "{arguments:?}: {said}");
        }
        let key = json!([{"id": "k", "apiKey": hash, "scopes": ["Query:*"]}]).to_string();
        let environment = vec![("JWT_SECRET", "not-so-secret".to_owned()), ("JWT_AUTH_KEYS", key)];
        let said = Castellan::refuses(Plan { environment, ..Plan::default() }).await;
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(sign_in(&castellan, "root", Some(GOOD)).await.status, 303);
}

#[tokio::test]
async fn case_44_what_cannot_be_seen_counts_for_nothing() {
    let castellan = start().await;
    for (password, why) in [
        ("a           ", "must have at least 12 characters"),
        (
            "a\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}\u{200b}",
            "must have at least",
        ),
        (
            "\u{301}\u{302}\u{303}\u{301}\u{302}\u{303}\u{301}\u{302}\u{303}\u{301}\u{302}\u{303}",
            "must not be empty or blank",
        ),
    ] {
        let applied = castellan.cli_with(&["apply", "-f", "-"], &user("eve", password).to_string());
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(!applied.status.success() && said.contains(why), "{password:?}: {said}");
    }
    for name in ["ro\u{200b}ot", "root\u{ad}", "ro\u{7}ot", "\u{feff}root", "ro\not"] {
        let document = json!({"resourceType": "User", "id": "eve", "userName": name});
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        let why = "User/eve: userName must not contain control characters";
        assert!(!applied.status.success() && said.contains(why), "{name:?}: {said}");
    }
}

#[tokio::test]
async fn case_44_an_empty_password_over_an_administrator_changes_nothing() {
    let castellan = start().await;
    for blank in BLANK {
        let applied = castellan.cli_with(&["apply", "-f", "-"], &user("root", blank).to_string());
        let said = String::from_utf8_lossy(&applied.stderr).into_owned();
        assert!(!applied.status.success(), "{blank:?}");
        assert!(said.contains("User/root: password must not be empty or blank"), "{said}");
        assert_eq!(sign_in(&castellan, "root", Some(blank)).await.status, 401, "{blank:?}");
    }
    assert_eq!(sign_in(&castellan, "root", None).await.status, 401);
    assert_eq!(sign_in(&castellan, "root", Some(GOOD)).await.status, 303);
    let shown = castellan.said(&["get", "User", "root"]);
    assert!(shown.contains("administrators"), "the groups as well: {shown}");
}

#[tokio::test]
async fn case_44_the_command_line_takes_no_blank_and_no_short_password() {
    let castellan = start().await;
    for (password, why) in [
        ("", "must not be empty or blank"),
        ("   \n", "must not be empty or blank"),
        ("eleven char\n", "must have at least 12 characters"),
    ] {
        for arguments in [&["user", "add", "eve"][..], &["user", "password", "root"]] {
            let run = castellan.cli_with(arguments, password);
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(!run.status.success() && said.contains(why), "{arguments:?}: {said}");
        }
    }
    assert!(!castellan.cli(&["get", "User", "eve"]).status.success());
    assert_eq!(sign_in(&castellan, "root", Some(GOOD)).await.status, 303);
    assert!(castellan.cli_with(&["user", "add", "eve"], "twelve-chars\n").status.success());
    assert_eq!(sign_in(&castellan, "eve", Some("twelve-chars")).await.status, 303);
}

#[tokio::test]
async fn case_44_an_account_without_a_password_answers_as_to_a_wrong_one() {
    let castellan = start().await;
    let none = json!({"resourceType": "User", "id": "ghost", "userName": "ghost"}).to_string();
    assert!(castellan.cli_with(&["apply", "-f", "-"], &none).status.success());
    let mut answers = Vec::new();
    for name in ["ghost", "root", "nobody"] {
        for password in [Some(""), None, Some("  "), Some("wrong password")] {
            let answer = sign_in(&castellan, name, password).await;
            assert_eq!(answer.status, 401, "{name} {password:?}");
            let flow = answer.hidden("flow").unwrap();
            answers.push(answer.body.replace(&flow, "FLOW").replace(name, "NAME"));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn the_least_length_is_the_sites_and_the_documents_variable_works() {
    let least = |name: &'static str, value: &str| (name, value.to_owned());
    let takes = async |plan: Plan, site: &str, password: &str| {
        let castellan = Castellan::start(plan).await;
        let site = ["--site", site];
        let arguments = [&site[..], &["user", "add", "eve"]].concat();
        castellan.cli_with(&arguments, password).status.success()
    };
    let sites = "[[site]]\nname = \"one\"\n\
                 [[site]]\nname = \"two\"\nissuer = \"http://two.localhost\"\n\
                 password_min_length = 15\n";
    let plan = |value: &str| Plan {
        config: sites.to_owned(),
        environment: vec![least(LEAST, value)],
        ..Plan::default()
    };
    for (site, value, password, is_taken) in [
        ("one", "5", "12345", true),
        ("one", "5", "1234", false),
        ("two", "5", "123456789012345", true),
        ("two", "5", "12345678901234", false),
        // An empty variable is an unset one.
        ("one", "", "12", true),
    ] {
        assert_eq!(takes(plan(value), site, password).await, is_taken, "{site} {password}");
    }
    for (value, why) in [
        ("0", "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH must be a whole number greater than zero"),
        ("129", "must be from 1 to 128"),
        ("many", "BOX_SECURITY_USER_PASSWORD_MIN_LENGTH must be a whole number greater than zero"),
    ] {
        let said = Castellan::refuses(Plan { config: String::new(), ..plan(value) }).await;
        assert!(said.contains(why), "{said}");
    }
    let site = sites.replace("15", "0");
    let said = Castellan::refuses(Plan { config: site, ..Plan::default() }).await;
    assert!(said.contains("site \"two\": password_min_length must be from 1"), "{said}");
}

#[tokio::test]
async fn case_44_no_blank_secret_of_the_configuration_starts() {
    let key = |key: &str| json!([{"id": "k", "apiKey": key, "scopes": ["Query:*"]}]).to_string();
    let jwt = || ("JWT_SECRET", "not-so-secret".to_owned());
    for (environment, why) in [
        (vec![jwt(), ("JWT_AUTH_KEYS", key(""))], "must not be empty or blank"),
        (vec![jwt(), ("JWT_AUTH_KEYS", key(" \u{200b}"))], "must not be empty or blank"),
        // A blank variable is an unset one, and keys need a secret.
        (vec![("JWT_SECRET", "   ".to_owned()), ("JWT_AUTH_KEYS", key("k-editor"))], "JWT_SECRET"),
        (
            vec![("CASTELLAN__DECIDIM__API_JWT_SECRET", "\" \"".to_owned())],
            "castellan: decidim.api_jwt_secret is empty or blank",
        ),
    ] {
        let said = Castellan::refuses(Plan { environment, ..Plan::default() }).await;
        assert!(said.contains(why), "{said}");
    }
}

const OLDER: &str = "
---
resourceType: ApiCredential
id: sync
name: Sync
secret: PASTE_API_SECRET_HERE
---
resourceType: AuthKey
id: editor
apiKey: k-editor
scopes: [\"Mutation:Person:*\"]
";

/// A server whose records hold the hash of nothing, as an older version may have left them.
async fn with_hashes_of_nothing() -> Castellan {
    let environment = || {
        vec![
            ("JWT_SECRET", "not-so-secret".to_owned()),
            ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-api".to_owned()),
        ]
    };
    let documents = format!("{DOCUMENTS}{OLDER}");
    let castellan =
        Castellan::start(Plan { documents, environment: environment(), ..Plan::default() }).await;
    let exported = castellan.said(&["export"]);
    let edited = exported.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        for at in ["/body/password", "/body/secret", "/body/secrets/0"] {
            if let Some(hash) = line.pointer_mut(at).filter(|hash| hash.is_string()) {
                *hash = json!(HASH_OF_NOTHING);
            }
        }
        line.to_string()
    });
    let edited = edited.collect::<Vec<_>>().join("\n") + "\n";
    // A record that holds a hash is not asked how long its secret was.
    let imported = castellan.cli_with(&["import"], &edited);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    castellan
}

#[tokio::test]
async fn case_44_what_an_older_version_hashed_from_nothing_lets_nobody_in() {
    let castellan = with_hashes_of_nothing().await;
    for password in [None, Some("")] {
        let answer = sign_in(&castellan, "ann", password).await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.header("set-cookie").is_none_or(|cookie| !cookie.contains("ASID")));
    }
    let machine = [("grant_type", "client_credentials"), ("client_id", "svc")];
    let empty = [&machine[..], &[("client_secret", "")]].concat();
    for pairs in [&machine[..], &empty] {
        let answer = castellan.token(pairs).await;
        assert_eq!(answer.json()["error"], "invalid_client", "{answer:?}");
    }
    // base64("svc:")
    let basic = Ask::post(&castellan.at("/auth/token")).header("authorization", "Basic c3ZjOg==");
    let basic = basic.form(&machine[..1]).send().await;
    assert_eq!((basic.status.as_u16(), &basic.json()["error"]), (401, &json!("invalid_client")));
    for secret in ["", " "] {
        let pairs = [("api_user[key]", "sync"), ("api_user[secret]", secret)];
        let answer = Ask::post(&castellan.at("/api/sign_in")).form(&pairs).send().await;
        assert_eq!(answer.status, 403, "{answer:?}");
        let key = json!({"id": "editor", "apiKey": secret, "scopes": ["Mutation:Person:Create"]});
        let answer = Ask::post(&castellan.at("/jwt")).json(&key).send().await;
        assert!([401, 403].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

#[tokio::test]
async fn doctor_finds_empty_passwords_and_secrets() {
    let well = Castellan::with_documents(ADMIN).await;
    assert!(well.said(&["doctor"]).contains("secrets          2 checked, none empty"));
    let castellan = with_hashes_of_nothing().await;
    let run = castellan.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(!run.status.success(), "{said}");
    let line = said.lines().find(|line| line.starts_with("secrets ")).unwrap();
    assert!(line.contains("PROBLEM"), "{line}");
    for id in [
        "User/ann",
        "Client/portal",
        "Client/kiosk",
        "Client/svc",
        "ApiCredential/sync",
        "AuthKey/editor",
    ] {
        assert!(line.contains(id), "{id}: {line}");
    }
    assert!(!line.contains("Client/spa"), "which is public: {line}");
}

#[tokio::test]
async fn doctor_names_what_is_stored_in_the_clear() {
    let castellan = Castellan::with_documents(&format!("{ADMIN}{OLDER}")).await;
    let store = rusqlite::Connection::open(castellan.path("castellan.db")).unwrap();
    for (id, member, value) in [
        ("root", "password", "in the clear"),
        ("admin-tool", "secret", ""),
        ("apicredential/sync", "secret", "keyed:hunter2"),
    ] {
        let changed = store.execute(
            "UPDATE records SET body = CAST(json_set(CAST(body AS TEXT), ?1, ?2) AS BLOB) WHERE id = ?3",
            (format!("$.{member}"), value, id),
        );
        assert_eq!(changed.unwrap(), 1, "{id}");
    }
    let run = castellan.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("form that is no hash")).unwrap();
    assert!(!run.status.success() && line.contains("PROBLEM: 3 are empty, or stored"), "{said}");
    for name in ["User/root", "Client/admin-tool", "ApiCredential/sync"] {
        assert!(line.contains(name), "{line}");
    }
    assert!(!line.contains("AuthKey") && !said.contains("hunter2"), "{said}");
}
