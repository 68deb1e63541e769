//! What a document selects: fields of root types, their places, and the conditions under which they
//! run.

use apollo_compiler::{
    Name, Node,
    executable::Field,
    response::{GraphQLError, JsonMap, serde_json_bytes},
};

use crate::{Ask, GuardSchema, Root};

/// A field of a root operation type that the chosen operation selects, at any depth.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Of which root type. A field of an interface that a root type implements counts as its.
    pub root: Root,
    /// The field's name, never its alias.
    pub field: String,
    /// The response keys that lead to it.
    pub path: Vec<String>,
    /// Its place in the document.
    pub(crate) place: Place,
    /// What stands there.
    pub(crate) node: Node<Field>,
}

/// A field below which root types can be reached: what is left of it may be nothing.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) path: Vec<String>,
    pub(crate) place: Place,
}

/// The place of a selection, and the conditions under which it runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) span: Span,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) nullable: bool,
    pub(crate) conditions: Vec<Condition>,
}

/// Bytes of the document, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One `@skip` or `@include` on the way to a selection.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) runs_if: bool,
    pub(crate) value: Switch,
}

/// What a [`Condition`] depends on.
#[derive(Clone, Debug)]
pub(crate) enum Switch {
    Constant(bool),
    Variable(Name),
}

/// Why a document is refused before anything is decided.
#[derive(Debug)]
pub enum DocumentError {
    /// It does not parse, is not valid, or its variables do not fit; as GraphQL errors.
    Invalid(Vec<GraphQLError>),
    /// It is beyond a limit.
    TooLarge(String),
}

impl Selected {
    /// Whether it is the mutation `createToken` that Castellan answers.
    pub(crate) fn is_create_token(&self, schema: &GuardSchema) -> bool {
        self.root == Root::Mutation
            && schema.entry(self.root, &self.field).is_some_and(|entry| entry.local)
    }

    /// What this selection asks for.
    #[must_use]
    pub fn ask<'a>(&self, schema: &'a GuardSchema) -> Option<Ask<'a>> {
        match &*self.field {
            "__typename" => Some(Ask::Typename),
            "__schema" | "__type" if self.path.len() == 1 => Some(Ask::Introspection),
            "__schema" | "__type" => Some(Ask::NestedIntrospection),
            _ if self.is_create_token(schema) => Some(Ask::CreateToken),
            field => schema.entry(self.root, field).map(|entry| Ask::Field {
                root: self.root,
                required: &entry.required,
                by_name_only: entry.by_name_only,
                local: entry.local && self.path.len() == 1,
            }),
        }
    }
}

impl Place {
    /// Whether it runs with these variables (`@skip`, `@include`).
    pub(crate) fn runs(&self, variables: &JsonMap) -> bool {
        self.conditions.iter().all(|condition| {
            let value = match &condition.value {
                Switch::Constant(value) => *value,
                Switch::Variable(name) => {
                    variables.get(name.as_str()).and_then(serde_json_bytes::Value::as_bool)
                        == Some(true)
                }
            };
            value == condition.runs_if
        })
    }
}
