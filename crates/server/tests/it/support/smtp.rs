//! An SMTP server that keeps what it is sent: with STARTTLS (RFC 3207) and AUTH PLAIN (RFC 4954).

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::tls::support::Certified;

/// What a server does.
#[derive(Default)]
pub struct Manner {
    /// Its certificate; without one, it offers no STARTTLS.
    pub certified: Option<Certified>,
    /// The user name and the password that it demands.
    pub login: Option<(&'static str, &'static str)>,
}

/// A message that was accepted for delivery.
#[derive(Clone, Debug)]
pub struct Mail {
    pub to: String,
    /// Header and body, as they were sent.
    pub raw: String,
    /// The same without soft line breaks (RFC 2045 §6.7).
    pub text: String,
}

/// The server.
pub struct Smtp {
    pub port: u16,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    mails: Vec<Mail>,
    /// What was said before anything was encrypted.
    clear: Vec<String>,
}

impl Smtp {
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (manner, kept) = (Arc::new(manner), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&manner), Arc::clone(&kept)));
            }
        });
        Self { port, seen }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.seen.lock().unwrap().mails.clone()
    }

    /// What was said before anything was encrypted.
    pub fn clear(&self) -> Vec<String> {
        self.seen.lock().unwrap().clear.clone()
    }

    /// The message number `count`, as soon as it is there.
    pub async fn until(&self, count: usize) -> Mail {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if let Some(mail) = self.mails().get(count - 1) {
                return mail.clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there is no message number {count}: {:?}", self.mails());
    }
}

impl Mail {
    /// The code in it.
    pub fn code(&self) -> String {
        let digits = |line: &&str| line.len() == 9 && line.replace(' ', "").len() == 8;
        let line = self.text.lines().map(str::trim).find(digits);
        line.unwrap_or_else(|| panic!("no code: {self:?}")).to_owned()
    }

    /// The link in it.
    pub fn link(&self) -> String {
        let line = self.text.lines().map(str::trim).find(|line| line.starts_with("http"));
        line.unwrap_or_else(|| panic!("no link: {self:?}")).to_owned()
    }
}

async fn serve(mut socket: TcpStream, manner: Arc<Manner>, seen: Arc<Mutex<Seen>>) {
    let Ok(()) = socket.write_all(b"220 mail.test ESMTP\r\n").await else { return };
    let Some(socket) = talk(socket, false, (&manner, &seen)).await else { return };
    let Some(certified) = &manner.certified else { return };
    let certificate = CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    // The client hangs up if it does not trust the certificate.
    let Ok(socket) = TlsAcceptor::from(Arc::new(config)).accept(socket).await else { return };
    talk(socket, true, (&manner, &seen)).await;
}

/// Answers commands until the client asks for STARTTLS; then with the connection.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    is_encrypted: bool,
    (manner, seen): (&Manner, &Mutex<Seen>),
) -> Option<S> {
    let (mut socket, mut is_in, mut to) = (BufReader::new(socket), false, String::new());
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if !is_encrypted {
            seen.lock().unwrap().clear.push(line.to_owned());
        }
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => ehlo(manner, is_encrypted),
            "STARTTLS" if manner.certified.is_some() && !is_encrypted => {
                socket.write_all(b"220 go ahead\r\n").await.ok()?;
                return Some(socket.into_inner());
            }
            "AUTH" => {
                is_in = login_of(rest)
                    == manner.login.map(|(user, password)| (user.to_owned(), password.to_owned()));
                if is_in { "235 welcome\r\n" } else { "535 no\r\n" }.to_owned()
            }
            "MAIL" if manner.login.is_some() && !is_in => "530 sign in first\r\n".to_owned(),
            "RCPT" => {
                to = rest.trim_start_matches("TO:<").split('>').next().unwrap().to_owned();
                if to.starts_with("nobody@") { "550 no such mailbox\r\n" } else { "250 ok\r\n" }
                    .to_owned()
            }
            "DATA" => {
                socket.write_all(b"354 go on\r\n").await.ok()?;
                let mut raw = String::new();
                while !raw.ends_with("\r\n.\r\n") {
                    socket.read_line(&mut raw).await.ok()?;
                }
                let text = raw.replace("=\r\n", "").replace("=3D", "=");
                seen.lock().unwrap().mails.push(Mail { to: to.clone(), raw, text });
                "250 accepted\r\n".to_owned()
            }
            "QUIT" => {
                let _ = socket.write_all(b"221 bye\r\n").await;
                return None;
            }
            _ => "250 ok\r\n".to_owned(),
        };
        socket.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn ehlo(manner: &Manner, is_encrypted: bool) -> String {
    let mut lines = vec!["mail.test"];
    if manner.certified.is_some() && !is_encrypted {
        lines.push("STARTTLS");
    }
    // Offered in clear as well: a client with sense does not take it.
    if manner.login.is_some() {
        lines.push("AUTH PLAIN LOGIN");
    }
    lines.push("8BITMIME");
    let last = lines.len() - 1;
    let line =
        |(at, text): (usize, &&str)| format!("250{}{text}\r\n", if at == last { " " } else { "-" });
    lines.iter().enumerate().map(line).collect()
}

/// The user name and the password of `PLAIN <base64>`.
fn login_of(argument: &str) -> Option<(String, String)> {
    let coded = argument.strip_prefix("PLAIN ")?;
    let text = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
    let mut parts = text.split('\0').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}
