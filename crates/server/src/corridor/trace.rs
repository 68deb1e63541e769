//! What a request is called by others: its trace (W3C Trace Context) and its `X-Request-Id`. Both are
//! continued if they are well-formed and made anew otherwise, go to the API behind a guard, and stand
//! in every line of the log about the request (`docs/logs.md`).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use castellan_gate::DecisionId;

use crate::{
    background::audit::RequestIds,
    traces::{OpenSpan, Traces},
};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a `traceparent` of version 00 (W3C Trace Context §3.2.2).
const LENGTH: usize = 55;
/// Where the trace id stands in it, and the id of the span.
const TRACE: std::ops::Range<usize> = 3..35;
const PARENT: std::ops::Range<usize> = 36..52;

/// What one request is called.
#[derive(Clone, Copy)]
pub(super) struct Trace {
    /// The id of its decision.
    pub(super) id: DecisionId,
    pub(super) ids: RequestIds,
    parent: [u8; LENGTH],
    /// Whether the request came with this trace, and whether with these very characters.
    is_continued: bool,
    is_unchanged: bool,
    /// Whether the request came with the id that it has.
    is_named: bool,
}

impl Trace {
    /// What the request with these `headers` is called, and its span if `traces` record it: then what
    /// is asked for its sake continues that.
    pub(super) fn of(headers: &HeaderMap, traces: Option<&Traces>) -> (Self, Option<OpenSpan>) {
        let id = DecisionId::generate();
        let told = only(headers, &TRACE_PARENT);
        let continued = told.and_then(|text| read(text.as_bytes()));
        let caller = continued.as_ref().and_then(|parent| std::str::from_utf8(parent).ok());
        let span = traces.and_then(|traces| traces.request(caller, id.as_str()));
        let own = span.as_ref().and_then(|span| read(span.traceparent().as_bytes()));
        let parent = own.or(continued).unwrap_or_else(|| begin(traces.is_none()));
        let named = only(headers, &REQUEST_ID).filter(|text| is_request_id(text));
        let trace = std::str::from_utf8(&parent[TRACE]).unwrap_or_default();
        let ids = RequestIds::new(id.as_str(), trace, named.unwrap_or(id.as_str()));
        let is_unchanged = told.is_some_and(|text| text.as_bytes() == parent);
        let (is_continued, is_named) = (continued.is_some(), named.is_some());
        (Self { id, ids, parent, is_continued, is_unchanged, is_named }, span)
    }

    /// Puts both into `headers`, which go to an API.
    pub(super) fn set(&self, headers: &mut HeaderMap) {
        if !self.is_unchanged
            && let Ok(parent) = HeaderValue::from_bytes(&self.parent)
        {
            headers.insert(TRACE_PARENT, parent);
        }
        if !self.is_continued {
            // It is about a trace that is not continued (§3.3).
            headers.remove(TRACE_STATE);
        }
        if !self.is_named {
            headers.insert(REQUEST_ID, self.id.value());
        }
    }
}

/// The one value of `name`; of two, neither is believed.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let only = all.next()?;
    if all.next().is_some() { None } else { only.to_str().ok() }
}

/// A trace that begins here. Its flag says whether it may be recorded: without it, APIs that follow
/// their caller's choice record nothing.
fn begin(may_be_recorded: bool) -> [u8; LENGTH] {
    let mut parent = *b"00-00000000000000000000000000000000-0000000000000000-00";
    parent[LENGTH - 1] += u8::from(may_be_recorded);
    let (one, other) = (DecisionId::generate(), DecisionId::generate());
    let digits = one.as_str().bytes().chain(other.as_str().bytes());
    let places = TRACE.chain(PARENT);
    places.zip(digits).for_each(|(at, digit)| parent[at] = digit);
    parent
}

/// `text` as it goes on, if it is a valid `traceparent`. One of a version to come begins as one of
/// version 00 does, and goes on as that: the rest of it, and other flags than the first, are for those
/// who know them (§3.2.4).
fn read(text: &[u8]) -> Option<[u8; LENGTH]> {
    let (parent, rest) = text.split_first_chunk::<LENGTH>()?;
    let is_hex = |part: &[u8]| part.iter().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
    let is_some = |part: &[u8]| is_hex(part) && part.iter().any(|digit| *digit != b'0');
    let (version, flags) = (&parent[..2], &parent[53..]);
    let is_valid = [2, 35, 52].iter().all(|at| parent[*at] == b'-')
        && is_hex(version)
        && version != b"ff"
        && is_some(&parent[TRACE])
        && is_some(&parent[PARENT])
        && is_hex(flags)
        && (rest.is_empty() || (version != b"00" && rest[0] == b'-'));
    let mut parent = is_valid.then_some(*parent)?;
    if version != b"00" {
        parent[..2].copy_from_slice(b"00");
        let is_sampled =
            matches!(parent[54], b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f');
        parent[53..].copy_from_slice(if is_sampled { b"01" } else { b"00" });
    }
    Some(parent)
}

/// Whether `text` is an id as proxies and clients make them: nothing that a line of a log, a header or
/// a shell reads as anything else.
fn is_request_id(text: &str) -> bool {
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&one);
    (1..=RequestIds::LONGEST_REQUEST_ID).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_well_formed_traceparent_is_continued() {
        assert!(read(VALID.as_bytes()).is_some());
        let longer = format!("{VALID}-00");
        for text in [
            "",
            &VALID[..54],
            &longer,
            &VALID.to_uppercase(),
            &VALID.replace("00-4", "ff-4"),
            &VALID.replace("00-4", "0g-4"),
            &VALID.replace('-', "_"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01",
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_traceparent_of_a_later_version_goes_on_as_one_of_version_00() {
        for (text, flags) in [
            (VALID.replacen("00", "01", 1), "01"),
            (format!("{}-more", VALID.replacen("00", "cc", 1)), "01"),
            (VALID.replacen("00", "01", 1).replace("b7-01", "b7-1e"), "00"),
        ] {
            let wanted = VALID.replace("b7-01", &format!("b7-{flags}"));
            assert_eq!(read(text.as_bytes()).as_ref().map(|one| &one[..]), Some(wanted.as_bytes()));
        }
        assert!(read(format!("{}x", VALID.replacen("00", "01", 1)).as_bytes()).is_none());
    }

    #[test]
    fn a_trace_that_begins_here_is_well_formed_and_new() {
        let (one, other) = (begin(true), begin(true));
        assert_eq!(read(&one), Some(one));
        assert!(one.ends_with(b"-01") && begin(false).ends_with(b"-00"));
        assert_ne!(one[TRACE], other[TRACE]);
        assert_ne!(one[PARENT], other[PARENT]);
    }

    #[test]
    fn a_request_id_is_short_and_plain() {
        for text in
            ["a", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Root=1-67891233-abcdef", "a/b+c=="]
        {
            assert!(is_request_id(text), "{text}");
        }
        for text in ["", "a b", "a\"b", "a\nb", "a;b", "a{b", "ä", &"a".repeat(129)] {
            assert!(!is_request_id(text), "{text}");
        }
    }
}
