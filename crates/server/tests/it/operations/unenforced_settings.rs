//! `docs/security-cases.md` row 47: what the configuration or a schema says is enforced or refused.

use serde_json::Value;

use crate::support::castellan::{Castellan, Plan, free_port};

const GUARD: &str = "[[guard]]\nname = \"people\"\npath = \"/graphql\"\n\
                     upstream = \"http://127.0.0.1:9/\"\npublic = [\"Query:*\"]\n";

fn before(sdl: &str, more: &str) -> Plan {
    Plan {
        config: format!("{GUARD}schema = \"people.graphql\"\n{more}"),
        files: vec![("people.graphql", sdl.to_owned())],
        ..Plan::default()
    }
}

fn check(castellan: &Castellan) -> (bool, String) {
    let checked = castellan.cli(&["config", "check"]);
    (checked.status.success(), String::from_utf8(checked.stdout).unwrap())
}

#[tokio::test]
async fn case_47_a_rule_below_the_root_is_refused_with_its_place() {
    let sdl = "type Query { user: User }\n\
               type User {\n  id: ID\n  email: String! @castellan(scope: \"Query:Email:Get\")\n}\n";
    let castellan = Castellan::start_unready(before(sdl, "")).await;
    let (good, said) = check(&castellan);
    assert!(!good, "{said}");
    assert!(
        said.contains("people.graphql:4:18: @castellan on User.email is not enforced"),
        "{said}"
    );
    // The guard is closed: nothing of the API is shown by a rule that somebody believes in.
    let read = castellan.graphql("/graphql", None, "{ user { email } }").await;
    assert_eq!(read.status, 503, "{read:?}");
    let error: &Value = &read.json()["errors"][0];
    assert_eq!(error["extensions"]["reason"], "rule_not_enforced", "{read:?}");
    assert!(!read.body.contains("people.graphql") && !read.body.contains("email"), "{read:?}");
}

#[tokio::test]
async fn case_47_directives_of_others_are_the_upstreams_business_if_that_is_said() {
    let sdl = "directive @authenticated on FIELD_DEFINITION | OBJECT\n\
               directive @requiresScopes(scopes: [[String]]) on FIELD_DEFINITION | OBJECT\n\
               type Query {\n  me: ID @authenticated\n  all: ID @requiresScopes(scopes: [[\"a\"]])\n}";
    let castellan = Castellan::start_unready(before(sdl, "")).await;
    let (good, said) = check(&castellan);
    assert!(!good && said.contains("people.graphql:4:10: @authenticated on Query.me"), "{said}");
    assert!(said.contains("upstream_enforces = [\"authenticated\"]"), "{said}");
    let one =
        Castellan::start_unready(before(sdl, "upstream_enforces = [\"authenticated\"]\n")).await;
    let (good, said) = check(&one);
    assert!(!good && said.contains("people.graphql:5:11: @requiresScopes"), "{said}");
    let both = "upstream_enforces = [\"authenticated\", \"requiresScopes\"]\n";
    let both = Castellan::start(before(sdl, both)).await;
    assert!(check(&both).0);
}

#[tokio::test]
async fn case_47_a_setting_that_nothing_acts_upon_stops_the_start_with_its_line() {
    let local = "[[guard]]\nname = \"local\"\npath = \"/local\"\nsession = \"local\"\n";
    for (guard, setting, said) in [
        (GUARD, "authenticate = []", "authenticate is empty"),
        (GUARD, "authenticate = \"client_certificate\"", "needs require = [\"person\"]"),
        (GUARD, "authenticate = \"session\"", "needs dialect"),
        (GUARD, "authenticate = \"jwt\"", "needs jwt.secret (JWT_SECRET)"),
        (GUARD, "authenticate = [\"oauth\", \"oauth\"]", "a method twice"),
        (GUARD, "protocol = \"http\"", "or add [guard.operations]"),
        (GUARD, "strip_headers = [\"X Tenant\"]", "is not a valid header name"),
        (GUARD, "strip_headers = [\"X-A\", \"host\"]", "\"host\" is set by the guard itself"),
        (GUARD, "strip_headers = [\"Content-Length\"]", "is set by the guard itself"),
        (GUARD, "strip_headers = [\"Cookie\"]", "\"Cookie\" is never forwarded anyway"),
        (GUARD, "strip_headers = [\"castellan-x\"]", "is never forwarded anyway"),
        (GUARD, "upstream_id = \"\"", "upstream_id is empty"),
        (GUARD, "authenticate = [\"oauht\"]", "\"basic\", \"session\" or \"client_certificate\""),
        (GUARD, "audience = \"\"", "audience must be a name"),
        (GUARD, "scopes = { \"Query:*\" = [\"Query:*\"] }", "is not a valid name of a scope"),
        (GUARD, "limits = { depth = 0 }", "would reject every request"),
        (GUARD, "upstream_enforces = [\"authenticated\"]", "needs `schema`"),
        (
            GUARD,
            "schema = \"a.graphql\"\nupstream_enforces = [\"a b\"]",
            "is not the name of a directive",
        ),
        (
            GUARD,
            "schema = \"a.graphql\"\nupstream_enforces = [\"*\"]",
            "is not the name of a directive",
        ),
        (
            GUARD,
            "schema = \"a.graphql\"\nupstream_enforces = [\"Castellan\"]",
            "castellan is what this server enforces",
        ),
        (
            GUARD,
            "schema = \"a.graphql\"\nupstream_enforces = [\"deprecated\"]",
            "deprecated restricts nothing",
        ),
        (GUARD, "site = \"nowhere\"", "site \"nowhere\" does not exist"),
        (local, "schema = \"x.graphql\"", "has no effect without upstream"),
        (local, "lock = \"x.lock\"", "has no effect without upstream"),
        (local, "naming = \"trompa\"", "has no effect without upstream"),
        (local, "upstream_id = \"x\"", "has no effect without upstream"),
        (local, "strip_headers = [\"X-A\"]", "has no effect without upstream"),
    ] {
        let config = format!("{guard}{setting}\n");
        let line = 6 + config.lines().count();
        let refused = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        let places = [
            format!("castellan.toml:{line}: guard "),
            format!("castellan.toml: line {line}, column "),
        ];
        assert!(refused.contains(said), "{setting}: {refused}");
        assert!(places.iter().any(|place| refused.contains(place)), "{setting}: {refused}");
    }
}

#[tokio::test]
async fn case_47_settings_that_are_about_nothing_stop_the_start() {
    for (config, said) in [
        ("[jwt]\nissuer = \"https://x.test\"\n", "jwt.issuer (JWT_ISSUER) has no effect"),
        ("[jwt]\nexpires = \"2d\"\n", "jwt.expires (JWT_EXPIRES) has no effect"),
        ("[jwt]\ncheck_issuer = false\n", "jwt.check_issuer has no effect"),
        (
            "[[jwt.keys]]\nid = \"a\"\napiKey = \"hush\"\nscopes = [\"*\"]\n",
            "JWT_SECRET, which signs the tokens, is not",
        ),
        ("[decidim]\napi_jwt_expires_in = 5\n", "DECIDIM_API_JWT_SECRET"),
        ("[tokens]\nrefresh_grace = \"5s\"\nrefresh_grace_off = true\n", "contradict each other"),
        ("[[site]]\nname = \"a\"\nissuer = \"https://other.test\"\n", "the first site has"),
        (
            "[decidim]\nenable_anonymous_introspection = true\n[[guard]]\nname = \"a\"\n\
             path = \"/api\"\nsession = \"local\"\n",
            "no guard has dialect",
        ),
        (
            "[[guard]]\nname = \"a\"\npath = \"/a\"\nupstream = \"http://127.0.0.1:9\"\n\
             [[guard]]\nname = \"b\"\npath = \"/b\"\nupstream = \"http://127.0.0.1:9\"\n\
             lock = \"a.lock\"\n",
            "it has the same lock file as guard \"a\"",
        ),
    ] {
        let plan = Plan { config: config.to_owned(), ..Plan::default() };
        let refused = Castellan::refuses(plan).await;
        assert!(refused.contains(said), "{config}: {refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
}

#[tokio::test]
async fn case_47_a_setting_without_an_effect_stops_the_start_with_its_line() {
    for (config, said) in [
        ("[data]\nwait = \"5s\"\n", "data.wait has no effect with SQLite"),
        ("[data]\nallow_table_scans = true\n", "data.allow_table_scans has an effect with"),
        ("[jwt]\nissuer = \"\"\n", "jwt.issuer (JWT_ISSUER) is empty"),
        ("[jwt]\nsecret = \"\"\n", "jwt.secret is empty or blank"),
        ("[data]\nmaster_key = \"  \"\n", "data.master_key is empty or blank"),
        ("[decidim]\napi_jwt_secret = \"\"\n", "decidim.api_jwt_secret is empty or blank"),
        ("[tokens]\nsession_idle = \"40d\"\n", "longer than tokens.session_absolute"),
        (
            "[tokens]\nrefresh_idle = \"3d\"\nrefresh_longest = \"2d\"\n",
            "longer than tokens.refresh_longest",
        ),
    ] {
        let refused =
            Castellan::refuses(Plan { config: config.to_owned(), ..Plan::default() }).await;
        assert!(refused.contains(said), "{config}: {refused}");
        assert!(refused.contains("castellan.toml:8: "), "{config}: {refused}");
    }
}

#[tokio::test]
async fn what_serve_refuses_of_the_data_source_config_check_refuses_too() {
    let castellan = Castellan::start(Plan::default()).await;
    let config = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    let bytes = |text: &str| text.repeat(43);
    for (data, said) in [
        ("url = \"oracle://scott:tiger@h/d\"".to_owned(), "\"oracle\" is not a data source"),
        ("url = \"tiger\"".to_owned(), "has no scheme"),
        ("url = \"sqlite://a.db?mode=tiger\"".to_owned(), "does not support options"),
        ("url = \"postgres://a:tiger@h:x/d\"".to_owned(), "postgres:// has an invalid URL"),
        (
            "url = \"postgres://a:tiger@h/d?sslmod=require\"".to_owned(),
            "\"sslmod\", which is not known; there are sslmode",
        ),
        ("url = \"postgres://a:tiger@h/d\"".to_owned(), "data.master_key is not set"),
        ("master_key = \"tiger\"".to_owned(), "data.master_key: a master key must be 32 bytes"),
        (format!("master_key = {:?}", bytes("A")), "data.master_key consists of zeros only"),
        (
            format!("master_key = {:?}\nprevious_master_key = \"tiger\"", bytes("Q")),
            "data.previous_master_key: a master key must be 32 bytes",
        ),
    ] {
        let changed = format!("{config}\n[data]\n{data}\n");
        std::fs::write(castellan.path("castellan.toml"), changed).unwrap();
        let (good, checked) = check(&castellan);
        assert!(!good && checked.contains(said), "{data}: {checked}");
        assert!(!checked.contains("tiger"), "{checked}");
        let served = castellan.cli(&["serve"]);
        let served = String::from_utf8(served.stderr).unwrap();
        assert!(served.contains(said) && !served.contains("tiger"), "{data}: {served}");
    }
}

#[tokio::test]
async fn a_public_pattern_that_opens_nothing_is_named() {
    let sdl = "type Query { person: Person } type Person { name: String }";
    let mut plan = before(sdl, "");
    plan.config = plan.config.replace("\"Query:*\"", "\"Query:Person:*\", \"Query:Persn:*\"");
    let castellan = Castellan::start(plan).await;
    let (good, said) = check(&castellan);
    assert!(good && said.contains("WARNING: public: Query:Persn:* matches no field"), "{said}");
    assert!(!said.contains("Query:Person:* opens"), "{said}");
    let mut plan =
        before(sdl, "scopes = { \"a:read\" = [\"Query:Person:*\", \"Query:Prson:*\"] }\n");
    plan.config = plan.config.replace("\"Query:*\"", "");
    let (good, said) = check(&Castellan::start(plan).await);
    assert!(good && said.contains("WARNING: scopes: a:read: Query:Prson:* matches no"), "{said}");
    assert!(!said.contains("Query:Person:* matches"), "{said}");
}

#[tokio::test]
async fn case_47_a_member_of_a_client_without_an_effect_is_refused_by_name() {
    let castellan = Castellan::start(Plan::default()).await;
    let machine = "secret: s3cr3t-machine\ngrant_types: [client_credentials]\n";
    let people = "grant_types: [authorization_code]\nredirect_uris: [\"https://a.test/cb\"]\n";
    let nobody = "grant_types names client_credentials only";
    for (client, member, why) in [
        (machine, "require_pushed_authorization_requests: true", nobody),
        (machine, "redirect_uris: [\"https://a.test/cb\"]", nobody),
        (machine, "post_logout_redirect_uris: [\"https://a.test/bye\"]", nobody),
        (machine, "backchannel_logout_uri: https://a.test/out", nobody),
        (machine, "id_token_signed_response_alg: ES256", nobody),
        (machine, "userinfo_signed_response_alg: ES256", nobody),
        (machine, "first_party: true", nobody),
        (
            machine,
            "access_token_signed_response_alg: RS256\nauth: {client_credentials: {token_format: opaque}}",
            "opaque access tokens are not signed",
        ),
        (people, "introspection_signed_response_alg: ES256", "a public client cannot introspect"),
    ] {
        let document = format!("resourceType: Client\nid: x\n{client}{member}\n");
        let applied = castellan.cli_with(&["apply", "-f", "-"], &document);
        let said = String::from_utf8(applied.stderr).unwrap();
        let name = member.split(':').next().unwrap();
        assert!(said.contains(&format!("Client/x: {name}: ")) && said.contains(why), "{said}");
    }
    for good in [machine, people] {
        let document = format!("resourceType: Client\nid: x-{}\n{good}", good.len());
        assert!(castellan.cli_with(&["apply", "-f", "-"], &document).status.success());
    }
}

/// What stands on the command line is checked like what stands in the file.
#[tokio::test]
async fn a_listener_of_the_command_line_must_suit_the_other_settings() {
    // `insecure` is set, as for every test.
    let castellan = Castellan::start(Plan::default()).await;
    let port = free_port();
    let open = format!("0.0.0.0:{port}");
    for (arguments, why) in [
        (["serve", "--listen", &open], "security.insecure is allowed on loopback addresses only"),
        (["demo", "--listen", &open], "loopback addresses only"),
    ] {
        let output = castellan.cli(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{arguments:?}: {said}");
        assert!(said.contains(&open), "{said}");
    }
}
