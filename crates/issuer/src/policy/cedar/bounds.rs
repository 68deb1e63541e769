//! Bounds on the text of a policy, checked before anything recursive reads it.
//!
//! Cedar's parser, its validator and its evaluator recurse over expressions. What nests an
//! expression is a bracket or an operator, so that few of these mean a shallow tree.

/// Bytes of a text at most.
const LONGEST: usize = 64 * 1024;
/// Policies of a text at most.
pub(super) const MOST_POLICIES: usize = 100;
/// Brackets within brackets at most.
const DEEPEST: usize = 24;
/// Operators of one policy at most.
const MOST_OPERATORS: usize = 200;

/// Checks `text` against the bounds.
///
/// # Errors
/// Which of them it exceeds, and where.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("cedar must not be longer than {LONGEST} bytes"));
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut operators, mut policies) = (0, 0_usize, 0, 0);
    let fault = |at: usize, problem: String| Err(format!("cedar: {}: {problem}", place(text, at)));
    while let Some(byte) = bytes.get(at) {
        let mut length = 1;
        let mut is_operator = false;
        match byte {
            b'"' => length = string(&bytes[at..]),
            b'/' if bytes.get(at + 1) == Some(&b'/') => length = line(&bytes[at..]),
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    let problem = format!("brackets are nested deeper than {DEEPEST} levels");
                    return fault(at, problem);
                }
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' => {
                operators = 0;
                policies += 1;
                if policies > MOST_POLICIES {
                    return fault(at, format!("there are more than {MOST_POLICIES} policies"));
                }
            }
            b'&' | b'|' if bytes.get(at + 1) == Some(byte) => (length, is_operator) = (2, true),
            b'+' | b'-' | b'*' | b'!' | b'.' | b'&' | b'|' => is_operator = true,
            // `a["b"]` is counted as a bracket, and nests as `a.b` does.
            byte if byte.is_ascii_alphabetic() || *byte == b'_' => {
                length = word(&bytes[at..]);
                is_operator = &bytes[at..at + length] == b"if";
            }
            _ => {}
        }
        if *byte == b'[' || is_operator {
            operators += 1;
            if operators > MOST_OPERATORS {
                return fault(at, format!("a policy has more than {MOST_OPERATORS} operators"));
            }
        }
        at += length;
    }
    Ok(())
}

/// Line and column of a byte of `text`, in words.
pub(super) fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// The length of the string literal at the beginning of `bytes`.
fn string(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn word(bytes: &[u8]) -> usize {
    let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes.iter().position(|byte| !is_in(byte)).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_operators_are_counted_outside_of_texts_and_comments() {
        let said = |text: &str| check(text).err().unwrap_or_default();
        let policy =
            |condition: &str| format!("permit(principal, action, resource) when {{{condition}}};");
        let deep =
            |depth: usize| policy(&format!("{}true{}", "(".repeat(depth), ")".repeat(depth)));
        assert_eq!(said(&deep(DEEPEST - 1)), "");
        assert!(said(&deep(DEEPEST)).starts_with("cedar: line 1, column 66: brackets are nested"));
        let chain = |length: usize| policy(&vec!["true"; length + 1].join(" && "));
        assert_eq!(said(&chain(MOST_OPERATORS)), "");
        assert_eq!(said(&chain(MOST_OPERATORS).repeat(3)), "");
        assert!(said(&chain(MOST_OPERATORS + 1)).contains("more than 200 operators"));
        for nested in ["!", "-", "if true then true else "] {
            let text = policy(&format!("{}true", nested.repeat(MOST_OPERATORS + 1)));
            assert!(said(&text).contains("more than 200 operators"), "{nested}");
        }
        assert!(said(&policy(&format!("a{}", ".b".repeat(201)))).contains("operators"));
        assert!(said(&policy(&format!("a{}", "[\"b\"]".repeat(201)))).contains("operators"));
        assert!(said(&policy("true").repeat(MOST_POLICIES + 1)).contains("more than 100 policies"));
        assert!(said(&" ".repeat(LONGEST + 1)).contains("longer than 65536 bytes"));
        for harmless in
            ["\"((((\\\"((((((((((((((((((((((((((((\"", "// ((((((((((((((((((((((((((((\ntrue"]
        {
            assert_eq!(said(&policy(harmless)), "");
        }
        // What never ends is for the parser to refuse.
        assert_eq!(said("permit(principal, \"\\"), "");
        assert_eq!(place("a\nbé(", 5), "line 2, column 3");
    }
}
