//! A caller's document, read once: what it selects of root types, where, and under which condition.

pub(crate) mod arguments;
pub(crate) mod below;
mod coerce;
pub(crate) mod introspection_cost;
pub(crate) mod limits;
mod numbers;
pub(crate) mod prune;
pub(crate) mod selection;
pub(crate) mod shared;
pub(crate) mod unique_input;
mod walk;
mod weight;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{DirectiveList, Value},
    executable::{Operation, OperationType},
    parser::Parser,
    response::{GraphQLError, JsonMap},
    validation::{Valid, WithErrors},
};

use castellan_proto::Digest;
use coerce::coerce_variables;
use limits::check_shape;
use selection::{DocumentError, Holder, Selected, Span};
use walk::Walk;

use crate::{GuardSchema, Limits, Root, Variables};

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

/// Levels of brackets, and of selections within selections and fragments.
pub(crate) const RECURSION: usize = 128;
/// The maximum number of errors reported for one document.
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

    /// Parses a pruned document and validates it against the upstream's schema.
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
            return Err(DocumentError::TooLarge(format!(
                "The document has more than {most} tokens."
            )));
        }
        let invalid = |failed: WithErrors<ExecutableDocument>| {
            let errors = failed.errors.iter().take(MOST_ERRORS);
            DocumentError::Invalid(errors.map(|one| one.to_json()).collect())
        };
        let executable = match parsed {
            Ok(document) => document.validate(validity).map_err(invalid)?,
            Err(failed) => return Err(invalid(failed)),
        };
        unique_input::check(&executable)?;
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
        let bytes = weight::of(&executable, text, &selected, &holders);
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

    /// A digest of its text and of which operation was chosen.
    pub(crate) fn digest(&self) -> Digest {
        // The name is preceded by its length, or by a mark for its absence, so that no two documents
        // share one.
        let name = self.operation_name();
        let length = name.map_or(u64::MAX, |name| name.len() as u64).to_le_bytes();
        Digest::of_all(&[&length[..], name.unwrap_or_default().as_bytes(), self.text.as_bytes()])
    }

    /// The document itself.
    #[must_use]
    pub const fn executable(&self) -> &Valid<ExecutableDocument> {
        &self.executable
    }

    /// The chosen operation.
    #[must_use]
    pub fn operation(&self) -> Option<&Node<Operation>> {
        self.executable.operations.get(self.name.as_deref()).ok()
    }

    /// Refuses what asks too much about the schema.
    ///
    /// # Errors
    /// [`DocumentError::TooLarge`] saying what is too much.
    pub fn check_introspection(&self) -> Result<(), DocumentError> {
        introspection_cost::check_cost(self)
    }

    /// Whether `span` is in a named fragment rather than in the operation itself.
    pub(crate) fn in_fragment(&self, span: Span) -> bool {
        let operation = self.operation().and_then(Node::location);
        operation.is_none_or(|at| span.start < at.offset() || at.end_offset() < span.end)
    }

    /// The values of the variables as the operation declares them.
    ///
    /// # Errors
    /// [`DocumentError::Invalid`] for a value that does not fit, or one that is missing.
    pub fn coerce(
        &self,
        schema: &GuardSchema,
        variables: &Variables,
    ) -> Result<Valid<JsonMap>, DocumentError> {
        let Some(operation) = self.operation() else {
            return Err(DocumentError::Invalid(Vec::new()));
        };
        let coerced = coerce_variables(&schema.composed, operation, variables);
        coerced.map(Valid::assume_valid).map_err(|error| {
            let sources = &self.executable.sources;
            DocumentError::Invalid(vec![GraphQLError::new(error.message, error.at, sources)])
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
