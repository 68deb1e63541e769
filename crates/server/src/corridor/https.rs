//! From http to https: the redirect of a listener that does nothing else, and what browsers are told to
//! remember (RFC 6797).

use axum::{
    body::Body,
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
};

use super::{SiteRoutes, plain};
use crate::wire::client_certificate::Arrival;

/// Whether `request` came to a listener that redirects, and asks for nothing that is answered there.
pub(super) fn is_redirected<B>(request: &Request<B>) -> bool {
    let redirects = request.extensions().get::<Arrival>().is_some_and(|arrival| arrival.redirects);
    redirects && !matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Where to ask again: the same at the https URL of `site`. A host of the request is kept if the site
/// lists it; nothing else that the caller wrote picks where it is sent (`docs/security-cases.md`
/// row 21). A request that has sent a token in the clear is told so, as whoever wrote it would never
/// learn of it.
pub(super) fn redirect<B>(site: &SiteRoutes, request: &Request<B>) -> Response<Body> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        let text = "Credentials were sent over plain HTTP; use https.\n";
        return plain(StatusCode::FORBIDDEN, text);
    }
    let rest = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let to = format!("{}{rest}", site.https_origin(request));
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response()
}

/// Has browsers remember that `site` is reached by https, where the request came so.
pub(super) fn remember(site: &SiteRoutes, is_tls: bool, response: &mut Response<Body>) {
    if let Some(hsts) = site.hsts.as_ref().filter(|_| is_tls) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}
