//! Guards: protected areas, each with its own gate and what stands behind it.

mod identity_header;
mod introspection;
mod recorder;
mod schema_source;
mod session;
mod upstream;
pub(crate) mod verifier;

use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};

use axum::{
    body::Body,
    http::{self, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use castellan_gate::{Caller, Gate, Gated, GuardSchema, Rules, Terms};
use castellan_issuer::{
    Issuer,
    machine::{api_key::KeyTokens, machine_user::MachineTokens},
};
use tower::{Layer as _, ServiceExt as _};

use crate::{
    config::{Anonymous, GuardConfig, Method, Term},
    dialects,
};

pub use crate::background::denials::Denials;
pub use crate::background::usage::Usage;
use recorder::GuardRecorder;
pub(crate) use schema_source::{SchemaProblem, build as build_schema, fetch_sdl};
pub(crate) use verifier::GuardVerifier;

/// One protected area. Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    /// Its settings.
    pub config: Arc<GuardConfig>,
    issuer: Issuer,
    /// Empty until its schema is known: then it answers 503.
    gated: Arc<RwLock<Option<Gated<upstream::Upstream>>>>,
}

/// What every guard needs.
#[derive(Clone)]
pub(crate) struct GuardParts {
    pub(crate) issuer: Issuer,
    pub(crate) keys: Option<Arc<KeyTokens>>,
    pub(crate) machines: Option<Arc<MachineTokens>>,
    pub(crate) denials: Denials,
    pub(crate) usage: Usage,
    pub(crate) folder: PathBuf,
}

/// How often a schema that could not be had is asked for again.
const RETRY: Duration = Duration::from_secs(2);

impl Guard {
    /// Builds the guard. A schema that is wrong stops the start; one that cannot be had yet does
    /// not: the guard is not ready and goes on asking.
    pub(crate) async fn open(
        config: GuardConfig,
        parts: GuardParts,
    ) -> Result<Self, schema_source::SchemaProblem> {
        let (config, issuer) = (Arc::new(config), parts.issuer.clone());
        let guard = Self { config, issuer, gated: Arc::default() };
        match schema_source::build(&guard.config, &parts.folder).await {
            Ok(schema) => guard.set(schema, &parts),
            Err(problem) if problem.may_pass() => {
                tracing::warn!(guard = guard.config.name, %problem, "the guard is not ready");
                tokio::spawn(guard.clone().keep_asking(parts));
            }
            Err(problem) => return Err(problem),
        }
        Ok(guard)
    }

    async fn keep_asking(self, parts: GuardParts) {
        loop {
            tokio::time::sleep(RETRY).await;
            match schema_source::build(&self.config, &parts.folder).await {
                Ok(schema) => {
                    tracing::info!(guard = self.config.name, "the guard is ready");
                    return self.set(schema, &parts);
                }
                Err(problem) if problem.may_pass() => {}
                Err(problem) => {
                    tracing::error!(guard = self.config.name, %problem, "the guard stays closed");
                    return;
                }
            }
        }
    }

    fn set(&self, schema: GuardSchema, parts: &GuardParts) {
        let config = &self.config;
        let verifier = GuardVerifier::new(config, parts);
        let recorder = Arc::new(GuardRecorder {
            guard: config.name.as_str().into(),
            denials: parts.denials.clone(),
            usage: parts.usage.clone(),
        });
        let attestor = config.upstream.as_ref().map(|url| {
            let audience = config.upstream_id.clone();
            let audience = audience.unwrap_or_else(|| url.origin().ascii_serialization());
            let issuer = parts.issuer.clone();
            Arc::new(identity_header::Signer::new(issuer, &config.name, audience)) as _
        });
        let gate = Gate::new(Arc::new(schema), rules(config), Arc::new(verifier)).with(
            recorder,
            attestor,
            config.strip_headers.clone(),
        );
        let gated = gate.layer(upstream::Upstream::new(config.upstream.as_ref()));
        if let Ok(mut slot) = self.gated.write() {
            *slot = Some(gated);
        }
    }

    /// Whether it can decide.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.gated.read().is_ok_and(|slot| slot.is_some())
    }

    /// Answers one request. A person who comes with a browser, where only known callers are let
    /// in, is asked who they are (`docs/contracts/decidim.md` §5.4).
    pub async fn answer<B>(&self, mut request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if self.config.authenticate.list().contains(&Method::Session) {
            match session::caller(&self.issuer, request.headers()).await {
                Ok(Some(caller)) => drop(request.extensions_mut().insert(caller)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(%error, "a session could not be looked at");
                    let wait = [(header::RETRY_AFTER, "1")];
                    return (StatusCode::SERVICE_UNAVAILABLE, wait).into_response();
                }
            }
        }
        let refuses = self.config.anonymous == Some(Anonymous::Refused);
        if refuses && is_a_person_nobody_knows(&request) {
            let to = [(header::LOCATION, "/auth/login"), (header::CACHE_CONTROL, "no-store")];
            return (StatusCode::FOUND, to).into_response();
        }
        let gated = self.gated.read().ok().and_then(|slot| slot.clone());
        let Some(gated) = gated else {
            let body = r#"{"errors":[{"message":"The schema of the API behind this guard is not known yet.","extensions":{"code":"NOT_READY"}}]}"#;
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::RETRY_AFTER, "2")];
            return (StatusCode::SERVICE_UNAVAILABLE, headers, body).into_response();
        };
        match gated.oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
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

/// The rules of a guard: the dialect's, with its own settings over them.
pub(crate) fn rules(config: &GuardConfig) -> Rules {
    let mut rules = dialects::rules(config.dialect);
    if !config.public.is_empty() {
        rules.public.clone_from(&config.public);
    }
    if let Some(scopes) = &config.scopes {
        rules.aliases.clone_from(scopes);
    }
    let required = |term| config.require.contains(&term);
    rules.terms = Terms { client: required(Term::Client), person: required(Term::Person) };
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
