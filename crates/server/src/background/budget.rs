//! How many bytes may be written per day. The budget is refilled continuously, so that a burst does
//! not use up the rest of the day.

use castellan_proto::Timestamp;

const DAY: u64 = 86_400;

/// Bytes that are left to be written.
#[derive(Debug)]
pub(super) struct Budget {
    /// Bytes at once at most.
    burst: u64,
    /// Bytes that come in a day.
    daily: u64,
    left: u64,
    /// As of when; what came since is not in `left` yet.
    at: Timestamp,
}

impl Budget {
    pub(super) const fn new(burst: u64, daily: u64, now: Timestamp) -> Self {
        Self { burst, daily, left: burst, at: now }
    }

    /// Takes `bytes`, if that many are left at `now`.
    pub(super) fn take(&mut self, bytes: u64, now: Timestamp) -> bool {
        let came = self.daily.saturating_mul(now.since(self.at).as_secs()) / DAY;
        // What is less than a byte is not lost: it counts from the moment it began to come.
        if came > 0 {
            (self.left, self.at) = ((self.left + came).min(self.burst), now);
        }
        let fits = bytes <= self.left;
        if fits {
            self.left -= bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_a_day_is_bounded_and_comes_back_all_the_time() {
        let begin = 1_800_000_000;
        let mut budget = Budget::new(1_000, DAY / 2, Timestamp(begin));
        assert!(budget.take(600, Timestamp(begin)));
        assert!(!budget.take(401, Timestamp(begin)));
        assert!(budget.take(400, Timestamp(begin)));
        assert!(!budget.take(1, Timestamp(begin + 1)), "half a byte");
        assert!(budget.take(1, Timestamp(begin + 2)));
        assert!(!budget.take(1, Timestamp(begin + 3)));
        let mut written = 0;
        for second in 0..DAY {
            written += u64::from(budget.take(10, Timestamp(begin + second))) * 10;
        }
        assert!(written <= DAY / 2, "{written}");
        assert!(written > DAY / 2 - 100, "{written}");
        // Hours without any give no more than a burst.
        assert!(!budget.take(1_001, Timestamp(begin + 2 * DAY)));
        assert!(budget.take(1_000, Timestamp(begin + 2 * DAY)));
        // A clock that goes back gives nothing.
        assert!(!budget.take(1, Timestamp(begin)));
    }
}
