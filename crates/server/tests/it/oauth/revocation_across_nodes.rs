//! What is taken back at one node is dead there at once and at the other one within the bound: every
//! end of a token, a session and a key, on every engine, at everything that takes them
//! (`docs/security-cases.md` row 14; `docs/rules.md` rules 28 to 30).

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::{
    operations::nodes::{address, config},
    support::{
        browser::Browser,
        castellan::{Castellan, Plan, free_port},
        fixtures::{Asking, text},
        upstream::Recorder,
        wire::Ask,
    },
};

/// How long something held is printed; what fails is what goes on long after this.
const BOUND: Duration = Duration::from_secs(1);
const SECRET: &str = "s3cr3t-of-them-all";
const SCOPE: &str = "openid profile Query:* Castellan:Client:Read";
const TOOL: &str = "{resourceType: Client, id: tool, secret: s3cr3t-of-them-all, \
                    grant_types: [client_credentials], introspect: any, \
                    scope: [\"Castellan:*\"]}";

/// Two nodes on one data source, before one API.
struct Nodes {
    one: Castellan,
    two: Castellan,
    /// An administrator's token.
    admin: String,
}

impl Nodes {
    async fn start(url: &str) -> Self {
        let api = Recorder::start().await;
        api.answer(r#"{"data":{"hello":"hi","CreatePerson":"hi"}}"#);
        let upstream = format!("upstream = \"{}\"\nschema = \"api.graphql\"\n", api.url);
        let config = format!(
            "{}[[guard]]\nname = \"door\"\npath = \"/door\"\n{upstream}\
             [[guard]]\nname = \"keys\"\npath = \"/graphql\"\ndialect = \"trompa\"\n{upstream}\
             [[guard]]\nname = \"api\"\npath = \"/api\"\ndialect = \"decidim\"\n\
             authenticate = [\"oauth\", \"session\"]\n",
            config(url)
        );
        let schema = "type Query { hello: String }\ntype Mutation { CreatePerson: String }\n";
        let issuer = format!("http://localhost:{}", free_port());
        let plan = |documents: &str| Plan {
            config: config.clone(),
            documents: documents.to_owned(),
            environment: vec![
                ("CASTELLAN_KEY", "Q".repeat(43)),
                ("JWT_SECRET", "s3cret-of-the-keys".to_owned()),
                ("DECIDIM_API_JWT_SECRET", "s3cret-of-the-machines".to_owned()),
            ],
            files: vec![("api.graphql", schema.to_owned())],
            issuer: Some(issuer.clone()),
            ..Plan::default()
        };
        let one = Castellan::start(plan(TOOL)).await;
        let admin = service_token(&one, "tool").await;
        Self { one, two: Castellan::start(plan("")).await, admin }
    }

    /// An administrator writes a resource, on the first node.
    async fn put(&self, path: &str, document: &Value) {
        let ask = Ask::new(Method::PUT, &self.one.at(path)).bearer(&self.admin);
        let answer = ask.json(document).send().await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
    }

    /// Somebody deletes a resource, or signs out, on the first node.
    async fn delete(&self, token: &str, path: &str) {
        let ask = Ask::new(Method::DELETE, &self.one.at(path)).bearer(token);
        assert_eq!(ask.send().await.status, 200, "{path}");
    }

    /// Asserts that all of `uses` hold on both nodes, that after `end`, which happens on the first
    /// one, none does there, and none on the other one before long.
    async fn end(&self, what: &str, uses: &[Use], end: impl AsyncFnOnce()) {
        // Twice, so that both have decided before, and remember it.
        self.all_are(true, (what, uses)).await;
        self.all_are(true, (what, uses)).await;
        end().await;
        let began = Instant::now();
        for one in uses {
            assert!(!one.holds(&self.one).await, "{what}: {} holds where it ended", one.path);
        }
        let mut last = Duration::ZERO;
        for one in uses {
            let mut sent = began.elapsed();
            while one.holds(&self.two).await {
                assert!(sent < 5 * BOUND, "{what}: {} holds elsewhere", one.path);
                tokio::time::sleep(Duration::from_millis(20)).await;
                (last, sent) = (last.max(sent), began.elapsed());
            }
        }
        eprintln!("{what}: held on the other node for {last:?}");
        // Until then, a node that was out of touch and is in touch again goes by what it remembers.
        tokio::time::sleep(BOUND.saturating_sub(began.elapsed())).await;
        self.all_are(false, (what, uses)).await;
    }

    /// Asserts that all of `uses` hold on both nodes, or that none does.
    async fn all_are(&self, good: bool, (what, uses): (&str, &[Use])) {
        for node in [&self.one, &self.two] {
            for one in uses {
                assert_eq!(one.holds(node).await, good, "{what}: {}", one.path);
            }
        }
    }
}

/// What an app is given for itself.
async fn service_token(node: &Castellan, id: &str) -> String {
    let pairs = [&[("grant_type", "client_credentials")], &proof(id)[..]].concat();
    text(&node.token(&pairs).await.json(), "access_token").to_owned()
}

/// A status, and what stands in the headers and the body.
type Said = (u16, &'static [&'static str]);
/// A yes and a no.
type Answers = (Said, Said);

const CHALLENGE: &str = "www-authenticate: Bearer error=\"invalid_token\"";
const GUARD: Answers = (
    (200, &["\"hello\":\"hi\""]),
    (200, &["\"data\":{\"hello\":null}", "\"UNAUTHENTICATED\"", CHALLENGE]),
);
const SESSION: Answers = (
    (200, &["{\"session\":{\"user\":{\"id\":\""]),
    (200, &["\"data\":{\"session\":null}", CHALLENGE]),
);
const ACTIVE: Answers = ((200, &["\n\n{\"active\":true,"]), (200, &["\n\n{\"active\":false}"]));
const USERINFO: Answers =
    ((200, &["\"sub\":\""]), (401, &["{\"error\":\"invalid_token\"", CHALLENGE]));
const RESOURCES: Answers =
    ((200, &["\"id\":\"tool\""]), (401, &["\"id\":\"unauthorized\"", CHALLENGE]));
const REFRESH: Answers =
    ((200, &["\"access_token\":\""]), (400, &["{\"error\":\"invalid_grant\""]));
const PROBE: &str = "{ session { user { id } } }";
const NO_CLIENT: Said = (401, &["{\"error\":\"invalid_client\""]);

/// One way to use what may be over, and what a yes and a no look like there.
struct Use {
    path: String,
    /// A header and its value.
    credential: Credential,
    /// Null where nothing is sent.
    body: Value,
    answers: Answers,
}

type Credential = Vec<(&'static str, String)>;

impl Use {
    fn new(path: &str, credential: Credential, body: Value, answers: Answers) -> Self {
        Self { path: path.to_owned(), credential, body, answers }
    }

    async fn holds(&self, node: &Castellan) -> bool {
        let url = node.at(&self.path);
        let ask = match &self.body {
            Value::Null => Ask::get(&url).header("accept", "text/html"),
            body => Ask::post(&url).json(body).header("x-requested-with", "XMLHttpRequest"),
        };
        let ask = self.credential.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let answer = ask.header("sec-fetch-site", "same-origin").send().await;
        let whole = answer.photograph();
        let is = |(status, parts): Said| {
            answer.status == status && parts.iter().all(|part| whole.contains(part))
        };
        let (yes, no) = (is(self.answers.0), is(self.answers.1));
        assert!(yes != no, "{} says neither yes nor no: {whole}", self.path);
        yes
    }

    /// Everything that takes the access token of anybody.
    fn of_access(token: &str) -> Vec<Self> {
        let asked = json!({"client_id": "tool", "client_secret": SECRET, "token": token});
        vec![
            Self::new("/door", bearer(token), json!({"query": "{ hello }"}), GUARD),
            Self::new("/Client/tool", bearer(token), Value::Null, RESOURCES),
            Self::new("/auth/introspect", vec![], asked, ACTIVE),
        ]
    }
}

fn bearer(token: &str) -> Credential {
    vec![("authorization", format!("Bearer {token}"))]
}

/// How the tokens of a person and an app may end.
const ENDS: &str = "access revoked, refresh revoked, code again, consent withdrawn, consent deleted, \
                    person inactive, person deleted, new password, client inactive, client deleted";

/// A person and an app of one id, made for one end, and what both have in hand.
struct Pair<'a> {
    nodes: &'a Nodes,
    id: String,
    format: &'static str,
    browser: Browser,
    /// One that was redeemed, and another.
    codes: [String; 2],
    tokens: Value,
}

impl<'a> Pair<'a> {
    async fn make(nodes: &'a Nodes, id: String, format: &'static str) -> Self {
        let mut browser = Browser::default();
        put_person(nodes, &id, json!({"password": "pw"})).await;
        put_client(nodes, &id, (format, true)).await;
        let asking = Asking::of(&id, "https://app.test/cb").with("scope", SCOPE);
        let asked = browser.get(&asking.at(&nodes.one)).await;
        let signed_in = browser.sign_in(&nodes.one, &asked, (&id, "pw")).await;
        let agreed = browser.decide(&nodes.one, &signed_in, "allow").await;
        let code = agreed.location_param("code").unwrap_or_else(|| panic!("no code: {agreed:?}"));
        let again = browser.get(&asking.at(&nodes.two)).await;
        let other = again.location_param("code").unwrap_or_else(|| panic!("no code: {again:?}"));
        let tokens = nodes.two.redeem(&code, &proof(&id)).await.json();
        Self { nodes, id, format, browser, codes: [code, other], tokens }
    }

    /// Everything that takes its tokens; `over` is what the app itself is told when they are.
    fn uses(&self, over: Answers) -> Vec<Use> {
        let token = |name| text(&self.tokens, name);
        let (access, refresh) = (token("access_token"), token("refresh_token"));
        let again = json!({"grant_type": "refresh_token", "refresh_token": refresh});
        let mut uses = Use::of_access(access);
        uses.extend([
            Use::new("/auth/userinfo", bearer(access), Value::Null, USERINFO),
            self.shows("/auth/introspect", json!({"token": refresh}), (ACTIVE.0, over.1)),
            self.shows("/auth/token", again, (REFRESH.0, over.0)),
        ]);
        uses
    }

    /// The app shows a code to the token endpoint.
    fn code(&self, code: &str, no: Said) -> Use {
        let body = json!({"grant_type": "authorization_code", "code": code});
        self.shows("/auth/token", body, (REFRESH.0, no))
    }

    fn shows(&self, path: &str, mut body: Value, answers: Answers) -> Use {
        body["client_id"] = json!(self.id);
        body["client_secret"] = json!(SECRET);
        Use::new(path, vec![], body, answers)
    }

    /// The person answers the form on `page`, at the first node.
    async fn submit(&self, (page, action): (&str, &str), status: u16) {
        let (node, mut browser) = (&self.nodes.one, self.browser.clone());
        let csrf = browser.get(&node.at(page)).await.hidden("csrf").unwrap();
        let pairs = [("client_id", &*self.id), ("csrf", &csrf)];
        assert_eq!(browser.post(&node.at(action), &pairs).await.status, status, "{action}");
    }

    async fn ends(&self, end: &str) {
        if end.ends_with("deleted") || end == "new password" {
            // Records and tokens know whole seconds, and what comes next is to be younger.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
        }
        let (nodes, id, token) = (self.nodes, &*self.id, |name| text(&self.tokens, name));
        match end {
            "access revoked" => revoke(&nodes.one, id, token("access_token")).await,
            "refresh revoked" => revoke(&nodes.one, id, token("refresh_token")).await,
            "code again" => assert!(!self.code(&self.codes[0], REFRESH.1).holds(&nodes.one).await),
            "consent withdrawn" => self.submit(("/account", "/account/revoke"), 303).await,
            "consent deleted" => nodes.delete(&nodes.admin, &format!("/Grant/{id}/{id}")).await,
            "person inactive" => put_person(nodes, id, json!({"active": false})).await,
            "person deleted" => nodes.delete(&nodes.admin, &format!("/User/{id}")).await,
            "new password" => put_person(nodes, id, json!({"password": "another"})).await,
            "client inactive" => put_client(nodes, id, (self.format, false)).await,
            "client deleted" => nodes.delete(&nodes.admin, &format!("/Client/{id}")).await,
            "signed out" => self.submit(("/auth/logout", "/auth/logout"), 200).await,
            other => panic!("{other} is no end"),
        }
    }
}

async fn put_person(nodes: &Nodes, id: &str, mut document: Value) {
    document["userName"] = json!(id);
    document["groups"] = json!([{"value": "administrators"}]);
    nodes.put(&format!("/User/{id}"), &document).await;
}

async fn put_client(nodes: &Nodes, id: &str, (format, active): (&str, bool)) {
    let document = json!({
        "secret": SECRET, "active": active, "redirect_uris": ["https://app.test/cb"],
        "scope": SCOPE.split(' ').collect::<Vec<_>>(),
        "grant_types": ["authorization_code", "refresh_token"],
        "auth": {"authorization_code": {"token_format": format, "refresh_token_rotation": "keep"}},
    });
    nodes.put(&format!("/Client/{id}"), &document).await;
}

fn proof(id: &str) -> [(&str, &str); 2] {
    [("client_id", id), ("client_secret", SECRET)]
}

async fn revoke(node: &Castellan, id: &str, token: &str) {
    let pairs = [&proof(id)[..], &[("token", token)]].concat();
    let answer = Ask::post(&node.at("/auth/revoke")).form(&pairs).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Every end of a person's and an app's tokens, and of a code on its way to them.
async fn tokens_end(nodes: &Nodes, format: &'static str) {
    for (at, end) in ENDS.split(", ").enumerate() {
        let pair = Pair::make(nodes, format!("{format}-{at}"), format).await;
        let gone = (REFRESH.1, ACTIVE.1);
        let over = if end.starts_with("client") { (NO_CLIENT, NO_CLIENT) } else { gone };
        let what = format!("{end}, {format}");
        nodes.end(&what, &pair.uses(over), async || pair.ends(end).await).await;
        let pending = pair.code(&pair.codes[1], over.0).holds(&nodes.two).await;
        assert_eq!(pending, at < 3, "{what}: one family is not another");
        // Who is made anew under an old id has none of its tokens.
        match end {
            "person deleted" => put_person(nodes, &pair.id, json!({"password": "pw"})).await,
            "client deleted" => put_client(nodes, &pair.id, (format, true)).await,
            _ => continue,
        }
        nodes.all_are(false, (&what, &pair.uses(gone))).await;
    }
}

/// Every end of what an app is given for itself.
async fn service_tokens_end(nodes: &Nodes) {
    for end in ["revoked", "inactive", "deleted"] {
        let (id, path) = (format!("svc-{end}"), format!("/Client/svc-{end}"));
        let mut document = json!({"secret": SECRET, "grant_types": ["client_credentials"]});
        document["scope"] = json!(["Query:*", "Castellan:Client:Read"]);
        nodes.put(&path, &document).await;
        document["active"] = json!(false);
        let token = service_token(&nodes.one, &id).await;
        let end_it = async || match end {
            "inactive" => nodes.put(&path, &document).await,
            "deleted" => nodes.delete(&nodes.admin, &path).await,
            _ => revoke(&nodes.one, &id, &token).await,
        };
        nodes.end(&id, &Use::of_access(&token), end_it).await;
    }
}

/// Every end of a browser's session. That of the session alone leaves apps what they have.
async fn sessions_end(nodes: &Nodes) {
    let account: Answers = ((200, &["/account/revoke"]), (303, &["location: /auth/login"]));
    let code: Answers =
        ((302, &["location: https://app.test/cb?code="]), (303, &["location: /auth/login?flow="]));
    for end in ["signed out", "person inactive", "person deleted", "new password"] {
        let pair = Pair::make(nodes, end.replace(' ', "-"), "jwt").await;
        let asking = Asking::of(&pair.id, "https://app.test/cb").with("scope", SCOPE);
        let asking = asking.at(&nodes.one).replace(&nodes.one.url, "");
        let cookie = vec![("cookie", pair.browser.jar())];
        let uses = [
            Use::new("/api", cookie.clone(), json!({"query": PROBE}), SESSION),
            Use::new("/account", cookie.clone(), Value::Null, account),
            Use::new(&asking, cookie, Value::Null, code),
        ];
        nodes.end(&pair.id, &uses, async || pair.ends(end).await).await;
        let info = nodes.one.userinfo(text(&pair.tokens, "access_token")).await;
        assert_eq!(info.status, if end == "signed out" { 200 } else { 401 }, "{end}: {info:?}");
    }
}

/// Every end of a machine user's token.
async fn machines_end(nodes: &Nodes) {
    for (key, over) in [("signed-out", 200), ("deleted", 403), ("new-secret", 403)] {
        let path = format!("/ApiCredential/{key}");
        let mut document = json!({"name": key, "secret": SECRET, "scope": ["api:read"]});
        nodes.put(&path, &document).await;
        document["secret"] = json!("another-secret");
        let pairs = [("api_user[key]", key), ("api_user[secret]", SECRET)];
        let sign_in = |node: &Castellan| Ask::post(&node.at("/api/sign_in")).form(&pairs).send();
        let signed_in = sign_in(&nodes.one).await.json();
        let token = text(&signed_in, "jwt_token");
        let uses = [Use::new("/api", bearer(token), json!({"query": PROBE}), SESSION)];
        let end_it = async || match key {
            "deleted" => nodes.delete(&nodes.admin, &path).await,
            "new-secret" => nodes.put(&path, &document).await,
            _ => nodes.delete(token, "/api/sign_out").await,
        };
        nodes.end(&format!("{key}, a machine"), &uses, end_it).await;
        assert_eq!(sign_in(&nodes.one).await.status, over, "{key}");
        assert_eq!(sign_in(&nodes.two).await.status, over, "{key}");
        // Made anew, it is another one.
        nodes.put(&path, &document).await;
        nodes.all_are(false, (key, &uses)).await;
    }
}

/// Every end of the token that a key was traded for.
async fn keys_end(nodes: &Nodes) {
    let document = |scope: &str| json!({"apiKey": SECRET, "scopes": [scope]});
    let unknown: Said = (200, &["\"data\":{\"CreatePerson\":null}", "\"UNAUTHENTICATED\""]);
    let narrow: Said = (200, &["\"data\":{\"CreatePerson\":null}", "\"FORBIDDEN\""]);
    for (id, no) in [("deleted", unknown), ("narrowed", narrow)] {
        let path = format!("/AuthKey/{id}");
        nodes.put(&path, &document("Mutation:Person:*")).await;
        let body = json!({"id": id, "apiKey": SECRET, "scopes": ["Mutation:Person:Create"]});
        let trade = |node: &Castellan| Ask::post(&node.at("/jwt")).json(&body).send();
        let traded = trade(&nodes.one).await.json();
        let create = json!({"query": "mutation { CreatePerson }"});
        let yes: Said = (200, &["\"CreatePerson\":\"hi\""]);
        let uses = [Use::new("/graphql", bearer(text(&traded, "jwt")), create, (yes, no))];
        let end_it = async || match id {
            "deleted" => nodes.delete(&nodes.admin, &path).await,
            _ => nodes.put(&path, &document("Mutation:Place:*")).await,
        };
        nodes.end(&format!("{id}, a key"), &uses, end_it).await;
        assert_eq!(trade(&nodes.one).await.status, 403, "{id}");
        assert_eq!(trade(&nodes.two).await.status, 403, "{id}");
        if id == "deleted" {
            nodes.put(&path, &document("Mutation:Person:*")).await;
            assert_eq!(trade(&nodes.two).await.status, 200);
            nodes.all_are(false, ("a key made anew", &uses)).await;
        }
    }
}

async fn everything_ends(url: &str) {
    let nodes = Nodes::start(url).await;
    tokio::join!(
        Box::pin(tokens_end(&nodes, "jwt")),
        Box::pin(tokens_end(&nodes, "opaque")),
        service_tokens_end(&nodes),
        sessions_end(&nodes),
        machines_end(&nodes),
        keys_end(&nodes),
    );
}

#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    everything_ends(&format!("sqlite://{}", folder.path().join("shared.db").display())).await;
}

#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_postgres() {
    everything_ends(&address("CASTELLAN_TEST_POSTGRES")).await;
}

#[cfg(feature = "full")]
#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_mongodb() {
    let server = address("CASTELLAN_TEST_MONGODB");
    everything_ends(&format!("{}/ended", server.trim_end_matches('/'))).await;
}

#[cfg(feature = "full")]
#[tokio::test]
async fn case_14_every_end_reaches_every_consumer_on_dynamodb() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    everything_ends(&format!("dynamodb://local?table=ended&endpoint={server}")).await;
}
