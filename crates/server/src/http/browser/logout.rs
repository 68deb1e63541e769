//! `/auth/logout`: signing out of this browser, at the request of an app or of the person.

use axum::{
    Json,
    body::Body,
    extract::RawQuery,
    http::{HeaderMap, Request, StatusCode},
    response::{IntoResponse as _, Response},
};
use castellan_issuer::{
    authorization::request::AuthorizeError, error::OAuthError, request::params::Params,
};
use castellan_proto::ErrorCode;
use serde_json::{Map, Value, json};

use super::{
    account::signed_in,
    cookies::{self, Visitor},
    localized::LocalizedApp,
    respond,
};
use crate::pages::{Link, LogoutPage};
use crate::wire::{
    error::{Refusal, no_store},
    extract,
    request::{LONGEST_QUERY, is_json, read_form, whole},
};

/// What an app may send along (RP-Initiated Logout §2); it comes back with the answer.
const ASKED: [&str; 4] = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"];

/// The question; spared if the app shows whom it means, and that is who is signed in.
pub(crate) async fn ask(
    app: LocalizedApp,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let params = extract::query(query.as_deref())?;
    let request = match app.issuer().read_logout(&params).await {
        Ok(request) => request,
        Err(error) => return Ok(respond::refused(error.into(), &app, &headers)),
    };
    let back = request.back.as_deref();
    let Some(person) = signed_in(&app, &visitor).await? else { return Ok(signed_out(&app, back)) };
    if request.subject.is_some_and(|subject| subject == person.account_id) {
        return end(&app, &visitor, back).await;
    }
    let shown = LogoutPage {
        frame: app.frame(),
        account_name: &person.account.display_name(),
        csrf: &app.issuer().csrf_token(&person.session),
        hidden: &asked(&params),
    };
    Ok(respond::html(StatusCode::OK, &shown, back.and_then(respond::form_target).as_deref()))
}

/// The answer, or the question as a form that an app has a browser send; or a script of this site that
/// signs its person out (`docs/contracts/aidbox.md` §11a).
pub(crate) async fn submit(
    app: LocalizedApp,
    visitor: Visitor,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let headers = request.headers().clone();
    if is_json(&headers) {
        let body = whole(request).await?;
        return by_script(&app, &visitor, &headers, &body).await;
    }
    let params = read_form(request).await?;
    let asked = asked(&params);
    let Some(token) = params.get("csrf").or(asked.is_empty().then_some("")) else {
        // A browser keeps the session's cookie from a form of another site, and not from the page
        // that it is led to.
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
        if query.len() > LONGEST_QUERY {
            let text = "the request is too long".to_owned();
            let code = ErrorCode::InvalidRequest;
            let why = AuthorizeError::Page { code, text };
            return Ok(respond::refused(why.into(), &app, &headers));
        }
        return Ok(respond::see_other(&format!("/auth/logout?{query}")));
    };
    let request = match app.issuer().read_logout(&params).await {
        Ok(request) => request,
        Err(error) => return Ok(respond::refused(error.into(), &app, &headers)),
    };
    let back = request.back.as_deref();
    let Some(person) = signed_in(&app, &visitor).await? else { return Ok(signed_out(&app, back)) };
    if !cookies::is_same_origin(&app, &headers)
        || !app.issuer().csrf_matches(&person.session, token)
    {
        return Ok(cookies::cross_site());
    }
    end(&app, &visitor, back).await
}

/// Signs the person out for a script of this site; a script of another site cannot send JSON without a
/// preflight request. The body has no members.
async fn by_script(
    app: &LocalizedApp,
    visitor: &Visitor,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Refusal> {
    let is_empty = body.is_empty()
        || serde_json::from_slice::<Map<String, Value>>(body).is_ok_and(|body| body.is_empty());
    if !is_empty {
        return Err(OAuthError::Unreadable.into());
    }
    if !cookies::is_same_origin(app, headers) {
        return Ok(cookies::cross_site());
    }
    let logout = app.issuer().sign_out(&visitor.browser).await.map_err(OAuthError::from)?;
    // The script loads these in frames of its own page.
    let mut response = no_store(Json(json!({"frames": logout.frames})).into_response());
    if visitor.browser.session.is_some() {
        cookies::clear_session(app, &mut response);
    }
    Ok(response)
}

fn asked(params: &Params) -> Vec<(&'static str, &str)> {
    ASKED.into_iter().filter_map(|name| Some((name, params.get(name)?))).collect()
}

async fn end(
    app: &LocalizedApp,
    visitor: &Visitor,
    back: Option<&str>,
) -> Result<Response, Refusal> {
    let logout = app.issuer().sign_out(&visitor.browser).await.map_err(OAuthError::from)?;
    let mut response = match &*logout.frames {
        [] => signed_out(app, back),
        frames => respond::signed_out(app, frames, back),
    };
    cookies::clear_session(app, &mut response);
    Ok(response)
}

fn signed_out(app: &LocalizedApp, back: Option<&str>) -> Response {
    back.map_or_else(
        || {
            let t = &app.texts().sign_out;
            let onward = Link { address: "/account", label: t.again };
            respond::message_with(app, StatusCode::OK, (t.signed_out, t.close), onward)
        },
        respond::found,
    )
}
