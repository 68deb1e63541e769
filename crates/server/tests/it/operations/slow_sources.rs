//! APIs and files that do not answer hold up what needs them, and nothing else.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    castellan::{Castellan, Plan},
    wire::Ask,
};

const SDL: &str = "type Query { name: String }";

/// An API that takes every connection and never answers.
async fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            taken.push(socket);
        }
    });
    port
}

fn make_pipe(castellan: &Castellan, name: &str) {
    let _ = std::fs::remove_file(castellan.path(name));
    assert!(Command::new("mkfifo").arg(castellan.path(name)).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn apis_that_do_not_answer_hold_up_neither_the_start_nor_a_reload() {
    let port = silent().await;
    let guard = |name: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\npublic = [\"Query:*\"]\n\
             upstream = \"http://127.0.0.1:{port}/\"\n"
        )
    };
    let sites = ["one", "two", "three"].map(|name| {
        format!(
            "[[site]]\nname = \"{name}\"\nhosts = [\"{name}.localhost\"]\n\
                 issuer = \"http://{name}.localhost:8080\"\n"
        )
    });
    let first = "[[site]]\nname = \"first\"\n";
    let mut castellan = Castellan::start_unready(Plan {
        config: format!("{first}{}{}{}", sites.concat(), guard("new"), guard("known")),
        files: vec![("known.schema.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    let began = Instant::now();
    castellan.restart_unready().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?} to the start", began.elapsed());
    let ready = castellan.readiness().await;
    assert_eq!(ready.json()["guards"]["new"], false, "{ready:?}");
    assert_eq!(ready.json()["guard_problems"]["new"], "schema_unavailable", "{ready:?}");
    let closed = castellan.graphql("/new", None, "{ name }").await;
    assert_eq!((closed.status.as_u16(), closed.header("retry-after")), (503, Some("2")));
    // What was known before is decided by until the API answers.
    let types = castellan.graphql("/known", None, "{ __schema { queryType { name } } }").await;
    assert_eq!(
        types.json()["data"]["__schema"]["queryType"],
        json!({"name": "Query"}),
        "{types:?}"
    );
    let began = Instant::now();
    let said = castellan.said(&["reload"]);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(said.starts_with("reloaded\n") && said.contains("guard new: "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_the_place_of_a_schema_closes_its_guard_alone() {
    let guard = |name: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nschema = \"{name}.graphql\"\n\
             upstream = \"http://127.0.0.1:9/\"\nschema_refresh = \"1s\"\n"
        )
    };
    let castellan = Castellan::start(Plan {
        config: guard("file") + &guard("pipe"),
        files: vec![("file.graphql", SDL.to_owned()), ("pipe.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await;
    for name in ["pipe.graphql", "pipe.lock"] {
        make_pipe(&castellan, name);
        let bound = Duration::from_secs(5);
        castellan.until_readiness(200, "\"pipe\":\"file_unusable\"", bound).await;
        for _ in 0..20 {
            assert_eq!(Ask::get(&castellan.at("/readyz")).send().await.status, 200);
        }
        let said = castellan.said(&["reload"]);
        assert!(said.contains("it is not a regular file"), "{said}");
        std::fs::remove_file(castellan.path(name)).unwrap();
        let text = if name == "pipe.lock" { "" } else { SDL };
        std::fs::write(castellan.path(name), text).unwrap();
        let began = Instant::now();
        while castellan.readiness().await.body.contains("file_unusable") {
            assert!(began.elapsed() < bound, "it does not recover");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_waits_for_a_file_holds_up_no_request_and_no_later_reload() {
    let secret = "0123456789abcdef0123456789abcdef";
    let castellan = Castellan::start(Plan {
        config: "[jwt]\nsecret = { file = \"secret\" }\nissuer = \"https://ce.example\"\n"
            .to_owned(),
        files: vec![("secret", secret.to_owned())],
        ..Plan::default()
    })
    .await;
    // A secret is in a regular file.
    make_pipe(&castellan, "secret");
    let refused = castellan.cli(&["reload"]);
    let said = String::from_utf8(refused.stdout).unwrap();
    assert!(!refused.status.success() && said.contains("not a regular file"), "{said}");
    std::fs::remove_file(castellan.path("secret")).unwrap();
    std::fs::write(castellan.path("secret"), secret).unwrap();
    assert!(castellan.said(&["reload"]).starts_with("reloaded\n"));
    // The configuration itself may be anything that can be read.
    let good = std::fs::read_to_string(castellan.path("castellan.toml")).unwrap();
    make_pipe(&castellan, "castellan.toml");
    let began = Instant::now();
    let (path, folder) = (castellan.path("castellan.toml"), castellan.path("castellan.toml"));
    let reload = std::thread::spawn(move || {
        crate::support::castellan::command(&[]).arg("--config").arg(path).arg("reload").output()
    });
    for _ in 0..20 {
        assert_eq!(Ask::get(&castellan.at("/readyz")).send().await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said = String::from_utf8(reload.join().unwrap().unwrap().stdout).unwrap();
    assert!(said.contains("within 10 seconds"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    // Whoever reads it finds its end at last.
    std::fs::write(folder, &good).unwrap();
    std::fs::remove_file(castellan.path("castellan.toml")).unwrap();
    std::fs::write(castellan.path("castellan.toml"), good).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(castellan.said(&["reload"]).starts_with("reloaded\n"));
}
