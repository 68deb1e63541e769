//! The members of a JSON object that a reader has no name for.

use std::{collections::HashSet, fmt};

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// The members passed over, of which nothing is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver;

/// Passes over them, but lets none come twice and none of `refused` come at all, not even as
/// `null`.
///
/// If a name occurs twice, one reader takes the first value and another the last (RFC 7515 §4, RFC
/// 7517 §4). For the reader's own names serde checks this.
pub(super) fn pass_over<'de, D: Deserializer<'de>>(
    members: D,
    refused: &'static [&'static str],
) -> Result<PassedOver, D::Error> {
    members.deserialize_map(Names { refused })
}

struct Names {
    refused: &'static [&'static str],
}

impl<'de> Visitor<'de> for Names {
    type Value = PassedOver;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object without duplicate members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PassedOver, A::Error> {
        let mut seen = HashSet::new();
        while let Some((name, IgnoredAny)) = map.next_entry::<String, _>()? {
            if self.refused.contains(&&*name) {
                return Err(A::Error::custom(format_args!("{name} is not allowed")));
            }
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(PassedOver)
    }
}
