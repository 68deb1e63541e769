//! Reading HTTP/1.1 answers: no more of it than servers in these cases send.
//!
//! A client library would do more per answer than the servers under test do for a whole request,
//! and the driver shares two cores with them.

use crate::fault::Fault;

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Bytes up to the first one of the body.
    pub length: usize,
    /// How the body ends.
    pub body: Framing,
    /// The server will close the connection after it.
    pub closes: bool,
}

/// How a body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(usize),
    /// With an empty chunk.
    Chunked,
    /// At the end of the connection.
    UntilClose,
}

/// A whole answer, borrowed from the connection that it came over.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Status line and headers, as they came.
    pub head: &'a [u8],
    /// The body, without its chunks' marks.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The values of the header `name`, in order.
    pub fn headers(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        lines(self.head).filter_map(move |line| value(line, name))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        std::str::from_utf8(self.body).unwrap_or_default()
    }

    /// Compares this response with the expected one.
    ///
    /// # Errors
    /// [`Fault::Wrong`], with the beginning of the body, if the status is another one or `needle`
    /// is not in the body.
    pub fn expect(self, asked: &'static str, status: u16, needle: &[u8]) -> Result<Self, Fault> {
        if self.status == status && contains(self.body, needle) {
            return Ok(self);
        }
        Err(self.wrong(asked))
    }

    /// The fault that this answer is, if `asked` should have been answered otherwise.
    #[must_use]
    pub fn wrong(&self, asked: &'static str) -> Fault {
        let begin = &self.body[..self.body.len().min(300)];
        let location = self.headers("location").next().map(|to| format!(" (location: {to})"));
        let body = String::from_utf8_lossy(begin).into_owned() + &location.unwrap_or_default();
        Fault::Wrong { asked, status: self.status, body }
    }

    /// The text member `name` of a JSON body that is an object of plain values.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'a str> {
        let text = self.text();
        let at = text.find(&format!("\"{name}\":"))? + name.len() + 3;
        let rest = text[at..].trim_start().strip_prefix('"')?;
        rest.split('"').next()
    }
}

/// Reads the head at the beginning of `bytes`; `None` if it is not all there yet.
///
/// # Errors
/// [`Fault::Malformed`] if it is not a valid head.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Fault> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = &bytes[..end + 2];
    let status = status(head).ok_or(Fault::Malformed("the status line"))?;
    let mut framing =
        if matches!(status, 204 | 304) { Framing::Length(0) } else { Framing::UntilClose };
    let mut closes = head.starts_with(b"HTTP/1.0");
    for line in lines(head) {
        // Only a handful of names is looked for, and their first letters differ.
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'c') => {
                if let Some(text) = value(line, "content-length") {
                    let length = text.parse().map_err(|_| Fault::Malformed("content-length"))?;
                    framing = Framing::Length(length);
                } else if value(line, "connection").is_some_and(|text| text == "close") {
                    closes = true;
                }
            }
            Some(b't') if value(line, "transfer-encoding").is_some() => framing = Framing::Chunked,
            _ => {}
        }
    }
    closes |= framing == Framing::UntilClose;
    Ok(Some(Head { status, length: end + 4, body: framing, closes }))
}

/// Reads a chunked body at the beginning of `bytes` into `body`: how many bytes it took, or
/// `None` if it is not all there yet.
///
/// # Errors
/// [`Fault::Malformed`] if it is not chunked.
pub fn dechunk(bytes: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, Fault> {
    const WRONG: Fault = Fault::Malformed("a chunk");
    body.clear();
    let mut at = 0;
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[at..at + line]).map_err(|_| WRONG)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| WRONG)?;
        at += line + 2;
        let end = at.checked_add(size).and_then(|end| end.checked_add(2)).ok_or(WRONG)?;
        if bytes.len() < end {
            return Ok(None);
        }
        if &bytes[end - 2..end] != b"\r\n" {
            return Err(WRONG);
        }
        if size == 0 {
            return Ok(Some(end));
        }
        body.extend_from_slice(&bytes[at..at + size]);
        at = end;
    }
}

/// Whether `needle` is somewhere in `text`.
#[must_use]
pub fn contains(text: &[u8], needle: &[u8]) -> bool {
    find(text, needle).is_some()
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(first) = needle.first() else { return Some(0) };
    let mut from = 0;
    while let Some(step) = text.get(from..)?.iter().position(|byte| byte == first) {
        let at = from + step;
        if text[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end)
}

fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let rest = rest.strip_prefix(b":")?;
    if !found.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    std::str::from_utf8(rest.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_its_body_ends() {
        let read = |text: &str| head(text.as_bytes()).unwrap().unwrap();
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let known = Head { status: 200, length: 38, body: Framing::Length(5), closes: false };
        assert_eq!(read(plain), known);
        let chunked = read("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!((chunked.body, chunked.closes), (Framing::Chunked, false));
        let last = read("HTTP/1.1 303 See Other\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!((last.status, last.closes), (303, true));
        let open = read("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((open.body, open.closes), (Framing::UntilClose, true));
        assert_eq!(read("HTTP/1.1 304 Not Modified\r\n\r\n").body, Framing::Length(0));
    }

    #[test]
    fn half_a_head_is_none_and_junk_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n").unwrap().is_none());
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 abc\r\n\r\n").is_err());
        assert!(head(b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_are_put_together() {
        let mut body = Vec::new();
        let text = b"4\r\nWiki\r\n6;x=y\r\npedia \r\n0\r\n\r\nHTTP/1.1";
        assert_eq!(dechunk(text, &mut body).unwrap(), Some(text.len() - 8));
        assert_eq!(body, b"Wikipedia ");
        for cut in 0..text.len() - 8 {
            assert_eq!(dechunk(&text[..cut], &mut body).unwrap(), None, "{cut}");
        }
        assert!(dechunk(b"x\r\n", &mut body).is_err());
        assert!(dechunk(b"1\r\nab\r\n", &mut body).is_err());
        assert!(dechunk(b"ffffffffffffffff\r\n", &mut body).is_err());
    }

    #[test]
    fn an_answer_is_held_against_what_was_to_come() {
        let head = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n";
        let answer =
            Answer { status: 200, head, body: br#"{"access_token":"abc","expires_in":5}"# };
        assert!(answer.expect("it", 200, b"access_token").is_ok());
        assert!(answer.expect("it", 200, b"id_token").is_err());
        assert!(answer.expect("it", 201, b"access_token").is_err());
        assert_eq!(answer.member("access_token"), Some("abc"));
        assert_eq!(answer.member("expires_in"), None);
        assert_eq!(answer.headers("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    }
}
