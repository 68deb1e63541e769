//! A caller's document, read once: what it selects of root types, where, and under which condition.

use std::collections::BTreeMap;

use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema,
    ast::{DirectiveList, Value},
    executable::{Field, Operation, OperationType, Selection, SelectionSet},
    parser::Parser,
    request::coerce_variable_values,
    response::{GraphQLError, JsonMap, serde_json_bytes},
    validation::Valid,
};
use serde_json::Map;

use crate::{Ask, GuardSchema, Limits, Root};

/// A document that parses, is valid and is within limits, with one operation chosen.
pub struct Document {
    pub(crate) executable: Valid<ExecutableDocument>,
    pub(crate) text: String,
    pub(crate) root: Root,
    name: Option<String>,
    pub(crate) selected: Vec<Selected>,
    pub(crate) holders: Vec<Holder>,
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
    conditions: Vec<Condition>,
}

/// Bytes of the document, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One `@skip` or `@include` on the way to a selection.
#[derive(Clone, Debug)]
struct Condition {
    runs_if: bool,
    value: Switch,
}

#[derive(Clone, Debug)]
enum Switch {
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

/// Selections visited at most, fragments spread: a bound on work, far above what people write.
const MOST_STEPS: usize = 20_000;
const RECURSION: usize = 128;

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

    #[expect(clippy::too_many_arguments, reason = "the two public readers name what differs")]
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
        let executable =
            parsed.and_then(|document| document.validate(validity)).map_err(|failed| {
                DocumentError::Invalid(failed.errors.iter().map(|one| one.to_json()).collect())
            })?;
        let operation = executable.operations.get(operation_name).map_err(|error| {
            DocumentError::Invalid(vec![error.to_graphql_error(&executable.sources)])
        })?;
        let root = match operation.operation_type {
            OperationType::Query => Root::Query,
            OperationType::Mutation => Root::Mutation,
            OperationType::Subscription => Root::Subscription,
        };
        check_shape(&executable, operation, limits)?;
        let mut walk = Walk {
            schema,
            document: &executable,
            steps: 0,
            selected: Vec::new(),
            holders: Vec::new(),
        };
        walk.set(&operation.selection_set, &mut Vec::new(), &mut Vec::new())?;
        let (selected, holders) = (walk.selected, walk.holders);
        let at_root = selected.iter().filter(|one| one.path.len() == 1).count();
        if at_root > limits.root_fields {
            let most = limits.root_fields;
            return Err(DocumentError::TooLarge(format!(
                "The operation selects {at_root} root fields; at most {most} are allowed."
            )));
        }
        let name = operation.name.as_ref().map(ToString::to_string);
        Ok(Self { text: text.to_owned(), root, name, selected, holders, executable })
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

struct Walk<'a> {
    schema: &'a GuardSchema,
    document: &'a ExecutableDocument,
    steps: usize,
    selected: Vec<Selected>,
    holders: Vec<Holder>,
}

impl Walk<'_> {
    fn set(
        &mut self,
        set: &SelectionSet,
        path: &mut Vec<String>,
        conditions: &mut Vec<Condition>,
    ) -> Result<(), DocumentError> {
        for selection in &set.selections {
            self.steps += 1;
            if self.steps > MOST_STEPS {
                return Err(DocumentError::TooLarge(
                    "The operation selects too much once its fragments are spread.".to_owned(),
                ));
            }
            let before = conditions.len();
            conditions.extend(selection.directives().iter().filter_map(|d| condition(d)));
            match selection {
                Selection::Field(field) => self.field(set, field, path, conditions)?,
                Selection::InlineFragment(inline) => {
                    self.set(&inline.selection_set, path, conditions)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = spread.fragment_def(self.document) {
                        self.set(&fragment.selection_set, path, conditions)?;
                    }
                }
            }
            conditions.truncate(before);
        }
        Ok(())
    }

    fn field(
        &mut self,
        set: &SelectionSet,
        field: &Node<Field>,
        path: &mut Vec<String>,
        conditions: &mut Vec<Condition>,
    ) -> Result<(), DocumentError> {
        path.push(field.response_key().to_string());
        let place = self.place(field, conditions);
        let typename_below = field.name == "__typename" && path.len() > 1;
        if !typename_below {
            for root in self.schema.roots_behind(&set.ty) {
                self.selected.push(Selected {
                    root,
                    field: field.name.to_string(),
                    path: path.clone(),
                    place: place.clone(),
                });
            }
        }
        if self.schema.reaches_roots(field.ty().inner_named_type()) {
            self.holders.push(Holder { path: path.clone(), place });
            self.set(&field.selection_set, path, conditions)?;
        }
        path.pop();
        Ok(())
    }

    fn place(&self, field: &Node<Field>, conditions: &[Condition]) -> Place {
        let location = field.location();
        let span = location.map_or(Span { start: 0, end: 0 }, |at| Span {
            start: at.offset(),
            end: at.end_offset(),
        });
        let at = location.and_then(|at| at.line_column(&self.document.sources));
        Place {
            span,
            line: at.map_or(0, |at| at.line),
            column: at.map_or(0, |at| at.column),
            nullable: !field.ty().is_non_null(),
            conditions: conditions.to_vec(),
        }
    }
}

fn condition(directive: &Node<apollo_compiler::ast::Directive>) -> Option<Condition> {
    let runs_if = match directive.name.as_str() {
        "include" => true,
        "skip" => false,
        _ => return None,
    };
    let value = match &**directive.specified_argument_by_name("if")? {
        Value::Boolean(value) => Switch::Constant(*value),
        Value::Variable(name) => Switch::Variable(name.clone()),
        _ => return None,
    };
    Some(Condition { runs_if, value })
}

/// Depth with fragments spread, and aliases.
fn check_shape(
    document: &ExecutableDocument,
    operation: &Operation,
    limits: &Limits,
) -> Result<(), DocumentError> {
    let mut shape = Shape { document, depths: BTreeMap::new(), aliases: 0 };
    let depth = shape.depth(&operation.selection_set);
    if depth > limits.depth {
        let most = limits.depth;
        return Err(DocumentError::TooLarge(format!(
            "The operation nests {depth} levels deep; at most {most} are allowed."
        )));
    }
    if shape.aliases > limits.aliases {
        let (count, most) = (shape.aliases, limits.aliases);
        return Err(DocumentError::TooLarge(format!(
            "The operation uses {count} aliases; at most {most} are allowed."
        )));
    }
    Ok(())
}

struct Shape<'a> {
    document: &'a ExecutableDocument,
    depths: BTreeMap<Name, usize>,
    aliases: usize,
}

impl Shape<'_> {
    fn depth(&mut self, set: &SelectionSet) -> usize {
        let mut deepest = 0;
        for selection in &set.selections {
            let depth = match selection {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.alias.is_some());
                    1 + self.depth(&field.selection_set)
                }
                Selection::InlineFragment(inline) => self.depth(&inline.selection_set),
                Selection::FragmentSpread(spread) => match self.depths.get(&spread.fragment_name) {
                    Some(depth) => *depth,
                    None => {
                        let depth = spread
                            .fragment_def(self.document)
                            .map_or(0, |fragment| self.depth(&fragment.selection_set));
                        self.depths.insert(spread.fragment_name.clone(), depth);
                        depth
                    }
                },
            };
            deepest = deepest.max(depth);
        }
        deepest
    }
}

/// The variables that `directives` mention.
pub(crate) fn variables_of(directives: &DirectiveList, into: &mut Vec<Name>) {
    for directive in directives.iter() {
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
