//! What is to be reached, and whether it was.

use crate::peers::Peer;

/// One thing to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least this many units of work per second.
    Rate(f64),
    /// 99 % are done within this many milliseconds.
    P99(f64),
    /// At most this many microseconds of processor time per unit.
    Cpu(f64),
    /// The same, without the threads that check passwords.
    CpuButPasswords(f64),
    /// At least this many times the rate of a peer.
    Over(Peer, f64),
    /// At most this much of what the case measures besides load.
    AtMost(f64),
}

impl Target {
    /// The target in words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Rate(rate) => format!("≥ {}/s", thousands(rate)),
            Self::P99(millis) => format!("p99 ≤ {millis} ms"),
            Self::Cpu(micros) | Self::CpuButPasswords(micros) => {
                format!("≤ {} µs", thousands(micros))
            }
            Self::Over(peer, times) => format!("≥ {times}× {}", peer.name()),
            Self::AtMost(value) => format!("≤ {value}"),
        }
    }
}

/// A whole number with its thousands apart.
#[must_use]
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        let texts = [0.4, 999.0, 1_000.0, 65_000.0, 1_234_567.0, -1_000.0].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "65,000", "1,234,567", "-1,000"]);
    }

    #[test]
    fn a_target_has_words() {
        assert_eq!(Target::Over(Peer::Nginx, 0.8).words(), "≥ 0.8× nginx");
        assert_eq!(Target::Rate(15_000.0).words(), "≥ 15,000/s");
    }
}
