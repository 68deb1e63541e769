//! A person.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::{records::repository::Stored, store::Kind};

/// A person who can sign in.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// The name they sign in with, besides their id and e-mail addresses.
    pub user_name: String,
    /// The PHC string of their password; none cannot sign in by password.
    pub password: Option<String>,
    /// What to call them.
    #[serde(default)]
    pub name: Name,
    /// Their addresses, the primary one first.
    #[serde(default)]
    pub emails: Vec<String>,
    /// The groups they are in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether they may sign in and hold tokens.
    pub active: bool,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; not told by builds that did not write it down.
    #[serde(default)]
    pub modified: Timestamp,
    /// When the password was last made another; whoever proved the one before starts anew
    /// (`docs/contracts/aidbox.md` §7).
    #[serde(default)]
    pub password_set: Timestamp,
}

/// A person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Name {
    /// First names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// As it is written in full.
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

    /// Whether somebody who proved at `auth_time` to be them is still taken to be: they may sign
    /// in, it is not a younger account under the same id, and their password is the same.
    #[must_use]
    pub fn still_trusts(&self, auth_time: Timestamp) -> bool {
        self.active && self.created.max(self.password_set) <= auth_time
    }

    /// Whether they may administer Castellan.
    #[must_use]
    pub fn is_administrator(&self) -> bool {
        self.groups.iter().any(|group| group == "administrators")
    }
}

impl Stored for Account {
    const KIND: Kind = Kind::Account;

    /// User name and e-mail addresses are one namespace: nobody can take another's way in.
    fn unique(&self) -> Vec<String> {
        let mut names: Vec<String> = std::iter::once(&self.user_name)
            .chain(&self.emails)
            .map(|name| login_name(name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The one spelling of a name that people sign in with (NFKC, lower case).
#[must_use]
pub fn login_name(name: &str) -> String {
    let folded: String = name.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    // Folding makes blanks of accents that stand alone, so the blanks go last.
    folded.trim().to_owned()
}

/// What `account` is to whoever has the scopes that `may` says (OIDC Core §5.4).
pub(crate) fn claims_of(id: &str, account: &Account, may: impl Fn(&str) -> bool) -> Value {
    let mut claims = json!({"sub": id});
    if may("profile") {
        claims["name"] = json!(account.display_name());
        claims["preferred_username"] = json!(account.user_name);
        if let Some(given) = &account.name.given_name {
            claims["given_name"] = json!(given);
        }
        if let Some(family) = &account.name.family_name {
            claims["family_name"] = json!(family);
        }
    }
    if may("email")
        && let Some(email) = account.emails.first()
    {
        claims["email"] = json!(email);
        // Nothing here has checked the address yet.
        claims["email_verified"] = json!(false);
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_name_has_one_spelling() {
        assert_eq!(login_name(" Ada@Example.ORG "), "ada@example.org");
        assert_eq!(login_name("ＡＤＡ"), "ada");
        assert_eq!(login_name("ﬁn"), "fin");
        assert_eq!(login_name("´x"), login_name(" ´x"));
        assert_eq!(login_name(&login_name("´x")), login_name("´x"));
    }
}
