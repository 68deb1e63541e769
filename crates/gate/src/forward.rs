//! Forwards one decided request: handles the fields that are denied, allowed and local.

use std::{collections::BTreeSet, sync::Arc};

use http::{Extensions, HeaderMap, Response, StatusCode, request::Parts};
use serde_json::{Map, Value, json};

use crate::{
    Ask, Document, Envelope, OnDeny, Question, Reason, RequestVerdict, Root, Shown, Verdict,
    context::{Behind, ReplyBody, RequestContext},
    document::{
        prune::{Pruned, blank},
        selection::{Place, Selected, Span},
        shared::shared_fragment,
    },
    local::{self, LocalAnswer, LocalAsker},
    merge::{FieldError, MergeError, Upstream, merge},
    plan::Plan,
    question::Judge,
    response::{RequestRefusal, json_response, text_response, words},
    rules::ErrorText,
    upstream::{self, no_graphql, too_large},
    upstream_failure::UpstreamFailure,
};

/// The response to `plan`, and what was decided; calls `behind` at most once.
pub(crate) async fn answer(
    context: &RequestContext<'_>,
    behind: Behind,
    parts: Parts,
    envelope: &Envelope,
    plan: Plan,
) -> (Response<ReplyBody>, RequestVerdict) {
    let mut field_errors = match context.denials(&plan) {
        Ok(field_errors) => field_errors,
        Err(nothing) => return (nothing, RequestVerdict::Denied),
    };
    let mut verdict = if field_errors.is_empty() {
        RequestVerdict::Allowed
    } else if plan.asks_upstream() || plan.answers_itself() {
        RequestVerdict::Partial
    } else {
        RequestVerdict::Denied
    };
    plan.record_use(context.shared, context.caller);
    let removed = plan.removed();
    if let Some(name) = shared_fragment(&plan.document, &context.shared.schema, &removed) {
        field_errors.push(context.shared_fragment_error(name));
        return (context.nothing_runs(field_errors), RequestVerdict::Denied);
    }
    let alone = plan.document.executable.operations.len() == 1;
    let answered = if plan.asks_upstream() && removed.is_empty() && alone {
        let mut parts = parts;
        let shown = context.shown(&mut parts);
        match upstream::request(context, parts, envelope.to_json()) {
            Ok(request) => upstream::send(context, behind, request)
                .await
                .map(|answer| upstream::stream(context, answer, shown)),
            Err(refusal) => Err(refusal),
        }
    } else {
        match context.prune(&plan, &removed, &parts) {
            Ok(pruned) => {
                let nothing = context.empty_parents(&plan, &pruned, &mut field_errors);
                if let Some(nothing) = nothing {
                    verdict = RequestVerdict::Denied;
                    Ok(nothing)
                } else {
                    let ours = context.answer_ours(&plan, &parts.extensions).await;
                    let upstream = context.ask(behind, parts, envelope, &pruned).await;
                    upstream.map(|upstream| context.merged(&plan, upstream, ours, &field_errors))
                }
            }
            Err(refusal) => Err(refusal),
        }
    };
    let answered =
        answered.unwrap_or_else(|refusal| refusal.into_response(context.wanted, context.id));
    (answered, verdict)
}

impl RequestContext<'_> {
    /// What is denied and would run; or the answer, if that means that nothing runs.
    #[expect(clippy::result_large_err, reason = "the other half is an answer, made once")]
    fn denials(&self, plan: &Plan) -> Result<Vec<FieldError>, Response<ReplyBody>> {
        let denied = plan.denied();
        if denied.is_empty() {
            return Ok(Vec::new());
        }
        let manner = &self.shared.rules.manner;
        if plan.document.root() == Root::Query && manner.denied_query_is_null {
            return Err(self.json(StatusCode::OK, &json!({"data": null})));
        }
        let mut breaks = self.all_or_nothing(plan);
        let field_errors = denied
            .iter()
            .map(|(selected, reason)| {
                let field_error = self.field_error(&selected.path, &selected.place, *reason);
                let path = plan.null_for(&selected.path, &selected.place);
                breaks |= path.is_none();
                FieldError { path: path.unwrap_or_default(), ..field_error }
            })
            .collect();
        if breaks { Err(self.nothing_runs(field_errors)) } else { Ok(field_errors) }
    }

    /// What a known caller has shown, to be looked at again while the response is under way.
    fn shown(&self, parts: &mut Parts) -> Option<Shown> {
        self.caller.identity().map(|_| Shown::take(parts, self.since))
    }

    fn all_or_nothing(&self, plan: &Plan) -> bool {
        plan.document.root() == Root::Mutation && self.shared.rules.on_deny == OnDeny::Reject
    }

    /// Adds a gap for each field of which nothing is left, the outermost of those within each
    /// other; or gives the answer, if that means that nothing runs.
    fn empty_parents(
        &self,
        plan: &Plan,
        pruned: &Pruned,
        field_errors: &mut Vec<FieldError>,
    ) -> Option<Response<ReplyBody>> {
        // What one selection of a response key has lost, another may still have.
        let lives = |path: &[String]| {
            plan.document.holders.iter().any(|other| {
                other.path == path
                    && other.place.runs(&plan.variables)
                    && !pruned.empty_parents.contains(&other.place.span)
            })
        };
        let mut outermost: Vec<&[String]> = Vec::new();
        for holder in &plan.document.holders {
            if !pruned.empty_parents.contains(&holder.place.span)
                || !holder.place.runs(&plan.variables)
                || lives(&holder.path)
                || outermost.iter().any(|path| holder.path.starts_with(path))
            {
                continue;
            }
            outermost.push(&holder.path);
            let below = plan.decided().find_map(|(selected, verdict)| match verdict {
                Verdict::Deny(reason) if selected.path.starts_with(&holder.path) => Some(reason),
                _ => None,
            });
            let reason = below.unwrap_or(Reason::TokenScope);
            let path = plan.null_for(&holder.path, &holder.place);
            let breaks = self.all_or_nothing(plan) || path.is_none();
            let field_error = self.field_error(&holder.path, &holder.place, reason);
            field_errors.push(FieldError { path: path.unwrap_or_default(), ..field_error });
            if breaks {
                return Some(self.nothing_runs(std::mem::take(field_errors)));
            }
        }
        None
    }

    /// What is answered here.
    async fn answer_ours(&self, plan: &Plan, extensions: &Extensions) -> LocalAnswer {
        if !plan.answers_itself() {
            return LocalAnswer::default();
        }
        let asker =
            LocalAsker { caller: self.caller, verifier: &*self.shared.verifier, extensions };
        local::answer(&self.shared.schema, &plan.document, &plan.variables, asker).await
    }

    fn merged(
        &self,
        plan: &Plan,
        mut upstream: Upstream,
        (local, errors): LocalAnswer,
        field_errors: &[FieldError],
    ) -> Response<ReplyBody> {
        let document = &plan.document;
        let ours: Map<String, Value> = plan
            .decided()
            .filter(|(selected, verdict)| *verdict == Verdict::Local && selected.path.len() == 1)
            .filter_map(|(one, _)| Some((one.path[0].clone(), local.get(&one.path[0])?.clone())))
            .collect();
        let of_ours =
            |error: &Value| error["path"][0].as_str().is_some_and(|key| ours.contains_key(key));
        let errors = errors.iter().filter_map(|error| serde_json::to_value(error).ok());
        errors.filter(of_ours).for_each(|error| upstream.add_error(&error));
        let mut keys: Vec<&str> = Vec::new();
        for selected in document.selected() {
            let key = &*selected.path[0];
            if selected.path.len() == 1
                && selected.place.runs(&plan.variables)
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
        let failed = upstream.data.is_none()
            && (upstream.status.is_client_error() || upstream.status.is_server_error());
        let status = if failed { upstream.status } else { StatusCode::OK };
        let (held, most) =
            (std::mem::take(&mut upstream.held), self.shared.rules.limits.answer_bytes);
        let (refusal, problem) = match merge(&keys, &upstream, ours, field_errors, most) {
            Ok(answer) => {
                let response = text_response(status, answer, self.wanted, self.id);
                return upstream::held_answer(response, held);
            }
            Err(MergeError::TooLarge) => (too_large(), upstream::TOO_LARGE),
            Err(MergeError::Ambiguous) => (no_graphql(), upstream::NO_GRAPHQL),
        };
        // Its headers are gone, and said that it is GraphQL.
        let none = HeaderMap::new();
        self.tell(&UpstreamFailure::of_answer(self.id, upstream.status, &none, problem));
        refusal.into_response(self.wanted, self.id)
    }

    /// The document without `removed`, parsed and decided again before it is used.
    fn prune(
        &self,
        plan: &Plan,
        removed: &BTreeSet<Span>,
        parts: &Parts,
    ) -> Result<Arc<Pruned>, RequestRefusal> {
        let key = (plan.document.digest(), removed.iter().copied().collect::<Vec<_>>());
        // What policies say depends on more than the document, so that it is asked again each time.
        let known = self.shared.pruned.get(&key).filter(|_| !self.shared.rules.terms.policy);
        if let Some(pruned) = known {
            return Ok(pruned);
        }
        let mut pruned = blank(&plan.document, removed);
        pruned.empty |= !plan.asks_upstream();
        if !pruned.empty && !self.is_sound(plan, &mut pruned, parts) {
            tracing::error!(
                decision = self.id.as_str(),
                "the pruned document was not allowed when checked again"
            );
            let message = "The request could not be reduced to its allowed fields.";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(RequestRefusal::new(status, message, "INTERNAL"));
        }
        let pruned = Arc::new(pruned);
        self.shared.keep_pruned(key, &pruned);
        Ok(pruned)
    }

    /// Whether every remaining field is allowed, and every field of which nothing was left is accounted for.
    fn is_sound(&self, plan: &Plan, pruned: &mut Pruned, parts: &Parts) -> bool {
        let (schema, rules) = (&self.shared.schema, &self.shared.rules);
        let name = plan.document.operation_name();
        let Ok(left) = Document::reread(schema, &pruned.text, name, &rules.limits) else {
            return false;
        };
        let is_typename = |selected: &Selected| selected.ask(schema) == Some(Ask::Typename);
        // Type names alone are not worth a request.
        pruned.empty = left.selected().iter().all(is_typename);
        let known =
            |span: &Span| plan.document.holders.iter().any(|holder| holder.place.span == *span);
        let question = Question::of_coerced(schema, &left, plan.variables.clone(), parts);
        let mut judge = Judge::new(&question, self.caller, rules);
        pruned.empty_parents.iter().all(known)
            && left.selected().iter().enumerate().all(|(at, selected)| {
                is_typename(selected)
                    || judge.decide(at).is_ok_and(|verdict| verdict == Verdict::Allow)
            })
    }

    async fn ask(
        &self,
        behind: Behind,
        parts: Parts,
        envelope: &Envelope,
        pruned: &Pruned,
    ) -> Result<Upstream, RequestRefusal> {
        if pruned.empty {
            return Ok(Upstream::unasked());
        }
        let kept = |name: &str| pruned.variables.iter().any(|kept| kept == name);
        let reduced = Envelope {
            query: pruned.text.clone(),
            operation_name: envelope.operation_name.clone(),
            variables: envelope.variables.filtered(kept),
        };
        let request = upstream::request(self, parts, reduced.to_json())?;
        upstream::hold(self, behind, request).await
    }

    /// That the fragment `name` is used where it is allowed as well as where it is not.
    fn shared_fragment_error(&self, name: &str) -> FieldError {
        let message = format!(
            "The fragment {name} selects a field that is denied or answered by this server, and is \
             spread under another type as well. Nothing was run. Write two fragments."
        );
        let extensions = json!({"code": "SHARED_FRAGMENT", "decision": self.id.as_str()});
        let error = json!({"message": message, "extensions": extensions});
        FieldError { path: Vec::new(), error }
    }

    fn nothing_runs(&self, field_errors: Vec<FieldError>) -> Response<ReplyBody> {
        let errors: Vec<Value> =
            field_errors.into_iter().map(|field_error| field_error.error).collect();
        self.json(StatusCode::OK, &json!({"errors": errors, "data": null}))
    }

    fn json(&self, status: StatusCode, body: &Value) -> Response<ReplyBody> {
        json_response(status, body, self.wanted, self.id)
    }

    fn field_error(&self, path: &[String], place: &Place, reason: Reason) -> FieldError {
        let ErrorText { message, code } = words(&self.shared.rules, reason);
        let error = json!({
            "message": message,
            "locations": [{"line": place.line, "column": place.column}],
            "path": path,
            "extensions": {"code": code, "reason": reason.as_str(), "decision": self.id.as_str()},
        });
        FieldError { path: path.to_vec(), error }
    }
}
