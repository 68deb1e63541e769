//! The management APIs over HTTP (`docs/contracts/curity.md` §§2, 3).

use std::sync::Arc;

use apollo_compiler::executable::OperationType;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::State,
    http::{
        HeaderValue, Method, Request, StatusCode,
        header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::Response,
    routing::any,
};
use castellan_gate::{
    Document, DocumentError, Envelope, GuardSchema, JSON, Limits, Wanted, is_sent_as,
};
use castellan_issuer::{
    managers::{Managers, Permissions, Refused},
    rights::ManagementRefused,
    tokens::verified::Live,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    apis::APIS,
    caller::{self, NoCaller, audit, realm},
    cost,
    error::{Classification, Failure},
    execute::{self, asks_about_schema},
    roster::Api,
};
use crate::{
    app::App,
    http::browser::localized::languages,
    wire::{error::no_store, request::is_too_long},
};

/// One API as it is served at one site.
struct Endpoint {
    api: &'static Api,
    schema: GuardSchema,
    managers: Managers,
}

/// How large a request may be.
fn limits() -> Limits {
    Limits { root_fields: 20, ..Limits::default() }
}

/// The routes of every API.
pub(in crate::http) fn routes(app: &App) -> Router<App> {
    let settings = app.management();
    let served = APIS.iter().filter(|api| (api.is_served)(app.issuer().settings()));
    let endpoints = served.filter_map(|&api| match api.built(settings) {
        Ok(schema) => Some(Arc::new(Endpoint { api, schema, managers: (api.managers)(settings) })),
        Err(error) => {
            // A test builds every schema; without this one, its API is not there.
            tracing::error!(api = api.name(), %error, "a schema cannot be served");
            None
        }
    });
    endpoints.fold(Router::new(), |routes, endpoint| {
        let path = endpoint.api.path;
        let answer = move |State(app): State<App>, request: Request<Body>| {
            let endpoint = Arc::clone(&endpoint);
            async move {
                let wanted = Wanted::of(request.headers());
                let answered = endpoint.answer(&app, wanted, request).await;
                no_store(answered.unwrap_or_else(|refusal| refusal.into_response(wanted)))
            }
        };
        routes.route(path, any(answer))
    })
}

/// Why a request was not executed.
struct Refusal {
    status: StatusCode,
    errors: Vec<Value>,
    /// A well-formed request that GraphQL refuses: 200 for clients that ask for plain JSON.
    is_graphql: bool,
    headers: Vec<(axum::http::HeaderName, HeaderValue)>,
}

impl Refusal {
    fn new(status: StatusCode, failure: &Failure) -> Self {
        let errors = vec![failure.to_json(None, false)];
        Self { status, errors, is_graphql: false, headers: Vec::new() }
    }

    fn bad_request(status: StatusCode, message: &str) -> Self {
        Self::new(status, &Failure::invalid_argument(message))
    }

    /// The operation is refused by the rules of GraphQL.
    fn of_operation(failure: &Failure) -> Self {
        Self { is_graphql: true, ..Self::new(StatusCode::BAD_REQUEST, failure) }
    }

    fn header(mut self, name: axum::http::HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    fn into_response(self, wanted: Option<Wanted>) -> Response {
        let wanted = wanted.unwrap_or(Wanted::Any);
        let is_plain = self.is_graphql && wanted == Wanted::Json;
        let status = if is_plain { StatusCode::OK } else { self.status };
        let mut response = written(status, wanted, &json!({"errors": self.errors}));
        response
            .headers_mut()
            .extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

fn written(status: StatusCode, wanted: Wanted, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, wanted.content_type());
    response
}

impl Endpoint {
    async fn answer(
        &self,
        app: &App,
        wanted: Option<Wanted>,
        request: Request<Body>,
    ) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        if !matches!(parts.method, Method::GET | Method::POST) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Refusal::bad_request(status, "Send GraphQL by POST; queries also by GET.")
                .header(ALLOW, "GET, POST"));
        }
        let caller = caller(app, &parts).await?;
        let permissions = self.permissions(app, &caller, &parts)?;
        let Some(wanted) = wanted else {
            let text = "Accept application/graphql-response+json or application/json.";
            return Err(Refusal::bad_request(StatusCode::NOT_ACCEPTABLE, text));
        };
        let envelope = envelope(&parts, body).await?;
        let document = self.read(app, &envelope)?;
        let kind = document.operation().map(|operation| operation.operation_type);
        let is_query = kind == Some(OperationType::Query);
        if parts.method == Method::GET && !is_query && !app.management().mutations_over_get {
            let text = "Send mutations by POST.";
            return Err(
                Refusal::bad_request(StatusCode::METHOD_NOT_ALLOWED, text).header(ALLOW, "POST")
            );
        }
        check_schema_questions(app, &document, &permissions)?;
        let variables = document
            .coerce(&self.schema, &envelope.variables)
            .map_err(|error| refuse(error, &envelope.query, app.management().introspection))?;
        if let Some(operation) = document.operation() {
            cost::check(&document, operation, &variables, app.management().max_page)
                .map_err(|failure| Refusal::of_operation(&failure))?;
        }
        let languages = languages(&parts.headers);
        let request = execute::Request {
            app,
            caller: &caller,
            permissions: &permissions,
            managers: &self.managers,
            languages: &languages,
            api: self.api,
            schema: &self.schema,
            document: &document,
            variables: &variables,
        };
        let answer = request.run().await.map_err(|execute::Denied(scope)| {
            without_scope(app, denied(app, &parts), scope.as_deref())
        })?;
        Ok(written(StatusCode::OK, wanted, &answer))
    }

    /// What the token allows at this API.
    fn permissions(&self, app: &App, caller: &Live, parts: &Parts) -> Result<Permissions, Refusal> {
        let decided = app.issuer().authorize_management(caller, &self.managers);
        decided.map_err(|refused| {
            let scope = match &refused {
                ManagementRefused::Manager(Refused::Scope(scope)) => Some(&**scope),
                _ => None,
            };
            without_scope(app, denied(app, parts), scope)
        })
    }

    /// Parses and validates the document, and chooses the operation.
    fn read(&self, app: &App, envelope: &Envelope) -> Result<Document, Refusal> {
        let name = envelope.operation_name.as_deref();
        Document::read(&self.schema, &envelope.query, name, &limits())
            .map_err(|error| refuse(error, &envelope.query, app.management().introspection))
    }
}

/// Whose token the request has.
async fn caller(app: &App, parts: &Parts) -> Result<Arc<Live>, Refusal> {
    let realm = realm(app);
    let refused = |message: &str, challenge: String| {
        let failure = Failure::new(Classification::Unauthenticated, message);
        Refusal::new(StatusCode::UNAUTHORIZED, &failure).header(WWW_AUTHENTICATE, &challenge)
    };
    caller::caller(app, parts).await.map_err(|error| match error {
        NoCaller::Missing => {
            refused("An access token is required.", format!("Bearer realm=\"{realm}\""))
        }
        NoCaller::Invalid => {
            let text = "The access token is not valid.";
            refused(text, format!("Bearer realm=\"{realm}\", error=\"invalid_token\""))
        }
        NoCaller::Unavailable(error) => {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, &Failure::internal(&*error))
                .header(RETRY_AFTER, "1")
        }
    })
}

fn denied(app: &App, parts: &Parts) -> Refusal {
    audit(app, parts, "no rule of the management API allows it");
    Refusal::new(StatusCode::FORBIDDEN, &Failure::access_denied())
}

/// `refusal` with the scope that is missing, if one is (RFC 6750 §3.1).
fn without_scope(app: &App, refusal: Refusal, scope: Option<&str>) -> Refusal {
    let Some(scope) = scope else { return refusal };
    let realm = realm(app);
    let challenge =
        format!("Bearer realm=\"{realm}\", error=\"insufficient_scope\", scope=\"{scope}\"");
    refusal.header(WWW_AUTHENTICATE, &challenge)
}

/// Why a document is refused. Texts about the schema name its types, so that they are told where it
/// may be read alone (`docs/contracts/curity.md` §3.7).
fn refuse(error: DocumentError, text: &str, tells_types: bool) -> Refusal {
    match error {
        DocumentError::TooLarge(message) => Refusal::of_operation(&Failure::validation(message)),
        DocumentError::Invalid(errors) => {
            let parses = apollo_compiler::ast::Document::parse(text, "document").is_ok();
            let classification = if parses {
                Classification::ValidationError
            } else {
                Classification::InvalidSyntax
            };
            let shown = errors.iter().map(|error| {
                let plain = "The document does not fit the schema.";
                let is_told = tells_types || !parses;
                let message = if is_told { &*error.message } else { plain };
                let failure = Failure::new(classification, message);
                let mut shown = failure.to_json(None, false);
                shown["locations"] = serde_json::to_value(&error.locations).unwrap_or_default();
                shown
            });
            Refusal { errors: shown.collect(), ..Refusal::of_operation(&Failure::validation("")) }
        }
    }
}

/// Questions about the schema: whether they are answered at all, and not too many.
fn check_schema_questions(
    app: &App,
    document: &Document,
    permissions: &Permissions,
) -> Result<(), Refusal> {
    let asks = document.selected().iter().any(|one| asks_about_schema(&one.field));
    // Whoever may not read is refused by the same rule as with any other query.
    if !asks || !permissions.may_read_schema() {
        return Ok(());
    }
    if !app.management().introspection {
        let failure = Failure::validation("Introspection is not allowed.");
        return Err(Refusal { status: StatusCode::OK, ..Refusal::of_operation(&failure) });
    }
    document.check_introspection().map_err(|error| match error {
        DocumentError::TooLarge(message) => Refusal::of_operation(&Failure::validation(message)),
        DocumentError::Invalid(_) => Refusal::of_operation(&Failure::validation("not valid")),
    })
}

/// Reads what was sent.
async fn envelope(parts: &Parts, body: Body) -> Result<Envelope, Refusal> {
    let read = if parts.method == Method::GET {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Envelope::from_pairs(pairs.into_owned())
    } else {
        if !is_sent_as(JSON, &parts.headers) {
            let text = "Send one JSON object as application/json in UTF-8, uncompressed.";
            return Err(Refusal::bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        Envelope::from_json(&whole(body).await?)
    };
    read.map_err(|error| Refusal::bad_request(StatusCode::BAD_REQUEST, &error.to_string()))
}

async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let most = limits().body_bytes;
    let too_large = || {
        let text = format!("The body is larger than {most} bytes.");
        Refusal::bad_request(StatusCode::PAYLOAD_TOO_LARGE, &text)
    };
    if is_too_long(&body, most) {
        return Err(too_large());
    }
    to_bytes(body, most).await.map_err(|_| too_large())
}
