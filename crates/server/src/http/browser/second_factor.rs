//! `/auth/second-factor`: what people who opted in to it show after their password
//! (`docs/second-factor.md`).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use castellan_issuer::{
    authorization::next::{FlowError, FlowView},
    language::Text,
    sign_in::{FieldKind, second_factor::FactorForm},
};

use super::{
    cookies::Visitor,
    localized::LocalizedApp,
    login::{self, Attempt},
    respond,
};
use crate::{
    pages::{AuthenticatorForm, FactorForm as FormOfPage, SecondFactorPage},
    wire::extract::{Form, Query},
};

/// The forms of what the person can show.
pub(crate) async fn show(
    app: LocalizedApp,
    visitor: Visitor,
    Query(params): Query,
    headers: HeaderMap,
) -> Response {
    let flow = params.get("flow").unwrap_or_default();
    let tried = Tried { flow, method: "" };
    forms(&app, &visitor, tried, Said::Nothing, &headers).await
}

/// One of the forms comes back.
pub(crate) async fn submit(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if let Some(response) = login::declined(&app, &visitor, &params, &headers).await {
        return response;
    }
    let flow = params.get("flow").unwrap_or_default();
    let tried = Tried { flow, method: params.get("method").unwrap_or_default() };
    let outcome = app.issuer().show_second_factor(flow, &params, &visitor.browser).await;
    match login::attempt(&app, &visitor, outcome, &headers).await {
        Attempt::Answered(response) => response,
        Attempt::Wrong(problem) => {
            forms(&app, &visitor, tried, Said::Wrong(problem), &headers).await
        }
        Attempt::Throttled(seconds) => {
            let said = Said::Throttled(seconds);
            let mut response = forms(&app, &visitor, tried, said, &headers).await;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

/// The form that was sent last time.
#[derive(Clone, Copy)]
struct Tried<'a> {
    flow: &'a str,
    /// The method that it was of; empty if none was sent yet.
    method: &'a str,
}

/// What the page says of it.
#[derive(Clone, Copy)]
enum Said {
    /// It was not sent yet.
    Nothing,
    /// It proved nothing, and the person reads this.
    Wrong(Text),
    /// There were too many attempts, for this number of seconds.
    Throttled(u64),
}

/// The page of a flow, after a form of it was `tried`.
async fn forms(
    app: &LocalizedApp,
    visitor: &Visitor,
    tried: Tried<'_>,
    said: Said,
    headers: &HeaderMap,
) -> Response {
    let view = match app.issuer().view_flow(tried.flow, &visitor.browser).await {
        Ok(view) => view,
        Err(error) => return respond::refused(error, app, headers),
    };
    match &view.second_factors {
        // Nobody has proved a first factor in it.
        None => respond::refused(FlowError::Expired, app, headers),
        Some(factors) if factors.is_empty() => {
            let app = &app.for_flow(&view);
            respond::message(app, StatusCode::FORBIDDEN, &app.texts().second_factor.unusable)
        }
        Some(factors) => page(&app.for_flow(&view), tried, &view, factors, said),
    }
}

fn page(
    app: &LocalizedApp,
    tried: Tried<'_>,
    view: &FlowView,
    factors: &[FactorForm],
    said: Said,
) -> Response {
    let (status, problem) = match said {
        Said::Nothing => (StatusCode::OK, None),
        Said::Wrong(text) => {
            (StatusCode::UNAUTHORIZED, Some(text.in_language(app.language()).to_owned()))
        }
        Said::Throttled(seconds) => {
            (StatusCode::TOO_MANY_REQUESTS, Some((app.texts().common.throttled)(seconds)))
        }
    };
    let several = factors.len() > 1;
    let form = |factor: &FactorForm| {
        let field = factor.field?;
        Some(FormOfPage {
            method: factor.method,
            name: field.name,
            label: field.label.in_language(app.language()),
            autocomplete: field.autocomplete,
            is_numeric: field.kind == FieldKind::Code,
            is_instead: factor.is_recovery && several,
        })
    };
    let request = |factor: &FactorForm| {
        let options = factor.request.as_ref()?.to_string();
        Some(AuthenticatorForm { method: factor.method, options })
    };
    let page = SecondFactorPage {
        frame: app.frame(),
        client_name: view.client_name.as_deref(),
        flow: tried.flow,
        forms: factors.iter().filter_map(form).collect(),
        authenticator: factors.iter().find_map(request),
        tried: tried.method,
        problem: problem.as_deref(),
    };
    let target = view.redirect_uri.as_deref().and_then(respond::form_target);
    // Nothing runs where nothing has to.
    let send = match page.authenticator {
        Some(_) => respond::html_with_script,
        None => respond::html,
    };
    send(status, &page, target.as_deref())
}
