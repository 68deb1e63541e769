//! The shape of an operation: how deep, how many aliases, and no delivery in parts. Found without
//! spreading fragments, so that it costs no more than the text is long.

use std::collections::BTreeMap;

use apollo_compiler::{
    ExecutableDocument, Name,
    executable::{Operation, Selection, SelectionSet},
};

use super::{RECURSION, selection::DocumentError};
use crate::Limits;

/// Refuses what nests too deep, uses too many aliases, or asks for an answer in parts.
pub(crate) fn check_shape(
    document: &ExecutableDocument,
    operation: &Operation,
    limits: &Limits,
) -> Result<(), DocumentError> {
    let known = BTreeMap::new();
    let mut shape = Shape { document, known, aliases: 0, longest_alias: 0, in_parts: false };
    let Nesting { depth, levels } = shape.nesting(&operation.selection_set);
    let too_large = |message| Err(DocumentError::TooLarge(message));
    if depth > limits.depth {
        let most = limits.depth;
        return too_large(format!(
            "The operation nests {depth} levels deep; at most {most} are allowed."
        ));
    }
    if levels > RECURSION {
        return too_large(format!("Fragments are nested more than {RECURSION} levels deep."));
    }
    if shape.aliases > limits.aliases {
        let (count, most) = (shape.aliases, limits.aliases);
        return too_large(format!(
            "The operation uses {count} aliases; at most {most} are allowed."
        ));
    }
    if shape.longest_alias > limits.alias_bytes {
        let (length, most) = (shape.longest_alias, limits.alias_bytes);
        return too_large(format!("An alias has {length} bytes; at most {most} are allowed."));
    }
    if shape.in_parts {
        return too_large("@defer and @stream are not supported.".to_owned());
    }
    Ok(())
}

/// How deep something nests: fields within fields, and anything within anything.
#[derive(Clone, Copy, Default)]
struct Nesting {
    depth: usize,
    levels: usize,
}

struct Shape<'a> {
    document: &'a ExecutableDocument,
    known: BTreeMap<Name, Nesting>,
    aliases: usize,
    longest_alias: usize,
    in_parts: bool,
}

impl Shape<'_> {
    fn nesting(&mut self, set: &SelectionSet) -> Nesting {
        let mut deepest = Nesting::default();
        for selection in &set.selections {
            let parts = ["defer", "stream"];
            self.in_parts |= parts.iter().any(|name| selection.directives().has(name));
            let below = match selection {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.alias.is_some());
                    let alias = field.alias.as_ref().map_or(0, Name::len);
                    self.longest_alias = self.longest_alias.max(alias);
                    let below = self.nesting(&field.selection_set);
                    Nesting { depth: below.depth + 1, ..below }
                }
                Selection::InlineFragment(inline) => self.nesting(&inline.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name),
            };
            deepest.depth = deepest.depth.max(below.depth);
            deepest.levels = deepest.levels.max(below.levels + 1);
        }
        deepest
    }

    fn fragment(&mut self, name: &Name) -> Nesting {
        if let Some(nesting) = self.known.get(name) {
            return *nesting;
        }
        let fragment = self.document.fragments.get(name);
        let nesting =
            fragment.map_or_else(Nesting::default, |one| self.nesting(&one.selection_set));
        self.known.insert(name.clone(), nesting);
        nesting
    }
}
