//! The scope that a field of a root type requires: by its settings, its directive, or its name
//! (`docs/rules.md` rule 25).

use apollo_compiler::{
    Schema,
    ast::Type,
    schema::{ExtendedType, FieldDefinition},
};
use castellan_proto::scope::RequiredScope;

use crate::{Entry, NamedBy, Root, SchemaError, SchemaSettings, name_mutation};

const BY_NAME_ONLY: [&str; 4] = ["_entities", "_service", "node", "nodes"];

/// What is known of the field `definition` of `root`.
///
/// # Errors
/// [`SchemaError`] if its name cannot be read, or its directive is not a valid required scope.
pub(crate) fn entry(
    schema: &Schema,
    root: Root,
    definition: &FieldDefinition,
    settings: &SchemaSettings,
) -> Result<Entry, SchemaError> {
    let field = definition.name.as_str();
    let place = format!("{}.{field}", root.as_str());
    let by_name_only = is_by_name_only(field);
    let made = |required, named_by| Entry { required, named_by, local: false, by_name_only };
    if let Some(required) = settings.overrides.get(&place) {
        return Ok(made(required.clone(), NamedBy::Override));
    }
    let mut directives = definition.directives.get_all("castellan");
    if let Some(directive) = directives.next() {
        if directives.next().is_some() {
            return Err(SchemaError::Override(format!("@castellan on {place} is repeated")));
        }
        let text = directive
            .specified_argument_by_name("scope")
            .and_then(|value| value.as_str())
            .unwrap_or_default();
        let required = RequiredScope::try_from(text.to_owned())
            .map_err(|error| SchemaError::Override(format!("@castellan on {place}: {error}")))?;
        return Ok(made(required, NamedBy::Directive));
    }
    let required = match root {
        Root::Mutation => name_mutation(settings.naming, field),
        Root::Query | Root::Subscription => {
            let (of, action) = returned(schema, &definition.ty);
            let of = of.unwrap_or_else(|| field.to_owned());
            RequiredScope::try_from(format!("{}:{of}:{action}", root.as_str())).ok()
        }
    };
    Ok(made(required.ok_or(SchemaError::Unreadable(field.to_owned()))?, NamedBy::Rule))
}

/// The type that a query is about, lists and Relay connections unwrapped, and `Get` or `List`.
/// No type for a scalar or an enum.
fn returned(schema: &Schema, ty: &Type) -> (Option<String>, &'static str) {
    let name = ty.inner_named_type();
    let definition = schema.types.get(name);
    if definition.is_none_or(ExtendedType::is_leaf) {
        return (None, if ty.is_list() { "List" } else { "Get" });
    }
    if ty.is_list() {
        return (Some(name.to_string()), "List");
    }
    let inner = |of: &str, field: &str| {
        schema.type_field(of, field).ok().map(|field| field.ty.inner_named_type().clone())
    };
    let node = name
        .ends_with("Connection")
        .then(|| inner(name, "nodes").or_else(|| inner(&inner(name, "edges")?, "node")));
    match node.flatten() {
        Some(node) => (Some(node.to_string()), "List"),
        None => (Some(name.to_string()), "Get"),
    }
}

/// Whether `field` reaches past the types of the schema, so that only a pattern that spells out
/// its required scope covers it.
pub(crate) fn is_by_name_only(field: &str) -> bool {
    BY_NAME_ONLY.contains(&field)
}
