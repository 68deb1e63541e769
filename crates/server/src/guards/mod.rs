//! Guards: protected areas, each with its own gate and what stands behind it.

mod credentials;
mod identity_header;
mod introspection;
mod policies;
mod recorder;
mod schema_source;
mod state;
mod upstream;

use std::{
    path::PathBuf,
    sync::{Arc, Weak},
};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    http::{self, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use castellan_gate::{
    Caller, Gate, Gated, GuardSchema, Introspection, Rules, Terms, Unavailable, Wording,
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
    config::{Anonymous, GuardConfig, Term},
    dialects,
};

pub use crate::background::denials::Denials;
pub use crate::background::usage::Usage;
pub(crate) use credentials::Credentials;
pub(crate) use policies::{as_said, misplaced};
use recorder::GuardRecorder;
pub(crate) use schema_source::{build as build_schema, fetch_sdl};
use state::State;
pub(crate) use state::Trouble;
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
    /// The API behind it.
    api: Option<Arc<upstream::Api>>,
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
}

impl Guard {
    /// Opens the guard, and begins to look at its schema. Whatever is wrong with that closes this
    /// guard and no other; it goes on looking. Where `before` was built from the same settings, its
    /// schema is gone on with.
    pub(crate) fn open(config: GuardConfig, parts: GuardParts, before: Option<&Self>) -> Self {
        let config = Arc::new(config);
        let api = config.upstream.as_ref().and_then(|url| parts.upstreams.at(url));
        let inner = Arc::new(Inner {
            credentials: Arc::new(Credentials::of(&config, &parts)),
            config: Arc::clone(&config),
            parts,
            api,
            state: ArcSwap::from_pointee(State::unseen()),
            looking: tokio::sync::Mutex::default(),
            looked: watch::Sender::new(false),
        });
        let same = before.filter(|before| before.config.has_same_schema(&config));
        if let Some(known) = same.map(|before| before.inner.state.load_full()) {
            inner.state.store(Arc::new(known.with_gate(|schema| inner.gate(schema))));
        }
        tokio::spawn(keep_looking(Arc::downgrade(&inner)));
        Self { config, inner }
    }

    /// Waits until its schema has been looked at once, whatever came of that.
    pub(crate) async fn looked_at(&self) {
        // The sender is here.
        let _ = self.inner.looked.subscribe().wait_for(|looked| *looked).await;
    }

    /// Whether it can decide.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.inner.state.load().gated.is_some()
    }

    /// Its schema, if it has been loaded and people of `issuer` may see it.
    pub(crate) fn shown_schema(&self, issuer: &Issuer) -> Option<Arc<GuardSchema>> {
        let is_theirs = self.inner.parts.issuer.address().issuer == issuer.address().issuer;
        let is_shown = rules(&self.config).introspection != Introspection::Closed;
        self.inner.state.load().schema.clone().filter(|_| is_theirs && is_shown)
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

    /// Answers one request. A person who comes with a browser, where only known callers are let
    /// in, is asked who they are (`docs/contracts/decidim.md` §5.4).
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let shown = self.inner.credentials.note_shown(&self.config, &mut parts).await;
        if matches!(shown, Err(Unavailable)) {
            let wait = [(header::RETRY_AFTER, "1")];
            return (StatusCode::SERVICE_UNAVAILABLE, wait).into_response();
        }
        let request = Request::from_parts(parts, body);
        let refuses = self.config.anonymous == Some(Anonymous::Refused);
        // Signing in at the pages is of no use where certificates alone count.
        let signs_in = !self.config.is_of_certificates();
        if refuses && signs_in && is_a_person_nobody_knows(&request) {
            let to = [(header::LOCATION, "/auth/login"), (header::CACHE_CONTROL, "no-store")];
            return (StatusCode::FOUND, to).into_response();
        }
        let gated = self.inner.state.load().gated.clone();
        let Some(gated) = gated else { return self.closed() };
        match gated.oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
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
    /// The gate that decides by `schema`.
    fn gate(&self, schema: Arc<GuardSchema>) -> Gated<upstream::Upstream> {
        let (config, parts) = (&self.config, &self.parts);
        let rules = rules(config);
        let recorder = Arc::new(GuardRecorder {
            guard: config.name.as_str().into(),
            denials: parts.denials.clone(),
            usage: parts.usage.clone(),
            rules: rules.clone(),
        });
        let attestor = config.upstream.as_ref().map(|url| {
            let audience = config.upstream_id.clone();
            let audience = audience.unwrap_or_else(|| url.origin().ascii_serialization());
            let issuer = parts.issuer.clone();
            let rules = rules.clone();
            Arc::new(identity_header::Signer::new(issuer, &config.name, audience, rules)) as _
        });
        let gate = Gate::new(schema, rules, Arc::clone(&self.credentials) as _).with(
            recorder,
            attestor,
            config.strip_headers.clone(),
        );
        let longest = config.upstream_timeout.map_or(upstream::LONGEST, Lifetime::get);
        gate.layer(upstream::Upstream::new(self.api.clone(), config.upstream.as_ref(), longest))
    }
}

/// A browser that asks for a page and shows no credential.
fn is_a_person_nobody_knows<B>(request: &Request<B>) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let page = accept.is_some_and(|text| text.contains("text/html") && !text.contains("json"));
    let known = request.extensions().get::<Caller>().is_some_and(|one| one.identity().is_some());
    page && !known
        && matches!(*request.method(), http::Method::GET | http::Method::HEAD)
        && !request.headers().contains_key(header::AUTHORIZATION)
}

/// `wording` where there are no tokens to speak of.
fn certificate_wording(wording: Wording) -> Wording {
    Wording {
        no_credential: ("Show a client certificate to use this.", "UNAUTHENTICATED"),
        expired: ("The client certificate has expired.", "UNAUTHENTICATED"),
        invalid: ("The client certificate is not valid here.", "UNAUTHENTICATED"),
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
    let required = |term| config.require.contains(&term);
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
    rules.forms = config.forms.unwrap_or(rules.forms);
    rules.known_callers_only = config.anonymous == Some(Anonymous::Refused);
    rules.limits = config.limits;
    rules
}
