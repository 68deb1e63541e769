//! Where the operations of a guard come from: an `OpenAPI` document, its own settings, or both.

use std::sync::Arc;

use castellan_gate::rest::{ReadOpenApi, RestLock, RestMap, parse_rest_lock, read_openapi};

use super::{
    Surface,
    schema_source::{Built, Files, Material, SchemaProblem, Text},
};
use crate::{config::GuardConfig, yaml};

impl Material {
    /// Makes the map of operations, and holds it against its lock file, to which new ones are added.
    pub(super) fn build_map(
        self,
        guard: &GuardConfig,
        files: Files,
    ) -> Result<Built, SchemaProblem> {
        let (made_from, own) = (self.digest(), guard.rest_operations()?);
        let agreed = match &self.lock {
            Some((_, text)) => parse_rest_lock(text)?,
            None => RestLock::new(),
        };
        let ReadOpenApi { map, drifts, notes } = match &self.text {
            Text::Owned(text) => read_openapi(&document(guard, text)?, own, &agreed)?,
            // Settings of one's own need no table to be held against.
            Text::Shown(_) | Text::Kept(..) | Text::Ours => {
                ReadOpenApi { map: RestMap::new(own)?, drifts: Vec::new(), notes: Vec::new() }
            }
        };
        // What is gone on with is written down before anybody is let through by it.
        let table = map.lock(&agreed);
        if let Some((path, text)) = &self.lock
            && parse_rest_lock(&table)? != agreed
        {
            files.put(path, text, &table)?;
        }
        let surface = Surface::Http(Arc::new(map));
        let (behind, incomplete) = (None, None);
        Ok(Built { surface, drifts, behind, incomplete, notes, made_from })
    }
}

fn document(guard: &GuardConfig, text: &str) -> Result<serde_json::Value, SchemaProblem> {
    let path = guard.openapi.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let wrong = |why: String| SchemaProblem::Document { path: path.clone(), why };
    let mut documents = yaml::read(text).map_err(|error| wrong(error.to_string()))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document),
        _ => Err(wrong("must be one document, in YAML or JSON".to_owned())),
    }
}
