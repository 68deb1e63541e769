//! How long units of work took, in buckets of about one and a half percent.

use std::time::Duration;

/// Values below this many nanoseconds have a bucket of their own.
const EXACT: u64 = 128;
/// Buckets for each power of two above that.
const PER_OCTAVE: usize = 64;
/// Powers of two above [`EXACT`]; the last one ends after 39 hours.
const OCTAVES: usize = 40;

/// Counts of durations. Nothing is rounded by more than 1/128 of itself.
#[derive(Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let exact = usize::try_from(EXACT).unwrap_or_default();
        Self { buckets: vec![0; exact + PER_OCTAVE * OCTAVES], count: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[bucket(nanos).min(last)] += 1;
        self.count += 1;
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The duration that a share of `quantile` (0 to 1) stays at or below; zero if nothing was
    /// counted.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank is at most the count, and counts stay far below 2^52"
    )]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let rank = ((self.count as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        for (at, held) in self.buckets.iter().enumerate() {
            seen += held;
            if seen >= rank {
                return Duration::from_nanos(middle(at));
            }
        }
        Duration::ZERO
    }
}

/// Where `nanos` is counted: its highest bits choose the bucket.
fn bucket(nanos: u64) -> usize {
    if nanos < EXACT {
        return usize::try_from(nanos).unwrap_or_default();
    }
    let octave = nanos.ilog2() - EXACT.ilog2();
    let within = (nanos >> (octave + 1)) & (PER_OCTAVE as u64 - 1);
    let base = EXACT + u64::from(octave) * PER_OCTAVE as u64;
    usize::try_from(base + within).unwrap_or(usize::MAX)
}

/// The middle of a bucket's range.
fn middle(at: usize) -> u64 {
    let at = at as u64;
    let Some(above) = at.checked_sub(EXACT) else { return at };
    let (octave, within) = (above / PER_OCTAVE as u64, above % PER_OCTAVE as u64);
    let width = 1_u64 << (octave + 1);
    (EXACT << octave) + within * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_by_more_than_one_percent() {
        for power in 0..46 {
            for nanos in [1_u64 << power, (1 << power) + (1 << power) / 3, (2 << power) - 1] {
                let mut one = Histogram::default();
                one.record(Duration::from_nanos(nanos));
                let back = u64::try_from(one.quantile(0.5).as_nanos()).unwrap();
                assert!(back.abs_diff(nanos) * 100 <= nanos, "{nanos} came back as {back}");
            }
        }
    }

    #[test]
    fn buckets_follow_one_another() {
        let mut last = 0;
        for nanos in 0..100_000 {
            let at = bucket(nanos);
            assert!(at == last || at == last + 1, "{nanos}");
            last = at;
        }
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut all = Histogram::default();
        for micros in 1..=1_000 {
            all.record(Duration::from_micros(micros));
        }
        let near = |quantile: f64, micros: u128| {
            let found = all.quantile(quantile).as_micros();
            assert!(found.abs_diff(micros) * 100 <= micros, "{quantile}: {found}");
        };
        near(0.5, 500);
        near(0.99, 990);
        near(1.0, 1_000);
        assert_eq!(Histogram::default().quantile(0.5), Duration::ZERO);
    }

    #[test]
    fn what_takes_for_ever_is_still_counted() {
        let mut all = Histogram::default();
        all.record(Duration::MAX);
        assert_eq!(all.count(), 1);
        assert!(all.quantile(0.5) > Duration::from_hours(24));
    }
}
