//! One keep-alive connection, and the requests that go over it.

use std::{fmt::Write as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};

use crate::{
    answer::{self, Answer, Framing, Head},
    fault::Fault,
};

/// A connection that is opened when it is first needed, and again after the server closed it
/// between two answers.
pub struct Wire {
    address: SocketAddr,
    /// What it is opened with, over TLS.
    tls: Option<TlsConnector>,
    socket: Option<Socket>,
    bytes: Vec<u8>,
    body: Vec<u8>,
}

impl Wire {
    /// A connection to `address`, not open yet.
    #[must_use]
    pub const fn to(address: SocketAddr) -> Self {
        Self { address, tls: None, socket: None, bytes: Vec::new(), body: Vec::new() }
    }

    /// The same over TLS.
    #[must_use]
    pub fn over_tls(address: SocketAddr, connector: TlsConnector) -> Self {
        Self { tls: Some(connector), ..Self::to(address) }
    }

    /// Closes the connection: the next request opens another one.
    pub fn close(&mut self) {
        self.socket = None;
    }

    /// Opens the connection if it is not.
    ///
    /// # Errors
    /// [`Fault::Io`] if nothing listens.
    pub async fn open(&mut self) -> Result<(), Fault> {
        self.opened().await.map(drop)
    }

    async fn opened(&mut self) -> Result<&mut Socket, Fault> {
        if self.socket.is_none() {
            let socket = TcpStream::connect(self.address).await?;
            socket.set_nodelay(true)?;
            self.socket = Some(match &self.tls {
                None => Socket::Plain(socket),
                Some(tls) => {
                    let name = ServerName::try_from("localhost")
                        .map_err(|error| Fault::failed(error.to_string()))?;
                    Socket::Tls(Box::new(tls.connect(name, socket).await?))
                }
            });
        }
        self.socket.as_mut().ok_or(Fault::Closed)
    }

    /// Sends `request`, which is a whole one, and reads the answer.
    ///
    /// # Errors
    /// [`Fault`] if no complete response was received. The next request opens a new connection.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, Fault> {
        let Exchange { head, whole } = match self.exchange(request).await {
            Ok(exchange) => exchange,
            Err(fault) => {
                self.socket = None;
                return Err(fault);
            }
        };
        if head.closes {
            self.socket = None;
        }
        let body = match head.body {
            Framing::Chunked => &self.body[..],
            Framing::Length(_) | Framing::UntilClose => &self.bytes[head.length..whole],
        };
        Ok(Answer { status: head.status, head: &self.bytes[..head.length], body })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Exchange, Fault> {
        self.opened().await?.write_all(request).await?;
        self.bytes.clear();
        let head = loop {
            if let Some(head) = answer::head(&self.bytes)? {
                break head;
            }
            if self.more().await? == 0 {
                return Err(Fault::Closed);
            }
        };
        let whole = loop {
            match head.body {
                Framing::Length(length) if self.bytes.len() >= head.length + length => {
                    break head.length + length;
                }
                Framing::Chunked => {
                    let rest = &self.bytes[head.length..];
                    if let Some(took) = answer::dechunk(rest, &mut self.body)? {
                        break head.length + took;
                    }
                }
                Framing::Length(_) | Framing::UntilClose => {}
            }
            if self.more().await? == 0 {
                if head.body == Framing::UntilClose {
                    break self.bytes.len();
                }
                return Err(Fault::Closed);
            }
        };
        if self.bytes.len() > whole {
            return Err(Fault::Malformed("something follows that nobody asked for"));
        }
        Ok(Exchange { head, whole })
    }

    async fn more(&mut self) -> Result<usize, Fault> {
        self.bytes.reserve(4_096);
        let socket = self.socket.as_mut().ok_or(Fault::Closed)?;
        Ok(socket.read_buf(&mut self.bytes).await?)
    }
}

/// A connection that is open.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    async fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
            Self::Tls(socket) => {
                socket.write_all(bytes).await?;
                socket.flush().await
            }
        }
    }

    async fn read_buf(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read_buf(bytes).await,
            Self::Tls(socket) => socket.read_buf(bytes).await,
        }
    }
}

struct Exchange {
    head: Head,
    /// Bytes of head and body, as they came.
    whole: usize,
}

/// A request in the making.
pub struct Request {
    head: String,
}

impl Request {
    /// A request for `target` to `address`.
    #[must_use]
    pub fn new(method: &str, target: &str, address: SocketAddr) -> Self {
        // Every server here gets its own address, under the name that its issuer has.
        let head = format!("{method} {target} HTTP/1.1\r\nhost: localhost:{}\r\n", address.port());
        Self { head }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.head, "{name}: {value}\r\n");
        self
    }

    /// Without a body, as it goes over the wire.
    #[must_use]
    pub fn empty(self) -> Vec<u8> {
        (self.head + "\r\n").into_bytes()
    }

    /// With a body, as it goes over the wire.
    #[must_use]
    pub fn body(self, media_type: &str, body: &str) -> Vec<u8> {
        let length = body.len().to_string();
        let head = self.header("content-type", media_type).header("content-length", &length).head;
        format!("{head}\r\n{body}").into_bytes()
    }

    /// With a form, as it goes over the wire.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Vec<u8> {
        self.body("application/x-www-form-urlencoded", &query(pairs))
    }
}

/// `pairs` as a query or a form.
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// The parameter `name` of a URL's query, whose value must not need decoding.
#[must_use]
pub fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    let query = query.split('#').next()?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_and_measured() {
        let request = Request::new("POST", "/token", ([127, 0, 0, 1], 80).into());
        let text = String::from_utf8(request.form(&[("scope", "a b"), ("x", "1:é")])).unwrap();
        assert_eq!(
            text,
            "POST /token HTTP/1.1\r\nhost: localhost:80\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 23\r\n\r\n\
             scope=a%20b&x=1%3A%C3%A9"
                .replace("23", &"scope=a%20b&x=1%3A%C3%A9".len().to_string())
        );
    }

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        let url = "https://app.example/back?xcode=no&code=abc&state=s#end";
        assert_eq!(parameter(url, "code"), Some("abc"));
        assert_eq!(parameter(url, "state"), Some("s"));
        assert_eq!(parameter(url, "iss"), None);
    }

    #[tokio::test]
    async fn answers_come_one_after_another_and_a_closed_connection_is_opened_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let answers: [&[u8]; 3] = [
                b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nho\r\n0\r\n\r\n",
                b"HTTP/1.0 200 OK\r\n\r\nbye",
            ];
            for times in [3, 1] {
                let (mut socket, _) = listener.accept().await.unwrap();
                for answer in &answers[..times] {
                    let _ = socket.read(&mut [0; 1_024]).await.unwrap();
                    for part in answer.chunks(7) {
                        socket.write_all(part).await.unwrap();
                        socket.flush().await.unwrap();
                    }
                }
            }
        });
        let mut wire = Wire::to(address);
        for body in ["hi", "ho", "bye", "hi"] {
            assert_eq!(wire.ask(b"GET / HTTP/1.1\r\n\r\n").await.unwrap().text(), body);
        }
        assert!(matches!(wire.ask(b"x").await, Err(Fault::Closed | Fault::Io(_))));
    }
}
