//! The files of TLS: taken up while the server runs, checked at the start and by `doctor`, and made
//! for a first try.

use std::{os::unix::fs::PermissionsExt as _, process::Command, time::Duration};

use super::support::{Ca, Curl, Setting, Stage};
use crate::support::castellan::{Castellan, Plan, command, free_port};

/// Waits until the listener shows a certificate of `ca`.
async fn until_trusted(stage: &Stage, ca: &Ca) {
    let pem = stage.write("other.pem", &ca.pem());
    for _ in 0..80 {
        if Curl::new(&format!("{}/healthz", stage.url), &pem).run().status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("the new certificate is not in use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_are_taken_up_without_a_restart_and_bad_ones_are_not() {
    let stage = Stage::start(Setting::default()).await;
    let other = Ca::new("Others");
    let next = other.server(90 * 86_400);
    stage.write("server.pem", &next.certificate);
    // The key does not match yet.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(stage.curl("/healthz").run().status, 200, "the old ones stay in use");
    let log = std::fs::read_to_string(stage.path("stderr")).unwrap();
    assert_eq!(log.matches("the previous TLS files stay in use").count(), 1, "{log}");
    stage.write("server.key", &next.key);
    until_trusted(&stage, &other).await;
    assert_eq!(stage.curl("/healthz").run().status, 0);

    // A reload says what is wrong, and does the rest.
    std::fs::remove_file(stage.path("server.key")).unwrap();
    let said = stage.castellan.said(&["reload"]);
    assert!(said.starts_with("reloaded"), "{said}");
    assert!(said.contains("the previous TLS files stay in use"), "{said}");
    assert!(said.contains("server.key"), "{said}");
    until_trusted(&stage, &other).await;
}

fn tls(tls: &str) -> String {
    format!("[[listener]]\nlisten = \"127.0.0.1:{}\"\ntls = {tls}\n", free_port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_does_not_start_with_files_that_do_not_go_together() {
    let ca = Ca::new("CA");
    let (one, other) = (ca.server(86_400), ca.server(86_400));
    let files = || {
        vec![
            ("one.pem", one.certificate.clone()),
            ("one.key", one.key.clone()),
            ("other.key", other.key.clone()),
            ("empty", String::new()),
        ]
    };
    for (settings, said) in [
        ("{ certificate = \"one.pem\", key = \"other.key\" }", "one.pem"),
        ("{ certificate = \"none.pem\", key = \"one.key\" }", "none.pem"),
        ("{ certificate = \"one.pem\", key = \"one.pem\" }", "no private key"),
        ("{ certificate = \"empty\", key = \"one.key\" }", "no certificate"),
        ("{ certificate = \"one.pem\" }", "tls.key is missing"),
        (
            "{ certificate = \"one.pem\", key = \"one.key\", client_certificates = { require = true } }",
            "tls.client_certificates.ca is missing",
        ),
        (
            "{ certificate = \"one.pem\", key = \"one.key\", client_certificates = { ca = \"empty\" } }",
            "no certificate",
        ),
        (
            "{ certificate = \"one.pem\", key = \"one.key\" }\nredirect = \"https\"",
            "remove one of the two",
        ),
    ] {
        let refusal =
            Castellan::refuses(Plan { config: tls(settings), files: files(), ..Plan::default() });
        let refusal = refusal.await;
        assert!(refusal.contains(said), "{settings}: {refusal}");
        assert!(!refusal.contains("PRIVATE KEY"), "{refusal}");
    }
    // `config check` reads them as well.
    let castellan = Castellan::start(Plan { files: files(), ..Plan::default() }).await;
    let path = castellan.path("castellan.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    for (key, said) in [("other.key", "PROBLEM: "), ("one.key", ", TLS\n")] {
        let settings = tls(&format!("{{ certificate = \"one.pem\", key = \"{key}\" }}"));
        std::fs::write(&path, format!("{good}{settings}")).unwrap();
        let checked = castellan.cli(&["config", "check"]);
        assert_eq!(checked.status.success(), key == "one.key");
        let output = String::from_utf8(checked.stdout).unwrap();
        assert!(output.contains(said), "{key}: {output}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_tls_that_nothing_acts_upon_stop_the_start_with_their_line() {
    for (config, server, said) in [
        ("", "hsts = \"30d\"\n", "no effect"),
        ("[[listener]]\nlisten = \"127.0.0.1:1\"\nredirect = \"https\"\n", "", "needs https"),
        (
            "[[guard]]\nname = \"g\"\npath = \"/g\"\nsession = \"local\"\nrequire = [\"person\"]\n\
             authenticate = \"client_certificate\"\nclient_certificate = { subject = \"cn\" }\n",
            "",
            "nobody can show a client certificate",
        ),
        (
            "[[guard]]\nname = \"g\"\npath = \"/g\"\nsession = \"local\"\nclient_certificate = { subject = \"cn\" }\n",
            "",
            "no effect",
        ),
        (
            "",
            "client_certificate_headers = { subject_header = \"a\", verify_header = \"A\", trusted_proxies = [\"::1\"] }\n",
            "two headers",
        ),
        (
            "",
            "client_certificate_headers = { subject_header = \"a\", verify_header = \"b\", trusted_proxies = [] }\n",
            "trusted_proxies is empty",
        ),
    ] {
        let plan = Plan { config: config.to_owned(), server, ..Plan::default() };
        let refusal = Castellan::refuses(plan).await;
        assert!(refusal.contains(said), "{config}{server}: {refusal}");
        assert!(refusal.contains("castellan.toml:"), "with its line: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_says_when_certificates_end() {
    for (ends, said, good) in [
        (90 * 86_400 + 3_600, "ends in 90 days", true),
        (20 * 86_400, "WARNING: listener 1: certificate in", true),
        (-60, "PROBLEM: listener 1: certificate in", false),
    ] {
        let stage = Stage::start(Setting::default()).await;
        let next = stage.servers.server(ends);
        stage.write("server.pem", &next.certificate);
        let key = stage.write("server.key", &next.key);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let output = stage.castellan.cli(&["doctor"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(said), "{text}");
        assert!(text.contains("other users of this machine can read the private key"), "{text}");
        assert_eq!(output.status.success(), good, "{text}");
    }
}

/// What `castellan tls init --help` says works, as it is written there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_try_takes_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        command(&[]).current_dir(folder.path()).args(arguments).output().unwrap()
    };
    let made = run(&["tls", "init"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for name in ["ca.pem", "ca.key", "server.pem", "server.key"] {
        let file = std::fs::metadata(folder.path().join("tls").join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let key = std::fs::read(folder.path().join("tls/server.key")).unwrap();
    let again = run(&["tls", "init"]);
    assert!(!again.status.success());
    assert_eq!(std::fs::read(folder.path().join("tls/server.key")).unwrap(), key);
    let odd = run(&["tls", "init", "--folder", "odd", "--name", "not a name"]);
    assert!(!odd.status.success() && !folder.path().join("odd").exists());

    let port = free_port();
    let config = format!(
        "issuer = \"https://localhost:{port}\"\n[server]\nlisten = \"127.0.0.1:{port}\"\n\
         tls = {{ certificate = \"tls/server.pem\", key = \"tls/server.key\" }}\n"
    );
    std::fs::write(folder.path().join("castellan.toml"), config).unwrap();
    let mut server = command(&[])
        .current_dir(folder.path())
        .args(["serve", "--config", "castellan.toml"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ca = folder.path().join("tls/ca.pem");
    let mut status = 0;
    for host in ["localhost", "127.0.0.1"] {
        for _ in 0..200 {
            status = Curl::new(&format!("https://{host}:{port}/readyz"), &ca).run().status;
            if status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(status, 200, "{host}");
    }
    crate::support::castellan::end(&mut server);
    // The CA can sign for nothing else.
    let text = Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(&ca)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    if let Ok(text) = text {
        assert!(text.contains("Name Constraints: critical"), "{text}");
    }
}
