//! Where a page ends (`docs/rules.md` rule 43): a typed place under a code of ours, good for the
//! same question at the same site alone, so that nobody finds out what is there by making them up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::constant_time_eq;
use serde::{Deserialize, Serialize};

use super::{ListError, Listing};
use crate::{Issuer, keys::Branch, resources::Resource};

/// Bytes of the code.
const CODE: usize = 16;

/// What something is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum SortKey {
    /// A time, in Unix seconds.
    Time(u64),
    /// A name, folded.
    Name(String),
}

/// The last thing of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// Its id, where ids are the order.
    Id(String),
    /// Its name, where names are.
    Name(String),
    /// What it is sorted by, and its id.
    Sorted(SortKey, String),
}

impl Issuer {
    /// The cursor for what comes after `place` in `listing` of `R`.
    pub(crate) fn cursor<R: Resource>(&self, listing: &Listing, place: &Place) -> Option<String> {
        let place = serde_json::to_vec(place).ok()?;
        let code = self.cursor_code::<R>(listing, &place);
        Some(URL_SAFE_NO_PAD.encode([&code[..], &place].concat()))
    }

    /// Where the page that `listing` of `R` asks for begins; `None`: at the beginning.
    pub(crate) fn begin_after<R: Resource>(
        &self,
        listing: &Listing,
    ) -> Result<Option<Place>, ListError> {
        let cursor = listing.after.as_deref().filter(|cursor| !cursor.is_empty());
        let Some(cursor) = cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ListError::Cursor)?;
        let (code, place) = bytes.split_at_checked(CODE).ok_or(ListError::Cursor)?;
        if !constant_time_eq(code, &self.cursor_code::<R>(listing, place)) {
            return Err(ListError::Cursor);
        }
        serde_json::from_slice(place).map(Some).map_err(|_| ListError::Cursor)
    }

    /// A cursor for `place` that is good for `question` at this site alone.
    #[must_use]
    pub fn seal_cursor(&self, question: &str, place: &str) -> String {
        let code = self.question_code(question, place.as_bytes());
        URL_SAFE_NO_PAD.encode([&code[..], place.as_bytes()].concat())
    }

    /// The place in `cursor`; `None` if it was not made here, or was made for another query.
    #[must_use]
    pub fn open_cursor(&self, question: &str, cursor: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (code, place) = bytes.split_at_checked(CODE)?;
        if !constant_time_eq(code, &self.question_code(question, place)) {
            return None;
        }
        String::from_utf8(place.to_vec()).ok()
    }

    fn question_code(&self, question: &str, place: &[u8]) -> [u8; CODE] {
        // Its length ends the question, and `cursor_code` begins with a parenthesis instead.
        let message = format!("{}:{question}:{}:", question.len(), self.repository().site());
        self.short_code(message.as_bytes(), place)
    }

    fn cursor_code<R: Resource>(&self, listing: &Listing, place: &[u8]) -> [u8; CODE] {
        let Listing { filter, conditions, sort, .. } = listing;
        // Every part is written so that it ends where it does and nowhere else.
        let question =
            format!("{:?}", (self.repository().site(), R::NAME, filter, conditions, sort));
        self.short_code(question.as_bytes(), place)
    }

    fn short_code(&self, question: &[u8], place: &[u8]) -> [u8; CODE] {
        let code = self.root().hmac(Branch::Cursor).code(&[question, place].concat());
        let mut short = [0; CODE];
        short.copy_from_slice(&code[..CODE]);
        short
    }
}
