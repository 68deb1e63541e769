//! APIs over HTTP that are not GraphQL: what is decided, and what crosses the gate.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use castellan_gate::{
    Caller, Credential, CredentialProblem, Denial, Identity, NamedBy, PersonTerm, Policies,
    PolicyAnswer, PolicyRequest, PolicyTerm, Recorder, ReplyBody, Rules, Terms, Unavailable,
    Verifier,
    rest::{Operation, RequestBody, RestGate, RestMap, RestSettings},
};
use castellan_proto::scope::{RequiredScope, Scopes};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

use crate::wire::pattern;

const OPERATIONS: [(&str, &str); 5] = [
    ("GET /orders", "Query:Order:List"),
    ("GET /orders/{id}", "Query:Order:Get"),
    ("POST /orders", "Mutation:Order:Create"),
    ("POST /orders/{id}/cancel", "Mutation:Order:Cancel"),
    ("PUBLISH /orders/{id}", "Mutation:Order:Publish"),
];

/// Each token stands for its scopes.
struct Keys(BTreeMap<&'static str, Caller>);

#[async_trait]
impl Verifier for Keys {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        match credential.bearer {
            "down" => Err(Unavailable),
            "old" => Ok(Caller::tainted(CredentialProblem::Expired)),
            name => Ok(self.0.get(name).cloned().unwrap_or(Caller::invalid())),
        }
    }
}

struct Denials(Arc<Mutex<Vec<Denial>>>);

impl Recorder for Denials {
    fn denied(&self, denial: Denial) {
        self.0.lock().unwrap().push(denial);
    }
}

#[derive(Debug)]
struct Sent {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

type Answer = Arc<dyn Fn() -> Response<ReplyBody> + Send + Sync>;

struct Rig {
    rules: Rules,
    settings: RestSettings,
    keys: BTreeMap<&'static str, Caller>,
    answer: Answer,
    sent: Arc<Mutex<Vec<Sent>>>,
    denials: Arc<Mutex<Vec<Denial>>>,
}

fn whole(text: &'static str) -> ReplyBody {
    Full::from(text).map_err(|never| match never {}).boxed_unsync()
}

fn scoped(scopes: &str) -> Caller {
    Caller::known(Identity::with_scopes(Scopes::parse(scopes).unwrap()))
}

fn rig() -> Rig {
    let keys = [
        ("all", scoped("Query:* Mutation:*")),
        ("reads", scoped("Query:Order:*")),
        ("none", scoped("openid")),
    ];
    Rig {
        rules: Rules { public: vec![pattern("Query:Order:List")], ..Rules::default() },
        settings: RestSettings {
            path: "/shop".to_owned(),
            base: "/v1".to_owned(),
            ..RestSettings::default()
        },
        keys: keys.into(),
        answer: Arc::new(|| {
            let answer = Response::builder().header("content-type", "application/json");
            answer.body(whole("[]")).unwrap()
        }),
        sent: Arc::default(),
        denials: Arc::default(),
    }
}

impl Rig {
    async fn send(&self, request: Request<ReplyBody>) -> Reply {
        let operations = OPERATIONS.iter().map(|(place, required)| {
            let required = RequiredScope::try_from((*required).to_owned()).unwrap();
            Operation::read(place, required, NamedBy::Override).unwrap()
        });
        let map = Arc::new(RestMap::new(operations.collect()).unwrap());
        let verifier = Arc::new(Keys(self.keys.clone()));
        let gate = RestGate::new(map, self.rules.clone(), verifier, self.settings.clone())
            .with(Arc::new(Denials(Arc::clone(&self.denials))), None);
        let (sent, answer) = (Arc::clone(&self.sent), Arc::clone(&self.answer));
        let api = tower::service_fn(move |request: Request<RequestBody>| {
            let (sent, answer) = (Arc::clone(&sent), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let collected = body.collect().await.unwrap();
                let trailers = collected.trailers().cloned();
                sent.lock().unwrap().push(Sent {
                    method: parts.method,
                    uri: parts.uri.to_string(),
                    headers: parts.headers,
                    body: String::from_utf8(collected.to_bytes().to_vec()).unwrap(),
                    trailers,
                });
                Ok::<_, Infallible>(answer())
            }
        });
        let (parts, body) = gate.layer(api).oneshot(request).await.unwrap().into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(collected.to_bytes().to_vec()).unwrap(),
            trailers,
        }
    }

    async fn ask(&self, method: &str, target: &str, token: Option<&str>) -> Reply {
        let mut request = Request::builder().method(method).uri(target);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(whole("")).unwrap()).await
    }

    fn only(&self) -> Sent {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    fn nothing_sent(&self) -> bool {
        self.sent.lock().unwrap().is_empty()
    }
}

#[tokio::test]
async fn an_operation_passes_by_its_scope_and_by_nothing_else() {
    let rig = rig();
    let named = "Bearer error=\"insufficient_scope\", scope=\"Mutation:Order:Cancel\"";
    for (method, target, token, status, challenge) in [
        ("GET", "/shop/orders", None, 200, None),
        ("HEAD", "/shop/orders", None, 200, None),
        ("GET", "/shop/orders?a=%2F&b", Some("none"), 200, None),
        ("GET", "/shop/orders", Some("bad"), 200, Some("Bearer error=\"invalid_token\"")),
        ("GET", "/shop/orders/7", None, 401, Some("Bearer scope=\"Query:Order:Get\"")),
        ("GET", "/shop/orders/7", Some("bad"), 401, Some("Bearer error=\"invalid_token\"")),
        ("GET", "/shop/orders/7", Some("old"), 401, Some("Bearer error=\"invalid_token\"")),
        ("GET", "/shop/orders/7", Some("reads"), 200, None),
        ("POST", "/shop/orders/7/cancel", Some("reads"), 403, Some(named)),
        ("POST", "/shop/orders/7/cancel", Some("all"), 200, None),
        ("PUBLISH", "/shop/orders/7", Some("all"), 200, None),
        ("GET", "/shop/orders/7", Some("down"), 503, None),
        ("DELETE", "/shop/orders/7", Some("all"), 405, None),
        ("GET", "/shop/secrets", Some("all"), 404, None),
        ("GET", "/shopping", Some("all"), 404, None),
        ("GET", "/shop/orders//7", Some("all"), 400, None),
        ("GET", "/shop/orders?access_token=all", None, 400, None),
    ] {
        let reply = rig.ask(method, target, token).await;
        let what = format!("{method} {target} {token:?}: {}", reply.body);
        assert_eq!(reply.status, status, "{what}");
        assert_eq!(reply.header("www-authenticate"), challenge, "{what}");
        assert_eq!(rig.nothing_sent(), status != 200, "{what}");
        if status == 200 {
            let (path, seen) = (target.replacen("/shop", "/v1", 1), rig.only());
            assert_eq!((seen.method.as_str(), &*seen.uri), (method, &*path), "{what}");
        } else {
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            let said = reply.json();
            assert_eq!(said["decision"], reply.header("castellan-decision").unwrap());
            assert_eq!(said["status"], status);
            assert!(!reply.body.contains("secrets") && !reply.body.contains("/7"), "{what}");
        }
    }
    let denials = rig.denials.lock().unwrap();
    assert_eq!(denials.len(), 4);
    assert_eq!(denials[3].fields[0].field, "POST /orders/{id}/cancel");
    assert_eq!(denials[3].operation, "Mutation");
}

#[tokio::test]
async fn options_and_refused_methods_say_what_there_is() {
    let rig = rig();
    let allowed = "GET, HEAD, OPTIONS, PUBLISH";
    let reply = rig.ask("OPTIONS", "/shop/orders/7", None).await;
    assert_eq!((reply.status, reply.header("allow")), (StatusCode::OK, Some(allowed)));
    let reply = rig.ask("PUT", "/shop/orders/7", Some("all")).await;
    assert_eq!(reply.header("allow"), Some(allowed));
    assert_eq!(rig.ask("OPTIONS", "/shop/nothing", None).await.status, 404);
}

#[tokio::test]
async fn known_callers_only_means_every_path() {
    let mut rig = rig();
    rig.rules.known_callers_only = true;
    for target in ["/shop/orders", "/shop/nothing"] {
        for token in [None, Some("bad")] {
            assert_eq!(rig.ask("GET", target, token).await.status, 401);
        }
    }
    assert_eq!(rig.ask("GET", "/shop/orders", Some("none")).await.status, 200);
}

/// What callers may not send to the service, and what they may.
const GONE: [&str; 26] = [
    "authorization",
    "cookie",
    "castellan-identity",
    "castellan_identity",
    "castellan.decision",
    "x-forwarded-for",
    "x_forwarded_host",
    "forwarded",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "x_http_method_override",
    "origin",
    "dpop",
    "x-jwt-aud",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "x-doomed",
    "expect",
    "x-tenant",
    "x_tenant",
    "http2-settings",
];
const KEPT: [&str; 10] = [
    "accept",
    "accept-encoding",
    "content-type",
    "content-encoding",
    "if-none-match",
    "range",
    "content-digest",
    "x-request-id",
    "trailer",
    "user-agent",
];

/// `docs/security-cases.md` row 29, and `docs/rules.md` rule 39.
#[tokio::test]
async fn case_29_no_credential_and_no_forged_identity_reaches_the_service() {
    let rig = rig();
    let mut request = Request::post("/shop/orders");
    for name in GONE.iter().chain(&KEPT) {
        request = request.header(
            *name,
            match *name {
                "authorization" => "Bearer all",
                "connection" => "close, X-Doomed",
                "te" => "gzip",
                _ => "value",
            },
        );
    }
    let mut settings = rig;
    settings.settings.strip = vec!["X-Tenant".to_owned()];
    let rig = settings;
    let reply = rig.send(request.body(whole("{}")).unwrap()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let sent = rig.only();
    for name in GONE.iter().filter(|name| !name.starts_with("castellan")) {
        assert!(!sent.headers.contains_key(*name), "{name}");
    }
    let ours: Vec<_> =
        sent.headers.keys().filter(|name| name.as_str().starts_with("castellan")).collect();
    assert_eq!(ours, ["castellan-decision"]);
    assert_ne!(sent.headers["castellan-decision"], "value");
    for name in KEPT {
        assert_eq!(sent.headers[name], "value", "{name}");
    }
    assert_eq!(sent.body, "{}");
}

fn with_trailers(data: &'static str, trailers: &[(&'static str, &'static str)]) -> ReplyBody {
    let fields = trailers.iter().map(|(name, value)| {
        (name.parse::<http::HeaderName>().unwrap(), value.parse::<http::HeaderValue>().unwrap())
    });
    let frames = [Frame::data(Bytes::from(data)), Frame::trailers(fields.collect())];
    Frames(frames.into_iter()).boxed_unsync()
}

/// Frames, one after the other.
struct Frames<I>(I);

impl<I: Iterator<Item = Frame<Bytes>> + Unpin> Body for Frames<I> {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn trailers_pass_without_what_headers_could_not() {
    let mut rig = rig();
    rig.answer = Arc::new(|| {
        let fields = [("etag", "1"), ("set-cookie", "a=b"), ("castellan-decision", "forged")];
        let answer = Response::builder().header("content-type", "text/plain");
        answer.body(with_trailers("done", &fields)).unwrap()
    });
    let fields = [
        ("content-digest", "sha-256=:x:"),
        ("castellan_identity", "forged"),
        ("authorization", "Bearer x"),
        ("host", "evil"),
        ("content-length", "9"),
    ];
    let request = Request::post("/shop/orders").header("authorization", "Bearer all");
    let request = request.header("te", "trailers").body(with_trailers("text", &fields)).unwrap();
    let reply = rig.send(request).await;
    let names = |trailers: Option<HeaderMap>| {
        trailers.unwrap().keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    let sent = rig.only();
    assert_eq!((&*sent.body, sent.headers["te"].to_str().unwrap()), ("text", "trailers"));
    assert_eq!(names(sent.trailers), ["content-digest"]);
    assert_eq!(reply.body, "done");
    assert_eq!(names(reply.trailers), ["etag"]);
}

/// `docs/rules.md` rule 37.
#[tokio::test]
async fn nothing_that_a_browser_could_run_comes_from_the_host_of_the_sign_in_pages() {
    let mut rig = rig();
    for (media_type, passes) in [
        ("application/json", true),
        ("application/vnd.ibexa.api.Content+xml", true),
        ("Application/XML; charset=utf-8", true),
        ("text/plain", true),
        ("image/png", true),
        ("application/octet-stream", true),
        ("text/html", false),
        ("application/json;,text/html", false),
        ("text/plain;charset=utf-7, text/html", false),
        ("application/xhtml+xml", false),
        ("image/svg+xml", false),
        ("text/javascript", false),
        ("application/pdf", false),
        ("multipart/x-mixed-replace", false),
        ("json", false),
        ("", false),
    ] {
        rig.answer = Arc::new(move || {
            Response::builder()
                .header("content-type", media_type)
                .header("set-cookie", "ASID=stolen")
                .header("clear-site-data", "*")
                .header("access-control-allow-origin", "*")
                .header("content-security-policy", "default-src *")
                .header("location", "/elsewhere")
                .header("etag", "\"1\"")
                .body(whole("<script>alert(1)</script>"))
                .unwrap()
        });
        rig.settings.shares_host = true;
        let reply = rig.ask("GET", "/shop/orders", None).await;
        assert_eq!(reply.status, if passes { 200 } else { 502 }, "{media_type}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("content-security-policy").unwrap().contains("sandbox"));
        for name in ["set-cookie", "clear-site-data", "access-control-allow-origin"] {
            assert_eq!(reply.header(name), None);
        }
        assert_eq!(reply.header("location"), passes.then_some("/elsewhere"));
        rig.settings.shares_host = false;
        let reply = rig.ask("GET", "/shop/orders", None).await;
        assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (200, Some("ASID=stolen")));
    }
}

#[tokio::test]
async fn what_is_not_public_is_kept_by_no_shared_cache() {
    let mut rig = rig();
    rig.answer = Arc::new(|| {
        let answer = Response::builder().header("content-type", "text/plain");
        let answer = answer.header("cache-control", "public, max-age=60, s-maxage=600");
        answer.body(whole("x")).unwrap()
    });
    let public = rig.ask("GET", "/shop/orders", Some("all")).await;
    assert_eq!(public.header("cache-control"), Some("public, max-age=60, s-maxage=600"));
    let own = rig.ask("GET", "/shop/orders/7", Some("all")).await;
    assert_eq!(own.header("cache-control"), Some("private, max-age=60"));
    assert_eq!(own.header("vary"), Some("Authorization, Cookie"));
}

/// Says yes to one value, and keeps what it was asked.
struct OneOrder(Mutex<Vec<Value>>);

impl Policies for OneOrder {
    fn ask(&self, request: &PolicyRequest<'_>) -> PolicyAnswer {
        self.0.lock().unwrap().push(json!([
            request.operation_type,
            request.field,
            request.required.as_str(),
            request.arguments,
        ]));
        let is_allowed = request.arguments["id"] == "7";
        PolicyAnswer { is_allowed, said: Vec::new() }
    }
}

#[tokio::test]
async fn policies_see_the_parameters_of_the_path_and_the_query() {
    let mut rig = rig();
    rig.rules.terms = Terms { policy: true, ..Terms::default() };
    let policies = Arc::new(OneOrder(Mutex::default()));
    rig.keys.insert(
        "asked",
        Caller::known(Identity {
            token_scopes: Scopes::parse("Query:*").unwrap(),
            person_term: PersonTerm::NoPerson,
            policy_term: PolicyTerm::Ask(Arc::clone(&policies) as _),
            ..Identity::default()
        }),
    );
    assert_eq!(rig.ask("GET", "/shop/orders/7?a=1&b=%20&a=2", Some("asked")).await.status, 200);
    let refused = rig.ask("GET", "/shop/orders/8", Some("asked")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &json!("policy")));
    assert_eq!(refused.header("www-authenticate"), None, "no scope would help");
    // Public for everybody; and nobody says what policies say.
    assert_eq!(rig.ask("GET", "/shop/orders", Some("asked")).await.status, 200);
    assert_eq!(rig.ask("GET", "/shop/orders/7", Some("all")).await.status, 403);
    let asked = policies.0.lock().unwrap();
    assert_eq!(
        *asked,
        [
            json!(["Query", "GET /orders/{id}", "Query:Order:Get",
                {"id": "7", "query": {"a": ["1", "2"], "b": " "}}]),
            json!(["Query", "GET /orders/{id}", "Query:Order:Get", {"id": "8", "query": {}}]),
        ]
    );
}

#[tokio::test]
async fn no_other_protocol_is_changed_to() {
    let rig = rig();
    for protocol in ["websocket", "h2c"] {
        let request = Request::get("/shop/orders").header("upgrade", protocol);
        let request = request.header("connection", "upgrade").body(whole("")).unwrap();
        assert_eq!(rig.send(request).await.status, 400);
    }
    assert!(rig.nothing_sent());
}
