//! Limits the cost of schema introspection: it is answered locally, from a graph with cycles
//! (`fields { type { fields …`), so that a short query could request a very long response.

use std::collections::BTreeMap;

use apollo_compiler::{
    Name,
    executable::{Selection, SelectionSet},
};

use super::{Document, selection::DocumentError};

/// Lists of members within each other; the usual question of a client needs one level, and no alias.
const MOST_LISTS: usize = 2;
const MOST_QUESTIONS: usize = 16;

/// Refuses questions about the schema that nest lists of members too deep, use aliases below the
/// root, or are too many.
pub(crate) fn check_cost(document: &Document) -> Result<(), DocumentError> {
    let asks = |field: &str| matches!(field, "__schema" | "__type");
    let count = document.selected().iter().filter(|one| asks(&one.field)).count();
    let Some(operation) = document.operation().filter(|_| count > 0) else { return Ok(()) };
    if count > MOST_QUESTIONS {
        let message =
            format!("A request may contain at most {MOST_QUESTIONS} introspection fields.");
        return Err(DocumentError::TooLarge(message));
    }
    let mut cost = Cost { document, fragments: BTreeMap::new(), aliased: false };
    if cost.lists(&operation.selection_set, false) > MOST_LISTS || cost.aliased {
        return Err(DocumentError::TooLarge(
            "The introspection fields are nested too deeply, or use aliases.".to_owned(),
        ));
    }
    Ok(())
}

struct Cost<'a> {
    document: &'a Document,
    /// Levels of lists in a fragment, by its name and whether it is used inside an introspection
    /// query.
    fragments: BTreeMap<(&'a Name, bool), usize>,
    aliased: bool,
}

impl<'a> Cost<'a> {
    /// Levels of lists in what `set` asks about the schema.
    fn lists(&mut self, set: &'a SelectionSet, inside: bool) -> usize {
        let mut most = 0;
        for selection in &set.selections {
            let levels = match selection {
                Selection::Field(field) => {
                    let name = field.name.as_str();
                    self.aliased |= inside && field.alias.is_some();
                    let list =
                        matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                    let inside_below = inside || matches!(name, "__schema" | "__type");
                    usize::from(inside && list) + self.lists(&field.selection_set, inside_below)
                }
                Selection::InlineFragment(inline) => self.lists(&inline.selection_set, inside),
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, inside),
            };
            most = most.max(levels);
        }
        most
    }

    fn fragment(&mut self, name: &'a Name, inside: bool) -> usize {
        if let Some(levels) = self.fragments.get(&(name, inside)) {
            return *levels;
        }
        let fragments = &self.document.executable.fragments;
        let levels = fragments.get(name).map_or(0, |one| self.lists(&one.selection_set, inside));
        self.fragments.insert((name, inside), levels);
        levels
    }
}
