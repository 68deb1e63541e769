//! Sessions at guards that list `session`.
//!
//! A cookie goes along with requests that nobody meant. At guards of the pages' sessions
//! (`docs/contracts/decidim.md` §5.2) it counts only beside a header that no form and no other origin's
//! script can send unasked (§9, item 8): `X-Requested-With`. Beside a form it never does
//! (`docs/rules.md` rule 36). Where a SiteAccess has sessions of its own (`docs/contracts/ibexa.md`
//! §2), unsafe requests need a token instead, which is checked on admission.

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue, header};
use castellan_gate::{Caller, Identity, Unavailable};
use castellan_issuer::{
    Issuer,
    caller_policies::PolicySubject,
    session::browser::{Browser, SignedIn},
};
use castellan_proto::{
    Opaque, OpaqueKind,
    scope::{Scope, ScopePattern, Scopes},
};

use super::{CredentialKind, Shown, unavailable};
use crate::{
    config::{GuardConfig, Method},
    dialects::{OpenSession, SessionCookie, SessionsOf, ShownSession},
    guards::{GuardParts, policies::GuardPolicies},
    wire::request,
};

/// The kind of callers with a browser session.
const KIND: &str = "session";
/// What a page sends that means its request.
pub(super) const MEANT: &str = "x-requested-with";

struct BrowserSession {
    people: PeopleBySession,
}

/// Whom sessions make of their senders at one guard.
struct PeopleBySession {
    issuer: Issuer,
    policies: GuardPolicies,
}

/// The sessions of people at a guard whose SiteAccesses have some.
pub(in crate::guards) struct SiteAccessSessions {
    people: PeopleBySession,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::Session)
        && matches!(config.sessions_of(), SessionsOf::Pages);
    takes.then(|| Box::new(BrowserSession { people: PeopleBySession::of(config, parts) }) as _)
}

#[async_trait]
impl CredentialKind for BrowserSession {
    /// Who is signed in in the browser that sent `headers`; none if it shows no session, or a request
    /// that its page may not have meant. A session that is over taints the caller.
    async fn by_headers(&self, headers: &HeaderMap) -> Shown {
        let Some(browser) = self.people.browser(headers) else { return Ok(None) };
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let form = kind.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded");
        if form || !headers.contains_key(MEANT) || site.is_some_and(|site| site != b"same-origin") {
            return Ok(None);
        }
        let signed_in = self.people.issuer.signed_in(&browser).await;
        match signed_in.map_err(|error| unavailable(&error))? {
            Some(signed_in) => self.people.caller(&signed_in, named_scopes()).await.map(Some),
            None => Ok(Some(Caller::invalid())),
        }
    }
}

impl SiteAccessSessions {
    /// Those at a guard that takes them.
    pub(in crate::guards) fn of(config: &GuardConfig, parts: &GuardParts) -> Option<Self> {
        let takes = config.takes_site_access_sessions();
        takes.then(|| Self { people: PeopleBySession::of(config, parts) })
    }

    /// The open session that `headers` show, and its person. `cookie`, which is that of the SiteAccess,
    /// decides alone where there is one, valid or not; else those of the pages do.
    pub(in crate::guards) async fn find(
        &self,
        headers: &HeaderMap,
        cookie: &SessionCookie,
    ) -> Result<Option<(OpenSession, Caller)>, Unavailable> {
        let issuer = &self.people.issuer;
        let (signed_in, shown) = if cookie.is_in(headers) {
            let Some(shown) = cookie.read(headers) else { return Ok(None) };
            (issuer.session_at(&cookie.name, &shown).await, ShownSession::Own(shown))
        } else {
            let Some(browser) = self.people.browser(headers) else { return Ok(None) };
            (issuer.signed_in(&browser).await, ShownSession::Pages(browser))
        };
        let Some(signed_in) = signed_in.map_err(|error| unavailable(&error))? else {
            return Ok(None);
        };
        let caller = self.people.caller(&signed_in, every_operation()).await?;
        Ok(Some((OpenSession { signed_in, shown }, caller)))
    }
}

impl PeopleBySession {
    fn of(config: &GuardConfig, parts: &GuardParts) -> Self {
        Self { issuer: parts.issuer.clone(), policies: GuardPolicies::of(config, parts) }
    }

    /// The browser that sent `headers`, if it has a cookie of the pages.
    fn browser(&self, headers: &HeaderMap) -> Option<Browser> {
        let session =
            Opaque::read(OpaqueKind::Session, request::cookie(headers, request::SESSION)?);
        let mark = request::mark(headers, &self.issuer.address().issuer);
        Some(Browser { session, mark, ..Browser::default() })
    }

    async fn caller(&self, signed_in: &SignedIn, scopes: Scopes) -> Result<Caller, Unavailable> {
        let account = Arc::new(signed_in.account.clone());
        let (person, person_term) =
            super::person(&self.issuer, &signed_in.account_id, &account).await?;
        let subject = || PolicySubject {
            user: Some((signed_in.account_id.clone(), account)),
            scope: Some(scopes.clone()),
            ..PolicySubject::default()
        };
        let policy_term = self.policies.about(subject).await?;
        Ok(Caller::known(Identity {
            kind: KIND,
            person: Some(person),
            person_term,
            policy_term,
            token_scopes: scopes,
            ..Identity::default()
        }))
    }
}

/// A person may do with the API whatever it has scopes for.
fn named_scopes() -> Scopes {
    ["user", "api:read", "api:write"]
        .map(|name| Scope::Named(name.to_owned()))
        .into_iter()
        .collect()
}

/// There is no app that could be granted less than all: a person may do what their roles allow, which
/// such a guard requires.
pub(super) fn every_operation() -> Scopes {
    ["Query:*", "Mutation:*", "Subscription:*"]
        .into_iter()
        .filter_map(|text| ScopePattern::try_from(text.to_owned()).ok())
        .map(Scope::Pattern)
        .collect()
}
