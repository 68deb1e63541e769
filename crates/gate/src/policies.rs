//! What policies about people say: the port through which a host of the gate answers for them.
//!
//! The gate knows no policy language. It says what a request asks for, with the arguments of the
//! field and what is selected below it, and asks once the scopes allow it.

use std::{any::Any, fmt, sync::Arc};

use castellan_proto::scope::RequiredScope;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The policies of a site as they are at one moment, for one caller.
///
/// Asking them is pure: the same question has the same answer, and nothing is waited for
/// (`docs/rules.md` rule 2).
pub trait Policies: Any + Send + Sync {
    /// What they say about `request`.
    fn ask(&self, request: &PolicyRequest<'_>) -> PolicyAnswer;
}

/// What a request asks for with one field of a root type.
#[derive(Clone, Copy, Debug)]
pub struct PolicyRequest<'a> {
    /// The head of the request.
    pub parts: &'a Parts,
    /// `Query`, `Mutation` or `Subscription`.
    pub operation_type: &'static str,
    /// The field's name, never its alias.
    pub field: &'a str,
    /// The scope it requires.
    pub required: &'a RequiredScope,
    /// Its arguments as the API will see them: variables replaced by their values, and defaults
    /// filled in.
    pub arguments: &'a Map<String, Value>,
    /// What is selected below it, sorted: `Type.field` for each, and for a field of an interface
    /// also that of every type an object may have. What `@skip` or `@include` may take out is there.
    pub fields: &'a [String],
}

/// What policies say about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyAnswer {
    /// Whether they allow it. Without a policy they do not.
    pub is_allowed: bool,
    /// Those that were asked, in their order.
    pub said: Vec<PolicySaid>,
}

/// What one policy says about a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySaid {
    /// Its id.
    pub policy: String,
    /// What it says.
    pub says: Says,
    /// Why it says that; never a value of the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<String>,
}

/// What a policy can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// It allows the request.
    Allows,
    /// It does not; another one may.
    Abstains,
    /// It forbids the request, whatever the others say.
    Forbids,
}

/// The policies' term of a decision, where a guard requires one ([`crate::Terms::policy`]).
#[derive(Clone, Default)]
pub enum PolicyTerm {
    /// Nobody says what policies say. Where the term is required, it denies.
    #[default]
    Unknown,
    /// These are asked.
    Ask(Arc<dyn Policies>),
}

impl fmt::Debug for PolicyTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Ask(_) => "Ask",
        })
    }
}

impl PartialEq for PolicyTerm {
    /// Whether they are the same policies, not whether they say the same.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) => true,
            (Self::Ask(one), Self::Ask(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for PolicyTerm {}

impl Says {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allows => "allows",
            Self::Abstains => "abstains",
            Self::Forbids => "forbids",
        }
    }
}
