//! Why a request to an API over HTTP was decided as it was.

use http::request::Parts;

use super::{
    judge::judge,
    map::{Found, RestMap},
    path::AmbiguousPath,
};
use crate::{Caller, Explanation, NamedBy, Rules, decide::Want, explain::Decided};

/// Why there is nothing to explain about a request: it would be refused before it was decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// The path could be read differently.
    #[error(transparent)]
    Ambiguous(#[from] AmbiguousPath),
    /// No operation has this path.
    #[error("no operation has this path; the guard answers 404")]
    NoPath,
    /// The operations of this path have other methods.
    #[error("this path takes other methods ({0}); the guard answers 405")]
    OtherMethods(String),
}

/// Explains the request with the head `parts` and a `path` below its guard's, for `caller`.
///
/// # Errors
/// [`NotDecided`] if it would be refused whoever sent it.
pub fn explain_operation(
    map: &RestMap,
    parts: &Parts,
    path: &str,
    caller: &Caller,
    rules: &Rules,
) -> Result<Explanation, NotDecided> {
    let (operation, values) = match map.find(&parts.method, path)? {
        Found::Operation(operation, values) => (operation, values),
        Found::Nothing => return Err(NotDecided::NoPath),
        Found::OtherMethods(allowed) => return Err(NotDecided::OtherMethods(allowed.text())),
    };
    let judgement = judge(operation, &values, caller, rules, parts);
    let named_by = match operation.named_by {
        NamedBy::Override => "the operations of this guard",
        NamedBy::Directive => "x-castellan-scope in the document",
        NamedBy::Rule => "the naming rule",
        NamedBy::Lock => "the lock file",
        NamedBy::Nothing => "no rule",
    };
    let decided = Decided {
        path: operation.place().to_owned(),
        field: operation.place().to_owned(),
        named_by: Some(named_by),
        root: operation.root,
        want: Some(Want { required: &operation.required, by_name_only: false }),
        reason: judgement.reason,
        said: judgement.said,
    };
    let fields = vec![decided.explained(caller, rules)];
    Ok(Explanation { caller: caller.into(), fields, omitted: 0 })
}
