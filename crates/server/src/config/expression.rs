//! Regular expressions of settings. They are compiled when the file is read, so that one that is
//! none has a line, and matched in linear time.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// Bytes of a compiled expression at most.
const LARGEST: usize = 1 << 20;

/// Compiles `text`, as it is and as `around` puts it: what is valid only with the latter would mean
/// something else than it says.
fn compile(text: &str, around: [&str; 2], ignore_case: bool) -> Result<Regex, String> {
    if text.is_empty() {
        return Err("the value is empty; write a regular expression, or remove it".to_owned());
    }
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(ignore_case).size_limit(LARGEST).build().map_err(|error| {
            let whole = error.to_string();
            let reason = whole.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or("it is too large");
            format!("the value is not a regular expression: {reason}")
        })
    };
    build(text)?;
    build(&format!("{}(?:{text}){}", around[0], around[1]))
}

/// A regular expression that has to match a whole host without its port, in any letter case
/// (`docs/contracts/ibexa.md` §3).
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct HostExpression {
    text: String,
    regex: Regex,
}

impl HostExpression {
    /// Whether `host`, without its port, is one of those that are meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        self.regex.is_match(host)
    }

    /// The one host that is meant, in lower case, if the expression plainly has no other: letters, digits
    /// and dashes, with dots written `\.`, between `^` and `$` or without these.
    #[must_use]
    pub fn only(&self) -> Option<String> {
        let text = self.text.strip_prefix('^').unwrap_or(&self.text);
        let text = text.strip_suffix('$').unwrap_or(text);
        let host = text.replace("\\.", "\u{0}");
        let is_plain =
            host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | 0));
        is_plain
            .then(|| host.replace('\u{0}', ".").to_ascii_lowercase())
            .filter(|host| self.matches(host))
    }
}

impl TryFrom<String> for HostExpression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(Self { regex: compile(&text, [r"\A", r"\z"], true)?, text })
    }
}

/// A regular expression that has to match the beginning of a percent-decoded path.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct PathExpression {
    text: String,
    regex: Regex,
}

impl PathExpression {
    /// Whether `path` begins as is meant. It is percent-decoded; what is no UTF-8 then is U+FFFD, so
    /// that no byte keeps a path from being matched.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

impl TryFrom<String> for PathExpression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(Self { regex: compile(&text, [r"\A", ""], false)?, text })
    }
}

/// A regular expression that is searched for, and one of whose groups is what was found.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct SearchExpression {
    text: String,
    regex: Regex,
}

impl SearchExpression {
    /// The text of `group` where the expression matches first.
    #[must_use]
    pub fn find<'a>(&self, text: &'a str, group: usize) -> Option<&'a str> {
        self.regex.captures(text)?.get(group).map(|found| found.as_str())
    }

    /// How many groups it has.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

impl TryFrom<String> for SearchExpression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(Self { regex: compile(&text, ["", ""], false)?, text })
    }
}

/// An origin that scripts may send credentials from: written out, or by an expression that begins
/// with `^` and ends with `$` (`docs/contracts/ibexa.md` §8).
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedOrigin {
    text: String,
    /// None for one that is written out.
    regex: Option<Regex>,
}

impl AllowedOrigin {
    /// Whether `origin`, as a browser writes it, is meant.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(origin),
            None => self.text == origin,
        }
    }
}

impl TryFrom<String> for AllowedOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('^') || text.ends_with('$') {
            if !text.starts_with('^') || !text.ends_with('$') {
                return Err("the value is an expression that is open at one end; begin it with ^ \
                            and end it with $, or other origins match as well"
                    .to_owned());
            }
            let regex = compile(&text, [r"\A", r"\z"], false)?;
            return if ["null", "https://any.invalid"].iter().any(|origin| regex.is_match(origin)) {
                Err("the value matches every origin; with credentials, origins must be listed"
                    .to_owned())
            } else {
                Ok(Self { text, regex: Some(regex) })
            };
        }
        let origin = url::Url::parse(&text).map(|url| url.origin().ascii_serialization());
        match origin {
            Ok(origin)
                if origin == text && !text.contains(['*', '\\', '(', '[', '{', '|', '+']) =>
            {
                Ok(Self { text, regex: None })
            }
            _ => Err("the value is not an origin such as \"https://app.example.org\", nor an \
                      expression such as \"^https://[a-z]+\\.example\\.org$\"; \"*\" is not \
                      possible with credentials"
                .to_owned()),
        }
    }
}

/// Shown as they are written, and compared by that.
macro_rules! shown_by_text {
    ($($kind:ty),*) => {$(
        impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.text, f)
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl PartialEq for $kind {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $kind {}
    )*};
}

shown_by_text!(HostExpression, PathExpression, SearchExpression, AllowedOrigin);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> HostExpression {
        text.to_owned().try_into().unwrap()
    }

    /// `docs/contracts/ibexa.md` §11, check 27.
    #[test]
    fn ibexa_27_a_host_is_matched_as_a_whole_in_any_letter_case() {
        for text in [r"^api\.example\.com$", r"api\.example\.com", r"api\.example\.com|x"] {
            let api = host(text);
            assert!(api.matches("api.example.com") && api.matches("API.EXAMPLE.COM"), "{text}");
            for other in [
                "api.example.com.evil.test",
                "xapi.example.com",
                "api.example.com.",
                "api-example.com",
                "api.example.com\n",
                "",
            ] {
                assert!(!api.matches(other), "{text}: {other:?}");
            }
        }
        assert!(host(r"^api\.(example\.com|localhost)$").matches("api.localhost"));
        // The alternative that fits the whole counts, not the first that fits a part.
        assert!(host("api|api.test").matches("api.test"));
    }

    #[test]
    fn a_path_is_matched_from_its_start() {
        let pattern = PathExpression::try_from("/api/(a|b)".to_owned()).unwrap();
        assert!(pattern.matches("/api/a") && pattern.matches("/api/b/c"));
        assert!(!pattern.matches("/x/api/a") && !pattern.matches("/API/a"));
        let anchored = PathExpression::try_from("^/api$|^/x".to_owned()).unwrap();
        assert!(anchored.matches("/api") && anchored.matches("/xy") && !anchored.matches("/api/a"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["", "(", "a)|(b", "[", r"\1", "(?=a)", "(?x)a #", "(a{900}){900}", "*"] {
            assert!(HostExpression::try_from(text.to_owned()).is_err(), "{text}");
            let problem = PathExpression::try_from(text.to_owned()).unwrap_err();
            assert!(!problem.contains('\n') && problem.starts_with("the value is "), "{problem}");
        }
    }

    #[test]
    fn ibexa_38_origins_are_listed() {
        for text in [
            "*",
            "null",
            "",
            "https://a.test/",
            "https://A.test",
            "https://a.test:443",
            "https://a.test/x",
            "a.test",
            "^https://a",
            "https://a$",
            "^.*$",
            "^(null)$",
            "^https?://.+$",
            "^(",
            "file:///x",
        ] {
            assert!(AllowedOrigin::try_from(text.to_owned()).is_err(), "{text}");
        }
        let exact = AllowedOrigin::try_from("https://a.test".to_owned()).unwrap();
        assert!(exact.allows("https://a.test"));
        assert!(!exact.allows("http://a.test") && !exact.allows("https://a.test.evil.test"));
        let some = AllowedOrigin::try_from(r"^https://[a-z]+\.a\.test$".to_owned()).unwrap();
        assert!(some.allows("https://x.a.test"));
        for other in ["https://x.a.test.evil", "xhttps://x.a.test", "https://x.a.test\n", "null"] {
            assert!(!some.allows(other), "{other:?}");
        }
    }

    /// Every string that a small expression can match, by trying: literals, dots, alternatives and
    /// repetitions, each tried on every part of the text.
    #[derive(Clone, Debug)]
    enum Piece {
        Literal(char),
        Any,
        Either(Vec<Piece>, Vec<Piece>),
        Many(Vec<Piece>),
    }

    fn write(pieces: &[Piece]) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literal('.') => r"\.".to_owned(),
            Piece::Literal(letter) => letter.to_string(),
            Piece::Any => ".".to_owned(),
            Piece::Either(one, other) => format!("({}|{})", write(one), write(other)),
            Piece::Many(inner) => format!("({})*", write(inner)),
        };
        pieces.iter().map(piece).collect()
    }

    /// Where a match that begins at `from` can end.
    fn ends(pieces: &[Piece], text: &[char], from: usize) -> Vec<usize> {
        let Some((first, rest)) = pieces.split_first() else { return vec![from] };
        let mut after = match first {
            Piece::Literal(letter) => {
                let same = text.get(from).is_some_and(|other| other.eq_ignore_ascii_case(letter));
                if same { vec![from + 1] } else { Vec::new() }
            }
            Piece::Any => {
                if from < text.len() {
                    vec![from + 1]
                } else {
                    Vec::new()
                }
            }
            Piece::Either(one, other) => [ends(one, text, from), ends(other, text, from)].concat(),
            Piece::Many(inner) => {
                let mut reached = vec![from];
                let mut at = 0;
                while let Some(next) = reached.get(at).copied() {
                    for end in ends(inner, text, next) {
                        if !reached.contains(&end) {
                            reached.push(end);
                        }
                    }
                    at += 1;
                }
                reached
            }
        };
        after.sort_unstable();
        after.dedup();
        after.into_iter().flat_map(|end| ends(rest, text, end)).collect()
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let leaf = prop_oneof![
            "[ab.]".prop_map(|text: String| Piece::Literal(text.chars().next().unwrap())),
            Just(Piece::Any),
        ];
        let piece = leaf.prop_recursive(3, 12, 3, |inner| {
            let several = proptest::collection::vec(inner, 0..3);
            prop_oneof![
                (several.clone(), several.clone())
                    .prop_map(|(one, other)| Piece::Either(one, other)),
                several.prop_map(Piece::Many),
            ]
        });
        proptest::collection::vec(piece, 1..4)
    }

    proptest! {
        /// A host expression matches exactly what a slow match of the whole does.
        #[test]
        fn a_host_expression_never_matches_a_part(pieces in pieces(), text in "[abAB.c]{0,6}") {
            let chars: Vec<char> = text.chars().collect();
            let slow = ends(&pieces, &chars, 0).contains(&chars.len());
            let written = write(&pieces);
            let ways = [written.clone(), format!("^({written})$"), format!("^(?:{written})")];
            for expression in ways {
                prop_assert_eq!(host(&expression).matches(&text), slow, "{}", expression);
            }
        }
    }
}
