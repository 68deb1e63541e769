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

    /// As in RFC 3339, such as `2027-01-15T08:00:00Z`. What comes after the year 9999 is its end.
    #[must_use]
    pub fn rfc3339(self) -> String {
        const LAST: u64 = 253_402_300_799;
        let time = UNIX_EPOCH + Duration::from_secs(self.0.min(LAST));
        humantime::format_rfc3339_seconds(time).to_string()
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
