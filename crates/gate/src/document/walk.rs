//! Finds the fields of root types in an operation, fragments spread, wherever they are.

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{Directive, Value},
    executable::{Field, Selection, SelectionSet},
};

use super::selection::{Condition, DocumentError, Holder, Place, Selected, Span, Switch};
use crate::{GuardSchema, Limits};

/// Steps at most, fragments spread: a bound on work and memory, far above what people write.
const MOST_STEPS: usize = 50_000;

/// What has been found so far.
pub(crate) struct Walk<'a> {
    schema: &'a GuardSchema,
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    steps: usize,
    /// Bytes of the paths of what was selected.
    path_bytes: usize,
    pub(crate) selected: Vec<Selected>,
    pub(crate) holders: Vec<Holder>,
}

impl<'a> Walk<'a> {
    /// Finds at most as many fields of root types as `limits` allow.
    pub(crate) const fn new(
        schema: &'a GuardSchema,
        document: &'a ExecutableDocument,
        limits: &'a Limits,
    ) -> Self {
        Self {
            schema,
            document,
            limits,
            steps: 0,
            path_bytes: 0,
            selected: Vec::new(),
            holders: Vec::new(),
        }
    }

    /// Visits `set`, to which `path` leads under `conditions`.
    pub(crate) fn set(
        &mut self,
        set: &SelectionSet,
        path: &mut Vec<String>,
        conditions: &mut Vec<Condition>,
    ) -> Result<(), DocumentError> {
        for selection in &set.selections {
            self.step(1)?;
            let before = conditions.len();
            conditions.extend(selection.directives().iter().filter_map(condition));
            match selection {
                Selection::Field(field) => self.field(set, field, path, conditions)?,
                Selection::InlineFragment(inline) => {
                    self.set(&inline.selection_set, path, conditions)?;
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = spread.fragment_def(self.document) {
                        self.set(&fragment.selection_set, path, conditions)?;
                    }
                }
            }
            conditions.truncate(before);
        }
        Ok(())
    }

    fn step(&mut self, steps: usize) -> Result<(), DocumentError> {
        self.steps += steps;
        if self.steps > MOST_STEPS {
            let message = "The operation selects too many fields when its fragments are expanded.";
            return Err(DocumentError::TooLarge(message.to_owned()));
        }
        Ok(())
    }

    fn field(
        &mut self,
        set: &SelectionSet,
        field: &Node<Field>,
        path: &mut Vec<String>,
        conditions: &mut Vec<Condition>,
    ) -> Result<(), DocumentError> {
        path.push(field.response_key().to_string());
        let reaches_roots = self.schema.reaches_roots(field.ty().inner_named_type());
        // Both are written down for each field: long paths and long names cost more.
        let long: usize = path.iter().map(|key| 1 + key.len() / 32).sum();
        self.step(long + conditions.len())?;
        let place = self.place(field, conditions);
        let typename_below = field.name == "__typename" && path.len() > 1;
        if !typename_below {
            for root in self.schema.roots_behind(&set.ty) {
                self.path_bytes += path.iter().map(String::len).sum::<usize>();
                self.selected.push(Selected {
                    root,
                    field: field.name.to_string(),
                    path: path.clone(),
                    place: place.clone(),
                    node: field.clone(),
                });
            }
        }
        if self.path_bytes > self.limits.path_bytes {
            let most = self.limits.path_bytes;
            return Err(DocumentError::TooLarge(format!(
                "The response keys that lead to fields of root types have more than {most} bytes."
            )));
        }
        if self.selected.len() > self.limits.root_fields {
            let most = self.limits.root_fields;
            return Err(DocumentError::TooLarge(format!(
                "The operation selects more than {most} fields of root types."
            )));
        }
        if reaches_roots {
            self.holders.push(Holder { path: path.clone(), place });
            self.set(&field.selection_set, path, conditions)?;
        }
        path.pop();
        Ok(())
    }

    fn place(&self, field: &Node<Field>, conditions: &[Condition]) -> Place {
        let location = field.location();
        let span = location.map_or(Span { start: 0, end: 0 }, |at| Span {
            start: at.offset(),
            end: at.end_offset(),
        });
        let at = location.and_then(|at| at.line_column(&self.document.sources));
        Place {
            span,
            line: at.map_or(0, |at| at.line),
            column: at.map_or(0, |at| at.column),
            nullable: !field.ty().is_non_null(),
            conditions: conditions.to_vec(),
        }
    }
}

fn condition(directive: &Node<Directive>) -> Option<Condition> {
    let runs_if = match directive.name.as_str() {
        "include" => true,
        "skip" => false,
        _ => return None,
    };
    let value = match &**directive.specified_argument_by_name("if")? {
        Value::Boolean(value) => Switch::Constant(*value),
        Value::Variable(name) => Switch::Variable(name.clone()),
        _ => return None,
    };
    Some(Condition { runs_if, value })
}
