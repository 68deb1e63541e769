//! The sample of `docs/identity.md` in Go, held to what guards send. Those in Node.js and Python are
//! run by `tests/identity.test.mjs` and `tests/documents`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use serde_json::{Value, json};

use super::fences::{self, Fence};
use crate::support::{
    castellan::{Castellan, Plan, end},
    jose::{self, forged, header},
    upstream::Recorder,
    wire::Ask,
};

/// Shows the sample a header at a moment, for each line that it reads.
const HARNESS: &str = r#"
package castellan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

func Answer() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var asked struct { Ahead int64; Tokens []string }
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil { panic(err) }
		now = func() time.Time { return time.Now().Add(time.Duration(asked.Ahead) * time.Second) }
		request := &http.Request{Header: http.Header{}}
		for _, token := range asked.Tokens { request.Header.Add("Castellan-Identity", token) }
		caller, err := Identify(request)
		text, _ := json.Marshal(map[string]any{"caller": caller, "known": err == nil, "refused": err == ErrNotVerified})
		fmt.Println(string(text))
	}
}
"#;

/// The sample, running.
struct Sample {
    process: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Drop for Sample {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

impl Sample {
    fn start(folder: &Path, text: &str) -> Self {
        fs::create_dir(folder.join("castellan")).unwrap();
        fs::write(folder.join("go.mod"), "module sample\n\ngo 1.21\n").unwrap();
        fs::write(folder.join("castellan/castellan.go"), text).unwrap();
        fs::write(folder.join("castellan/harness.go"), HARNESS).unwrap();
        let main =
            "package main\n\nimport \"sample/castellan\"\n\nfunc main() { castellan.Answer() }\n";
        fs::write(folder.join("main.go"), main).unwrap();
        for arguments in [&["vet", "./castellan"][..], &["build", "-o", "sample", "."]] {
            let output = Command::new("go")
                .args(arguments)
                .current_dir(folder)
                .env("GOPROXY", "off")
                .env("GOTOOLCHAIN", "local")
                .env("CGO_ENABLED", "0")
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let mut process = Command::new(folder.join("sample"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// What it says of a request with `tokens`, `ahead` seconds from now.
    fn ask(&mut self, ahead: u64, tokens: &[&str]) -> Value {
        writeln!(self.input, "{}", json!({"ahead": ahead, "tokens": tokens})).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn refuses(&mut self, ahead: u64, tokens: &[&str]) {
        let said = self.ask(ahead, tokens);
        assert_eq!(said, json!({"caller": null, "known": false, "refused": true}), "{tokens:?}");
    }
}

const SDL: &str = "type Query { people: String } type Mutation { createPerson: String }";

/// Two guards before one API, and what `robot` has of it.
async fn server(api: &Recorder) -> Castellan {
    let guard = |name: &str, more: &str| {
        format!(
            "[[guard]]\nname = \"{name}\"\npath = \"/{name}\"\nupstream = \"{}\"\nschema = \"api.graphql\"\n\
             public = [\"Query:*\"]\n{more}",
            api.url
        )
    };
    Castellan::start(Plan {
        config: guard("archive", "")
            + &guard("other", "")
            + &guard("third", "upstream_id = \"third\"\n"),
        documents: "resourceType: Client\nid: robot\nsecret: secret-of-the-robot\n\
            grant_types: [client_credentials]\nscope: ['Query:*']\n"
            .to_owned(),
        files: vec![("api.graphql", SDL.to_owned())],
        ..Plan::default()
    })
    .await
}

/// What the API is told at a guard.
async fn told(castellan: &Castellan, api: &Recorder, guard: &str, token: Option<&str>) -> String {
    let answer = castellan.graphql(&format!("/{guard}"), token, "{ people }").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    api.seen().pop().unwrap().headers["castellan-identity"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_in_go_takes_what_guards_send_and_nothing_else() {
    if Command::new("go").arg("version").output().is_err() {
        // Past the capture of the test: a run without it is to be seen.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: the sample of docs/identity.md in Go: `go` is not installed"
        );
        return;
    }
    let api = Recorder::start().await;
    let castellan = server(&api).await;
    let folder = tempfile::tempdir().unwrap();
    let [Fence { text, .. }] = &fences::of("docs/identity.md", "go")[..] else {
        panic!("docs/identity.md has one sample in Go");
    };
    assert!(
        text.contains("https://id.example.org\"") && text.contains("\"http://127.0.0.1:4000\"")
    );
    let text = text.replace("https://id.example.org", &castellan.url);
    let text = text.replace("http://127.0.0.1:4000", api.url.trim_end_matches('/'));
    let mut sample = Sample::start(folder.path(), &text);

    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", "secret-of-the-robot"),
    ];
    let token = castellan.token(&form).await.json()["access_token"].as_str().unwrap().to_owned();
    let identity = told(&castellan, &api, "archive", Some(&token)).await;
    let said = sample.ask(0, &[&identity]);
    assert_eq!(said["caller"]["sub"], "robot", "{said}");
    assert_eq!(said["caller"]["kind"], "access_token", "{said}");
    assert_eq!(said["caller"]["scope"], "Query:*", "{said}");
    let said = sample.ask(0, &[&told(&castellan, &api, "archive", None).await]);
    assert_eq!(said["caller"]["kind"], "anonymous", "{said}");
    assert_eq!(said["caller"]["client_id"], Value::Null, "{said}");

    // Nothing, twice the same, another guard's, another API's, and what apps hold.
    sample.refuses(0, &[]);
    sample.refuses(0, &[""]);
    sample.refuses(0, &[&identity, &identity]);
    sample.refuses(0, &[&told(&castellan, &api, "other", Some(&token)).await]);
    sample.refuses(0, &[&told(&castellan, &api, "third", Some(&token)).await]);
    sample.refuses(0, &[&token]);
    // Altered in each of its parts, and read a minute later.
    let parts: Vec<&str> = identity.split('.').collect();
    let (head, mut claims) = (header(&identity), jose::claims(&identity));
    sample.refuses(0, &[&format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86))]);
    sample.refuses(0, &[&forged(&json!({"typ": head["typ"], "alg": "none"}), &claims, b"")]);
    claims["sub"] = json!("admin");
    sample.refuses(0, &[&forged(&head, &claims, &[7; 64])]);
    let altered = forged(&head, &claims, b"");
    sample.refuses(0, &[&format!("{altered}{}", parts[2])]);
    sample.refuses(61, &[&identity]);
    assert_eq!(sample.ask(0, &[&identity])["known"], true);
}

/// `docs/identity.md`: the key set is found by discovery, and is not that of tokens.
#[tokio::test]
async fn the_key_set_of_identities_is_named_by_both_discovery_documents() {
    let castellan = Castellan::with_documents("").await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let metadata = Ask::get(&castellan.at(path)).send().await.json();
        let named = metadata["castellan_identity_jwks_uri"].as_str().unwrap();
        assert_ne!(named, metadata["jwks_uri"]);
        let keys = Ask::get(named).send().await.json();
        assert!(!keys["keys"].as_array().unwrap().is_empty(), "{keys}");
        assert!(keys["keys"].as_array().unwrap().iter().all(|key| key["crv"] == "P-256"), "{keys}");
    }
}
