//! What a connection is doing, and so until when it may stay.
//!
//! Whoever reads and writes notes it here; one timer per connection looks now and then. Nothing is
//! set or reset for a request that comes and is answered in time.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, Sleep},
};

use super::head::Head;

/// From accept to the first whole head, and from the first byte of a later one to its end.
pub(crate) const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what is being written to it, or of one answer.
const STALLED: Duration = Duration::from_mins(1);
/// How long a connection with nothing on it may take to end, once it was asked to.
const CLOSING: Duration = Duration::from_secs(2);
/// How long what a client still sends is read after the answer, at most and without a byte.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_SILENT: Duration = Duration::from_secs(2);

/// The activity of one connection.
pub(crate) struct Activity {
    state: Mutex<State>,
    /// How long it may be idle.
    keep_alive: Duration,
}

struct State {
    phase: Phase,
    /// When that began.
    since: Instant,
    /// Requests that are being answered, by number.
    open: BTreeMap<u64, Answering>,
    /// The number of the next one.
    next: u64,
    http2: bool,
    /// What has come of the head that is on its way.
    head: Head,
    /// Something came that was not read to its end.
    unread: bool,
    /// Since when the client has taken nothing of what is being written.
    stalled: Option<Instant>,
    /// Since when it is being ended.
    ending: Option<Instant>,
    /// Others need its place.
    sent_away: bool,
    /// Wakes whoever looks at the timer.
    waker: Waker,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No whole head has come yet.
    Opening,
    /// Requests are being answered.
    Busy,
    /// Between requests; of the next one nothing has come.
    Idle,
    /// The beginning of a head has come.
    Head,
    /// All is said; what the client still sends is read for a while. When it last sent something.
    Lingering(Instant),
}

/// A request that is being answered, until this is dropped.
pub(crate) struct Open {
    activity: Arc<Activity>,
    number: u64,
}

/// What is known of an answer that is on its way. Over HTTP/2 the socket does not tell whether a
/// client takes it: each stream has a window of its own, and pings are answered all the same.
#[derive(Default)]
struct Answering {
    /// Since when the client has taken nothing of what it was offered.
    offered: Option<Instant>,
    /// Ends the stream; over HTTP/1.1 there is none.
    task: Option<AbortHandle>,
}

impl Activity {
    /// That of a connection that was just accepted.
    pub(crate) fn new(keep_alive: Duration) -> Arc<Self> {
        let state = State {
            phase: Phase::Opening,
            since: Instant::now(),
            open: BTreeMap::new(),
            next: 0,
            http2: false,
            head: Head::default(),
            unread: false,
            stalled: None,
            ending: None,
            sent_away: false,
            waker: Waker::noop().clone(),
        };
        Arc::new(Self { state: Mutex::new(state), keep_alive })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole head has come.
    pub(crate) fn begin(self: &Arc<Self>, http2: bool) -> Open {
        let mut state = self.state();
        state.enter(Phase::Busy);
        let number = state.next;
        state.next += 1;
        state.open.insert(number, Answering::default());
        state.http2 = http2;
        state.unread = false;
        state.head.clear();
        Open { activity: Arc::clone(self), number }
    }

    /// The request that has just begun is answered by `task`.
    pub(crate) fn note_task(&self, task: AbortHandle) {
        let mut state = self.state();
        let newest = state.next.wrapping_sub(1);
        // It may be over already.
        if let Some(answering) = state.open.get_mut(&newest).filter(|one| one.task.is_none()) {
            answering.task = Some(task);
        }
    }

    /// Ends the streams on which the client has taken nothing for too long; whether there was one.
    pub(crate) fn end_stalled_streams(&self) -> bool {
        let (mut ended, now) = (Vec::new(), Instant::now());
        for answering in self.state().open.values_mut() {
            let is_late = answering.offered.is_some_and(|since| since + STALLED <= now);
            if let Some(task) = answering.task.take_if(|_| is_late) {
                answering.offered = None;
                ended.push(task);
            }
        }
        // What is ended may look at the state.
        ended.iter().for_each(AbortHandle::abort);
        !ended.is_empty()
    }

    /// Whether the head that has just come has a `Content-Length`. That is not known of one that came
    /// while another request was answered.
    pub(crate) fn has_length(&self) -> bool {
        self.state().head.has_length()
    }

    /// Bytes have come.
    pub(crate) fn note_read(&self, bytes: &[u8]) {
        let mut state = self.state();
        match state.phase {
            Phase::Idle if !state.http2 => {
                state.unread = true;
                state.enter(Phase::Head);
                state.head.clear();
                state.head.extend(bytes);
            }
            Phase::Opening => {
                state.unread = true;
                state.head.extend(bytes);
            }
            Phase::Head => state.head.extend(bytes),
            Phase::Lingering(_) => state.phase = Phase::Lingering(Instant::now()),
            _ => {}
        }
    }

    /// Something was written; or it waits for the client to take what was written before.
    pub(crate) fn note_write(&self, waits: bool) {
        let mut state = self.state();
        if waits {
            state.stalled.get_or_insert_with(Instant::now);
        } else if state.stalled.take().is_some() && state.phase == Phase::Idle {
            state.since = Instant::now();
        }
    }

    /// The body of a request was not read to its end, and is not going to be.
    pub(crate) fn note_unread(&self) {
        self.state().unread = true;
    }

    /// What was left of a body has been read after its answer: it was no head.
    pub(crate) fn note_rest_read(&self) {
        let mut state = self.state();
        state.unread = false;
        state.head.clear();
        if state.phase == Phase::Head {
            state.enter(Phase::Idle);
        }
    }

    /// Whether something came that was not read to its end.
    pub(crate) fn is_unread(&self) -> bool {
        self.state().unread
    }

    /// All is said.
    pub(crate) fn linger(&self) {
        let mut state = self.state();
        state.stalled = None;
        let now = Instant::now();
        state.enter_at(Phase::Lingering(now), now);
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    /// Since when nothing is on its way.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.phase == Phase::Idle && !state.sent_away).then_some(state.since)
    }

    /// Whether it has not asked for anything yet.
    pub(crate) fn is_silent(&self) -> bool {
        let state = self.state();
        state.phase == Phase::Opening && !state.sent_away
    }

    /// Ends it, because others need its place.
    pub(crate) fn send_away(&self) {
        let mut state = self.state();
        state.sent_away = true;
        state.waker.wake_by_ref();
    }

    #[cfg(test)]
    pub(crate) fn is_sent_away(&self) -> bool {
        self.state().sent_away
    }

    /// Asks for the end; whether that is the first time.
    pub(crate) fn end(&self) -> bool {
        self.state().ending.replace(Instant::now()).is_none()
    }

    /// Ready once it may not go on as it is. To be polled after the connection itself.
    pub(crate) fn poll_expired(
        &self,
        mut timer: Pin<&mut Sleep>,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let deadline = {
                let mut state = self.state();
                if !state.waker.will_wake(context.waker()) {
                    state.waker.clone_from(context.waker());
                }
                state.deadline(self.keep_alive)
            };
            // One that is later is looked at when the timer rings.
            if let Some(deadline) = deadline.filter(|deadline| *deadline < timer.deadline()) {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => return Poll::Ready(()),
                Some(deadline) => timer.as_mut().reset(deadline),
                None => timer.as_mut().reset(now + STALLED),
            }
        }
    }
}

impl State {
    /// Until when it may go on as it is; for now for ever, without one.
    fn deadline(&self, keep_alive: Duration) -> Option<Instant> {
        let stalled = self.stalled.map(|since| since + STALLED);
        let phase = match (self.phase, self.ending) {
            (Phase::Lingering(last), _) => Some((self.since + LINGER).min(last + LINGER_SILENT)),
            (Phase::Busy, _) => {
                let offered = self.open.values().filter(|one| one.task.is_some());
                offered.filter_map(|one| one.offered).min().map(|since| since + STALLED)
            }
            (_, Some(asked)) => Some(asked + CLOSING),
            (_, None) if self.sent_away => Some(self.since),
            (Phase::Opening | Phase::Head, None) => Some(self.since + HEAD),
            (Phase::Idle, None) => Some(self.since + keep_alive),
        };
        stalled.into_iter().chain(phase).min()
    }

    fn enter(&mut self, phase: Phase) {
        self.enter_at(phase, Instant::now());
    }

    fn enter_at(&mut self, phase: Phase, now: Instant) {
        (self.phase, self.since) = (phase, now);
    }
}

impl Open {
    /// The client is offered a part of the answer; it has taken all before that.
    pub(crate) fn note_offered(&self) {
        self.set_offered(Some(Instant::now()));
    }

    /// The client has taken all that there is; the next part is waited for.
    pub(crate) fn note_taken(&self) {
        self.set_offered(None);
    }

    fn set_offered(&self, since: Option<Instant>) {
        if let Some(answering) = self.activity.state().open.get_mut(&self.number) {
            answering.offered = since;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.open.remove(&self.number);
        if state.open.is_empty() && state.phase == Phase::Busy {
            state.enter(Phase::Idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALIVE: Duration = Duration::from_secs(75);

    /// Seconds until it must end, from now.
    fn left(activity: &Activity) -> Option<u64> {
        let deadline = activity.state().deadline(KEEP_ALIVE);
        let left = deadline?.duration_since(Instant::now());
        Some((left + Duration::from_millis(500)).as_secs())
    }

    /// Lets so many seconds pass for `activity`.
    fn pass(activity: &Activity, seconds: u64) {
        let mut state = activity.state();
        let passed = Duration::from_secs(seconds);
        state.since -= passed;
        state.stalled = state.stalled.map(|since| since - passed);
        for answering in state.open.values_mut() {
            answering.offered = answering.offered.map(|since| since - passed);
        }
    }

    #[test]
    fn the_time_for_a_head_begins_with_its_first_byte() {
        let activity = Activity::new(KEEP_ALIVE);
        assert_eq!(left(&activity), Some(10));
        pass(&activity, 9);
        activity.note_read(b"G");
        assert_eq!(left(&activity), Some(1), "a byte now and then buys no time");
        let open = activity.begin(false);
        assert_eq!(left(&activity), None);
        drop(open);
        assert_eq!(left(&activity), Some(75));
        pass(&activity, 60);
        activity.note_read(b"G");
        assert_eq!(left(&activity), Some(10));
    }

    #[test]
    fn pings_do_not_keep_an_idle_connection_of_http_2_open() {
        let activity = Activity::new(KEEP_ALIVE);
        let (one, other) = (activity.begin(true), activity.begin(true));
        drop(one);
        assert_eq!(left(&activity), None);
        drop(other);
        pass(&activity, 70);
        activity.note_read(b"G");
        assert_eq!(left(&activity), Some(5));
    }

    #[test]
    fn whoever_takes_nothing_is_waited_for_a_minute() {
        let activity = Activity::new(KEEP_ALIVE);
        let _open = activity.begin(false);
        activity.note_write(true);
        pass(&activity, 20);
        activity.note_write(true);
        assert_eq!(left(&activity), Some(40));
        activity.note_write(false);
        assert_eq!(left(&activity), None);
    }

    #[tokio::test]
    async fn a_stream_of_which_nothing_is_taken_is_ended_after_a_minute_and_no_other() {
        let activity = Activity::new(KEEP_ALIVE);
        let begin = || {
            let open = activity.begin(true);
            let task = tokio::spawn(std::future::pending::<()>());
            activity.note_task(task.abort_handle());
            (open, task)
        };
        let [stalled, slow, silent] = [begin(), begin(), begin()];
        stalled.0.note_offered();
        slow.0.note_offered();
        assert_eq!(left(&activity), Some(60));
        pass(&activity, 40);
        slow.0.note_offered();
        // The API takes its time, and the client has all that there is.
        silent.0.note_offered();
        silent.0.note_taken();
        assert!(!activity.end_stalled_streams());
        pass(&activity, 20);
        assert_eq!(left(&activity), Some(0));
        assert!(activity.end_stalled_streams());
        assert!(stalled.1.await.unwrap_err().is_cancelled());
        assert_eq!(left(&activity), Some(40));
        assert!(!slow.1.is_finished() && !silent.1.is_finished());
    }

    #[test]
    fn what_is_asked_to_end_has_a_moment_unless_a_request_is_open() {
        let activity = Activity::new(KEEP_ALIVE);
        let open = activity.begin(true);
        assert!(activity.end());
        assert!(!activity.end());
        assert_eq!(left(&activity), None);
        drop(open);
        assert_eq!(left(&activity), Some(2));
    }

    #[tokio::test]
    async fn the_timer_rings_when_a_later_head_is_late() {
        let activity = Activity::new(KEEP_ALIVE);
        drop(activity.begin(false));
        let mut timer = std::pin::pin!(tokio::time::sleep(KEEP_ALIVE));
        let mut rings = std::pin::pin!(std::future::poll_fn(|context| {
            activity.poll_expired(timer.as_mut(), context)
        }));
        let moment = Duration::from_millis(20);
        assert!(tokio::time::timeout(moment, &mut rings).await.is_err());
        activity.note_read(b"G");
        pass(&activity, 10);
        assert!(tokio::time::timeout(HEAD / 2, rings).await.is_ok());
    }
}
