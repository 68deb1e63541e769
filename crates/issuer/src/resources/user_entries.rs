//! Equal values of `User` documents, and what was verified of them.

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    hash::Hash,
};

use crate::records::Entry;

/// What `told` says of the values of `name`, at which a person is reached: each is there once, and one
/// that was verified `before` still is unless the opposite is said. Two values are the same that are
/// `folded` to the same, as names of accounts are.
pub(super) fn kept(
    name: &str,
    told: Vec<Entry>,
    before: &[Entry],
    folded: fn(&str) -> String,
) -> Result<Vec<Entry>, String> {
    let mut known: HashMap<String, Vec<&Entry>> = HashMap::new();
    for entry in before {
        known.entry(folded(&entry.value)).or_default().push(entry);
    }
    let marked = told.into_iter().map(|entry| {
        let known = known.get(&folded(&entry.value)).map(Vec::as_slice).unwrap_or_default();
        marked(name, entry, known)
    });
    Ok(distinct(marked.collect::<Result<_, _>>()?, |entry| folded(&entry.value)))
}

/// `entry` with a mark if it is verified, and the kind that it is `known` by if it says that it is
/// verified in the place of one.
fn marked(name: &str, mut entry: Entry, known: &[&Entry]) -> Result<Entry, String> {
    let says = entry.says_verified();
    if says && entry.verified == Some(false) {
        return Err(format!("{name}: type: verified and verified: false contradict each other"));
    }
    if says {
        entry.kind = known.iter().find_map(|one| one.kind.clone());
    }
    let was = || known.iter().any(|one| one.is_verified());
    let is = says || entry.verified.unwrap_or_else(was);
    entry.verified = is.then_some(true);
    Ok(entry)
}

/// `all` with each `key` once, where it is first; what is said of it later completes it.
pub(super) fn distinct<K: Eq + Hash>(all: Vec<Entry>, key: impl Fn(&Entry) -> K) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::with_capacity(all.len());
    let mut places = HashMap::new();
    for entry in all {
        let first = match places.entry(key(&entry)) {
            Slot::Occupied(place) => &mut kept[*place.get()],
            Slot::Vacant(place) => {
                place.insert(kept.len());
                kept.push(entry);
                continue;
            }
        };
        first.primary |= entry.primary;
        first.kind = first.kind.take().or(entry.kind);
        first.display = first.display.take().or(entry.display);
        first.verified = first.verified.or(entry.verified);
    }
    kept
}

/// Values of which nothing can be verified do not say so.
pub(super) fn only_reached(name: &str, entries: &[Entry]) -> Result<(), String> {
    let is_reached = ["emails", "phoneNumbers"].contains(&name);
    if !is_reached && entries.iter().any(|entry| entry.verified.is_some()) {
        return Err(format!("{name}.verified: emails and phoneNumbers alone have it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::login_name;

    fn entry(value: &str, kind: Option<&str>, verified: Option<bool>) -> Entry {
        Entry { kind: kind.map(ToOwned::to_owned), verified, ..Entry::plain(value) }
    }

    #[test]
    fn equal_values_are_one_and_stay_verified_unless_the_opposite_is_said() {
        let before = [entry("Ann@x.org", Some("work"), Some(true))];
        let kept = |told: &[Entry]| kept("emails", told.to_vec(), &before, login_name);
        let work = |value, verified| entry(value, Some("work"), verified);
        for (told, wanted) in [
            (vec![work("ann@X.org", None)], vec![work("ann@X.org", Some(true))]),
            (vec![entry("Ann@x.org", Some("verified"), None)], vec![work("Ann@x.org", Some(true))]),
            (vec![work("Ann@x.org", Some(false))], vec![work("Ann@x.org", None)]),
            (vec![work("bob@x.org", None)], vec![work("bob@x.org", None)]),
            (
                vec![entry("b@x.org", None, None), work("B@x.org", None), work("b@x.org", None)],
                vec![work("b@x.org", None)],
            ),
        ] {
            assert_eq!(kept(&told).unwrap(), wanted);
        }
        assert!(kept(&[entry("a@x.org", Some("verified"), Some(false))]).is_err());
    }
}
