//! XML that is read once and in one way: without document types, entities and processing instructions,
//! as deep as requests are and no deeper (`docs/contracts/ibexa.md` §10, number 5). What is wrong is
//! reported with its kind and never with a value, because any value may be a secret.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use serde_json::{Map, Value, json};

/// Elements within each other at most.
const DEEPEST: usize = 16;

const MALFORMED: &str = "The body is not well-formed XML.";
const TWICE: &str = "An element or an attribute is there twice.";

/// An element that has not ended yet.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// The name of the root element of `body`, and what is in it, in the form that JSON has: an attribute
/// is a member `_name`, the text of an element with members is `#text`.
pub(super) fn read(body: &[u8]) -> Result<(String, Value), &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| "The body is not UTF-8.")?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    reader.config_mut().expand_empty_elements = true;
    reader.config_mut().check_comments = true;
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(start) if root.is_none() => {
                if open.len() == DEEPEST {
                    return Err("The elements are nested too deeply.");
                }
                open.push(opened(&start)?);
            }
            Event::End(_) => {
                let ended = open.pop().ok_or(MALFORMED)?;
                let (name, value) = ended.closed()?;
                match open.last_mut() {
                    None => root = Some((name, value)),
                    Some(parent) => put(&mut parent.members, name, value)?,
                }
            }
            Event::Text(piece) => add(&mut open, &piece.xml10_content())?,
            Event::CData(piece) => add(&mut open, &piece.xml10_content())?,
            Event::GeneralRef(reference) => add(&mut open, &referred(&reference)?)?,
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().transpose().map_err(|_| MALFORMED)?;
                if encoding.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")) {
                    return Err("The body is not UTF-8.");
                }
            }
            Event::Comment(_) => {}
            Event::DocType(_) => return Err("A document type declaration is not allowed."),
            Event::PI(_) => return Err("Processing instructions are not allowed."),
            Event::Eof if open.is_empty() => return root.ok_or(MALFORMED),
            // Something goes on behind the root, or stops within it.
            Event::Start(_) | Event::Empty(_) | Event::Eof => return Err(MALFORMED),
        }
    }
}

fn opened(start: &BytesStart<'_>) -> Result<Open, &'static str> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| MALFORMED)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| MALFORMED)?;
        put(&mut members, format!("_{}", attribute.key.0), json!(value))?;
    }
    Ok(Open { name: start.name().0.to_owned(), members, text: String::new() })
}

impl Open {
    fn closed(mut self) -> Result<(String, Value), &'static str> {
        if self.members.is_empty() {
            return Ok((self.name, json!(self.text)));
        }
        if !self.text.trim().is_empty() {
            put(&mut self.members, "#text".to_owned(), json!(self.text))?;
        }
        Ok((self.name, Value::Object(self.members)))
    }
}

fn put(members: &mut Map<String, Value>, name: String, value: Value) -> Result<(), &'static str> {
    if members.insert(name, value).is_some() { Err(TWICE) } else { Ok(()) }
}

/// Adds text to the element that it is in; around the root there is none but blanks.
fn add(open: &mut [Open], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        _ if !text.chars().all(is_character) => return Err(MALFORMED),
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(MALFORMED),
    }
    Ok(())
}

/// What a reference stands for: a character, or one of the five entities that need no declaration.
fn referred(name: &str) -> Result<String, &'static str> {
    let number = name.strip_prefix('#').map(|number| match number.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    });
    let character = match (number, name) {
        (Some(number), _) => number.ok().and_then(char::from_u32).filter(|c| is_character(*c)),
        (None, "amp") => Some('&'),
        (None, "lt") => Some('<'),
        (None, "gt") => Some('>'),
        (None, "apos") => Some('\''),
        (None, "quot") => Some('"'),
        (None, _) => return Err("Entities are not allowed."),
    };
    character.map(String::from).ok_or(MALFORMED)
}

/// Whether a document may contain `c` (XML 1.0 §2.2).
pub(super) fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') || c >= '\u{10000}'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_are_members_and_attributes_too() {
        let (name, value) = read(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><S media-type=\"a&amp;b\">\n \
              <login>ann &amp; bob&#33;<![CDATA[<x>]]></login><password/><a b=\"c\">d</a>\n</S>\n",
        )
        .unwrap();
        let expected = json!({
            "_media-type": "a&b", "login": "ann & bob!<x>", "password": "",
            "a": {"_b": "c", "#text": "d"},
        });
        assert_eq!((&*name, value), ("S", expected));
        assert_eq!(read(b"<S>x</S>").unwrap(), ("S".to_owned(), json!("x")));
    }

    #[test]
    fn documents_that_could_be_read_in_two_ways_are_refused() {
        let bomb = "<!DOCTYPE s [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><s>&b;</s>";
        let deep = format!("{}{}", "<a>".repeat(DEEPEST + 1), "</a>".repeat(DEEPEST + 1));
        for (text, problem) in [
            (bomb, "A document type declaration is not allowed."),
            (
                "<!DOCTYPE s SYSTEM \"file:///etc/passwd\"><s/>",
                "A document type declaration is not allowed.",
            ),
            ("<s>&xxe;</s>", "Entities are not allowed."),
            ("<s a=\"&xxe;\"/>", MALFORMED),
            ("<s>&#0;</s>", MALFORMED),
            ("<s>\u{1}</s>", MALFORMED),
            ("<s>&#xD800;</s>", MALFORMED),
            ("<s>a & b</s>", MALFORMED),
            ("<?php echo 1 ?><s/>", "Processing instructions are not allowed."),
            (&*deep, "The elements are nested too deeply."),
            ("<s><a/><a/></s>", TWICE),
            ("<s a=\"1\" a=\"2\"/>", MALFORMED),
            ("<s></t>", MALFORMED),
            ("<s>", MALFORMED),
            ("</s>", MALFORMED),
            ("<s/><s/>", MALFORMED),
            ("<s/>x", MALFORMED),
            ("x<s/>", MALFORMED),
            ("", MALFORMED),
            ("{}", MALFORMED),
            ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><s/>", "The body is not UTF-8."),
        ] {
            assert_eq!(read(text.as_bytes()), Err(problem), "{text}");
        }
        assert_eq!(read(b"<s>\xff</s>"), Err("The body is not UTF-8."));
        let as_deep = format!("{}{}", "<a>".repeat(DEEPEST), "</a>".repeat(DEEPEST));
        assert!(read(as_deep.as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "[<>/&;a!\\[\\]?\"'= #x0-9-]{0,60}") {
            let _ = read(body.as_bytes());
        }
    }
}
