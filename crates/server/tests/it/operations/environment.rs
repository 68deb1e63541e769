//! `docs/security-cases.md` row 45: variables of the environment are read in one way.

use serde_json::json;

use crate::{
    dialects::trompa_guard::{mint, plan, with},
    support::castellan::{Archive, Castellan, Plan, command},
};

const SHOW: &str = "DECIDIM_API_ENABLE_ANONYMOUS_INTROSPECTION";
const FORCE: &str = "DECIDIM_API_FORCE_API_AUTHENTICATION";
const SCHEMA: &str = "{ __schema { queryType { name } } }";

async fn with_switches(value: &str) -> Castellan {
    let environment = vec![(SHOW, value.to_owned()), (FORCE, value.to_owned())];
    Castellan::start(Plan { environment, ..Plan::default() }).await
}

#[tokio::test]
async fn case_45_a_switch_set_to_false_is_off() {
    for off in ["false", "NO", "Off\n", "0", ""] {
        let castellan = with_switches(off).await;
        let read = castellan.graphql("/api", None, "{ session { user { id } } }").await;
        assert_eq!(read.json(), json!({"data": {"session": null}}), "{off:?}");
        let schema = castellan.graphql("/api", None, SCHEMA).await;
        assert_eq!(schema.json(), json!({"data": null}), "{off:?}");
    }
    for on in ["true", "Yes", "ON\n", "1"] {
        let castellan = with_switches(on).await;
        let read = castellan.graphql("/api", None, "{ session { user { id } } }").await;
        assert_eq!(read.status, 401, "{on:?}");
    }
}

#[tokio::test]
async fn case_45_what_is_no_boolean_stops_the_start() {
    for name in [
        SHOW,
        FORCE,
        "CASTELLAN__DATA__MIGRATE",
        "CASTELLAN__DECIDIM__FORCE_API_AUTHENTICATION",
        "CASTELLAN__JWT__CHECK_ISSUER",
        "CASTELLAN__SECURITY__INSECURE",
        "CASTELLAN__TOKENS__DPOP_NONCE",
    ] {
        for value in ["hush-hush", "2", "truee", "[true]"] {
            let environment = vec![(name, value.to_owned())];
            let said = Castellan::refuses(Plan { environment, ..Plan::default() }).await;
            let expected =
                format!("{name} is not a boolean: use one of true, false, 1, 0, yes, no, on, off");
            assert!(said.contains(&expected), "{name}={value}: {said}");
            assert!(!said.contains("hush-hush"), "{said}");
        }
    }
}

#[tokio::test]
async fn case_45_every_setting_reads_its_variable_by_what_it_is() {
    let check = |environment: &[(&str, &str)]| {
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let folder = tempfile::tempdir().unwrap();
        let done = command(&environment).args(["config", "check"]).current_dir(&folder).output();
        let done = done.unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    };
    // Empty ones are unset ones: those of our own, of the documents, and of the command line.
    let (good, said) = check(&[
        ("CASTELLAN__ISSUER", ""),
        ("CASTELLAN__SERVER__LISTEN", "\n"),
        ("CASTELLAN__DATA__MIGRATE", ""),
        ("CASTELLAN_CONFIG", ""),
        ("CASTELLAN_SITE", "\n"),
        ("CASTELLAN_LOG", ""),
        ("JWT_SECRET", ""),
        ("JWT_ISSUER", ""),
        ("JWT_EXPIRES", ""),
        ("JWT_AUTH_KEYS", ""),
        (FORCE, "\n"),
    ]);
    assert!(good && said.contains("default at http://localhost:8080"), "{said}");
    // Digits are a text where a text is asked for, and a word a switch where that is.
    let digits = "1234567890123456789012345678901234567890";
    let (good, said) = check(&[
        ("CASTELLAN__JWT__SECRET", digits),
        ("CASTELLAN__JWT__CHECK_ISSUER", "No\n"),
        ("CASTELLAN__SERVER__LISTEN", "127.0.0.1:9123\n"),
        ("DECIDIM_OAUTH_ACCESS_TOKEN_EXPIRES_IN", "5\n"),
        ("CASTELLAN_SITE", "default\n"),
    ]);
    assert!(good && said.contains("127.0.0.1:9123"), "{said}");
    for (name, value) in [
        ("CASTELLAN__DATA__MASTER_KEY", "{ emv = \"hush-hush\" }"),
        ("CASTELLAN__JWT__KEYS", "[{ id = \"a\", apiKey = \"hush-hush\", scope = [] }]"),
        ("CASTELLAN__JWT__KEYS", "hush-hush"),
        ("CASTELLAN_LOG", "castellan=loud"),
    ] {
        let (good, said) = check(&[(name, value)]);
        assert!(!good && said.contains(name) && !said.contains("hush-hush"), "{name}: {said}");
    }
}

/// A secret from a file, as `$(cat …)` and the secrets of container platforms have it.
#[tokio::test]
async fn a_text_loses_the_newline_at_its_end() {
    let archive = Archive::start().await;
    let secret = format!("{}\n", crate::dialects::trompa_guard::SECRET);
    let castellan = Castellan::start(with(plan(Some(&archive)), "JWT_SECRET", &secret)).await;
    let token = mint("admin", &["Mutation:Person:Create"]);
    let create = "mutation { CreatePerson(name: \"x\") { name } }";
    let answer = castellan.graphql("/graphql", Some(&token), create).await;
    assert_eq!(answer.json()["data"]["CreatePerson"]["name"], "x", "{answer:?}");
}

#[test]
fn a_misspelt_variable_of_ours_stops_every_command_and_a_near_miss_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str| {
        let mut command = command(&[(name.to_owned(), "a-value-of-it".to_owned())]);
        let output = command.current_dir(folder.path()).args(["config", "check"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("a-value-of-it"), "{said}");
        (output.status.success(), said)
    };
    for name in ["CASTELLAN_JWT__SECRET", "CASTELLAN_SERVER__LISTEN", "CASTELLAN_LISTEN"] {
        let (good, said) = check(name);
        assert!(!good && said.contains(name) && said.contains("CASTELLAN__SECTION__KEY"), "{said}");
    }
    for (name, meant) in [
        ("JWT_SECRETS", "JWT_SECRET"),
        ("DECIDIM_API_JWT_SECERT", "DECIDIM_API_JWT_SECRET"),
        ("DECIDIM_API_FORCE_API_AUTHENTIFICATION", "DECIDIM_API_FORCE_API_AUTHENTICATION"),
    ] {
        let (good, said) = check(name);
        assert!(
            good && said.contains(name) && said.contains(&format!("is {meant} meant")),
            "{said}"
        );
    }
    for name in ["JWT_COOKIE_NAME", "DECIDIM_API_SCHEMA_MAX_PER_PAGE", "CASTELLAN_TEST_POSTGRES"] {
        assert_eq!(check(name), (true, String::new()), "{name}");
    }
}
