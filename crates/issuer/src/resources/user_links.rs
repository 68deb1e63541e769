//! The accounts of a person elsewhere, as `User` documents write them: no mutation makes one
//! (`docs/contracts/curity.md` §6.2).

use castellan_proto::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::personal_details::is_text;
use crate::records::{Account, Link, MOST_LINKS};

/// An account elsewhere.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LinkDocument {
    /// What the person is called there.
    value: String,
    /// Where.
    domain: String,
    /// Read-only; assigned when the account is linked.
    #[serde(rename = "created")]
    _created: Option<Timestamp>,
}

/// Writes `links` into `account`; those that it has already stay as old as they are.
pub(super) fn write(
    links: Vec<LinkDocument>,
    account: &mut Account,
    now: Timestamp,
) -> Result<(), String> {
    if links.len() > MOST_LINKS {
        return Err(format!("linkedAccounts: must not have more than {MOST_LINKS} values"));
    }
    let mut linked: Vec<Link> = Vec::with_capacity(links.len());
    for LinkDocument { value, domain, .. } in links {
        let good = |text: &str| is_text(text, 512);
        if !good(&value) || !good(&domain) {
            let what = "value and domain must have 1 to 512 characters and no control characters";
            return Err(format!("linkedAccounts: {what}"));
        }
        let is_it = |link: &&Link| link.value == value && link.domain == domain;
        if linked.iter().any(|link| is_it(&link)) {
            return Err("linkedAccounts: an account can be linked once only".to_owned());
        }
        let known = account.attached.links.iter().find(is_it);
        let created = known.map_or(now, |link| link.created);
        linked.push(Link { value, domain, created });
    }
    account.attached.links = linked;
    Ok(())
}

/// Writes what is linked into a document.
pub(super) fn show(account: &Account, shown: &mut Value) {
    if !account.attached.links.is_empty() {
        shown["linkedAccounts"] = json!(account.attached.links);
    }
}
