//! What a guard decides by: a GraphQL schema, or the operations of another API over HTTP.

use std::sync::Arc;

use castellan_gate::{
    GuardSchema,
    rest::{RestGated, RestMap},
};
use castellan_proto::{Digest, scope::RequiredScope};

use super::upstream::Upstream;

/// What can be asked for behind a guard, and which scope each requires.
#[derive(Clone)]
pub(crate) enum Surface {
    /// Fields of root types.
    Graphql(Arc<GuardSchema>),
    /// Methods and paths.
    Http(Arc<RestMap>),
}

/// The API of a guard, behind its gate.
#[derive(Clone)]
pub(super) enum Gated {
    Graphql(castellan_gate::Gated<Upstream>),
    Http(RestGated<Upstream>),
}

impl Surface {
    /// Changes whenever what can be asked for or a required scope does.
    pub(super) fn hash(&self) -> Digest {
        match self {
            Self::Graphql(schema) => schema.hash(),
            Self::Http(map) => map.hash(),
        }
    }

    /// The scope that each field or operation requires.
    pub(crate) fn required_scopes(&self) -> Vec<&RequiredScope> {
        match self {
            Self::Graphql(schema) => {
                schema.entries().map(|(_, _, entry)| &entry.required).collect()
            }
            Self::Http(map) => map.operations().map(|operation| &operation.required).collect(),
        }
    }

    /// What one of these is called, and all of them.
    pub(crate) const fn nouns(&self) -> (&'static str, &'static str) {
        match self {
            Self::Graphql(_) => ("field", "root fields"),
            Self::Http(_) => ("operation", "operations"),
        }
    }

    /// The schema, if it is one.
    pub(crate) const fn graphql(&self) -> Option<&Arc<GuardSchema>> {
        match self {
            Self::Graphql(schema) => Some(schema),
            Self::Http(_) => None,
        }
    }

    /// The operations, if they are some.
    pub(crate) const fn http(&self) -> Option<&Arc<RestMap>> {
        match self {
            Self::Graphql(_) => None,
            Self::Http(map) => Some(map),
        }
    }
}
