//! Whether this node's clock is right (`docs/rules.md` rule 28): a node whose clock is not issues
//! nothing, for the others, and itself a moment later, would refuse it.
//!
//! A data source with a clock of its own is asked for the time. Between two comparisons the
//! machine's clock must advance as fast as the monotonic clock. Without a clock of its own, the
//! data source has the machine's, which cannot be recognised as being ahead; it must not be before
//! the newest time that was written.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use castellan_proto::Clock;

use crate::store::{Store, StoreError};

/// How far two clocks may be apart.
const SKEW: Duration = Duration::from_secs(1);

/// What this node's clock is measured by.
#[derive(Debug, Default)]
pub struct ClockCheck {
    measure: Mutex<Measure>,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    /// The newest time that is known to have been, in milliseconds since the Unix epoch.
    Newest(u64),
    /// The time of the machine's clock, and by how much it was ahead, when the data source was
    /// asked.
    Compared { machine: u64, ahead: i64, when: Instant },
}

impl Default for Measure {
    fn default() -> Self {
        Self::Newest(0)
    }
}

/// How a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongClock {
    /// It is not the data source's.
    #[error("this machine's clock is {0} ms ahead of the data source's; synchronise it with NTP")]
    Ahead(u64),
    /// It is not the data source's.
    #[error("this machine's clock is {0} ms behind the data source's; synchronise it with NTP")]
    Behind(u64),
    /// It was set since it was compared last; the next comparison decides.
    #[error("this machine's clock was changed by {0} ms since it was last compared")]
    Set(u64),
    /// It is before what was written already.
    #[error(
        "this machine's clock was set back: it is {0} ms behind the newest time in the data \
         source; synchronise it with NTP, or wait that long"
    )]
    SetBack(u64),
}

impl ClockCheck {
    /// Asks the data source for the time: by how many milliseconds this node's clock is at least
    /// ahead of it (behind, if negative), allowing for the round trip. `None` if it has no clock of
    /// its own.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; the previous comparison then remains.
    pub async fn compare(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
    ) -> Result<Option<i64>, StoreError> {
        let before = clock.machine_millis();
        let Some(theirs) = store.clock().await? else { return Ok(None) };
        let (machine, when) = (clock.machine_millis(), Instant::now());
        let ahead = least_ahead(before, machine, theirs);
        self.set(Measure::Compared { machine, ahead, when });
        Ok(Some(ahead))
    }

    /// Notes a time that was written, unless a later one is known. For data sources without a
    /// clock.
    pub fn has_been(&self, millis: u64) {
        let mut measure = self.measure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Measure::Newest(newest) = &mut *measure {
            *newest = millis.max(*newest);
        }
    }

    /// The newest time that is known to have been, now included. That is what is written, so that a
    /// clock that was set back does not make its own time the newest one.
    pub fn newest(&self, clock: &dyn Clock) -> u64 {
        let now = clock.machine_millis();
        match self.measure() {
            Measure::Newest(newest) => newest.max(now),
            Measure::Compared { .. } => now,
        }
    }

    /// Whether `clock` is right at this moment.
    ///
    /// # Errors
    /// [`WrongClock`], which says in what way it is not.
    pub fn check(&self, clock: &dyn Clock) -> Result<(), WrongClock> {
        let now = clock.machine_millis();
        match self.measure() {
            Measure::Newest(newest) if newest > now.saturating_add(millis(SKEW)) => {
                Err(WrongClock::SetBack(newest - now))
            }
            Measure::Newest(_) => {
                self.has_been(now);
                Ok(())
            }
            Measure::Compared { ahead, .. } if ahead.unsigned_abs() > millis(SKEW) => {
                let apart = ahead.unsigned_abs();
                Err(if ahead > 0 { WrongClock::Ahead(apart) } else { WrongClock::Behind(apart) })
            }
            Measure::Compared { machine, when, .. } => {
                let moved = machine.saturating_add(millis(when.elapsed())).abs_diff(now);
                if moved > millis(SKEW) { Err(WrongClock::Set(moved)) } else { Ok(()) }
            }
        }
    }

    fn measure(&self) -> Measure {
        *self.measure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, measure: Measure) {
        *self.measure.lock().unwrap_or_else(PoisonError::into_inner) = measure;
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// By how much what was read between `before` and `after` is wrong at least, if it is `theirs`.
fn least_ahead(before: u64, after: u64, theirs: u64) -> i64 {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (before, after, theirs) = (signed(before), signed(after), signed(theirs));
    if theirs < before { before - theirs } else { (after - theirs).min(0) }
}

#[cfg(test)]
mod tests {
    use castellan_proto::{FixedClock, Timestamp};

    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        assert_eq!(least_ahead(1_000, 9_000, 5_000), 0);
        assert_eq!(least_ahead(5_000, 5_010, 3_000), 2_000);
        assert_eq!(least_ahead(5_000, 5_010, 7_010), -2_000);
    }

    #[test]
    fn without_another_clock_time_only_goes_forward() {
        let check = ClockCheck::default();
        let at = |seconds| FixedClock(Timestamp(seconds));
        for seconds in [1_000, 9_000, 8_999, 9_000] {
            assert_eq!(check.check(&at(seconds)), Ok(()), "{seconds}");
        }
        assert_eq!(check.check(&at(8_998)), Err(WrongClock::SetBack(2_000)));
        check.has_been(20_000_000);
        assert_eq!(check.check(&at(9_000)), Err(WrongClock::SetBack(11_000_000)));
        assert_eq!(check.check(&at(20_000)), Ok(()), "well again by itself");
    }

    #[test]
    fn a_clock_that_was_compared_goes_on_from_there() {
        let check = ClockCheck::default();
        let compared =
            |ahead| Measure::Compared { machine: 9_000_000, ahead, when: Instant::now() };
        for (ahead, seconds, wanted) in [
            (0, 9_000, Ok(())),
            (-1_000, 9_000, Ok(())),
            (1_001, 9_000, Err(WrongClock::Ahead(1_001))),
            (-1_001, 9_000, Err(WrongClock::Behind(1_001))),
        ] {
            check.set(compared(ahead));
            assert_eq!(check.check(&FixedClock(Timestamp(seconds))), wanted);
        }
        check.set(compared(0));
        for seconds in [8_000, 10_000] {
            let checked = check.check(&FixedClock(Timestamp(seconds)));
            assert!(matches!(checked, Err(WrongClock::Set(_))), "{seconds}: {checked:?}");
        }
        check.set(compared(0));
        check.has_been(20_000_000);
        assert_eq!(check.check(&FixedClock(Timestamp(9_000))), Ok(()), "the data source decides");
    }
}
