//! Bodies under way at guards end with what let their request pass (`docs/rules.md` rules 27 and 29).

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    operations::nodes::config,
    support::{
        browser::Browser,
        castellan::{Castellan, Plan},
        fixtures::{Asking, DOCUMENTS, PORTAL, text},
        postgres::OwnPostgres,
        tcp_proxy::Cut,
        wire::{Ask, raw},
    },
};

/// Rule 27, and what a busy machine may need besides.
const BOUND: Duration = Duration::from_millis(2_500);
/// How long something is looked at that goes on.
const WHILE: Duration = Duration::from_millis(1_500);

const ROLE: &str = "\n---\nresourceType: Role\nid: reading\ngroups: [readers]\n\
                    scope: [\"Query:File:*\"]\n---\nresourceType: User\nid: bob\nuserName: bob\n\
                    password: pw-bob\ngroups: [{value: readers}]\n";

/// A server before an API whose responses go on for ever.
struct Stage {
    castellan: Castellan,
    /// How many uploads have come to their end.
    whole: Arc<AtomicUsize>,
}

/// Answers on `socket`: an upload at its end, anything else for ever, a byte at a time.
async fn answer(mut socket: TcpStream, whole: Arc<AtomicUsize>) {
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    while !said.windows(4).any(|four| four == b"\r\n\r\n") {
        let Ok(count @ 1..) = socket.read(&mut piece).await else { return };
        said.extend_from_slice(&piece[..count]);
    }
    if said.starts_with(b"PUT") {
        while !said.ends_with(b"0\r\n\r\n") {
            let Ok(count @ 1..) = socket.read(&mut piece).await else { return };
            said.extend_from_slice(&piece[..count]);
        }
        whole.fetch_add(1, Ordering::SeqCst);
        let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        return;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n2\r\n[\n\r\n";
    let _ = socket.write_all(head.as_bytes()).await;
    while socket.write_all(b"2\r\n1,\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Stage {
    async fn start() -> Self {
        Self::with("", DOCUMENTS, Vec::new()).await
    }

    async fn with(more: &str, documents: &str, environment: Vec<(&'static str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/", listener.local_addr().unwrap());
        let whole = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&whole);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, Arc::clone(&counted)));
            }
        });
        let operations = "[guard.operations]\n\"GET /files/{name}\" = \"Query:File:Get\"\n\
                          \"PUT /files/{name}\" = \"Mutation:Person:Update\"\n";
        let guard = |name: &str, settings: &str| {
            format!(
                "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nprotocol = \"http\"\n\
                 upstream = \"{api}\"\n{settings}{operations}"
            )
        };
        let config = format!(
            "{more}{}{}[[guard]]\nname = \"graph\"\npath = \"/graph\"\nupstream = \"{api}\"\n\
             schema = \"api.graphql\"\n",
            guard("f", ""),
            guard("s", "dialect = \"ibexa\"\nauthenticate = \"session\"\nrequire = [\"person\"]\n"),
        );
        let castellan = Castellan::start(Plan {
            config,
            documents: format!("{documents}{ROLE}"),
            environment,
            files: vec![("api.graphql", "type Query { hello: String }".to_owned())],
            ..Plan::default()
        })
        .await;
        Self { castellan, whole }
    }

    /// A token of Ann's.
    async fn token(&self) -> String {
        let asking = Asking::portal().with("scope", "openid Query:* Mutation:Person:*");
        let tokens = self.castellan.tokens(&mut Browser::default(), &asking, &PORTAL).await;
        text(&tokens, "access_token").to_owned()
    }

    /// A request with this target and these headers, of whose response the beginning has come.
    async fn begin(&self, target: &str, headers: &str) -> UnderWay {
        self.begin_with(target, headers, "").await
    }

    async fn begin_with(&self, target: &str, headers: &str, body: &str) -> UnderWay {
        let mut socket = self.connect().await;
        let length = body.len();
        let head = format!(
            "{target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut begun = UnderWay { socket, said: String::new() };
        begun.until("1,").await;
        assert!(begun.said.starts_with("HTTP/1.1 200 "), "{}", begun.said);
        begun
    }

    async fn connect(&self) -> TcpStream {
        let address = self.castellan.url.replace("http://localhost", "127.0.0.1");
        TcpStream::connect(address).await.unwrap()
    }

    /// A download with `token`.
    async fn download(&self, token: &str) -> UnderWay {
        self.begin("GET /f/files/a", &format!("authorization: Bearer {token}\r\n")).await
    }
}

/// A response that is under way.
struct UnderWay {
    socket: TcpStream,
    said: String,
}

impl UnderWay {
    /// Reads on; whether the connection is still there.
    async fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.socket.read(&mut piece).await {
            Ok(count @ 1..) => {
                self.said.push_str(&String::from_utf8_lossy(&piece[..count]));
                true
            }
            _ => false,
        }
    }

    async fn until(&mut self, end: &str) {
        let reading = async { while !self.said.contains(end) && self.read().await {} };
        let _ = tokio::time::timeout(Duration::from_secs(20), reading).await;
        assert!(self.said.contains(end), "{end:?} does not come: {}", self.said);
    }

    /// Asserts that it goes on.
    async fn goes_on(&mut self) {
        let began = Instant::now();
        while began.elapsed() < WHILE {
            assert!(self.read().await, "it has ended");
        }
    }

    /// Asserts that it breaks off soon, and does not look whole.
    async fn breaks_off(mut self, why: &str) {
        let began = Instant::now();
        let reading = async { while self.read().await {} };
        let ended = tokio::time::timeout(BOUND, reading).await;
        assert!(ended.is_ok(), "{why}: it goes on");
        eprintln!("{why}: it ended after {:?}", began.elapsed());
        assert!(!self.said.ends_with("0\r\n\r\n"), "{why}: it looks whole");
    }
}

#[tokio::test]
async fn downloads_end_with_their_token_and_with_nobody_elses() {
    let stage = Stage::start().await;
    let (token, other) = (stage.token().await, stage.token().await);
    let (mut mine, mut theirs) = (stage.download(&token).await, stage.download(&other).await);
    mine.goes_on().await;
    let revoked = Ask::post(&stage.castellan.at("/auth/revoke"))
        .form(&[&PORTAL[..], &[("token", &token)]].concat())
        .send()
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    mine.breaks_off("revoked").await;
    theirs.goes_on().await;
}

/// Over HTTP/1.0 the end of the connection is the end of the body: one that is reset is none.
#[tokio::test]
async fn a_download_over_http_1_0_ends_with_a_reset() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    let mut socket = stage.connect().await;
    let head = format!(
        "GET /f/files/a HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut begun = UnderWay { socket, said: String::new() };
    begun.until("1,").await;
    assert!(begun.said.starts_with("HTTP/1.0 200 "), "{}", begun.said);
    assert!(!begun.said.contains("transfer-encoding"), "{}", begun.said);
    let pairs = [&PORTAL[..], &[("token", &token)]].concat();
    let revoked = Ask::post(&stage.castellan.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let reading = async {
        let mut piece = [0; 4096];
        loop {
            match begun.socket.read(&mut piece).await {
                Ok(0) => panic!("it looks whole"),
                Ok(_) => {}
                Err(error) => return error.kind(),
            }
        }
    };
    let ended = tokio::time::timeout(BOUND, reading).await.expect("it goes on");
    assert_eq!(ended, std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn downloads_end_when_their_token_expires() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    let mut download = stage.download(&token).await;
    stage.castellan.advance_to(500);
    download.goes_on().await;
    stage.castellan.advance_to(601);
    download.breaks_off("expired").await;
}

#[tokio::test]
async fn downloads_end_when_their_person_is_deactivated() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    let download = stage.download(&token).await;
    let body = json!({"query": "{ hello }"}).to_string();
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let mut graph = stage.begin_with("POST /graph", &headers, &body).await;
    graph.goes_on().await;
    // By another process: what it writes is heard of.
    let ann = "resourceType: User\nid: ann\nuserName: ann\npassword: pw-ann\nactive: false\n";
    let applied = stage.castellan.cli_with(&["apply", "-f", "-"], ann);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    download.breaks_off("deactivated").await;
    graph.breaks_off("deactivated, at a GraphQL guard").await;
}

#[tokio::test]
async fn downloads_end_with_the_session_that_they_began_in() {
    let stage = Stage::start().await;
    let at = |path: &str| stage.castellan.at(&format!("/s{path}"));
    let login = json!({"SessionInput": {"login": "bob", "password": "pw-bob"}});
    let opened = Ask::post(&at("/user/sessions"))
        .body("application/vnd.ibexa.api.SessionInput+json", login.to_string())
        .header("accept", "application/json")
        .send()
        .await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let session = &opened.json()["Session"];
    let cookie = format!("{}={}", text(session, "name"), text(session, "identifier"));
    let mut download = stage.begin("GET /s/files/a", &format!("cookie: {cookie}\r\n")).await;
    download.goes_on().await;
    let url = at(&format!("/user/sessions/{}", text(session, "identifier")));
    let closed = Ask::new(http::Method::DELETE, &url)
        .header("cookie", &cookie)
        .header("x-csrf-token", text(session, "csrfToken"))
        .send()
        .await;
    assert_eq!(closed.status, 204, "{closed:?}");
    download.breaks_off("signed out").await;
}

#[tokio::test]
async fn downloads_end_when_their_person_may_do_less() {
    let stage = Stage::start().await;
    let login = json!({"SessionInput": {"login": "bob", "password": "pw-bob"}});
    let opened = Ask::post(&stage.castellan.at("/s/user/sessions"))
        .body("application/vnd.ibexa.api.SessionInput+json", login.to_string())
        .header("accept", "application/json")
        .send()
        .await;
    let session = &opened.json()["Session"];
    let cookie = format!("{}={}", text(session, "name"), text(session, "identifier"));
    let download = stage.begin("GET /s/files/a", &format!("cookie: {cookie}\r\n")).await;
    let role = "resourceType: Role\nid: reading\ngroups: [readers]\nscope: [\"Query:Other:*\"]\n";
    let applied = stage.castellan.cli_with(&["apply", "-f", "-"], role);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    download.breaks_off("without the role's scope").await;
}

#[tokio::test]
async fn uploads_end_with_their_token() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    let mut socket = stage.connect().await;
    let head = format!(
        "PUT /f/files/a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(WHILE).await;
    let revoked = Ask::post(&stage.castellan.at("/auth/revoke"))
        .form(&[&PORTAL[..], &[("token", &token)]].concat())
        .send()
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let mut upload = UnderWay { socket, said: String::new() };
    upload.until("\"credential_ended\"").await;
    assert!(upload.said.starts_with("HTTP/1.1 401 "), "{}", upload.said);
    assert!(upload.said.to_ascii_lowercase().contains("\r\nwww-authenticate: bearer"));
    let _ = upload.socket.write_all(b"0\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.whole.load(Ordering::SeqCst), 0, "nothing looks whole to the API");
}

#[tokio::test]
async fn what_is_no_chunk_is_a_bad_request() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    for body in ["5\r\nfirst\r\nno number\r\n", "zz\r\n", "5\r\nfirstlonger\r\n0\r\n\r\n"] {
        let request = format!(
            "PUT /f/files/a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             transfer-encoding: chunked\r\n\r\n{body}"
        );
        let said = raw(&stage.castellan.url, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{body:?}: {said}");
        assert!(said.contains("\"malformed_body\""), "{body:?}: {said}");
    }
    assert_eq!(stage.whole.load(Ordering::SeqCst), 0);
}

/// In chunks it would be lost, or taken for the next request.
#[tokio::test]
async fn a_get_whose_body_has_no_length_is_refused() {
    let stage = Stage::start().await;
    let token = stage.token().await;
    let request = format!(
        "GET /f/files/a HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    );
    let mut asked = UnderWay { socket: stage.connect().await, said: String::new() };
    asked.socket.write_all(request.as_bytes()).await.unwrap();
    asked.until("\"length_required\"").await;
    assert!(asked.said.starts_with("HTTP/1.1 411 "), "{}", asked.said);
}

/// A node that hears nothing looks into the data source; if it cannot, nothing goes on.
#[tokio::test(flavor = "multi_thread")]
async fn downloads_end_at_a_node_that_hears_nothing() {
    let postgres = OwnPostgres::start();
    let url = url::Url::parse(&postgres.url()).unwrap();
    let authority = format!("127.0.0.1:{}", url.port().unwrap());
    let cut = Cut::to(&authority).await;
    let through = postgres.url().replace(&authority, &cut.address());
    let environment = vec![("CASTELLAN_KEY", "Q".repeat(43))];
    let stage = Stage::with(&config(&through), DOCUMENTS, environment).await;
    let token = stage.token().await;
    let mut download = stage.download(&token).await;
    download.goes_on().await;
    cut.cut();
    // The feed has been silent for a second then (rule 29).
    tokio::time::sleep(Duration::from_secs(1)).await;
    download.breaks_off("silent").await;
}
