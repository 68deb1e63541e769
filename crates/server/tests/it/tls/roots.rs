//! Authorities of one's own: `tls.roots` and `SSL_CERT_FILE`, wherever Castellan connects to a server
//! by TLS (`docs/tls.md`).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::support::Ca;
use crate::support::{
    browser::Browser,
    castellan::{Archive, Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, SPA, text},
    postgres::OwnPostgres,
    upstream::Recorder,
    wire::Ask,
};

/// A listener of TLS before a server that has none, with a certificate of an authority of its own.
struct Front {
    port: u16,
    ca: Ca,
    /// Whether each connection came to a handshake on which both agreed.
    handshakes: Arc<Mutex<Vec<bool>>>,
}

impl Front {
    /// The one before the server at `url`.
    async fn before(url: &str) -> Self {
        let (_, address) = url.trim_end_matches('/').rsplit_once("//").unwrap();
        let backend = address.replace("localhost", "127.0.0.1");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Each has another name, as two of one name with different keys are a damaged one.
        let ca = Ca::new(&format!("Authority of {port}"));
        let server = ca.server(86_400);
        let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let handshakes = Arc::default();
        let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&handshakes));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, backend) = (acceptor.clone(), backend.clone());
                let seen: Arc<Mutex<Vec<bool>>> = Arc::clone(&seen);
                tokio::spawn(async move {
                    let shaken = acceptor.accept(socket).await;
                    seen.lock().unwrap().push(shaken.is_ok());
                    let (Ok(mut near), Ok(mut far)) = (shaken, TcpStream::connect(&backend).await)
                    else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { port, ca, handshakes }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The file of its authority, beside the configuration.
    fn file(&self) -> (&'static str, String) {
        ("private.pem", self.ca.pem())
    }

    /// Whether any connection came about, and whether any was refused.
    fn outcomes(&self) -> (bool, bool) {
        let seen = self.handshakes.lock().unwrap();
        (seen.contains(&true), seen.contains(&false))
    }
}

const ROOTS: &str = "[tls]\nroots = [\"private.pem\"]\n";

/// A guard whose API and schema are at `url`.
fn guard(url: &str) -> String {
    format!(
        "[[guard]]\nname = \"a\"\npath = \"/graphql\"\nupstream = \"{url}/\"\npublic = [\"Query:*\"]\n"
    )
}

const QUERY: &str = "{ Person(first: 1) { name } }";

#[tokio::test(flavor = "multi_thread")]
async fn an_api_and_its_schema_are_trusted_by_an_authority_in_tls_roots_alone() {
    let archive = Archive::start().await;
    let front = Front::before(&archive.url).await;
    let plan = |roots: &str| Plan {
        config: format!("{roots}{}", guard(&front.url())),
        files: vec![front.file()],
        ..Plan::default()
    };
    // It becomes ready once the schema has been fetched.
    let castellan = Castellan::start(plan(ROOTS)).await;
    let answer = castellan.graphql("/graphql", None, QUERY).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["data"]["Person"][0]["name"].is_string(), "{answer:?}");
    drop(castellan);

    let castellan = Castellan::start_unready(plan("")).await;
    let answer = castellan.graphql("/graphql", None, QUERY).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let doctor = castellan.cli(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!doctor.status.success() && said.contains("UnknownIssuer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ssl_cert_file_counts_for_the_server_and_for_apply_to_it() {
    let archive = Archive::start().await;
    let front = Front::before(&archive.url).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.pem");
    std::fs::write(&file, format!("# Private\n{}", front.ca.pem())).unwrap();
    let castellan = Castellan::start(Plan {
        config: guard(&front.url()),
        documents: DOCUMENTS.to_owned(),
        environment: vec![("SSL_CERT_FILE", file.display().to_string())],
        ..Plan::default()
    })
    .await;
    assert_eq!(castellan.graphql("/graphql", None, QUERY).await.status, 200);

    // The same server, as it is reached by TLS of another authority.
    let door = Front::before(&castellan.url).await;
    let apply = ["apply", "-f", "-", "--server", &door.url(), "--token", "wrong"];
    let user = "resourceType: User\nid: bob\nuserName: bob\n";
    let refused = castellan.cli_with(&apply, user);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("UnknownIssuer"), "{why}");
    std::fs::write(&file, format!("{}{}", front.ca.pem(), door.ca.pem())).unwrap();
    let asked = castellan.cli_with(&apply, user);
    let why = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(why.contains("401"), "the server answered: {why}");
    // So it does by the setting.
    let config = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    std::fs::write(castellan.path("castellan.toml"), format!("{config}{ROOTS}")).unwrap();
    std::fs::write(castellan.path("private.pem"), door.ca.pem()).unwrap();
    std::fs::write(&file, front.ca.pem()).unwrap();
    let asked = castellan.cli_with(&apply, user);
    let why = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(why.contains("401"), "the server answered: {why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_of_a_private_authority_hears_of_a_sign_out() {
    let app = Recorder::start().await;
    let front = Front::before(&app.url).await;
    let client = format!(
        "{DOCUMENTS}\n---\nresourceType: Client\nid: shop\nsecret: s3cr3t-shop\nfirst_party: true\n\
         grant_types: [authorization_code]\nscope: [openid]\n\
         redirect_uris: [\"https://shop.test/cb\"]\nbackchannel_logout_uri: \"{}/out\"\n",
        front.url()
    );
    let castellan = Castellan::start(Plan {
        config: ROOTS.to_owned(),
        documents: client,
        files: vec![front.file()],
        ..Plan::default()
    })
    .await;
    let asking = Asking::of("shop", "https://shop.test/cb").with("scope", "openid");
    let secret = [("client_id", "shop"), ("client_secret", "s3cr3t-shop")];
    let mut browser = Browser::default();
    let tokens = castellan.tokens(&mut browser, &asking, &secret).await;
    // By the server, and by a command, which makes connections of its own.
    let hint = text(&tokens, "id_token");
    let url = castellan.at(&format!("/auth/logout?id_token_hint={hint}"));
    assert_eq!(browser.get(&url).await.status, 200);
    until_heard(&app).await;
    castellan.tokens(&mut Browser::default(), &asking, &secret).await;
    castellan.said(&["user", "deactivate", "ann"]);
    until_heard(&app).await;
    assert_eq!(front.outcomes(), (true, false));
}

/// Waits until the app has been told once more.
async fn until_heard(app: &Recorder) {
    for _ in 0..400 {
        // It hands over what it has seen since the last look.
        if let [seen] = &*app.seen() {
            assert!(seen.body.starts_with("logout_token="), "{seen:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the app was not told");
}

/// A configuration whose data is at `url`.
fn stored_at(url: &str, roots: &str) -> Plan {
    Plan {
        config: format!(
            "{roots}[data]\nurl = \"{url}\"\nmaster_key = {{ env = \"CASTELLAN_KEY\" }}\n"
        ),
        environment: vec![("CASTELLAN_KEY", "Q".repeat(43))],
        ..Plan::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_verified_against_tls_roots() {
    let ca = Ca::new("Database");
    let server = ca.server(86_400);
    let postgres = OwnPostgres::with_tls(&server.certificate, &server.key);
    let url = format!("{}?sslmode=verify-full", postgres.url());
    let plan = |url: &str, roots: &str| Plan {
        files: vec![("private.pem", ca.pem()), ("other.pem", Ca::new("Other").pem())],
        ..stored_at(url, roots)
    };
    let refused = Castellan::refuses(plan(&url, "")).await;
    assert!(refused.contains("check sslmode, sslrootcert and tls.roots"), "{refused}");
    let castellan =
        Castellan::start(Plan { documents: DOCUMENTS.to_owned(), ..plan(&url, ROOTS) }).await;
    castellan.tokens(&mut Browser::default(), &Asking::spa(), &SPA).await;
    // A file that the URL names counts in the place of these.
    let other = castellan.path("other.pem");
    let own = format!("{url}&sslrootcert={}", other.display());
    let refused = Castellan::refuses(plan(&own, ROOTS)).await;
    assert!(refused.contains("has a problem with TLS"), "{refused}");
}

/// The driver of MongoDB goes through with TLS, to a server that then ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn mongodb_is_verified_against_tls_roots() {
    let front = Front::before("mongodb://127.0.0.1:1").await;
    let url = format!("mongodb://localhost:{}/castellan?tls=true", front.port);
    let plan = |roots: &str| Plan { files: vec![front.file()], ..stored_at(&url, roots) };
    Castellan::refuses(plan("")).await;
    assert_eq!(front.outcomes(), (false, true));
    front.handshakes.lock().unwrap().clear();
    Castellan::refuses(plan(ROOTS)).await;
    assert_eq!(front.outcomes(), (true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_authorities_that_cannot_be_used_stops_the_start() {
    let with = |roots: &str, variable: &str| Plan {
        config: roots.to_owned(),
        files: vec![("empty.pem", "nothing\n".to_owned())],
        environment: vec![("SSL_CERT_FILE", variable.to_owned())],
        ..Plan::default()
    };
    let missing = Castellan::refuses(with(ROOTS, "")).await;
    for part in ["castellan.toml:", "tls.roots: ", "private.pem: cannot be read", "name a readable"]
    {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let empty = Castellan::refuses(with("[tls]\nroots = [\"empty.pem\"]\n", "")).await;
    assert!(empty.contains("empty.pem: there is no certificate in PEM in it"), "{empty}");
    let variable = Castellan::refuses(with("", "/nowhere/bundle.pem")).await;
    for part in ["SSL_CERT_FILE: /nowhere/bundle.pem: cannot be read", "unset the variable"] {
        assert!(variable.contains(part), "{part}: {variable}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_authorities_need_a_restart_and_a_reload_says_so() {
    let (one, other) = (Ca::new("One"), Ca::new("Other"));
    let castellan = Castellan::start(Plan {
        config: ROOTS.to_owned(),
        files: vec![("private.pem", one.pem())],
        ..Plan::default()
    })
    .await;
    assert!(!castellan.said(&["reload"]).contains("tls.roots"));
    std::fs::write(castellan.path("private.pem"), other.pem()).unwrap();
    let said = castellan.said(&["reload"]);
    assert!(said.contains("tls.roots"), "{said}");
    let health = Ask::get(&castellan.at("/healthz")).send().await;
    assert_eq!(health.status, 200, "{}", json!(health.body));
}
