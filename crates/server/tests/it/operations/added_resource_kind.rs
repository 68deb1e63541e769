//! A kind of resource that Castellan does not have, added in this file alone: it has routes, a right
//! of its own, listings, a path that no guard may claim, and a place in `--help`.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use axum::body::{Body, to_bytes};
use castellan_issuer::{
    Issuer, Stored,
    resources::{Facts, Mode, Problem, ReadDocument, Resource, Roster},
    store,
};
use castellan_proto::Timestamp;
use castellan_server::{
    cli,
    config::{Config, Loaded, Rosters},
    startup::assemble::{self, Server},
};
use http::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A label, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelDocument {
    text: String,
}

/// A label, as stored.
#[derive(Clone, Serialize, Deserialize)]
struct Label {
    text: String,
    created: Timestamp,
    modified: Timestamp,
}

impl Stored for Label {
    const KIND: store::Kind = store::Kind::Credential;
}

impl Resource for LabelDocument {
    type Record = Label;

    const NAME: &'static str = "Label";
    const PREFIX: &'static str = "label/";

    async fn read(
        self,
        issuer: &Issuer,
        before: Option<&Label>,
    ) -> Result<ReadDocument<Label>, Problem> {
        if self.text.is_empty() {
            return Err(Problem::Text("text is empty".to_owned()));
        }
        let created = before.map_or(issuer.now(), |before| before.created);
        let label = Label { text: self.text, created, modified: issuer.now() };
        Ok(ReadDocument::without_secret(label))
    }

    fn show(id: &str, label: &Label) -> Value {
        json!({"resourceType": "Label", "id": id, "text": label.text})
    }

    fn facts(_: &str, label: &Label) -> Facts {
        Facts { name: label.text.clone(), created: label.created, modified: label.modified }
    }
}

const SECRET: &str = "a-secret-for-the-tool";

fn rosters() -> Rosters {
    Rosters { resources: Roster::default().with::<LabelDocument>(), ..Rosters::default() }
}

/// A configuration with `more` in it, in a folder of its own, that knows of labels.
fn load(more: &str) -> (TempDir, Loaded) {
    // As the command line does it; another test of this process may have done it already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("castellan.toml");
    std::fs::write(&path, format!("[security]\ninsecure = true\n{more}")).unwrap();
    let loaded = Config::load_with(Some(&path), [], rosters()).unwrap();
    (folder, loaded)
}

async fn ask(server: &Server, request: Request<Body>) -> (StatusCode, Value) {
    let response = server.corridor.walk(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 64 * 1024).await.unwrap();
    (parts.status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// An access token of the app `id`.
async fn token(server: &Server, id: &str) -> String {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={SECRET}");
    let request = Request::post("http://localhost:8080/auth/token")
        .header("host", "localhost:8080")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    let (status, answer) = ask(server, request.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

fn request(method: Method, path: &str, token: &str, body: &Value) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(format!("http://localhost:8080{path}"))
        .header("host", "localhost:8080")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn without_meta(document: &Value) -> Value {
    let mut document = document.clone();
    document.as_object_mut().unwrap().shift_remove("meta").unwrap();
    document
}

#[tokio::test]
async fn an_added_kind_is_served() {
    let (_folder, loaded) = load("");
    let issuers = assemble::open_issuers(&loaded, assemble::Access::Begin).await.unwrap();
    for (id, scope) in [("writer", "Castellan:*"), ("reader", "Castellan:Label:Read")] {
        let document = json!({
            "resourceType": "Client", "id": id, "secret": SECRET,
            "grant_types": ["client_credentials"], "scope": [scope],
        });
        issuers[0].apply(document, Mode::Write).await.unwrap();
    }
    let server = assemble::build(&loaded, issuers, Duration::from_secs(10)).await.unwrap();
    let (writer, reader) = (token(&server, "writer").await, token(&server, "reader").await);

    let label = json!({"resourceType": "Label", "id": "one", "text": "first"});
    let put = |token: &str, label: &Value| request(Method::PUT, "/Label/one", token, label);
    let (status, _) = ask(&server, put(&reader, &label)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "to read is not to write");
    let (status, answer) = ask(&server, put(&writer, &json!({"text": ""}))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["issue"][0]["diagnostics"], "Label/one: text is empty");
    let (status, created) = ask(&server, put(&writer, &label)).await;
    assert_eq!((status, without_meta(&created)), (StatusCode::CREATED, label.clone()));

    let get = |path: &str| request(Method::GET, path, &reader, &Value::Null);
    assert_eq!(ask(&server, get("/Label/one")).await, (StatusCode::OK, created.clone()));
    let (status, bundle) = ask(&server, get("/Label")).await;
    assert_eq!((status, &bundle["entry"][0]["resource"]), (StatusCode::OK, &created));
    assert_eq!(ask(&server, get("/AuthKey")).await.0, StatusCode::FORBIDDEN, "another kind");
    let (status, _) = ask(&server, get("/Label?user=ada&client=shop")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a search of another kind's");

    let delete = request(Method::DELETE, "/Label/one", &writer, &Value::Null);
    assert_eq!(ask(&server, delete).await, (StatusCode::OK, created));
    assert_eq!(ask(&server, get("/Label/one")).await.0, StatusCode::GONE);
    assert_eq!(ask(&server, get("/Label/two")).await.0, StatusCode::NOT_FOUND);
    server.close().await;
}

#[tokio::test]
async fn no_guard_may_claim_the_path_of_an_added_kind() {
    let (_folder, loaded) = load(
        "[[guard]]\nname = \"labels\"\npath = \"/Label\"\nupstream = \"http://localhost:9/\"\n",
    );
    let issuers = assemble::open_issuers(&loaded, assemble::Access::Begin).await.unwrap();
    let Err(error) = assemble::build(&loaded, issuers, Duration::from_secs(10)).await else {
        panic!("the guard was opened")
    };
    assert!(error.to_string().contains("/Label"), "{error}");
}

#[test]
fn the_description_names_an_added_kind() {
    let document = castellan_server::http::openapi(&rosters());
    assert!(document["paths"]["/Label/{id}"]["put"].is_object());
    assert_eq!(
        document["components"]["schemas"]["Label"]["properties"]["resourceType"]["const"],
        "Label"
    );
}

#[test]
fn help_names_an_added_kind() {
    let rosters = rosters();
    let (mut command, roster) = (cli::command(&rosters), rosters.resources);
    for name in ["get", "delete", "apply"] {
        let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        for kind in roster.iter().filter(|kind| name != "apply" || kind.is_writable()) {
            assert!(help.contains(kind.as_str()), "{name}: {}:\n{help}", kind.as_str());
        }
    }
}
