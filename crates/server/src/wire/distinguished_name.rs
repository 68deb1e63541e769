//! Distinguished names: the subjects of certificates, as a text (RFC 4514) or as they stand in a
//! certificate.
//!
//! A name is taken apart once, by the grammar, and compared attribute by attribute: nothing is ever
//! looked for within its text, where a value could pass for another attribute
//! (`docs/contracts/ibexa.md` §6 and §10, number 13).

use std::fmt::{self, Write as _};

/// Bytes of a text at most.
const LONGEST: usize = 4_096;

/// The attributes that we know by name (RFC 4514 §3, RFC 2985 §5.2.1, RFC 4519): the name that is
/// written, what else it is called, and its number.
const KNOWN: &[(&str, &[&str], &str)] = &[
    ("CN", &["commonname"], "2.5.4.3"),
    ("L", &["localityname"], "2.5.4.7"),
    ("ST", &["stateorprovincename", "s"], "2.5.4.8"),
    ("O", &["organizationname"], "2.5.4.10"),
    ("OU", &["organizationalunitname"], "2.5.4.11"),
    ("C", &["countryname"], "2.5.4.6"),
    ("STREET", &["streetaddress"], "2.5.4.9"),
    ("DC", &["domaincomponent"], "0.9.2342.19200300.100.1.25"),
    ("UID", &["userid"], "0.9.2342.19200300.100.1.1"),
    ("emailAddress", &["email", "e", "pkcs9email"], "1.2.840.113549.1.9.1"),
    ("SN", &["surname"], "2.5.4.4"),
    ("GN", &["givenname"], "2.5.4.42"),
    ("serialNumber", &[], "2.5.4.5"),
    ("title", &[], "2.5.4.12"),
];

/// The common name of a subject.
pub(crate) const COMMON_NAME: &str = "CN";
/// The e-mail address of a subject.
pub(crate) const EMAIL_ADDRESS: &str = "emailAddress";

/// A distinguished name. The part that says most of the subject comes first, as in RFC 4514 and
/// unlike in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DistinguishedName(Vec<Vec<Attribute>>);

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attribute {
    /// The name that we know it by, or its number.
    kind: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    /// What is no text, as it is encoded.
    Encoded(Vec<u8>),
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidName {
    /// `/C=…/CN=…`: a slash in a value could begin another attribute.
    #[error(
        "it has the form /C=…/CN=…, in which a value can pass for another attribute; have the \
         proxy send the name by RFC 2253 or RFC 4514 (Apache: without LegacyDNStringFormat)"
    )]
    Legacy,
    /// Not by the grammar of RFC 4514.
    #[error("it is not a distinguished name by RFC 4514")]
    Syntax,
    /// One part of the name has an attribute twice (X.501 §9.3).
    #[error("a part of the name has one attribute twice")]
    Twice,
}

impl DistinguishedName {
    /// Reads a name that was written by RFC 4514 or RFC 2253.
    ///
    /// # Errors
    /// [`InvalidName`]; whatever could be read in two ways is.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.starts_with('/') {
            return Err(InvalidName::Legacy);
        }
        if text.is_empty() || text.len() > LONGEST {
            return Err(InvalidName::Syntax);
        }
        let mut rest = Reader { rest: text };
        let mut parts = vec![Vec::new()];
        loop {
            let attribute = rest.attribute()?;
            if let Some(part) = parts.last_mut() {
                part.push(attribute);
            }
            match rest.take() {
                None => return Self::of(parts),
                Some(',') => parts.push(Vec::new()),
                Some('+') => {}
                Some(_) => return Err(InvalidName::Syntax),
            }
        }
    }

    /// Reads the subject of a certificate.
    ///
    /// # Errors
    /// [`InvalidName`] if it is empty, or not encoded by X.690.
    pub(crate) fn of_certificate(
        name: &x509_parser::x509::X509Name<'_>,
    ) -> Result<Self, InvalidName> {
        let mut parts = Vec::new();
        for part in name.iter_rdn() {
            let mut attributes = Vec::new();
            for attribute in part.iter() {
                let value = attribute.attr_value();
                let tag = value.header.tag().0;
                let value = match text_of(tag, value.data) {
                    Some(text) => Value::Text(text),
                    None => Value::Encoded(encoded(tag, value.data)?),
                };
                attributes
                    .push(Attribute { kind: kind(&attribute.attr_type().to_id_string()), value });
            }
            parts.push(attributes);
        }
        parts.reverse();
        Self::of(parts)
    }

    /// The same with the attributes of each part in one order: they are a set.
    fn of(mut parts: Vec<Vec<Attribute>>) -> Result<Self, InvalidName> {
        if parts.is_empty() || parts.iter().any(Vec::is_empty) {
            return Err(InvalidName::Syntax);
        }
        for part in &mut parts {
            part.sort();
            if part.windows(2).any(|two| two[0].kind == two[1].kind) {
                return Err(InvalidName::Twice);
            }
        }
        Ok(Self(parts))
    }

    /// The text of the attribute `kind`, if the name has it exactly once. Which of several would be
    /// meant, nobody can say.
    pub(crate) fn only(&self, kind: &str) -> Option<&str> {
        let mut found = self.0.iter().flatten().filter(|attribute| attribute.kind == kind);
        match (found.next().map(|attribute| &attribute.value), found.next()) {
            (Some(Value::Text(text)), None) if is_plain(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether a text can be the name of somebody: nothing in it is invisible.
fn is_plain(text: &str) -> bool {
    !text.trim().is_empty() && !text.chars().any(char::is_control)
}

impl fmt::Display for DistinguishedName {
    /// In one spelling, by RFC 4514 §2.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            for (of_part, attribute) in part.iter().enumerate() {
                let before = match (at, of_part) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                };
                write!(f, "{before}{}=", attribute.kind)?;
                match &attribute.value {
                    Value::Text(text) => write_text(f, text)?,
                    Value::Encoded(bytes) => {
                        f.write_char('#')?;
                        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            '#' if at == 0 => f.write_str("\\#")?,
            c if c.is_control() => {
                let mut bytes = [0; 4];
                let bytes = c.encode_utf8(&mut bytes).bytes();
                bytes.into_iter().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// The name that we know an attribute by.
fn kind(written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    let is_it = |(name, others, number): &&(&str, &[&str], &str)| {
        name.eq_ignore_ascii_case(&lower) || others.contains(&&*lower) || *number == lower
    };
    KNOWN.iter().find(is_it).map_or(lower.clone(), |(name, _, _)| (*name).to_owned())
}

/// The text of an ASN.1 string of the universal type `tag`; `None` if it is of another type, or not
/// what that may have.
fn text_of(tag: u32, bytes: &[u8]) -> Option<String> {
    const UTF8: u32 = 12;
    const PRINTABLE: u32 = 19;
    const IA5: u32 = 22;
    let text = std::str::from_utf8(bytes).ok()?;
    match tag {
        UTF8 => Some(text.to_owned()),
        PRINTABLE | IA5 if text.is_ascii() => Some(text.to_owned()),
        _ => None,
    }
}

/// The string of the universal type `tag`, encoded by X.690 §8.1.
fn encoded(tag: u32, bytes: &[u8]) -> Result<Vec<u8>, InvalidName> {
    let tag = u8::try_from(tag).ok().filter(|tag| *tag < 0x1f).ok_or(InvalidName::Syntax)?;
    let length = u16::try_from(bytes.len()).map_err(|_| InvalidName::Syntax)?.to_be_bytes();
    let mut encoded = match length {
        [0, length @ ..0x80] => vec![tag, length],
        [0, length] => vec![tag, 0x81, length],
        [high, low] => vec![tag, 0x82, high, low],
    };
    encoded.extend_from_slice(bytes);
    Ok(encoded)
}

/// What is left of a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let taken = rest.next();
        self.rest = rest.as_str();
        taken
    }

    /// `attributeType EQUALS attributeValue`.
    fn attribute(&mut self) -> Result<Attribute, InvalidName> {
        let (written, rest) = self.rest.split_once('=').ok_or(InvalidName::Syntax)?;
        if !is_keyword(written) && !is_number(written) {
            return Err(InvalidName::Syntax);
        }
        self.rest = rest;
        let value = if self.rest.starts_with('#') { self.encoded()? } else { self.text()? };
        Ok(Attribute { kind: kind(written), value })
    }

    /// `SHARP 1*hexpair`: the value as it is encoded in a certificate.
    fn encoded(&mut self) -> Result<Value, InvalidName> {
        self.take();
        let end = self.rest.find([',', '+']).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let pairs = digits.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs.map(hex_pair).collect();
        let bytes = bytes.filter(|bytes| !bytes.is_empty()).ok_or(InvalidName::Syntax)?;
        // A tag, a length of one byte, and as much as that says.
        if let [tag, length, text @ ..] = &*bytes
            && *length < 0x80
            && usize::from(*length) == text.len()
            && let Some(text) = text_of(u32::from(*tag), text)
        {
            return Ok(Value::Text(text));
        }
        Ok(Value::Encoded(bytes))
    }

    /// `string`: everything up to a separator, of which all that could be one is escaped.
    fn text(&mut self) -> Result<Value, InvalidName> {
        let mut bytes = Vec::new();
        // Whether the last character is a space that is not escaped, which a value must not end in.
        let mut ends_in_space = false;
        while let Some(next) = self.rest.chars().next() {
            match next {
                ',' | '+' => break,
                '"' | ';' | '<' | '>' | '\0' => return Err(InvalidName::Syntax),
                ' ' if bytes.is_empty() => return Err(InvalidName::Syntax),
                '\\' => {
                    self.take();
                    bytes.push(self.escaped()?);
                    ends_in_space = false;
                }
                c => {
                    self.take();
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    ends_in_space = c == ' ';
                }
            }
        }
        if ends_in_space {
            return Err(InvalidName::Syntax);
        }
        String::from_utf8(bytes).map(Value::Text).map_err(|_| InvalidName::Syntax)
    }

    /// What follows a backslash: a special character, or two hexadecimal digits for a byte.
    fn escaped(&mut self) -> Result<u8, InvalidName> {
        let bytes = self.rest.as_bytes();
        if let Some(special) = bytes.first().filter(|byte| b"\\\"+,;<> #=".contains(byte)) {
            self.take();
            return Ok(*special);
        }
        let byte = bytes.get(..2).and_then(hex_pair).ok_or(InvalidName::Syntax)?;
        // Two digits are two characters.
        self.rest = &self.rest[2..];
        Ok(byte)
    }
}

/// A byte of exactly two hexadecimal digits.
fn hex_pair(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let &[high, low] = digits else { return None };
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// `keystring`: a letter, then letters, digits and dashes.
fn is_keyword(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `numericoid`: numbers, without a zero before them, joined by dots.
fn is_number(text: &str) -> bool {
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(number)
}

#[cfg(test)]
mod tests;
