//! A caller's document, read once: what it selects of root types, where, and under which condition.

pub(crate) mod introspection_cost;
pub(crate) mod limits;
pub(crate) mod prune;
pub(crate) mod walk;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{DirectiveList, Value},
    executable::{Operation, OperationType},
    parser::Parser,
    request::coerce_variable_values,
    response::{GraphQLError, JsonMap, serde_json_bytes},
    validation::{Valid, WithErrors},
};
use serde_json::Map;

use crate::{
    Ask, GuardSchema, Limits, Root,
    document::{limits::check_shape, walk::Walk},
    weight,
};

/// A document that parses, is valid and is within limits, with one operation chosen.
pub struct Document {
    pub(crate) executable: Valid<ExecutableDocument>,
    pub(crate) text: String,
    pub(crate) root: Root,
    name: Option<String>,
    pub(crate) selected: Vec<Selected>,
    pub(crate) holders: Vec<Holder>,
    /// What it takes in memory.
    pub(crate) bytes: usize,
}

/// A field of a root operation type that the chosen operation selects, at any depth.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Of which root type. A field of an interface that a root type implements counts as its.
    pub root: Root,
    /// The field's name, never its alias.
    pub field: String,
    /// The response keys that lead to it.
    pub path: Vec<String>,
    /// Where it stands in the document.
    pub(crate) place: Place,
}

/// A field below which root types can be reached: what is left of it may be nothing.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) path: Vec<String>,
    pub(crate) place: Place,
}

/// Where a selection stands, and when it runs.
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

/// Levels of brackets, and of selections within selections and fragments.
pub(crate) const RECURSION: usize = 128;
/// Errors told at most; a document of nothing but mistakes is not worth more.
const MOST_ERRORS: usize = 20;

impl Document {
    /// Reads `text` against the composed schema of `schema`.
    ///
    /// # Errors
    /// [`DocumentError`] saying what is wrong with it.
    pub fn read(
        schema: &GuardSchema,
        text: &str,
        operation_name: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, DocumentError> {
        Self::read_against(&schema.composed, schema, text, operation_name, limits)
    }

    /// Reads a pruned document against the schema of what stands behind.
    pub(crate) fn reread(
        schema: &GuardSchema,
        text: &str,
        operation_name: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, DocumentError> {
        Self::read_against(&schema.upstream, schema, text, operation_name, limits)
    }

    fn read_against(
        validity: &Valid<Schema>,
        schema: &GuardSchema,
        text: &str,
        operation_name: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, DocumentError> {
        let mut parser = Parser::new().recursion_limit(RECURSION).token_limit(limits.tokens);
        let parsed = parser.parse_executable(validity, text, "document");
        if parser.tokens_reached() >= limits.tokens {
            let most = limits.tokens;
            return Err(DocumentError::TooLarge(format!("The document has over {most} tokens.")));
        }
        let invalid = |failed: WithErrors<ExecutableDocument>| {
            let errors = failed.errors.iter().take(MOST_ERRORS);
            DocumentError::Invalid(errors.map(|one| one.to_json()).collect())
        };
        let executable = match parsed {
            Ok(document) => document.validate(validity).map_err(invalid)?,
            Err(failed) => return Err(invalid(failed)),
        };
        let operation = executable.operations.get(operation_name).map_err(|error| {
            DocumentError::Invalid(vec![error.to_graphql_error(&executable.sources)])
        })?;
        let root = match operation.operation_type {
            OperationType::Query => Root::Query,
            OperationType::Mutation => Root::Mutation,
            OperationType::Subscription => Root::Subscription,
        };
        check_shape(&executable, operation, limits)?;
        let mut walk = Walk::new(schema, &executable, limits);
        walk.set(&operation.selection_set, &mut Vec::new(), &mut Vec::new())?;
        let Walk { selected, holders, .. } = walk;
        let bytes = weight::of(&executable, text, (&selected, &holders));
        let name = operation.name.as_ref().map(ToString::to_string);
        Ok(Self { text: text.to_owned(), root, name, selected, holders, bytes, executable })
    }

    /// What the chosen operation selects of root types, in document order.
    #[must_use]
    pub fn selected(&self) -> &[Selected] {
        &self.selected
    }

    /// The type of the chosen operation.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The name of the chosen operation.
    #[must_use]
    pub fn operation_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn operation(&self) -> Option<&Node<Operation>> {
        self.executable.operations.get(self.name.as_deref()).ok()
    }

    /// Whether `span` stands in a named fragment, not in the operation itself.
    pub(crate) fn in_fragment(&self, span: Span) -> bool {
        let operation = self.operation().and_then(Node::location);
        operation.is_none_or(|at| span.start < at.offset() || at.end_offset() < span.end)
    }

    /// The values of the variables as the operation declares them.
    ///
    /// # Errors
    /// [`DocumentError::Invalid`] for a value that does not fit, or one that is missing.
    pub(crate) fn coerce(
        &self,
        schema: &GuardSchema,
        variables: &Map<String, serde_json::Value>,
    ) -> Result<Valid<JsonMap>, DocumentError> {
        let given: JsonMap = variables
            .iter()
            .map(|(name, value)| {
                (name.as_str().into(), serde_json_bytes::Value::from(value.clone()))
            })
            .collect();
        let Some(operation) = self.operation() else {
            return Err(DocumentError::Invalid(Vec::new()));
        };
        coerce_variable_values(&schema.composed, operation, &given).map_err(|error| {
            DocumentError::Invalid(vec![error.to_graphql_error(&self.executable.sources)])
        })
    }
}

impl Selected {
    /// What this selection asks for.
    #[must_use]
    pub fn ask<'a>(&self, schema: &'a GuardSchema) -> Option<Ask<'a>> {
        match &*self.field {
            "__typename" => Some(Ask::Typename),
            "__schema" | "__type" if self.path.len() == 1 => Some(Ask::Introspection),
            "__schema" | "__type" => Some(Ask::NestedIntrospection),
            field => schema.entry(self.root, field).map(|entry| Ask::Field {
                root: self.root,
                demand: &entry.demand,
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

/// The variables that `directives` mention.
pub(crate) fn variables_of(directives: &DirectiveList, into: &mut Vec<Name>) {
    for directive in directives {
        for argument in &directive.arguments {
            variables_in(&argument.value, into);
        }
    }
}

/// The variables that `value` mentions.
pub(crate) fn variables_in(value: &Value, into: &mut Vec<Name>) {
    match value {
        Value::Variable(name) => into.push(name.clone()),
        Value::List(values) => values.iter().for_each(|value| variables_in(value, into)),
        Value::Object(members) => members.iter().for_each(|(_, value)| variables_in(value, into)),
        _ => {}
    }
}
