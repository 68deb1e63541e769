//! What Castellan answers itself: `session`, `__typename` at a root, and introspection. None of it
//! reaches the upstream (`docs/rules.md` rule 19).

use apollo_compiler::{
    resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue},
    response::{GraphQLError, JsonMap},
    validation::Valid,
};
use serde_json::{Map, Value};

use crate::{Caller, GuardSchema, Person, document::Document};

/// Answers the local fields of `document`; all others are left out.
pub(crate) fn answer(
    schema: &GuardSchema,
    document: &Document,
    variables: &Valid<JsonMap>,
    caller: &Caller,
) -> (Map<String, Value>, Vec<GraphQLError>) {
    let Some(operation) = document.operation() else { return (Map::new(), Vec::new()) };
    let root = LocalRoot { type_name: operation.object_type(), caller };
    let answered = Execution::new(&schema.composed, &document.executable)
        .implementers_map(&schema.implementers)
        .operation(operation)
        .coerced_variable_values(variables)
        .enable_schema_introspection(true)
        .execute_sync(&root);
    match answered {
        Ok(response) => {
            let data = serde_json::to_value(&response.data).unwrap_or_default();
            let Value::Object(data) = data else { return (Map::new(), response.errors) };
            (data, response.errors)
        }
        Err(error) => (Map::new(), vec![error.to_graphql_error(&document.executable.sources)]),
    }
}

struct LocalRoot<'a> {
    type_name: &'a str,
    caller: &'a Caller,
}

impl ObjectValue for LocalRoot<'_> {
    fn type_name(&self) -> &str {
        self.type_name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        if info.field_name() != "session" {
            return Ok(ResolvedValue::SkipForPartialExecution);
        }
        match self.caller.identity().and_then(|identity| identity.person.as_ref()) {
            Some(person) => Ok(ResolvedValue::Object(Box::new(Session { person }))),
            None => Ok(ResolvedValue::Leaf(serde_null())),
        }
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

fn serde_null() -> apollo_compiler::response::JsonValue {
    apollo_compiler::response::JsonValue::Null
}
