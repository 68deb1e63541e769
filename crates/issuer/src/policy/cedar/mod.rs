//! The engine `cedar`: policies in the Cedar language, which may also forbid (`docs/cedar.md`).
//!
//! Cedar itself skips a policy that it cannot evaluate. Here that is no way around a `forbid`: one
//! that cannot be evaluated forbids.

mod arguments;
mod bounds;
mod facts;
mod read;
#[cfg(test)]
mod tests;

use std::{
    cell::OnceCell,
    fmt,
    sync::{Arc, LazyLock},
};

use cedar_policy::{AuthorizationError, Authorizer, Decision, Effect, PolicyId, PolicySet};
use moka::sync::Cache;

use self::{arguments::Arguments, facts::Facts};
use super::{Explained, Outcome, Request};

/// Stack that is enough to evaluate the deepest policy. Less makes Cedar give up, which is no way
/// to decide. Without optimisation its frames are many times as large.
const ENOUGH: usize = if cfg!(debug_assertions) { 8 * 1024 * 1024 } else { 512 * 1024 };
/// The size of the stack that is made where there is less, and for reading.
const STACK: usize = 16 * 1024 * 1024;

/// Bytes of text whose policies are kept as they were read.
const KEPT: u64 = 8 * 1024 * 1024;

/// What was read, by the text and the declared arguments: a site reads all of its policies anew
/// when one of them changes, and validating one is by far the longest part of that.
static READ: LazyLock<Cache<(String, String), Cedar>> = LazyLock::new(|| {
    let bytes = |(text, arguments): &(String, String), _: &Cedar| {
        u32::try_from(text.len() + arguments.len()).unwrap_or(u32::MAX)
    };
    Cache::builder().max_capacity(KEPT).weigher(bytes).build()
});

/// Policies in the Cedar language that were read and found good.
#[derive(Clone)]
pub struct Cedar(Arc<Inner>);

struct Inner {
    /// All of them.
    policies: PolicySet,
    /// What is asked if the arguments are not as declared: without what permits by them, and with
    /// the scopes alone of what forbids by them. The same if none reads them.
    without_arguments: Option<PolicySet>,
    /// What each policy is called.
    names: Vec<Named>,
    arguments: Arguments,
    reads: Reads,
    warnings: Vec<String>,
}

struct Named {
    id: PolicyId,
    effect: Effect,
    reads_arguments: bool,
}

/// What of a request some policy reads, as far as it is costly to prepare.
#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    arguments: bool,
    params: bool,
    headers: bool,
}

/// A request that is asked about, with what Cedar sees of it once a policy asks.
pub(super) struct Asked<'a> {
    request: &'a Request<'a>,
    reads: Reads,
    facts: OnceCell<Result<Facts, String>>,
}

impl<'a> Asked<'a> {
    /// About `request`, for `policies`.
    pub(super) fn new<'p>(
        request: &'a Request<'a>,
        policies: impl IntoIterator<Item = &'p Cedar>,
    ) -> Self {
        let mut reads = Reads::default();
        for Cedar(inner) in policies {
            reads.params |= inner.reads.params;
            reads.headers |= inner.reads.headers;
        }
        Self { request, reads, facts: OnceCell::new() }
    }
}

impl fmt::Debug for Cedar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cedar")
    }
}

impl Cedar {
    /// Reads policies, with the arguments that they declare.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub(super) fn read(text: &str, arguments: Option<&serde_json::Value>) -> Result<Self, String> {
        bounds::check(text)?;
        let key = (text.to_owned(), arguments.map(ToString::to_string).unwrap_or_default());
        if let Some(read) = READ.get(&key) {
            return Ok(read);
        }
        let arguments = Arguments::read(arguments)?;
        let inner = stacker::grow(STACK, || read::read(text, arguments))?;
        let read = Self(Arc::new(inner));
        READ.insert(key, read.clone());
        Ok(read)
    }

    /// Whether one of them may forbid a request.
    pub(super) fn may_forbid(&self) -> bool {
        self.0.names.iter().any(|named| named.effect == Effect::Forbid)
    }

    /// What is valid and seldom meant.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.0.warnings.clone()
    }

    /// What they say about a request.
    pub(super) fn evaluate(&self, asked: &Asked<'_>) -> Explained {
        let facts = asked.facts.get_or_init(|| Facts::of(asked.request, asked.reads));
        let said = facts.as_ref().map_err(Clone::clone).and_then(|facts| {
            stacker::maybe_grow(ENOUGH, STACK, || self.0.evaluate(facts, asked.request))
        });
        said.unwrap_or_else(|problem| {
            let outcome = if self.may_forbid() {
                Outcome::Forbidden(problem.clone())
            } else {
                Outcome::NotAllowed(problem.clone())
            };
            Explained { outcome, policies: Vec::new(), errors: vec![problem] }
        })
    }
}

impl Inner {
    fn evaluate(&self, facts: &Facts, request: &Request<'_>) -> Result<Explained, String> {
        let arguments =
            self.reads.arguments.then(|| self.arguments.value(request.document.get("arguments")));
        let (policies, arguments, are_missing) = match (arguments, &self.without_arguments) {
            (Some(None), Some(without)) => (without, None, true),
            (arguments, _) => (&self.policies, arguments.flatten(), false),
        };
        let request = facts.request(arguments)?;
        let response = Authorizer::new().is_authorized(&request, policies, &facts.entities);
        let mut broken: Vec<&Named> = Vec::new();
        let mut errors: Vec<String> = Vec::new();
        for error in response.diagnostics().errors() {
            let AuthorizationError::PolicyEvaluationError(of) = error;
            broken.extend(self.names.iter().find(|named| named.id == *of.policy_id()));
            errors.push(error.to_string());
        }
        errors.sort_unstable();
        let mut reasons: Vec<String> =
            response.diagnostics().reason().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect();
        reasons.sort_unstable();
        let unevaluated = broken.iter().find(|named| named.effect == Effect::Forbid);
        let outcome = match (unevaluated, response.decision()) {
            (Some(named), _) => {
                let name: &str = named.id.as_ref();
                reasons = vec![name.to_owned()];
                Outcome::Forbidden(format!("{name} cannot be evaluated, and forbids if it may"))
            }
            (None, Decision::Allow) => Outcome::Allowed,
            (None, Decision::Deny) if reasons.is_empty() => Outcome::NotAllowed(
                if are_missing && self.permits_by_arguments() {
                    "no policy permits it; the arguments are not as declared"
                } else if errors.is_empty() {
                    "no policy permits it"
                } else {
                    "no policy permits it; some cannot be evaluated"
                }
                .to_owned(),
            ),
            (None, Decision::Deny) => {
                Outcome::Forbidden(format!("forbidden by {}", reasons.join(", ")))
            }
        };
        Ok(Explained { outcome, policies: reasons, errors })
    }

    fn permits_by_arguments(&self) -> bool {
        let mut names = self.names.iter();
        names.any(|named| named.reads_arguments && named.effect == Effect::Permit)
    }
}
