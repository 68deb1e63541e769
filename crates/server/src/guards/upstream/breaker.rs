//! The circuit breaker: an API that has failed several times in a row is left alone for a moment,
//! then tried by one request, and by all again once that is answered.
//!
//! While all is well it costs two reads of memory that nobody writes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Failures in a row after which it is left alone.
const FAILURES: u32 = 5;
/// For how long at first; twice as long after each try that fails as well.
const PAUSE: Duration = Duration::from_secs(1);
/// For how long at most.
const LONGEST: Duration = Duration::from_secs(30);
/// A caller who goes away after waiting so long for an answer was not answered.
const SLOW: Duration = Duration::from_secs(10);
/// When a try of which nothing was heard is over: longer than one may wait for an answer.
const LEASE: Duration = Duration::from_mins(1);

/// The state of one API.
pub(super) struct Breaker {
    origin: String,
    started: Instant,
    /// In a row.
    failures: AtomicU32,
    /// Milliseconds since the start from which on one request may try; zero while all may.
    open_until: AtomicU64,
}

/// A request to the API of which it is not known yet what becomes. Dropped so, it says nothing,
/// unless its caller had waited for long.
pub(super) struct Attempt {
    breaker: Arc<Breaker>,
    began: Instant,
    is_trial: bool,
    is_over: bool,
}

impl Breaker {
    /// A closed one: all may ask.
    pub(super) fn new(origin: String) -> Self {
        Self {
            origin,
            started: Instant::now(),
            failures: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
        }
    }

    /// Whether all may ask.
    pub(super) fn is_closed(&self) -> bool {
        self.open_until.load(Ordering::Acquire) == 0
    }

    /// One request; or how long there is to wait.
    pub(super) fn attempt(breaker: &Arc<Self>) -> Result<Attempt, Duration> {
        let is_trial = breaker.enter()?;
        let breaker = Arc::clone(breaker);
        Ok(Attempt { breaker, began: Instant::now(), is_trial, is_over: false })
    }

    /// Whether this one tries for all.
    fn enter(&self) -> Result<bool, Duration> {
        let until = self.open_until.load(Ordering::Acquire);
        if until == 0 {
            return Ok(false);
        }
        let now = self.now();
        if now < until {
            return Err(Duration::from_millis(until - now));
        }
        let lease = now.saturating_add(millis(LEASE));
        match self.open_until.compare_exchange(until, lease, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(true),
            // It has just closed.
            Err(0) => Ok(false),
            Err(_) => Err(PAUSE),
        }
    }

    fn succeed(&self) {
        // Written to only if something is different, so that processors do not take turns at it.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if !self.is_closed() && self.open_until.swap(0, Ordering::AcqRel) != 0 {
            tracing::info!(upstream = self.origin, "this API responds again");
        }
    }

    fn fail(&self, is_trial: bool) {
        // What was under way when it was opened says nothing new.
        if !is_trial && !self.is_closed() {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let Some(times) = failures.checked_sub(FAILURES) else { return };
        let pause = PAUSE.saturating_mul(1 << times.min(5)).min(LONGEST);
        let until = self.now().saturating_add(millis(pause));
        if is_trial {
            self.open_until.store(until, Ordering::Release);
        } else if self
            .open_until
            .compare_exchange(0, until, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            tracing::error!(
                upstream = self.origin,
                "this API failed {failures} times in a row; requests to it are answered with 503 \
                 until it recovers"
            );
        }
    }

    /// Milliseconds since the start, never zero.
    fn now(&self) -> u64 {
        millis(self.started.elapsed()).saturating_add(1)
    }
}

impl Attempt {
    /// There was a whole answer, whatever it says.
    pub(super) fn succeeded(mut self) {
        self.is_over = true;
        self.breaker.succeed();
    }

    /// There was none.
    pub(super) fn failed(mut self) {
        self.is_over = true;
        self.breaker.fail(self.is_trial);
    }

    /// It ended for a reason that says nothing about the API.
    pub(super) fn gave_way(self) {
        self.left_after(Duration::ZERO);
    }

    /// Its caller went away, having waited for the API for so long.
    pub(super) fn left_after(mut self, waited: Duration) {
        self.leave(waited);
    }

    fn leave(&mut self, waited: Duration) {
        self.is_over = true;
        if waited >= SLOW {
            self.breaker.fail(self.is_trial);
        } else if self.is_trial {
            // The next one may try.
            self.breaker.open_until.store(self.breaker.now(), Ordering::Release);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_over {
            self.leave(self.began.elapsed());
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new("http://api.example.org".to_owned()))
    }

    fn attempt(breaker: &Arc<Breaker>) -> Attempt {
        Breaker::attempt(breaker).unwrap()
    }

    /// As if the pause were over.
    fn wait(breaker: &Breaker) {
        breaker.open_until.store(breaker.now(), Ordering::Release);
    }

    #[test]
    fn it_opens_after_failures_in_a_row_alone() {
        let breaker = breaker();
        for _ in 0..20 {
            for _ in 1..FAILURES {
                attempt(&breaker).failed();
            }
            attempt(&breaker).succeeded();
        }
        for _ in 0..FAILURES {
            assert!(breaker.is_closed());
            attempt(&breaker).failed();
        }
        assert!(!breaker.is_closed());
        let wait = Breaker::attempt(&breaker).err().unwrap();
        assert!(wait <= PAUSE, "{wait:?}");
    }

    #[test]
    fn one_request_tries_for_all() {
        let breaker = breaker();
        let under_way: Vec<_> = (0..50).map(|_| attempt(&breaker)).collect();
        under_way.into_iter().for_each(Attempt::failed);
        wait(&breaker);
        let trial = attempt(&breaker);
        assert!(Breaker::attempt(&breaker).is_err(), "the others wait for what comes of it");
        trial.failed();
        let longer = Breaker::attempt(&breaker).err().unwrap();
        assert!(longer > PAUSE && longer <= PAUSE * 2, "{longer:?}");
        wait(&breaker);
        drop(attempt(&breaker));
        // Its caller went away, which says nothing: the next one may try.
        attempt(&breaker).succeeded();
        assert!(breaker.is_closed());
        attempt(&breaker).failed();
        assert!(breaker.is_closed(), "it begins anew");
    }

    #[test]
    fn the_pause_grows_to_a_bound() {
        let breaker = breaker();
        for _ in 0..FAILURES {
            attempt(&breaker).failed();
        }
        for _ in 0..40 {
            wait(&breaker);
            attempt(&breaker).failed();
        }
        let longest = Breaker::attempt(&breaker).err().unwrap();
        assert!(longest > LONGEST / 2 && longest <= LONGEST, "{longest:?}");
    }
}
