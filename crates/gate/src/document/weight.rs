//! What a document takes in memory once it has been read: many times its text.
//!
//! The figures are measured (`tests/memory.rs`): what the parser makes of each kind of thing, with
//! the allocator's share, rounded up.

use apollo_compiler::Node;
use apollo_compiler::{
    ExecutableDocument,
    ast::{Argument, DirectiveList, Value},
    executable::{Selection, SelectionSet},
};

use super::selection::{Holder, Selected};

/// A document of nothing, in a cache.
const DOCUMENT: usize = 2_048;
/// Per byte of the text: the text itself, the parser's copy, and the index of lines.
const TEXT: usize = 6;
/// Each line in the index of lines.
const LINE: usize = 64;
/// An operation, a fragment, or a variable that is declared.
const DEFINITION: usize = 512;
/// A field, a spread or an inline fragment.
const SELECTION: usize = 336;
/// A directive, an argument or a member of an object.
const PART: usize = 160;
/// A value within another one, or by itself.
const VALUE: usize = 96;
/// A key on the way to a field that is written down, beside its text.
const KEY: usize = 40;
/// A field that is written down, beside the way to it.
const PLACE: usize = 256;

/// Bytes that `document`, which was read from `text`, takes in memory, and what was found in it.
pub(crate) fn of(
    document: &ExecutableDocument,
    text: &str,
    selected: &[Selected],
    holders: &[Holder],
) -> usize {
    let lines = text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let mut bytes = DOCUMENT + text.len() * TEXT + lines * LINE;
    for operation in document.operations.iter() {
        bytes += DEFINITION + directives(&operation.directives) + set(&operation.selection_set);
        for variable in &operation.variables {
            let default = variable.default_value.as_deref().map_or(0, value);
            bytes += DEFINITION + directives(&variable.directives) + default;
        }
    }
    for fragment in document.fragments.values() {
        bytes += DEFINITION + directives(&fragment.directives) + set(&fragment.selection_set);
    }
    let way = |path: &[String]| path.iter().map(|key| KEY + key.len()).sum::<usize>();
    bytes += selected.iter().map(|one| PLACE + way(&one.path)).sum::<usize>();
    bytes + holders.iter().map(|one| PLACE + way(&one.path)).sum::<usize>()
}

fn set(set: &SelectionSet) -> usize {
    let selections = set.selections.iter();
    selections
        .map(|selection| {
            SELECTION
                + directives(selection.directives())
                + match selection {
                    Selection::Field(field) => {
                        arguments(&field.arguments) + self::set(&field.selection_set)
                    }
                    Selection::InlineFragment(inline) => self::set(&inline.selection_set),
                    Selection::FragmentSpread(_) => 0,
                }
        })
        .sum()
}

fn directives(list: &DirectiveList) -> usize {
    list.iter().map(|one| PART + arguments(&one.arguments)).sum()
}

fn arguments(list: &[Node<Argument>]) -> usize {
    list.iter().map(|one| PART + value(&one.value)).sum()
}

fn value(one: &Value) -> usize {
    VALUE
        + match one {
            Value::List(items) => items.iter().map(|item| value(item)).sum(),
            Value::Object(members) => members.iter().map(|(_, item)| PART + value(item)).sum(),
            _ => 0,
        }
}
