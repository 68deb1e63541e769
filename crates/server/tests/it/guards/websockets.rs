//! WebSockets through guards of APIs over HTTP (RFC 6455): opened by whoever may, by the rules of any
//! other GET, and ended with what let them pass.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan},
    fixtures::{Asking, DOCUMENTS, PORTAL, text},
    wire::{Ask, raw},
};

const SOON: Duration = Duration::from_secs(20);
const BOUND: Duration = Duration::from_millis(2_500);
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// RFC 6455 §1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OPEN: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
                    connection: Upgrade\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                    sec-websocket-protocol: chat\r\nset-cookie: a=b\r\n\r\n";
const PEOPLE: &str = "\n---\nresourceType: Role\nid: talking\ngroups: [talkers]\n\
                      scope: [\"Query:Talk:*\"]\n---\nresourceType: User\nid: bob\nuserName: bob\n\
                      password: pw-bob\ngroups: [{value: talkers}]\n";

/// A server before an API that echoes.
struct Stage {
    castellan: Castellan,
    /// The heads of the requests that reached the API.
    heads: Arc<Mutex<Vec<String>>>,
}

/// Reads the head of a request of `socket`.
async fn head(socket: &mut TcpStream) -> String {
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    while !said.windows(4).any(|four| four == b"\r\n\r\n") {
        match socket.read(&mut piece).await {
            Ok(count @ 1..) => said.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

impl Stage {
    /// Before an API that answers with `answer`, and then echoes. The guards have `more`.
    async fn start(answer: &'static str, more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}/", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    let head = head(&mut socket).await;
                    noted.lock().unwrap().push(head);
                    let _ = socket.write_all(answer.as_bytes()).await;
                    let (mut read, mut write) = socket.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        Self::before(&api, more, heads).await
    }

    async fn before(api: &str, more: &str, heads: Arc<Mutex<Vec<String>>>) -> Self {
        let guard = |name: &str, settings: &str| {
            format!(
                "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nprotocol = \"http\"\n\
                 upstream = \"{api}\"\n{settings}[guard.operations]\n\
                 \"GET /talk\" = \"Query:Talk:Open\"\n"
            )
        };
        let opens = format!("websocket = true\n{more}");
        let sessions = "dialect = \"ibexa\"\nauthenticate = \"session\"\nrequire = [\"person\"]\n\
                        allowed_origins = [\"https://app.example.test\"]\n";
        let config = [
            guard("w", &opens),
            guard("public", &format!("{opens}public = [\"*\"]\n")),
            guard("s", &format!("{opens}{sessions}")),
            guard("plain", ""),
        ];
        let castellan = Castellan::start(Plan {
            config: config.concat(),
            documents: format!("{DOCUMENTS}{PEOPLE}"),
            ..Plan::default()
        })
        .await;
        Self { castellan, heads }
    }

    async fn token(&self) -> String {
        let asking = Asking::portal().with("scope", "openid Query:*");
        let tokens = self.castellan.tokens(&mut Browser::default(), &asking, &PORTAL).await;
        text(&tokens, "access_token").to_owned()
    }

    /// Asks to open a WebSocket at `path` with `headers`; the head of the answer.
    async fn open(&self, path: &str, headers: &str) -> (TcpStream, String) {
        let address = self.castellan.url.replace("http://localhost", "127.0.0.1");
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive, Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\
             {headers}\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let answer = tokio::time::timeout(SOON, head(&mut socket)).await.unwrap();
        (socket, answer)
    }

    fn heads(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().unwrap())
    }
}

/// Asserts that what is said to `socket` comes back.
async fn echoes(socket: &mut TcpStream, said: &[u8]) {
    socket.write_all(said).await.unwrap();
    let mut back = vec![0; said.len()];
    let reading = tokio::time::timeout(SOON, socket.read_exact(&mut back));
    reading.await.expect("it comes back").unwrap();
    assert!(back == said);
}

/// Asserts that `socket` is closed soon; after how long.
async fn closes(mut socket: TcpStream, why: &str) -> Duration {
    let (began, mut piece) = (Instant::now(), [0; 1024]);
    let reading = async { while let Ok(1..) = socket.read(&mut piece).await {} };
    assert!(tokio::time::timeout(BOUND, reading).await.is_ok(), "{why}: it stays open");
    began.elapsed()
}

#[tokio::test]
async fn a_websocket_passes_where_the_guard_says_so() {
    let stage = Stage::start(OPEN, "").await;
    let token = stage.token().await;
    let headers = format!(
        "authorization: Bearer {token}\r\nsec-websocket-protocol: chat, other\r\n\
         sec-websocket-extensions: permessage-deflate\r\ncookie: a=b\r\n\
         castellan-identity: forged\r\norigin: http://localhost\r\n"
    );
    let (mut socket, answer) = stage.open("/w/talk?x=1", &headers).await;
    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    for line in ["upgrade: websocket", "connection: upgrade", "sec-websocket-protocol: chat"] {
        assert!(answer.contains(&format!("\r\n{line}\r\n")), "{line}: {answer}");
    }
    assert!(answer.contains(&ACCEPT.to_ascii_lowercase()) && !answer.contains("set-cookie"));
    echoes(&mut socket, b"hello").await;
    echoes(&mut socket, &vec![7; 1 << 20][..(1 << 16)]).await;
    let heads = stage.heads();
    let [head] = &*heads else { panic!("{heads:?}") };
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("get /talk?x=1 http/1.1\r\n"), "{head}");
    for line in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat, other",
        "sec-websocket-extensions: permessage-deflate",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    let identity = head.lines().find(|line| line.starts_with("castellan-identity: ")).unwrap();
    assert!(!identity.contains("forged") && head.contains("castellan-decision: "), "{head}");
    for secret in ["authorization:", "cookie:", "origin:", "transfer-encoding", "content-length"] {
        assert!(!head.contains(secret), "{secret}: {head}");
    }
}

#[tokio::test]
async fn nobody_opens_a_websocket_who_may_not() {
    let stage = Stage::start(OPEN, "").await;
    let token = stage.token().await;
    let bearer = format!("authorization: Bearer {token}\r\n");
    let evil = format!("{bearer}origin: https://evil.test\r\n");
    let body = format!("{bearer}content-length: 3\r\n");
    for (path, headers, status) in [
        ("/w/talk", "", "401"),
        ("/w/talk", "authorization: Bearer forged\r\n", "401"),
        ("/w/talk", &*evil, "401"),
        ("/w/talk", "cookie: ASID=forged\r\n", "401"),
        ("/w/other", &*bearer, "404"),
        ("/w/talk", &*body, "400"),
        ("/w/talk", "sec-websocket-version: 8\r\n", "400"),
        ("/w/talk", "upgrade: h2c\r\n", "400"),
        ("/plain/talk", &*bearer, "400"),
        ("/api", &*bearer, "400"),
    ] {
        let (_, answer) = stage.open(path, headers).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {headers}: {answer}");
    }
    let other = "GET /public/talk HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\n\
                 upgrade: h2c\r\n\r\n";
    let said = raw(&stage.castellan.url, other.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(stage.heads().is_empty());
}

#[tokio::test]
async fn a_session_opens_a_websocket_from_a_good_origin_alone() {
    let stage = Stage::start(OPEN, "").await;
    let login = json!({"SessionInput": {"login": "bob", "password": "pw-bob"}});
    let opened = Ask::post(&stage.castellan.at("/s/user/sessions"))
        .body("application/vnd.ibexa.api.SessionInput+json", login.to_string())
        .header("accept", "application/json")
        .send()
        .await;
    let session = &opened.json()["Session"];
    let cookie = format!("{}={}", text(session, "name"), text(session, "identifier"));
    for (origin, good) in [
        ("", false),
        ("origin: https://evil.test\r\n", false),
        ("origin: null\r\n", false),
        ("origin: http://localhost\r\n", true),
        ("origin: https://app.example.test\r\nsec-fetch-site: cross-site\r\n", true),
        ("origin: http://localhost\r\nsec-fetch-site: cross-site\r\n", false),
    ] {
        let headers = format!("cookie: {cookie}\r\n{origin}");
        let (mut socket, answer) = stage.open("/s/talk", &headers).await;
        assert_eq!(answer.starts_with("HTTP/1.1 101 "), good, "{origin}: {answer}");
        if good {
            echoes(&mut socket, b"hello").await;
        } else {
            // There is no room for a token (RFC 6455 §10.2), so that none can be missing.
            assert!(!answer.contains("CSRF"), "{answer}");
        }
    }
    let headers = format!("cookie: {cookie}\r\norigin: http://localhost\r\n");
    let (mut socket, _) = stage.open("/s/talk", &headers).await;
    echoes(&mut socket, b"hello").await;
    let url = format!("/s/user/sessions/{}", text(session, "identifier"));
    let closed = Ask::new(http::Method::DELETE, &stage.castellan.at(&url))
        .header("cookie", &cookie)
        .header("x-csrf-token", text(session, "csrfToken"))
        .send()
        .await;
    assert_eq!(closed.status, 204, "{closed:?}");
    closes(socket, "signed out").await;
}

#[tokio::test]
async fn websockets_end_with_their_token_and_with_nobody_elses() {
    let stage = Stage::start(OPEN, "").await;
    let (token, other) = (stage.token().await, stage.token().await);
    let bearer = |token: &str| format!("authorization: Bearer {token}\r\n");
    let (mut mine, _) = stage.open("/w/talk", &bearer(&token)).await;
    let (mut theirs, _) = stage.open("/w/talk", &bearer(&other)).await;
    echoes(&mut mine, b"hello").await;
    let revoked = Ask::post(&stage.castellan.at("/auth/revoke"))
        .form(&[&PORTAL[..], &[("token", &token)]].concat())
        .send()
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    closes(mine, "revoked").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    echoes(&mut theirs, b"hello").await;
    stage.castellan.advance_to(601);
    closes(theirs, "expired").await;
}

#[tokio::test]
async fn websockets_end_when_nothing_comes_or_one_side_closes() {
    let stage = Stage::start(OPEN, "websocket_idle = \"1s\"\n").await;
    let (mut socket, answer) = stage.open("/public/talk", "").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        echoes(&mut socket, b"still here").await;
    }
    let after = closes(socket, "idle").await;
    assert!(after > Duration::from_millis(700), "after {after:?}");
    let (mut socket, _) = stage.open("/public/talk", "").await;
    echoes(&mut socket, b"bye").await;
    socket.shutdown().await.unwrap();
    closes(socket, "closed").await;
}

#[tokio::test]
async fn open_websockets_take_the_places_of_their_api() {
    let stage = Stage::start(OPEN, "upstream_max_requests = 2\n").await;
    let (mut one, _) = stage.open("/public/talk", "").await;
    let (mut two, _) = stage.open("/public/talk", "").await;
    echoes(&mut one, b"one").await;
    echoes(&mut two, b"two").await;
    let (_, answer) = stage.open("/public/talk", "").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(one);
    let began = Instant::now();
    loop {
        let (_, answer) = stage.open("/public/talk", "").await;
        if answer.starts_with("HTTP/1.1 101 ") {
            break;
        }
        assert!(began.elapsed() < SOON, "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_no_change_to_a_websocket_is_passed_on_or_a_bad_gateway() {
    let no = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno";
    let stage = Stage::start(no, "").await;
    let (_, answer) = stage.open("/public/talk", "").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("pgrade"), "{answer}");

    let other = "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n";
    let stage = Stage::start(other, "").await;
    let (_, answer) = stage.open("/public/talk", "").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");

    let stage = Stage::start(OPEN, "").await;
    let unasked = "GET /public/talk HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let said = raw(&stage.castellan.url, unasked.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 502 "), "{said}");
}

#[tokio::test]
async fn websocket_is_refused_where_it_means_nothing() {
    let graphql = "[[guard]]\nname = \"g\"\npath = \"/g\"\nwebsocket = true\n\
                   upstream = \"http://127.0.0.1:9/\"\nschema = \"api.graphql\"\n";
    let idle = "[[guard]]\nname = \"g\"\npath = \"/g\"\nprotocol = \"http\"\n\
                websocket_idle = \"1m\"\nupstream = \"http://127.0.0.1:9/\"\n\
                [guard.operations]\n\"GET /x\" = \"Query:X:Get\"\n";
    for (config, part) in
        [(graphql, "websocket needs protocol = \"http\""), (idle, "without websocket = true")]
    {
        let plan = Plan { config: config.to_owned(), ..Plan::default() };
        let said = Castellan::refuses(plan).await;
        assert!(said.contains(part), "{said}");
    }
}

/// A browser's WebSocket, and an API that knows the protocol.
const TALK: &str = r"
const {createServer} = require('node:http'), {createHash} = require('node:crypto');
const api = createServer().listen(0, '127.0.0.1', () => console.log(api.address().port));
api.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`);
  socket.on('data', frame => {
    const length = frame[1] & 127, mask = frame.subarray(2, 6), text = frame.subarray(6, 6 + length);
    const plain = text.map((byte, at) => byte ^ mask[at % 4]);
    socket.write(Buffer.concat([Buffer.from([frame[0], length]), plain]));
    if ((frame[0] & 15) === 8) socket.end();
  });
});
process.stdin.once('data', url => {
  const client = new WebSocket(String(url).trim(), 'chat');
  client.onopen = () => client.send('hello');
  client.onmessage = event => { console.log(client.protocol, event.data); client.close(1000, 'bye'); };
  client.onclose = event => { console.log(event.code, event.wasClean); process.exit(); };
  client.onerror = event => { console.log('error', event.message); };
});
";

#[tokio::test]
async fn a_browsers_websocket_is_opened_used_and_closed_in_order() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut node = tokio::process::Command::new("node")
        .args(["--experimental-websocket", "-e", TALK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("this test needs Node");
    let mut said = BufReader::new(node.stdout.take().unwrap()).lines();
    let port = said.next_line().await.unwrap().unwrap();
    let stage = Stage::before(&format!("http://127.0.0.1:{port}/"), "", Arc::default()).await;
    let url = stage.castellan.at("/public/talk").replace("http://", "ws://");
    let mut stdin = node.stdin.take().unwrap();
    stdin.write_all(format!("{url}\n").as_bytes()).await.unwrap();
    stdin.flush().await.unwrap();
    for expected in ["chat hello", "1000 true"] {
        let line = tokio::time::timeout(SOON, said.next_line()).await.expect("it says something");
        assert_eq!(line.unwrap().as_deref(), Some(expected));
    }
}
