//! Which method a guard has, and what counts beside it (§§2, 3, 4.4).

use serde_json::{Value, json};

use super::{Api, OPERATIONS, PEOPLE, SJ, described};
use crate::support::{
    castellan::{Castellan, Plan},
    upstream::{Recorder, json_answer},
    wire::{Answer, Ask},
};

const SDL: &str = "type Query { hello: String } type Mutation { write: String }";
const GREETING: &str = "---
resourceType: Role
id: greeting
groups: [editors]
scope: [\"Query:*\", \"Mutation:*\"]
";

/// A REST guard and a GraphQL guard, neither of which says how callers authenticate, and `more`.
async fn with_graphql(more: &str) -> Api {
    let upstream = Recorder::start().await;
    upstream.answer_by(|_| json_answer(r#"{"data":{"hello":"hi","write":"done"}}"#));
    let url = &upstream.url;
    let castellan = Castellan::start(Plan {
        config: format!(
            "{more}[[guard]]\nname = \"rest\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{url}\"\n{OPERATIONS}\n[[guard]]\nname = \"graphql\"\n\
             path = \"/graphql\"\ndialect = \"ibexa\"\nupstream = \"{url}\"\nschema = \"api.graphql\"\n"
        ),
        documents: format!("{PEOPLE}{GREETING}"),
        files: vec![("api.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    Api { castellan, upstream }
}

impl Api {
    fn graphql(&self, query: &str) -> Ask {
        Ask::post(&self.castellan.at("/graphql")).json(&json!({"query": query}))
    }
}

#[tokio::test]
async fn sessions_need_no_configuration() {
    let api = Api::with("").await;
    let session = api.sign_in("ann").await;
    let ask = session.sends(api.ask("GET", "/content/objects/1"));
    assert_eq!(ask.send().await.status, 200);
    // What a person may do, their roles say, although nothing says so in the file.
    let ask = session.sends(api.ask("GET", "/secrets").header("accept", SJ));
    described(&ask.send().await, 401);
    let bearer = api.ask("GET", "/content/objects/1").bearer("x").header("accept", SJ);
    described(&bearer.send().await, 401);
    assert_eq!(api.upstream.seen().len(), 1);
}

fn code(answer: &Answer) -> Value {
    answer.json()["errors"][0]["extensions"]["code"].clone()
}

#[tokio::test]
async fn sessions_count_at_graphql_guards_and_what_changes_something_has_to_be_meant() {
    let api = with_graphql("").await;
    let anonymous = api.graphql("{ hello }").send().await;
    assert_eq!(anonymous.json()["data"]["hello"], Value::Null, "{anonymous:?}");
    let session = api.sign_in("ann").await;
    let read = format!("{}?query=%7Bhello%7D", api.castellan.at("/graphql"));
    let read = session.sends(Ask::get(&read)).send().await;
    assert_eq!(read.json()["data"]["hello"], "hi", "{read:?}");
    let vary = read.headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    assert!(vary.collect::<Vec<_>>().join(",").contains("cookie"), "{read:?}");
    let write = "mutation { write }";
    for query in [write, "{ hello }"] {
        let refused = session.sends(api.graphql(query)).send().await;
        assert_eq!((refused.status.as_u16(), code(&refused)), (401, json!("CSRF")), "{query}");
        let decision = &refused.json()["errors"][0]["extensions"]["decision"];
        assert_eq!(decision.as_str(), refused.header("castellan-decision"), "{refused:?}");
    }
    let meant = session.means(api.graphql("{ hello }")).send().await;
    assert_eq!(meant.json()["data"]["hello"], "hi", "{meant:?}");
    let meant = session.means(api.graphql(write)).send().await;
    assert_eq!(meant.json()["data"]["write"], "done", "{meant:?}");
    // As at guards that take the sessions of the pages.
    let marked = || session.sends(api.graphql(write)).header("x-requested-with", "XMLHttpRequest");
    assert_eq!(marked().send().await.json()["data"]["write"], "done");
    let seen = api.upstream.seen();
    assert!(!seen.is_empty() && seen.iter().all(|one| !one.headers.contains_key("cookie")));
    for (name, value) in [
        ("origin", "https://evil.test"),
        ("sec-fetch-site", "cross-site"),
        ("x-csrf-token", "a.b.c"),
    ] {
        assert_eq!(marked().header(name, value).send().await.status, 401, "{name}");
    }
    let other = api.sign_in("bob").await;
    let mixed = session.sends(api.graphql(write)).header("x-csrf-token", &other.token);
    assert_eq!(mixed.send().await.status, 401);
    // A session that is over is nobody's.
    let path = format!("/user/sessions/{}", session.id);
    assert_eq!(session.means(api.ask("DELETE", &path)).send().await.status, 204);
    let over = session.means(api.graphql("{ hello }")).send().await;
    assert_eq!(over.json()["data"]["hello"], Value::Null, "{over:?}");
    assert!(api.upstream.seen().is_empty(), "none of them reached the API");
}

/// A guard that takes JWTs, with `more`, and one of the same path that takes sessions.
async fn jwt_before_sessions(more: &str) -> Api {
    let upstream = Recorder::start().await;
    upstream.answer("{}");
    let guard = |name: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{}\"\n{more}{OPERATIONS}",
            upstream.url
        )
    };
    let config = guard("jwt", &format!("authenticate = \"jwt\"\n{more}")) + &guard("sessions", "");
    let castellan =
        Castellan::start(Plan { config, documents: PEOPLE.to_owned(), ..Plan::default() });
    Api { castellan: castellan.await, upstream }
}

#[tokio::test]
async fn a_jwt_guard_may_leave_requests_without_authorization_to_the_guard_of_sessions() {
    let api = jwt_before_sessions("only_with_authorization = true\n").await;
    let session = api.sign_in("ann").await;
    let content = || api.ask("GET", "/content/objects/1").header("accept", SJ);
    assert_eq!(session.sends(content()).send().await.status, 200);
    // What creates tokens stays where they are taken.
    let body = json!({"JWTInput": {"username": "ann", "password": "pw-ann"}}).to_string();
    let ask = api.ask("POST", "/user/token/jwt").header("accept", "application/json");
    let traded = ask.body("application/vnd.ibexa.api.JWTInput+json", body).send().await;
    assert_eq!(traded.status, 200, "{traded:?}");
    let token = traded.json()["JWT"]["token"].as_str().unwrap().to_owned();
    assert_eq!(content().bearer(&token).send().await.status, 200);
    assert_eq!(api.upstream.seen().len(), 2);
    // With the header, in any scheme, no cookie counts, and there are no sessions.
    for shown in ["Bearer x", "Basic eDp5", "Digest x", ""] {
        let answer = session.sends(content()).header("authorization", shown).send().await;
        assert_eq!(answer.status, 401, "{shown}: {answer:?}");
        let ask = session.means(api.login("ann", "pw-ann")).header("authorization", shown);
        assert_eq!(ask.send().await.status, 404, "{shown}");
    }
    assert!(api.upstream.seen().is_empty());
    let unmeant = session.sends(api.ask("DELETE", "/content/types/32").header("accept", SJ));
    assert_eq!(described(&unmeant.send().await, 401), "Missing or invalid CSRF token");
}

/// §4.3: it is as if the header were not there.
#[tokio::test]
async fn basic_credentials_mean_nothing_at_a_guard_of_bearer_tokens() {
    for (method, text) in [("jwt", "JWT Token not found"), ("oauth", "Sign in to use this API.")] {
        let api =
            Api::with(&format!("authenticate = \"{method}\"\nrequire = [\"person\"]\n")).await;
        for shown in ["Basic YW5uOnB3LWFubg==", "basic ?"] {
            let ask = api.ask("GET", "/content/objects/1").header("accept", SJ);
            let answer = ask.header("authorization", shown).send().await;
            assert_eq!(described(&answer, 401), text, "{shown}");
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer") && !challenge.contains("error"), "{challenge}");
        }
        let ask = api.ask("GET", "/content/objects/1").header("accept", SJ).bearer("x");
        let challenge = ask.send().await.header("www-authenticate").unwrap().to_owned();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
}

/// Refusals before the gate are denials like those of the gate (`docs/rules.md` rule 5).
#[tokio::test]
async fn what_is_refused_before_the_gate_can_be_explained() {
    let api = with_graphql("").await;
    let session = api.sign_in("ann").await;
    let delete = || api.ask("DELETE", "/content/types/32").header("accept", SJ);
    let sign_out = api.ask("DELETE", &format!("/user/sessions/{}", session.id));
    let form = api.ask("PATCH", "/content/objects/1").body("text/plain", "x");
    let cases = [
        (session.sends(delete()), "not_meant", "X-CSRF-Token is missing"),
        (
            session.means(delete()).header("origin", "https://evil.test"),
            "not_meant",
            "another origin",
        ),
        (session.means(form), "not_meant", "forms send"),
        (session.sends(sign_out), "not_meant", "X-CSRF-Token is missing"),
        (session.means(delete()).header("x-expected-user", "bob"), "other_user", "X-Expected-User"),
        (api.ask("GET", "/user/current"), "no_credential", "Authorization"),
        (session.sends(api.graphql("{ hello }")), "not_meant", "X-CSRF-Token is missing"),
    ];
    for (ask, reason, cause) in cases {
        let answer = ask.send().await;
        assert_eq!(answer.status, 401, "{answer:?}");
        let id = answer.header("castellan-decision").unwrap().to_owned();
        let said = api.castellan.until_said(&["explain", &id]).await;
        assert!(said.contains(reason) && said.contains(cause), "{said}");
        assert!(!said.contains(&session.id), "a session's identifier opens it: {said}");
        assert!(reason == "no_credential" || said.contains("remedy"), "{said}");
        let json = api.castellan.said(&["explain", &id, "--json"]);
        assert!(json.contains(reason) && !json.contains(&session.id), "{json}");
    }
}

const TWO: &str = "[[site_access]]\nname = \"site\"\ndefault = true\n";
const LOGIN: &str = "---
resourceType: Role
id: strangers
anonymous: true
login: [site]
---
resourceType: Role
id: logins
users: [\"14\"]
login: [site]
";

/// §7.3: the permission is asked for with every request but the one that ends the session.
#[tokio::test]
async fn who_lost_user_login_can_sign_out_and_nothing_else() {
    let upstream = Recorder::start().await;
    upstream.answer("{}");
    let castellan = Castellan::start(Plan {
        config: format!(
            "{TWO}[[guard]]\nname = \"rest\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{}\"\n{OPERATIONS}",
            upstream.url
        ),
        documents: format!("{PEOPLE}{LOGIN}"),
        ..Plan::default()
    });
    let api = Api { castellan: castellan.await, upstream };
    let session = api.sign_in("ann").await;
    assert!(session.is_open(&api).await);
    assert!(api.castellan.cli(&["delete", "Role", "logins"]).status.success());
    let mut refused = None;
    for _ in 0..200 {
        let ask = session.sends(api.ask("GET", "/content/objects/1").header("accept", SJ));
        let answer = ask.send().await;
        if answer.status == 401 {
            refused = Some(answer);
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let refused = refused.expect("the permission is gone");
    let text = "The user has no permission user/login here.";
    assert_eq!(described(&refused, 401), text);
    let id = refused.header("castellan-decision").unwrap();
    let said = api.castellan.until_said(&["explain", id]).await;
    assert!(said.contains("login_not_permitted") && said.contains("login of a Role"), "{said}");
    let one = format!("/user/sessions/{}", session.id);
    for (method, path) in [
        ("GET", "/user/sessions/current".to_owned()),
        ("POST", format!("{one}/refresh")),
        ("DELETE", format!("{one}/refresh")),
        ("DELETE", "/content/types/32".to_owned()),
    ] {
        let ask = session.means(api.ask(method, &path).header("accept", SJ));
        assert_eq!(described(&ask.send().await, 401), text, "{method} {path}");
    }
    let unmeant = session.sends(api.ask("DELETE", &one).header("accept", SJ)).send().await;
    assert_eq!(described(&unmeant, 401), "Missing or invalid CSRF token");
    assert_eq!(session.means(api.ask("DELETE", &one)).send().await.status, 204);
}
