//! A person's account.

use castellan_proto::{Timestamp, random};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    records::{
        Session,
        attached::{Attached, Link},
        attributes::Attributes,
        listing_name::ListingName,
        order,
        passkey::Passkey,
        person::PersonalDetails,
        repository::Stored,
    },
    store::Kind,
};

/// A person who can sign in.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// The name they sign in with, besides their e-mail addresses and, until they are renamed, their id.
    pub user_name: String,
    /// Whether they had another user name before. Their id, which often is the first user name, does
    /// not sign them in any more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_renamed: bool,
    /// The PHC string of their password, or a hash of another program until the next sign-in; none
    /// cannot sign in by password.
    pub password: Option<String>,
    /// The digest of the hash that was imported last: the same document applied again must not undo what
    /// became of the password since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
    /// What to call them.
    #[serde(default)]
    pub name: Name,
    /// Further details about them (OIDC Core §5.1).
    #[serde(default)]
    pub details: PersonalDetails,
    /// Their addresses, the primary one first.
    #[serde(default)]
    pub emails: Vec<String>,
    /// The groups they are in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// What else documents say about them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attributes: Box<Attributes>,
    /// What is attached to them and not written by documents.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attached: Box<Attached>,
    /// Whether they may sign in and have tokens.
    pub active: bool,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; unknown if an older version wrote it.
    #[serde(default)]
    pub modified: Timestamp,
    /// Which of all that had this id it is; 0 if an older version made it.
    #[serde(default, skip_serializing_if = "crate::records::is_zero")]
    pub incarnation: u32,
    /// When the password was last changed; authentications with the previous one no longer count
    /// (`docs/contracts/aidbox.md` §7).
    #[serde(default)]
    pub password_set: Timestamp,
    /// Which generation of sign-ins counts: what began in another one is over for good
    /// (`docs/contracts/aidbox.md` §7). A number and not a time, because times are in seconds: with
    /// one, either a token of the second in which everything ended would live on, or a sign-in
    /// after that in the same second would be refused. The first is random, so that an account
    /// under the id of a deleted one has another. 0 if an older version wrote the account.
    #[serde(default)]
    pub generation: u32,
    /// The browser sessions that ended together with what first-party apps had from them.
    #[serde(default)]
    pub ended_sessions: EndedSessions,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The browser sessions of a person of which everything that first-party apps had is over
/// (`docs/contracts/aidbox.md` §4.4). It stands in the account because tokens depend on that anyway:
/// neither issuing nor verifying one reads anything more for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSessions {
    /// The last ones by their `sid`, the oldest first.
    #[serde(default)]
    recent: Vec<(String, Timestamp)>,
    /// When the newest of those ended that are no longer listed: what a first-party app was issued
    /// in any session until then is over.
    #[serde(default)]
    before: Timestamp,
}

impl EndedSessions {
    /// How many are listed at most, so that the account does not grow.
    const MOST: usize = 32;
    /// Seconds that one is listed at least: a code that was issued before can be redeemed until
    /// then (RFC 6749 §4.1.2), and makes a family that is younger than the end.
    const LEAST: u64 = 600;

    /// Adds one; `false` if it is there already.
    pub fn add(&mut self, sid: &str, now: Timestamp) -> bool {
        if self.names(sid) {
            return false;
        }
        self.recent.push((sid.to_owned(), now));
        let is_old = |ended: &Timestamp| now.since(*ended).as_secs() > Self::LEAST;
        while self.recent.len() > Self::MOST
            && self.recent.first().is_some_and(|(_, ended)| is_old(ended))
        {
            let (_, ended) = self.recent.remove(0);
            self.before = self.before.max(ended);
        }
        true
    }

    /// Whether the session `sid` is listed.
    #[must_use]
    pub fn names(&self, sid: &str) -> bool {
        self.recent.iter().any(|(ended, _)| ended == sid)
    }

    /// Whether what a first-party app was issued in the session `sid` at `issued` is over.
    #[must_use]
    pub fn end(&self, sid: &str, issued: Timestamp) -> bool {
        self.names(sid) || issued <= self.before
    }
}

/// The parts of a person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Name {
    /// The person's first names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// The person's family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Full name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("user_name", &self.user_name)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl Account {
    /// What to call them in full: the name as written, its parts, or the user name.
    #[must_use]
    pub fn display_name(&self) -> String {
        let parts = [&self.name.given_name, &self.name.family_name];
        let joined = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        let joined = (!joined.is_empty()).then_some(joined);
        self.name.formatted.clone().or(joined).unwrap_or_else(|| self.user_name.clone())
    }

    /// The languages that they read: a list as in `Accept-Language` (RFC 7643 §4.1.1), or a tag.
    #[must_use]
    pub fn preferred_language(&self) -> Option<&str> {
        self.attributes.preferred_language.as_deref().or(self.details.locale.as_deref())
    }

    /// Whether an authentication as this account at `auth_time`, in its `generation` of then, still
    /// counts: the account is active, was not created again under the same id since, has the same
    /// password, and its sessions were not ended.
    #[must_use]
    pub fn still_trusts(&self, auth_time: Timestamp, generation: u32) -> bool {
        self.active
            && self.generation == generation
            && self.created.max(self.password_set) <= auth_time
    }

    /// Whether the browser session `session` still counts.
    #[must_use]
    pub fn still_trusts_session(&self, session: &Session) -> bool {
        let is_ended = session.sid.as_deref().is_some_and(|sid| self.ended_sessions.names(sid));
        session.ended.is_none()
            && !is_ended
            && self.still_trusts(session.auth_time, session.generation)
    }

    /// Ends all that began in the present generation, for good: what was over does not come back
    /// when a person is activated again.
    pub const fn end_sessions(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// The generation of a new account.
    #[must_use]
    pub fn first_generation() -> u32 {
        u32::from_be_bytes(random::<4>())
    }

    /// Whether their password alone opens nothing: they opted in to a second factor.
    #[must_use]
    pub fn needs_second_factor(&self) -> bool {
        self.attached.mfa.as_ref().is_some_and(|mfa| !mfa.factors.is_empty())
    }

    /// Whether they may administer Castellan.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.groups.iter().any(|group| group == "administrators")
    }
}

impl Stored for Account {
    const KIND: Kind = Kind::Account;

    /// User names and e-mail addresses share one namespace, so that nobody can take a name with
    /// which somebody else signs in. Those of telephone numbers, links and passkeys begin with capital
    /// letters, which no login name has.
    fn unique(&self) -> Vec<String> {
        let phone =
            self.details.phone_number.as_deref().filter(|_| self.attributes.phone_is_unique);
        let links = self.attached.links.iter();
        let passkeys = self.attached.devices.iter().filter_map(|device| device.passkey.as_ref());
        let mut names: Vec<String> = std::iter::once(&self.user_name)
            .chain(&self.emails)
            .map(|name| login_name(name))
            .chain(phone.map(phone_name))
            .chain(links.map(|link| Link::unique_name(&link.value, &link.domain)))
            .chain(passkeys.map(|passkey| Passkey::unique_name(&passkey.credential_id())))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// By their groups, and by what another system calls them.
    fn listed(&self, id: &str) -> Vec<String> {
        let external = self.attributes.external_id.iter();
        let mut names: Vec<String> = self
            .groups
            .iter()
            .map(|group| ListingName::Group.of(group, id))
            .chain(external.map(|external| ListingName::ExternalId.of(external, id)))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn orders(&self, id: &str) -> Vec<String> {
        order::orders(id, self)
    }
}

/// The one spelling of a name that people sign in with (NFKC, lower case).
#[must_use]
pub fn login_name(name: &str) -> String {
    let folded: String = name.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    // Folding turns standalone accents into spaces, so spaces are trimmed last.
    folded.trim().to_owned()
}

/// What begins the unique name of a telephone number.
pub(crate) const PHONE_PREFIX: &str = "TEL:";

/// The scheme of URIs of telephone numbers (RFC 3966), in which RFC 7643 §4.1.2 has them.
const PHONE_SCHEME: &str = "tel:";

/// The number in the URI `text`; `None` if it is no URI of a number.
pub(crate) fn phone_in_uri(text: &str) -> Option<&str> {
    let (scheme, number) = text.split_at_checked(PHONE_SCHEME.len())?;
    scheme.eq_ignore_ascii_case(PHONE_SCHEME).then_some(number)
}

/// The unique name of a telephone number: the same number has one however it is written.
#[must_use]
pub fn phone_name(number: &str) -> String {
    let number = phone_in_uri(number.trim_start()).unwrap_or(number);
    let bare = number.chars().filter(|c| !matches!(c, ' ' | '(' | ')' | '.' | '-'));
    format!("{PHONE_PREFIX}{}", bare.collect::<String>().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_ended_long_ago_still_ends_what_it_gave() {
        let mut ended = EndedSessions::default();
        assert!(!ended.end("s0", Timestamp(1)) && !ended.names("s0"));
        for n in 0..100 {
            let now = Timestamp(1_000 + n * 400);
            assert!(ended.add(&format!("s{n}"), now) && !ended.add(&format!("s{n}"), now));
        }
        assert_eq!(ended.recent.len(), EndedSessions::MOST);
        for n in 0..100 {
            assert!(ended.end(&format!("s{n}"), Timestamp(999 + n * 400)), "{n}");
        }
        // Of other sessions, only what is as old as one that is no longer listed.
        assert!(ended.end("other", Timestamp(1_000 + 67 * 400)));
        assert!(!ended.end("other", Timestamp(1_001 + 67 * 400)));
        // Many at once are all listed: a code may still be redeemed.
        for n in 0..100 {
            ended.add(&format!("t{n}"), Timestamp(100_000));
        }
        assert!((0..100).all(|n| ended.names(&format!("t{n}"))));
    }

    #[test]
    fn a_login_name_has_one_spelling() {
        assert_eq!(login_name(" Ada@Example.ORG "), "ada@example.org");
        assert_eq!(login_name("ＡＤＡ"), "ada");
        assert_eq!(login_name("ﬁn"), "fin");
        assert_eq!(login_name("´x"), login_name(" ´x"));
        assert_eq!(login_name(&login_name("´x")), login_name("´x"));
    }
}
