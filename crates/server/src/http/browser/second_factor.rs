//! `/auth/second-factor`: what people who opted in to it show after their password
//! (`docs/second-factor.md`).

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use castellan_issuer::{
    authorization::next::{FlowError, FlowView},
    sign_in::{FieldKind, second_factor::FactorForm},
};

use super::{
    cookies::Visitor,
    login::{self, Attempt},
    respond,
};
use crate::{
    app::App,
    pages::{FactorForm as FormOfPage, SecondFactorPage},
    wire::extract::{Form, Query},
};

/// The forms of what the person can show.
pub(crate) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Query(params): Query,
    headers: HeaderMap,
) -> Response {
    let flow = params.get("flow").unwrap_or_default();
    let tried = Tried { flow, method: "" };
    forms(&app, &visitor, tried, Said { status: StatusCode::OK, problem: None }, &headers).await
}

/// One of the forms comes back.
pub(crate) async fn submit(
    State(app): State<App>,
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
            let said = Said { status: StatusCode::UNAUTHORIZED, problem: Some(problem) };
            forms(&app, &visitor, tried, said, &headers).await
        }
        Attempt::Throttled(seconds) => {
            let problem = login::try_later(seconds);
            let said = Said { status: StatusCode::TOO_MANY_REQUESTS, problem: Some(&*problem) };
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
struct Said<'a> {
    status: StatusCode,
    problem: Option<&'a str>,
}

/// The page of a flow, after a form of it was `tried`.
async fn forms(
    app: &App,
    visitor: &Visitor,
    tried: Tried<'_>,
    said: Said<'_>,
    headers: &HeaderMap,
) -> Response {
    let view = match app.issuer().view_flow(tried.flow, &visitor.browser).await {
        Ok(view) => view,
        Err(error) => return respond::refused(error, app, headers),
    };
    match &view.second_factors {
        // Nobody has proved a first factor in it.
        None => respond::refused(FlowError::Expired, app, headers),
        Some(factors) if factors.is_empty() => respond::message(
            app,
            StatusCode::FORBIDDEN,
            "You cannot sign in",
            "Your account signs in with a second factor, and nothing that you registered for it can \
             be used any more. Ask your administrator to reset it.",
        ),
        Some(factors) => page(app, tried, &view, factors, said),
    }
}

fn page(
    app: &App,
    tried: Tried<'_>,
    view: &FlowView,
    factors: &[FactorForm],
    Said { status, problem }: Said<'_>,
) -> Response {
    let several = factors.len() > 1;
    let form = |factor: &FactorForm| FormOfPage {
        method: factor.method,
        name: factor.field.name,
        label: factor.field.label,
        autocomplete: factor.field.autocomplete,
        is_numeric: factor.field.kind == FieldKind::Code,
        is_instead: factor.is_recovery && several,
    };
    let site = &app.title();
    let page = SecondFactorPage {
        site,
        client_name: view.client_name.as_deref(),
        flow: tried.flow,
        forms: factors.iter().map(form).collect(),
        tried: tried.method,
        problem,
    };
    let target = view.redirect_uri.as_deref().and_then(respond::form_target);
    respond::html(status, &page, target.as_deref())
}
