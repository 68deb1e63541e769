//! Client certificates in handshakes of our own (`docs/contracts/ibexa.md` §6 and §11, check 36).

use std::time::Duration;

use super::support::{ANN, Ca, Certified, Setting, Stage, Subject};

const OPTIONAL: &str = "{ ca = \"clients.pem\" }";
const LISTED: &str = "{ ca = \"clients.pem\", crl = [\"clients.crl\"] }";
const REQUIRED: &str = "{ ca = \"clients.pem\", require = true }";

async fn stage(part: &'static str, clients: &'static str, ca: &Ca) -> Stage {
    Stage::start(Setting {
        part,
        clients: Some(clients),
        files: vec![("clients.pem", ca.pem()), ("clients.crl", ca.crl(&[], 86_400))],
        ..Setting::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ibexa_36_the_certificate_of_a_handshake_is_a_person() {
    let ca = Ca::new("Clients");
    for (part, subject, who) in [
        ("email", ANN, Some("ann")),
        ("cn", Subject { cn: "Zoë", ..ANN }, Some("zoe")),
        ("dn", Subject { cn: "Dave", email: Some("dave@example.org"), ..ANN }, Some("dave")),
        ("email", Subject { email: Some("bob@example.org"), ..ANN }, None),
        ("email", Subject { email: Some("nobody@example.org"), ..ANN }, None),
        ("email", Subject { email: None, ..ANN }, None),
        ("email", Subject { cn: "x/emailAddress=ann@example.org", email: None, ..ANN }, None),
        ("email", Subject { cn: "x,emailAddress=ann@example.org", email: None, ..ANN }, None),
        ("cn", Subject { cn: "ann@example.org", ..ANN }, None),
    ] {
        let stage = stage(part, OPTIONAL, &ca).await;
        for protocol in ["--http1.1", "--http2"] {
            let curl = stage.curl("/graphql").json(super::support::ASK).with(&[protocol]);
            let answer = curl.certified(stage.castellan.folder.path(), &ca.client(&subject)).run();
            if let Some(who) = who {
                assert_eq!(answer.status, 200, "{part} {}: {answer:?}", subject.cn);
                assert_eq!(stage.told(), who);
            } else {
                assert_eq!(answer.status, 401, "{part} {}: {answer:?}", subject.cn);
                assert_eq!(answer.header("www-authenticate"), None, "{answer:?}");
                assert!(stage.recorder.seen().is_empty());
            }
            assert_eq!(answer.header("set-cookie"), None, "no session begins");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_shows_none_is_asked_for_none_by_a_challenge() {
    let ca = Ca::new("Clients");
    let stage = stage("email", OPTIONAL, &ca).await;
    let answer = stage.ask(None);
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, None), "{answer:?}");
    // The rest of the server is there for everybody.
    assert_eq!(stage.curl("/healthz").run().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_others_end_the_handshake() {
    let (ca, others) = (Ca::new("Clients"), Ca::new("Clients"));
    let stage = stage("email", OPTIONAL, &ca).await;
    for certified in [others.client(&ANN), ca.client(&Subject { ends: Some(-60), ..ANN })] {
        let answer = stage.ask(Some(&certified));
        assert_eq!(answer.status, 0, "{answer:?}");
    }
    assert!(stage.recorder.seen().is_empty());
}

/// `docs/security-cases.md` row 39: what stands beside the leaf proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_39_only_the_leaf_of_the_handshake_counts() {
    let ca = Ca::new("Clients");
    let stage = stage("email", OPTIONAL, &ca).await;
    let zoe = ca.client(&Subject { cn: "Zoë", email: Some("zoe@example.org"), ..ANN });
    let ann = ca.client(&ANN);
    let chained = |first: &Certified, second: &Certified| {
        format!("{}{}", first.certificate, second.certificate)
    };
    // Her own first: the other one is only carried along.
    stage.write("chain.pem", &chained(&zoe, &ann));
    stage.write("zoe.key", &zoe.key);
    let curl = |key: &str| {
        let (chain, key) = (stage.path("chain.pem"), stage.path(key));
        let (chain, key) = (chain.display().to_string(), key.display().to_string());
        stage
            .curl("/graphql")
            .json(super::support::ASK)
            .with(&["--cert", &chain, "--key", &key])
            .run()
    };
    assert_eq!(curl("zoe.key").status, 200);
    assert_eq!(stage.told(), "zoe");
    // The other one first: its key is not there.
    stage.write("chain.pem", &chained(&ann, &zoe));
    assert_eq!(curl("zoe.key").status, 0);
    assert!(stage.recorder.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_may_require_a_certificate() {
    let ca = Ca::new("Clients");
    let stage = stage("email", REQUIRED, &ca).await;
    assert_eq!(stage.curl("/healthz").run().status, 0);
    assert_eq!(stage.ask(Some(&ca.client(&ANN))).status, 200);
    assert_eq!(stage.told(), "ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_revoked_is_refused_once_the_list_says_so() {
    let ca = Ca::new("Clients");
    let stage = stage("email", LISTED, &ca).await;
    let (ann, other) = (ca.client(&ANN), ca.client(&Subject { serial: 11, ..ANN }));
    assert_eq!(stage.ask(Some(&ann)).status, 200);
    stage.write("clients.crl", &ca.crl(&[&ann], 86_400));
    let said = stage.castellan.said(&["reload"]);
    assert!(said.starts_with("reloaded"), "{said}");
    let answer = stage.ask(Some(&ann));
    assert_eq!(answer.status, 0, "{answer:?}");
    assert_eq!(stage.ask(Some(&other)).status, 200, "it is another certificate of hers");

    // A list that is out of date says nothing of what was revoked since.
    stage.write("clients.crl", &ca.crl(&[], -60));
    stage.castellan.said(&["reload"]);
    assert_eq!(stage.ask(Some(&other)).status, 0);
    // One that cannot be read leaves that in place.
    stage.write("clients.crl", "no list");
    let said = stage.castellan.said(&["reload"]);
    assert!(said.contains("the previous TLS files stay in use"), "{said}");
    assert_eq!(stage.ask(Some(&other)).status, 0);
}

/// A connection that is open goes on with what it was accepted by only until that changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_end_when_the_revocation_lists_change() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let ca = Ca::new("Clients");
    let stage = stage("email", LISTED, &ca).await;
    let ann = ca.client(&ANN);
    let mut stream = super::handshakes::connect(&stage, Some(&ann), &[]).await.unwrap();
    let ask = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut buffer = [0; 4_096];
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    stage.write("clients.crl", &ca.crl(&[&ann], 86_400));
    stage.castellan.said(&["reload"]);
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}
