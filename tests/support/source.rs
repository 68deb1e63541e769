//! Reads Rust source as far as `walls.rs` needs it: words and signs, without comments, strings and
//! tests, and the paths that they form.

/// A word, a number, `::` or another sign, with the line that it stands on.
#[derive(Clone, Debug)]
pub struct Token {
    /// From 1.
    pub line: usize,
    /// As it is written.
    pub text: String,
}

/// A path that a module uses, its groups and aliases taken apart.
#[derive(Clone, Debug)]
pub struct Used {
    /// Where it begins, from 1.
    pub line: usize,
    /// Its segments.
    pub path: Vec<String>,
    /// The name that a `use` gives it here.
    pub name: Option<String>,
}

/// What a file holds, outside of its tests.
pub struct Source {
    tokens: Vec<Token>,
}

impl Source {
    /// Reads `text`.
    pub fn of(text: &str) -> Self {
        Self { tokens: without_tests(&tokens(text)) }
    }

    /// The modules that it declares in files of their own.
    pub fn modules(&self) -> Vec<String> {
        let declared = |three: &[Token]| three[0].text == "mod" && three[2].text == ";";
        let three = self.tokens.windows(3).filter(|three| declared(three));
        three.map(|three| three[1].text.clone()).collect()
    }

    /// Every path in it: those of `use`, and those written out in code. A single word is no path,
    /// except in `use`.
    pub fn paths(&self) -> Vec<Used> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            if token.text == "use" {
                at = self.tree(at + 1, &[], &mut found);
            } else if is_word(&token.text) {
                let (path, after) = self.segments(at);
                if path.len() > 1 {
                    found.push(Used { line: token.line, path, name: None });
                }
                at = after;
            } else {
                // `::` first: the rest of a path that no word begins, such as `<T as Trait>::name`.
                at += 1;
                if token.text == "::" && self.text(at).is_some_and(is_word) {
                    at = self.segments(at).1;
                }
            }
        }
        found
    }

    fn text(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).map(|token| token.text.as_str())
    }

    /// The words from `at` on that `::` joins, and what comes after them.
    fn segments(&self, mut at: usize) -> (Vec<String>, usize) {
        let mut path = vec![self.tokens[at].text.clone()];
        at += 1;
        while self.text(at) == Some("::") && self.text(at + 1).is_some_and(is_word) {
            path.push(self.tokens[at + 1].text.clone());
            at += 2;
        }
        (path, at)
    }

    /// Takes apart the tree of a `use` that begins at `at`, below `above`; returns what comes after.
    fn tree(&self, mut at: usize, above: &[String], found: &mut Vec<Used>) -> usize {
        let mut path = above.to_vec();
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        loop {
            match self.text(at) {
                Some("::") => at += 1,
                Some("{") => {
                    at += 1;
                    while !matches!(self.text(at), None | Some("}")) {
                        let after = self.tree(at, &path, found);
                        // One step at least, over the comma or over what no `use` knows.
                        at = after + usize::from(after == at || self.text(after) == Some(","));
                    }
                    return at + 1;
                }
                Some("as") => {
                    let name = self.text(at + 1).map(str::to_owned);
                    found.push(Used { line, path, name });
                    return at + 2;
                }
                Some(word) if is_word(word) || word == "*" => {
                    // `self` in a group is the path that stands before it.
                    if word != "self" || path.is_empty() {
                        path.push(word.to_owned());
                    }
                    at += 1;
                }
                _ => {
                    let name = path.last().cloned();
                    found.push(Used { line, path, name });
                    return at;
                }
            }
        }
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The words and signs of `text`.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let skipped = not_code(rest);
        let length = match skipped {
            Some(length) => length,
            None if rest.starts_with("::") => 2,
            None if first.is_alphanumeric() || first == '_' => word_length(rest),
            None => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if skipped.is_none() && !first.is_whitespace() {
            tokens.push(Token { line, text: token.trim_start_matches("r#").to_owned() });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

fn word_length(rest: &str) -> usize {
    let rest_of_raw = rest.strip_prefix("r#");
    let word = rest_of_raw.unwrap_or(rest);
    let end = word.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(word.len());
    end + (rest.len() - word.len())
}

/// The length of the comment, string, character or lifetime that `rest` begins with.
fn not_code(rest: &str) -> Option<usize> {
    let until = |end: &str| rest.find(end).unwrap_or(rest.len());
    if rest.starts_with("//") {
        return Some(until("\n"));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if let Some(text) = rest.strip_prefix('\'') {
        return Some(1 + after_quote(text));
    }
    let text = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - text.len();
    if prefix > 2 {
        return None;
    }
    if rest[..prefix].contains('r') {
        let quoted = text.trim_start_matches('#');
        let end = format!("\"{}", &text[..text.len() - quoted.len()]);
        let start = rest.len() - quoted.len() + 1;
        let body = quoted.strip_prefix('"')?;
        return Some(start + body.find(&end).map_or(body.len(), |at| at + end.len()));
    }
    match text.strip_prefix('"') {
        Some(text) => Some(prefix + 1 + closing(text, '"')),
        None if &rest[..prefix] == "b" => {
            text.strip_prefix('\'').map(|text| prefix + 1 + closing(text, '\''))
        }
        None => None,
    }
}

/// Comments may stand in comments.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < rest.len() {
        let here = &rest.as_bytes()[at..];
        let step = if here.starts_with(b"/*") {
            depth += 1;
            2
        } else if here.starts_with(b"*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
    }
    at.min(rest.len())
}

/// After a single quote: a character up to its own end, or the word of a lifetime.
fn after_quote(text: &str) -> usize {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => closing(text, '\''),
        (Some(one), Some('\'')) => one.len_utf8() + 1,
        _ => word_length(text),
    }
}

/// The length up to and with `end`, where a backslash makes the next character one of the text.
fn closing(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, one) in text.char_indices() {
        if one == end && !escaped {
            return at + one.len_utf8();
        }
        escaped = one == '\\' && !escaped;
    }
    text.len()
}

/// `tokens` without the items under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let here = tokens[at..].iter().map(|token| token.text.as_str());
        if here.take(ATTRIBUTE.len()).eq(ATTRIBUTE) {
            at = after_item(tokens, at + ATTRIBUTE.len());
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    kept
}

/// Where the item that begins at `at` has ended: after its `;`, or after its body.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0_usize;
    let mut body = true;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "use" if depth == 0 => body = false,
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && body {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn paths(text: &str) -> Vec<String> {
        Source::of(text).paths().iter().map(|used| used.path.join("::")).collect()
    }

    #[test]
    fn trees_of_use_are_taken_apart() {
        let text = "pub use crate::{a, b::{self, C as D}, e::*}; use super::f;";
        assert_eq!(paths(text), ["crate::a", "crate::b", "crate::b::C", "crate::e::*", "super::f"]);
        let names: Vec<_> = Source::of(text).paths().into_iter().map(|one| one.name).collect();
        assert_eq!(names[2].as_deref(), Some("D"));
    }

    #[test]
    fn paths_in_code_count_with_their_lines() {
        let source = Source::of("fn f() -> a::B {\n    crate::c::d(x);\n    y::<u8>::z()\n}");
        let found = source.paths();
        let found: Vec<_> = found.iter().map(|one| (one.line, one.path.join("::"))).collect();
        assert_eq!(found, [(1, "a::B".to_owned()), (2, "crate::c::d".to_owned())]);
    }

    #[test]
    fn what_is_no_code_does_not_count() {
        for text in [
            "// crate::a",
            "/* crate::a /* crate::b */ crate::c */",
            r#"const A: &str = "crate::a \" crate::b";"#,
            r##"const A: &str = r#"crate::a " crate::b"#;"##,
            r#"const A: &[u8] = b"crate::a";"#,
            "#[cfg(test)] mod tests { use crate::a; fn f() { crate::b::c() } }",
            "#[cfg(test)]\nmod tests;",
            "#[cfg(test)] use crate::{a, b};",
        ] {
            assert_eq!(paths(text), [""; 0], "{text}");
            assert_eq!(Source::of(text).modules(), [""; 0], "{text}");
        }
    }

    #[test]
    fn after_what_is_no_code_there_is_code_again() {
        for text in [
            "/* x /* y */ */ use crate::a;",
            r#"const A: &str = "\\"; use crate::a;"#,
            r##"const A: &str = r#"" "#; use crate::a;"##,
            r"const A: char = '\''; use crate::a;",
            "const A: char = '\"'; use crate::a;",
            "const A: u8 = b'\"'; use crate::a;",
            "struct A<'a>(&'a str); use crate::a;",
            "#[cfg(test)] use super::{b, c}; use crate::a;",
            "#[cfg(test)] fn f(_: [u8; 3]) {} use crate::a;",
        ] {
            assert_eq!(paths(text), ["crate::a"], "{text}");
        }
    }

    #[test]
    fn modules_are_those_in_files_of_their_own() {
        assert_eq!(Source::of("mod a; pub mod b; mod c { }").modules(), ["a", "b"]);
    }
}
