//! The decision about one operation, and what is said of it.

use std::borrow::Cow;

use castellan_proto::Digest;
use http::{HeaderValue, StatusCode, request::Parts};
use serde_json::{Map, Value};

use super::{map::Operation, refusal::RestRefusal, template::QUERY};
use crate::{
    Ask, Caller, DecisionId, Denial, DeniedField, PolicyAnswer, PolicyRequest, PolicySaid,
    PolicyTerm, Reason, Rules, Verdict,
    decide::{ByScopes, Want, by_scopes},
    request::pairs,
};

/// What was decided about a request.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// Why it is denied; it passes without a reason.
    pub(crate) reason: Option<Reason>,
    /// What policies said, if they were asked.
    pub(crate) said: Option<Vec<PolicySaid>>,
    /// Everybody may do it.
    pub(crate) is_public: bool,
}

/// Decides whether `caller` may do `operation`, whose parameters have the `values`. Pure.
pub(crate) fn judge(
    operation: &Operation,
    values: &[String],
    caller: &Caller,
    rules: &Rules,
    parts: &Parts,
) -> Judgement {
    let (required, root) = (&operation.required, operation.root);
    let want = Want { required, by_name_only: false };
    let is_public = rules.is_public(want, caller) && !rules.known_callers_only;
    let ask = Ask::Field { root, required, by_name_only: false, local: false };
    let decided = |reason| Judgement { reason, said: None, is_public };
    match by_scopes(ask, caller, rules) {
        ByScopes::Decided(Verdict::Deny(reason)) => decided(Some(reason)),
        ByScopes::Decided(Verdict::Allow | Verdict::Local) => decided(None),
        ByScopes::UpToPolicies { term: PolicyTerm::Unknown, .. } => decided(Some(Reason::Policy)),
        ByScopes::UpToPolicies { term: PolicyTerm::Ask(policies), .. } => {
            let arguments = arguments(operation, values, parts);
            let PolicyAnswer { is_allowed, said } = policies.ask(&PolicyRequest {
                parts,
                operation_type: root.as_str(),
                field: operation.place(),
                required,
                arguments: &arguments,
                fields: &[],
            });
            let reason = (!is_allowed).then_some(Reason::Policy);
            Judgement { reason, said: Some(said), is_public }
        }
    }
}

/// The parameters of the path by their names, and those of the URL's query under one. A parameter
/// that is repeated there is a list: neither of two values may pass for the only one.
fn arguments(operation: &Operation, values: &[String], parts: &Parts) -> Map<String, Value> {
    let names = operation.template.parameters().map(str::to_owned);
    let values = values.iter().map(|value| Value::from(value.as_str()));
    let mut arguments: Map<String, Value> = names.zip(values).collect();
    let mut query = Map::new();
    for (name, value) in pairs(parts.uri.query().unwrap_or_default()) {
        match query.get_mut(&name) {
            None => _ = query.insert(name, value.into()),
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::from(vec![first.take(), value.into()]),
        }
    }
    arguments.insert(QUERY.to_owned(), query.into());
    arguments
}

impl Judgement {
    /// The refusal, if it is one. `challenges` are those to callers who showed nothing valid.
    pub(crate) fn refusal(
        &self,
        operation: &Operation,
        rules: &Rules,
        challenges: &[HeaderValue],
    ) -> Option<RestRefusal> {
        let reason = self.reason?;
        let (status, code, detail) = match reason {
            Reason::NoCredential => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "Sign in to use this operation.")
            }
            Reason::CredentialExpired => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "The credential has expired.")
            }
            Reason::CredentialInvalid | Reason::IntrospectionClosed => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "The credential is not valid here.")
            }
            Reason::TokenScope | Reason::RequiredScope => (
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "This credential may not use this operation.",
            ),
            Reason::ClientScope => (
                StatusCode::FORBIDDEN,
                "client_scope",
                "The app or key may not use this operation.",
            ),
            Reason::PersonScope => (
                StatusCode::FORBIDDEN,
                "person_scope",
                "None of the user's roles allows this operation.",
            ),
            Reason::Policy => (StatusCode::FORBIDDEN, "policy", "No policy allows this request."),
            Reason::NotMeant | Reason::OtherUser | Reason::LoginNotPermitted => {
                (StatusCode::FORBIDDEN, reason.as_str(), "This request is refused.")
            }
        };
        let mut refusal = RestRefusal::new(status, code, detail);
        refusal.challenges = match reason {
            Reason::TokenScope => vec![insufficient(operation.required.as_str())],
            Reason::RequiredScope => {
                let names = rules.requires.get(&operation.root).map(|names| names.join(" "));
                vec![insufficient(&names.unwrap_or_default())]
            }
            _ if status == StatusCode::UNAUTHORIZED => challenges.to_vec(),
            _ => Vec::new(),
        };
        Some(refusal)
    }

    /// The denial as it is recorded, if it is one.
    pub(crate) fn denial(
        &self,
        operation: &Operation,
        (id, caller): (&DecisionId, &Caller),
        parts: &Parts,
        version: Digest,
    ) -> Option<Denial> {
        let reason = self.reason?;
        let asked = format!("{} {}", parts.method, parts.uri);
        let said = self.said.clone().unwrap_or_default();
        let field = DeniedField {
            path: operation.place().to_owned(),
            field: operation.place().to_owned(),
            required: Some(operation.required.clone()),
            reason,
            policies: said,
        };
        let denial = Denial {
            id: id.as_str().to_owned(),
            operation: operation.root.as_str().to_owned(),
            caller: caller.into(),
            document: Digest::of(asked.as_bytes()).text(),
            rules: version.text(),
            fields: vec![field],
            ..Denial::default()
        };
        Some(denial.bounded())
    }
}

/// The challenge to a token that lacks `scope` (RFC 6750 §3.1): what this operation lacks, and
/// nothing that another one may need (`docs/rules.md` rule 25b).
fn insufficient(scope: &str) -> HeaderValue {
    let text = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    HeaderValue::from_str(&text)
        .unwrap_or(HeaderValue::from_static("Bearer error=\"insufficient_scope\""))
}

/// The challenge to a caller without a credential, in which a scheme of tokens names the scope.
pub(super) fn with_scope(challenge: &HeaderValue, scope: &str) -> HeaderValue {
    let named: Option<Cow<'_, str>> =
        (challenge == "Bearer").then(|| format!("Bearer scope=\"{scope}\"").into());
    named.and_then(|text| HeaderValue::from_str(&text).ok()).unwrap_or_else(|| challenge.clone())
}
