//! Looking ahead: what a request selects below a root field.

use std::collections::BTreeSet;

use apollo_compiler::{
    ExecutableDocument,
    executable::{self, Field},
};

/// What is selected below a field, as paths of field names.
#[derive(Debug, Default)]
pub(crate) struct Selection(BTreeSet<String>);

impl Selection {
    /// What `fields` select, which answer one response key together. What `@skip` and `@include`
    /// leave out counts as selected.
    pub(super) fn of(document: &ExecutableDocument, fields: &[&Field]) -> Self {
        let mut walk = Walk { document, paths: BTreeSet::new(), fragments: BTreeSet::new() };
        for field in fields {
            walk.set(&field.selection_set, "");
        }
        Self(walk.paths)
    }

    /// Whether the field at `path` is selected, such as `edges.node.id`.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    paths: BTreeSet<String>,
    /// Fragments that have been looked at, with where they are spread.
    fragments: BTreeSet<(String, String)>,
}

impl Walk<'_> {
    fn set(&mut self, set: &executable::SelectionSet, above: &str) {
        for selection in &set.selections {
            match selection {
                executable::Selection::Field(field) => {
                    let dot = if above.is_empty() { "" } else { "." };
                    let path = format!("{above}{dot}{}", field.name);
                    self.paths.insert(path.clone());
                    self.set(&field.selection_set, &path);
                }
                executable::Selection::InlineFragment(inline) => {
                    self.set(&inline.selection_set, above);
                }
                executable::Selection::FragmentSpread(spread) => {
                    let place = (spread.fragment_name.to_string(), above.to_owned());
                    let document = self.document;
                    let fragment = document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|_| self.fragments.insert(place)) {
                        self.set(&fragment.selection_set, above);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use apollo_compiler::Schema;

    use super::*;

    #[test]
    fn fragments_and_aliases_are_seen_through() {
        let sdl = "type Query { a: A } type A { b: [A] c: Int d: Int }";
        let schema = Schema::parse_and_validate(sdl, "s").unwrap();
        let text = "query($x: Boolean!) { a { other: b { ...F } ... on A { c @skip(if: $x) } ...F } } \
                    fragment F on A { d }";
        let document = ExecutableDocument::parse_and_validate(&schema, text, "d").unwrap();
        let operation = document.operations.get(None).unwrap();
        let executable::Selection::Field(field) = &operation.selection_set.selections[0] else {
            panic!("not a field")
        };
        let selected = Selection::of(&document, &[field]);
        for path in ["b", "b.d", "c", "d"] {
            assert!(selected.has(path), "{path}");
        }
        for path in ["other", "b.c", "a", ""] {
            assert!(!selected.has(path), "{path}");
        }
    }
}
