//! What people are told of a scope.

use std::collections::BTreeMap;

use castellan_proto::{Timestamp, scope::Scope};
use serde::{Deserialize, Serialize};

use crate::{records::repository::Stored, store::Kind};

/// The words for one scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScopeText {
    /// Which scope.
    pub scope: Scope,
    /// The tag of the language of `words`, in lower case (RFC 5646).
    pub language: String,
    /// In that language.
    pub words: ScopeWords,
    /// In other languages, by their tags in lower case (RFC 5646).
    #[serde(default)]
    pub languages: BTreeMap<String, ScopeWords>,
    /// Which of all that had this id it is.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it.
    #[serde(default)]
    pub modified: Timestamp,
}

/// The words for a scope in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ScopeWords {
    /// What an app may do with it, in a few words: "Create and change people".
    pub title: String,
    /// More about it, in a sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl ScopeText {
    /// The words in the first of `languages` that there is, with its tag; else those that everybody
    /// gets. A tag also means its wider ones (RFC 4647 §3.4): `de-CH` means `de`.
    #[must_use]
    pub fn in_languages(&self, languages: &[String]) -> (&str, &ScopeWords) {
        let own = (&*self.language, &self.words);
        let wider = |tag: &String| {
            let mut tag = tag.to_ascii_lowercase();
            loop {
                if tag == self.language {
                    return Some(own);
                }
                if let Some((tag, words)) = self.languages.get_key_value(&tag) {
                    return Some((tag.as_str(), words));
                }
                tag.truncate(tag.rfind('-')?);
            }
        };
        languages.iter().find_map(wider).unwrap_or(own)
    }
}

impl Stored for ScopeText {
    const KIND: Kind = Kind::ScopeText;

    /// One text for each scope.
    fn unique(&self) -> Vec<String> {
        vec![self.scope.as_str().to_owned()]
    }
}
