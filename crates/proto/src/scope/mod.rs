//! What an app may be granted, and what a request requires (`docs/rules.md` §3).

mod pattern;
mod roles;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use pattern::{InvalidPattern, ScopePattern};
pub use roles::{Aliases, RoleScopes, within_roles};

/// The scope that a field or REST call requires: `Operation:Type:Action`.
///
/// Three names, never a pattern.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RequiredScope(String);

/// The text is not three names joined by colons.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form Operation:Type:Action")]
pub struct InvalidRequiredScope(String);

impl RequiredScope {
    /// The required scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequiredScope {
    type Error = InvalidRequiredScope;

    fn try_from(text: String) -> Result<Self, InvalidRequiredScope> {
        let name = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let parts = text.split(':').collect::<Vec<_>>();
        if parts.len() == 3 && parts.into_iter().all(name) && text.len() <= 256 {
            Ok(Self(text))
        } else {
            Err(InvalidRequiredScope(text))
        }
    }
}

impl From<RequiredScope> for String {
    fn from(required: RequiredScope) -> Self {
        required.0
    }
}

impl std::fmt::Display for RequiredScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// A name such as `openid` or `api:read`: equal or not, never a pattern.
    Named(String),
    /// A pattern over required scopes such as `Mutation:Person:*`.
    Pattern(ScopePattern),
}

/// Why a text is not a [`Scope`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScope {
    /// A character that RFC 6749 §3.3 does not allow, or none at all.
    #[error("{0:?} is not a scope (RFC 6749 section 3.3)")]
    Token(String),
    /// It has the form of a pattern but is not a valid one.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

impl Scope {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Pattern(pattern) => pattern.as_str(),
        }
    }

    /// Whether everything that `asked` represents is within this scope.
    #[must_use]
    pub fn contains(&self, asked: &Self) -> bool {
        match (self, asked) {
            (Self::Named(ours), Self::Named(theirs)) => ours == theirs,
            (Self::Pattern(ours), Self::Pattern(theirs)) => ours.contains(theirs),
            _ => false,
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        let head = text.split(':').next().unwrap_or_default();
        let operation = text.len() > head.len()
            && ["Mutation", "Query", "Subscription", "Castellan"].contains(&head);
        if operation || text.contains(['*', '?', '{']) {
            return Ok(Self::Pattern(ScopePattern::try_from(text)?));
        }
        let token = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || text.len() > 256 || !text.bytes().all(token) {
            return Err(InvalidScope::Token(text));
        }
        Ok(Self::Named(text))
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.as_str().to_owned()
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Scopes in the order in which they were written, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// Reads the space-delimited form of RFC 6749 §3.3. An empty text contains no scope.
    ///
    /// # Errors
    /// [`InvalidScope`] naming the first entry that is not a valid scope.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        text.split(' ')
            .filter(|part| !part.is_empty())
            .map(|part| Scope::try_from(part.to_owned()))
            .collect()
    }

    /// Iterates over the scopes.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Bytes of memory that they take, about.
    #[must_use]
    pub fn memory(&self) -> usize {
        let one = |scope: &Scope| match scope {
            Scope::Named(name) => size_of::<Scope>() + name.len(),
            Scope::Pattern(pattern) => pattern.memory(),
        };
        self.iter().map(one).sum()
    }

    /// Whether there are no scopes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the name `name` is among them.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.iter().any(|scope| matches!(scope, Scope::Named(ours) if ours == name))
    }

    /// Whether all that `asked` represents is within one of these scopes.
    #[must_use]
    pub fn cover(&self, asked: &Scope) -> bool {
        self.iter().any(|ours| ours.contains(asked))
    }

    /// The first of `asked` that these do not cover.
    #[must_use]
    pub fn first_uncovered<'a>(&self, asked: &'a Self) -> Option<&'a Scope> {
        asked.iter().find(|scope| !self.cover(scope))
    }

    /// Those of `asked` that these cover.
    #[must_use]
    pub fn narrow(&self, asked: &Self) -> Self {
        asked.iter().filter(|scope| self.cover(scope)).cloned().collect()
    }

    /// Scopes that both these and `others` cover: of two that contain each other, the narrower one.
    /// Nothing is among them that only one of the two allows; patterns that overlap without one
    /// containing the other are left out.
    #[must_use]
    pub fn intersection(&self, others: &Self) -> Self {
        others.narrow(self).union(&self.narrow(others))
    }

    /// These and those of `more` that are not among them yet.
    #[must_use]
    pub fn union(&self, more: &Self) -> Self {
        self.iter().chain(more.iter()).cloned().collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut out = Vec::new();
        for scope in scopes {
            if !out.contains(&scope) {
                out.push(scope);
            }
        }
        Self(out.into())
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        Self(scopes.into())
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0.to_vec()
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::fmt::Display for Scopes {
    /// The space-delimited form of RFC 6749 §3.3.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, scope) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}
