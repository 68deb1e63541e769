//! The attributes of resources, as values: bodies, paths, filters and the endpoint `/Schemas` all
//! follow from these tables (RFC 7643 §7).

mod attributes;
mod shown;

use super::error::ScimError;

pub(super) use attributes::{GROUP, USER};
pub(super) use shown::{resource_types, schemas};

/// The attribute of an account by which its extension is known to the accounts, and to rules.
pub(super) const ENTERPRISE: &str = "enterprise";

/// A type of resource.
#[derive(Debug)]
pub(super) struct Type {
    pub name: &'static str,
    /// Where it is, below the base of the API.
    pub endpoint: &'static str,
    pub description: &'static str,
    pub schema: &'static str,
    pub attributes: &'static [Attribute],
    /// The URN of its extension, what that is called, and its attributes.
    pub extension: Option<(&'static str, &'static str, &'static [Attribute])>,
}

/// An attribute, or one within a complex one.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, whatever the others are")]
pub(super) struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub many: bool,
    pub required: bool,
    /// Letter case matters.
    pub exact: bool,
    pub mutability: Mutability,
    pub returned: Returned,
    /// No two have the same value.
    pub unique: bool,
    /// Values that it has as a rule.
    pub values: &'static [&'static str],
    /// What a reference leads to.
    pub references: &'static [&'static str],
    pub description: &'static str,
    pub sub: &'static [Attribute],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    Boolean,
    DateTime,
    Reference,
    Binary,
    Complex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Always,
    Never,
    Default,
}

impl Attribute {
    pub(super) const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self {
            name,
            kind,
            many: false,
            required: false,
            exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            values: &[],
            references: &[],
            description,
            sub: &[],
        }
    }

    pub(super) const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    pub(super) const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(super) const fn exact(self) -> Self {
        Self { exact: true, ..self }
    }

    pub(super) const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    pub(super) const fn is(self, mutability: Mutability) -> Self {
        Self { mutability, ..self }
    }

    pub(super) const fn returned(self, returned: Returned) -> Self {
        Self { returned, ..self }
    }

    pub(super) const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    pub(super) const fn references(self, references: &'static [&'static str]) -> Self {
        Self { references, ..self }
    }

    pub(super) const fn of(self, sub: &'static [Self]) -> Self {
        Self { sub, ..self }
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

/// Which attribute a name means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// The URN of the extension that it belongs to.
    pub extension: Option<&'static str>,
    /// None: the whole extension.
    pub attribute: Option<&'static Attribute>,
    pub sub: Option<&'static Attribute>,
}

impl Named {
    /// What it is called by rules: as the attributes of accounts are (`docs/management.md`).
    pub(super) fn path(&self) -> String {
        let names = [
            self.extension.map(|_| ENTERPRISE),
            self.attribute.map(|one| rule_name(one.name)),
            self.sub.map(|one| one.name),
        ];
        names.into_iter().flatten().collect::<Vec<_>>().join(".")
    }

    /// The attribute that values are of.
    pub(super) fn last(&self) -> Option<&'static Attribute> {
        self.sub.or(self.attribute)
    }
}

/// What rules call the attribute `name`, where accounts spell it in another way.
pub(super) fn rule_name(name: &'static str) -> &'static str {
    if name == "timezone" { "timeZone" } else { name }
}

impl Type {
    /// The attribute that `name` means: `userName`, `name.givenName`, with or without the URN of its
    /// schema, in any letter case.
    pub(super) fn named(&self, name: &str) -> Option<Named> {
        let bare = strip(name, self.schema).and_then(|rest| rest.strip_prefix(':'));
        if let Some((urn, _, attributes)) = self.extension
            && let Some(rest) = strip(name, urn)
        {
            if rest.is_empty() {
                return Some(Named { extension: Some(urn), attribute: None, sub: None });
            }
            return within(attributes, rest.strip_prefix(':')?, Some(urn));
        }
        within(self.attributes, bare.unwrap_or(name), None)
    }

    /// The same, or why not.
    pub(super) fn expect(&self, name: &str) -> Result<Named, ScimError> {
        let shown: String = name.chars().take(64).collect();
        self.named(name).ok_or_else(|| {
            ScimError::path(format!("{shown:?} is not an attribute of {}", self.name))
        })
    }
}

fn within(
    attributes: &'static [Attribute],
    name: &str,
    extension: Option<&'static str>,
) -> Option<Named> {
    let (first, second) = match name.split_once('.') {
        Some((first, second)) => (first, Some(second)),
        None => (name, None),
    };
    let attribute = find(attributes, first)?;
    let sub = match second {
        Some(second) => Some(find(attribute.sub, second)?),
        None => None,
    };
    Some(Named { extension, attribute: Some(attribute), sub })
}

/// The one of `attributes` that is called `name`, in any letter case.
pub(super) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|one| one.name.eq_ignore_ascii_case(name))
}

/// What of `name` follows `urn`, in any letter case.
fn strip<'a>(name: &'a str, urn: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(urn.len())?;
    start.eq_ignore_ascii_case(urn).then_some(rest)
}
