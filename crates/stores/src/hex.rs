//! Texts as hexadecimal digits, which every engine sorts as their bytes.

use std::fmt::Write as _;

/// The digits of `text`.
pub(crate) fn hex(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut digits, byte| {
        // Writing to a text does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// The text of `digits`; `None` if they are not hexadecimal digits of a text.
pub(crate) fn unhex(digits: &str) -> Option<String> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |two: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    if rest.is_empty() { String::from_utf8(bytes?).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_and_sorts_as_its_bytes() {
        for text in ["", "a", "é", "\0", "😀 ~"] {
            assert_eq!(unhex(&hex(text)).as_deref(), Some(text));
        }
        assert!(hex("a") < hex("aa") && hex("aa") < hex("b") && hex("\u{ffff}") < hex("😀"));
        for bad in ["a", "zz", "ff", "é"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
