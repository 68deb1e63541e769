//! One request's document with all that a decision may look at, and the decisions about it. The plan
//! of a request, the second look at what is left of one, and explaining ask here alike.

use std::collections::HashMap;

use apollo_compiler::{response::JsonMap, validation::Valid};
use castellan_proto::scope::RequiredScope;
use http::request::Parts;

use crate::{
    Caller, Document, DocumentError, GuardSchema, PolicyAnswer, PolicyRequest, PolicyTerm, Reason,
    Root, Rules, Variables, Verdict,
    decide::{ByScopes, by_scopes},
    document::{
        arguments::{self, Budget},
        below::{Below, Steps},
        selection::{Selected, Span},
    },
};

/// A document with the values of its variables, and the request that it came in.
pub struct Question<'a> {
    schema: &'a GuardSchema,
    document: &'a Document,
    variables: Valid<JsonMap>,
    parts: &'a Parts,
}

impl<'a> Question<'a> {
    /// The question that `document` is with `variables`, in a request with the head `parts`.
    ///
    /// # Errors
    /// [`DocumentError`] if the variables do not fit.
    pub fn new(
        schema: &'a GuardSchema,
        document: &'a Document,
        variables: &Variables,
        parts: &'a Parts,
    ) -> Result<Self, DocumentError> {
        let variables = document.coerce(schema, variables)?;
        Ok(Self { schema, document, variables, parts })
    }

    /// The same where the variables are coerced already.
    pub(crate) const fn of_coerced(
        schema: &'a GuardSchema,
        document: &'a Document,
        variables: Valid<JsonMap>,
        parts: &'a Parts,
    ) -> Self {
        Self { schema, document, variables, parts }
    }

    pub(crate) const fn document(&self) -> &'a Document {
        self.document
    }

    pub(crate) const fn schema(&self) -> &'a GuardSchema {
        self.schema
    }

    pub(crate) fn into_variables(self) -> Valid<JsonMap> {
        self.variables
    }
}

/// Decides the fields of one question for one caller, one after the other.
pub(crate) struct Judge<'a> {
    question: &'a Question<'a>,
    caller: &'a Caller,
    rules: &'a Rules,
    /// What policies were asked, once they were.
    asked: Option<Asked>,
}

/// What policies say about the fields of a question.
struct Asked {
    /// The group of each selection: fields that are decided together.
    groups: Vec<usize>,
    answers: HashMap<usize, PolicyAnswer>,
    budget: Budget,
    steps: Steps,
}

impl<'a> Judge<'a> {
    pub(crate) const fn new(
        question: &'a Question<'a>,
        caller: &'a Caller,
        rules: &'a Rules,
    ) -> Self {
        Self { question, caller, rules, asked: None }
    }

    /// The verdict on the selection at `at` of the document.
    ///
    /// # Errors
    /// [`DocumentError::TooLarge`] if policies have to be asked and it is more than they may be
    /// shown.
    pub(crate) fn decide(&mut self, at: usize) -> Result<Verdict, DocumentError> {
        let selected = &self.question.document.selected[at];
        let Some(ask) = selected.ask(self.question.schema) else {
            // Validation knows the field and the table does not: never run unchecked.
            return Ok(Verdict::Deny(Reason::TokenScope));
        };
        match by_scopes(ask, self.caller, self.rules) {
            ByScopes::Decided(verdict) => Ok(verdict),
            ByScopes::UpToPolicies { term: PolicyTerm::Unknown, .. } => {
                Ok(Verdict::Deny(Reason::Policy))
            }
            ByScopes::UpToPolicies { passed, term, required } => {
                let answer = self.answer(at, term, required)?;
                Ok(if answer.is_allowed { passed } else { Verdict::Deny(Reason::Policy) })
            }
        }
    }

    /// What policies said about the selection at `at`, if they were asked.
    pub(crate) fn answered(&self, at: usize) -> Option<&PolicyAnswer> {
        let asked = self.asked.as_ref()?;
        asked.answers.get(&asked.groups[at])
    }

    fn answer(
        &mut self,
        at: usize,
        term: &PolicyTerm,
        required: &RequiredScope,
    ) -> Result<&PolicyAnswer, DocumentError> {
        let question = self.question;
        let asked = self.asked.get_or_insert_with(|| Asked::about(&question.document.selected));
        let group = asked.groups[at];
        if !asked.answers.contains_key(&group) {
            let answer = match term {
                PolicyTerm::Unknown => PolicyAnswer::default(),
                PolicyTerm::Ask(policies) => {
                    let all = question.document.selected.iter().zip(&asked.groups);
                    let group: Vec<_> =
                        all.filter(|(_, of)| **of == group).map(|(one, _)| one).collect();
                    match question.facts(&group, &mut asked.budget, &mut asked.steps)? {
                        None => PolicyAnswer::default(),
                        Some((arguments, fields)) => policies.ask(&PolicyRequest {
                            parts: question.parts,
                            operation_type: group[0].root.as_str(),
                            field: &group[0].field,
                            required,
                            arguments: &arguments,
                            fields: &fields,
                        }),
                    }
                }
            };
            asked.answers.insert(group, answer);
        }
        Ok(&asked.answers[&group])
    }
}

type Facts = (serde_json::Map<String, serde_json::Value>, Vec<String>);

impl Question<'_> {
    /// The arguments of the fields of a group, and what is selected below any of them; `None` if
    /// their arguments differ, which validation lets no fields do that are merged.
    fn facts(
        &self,
        group: &[&Selected],
        budget: &mut Budget,
        steps: &mut Steps,
    ) -> Result<Option<Facts>, DocumentError> {
        let mut known = None;
        let mut below = Below::new(self.schema, &self.document.executable, steps);
        let mut seen = Vec::new();
        for one in group {
            // The same place may be reached by several ways.
            if seen.contains(&(one.root, one.place.span)) {
                continue;
            }
            seen.push((one.root, one.place.span));
            let schema = &self.schema.composed;
            let arguments = arguments::of(schema, one.root, &one.node, &self.variables, budget)?;
            if known.get_or_insert_with(|| arguments.clone()) != &arguments {
                return Ok(None);
            }
            below.add(&one.node.selection_set)?;
        }
        Ok(known.map(|arguments| (arguments, below.sorted())))
    }
}

impl Asked {
    /// Which selections are decided together: those that make one answer, as they have one response
    /// key, and those that stand in one place of the document, which is removed or stays.
    fn about(selected: &[Selected]) -> Self {
        let mut groups: Vec<usize> = (0..selected.len()).collect();
        let mut by_path: HashMap<(Root, &[String]), usize> = HashMap::new();
        let mut by_place: HashMap<(Root, Span), usize> = HashMap::new();
        for (at, one) in selected.iter().enumerate() {
            let path = *by_path.entry((one.root, &one.path)).or_insert(at);
            let place = *by_place.entry((one.root, one.place.span)).or_insert(at);
            for other in [path, place] {
                let (from, to) = (first(&groups, at), first(&groups, other));
                groups[from.max(to)] = from.min(to);
            }
        }
        for at in 0..groups.len() {
            groups[at] = first(&groups, at);
        }
        let (answers, budget, steps) = (HashMap::new(), Budget::default(), Steps::default());
        Self { groups, answers, budget, steps }
    }
}

/// The first selection of the group of `at`.
fn first(groups: &[usize], mut at: usize) -> usize {
    while groups[at] != at {
        at = groups[at];
    }
    at
}
