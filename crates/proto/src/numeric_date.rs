//! Dates in JWTs: seconds since the Unix epoch, with or without a fraction (RFC 7519 §2,
//! `NumericDate`). The fraction is dropped, so that a token is never valid for longer than it
//! states.

use serde::{
    Deserialize as _,
    de::{Deserializer, Error, Unexpected, Visitor},
};

/// The first second that a floating-point number does not represent exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a date, for `#[serde(deserialize_with)]`. One before the epoch is negative.
///
/// # Errors
/// If it is not a number, or not one that is a date.
pub fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    struct Seconds;

    impl Visitor<'_> for Seconds {
        type Value = i64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number of seconds")
        }

        fn visit_i64<E: Error>(self, seconds: i64) -> Result<i64, E> {
            Ok(seconds)
        }

        fn visit_u64<E: Error>(self, seconds: u64) -> Result<i64, E> {
            let odd = || E::invalid_value(Unexpected::Unsigned(seconds), &self);
            i64::try_from(seconds).map_err(|_| odd())
        }

        #[expect(clippy::cast_possible_truncation, reason = "it is within what i64 holds")]
        fn visit_f64<E: Error>(self, seconds: f64) -> Result<i64, E> {
            if seconds.abs() < EXACT {
                return Ok(seconds.floor() as i64);
            }
            Err(E::invalid_value(Unexpected::Float(seconds), &self))
        }
    }

    // Whole numbers come to the same visitor.
    from.deserialize_f64(Seconds)
}

/// The same where the date may be missing.
///
/// # Errors
/// As [`seconds`].
pub fn optional<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    /// A date on its own.
    #[derive(serde::Deserialize)]
    struct Date(#[serde(deserialize_with = "seconds")] i64);

    Ok(Option::<Date>::deserialize(from)?.map(|date| date.0))
}

#[cfg(test)]
mod tests {
    use crate::Timestamp;

    #[derive(serde::Deserialize)]
    struct Dates {
        #[serde(deserialize_with = "super::seconds")]
        exp: i64,
        #[serde(default, deserialize_with = "super::optional")]
        nbf: Option<i64>,
    }

    #[test]
    fn a_date_may_have_a_fraction_and_is_the_second_in_which_it_is() {
        for (text, second) in [
            ("1800000000", 1_800_000_000),
            ("1800000000.0", 1_800_000_000),
            ("1800000000.999", 1_800_000_000),
            ("1.8e9", 1_800_000_000),
            ("0.5", 0),
        ] {
            assert_eq!(serde_json::from_str::<Timestamp>(text).unwrap().0, second, "{text}");
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::from_value::<Timestamp>(value).unwrap().0, second, "{text}");
        }
        for bad in ["-1", "-0.5", "1e300", "\"1800000000\"", "null", "true", "[1]"] {
            assert!(serde_json::from_str::<Timestamp>(bad).is_err(), "{bad}");
        }
        let dates: Dates = serde_json::from_str(r#"{"exp": 1.5, "nbf": -1.5}"#).unwrap();
        assert_eq!((dates.exp, dates.nbf), (1, Some(-2)));
        assert_eq!(serde_json::from_str::<Dates>(r#"{"exp": -3}"#).unwrap().nbf, None);
        let far = serde_json::to_string(&Timestamp(i64::MAX as u64)).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&far).unwrap(), Timestamp(i64::MAX as u64));
    }
}
