//! Numbers in one form each, so that what is equal to an API is equal to policies.

/// Doubles of at least this have no fraction, and stand for more than one integer.
const UNEXACT: f64 = 9_007_199_254_740_992.0;
/// The same as an integer.
const UNEXACT_INTEGER: u64 = 9_007_199_254_740_992;
/// So many digits a double tells apart, whatever they are.
const DIGITS: usize = 15;

/// The text of an `ID` that was sent as an integer: `1.0` and `1e0` are `1`.
pub(super) fn id<T: From<String>>(whole: f64, digits: &str) -> T {
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds")]
    let text = if whole.abs() < UNEXACT { (whole as i64).to_string() } else { digits.to_owned() };
    text.into()
}

/// A number in its one form: without a fraction it is an integer.
pub(super) fn whole_or_double<T: From<i64> + From<f64>>(number: f64) -> T {
    if number.fract() == 0.0 && number.abs() < UNEXACT {
        #[expect(clippy::cast_possible_truncation, reason = "within the bounds")]
        return (number as i64).into();
    }
    number.into()
}

/// A number that only the API reads. Where a double could not tell it from another one, it is the
/// text of its digits, which is equal to no number.
pub(super) fn exact<T: From<i64> + From<u64> + From<f64> + From<String>>(digits: &str) -> T {
    if let Ok(number) = digits.parse::<i64>()
        && number.unsigned_abs() < UNEXACT_INTEGER
    {
        return number.into();
    }
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    // Zeros at either end say nothing of how many digits have to be told apart.
    let significant: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = significant.trim_matches('0').len();
    match digits.parse::<f64>() {
        // One that is too small for a double would be zero.
        Ok(number)
            if number.is_finite()
                && significant <= DIGITS
                && (number != 0.0 || significant == 0) =>
        {
            whole_or_double(number)
        }
        _ => digits.to_owned().into(),
    }
}
