//! SiteAccesses, who may sign in where, and which origins may call (§7, §8).

use http::Method;

use super::{Api, OPERATIONS, PEOPLE, SJ, Session, described};
use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::{Answer, Ask},
};

/// The cookie of the SiteAccess `restapi`.
const RESTAPI: &str = "IBX_SESSION_ID33c1776f5bef22da085598907a729ccc";

const SITE_ACCESSES: &str = "
[[site_access]]
name = \"site\"
default = true
[[site_access]]
name = \"admin\"
[[site_access]]
name = \"restapi\"
[[site_access]]
name = \"shop\"
session = { name = \"shop\", cookie_lifetime = \"1h\", cookie_path = \"/api\" }
[[site_access_match]]
'Map\\Host' = { 'admin.example.com' = 'admin' }
[[site_access_match]]
HostElement = 2
[[site_access_match]]
HostText = { prefix = 'www.', suffix = '.test' }
[[site_access_match]]
'Map\\Port' = { 81 = 'restapi' }
[[site_access_match]]
URIElement = 1
";

/// Everybody may sign in at `site`, `restapi` and `shop`; Ann also at `admin`, where strangers may not
/// begin to. `site` is written as Ibexa does.
const ROLES: &str = "
---
resourceType: Role
id: visitors
anonymous: true
login: ['1766001124', restapi, shop]
---
resourceType: Role
id: people
everybody: true
login: [site, restapi, shop]
---
resourceType: Role
id: administration
users: ['14']
login: [admin]
";

/// Two SiteAccesses and their roles before one guard with `more` in its table.
async fn stage(more: &str, roles: &str) -> Api {
    let upstream = Recorder::start().await;
    upstream.answer("{}");
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"ibexa\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{}\"\npublic = [\"Query:News:*\"]\n\
             authenticate = \"session\"\nrequire = [\"person\"]\n{more}{OPERATIONS}{SITE_ACCESSES}",
            upstream.url
        ),
        documents: format!("{PEOPLE}{roles}"),
        ..Plan::default()
    })
    .await;
    Api { castellan, upstream }
}

fn at(ask: Ask, site_access: &str) -> Ask {
    ask.header("x-siteaccess", site_access)
}

async fn sign_in_at(api: &Api, site_access: &str, login: &str) -> Answer {
    at(api.login(login, &format!("pw-{login}")), site_access).send().await
}

/// `ask` with the session that `answer` opened.
fn with(ask: Ask, answer: &Answer) -> Ask {
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap();
    ask.header("cookie", cookie).header("accept", SJ)
}

/// `docs/contracts/ibexa.md` §2.1: a session of one SiteAccess is none at another.
#[tokio::test]
async fn ibexa_21_a_session_is_of_the_site_access_that_the_header_names() {
    let api = stage("", ROLES).await;
    let answer = sign_in_at(&api, "restapi", "ann").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with(&format!("{RESTAPI}=")), "{cookie}");
    assert_eq!(answer.json()["Session"]["name"], RESTAPI);
    let current = || with(api.ask("GET", "/user/sessions/current"), &answer);
    assert_eq!(at(current(), "restapi").send().await.status, 200);
    assert_eq!(current().send().await.status, 404, "anonymous at the default one");
    // Its value under the name of another SiteAccess opens nothing either.
    let id = Session::of(&answer).id;
    let moved = api.ask("GET", "/user/sessions/current");
    let moved = moved.header("cookie", &format!("{}={id}", super::COOKIE));
    assert_eq!(moved.send().await.status, 404);
    let shop = sign_in_at(&api, "shop", "ann").await;
    let cookie = shop.header("set-cookie").unwrap();
    assert!(cookie.starts_with("IBX_SESSION_ID_shop="), "{cookie}");
    assert!(cookie.contains("; Max-Age=3600; Path=/api; HttpOnly; SameSite=Lax"), "{cookie}");
}

#[tokio::test]
async fn ibexa_22_an_unknown_site_access_is_a_400_that_lists_none() {
    let api = stage("", ROLES).await;
    let answer = sign_in_at(&api, "nope", "ann").await;
    let text = "Invalid SiteAccess 'nope', matched by X-Siteaccess request header.";
    assert_eq!(described(&answer, 400), text);
    for name in ["restapi", "admin", "shop"] {
        assert!(!answer.body.contains(name), "{answer:?}");
    }
    let answer = at(api.ask("GET", "/news").header("accept", SJ), "<b>").send().await;
    let text = "Invalid SiteAccess, matched by X-Siteaccess request header.";
    assert_eq!(described(&answer, 400), text, "what could be no name is not repeated");
    assert!(api.upstream.seen().is_empty());
}

#[tokio::test]
async fn ibexa_23_strangers_need_user_login_at_the_site_access() {
    let api = stage("", ROLES).await;
    let answer = sign_in_at(&api, "admin", "ann").await;
    let said = described(&answer, 401);
    assert_eq!(said, "Anonymous has no permission user/login here.");
    assert_eq!(answer.header("set-cookie"), None);
    let decision = answer.header("castellan-decision").unwrap();
    let audit = ["audit", "--decision", decision];
    let mut record = String::new();
    for _ in 0..200 {
        record = api.castellan.said(&audit);
        if !record.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(record.contains("access_denied") && record.contains("SiteAccess/admin"), "{record}");
    // What is public is not public at a SiteAccess that is closed to strangers.
    described(&at(api.ask("GET", "/news").header("accept", SJ), "admin").send().await, 401);
    assert_eq!(at(api.ask("GET", "/news"), "restapi").send().await.status, 200);
}

/// §7.3: the person is asked about as well, when they sign in and at every request.
#[tokio::test]
async fn people_need_user_login_when_they_sign_in_and_at_every_request() {
    let roles =
        format!("{ROLES}---\nresourceType: Role\nid: doorstep\nanonymous: true\nlogin: [admin]\n");
    let api = stage("", &roles).await;
    let bob = sign_in_at(&api, "admin", "bob").await;
    assert_eq!(described(&bob, 401), "The user has no permission user/login here.");
    assert_eq!(bob.header("set-cookie"), None);
    let wrong = at(api.login("bob", "wrong"), "admin").send().await;
    assert_eq!(described(&wrong, 401), "Invalid login or password");
    let ann = sign_in_at(&api, "admin", "ann").await;
    assert_eq!(ann.status, 201, "{ann:?}");
    let ask = || at(with(api.ask("GET", "/content/objects/1"), &ann), "admin");
    assert_eq!(ask().send().await.status, 200);
    // What the API is told is what was decided by.
    assert_eq!(api.upstream.seen().pop().unwrap().headers["x-siteaccess"], "admin");
    // A role that is taken away counts at once.
    api.castellan.said(&["delete", "Role", "administration"]);
    for left in (0..80).rev() {
        let answer = ask().send().await;
        if answer.status == 401 {
            described(&answer, 401);
            break;
        }
        assert!(left > 0, "{answer:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn ibexa_24_hosts_and_ports_select_a_site_access_and_paths_do_not() {
    let api = stage("", ROLES).await;
    for (host, site_access) in [
        ("admin.example.com", "admin"),
        ("ADMIN.example.com:8080", "admin"),
        ("www.restapi.test", "restapi"),
        ("www.shop.test", "shop"),
        ("x.localhost:81", "restapi"),
        ("localhost", "site"),
        ("admin.example.com.evil", "site"),
    ] {
        let answer = api.ask("GET", "/news").header("host", host).header("accept", SJ).send().await;
        if site_access == "admin" {
            described(&answer, 401);
            continue;
        }
        assert_eq!(answer.status, 200, "{host}: {answer:?}");
        let seen = api.upstream.seen().pop().unwrap();
        assert_eq!(seen.headers["x-siteaccess"], site_access, "{host}");
    }
    // Two readings of a path are none.
    let answer = Ask::get(&api.castellan.at("//site/api/ibexa/v2/news")).send().await;
    assert_eq!(answer.status, 400);
}

/// §10, item 9: a guard of administration does not believe its clients.
#[tokio::test]
async fn a_guard_may_select_by_host_alone() {
    let api = stage("site_access_header = false\n", ROLES).await;
    let news = || api.ask("GET", "/news").header("accept", SJ);
    let answer = at(news().header("host", "admin.example.com"), "restapi").send().await;
    described(&answer, 401);
    assert_eq!(at(news(), "nope").send().await.status, 200);
    let seen = api.upstream.seen().pop().unwrap();
    assert_eq!(seen.headers.get_all("x-siteaccess").iter().collect::<Vec<_>>(), ["site"]);
}

/// A site with SiteAccesses and no role that says so lets nobody in.
#[tokio::test]
async fn without_a_role_nobody_may_sign_in() {
    let api = stage("", "").await;
    described(&api.login("ann", "pw-ann").send().await, 401);
    described(&api.ask("GET", "/news").header("accept", SJ).send().await, 401);
    assert!(api.upstream.seen().is_empty());
}

/// §3: the back office comes with its cookie to a guard of another method.
#[tokio::test]
async fn ibexa_28_a_guard_of_another_method_blocks_the_back_office_unless_it_has_a_host_of_its_own()
{
    let upstream = Recorder::start().await;
    upstream.answer("{}");
    let guard = |name: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/api/ibexa/v2\"\nprotocol = \"http\"\n\
             dialect = \"ibexa\"\nupstream = \"{}\"\n{more}{OPERATIONS}",
            upstream.url
        )
    };
    let session = guard("front", "authenticate = \"session\"\nrequire = [\"person\"]\n");
    let roles =
        format!("{ROLES}---\nresourceType: Role\nid: doorstep\nanonymous: true\nlogin: [admin]\n");
    for (limit, status) in
        [("pattern = '^/api/ibexa/v2/content'\n", 401), ("host = '^api\\.example\\.com$'\n", 200)]
    {
        let oauth = guard("machines", &format!("authenticate = \"oauth\"\n{limit}"));
        let castellan = Castellan::start(Plan {
            config: format!("{oauth}{session}{SITE_ACCESSES}"),
            documents: format!("{PEOPLE}{roles}"),
            ..Plan::default()
        })
        .await;
        let api = Api { castellan, upstream: Recorder::start().await };
        let ann = sign_in_at(&api, "admin", "ann").await;
        assert_eq!(ann.status, 201, "{limit}: {ann:?}");
        let ask = at(with(api.ask("GET", "/content/objects/1"), &ann), "admin");
        assert_eq!(ask.send().await.status, status, "{limit}");
    }
}

/// §8: CORS with credentials is for listed origins.
#[tokio::test]
async fn ibexa_38_listed_origins_may_call_with_credentials() {
    let origins = "allowed_origins = [\"https://app.test\", '^https://[a-z]+\\.apps\\.test$']\n";
    let api = stage(origins, ROLES).await;
    let preflight = |origin: &str| {
        Ask::new(Method::OPTIONS, &api.at("/user/sessions"))
            .header("origin", origin)
            .header("access-control-request-method", "DELETE")
            .header("access-control-request-headers", "x-csrf-token, x-siteaccess")
            .send()
    };
    for origin in ["https://app.test", "https://one.apps.test"] {
        let answer = preflight(origin).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("X-CSRF-Token") && headers.contains("X-Siteaccess"), "{headers}");
        assert_eq!(answer.header("access-control-max-age"), Some("60"));
        let read = api.ask("GET", "/news").header("origin", origin).send().await;
        assert_eq!(read.header("access-control-allow-origin"), Some(origin), "{read:?}");
    }
    // A script of theirs signs in and acts, with the token; one of another origin does neither.
    for (origin, status) in [("https://app.test", 201), ("https://evil.test", 401)] {
        let answer = api.login("ann", "pw-ann").header("origin", origin).send().await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
    let ann = api.login("ann", "pw-ann").send().await;
    let token = ann.json()["Session"]["csrfToken"].as_str().unwrap().to_owned();
    let act = |origin: &str| {
        let ask = with(api.ask("PATCH", "/content/objects/1"), &ann).header("origin", origin);
        ask.header("sec-fetch-site", "cross-site").header("x-csrf-token", &token).send()
    };
    assert_eq!(described(&act("https://evil.test").await, 401), "Missing or invalid CSRF token");
    let listed = act("https://app.test").await.json()["ErrorMessage"]["errorDescription"].clone();
    assert_ne!(listed, "Missing or invalid CSRF token");
    // What the API says of origins counts for nothing.
    let open = http::Response::builder().header("access-control-allow-origin", "*");
    api.upstream.answer_with(
        open.header("content-type", "application/json").body("{}".to_owned()).unwrap(),
    );
    for origin in ["https://evil.test", "null", "https://one.apps.test.evil.test"] {
        let read = api.ask("GET", "/news").header("origin", origin).send().await;
        for answer in [preflight(origin).await, read] {
            let about = |name: &http::HeaderName| name.as_str().starts_with("access-control-");
            assert!(!answer.headers.keys().any(about), "{origin}: {answer:?}");
        }
    }
    let read = api.ask("GET", "/news").header("origin", "https://app.test").send().await;
    let vary: Vec<_> =
        read.headers.get_all("vary").iter().map(|one| one.to_str().unwrap()).collect();
    let vary = vary.join(", ").to_lowercase();
    for name in ["authorization", "cookie", "accept", "x-siteaccess", "origin"] {
        assert!(vary.contains(name), "{name}: {vary}");
    }
    // What has the cookie's value is for no other origin (§10, number 12).
    let session = api.login("ann", "pw-ann").send().await;
    let current = with(api.ask("GET", "/user/sessions/current"), &session);
    let current = current.header("origin", "https://app.test").send().await;
    assert_eq!(current.status, 200);
    assert_eq!(current.header("access-control-allow-origin"), None, "{current:?}");
    let closed = stage("", ROLES).await;
    let answer = closed.ask("GET", "/news").header("origin", "https://app.test").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// §4.4: a JWT is for the SiteAccesses at which its person may sign in, on GraphQL as well.
#[tokio::test]
async fn ibexa_35_a_token_is_not_accepted_at_a_site_access_that_its_person_may_not_use() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"hello":"hi"}}"#);
    let roles = "---\nresourceType: Role\nid: readers\neverybody: true\nscope: ['Query:*']\n---\n\
                 resourceType: Role\nid: doorstep\nanonymous: true\nlogin: [admin]\n";
    let castellan = Castellan::start(Plan {
        config: format!(
            "[[guard]]\nname = \"graphql\"\npath = \"/graphql\"\nupstream = \"{}\"\n\
             dialect = \"ibexa\"\nauthenticate = \"jwt\"\nrequire = [\"person\"]\n\
             schema = \"api.graphql\"\n{SITE_ACCESSES}",
            upstream.url
        ),
        documents: format!("{PEOPLE}{ROLES}{roles}"),
        files: vec![(
            "api.graphql",
            "type Query { hello: String } type Mutation { a: ID }".to_owned(),
        )],
        ..Plan::default()
    })
    .await;
    let ask = |site_access: &str, token: Option<&str>, query: &str| {
        let ask = Ask::post(&castellan.at("/graphql")).json(&serde_json::json!({"query": query}));
        let ask = at(ask, site_access);
        token.into_iter().fold(ask, Ask::bearer).send()
    };
    let create = |login: &str| {
        format!(
            "mutation {{ createToken(username: \"{login}\", password: \"pw-{login}\") {{ token message }} }}"
        )
    };
    let created = ask("restapi", None, &create("bob")).await.json();
    let token = created["data"]["createToken"]["token"].as_str().unwrap().to_owned();
    let accepted = ask("restapi", Some(&token), "{ hello }").await;
    assert_eq!(accepted.json()["data"]["hello"], "hi", "{accepted:?}");
    assert_eq!(upstream.seen().pop().unwrap().headers["x-siteaccess"], "restapi");
    let refused = ask("admin", Some(&token), "{ hello }").await;
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["extensions"]["code"], "LOGIN_NOT_PERMITTED");
    let forged = ask("restapi", Some("no.such.token"), "{ hello }").await;
    assert!(!forged.body.contains("hi"), "{forged:?}");
    let unknown = ask("nope", Some(&token), "{ hello }").await;
    assert_eq!(unknown.status, 400, "{unknown:?}");
    assert!(upstream.seen().is_empty());
    // Nor does the person get one there.
    let none = ask("admin", None, &create("bob")).await.json();
    assert_eq!(none["data"]["createToken"]["token"], serde_json::Value::Null, "{none}");
    let some = ask("admin", None, &create("ann")).await.json();
    assert!(some["data"]["createToken"]["token"].is_string(), "{some}");
    // Nor does anybody where the SiteAccess takes none, whatever they may do there otherwise.
    let token = some["data"]["createToken"]["token"].as_str().unwrap().to_owned();
    assert_eq!(ask("admin", Some(&token), "{ hello }").await.json()["data"]["hello"], "hi");
    let path = castellan.path("castellan.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let closed = config.replace("name = \"admin\"", "name = \"admin\"\ngraphql_jwt = false");
    assert_ne!(config, closed);
    std::fs::write(&path, closed).unwrap();
    castellan.said(&["reload"]);
    let refused = ask("admin", Some(&token), "{ hello }").await;
    assert!(!refused.body.contains("hi\""), "{refused:?}");
    let none = ask("admin", None, &create("ann")).await.json();
    assert_eq!(none["data"]["createToken"]["token"], serde_json::Value::Null, "{none}");
    assert_eq!(ask("restapi", Some(&token), "{ hello }").await.json()["data"]["hello"], "hi");
}

/// `docs/security-cases.md` row 29: nobody but the guard says to the API which SiteAccess it is.
#[tokio::test]
async fn case_29_the_api_is_told_of_one_site_access_in_one_spelling() {
    let api = stage("", ROLES).await;
    let ask = api.ask("GET", "/news").header("X_Siteaccess", "admin");
    assert_eq!(ask.header("connection", "x-siteaccess, x-other").send().await.status, 200);
    let seen = api.upstream.seen().pop().unwrap();
    let told =
        seen.headers.iter().filter(|(name, _)| name.as_str().replace('_', "-") == "x-siteaccess");
    let told: Vec<_> = told.map(|(_, value)| value.to_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["site"], "{seen:?}");
}
