//! One GraphQL request and its answer, without HTTP.

use std::collections::HashMap;

use apollo_compiler::introspection::check_max_depth;
use apollo_compiler::parser::Parser;
use apollo_compiler::request::RequestError;
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::{ExecutionResponse, GraphQLError, JsonMap};
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema};

use super::mutation::Verb;
use super::read::{QueryRoot, State};
use super::store::Store;
use super::write::MutationRoot;

/// How deep selections may nest in the text of a request.
const DEEPEST_TEXT: usize = 64;

/// How many tokens the text of a request may have; spaces count too.
const MOST_TOKENS: usize = 4_000;

/// Maximum number of errors reported for one document, which may have thousands.
const MOST_FAULTS: usize = 20;

/// A request as it comes over the wire.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ask {
    /// The GraphQL document.
    pub(crate) query: String,
    /// Which of its operations to carry out.
    #[serde(default)]
    pub(crate) operation_name: Option<String>,
    /// The values of its variables.
    #[serde(default)]
    pub(crate) variables: Option<JsonMap>,
}

/// What came of a request.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// It was carried out, perhaps with errors in some fields.
    Done(ExecutionResponse),
    /// It was faulty as a whole and nothing was carried out.
    Refused {
        /// What was wrong with it.
        errors: Vec<GraphQLError>,
    },
}

/// The schema, the data behind it and what each mutation does.
#[derive(Debug)]
pub(crate) struct Service {
    /// The schema of the API.
    pub(crate) schema: Valid<Schema>,
    /// The data of the API.
    pub(crate) store: Store,
    /// The mutations by their names.
    pub(crate) verbs: HashMap<String, Verb>,
}

impl Service {
    /// Carries out a request.
    pub(crate) fn answer(&self, ask: &Ask) -> Answer {
        let document = match self.document(&ask.query) {
            Ok(document) => document,
            Err(errors) => {
                return Answer::Refused {
                    errors: errors.iter().take(MOST_FAULTS).map(|one| one.to_json()).collect(),
                };
            }
        };
        match self.execute(&document, ask) {
            Ok(mut response) => {
                response.errors.iter_mut().for_each(say_it_plainly);
                Answer::Done(response)
            }
            Err(error) => {
                Answer::Refused { errors: vec![error.to_graphql_error(&document.sources)] }
            }
        }
    }

    fn document(&self, query: &str) -> Result<Valid<ExecutableDocument>, DiagnosticList> {
        let document = Parser::new()
            .recursion_limit(DEEPEST_TEXT)
            .token_limit(MOST_TOKENS)
            .parse_executable(&self.schema, query, "request.graphql")
            .map_err(|refused| refused.errors)?;
        document.validate(&self.schema).map_err(|refused| refused.errors)
    }

    fn execute(
        &self,
        document: &Valid<ExecutableDocument>,
        ask: &Ask,
    ) -> Result<ExecutionResponse, RequestError> {
        let operation = document.operations.get(ask.operation_name.as_deref())?;
        check_max_depth(document, operation)?;
        let none = JsonMap::new();
        let execution = Execution::new(&self.schema, document)
            .operation(operation)
            .raw_variable_values(ask.variables.as_ref().unwrap_or(&none))
            .enable_schema_introspection(true);
        let state = State::new(&self.store);
        if operation.operation_type.is_mutation() {
            execution.execute_sync(&MutationRoot { state: &state, verbs: &self.verbs })
        } else {
            execution.execute_sync(&QueryRoot(&state))
        }
    }
}

/// Removes what the executor puts before every message of this API.
fn say_it_plainly(error: &mut GraphQLError) {
    if let Some(plain) = error.message.strip_prefix("resolver error: ") {
        error.message = plain.to_owned();
    }
}
