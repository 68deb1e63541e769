//! `/auth/second-factor`: what people who opted in to it show after their password
//! (`docs/second-factor.md`).

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    authorization::next::{FlowError, FlowView, SignInOutcome},
    error::OAuthError,
    sign_in::{FieldKind, second_factor::FactorForm},
};

use super::{
    cookies::{self, Visitor},
    login::change_first,
    respond,
};
use crate::{
    app::App,
    pages::{FactorForm as FormOfPage, SecondFactorPage},
    wire::{
        error::Refusal,
        extract::{self, Form},
    },
};

/// The forms of what the person can show.
pub(crate) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = match extract::query(query.as_deref()) {
        Ok(params) => params,
        Err(error) => return Refusal::from(error).into_response(),
    };
    let flow = params.get("flow").unwrap_or_default();
    forms(&app, &visitor, (flow, ""), (StatusCode::OK, None), &headers).await
}

/// One of the forms comes back.
pub(crate) async fn submit(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if !cookies::is_same_origin(&app, &headers) {
        return cookies::cross_site();
    }
    let flow = params.get("flow").unwrap_or_default();
    if params.get("decision") == Some("deny") {
        return respond::next(app.issuer().decline(flow, &visitor.browser).await, &app, &headers);
    }
    let tried = (flow, params.get("method").unwrap_or_default());
    match app.issuer().show_second_factor(flow, &params, &visitor.browser).await {
        Ok(SignInOutcome::Yes(cookie, next)) => {
            let mut response = respond::next(Ok(next), &app, &headers);
            visitor.set_session(&app, &mut response, &cookie);
            response
        }
        Ok(SignInOutcome::Further(next)) => respond::next(Ok(next), &app, &headers),
        Ok(SignInOutcome::No(problem)) => {
            let said = (StatusCode::UNAUTHORIZED, Some(problem));
            forms(&app, &visitor, tried, said, &headers).await
        }
        Err(FlowError::Token(OAuthError::Throttled(seconds))) => {
            let problem = format!("Too many attempts. Try again in {seconds} s.");
            let said = (StatusCode::TOO_MANY_REQUESTS, Some(&*problem));
            let mut response = forms(&app, &visitor, tried, said, &headers).await;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
        Err(FlowError::Token(OAuthError::MustChangePassword(person))) => {
            change_first(&app, &person).await
        }
        Err(error) => respond::refused(error, &app, &headers),
    }
}

/// The page of `flow`, on which the form of the method `tried` was sent last time.
async fn forms(
    app: &App,
    visitor: &Visitor,
    (flow, tried): (&str, &str),
    said: (StatusCode, Option<&str>),
    headers: &HeaderMap,
) -> Response {
    let view = match app.issuer().view_flow(flow, &visitor.browser).await {
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
        Some(factors) => page(app, (flow, tried), (&view, factors), said),
    }
}

fn page(
    app: &App,
    (flow, tried): (&str, &str),
    (view, factors): (&FlowView, &[FactorForm]),
    (status, problem): (StatusCode, Option<&str>),
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
        flow,
        forms: factors.iter().map(form).collect(),
        tried,
        problem,
    };
    let target = view.redirect_uri.as_deref().and_then(respond::form_target);
    respond::html(status, &page, target.as_deref())
}
