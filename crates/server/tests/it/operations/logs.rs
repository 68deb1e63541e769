//! The log (`docs/logs.md`): a line for whatever is denied, fails or changes something, in a form that
//! nobody can forge, with what others call the request; and none for what goes well all day.

use std::{process::Stdio, time::Duration};

use http::{Method, Response};
use serde_json::{Value, json};

use crate::support::{
    browser::Browser,
    castellan::{Castellan, Plan, command},
    fixtures::{ANN, Asking, DOCUMENTS, text},
    upstream::Recorder,
    wire::{Answer, Ask},
};

const ADMIN: &str = r#"
---
resourceType: Client
id: admin-tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*", "Query:*"]
"#;

const SDL: &str =
    "type Query { person: String } type Mutation { createPerson(name: String): String }";
/// W3C Trace Context §3.2.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A server that logs `level` in `format`, with guards of both kinds before what records requests.
async fn stage(format: &str, level: &str) -> (Recorder, Castellan) {
    let upstream = Recorder::start().await;
    let castellan = Castellan::start(Plan {
        config: format!(
            "[log]\nformat = \"{format}\"\n[[guard]]\nname = \"people\"\npath = \"/graphql\"\n\
             upstream = \"{url}\"\nschema = \"people.graphql\"\n[[guard]]\nname = \"shop\"\n\
             path = \"/shop\"\nprotocol = \"http\"\nopenapi = \"shop.json\"\nupstream = \"{url}\"\n\
             public = [\"Query:*\"]\n",
            url = upstream.url
        ),
        documents: format!("{DOCUMENTS}{ADMIN}"),
        environment: vec![("CASTELLAN_LOG", level.to_owned())],
        files: vec![
            ("people.graphql", SDL.to_owned()),
            (
                "shop.json",
                json!({"openapi": "3.1.0", "info": {"title": "S", "version": "1"},
                       "paths": {"/orders": {"get": {"operationId": "orders"}}}})
                .to_string(),
            ),
        ],
        reads_log: format == "text",
        ..Plan::default()
    })
    .await;
    (upstream, castellan)
}

async fn token(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    text(&castellan.token(&pairs).await.json(), "access_token").to_owned()
}

fn log(castellan: &Castellan) -> String {
    std::fs::read_to_string(castellan.path("stderr")).unwrap()
}

/// All lines, each of which is JSON.
fn lines(castellan: &Castellan) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
    log(castellan).lines().map(read).collect()
}

/// The lines about the request of `answer`.
fn about(castellan: &Castellan, answer: &Answer) -> Vec<Value> {
    let decision = answer.header("castellan-decision").unwrap();
    let mut lines = lines(castellan);
    lines.retain(|line| line["decision"] == decision);
    lines
}

/// The one line about the request of `answer`, which has `members`.
fn line(castellan: &Castellan, answer: &Answer, members: &[(&str, &str)]) -> Value {
    let lines = about(castellan, answer);
    let [line] = &lines[..] else { panic!("{answer:?}: {lines:?}") };
    for (name, value) in
        [("level", "INFO"), ("site", "default"), ("source", "127.0.0.1")].iter().chain(members)
    {
        assert_eq!(line[name], *value, "{name}: {line}");
    }
    assert!(text(line, "timestamp").ends_with('Z'), "{line}");
    assert_eq!(text(line, "trace_id").len(), 32, "{line}");
    line.clone()
}

const CREATE: &str = "mutation { createPerson(name: \"a-secret-argument\") }";

#[tokio::test]
async fn denials_sign_ins_refused_tokens_and_changes_have_a_line_each_at_the_default_level() {
    let (_upstream, castellan) = stage("json", "").await;
    let mut browser = Browser::default();
    let begun = browser.get(&Asking::portal().at(&castellan)).await;
    let wrong = browser.sign_in(&castellan, &begun, ("ann", "a-wrong-password")).await;
    let failed = [("kind", "sign_in"), ("outcome", "failure"), ("user", "ann")];
    line(&castellan, &wrong, &failed);
    let nobody = browser.sign_in(&castellan, &begun, ("a-password-as-name", "x")).await;
    assert!(line(&castellan, &nobody, &[("kind", "sign_in")]).get("user").is_none());
    let right = browser.sign_in(&castellan, &begun, ANN).await;
    line(&castellan, &right, &[("kind", "sign_in"), ("outcome", "success"), ("user", "ann")]);
    let bad = [("grant_type", "client_credentials"), ("client_id", "portal")];
    let bad = castellan.token(&[&bad[..], &[("client_secret", "a-wrong-secret")]].concat()).await;
    let refused = [("kind", "token_issued"), ("outcome", "failure"), ("client", "portal")];
    assert_eq!(line(&castellan, &bad, &refused)["detail"], "invalid_client");
    let admin = token(&castellan).await;
    let denied = castellan.graphql("/graphql", Some(&admin), CREATE).await;
    let members = [("kind", "access_denied"), ("object", "Guard/people"), ("client", "admin-tool")];
    line(&castellan, &denied, &members);
    let stranger = castellan.graphql("/graphql", Some("a-wrong-token"), "{ person }").await;
    line(&castellan, &stranger, &[("kind", "access_denied"), ("outcome", "denied")]);
    let app = json!({"grant_types": ["client_credentials"], "secret": "a-secret-of-a-new-app"});
    let ask = Ask::new(Method::PUT, &castellan.at("/Client/fresh")).bearer(&admin);
    let created = ask.json(&app).send().await;
    assert!(created.status.is_success(), "{created:?}");
    let changed = [("kind", "resource_created"), ("object", "Client/fresh")];
    line(&castellan, &created, &[&changed[..], &[("client", "admin-tool")]].concat());
    let other = Ask::get(&castellan.at("/User")).send().await;
    assert_eq!(other.status, 401, "{other:?}");
    let refused = [("message", "a request was refused"), ("path", "/User")];
    assert_eq!(line(&castellan, &other, &refused)["status"], 401);
    let introspected = Ask::post(&castellan.at("/auth/introspect")).form(&[
        ("token", "x"),
        ("client_id", "portal"),
        ("client_secret", "a-wrong-secret"),
    ]);
    let introspected = introspected.send().await;
    assert_eq!(introspected.status, 401, "{introspected:?}");
    let refused = [("message", "a request was refused"), ("path", "/auth/introspect")];
    assert_eq!(line(&castellan, &introspected, &refused)["status"], 401);
    let log = log(&castellan);
    for secret in [
        "a-wrong-password",
        "a-password-as-name",
        ANN.1,
        "a-wrong-secret",
        "a-wrong-token",
        "a-secret-argument",
        "a-secret-of-a-new-app",
        "a-secret-for-the-tool",
        &admin,
    ] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn requests_that_come_no_further_than_the_corridor_have_a_line() {
    let castellan = Castellan::start(Plan {
        issuer: Some("https://id.example.org".to_owned()),
        server: "trusted_proxies = [\"127.0.0.1\"]\n",
        environment: vec![
            ("CASTELLAN_LOG", "info".to_owned()),
            ("CASTELLAN__LOG__FORMAT", "json".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let at = |path: &str| {
        let ask = Ask::get(&castellan.at(path)).header("host", "id.example.org");
        ask.header("x-forwarded-proto", "http").header("x-forwarded-for", "192.0.2.7")
    };
    for (ask, reason) in [
        (at("/a//b"), "ambiguous_request"),
        (at("/User").bearer("a-token-in-the-open"), "plain_http"),
    ] {
        let answer = ask.send().await;
        let lines = about(&castellan, &answer);
        let [line] = &lines[..] else { panic!("{answer:?}: {lines:?}") };
        assert_eq!(line["message"], "a request was refused");
        assert!(text(line, "detail").contains(reason), "{reason}: {line}");
        assert_eq!((&line["site"], &line["source"]), (&json!("default"), &json!("192.0.2.7")));
    }
    assert!(!log(&castellan).contains("a-token-in-the-open"));
}

#[tokio::test]
async fn what_goes_well_has_no_line_at_the_default_level() {
    let (upstream, castellan) = stage("json", "info").await;
    upstream.answer("{\"data\":{\"person\":\"Ada\"}}");
    let before = lines(&castellan).len();
    let admin = token(&castellan).await;
    let read = castellan.graphql("/graphql", Some(&admin), "{ person }").await;
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(Ask::get(&castellan.at("/shop/orders")).send().await.status, 200);
    assert_eq!(Ask::get(&castellan.at("/User")).bearer(&admin).send().await.status, 200);
    assert_eq!(Ask::get(&castellan.at("/.well-known/jwks.json")).send().await.status, 200);
    assert_eq!(lines(&castellan)[before..], [] as [Value; 0]);
}

#[tokio::test]
async fn a_well_formed_traceparent_and_request_id_go_to_the_api_and_into_the_lines() {
    let (upstream, castellan) = stage("json", "info").await;
    let admin = token(&castellan).await;
    let header = |seen: &http::HeaderMap, name: &str| {
        seen.get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    for path in ["/graphql", "/shop/orders"] {
        let ask = || match path {
            "/graphql" => {
                let ask = Ask::post(&castellan.at(path)).bearer(&admin);
                ask.json(&json!({"query": "{ person }"}))
            }
            _ => Ask::get(&castellan.at(path)),
        };
        let _ = ask().send().await;
        let named = ask().header("traceparent", PARENT).header("tracestate", "a=b");
        let _ = named.header("x-request-id", "req-1/A=").send().await;
        let hostile =
            ask().header("traceparent", &PARENT.to_uppercase()).header("tracestate", "a=b");
        let _ = hostile.header("x-request-id", "a\" level=\"ERROR").send().await;
        let twice = ask().header("traceparent", PARENT).header("traceparent", PARENT);
        let answer = twice.header("x-request-id", "a").header("x-request-id", "b").send().await;
        let decision = answer.header("castellan-decision").unwrap().to_owned();
        let seen = upstream.seen();
        let [anew, named, hostile, twice] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(header(&named.headers, "traceparent").as_deref(), Some(PARENT));
        assert_eq!(header(&named.headers, "tracestate").as_deref(), Some("a=b"));
        assert_eq!(header(&named.headers, "x-request-id").as_deref(), Some("req-1/A="));
        let mut traces = Vec::new();
        for one in [anew, hostile, twice] {
            let parent = header(&one.headers, "traceparent").unwrap();
            let parts: Vec<_> = parent.split('-').collect();
            let [version, trace, span, flags] = parts[..] else { panic!("{parent}") };
            assert_eq!((version, trace.len(), span.len(), flags), ("00", 32, 16, "01"));
            assert!(parent.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-')));
            assert_ne!(trace, TRACE);
            traces.push(trace.to_owned());
            assert_eq!(header(&one.headers, "tracestate"), None);
            assert_eq!(
                header(&one.headers, "x-request-id"),
                header(&one.headers, "castellan-decision")
            );
        }
        assert_eq!(header(&twice.headers, "x-request-id"), Some(decision));
        traces.dedup();
        assert_eq!(traces.len(), 3, "{traces:?}");
    }
    let denied = Ask::post(&castellan.at("/graphql")).json(&json!({"query": CREATE}));
    let denied = denied.header("traceparent", PARENT).header("x-request-id", "req-2");
    let denied = denied.send().await;
    line(&castellan, &denied, &[("trace_id", TRACE), ("request_id", "req-2")]);
    let hostile = Ask::get(&castellan.at("/User")).header("x-request-id", "a\" level=\"ERROR");
    let hostile = hostile.send().await;
    let decision = hostile.header("castellan-decision").unwrap().to_owned();
    line(&castellan, &hostile, &[("request_id", &decision)]);
}

#[tokio::test]
async fn a_bad_answer_of_an_api_has_a_line_with_its_status_and_media_type() {
    let (upstream, castellan) = stage("json", "info").await;
    let admin = token(&castellan).await;
    let respond = |status: u16, kind: &str, body: &str| {
        Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(body.to_owned())
            .unwrap()
    };
    for (answer, problem) in [
        (respond(200, "text/html; a=secret", "<p>a secret of the API</p>"), "the media type"),
        (respond(302, "text/html", ""), "the status"),
        (respond(500, "text/plain", "a secret of the API"), "the media type"),
    ] {
        let (status, kind) = (answer.status(), answer.headers()["content-type"].clone());
        upstream.answer_with(answer);
        let failed = castellan.graphql("/graphql", Some(&admin), "{ person }").await;
        assert_eq!(failed.status, 502, "{failed:?}");
        let lines = about(&castellan, &failed);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(text(line, "message").starts_with(problem), "{line}");
        let kind = kind.to_str().unwrap().split(';').next().unwrap();
        assert_eq!((&line["status"], &line["media_type"]), (&json!(status.as_u16()), &json!(kind)));
        assert_eq!((&line["level"], &line["guard"]), (&json!("WARN"), &json!("people")));
    }
    upstream.answer_with(respond(200, "text/html", "<p>a secret of the API</p>"));
    let failed = Ask::get(&castellan.at("/shop/orders")).send().await;
    assert_eq!(failed.status, 502, "{failed:?}");
    let lines = about(&castellan, &failed);
    assert_eq!(
        (&lines[0]["guard"], &lines[0]["media_type"]),
        (&json!("shop"), &json!("text/html"))
    );
    let log = log(&castellan);
    assert!(!log.contains("a secret of the API") && !log.contains("a=secret"), "{log}");
}

#[tokio::test]
async fn strangers_cannot_flood_the_log_and_what_is_left_out_is_counted() {
    let (_upstream, castellan) = stage("json", "info").await;
    for _ in 0..700 {
        let denied = Ask::get(&castellan.at("/User")).send().await;
        assert_eq!(denied.status, 401);
    }
    let denials = |lines: &[Value]| {
        lines.iter().filter(|line| line["message"] == "a request was refused").count()
    };
    let logged = denials(&lines(&castellan));
    assert!((200..650).contains(&logged), "{logged}");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let _ = Ask::get(&castellan.at("/User")).send().await;
    let lines = lines(&castellan);
    let left_out: u64 = lines.iter().filter_map(|line| line["left_out"].as_u64()).sum();
    assert_eq!(left_out + denials(&lines) as u64, 701, "{left_out}");
}

#[tokio::test]
async fn lines_in_text_have_no_colours_where_nobody_looks() {
    let (_upstream, castellan) = stage("text", "info").await;
    let denied = castellan.graphql("/graphql", None, CREATE).await;
    let decision = denied.header("castellan-decision").unwrap();
    let log = log(&castellan);
    assert!(!log.contains('\u{1b}'), "{log}");
    let line = log.lines().find(|line| line.contains(&format!(" decision={decision} "))).unwrap();
    let wanted = "  INFO castellan::event: a request was denied kind=access_denied outcome=denied \
                  site=default";
    assert!(line.contains(wanted) && line.contains(" object=Guard/people "), "{line}");
    // On a terminal, unless somebody wants none.
    for (name, value, coloured) in [("TERM", "xterm", true), ("NO_COLOR", "1", false)] {
        std::fs::write(castellan.path("bare.toml"), "issuer = \"http://localhost\"\n").unwrap();
        let binary = env!("CARGO_BIN_EXE_castellan");
        let config = castellan.path("bare.toml").display().to_string();
        let shown = std::process::Command::new("script")
            .args(["--quiet", "--command"])
            .arg(format!("{binary} --config {config} config check"))
            .arg("/dev/null")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs([("JWT_SECRETS", "x"), ("TERM", "xterm"), (name, value)])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("this variable is not read"), "{shown}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{name}: {shown:?}");
    }
}

#[tokio::test]
async fn format_and_level_are_taken_up_by_a_reload() {
    let (_upstream, castellan) = stage("text", "").await;
    let config = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    let changed = config.replace("format = \"text\"", "format = \"json\"\nlevel = \"debug\"");
    std::fs::write(castellan.path("castellan.toml"), changed).unwrap();
    assert!(castellan.said(&["reload"]).contains("log: changed"));
    let answer = Ask::get(&castellan.at("/healthz")).send().await;
    let decision = answer.header("castellan-decision").unwrap();
    let log = log(&castellan);
    let line = log.lines().find(|line| line.contains(decision)).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&line["message"], &line["level"]), (&json!("answered"), &json!("DEBUG")));
    assert_eq!(line["path"], "/healthz");
}

#[tokio::test]
async fn a_format_or_level_that_is_none_is_refused_and_a_server_that_does_not_start_says_so_in_json()
 {
    for (setting, said) in [
        ("format = \"xml\"", "log.format: expected `text` or `json`"),
        ("level = \"loud\"", "log.level: must be \"error\", \"warn\", \"info\", "),
    ] {
        let config = format!("[log]\n{setting}\n");
        let refused = Castellan::refuses(Plan { config, ..Plan::default() }).await;
        assert!(refused.contains(said), "{refused}");
    }
    let config = "[log]\nformat = \"json\"\n[audit]\noutput = { file = \"nowhere/audit.log\" }\n";
    let environment = vec![("CASTELLAN_LOG", "info".to_owned())];
    let plan = Plan { config: config.to_owned(), environment, ..Plan::default() };
    let refused = Castellan::refuses(plan).await;
    let lines: Vec<Value> =
        refused.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["level"], &last["message"]),
        (&json!("ERROR"), &json!("the server does not run"))
    );
    assert!(text(last, "error").contains("nowhere/audit.log"), "{last}");
    let warned = lines.iter().any(|line| text(line, "message").contains("security.insecure is on"));
    assert!(warned, "{refused}");
}

/// Whoever runs a command reads what it prints; its log lines would say the same again.
#[tokio::test]
async fn a_command_has_no_line_for_what_it_does() {
    let castellan = Castellan::with_documents(DOCUMENTS).await;
    let mut child = command(&[("CASTELLAN_LOG".to_owned(), "info".to_owned())]);
    let config = castellan.path("castellan.toml");
    child.arg("--config").arg(config).args(["user", "deactivate", "ann"]);
    let done = child.output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(!String::from_utf8_lossy(&done.stderr).contains("castellan::event"), "{done:?}");
}
