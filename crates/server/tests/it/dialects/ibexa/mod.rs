//! REST APIs in the dialect `ibexa` (`docs/contracts/ibexa.md`), over HTTP; tests are named after the
//! numbers of its §11.

mod admission;
mod bad_input;
mod csrf;
mod methods;
mod sessions;
mod site_accesses;

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::{Answer, Ask},
};

/// The type of a session that is asked for, and of one that is answered with.
const SJ: &str = "application/vnd.ibexa.api.Session+json";
const SX: &str = "application/vnd.ibexa.api.Session+xml";
/// The type of a login.
const IJ: &str = "application/vnd.ibexa.api.SessionInput+json";
const IX: &str = "application/vnd.ibexa.api.SessionInput+xml";
/// The cookie of the SiteAccess `site`.
const COOKIE: &str = "IBX_SESSION_ID98defd6ee70dfb1dea416cecdf391f58";

const PEOPLE: &str = r#"
resourceType: User
id: "14"
userName: ann
password: pw-ann
emails: [{value: ann@example.test, primary: true}]
groups: [{value: editors}]
---
resourceType: User
id: "15"
userName: bob
password: pw-bob
groups: [{value: editors}]
---
resourceType: User
id: "16"
userName: eve
password: pw-eve
active: false
---
resourceType: Role
id: editing
groups: [editors]
scope: ["Query:Content:*", "Mutation:Content:*", "Mutation:ContentType:Delete"]
"#;

const OPERATIONS: &str = "
[guard.operations]
\"GET /content/objects/{id}\" = \"Query:Content:Get\"
\"PATCH /content/objects/{id}\" = \"Mutation:Content:Update\"
\"COPY /content/objects/{id}\" = \"Mutation:Content:Copy\"
\"MOVE /content/objects/{id}\" = \"Mutation:Content:Move\"
\"SWAP /content/objects/{id}\" = \"Mutation:Content:Swap\"
\"PUBLISH /content/objects/{id}\" = \"Mutation:Content:Publish\"
\"DELETE /content/types/{id}\" = \"Mutation:ContentType:Delete\"
\"GET /news\" = \"Query:News:List\"
\"GET /secrets\" = \"Query:Secret:List\"
";

/// A REST API behind a guard.
struct Api {
    castellan: Castellan,
    upstream: Recorder,
}

/// A session, as the one who opened it knows it.
struct Session {
    id: String,
    token: String,
}

impl Api {
    /// Behind a guard that takes sessions.
    async fn start() -> Self {
        Self::with("authenticate = \"session\"\nrequire = [\"person\"]\n").await
    }

    /// Behind a guard with `more` in its table.
    async fn with(more: &str) -> Self {
        let upstream = Recorder::start().await;
        upstream.answer("{}");
        let castellan = Castellan::start(Plan {
            config: format!(
                "[[guard]]\nname = \"ibexa\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
                 dialect = \"ibexa\"\nupstream = \"{}\"\npublic = [\"Query:News:*\"]\n{more}{OPERATIONS}",
                upstream.url
            ),
            documents: PEOPLE.to_owned(),
            ..Plan::default()
        })
        .await;
        Self { castellan, upstream }
    }

    fn at(&self, path: &str) -> String {
        self.castellan.at(&format!("/api/ibexa/v2{path}"))
    }

    fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(Method::from_bytes(method.as_bytes()).unwrap(), &self.at(path))
    }

    /// A request to open a session in JSON, which is yet to be sent.
    fn login(&self, login: &str, password: &str) -> Ask {
        let body = json!({"SessionInput": {"login": login, "password": password}});
        self.ask("POST", "/user/sessions").body(IJ, body.to_string()).header("accept", SJ)
    }

    /// Opens a session.
    async fn sign_in(&self, login: &str) -> Session {
        let answer = self.login(login, &format!("pw-{login}")).send().await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Session::of(&answer)
    }
}

impl Session {
    fn of(answer: &Answer) -> Self {
        let body = answer.json();
        let text = |name: &str| body["Session"][name].as_str().unwrap().to_owned();
        Self { id: text("identifier"), token: text("csrfToken") }
    }

    fn cookie(&self) -> String {
        format!("{COOKIE}={}", self.id)
    }

    /// `ask` with the cookie of this session.
    fn sends(&self, ask: Ask) -> Ask {
        ask.header("cookie", &self.cookie())
    }

    /// The same with its token.
    fn means(&self, ask: Ask) -> Ask {
        self.sends(ask).header("x-csrf-token", &self.token)
    }

    /// Whether it is open.
    async fn is_open(&self, api: &Api) -> bool {
        self.sends(api.ask("GET", "/user/sessions/current")).send().await.status == 200
    }
}

/// What an error says, which is asked for in JSON.
#[track_caller]
fn described(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/vnd.ibexa.api.ErrorMessage+json"),
        "{answer:?}"
    );
    let body = answer.json();
    let message = &body["ErrorMessage"];
    assert_eq!(message["_media-type"], "application/vnd.ibexa.api.ErrorMessage+json");
    assert_eq!(message["errorCode"], status);
    let reason = answer.status.canonical_reason().unwrap();
    assert_eq!(message["errorMessage"], Value::from(reason));
    message["errorDescription"].as_str().unwrap().to_owned()
}
