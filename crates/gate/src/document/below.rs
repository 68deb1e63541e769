//! What is selected below a field, by schema coordinates, for policies.

use std::collections::BTreeSet;

use apollo_compiler::{
    ExecutableDocument, Name,
    executable::{Selection, SelectionSet},
    schema::ExtendedType,
};

use super::selection::DocumentError;
use crate::GuardSchema;

/// Steps at most for one request, as [`super::walk`] has them.
const MOST_STEPS: usize = 50_000;
/// Coordinates below one field at most.
const MOST_COORDINATES: usize = 2_000;

/// What is left of [`MOST_STEPS`].
pub(crate) struct Steps(usize);

impl Default for Steps {
    fn default() -> Self {
        Self(MOST_STEPS)
    }
}

/// The fields that are selected below a field.
pub(crate) struct Below<'a> {
    schema: &'a GuardSchema,
    document: &'a ExecutableDocument,
    steps: &'a mut Steps,
    coordinates: BTreeSet<(Name, Name)>,
}

impl<'a> Below<'a> {
    pub(crate) const fn new(
        schema: &'a GuardSchema,
        document: &'a ExecutableDocument,
        steps: &'a mut Steps,
    ) -> Self {
        Self { schema, document, steps, coordinates: BTreeSet::new() }
    }

    /// Adds what `set` selects, whether it would run or not.
    ///
    /// # Errors
    /// [`DocumentError::TooLarge`] if that is more than policies may be shown.
    pub(crate) fn add(&mut self, set: &SelectionSet) -> Result<(), DocumentError> {
        for selection in &set.selections {
            self.step()?;
            match selection {
                // Names of types and the schema itself are decided by other rules.
                Selection::Field(field) if field.name.starts_with("__") => {}
                Selection::Field(field) => {
                    self.note(&set.ty, &field.name)?;
                    self.add(&field.selection_set)?;
                }
                Selection::InlineFragment(inline) => self.add(&inline.selection_set)?,
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = spread.fragment_def(self.document) {
                        self.add(&fragment.selection_set)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the field of `of`, and of every object that one of that type may be.
    fn note(&mut self, of: &Name, field: &Name) -> Result<(), DocumentError> {
        self.coordinates.insert((of.clone(), field.clone()));
        let schema = self.schema;
        if let Some(ExtendedType::Interface(_)) = schema.composed.types.get(of) {
            for object in schema.implementers.get(of).into_iter().flat_map(|all| &all.objects) {
                self.step()?;
                self.coordinates.insert((object.clone(), field.clone()));
            }
        }
        if self.coordinates.len() > MOST_COORDINATES {
            return Err(DocumentError::TooLarge(format!(
                "More than {MOST_COORDINATES} different fields are selected below one field, which \
                 is more than policies may be shown."
            )));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), DocumentError> {
        let left = self.steps.0.checked_sub(1);
        self.steps.0 = left.ok_or_else(|| {
            let message = "The operation selects more fields than policies may be shown.";
            DocumentError::TooLarge(message.to_owned())
        })?;
        Ok(())
    }

    /// All of them as `Type.field`, sorted.
    pub(crate) fn sorted(self) -> Vec<String> {
        let mut all: Vec<String> =
            self.coordinates.iter().map(|(of, field)| format!("{of}.{field}")).collect();
        all.sort_unstable();
        all
    }
}
