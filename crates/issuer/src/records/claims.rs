//! The claims about a person (OIDC Core §5.1).

use castellan_proto::{Timestamp, scope::RoleScopes};
use serde_json::{Value, json};

use super::{
    account::{Account, phone_in_uri},
    attributes::Entry,
};

/// The claims about a person, and the scope that opens each (OIDC Core §§5.1, 5.4).
pub(crate) const CLAIMS: [(&str, &str); 21] = [
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
    // Scopes of our own, under the names that clients expect (RFC 9068 §2.2.3.1).
    ("groups", "groups"),
    ("roles", "roles"),
];

/// The scope that covers `claim`; `None` if it is not a claim about a person.
pub(crate) fn opening_scope(claim: &str) -> Option<&'static str> {
    CLAIMS.iter().find(|(name, _)| *name == claim).map(|(_, scope)| *scope)
}

/// The claims of `account` for which `opens`, called with name and scope, is true (OIDC Core §5.4).
/// Unknown values are left out (§5.3.2), and so are the roles if they were not looked up.
pub(crate) fn claims_of(
    id: &str,
    account: &Account,
    roles: Option<&[RoleScopes]>,
    opens: impl Fn(&str, &str) -> bool,
) -> Value {
    let mut claims = json!({"sub": id});
    for (claim, scope) in CLAIMS {
        if opens(claim, scope)
            && let Some(value) = claim_of(account, roles, claim)
        {
            claims[claim] = value;
        }
    }
    claims
}

fn claim_of(account: &Account, roles: Option<&[RoleScopes]>, claim: &str) -> Option<Value> {
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
        "email_verified" => verified(&account.email_entries()),
        "phone_number_verified" => verified(&account.phone_entries()),
        // Apps expect a number, not a URI (OIDC Core §5.1).
        "phone_number" => details
            .phone_number
            .as_deref()
            .map(|number| json!(phone_in_uri(number).unwrap_or(number))),
        "address" => details.address.as_ref().map(|address| json!(address)),
        "groups" => Some(json!(account.groups)),
        "roles" => roles.map(|roles| roles.iter().map(|role| &*role.role).collect()),
        other => details.text(other).map(|text| json!(text)),
    }
}

/// Whether the effective one of `entries`, which is the first, was verified.
fn verified(entries: &[Entry]) -> Option<Value> {
    entries.first().map(|entry| json!(entry.is_verified()))
}
