//! A gate with a recording service behind it, and a visitor.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use castellan_gate::{
    Attestor, BasicError, Caller, Credential, CredentialProblem, Denial, Document, Explanation,
    Gate, GuardSchema, Identity, Question, Recorder, Rules, SchemaSettings, Unavailable, Variables,
    Verifier, explain,
};
use castellan_proto::{
    Secret,
    jose::Algorithm,
    scope::{ScopePattern, Scopes},
};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

pub const SDL: &str = r"
interface Node { id: ID }
type Query implements Node {
  id: ID
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]
  persons(first: Int, name: String, where: Where): [Person]
  person(id: ID!): Person
  orders: [Order]
  secret(of: String, flag: Boolean): String
  count: Int!
  fill(deep: Boolean): Person
  query: Query!
  self: Query
  _service: String
  _entities: [String]
}
input Where { name: String, ages: [Int!] }
type Person implements Node { id: ID name: String friends: [Person] }
type Order { id: ID! total: Int }
type Mutation {
  createPerson(name: String, tags: [String]): PersonPayload
  deletePerson(id: ID!): PersonPayload
  createOrders(n: Int): [OrderPayload]
  orderStrictly: Int!
}
type PersonPayload { person: Person query: Query }
type OrderPayload { order: Order query: Query }
type Subscription { persons: Person }
";

/// What reached the service behind.
#[derive(Clone, Debug)]
pub struct Sent {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Value,
    /// The same as it was written.
    pub text: String,
}

impl Sent {
    pub fn query(&self) -> &str {
        self.body["query"].as_str().unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// The body without decision ids, which differ each time.
    pub fn json(&self) -> Value {
        let mut value: Value = serde_json::from_str(&self.text).unwrap();
        let errors = value.get_mut("errors").and_then(Value::as_array_mut);
        for error in errors.into_iter().flatten() {
            if let Some(members) = error.get_mut("extensions").and_then(Value::as_object_mut) {
                members.remove("decision");
            }
        }
        value
    }

    pub fn codes(&self) -> Vec<String> {
        self.each(|error| error["extensions"]["code"].as_str().unwrap_or("-").to_owned())
    }

    pub fn paths(&self) -> Vec<String> {
        self.each(|error| {
            let keys = error["path"].as_array().unwrap();
            keys.iter().map(|key| key.as_str().unwrap()).collect::<Vec<_>>().join(".")
        })
    }

    fn each(&self, of: impl Fn(&Value) -> String) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(of).collect()
    }
}

type Answer = Arc<dyn Fn(&Sent) -> Response<Full<Bytes>> + Send + Sync>;

/// A gate and what stands behind it.
#[derive(Clone)]
pub struct Rig {
    gate: Gate,
    answer: Option<Answer>,
    pub sent: Arc<Mutex<Vec<Sent>>>,
    pub denials: Arc<Mutex<Vec<Denial>>>,
}

/// Credentials by name; each stands for its scopes.
struct Keys(BTreeMap<&'static str, Caller>);

#[async_trait]
impl Verifier for Keys {
    async fn verify(&self, credential: &Credential<'_>) -> Result<Caller, Unavailable> {
        match credential.bearer {
            "down" => Err(Unavailable),
            name => Ok(self.0.get(name).cloned().unwrap_or(Caller::invalid())),
        }
    }

    async fn create_token(
        &self,
        name: &str,
        password: &Secret,
        _: &Extensions,
    ) -> Result<Option<Secret>, BasicError> {
        match name {
            "down" => Err(BasicError::Unavailable),
            "many" => Err(BasicError::TooMany(3)),
            name => {
                let is_right = password.expose() == format!("pw-{name}");
                Ok(is_right.then(|| Secret::new(format!("token of {name}"))))
            }
        }
    }

    fn proof_algorithms(&self) -> &[Algorithm] {
        &[Algorithm::Es256, Algorithm::EdDsa]
    }
}

struct Denials(Arc<Mutex<Vec<Denial>>>);

impl Recorder for Denials {
    fn denied(&self, denial: Denial) {
        self.0.lock().unwrap().push(denial);
    }
}

struct Names;

impl Attestor for Names {
    fn attest(&self, caller: &Caller) -> Option<HeaderValue> {
        let kind = caller.identity().map_or("anonymous", |identity| identity.kind);
        HeaderValue::from_str(kind).ok()
    }
}

/// What is explained of `document` without variables.
pub fn explained(
    schema: &GuardSchema,
    document: &Document,
    caller: &Caller,
    rules: &Rules,
) -> Explanation {
    let (parts, ()) = Request::post("/graphql").body(()).unwrap().into_parts();
    let question = Question::new(schema, document, &Variables::default(), &parts);
    let question = question.unwrap_or_else(|error| panic!("{error:?}"));
    explain(&question, caller, rules).unwrap_or_else(|error| panic!("{error:?}"))
}

pub fn pattern(text: &str) -> ScopePattern {
    text.to_owned().try_into().unwrap()
}

pub fn rules(public: &[&str]) -> Rules {
    Rules { public: public.iter().map(|text| pattern(text)).collect(), ..Rules::default() }
}

pub fn known(scopes: &str) -> Caller {
    Caller::known(Identity::with_scopes(Scopes::parse(scopes).unwrap()))
}

impl Rig {
    pub fn new(sdl: &str, rules: Rules, keys: &[(&'static str, &str)]) -> Self {
        Self::with(sdl, &SchemaSettings::default(), rules, keys)
    }

    pub fn with(
        sdl: &str,
        settings: &SchemaSettings,
        rules: Rules,
        keys: &[(&'static str, &str)],
    ) -> Self {
        let callers = keys.iter().map(|(name, scopes)| (*name, known(scopes)));
        Self::with_callers(sdl, settings, rules, callers.collect())
    }

    /// The same with callers by their keys.
    pub fn with_callers(
        sdl: &str,
        settings: &SchemaSettings,
        rules: Rules,
        mut callers: BTreeMap<&'static str, Caller>,
    ) -> Self {
        let schema = Arc::new(GuardSchema::build(sdl, settings).unwrap());
        let no_good = [
            ("expired", CredentialProblem::Expired),
            ("bound", CredentialProblem::Unproven),
            ("forged", CredentialProblem::ProofInvalid),
            ("late", CredentialProblem::NonceMissing),
        ];
        callers.extend(no_good.map(|(name, taint)| (name, Caller::tainted(taint))));
        let denials = Arc::new(Mutex::new(Vec::new()));
        let gate = Gate::new(schema, rules, Arc::new(Keys(callers))).with(
            Arc::new(Denials(Arc::clone(&denials))),
            Some(Arc::new(Names)),
            vec!["X_User".to_owned()],
        );
        Self { gate, answer: None, sent: Arc::default(), denials }
    }

    pub fn answering(self, value: Value) -> Self {
        self.answering_with(move |_| json_answer(200, &value.to_string()))
    }

    pub fn answering_with(
        mut self,
        answer: impl Fn(&Sent) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.answer = Some(Arc::new(answer));
        self
    }

    /// Sends `request`, whatever it is. Without an answer of its own the service behind is down.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let (sent, answer) = (Arc::clone(&self.sent), self.answer.clone());
        let behind = tower::service_fn(move |request: Request<Full<Bytes>>| {
            let (sent, answer) = (Arc::clone(&sent), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
                let text = String::from_utf8(body.to_vec()).unwrap();
                // What a reader of Rust cannot hold is there as it was written.
                let body = serde_json::from_str(&text).unwrap_or_default();
                let one = Sent { method, uri, headers, body, text };
                sent.lock().unwrap().push(one.clone());
                answer.map(|answer| answer(&one)).ok_or_else(|| "connection refused".to_owned())
            }
        });
        let response: Result<_, Infallible> = self.gate.layer(behind).oneshot(request).await;
        let (parts, body) = response.unwrap().into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        }
    }

    /// Asks `query` with `variables`, as the holder of `key`.
    pub async fn ask_with(&self, key: Option<&str>, query: &str, variables: Value) -> Reply {
        let body = json!({"query": query, "variables": variables});
        self.send(post(key, &body.to_string())).await
    }

    pub async fn ask(&self, key: Option<&str>, query: &str) -> Reply {
        self.ask_with(key, query, json!({})).await
    }

    /// The one request that reached the service behind; none is left afterwards.
    pub fn only(&self) -> Sent {
        let mut sent = self.sent.lock().unwrap();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.pop().unwrap()
    }

    /// How many documents are kept read.
    pub fn kept_documents(&self) -> u64 {
        self.gate.cached_documents().count
    }

    pub fn nothing_sent(&self) -> bool {
        self.sent.lock().unwrap().is_empty()
    }
}

pub fn post(key: Option<&str>, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

pub fn json_answer(status: u16, text: &str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::from(text.to_owned()))
        .unwrap()
}
