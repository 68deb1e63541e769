//! What a request at an http guard passes before its gate: who sent it, by exactly one credential,
//! whether it is meant, and the endpoints that the guard's dialect has below its path.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Request, Response, header, request::Parts},
};
use castellan_gate::{
    Caller, DecisionId, Unavailable, Verifier as _,
    rest::{Presented, RestRefusal, present},
};
use castellan_issuer::Issuer;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::{
    Denials, GuardParts,
    credentials::{Credentials, SessionOf, SiteAccessSessions},
    csrf, expected_user, http, method_override,
    observers::GuardObservers,
    recorder::{RefusedRequest, Sender},
    site_access::{AtSiteAccess, GuardSiteAccesses, SiteAccess},
    websocket,
};
use crate::{
    config::{Anonymous, GuardConfig, Method},
    dialects::{
        Admitted, Area, Asked, Endpoints, GuardDialect, GuardRefusal, OpenSession, SESSION_COOKIES,
        SessionCookie, SessionsOf,
    },
    wire::{guard_refusal::Unmeant, request},
};

/// How long it may take to find out who calls.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request to an endpoint of ours may take to arrive and to be answered.
const LONGEST: Duration = Duration::from_mins(1);

/// What one http guard asks of every request.
pub(super) struct Admission {
    issuer: Issuer,
    guard: Arc<str>,
    denials: Denials,
    observers: GuardObservers,
    config: Arc<GuardConfig>,
    speaks: Option<&'static GuardDialect>,
    credentials: Arc<Credentials>,
    sessions: Option<SiteAccessSessions>,
    site_accesses: Arc<GuardSiteAccesses>,
    /// The session cookie of each SiteAccess.
    cookies: HashMap<Arc<str>, Arc<SessionCookie>>,
    endpoints: Option<(&'static Endpoints, Router)>,
}

impl Admission {
    pub(super) fn of(
        config: &Arc<GuardConfig>,
        parts: &GuardParts,
        credentials: &Arc<Credentials>,
        site_accesses: &Arc<GuardSiteAccesses>,
    ) -> Self {
        let (issuer, speaks) = (parts.issuer.clone(), config.speaks());
        let sessions = SiteAccessSessions::of(config, parts);
        let area = Area {
            issuer: &issuer,
            path: &config.path,
            has_sessions: sessions.is_some(),
            creates_tokens: config.creates_tokens(),
        };
        let endpoints = speaks.and_then(|dialect| dialect.endpoints.as_ref());
        let is_https = issuer.address().issuer.starts_with("https://");
        let cookie = |one: &Arc<SiteAccess>| {
            (Arc::clone(&one.name), Arc::new(cookie(config.sessions_of(), one, is_https)))
        };
        Self {
            speaks,
            credentials: Arc::clone(credentials),
            sessions,
            cookies: site_accesses.iter().map(cookie).collect(),
            site_accesses: Arc::clone(site_accesses),
            endpoints: endpoints.map(|endpoints| (endpoints, (endpoints.routes)(&area))),
            config: Arc::clone(config),
            guard: config.name.as_str().into(),
            denials: parts.denials.clone(),
            observers: parts.observers_of(config),
            issuer,
        }
    }

    /// Lets a request in: the gate decides it then.
    ///
    /// # Errors
    /// The answer, if it is refused, or if an endpoint of the dialect is what it is for.
    pub(super) async fn admit(
        &self,
        request: Request<Body>,
    ) -> Result<Request<Body>, Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let admitted = match self.check(&mut parts).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                self.record(&refusal, &RefusedRequest::of(&parts, &self.config.path));
                return Err(self.refuse(&refusal, &parts.headers, id(&parts)));
            }
        };
        let Some(routes) = self.endpoint(&parts).cloned() else {
            return Ok(Request::from_parts(parts, body));
        };
        let (wording, id) = (self.wording(&parts.headers), id(&parts));
        let asked = RefusedRequest::of(&parts, &self.config.path);
        parts.extensions.insert(admitted);
        let answering = routes.oneshot(Request::from_parts(parts, body));
        Err(match timeout(LONGEST, answering).await {
            Ok(Ok(response)) => {
                if let Some(refusal) = response.extensions().get() {
                    self.record(refusal, &asked);
                }
                response
            }
            Ok(Err(never)) => match never {},
            Err(_) => self.refuse(&GuardRefusal::TimedOut, &wording, id),
        })
    }

    /// Tells of the refusal of what was `asked`, as the gate does of what it denies (`docs/rules.md`
    /// rule 5).
    pub(super) fn record(&self, refusal: &GuardRefusal, asked: &RefusedRequest) {
        if let Some(denial) = asked.denial(refusal) {
            self.observers.denied(&denial);
            self.denials.tell(&self.guard, denial);
        }
    }

    /// What wording a refusal needs of the headers of a request.
    pub(super) fn wording(&self, headers: &HeaderMap) -> HeaderMap {
        let mut kept = HeaderMap::new();
        if self.speaks.is_some_and(|dialect| dialect.refusal.is_some()) {
            for value in headers.get_all(header::ACCEPT) {
                kept.append(header::ACCEPT, value.clone());
            }
        }
        kept
    }

    /// The answer to a request with `headers` that is refused.
    pub(super) fn refuse(
        &self,
        refusal: &GuardRefusal,
        headers: &HeaderMap,
        id: DecisionId,
    ) -> Response<Body> {
        match self.speaks.and_then(|dialect| dialect.refusal) {
            Some(word) => word(refusal, headers),
            None => RestRefusal::from(refusal).into_response(&id).map(Body::new),
        }
    }

    /// The same answer, worded as the dialect does if the gate refused the request.
    pub(super) fn reword(
        &self,
        mut response: Response<Body>,
        headers: &HeaderMap,
        id: DecisionId,
    ) -> Response<Body> {
        match response.extensions_mut().remove::<RestRefusal>() {
            Some(refusal) if self.speaks.is_some_and(|dialect| dialect.refusal.is_some()) => {
                self.refuse(&GuardRefusal::Gate(Box::new(refusal)), headers, id)
            }
            _ => response,
        }
    }

    async fn check(&self, parts: &mut Parts) -> Result<Admitted, GuardRefusal> {
        let overrides = self.speaks.is_some_and(|dialect| dialect.method_override);
        method_override::apply(parts, overrides)?;
        let site_access = self.site_accesses.select(parts);
        let site_access =
            site_access.map_err(|unknown| GuardRefusal::BadRequest(unknown.to_string().into()))?;
        let cookie = self.cookies.get(&site_access.name).ok_or(GuardRefusal::Unavailable)?;
        let sender = timeout(PATIENCE, self.sender(parts, cookie)).await;
        let (presented, session) = sender.map_err(|_| GuardRefusal::Unavailable)??;
        parts.extensions.insert(AtSiteAccess(Arc::clone(&site_access)));
        parts.extensions.insert(Sender(presented.caller.clone()));
        self.check_meant(parts, session.as_ref())?;
        if self.speaks.is_some_and(|dialect| dialect.expected_user) {
            expected_user::check(&parts.headers, &presented.caller)?;
        }
        self.check_login(parts, &site_access, &presented).await?;
        let caller = presented.caller.clone();
        if caller.identity().is_none() && self.endpoint(parts).is_some() && !self.is_open(parts) {
            let challenge = presented.challenge.or_else(|| http::challenges(&self.config).pop());
            return Err(GuardRefusal::NotAuthenticated(challenge));
        }
        parts.extensions.insert(presented);
        let (site_access, cookie) = (Arc::clone(&site_access.name), Arc::clone(cookie));
        Ok(Admitted { site_access, cookie, session: session.map(Arc::new), caller })
    }

    /// Who sent it. Where the guard takes sessions of SiteAccesses, nothing else counts (§3).
    async fn sender(
        &self,
        parts: &mut Parts,
        cookie: &Arc<SessionCookie>,
    ) -> Result<(Presented, Option<OpenSession>), GuardRefusal> {
        let unavailable = |Unavailable| GuardRefusal::Unavailable;
        let since = self.credentials.moment();
        let Some(sessions) = &self.sessions else {
            self.credentials.note_shown(&self.config, parts).await.map_err(unavailable)?;
            let presented = present(&*self.credentials, parts).await;
            return match presented {
                Ok(presented) => Ok((Presented { since, ..presented }, None)),
                Err(refusal) => Err(GuardRefusal::Gate(Box::new(refusal))),
            };
        };
        let found = sessions.find(&parts.headers, cookie).await;
        let (caller, session) = match found.map_err(unavailable)? {
            Some((session, caller)) => (caller, Some(session)),
            None => (Caller::NOBODY, None),
        };
        parts.extensions.insert(SessionOf(Arc::clone(cookie)));
        Ok((Presented { caller, challenge: None, since }, session))
    }

    /// Who sent a GraphQL request by their session, if the guard takes sessions of SiteAccesses
    /// (§4.4). Every POST has to be meant: any may be a mutation.
    ///
    /// # Errors
    /// The refusal, if it is not meant or the session cannot be looked up.
    pub(super) async fn graphql_sender(
        &self,
        parts: &mut Parts,
        site_access: &SiteAccess,
    ) -> Result<Option<Caller>, GuardRefusal> {
        let Some(sessions) = &self.sessions else { return Ok(None) };
        let cookie = self.cookies.get(&site_access.name).ok_or(GuardRefusal::Unavailable)?;
        let found = timeout(PATIENCE, sessions.find(&parts.headers, cookie)).await;
        let found = found.map_err(|_| GuardRefusal::Unavailable)?;
        let Some((session, caller)) = found.map_err(|Unavailable| GuardRefusal::Unavailable)?
        else {
            return Ok(Some(Caller::NOBODY));
        };
        parts.extensions.insert(Sender(caller.clone()));
        parts.extensions.insert(SessionOf(Arc::clone(cookie)));
        if !csrf::is_safe(&parts.method) {
            csrf::check_origin(&self.issuer.address().issuer, &[], &parts.headers)?;
            csrf::check_body(&parts.headers)?;
            csrf::check_token_or_mark(&self.issuer, &session, &parts.headers)?;
        }
        Ok(Some(caller))
    }

    /// Whether the sender may sign in at the SiteAccess (§7.3). Nobody is told so who could still show
    /// who they are.
    async fn check_login(
        &self,
        parts: &Parts,
        site_access: &SiteAccess,
        presented: &Presented,
    ) -> Result<(), GuardRefusal> {
        let may = timeout(PATIENCE, self.site_accesses.may_sign_in(site_access, &presented.caller));
        let may = may.await.map_err(|_| GuardRefusal::Unavailable)?;
        let may = may.map_err(|error| {
            tracing::error!(%error, "the roles could not be read");
            GuardRefusal::Unavailable
        })?;
        if may {
            return Ok(());
        }
        let identity = presented.caller.identity();
        let is_person = identity.is_some_and(|identity| identity.person.is_some());
        let asked = if is_person { Asked::Person } else { Asked::Anonymous };
        // Who has a session and lost the permission can still sign out.
        if identity.is_some() && self.ends_session(parts) {
            return Ok(());
        }
        if identity.is_some() || self.is_below(parts, |endpoints| endpoints.open) {
            return Err(GuardRefusal::LoginNotPermitted(asked));
        }
        let challenge = presented.challenge.clone();
        match challenge.or_else(|| http::challenges(&self.config).pop()) {
            Some(challenge) => Err(GuardRefusal::NotAuthenticated(Some(challenge))),
            None => Err(GuardRefusal::LoginNotPermitted(asked)),
        }
    }

    /// Whether an unsafe request is meant, where it has a session or could open one. Endpoints that are
    /// about sessions check the token themselves.
    fn check_meant(
        &self,
        parts: &Parts,
        session: Option<&OpenSession>,
    ) -> Result<(), GuardRefusal> {
        let checks_itself = self.is_below(parts, |endpoints| endpoints.check_tokens);
        let is_sent_by_browsers = session.is_some() || self.is_basic(parts);
        if self.config.websocket && websocket::is_asked_for(&parts.headers) {
            return self.check_websocket(parts, session);
        }
        if csrf::is_safe(&parts.method) || !(checks_itself || is_sent_by_browsers) {
            return Ok(());
        }
        let (issuer, allowed) = (&self.issuer.address().issuer, &self.config.allowed_origins);
        csrf::check_origin(issuer, allowed, &parts.headers)?;
        match session {
            Some(session) if !checks_itself => {
                csrf::check_body(&parts.headers)?;
                csrf::check_token(&self.issuer, session, &parts.headers)
            }
            _ => Ok(()),
        }
    }

    /// Whether a page that opens a WebSocket may: nothing but the origin tells, as there is no preflight
    /// and no room for a token (RFC 6455 §10.2).
    fn check_websocket(
        &self,
        parts: &Parts,
        session: Option<&OpenSession>,
    ) -> Result<(), GuardRefusal> {
        // Every browser says its origin.
        if session.is_some() && !parts.headers.contains_key(header::ORIGIN) {
            return Err(GuardRefusal::NotMeant(Unmeant::Page));
        }
        let (issuer, allowed) = (&self.issuer.address().issuer, &self.config.allowed_origins);
        csrf::check_origin(issuer, allowed, &parts.headers)
            .map_err(|_| GuardRefusal::NotMeant(Unmeant::Page))
    }

    /// The beginnings of the names of cookies that are for this server alone.
    pub(super) fn our_cookies(&self) -> Vec<String> {
        let own = self.cookies.values().map(|cookie| cookie.name.clone());
        let known = [request::SESSION, request::mark_cookie(true), request::mark_cookie(false)];
        let known = known.into_iter().chain(SESSION_COOKIES).map(ToOwned::to_owned);
        own.filter(|name| !name.is_empty()).chain(known).collect()
    }

    /// Whether the request shows a name and a password, which browsers remember and send along with
    /// what pages of others ask for.
    fn is_basic(&self, parts: &Parts) -> bool {
        let shown = parts.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let scheme = shown.and_then(|shown| shown.get(..6));
        self.config.authenticate.list().contains(&Method::Basic)
            && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    }

    /// The endpoints, if the request is for one of them.
    fn endpoint(&self, parts: &Parts) -> Option<&Router> {
        let (_, routes) = self.endpoints.as_ref()?;
        self.is_below(parts, |endpoints| endpoints.paths).then_some(routes)
    }

    /// Whether all that the request does is to end the session of its sender.
    fn ends_session(&self, parts: &Parts) -> bool {
        let below = parts.uri.path().strip_prefix(&*self.config.path);
        let endpoints = self.endpoints.as_ref().filter(|_| self.sessions.is_some());
        let ends = |below: &str| {
            endpoints.is_some_and(|(one, _)| (one.ends_session)(&parts.method, below))
        };
        below.is_some_and(ends)
    }

    /// Whether callers reach what the request is for without a credential.
    fn is_open(&self, parts: &Parts) -> bool {
        self.config.anonymous != Some(Anonymous::Refused)
            || self.is_below(parts, |endpoints| endpoints.open)
    }

    /// Whether callers without a credential send a password to `path`.
    pub(super) fn is_sign_in(&self, path: &str) -> bool {
        self.has_below(path, |endpoints| endpoints.open)
    }

    /// Whether the request is for one of these paths or below it, by whole segments.
    fn is_below(&self, parts: &Parts, paths: fn(&Endpoints) -> &'static [&'static str]) -> bool {
        self.has_below(parts.uri.path(), paths)
    }

    fn has_below(&self, path: &str, paths: fn(&Endpoints) -> &'static [&'static str]) -> bool {
        let below = path.strip_prefix(&*self.config.path);
        let (Some(below), Some((endpoints, _))) = (below, &self.endpoints) else { return false };
        let mut rests = paths(endpoints).iter().filter_map(|path| below.strip_prefix(path));
        rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The session cookie of `site_access`.
fn cookie(sessions: SessionsOf, site_access: &SiteAccess, is_https: bool) -> SessionCookie {
    let written = &site_access.session;
    let name = match sessions {
        SessionsOf::SiteAccess { cookie_name, .. } => {
            cookie_name(&site_access.name, written.name.as_deref())
        }
        SessionsOf::Nobody | SessionsOf::Pages => String::new(),
    };
    let plain = SessionCookie::host_only(name, is_https);
    SessionCookie {
        lifetime: written.cookie_lifetime.map(|lifetime| lifetime.get().as_secs()),
        path: written.cookie_path.clone().unwrap_or(plain.path),
        domain: written.cookie_domain.clone(),
        ..plain
    }
}

/// The id of the decision about a request.
fn id(parts: &Parts) -> DecisionId {
    parts.extensions.get::<DecisionId>().copied().unwrap_or_else(DecisionId::generate)
}
