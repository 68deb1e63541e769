//! The lock file: the table of the scopes that root fields require, kept beside the configuration.
//! A required scope that was agreed on once does not change unnoticed (`docs/rules.md` rule 25).

use std::{collections::BTreeMap, fmt};

use castellan_proto::scope::RequiredScope;

use super::{Entry, GuardSchema, NamedBy, Root, SchemaError, required_scope::is_by_name_only};

/// The scope that each `Root.field` requires, as it was agreed on.
pub type Lock = BTreeMap<String, RequiredScope>;

/// A difference between a schema and its lock file, and how it was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The rules would map a field otherwise now. What was agreed on stays.
    Kept {
        /// The field as `Root.field`.
        field: String,
        /// The scope by the current rules; `None` if they can no longer read the field's name.
        now: Option<RequiredScope>,
        /// The scope that it continues to require.
        locked: RequiredScope,
    },
    /// A new field whose name the rules cannot read. It is denied to everybody.
    Unmapped(String),
    /// An override names a field that is no longer there.
    Gone(String),
}

impl Drift {
    /// The kind of difference, in one word that reveals nothing else.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "mapping_changed",
            Self::Unmapped(_) => "field_unmapped",
            Self::Gone(_) => "override_unused",
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept { field, now, locked } => {
                let now =
                    now.as_ref().map_or("nothing that `naming` can derive", RequiredScope::as_str);
                write!(
                    f,
                    "{field} would now require {now}, but still requires {locked} from the lock \
                     file; to accept the new scope, remove the line from the lock file"
                )
            }
            Self::Unmapped(field) => write!(
                f,
                "{field} is new and denied, as no scope can be derived from its name; give it a \
                 scope in overrides, or in operations if it is one"
            ),
            Self::Gone(field) => {
                write!(f, "the override {field:?} names a field that no longer exists; remove it")
            }
        }
    }
}

/// The entry of `place` as it was agreed on: `found` by the rules, and `locked` before.
pub(crate) fn agree(
    place: &str,
    found: Result<Entry, SchemaError>,
    lock: &Lock,
    drifts: &mut Vec<Drift>,
) -> Result<Entry, SchemaError> {
    let field = place.split_once('.').map_or(place, |(_, field)| field);
    let mut entry = match (found, lock.get(place)) {
        (Err(SchemaError::Unreadable(_)), Some(_)) => Entry::unmapped(place)?,
        // Where nothing was agreed on yet, its owner is asked first.
        (Err(SchemaError::Unreadable(name)), None) if lock.is_empty() => {
            return Err(SchemaError::Unreadable(name));
        }
        (Err(SchemaError::Unreadable(_)), None) => {
            drifts.push(Drift::Unmapped(place.to_owned()));
            return Entry::unmapped(place);
        }
        (found, _) => found?,
    };
    let Some(locked) = lock.get(place).filter(|locked| **locked != entry.required) else {
        return Ok(entry);
    };
    // The owner's setting contradicts the owner's lock file: only the owner can say which is meant.
    if matches!(entry.named_by, NamedBy::Override | NamedBy::Directive) {
        return Err(SchemaError::Remapped {
            field: place.to_owned(),
            now: entry.required.to_string(),
            locked: locked.to_string(),
        });
    }
    let now = (entry.named_by != NamedBy::Nothing).then(|| entry.required.clone());
    drifts.push(Drift::Kept { field: place.to_owned(), now, locked: locked.clone() });
    entry.required = locked.clone();
    entry.named_by = NamedBy::Lock;
    entry.by_name_only = is_by_name_only(field);
    Ok(entry)
}

impl Entry {
    /// A field that no rule maps: only a scope that spells this out would open it, and none is
    /// granted.
    fn unmapped(place: &str) -> Result<Self, SchemaError> {
        let text = format!("{}:Unmapped", place.replace('.', ":"));
        let required = RequiredScope::try_from(text)
            .map_err(|error| SchemaError::Override(format!("{place}: {error}")))?;
        Ok(Self { required, named_by: NamedBy::Nothing, local: false, by_name_only: true })
    }
}

impl GuardSchema {
    /// The table of required scopes, to be kept beside the configuration. Entries of fields that no
    /// longer exist are kept, so that a field that returns requires the same scope as before.
    #[must_use]
    pub fn lock(&self, agreed: &Lock) -> String {
        let mut lines: BTreeMap<(Root, &str), &str> = BTreeMap::new();
        for (place, required) in agreed {
            if let Some((root, field)) = split(place) {
                lines.insert((root, field), required.as_str());
            }
        }
        for (root, field, entry) in self.entries() {
            if entry.named_by != NamedBy::Nothing {
                lines.insert((root, field), entry.required.as_str());
            }
        }
        let mut out = String::from(
            "# The scope that each root field requires. Existing lines are kept; new fields are \
             added\n# automatically. Remove a line to have its field mapped again.\n",
        );
        for ((root, field), required) in lines {
            out.extend([root.as_str(), ".", field, " = \"", required, "\"\n"]);
        }
        out
    }
}

fn split(place: &str) -> Option<(Root, &str)> {
    let (name, field) = place.split_once('.')?;
    let root = Root::ALL.into_iter().find(|root| root.as_str() == name)?;
    let plain = field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (plain && !field.is_empty()).then_some((root, field))
}

/// Reads the table that [`GuardSchema::lock`] writes.
///
/// # Errors
/// [`SchemaError::Lock`] for the first line that is not a valid entry: ignoring it would silently
/// lose what it meant.
pub fn parse_lock(text: &str) -> Result<Lock, SchemaError> {
    let mut lock = Lock::new();
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let read = || {
            let (place, required) = line.split_once('=')?;
            let (place, required) = (place.trim(), required.trim());
            split(place)?;
            let required = required.strip_prefix('"')?.strip_suffix('"')?;
            Some((place.to_owned(), RequiredScope::try_from(required.to_owned()).ok()?))
        };
        let (place, required) = read().ok_or(SchemaError::Lock(at))?;
        if lock.insert(place, required.clone()).is_some_and(|other| other != required) {
            return Err(SchemaError::Lock(at));
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Naming, SchemaSettings};

    #[test]
    fn a_line_that_is_no_entry_is_an_error_and_not_skipped() {
        let good = "# a comment\n\nQuery.a = \"Query:a:Get\"\nMutation.b=\"Mutation:B:Set\"\n";
        assert_eq!(parse_lock(good).unwrap().len(), 2);
        for (line, bad) in [
            (1, "Query.a"),
            (1, "Query.a = Query:a:Get"),
            (1, "Query.a = \"Query:a\""),
            (1, "Queries.a = \"Query:a:Get\""),
            (1, "Query. = \"Query:a:Get\""),
            (2, "Query.a = \"Query:a:Get\"\nQuery.a = \"Query:b:Get\""),
            (3, "Query.a = \"Query:a:Get\"\n\n<<<<<<< HEAD"),
        ] {
            let found = parse_lock(bad).unwrap_err();
            assert!(matches!(found, SchemaError::Lock(at) if at == line), "{bad}: {found}");
        }
    }

    #[test]
    fn what_was_agreed_on_stays_and_comes_back() {
        let sdl = "type Query { a: A } type A { id: ID } type B { id: ID }
            type Mutation { CreateAct: ID vote: ID }";
        let naming = SchemaSettings { naming: Naming::Trompa, ..SchemaSettings::default() };
        let build = |sdl: &str, lock: &Lock| GuardSchema::build_agreed(sdl, &naming, lock);
        // Nothing was agreed on yet: the owner has to name the field first.
        assert!(matches!(build(sdl, &Lock::new()), Err(SchemaError::Unreadable(_))));
        let before = sdl.replace("vote: ID", "");
        let (schema, drifts) = build(&before, &Lock::new()).unwrap();
        assert!(drifts.is_empty());
        let lock = parse_lock(&schema.lock(&Lock::new())).unwrap();
        let after = sdl.replace("a: A", "a: B");
        let (schema, drifts) = build(&after, &lock).unwrap();
        assert_eq!(schema.entry(Root::Query, "a").unwrap().required.as_str(), "Query:A:Get");
        assert!(schema.entry(Root::Mutation, "vote").unwrap().by_name_only);
        let kinds: Vec<_> = drifts.iter().map(Drift::as_str).collect();
        assert_eq!(kinds, ["mapping_changed", "field_unmapped"]);
        assert!(!schema.lock(&lock).contains("vote"));
        // A field that was removed for a while requires the same scope when it returns.
        let (removed, _) = build("type Query { b: Int }", &lock).unwrap();
        let lock = parse_lock(&removed.lock(&lock)).unwrap();
        let (back, _) = build(&after, &lock).unwrap();
        assert_eq!(back.entry(Root::Query, "a").unwrap().required.as_str(), "Query:A:Get");
    }
}
