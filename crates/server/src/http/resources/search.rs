//! Searches: `GET /{Kind}?…` (`docs/contracts/aidbox.md` §1.2).

use axum::{
    http::{StatusCode, request::Parts},
    response::Response,
};
use castellan_issuer::resources::search::{Found, ListError, Next, Search};
use serde_json::{Value, json};

use super::{Outcome, Place, content};
use crate::{app::App, wire::request};

pub(super) async fn list(app: &App, place: Place, parts: &Parts) -> Result<Response, Outcome> {
    let pairs = request::query_pairs(parts.uri.query());
    let pairs = pairs.map_err(|error| Outcome::Bad(error.to_string()))?;
    let named = pairs.iter().map(|(name, value)| (&**name, &**value));
    let search = Search::read(place.kind, named).map_err(refused)?;
    let found = app.issuer().search(&search).await.map_err(refused)?;
    let address = app.at(&place.path());
    let links = Links { address, pairs: &pairs, search: &search }.all(&found);
    let documents = found.documents.into_iter().map(|document| place.style.write(document));
    let entries: Vec<Value> = documents.map(|document| json!({"resource": document})).collect();
    let mut bundle = json!({"resourceType": "Bundle", "type": "searchset"});
    if let Some(total) = found.total {
        bundle["total"] = json!(total);
    }
    bundle["link"] = json!(links);
    bundle["entry"] = json!(entries);
    Ok(content::answer(StatusCode::OK, &bundle, &parts.headers))
}

fn refused(error: ListError) -> Outcome {
    match error {
        ListError::Store(error) => Outcome::broken(&error),
        ListError::Unsupported(cause) => {
            Outcome::Unsupported(format!("{}: {cause}", cause.as_str()))
        }
        error => Outcome::Bad(error.to_string()),
    }
}

/// The links of a page.
struct Links<'a> {
    address: String,
    pairs: &'a [(String, String)],
    search: &'a Search,
}

impl Links<'_> {
    fn all(&self, found: &Found) -> Vec<Value> {
        let page = self.search.page;
        let mut links = vec![
            link("first", &self.at(None, None)),
            link("self", &self.with(self.pairs.iter().cloned())),
        ];
        match &found.next {
            Some(Next::After(cursor)) => {
                links.push(link("next", &self.at(Some(page.saturating_add(1)), Some(cursor))));
            }
            Some(Next::Page) if self.search.reaches(page.saturating_add(1)) => {
                links.push(link("next", &self.at(Some(page.saturating_add(1)), None)));
            }
            Some(Next::Page) | None => {}
        }
        if page > 1 && self.search.reaches(page - 1) {
            links.push(link("previous", &self.at(Some(page - 1), None)));
        }
        let last = found.total.and_then(|total| usize::try_from(total).ok());
        let last = last.map(|total| total.div_ceil(self.search.count()).max(1));
        if let Some(last) = last.filter(|last| self.search.reaches(*last)) {
            links.push(link("last", &self.at(Some(last), None)));
        }
        links
    }

    /// The same question at another place.
    fn at(&self, page: Option<usize>, after: Option<&str>) -> String {
        let question =
            self.pairs.iter().filter(|(name, _)| !["_page", "_after"].contains(&&**name));
        let page = page.map(|page| ("_page".to_owned(), page.to_string()));
        let after = after.map(|cursor| ("_after".to_owned(), cursor.to_owned()));
        self.with(question.cloned().chain(page).chain(after))
    }

    fn with(&self, pairs: impl Iterator<Item = (String, String)>) -> String {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.address)
    }
}

fn link(relation: &str, url: &str) -> Value {
    json!({"relation": relation, "url": url})
}
