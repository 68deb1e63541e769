//! In which language a page is.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use castellan_gate::DecisionId;
use castellan_issuer::{
    authorization::next::FlowView,
    language::{Language, accepted},
};

use crate::{app::App, pages::Frame, texts::Texts, wire::extract};

/// The app, for a request whose pages are in one language.
///
/// That is the one that an app asks for (`ui_locales`, OIDC Core §3.1.2.1), else the one that the
/// browser prefers, of those that the site offers.
#[derive(Clone)]
pub(crate) struct LocalizedApp {
    app: App,
    language: Language,
    /// What the log calls the request.
    id: Option<DecisionId>,
}

impl Deref for LocalizedApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl FromRequestParts<App> for LocalizedApp {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let id = parts.extensions.get::<DecisionId>().copied();
        let localized = Self::of(app, &parts.headers, id);
        let params = extract::query(parts.uri.query()).unwrap_or_default();
        Ok(match params.get("ui_locales") {
            Some(locales) => localized.in_locales(locales),
            None => localized,
        })
    }
}

impl LocalizedApp {
    /// `app` in the language that a browser with `headers` prefers, for the request that is called `id`.
    pub(crate) fn of(app: &App, headers: &HeaderMap, id: Option<DecisionId>) -> Self {
        let offered = &*app.issuer().settings().languages;
        let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let language = Language::lookup(accepted(header.unwrap_or_default()), offered)
            .or_else(|| offered.first().copied())
            .unwrap_or(Language::English);
        Self { app: app.clone(), language, id }
    }

    /// The same in the first of `locales`, which are separated by blanks, that the site offers.
    fn in_locales(self, locales: &str) -> Self {
        let offered = &self.app.issuer().settings().languages;
        let language = Language::lookup(locales.split_ascii_whitespace(), offered);
        Self { language: language.unwrap_or(self.language), ..self }
    }

    /// The same in the language that the app of a flow asks for.
    pub(crate) fn for_flow(&self, view: &FlowView) -> Self {
        self.clone().in_locales(&view.ui_locales)
    }

    /// The language of the page.
    pub(crate) const fn language(&self) -> Language {
        self.language
    }

    /// Everything that pages say in it.
    pub(crate) const fn texts(&self) -> &'static Texts {
        Texts::of(self.language)
    }

    /// What is around the page.
    pub(crate) fn frame(&self) -> Frame {
        let look = Arc::clone(&self.app.theme().look);
        Frame { site: self.app.title(), texts: self.texts(), look }
    }

    /// What a person quotes who asks for help with this request.
    pub(crate) fn reference(&self) -> Option<String> {
        self.id.map(|id| id.as_str().to_owned())
    }
}

/// The languages that the browser prefers, the best first.
pub(in crate::http) fn languages(headers: &HeaderMap) -> Vec<String> {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    accepted(header.unwrap_or_default()).into_iter().map(ToOwned::to_owned).collect()
}
