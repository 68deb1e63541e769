//! Every command of the documents: it is run, in the order of its document, or what stands for it is
//! named. A command that a document gains is refused here until somebody says how it is run.

use std::{collections::BTreeSet, fs};

use super::{
    fences::{self, root},
    shell::{LANGUAGES, Page, after, agree},
};
use crate::support::{
    castellan::{Archive, Castellan, Plan, free_port},
    wire::Ask,
};

/// The documents with commands, each with the test that runs them; for one without, the reason.
const DOCUMENTS: [(&str, &str); 17] = [
    ("README.md", "the_commands_of_the_readme_work"),
    (
        "bench/README.md",
        "measures for minutes beside other products; `cargo xtask bench` is a step of its own",
    ),
    ("docs/audit.md", "the_commands_about_audit_records_work"),
    ("docs/configuration.md", "the_variables_of_the_reference_are_settings"),
    ("docs/data-sources.md", "the_commands_about_data_sources_work"),
    ("docs/logs.md", "asks the journal of a machine that runs the server under systemd"),
    ("docs/management.md", "the_first_query_of_the_management_apis_works"),
    ("docs/metrics.md", "the_command_about_metrics_works"),
    (
        "docs/performance.md",
        "measures for minutes beside other products; `cargo xtask bench` is a step of its own",
    ),
    ("docs/policies.md", "the_command_about_policies_works"),
    ("docs/production.md", "the_commands_about_production_work"),
    ("docs/registration.md", "the_commands_about_registration_work"),
    ("docs/resources.md", "the_commands_about_resources_work"),
    ("docs/second-factor.md", "the_command_about_second_factors_works"),
    ("docs/tls.md", "the_commands_about_tls_work"),
    ("docs/tutorial.md", "a_newcomer_gets_from_an_api_to_production_by_the_tutorial"),
    ("examples/README.md", "programs of Cargo, which the tests of the examples build and run"),
];

/// Markdown files of the repository's own documents.
fn documents() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["", "bench", "docs", "docs/contracts", "docs/decisions", "examples", "packaging"]
    {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.path().extension().is_some_and(|extension| extension == "md") {
                found.insert(format!("{folder}/{name}").trim_start_matches('/').to_owned());
            }
        }
    }
    // For those who work on Castellan, not for those who run it.
    found.remove("CONTRIBUTING.md");
    found
}

#[test]
fn every_document_with_commands_has_a_test_that_runs_them() {
    let with_commands: BTreeSet<String> = documents()
        .into_iter()
        .filter(|name| {
            fences::all(name).iter().any(|fence| LANGUAGES.contains(&fence.language.as_str()))
        })
        .collect();
    let listed = DOCUMENTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(with_commands, listed);
    let tests = concat!(include_str!("commands.rs"), include_str!("newcomer.rs"));
    for (name, test) in DOCUMENTS.iter().filter(|(_, test)| !test.contains(' ')) {
        assert!(tests.contains(&format!("async fn {test}()")), "{name}: no test {test}");
        assert!(tests.contains(&format!("Page::of(\"{name}\"")), "{name} is not opened by a test");
    }
}

/// The block of a document in a language, by its number.
fn block(document: &str, language: &str, number: usize) -> String {
    fences::of(document, language)[number].text.clone()
}

/// The commands of a document beside a server.
fn beside(castellan: &Castellan, document: &str) -> Page {
    let mut page = page(document, castellan).with("https://id.example.org", &castellan.url);
    page.shell.run("export CASTELLAN_CONFIG=castellan.toml", "");
    page
}

fn page(document: &str, castellan: &Castellan) -> Page {
    match document {
        "docs/audit.md" => Page::of("docs/audit.md", castellan.folder.path()),
        "docs/data-sources.md" => Page::of("docs/data-sources.md", castellan.folder.path()),
        "docs/management.md" => Page::of("docs/management.md", castellan.folder.path()),
        "docs/registration.md" => Page::of("docs/registration.md", castellan.folder.path()),
        "docs/resources.md" => Page::of("docs/resources.md", castellan.folder.path()),
        "docs/second-factor.md" => Page::of("docs/second-factor.md", castellan.folder.path()),
        _ => panic!("{document} has a scene of its own"),
    }
}

const PEOPLE: &str = "resourceType: User\nid: ann\nuserName: ann\npassword: a password for ann\n\
    emails: [{value: ann@example.org, primary: true}]\n---\nresourceType: User\nid: ada\nuserName: ada\n";

#[tokio::test]
async fn the_commands_about_audit_records_work() {
    let castellan = Castellan::with_documents(PEOPLE).await;
    let mut page = beside(&castellan, "docs/audit.md");
    castellan.until_said(&["audit", "--kind", "resource_created"]).await;
    assert!(page.run("castellan audit --since 2h").contains("resource_created"));
    page.run("castellan audit --person ann");
    page.run("castellan audit --decision");
    page.leave("castellan audit --since 2027-01-15 --json", "the date is in the future of the machine, or its past: with --since 2h the line above is the same");
    page.run("castellan audit verify");
    page.close();
}

#[tokio::test]
async fn the_variables_of_the_reference_are_settings() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("secrets")).unwrap();
    let secrets = folder.path().join("secrets").display().to_string();
    let mut page = Page::of("docs/configuration.md", folder.path()).with("/run/secrets", &secrets);
    assert!(page.shell.run("castellan key new-master > secrets/master-key; set -a", "").0);
    for name in [
        "ISSUER",
        "SERVER__LISTEN",
        "SERVER__TRUSTED_PROXIES",
        "DATA__MASTER_KEY",
        "TOKENS__ACCESS_TOKEN",
    ] {
        page.run(&format!("CASTELLAN__{name}="));
    }
    let (good, said) = page.shell.run("castellan config check", "");
    assert!(good && said.contains("https://id.example.org"), "{said}");
    page.close();
}

#[tokio::test]
async fn the_commands_about_data_sources_work() {
    let castellan = Castellan::with_documents(PEOPLE).await;
    let mut page = beside(&castellan, "docs/data-sources.md");
    assert!(page.run("castellan get User --starts-with").contains("ann"));
    assert!(page.run("castellan get User --ends-with").contains("ann"));
    page.run("castellan get Client --sort");
    page.leave("castellan migrate --from", "operations/transfer.rs moves records between every two data sources, which needs their servers");
    page.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_query_of_the_management_apis_works() {
    let document = "docs/management.md";
    let people = "resourceType: User\nid: admin\nuserName: admin\npassword: a password for admin\ngroups: [{value: administrators}]\n---\n";
    let castellan = Castellan::start(Plan {
        config: block(document, "toml", 0),
        documents: people.to_owned() + &block(document, "yaml", 0),
        ..Plan::default()
    })
    .await;
    let mut page = beside(&castellan, document);
    let begun = page.run("curl -s https://id.example.org/auth/device");
    approve(&mut page, &castellan.url, &begun, ("admin", "a password for admin"));
    let code = after(&begun, "\"device_code\":\"").to_owned();
    page.filled("TOKEN=$(curl", &[("DEVICE_CODE", &code)], "");
    let people = page.run("curl https://id.example.org/admin/graphql/accounts");
    assert!(people.contains("\"userName\":\"admin\""), "{people}");
    page.close();
}

/// A person opens `verification_uri_complete`, signs in and chooses Allow.
fn approve(page: &mut Page, base: &str, answer: &str, person: (&str, &str)) {
    let code = after(answer, "\"user_code\":\"");
    let first = format!("{base}/auth/device/code -d user_code={code}");
    let said = agree(&mut page.shell, "curl", (base, &first), person);
    assert!(said.contains("Your device is connected"), "{said}");
}

#[tokio::test]
async fn the_command_about_metrics_works() {
    let here = format!("127.0.0.1:{}", free_port());
    let config = format!("[metrics]\nlisten = {here:?}\n");
    let castellan = Castellan::start(Plan { config, ..Plan::default() }).await;
    let folder = castellan.folder.path();
    let mut page = Page::of("docs/metrics.md", folder).with("127.0.0.1:9464", &here);
    let said = page.run("curl -s");
    assert!(said.contains("# TYPE castellan_"), "{said}");
    page.close();
}

#[tokio::test]
async fn the_command_about_policies_works() {
    let examples = root().join("examples/policies");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(examples).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let mut page = Page::of("docs/policies.md", folder.path());
    page.run("castellan --config castellan.toml policy test notes.authz.yaml");
    page.close();
}

#[tokio::test]
async fn the_commands_about_registration_work() {
    let document = "docs/registration.md";
    let castellan = Castellan::start(Plan {
        config: block(document, "toml", 0),
        documents: block(document, "yaml", 0),
        ..Plan::default()
    })
    .await;
    let mut page = beside(&castellan, document);
    page.run("TOKEN=$(curl");
    let registered = page.run("curl https://id.example.org/register");
    for (variable, member) in [
        ("REGISTRATION_CLIENT_URI", "\"registration_client_uri\":\""),
        ("REGISTRATION_ACCESS_TOKEN", "\"registration_access_token\":\""),
    ] {
        let value = after(&registered, member);
        assert!(page.shell.run(&format!("{variable}={value}"), "").0);
    }
    page.run("REGISTERED=$(curl");
    page.run("REGISTRATION_ACCESS_TOKEN=$(echo");
    let replaced = page.run("echo \"$REGISTERED\" | jq");
    assert!(replaced.contains("client_secret"), "{replaced}");
    page.close();
}

#[tokio::test]
async fn the_commands_about_resources_work() {
    let castellan = Castellan::with_documents(PEOPLE).await;
    let mut page = beside(&castellan, "docs/resources.md");
    let write = |name: &str, text: &str| fs::write(castellan.path(name), text).unwrap();
    write("people.yaml", "resourceType: User\nid: grace\nuserName: grace\n");
    write(
        "apps.yaml",
        "resourceType: Client\nid: webapp\ntype: public\ngrant_types: [authorization_code]\nredirect_uris: [\"https://app.example.org/callback\"]\n",
    );
    write("resources.yaml", "resourceType: User\nid: eve\nuserName: eve\n");
    write(
        "grace.yaml",
        "resourceType: User\nid: grace\nuserName: grace\nname: {givenName: Grace}\n",
    );
    page.run("castellan apply -f people.yaml -f apps.yaml --dry-run");
    page.run("castellan apply -f people.yaml -f apps.yaml");
    page.run("castellan get Client webapp > webapp.yaml");
    castellan.cli_with(
        &["apply", "-f", "-"],
        "{resourceType: Client, id: webapp, secret: s3cr3t-webapp, grant_types: [client_credentials]}",
    );
    let rotated = page.run("castellan client rotate-secret webapp --overlap-minutes 60");
    assert!(rotated.contains("secret: "), "{rotated}");
    let secret = after(&page.run("castellan client add admin-api"), "secret: ").to_owned();
    page.filled("TOKEN=$(curl", &[("SECRET", &secret)], "");
    assert!(page.run("curl -s https://id.example.org/User/ada").contains("\"id\":\"ada\""));
    assert!(page.run("curl -s -X PUT https://id.example.org/User/grace").contains("Grace"));
    page.run("CASTELLAN_TOKEN=$TOKEN castellan apply --server");
    assert!(page.shell.run("castellan get User eve", "").0);
    page.close();
}

#[tokio::test]
async fn the_command_about_second_factors_works() {
    let castellan = Castellan::with_documents(PEOPLE).await;
    let mut page = beside(&castellan, "docs/second-factor.md");
    page.run("castellan user reset-mfa ann");
    page.close();
}

#[tokio::test]
async fn the_commands_about_tls_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = Page::of("docs/tls.md", folder.path());
    page.run("castellan tls init");
    page.run("openssl req -new");
    page.run("printf 'basicConstraints");
    page.run("openssl x509 -req");
    let (good, said) = page.shell.run("openssl x509 -in ann.pem -noout -ext extendedKeyUsage", "");
    assert!(good && said.contains("Client Authentication"), "{said}");
    page.close();
}

/// A restore, from both kinds of backup, beside what only a whole machine has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_about_production_work() {
    const BY_SYSTEMD: &str = "documents/systemd.rs runs these under systemd";
    const POSTGRES: &str = "needs the administrator of a PostgreSQL server; engines/ and operations/transfer.rs test the rest";
    let mut castellan = Castellan::with_documents(PEOPLE).await;
    let backup = tempfile::tempdir().unwrap();
    let etc = tempfile::tempdir().unwrap();
    let mut page = Page::of("docs/production.md", castellan.folder.path())
        .with("/backup/", &format!("{}/", backup.path().display()))
        .with("/etc/castellan/", &format!("{}/", etc.path().display()));
    page.shell.run("export CASTELLAN_CONFIG=castellan.toml", "");
    for begins in [
        "useradd",
        "install",
        "install",
        "install",
        "castellan key",
        "install",
        "systemctl",
        "systemctl",
        "systemctl",
        "runuser",
    ] {
        page.leave(begins, BY_SYSTEMD);
    }
    page.leave(
        "podman build",
        "no image is built by a test; documents/containerfile.rs and tests/documents read the file",
    );
    page.leave(
        "podman run",
        "no image is built by a test; documents/containerfile.rs and tests/documents read the file",
    );
    move_the_master_key(&mut page, &mut castellan, etc.path()).await;
    page.leave("sudo -u postgres createuser", POSTGRES);
    page.leave("sudo -u postgres createdb", POSTGRES);

    page.run("umask 077");
    page.run("sqlite3 castellan.db");
    page.run("castellan export --seal");
    let rights =
        format!("stat --format %a {0}/castellan.db {0}/castellan.jsonl", backup.path().display());
    assert_eq!(page.shell.run(&rights, ""), (true, "600\n600".to_owned()));
    castellan.said(&["delete", "User", "ann"]);
    castellan.stop();
    page.leave("systemctl stop", "the test stops the server itself");
    page.run("mkdir aside");
    page.run("cp ");
    assert!(page.run("castellan doctor").contains("4 decrypted with the master key"));
    page.leave("systemctl start", "the test starts the server itself");
    castellan.restart().await;
    assert!(castellan.said(&["get", "User", "ann"]).contains("ann@example.org"));
    for begins in ["systemctl stop", "dropdb", "pg_restore", "castellan doctor", "systemctl start"]
    {
        page.leave(begins, POSTGRES);
    }
    castellan.stop();
    page.shell.run("rm -r aside; mkdir aside; mv castellan.db* aside", "");
    page.run("castellan import --seal");
    assert!(page.run("castellan doctor").contains("4 decrypted with the master key"));
    castellan.restart().await;
    assert!(castellan.said(&["get", "User", "ann"]).contains("ann@example.org"));
    page.close();
}

/// The master key moves, and the server finds it.
async fn move_the_master_key(page: &mut Page, castellan: &mut Castellan, etc: &std::path::Path) {
    page.run("castellan key new-master");
    page.run("mv castellan.key");
    page.run("chmod 0400");
    let moved = format!("[data]\nmaster_key = {{ file = \"{}/master-key\" }}\n", etc.display());
    let config = fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    fs::write(castellan.path("castellan.toml"), config + &moved).unwrap();
    castellan.restart().await;
}

/// From the demo to an API of one's own, with each kind of credential.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_readme_work() {
    let (archive, port) = (Archive::start().await, free_port());
    let url = format!("http://localhost:{port}");
    let folder = tempfile::tempdir().unwrap();
    let mut page = Page::of("README.md", folder.path())
        .with("http://localhost:8080", &url)
        .with("http://127.0.0.1:4000/", &archive.url);
    page.leave("cargo demo", "it is `castellan demo`, which is next");
    page.leave("cargo xtask test", "runs this test among all others");
    try_the_demo(&mut page, &url).await;
    page.run("castellan demo --upstream");
    let config = fs::read_to_string(folder.path().join("castellan.toml")).unwrap();
    let config = config.replace(":8080", &format!(":{port}"));
    let guard = "[[guard]]\n";
    assert!(config.contains(guard), "{config}");
    // What step 2 says.
    let config = config.replace(guard, "[[guard]]\nauthenticate = [\"oauth\", \"jwt\"]\n")
        + &format!("\n[jwt]\nsecret = {{ file = \"jwt.secret\" }}\nissuer = \"{url}\"\n");
    fs::write(folder.path().join("castellan.toml"), config).unwrap();
    assert!(page.shell.run("(umask 077; openssl rand -hex 32 > jwt.secret)", "").0);
    page.begin("castellan serve --config castellan.toml");
    until_ready(&url).await;

    page.run("export CASTELLAN_CONFIG");
    let secret = after(&page.run("castellan client add robot"), "secret: ").to_owned();
    page.filled("TOKEN=$(curl", &[("SECRET", &secret)], "");
    let created = page.run("curl -s http://localhost:8080/graphql");
    assert!(created.contains("\"identifier\":\"ada-lovelace\""), "{created}");
    page.told("castellan user add ada", "a password for ada");
    page.run("castellan apply -f -");
    let begun = page.run("curl -s http://localhost:8080/auth/device");
    approve(&mut page, &url, &begun, ("ada", "a password for ada"));
    let code = after(&begun, "\"device_code\":\"").to_owned();
    page.filled("TOKEN=$(curl", &[("DEVICE_CODE", &code)], "");
    works(&mut page, &url);
    let key = after(&page.run("castellan auth-key add importer"), "apiKey: ").to_owned();
    page.filled("TOKEN=$(curl", &[("\"KEY\"", &format!("\"{key}\""))], "");
    works(&mut page, &url);
    page.close();
}

/// The token in `TOKEN` may create people.
fn works(page: &mut Page, url: &str) {
    let create = format!(
        "curl -s {url}/graphql -H \"Authorization: Bearer $TOKEN\" --json \
         '{{\"query\":\"mutation {{ CreatePerson(name: \\\"Zoe\\\") {{ name }} }}\"}}'"
    );
    let (_, created) = page.shell.run(&create, "");
    assert!(created.contains("\"name\":\"Zoe\""), "{created}");
}

async fn until_ready(url: &str) {
    for _ in 0..400 {
        let port = url.rsplit_once(':').unwrap().1;
        if tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.is_ok() {
            let ready = Ask::get(&format!("{url}/readyz")).send().await;
            if ready.status == 200 && !ready.body.contains("false") {
                return;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the server did not become ready");
}

/// The denied write of the demo, and why.
async fn try_the_demo(page: &mut Page, url: &str) {
    let port = url.rsplit_once(':').unwrap().1;
    let demo = format!("castellan demo --listen 127.0.0.1:{port} >demo.log 2>&1 & DEMO=$!");
    assert!(page.shell.run(&demo, "").0);
    until_ready(url).await;
    let denied = page.run("curl -s http://localhost:8080/graphql");
    assert!(denied.contains("\"reason\":\"no_credential\""), "{denied}");
    let decision = after(&denied, "\"decision\":\"").to_owned();
    let printed = page.shell.run("cat demo.log", "").1;
    let config = after(&printed, "--config ").to_owned();
    // Denials are written in the background.
    let wait = format!(
        "for i in $(seq 100); do castellan --config {config} explain {decision} >/dev/null 2>&1 && break; sleep 0.1; done"
    );
    page.shell.run(&wait, "");
    let words = [("\u{2026}", &*config), ("df5d3c8fb431fae073035dd2", &*decision)];
    let why = page.filled("castellan --config", &words, "");
    assert!(
        why.contains("DENIED: no_credential") && why.contains("Mutation:Person:Create"),
        "{why}"
    );
    assert!(page.shell.run("kill -TERM $DEMO; wait $DEMO; true", "").0);
}
