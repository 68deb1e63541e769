//! Statuses of an API that are no answers to a GraphQL request, as they come over the wire.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::castellan::{Castellan, Plan};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"data\":{\"open\":\"1\"}}";

/// An API that answers every request with `bytes`, and the server that guards it.
async fn guarding(bytes: &'static str) -> Castellan {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = vec![0; 65_536];
                while socket.read(&mut read).await.is_ok_and(|count| count > 0) {
                    if socket.write_all(bytes.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"api\"\npath = \"/graphql\"\nschema = \"api.graphql\"\n\
             upstream = \"http://{upstream}/\"\npublic = [\"Query:open:*\"]\n"
        ),
        files: vec![("api.graphql", "type Query { open: ID shut: ID }".to_owned())],
        ..Plan::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_is_no_answer_is_a_502_that_says_so() {
    for (status, bytes) in [
        (
            101,
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        (
            302,
            "HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        ),
        (
            206,
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-1/9\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
        ),
        (304, "HTTP/1.1 304 Not Modified\r\ncontent-type: application/json\r\n\r\n"),
    ] {
        let castellan = guarding(bytes).await;
        // Sent on as it came, and woven with a null.
        for document in ["{ open }", "{ open shut }"] {
            let answer = castellan.graphql("/graphql", None, document).await;
            assert_eq!(answer.status, 502, "{answer:?}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "UPSTREAM");
            let message = format!(
                "The API behind this guard responded with status {status}, which is not valid for \
                 GraphQL."
            );
            assert_eq!(answer.json()["errors"][0]["message"], message);
            assert!(answer.header("location").is_none() && answer.header("upgrade").is_none());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_before_the_final_answer_is_passed_over() {
    for before in
        ["", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"]
    {
        let bytes = Box::leak(format!("{before}{OK}").into_boxed_str());
        let castellan = guarding(bytes).await;
        let answer = castellan.graphql("/graphql", None, "{ open }").await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "{\"data\":{\"open\":\"1\"}}"));
        assert!(answer.header("link").is_none());
    }
}

/// RFC 9112 §6.3: where both are there, the length is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_reaches_nobody() {
    for length in ["0", "3", "300"] {
        let bytes = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             transfer-encoding: chunked\r\n\r\n15\r\n{{\"data\":{{\"open\":\"1\"}}}}\r\n0\r\n\r\n"
        );
        let castellan = guarding(Box::leak(bytes.into_boxed_str())).await;
        for document in ["{ open }", "{ open shut }"] {
            let answer = castellan.graphql("/graphql", None, document).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.json()["data"]["open"], "1", "{length}: {answer:?}");
            assert_ne!(answer.header("content-length"), Some(length));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_api_says_of_proofs_ranges_and_trailers_reaches_nobody() {
    let castellan = guarding(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndpop-nonce: theirs\r\n\
         content-range: bytes 0-20/21\r\naccept-ranges: bytes\r\ntrailer: set-cookie\r\n\
         transfer-encoding: chunked\r\n\r\n15\r\n{\"data\":{\"open\":\"1\"}}\r\n0\r\n\
         set-cookie: a=b\r\n\r\n",
    )
    .await;
    let address = castellan.url.replace("http://localhost", "127.0.0.1");
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(socket);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(castellan.at("/graphql"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(b"{\"query\":\"{ open }\"}")))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    for name in ["dpop-nonce", "content-range", "accept-ranges", "trailer"] {
        assert!(!answer.headers().contains_key(name), "{answer:?}");
    }
    let body = answer.into_body().collect().await.unwrap();
    assert!(body.trailers().is_none(), "{body:?}");
    assert_eq!(body.to_bytes(), "{\"data\":{\"open\":\"1\"}}");
}
