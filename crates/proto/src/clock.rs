//! Time as an argument.

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since the Unix epoch, as in JWTs (RFC 7519 §2, `NumericDate`). A fraction is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time from `earlier` to this moment; nothing if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }

    /// The moment in UTC as RFC 3339 writes it: `2026-11-30T07:58:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        // Days since 1 March 0000 split into eras of 400 years (H. Hinnant's civil calendar).
        let (days, of_day) = (self.0 / 86_400 + 719_468, self.0 % 86_400);
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = (shifted + 2) % 12 + 1;
        let year = era * 400 + year + u64::from(month <= 2);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let before = || serde::de::Error::custom("a date before 1970 is not accepted");
        let seconds = crate::numeric_date::seconds(from)?;
        u64::try_from(seconds).map(Self).map_err(|_| before())
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs.as_secs()))
    }
}

/// Where the present comes from. Tests hand in a [`FixedClock`].
pub trait Clock: Send + Sync {
    /// The present, rounded down to a whole second.
    fn now(&self) -> Timestamp;

    /// The present in milliseconds since the Unix epoch, as finely as this clock has it.
    fn millis(&self) -> u64 {
        self.now().0.saturating_mul(1_000)
    }

    /// What the machine's own clock says, which is what is compared with other clocks: the same,
    /// unless a test has moved time for everybody.
    fn machine_millis(&self) -> u64 {
        self.millis()
    }
}

/// The machine's clock. The only place in the workspace that may read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.millis() / 1_000)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one door to the real clock")]
    fn millis(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that does not advance.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn moments_read_as_rfc_3339_writes_them() {
        assert_eq!(Timestamp(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(951_868_799).rfc3339(), "2000-02-29T23:59:59Z");
        assert_eq!(Timestamp(1_795_996_680).rfc3339(), "2026-11-29T23:58:00Z");
        assert_eq!(Timestamp(4_107_542_400).rfc3339(), "2100-03-01T00:00:00Z");
    }
}
