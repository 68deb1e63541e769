//! Who may pass: decides what each request to an API may do.
//!
//! [tower] layers around any service: [`Gate`] around one that answers GraphQL over HTTP, and
//! [`rest::RestGate`] around any other. They do not need Castellan's server: give them the schema or
//! the operations, the rules and a verifier of credentials.
//!
//! ```
//! use std::{convert::Infallible, sync::Arc};
//!
//! use async_trait::async_trait;
//! use bytes::Bytes;
//! use castellan_gate::{
//!     Caller, Credential, Gate, GuardSchema, Identity, Rules, SchemaSettings, Unavailable, Verifier,
//! };
//! use http_body_util::{BodyExt as _, Full};
//! use tower::{Layer as _, ServiceExt as _};
//!
//! /// Knows one key.
//! struct OneKey;
//!
//! #[async_trait]
//! impl Verifier for OneKey {
//!     async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
//!         if credential.bearer != "sesame" {
//!             return Ok(Caller::invalid());
//!         }
//!         let scopes = castellan_proto::scope::Scopes::parse("Mutation:Person:*").unwrap();
//!         Ok(Caller::known(Identity::with_scopes(scopes)))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! // The API behind the gate: not ours, and it checks nothing.
//! let api = tower::service_fn(|_request: http::Request<Full<Bytes>>| async {
//!     let answer = http::Response::builder().header("content-type", "application/json");
//!     Ok::<_, Infallible>(answer.body(Full::from(r#"{"data":{"createPerson":"p1"}}"#)).unwrap())
//! });
//!
//! let sdl = "type Query { persons: [String] } type Mutation { createPerson(name: String): ID }";
//! let schema = GuardSchema::build(sdl, &SchemaSettings::default()).unwrap();
//! let rules = Rules { public: vec!["Query:*".to_owned().try_into().unwrap()], ..Rules::default() };
//! let gated = Gate::new(Arc::new(schema), rules, Arc::new(OneKey)).layer(api);
//!
//! let ask = |key: Option<&str>| {
//!     let mut request = http::Request::post("/graphql").header("content-type", "application/json");
//!     if let Some(key) = key {
//!         request = request.header("authorization", format!("Bearer {key}"));
//!     }
//!     request.body(Full::from(r#"{"query":"mutation { createPerson(name: \"Ada\") }"}"#)).unwrap()
//! };
//! let denied = gated.clone().oneshot(ask(None)).await.unwrap();
//! let body = denied.into_body().collect().await.unwrap().to_bytes();
//! assert!(String::from_utf8_lossy(&body).contains("UNAUTHENTICATED"));
//!
//! let allowed = gated.oneshot(ask(Some("sesame"))).await.unwrap();
//! let body = allowed.into_body().collect().await.unwrap().to_bytes();
//! assert_eq!(body, r#"{"data":{"createPerson":"p1"}}"#);
//! # });
//! ```
//!
//! The same for a REST API:
//!
//! ```
//! # use std::{convert::Infallible, sync::Arc};
//! # use async_trait::async_trait;
//! # use castellan_gate::{Caller, Credential, Identity, Unavailable, Verifier};
//! use castellan_gate::{
//!     NamedBy, Rules,
//!     rest::{Operation, RequestBody, RestGate, RestMap, RestSettings},
//! };
//! use http_body_util::Empty;
//! use tower::{Layer as _, ServiceExt as _};
//!
//! # struct OneKey;
//! # #[async_trait]
//! # impl Verifier for OneKey {
//! #     async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
//! #         if credential.bearer != "sesame" {
//! #             return Ok(Caller::invalid());
//! #         }
//! #         let scopes = castellan_proto::scope::Scopes::parse("Mutation:Order:*").unwrap();
//! #         Ok(Caller::known(Identity::with_scopes(scopes)))
//! #     }
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let api = tower::service_fn(|_request: http::Request<RequestBody>| async {
//!     let answer = http::Response::builder().status(204);
//!     Ok::<_, Infallible>(answer.body(Empty::<bytes::Bytes>::new()).unwrap())
//! });
//!
//! let scope = "Mutation:Order:Cancel".to_owned().try_into().unwrap();
//! let cancel = Operation::read("POST /orders/{id}/cancel", scope, NamedBy::Override).unwrap();
//! let map = Arc::new(RestMap::new(vec![cancel]).unwrap());
//! let settings = RestSettings { path: "/shop".to_owned(), ..RestSettings::default() };
//! let gated = RestGate::new(map, Rules::default(), Arc::new(OneKey), settings).layer(api);
//!
//! let ask = |path: &str, key: &str| {
//!     let request = http::Request::post(path).header("authorization", format!("Bearer {key}"));
//!     request.body(Empty::<bytes::Bytes>::new()).unwrap()
//! };
//! for (path, key, status) in [
//!     ("/shop/orders/7/cancel", "sesame", 204),
//!     ("/shop/orders/7/cancel", "guess", 401),
//!     ("/shop/orders/7", "sesame", 404),
//! ] {
//!     assert_eq!(gated.clone().oneshot(ask(path, key)).await.unwrap().status(), status);
//! }
//! # });
//! ```
//!
//! The order of a request through the modules: credential, [`Envelope`], [`Document`], [`decide()`],
//! pruning what was denied, the service behind, and merging nulls and errors into its answer.

mod answer_memory;
mod caller;
mod context;
mod credential;
mod decide;
mod denial;
mod document;
mod envelope;
mod explain;
mod forward;
mod headers;
mod json;
mod layer;
mod limits;
mod local;
mod media;
mod merge;
mod plan;
mod policies;
mod question;
mod recorder;
mod request;
mod request_verdict;
mod response;
pub mod rest;
mod rules;
mod schema;
mod shown;
mod tally;
mod under_way;
mod upstream;
mod upstream_failure;

pub use answer_memory::AnswerMemory;
pub use caller::{
    BasicError, Caller, Credential, CredentialProblem, Identity, Person, PersonTerm, Possession,
    Source, Unavailable, Unchallenged, Verifier,
};
pub use context::{Attestor, ReplyBody};
pub use decide::{Ask, Reason, Verdict, decide};
pub use document::Document;
pub use document::prune::prune;
pub use document::selection::{DocumentError, Selected};
pub use envelope::{Envelope, EnvelopeError, Variables};
pub use explain::{
    CallerSummary, Denial, DeniedField, Explanation, FieldExplanation, RoleSummary, Step, explain,
    explain_denial,
};
pub use headers::{DecisionId, dashed_header_name, end_to_end_headers, strip_request_headers};
pub use layer::{CachedDocuments, Gate, Gated};
pub use limits::Limits;
pub use media::{JSON, Wanted, is_sent_as};
pub use policies::{Policies, PolicyAnswer, PolicyRequest, PolicySaid, PolicyTerm, Says};
pub use question::Question;
pub use recorder::Recorder;
pub use request_verdict::RequestVerdict;
pub use rules::{ErrorText, Introspection, Manner, OnDeny, Rules, Terms, Wording};
pub use schema::directives::{ANY_DIRECTIVE, is_neutral_directive};
pub use schema::lock::{Drift, Lock, parse_lock};
pub use schema::naming::{Naming, name_mutation};
pub use schema::returns::Returns;
pub use schema::{Entry, GuardSchema, NamedBy, Root, SchemaError, SchemaSettings, SessionField};
pub use shown::{CredentialEnded, Ended, FoundAt, Shown, ShownAgain};
pub use upstream::UpstreamUnavailable;
pub use upstream_failure::UpstreamFailure;
