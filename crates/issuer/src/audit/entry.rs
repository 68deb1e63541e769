//! A record on its way to where it is kept: written once, although its code, its hash and the record
//! itself show its members in two orders.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Digest, Timestamp, jose::HmacKey};
use serde::Serialize;
use serde_json::value::RawValue;

/// The name of the member with the code.
pub(super) const CODE: &str = "code";

/// A record as it is stored and printed.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) at: Timestamp,
    pub(super) number: u64,
    text: Box<RawValue>,
}

impl Entry {
    /// The record in JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.get()
    }

    pub(super) fn raw(&self) -> Box<RawValue> {
        self.text.clone()
    }
}

/// The members of a record, each as `"name":value`.
#[derive(Default)]
pub(super) struct Members {
    text: Vec<u8>,
    /// The name of each, and where it ends.
    ends: Vec<(&'static str, usize)>,
}

impl Members {
    /// One more. Texts and numbers always serialise.
    pub(super) fn add(&mut self, name: &'static str, value: impl Serialize) {
        for byte in [b"\"", name.as_bytes(), b"\":"] {
            self.text.extend_from_slice(byte);
        }
        let _ = serde_json::to_writer(&mut self.text, &value);
        self.ends.push((name, self.text.len()));
    }

    /// The object with the members in this `order` of theirs.
    fn object(&self, order: impl Iterator<Item = usize>) -> Vec<u8> {
        let mut object = Vec::with_capacity(self.text.len() + self.ends.len() + 1);
        object.push(b'{');
        for at in order {
            if object.len() > 1 {
                object.push(b',');
            }
            let begin = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
            object.extend_from_slice(&self.text[begin..self.ends[at].1]);
        }
        object.push(b'}');
        object
    }

    /// The members in the order of their names, as codes and hashes are made of them.
    fn sorted(&self) -> Vec<u8> {
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        order.sort_unstable_by_key(|at| self.ends[*at].0);
        self.object(order.into_iter())
    }

    /// The record with its code under `key`, and its hash.
    pub(super) fn close(mut self, at: Timestamp, number: u64, key: &HmacKey) -> (Entry, String) {
        let code = URL_SAFE_NO_PAD.encode(key.code(&self.sorted()));
        self.add(CODE, code);
        let hash = Digest::of(&self.sorted()).text();
        let text = String::from_utf8(self.object(0..self.ends.len())).unwrap_or_default();
        // It is JSON by the way it was made.
        let text = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        (Entry { at, number, text }, hash)
    }
}
