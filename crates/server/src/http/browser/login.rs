//! `/auth/login`: who are you?

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use castellan_issuer::{
    authorization::next::{FlowError, FlowView, SignInOutcome},
    error::OAuthError,
    language::{Language, Text},
    request::params::Params,
    sign_in::{
        FieldKind, SignInMethod,
        reset::{IssueError, RESET_PATH},
    },
};

use super::{
    cookies::{self, Visitor},
    forgot::FORGOT_PATH,
    localized::LocalizedApp,
    respond,
};
use crate::{
    pages::{AuthenticatorForm, Input, InputKind, LoginPage, SignInForm},
    wire::{
        error::Refusal,
        extract::{Form, Query},
    },
};

/// The sign-in form. Without a flow, a person signs in to Castellan itself.
pub(crate) async fn show(
    app: LocalizedApp,
    visitor: Visitor,
    Query(params): Query,
    headers: HeaderMap,
) -> Response {
    let Some(flow) = params.get("flow") else {
        let step = match params.get("redirect_to") {
            None => app.issuer().begin_sign_in(&visitor.browser).await,
            Some(url) => {
                let client = params.get("client_id");
                app.issuer().begin_sign_in_for(url, client, &visitor.browser).await
            }
        };
        let mut response = respond::next(step, &app, &headers);
        visitor.remember(&app, &mut response);
        return response;
    };
    match app.issuer().view_flow(flow, &visitor.browser).await {
        Ok(view) => form(&app.for_flow(&view), flow, &view, StatusCode::OK, None),
        Err(error) => respond::refused(error, &app, &headers),
    }
}

/// The form comes back.
pub(crate) async fn submit(
    app: LocalizedApp,
    visitor: Visitor,
    headers: HeaderMap,
    Form(params): Form,
) -> Response {
    if let Some(response) = declined(&app, &visitor, &params, &headers).await {
        return response;
    }
    let flow = params.get("flow").unwrap_or_default();
    let name = user_name(&app, &params);
    let outcome = app.issuer().sign_in(flow, &params, &visitor.browser).await;
    match attempt(&app, &visitor, outcome, &headers).await {
        Attempt::Answered(response) => response,
        Attempt::Wrong(problem) => {
            let typed = Typed { flow, name };
            again(&app, &visitor, typed, problem, &headers).await
        }
        Attempt::Throttled(seconds) => later(&app, &visitor, flow, name, seconds).await,
    }
}

/// The answer to a form of a sign-in that another site sent, or by which the person declined.
pub(super) async fn declined(
    app: &LocalizedApp,
    visitor: &Visitor,
    params: &Params,
    headers: &HeaderMap,
) -> Option<Response> {
    if !cookies::is_same_origin(app, headers) {
        return Some(cookies::cross_site());
    }
    if params.get("decision") != Some("deny") {
        return None;
    }
    let flow = params.get("flow").unwrap_or_default();
    Some(respond::next(app.issuer().decline(flow, &visitor.browser).await, app, headers))
}

/// What came of an attempt to show who one is.
pub(super) enum Attempt {
    /// It is answered.
    Answered(Response),
    /// What was shown is wrong: the form appears again, with this text.
    Wrong(Text),
    /// There were too many attempts: the form appears again, for use in this number of seconds.
    Throttled(u64),
}

/// Answers `outcome` as far as the page does not matter on which the attempt was made.
pub(super) async fn attempt(
    app: &LocalizedApp,
    visitor: &Visitor,
    outcome: Result<SignInOutcome, FlowError>,
    headers: &HeaderMap,
) -> Attempt {
    Attempt::Answered(match outcome {
        Ok(SignInOutcome::Yes(cookie, next)) => {
            let mut response = respond::next(Ok(next), app, headers);
            visitor.set_session(app, &mut response, &cookie);
            response
        }
        Ok(SignInOutcome::Further(next)) => respond::next(Ok(next), app, headers),
        Ok(SignInOutcome::No(problem)) => return Attempt::Wrong(problem),
        Err(FlowError::Token(OAuthError::Throttled(seconds))) => {
            return Attempt::Throttled(seconds);
        }
        Err(FlowError::Token(OAuthError::MustChangePassword(person))) => {
            change_first(app, &person).await
        }
        Err(FlowError::Token(error @ OAuthError::Busy(_))) => Refusal::from(error).into_response(),
        Err(error) => respond::refused(error, app, headers),
    })
}

/// The page that sets a new password, for `person`, who has shown all that they sign in with, and has to
/// change their password first.
async fn change_first(app: &LocalizedApp, person: &str) -> Response {
    match app.issuer().issue_reset(person).await {
        Ok(token) => {
            let mut response = respond::see_other(RESET_PATH);
            cookies::set_reset(app, &mut response, &token.text());
            response
        }
        Err(IssueError::Token(error)) => Refusal::from(error).into_response(),
        // Deleted or deactivated since.
        Err(IssueError::Unknown | IssueError::Inactive) => {
            Refusal::from(OAuthError::WrongPassword).into_response()
        }
    }
}

/// What was typed in as the name of the person.
fn user_name<'a>(app: &LocalizedApp, form: &'a Params) -> &'a str {
    let fields = app.issuer().sign_in_methods().flat_map(SignInMethod::fields);
    let mut names = fields.filter(|field| field.kind == FieldKind::UserName);
    names.find_map(|field| form.get(field.name)).unwrap_or_default()
}

/// A form that was sent.
struct Typed<'a> {
    flow: &'a str,
    /// The name of the person, as it was typed.
    name: &'a str,
}

/// The form again, with the name as it was typed.
async fn again(
    app: &LocalizedApp,
    visitor: &Visitor,
    Typed { flow, name }: Typed<'_>,
    problem: Text,
    headers: &HeaderMap,
) -> Response {
    match app.issuer().view_flow(flow, &visitor.browser).await {
        Ok(view) => {
            let view = FlowView { login_hint: name.chars().take(256).collect(), ..view };
            let app = &app.for_flow(&view);
            let problem = problem.in_language(app.language());
            form(app, flow, &view, StatusCode::UNAUTHORIZED, Some(problem))
        }
        Err(error) => respond::refused(error, app, headers),
    }
}

/// The form again after too many attempts: the same words whether there is such a person or not.
async fn later(
    app: &LocalizedApp,
    visitor: &Visitor,
    flow: &str,
    name: &str,
    seconds: u64,
) -> Response {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let view = app.issuer().view_flow(flow, &visitor.browser).await;
    let mut response = if let Ok(view) = view {
        let view = FlowView { login_hint: name.chars().take(256).collect(), ..view };
        let app = &app.for_flow(&view);
        let problem = (app.texts().common.throttled)(seconds);
        form(app, flow, &view, status, Some(&problem))
    } else {
        let text = (app.texts().common.throttled)(seconds);
        respond::message(app, status, (app.texts().errors.too_many_attempts, &*text))
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The form of `method`, with the name of the person filled in as far as it is known.
fn sign_in_form<'a>(
    method: &'a dyn SignInMethod,
    login_hint: &'a str,
    language: Language,
) -> SignInForm<'a> {
    let fields = method.fields().iter().map(|field| {
        let value = if field.kind == FieldKind::UserName { login_hint } else { "" };
        let kind = match field.kind {
            FieldKind::UserName => InputKind::UserName,
            FieldKind::Secret => InputKind::Secret,
            FieldKind::Code => InputKind::Code,
            FieldKind::Text => InputKind::Text,
        };
        Input {
            name: field.name,
            label: field.label.in_language(language),
            kind,
            autocomplete: field.autocomplete,
            value,
        }
    });
    SignInForm { method: method.name(), fields: fields.collect() }
}

fn form(
    app: &LocalizedApp,
    flow: &str,
    view: &FlowView,
    status: StatusCode,
    problem: Option<&str>,
) -> Response {
    let typed = app.issuer().sign_in_methods().filter(|method| !method.fields().is_empty());
    let forms = typed.map(|method| sign_in_form(method, &view.login_hint, app.language()));
    let request = |method: &dyn SignInMethod| {
        let options = method.request(app.issuer(), flow)?;
        Some(AuthenticatorForm { method: method.name(), options: options.to_string() })
    };
    let authenticator = app.issuer().sign_in_methods().find_map(request);
    let forms = forms.collect();
    let theme = app.theme();
    let own = app.issuer().mails_reset_links().then_some(FORGOT_PATH);
    let login = LoginPage {
        frame: app.frame(),
        heading: theme.title(app.language()),
        text: theme.text(app.language()),
        forgot_password_url: theme.forgot_password_url().or(own),
        client_name: view.client_name.as_deref(),
        flow,
        forms,
        authenticator,
        problem,
    };
    let target = view.redirect_uri.as_deref().and_then(respond::form_target);
    respond::html_with_script(status, &login, target.as_deref())
}
