//! `/auth/consent`, also at its older address `/auth/grant`: may this app access the account?

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use castellan_issuer::{authorization::next::Answer, records::ScopeText};

use super::{
    cookies::{self, Visitor},
    device, respond,
    scope_text::{self, Phrase},
};
use crate::{
    app::App,
    pages::{Ability, ConsentPage},
    wire::extract::{Form, Query},
};

/// The language of the pages.
const LANGUAGE: &str = "en";

/// Shows the consent page.
pub(crate) async fn show(
    State(app): State<App>,
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
    let languages = languages(&headers);
    let schemas: Vec<_> =
        app.guards().iter().filter_map(|guard| guard.shown_schema(app.issuer())).collect();
    let phrases: Vec<_> =
        view.scopes.iter().map(|scope| scope_text::words(scope, with_email, &schemas)).collect();
    let claims: Vec<_> =
        view.claims.iter().map(|claim| (claim, scope_text::of_claim(claim))).collect();
    let claims = claims.iter().map(|(scope, words)| Ability {
        scope,
        words,
        description: None,
        language: None,
        writes: false,
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
    let host = url::Url::parse(&redirect).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or("an app on this device");
    let user_code = view.user_code.as_deref().map(device::hyphenated);
    let site = &app.title();
    let grant = ConsentPage {
        site,
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

/// What the page says of `scope`: in the words that somebody wrote for it, else by `phrase`.
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
        writes: phrase.writes,
    };
    let Some(text) = text else { return by_schema };
    let (language, words) = text.in_languages(languages);
    let description = Some(&*words.description).filter(|text| !text.is_empty());
    let language = Some(language).filter(|language| *language != LANGUAGE);
    Ability { words: &words.title, description, language, ..by_schema }
}

/// The languages that the browser prefers, the best first (RFC 9110 §12.5.4). Those that it does not
/// want, and `*`, are left out.
pub(in crate::http) fn languages(headers: &HeaderMap) -> Vec<String> {
    const MOST: usize = 16;
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let mut weighed: Vec<(f32, &str)> = accept
        .unwrap_or_default()
        .split(',')
        .take(MOST)
        .filter_map(|one| {
            let (tag, weight) = one.split_once(';').unwrap_or((one, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            Some((weight, tag.trim())).filter(|(weight, tag)| *weight > 0.0 && *tag != "*")
        })
        .collect();
    weighed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    weighed.into_iter().map(|(_, tag)| tag.to_owned()).collect()
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
