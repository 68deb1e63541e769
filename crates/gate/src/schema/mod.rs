//! The schema of a guard: what its fields demand, which are ours, where roots can be reached.

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

use crate::Naming;

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
    const ALL: [Self; 3] = [Self::Query, Self::Mutation, Self::Subscription];

    /// The first name of what its fields demand.
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

/// How the `session` field of `docs/contracts/decidim.md` §5.1 stands in a guard's schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionField {
    /// The upstream's own, if it has one; ours is not added.
    #[default]
    Off,
    /// Ours. An upstream that has one too refuses to start.
    Local,
    /// The upstream's own, which it must have.
    Upstream,
}

/// What a schema is built with.
#[derive(Clone, Debug, Default)]
pub struct SchemaSettings {
    /// How the names of mutations are read.
    pub naming: Naming,
    /// Demands that are set by hand, by `Root.field`.
    pub overrides: BTreeMap<String, RequiredScope>,
    /// How `session` stands.
    pub session: SessionField,
}

/// Where the demand of a field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The guard's settings.
    Override,
    /// `@castellan(scope: "…")` in the schema.
    Directive,
    /// The guard's naming rule, or the rule for queries.
    Rule,
}

/// What is known of a field of a root type.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it demands.
    pub demand: RequiredScope,
    /// Where that comes from.
    pub named_by: NamedBy,
    /// Castellan answers it.
    pub local: bool,
    /// Only a pattern that spells it out opens it.
    pub by_name_only: bool,
}

/// Why a guard cannot work with a schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The text is no valid schema.
    #[error("the schema is not valid: {0}")]
    Invalid(String),
    /// The guard's naming cannot read a mutation, which must not run unchecked.
    #[error(
        "the mutation {0} has no name that `naming` can read; give it one in [guard.overrides], \
         or set naming = \"verbs\""
    )]
    Unreadable(String),
    /// An override or a directive names no field, or is no demand.
    #[error("{0}")]
    Override(String),
    /// Two `session` fields, or none where the upstream should have one.
    #[error("{0}")]
    Session(&'static str),
    /// A field's demand is another than the lock file says.
    #[error(
        "{field} demands {now} where the lock file says {locked}; if that is meant, remove the \
         line from the lock file"
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

impl GuardSchema {
    /// Reads `sdl` and works out what every root field demands.
    ///
    /// # Errors
    /// [`SchemaError`] naming the field that stands in the way.
    pub fn build(sdl: &str, settings: &SchemaSettings) -> Result<Self, SchemaError> {
        let upstream = parse(&[sdl])?;
        let own_session = upstream
            .root_operation(OperationType::Query)
            .is_some_and(|query| upstream.type_field(query, "session").is_ok());
        let composed = match (settings.session, own_session) {
            (SessionField::Local, true) => {
                return Err(SchemaError::Session(
                    "the upstream has a `session` field of its own: say session = \"upstream\" or \
                     \"off\" for this guard",
                ));
            }
            (SessionField::Upstream, false) => {
                return Err(SchemaError::Session(
                    "session = \"upstream\", and the upstream has no `session` field",
                ));
            }
            (SessionField::Local, false) => parse(&[sdl, &session_sdl(&upstream)])?,
            _ => parse(&[sdl])?,
        };
        Self::assemble(sdl, composed, upstream, settings)
    }

    /// A schema of nothing but our own fields, for a guard without an upstream.
    ///
    /// # Errors
    /// [`SchemaError`] if an override names no field of it.
    pub fn local(settings: &SchemaSettings) -> Result<Self, SchemaError> {
        let sdl = format!("type Query {{ session: CastellanSession }} {SESSION_TYPES}");
        let schema = parse(&[&sdl])?;
        let settings = SchemaSettings { session: SessionField::Local, ..settings.clone() };
        Self::assemble(&sdl, schema.clone(), schema, &settings)
    }

    fn assemble(
        sdl: &str,
        composed: Valid<Schema>,
        upstream: Valid<Schema>,
        settings: &SchemaSettings,
    ) -> Result<Self, SchemaError> {
        let roots: Vec<_> = Root::ALL
            .into_iter()
            .filter_map(|root| Some((root, composed.root_operation(root.operation())?.clone())))
            .collect();
        let mut entries: BTreeMap<Root, BTreeMap<String, Entry>> = BTreeMap::new();
        for (root, name) in &roots {
            let Some(object) = composed.get_object(name) else { continue };
            for (field, definition) in &object.fields {
                let mut entry = required_scope::entry(&composed, *root, definition, settings)?;
                entry.local = *root == Root::Query
                    && field == "session"
                    && settings.session == SessionField::Local;
                entries.entry(*root).or_default().insert(field.to_string(), entry);
            }
        }
        for place in settings.overrides.keys() {
            let known = place.split_once('.').is_some_and(|(root, field)| {
                entries.iter().any(|(r, fields)| r.as_str() == root && fields.contains_key(field))
            });
            if !known {
                return Err(SchemaError::Override(format!(
                    "the override {place:?} names no field; write Mutation.fieldName"
                )));
            }
        }
        let implementers = composed.implementers_map();
        let reach_roots = reach::roots(&composed, &roots, &implementers);
        let table = each(&entries).fold(String::new(), |mut table, (root, field, entry)| {
            let _ = writeln!(table, "{}.{field} {}", root.as_str(), entry.demand);
            table
        });
        let hash = Digest::of(format!("{table}\n{sdl}").as_bytes());
        Ok(Self { composed, upstream, implementers, entries, roots, reach_roots, hash })
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

    /// The table of demands, to be kept beside the configuration.
    #[must_use]
    pub fn lock(&self) -> String {
        let mut out = String::from(
            "# What each root field demands. Castellan refuses to start if a line would change;\n\
             # new fields are added by themselves.\n",
        );
        for (root, field, entry) in self.entries() {
            let _ = writeln!(out, "{}.{field} = \"{}\"", root.as_str(), entry.demand);
        }
        out
    }

    /// Compares with a table made before.
    ///
    /// # Errors
    /// [`SchemaError::Remapped`] for the first field whose demand has changed.
    pub fn check_lock(&self, locked: &BTreeMap<String, String>) -> Result<(), SchemaError> {
        for (root, field, entry) in self.entries() {
            let place = format!("{}.{field}", root.as_str());
            match locked.get(&place) {
                Some(demand) if demand != entry.demand.as_str() => {
                    return Err(SchemaError::Remapped {
                        field: place,
                        now: entry.demand.to_string(),
                        locked: demand.clone(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Changes whenever the schema or one demand does.
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

    /// Whether a field of a root type can be reached below the type `name`.
    pub(crate) fn reaches_roots(&self, name: &Name) -> bool {
        self.reach_roots.contains(name)
    }
}

/// Reads the table that [`GuardSchema::lock`] writes. Lines that are no entry are skipped.
#[must_use]
pub fn parse_lock(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(field, demand)| {
            (field.trim().to_owned(), demand.trim().trim_matches('"').to_owned())
        })
        .collect()
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

fn parse(texts: &[&str]) -> Result<Valid<Schema>, SchemaError> {
    let mut builder = Schema::builder().adopt_orphan_extensions();
    for (at, text) in texts.iter().enumerate() {
        builder = builder.parse(*text, format!("schema {at}"));
    }
    if !texts.iter().any(|text| defines_directive(text)) {
        builder = builder.parse(DIRECTIVE, "directives");
    }
    builder
        .build()
        .and_then(Schema::validate)
        .map_err(|failed| SchemaError::Invalid(failed.errors.to_string()))
}

/// Whether `text` has a definition of `@castellan` of its own.
fn defines_directive(text: &str) -> bool {
    let document = match ast::Document::parse(text, "schema") {
        Ok(document) => document,
        // What is wrong with it is told when all of it is built.
        Err(failed) => failed.partial,
    };
    document.definitions.iter().any(|one| {
        matches!(one, Definition::DirectiveDefinition(directive) if directive.name == "castellan")
    })
}
