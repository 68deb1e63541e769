//! From http to https: the redirect of a listener that does nothing else, and what browsers are told to
//! remember (RFC 6797).

use axum::{
    body::Body as AnyBody,
    http::{Request, Response, StatusCode, header},
    response::IntoResponse,
};
use castellan_gate::DecisionId;
use http_body::Body;

use super::{
    plaintext,
    refusal::Refusal,
    site::{Answered, SiteRoutes},
};
use crate::wire::client_certificate::ConnectionInfo;

/// Whether `request` came to a listener that redirects, and asks for nothing that is answered there.
pub(super) fn is_redirected<B>(request: &Request<B>) -> bool {
    let redirects =
        request.extensions().get::<ConnectionInfo>().is_some_and(|connection| connection.redirects);
    redirects && !matches!(request.uri().path(), "/healthz" | "/readyz")
}

/// Where to ask again: the same at the https URL of `site`. A host of the request is kept if the site
/// lists it; nothing else that the caller wrote picks where it is sent (`docs/security-cases.md`
/// row 21). A request that has sent a secret in the clear is told so, as whoever wrote it would never
/// learn of it.
pub(super) fn redirect<B: Body>(
    site: &Answered,
    request: &Request<B>,
    id: DecisionId,
) -> Response<AnyBody> {
    if plaintext::shows_secret(request, site.guard(request)) {
        let text = "Credentials were sent over plain HTTP; use https.";
        let refusal = Refusal::new(StatusCode::FORBIDDEN, plaintext::CODE, text);
        return site.refuse(&refusal, request, id);
    }
    let rest = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let to = format!("{}{rest}", site.routes.https_origin(request));
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to)]).into_response()
}

/// Has browsers remember that `site` is reached by https, where the request came so: over plain HTTP
/// nobody may say it (RFC 6797 §7.2).
pub(super) fn remember(site: &SiteRoutes, by_https: bool, response: &mut Response<AnyBody>) {
    if let Some(hsts) = site.hsts.as_ref().filter(|_| by_https) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}
