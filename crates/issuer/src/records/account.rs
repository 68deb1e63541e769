//! A person's account.

use castellan_proto::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    records::{person::PersonalDetails, repository::Stored},
    store::Kind,
};

/// A person who can sign in.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// The name they sign in with, besides their id and e-mail addresses.
    pub user_name: String,
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
    /// Whether they may sign in and have tokens.
    pub active: bool,
    /// When the record was made.
    #[serde(default)]
    pub created: Timestamp,
    /// When a document last changed it; unknown if an older version wrote it.
    #[serde(default)]
    pub modified: Timestamp,
    /// When the password was last changed; authentications with the previous one no longer count
    /// (`docs/contracts/aidbox.md` §7).
    #[serde(default)]
    pub password_set: Timestamp,
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

    /// Whether an authentication as this account at `auth_time` still counts: the account is
    /// active, was not created again under the same id since, and has the same password.
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

    /// User names and e-mail addresses share one namespace, so that nobody can take a name with
    /// which somebody else signs in.
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
    // Folding turns standalone accents into spaces, so spaces are trimmed last.
    folded.trim().to_owned()
}

/// The claims about a person, and the scope that opens each (OIDC Core §§5.1, 5.4).
pub(crate) const CLAIMS: [(&str, &str); 19] = [
    ("name", "profile"),
    ("given_name", "profile"),
    ("family_name", "profile"),
    ("middle_name", "profile"),
    ("nickname", "profile"),
    ("preferred_username", "profile"),
    ("profile", "profile"),
    ("picture", "profile"),
    ("website", "profile"),
    ("gender", "profile"),
    ("birthdate", "profile"),
    ("zoneinfo", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("address", "address"),
    ("phone_number", "phone"),
    ("phone_number_verified", "phone"),
];

/// The scope that covers `claim`; `None` if it is not a claim about a person.
pub(crate) fn opening_scope(claim: &str) -> Option<&'static str> {
    CLAIMS.iter().find(|(name, _)| *name == claim).map(|(_, scope)| *scope)
}

/// The claims of `account` for which `opens`, called with name and scope, is true (OIDC Core §5.4).
/// Unknown values are left out (§5.3.2).
pub(crate) fn claims_of(id: &str, account: &Account, opens: impl Fn(&str, &str) -> bool) -> Value {
    let mut claims = json!({"sub": id});
    for (claim, scope) in CLAIMS {
        if opens(claim, scope)
            && let Some(value) = claim_of(account, claim)
        {
            claims[claim] = value;
        }
    }
    claims
}

fn claim_of(account: &Account, claim: &str) -> Option<Value> {
    let (name, details) = (&account.name, &account.details);
    let email = account.emails.first();
    match claim {
        "name" => Some(json!(account.display_name())),
        "preferred_username" => Some(json!(account.user_name)),
        "given_name" => name.given_name.as_ref().map(|text| json!(text)),
        "family_name" => name.family_name.as_ref().map(|text| json!(text)),
        // Unknown if an older version wrote the account.
        "updated_at" => (account.modified > Timestamp(0)).then(|| json!(account.modified)),
        "email" => email.map(|text| json!(text)),
        // Nothing here has checked the address, or the number, yet.
        "email_verified" => email.map(|_| json!(false)),
        "phone_number_verified" => details.phone_number.as_ref().map(|_| json!(false)),
        "address" => details.address.as_ref().map(|address| json!(address)),
        other => details.text(other).map(|text| json!(text)),
    }
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
