//! What scopes let apps do, and how the words for it are put together.

use super::Text;

/// The claims that people are asked for (OIDC Core §5.1), in the order of [`ScopeTexts::claims`].
const CLAIMS: [&str; 21] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
    "email",
    "email_verified",
    "address",
    "phone_number",
    "phone_number_verified",
    "groups",
    "roles",
];

/// What scopes let apps do.
pub(crate) struct ScopeTexts {
    pub(crate) openid: Text,
    pub(crate) profile: Text,
    pub(crate) profile_with_email: Text,
    pub(crate) email: Text,
    pub(crate) address: Text,
    pub(crate) phone: Text,
    pub(crate) groups: Text,
    pub(crate) roles: Text,
    pub(crate) user: Text,
    pub(crate) offline_access: Text,
    pub(crate) api_read: Text,
    pub(crate) api_write: Text,
    pub(crate) read_everything: Text,
    pub(crate) change_everything: Text,
    pub(crate) everything: Text,
    pub(crate) test_policies: Text,
    pub(crate) administer: Text,
    /// Reading every resource of a kind of this server.
    pub(crate) read_every: fn(kind: &str) -> String,
    pub(crate) read_with: fn(scope: &str) -> String,
    pub(crate) use_scope: fn(scope: &str) -> String,
    /// One for each of [`CLAIMS`].
    pub(crate) claims: [Text; 21],
    pub(crate) other_claim: fn(claim: &str) -> String,
    pub(crate) phrases: PhraseTexts,
}

/// What phrases about the fields of a schema are made of.
pub(crate) struct PhraseTexts {
    pub(crate) read: Text,
    pub(crate) follow: Text,
    pub(crate) create: Text,
    pub(crate) change: Text,
    pub(crate) delete: Text,
    /// Calling what has no better name.
    pub(crate) call: Text,
    /// Stands for too many verbs.
    pub(crate) any_way: Text,
    pub(crate) anything: Text,
    /// Between the last two of several.
    pub(crate) and: Text,
    /// Several of a type, by its name in words.
    pub(crate) plural: fn(words: &str) -> String,
    /// A name that is a field's own.
    pub(crate) quoted: fn(words: &str) -> String,
    /// What is done, and to what.
    pub(crate) done_to: fn(verbs: &str, nouns: &str) -> String,
    /// The end of a phrase that leaves some kinds of data out.
    pub(crate) and_more: fn(kinds: usize) -> String,
}

impl ScopeTexts {
    /// Seeing one claim that an app asks for (OIDC Core §5.5).
    pub(crate) fn claim(&self, claim: &str) -> String {
        let known = CLAIMS.iter().position(|known| *known == claim);
        let known = known.and_then(|at| self.claims.get(at));
        known.map_or_else(|| (self.other_claim)(claim), |text| (*text).to_owned())
    }
}

impl PhraseTexts {
    /// "a, b and c".
    pub(crate) fn enumerated(&self, words: &[String]) -> String {
        match words {
            [] => String::new(),
            [one] => one.clone(),
            [front @ .., last] => format!("{}{}{last}", front.join(", "), self.and),
        }
    }
}
