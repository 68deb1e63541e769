//! Which guard handles a request, and what is wrong with settings that decide it
//! (`docs/contracts/ibexa.md` §3 and §11).

use http::Method;

use crate::support::{
    castellan::{Castellan, Plan},
    upstream::Recorder,
    wire::{Answer, Ask},
};

const SDL: &str = "type Query { name: String }";

/// A GraphQL guard with the settings `more`.
fn graphql(name: &str, upstream: &str, more: &str) -> String {
    format!(
        "[[guard]]\nname = \"{name}\"\nupstream = \"{upstream}\"\nschema = \"people.graphql\"\n{more}\n"
    )
}

fn plan(config: String) -> Plan {
    Plan { config, files: vec![("people.graphql", SDL.to_owned())], ..Plan::default() }
}

async fn ask(castellan: &Castellan, host: &str) -> Answer {
    Ask::post(&castellan.at("/graphql"))
        .header("host", host)
        .json(&serde_json::json!({"query": "{ name }"}))
        .send()
        .await
}

/// `docs/contracts/ibexa.md` §11, check 27.
#[tokio::test]
async fn ibexa_27_guards_of_one_path_are_told_apart_by_host() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let place = "path = \"/graphql\"\n";
    let open = format!("{place}public = [\"Query:*\"]\naudience = \"open\"");
    let config = graphql("api", &upstream.url, &format!("{place}host = '^api\\.example\\.com$'"))
        + &graphql("front", &upstream.url, &open);
    let castellan = Castellan::start(plan(config)).await;
    for host in ["api.example.com", "API.EXAMPLE.COM", "api.example.com:8443"] {
        let answer = ask(&castellan, host).await;
        assert!(
            answer.body.contains("errors") && !answer.body.contains("Ada"),
            "{host}: {answer:?}"
        );
    }
    for host in ["api.example.com.evil.test", "xapi.example.com", "api.example.com.", "www.test"] {
        assert_eq!(ask(&castellan, host).await.json()["data"]["name"], "Ada", "{host}");
    }
    let said = castellan.said(&["config", "check"]);
    assert!(
        said.contains("overlaps guard api at /graphql; where both match, api handles the request"),
        "{said}"
    );
    assert!(said.contains("WARNING: guards or SiteAccesses are selected by host"), "{said}");
}

/// §10, item 9: the hosts of a site come before everything that looks at a host.
#[tokio::test]
async fn a_host_that_is_not_of_the_site_reaches_no_guard() {
    let upstream = Recorder::start().await;
    upstream.answer(r#"{"data":{"name":"Ada"}}"#);
    let more = "path = \"/graphql\"\nhost = '.*\\.example\\.com'\npublic = [\"Query:*\"]";
    let config = "[[site]]\nname = \"main\"\nhosts = [\"api.example.com\"]\n".to_owned()
        + &graphql("api", &upstream.url, more);
    let castellan = Castellan::start(plan(config)).await;
    assert_eq!(ask(&castellan, "api.example.com").await.json()["data"]["name"], "Ada");
    for host in ["other.example.com", "api.example.com.evil.test", "api.example.com."] {
        assert_eq!(ask(&castellan, host).await.status, 404, "{host}");
    }
    let own = castellan.url.trim_start_matches("http://").to_owned();
    assert_eq!(ask(&castellan, &own).await.status, 404, "its own host is none of the guard's");
}

/// A name, settings that stop the start, and what is said of them.
type Wrong = (&'static str, String, &'static str);

/// Guards that could not be held to.
fn wrong_guards() -> Vec<Wrong> {
    let guard = |more: &str| graphql("people", "http://127.0.0.1:9/", more);
    let twice = |first: &str, second: &str| {
        graphql("a", "http://127.0.0.1:9/", &format!("path = \"/x\"\n{first}"))
            + &graphql("b", "http://127.0.0.1:9/", &format!("{second}path = \"/x\""))
    };
    vec![
        ("host", guard("path = \"/x\"\nhost = '^api\\.('"), "unclosed group"),
        ("pattern", guard("path = \"/x\"\npattern = '^/x[*'"), "unclosed character class"),
        ("unreachable pattern", guard("path = \"/x\"\npattern = '^/y'"), "no request could reach"),
        (
            "unreachable host",
            "[[site]]\nname = \"main\"\nhosts = [\"a.test\"]\n".to_owned()
                + &guard("path = \"/x\"\nhost = 'b\\.test'"),
            "host matches none of the hosts of its site",
        ),
        (
            "two methods",
            guard("path = \"/x\"\ndialect = \"ibexa\"\nauthenticate = [\"oauth\", \"session\"]"),
            "in this dialect a guard has one method",
        ),
        (
            "unreached operations",
            "[[guard]]\nname = \"rest\"\npath = \"/x\"\nupstream = \"http://127.0.0.1:9/\"\n\
             dialect = \"ibexa\"\nprotocol = \"http\"\n[guard.operations]\n\
             \"POST /user/sessions/{id}\" = \"Mutation:A:Create\"\n"
                .to_owned(),
            "is never reached: this dialect has an endpoint",
        ),
        (
            "nobody for the rest",
            guard(
                "path = \"/x\"\ndialect = \"ibexa\"\nauthenticate = \"jwt\"\nonly_with_authorization = true",
            ),
            "none of the same path stands after this one",
        ),
        (
            "no method for that",
            guard("path = \"/x\"\ndialect = \"ibexa\"\nonly_with_authorization = true"),
            "only_with_authorization is for guards with",
        ),
        ("hidden", twice("", "host = 'a\\.test'\n"), "it cannot be reached: guard \"a\""),
        ("twins", twice("host = 'a\\.test'", "host = 'a\\.test'\n"), "it cannot be reached"),
        ("one audience", twice("host = 'a\\.test'", ""), "set audience for one of them"),
        (
            "origins of GraphQL",
            guard("path = \"/x\"\nallowed_origins = [\"https://a.test\"]"),
            "allowed_origins has no effect at a GraphQL guard",
        ),
        (
            "wildcard",
            guard("path = \"/x\"\nallowed_origins = [\"*\"]"),
            "guard.allowed_origins: the value is not an origin",
        ),
    ]
}

/// SiteAccesses that could not be held to.
fn wrong_site_accesses() -> Vec<Wrong> {
    let sites = "[[site_access]]\nname = \"site\"\n";
    vec![
        (
            "no SiteAccess",
            "[[site_access_match]]\nHostElement = 1\n".to_owned(),
            "no [[site_access]]",
        ),
        (
            "foreign cookie",
            format!("{sites}session = {{ cookie_domain = \"example.net\" }}\n"),
            "must be the host of the issuer",
        ),
        ("no JWTs", format!("{sites}graphql_jwt = false\n"), "graphql_jwt has no effect"),
        (
            "unknown SiteAccess",
            format!("{sites}[[site_access_match]]\n'Map\\Host' = {{ 'a.test' = 'nope' }}\n"),
            "SiteAccess \"nope\" does not exist",
        ),
        (
            "unknown SiteAccess of a compound",
            format!(
                "{sites}[[site_access_match]]\n'Compound\\LogicalOr' = [{{ matchers = [{{ HostElement = 1 }}], match = 'nope' }}]\n"
            ),
            "SiteAccess \"nope\" does not exist",
        ),
        (
            "true outside",
            format!("{sites}[[site_access_match]]\n'Map\\URI' = {{ a = true }}\n"),
            "true is possible within a compound",
        ),
        (
            "group",
            format!(
                "{sites}[[site_access_match]]\n'Regex\\Host' = {{ regex = 'a(b)', itemNumber = 2 }}\n"
            ),
            "itemNumber 2 is more than the groups of regex",
        ),
        (
            "no default",
            format!("{sites}[[site_access]]\nname = \"admin\"\n"),
            "needs default = true",
        ),
        (
            "two defaults",
            format!("{sites}default = true\n[[site_access]]\nname = \"admin\"\ndefault = true\n"),
            "is the default already",
        ),
        ("double", format!("{sites}default = true\n{sites}"), "another SiteAccess of this name"),
        ("name", "[[site_access]]\nname = \"a b\"\n".to_owned(), "name must be 1 to 64 letters"),
        ("site", format!("{sites}site = \"nowhere\"\n"), "site \"nowhere\" does not exist"),
        (
            "cookie",
            format!("{sites}session = {{ name = \"a=b\" }}\n"),
            "session.name must be 1 to 64 letters",
        ),
    ]
}

/// `docs/contracts/ibexa.md` §11, check 37: at the start, at `config check` and at a reload.
#[tokio::test]
async fn ibexa_37_what_could_not_be_held_to_stops_the_start_with_file_and_line() {
    let castellan = Castellan::start(plan(String::new())).await;
    let path = castellan.path("castellan.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    for (name, config, said) in wrong_guards().into_iter().chain(wrong_site_accesses()) {
        std::fs::write(&path, format!("{good}{config}")).unwrap();
        let checked = castellan.cli(&["config", "check"]);
        assert!(!checked.status.success(), "{name}");
        let error = String::from_utf8(checked.stderr).unwrap();
        assert!(error.contains(said), "{name}: {error}");
        let at = error.split("castellan.toml:").nth(1).unwrap_or_else(|| panic!("{name}: {error}"));
        let line = at.trim_start_matches(" line ").split(|c: char| !c.is_ascii_digit()).next();
        let line: usize = line.unwrap().parse().unwrap_or_else(|_| panic!("{name}: {error}"));
        assert!(line > good.lines().count(), "{name}: {error}");
        let reloaded = castellan.cli(&["reload"]);
        let answer = String::from_utf8(reloaded.stdout).unwrap();
        assert!(!reloaded.status.success() && answer.contains(said), "{name}: {answer}");
    }
    std::fs::write(&path, &good).unwrap();
    assert!(castellan.said(&["reload"]).starts_with("reloaded"));
    // A few at the start, which takes longer.
    for (name, config, said) in wrong_guards().into_iter().chain(wrong_site_accesses()).step_by(7) {
        let error = Castellan::refuses(plan(config)).await;
        assert!(error.contains(said) && error.contains("castellan.toml:"), "{name}: {error}");
    }
}

/// §7.1: what the environment names must be there.
#[tokio::test]
async fn an_unknown_site_access_of_the_environment_stops_the_start() {
    let variable = vec![("EZPUBLISH_SITEACCESS", "nope".to_owned())];
    let error = Castellan::refuses(Plan { environment: variable, ..plan(String::new()) }).await;
    assert!(error.contains("EZPUBLISH_SITEACCESS: \"nope\" is no SiteAccess"), "{error}");
}

const SITE_ACCESSES: &str = "[[site_access]]\nname = \"site\"\ndefault = true\n\
                             [[site_access]]\nname = \"admin\"\n[[site_access]]\nname = \"restapi\"\n";

/// `docs/contracts/ibexa.md` §7.3 and §10, item 8: names are stored, whatever was written.
#[tokio::test]
async fn roles_say_at_which_site_accesses_people_may_sign_in() {
    let castellan = Castellan::start(plan(SITE_ACCESSES.to_owned())).await;
    let said = castellan.said(&["doctor"]);
    assert!(said.contains("nobody can sign in at SiteAccess site, admin, restapi"), "{said}");
    let role = |text: &str| {
        castellan.cli_with(&["apply", "-f", "-"], &format!("resourceType: Role\nid: r\n{text}"))
    };
    let applied = role("anonymous: true\neverybody: true\nlogin: ['1766001124', restapi]\n");
    assert!(applied.status.success(), "{applied:?}");
    let shown: serde_json::Value =
        serde_json::from_str(&castellan.said(&["get", "Role", "r", "--format", "json"])).unwrap();
    assert_eq!(shown["login"], serde_json::json!(["site", "restapi"]), "{shown}");
    assert_eq!((&shown["anonymous"], shown.get("scope")), (&true.into(), None), "{shown}");
    let said = castellan.said(&["doctor"]);
    assert!(said.contains("nobody can sign in at SiteAccess admin:"), "{said}");
    for (text, why) in [
        ("everybody: true\nlogin: [nope]\n", "\"nope\" is no SiteAccess of this site"),
        ("everybody: true\nlogin: ['1']\n", "\"1\" is no SiteAccess of this site"),
        ("everybody: true\nlogin: ['*', site]\n", "stands for every SiteAccess"),
        ("everybody: true\nlogin: []\n", "scope is empty"),
        ("login: [site]\n", "this role is for nobody"),
        ("anonymous: true\nscope: ['Query:*']\n", "anonymous: true has no effect without login"),
        (
            "anonymous: true\nscope: ['Query:*']\nlogin: [site]\n",
            "scope has no effect for callers who are not signed in",
        ),
    ] {
        let refused = role(text);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(why), "{text}: {refused:?}");
    }
    // Everybody begins as Anonymous.
    assert!(role("everybody: true\nlogin: ['*']\n").status.success());
    let said = castellan.said(&["doctor"]);
    let text = "site, admin, restapi: no role with anonymous = true has them in login";
    assert!(said.contains(text) && !said.contains("No problems found.\n"), "{said}");
    assert!(said.contains("No problems found, but warnings"), "{said}");
    assert!(role("anonymous: true\neverybody: true\nlogin: ['*']\n").status.success());
    let said = castellan.said(&["doctor"]);
    assert!(!said.contains("nobody can sign in") && said.contains("No problems found."), "{said}");
}

#[tokio::test]
async fn login_means_nothing_where_everybody_may_sign_in() {
    let castellan = Castellan::start(plan(String::new())).await;
    let text = "resourceType: Role\nid: r\neverybody: true\nlogin: [site]\n";
    let refused = castellan.cli_with(&["apply", "-f", "-"], text);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("login has no effect"), "{refused:?}");
}

/// Nothing of SiteAccesses or origins is a matter of paths that are no REST guard's.
#[tokio::test]
async fn open_paths_stay_open_without_credentials() {
    let castellan = Castellan::start(plan(SITE_ACCESSES.to_owned())).await;
    let answer = Ask::new(Method::OPTIONS, &castellan.at("/api"))
        .header("origin", "https://app.test")
        .header("access-control-request-method", "POST")
        .send()
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}
