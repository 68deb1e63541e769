//! One slice of load: a number of connections, for a length of time, from one thread.
//!
//! A closed loop asks again as soon as it has been answered, so it finds out how much a server can
//! do. An open loop lets requests arrive at a fixed rate, whether the ones before are answered or
//! not, and measures each from its arrival, so it shows the queueing that a closed loop hides.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{interval, sleep, timeout},
};

use crate::{
    fault::Fault,
    histogram::Histogram,
    proc::{Tree, own_cpu},
    wire::Wire,
};

/// What one connection does over and over.
#[async_trait(?Send)]
pub trait Work {
    /// Does it once, and compares every response with the expected one.
    ///
    /// # Errors
    /// [`Fault`] if anything but the right answer came. It ends the case.
    async fn once(&mut self, wire: &mut Wire) -> Result<Done, Fault>;
}

/// What came of one unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The work was done.
    Once,
    /// There was nothing left to do it with; the slice ends for all connections.
    Dry,
}

/// How load is made.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Connections, each of which has one request open at most.
    pub connections: usize,
    /// How long load runs before anything is counted.
    pub warm_up: Duration,
    /// How long it is counted.
    pub time: Duration,
    /// Arrivals per second of an open loop; a closed loop without it.
    pub rate: Option<u32>,
    /// How many units of work are prepared, if their number is known.
    pub units: Option<usize>,
}

/// What one slice came to.
pub struct Measured {
    /// Units of work that were done in time.
    pub answered: u64,
    /// Arrivals that were not handled (open loop only).
    pub unanswered: u64,
    /// How long was counted.
    pub elapsed: Duration,
    /// How long each unit took; from its arrival in an open loop.
    pub latencies: Histogram,
    /// Processor time of the server's process tree.
    pub server: Duration,
    /// The part of it that threads which check passwords used.
    pub passwords: Duration,
    /// Processor time of this driver.
    pub driver: Duration,
}

/// How long answers may be late at the end before the server counts as silent.
const PATIENCE: Duration = Duration::from_secs(20);
/// The name of the threads that Castellan checks passwords on.
const PASSWORD_THREADS: &str = "passwords";
/// Arrivals are released in steps of this length, the resolution of the timer.
const STEP: Duration = Duration::from_millis(1);

/// What the connections of a slice share.
struct Floor {
    /// Whether work continues.
    open: Cell<bool>,
    /// From when on what is done counts.
    since: Cell<Option<Instant>>,
    latencies: RefCell<Histogram>,
    arrivals: Arrivals,
    /// A connection has run out of work, or failed.
    early: Notify,
}

/// Requests that have arrived and wait for a connection.
struct Arrivals {
    waiting: RefCell<VecDeque<Instant>>,
    there: Semaphore,
}

impl Floor {
    /// In a closed loop what ends in time counts, whenever it began.
    fn note(&self, began: Instant) {
        if self.since.get().is_some() {
            self.latencies.borrow_mut().record(began.elapsed());
        }
    }

    /// In an open loop what arrives in time counts, whenever it is answered.
    fn note_arrival(&self, arrived: Instant) {
        if self.since.get().is_some_and(|since| arrived >= since) {
            self.note(arrived);
        }
    }
}

impl Arrivals {
    async fn next(&self) -> Option<Instant> {
        self.there.acquire().await.ok()?.forget();
        self.waiting.borrow_mut().pop_front()
    }

    fn push(&self, at: Instant, count: usize) {
        self.waiting.borrow_mut().extend(std::iter::repeat_n(at, count));
        self.there.add_permits(count);
    }
}

/// Runs one slice against `address` and watches the process tree `server` meanwhile.
///
/// # Errors
/// The first [`Fault`] of any connection, or [`Fault::Silent`].
pub async fn run(
    slice: &Slice,
    (address, server): (SocketAddr, &Tree),
    mut work: impl FnMut(usize) -> Box<dyn Work>,
) -> Result<Measured, Fault> {
    let floor = Rc::new(Floor {
        open: Cell::new(true),
        since: Cell::new(None),
        latencies: RefCell::default(),
        arrivals: Arrivals { waiting: RefCell::default(), there: Semaphore::new(0) },
        early: Notify::new(),
    });
    let mut workers = JoinSet::new();
    for at in 0..slice.connections {
        let mut wire = Wire::to(address);
        wire.open().await?;
        let (floor, work) = (Rc::clone(&floor), work(at));
        let closed = slice.rate.is_none();
        workers.spawn_local(async move {
            let done = if closed {
                closed_loop(&floor, wire, work).await
            } else {
                open_loop(&floor, wire, work).await
            };
            if done.is_err() {
                floor.early.notify_one();
            }
            done
        });
    }
    let mut dispatcher = JoinSet::new();
    if let Some(rate) = slice.rate {
        let floor = Rc::clone(&floor);
        dispatcher.spawn_local(async move { dispatch(&floor, rate).await });
    }
    let early = async |time| timeout(time, floor.early.notified()).await.is_ok();
    let mut over = early(slice.warm_up).await;
    let before = Usage::of(server);
    let since = Instant::now();
    floor.since.set(Some(since));
    over = over || early(slice.time).await;
    let (elapsed, after) = (since.elapsed(), Usage::of(server));
    dispatcher.abort_all();
    // What arrived in time counts later, too; what a closed loop ends from now on does not.
    floor.since.set(Some(since).filter(|_| slice.rate.is_some()));
    floor.open.set(false);
    drain(&floor, over).await;
    end(&mut workers).await?;
    let latencies = floor.latencies.take();
    Ok(Measured {
        answered: latencies.count(),
        unanswered: floor.arrivals.waiting.borrow().len() as u64,
        elapsed,
        latencies,
        server: after.server.saturating_sub(before.server),
        passwords: after.passwords.saturating_sub(before.passwords),
        driver: after.driver.saturating_sub(before.driver),
    })
}

/// Has `connections` do their work until there is nothing left to do, or `time` has passed.
///
/// # Errors
/// The first [`Fault`] of any connection, or [`Fault::Silent`].
pub async fn until_dry(
    (address, connections): (SocketAddr, usize),
    time: Duration,
    mut work: impl FnMut(usize) -> Box<dyn Work>,
) -> Result<(), Fault> {
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for at in 0..connections {
        let (mut wire, mut work) = (Wire::to(address), work(at));
        workers.spawn_local(async move {
            while began.elapsed() < time && work.once(&mut wire).await? == Done::Once {}
            Ok(())
        });
    }
    let all = async {
        while let Some(ended) = workers.join_next().await {
            ended.unwrap_or_else(|error| Err(Fault::failed(error.to_string())))?;
        }
        Ok(())
    };
    timeout(time + PATIENCE, all).await.unwrap_or(Err(Fault::Silent(PATIENCE.as_secs())))
}

/// Lets what has arrived be answered, but not for ever.
async fn drain(floor: &Floor, over: bool) {
    let began = Instant::now();
    while !over && !floor.arrivals.waiting.borrow().is_empty() && began.elapsed() < PATIENCE {
        sleep(STEP).await;
    }
    floor.arrivals.there.close();
}

/// Waits for every connection's last answer.
async fn end(workers: &mut JoinSet<Result<(), Fault>>) -> Result<(), Fault> {
    let mut first = Ok(());
    let all = async {
        while let Some(ended) = workers.join_next().await {
            let done = ended.unwrap_or_else(|error| Err(Fault::failed(error.to_string())));
            if first.is_ok() {
                first = done;
            }
        }
    };
    match timeout(PATIENCE, all).await {
        Ok(()) => first,
        Err(_) => Err(Fault::Silent(PATIENCE.as_secs())),
    }
}

async fn closed_loop(floor: &Floor, mut wire: Wire, mut work: Box<dyn Work>) -> Result<(), Fault> {
    while floor.open.get() {
        let began = Instant::now();
        match work.once(&mut wire).await? {
            Done::Once => floor.note(began),
            Done::Dry => {
                floor.early.notify_one();
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn open_loop(floor: &Floor, mut wire: Wire, mut work: Box<dyn Work>) -> Result<(), Fault> {
    while let Some(arrived) = floor.arrivals.next().await {
        match work.once(&mut wire).await? {
            Done::Once => floor.note_arrival(arrived),
            Done::Dry => {
                floor.early.notify_one();
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Lets requests arrive at `rate` per second until it is aborted.
async fn dispatch(floor: &Floor, rate: u32) {
    let began = Instant::now();
    let mut ticks = interval(STEP);
    let mut sent = 0_u128;
    loop {
        ticks.tick().await;
        let due = began.elapsed().as_micros() * u128::from(rate) / 1_000_000;
        let count = usize::try_from(due - sent).unwrap_or_default();
        sent = due;
        floor.arrivals.push(Instant::now(), count);
    }
}

/// Processor time so far.
struct Usage {
    server: Duration,
    passwords: Duration,
    driver: Duration,
}

impl Usage {
    fn of(server: &Tree) -> Self {
        Self {
            server: server.cpu(),
            passwords: server.cpu_of_threads(PASSWORD_THREADS),
            driver: own_cpu(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::LocalSet};

    use super::*;

    /// Work that takes some time and sends nothing.
    #[derive(Clone)]
    struct Wait {
        takes: Duration,
        left: Rc<Cell<usize>>,
        then: fn() -> Result<Done, Fault>,
    }

    #[async_trait(?Send)]
    impl Work for Wait {
        async fn once(&mut self, _: &mut Wire) -> Result<Done, Fault> {
            let Some(left) = self.left.get().checked_sub(1) else { return (self.then)() };
            self.left.set(left);
            sleep(self.takes).await;
            Ok(Done::Once)
        }
    }

    fn wait(millis: u64, times: usize) -> Wait {
        let left = Rc::new(Cell::new(times));
        Wait { takes: Duration::from_millis(millis), left, then: || Ok(Done::Dry) }
    }

    /// A slice of 300 ms against a listener that accepts nothing.
    async fn slice(rate: Option<u32>, work: &Wait) -> Result<Measured, Fault> {
        let (warm_up, time) = (Duration::from_millis(50), Duration::from_millis(300));
        let slice = Slice { connections: 2, warm_up, time, rate, units: None };
        let tree = Tree::of(std::process::id()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let of = (listener.local_addr().unwrap(), &tree);
        LocalSet::new().run_until(run(&slice, of, |_| Box::new(work.clone()))).await
    }

    #[tokio::test]
    async fn a_closed_loop_asks_again_as_soon_as_it_is_answered() {
        let measured = slice(None, &wait(10, usize::MAX)).await.unwrap();
        // Two connections, ten milliseconds each; a busy machine may be slower, never faster.
        let most = 2 * (measured.elapsed.as_millis() / 10 + 1);
        assert!((2..=most).contains(&u128::from(measured.answered)), "{}", measured.answered);
        assert!(measured.elapsed >= Duration::from_millis(300));
        assert!(measured.latencies.quantile(0.0) >= Duration::from_millis(9));
    }

    #[tokio::test]
    async fn an_open_loop_measures_from_the_arrival() {
        let measured = slice(Some(100), &wait(1, usize::MAX)).await.unwrap();
        let due = measured.elapsed.as_millis() / 10;
        assert!(due.abs_diff(u128::from(measured.answered)) <= 5, "{}", measured.answered);
        // Two connections do 100 a second at most; of 200 a second half have to wait.
        let measured = slice(Some(200), &wait(20, usize::MAX)).await.unwrap();
        assert_eq!(measured.unanswered, 0);
        assert!(measured.answered >= 40, "{}", measured.answered);
        assert!(measured.latencies.quantile(0.99) > Duration::from_millis(100));
    }

    #[tokio::test]
    async fn a_slice_ends_when_there_is_nothing_left_or_something_is_wrong() {
        let measured = slice(None, &wait(10, 4)).await.unwrap();
        assert!(measured.elapsed < Duration::from_millis(299));
        let wrong = Wait { then: || Err(Fault::Closed), ..wait(10, 4) };
        assert!(matches!(slice(None, &wrong).await, Err(Fault::Closed)));
        assert!(matches!(slice(Some(1_000), &wrong).await, Err(Fault::Closed)));
    }
}
