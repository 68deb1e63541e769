//! What is known of a client that registered itself, beside what every client has (RFC 7591, RFC
//! 7592, `docs/contracts/curity.md` §8).

use std::collections::HashSet;

use castellan_proto::{Digest, Timestamp, scope::Scopes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use unicode_script::UnicodeScript as _;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

/// A registration. It is a part of the client's record, so that both are written in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// The `client_id`, by which the names below lead to one record each.
    pub client_id: String,
    /// The id of the template that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The client that registered it; nobody is known if registration is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_client: Option<String>,
    /// The id of the account for which that client acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scopes of the token that it was registered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_scope: Option<Scopes>,
    /// The digest of its registration access token.
    pub token: String,
    /// First second at which that token is worthless.
    pub token_ends: Timestamp,
    /// Metadata that are registered and that no other member of the record holds.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// By what registered clients are found. Each is the beginning of unique names, so that the index of
/// the data source lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredBy<'a> {
    /// All of the site.
    All,
    /// Those of a template.
    Template(&'a str),
    /// Those that were registered for an account.
    Account(&'a str),
    /// Those that a client registered.
    Client(&'a str),
    /// Those whose name looks like this one, which is the result of `look`.
    Look(&'a str),
}

impl RegisteredBy<'_> {
    /// What the unique names of these clients begin with.
    #[must_use]
    pub fn prefix(self) -> String {
        match self {
            Self::All => "dcr/all/".to_owned(),
            Self::Template(id) => format!("dcr/template/{id}/"),
            Self::Account(id) => format!("dcr/account/{id}/"),
            Self::Client(id) => format!("dcr/client/{id}/"),
            // A digest, as names may be longer than what an engine has for an index.
            Self::Look(look) => format!("dcr/look/{}/", Digest::of(look.as_bytes()).text()),
        }
    }
}

impl Registration {
    /// The unique names of the record of a client that is called `name`.
    pub(crate) fn unique(&self, name: &str) -> Vec<String> {
        let mut all = vec![RegisteredBy::All];
        all.extend(self.template.as_deref().map(RegisteredBy::Template));
        all.extend(self.account.as_deref().map(RegisteredBy::Account));
        all.extend(self.initial_client.as_deref().map(RegisteredBy::Client));
        let looks = looks(name, &self.metadata);
        all.extend(looks.iter().map(|look| RegisteredBy::Look(look)));
        all.into_iter().map(|by| format!("{}{}", by.prefix(), self.client_id)).collect()
    }
}

/// How the names of a client look: that of `name`, and those of `client_name` in other languages
/// (RFC 7591 §2.2), each once.
pub(crate) fn looks(name: &str, metadata: &Map<String, Value>) -> Vec<String> {
    let mut found: Vec<String> = names(name, metadata).filter_map(look).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The names of a client: `name`, and those of `client_name` in other languages (RFC 7591 §2.2).
pub(crate) fn names<'a>(
    name: &'a str,
    metadata: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a str> {
    let others = metadata.iter().filter(|(member, _)| member.starts_with("client_name#"));
    [name].into_iter().chain(others.filter_map(|(_, name)| name.as_str()))
}

/// Words of a name that are looked at; what comes after them is passed over.
const WORDS: usize = 64;

/// How everything looks that a name has in it as whole words: `Desk (official)` has `Desk` in it, and
/// so have `DeskOfficial` and `Desk2`; `Helpdesk` has not.
pub(crate) fn phrases(name: &str) -> HashSet<String> {
    let words: Vec<String> = words(name).iter().filter_map(|word| look(word)).take(WORDS).collect();
    let mut found = HashSet::new();
    for start in 0..words.len() {
        let mut phrase = String::new();
        for word in &words[start..] {
            phrase.push_str(word);
            found.insert(phrase.clone());
        }
    }
    found
}

/// The words of a name. They end at what is no letter or digit, before a capital letter that follows a
/// small one, and where letters and digits, or letters of two scripts, meet.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last: Option<char> = None;
    for letter in name.nfkc() {
        let parts = |last: char| {
            last.is_lowercase() && letter.is_uppercase()
                || last.is_numeric() != letter.is_numeric()
                || last.script() != letter.script() && !last.is_numeric()
        };
        if last.is_some_and(parts) || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        last = Some(letter).filter(|letter| letter.is_alphanumeric());
        if let Some(word) = words.last_mut()
            && letter.is_alphanumeric()
        {
            word.push(letter);
        }
    }
    words
}

/// Whether all words of `name` are in letters of living languages, and no word is in several scripts
/// that do not belong together (UTS #39 §5.2, highly restrictive).
pub(crate) fn is_plain(name: &str) -> bool {
    let name: String = name.nfkc().collect();
    let mut words = name.split(|letter: char| !letter.is_alphanumeric());
    words.all(|word| {
        word.is_empty() || word.check_restriction_level(RestrictionLevel::HighlyRestrictive)
    })
}

/// What names have in common that people take for each other: letter case, compatible forms (NFKD),
/// marks and strokes, letters that look alike (UTS #39 §4), and everything but letters and digits do not
/// count. `None` for a name without any.
pub(crate) fn look(name: &str) -> Option<String> {
    let bare = name.nfkd().filter(|letter| !is_combining_mark(*letter));
    let folded: String = bare.flat_map(char::to_lowercase).map(plain_form).collect();
    let skeleton: String = unicode_security::skeleton(&folded).collect();
    // A capital I and a small l are one letter in most fonts, and folding parted them.
    let letters = skeleton.chars().flat_map(char::to_lowercase).map(|letter| match letter {
        'i' | 'ı' => 'l',
        other => other,
    });
    let look: String = letters.filter(|letter| letter.is_alphanumeric()).collect();
    (!look.is_empty()).then_some(look)
}

/// The letter that people take `letter` for, where UTS #39 does not say so.
const fn plain_form(letter: char) -> char {
    match letter {
        'ᴋ' | 'ĸ' | 'κ' | 'к' | 'ꝁ' => 'k',
        'ð' | 'đ' => 'd',
        'є' | 'ε' | 'ɛ' => 'e',
        'ł' => 'l',
        'ø' => 'o',
        'ħ' => 'h',
        'ŧ' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_take_for_each_other_look_alike() {
        let portal = look("The Portal").unwrap();
        for same in [
            "the portal",
            "THE PORTAL",
            "The-Portal!",
            "Ｔｈｅ Ｐｏｒｔａｌ",
            "The P\u{043e}rtal",
            "The P0rta1",
            "Thе Роrtаl",
            "The\u{200b} Portal",
        ] {
            assert_eq!(look(same).unwrap(), portal, "{same}");
        }
        for other in ["The Portals", "A Portal", "Portal"] {
            assert_ne!(look(other).unwrap(), portal, "{other}");
        }
        assert_eq!(look("PaypaI"), look("Paypal"));
        assert_eq!(look("WIKI"), look("wiki"));
        assert_eq!(look(" -!"), None);
    }

    #[test]
    fn a_name_in_several_scripts_or_in_signs_that_pass_for_letters_is_not_plain() {
        for plain in ["Desk", "Café 2", "Стол", "日本 Desk", "机オフィス", "Desk (neu) – ok!", ""]
        {
            assert!(is_plain(plain), "{plain}");
        }
        for mixed in ["Desк", "Dєsk", "Desκ", "Deskꞏofficial", "Deskǀ official", "Desĸ", "Desꝁ"]
        {
            assert!(!is_plain(mixed), "{mixed}");
        }
    }

    #[test]
    fn a_name_has_another_in_it_where_that_stands_in_whole_words() {
        let desk = look("Service Desk").unwrap();
        for has in [
            "Service Desk",
            "Service Desk (official)",
            "The new ServiceDesk",
            "Sеrvice\u{200b}-Desk/Login",
            "Ser vice de sk, verified",
            "ServiceDeskOfficial",
            "Service Desk2",
            "Service Desк",
            "Service Deskー",
            "Sérvice Ðęsk",
        ] {
            assert!(phrases(has).contains(&desk), "{has}");
        }
        for has_not in ["Service", "Service Desktop", "Desk Service", "Selfservice Desk", ""] {
            assert!(!phrases(has_not).contains(&desk), "{has_not}");
        }
    }
}
