//! What a GraphQL guard whose dialect knows SiteAccesses asks before its gate
//! (`docs/contracts/ibexa.md` §4.4, §7).

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header},
    response::IntoResponse as _,
};
use castellan_gate::{
    Caller, DecisionId, FoundAt, Verifier as _,
    rest::{Presented, RestRefusal, present},
};
use serde_json::json;

use super::{
    Guard,
    credentials::RemovedHeaders,
    recorder::{RefusedRequest, Sender},
    site_access::AtSiteAccess,
};
use crate::{
    config::Method,
    wire::{
        guard_refusal::{Asked, GuardRefusal},
        request,
    },
};

const X_CLIENT_AUTH: HeaderName = HeaderName::from_static("x-client-auth");

impl Guard {
    /// The request with its caller and its SiteAccess, at which the caller may sign in, and the
    /// challenge if the credential is not valid. A credential is looked at once: the gate sees whom it
    /// showed.
    pub(super) async fn at_site_access<B>(
        &self,
        request: Request<B>,
    ) -> Result<(Request<B>, Option<HeaderValue>), Response<Body>> {
        let site_accesses = &self.inner.site_accesses;
        if !site_accesses.are_asked_for() {
            return Ok((request, None));
        }
        let (mut parts, body) = request.into_parts();
        let id = parts.extensions.get::<DecisionId>().copied();
        let id = id.unwrap_or_else(DecisionId::generate);
        let site_access = site_accesses.select(&mut parts).map_err(|unknown| {
            said(StatusCode::BAD_REQUEST, "INVALID_SITE_ACCESS", &unknown.to_string(), &id)
        })?;
        parts.extensions.insert(AtSiteAccess(Arc::clone(&site_access)));
        let admission = &self.inner.admission;
        let since = self.inner.credentials.moment();
        let by_session = match admission.graphql_sender(&mut parts, &site_access).await {
            Ok(by_session) => by_session,
            Err(refusal) => {
                admission.record(&refusal, &RefusedRequest::of(&parts, &self.config.path));
                return Err(refused(&refusal, &id));
            }
        };
        let mut presented = if let Some(caller) = by_session {
            // Nothing else counts beside sessions (§3).
            Presented { caller, challenge: None, since }
        } else {
            let presented = present(&*self.inner.credentials, &parts).await;
            presented.map_err(|refusal| refusal.into_response(&id).map(Body::new))?
        };
        let shows_jwt = self.config.authenticate.list().contains(&Method::Jwt)
            && presented.caller.identity().is_some();
        if shows_jwt && !site_access.graphql_jwt {
            presented.caller = Caller::invalid();
            presented.challenge = Some(HeaderValue::from_static("Bearer error=\"invalid_token\""));
        }
        let may = site_accesses.may_sign_in(&site_access, &presented.caller).await;
        let may = may.map_err(|error| {
            tracing::error!(%error, "the roles could not be read");
            let detail = "The request cannot be decided at the moment.";
            let refusal = RestRefusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
            RestRefusal { retry_after: Some(1), ..refusal }.into_response(&id).map(Body::new)
        })?;
        if !may {
            parts.extensions.insert(Sender(presented.caller.clone()));
            let refusal = GuardRefusal::LoginNotPermitted(Asked::Person);
            admission.record(&refusal, &RefusedRequest::of(&parts, &self.config.path));
            let text = "You may not sign in here.";
            return Err(said(StatusCode::UNAUTHORIZED, "LOGIN_NOT_PERMITTED", text, &id));
        }
        let since = presented.since;
        let mut shown = HeaderMap::new();
        for name in [header::AUTHORIZATION, X_CLIENT_AUTH, request::DPOP] {
            shown.extend(parts.headers.remove(&name).map(|value| (name, value)));
        }
        parts.extensions.insert(RemovedHeaders(shown));
        parts.extensions.insert(FoundAt(since));
        parts.extensions.insert(presented.caller);
        Ok((Request::from_parts(parts, body), presented.challenge))
    }
}

/// The answer to a request that is refused before the gate, as GraphQL has errors.
pub(super) fn refused(refusal: &GuardRefusal, id: &DecisionId) -> Response<Body> {
    let RestRefusal { status, code, detail, retry_after, .. } = RestRefusal::from(refusal);
    let mut response = said(status, &code.to_ascii_uppercase(), &detail, id);
    let wait = retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
    response.headers_mut().extend(wait);
    response
}

fn said(status: StatusCode, code: &str, message: &str, id: &DecisionId) -> Response<Body> {
    let extensions = json!({"code": code, "decision": id.as_str()});
    let body = json!({"errors": [{"message": message, "extensions": extensions}]});
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}
