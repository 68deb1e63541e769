//! Times in filters.

/// The time that the `xsd:dateTime` `text` names (RFC 7643 §2.3.5), in seconds since the Unix epoch and
/// the nanoseconds after that. Without an offset it is in UTC.
pub(super) fn moment(text: &str) -> Option<(i64, u32)> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = zone(time)?;
    let (clock, fraction) = time.split_once('.').map_or((time, None), |(a, b)| (a, Some(b)));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    // The end of a day is the beginning of the next.
    let is_end = (hour, minute, second) == (24, 0, 0);
    if !is_end && (hour > 23 || minute > 59 || second > 59) {
        return None;
    }
    let nanos = fraction.map_or(Some(0), nanos)?;
    let days = days_before(year) + (1..month).map(|one| days_of(year, one)).sum::<i64>() + day - 1;
    let epoch = days_before(1970);
    Some(((days - epoch) * 86_400 + hour * 3_600 + minute * 60 + second - offset, nanos))
}

/// A time without its offset, and that in seconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(bare) = time.strip_suffix('Z') {
        return Some((bare, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let [hours, minutes] = numbers(&time[at + 1..], ':', [2, 2])?;
    let seconds = hours * 3_600 + minutes * 60;
    let is_offset = minutes < 60 && seconds <= 14 * 3_600;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    is_offset.then_some((&time[..at], sign * seconds))
}

/// The numbers in `text`, each with its number of digits.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut read = [0; N];
    for (number, digits) in read.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && is_number(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(read)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The fraction of a second, cut after its ninth digit.
fn nanos(fraction: &str) -> Option<u32> {
    let digits = fraction.get(..fraction.len().min(9)).filter(|_| is_number(fraction))?;
    format!("{digits:0<9}").parse().ok()
}

/// Days from the beginning of the year 1 to that of `year`.
const fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}

const fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_date_a_clock_and_perhaps_a_fraction_and_an_offset() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("1970-01-01T00:00:00", (0, 0)),
            ("1970-01-01T02:00:00+02:00", (0, 0)),
            ("1969-12-31T18:30:00-05:30", (0, 0)),
            ("1969-12-31T24:00:00Z", (0, 0)),
            ("1969-12-31T23:59:59.5Z", (-1, 500_000_000)),
            ("2000-02-29T23:59:59Z", (951_868_799, 0)),
            ("2026-11-29T23:58:00.0000000001Z", (1_795_996_680, 0)),
            ("2100-03-01T00:00:00Z", (4_107_542_400, 0)),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "2020",
            "2020-01-01",
            "2020-01-01Z",
            "2020-01-01T00:00Z",
            "2020-01-01t00:00:00Z",
            "2020-01-01 00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2021-02-29T00:00:00Z",
            "2020-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2020-01-01T24:00:01Z",
            "2020-01-01T00:60:00Z",
            "2020-01-01T00:00:60Z",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.xZ",
            "2020-01-01T00:00:00+2",
            "2020-01-01T00:00:00+02:60",
            "2020-01-01T00:00:00+14:01",
            "2020-01-01T00:00:00+02:00Z",
            "2020-01-01T00:00:00é",
            "yesterdaTT",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
