//! What requires which scope: the fields of a schema, or the operations of an API over HTTP.

use std::collections::BTreeMap;

use castellan_gate::{Entry, GuardSchema, Root, rest::RestMap};

/// Everything that can be asked for, by its root type. An operation is a field whose name is a method
/// and a path.
pub(in crate::cli) struct Table(BTreeMap<Root, BTreeMap<String, Entry>>);

impl Table {
    /// The root fields of `schema`.
    pub(super) fn of_schema(schema: &GuardSchema) -> Self {
        Self::of(schema.entries().map(|(root, field, entry)| (root, field, entry.clone())))
    }

    /// The operations of `map`.
    pub(super) fn of_map(map: &RestMap) -> Self {
        Self::of(map.operations().map(|operation| {
            let entry = Entry {
                required: operation.required.clone(),
                named_by: operation.named_by,
                local: false,
                by_name_only: false,
            };
            (operation.root, operation.place(), entry)
        }))
    }

    fn of<'a>(all: impl Iterator<Item = (Root, &'a str, Entry)>) -> Self {
        let mut table: BTreeMap<Root, BTreeMap<String, Entry>> = BTreeMap::new();
        for (root, field, entry) in all {
            table.entry(root).or_default().insert(field.to_owned(), entry);
        }
        Self(table)
    }

    /// Each of them, sorted.
    pub(in crate::cli) fn entries(&self) -> impl Iterator<Item = (Root, &str, &Entry)> {
        self.0.iter().flat_map(|(root, fields)| {
            fields.iter().map(|(field, entry)| (*root, field.as_str(), entry))
        })
    }

    /// What is known of `field` on `root`.
    pub(super) fn entry(&self, root: Root, field: &str) -> Option<&Entry> {
        self.0.get(&root)?.get(field)
    }
}
