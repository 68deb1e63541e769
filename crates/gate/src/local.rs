//! What Castellan answers itself: `session`, `createToken`, `__typename` at a root, and introspection.
//! None of it reaches the upstream (`docs/rules.md` rule 19).

use std::{cell::RefCell, collections::HashMap};

use apollo_compiler::{
    executable::Field,
    request::RequestError,
    resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::{ExecutionResponse, GraphQLError, JsonMap, JsonValue},
    validation::Valid,
};
use castellan_proto::Secret;
use http::Extensions;
use serde_json::{Map, Value};

use crate::{BasicError, Caller, GuardSchema, Person, Verifier, document::Document};

/// The local fields of a document by their response keys, and what is wrong with them.
pub(crate) type LocalAnswer = (Map<String, Value>, Vec<GraphQLError>);

/// Who asks for local fields, and who says what is not known of them yet.
#[derive(Clone, Copy)]
pub(crate) struct LocalAsker<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) verifier: &'a dyn Verifier,
    pub(crate) extensions: &'a Extensions,
}

/// Answers the local fields of `document`; all others are left out.
pub(crate) async fn answer(
    schema: &GuardSchema,
    document: &Document,
    variables: &Valid<JsonMap>,
    asker: LocalAsker<'_>,
) -> LocalAnswer {
    let local = Local { schema, document, variables, caller: asker.caller };
    // Resolvers cannot wait, so what they would wait for is found out before they run.
    let mut created = HashMap::new();
    for attempt in local.attempts() {
        let answer = asker.create_token(&attempt).await;
        created.insert(attempt.key, answer);
    }
    match local.run(Tokens::Created(&created)) {
        Ok(response) => {
            let data = serde_json::to_value(&response.data).unwrap_or_default();
            let Value::Object(data) = data else { return (Map::new(), response.errors) };
            (data, response.errors)
        }
        Err(error) => (Map::new(), vec![error.to_graphql_error(&document.executable.sources)]),
    }
}

/// One `createToken` that runs.
struct Attempt {
    /// Its response key.
    key: String,
    name: String,
    password: Secret,
}

/// What became of one; without an answer, the error.
type Created = Result<CreatedToken, String>;

/// What the contract answers to a name and a password that are not right
/// (`docs/contracts/ibexa.md` §4.4).
const WRONG: &str = "Wrong username or password";

impl LocalAsker<'_> {
    async fn create_token(&self, attempt: &Attempt) -> Created {
        let Attempt { name, password, .. } = attempt;
        match self.verifier.create_token(name, password, self.extensions).await {
            Ok(Some(token)) => Ok(CreatedToken { token: Some(token), message: None }),
            Ok(None) => Ok(CreatedToken { token: None, message: Some(WRONG.to_owned()) }),
            Err(error @ (BasicError::TooMany(_) | BasicError::SecondFactor)) => {
                Ok(CreatedToken { token: None, message: Some(error.to_string()) })
            }
            Err(error @ BasicError::Unavailable) => Err(error.to_string()),
        }
    }
}

/// A document whose local fields are answered.
#[derive(Clone, Copy)]
struct Local<'a> {
    schema: &'a GuardSchema,
    document: &'a Document,
    variables: &'a Valid<JsonMap>,
    caller: &'a Caller,
}

impl Local<'_> {
    /// Every `createToken` that runs, with its arguments, in its order.
    fn attempts(self) -> Vec<Attempt> {
        let attempts = RefCell::default();
        if self.document.selected().iter().any(|one| one.is_create_token(self.schema)) {
            // What else there is, is answered when these are.
            let _ = self.run(Tokens::Wanted(&attempts));
        }
        attempts.into_inner()
    }

    fn run(self, tokens: Tokens<'_>) -> Result<ExecutionResponse, RequestError> {
        let Some(operation) = self.document.operation() else {
            return Ok(ExecutionResponse { errors: Vec::new(), data: Some(JsonMap::new()) });
        };
        let root = LocalRoot { type_name: operation.object_type(), local: self, tokens };
        Execution::new(&self.schema.composed, &self.document.executable)
            .implementers_map(&self.schema.implementers)
            .operation(operation)
            .coerced_variable_values(self.variables)
            .enable_schema_introspection(true)
            .execute_sync(&root)
    }
}

/// Tokens that are still to be created, or those that were.
#[derive(Clone, Copy)]
enum Tokens<'a> {
    Wanted(&'a RefCell<Vec<Attempt>>),
    Created(&'a HashMap<String, Created>),
}

struct LocalRoot<'a> {
    type_name: &'a str,
    local: Local<'a>,
    tokens: Tokens<'a>,
}

impl LocalRoot<'_> {
    /// Whether `field` is ours: an upstream may have one of the same name.
    fn is_ours(&self, field: &str) -> bool {
        let schema = self.local.schema;
        let mut entries =
            schema.roots_behind(self.type_name).filter_map(|root| schema.entry(root, field));
        entries.any(|entry| entry.local)
    }
}

impl ObjectValue for LocalRoot<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let key =
            || info.field_selections().first().map(|field| Field::response_key(field).as_str());
        match (info.field_name(), self.tokens) {
            (field, _) if !self.is_ours(field) => Ok(ResolvedValue::SkipForPartialExecution),
            ("session", Tokens::Created(_)) => {
                let identity = self.local.caller.identity();
                let person = identity.and_then(|identity| identity.person.as_ref());
                Ok(ResolvedValue::nullable_object(person.map(|person| Session { person })))
            }
            ("createToken", Tokens::Wanted(attempts)) => {
                let text = |name: &str| info.arguments().get(name).and_then(JsonValue::as_str);
                attempts.borrow_mut().push(Attempt {
                    key: key().unwrap_or_default().to_owned(),
                    name: text("username").unwrap_or_default().to_owned(),
                    password: Secret::new(text("password").unwrap_or_default().to_owned()),
                });
                Ok(ResolvedValue::SkipForPartialExecution)
            }
            ("createToken", Tokens::Created(all)) => match key().and_then(|key| all.get(key)) {
                Some(Ok(created)) => Ok(ResolvedValue::object(created)),
                Some(Err(message)) => Err(FieldError { message: message.clone() }),
                None => Err(self.unknown_field_error(info)),
            },
            _ => Ok(ResolvedValue::SkipForPartialExecution),
        }
    }
}

struct CreatedToken {
    token: Option<Secret>,
    message: Option<String>,
}

impl ObjectValue for &CreatedToken {
    fn type_name(&self) -> &'static str {
        "CreatedTokenPayload"
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let text = match info.field_name() {
            "token" => self.token.as_ref().map(Secret::expose),
            "message" => self.message.as_deref(),
            _ => return Err(self.unknown_field_error(info)),
        };
        Ok(text.map_or_else(ResolvedValue::null, ResolvedValue::leaf))
    }
}

struct Session<'a> {
    person: &'a Person,
}

impl ObjectValue for Session<'_> {
    fn type_name(&self) -> &'static str {
        "CastellanSession"
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        match info.field_name() {
            "user" => Ok(ResolvedValue::Object(Box::new(User { person: self.person }))),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

struct User<'a> {
    person: &'a Person,
}

impl ObjectValue for User<'_> {
    fn type_name(&self) -> &'static str {
        "CastellanUser"
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let person = self.person;
        let text = match info.field_name() {
            "id" => person.id.clone(),
            "name" => person.name.clone().unwrap_or_default(),
            // With an `@` here, without one in the sign-in reply (`docs/contracts/decidim.md` §2).
            "nickname" => format!("@{}", person.nickname.as_deref().unwrap_or(&person.id)),
            _ => return Err(self.unknown_field_error(info)),
        };
        Ok(ResolvedValue::Leaf(text.into()))
    }
}
