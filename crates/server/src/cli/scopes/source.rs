//! Which schema is looked at: one that is named, or those that the guards have.

use std::path::Path;

use castellan_gate::{
    GuardSchema, Naming, SchemaSettings,
    rest::{Operation, RestLock, RestMap, read_openapi},
};

use super::{shape::Shape, table::Table};
use crate::{
    cli::Failure,
    config::{GuardConfig, Loaded},
    guards::{fetch_sdl, schema_text},
    roots::TrustedRoots,
    yaml,
};

/// Which schema, and how to read it.
#[derive(clap::Args)]
pub(in crate::cli) struct Source {
    /// SDL file, OpenAPI document (`.yaml`, `.yml` or `.json`), or URL of a GraphQL API with
    /// introspection. Default: the schema that the guard reads, or those of all guards with an
    /// upstream.
    #[arg(long, value_name = "FILE|URL")]
    schema: Option<String>,
    /// Read the schema as this guard does, with its naming, overrides and session field. `lint` then
    /// applies this guard's rules only, to the callers that it accepts (default: with `--schema`,
    /// the rules of all guards with an upstream; otherwise of each guard to its own schema).
    #[arg(long, value_name = "NAME")]
    guard: Option<String>,
    /// How scopes are derived from the names of mutations.
    #[arg(long, value_enum, default_value_t, conflicts_with = "guard", requires = "schema")]
    naming: NamingRule,
}

impl Source {
    /// Whether every guard is looked at, by its own schema.
    pub(super) const fn is_of_guards(&self) -> bool {
        self.schema.is_none() && self.guard.is_none()
    }

    /// What is looked at.
    pub(super) async fn subjects(&self, loaded: &Loaded) -> Result<Vec<Subject>, Failure> {
        let guard = find_guard(loaded, self)?;
        let one = match (&self.schema, guard) {
            (Some(place), guard) => {
                let surface = self.read(place, guard.as_ref(), &loaded.roots).await?;
                Subject { guard, place: shown(place), surface }
            }
            (None, Some(guard)) => Subject::of(loaded, guard).await?,
            (None, None) => {
                let mut all = Vec::new();
                for guard in guarding(loaded) {
                    all.push(Subject::of(loaded, guard).await?);
                }
                if all.is_empty() {
                    return Err("no guard with an upstream is configured; give --schema".into());
                }
                return Ok(all);
            }
        };
        Ok(vec![one])
    }

    /// The schema at `place`, read as the guard does, if one is named.
    async fn read(
        &self,
        place: &str,
        guard: Option<&GuardConfig>,
        roots: &TrustedRoots,
    ) -> Result<Surface, Failure> {
        let own =
            guard.filter(|guard| guard.is_http()).map(GuardConfig::rest_operations).transpose()?;
        if is_openapi(place) {
            return read_openapi_at(place, own.unwrap_or_default());
        }
        if own.is_some() {
            let text = "the guard guards no GraphQL API; name an OpenAPI document";
            return Err(format!("{place}: {text}").into());
        }
        Surface::build(&shown(place), &sdl_at(place, roots).await?, &settings(self, guard))
    }

    /// An older schema of `subject`.
    pub(super) async fn older(
        &self,
        place: &str,
        subject: &Subject,
        roots: &TrustedRoots,
    ) -> Result<Surface, Failure> {
        if is_openapi(place) {
            return read_openapi_at(place, Vec::new());
        }
        read_older(place, settings(self, subject.guard.as_ref()), roots).await
    }
}

/// A schema that is looked at.
pub(super) struct Subject {
    /// As which guard it is read.
    pub(super) guard: Option<GuardConfig>,
    /// What a reader of findings finds it by.
    pub(super) place: String,
    pub(super) surface: Surface,
}

impl Subject {
    /// What `guard` reads.
    async fn of(loaded: &Loaded, guard: GuardConfig) -> Result<Self, Failure> {
        let surface = of_guard(loaded, &guard).await?;
        let file = guard.schema.as_ref().or(guard.openapi.as_ref());
        let place = match (file, &guard.upstream) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(url)) => shown(url.as_str()),
            (None, None) => guard.name.clone(),
        };
        Ok(Self { guard: Some(guard), place, surface })
    }
}

/// The guards of the site that stand before an API.
pub(in crate::cli) fn guarding(loaded: &Loaded) -> Vec<GuardConfig> {
    let guards = loaded.guards(&loaded.site).into_iter();
    guards.filter(|guard| guard.upstream.is_some()).collect()
}

/// The schema that `guard` reads: its file, what its API shows, or what that showed last if it does not
/// answer. Nothing is written.
pub(in crate::cli) async fn of_guard(
    loaded: &Loaded,
    guard: &GuardConfig,
) -> Result<Surface, Failure> {
    let name = &guard.name;
    let text = schema_text(guard, &loaded.folder, &loaded.roots).await;
    let text = text.map_err(|problem| format!("guard {name}: {problem}"))?;
    let place = format!("guard {name}");
    match (guard.is_http(), text) {
        (true, Some(text)) => read_openapi_text(&place, &text, guard.rest_operations()?),
        (true, None) => {
            let map = RestMap::new(guard.rest_operations()?);
            let map = map.map_err(|problem| format!("{place}: {problem}"))?;
            Ok(Surface { schema: Table::of_map(&map), shape: Shape::read("") })
        }
        (false, Some(sdl)) => Surface::build(&place, &sdl, &of_settings(guard)),
        (false, None) => {
            let schema = GuardSchema::local(&of_settings(guard));
            let schema = schema.map_err(|problem| format!("{place}: {problem}"))?;
            Ok(Surface { schema: Table::of_schema(&schema), shape: Shape::read("") })
        }
    }
}

#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum NamingRule {
    /// Verb first (createPerson) or last (personCreate).
    #[default]
    Verbs,
    /// Strict: verb first, in upper camel case (`CreatePerson`).
    Trompa,
}

/// A schema as a guard reads it, and as it is written.
pub(in crate::cli) struct Surface {
    pub(in crate::cli) schema: Table,
    pub(super) shape: Shape,
}

/// The guard that is named, if one is.
fn find_guard(loaded: &Loaded, source: &Source) -> Result<Option<GuardConfig>, Failure> {
    let Some(name) = &source.guard else { return Ok(None) };
    let mut guards = loaded.guards(&loaded.site);
    let at = guards.iter().position(|guard| guard.name == *name).ok_or_else(|| {
        let known: Vec<_> = guards.iter().map(|guard| &*guard.name).collect();
        format!("guard {name:?} does not exist; configured guards: {}", known.join(", "))
    })?;
    Ok(Some(guards.swap_remove(at)))
}

/// How a schema is read: as the guard does, or as said.
fn settings(source: &Source, guard: Option<&GuardConfig>) -> SchemaSettings {
    let Some(guard) = guard else {
        let naming = match source.naming {
            NamingRule::Verbs => Naming::Verbs,
            NamingRule::Trompa => Naming::Trompa,
        };
        return SchemaSettings { naming, ..plain() };
    };
    of_settings(guard)
}

/// How `guard` reads a schema.
fn of_settings(guard: &GuardConfig) -> SchemaSettings {
    SchemaSettings {
        naming: guard.naming(),
        overrides: guard.overrides.clone(),
        session: guard.session_field(),
        create_token: guard.creates_tokens(),
        upstream_enforces: guard.upstream_enforces.clone(),
        ..SchemaSettings::default()
    }
}

/// How a schema is read that no guard stands before: what its service enforces is its own business.
fn plain() -> SchemaSettings {
    let upstream_enforces = vec![castellan_gate::ANY_DIRECTIVE.to_owned()];
    SchemaSettings { upstream_enforces, ..SchemaSettings::default() }
}

/// `place`, if it is no file.
pub(super) fn as_url(place: &str) -> Option<url::Url> {
    url::Url::parse(place).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// `place` as it is shown: of a URL, user, password and query may be secrets.
fn shown(place: &str) -> String {
    as_url(place).map_or_else(
        || place.to_owned(),
        |url| format!("{}{}", url.origin().ascii_serialization(), url.path()),
    )
}

async fn sdl_at(place: &str, roots: &TrustedRoots) -> Result<String, Failure> {
    Ok(match as_url(place) {
        Some(url) => fetch_sdl(&url, roots).await?,
        None => std::fs::read_to_string(Path::new(place))
            .map_err(|error| format!("{place}: {error}"))?,
    })
}

/// Whether `place` is a file that GraphQL schemas are not in.
fn is_openapi(place: &str) -> bool {
    let extension = Path::new(place).extension().and_then(|extension| extension.to_str());
    as_url(place).is_none() && extension.is_some_and(|one| matches!(one, "yaml" | "yml" | "json"))
}

fn read_openapi_at(place: &str, own: Vec<Operation>) -> Result<Surface, Failure> {
    let text = std::fs::read_to_string(place).map_err(|error| format!("{place}: {error}"))?;
    read_openapi_text(place, &text, own)
}

fn read_openapi_text(place: &str, text: &str, own: Vec<Operation>) -> Result<Surface, Failure> {
    let documents = yaml::read(text).map_err(|error| format!("{place}: {error}"))?;
    let [document] = &*documents else {
        return Err(format!("{place}: must be one document").into());
    };
    let read = read_openapi(document, own, &RestLock::new());
    let map = read.map_err(|error| format!("{place}: {error}"))?.map;
    Ok(Surface { schema: Table::of_map(&map), shape: Shape::read("") })
}

/// Reads a schema of which the guard may name fields that it did not have yet.
async fn read_older(
    place: &str,
    mut settings: SchemaSettings,
    roots: &TrustedRoots,
) -> Result<Surface, Failure> {
    let sdl = sdl_at(place, roots).await?;
    // This naming reads every field.
    let plain = SchemaSettings { session: settings.session, ..plain() };
    let place = shown(place);
    let plain = Surface::build(&place, &sdl, &plain)?;
    let fields = plain.schema.entries().map(|(root, field, _)| super::place_of(root, field));
    let fields: Vec<String> = fields.collect();
    settings.overrides.retain(|field, _| fields.contains(field));
    Surface::build(&place, &sdl, &settings)
}

impl Surface {
    pub(super) fn build(
        place: &str,
        sdl: &str,
        settings: &SchemaSettings,
    ) -> Result<Self, Failure> {
        let schema =
            GuardSchema::build(sdl, settings).map_err(|error| format!("{place}: {error}"))?;
        let schema = Table::of_schema(&schema);
        Ok(Self { schema, shape: Shape::read(sdl) })
    }
}
