//! Directives that say who may have something. What the gate does not enforce must not look as if it
//! did, so it is refused with its place.

use apollo_compiler::{
    Node, Schema,
    ast::{Directive, InputValueDefinition},
    collections::HashMap,
    parser::SourceSpan,
    schema::ExtendedType,
};

use super::{SchemaError, SchemaSettings};

/// Directives by which others hold callers off: Apollo's and Cosmo's, and those of common libraries.
pub const ACCESS_DIRECTIVES: [&str; 13] = [
    "auth",
    "authenticated",
    "authentication",
    "authorization",
    "aws_auth",
    "aws_cognito_user_pools",
    "aws_iam",
    "hasRole",
    "hasScope",
    "inaccessible",
    "isAuthenticated",
    "policy",
    "requiresScopes",
];

/// Looks at every directive of `schema`, whose root types are `roots`.
///
/// # Errors
/// [`SchemaError::Unenforced`] for the first one that says what the gate does not enforce.
pub(crate) fn check(
    schema: &Schema,
    roots: &[&str],
    settings: &SchemaSettings,
) -> Result<(), SchemaError> {
    let look = Look { schema, renamed: renamed(schema), settings };
    look.list("the schema", schema.schema_definition.directives.iter().map(|one| &**one))?;
    for (name, definition) in schema.types.iter().filter(|(_, one)| !one.is_built_in()) {
        look.list(name, definition.directives().iter().map(|one| &**one))?;
        let fields = match definition {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            ExtendedType::Enum(one) => {
                for (value, definition) in &one.values {
                    look.list(&format!("{name}.{value}"), definition.directives.iter())?;
                }
                continue;
            }
            ExtendedType::InputObject(input) => {
                for (field, definition) in &input.fields {
                    look.list(&format!("{name}.{field}"), definition.directives.iter())?;
                }
                continue;
            }
            _ => continue,
        };
        let is_root = roots.contains(&name.as_str());
        for (field, definition) in fields {
            let place = format!("{name}.{field}");
            if is_root {
                let others = definition.directives.iter().filter(|one| one.name != "castellan");
                look.list(&place, others)?;
                let mut own = definition.directives.iter().filter(|one| one.name == "castellan");
                own.try_for_each(|one| look.arguments_of(&place, one))?;
            } else {
                look.list(&place, definition.directives.iter())?;
            }
            look.arguments(&place, &definition.arguments)?;
        }
    }
    for (name, definition) in &schema.directive_definitions {
        look.arguments(&format!("@{name}"), &definition.arguments)?;
    }
    Ok(())
}

/// What `@link` calls the directives that it brings along (`import: [{name: "@policy", as: "@p"}]`).
fn renamed(schema: &Schema) -> HashMap<String, String> {
    let links = schema.schema_definition.directives.iter().filter(|one| one.name == "link");
    let imports = links
        .filter_map(|link| link.specified_argument_by_name("import")?.as_list())
        .flatten()
        .filter_map(|import| {
            let member = |wanted: &str| {
                let found = import.as_object()?.iter().find(|(name, _)| name == wanted)?;
                Some(found.1.as_str()?.trim_start_matches('@').to_owned())
            };
            Some((member("as")?, member("name")?))
        });
    imports.collect()
}

struct Look<'a> {
    schema: &'a Schema,
    renamed: HashMap<String, String>,
    settings: &'a SchemaSettings,
}

impl Look<'_> {
    /// Directives at a place where none of ours is enforced.
    fn list<'a>(
        &self,
        place: &str,
        directives: impl Iterator<Item = &'a Node<Directive>>,
    ) -> Result<(), SchemaError> {
        for directive in directives {
            let written = directive.name.as_str();
            let at = self.at(directive.location());
            if written == "castellan" {
                return Err(SchemaError::Unenforced(format!(
                    "{at}@castellan on {place} is not enforced: only fields of the query, \
                     mutation and subscription types are checked; move it to the root fields that \
                     lead there"
                )));
            }
            let name = self.renamed.get(written).map_or(written, |name| name);
            let name = name.rsplit("__").next().unwrap_or(name);
            let theirs = self.settings.upstream_enforces.iter().any(|one| one == name);
            if ACCESS_DIRECTIVES.contains(&name) && !theirs {
                return Err(SchemaError::Unenforced(format!(
                    "{at}@{written} on {place} is not enforced by this server; if the API behind \
                     the guard enforces it, set upstream_enforces = [\"{name}\"], otherwise \
                     remove it"
                )));
            }
        }
        Ok(())
    }

    fn arguments(
        &self,
        place: &str,
        arguments: &[Node<InputValueDefinition>],
    ) -> Result<(), SchemaError> {
        arguments.iter().try_for_each(|argument| {
            self.list(&format!("{place}({}:)", argument.name), argument.directives.iter())
        })
    }

    /// `@castellan` says one thing here, the scope; a schema may define it with more.
    fn arguments_of(&self, place: &str, directive: &Node<Directive>) -> Result<(), SchemaError> {
        match directive.arguments.iter().find(|argument| argument.name != "scope") {
            None => Ok(()),
            Some(argument) => Err(SchemaError::Unenforced(format!(
                "{}@castellan on {place}: the argument {} is not enforced; `scope` is the only one",
                self.at(directive.location()),
                argument.name
            ))),
        }
    }

    /// `file:line:column: `, if it is known.
    fn at(&self, span: Option<SourceSpan>) -> String {
        let found = span.and_then(|span| {
            let start = span.line_column_range(&self.schema.sources)?.start;
            let file = self.schema.sources.get(&span.file_id())?.path().display();
            Some(format!("{file}:{}:{}: ", start.line, start.column))
        });
        found.unwrap_or_default()
    }
}
