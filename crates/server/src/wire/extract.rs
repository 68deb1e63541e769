//! Parameters of OAuth requests as handlers take them.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts},
    http::{Request, request::Parts},
};
use castellan_issuer::request::params::Params;

use super::error::Refusal;
pub(crate) use crate::wire::request::{ClientRequest, query};

/// The pairs of a form that a browser sent.
pub(crate) struct Form(pub(crate) Params);

/// The pairs of the query.
pub(crate) struct Query(pub(crate) Params);

impl<S: Sync> FromRequest<S> for ClientRequest {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Refusal> {
        Ok(Self::read(request).await?)
    }
}

impl<S: Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Refusal> {
        Ok(Self(crate::wire::request::read_form(request).await?))
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self(query(parts.uri.query())?))
    }
}
