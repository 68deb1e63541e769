//! Whether each field of an input object is given once (GraphQL specification §5.6.3): of two,
//! policies might see one and the API behind the gate read the other.

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{DirectiveList, Value},
    executable::{Selection, SelectionSet},
    response::GraphQLError,
};

use super::selection::DocumentError;

/// Refuses `document` if a field is given twice in one literal, wherever that stands.
pub(super) fn check(document: &ExecutableDocument) -> Result<(), DocumentError> {
    let twice = document
        .operations
        .iter()
        .find_map(|operation| {
            let variables = operation.variables.iter();
            in_directives(&operation.directives)
                .or_else(|| {
                    variables.into_iter().find_map(|variable| {
                        variable
                            .default_value
                            .as_ref()
                            .and_then(in_value)
                            .or_else(|| in_directives(&variable.directives))
                    })
                })
                .or_else(|| in_set(&operation.selection_set))
        })
        .or_else(|| {
            document.fragments.values().find_map(|fragment| {
                in_directives(&fragment.directives).or_else(|| in_set(&fragment.selection_set))
            })
        });
    let Some(value) = twice else { return Ok(()) };
    let message = "A field of an input object is given twice.".to_owned();
    let error = GraphQLError::new(message, value.location(), &document.sources);
    Err(DocumentError::Invalid(vec![error]))
}

fn in_set(set: &SelectionSet) -> Option<&Node<Value>> {
    set.selections.iter().find_map(|selection| {
        in_directives(selection.directives()).or_else(|| match selection {
            Selection::Field(field) => {
                let mut arguments = field.arguments.iter();
                arguments
                    .find_map(|argument| in_value(&argument.value))
                    .or_else(|| in_set(&field.selection_set))
            }
            Selection::InlineFragment(inline) => in_set(&inline.selection_set),
            // Fragments are looked at by themselves.
            Selection::FragmentSpread(_) => None,
        })
    })
}

fn in_directives(directives: &DirectiveList) -> Option<&Node<Value>> {
    let mut arguments = directives.iter().flat_map(|directive| &directive.arguments);
    arguments.find_map(|argument| in_value(&argument.value))
}

/// The second value of one name in `value`.
fn in_value(value: &Node<Value>) -> Option<&Node<Value>> {
    match &**value {
        Value::List(items) => items.iter().find_map(in_value),
        Value::Object(members) => {
            let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            let second = twice.and_then(|twice| {
                members.iter().rev().find(|(name, _)| name == twice).map(|(_, value)| value)
            });
            second.or_else(|| members.iter().find_map(|(_, value)| in_value(value)))
        }
        _ => None,
    }
}
