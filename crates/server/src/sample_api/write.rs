//! Carrying out the fields of mutations.

use std::collections::HashMap;
use std::sync::Arc;

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::{JsonMap, JsonValue};

use super::model::{CONTROL_ACTION, Kind, Relation};
use super::mutation::{Stroke, Verb};
use super::read::{QueryRoot, State, changes, id};
use super::refused::Refused;
use super::sdl::REQUESTED;
use super::store::{Changes, Node};

/// The mutation type.
pub(crate) struct MutationRoot<'a> {
    /// Where the changes go.
    pub(crate) state: &'a State<'a>,
    /// What each field does.
    pub(crate) verbs: &'a HashMap<String, Verb>,
}

impl ObjectValue for MutationRoot<'_> {
    fn type_name(&self) -> &'static str {
        "Mutation"
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        let verb =
            *self.verbs.get(info.field_name()).ok_or_else(|| self.unknown_field_error(info))?;
        let (store, given) = (self.state.store, info.arguments());
        let node = match verb {
            Verb::Create(kind) => store.create(kind, key(given), changes(kind, given)?),
            Verb::Update(kind) => store.update(kind, &wanted(given)?, changes(kind, given)?),
            Verb::Merge(kind) => store.merge(kind, wanted(given)?, changes(kind, given)?),
            Verb::Delete(kind) => store.delete(kind, &wanted(given)?),
            Verb::RequestControlAction => {
                store.create(&CONTROL_ACTION, key(given), requested(given)?)
            }
            Verb::Relate(stroke, kind, relation) => {
                let (from, to) = self.relate(stroke, kind, relation, given)?;
                let name = info.field_definition().ty.inner_named_type().as_str();
                return Ok(ResolvedValue::object(Ends { state: self.state, name, from, to }));
            }
        }?;
        Ok(self.state.object(node, 1))
    }
}

impl MutationRoot<'_> {
    fn relate(
        &self,
        stroke: Stroke,
        kind: &'static Kind,
        relation: &'static Relation,
        arguments: &JsonMap,
    ) -> Result<(Arc<Node>, Arc<Node>), Refused> {
        let (from, to) = (end(arguments, "from")?, end(arguments, "to")?);
        match stroke {
            Stroke::Add | Stroke::Merge => self.state.store.relate(kind, relation, &from, &to),
            Stroke::Remove => self.state.store.unrelate(kind, relation, &from, &to),
        }
    }
}

/// What a mutation of a relation returns.
struct Ends<'a> {
    state: &'a State<'a>,
    name: &'a str,
    from: Arc<Node>,
    to: Arc<Node>,
}

impl ObjectValue for Ends<'_> {
    fn type_name(&self) -> &str {
        self.name
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        match info.field_name() {
            "from" => Ok(self.state.object(Arc::clone(&self.from), 1)),
            "to" => Ok(self.state.object(Arc::clone(&self.to), 1)),
            "query" => Ok(ResolvedValue::object(QueryRoot(self.state))),
            _ => Err(self.unknown_field_error(info)),
        }
    }
}

fn key(arguments: &JsonMap) -> Option<String> {
    arguments.get("identifier").and_then(id)
}

fn wanted(arguments: &JsonMap) -> Result<String, Refused> {
    key(arguments).ok_or(Refused::Blank)
}

fn end(arguments: &JsonMap, name: &str) -> Result<String, Refused> {
    let end = arguments.get(name).and_then(JsonValue::as_object);
    end.and_then(key).ok_or(Refused::Blank)
}

fn requested(arguments: &JsonMap) -> Result<Changes, Refused> {
    let input = arguments.get("controlAction").and_then(JsonValue::as_object);
    let changes = input.map(|input| changes(&CONTROL_ACTION, input)).transpose()?;
    let mut changes = changes.unwrap_or_default();
    changes.retain(|name, _| REQUESTED.contains(name));
    changes.insert("actionStatus", Some("PotentialActionStatus".into()));
    Ok(changes)
}
