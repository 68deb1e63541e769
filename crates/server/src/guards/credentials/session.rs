//! Browser sessions at guards that list `session` (`docs/contracts/decidim.md` §5.2): a person uses
//! the API as themselves from a page of the same origin.
//!
//! A cookie goes along with requests that nobody meant, so it counts only beside a header that no
//! form and no other origin's script can send unasked (§9, item 8): `X-Requested-With`. Beside a
//! form it never does (`docs/rules.md` rule 36).

use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue, header};
use castellan_gate::{Caller, Identity};
use castellan_issuer::{Issuer, caller_policies::PolicySubject, session::browser::Browser};
use castellan_proto::{
    Opaque, OpaqueKind,
    scope::{Scope, Scopes},
};

use super::{CredentialKind, Shown, unavailable};
use crate::{
    config::{GuardConfig, Method},
    guards::{GuardParts, policies::GuardPolicies},
    wire::request,
};

/// The kind of callers with a browser session.
const KIND: &str = "session";
/// What a page sends that means its request.
const MEANT: &str = "x-requested-with";

struct BrowserSession {
    issuer: Issuer,
    policies: GuardPolicies,
}

pub(super) fn take(config: &GuardConfig, parts: &GuardParts) -> Option<Box<dyn CredentialKind>> {
    let takes = config.authenticate.list().contains(&Method::Session);
    takes.then(|| {
        let policies = GuardPolicies::of(config, parts);
        Box::new(BrowserSession { issuer: parts.issuer.clone(), policies }) as _
    })
}

#[async_trait]
impl CredentialKind for BrowserSession {
    /// Who is signed in in the browser that sent `headers`; none if it shows no session, or a request
    /// that its page may not have meant. A session that is over taints the caller.
    async fn by_headers(&self, headers: &HeaderMap) -> Shown {
        let Some(cookie) = request::cookie(headers, request::SESSION) else { return Ok(None) };
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let form = kind.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded");
        if form || !headers.contains_key(MEANT) || site.is_some_and(|site| site != b"same-origin") {
            return Ok(None);
        }
        let session = Opaque::read(OpaqueKind::Session, cookie);
        let mark = request::cookie(headers, request::mark_cookie(is_https(&self.issuer)));
        let mark = mark.and_then(|mark| Opaque::read(OpaqueKind::Browser, mark));
        let browser = Browser { session, mark, ..Browser::default() };
        let signed_in = self.issuer.signed_in(&browser).await;
        let Some(signed_in) = signed_in.map_err(|error| unavailable(&error))? else {
            return Ok(Some(Caller::invalid()));
        };
        let account = Arc::new(signed_in.account);
        let (person, person_term) =
            super::person(&self.issuer, &signed_in.account_id, &account).await?;
        let subject = || PolicySubject {
            user: Some((signed_in.account_id.clone(), account)),
            scope: Some(everything()),
            ..PolicySubject::default()
        };
        Ok(Some(Caller::known(Identity {
            kind: KIND,
            person: Some(person),
            person_term,
            policy_term: self.policies.about(subject).await?,
            token_scopes: everything(),
            ..Identity::default()
        })))
    }
}

/// Whether browsers reach the site by https.
fn is_https(issuer: &Issuer) -> bool {
    issuer.address().issuer.starts_with("https://")
}

/// A person may do with the API whatever it has scopes for.
pub(super) fn everything() -> Scopes {
    ["user", "api:read", "api:write"]
        .map(|name| Scope::Named(name.to_owned()))
        .into_iter()
        .collect()
}
