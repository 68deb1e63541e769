//! Guards: protected areas, each with its own gate and what stands behind it.

mod admission;
mod credentials;
mod csrf;
mod expected_user;
mod graphql;
mod http;
mod identity_header;
mod introspection;
mod method_override;
mod observers;
mod policies;
mod recorder;
mod rest_source;
mod schema_source;
pub(crate) mod site_access;
mod state;
mod surface;
pub(crate) mod token_problem;
mod upstream;
mod websocket;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use castellan_gate::{
    Caller, CallerSummary, Credential, DecisionId, ErrorText, Gate, GuardSchema, Introspection,
    RequestVerdict, Rules, Terms, Unavailable, Verifier as _, Wording,
};
use castellan_issuer::{
    Issuer,
    foreign::ForeignTokens,
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
};
use castellan_proto::Lifetime;
use serde_json::json;
use tokio::sync::watch;
use tower::{Layer as _, ServiceExt as _};

use crate::{
    background::audit::LineBudget,
    config::{Anonymous, GuardConfig, Term},
    dialects,
    observers::Observers,
    wire::guard_refusal::GuardRefusal,
};

pub use crate::background::denials::Denials;
pub use crate::background::usage::Usage;
use admission::Admission;
pub(crate) use credentials::Credentials;
use observers::GuardObservers;
pub(crate) use policies::{as_said, misplaced};
use recorder::GuardRecorder;
pub(crate) use schema_source::{
    build as build_schema, build_and_write, fetch_sdl, shown as shown_url, text as schema_text,
};
use site_access::GuardSiteAccesses;
pub(crate) use site_access::SiteAccesses;
use state::State;
pub(crate) use state::Trouble;
use surface::Gated;
pub(crate) use surface::Surface;
use token_problem::TokenProblem;
pub(crate) use upstream::{LimitError, Upstreams};

/// One protected area. Cheap to clone. While there is one, it looks at its schema again and again.
#[derive(Clone)]
pub struct Guard {
    /// Its settings.
    pub config: Arc<GuardConfig>,
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<GuardConfig>,
    parts: GuardParts,
    /// What callers show.
    credentials: Arc<Credentials>,
    /// The SiteAccesses that its requests can be for.
    site_accesses: Arc<GuardSiteAccesses>,
    /// What requests pass before its gate.
    admission: Admission,
    /// The API behind it.
    api: Option<Arc<upstream::Api>>,
    /// Who observes its requests.
    observers: GuardObservers,
    /// What it decides by, replaced as a whole. Without a gate it answers 503.
    state: ArcSwap<State>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
    /// Whether there was one.
    looked: watch::Sender<bool>,
}

/// What every guard needs.
#[derive(Clone)]
pub(crate) struct GuardParts {
    pub(crate) issuer: Issuer,
    pub(crate) keys: Option<Arc<KeyTokens>>,
    pub(crate) machines: Option<Arc<MachineTokens>>,
    pub(crate) foreign: Arc<ForeignTokens>,
    pub(crate) denials: Denials,
    pub(crate) usage: Usage,
    pub(crate) upstreams: Upstreams,
    pub(crate) folder: PathBuf,
    pub(crate) site_accesses: Arc<SiteAccesses>,
    pub(crate) observers: Observers,
}

impl GuardParts {
    /// Who observes the guard of `config`.
    fn observers_of(&self, config: &GuardConfig) -> GuardObservers {
        GuardObservers::of(&self.observers, self.issuer.repository().site(), &config.name)
    }
}

impl Guard {
    /// Opens the guard, and begins to look at its schema. Whatever is wrong with that closes this
    /// guard and no other; it goes on looking. Where `before` was built from the same settings, its
    /// schema is gone on with.
    pub(crate) fn open(config: GuardConfig, parts: GuardParts, before: Option<&Self>) -> Self {
        let config = Arc::new(config);
        let api = config.upstream.as_ref().and_then(|url| parts.upstreams.at(url));
        let credentials = Arc::new(Credentials::of(&config, &parts));
        let site_accesses = GuardSiteAccesses::of(&config, &parts.issuer, &parts.site_accesses);
        let site_accesses = Arc::new(site_accesses);
        let inner = Arc::new(Inner {
            admission: Admission::of(&config, &parts, &credentials, &site_accesses),
            credentials,
            site_accesses,
            config: Arc::clone(&config),
            observers: parts.observers_of(&config),
            parts,
            api,
            state: ArcSwap::from_pointee(State::unseen()),
            looking: tokio::sync::Mutex::default(),
            looked: watch::Sender::new(false),
        });
        let same = before.filter(|before| before.config.has_same_schema(&config));
        if let Some(known) = same.map(|before| before.inner.state.load_full()) {
            inner.state.store(Arc::new(known.with_gate(|surface| inner.gate(surface))));
        }
        tokio::spawn(keep_looking(Arc::downgrade(&inner)));
        Self { config, inner }
    }

    /// Waits until its schema has been looked at once, whatever came of that.
    pub(crate) async fn looked_at(&self) {
        // The sender is here.
        let _ = self.inner.looked.subscribe().wait_for(|looked| *looked).await;
    }

    /// The name of its site.
    pub(crate) fn site(&self) -> &str {
        self.inner.parts.issuer.repository().site()
    }

    /// Whether it can decide.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inner.state.load().gated.is_some()
    }

    /// Its schema, if it has been loaded and people of `issuer` may see it.
    pub(crate) fn shown_schema(&self, issuer: &Issuer) -> Option<Arc<GuardSchema>> {
        let is_theirs = self.is_of(issuer);
        let is_shown = rules(&self.config).introspection != Introspection::Closed;
        let state = self.inner.state.load();
        let schema = state.surface.as_ref().and_then(Surface::graphql);
        schema.filter(|_| is_theirs && is_shown).cloned()
    }

    /// Whether it stands at the site of `issuer`.
    pub(crate) fn is_of(&self, issuer: &Issuer) -> bool {
        self.inner.parts.issuer.address().issuer == issuer.address().issuer
    }

    /// Who shows `token` here, naming `audience`, and what is wrong with it if it is not accepted.
    /// Whoever has it explained need not hold the key that it may be bound to.
    ///
    /// # Errors
    /// [`Unavailable`] if that cannot be told.
    pub(crate) async fn explain_token(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<(CallerSummary, Option<TokenProblem>), Unavailable> {
        let credential =
            Credential { bearer: token, possession: None, again: false, audience, source: None };
        let caller = self.inner.credentials.verify(&credential).await?;
        let problem = match caller {
            Caller::Anonymous(Some(problem)) => {
                Some(token_problem::of(problem, &self.config, &self.inner.parts, &credential).await)
            }
            _ => None,
        };
        Ok((CallerSummary::from(&caller), problem))
    }

    /// What is wrong with it, whether that closes it or not.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.inner.state.load().trouble.clone()
    }

    /// Whether the API behind it answers, as far as the last requests tell; `None` if there is none.
    #[must_use]
    pub fn upstream_is_well(&self) -> Option<bool> {
        self.inner.api.as_ref().map(|api| api.is_well())
    }

    /// The request headers that its answers depend on, besides those of the API behind it
    /// (`docs/contracts/ibexa.md` §10, item 15).
    pub(crate) fn varies_by(&self) -> Vec<HeaderName> {
        let mut names = Vec::new();
        if self.config.speaks_of_site_accesses() {
            names.extend([header::ACCEPT, header::AUTHORIZATION, header::COOKIE]);
        }
        if self.inner.site_accesses.are_named_by_clients() {
            names.push(site_access::HEADER);
        }
        if !self.config.allowed_origins.is_empty() {
            names.push(header::ORIGIN);
        }
        names
    }

    /// Answers one request. A person who comes with a browser, where only known callers are let
    /// in, is asked who they are (`docs/contracts/decidim.md` §5.4).
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if self.streams() {
            // Apart, so that requests to other guards take no room for it.
            return Box::pin(self.answer_http(request)).await;
        }
        let (mut parts, body) = request.into_parts();
        let shown = self.inner.credentials.note_shown(&self.config, &mut parts).await;
        if matches!(shown, Err(Unavailable)) {
            self.inner.observers.verdict(RequestVerdict::Unavailable);
            let id = parts.extensions.get::<DecisionId>().copied();
            let id = id.unwrap_or_else(DecisionId::generate);
            return self.refuse(&GuardRefusal::Unavailable, &parts.headers, id);
        }
        let request = Request::from_parts(parts, body);
        let shows_nothing = !request.headers().contains_key(header::AUTHORIZATION);
        let gated = self.inner.state.load().gated.clone();
        let Some(Gated::Graphql(gated)) = gated else {
            self.inner.observers.verdict(RequestVerdict::Unavailable);
            return self.closed();
        };
        let (request, challenge) = match self.at_site_access(request).await {
            Ok(found) => found,
            Err(answer) => {
                self.inner.observers.before_gate(answer.status());
                return answer;
            }
        };
        let refuses = self.config.anonymous == Some(Anonymous::Refused);
        // Signing in at the pages is of no use where certificates alone count.
        let signs_in = !self.config.is_of_certificates() && shows_nothing;
        if refuses && signs_in && is_a_person_nobody_knows(&request) {
            self.inner.observers.verdict(RequestVerdict::Denied);
            let to = [(header::LOCATION, "/auth/login"), (header::CACHE_CONTROL, "no-store")];
            return (StatusCode::FOUND, to).into_response();
        }
        let mut response = match self.inner.observers.gate(gated.oneshot(request)).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        // In the scheme of the credential, which the gate did not see.
        if let Some(challenge) = challenge.filter(|_| response.status() == StatusCode::UNAUTHORIZED)
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// The answer to a request with `headers` that is refused before it is looked at here.
    pub(crate) fn refuse(
        &self,
        refusal: &GuardRefusal,
        headers: &HeaderMap,
        id: DecisionId,
    ) -> Response<Body> {
        if self.config.is_http() {
            return self.inner.admission.refuse(refusal, headers, id);
        }
        graphql::refused(refusal, &id)
    }

    /// The same to one that comes no further than the corridor.
    pub(crate) fn refuse_early(
        &self,
        refusal: &GuardRefusal,
        headers: &HeaderMap,
        id: DecisionId,
    ) -> Response<Body> {
        self.inner.observers.verdict(RequestVerdict::Refused);
        self.refuse(refusal, headers, id)
    }

    /// Whether a request to `path` that changes something has a password or a secret in its body.
    pub(crate) fn takes_secrets_in_bodies(&self, path: &str) -> bool {
        if self.config.is_http() {
            return self.inner.admission.is_sign_in(path);
        }
        // `createToken` may be anywhere in it.
        self.config.creates_tokens()
    }

    /// What everybody is told while it is closed: the kind of reason, and nothing from inside.
    fn closed(&self) -> Response<Body> {
        let kind = self.trouble().map_or("schema_unavailable", |trouble| trouble.kind);
        let message = if kind == "schema_unavailable" {
            "The schema of the API behind this guard has not been loaded yet."
        } else {
            "This guard is closed because its schema cannot be used; the log of the server says \
             why."
        };
        let extensions = json!({"code": "NOT_READY", "reason": kind});
        let body = json!({"errors": [{"message": message, "extensions": extensions}]});
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, "2")];
        (StatusCode::SERVICE_UNAVAILABLE, headers, body.to_string()).into_response()
    }
}

/// Looks until the guard is gone.
async fn keep_looking(guard: Weak<Inner>) {
    loop {
        let Some(looks) = guard.upgrade() else { return };
        looks.look().await;
        looks.looked.send_replace(true);
        let pause = looks.pause();
        drop(looks);
        tokio::time::sleep(pause).await;
    }
}

impl Inner {
    /// The gate that decides by `surface`.
    fn gate(&self, surface: Surface) -> Gated {
        let (config, parts) = (&self.config, &self.parts);
        let rules = rules(config);
        let recorder = Arc::new(GuardRecorder {
            guard: config.name.as_str().into(),
            denials: parts.denials.clone(),
            usage: parts.usage.clone(),
            rules: rules.clone(),
            observers: self.observers.clone(),
            failures: LineBudget::new(),
        });
        let attestor = config.upstream.as_ref().map(|url| {
            let audience = config.upstream_id.clone();
            let audience = audience.unwrap_or_else(|| url.origin().ascii_serialization());
            let issuer = parts.issuer.clone();
            let rules = rules.clone();
            Arc::new(identity_header::Signer::new(issuer, &config.name, audience, rules)) as _
        });
        let schema = match surface {
            Surface::Graphql(schema) => schema,
            Surface::Http(map) => return Gated::Http(self.http_gate(map, recorder, attestor)),
        };
        let gate = Gate::new(schema, rules, Arc::clone(&self.credentials) as _).with(
            recorder,
            attestor,
            config.strip_headers.clone(),
        );
        let longest = config.upstream_timeout.map_or(upstream::LONGEST, Lifetime::get);
        let upstream = config.upstream.as_ref();
        let upstream = upstream::Upstream::new(self.api.clone(), upstream, longest);
        Gated::Graphql(gate.layer(upstream.observed_by(self.observers.clone())))
    }
}

/// A browser that asks for a page, without a session.
fn is_a_person_nobody_knows<B>(request: &Request<B>) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page = accept.is_some_and(|text| text.contains("text/html") && !text.contains("json"));
    let known = request.extensions().get::<Caller>().is_some_and(|one| one.identity().is_some());
    page && !known && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// `wording` where there are no tokens to speak of.
fn certificate_wording(wording: Wording) -> Wording {
    Wording {
        no_credential: ErrorText::new("Show a client certificate to use this.", "UNAUTHENTICATED"),
        expired: ErrorText::new("The client certificate has expired.", "UNAUTHENTICATED"),
        invalid: ErrorText::new("The client certificate is not valid here.", "UNAUTHENTICATED"),
        ..wording
    }
}

/// The rules of a guard: the dialect's, with its own settings over them.
pub(crate) fn rules(config: &GuardConfig) -> Rules {
    let mut rules = dialects::rules(config.spoken());
    if !config.public.is_empty() {
        rules.public.clone_from(&config.public);
    }
    if let Some(scopes) = &config.scopes {
        rules.aliases.clone_from(scopes);
    }
    if config.is_of_certificates() && config.dialect.is_none() {
        rules.wording = certificate_wording(rules.wording);
    }
    let required = |term| config.requires(term);
    rules.terms = Terms {
        client: required(Term::Client),
        person: required(Term::Person),
        policy: required(Term::Policy),
    };
    if let Some(on_deny) = config.on_deny {
        rules.on_deny = on_deny;
    }
    if let Some(introspection) = config.introspection {
        rules.introspection = introspection;
    }
    if let Some([missing, expired, invalid]) = config.credential_problems() {
        rules.wording.no_credential.message = missing;
        rules.wording.expired.message = expired;
        rules.wording.invalid.message = invalid;
    }
    rules.forms = config.forms.unwrap_or(rules.forms);
    rules.known_callers_only = config.anonymous == Some(Anonymous::Refused);
    rules.limits = config.limits;
    rules
}
