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

    /// The time that `text` names, in UTC: a year, a month, a day, a minute or a second, such as
    /// `2027`, `2027-01`, `2027-01-15`, `2027-01-15T08:00Z` and `2027-01-15T08:00:00Z` (RFC 3339).
    /// Its first second, and the first one after it.
    #[must_use]
    pub fn span(text: &str) -> Option<(Self, Self)> {
        let moment = |text: &str| {
            let since = humantime::parse_rfc3339(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(Self(since.as_secs()))
        };
        let first_of =
            |year: u64, month: u64| moment(&format!("{year:04}-{month:02}-01T00:00:00Z"));
        let number = |text: &str| {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| is_number)
        };
        let lasting = |from: Self, seconds| Some((from, from + Duration::from_secs(seconds)));
        match (text.len(), text.is_ascii()) {
            (4, true) => {
                let year = number(text)?;
                Some((first_of(year, 1)?, first_of(year + 1, 1)?))
            }
            (7, true) => {
                let (year, month) = text.split_once('-')?;
                let (year, month) = (number(year)?, number(month)?);
                let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Some((first_of(year, month)?, first_of(next.0, next.1)?))
            }
            (10, true) => lasting(moment(&format!("{text}T00:00:00Z"))?, 86_400),
            (17, true) => lasting(moment(&format!("{}:00Z", text.strip_suffix('Z')?))?, 60),
            (20, true) => lasting(moment(text)?, 1),
            _ => None,
        }
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

    #[test]
    fn a_text_names_a_time_of_its_own_length() {
        for (text, from, until) in [
            ("2027", "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2028-02-29", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2027-01-15T08:59Z", "2027-01-15T08:59:00Z", "2027-01-15T09:00:00Z"),
            ("2027-01-15T08:00:07Z", "2027-01-15T08:00:07Z", "2027-01-15T08:00:08Z"),
        ] {
            let (first, after) = Timestamp::span(text).unwrap();
            assert_eq!((&*first.rfc3339(), &*after.rfc3339()), (from, until), "{text}");
        }
        for bad in [
            "",
            "27",
            "1969",
            "2027-13",
            "2027-1",
            "2027-02-30",
            "2027-01-15T08:00",
            "+027",
            "2027-01-15T08:00+",
            "2027-01-15 08:00:00",
            "2027-01-15T25:00:00Z",
            "20é7",
            "99999",
            "2027-01-15T08:00:00+01:00",
        ] {
            assert_eq!(Timestamp::span(bad), None, "{bad}");
        }
    }
}
