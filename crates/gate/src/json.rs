//! JSON as it was written (RFC 8259): numbers keep their digits and strings their escapes, so that
//! what is passed on is what was sent, including values that no Rust type can hold.

use std::{borrow::Cow, collections::HashSet, fmt};

/// A value, in the text that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A number with all its digits.
    Number(&'a str),
    String(JsonString<'a>),
    Array(Vec<Self>),
    /// No two members have one name.
    Object(Vec<(JsonString<'a>, Self)>),
}

/// A string with its quotes and escapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct JsonString<'a>(&'a str);

/// The escapes of two characters, and what they mean (RFC 8259 §7).
const SHORT: [(char, char); 8] = [
    ('n', '\n'),
    ('"', '"'),
    ('\\', '\\'),
    ('t', '\t'),
    ('r', '\r'),
    ('/', '/'),
    ('b', '\u{8}'),
    ('f', '\u{c}'),
];

/// How deep arrays and objects may nest, as with `serde_json`.
const DEPTH: usize = 127;

impl<'a> Json<'a> {
    /// Reads a text that is one value. `None` if it is not one, nests too deeply, or has an object
    /// that names a member twice: two readers of one text must not be able to disagree.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(DEPTH)?;
        reader.skip_whitespace();
        (reader.at == text.len()).then_some(value)
    }

    /// Whether it is `null`.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Json<'_> {
    /// Writes it without whitespace, and otherwise as it was read.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => out.write_str("null"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(digits) => out.write_str(digits),
            Self::String(string) => out.write_str(string.0),
            Self::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if at == 0 { "[" } else { "," })?;
                }
                out.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(members) => {
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(out, "{}{}:{value}", if at == 0 { "{" } else { "," }, name.0)?;
                }
                out.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

impl<'a> JsonString<'a> {
    /// The text it represents; `None` if it contains half of a surrogate pair, which is not Unicode
    /// text (RFC 8259 §8.2).
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.plain() {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None => match self.without_short_escapes() {
                Some(text) => Some(Cow::Owned(text)),
                None => serde_json::from_str(self.0).ok().map(Cow::Owned),
            },
        }
    }

    /// The bytes of what it says; half of a surrogate pair is the three bytes that it would be if it
    /// were a character (WTF-8).
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        match self.plain() {
            Some(plain) => Cow::Borrowed(plain.as_bytes()),
            // What was read as a string is one.
            None => serde_json::from_str(self.0)
                .map_or_else(|_| Cow::default(), |Bytes(bytes)| bytes.into()),
        }
    }

    /// What it says, if its escapes are those of two characters.
    fn without_short_escapes(self) -> Option<String> {
        let mut rest = self.0.get(1..self.0.len() - 1)?;
        let mut text = String::with_capacity(rest.len());
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            let escape = char::from(*rest.as_bytes().get(at + 1)?);
            text.push(SHORT.iter().find(|(short, _)| *short == escape)?.1);
            rest = &rest[at + 2..];
        }
        text.push_str(rest);
        Some(text)
    }

    /// What is between the quotes, if it has no escapes.
    fn plain(self) -> Option<&'a str> {
        let inner = self.0.get(1..self.0.len() - 1)?;
        (!inner.contains('\\')).then_some(inner)
    }
}

/// The bytes of a string, whether they are UTF-8 or not.
struct Bytes(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        from.deserialize_bytes(Visitor)
    }
}

/// Appends `text` to `out` as a JSON string.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.reserve(text.len() + text.len() / 16 + 2);
    out.push('"');
    let mut rest = text;
    // Whole runs of what is written as it is (RFC 8259 §7), which is nearly all.
    loop {
        let (plain, next) = rest.split_at(plain_run(rest.as_bytes()));
        out.push_str(plain);
        let Some(next) = next.chars().next() else { break };
        match SHORT.iter().find(|(_, meant)| *meant == next) {
            Some((short, _)) => out.extend(['\\', *short]),
            None => drop(fmt::write(out, format_args!("\\u{:04x}", u32::from(next)))),
        }
        rest = &rest[plain.len() + 1..];
    }
    out.push('"');
}

/// How many of the first of `bytes` stand in a string as they are (RFC 8259 §7).
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    // Bytes equal to `byte` have their highest bit set, and maybe bytes above them.
    let any = |word: u64, byte: u8| {
        let zeros = word ^ (ONES * u64::from(byte));
        zeros.wrapping_sub(ONES) & !zeros
    };
    let mut run = 0;
    for eight in bytes.as_chunks().0 {
        let word = u64::from_le_bytes(*eight);
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        if (any(word, b'"') | any(word, b'\\') | controls) & HIGHEST != 0 {
            break;
        }
        run += 8;
    }
    run + bytes[run..].iter().take_while(|byte| !is_escaped(**byte)).count()
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        self.take_any(&[byte])
    }

    fn take_any(&mut self, bytes: &[u8]) -> Option<()> {
        self.peek().filter(|next| bytes.contains(next))?;
        self.at += 1;
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn skip_whitespace(&mut self) {
        while self.take_any(b" \t\n\r").is_some() {}
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        self.skip_whitespace();
        match self.peek()? {
            b'n' => self.word("null").map(|()| Json::Null),
            b't' => self.word("true").map(|()| Json::Bool(true)),
            b'f' => self.word("false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::String),
            b'[' => self.array(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json<'a>> {
        let mut items = Vec::new();
        self.list(b'[', b']', |reader| {
            items.push(reader.value(depth)?);
            Some(())
        })?;
        Some(Json::Array(items))
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        let mut members = Vec::new();
        self.list(b'{', b'}', |reader| {
            reader.skip_whitespace();
            let name = reader.string()?;
            reader.skip_whitespace();
            reader.take(b':')?;
            members.push((name, reader.value(depth)?));
            Some(())
        })?;
        have_names_of_their_own(&members).then_some(Json::Object(members))
    }

    /// The values between `open` and `close`, separated by commas.
    fn list(
        &mut self,
        open: u8,
        close: u8,
        mut read_one: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.skip_whitespace();
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            read_one(self)?;
            self.skip_whitespace();
            if self.take(close).is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    fn string(&mut self) -> Option<JsonString<'a>> {
        let start = self.at;
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return self.text.get(start..self.at).map(JsonString);
                }
                b'\\' => {
                    self.at += 1;
                    let is_code = self.peek()? == b'u';
                    self.take_any(b"\"\\/bfnrtu")?;
                    if is_code {
                        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then(|| self.at += 4)?;
                    }
                }
                0..=0x1f => return None,
                _ => self.at += plain_run(self.text.as_bytes().get(self.at..)?),
            }
        }
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let start = self.at;
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take_any(b"eE").is_some() {
            let _ = self.take_any(b"+-");
            self.digits()?;
        }
        self.text.get(start..self.at).map(Json::Number)
    }

    fn digits(&mut self) -> Option<()> {
        self.take_any(b"0123456789")?;
        while self.take_any(b"0123456789").is_some() {}
        Some(())
    }
}

/// As many members are compared with each other one by one.
const FEW: usize = 8;

fn have_names_of_their_own(members: &[(JsonString<'_>, Json<'_>)]) -> bool {
    let mut names = members.iter().map(|(name, _)| name.bytes());
    if members.len() <= FEW {
        let names: Vec<_> = names.collect();
        return (1..names.len()).all(|at| !names[..at].contains(&names[at]));
    }
    let mut seen = HashSet::with_capacity(members.len());
    names.all(|name| seen.insert(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for text in [
            "null",
            "[true,false]",
            "0.1234567890123456789012345",
            "[1.10,-0,0E+7,1e400,123456789012345678901234567890]",
            r#""\ud800 \u00e9 \/ é""#,
            r#"{"a":{},"\u0062":[],"\ud800":[[[1]]]}"#,
        ] {
            assert_eq!(Json::read(text).unwrap().to_string(), text);
        }
        assert_eq!(Json::read(" [ 1 , { \"a\" :\t2 } ]\n").unwrap().to_string(), "[1,{\"a\":2}]");
    }

    #[test]
    fn what_is_no_json_or_names_a_member_twice_is_not_read() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let many: Vec<_> = (0..20).map(|n| format!("\"a{n}\":0")).collect();
        for text in [
            "",
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "-",
            "NaN",
            "tru",
            "[1,]",
            "[1 2]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\"}",
            "\"\t\"",
            r#""\x""#,
            r#""\u12g4""#,
            r#""\u123""#,
            "\"",
            "1 1",
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\ud800":1,"\uD800":2}"#,
            &format!("{{{},\"a7\":0}}", many.join(",")),
            &deep(128),
        ] {
            assert_eq!(Json::read(text), None, "{text}");
        }
        assert!(Json::read(&deep(127)).is_some());
        assert!(Json::read(&format!("{{{}}}", many.join(","))).is_some());
    }

    #[test]
    fn half_a_pair_is_no_text_and_has_bytes_all_the_same() {
        let string = |text: &'static str| match Json::read(text) {
            Some(Json::String(string)) => string,
            other => panic!("{other:?}"),
        };
        assert_eq!(string(r#""\ud83d\ude00""#).text().unwrap(), "😀");
        assert_eq!(string(r#""\ud83d""#).text(), None);
        assert_eq!(&*string(r#""\ud83d""#).bytes(), b"\xed\xa0\xbd");
        assert_eq!(&*string("\"é\"").bytes(), "é".as_bytes());
    }

    #[test]
    fn every_escape_is_read_and_written() {
        let written = r#""a\nb\"c\\d\/e\tf\rg\bh\fi\u001fj\u00e4 \ud83d\ude00""#;
        let Some(Json::String(string)) = Json::read(written) else { panic!("a string") };
        let text = string.text().unwrap();
        assert_eq!(text, "a\nb\"c\\d/e\tf\rg\u{8}h\u{c}i\u{1f}jä 😀");
        assert_eq!(JsonString(r#""\n\"\\\/\t\r\b\f""#).text().unwrap(), "\n\"\\/\t\r\u{8}\u{c}");
    }

    proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "[ -~\\x00-\\x1f\"\\\\ä\u{7f}😀]{0,40}") {
            let mut out = String::new();
            push_string(&mut out, &text);
            prop_assert_eq!(&out, &serde_json::to_string(&text).unwrap());
            let Some(Json::String(string)) = Json::read(&out) else { panic!("{out}") };
            prop_assert_eq!(string.text().unwrap(), text);
        }

        /// Whatever `serde_json` takes for one value is one, and nothing else.
        #[test]
        fn it_reads_what_serde_json_reads(text in "[\\[\\]{}:,\"\\\\udb08aeE+.\\- 1-3tfnrlsu\u{1}é]{0,24}") {
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            let ours = Json::read(&text);
            if let Some(ours) = &ours {
                let written = ours.to_string();
                let again = Json::read(&written);
                prop_assert_eq!(again.as_ref(), Some(ours));
            }
            // A name that comes twice is the one thing that only we refuse.
            let may_repeat = theirs && text.contains("{\"");
            prop_assert!(ours.is_some() == theirs || may_repeat);
        }
    }
}
