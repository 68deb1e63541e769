//! How long tokens and tickets are valid.

use std::time::Duration;

/// A lifetime of at least one second and at most one year.
///
/// Written with a unit (`"90s"`, `"5m"`, `"30d"`), not as a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub struct Lifetime(Duration);

/// The text was not a lifetime.
#[derive(Debug, thiserror::Error)]
#[error("{given:?} is not a lifetime between 1s and 365d, written like \"90s\", \"5m\" or \"30d\"")]
pub struct InvalidLifetime {
    given: String,
}

impl Lifetime {
    const MAX: Duration = Duration::from_hours(365 * 24);

    /// A lifetime of `n` seconds, for defaults.
    ///
    /// # Panics
    /// If `n` is not within one second and one year; at compile time where the caller is `const`.
    #[must_use]
    pub const fn seconds(n: u64) -> Self {
        assert!(n >= 1 && n <= Self::MAX.as_secs());
        Self(Duration::from_secs(n))
    }

    /// The lifetime as a [`Duration`].
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Lifetime {
    type Error = InvalidLifetime;

    fn try_from(given: String) -> Result<Self, InvalidLifetime> {
        match humantime::parse_duration(&given) {
            Ok(d) if d >= Duration::from_secs(1) && d <= Self::MAX => Ok(Self(d)),
            _ => Err(InvalidLifetime { given }),
        }
    }
}
