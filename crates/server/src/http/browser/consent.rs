//! `/auth/consent`, also at its older address `/auth/grant`: may this app access the account?

use axum::{
    http::{HeaderMap, StatusCode},
    response::Response,
};
use castellan_issuer::{authorization::next::Answer, records::ScopeText};

use super::{
    cookies::{self, Visitor},
    device,
    localized::{LocalizedApp, languages},
    respond,
    scope_text::{self, Phrase},
};
use crate::{
    pages::{Ability, ConsentPage, Effect},
    wire::extract::{Form, Query},
};

/// Shows the consent page.
pub(crate) async fn show(
    app: LocalizedApp,
    visitor: Visitor,
    Query(params): Query,
    headers: HeaderMap,
) -> Response {
    let flow = params.get("flow").unwrap_or_default();
    let view = match app.issuer().view_flow(flow, &visitor.browser).await {
        Ok(view) => view,
        Err(error) => return respond::refused(error, &app, &headers),
    };
    let with_email = view.profile.profile_opens_email();
    let texts = match app.issuer().scope_texts().await {
        Ok(texts) => texts,
        Err(error) => return respond::refused(error.into(), &app, &headers),
    };
    let app = app.for_flow(&view);
    let (t, language) = (app.texts(), app.language().tag());
    // A text in the language of the page, else in another one that the person reads.
    let languages: Vec<_> = [language.to_owned()].into_iter().chain(languages(&headers)).collect();
    let schemas: Vec<_> =
        app.guards().iter().filter_map(|guard| guard.shown_schema(app.issuer())).collect();
    let phrases: Vec<_> = view
        .scopes
        .iter()
        .map(|scope| scope_text::words(scope, with_email, &schemas, &t.scopes))
        .collect();
    let claims: Vec<_> = view.claims.iter().map(|claim| (claim, t.scopes.claim(claim))).collect();
    let claims = claims.iter().map(|(scope, words)| Ability {
        scope,
        words,
        description: None,
        language: None,
        effect: Effect::Reads,
    });
    let abilities: Vec<_> = view
        .scopes
        .iter()
        .zip(&phrases)
        .filter(|(scope, _)| *scope != "openid")
        .map(|(scope, phrase)| ability(scope, phrase, texts.get(scope), &languages))
        .chain(claims)
        .collect();
    let redirect = view.redirect_uri.unwrap_or_default();
    let host = &respond::host(&redirect, t);
    let user_code = view.user_code.as_deref().map(device::hyphenated);
    let grant = ConsentPage {
        frame: app.frame(),
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

/// What the page, which is in the first of `languages`, says of `scope`: in the words that somebody
/// wrote for it, else by `phrase`.
fn ability<'a>(
    scope: &'a str,
    phrase: &'a Phrase,
    text: Option<&'a ScopeText>,
    languages: &[String],
) -> Ability<'a> {
    let by_schema = Ability {
        scope,
        words: &phrase.title,
        description: phrase.description.as_deref(),
        language: None,
        // Whatever anybody calls it.
        effect: phrase.effect,
    };
    let Some(text) = text else { return by_schema };
    let (language, words) = text.in_languages(languages);
    let description = Some(&*words.description).filter(|text| !text.is_empty());
    let page = languages.first().map_or("", String::as_str);
    let language = Some(language).filter(|language| *language != page);
    Ability { words: &words.title, description, language, ..by_schema }
}

/// Handles the person's answer.
pub(crate) async fn answer(
    app: LocalizedApp,
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
