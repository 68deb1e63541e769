//! Removes from a document what may not be forwarded: by blanking, not by printing, so that every
//! byte that remains is the caller's own and keeps its place (`docs/rules.md` rule 12).

use std::collections::BTreeSet;

use apollo_compiler::{
    Name,
    executable::{Selection, SelectionSet},
};

use super::{Document, selection::Span, variables_in, variables_of};

/// What is left of a document.
pub(crate) struct Pruned {
    /// The text; blank if nothing is left.
    pub(crate) text: String,
    /// Whether anything is left to be sent on.
    pub(crate) empty: bool,
    /// Variables that the operation still declares.
    pub(crate) variables: Vec<String>,
    /// Fields that were not to be taken out and of which nothing would have been left.
    pub(crate) empty_parents: Vec<Span>,
}

impl Pruned {
    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let variables = self.variables.iter().map(|name| 48 + name.len()).sum::<usize>();
        256 + self.text.len() + variables + size_of_val(&*self.empty_parents)
    }
}

/// What is left of `document` without the selections that begin at the byte offsets `denied`.
///
/// `None` if nothing is left.
#[must_use]
pub fn prune(document: &Document, denied: &BTreeSet<usize>) -> Option<String> {
    let spans = document.selected.iter().map(|one| one.place.span);
    let pruned = blank(document, &spans.filter(|span| denied.contains(&span.start)).collect());
    (!pruned.empty).then_some(pruned.text)
}

/// Blanks `removed`, everything that is empty or unused without it, and every other operation.
pub(crate) fn blank(document: &Document, removed: &BTreeSet<Span>) -> Pruned {
    let Some(operation) = document.operation() else {
        let text = String::new();
        return Pruned { text, empty: true, variables: Vec::new(), empty_parents: Vec::new() };
    };
    let mut removal = Removal::new(document, removed);
    removal.settle(&operation.selection_set);
    let empty = removal.all_gone(&operation.selection_set);
    let mut kept = Kept::default();
    variables_of(&operation.directives, &mut kept.variables);
    for definition in &operation.variables {
        variables_of(&definition.directives, &mut kept.variables);
    }
    kept.collect(&operation.selection_set, &removal);

    let mut blanks: Vec<Span> = removal.fields.iter().copied().collect();
    removal.fragment_blanks(&operation.selection_set, &mut blanks);
    for (name, fragment) in &document.executable.fragments {
        if kept.fragments.contains(name) {
            removal.fragment_blanks(&fragment.selection_set, &mut blanks);
        } else {
            blanks.extend(span_of(fragment.location()));
        }
    }
    for other in document.executable.operations.iter() {
        if other.name != operation.name {
            blanks.extend(span_of(other.location()));
        }
    }
    let used = |name: &Name| kept.variables.contains(name);
    let (mut variables, mut unused) = (Vec::new(), Vec::new());
    for definition in &operation.variables {
        if used(&definition.name) {
            variables.push(definition.name.to_string());
        } else {
            unused.extend(span_of(definition.location()));
        }
    }
    if variables.is_empty()
        && let (Some(last), Some(start)) = (unused.last(), span_of(operation.location()))
    {
        unused.extend(parentheses(&document.text, start.start, last.end));
    }
    blanks.extend(unused);
    let empty_parents = removal.fields.difference(removed).copied().collect();
    Pruned { text: overwrite(&document.text, &blanks), empty, variables, empty_parents }
}

pub(super) fn span_of(location: Option<apollo_compiler::parser::SourceSpan>) -> Option<Span> {
    location.map(|at| Span { start: at.offset(), end: at.end_offset() })
}

/// Which selections are removed, computed as a fixpoint: a field, fragment or spread is removed if
/// everything it would select is removed.
struct Removal<'a> {
    document: &'a Document,
    fields: BTreeSet<Span>,
    fragments: BTreeSet<Name>,
}

impl<'a> Removal<'a> {
    fn new(document: &'a Document, removed: &BTreeSet<Span>) -> Self {
        Self { document, fields: removed.clone(), fragments: BTreeSet::new() }
    }

    fn settle(&mut self, operation: &SelectionSet) {
        loop {
            let before = (self.fields.len(), self.fragments.len());
            self.mark(operation);
            for (name, fragment) in &self.document.executable.fragments {
                self.mark(&fragment.selection_set);
                if self.all_gone(&fragment.selection_set) {
                    self.fragments.insert(name.clone());
                }
            }
            if before == (self.fields.len(), self.fragments.len()) {
                return;
            }
        }
    }

    fn mark(&mut self, set: &SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.mark(&field.selection_set);
                    if !field.selection_set.is_empty() && self.all_gone(&field.selection_set) {
                        self.fields.extend(span_of(field.location()));
                    }
                }
                Selection::InlineFragment(inline) => self.mark(&inline.selection_set),
                Selection::FragmentSpread(_) => {}
            }
        }
    }

    fn is_gone(&self, selection: &Selection) -> bool {
        match selection {
            Selection::Field(field) => {
                span_of(field.location()).is_some_and(|span| self.fields.contains(&span))
            }
            Selection::InlineFragment(inline) => self.all_gone(&inline.selection_set),
            Selection::FragmentSpread(spread) => self.fragments.contains(&spread.fragment_name),
        }
    }

    fn all_gone(&self, set: &SelectionSet) -> bool {
        set.selections.iter().all(|selection| self.is_gone(selection))
    }

    /// The removed inline fragments and spreads of `set`.
    fn fragment_blanks(&self, set: &SelectionSet, into: &mut Vec<Span>) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => self.fragment_blanks(&field.selection_set, into),
                Selection::InlineFragment(inline) if self.is_gone(selection) => {
                    into.extend(span_of(inline.location()));
                }
                Selection::InlineFragment(inline) => {
                    self.fragment_blanks(&inline.selection_set, into);
                }
                Selection::FragmentSpread(spread) if self.is_gone(selection) => {
                    into.extend(span_of(spread.location()));
                }
                Selection::FragmentSpread(_) => {}
            }
        }
    }
}

/// What the rest of the operation still uses.
#[derive(Default)]
struct Kept {
    variables: Vec<Name>,
    fragments: BTreeSet<Name>,
}

impl Kept {
    fn collect(&mut self, set: &SelectionSet, removal: &Removal<'_>) {
        for selection in set.selections.iter().filter(|one| !removal.is_gone(one)) {
            variables_of(selection.directives(), &mut self.variables);
            match selection {
                Selection::Field(field) => {
                    for argument in &field.arguments {
                        variables_in(&argument.value, &mut self.variables);
                    }
                    self.collect(&field.selection_set, removal);
                }
                Selection::InlineFragment(inline) => self.collect(&inline.selection_set, removal),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.fragment_name;
                    let document = &removal.document.executable;
                    if let Some(fragment) = document.fragments.get(name)
                        && self.fragments.insert(name.clone())
                    {
                        variables_of(&fragment.directives, &mut self.variables);
                        self.collect(&fragment.selection_set, removal);
                    }
                }
            }
        }
    }
}

/// The parentheses around variable definitions that are all removed: the first one after the
/// operation's keyword and name, and the first one after the last definition.
fn parentheses(text: &str, start: usize, last: usize) -> Vec<Span> {
    let skip_name = |at: usize| {
        let rest = &text[at..];
        at + rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
    };
    let after_keyword = skip_trivia(text, skip_name(start));
    let open = skip_trivia(text, skip_name(after_keyword));
    let close = skip_trivia(text, last);
    [(open, '('), (close, ')')]
        .into_iter()
        .filter(|(at, bracket)| text[*at..].starts_with(*bracket))
        .map(|(at, _)| Span { start: at, end: at + 1 })
        .collect()
}

/// The next byte that means something: not white space, a comma, a byte order mark or a comment.
fn skip_trivia(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let blank = rest
            .find(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n' | ',' | '\u{feff}'))
            .unwrap_or(rest.len());
        at += blank;
        if !text[at..].starts_with('#') {
            return at;
        }
        let comment = &text[at..];
        at += comment.find(['\r', '\n']).unwrap_or(comment.len());
    }
}

/// `text` with a space for each character of `blanks`; line ends stay, so positions do too.
fn overwrite(text: &str, blanks: &[Span]) -> String {
    let mut blanks = blanks.to_vec();
    blanks.sort_unstable();
    let mut next = blanks.iter().peekable();
    let mut until = 0;
    text.char_indices()
        .map(|(at, c)| {
            while let Some(span) = next.next_if(|span| span.start <= at) {
                until = until.max(span.end);
            }
            if at < until && !matches!(c, '\r' | '\n') { ' ' } else { c }
        })
        .collect()
}
