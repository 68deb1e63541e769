//! Fragments that select a field both of a root type and of another one: the first cannot be blanked
//! without the second (`docs/rules.md` rule 12).

use std::collections::BTreeSet;

use apollo_compiler::{
    Name, Node,
    executable::{Field, FragmentSpread, Selection, SelectionSet},
};

use super::{Document, prune::span_of, selection::Span};
use crate::GuardSchema;

/// A fragment with one of the selections `removed` that is also in effect where no field of a root type
/// can be, so that it would be lost there.
pub(crate) fn shared_fragment<'a>(
    document: &'a Document,
    schema: &GuardSchema,
    removed: &BTreeSet<Span>,
) -> Option<&'a Name> {
    if removed.is_empty() || document.executable.fragments.is_empty() {
        return None;
    }
    let mut search = Search { document, schema, removed, seen: BTreeSet::new() };
    search.set(&document.operation()?.selection_set, Within { below: false, fragment: None })
}

struct Search<'a, 'b> {
    document: &'a Document,
    schema: &'b GuardSchema,
    removed: &'b BTreeSet<Span>,
    /// Fragments that were looked through, above and below what reaches no root type.
    seen: BTreeSet<(&'a Name, bool)>,
}

#[derive(Clone, Copy)]
struct Within<'a> {
    /// Whether no object here can be of a root type.
    below: bool,
    fragment: Option<&'a Name>,
}

impl<'a> Search<'a, '_> {
    fn set(&mut self, set: &'a SelectionSet, within: Within<'a>) -> Option<&'a Name> {
        // Here no object is of this type.
        if within.below && self.schema.is_root(&set.ty) {
            return None;
        }
        set.selections.iter().find_map(|selection| match selection {
            Selection::Field(field) => self.field(field, within),
            Selection::InlineFragment(inline) => self.set(&inline.selection_set, within),
            Selection::FragmentSpread(spread) => self.spread(spread, within),
        })
    }

    fn field(&mut self, field: &'a Node<Field>, within: Within<'a>) -> Option<&'a Name> {
        let is_removed = span_of(field.location()).is_some_and(|span| self.removed.contains(&span));
        if is_removed {
            // What is below goes with it, at the root.
            return within.fragment.filter(|_| within.below);
        }
        let below = !self.schema.reaches_roots(field.ty().inner_named_type());
        self.set(&field.selection_set, Within { below: within.below || below, ..within })
    }

    fn spread(&mut self, spread: &'a Node<FragmentSpread>, within: Within<'a>) -> Option<&'a Name> {
        let (name, fragment) =
            self.document.executable.fragments.get_key_value(&spread.fragment_name)?;
        let is_new = self.seen.insert((name, within.below));
        let inside = Within { fragment: Some(name), ..within };
        if is_new { self.set(&fragment.selection_set, inside) } else { None }
    }
}
