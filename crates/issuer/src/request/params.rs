//! Parameters of an OAuth request, each at most once.

use std::collections::HashSet;

use castellan_proto::Secret;

use crate::{error::Repeated, request::source::Source};

/// The one parameter that may come several times (RFC 8707 §2).
const RESOURCE: &str = "resource";

/// The parameters of one request. A repeated one is refused at the door (RFC 6749 §3.1, §3.2;
/// `docs/security-cases.md` row 3); one without a value counts as omitted.
#[derive(Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    source: Option<Source>,
}

impl Params {
    /// Takes pairs that are already decoded.
    ///
    /// # Errors
    /// [`Repeated`] naming the first parameter that came twice.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Repeated> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        match repeated(&pairs) {
            Some(name) => Err(Repeated(name.chars().take(64).collect())),
            None => Ok(Self { pairs, source: None }),
        }
    }

    /// The same, which came from `source`.
    #[must_use]
    pub fn from_source(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }

    /// From where they came; none if they are our own.
    #[must_use]
    pub const fn source(&self) -> Option<Source> {
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

    /// The same of an authorization request, where SMART App Launch §2.1.6 says `aud` instead.
    pub fn resources_or_aud(&self) -> impl Iterator<Item = &str> {
        let aud = self.get("aud").filter(|_| self.resources().next().is_none());
        self.resources().chain(aud)
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

/// Up to this many parameters are compared pairwise, which suffices for all regular requests.
const FEW: usize = 24;

/// The first parameter that came before and must not.
fn repeated(pairs: &[(String, String)]) -> Option<&str> {
    let mut names = pairs.iter().map(|(name, _)| &**name);
    if pairs.len() <= FEW {
        let before = |at: usize| pairs[..at].iter().map(|(name, _)| &**name);
        let twice = |at: usize, name: &str| before(at).any(|other| other == name);
        return names
            .enumerate()
            .find_map(|(at, name)| (name != RESOURCE && twice(at, name)).then_some(name));
    }
    let mut seen = HashSet::new();
    names.find(|name| *name != RESOURCE && !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_comes_once_among_few_and_among_many() {
        for others in [0, 1, FEW, 10 * FEW] {
            let others = || (0..others).map(|at| format!("p{at}"));
            let read = |names: &[&str]| {
                let names = names.iter().map(|name| (*name).to_owned());
                Params::from_pairs(others().chain(names).map(|name| (name, "x".to_owned())))
                    .map(|params| params.pairs().count())
            };
            assert_eq!(read(&["a", RESOURCE, "b", RESOURCE]), Ok(others().count() + 4));
            assert_eq!(read(&["a", "b", "a", "b"]), Err(Repeated("a".to_owned())));
        }
    }
}
