//! The schema of a guard: which scopes its fields require, which fields are local, where root types
//! can be reached.

pub(crate) mod directives;
pub(crate) mod lock;
pub(crate) mod naming;
pub(crate) mod reach;
pub(crate) mod required_scope;
pub(crate) mod returns;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use apollo_compiler::{
    Name, Schema,
    ast::{self, Definition, OperationType},
    collections::HashMap,
    schema::Implementers,
    validation::Valid,
};
use castellan_proto::{Digest, scope::RequiredScope};

use lock::{Drift, Lock};
use naming::Naming;

/// A root operation type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
pub enum Root {
    /// The type of queries.
    Query,
    /// The type of mutations.
    Mutation,
    /// The type of subscriptions.
    Subscription,
}

impl Root {
    pub(crate) const ALL: [Self; 3] = [Self::Query, Self::Mutation, Self::Subscription];

    /// The first name of the scopes that its fields require.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Mutation => "Mutation",
            Self::Subscription => "Subscription",
        }
    }

    pub(crate) const fn operation(self) -> OperationType {
        match self {
            Self::Query => OperationType::Query,
            Self::Mutation => OperationType::Mutation,
            Self::Subscription => OperationType::Subscription,
        }
    }
}

/// Who answers the root field `session` (`docs/contracts/decidim.md` §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SessionField {
    /// The upstream, if it has such a field.
    #[default]
    Off,
    /// Castellan; an upstream that has one too is refused.
    Local,
    /// The upstream, which must have such a field.
    Upstream,
}

/// What a schema is built with.
#[derive(Clone, Debug, Default)]
pub struct SchemaSettings {
    /// How the required scope follows from a mutation's name.
    pub naming: Naming,
    /// Required scopes that are set by hand, by `Root.field`.
    pub overrides: BTreeMap<String, RequiredScope>,
    /// Which `session` field the schema has.
    pub session: SessionField,
    /// Whether Castellan answers the mutation `createToken` (`docs/contracts/ibexa.md` §4.4), which an
    /// upstream then must not have.
    pub create_token: bool,
    /// What the text is called where something is wrong with it, such as the name of its file.
    pub source: String,
    /// Directives that may be there, as the service behind the gate enforces them, besides those that
    /// hold nobody off ([`is_neutral_directive`](crate::is_neutral_directive)).
    /// [`ANY_DIRECTIVE`](crate::ANY_DIRECTIVE) stands for all.
    pub upstream_enforces: Vec<String>,
}

/// Where the required scope of a field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// An override in the guard's settings.
    Override,
    /// `@castellan(scope: "…")` in the schema.
    Directive,
    /// The guard's naming rule, or the rule for queries.
    Rule,
    /// What was agreed on before, where the rules say something else now.
    Lock,
    /// Nothing: no rule reads its name.
    Nothing,
}

/// What is known of a field of a root type.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The scope it requires.
    pub required: RequiredScope,
    /// Where that comes from.
    pub named_by: NamedBy,
    /// Castellan answers it itself.
    pub local: bool,
    /// Only a pattern that spells it out opens it.
    pub by_name_only: bool,
}

/// Why a guard cannot work with a schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The text is not a valid schema.
    #[error("the schema is not valid: {0}")]
    Invalid(String),
    /// The guard's naming cannot read a mutation, which must not run unchecked.
    #[error(
        "`naming` cannot derive a scope from the name of the mutation {0}; give it a scope in \
         [guard.overrides], or set naming = \"verbs\""
    )]
    Unreadable(String),
    /// An override or a directive names no field, or its value is not a valid required scope.
    #[error("{0}")]
    Override(String),
    /// The schema contains a rule that nothing enforces.
    #[error("{0}")]
    Unenforced(String),
    /// A line of the lock file is not a valid entry.
    #[error(
        "line {0} of the lock file is not `Root.field = \"Root:Type:Action\"`; correct it, or \
         remove it to have its field mapped again"
    )]
    Lock(usize),
    /// Two `session` or `createToken` fields, or none where the upstream should have one.
    #[error("{0}")]
    Session(&'static str),
    /// A field's required scope differs from the lock file.
    #[error(
        "{field} requires {now}, but the lock file says {locked}; if the new scope is intended, \
         remove the line from the lock file"
    )]
    Remapped {
        /// `Root.field`.
        field: String,
        /// What the rules say now.
        now: String,
        /// What was agreed before.
        locked: String,
    },
}

/// A schema, ready to decide by.
pub struct GuardSchema {
    /// What we validate callers' documents against: the upstream's with our own fields.
    pub(crate) composed: Valid<Schema>,
    /// What a document must be valid against before it is sent on.
    pub(crate) upstream: Valid<Schema>,
    pub(crate) implementers: HashMap<Name, Implementers>,
    entries: BTreeMap<Root, BTreeMap<String, Entry>>,
    roots: Vec<(Root, Name)>,
    /// Types from which a field of a root type can be reached, root types included.
    reach_roots: BTreeSet<Name>,
    hash: Digest,
}

fn each(
    entries: &BTreeMap<Root, BTreeMap<String, Entry>>,
) -> impl Iterator<Item = (Root, &str, &Entry)> {
    entries.iter().flat_map(|(root, fields)| {
        fields.iter().map(|(field, entry)| (*root, field.as_str(), entry))
    })
}

const DIRECTIVE: &str = "directive @castellan(scope: String!) on FIELD_DEFINITION";
/// Every schema has it (GraphQL specification of September 2025, §3.13.5), and not yet in the library.
const ONE_OF: &str = "directive @oneOf on INPUT_OBJECT";

impl GuardSchema {
    /// Reads `sdl` and determines the scope that every root field requires.
    ///
    /// # Errors
    /// [`SchemaError`] naming the field that cannot be used.
    pub fn build(sdl: &str, settings: &SchemaSettings) -> Result<Self, SchemaError> {
        Ok(Self::build_agreed(sdl, settings, &Lock::new())?.0)
    }

    /// The same where `agreed` was agreed on before, and where the two part.
    ///
    /// # Errors
    /// [`SchemaError`] naming the field that cannot be used; [`SchemaError::Remapped`] if an
    /// override or a directive contradicts the lock file.
    pub fn build_agreed(
        sdl: &str,
        settings: &SchemaSettings,
        agreed: &Lock,
    ) -> Result<(Self, Vec<Drift>), SchemaError> {
        let parse = |texts: &[&str]| parse(texts, &settings.source);
        let upstream = parse(&[sdl])?;
        let own_session = upstream
            .root_operation(OperationType::Query)
            .is_some_and(|query| upstream.type_field(query, "session").is_ok());
        let ours = match (settings.session, own_session) {
            (SessionField::Local, true) => {
                return Err(SchemaError::Session(
                    "the upstream has a `session` field of its own: set session = \"upstream\" or \
                     \"off\" for this guard",
                ));
            }
            (SessionField::Upstream, false) => {
                return Err(SchemaError::Session(
                    "session = \"upstream\", but the upstream has no `session` field",
                ));
            }
            (SessionField::Local, false) => session_sdl(&upstream),
            _ => String::new(),
        };
        let ours = if settings.create_token { ours + &token_sdl(&upstream)? } else { ours };
        let composed = if ours.is_empty() { upstream.clone() } else { parse(&[sdl, &ours])? };
        Self::assemble(sdl, composed, upstream, settings, agreed)
    }

    /// A schema of nothing but our own fields, for a guard without an upstream.
    ///
    /// # Errors
    /// [`SchemaError`] if an override names no field of it.
    pub fn local(settings: &SchemaSettings) -> Result<Self, SchemaError> {
        let mut sdl = format!("type Query {{ session: CastellanSession }} {SESSION_TYPES}");
        if settings.create_token {
            let _ = write!(sdl, "type Mutation {{ {CREATE_TOKEN} }} {TOKEN_TYPES}");
        }
        let schema = parse(&[&sdl], "session")?;
        let settings = SchemaSettings { session: SessionField::Local, ..settings.clone() };
        Ok(Self::assemble(&sdl, schema.clone(), schema, &settings, &Lock::new())?.0)
    }

    fn assemble(
        sdl: &str,
        composed: Valid<Schema>,
        upstream: Valid<Schema>,
        settings: &SchemaSettings,
        agreed: &Lock,
    ) -> Result<(Self, Vec<Drift>), SchemaError> {
        let roots: Vec<_> = Root::ALL
            .into_iter()
            .filter_map(|root| Some((root, composed.root_operation(root.operation())?.clone())))
            .collect();
        let names: Vec<_> = roots.iter().map(|(_, name)| name.as_str()).collect();
        directives::check(&composed, &names, settings)?;
        let mut drifts = Vec::new();
        let mut entries: BTreeMap<Root, BTreeMap<String, Entry>> = BTreeMap::new();
        for (root, name) in &roots {
            let Some(object) = composed.get_object(name) else { continue };
            for (field, definition) in &object.fields {
                let found = required_scope::entry(&composed, *root, definition, settings);
                let place = format!("{}.{field}", root.as_str());
                let mut entry = lock::agree(&place, found, agreed, &mut drifts)?;
                entry.local = match root {
                    Root::Query => field == "session" && settings.session == SessionField::Local,
                    Root::Mutation => field == "createToken" && settings.create_token,
                    Root::Subscription => false,
                };
                entries.entry(*root).or_default().insert(field.to_string(), entry);
            }
        }
        for place in settings.overrides.keys() {
            let known = place.split_once('.').is_some_and(|(root, field)| {
                entries.iter().any(|(r, fields)| r.as_str() == root && fields.contains_key(field))
            });
            if !known && agreed.contains_key(place) {
                drifts.push(Drift::Gone(place.clone()));
            } else if !known {
                return Err(SchemaError::Override(format!(
                    "the override {place:?} matches no field; write Mutation.fieldName"
                )));
            }
        }
        let implementers = composed.implementers_map();
        let reach_roots = reach::roots(&composed, &roots, &implementers);
        let table = each(&entries).fold(String::new(), |mut table, (root, field, entry)| {
            let _ = writeln!(table, "{}.{field} {}", root.as_str(), entry.required);
            table
        });
        let hash = Digest::of(format!("{table}\n{sdl}").as_bytes());
        let schema = Self { composed, upstream, implementers, entries, roots, reach_roots, hash };
        Ok((schema, drifts))
    }

    /// The schema that documents of callers are valid against.
    #[must_use]
    pub const fn definition(&self) -> &Valid<Schema> {
        &self.composed
    }

    /// What is known of `field` on `root`.
    #[must_use]
    pub fn entry(&self, root: Root, field: &str) -> Option<&Entry> {
        self.entries.get(&root)?.get(field)
    }

    /// Every root field, sorted.
    pub fn entries(&self) -> impl Iterator<Item = (Root, &str, &Entry)> {
        each(&self.entries)
    }

    /// What the schema says of `field` on `root`, in its own words.
    #[must_use]
    pub fn description(&self, root: Root, field: &str) -> Option<&str> {
        let (_, name) = self.roots.iter().find(|(known, _)| *known == root)?;
        self.composed.get_object(name)?.fields.get(field)?.description.as_deref()
    }

    /// What the schema says of the type `name`, in its own words.
    #[must_use]
    pub fn type_description(&self, name: &str) -> Option<&str> {
        self.composed.types.get(name)?.description().map(|text| &**text)
    }

    /// Changes whenever the schema or a required scope does.
    #[must_use]
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// Which root types an object of the type `name` may be: itself, or what implements it.
    pub(crate) fn roots_behind(&self, name: &str) -> impl Iterator<Item = Root> {
        self.roots
            .iter()
            .filter(move |(_, root)| root == name || self.composed.is_subtype(name, root))
            .map(|(root, _)| *root)
    }

    /// Whether `name` is a root type.
    pub(crate) fn is_root(&self, name: &Name) -> bool {
        self.roots.iter().any(|(_, root)| root == name)
    }

    /// Whether a field of a root type can be reached below the type `name`.
    pub(crate) fn reaches_roots(&self, name: &Name) -> bool {
        self.reach_roots.contains(name)
    }
}

const SESSION_TYPES: &str = r#"
"Who the caller is signed in as."
type CastellanSession {
  "The person or machine; null unless the caller may see it."
  user: CastellanUser
}
"A person or a machine that is signed in."
type CastellanUser { id: ID! name: String! nickname: String! }
"#;

fn session_sdl(schema: &Schema) -> String {
    let query = schema.root_operation(OperationType::Query).map_or("Query", |name| name.as_str());
    format!("extend type {query} {{ session: CastellanSession }} {SESSION_TYPES}")
}

const CREATE_TOKEN: &str = r#"
"A token for the person with this name and password."
createToken(username: String!, password: String!): CreatedTokenPayload
"#;
const TOKEN_TYPES: &str = r#"
"A token, or why there is none."
type CreatedTokenPayload { token: String message: String }
"#;

fn token_sdl(schema: &Schema) -> Result<String, SchemaError> {
    let Some(mutation) = schema.root_operation(OperationType::Mutation) else {
        // A schema that does not list its root types has those of the usual names.
        let is_listed = schema.schema_definition.location().is_some();
        let name = if is_listed { "CastellanMutation" } else { "Mutation" };
        let root = if is_listed { "extend schema { mutation: CastellanMutation }" } else { "" };
        return Ok(format!("type {name} {{ {CREATE_TOKEN} }} {root} {TOKEN_TYPES}"));
    };
    if schema.type_field(mutation, "createToken").is_ok() {
        return Err(SchemaError::Session(
            "the upstream has a `createToken` mutation of its own: set create_token = false for this \
             guard",
        ));
    }
    Ok(format!("extend type {mutation} {{ {CREATE_TOKEN} }} {TOKEN_TYPES}"))
}

fn parse(texts: &[&str], source: &str) -> Result<Valid<Schema>, SchemaError> {
    let source = if source.is_empty() { "schema" } else { source };
    let mut builder = Schema::builder().adopt_orphan_extensions();
    for (at, text) in texts.iter().enumerate() {
        builder = builder.parse(*text, if at == 0 { source } else { "castellan" });
    }
    let defines = |name| texts.iter().any(|text| defines_directive(text, name));
    if !defines("castellan") {
        builder = builder.parse(DIRECTIVE, "directives");
    }
    if texts.iter().any(|text| text.contains("@oneOf")) && !defines("oneOf") {
        builder = builder.parse(ONE_OF, "directives");
    }
    builder
        .build()
        .and_then(Schema::validate)
        .map_err(|failed| SchemaError::Invalid(failed.errors.to_string()))
}

/// Whether `text` has a definition of its own of the directive `name`.
fn defines_directive(text: &str, name: &str) -> bool {
    let document = match ast::Document::parse(text, "schema") {
        Ok(document) => document,
        // Errors of the schema are reported when all of it is built.
        Err(failed) => failed.partial,
    };
    document.definitions.iter().any(
        |one| matches!(one, Definition::DirectiveDefinition(directive) if directive.name == name),
    )
}
