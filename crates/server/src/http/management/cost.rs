//! How much an operation may ask for.

use std::collections::BTreeMap;

use apollo_compiler::{
    ast,
    executable::{Field, Operation, Selection, SelectionSet},
    response::{JsonMap, JsonValue},
};
use castellan_gate::Document;

use super::error::Failure;

/// How much an operation may cost: each field counts once for each item of the lists around it that
/// have a `first`.
const MOST_COST: u64 = 250_000;
/// Items of a list whose `first` is not given.
const DEFAULT_FIRST: u64 = 50;

/// Refuses an operation that would answer too much.
pub(super) fn check(
    document: &Document,
    operation: &Operation,
    variables: &JsonMap,
    max_page: u32,
) -> Result<(), Failure> {
    let fragments = BTreeMap::new();
    let mut costs = Costs { document, variables, max_page: u64::from(max_page), fragments };
    if costs.of(&operation.selection_set) > MOST_COST {
        let text =
            format!("The operation asks for more than {MOST_COST} fields; ask for smaller pages.");
        return Err(Failure::validation(text));
    }
    Ok(())
}

struct Costs<'a> {
    document: &'a Document,
    variables: &'a JsonMap,
    max_page: u64,
    fragments: BTreeMap<String, u64>,
}

impl Costs<'_> {
    fn of(&mut self, set: &SelectionSet) -> u64 {
        let mut cost = 0_u64;
        for selection in &set.selections {
            cost = cost.saturating_add(match selection {
                Selection::Field(field) => {
                    let below = self.of(&field.selection_set);
                    below.saturating_mul(self.items(field)).saturating_add(1)
                }
                Selection::InlineFragment(inline) => self.of(&inline.selection_set),
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str()),
            });
        }
        cost
    }

    fn fragment(&mut self, name: &str) -> u64 {
        if let Some(cost) = self.fragments.get(name) {
            return *cost;
        }
        let fragments = &self.document.executable().fragments;
        let cost = fragments.get(name).map_or(0, |one| self.of(&one.selection_set));
        self.fragments.insert(name.to_owned(), cost);
        cost
    }

    /// How many items the list has at most that `field` answers.
    fn items(&self, field: &Field) -> u64 {
        if field.definition.argument_by_name("first").is_none() {
            return 1;
        }
        let given = field.specified_argument_by_name("first").and_then(|value| match &**value {
            ast::Value::Variable(name) => {
                self.variables.get(name.as_str()).and_then(JsonValue::as_u64)
            }
            value => value.to_i32().and_then(|first| u64::try_from(first).ok()),
        });
        given.unwrap_or(DEFAULT_FIRST).clamp(1, self.max_page)
    }
}
