//! Parameters of an OAuth request, each at most once.

use std::{collections::HashSet, net::IpAddr};

use castellan_proto::Secret;

/// The one parameter that may come several times (RFC 8707 §2).
const RESOURCE: &str = "resource";

/// The parameters of one request. A repeated one is refused at the door (RFC 6749 §3.1, §3.2;
/// `security-cases.md` row 3); one without a value counts as omitted.
#[derive(Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    source: Option<IpAddr>,
}

/// A parameter came more than once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} came more than once")]
pub struct Repeated(pub String);

impl Params {
    /// Takes decoded pairs.
    ///
    /// # Errors
    /// [`Repeated`] naming the first parameter that came twice.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Repeated> {
        let (mut kept, mut seen) = (Vec::new(), HashSet::new());
        for (name, value) in pairs {
            if !seen.insert(name.clone()) && name != RESOURCE {
                return Err(Repeated(name.chars().take(64).collect()));
            }
            kept.push((name, value));
        }
        Ok(Self { pairs: kept, source: None })
    }

    /// The same, which came from `source`.
    #[must_use]
    pub fn from_source(self, source: Option<IpAddr>) -> Self {
        Self { source, ..self }
    }

    /// From where they came, as far as is known.
    #[must_use]
    pub const fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// The value of `name`; none if it is absent or empty (RFC 6749 §3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(other, value)| other == name && !value.is_empty())
            .map(|(_, v)| &**v)
    }

    /// Every value of `resource`.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let of_one = |(name, value): &(String, String)| name == RESOURCE && !value.is_empty();
        self.pairs.iter().filter(move |pair| of_one(pair)).map(|(_, value)| &**value)
    }

    /// Names and values as they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of `name`, out of sight.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::new(value.to_owned()))
    }
}
