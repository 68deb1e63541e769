//! `/auth/consent`, also at its older address `/auth/grant`: may this app access the account?

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use castellan_issuer::authorization::next::Answer;

use super::{
    cookies::{self, Visitor},
    device, respond, scope_text,
};
use crate::{
    app::App,
    pages::{Ability, ConsentPage},
    wire::{
        error::Refusal,
        extract::{self, Form},
    },
};

/// Shows the consent page.
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
    let view = match app.issuer().view_flow(flow, &visitor.browser).await {
        Ok(view) => view,
        Err(error) => return respond::refused(error, &app, &headers),
    };
    let with_email = view.profile.profile_opens_email();
    let words: Vec<_> =
        view.scopes.iter().map(|scope| scope_text::words(scope, with_email)).collect();
    let claims: Vec<_> =
        view.claims.iter().map(|claim| (claim, scope_text::of_claim(claim))).collect();
    let claims = claims.iter().map(|(scope, words)| Ability { scope, words, writes: false });
    let abilities: Vec<_> = view
        .scopes
        .iter()
        .zip(&words)
        .filter(|(scope, _)| *scope != "openid")
        .map(|(scope, (words, writes))| Ability { scope, words, writes: *writes })
        .chain(claims)
        .collect();
    let redirect = view.redirect_uri.unwrap_or_default();
    let host = url::Url::parse(&redirect).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or("an app on this device");
    let user_code = view.user_code.as_deref().map(device::hyphenated);
    let grant = ConsentPage {
        site: app.title(),
        client_name: view.client_name.as_deref().unwrap_or_default(),
        client_uri: view.client_uri.as_deref(),
        account_name: view.account_name.as_deref().unwrap_or_default(),
        flow,
        abilities: &abilities,
        redirect_host: host,
        user_code: user_code.as_deref(),
    };
    respond::html(StatusCode::OK, &grant, respond::form_target(&redirect).as_deref())
}

/// Handles the person's answer.
pub(crate) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if !cookies::is_same_origin(&app, &headers) {
        return cookies::cross_site();
    }
    let answer = match params.get("decision") {
        Some("allow") => Answer::Allow,
        Some("switch") => Answer::Switch,
        // Whatever is not a yes is a no.
        _ => Answer::Deny,
    };
    let flow = params.get("flow").unwrap_or_default();
    let step = app.issuer().consent(flow, answer, &visitor.browser).await;
    let mut response = respond::next(step, &app, &headers);
    if answer == Answer::Switch {
        cookies::clear_session(&app, &mut response);
    }
    response
}
