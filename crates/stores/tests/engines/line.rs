//! A line to a server that counts round trips, and that can be cut or held up.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Forwards what comes to [`Line::address`], as long as it is whole.
pub struct Line {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    health: watch::Sender<Health>,
}

#[derive(Default)]
struct State {
    trips: usize,
    connections: usize,
    most_connections: usize,
    plan: Option<Cut>,
}

/// When the line is cut: at the trip of this number, the first one being 1.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub trip: usize,
    pub moment: Moment,
}

/// On which side of what the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request does not arrive.
    Before,
    /// It arrives, and its answer does not.
    After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Whole,
    /// Connections are there, and nothing comes through.
    Held,
    Cut,
}

impl Line {
    /// A line to `server`, such as `127.0.0.1:5432`.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let health = watch::Sender::new(Health::Whole);
        let shared = Arc::new(Shared { state: Mutex::default(), health });
        let (server, accepting) = (server.to_owned(), Arc::clone(&shared));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).connect(near, server.clone()));
            }
        });
        Self { address, shared }
    }

    /// The same address as `url`, through a line of its own.
    pub async fn through(url: &str) -> (Self, String) {
        // The server is what stands between the last `//` or `@` and the next `/` or `?`.
        let from = url.rfind("//").unwrap() + 2;
        let from = url[from..].find('@').map_or(from, |at| from + at + 1);
        let to = url[from..].find(['/', '?', '&']).map_or(url.len(), |at| from + at);
        let line = Self::to(&url[from..to]).await;
        let through = format!("{}{}{}", &url[..from], line.address, &url[to..]);
        (line, through)
    }

    /// Counts from here on, and cuts by `plan`.
    pub fn arm(&self, plan: Option<Cut>) {
        let mut state = self.shared.state();
        (state.trips, state.plan) = (0, plan);
    }

    /// The round trips since [`Line::arm`].
    pub fn trips(&self) -> usize {
        self.shared.state().trips
    }

    /// How many connections there were at most at a time.
    pub fn most_connections(&self) -> usize {
        self.shared.state().most_connections
    }

    /// Whether it was cut and not mended.
    pub fn is_cut(&self) -> bool {
        *self.shared.health.borrow() == Health::Cut
    }

    /// Lets nothing through, and ends nothing.
    pub fn hold(&self) {
        self.shared.health.send_replace(Health::Held);
    }

    /// All is well again.
    pub fn mend(&self) {
        let mut state = self.shared.state();
        (state.trips, state.plan) = (0, None);
        // Under the lock, as cutting is: what was to cut it before comes too late.
        self.shared.health.send_replace(Health::Whole);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn connect(self: Arc<Self>, near: TcpStream, server: String) {
        {
            let mut state = self.state();
            state.connections += 1;
            state.most_connections = state.most_connections.max(state.connections);
        }
        let mut health = self.health.subscribe();
        if let Ok(far) = TcpStream::connect(server).await {
            tokio::select! {
                () = self.forward(near, far) => {}
                _ = health.wait_for(|health| *health == Health::Cut) => {}
            }
        }
        self.state().connections -= 1;
    }

    async fn forward(&self, mut near: TcpStream, mut far: TcpStream) {
        let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
        let (mut is_answered, mut health) = (true, self.health.subscribe());
        loop {
            tokio::select! {
                Ok(length) = near.read(&mut asked) => {
                    if length == 0 {
                        return;
                    }
                    let turn = if is_answered { self.turn() } else { None };
                    is_answered = false;
                    let _ = health.wait_for(|health| *health != Health::Held).await;
                    if turn != Some(Moment::Before) {
                        let _ = far.write_all(&asked[..length]).await;
                    }
                    if turn == Some(Moment::After) {
                        // Long enough for it to be done: its answer is there.
                        let _ = far.read(&mut answered).await;
                    }
                    if turn.is_some() {
                        self.cut();
                        return;
                    }
                }
                Ok(length) = far.read(&mut answered) => {
                    let _ = health.wait_for(|health| *health != Health::Held).await;
                    is_answered = true;
                    if length == 0 || near.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    /// Cuts every connection, unless the line was mended since.
    fn cut(&self) {
        let state = self.state();
        if state.plan.is_some() {
            self.health.send_replace(Health::Cut);
        }
    }

    /// Counts a trip. On which side of it the line is cut, if it is.
    fn turn(&self) -> Option<Moment> {
        let mut state = self.state();
        state.trips += 1;
        let plan = state.plan?;
        (state.trips == plan.trip).then_some(plan.moment)
    }
}
