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
        self.cursor_of(&self.question::<R>(listing), place)
    }

    /// The cursor for what comes after `place` in what answers `question`, in which every part ends
    /// where it does and nowhere else, and which names the site.
    pub(crate) fn cursor_of(&self, question: &str, place: &Place) -> Option<String> {
        let place = serde_json::to_vec(place).ok()?;
        let code = self.cursor_code(question, &place);
        Some(URL_SAFE_NO_PAD.encode([&code[..], &place].concat()))
    }

    /// Where the page that `listing` of `R` asks for begins; `None`: at the beginning.
    pub(crate) fn begin_after<R: Resource>(
        &self,
        listing: &Listing,
    ) -> Result<Option<Place>, ListError> {
        self.begin_of(&self.question::<R>(listing), listing.after.as_deref())
    }

    /// Where what answers `question` begins after the cursor `after`; `None`: at the beginning.
    pub(crate) fn begin_of(
        &self,
        question: &str,
        after: Option<&str>,
    ) -> Result<Option<Place>, ListError> {
        let Some(cursor) = after.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ListError::Cursor)?;
        let (code, place) = bytes.split_at_checked(CODE).ok_or(ListError::Cursor)?;
        if !constant_time_eq(code, &self.cursor_code(question, place)) {
            return Err(ListError::Cursor);
        }
        serde_json::from_slice(place).map(Some).map_err(|_| ListError::Cursor)
    }

    fn question<R: Resource>(&self, listing: &Listing) -> String {
        let Listing { filter, conditions, sort, .. } = listing;
        format!("{:?}", (self.repository().site(), R::NAME, filter, conditions, sort))
    }

    fn cursor_code(&self, question: &str, place: &[u8]) -> [u8; CODE] {
        let code = self.root().hmac(Branch::Cursor).code(&[question.as_bytes(), place].concat());
        let mut short = [0; CODE];
        short.copy_from_slice(&code[..CODE]);
        short
    }
}
