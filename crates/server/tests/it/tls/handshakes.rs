//! Handshakes with rustls, curl and nghttp, and what holds over TLS of our own.

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::support::{Certified, Setting, Stage};
use crate::support::{
    castellan::{Castellan, Plan, free_port},
    wire::{Ask, raw},
};

/// A handshake with the listener of `stage`, in which the client offers `protocols` (ALPN).
pub async fn connect(
    stage: &Stage,
    certified: Option<&Certified>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let ca = std::fs::read(stage.path("servers.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match certified {
        None => builder.with_no_client_auth(),
        Some(Certified { certificate, key, .. }) => {
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain.map(Result::unwrap).collect(), key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let address = stage.url.replace("https://localhost", "127.0.0.1");
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

async fn stage() -> Stage {
    Stage::start(Setting::default()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_are_spoken_over_both_of_tls() {
    let stage = stage().await;
    for (http, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for tls in [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3", "--tls-max", "1.3"]] {
            let answer = stage.curl("/healthz").with(&[http]).with(&tls).run();
            assert_eq!((answer.status, &*answer.version), (200, version), "{tls:?} {answer:?}");
        }
    }
    // Older ones are not.
    let answer = stage.curl("/healthz").with(&["--tlsv1.0", "--tls-max", "1.1"]).run();
    assert_eq!(answer.status, 0, "{answer:?}");
    // Whoever speaks neither is told so by the handshake (RFC 7301 §3.2).
    for (protocols, chosen) in [
        (&["h2", "http/1.1"][..], Some(Some("h2"))),
        (&["http/1.1"], Some(Some("http/1.1"))),
        (&[], Some(None)),
        (&["spdy/1"], None),
    ] {
        let stream = connect(&stage, None, protocols).await.ok();
        let found = stream.map(|stream| {
            stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap())
        });
        assert_eq!(found, chosen.map(|name| name.map(ToOwned::to_owned)), "{protocols:?}");
    }
}

/// HTTP/2 by a client that is not hyper: many streams over one connection, and a body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nghttp_is_answered_over_one_connection() {
    let stage = stage().await;
    let output = Command::new("nghttp")
        .args(["--no-verify-peer", "--stat", "--null-out", "--multiply=20"])
        .arg(format!("{}/.well-known/openid-configuration", stage.url))
        .output()
        .expect("this test needs nghttp");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let good = text.lines().filter(|line| line.contains(" 200 ")).count();
    assert_eq!(good, 20, "{text}");
}

/// `docs/security-cases.md` trap 1: TLS of ours covers the way, and cookies stay on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_are_taken_over_tls_of_our_own() {
    let port = free_port();
    let issuer = format!("https://localhost:{port}");
    let stage = Stage::start(Setting { issuer: Some(issuer), ..Setting::default() }).await;
    let userinfo =
        stage.curl("/auth/userinfo").with(&["--header", "Authorization: Bearer x"]).run();
    assert_eq!(userinfo.status, 401, "{userinfo:?}");
    assert!(userinfo.text.contains("invalid_token"), "{userinfo:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_to_stay_on_https() {
    let issuer = || Some("https://id.example.org".to_owned());
    let at = |server: &'static str| Setting { issuer: issuer(), server, ..Setting::default() };
    for (setting, told) in [
        (at(""), Some("max-age=31536000")),
        (at("hsts = \"30d\"\n"), Some("max-age=2592000")),
        (at("hsts = \"off\"\n"), None),
        // Most servers of a machine's own name have no TLS.
        (Setting { issuer: Some("https://localhost:8443".to_owned()), ..Setting::default() }, None),
    ] {
        let stage = Stage::start(setting).await;
        for path in ["/healthz", "/auth/userinfo", "/nowhere"] {
            let answer = stage.curl(path).run();
            assert_eq!(answer.header("strict-transport-security"), told, "{answer:?}");
        }
        // Over plain HTTP nobody may say so (RFC 6797 §7.2).
        let plain = Ask::get(&stage.castellan.at("/healthz")).send().await;
        assert_eq!(plain.header("strict-transport-security"), None);
    }
}

/// Behind a proxy that is believed and says https, and nowhere else.
#[tokio::test]
async fn browsers_are_told_to_stay_on_https_behind_a_proxy_that_says_https() {
    let start = |server: &'static str| {
        Castellan::start(Plan {
            server,
            issuer: Some("https://id.example.org".to_owned()),
            ..Plan::default()
        })
    };
    let hsts = async |castellan: &Castellan, scheme: Option<&str>| {
        let ask = Ask::get(&castellan.at("/auth/userinfo")).header("host", "id.example.org");
        let ask = match scheme {
            Some(scheme) => ask.header("x-forwarded-proto", scheme),
            None => ask,
        };
        ask.send().await.header("strict-transport-security").map(ToOwned::to_owned)
    };
    let trusting = start("trusted_proxies = [\"127.0.0.1\"]\nhsts = \"30d\"\n").await;
    let told = Some("max-age=2592000".to_owned());
    assert_eq!(hsts(&trusting, Some("https")).await, told);
    // The last word is that of the nearest proxy.
    assert_eq!(hsts(&trusting, Some("http, HTTPS")).await, told);
    for plain in [None, Some("http"), Some("https, http"), Some("")] {
        assert_eq!(hsts(&trusting, plain).await, None, "{plain:?}");
    }
    let off = start("trusted_proxies = [\"127.0.0.1\"]\nhsts = \"off\"\n").await;
    assert_eq!(hsts(&off, Some("https")).await, None);
    let strange = start("").await;
    assert_eq!(hsts(&strange, Some("https")).await, None, "nobody is believed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_redirects_answers_nothing_else_but_health() {
    let port = free_port();
    let config = format!(
        "[[listener]]\nlisten = \"127.0.0.1:{port}\"\nredirect = \"https\"\n\
         [[site]]\nname = \"one\"\nissuer = \"https://id.example.org:8443\"\nhosts = [\"login.example.org\"]\n\
         [[site]]\nname = \"two\"\nissuer = \"https://two.example.org\"\n"
    );
    let castellan = Castellan::start(Plan {
        config,
        issuer: Some("https://id.example.org:8443".to_owned()),
        ..Plan::default()
    })
    .await;
    let url = format!("http://127.0.0.1:{port}");
    for (host, path, to) in [
        (
            "id.example.org",
            "/auth/login?x=1&y=%20",
            "https://id.example.org:8443/auth/login?x=1&y=%20",
        ),
        ("LOGIN.example.org:80", "/", "https://login.example.org:8443/"),
        ("two.example.org", "/auth/token", "https://two.example.org/auth/token"),
    ] {
        for method in ["GET", "POST"] {
            let ask =
                Ask::new(method.parse().unwrap(), &format!("{url}{path}")).header("host", host);
            let answer = ask.send().await;
            assert_eq!((answer.status.as_u16(), answer.location()), (308, to), "{answer:?}");
        }
    }
    let stranger = Ask::get(&format!("{url}/auth/login")).header("host", "evil.test").send().await;
    assert_eq!(stranger.status, 404, "{stranger:?}");
    let token =
        Ask::get(&format!("{url}/auth/userinfo")).header("host", "two.example.org").bearer("x");
    let token = token.send().await;
    assert_eq!(token.status, 403, "{token:?}");
    assert!(token.body.contains("plain HTTP"), "{token:?}");
    // Nor is a secret in a body sent once more.
    let form = Ask::post(&format!("{url}/auth/token")).header("host", "two.example.org");
    let form = form.form(&[("client_secret", "x")]).send().await;
    assert_eq!((form.status.as_u16(), &form.json()["error"]), (403, &"invalid_request".into()));
    for health in ["/healthz", "/readyz"] {
        assert_eq!(Ask::get(&format!("{url}{health}")).send().await.status, 200);
    }
    drop(castellan);
}

/// Whoever says nothing holds no connection: a handshake is within the time of a head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_does_not_end_is_ended() {
    let stage = stage().await;
    let address = stage.url.replace("https://localhost", "127.0.0.1");
    let silent = async {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let began = Instant::now();
        assert!(matches!(socket.read(&mut [0; 64]).await, Ok(0) | Err(_)));
        began.elapsed()
    };
    let slow = async {
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let began = Instant::now();
        // The beginning of a record that is never there as a whole.
        for byte in [0x16, 0x03, 0x01, 0x02, 0x00, 0x01].into_iter().cycle() {
            if socket.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(began.elapsed() < Duration::from_secs(20), "it is still open");
        }
        began.elapsed()
    };
    // One that has shaken hands has no more time for its head.
    let idle = async {
        let mut stream = connect(&stage, None, &[]).await.unwrap();
        let began = Instant::now();
        assert!(matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)));
        began.elapsed()
    };
    let (silent, slow, idle) = tokio::join!(silent, slow, idle);
    for elapsed in [silent, slow, idle] {
        let bounds = Duration::from_secs(8)..Duration::from_secs(15);
        assert!(bounds.contains(&elapsed), "{elapsed:?}");
    }
    // What is not TLS is not answered as if it were HTTP.
    let plain =
        raw(&stage.url.replace("https", "http"), b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!plain.contains("HTTP"), "{plain}");
}

/// A whole sign-in at the pages, over TLS of our own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_over_tls() {
    let issuer = Some("https://localhost:8443".to_owned());
    let stage = Stage::start(Setting { issuer, ..Setting::default() }).await;
    let jar = stage.path("jar").display().to_string();
    let jar = ["--cookie-jar", &*jar, "--cookie", &*jar];
    let page = stage.curl("/auth/login").with(&jar).with(&["--location"]).run();
    assert_eq!(page.status, 200, "{page:?}");
    let marks = page.text.lines().filter(|line| line.contains("__Host-castellan_browser="));
    assert!(marks.clone().count() > 0, "{page:?}");
    assert!(marks.clone().all(|line| line.contains("; Secure")), "{page:?}");
    let flow =
        page.text.split("name=\"flow\"").nth(1).and_then(|rest| rest.split("value=\"").nth(1));
    let flow = flow.and_then(|rest| rest.split('"').next()).expect("there is a form");
    let form = format!("flow={flow}&username=ann&password=pw-ann");
    let answer = stage.curl("/auth/login").with(&jar).with(&["--data", &form]).run();
    assert_eq!(answer.status, 303, "{answer:?}");
    assert!(answer.text.contains("ASID="), "{answer:?}");
    let account = stage.curl("/account").with(&jar).run();
    assert!(account.text.contains("Ann Roe"), "{account:?}");
}
