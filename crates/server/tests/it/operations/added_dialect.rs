//! A dialect that Castellan does not have, added in this file alone: it has an endpoint, guards that
//! speak in its words, apps of its own, and a place in `--help` and in what the configuration says.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use castellan_gate::{ErrorText, Naming, Rules, SessionField, Wording};
use castellan_issuer::records::TokenProfile;
use castellan_server::{
    cli,
    config::{Config, ConfigError, Loaded, Rosters},
    dialects::{BasicOf, ClientDialect, Dialect, Dialects, GuardDialect, JwtOf, SessionsOf, Site},
    startup::assemble::{self, Server},
};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

static TEA: Dialect = Dialect {
    name: "tea",
    guards: Some(GuardDialect {
        rules: |plain| Rules {
            wording: Wording {
                no_credential: ErrorText::new("No cup.", "CUPLESS"),
                ..Wording::default()
            },
            ..plain
        },
        naming: Naming::Verbs,
        session: SessionField::Off,
        jwt: JwtOf::Nobody,
        basic: BasicOf::Clients,
        http: false,
        at_root: None,
        sessions: SessionsOf::Nobody,
        method_override: false,
        expected_user: false,
        endpoints: None,
        refusal: None,
    }),
    client: Some(ClientDialect {
        profile: TokenProfile::Standard,
        names_type: true,
        refreshes: false,
    }),
    routes: |_: &Site<'_>| Router::new().route("/tea", get(async || "Earl Grey")),
    open: &["/tea"],
    claims: &["/tea"],
    refusal: |_, _, _| None,
};

fn rosters() -> Rosters {
    Rosters { dialects: Dialects::default().with(&TEA), ..Rosters::default() }
}

const GUARD: &str = "[[guard]]\nname = \"pot\"\npath = \"/pot\"\nschema = \"pot.graphql\"\n\
                     upstream = \"http://127.0.0.1:9/\"\n";

/// A configuration of the guard at `/pot` that speaks `dialect`, in a folder of its own.
fn load(dialect: &str, more: &str) -> (TempDir, Result<Loaded, ConfigError>) {
    // As the command line does it; another test of this process may have done it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("castellan.toml");
    let schema = "type Query { cups: Int } type Mutation { brew: Int }";
    std::fs::write(folder.path().join("pot.graphql"), schema).unwrap();
    let text = format!("[security]\ninsecure = true\n{GUARD}dialect = {dialect:?}\n{more}");
    std::fs::write(&path, text).unwrap();
    let loaded = Config::load_with(Some(&path), [], rosters());
    (folder, loaded)
}

async fn ask(server: &Server, request: Request<Body>) -> (StatusCode, String) {
    let response = server.corridor.walk(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 64 * 1024).await.unwrap();
    (parts.status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn an_added_dialect_is_spoken() {
    let (_folder, loaded) = load("tea", "");
    let loaded = loaded.unwrap();
    let issuers = assemble::open_issuers(&loaded, assemble::Access::Begin).await.unwrap();
    let server = assemble::build(&loaded, issuers, Duration::from_secs(10)).await.unwrap();

    let request = Request::get("http://localhost:8080/tea").header("host", "localhost:8080");
    let (status, text) = ask(&server, request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, &*text), (StatusCode::OK, "Earl Grey"));

    let request = Request::post("http://localhost:8080/pot")
        .header("host", "localhost:8080")
        .header("content-type", "application/json")
        .body(Body::from(json!({"query": "mutation { brew }"}).to_string()));
    let (_, text) = ask(&server, request.unwrap()).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["errors"][0]["message"], "No cup.", "{text}");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "CUPLESS", "{text}");
    server.close().await;
}

#[test]
fn an_unknown_dialect_is_refused_with_those_that_there_are() {
    let (_folder, loaded) = load("coffee", "");
    let text = loaded.unwrap_err().to_string();
    assert!(
        text.contains("castellan.toml:8: guard \"pot\": dialect: \"coffee\" is not known"),
        "{text}"
    );
    assert!(text.contains("expected \"decidim\" or \"ibexa\" or \"trompa\" or \"tea\""), "{text}");
}

#[tokio::test]
async fn no_guard_may_claim_the_path_of_an_added_dialect() {
    let more = "[[guard]]\nname = \"leaves\"\npath = \"/tea/leaves\"\n\
                upstream = \"http://127.0.0.1:9/\"\n";
    let (_folder, loaded) = load("tea", more);
    let loaded = loaded.unwrap();
    let issuers = assemble::open_issuers(&loaded, assemble::Access::Begin).await.unwrap();
    let Err(error) = assemble::build(&loaded, issuers, Duration::from_secs(10)).await else {
        panic!("the guard was opened")
    };
    assert!(error.to_string().contains("/tea"), "{error}");
}

#[test]
fn help_names_an_added_dialect() {
    let mut command = cli::command(&rosters());
    let client = command.find_subcommand_mut("client").unwrap();
    let help = client.find_subcommand_mut("add").unwrap().render_long_help().to_string();
    assert!(help.contains("[possible values: decidim, tea]"), "{help}");
}
