//! The attacks of the siege: each is a connection, or one after another, until the siege ends.

use std::{cell::Cell, fmt::Write as _, net::SocketAddr, rc::Rc, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    fault::Fault,
    peers::castellan::GATE,
    wire::{Request, Wire},
};

/// What was done, and what should not have been.
#[derive(Default)]
pub struct Tally {
    /// Connections opened by attacks.
    pub connections: Cell<u64>,
    /// Sign-ins that were started.
    pub begun: Cell<u64>,
    /// Sign-ins that were refused for a while, as one source began too many.
    pub refused: Cell<u64>,
    /// Denied documents that were answered.
    pub denied: Cell<u64>,
    /// Bodies that were too large, and answered so.
    pub large: Cell<u64>,
    /// Connections that were there for longer than they may be.
    pub overstayed: Cell<u64>,
    /// The first answer that was not the right one.
    pub wrong: Cell<Option<String>>,
}

/// What a connection does.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Sends this and nothing more.
    Rests(&'static [u8]),
    /// Sends a line a second.
    Slow,
    /// Sends bytes that are not a valid head.
    Junk,
    /// Asks for much and takes nothing of it.
    Deaf,
}

/// The beginning of every connection of HTTP/2, with settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// How many connections do what. More than the server has file handles for.
const ATTACKS: [(usize, Attack); 7] = [
    (300, Attack::Rests(b"")),
    (80, Attack::Rests(b"PRI * HTTP/2")),
    (80, Attack::Rests(PREFACE)),
    (80, Attack::Rests(b"GET /healthz HTTP/1.1\r\nhost: loc")),
    (80, Attack::Slow),
    (20, Attack::Junk),
    (10, Attack::Deaf),
];
/// How long a connection without a whole head may be there: ten seconds, and what a busy machine
/// takes; and one that takes nothing of its answer, a minute.
const STAY: Duration = Duration::from_secs(15);
const STAY_DEAF: Duration = Duration::from_secs(75);
/// How long an attacker waits before the next connection.
const PAUSE: Duration = Duration::from_millis(500);
/// Sign-ins started, and denied documents and large bodies sent, per second.
const SIGN_INS: u64 = 10;
const DENIED: u64 = 25;
const LARGE: u64 = 2;
/// Bytes of a large body.
const BODY: usize = 4 * 1024 * 1024;

/// Starts the siege of the server at `address`. It ends when the set is dropped.
pub fn begin(address: SocketAddr, tally: &Rc<Tally>) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for (count, attack) in ATTACKS {
        for at in 0..count {
            let tally = Rc::clone(tally);
            all.spawn_local(async move {
                // Not all at the same moment.
                sleep(PAUSE * u32::try_from(at % 20).unwrap_or_default() / 20).await;
                loop {
                    connect(address, attack, &tally).await;
                    sleep(PAUSE).await;
                }
            });
        }
    }
    all.spawn_local(repeat(Rc::clone(tally), SIGN_INS, address, async move |wire, _, tally| {
        let request = Request::new("GET", "/auth/login", address).empty();
        let answer = wire.ask(&request).await?;
        // All of them have one source, which may begin only so many.
        if answer.status == 429 && answer.headers("retry-after").next().is_some() {
            tally.refused.set(tally.refused.get() + 1);
            return Ok(());
        }
        answer.expect("the beginning of a sign-in", 303, b"")?;
        tally.begun.set(tally.begun.get() + 1);
        Ok(())
    }));
    all.spawn_local(repeat(Rc::clone(tally), DENIED, address, async move |wire, number, tally| {
        let request = Request::new("POST", GATE, address).header("accept", "application/json");
        let request = request.body("application/json", &denied(number));
        wire.ask(&request).await?.expect("a denied document", 200, b"\"errors\"")?;
        tally.denied.set(tally.denied.get() + 1);
        Ok(())
    }));
    all.spawn_local(repeat(Rc::clone(tally), LARGE, address, async move |wire, _, tally| {
        let request = Request::new("POST", GATE, address).header("accept", "application/json");
        let request = request.body("application/json", &"x".repeat(BODY));
        wire.ask(&request).await?.expect("a body that is too large", 413, b"TOO_LARGE")?;
        tally.large.set(tally.large.get() + 1);
        Ok(())
    }));
    all
}

/// The largest denial that is let through, with names that are new each time.
fn denied(number: u64) -> String {
    let fields = (0..60).fold(String::new(), |mut text, at| {
        let _ = write!(text, "{}{number}_{at}: Person {{ name }} ", "x".repeat(230));
        text
    });
    json!({"query": format!("{{ {fields} }}")}).to_string()
}

async fn repeat(
    tally: Rc<Tally>,
    rate: u64,
    address: SocketAddr,
    mut once: impl AsyncFnMut(&mut Wire, u64, &Tally) -> Result<(), Fault>,
) {
    let began = Instant::now();
    let mut wire = Wire::to(address);
    for number in 0.. {
        let due = Duration::from_millis(number * 1_000 / rate);
        tokio::time::sleep_until(began + due).await;
        if let Err(fault) = once(&mut wire, number, &tally).await {
            // A connection may be closed between two requests where others need its place.
            if !matches!(fault, Fault::Closed | Fault::Io(_)) {
                tally.wrong.set(Some(fault.to_string()));
            }
        }
    }
}

/// One connection from its beginning until the server ends it.
async fn connect(address: SocketAddr, attack: Attack, tally: &Tally) {
    let Ok(mut socket) = TcpStream::connect(address).await else { return };
    tally.connections.set(tally.connections.get() + 1);
    let stay = if matches!(attack, Attack::Deaf) { STAY_DEAF } else { STAY };
    let ended = timeout(stay, async {
        match attack {
            Attack::Rests(beginning) => {
                let _ = socket.write_all(beginning).await;
                until_end(&mut socket).await;
            }
            Attack::Slow => {
                let mut line: &[u8] = b"GET /healthz HTTP/1.1\r\n";
                while socket.write_all(line).await.is_ok() {
                    line = b"x-slow: 1\r\n";
                    sleep(Duration::from_secs(1)).await;
                }
            }
            Attack::Junk => {
                let _ = socket.write_all(&[b'\x16'; 4_096]).await;
                until_end(&mut socket).await;
            }
            Attack::Deaf => {
                let one =
                    b"GET /.well-known/openid-configuration HTTP/1.1\r\nhost: localhost\r\n\r\n";
                // It ends by an error once the server has ended it.
                while socket.write_all(one).await.is_ok() {}
            }
        }
    })
    .await;
    if ended.is_err() {
        tally.overstayed.set(tally.overstayed.get() + 1);
    }
}

async fn until_end(socket: &mut TcpStream) {
    let mut piece = [0; 1_024];
    while socket.read(&mut piece).await.is_ok_and(|count| count > 0) {}
}
