//! The small servers of this binary: a bare axum server that does only what a case needs, and the
//! API behind every gate.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, RwLock},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use castellan_proto::Digest;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::Ground;
use crate::{
    answer::contains,
    fault::Fault,
    process::{Server, free_address, tied},
    wire::Request,
};

/// What the API behind the gates answers, whatever it is asked. An answer from which nothing was
/// taken goes through a gate as it is.
const API_ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
    content-length: 164\r\n\r\n\
    {\"data\":{\"CreatePerson\":{\"identifier\":\"person-0000000000\",\"name\":\"Ada Lovelace\",\
    \"givenName\":\"Ada\",\"familyName\":\"Lovelace\",\"birthDate\":\"1815-12-10\",\"created\":true}}}";
/// Requests that are larger are refused.
const LARGEST: usize = 64 * 1024;

/// Known tokens, by their digest, with the response to each.
type Known = Arc<RwLock<HashMap<Digest, &'static str>>>;

/// Starts this binary in the mode `mode`.
///
/// # Errors
/// [`Fault::Failed`] if it does not start.
pub async fn start(mode: &'static str, ground: &Ground) -> Result<Server, Fault> {
    let (address, folder) = (free_address()?, ground.folder()?);
    let mut command = tied(std::env::current_exe()?);
    command.arg(mode).args(["--listen", &address.to_string()]);
    let mut server = Server::start(mode, &mut command, (address, &folder))?;
    let path = if mode == "axum" { "/hello" } else { "/" };
    let method = if mode == "axum" { "GET" } else { "POST" };
    let request = Request::new(method, path, address).body("application/json", "{}");
    server.until(&request, |answer| answer.status == 200).await?;
    Ok(server)
}

/// The bare axum server: `GET /hello`, and `POST /introspect` for tokens that `POST /know` made
/// known. One thread.
///
/// # Errors
/// [`Fault::Io`] if it cannot listen.
pub async fn axum(listen: SocketAddr) -> Result<(), Fault> {
    let router = Router::new()
        .route("/hello", get(async || "hello"))
        .route("/know", post(know))
        .route("/introspect", post(introspect))
        .with_state(Known::default());
    let listener = TcpListener::bind(listen).await?;
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    tokio::select! {
        served = async { axum::serve(listener, router).await } => Ok(served?),
        () = orphaned() => Ok(()),
    }
}

async fn know(State(known): State<Known>, token: String) -> StatusCode {
    let response = "{\"active\":true,\"iss\":\"http://localhost\",\"sub\":\"machine-es256\",\
                \"client_id\":\"machine-es256\",\"scope\":\"Mutation:Person:Create Query:*\",\
                \"aud\":\"http://localhost\",\"iat\":1700000000,\"exp\":1700007200,\
                \"jti\":\"0123456789abcdef0123456789abcdef-0\",\"token_type\":\"Bearer\"}";
    if let Ok(mut known) = known.write() {
        known.insert(Digest::of(token.as_bytes()), response);
    }
    StatusCode::NO_CONTENT
}

/// The least that can be called introspection: the caller shows something, the token is taken out
/// of the form, its digest looked up.
async fn introspect(State(known): State<Known>, headers: HeaderMap, form: String) -> Response {
    if !headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = form.split('&').find_map(|pair| pair.strip_prefix("token="));
    let digest = Digest::of(token.unwrap_or_default().as_bytes());
    let response = known.read().ok().and_then(|known| known.get(&digest).copied());
    let json = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (json, response.unwrap_or("{\"active\":false}")).into_response()
}

/// The API behind the gates: every POST with a length gets the same response. One thread, and
/// little work, so that it does not take the processor away from the server in front of it.
///
/// # Errors
/// [`Fault::Io`] if it cannot listen.
pub async fn upstream(listen: SocketAddr) -> Result<(), Fault> {
    let listener = TcpListener::bind(listen).await?;
    let accept = async {
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(converse(socket));
        }
    };
    tokio::select! {
        ended = accept => ended,
        () = orphaned() => Ok(()),
    }
}

async fn converse(mut socket: TcpStream) -> Option<()> {
    let mut bytes = Vec::with_capacity(8 * 1024);
    loop {
        while let Some(whole) = request_length(&bytes)? {
            bytes.drain(..whole);
            socket.write_all(API_ANSWER.as_bytes()).await.ok()?;
        }
        if bytes.len() > LARGEST || socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Length of the request at the beginning of `bytes`: outer `None` if it is not one that is served
/// here, inner `None` if it is not complete yet.
#[expect(clippy::option_option, reason = "both cases are told apart by the one caller")]
fn request_length(bytes: &[u8]) -> Option<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Some(None);
    };
    let head = bytes[..end].to_ascii_lowercase();
    let head = std::str::from_utf8(&head).ok().filter(|_| !contains(&head, b"chunked"))?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = end + 4 + length.map_or(Some(0), |text| text.trim().parse().ok())?;
    Some((bytes.len() >= whole).then_some(whole))
}

/// Ends when the process that started this one ends, which closes its end of the standard input.
async fn orphaned() {
    let (gone, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Whatever comes is read, up to the end.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = gone.send(());
    });
    let _ = ended.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let (head, body) = API_ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }

    #[test]
    fn a_request_ends_where_it_says() {
        let one = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(request_length(one), Some(Some(one.len())));
        assert_eq!(request_length(&one[..one.len() - 1]), Some(None));
        assert_eq!(request_length(b"GET / HTTP/1.1\r\n\r\nGET"), Some(Some(18)));
        assert_eq!(request_length(b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), None);
        assert_eq!(request_length(b"P / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), None);
    }
}
