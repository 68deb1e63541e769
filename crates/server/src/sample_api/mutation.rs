//! The mutation fields, each with what it does: one list for the schema and for its execution.

use super::model::{KINDS, Kind, Relation};

/// A field of the mutation type.
#[derive(Debug)]
pub(crate) struct Mutation {
    /// The name of the field.
    pub(crate) name: String,
    /// What the mutation does.
    pub(crate) verb: Verb,
}

/// What a mutation does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    /// Adds a new object to the archive.
    Create(&'static Kind),
    /// Changes an existing object.
    Update(&'static Kind),
    /// Changes an object, or adds it.
    Merge(&'static Kind),
    /// Deletes an object.
    Delete(&'static Kind),
    /// Adds or removes a relation between two objects.
    Relate(Stroke, &'static Kind, &'static Relation),
    /// Asks for work on the archive.
    RequestControlAction,
}

/// What happens to a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// Adds a relation unless it exists.
    Add,
    /// Removes a relation.
    Remove,
    /// The same as `Add`; the contract names both.
    Merge,
}

impl Stroke {
    const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Merge];

    /// The first word of the field's name.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Remove => "Remove",
            Self::Merge => "Merge",
        }
    }
}

/// Every mutation, in the order of the schema.
pub(crate) fn all() -> Vec<Mutation> {
    let mut mutations = Vec::new();
    for &kind in &KINDS {
        mutations.extend(of_kind(kind));
        for relation in kind.relations {
            mutations.extend(Stroke::ALL.map(|stroke| of_relation(stroke, kind, relation)));
        }
    }
    mutations
        .push(Mutation { name: "RequestControlAction".into(), verb: Verb::RequestControlAction });
    mutations
}

fn of_kind(kind: &'static Kind) -> [Mutation; 4] {
    let named = |word: &str, verb| Mutation { name: format!("{word}{}", kind.name), verb };
    [
        named("Create", Verb::Create(kind)),
        named("Update", Verb::Update(kind)),
        named("Merge", Verb::Merge(kind)),
        named("Delete", Verb::Delete(kind)),
    ]
}

fn of_relation(stroke: Stroke, kind: &'static Kind, relation: &'static Relation) -> Mutation {
    let (first, rest) = relation.name.split_at(1);
    Mutation {
        name: format!("{}{}{}{rest}", stroke.word(), kind.name, first.to_ascii_uppercase()),
        verb: Verb::Relate(stroke, kind, relation),
    }
}
