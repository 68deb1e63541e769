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
    Schema,
    resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::{ExecutionResponse, GraphQLError, JsonMap, ResponseDataPathSegment},
    validation::Valid,
};
use castellan_gate::{Document, GuardSchema};
use castellan_issuer::{
    managers::{Allowed, Managers, Operation, Permissions, Question},
    tokens::verified::Live,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    constraints,
    error::{Classification, Failure},
    node::{Failures, Shaping, resolved},
    roster::{Api, Call, Root, at},
    selection::Selection,
};
use crate::app::App;

/// What is executed, and for whom.
pub(super) struct Request<'a> {
    pub(super) app: &'a App,
    pub(super) caller: &'a Live,
    pub(super) permissions: &'a Permissions,
    pub(super) managers: &'a Managers,
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

/// The token does not allow all of an operation: none of it has run. With a scope that it lacks, if
/// that is why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied(pub(super) Option<String>);

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
type Answers<'a> = BTreeMap<String, (Result<Value, Failure>, Allowed<'a>)>;

impl Request<'_> {
    /// Runs the operation.
    pub(super) async fn run(&self) -> Result<Answer, Denied> {
        let (found, unfit) = self.find();
        let reads_schema = self.document.selected().iter().any(|one| asks_about_schema(&one.field));
        if reads_schema && !self.permissions.may_read_schema() {
            let (field, needs) = ("__schema", &[Operation::Read][..]);
            return Err(self.denied(&Question { field, needs, owner: None, written: &[] }));
        }
        self.check_unfit(&unfit)?;
        let allowed = found.iter().map(|one| self.allow(one)).collect::<Result<Vec<_>, _>>()?;
        let mut answers = Answers::new();
        for (one, allowed) in found.into_iter().zip(allowed) {
            let answer = self.answer(&one, allowed).await;
            answers.insert(one.key, (answer, allowed));
        }
        Ok(self.shape(&answers, &unfit))
    }

    fn denied(&self, question: &Question<'_>) -> Denied {
        Denied(self.managers.missing_scope(self.caller, question).map(ToOwned::to_owned))
    }

    /// Whether the token allows fields whose arguments do not fit, and which therefore touch no
    /// account and write nothing.
    fn check_unfit(&self, unfit: &BTreeSet<String>) -> Result<(), Denied> {
        let fields = self.document.selected().iter();
        for one in fields.filter(|one| one.path.len() == 1 && unfit.contains(&one.path[0])) {
            let Some(root) = self.api.root(&one.field) else { continue };
            let (field, needs) = (root.name, root.needs);
            let question = Question { field, needs, owner: None, written: &[] };
            if self.permissions.decide(&question).is_none() {
                return Err(self.denied(&question));
            }
        }
        Ok(())
    }

    /// How the token allows a field, if it does.
    fn allow(&self, found: &Found) -> Result<Allowed<'_>, Denied> {
        let owner = found.root.about.owner(&found.arguments, self.caller);
        let written = found.root.writes.map_or_else(Vec::new, |(way, path)| {
            let mut written = Vec::new();
            if let Some(value) = at(&found.arguments, way) {
                collect_attributes(value, path, &mut written);
            }
            written
        });
        let question = Question {
            field: found.root.name,
            needs: found.root.needs,
            owner: owner.as_deref(),
            written: &written,
        };
        let allowed = self.permissions.decide(&question).ok_or_else(|| self.denied(&question))?;
        // Whoever finds what is their own by its name knows that name.
        let hides = || {
            let mut examined = (found.root.finds_by)(&found.arguments).into_iter();
            examined.any(|attribute| !allowed.may_read(attribute))
        };
        if allowed.is_self_service() || !hides() { Ok(allowed) } else { Err(Denied(None)) }
    }

    async fn answer(&self, found: &Found, allowed: Allowed<'_>) -> Result<Value, Failure> {
        if let Some(violated) = &found.violated {
            return Err(violated.clone());
        }
        if let (true, Some(limit)) = (found.root.needs != [Operation::Read], allowed.throttle()) {
            let person = self.caller.account.as_ref().map_or("", |(id, _)| id);
            if !self.app.mutations().count(person, limit, self.app.issuer().now()) {
                let text = "Too many changes; try again later";
                return Err(Failure::new(Classification::TooManyAttempts, text));
            }
        }
        let call = Call {
            app: self.app,
            caller: self.caller,
            allowed,
            reads_all: self.permissions.may_read_all(),
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

    fn shape(&self, answers: &Answers<'_>, unfit: &BTreeSet<String>) -> Answer {
        let failures = Failures::default();
        let shaper = Shaper {
            type_name: self.type_name(),
            answers,
            schema: self.schema.definition(),
            entities: self.api.schema.entities,
            failures: &failures,
        };
        let execution = self.chosen(self.execution()).enable_schema_introspection(true);
        let response = execution.execute_sync(&shaper).unwrap_or_else(|error| {
            let errors = vec![error.to_graphql_error(&self.document.executable().sources)];
            ExecutionResponse { data: None, errors }
        });
        let detailed = self.app.management().detailed_errors;
        let errors = response.errors.iter().map(|error| {
            let failure = failure_of(error, &failures, unfit, self.app.management().introspection);
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

fn failure_of(
    error: &GraphQLError,
    failures: &Failures,
    unfit: &BTreeSet<String>,
    tells_types: bool,
) -> Failure {
    if let Some(failure) = failures.behind(&error.message) {
        return failure;
    }
    let is_unfit = error.path.len() == 1 && root_key(error).is_some_and(|key| unfit.contains(&key));
    if is_unfit {
        // The text names the type of the argument.
        let plain = "An argument does not fit the schema.";
        return Failure::validation(if tells_types { &error.message } else { plain });
    }
    tracing::error!(
        message = error.message,
        "a management operation answered what its schema excludes"
    );
    Failure::new(Classification::InternalError, error.message.clone())
}

/// The attributes that `value` has, below `path`.
fn collect_attributes(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                collect_attributes(value, &format!("{path}{dot}{name}"), into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                collect_attributes(item, path, into);
            }
        }
        _ if !path.is_empty() => into.push(path.to_owned()),
        _ => {}
    }
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
    answers: &'a Answers<'a>,
    schema: &'a Schema,
    entities: &'static [(&'static str, &'static str)],
    failures: &'a Failures,
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
        let Some((answer, allowed)) = self.answers.get(key.as_str()) else {
            return Err(self.unknown_field_error(info));
        };
        let value = answer.as_ref().map_err(|failure| self.failures.error(failure.clone()))?;
        let shaping = Shaping {
            schema: self.schema,
            allowed: *allowed,
            entities: self.entities,
            failures: self.failures,
        };
        Ok(resolved(shaping, &info.field_definition().ty, value, None))
    }
}
