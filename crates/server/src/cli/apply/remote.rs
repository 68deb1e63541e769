//! `castellan apply --server`: documents to a running server, one request each.

use std::{path::Path, process::ExitCode};

use castellan_issuer::resources::Roster;
use castellan_proto::{Secret, is_identifier};
use http::{Method, StatusCode};
use serde_json::Value;

use super::{Arguments, Problems, documents};
use crate::{cli::Failure, http_client::HttpClient};

/// Sends the documents, once all of them name what they are about.
///
/// The server's certificate is checked against what the configuration at `config` and the environment
/// trust, and against the public authorities.
pub(in crate::cli) async fn run(
    config: Option<&Path>,
    arguments: Arguments,
) -> Result<ExitCode, Failure> {
    let server = arguments.server.ok_or("--server is required")?;
    let token = Secret::new(arguments.token.ok_or("--token is required")?);
    let sources = documents::sources(&arguments.files)?;
    let mut problems = Problems::default();
    for (place, document) in documents::all(&sources) {
        match document.map_err(|problem| problem.to_string()).and_then(|it| target(&it)) {
            Ok(target) => problems.note(place, &target),
            Err(problem) => problems.add(place, &problem),
        }
    }
    problems.none("nothing was sent")?;
    let roots = crate::cli::load(config, None)?.roots;
    let client = HttpClient::to(&roots, [&server]);
    for (sent, (place, document)) in documents::all(&sources).enumerate() {
        let document = document?;
        let target = target(&document)?;
        let wrong = |problem: String| super::interrupted(place, &problem, sent);
        let url = server.join(&format!("/{target}"))?;
        let answer = client.send(Method::PUT, &url, Some(&token), document.to_string()).await;
        let (status, body) = answer.map_err(|error| wrong(format!("{server}: {error}")))?;
        match status {
            StatusCode::CREATED => println!("created {target}"),
            StatusCode::OK => println!("put {target}"),
            _ => {
                let outcome: Value = serde_json::from_slice(&body).unwrap_or_default();
                let why = outcome["issue"][0]["diagnostics"].as_str().unwrap_or_default();
                return Err(wrong(format!("{target}: {status} {why}")));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Kind and id of what `document` is about.
fn target(document: &Value) -> Result<String, String> {
    let text = |member: &str| document[member].as_str().unwrap_or_default();
    let (kind, id) = (text("resourceType"), text("id"));
    match Roster::default().named(kind) {
        Some(known) if is_identifier(id) && known.is_writable() => Ok(format!("{kind}/{id}")),
        Some(known) if !known.is_writable() => Err(format!("{kind} cannot be written")),
        _ => Err("resourceType or id is missing".to_owned()),
    }
}
