//! What is to be done with one request: its document, and a verdict for each selection.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use apollo_compiler::{
    response::{GraphQLError, JsonMap},
    validation::Valid,
};
use castellan_proto::{Digest, scope::RequiredScope};
use http::{StatusCode, request::Parts};
use serde_json::json;

use crate::{
    Caller, DecisionId, Denial, DeniedField, Document, DocumentError, Envelope, PolicySaid,
    Question, Reason, Root, Verdict,
    context::{DocumentName, Shared},
    decide::Want,
    denial::shorten,
    document::{
        introspection_cost,
        selection::{Holder, Place, Selected, Span},
    },
    question::Judge,
    request::RequestForm,
    response::RequestRefusal,
};

/// One request and the decisions about it.
pub(crate) struct Plan {
    pub(crate) document: Arc<Document>,
    pub(crate) variables: Valid<JsonMap>,
    verdicts: Vec<Verdict>,
    /// What policies said of selections that they deny, by the place of each among all.
    said: BTreeMap<usize, Vec<PolicySaid>>,
}

impl Plan {
    /// Parses the document, or finds it in the cache, and decides each selection for `caller`. A
    /// request of a `csrf_unsafe` form must not be a mutation.
    pub(crate) fn make(
        shared: &Shared,
        csrf_unsafe: Option<RequestForm>,
        envelope: &Envelope,
        caller: &Caller,
        parts: &Parts,
    ) -> Result<Self, RequestRefusal> {
        let document = read(shared, envelope)?;
        match (document.root(), csrf_unsafe) {
            (Root::Mutation, Some(RequestForm::Get)) => {
                let message = "A mutation cannot be sent by GET.";
                let status = StatusCode::METHOD_NOT_ALLOWED;
                return Err(RequestRefusal::new(status, message, "MUTATION_OVER_GET"));
            }
            (Root::Mutation, Some(_)) => {
                let message = "A mutation in a form needs an Authorization header; otherwise send \
                               it as application/json.";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(RequestRefusal::new(status, message, "MUTATION_IN_FORM"));
            }
            (Root::Subscription, _) => {
                let message = "Subscriptions over plain HTTP are not supported.";
                return Err(refuse(message, "SUBSCRIPTION_REFUSED"));
            }
            _ => {}
        }
        let schema = &*shared.schema;
        let nested_local = document.selected().iter().find(|one| {
            one.path.len() > 1
                && schema.entry(one.root, &one.field).is_some_and(|entry| entry.local)
        });
        if let Some(nested) = nested_local {
            let message =
                format!("`{}` is answered at the root of an operation only.", nested.field);
            return Err(refuse(&message, "LOCAL_FIELD_NESTED"));
        }
        let question = Question::new(schema, &document, &envelope.variables, parts);
        let question = question.map_err(refuse_document)?;
        let mut judge = Judge::new(&question, caller, &shared.rules);
        let verdicts = (0..document.selected().len()).map(|at| judge.decide(at));
        let verdicts: Vec<Verdict> = verdicts.collect::<Result<_, _>>().map_err(refuse_document)?;
        let said = verdicts.iter().enumerate().filter_map(|(at, verdict)| match verdict {
            Verdict::Deny(Reason::Policy) => Some((at, judge.answered(at)?.said.clone())),
            _ => None,
        });
        let said = said.collect();
        introspection_cost::check_cost(&document).map_err(refuse_document)?;
        let variables = question.into_variables();
        Ok(Self { document, variables, verdicts, said })
    }

    /// Selections with their verdicts.
    pub(crate) fn decided(&self) -> impl Iterator<Item = (&Selected, Verdict)> {
        self.document.selected().iter().zip(self.verdicts.iter().copied())
    }

    /// Whether anything is denied, whether it would run or not.
    pub(crate) fn denies(&self) -> bool {
        self.verdicts.iter().any(|verdict| matches!(verdict, Verdict::Deny(_)))
    }

    /// Whether there is anything for the upstream to do.
    pub(crate) fn asks_upstream(&self) -> bool {
        self.verdicts.contains(&Verdict::Allow)
    }

    /// Whether any field is answered locally.
    pub(crate) fn answers_itself(&self) -> bool {
        self.verdicts.contains(&Verdict::Local)
    }

    /// Denied selections that would run, one for each path and none below another.
    pub(crate) fn denied(&self) -> Vec<(&Selected, Reason)> {
        self.denied_at().map(|(_, selected, reason)| (selected, reason)).collect()
    }

    /// The same, each with its place among all selections.
    fn denied_at(&self) -> impl Iterator<Item = (usize, &Selected, Reason)> {
        let mut seen: BTreeSet<&[String]> = BTreeSet::new();
        self.decided()
            .enumerate()
            .filter_map(|(at, (selected, verdict))| match verdict {
                Verdict::Deny(reason) => Some((at, selected, reason)),
                _ => None,
            })
            .filter(|(_, selected, _)| selected.place.runs(&self.variables))
            // A selection comes after those that it lies in.
            .filter(move |(_, selected, _)| {
                let path = &*selected.path;
                let within = (1..path.len()).any(|length| seen.contains(&path[..length]));
                !within && seen.insert(path)
            })
    }

    /// Where the null of a field at `path` propagates to: the field itself, or the nearest nullable
    /// field around it (GraphQL specification §6.4.4); `None` if there is none.
    pub(crate) fn null_for(&self, path: &[String], place: &Place) -> Option<Vec<String>> {
        if place.nullable {
            return Some(path.to_vec());
        }
        (1..path.len()).rev().map(|length| &path[..length]).find_map(|around| {
            let nullable = |holder: &&Holder| holder.path == around && holder.place.nullable;
            self.document.holders.iter().find(nullable).map(|holder| holder.path.clone())
        })
    }

    /// What is not forwarded: every denied field, whether it would run or not, and every local one.
    ///
    /// A `__typename` in a named fragment stays: the fragment may be spread where only the upstream
    /// can answer it, and it says nothing that is not in the schema.
    pub(crate) fn removed(&self) -> BTreeSet<Span> {
        let stays =
            |one: &Selected| one.field == "__typename" && self.document.in_fragment(one.place.span);
        self.decided()
            .filter(|(selected, verdict)| *verdict != Verdict::Allow && !stays(selected))
            .map(|(selected, _)| selected.place.span)
            .collect()
    }

    /// Reports the denied fields to the recorder, if there are any.
    pub(crate) fn record(&self, shared: &Shared, id: &DecisionId, caller: &Caller) {
        let mut denied = self.denied_at().peekable();
        let Some(recorder) = shared.recorder.as_ref().filter(|_| denied.peek().is_some()) else {
            return;
        };
        let fields = denied.map(|(at, selected, reason)| DeniedField {
            path: selected.path.join("."),
            field: format!("{}.{}", selected.root.as_str(), selected.field),
            required: shared
                .schema
                .entry(selected.root, &selected.field)
                .map(|entry| entry.required.clone()),
            reason,
            policies: self.said.get(&at).cloned().unwrap_or_default(),
        });
        let denial = Denial {
            id: id.as_str().to_owned(),
            operation: self.document.root().as_str().to_owned(),
            caller: caller.into(),
            document: Digest::of(self.document.text.as_bytes()).text(),
            rules: shared.schema.hash().text(),
            fields: fields.collect(),
            unknown: None,
            omitted: 0,
        };
        recorder.denied(denial.bounded());
    }
}

impl Plan {
    /// Reports to the recorder which required scopes the scopes of a known caller covered.
    pub(crate) fn record_use(&self, shared: &Shared, caller: &Caller) {
        let (Some(recorder), Some(identity)) = (&shared.recorder, caller.identity()) else {
            return;
        };
        let mut required_scopes: Vec<&RequiredScope> = self
            .decided()
            .filter(|(_, verdict)| !matches!(verdict, Verdict::Deny(_)))
            .filter(|(selected, _)| selected.place.runs(&self.variables))
            .filter(|(selected, _)| !selected.is_create_token(&shared.schema))
            .filter_map(|(selected, _)| shared.schema.entry(selected.root, &selected.field))
            .filter(|entry| {
                let want = Want { required: &entry.required, by_name_only: entry.by_name_only };
                !shared.rules.is_public(want, caller)
            })
            .map(|entry| &entry.required)
            .collect();
        // A scope that several fields of one document require is counted once.
        required_scopes.sort_unstable();
        required_scopes.dedup();
        if !required_scopes.is_empty() {
            recorder.used(identity, &mut required_scopes.into_iter());
        }
    }
}

/// The document of `envelope`, from the cache if it was read before.
fn read(shared: &Shared, envelope: &Envelope) -> Result<Arc<Document>, RequestRefusal> {
    let name = envelope.operation_name.as_deref();
    let asked = DocumentName { name, text: &envelope.query };
    if let Some(document) = shared.documents.get(&asked) {
        return Ok(document);
    }
    let read = Document::read(&shared.schema, &envelope.query, name, &shared.rules.limits);
    let document = Arc::new(read.map_err(refuse_document)?);
    // A password may stand in the text.
    if !document.selected().iter().any(|one| one.is_create_token(&shared.schema)) {
        shared.keep(asked.into(), &document);
    }
    Ok(document)
}

fn refuse(message: &str, code: &str) -> RequestRefusal {
    RequestRefusal::of_document(vec![json!({"message": message, "extensions": {"code": code}})])
}

/// Bytes of a message at most: names in it are the caller's, who may have written one once and
/// used it wrongly many times.
const MESSAGE: usize = 512;

/// An error as it is sent to the caller.
fn error_json(mut error: GraphQLError) -> serde_json::Value {
    shorten(&mut error.message, MESSAGE);
    serde_json::to_value(error).unwrap_or_default()
}

fn refuse_document(error: DocumentError) -> RequestRefusal {
    match error {
        DocumentError::Invalid(errors) => {
            RequestRefusal::of_document(errors.into_iter().map(error_json).collect())
        }
        DocumentError::TooLarge(message) => refuse(&message, "LIMIT_EXCEEDED"),
    }
}
