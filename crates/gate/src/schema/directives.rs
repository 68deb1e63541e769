//! Directives of a schema. What the gate does not enforce must not look as if it did, so a directive
//! that may say who may have something is refused with its place. Whatever is not known to say nothing
//! of that kind may.

use apollo_compiler::{
    Node, Schema,
    ast::{Directive, InputValueDefinition},
    collections::{HashMap, HashSet},
    parser::SourceSpan,
    schema::ExtendedType,
};

use super::{SchemaError, SchemaSettings};

/// Directives that hold nobody off: those of the specification, of schemas that are composed, and of
/// common libraries that map fields to tables, cache answers or measure costs.
const NEUTRAL: [&str; 49] = [
    // The specification, and what is proposed for it.
    "deprecated",
    "defer",
    "include",
    "oneOf",
    "semanticNonNull",
    "skip",
    "specifiedBy",
    "stream",
    // Apollo Federation: how parts make a whole.
    "composeDirective",
    "connect",
    "contact",
    "context",
    "core",
    "extends",
    "external",
    "fromContext",
    "interfaceObject",
    "key",
    "link",
    "override",
    "provides",
    "requires",
    "shareable",
    "source",
    "tag",
    // Costs and caches.
    "cacheControl",
    "complexity",
    "cost",
    "listSize",
    // Connections of Relay and Amplify.
    "belongsTo",
    "connection",
    "edges",
    "hasMany",
    "hasOne",
    "manyToMany",
    // Neo4j and other mappings.
    "additionalLabels",
    "cypher",
    "fulltext",
    "id",
    "index",
    "neo4j_ignore",
    "node",
    "plural",
    "relation",
    "relationship",
    "relationshipProperties",
    "timestamp",
    "unique",
    "vector",
];
/// What a schema that was composed says of its parts (`@join__type`). Not `directive`, which carries
/// any other along.
const JOIN: [&str; 7] =
    ["enumValue", "field", "graph", "implements", "owner", "type", "unionMember"];
/// Where the specifications of Federation are.
const APOLLO: &str = "https://specs.apollo.dev/";
/// In [`SchemaSettings::upstream_enforces`]: all directives.
pub const ANY_DIRECTIVE: &str = "*";

/// Whether the directive `name` holds nobody off, so that nothing needs to enforce it.
#[must_use]
pub fn is_neutral_directive(name: &str) -> bool {
    match name.split_once("__") {
        None => NEUTRAL.contains(&name),
        Some(("join", name)) => JOIN.contains(&name),
        Some(("federation" | "link" | "core" | "connect" | "tag", name)) => NEUTRAL.contains(&name),
        Some(_) => false,
    }
}

/// Looks at every directive of `schema`, whose root types are `roots`.
///
/// # Errors
/// [`SchemaError::Unenforced`] for the first one that says what the gate does not enforce.
pub(crate) fn check(
    schema: &Schema,
    roots: &[&str],
    settings: &SchemaSettings,
) -> Result<(), SchemaError> {
    let look = Look { schema, imports: Imports::of(schema), settings };
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
struct Imports {
    /// The name of each in its specification, by its name here.
    renamed: HashMap<String, String>,
    /// Those of specifications that are not Apollo's: whatever they are called, nothing is known of
    /// them.
    foreign: HashSet<String>,
}

impl Imports {
    fn of(schema: &Schema) -> Self {
        let (mut renamed, mut foreign) = (HashMap::default(), HashSet::default());
        let links = schema.schema_definition.directives.iter().filter(|one| one.name == "link");
        for link in links {
            let argument = |name: &str| link.specified_argument_by_name(name);
            let url = argument("url").and_then(|url| url.as_str()).unwrap_or_default();
            let imports = argument("import").and_then(|list| list.as_list()).unwrap_or_default();
            for import in imports {
                let member = |wanted: &str| {
                    let found = import.as_object()?.iter().find(|(name, _)| name == wanted)?;
                    Some(plain(found.1.as_str()?))
                };
                let name = member("name").or_else(|| import.as_str().map(plain));
                let Some(name) = name else { continue };
                let here = member("as").unwrap_or_else(|| name.clone());
                if !url.starts_with(APOLLO) {
                    foreign.insert(here.clone());
                }
                renamed.insert(here, name);
            }
        }
        Self { renamed, foreign }
    }

    /// The name of the directive that is `written` here.
    fn name<'a>(&'a self, written: &'a str) -> &'a str {
        self.renamed.get(written).map_or(written, |name| name)
    }
}

/// A name without its sign.
fn plain(name: &str) -> String {
    name.trim_start_matches('@').to_owned()
}

struct Look<'a> {
    schema: &'a Schema,
    imports: Imports,
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
            if written.eq_ignore_ascii_case("castellan") {
                return Err(SchemaError::Unenforced(format!(
                    "{at}@{written} on {place} is not enforced: names are case-sensitive; write \
                     @castellan"
                )));
            }
            let name = self.imports.name(written);
            let is_neutral = is_neutral_directive(name) && !self.imports.foreign.contains(written);
            let name = name.rsplit("__").next().unwrap_or(name);
            let theirs = |one: &String| one == name || one == written || one == ANY_DIRECTIVE;
            if !is_neutral && !self.settings.upstream_enforces.iter().any(theirs) {
                return Err(SchemaError::Unenforced(format!(
                    "{at}@{written} on {place} is not enforced by this server; if the API behind \
                     the guard enforces it, or it holds nobody off, set upstream_enforces = \
                     [\"{name}\"], otherwise remove it"
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
