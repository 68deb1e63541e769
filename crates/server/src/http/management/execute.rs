//! One operation: what it asks for, whether the token allows that, and its answer.
//!
//! The library's executor runs twice. The first time it only finds which root fields run, with which
//! arguments; these are then answered one after another, and the second time it shapes the answers.
//! So everything is known of an operation before any of it runs, and only what waits is asynchronous.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use apollo_compiler::{
    executable::Operation as Selected,
    resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::{ExecutionResponse, GraphQLError, JsonMap, ResponseDataPathSegment},
    validation::Valid,
};
use castellan_gate::{Document, GuardSchema};
use castellan_issuer::{
    managers::{Operation, Permissions},
    tokens::verified::Live,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    constraints,
    error::{Classification, Failure},
    node::resolved,
    roster::{Api, Call, Root},
    selection::Selection,
};
use crate::app::App;

/// What is executed, and for whom.
pub(super) struct Request<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Live,
    pub(super) permissions: &'a Permissions,
    pub(super) languages: &'a [String],
    pub(super) api: &'static Api,
    pub(super) schema: &'a GuardSchema,
    pub(super) document: &'a Document,
    pub(super) variables: &'a Valid<JsonMap>,
}

/// The answer of an operation that ran.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    data: Option<JsonMap>,
}

/// The token does not allow all of an operation: none of it has run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied;

/// A root field that runs.
struct Found {
    /// Its response key.
    key: String,
    root: &'static Root,
    arguments: Map<String, Value>,
    /// A constraint that its arguments violate.
    violated: Option<Failure>,
    selected: Selection,
}

/// What the root fields of an operation came to, by response key.
type Answers = BTreeMap<String, Result<Value, Failure>>;

impl Request<'_> {
    /// Runs the operation.
    pub(super) async fn run(&self) -> Result<Answer, Denied> {
        let (found, unfit) = self.find();
        let allows = |one: &Found| one.root.needs.iter().all(|&need| self.permissions.allow(need));
        let reads_schema = self.document.selected().iter().any(|one| asks_about_schema(&one.field));
        if !found.iter().all(allows) || (reads_schema && !self.permissions.allow(Operation::Read)) {
            return Err(Denied);
        }
        let mut answers = Answers::new();
        for one in found {
            let answer = self.answer(&one).await;
            answers.insert(one.key, answer);
        }
        Ok(self.shape(&answers, &unfit))
    }

    async fn answer(&self, found: &Found) -> Result<Value, Failure> {
        if let Some(violated) = &found.violated {
            return Err(violated.clone());
        }
        let call = Call {
            app: self.app,
            caller: self.caller,
            languages: self.languages,
            arguments: &found.arguments,
            selected: &found.selected,
        };
        (found.root.resolve)(&call).await
    }

    fn execution(&self) -> Execution<'_> {
        Execution::new(self.schema.definition(), self.document.executable())
            .coerced_variable_values(self.variables)
    }

    fn type_name(&self) -> &str {
        self.document.operation().map_or("", |operation| operation.object_type())
    }

    /// The root fields that run, in order, and the response keys of those whose arguments do not fit.
    fn find(&self) -> (Vec<Found>, BTreeSet<String>) {
        let finder =
            Finder { api: self.api, type_name: self.type_name(), found: RefCell::default() };
        let execution = self.chosen(self.execution());
        let errors = execution.execute_sync(&finder).map(|response| response.errors);
        let unfit = errors.unwrap_or_default().iter().filter_map(root_key).collect();
        (finder.found.into_inner(), unfit)
    }

    fn chosen<'a>(&'a self, execution: Execution<'a>) -> Execution<'a> {
        match self.document.operation() {
            Some(operation) => execution.operation(operation),
            None => execution,
        }
    }

    fn shape(&self, answers: &Answers, unfit: &BTreeSet<String>) -> Answer {
        let shaper = Shaper { type_name: self.type_name(), answers, failures: RefCell::default() };
        let execution = self.chosen(self.execution()).enable_schema_introspection(true);
        let response = execution.execute_sync(&shaper).unwrap_or_else(|error| {
            let errors = vec![error.to_graphql_error(&self.document.executable().sources)];
            ExecutionResponse { data: None, errors }
        });
        let failures = shaper.failures.into_inner();
        let detailed = self.app.management().detailed_errors;
        let errors = response.errors.iter().map(|error| {
            let failure = failure_of(error, &failures, unfit);
            let path: Vec<Value> = error.path.iter().map(path_step).collect();
            let mut shown = failure.to_json(Some(&path), detailed);
            shown["locations"] = serde_json::to_value(&error.locations).unwrap_or_default();
            shown
        });
        Answer { errors: errors.collect(), data: response.data }
    }
}

/// Whether a root field is about the schema.
pub(super) fn asks_about_schema(field: &str) -> bool {
    matches!(field, "__schema" | "__type")
}

fn path_step(step: &ResponseDataPathSegment) -> Value {
    match step {
        ResponseDataPathSegment::Field(name) => Value::from(name.as_str()),
        ResponseDataPathSegment::ListIndex(index) => Value::from(*index),
    }
}

fn root_key(error: &GraphQLError) -> Option<String> {
    match error.path.first() {
        Some(ResponseDataPathSegment::Field(name)) => Some(name.to_string()),
        _ => None,
    }
}

/// What stands before the number of a failure in the message of an error: resolvers can only give the
/// executor a text.
const FAILURE: &str = "resolver error: failure ";

fn failure_of(error: &GraphQLError, failures: &[Failure], unfit: &BTreeSet<String>) -> Failure {
    let number = error.message.strip_prefix(FAILURE).and_then(|text| text.parse::<usize>().ok());
    if let Some(failure) = number.and_then(|number| failures.get(number)) {
        return failure.clone();
    }
    let is_unfit = error.path.len() == 1 && root_key(error).is_some_and(|key| unfit.contains(&key));
    if is_unfit {
        return Failure::validation(error.message.clone());
    }
    tracing::error!(
        message = error.message,
        "a management operation answered what its schema excludes"
    );
    Failure::new(Classification::InternalError, error.message.clone())
}

/// Stands for the root type while fields are looked for.
struct Finder<'a> {
    api: &'static Api,
    type_name: &'a str,
    found: RefCell<Vec<Found>>,
}

impl ObjectValue for Finder<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let Some(root) = self.api.root(name) else { return Err(self.unknown_field_error(info)) };
        let Ok(Value::Object(arguments)) = serde_json::to_value(info.arguments()) else {
            return Err(self.unknown_field_error(info));
        };
        let definition = info.field_definition();
        let violated = constraints::check(info.schema(), (name, definition), &arguments).err();
        let fields = info.field_selections();
        self.found.borrow_mut().push(Found {
            key: fields[0].response_key().to_string(),
            root,
            arguments,
            violated,
            selected: Selection::of(info.document(), fields),
        });
        Ok(ResolvedValue::SkipForPartialExecution)
    }
}

/// Stands for the root type while answers are shaped.
struct Shaper<'a> {
    type_name: &'a str,
    answers: &'a Answers,
    failures: RefCell<Vec<Failure>>,
}

impl ObjectValue for Shaper<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let key = info.field_selections()[0].response_key();
        match self.answers.get(key.as_str()) {
            Some(Ok(value)) => Ok(resolved(info.schema(), &info.field_definition().ty, value)),
            Some(Err(failure)) => {
                let mut failures = self.failures.borrow_mut();
                failures.push(failure.clone());
                Err(FieldError { message: format!("failure {}", failures.len() - 1) })
            }
            None => Err(self.unknown_field_error(info)),
        }
    }
}

/// How much an operation may cost: each field counts once for each item of the lists around it that
/// have a `first`.
const MOST_COST: u64 = 250_000;
/// Items of a list whose `first` is not given.
const DEFAULT_FIRST: u64 = 50;

/// Refuses an operation that would answer too much.
pub(super) fn check_cost(
    document: &Document,
    (operation, variables): (&Selected, &JsonMap),
    max_page: u32,
) -> Result<(), Failure> {
    let fragments = BTreeMap::new();
    let mut costs = Costs { document, variables, max_page: u64::from(max_page), fragments };
    if costs.of(&operation.selection_set) > MOST_COST {
        let text =
            format!("The operation asks for more than {MOST_COST} fields; ask for smaller pages.");
        return Err(Failure::validation(text));
    }
    Ok(())
}

struct Costs<'a> {
    document: &'a Document,
    variables: &'a JsonMap,
    max_page: u64,
    fragments: BTreeMap<String, u64>,
}

impl Costs<'_> {
    fn of(&mut self, set: &apollo_compiler::executable::SelectionSet) -> u64 {
        use apollo_compiler::executable::Selection;
        let mut cost = 0_u64;
        for selection in &set.selections {
            cost = cost.saturating_add(match selection {
                Selection::Field(field) => {
                    let below = self.of(&field.selection_set);
                    below.saturating_mul(self.items(field)).saturating_add(1)
                }
                Selection::InlineFragment(inline) => self.of(&inline.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str()),
            });
        }
        cost
    }

    fn fragment(&mut self, name: &str) -> u64 {
        if let Some(cost) = self.fragments.get(name) {
            return *cost;
        }
        let fragments = &self.document.executable().fragments;
        let cost = fragments.get(name).map_or(0, |one| self.of(&one.selection_set));
        self.fragments.insert(name.to_owned(), cost);
        cost
    }

    /// How many items the list has at most that `field` answers.
    fn items(&self, field: &apollo_compiler::executable::Field) -> u64 {
        if field.definition.argument_by_name("first").is_none() {
            return 1;
        }
        let given = field.specified_argument_by_name("first").and_then(|value| match &**value {
            apollo_compiler::ast::Value::Variable(name) => {
                self.variables.get(name.as_str()).and_then(|value| value.as_u64())
            }
            value => value.to_i32().and_then(|first| u64::try_from(first).ok()),
        });
        given.unwrap_or(DEFAULT_FIRST).clamp(1, self.max_page)
    }
}
