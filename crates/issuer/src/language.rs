//! The languages in which people are spoken to.

use serde::{Deserialize, Serialize};

/// A language that pages and messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    English,
    /// Catalan.
    #[serde(rename = "ca")]
    Catalan,
    /// Spanish.
    #[serde(rename = "es")]
    Spanish,
    /// German.
    #[serde(rename = "de")]
    German,
    /// French.
    #[serde(rename = "fr")]
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::English, Self::Catalan, Self::Spanish, Self::German, Self::French];

    /// Its language tag (RFC 5646).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Catalan => "ca",
            Self::Spanish => "es",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The first of `wanted`, language tags in the order of preference, that is one of `offered`; the
    /// more general language where a region or script is not offered (RFC 4647 §3.4).
    #[must_use]
    pub fn lookup<'a>(wanted: impl IntoIterator<Item = &'a str>, offered: &[Self]) -> Option<Self> {
        let find = |tag: &str| {
            let general = tag.split('-').next().unwrap_or_default();
            offered.iter().copied().find(|language| language.tag().eq_ignore_ascii_case(general))
        };
        wanted.into_iter().find_map(find)
    }
}

/// A text in each language. What belongs to one way of signing in stands with it, so that a new one is
/// a file and a line of its roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// In English.
    pub en: &'static str,
    /// In Catalan.
    pub ca: &'static str,
    /// In Spanish.
    pub es: &'static str,
    /// In German.
    pub de: &'static str,
    /// In French.
    pub fr: &'static str,
}

impl Text {
    /// In `language`.
    #[must_use]
    pub const fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Catalan => self.ca,
            Language::Spanish => self.es,
            Language::German => self.de,
            Language::French => self.fr,
        }
    }
}

/// The language tags of `header`, the best first (RFC 9110 §12.5.4). Those that are not wanted, and
/// `*`, are left out.
#[must_use]
pub fn accepted(header: &str) -> Vec<&str> {
    const MOST: usize = 16;
    let mut weighed: Vec<(f32, &str)> = header
        .split(',')
        .take(MOST)
        .filter_map(|one| {
            let (tag, weight) = one.split_once(';').unwrap_or((one, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            Some((weight, tag.trim())).filter(|(weight, tag)| *weight > 0.0 && *tag != "*")
        })
        .collect();
    weighed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    weighed.into_iter().map(|(_, tag)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_language_that_is_offered_is_found() {
        for (header, expected) in [
            ("de-AT, en;q=0.5", Some(Language::German)),
            ("it, fr;q=0.4, ca-valencia;q=0.9", Some(Language::Catalan)),
            ("EN-gb", Some(Language::English)),
            ("es;q=0, en;q=0.1", Some(Language::English)),
            ("it", None),
            ("*", None),
            ("", None),
            ("english", None),
            ("de;q=x, ;, ,q", None),
        ] {
            assert_eq!(Language::lookup(accepted(header), &Language::ALL), expected, "{header}");
        }
        let some = [Language::Spanish];
        assert_eq!(Language::lookup(["de", "es"], &some), Some(Language::Spanish));
    }

    #[test]
    fn a_tag_is_what_is_stored() {
        for language in Language::ALL {
            let stored = serde_json::to_string(&language).unwrap();
            assert_eq!(stored, format!("\"{}\"", language.tag()));
        }
    }
}
